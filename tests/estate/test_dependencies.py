"""What stands under `dependsOn` means the same to every stage."""

from msgspec import convert

from vmferry.estate.dependencies import named, needs, outside
from vmferry.estate.identity import Directory, of_vm
from vmferry.model.spec import VirtualMachine


def vm(**fields: object) -> VirtualMachine:
    return convert(fields, VirtualMachine)


WEB = vm(name="web-01", dependsOn=["db-01", {"external": "smtp.example.com:25"}, "vm-7", "nobody"])
KNOWN = Directory(
    (
        of_vm(vm(name="db-01", id="vm-1"), "vc1"),
        of_vm(vm(name="db-01", id="vm-1"), "vc2"),
        of_vm(vm(name="ldap-01", id="vm-7"), "vc2"),
    )
)


def test_services_outside_are_told_from_vms() -> None:
    assert named(WEB) == ((0, "db-01"), (2, "vm-7"), (3, "nobody"))
    assert outside(WEB) == ["smtp.example.com:25"]


def test_of_vms_of_one_name_the_one_in_the_same_vcenter_is_meant() -> None:
    found = {need.number: need.found.key if need.found else None for need in needs(WEB, "vc2", KNOWN)}
    assert found == {0: "vc2/vm-1", 2: "vc2/vm-7", 3: None}


def test_where_the_own_vcenter_has_none_of_them_nobody_knows_which_is_meant() -> None:
    [need, *_] = needs(WEB, "vc3", KNOWN)
    assert (need.found, len(need.meant)) == (None, 2)
