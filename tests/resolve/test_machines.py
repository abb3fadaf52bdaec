"""What a VM looks like in the target."""

import pytest
from tests.resolve.projects import Data, defaults, machines, resolved, vm


def disk(size: int, controller: str | None = None, unit: str | None = None) -> Data:
    """Return a disk that its size tells from others."""
    given = {"size": f"{size}Gi", "datastore": "ds1", "controller": controller, "unit": unit}
    return {name: value for name, value in given.items() if value is not None}


@pytest.mark.parametrize(
    ("disks", "booted"),
    [
        ([disk(1), disk(2)], 1),
        ([disk(1, "scsi", "scsi0:1"), disk(2, "scsi", "scsi0:0")], 2),
        ([disk(1, "scsi"), disk(2, "scsi"), disk(3, "sata", "sata0:0")], 1),  # of several buses, that of the first disk
        ([disk(1, "scsi", "scsi0:1"), disk(2, "scsi", "scsi0:0"), disk(3, "scsi") | {"boot": True}], 3),
    ],
)
def test_the_first_disk_is_booted_unless_another_one_is_said_to_be(disks: list[Data], booted: int) -> None:
    machine = machines(resolved(vm(disks=disks)))["web-01"]
    assert [each.size >> 30 for each in machine.disks if each.boot_order == 1] == [booted]


@pytest.mark.parametrize(
    ("disks", "forklift", "virt_v2v"),
    [
        ([disk(1), disk(2)], [1, 2], [1, 2]),
        ([disk(1, "scsi"), disk(2, "sata"), disk(3, "ide")], [2, 3, 1], [1, 2, 3]),
        ([disk(1, "scsi", "scsi0:1"), disk(2, "scsi", "scsi0:0")], [2, 1], [2, 1]),
        ([disk(1, "scsi", "scsi1:0"), disk(2, "scsi", "scsi0:15"), disk(3, "scsi", "SCSI0:2")], [3, 2, 1], [3, 2, 1]),
        # where one place is unknown, the list is all there is to go by
        ([disk(1, "scsi", "scsi0:1"), disk(2, "scsi"), disk(3, "scsi", "scsi0:0")], [1, 2, 3], [1, 2, 3]),
        ([disk(1, "scsi"), disk(2, "sata", "sata0:1"), disk(3, "sata", "sata0:0")], [3, 2, 1], [1, 3, 2]),
        ([disk(1, "scsi", "Hard disk 1"), disk(2, "scsi", "scsi0:0")], [1, 2], [1, 2]),
    ],
)
def test_disks_are_numbered_as_the_copier_numbers_them(
    disks: list[Data], forklift: list[int], virt_v2v: list[int]
) -> None:
    """Source: Forklift web/vsphere/vm.go, sortedDisksByBusses; libvirt src/vmx/vmx.c."""
    for path, method, expected in (("forklift", "cold", forklift), ("virt-v2v", "job", virt_v2v)):
        machine = machines(resolved(vm(path=path, method=method, disks=disks)))["web-01"]
        assert [each.size >> 30 for each in machine.disks] == expected
        assert [each.claim.rpartition("-")[2] for each in machine.disks] == [str(n) for n in range(len(disks))]


EFI = {"firmware": "efi", "secureBoot": False}


def test_a_fact_that_rules_state_holds_where_nothing_else_says_it() -> None:
    plain, known, bios = vm("a", **EFI), vm("b", **EFI, vtpm=True), vm("c")
    rule = [{"match": {"name": "*"}, "set": {"vtpm": False}}]
    for sections in ({"defaults": defaults(vtpm=False)}, {"assign": rule}):
        found = machines(resolved(plain, known, bios, **sections))
        assert [found[name].vtpm for name in ("a", "b", "c")] == [False, True, False]


def test_a_fact_that_rules_state_of_efi_vms_is_nothing_to_bios_ones() -> None:
    assert machines(resolved(vm("c"), defaults=defaults(vtpm=True)))["c"].vtpm is False


def test_a_fact_that_no_rule_states_is_still_missing() -> None:
    rule = [{"match": {"name": "other"}, "set": {"vtpm": False}}]
    result = resolved(vm("a", **EFI), vm("other", **EFI), assign=rule)
    assert [(each.code, each.vms) for each in result.findings if "vTPM" in each.message] == [("VMF108", ("a",))]
