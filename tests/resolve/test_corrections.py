"""Records of an earlier vmferry: corrected before a VM starts, kept from then on."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.resolve.formerly import former_record, formerly, recorded
from tests.resolve.projects import Data, codes, finding, machines, resolved, vm

from vmferry.estate.smbios import corrected, guest_uuid, only_corrected
from vmferry.model.assignments import Assignments

TWO: Data = {"disks": [{"size": "40Gi", "datastore": "ds1"}, {"size": "80Gi", "datastore": "ds1"}]}
STAGES = ("prepared", "migrating", "cutover")


def stage(name: str) -> Data:
    return {"groups": {"first-01": {"stage": name}}}


def former(*vms: Data, at: str, **sections: Any) -> Assignments:
    """Return what the vmferry before wrote down of VMs whose group reached a stage."""
    written = None
    for name in STAGES[: STAGES.index(at) + 1]:
        written = resolved(*vms, assignments=written, **stage(name), **sections).assignments
    assert written is not None
    return former_record(written)


@pytest.mark.parametrize("at", ["prepared", "migrating"])
def test_a_vm_that_did_not_start_takes_the_identity_of_its_guest(at: str) -> None:
    before = former(vm(**TWO), at=at)
    found = resolved(vm(**TWO), assignments=before, **stage(at))
    machine = machines(found)["web-01"]
    assert machine.guest_uuid == guest_uuid(vm()["uuid"], "vmx-19") != machine.uuid
    assert machine.serial is not None
    assert machine.serial.startswith("VMware-42 30 1f 6e")
    assert [disk.boot_order for disk in machine.disks] == [1, 2]
    assert codes(found) == ["VMF136"]
    assert finding(found, "VMF136").vms == ("web-01",)


def test_a_vm_whose_cutover_is_in_this_very_commit_starts_with_the_right_identity() -> None:
    found = resolved(vm(**TWO), assignments=former(vm(**TWO), at="migrating"), **stage("cutover"))
    assert machines(found)["web-01"].guest_uuid == guest_uuid(vm()["uuid"], "vmx-19")
    assert codes(found) == ["VMF136"]


def test_once_written_down_the_correction_is_no_finding() -> None:
    first = resolved(vm(**TWO), assignments=former(vm(**TWO), at="prepared"), **stage("prepared"))
    again = resolved(vm(**TWO), assignments=first.assignments, **stage("prepared"))
    assert codes(again) == []
    assert again.assignments == first.assignments


def test_a_vm_that_runs_keeps_what_it_has() -> None:
    before = former(vm(**TWO), at="cutover")
    found = resolved(vm(**TWO), assignments=before, **stage("cutover"))
    assert found.assignments == before
    assert codes(found) == ["VMF137"]
    assert finding(found, "VMF137").vms == ("web-01",)


def test_real_differences_of_a_running_vm_are_still_told() -> None:
    before = former(vm(**TWO), at="cutover")
    found = resolved(vm(**TWO, memory="16Gi"), assignments=before, **stage("cutover"))
    message = finding(found, "VMF409").message
    assert message.endswith("differs: memory")


def test_a_vm_with_another_uuid_today_is_not_corrected() -> None:
    other = {"uuid": "42301f6e-1c5d-4c6e-9d3a-000000000001", "id": "vm-7"}
    before = former(vm(**TWO, id="vm-7"), at="prepared")
    found = resolved(vm(**TWO | other), assignments=before, **stage("prepared"))
    assert found.assignments == before
    assert codes(found) == ["VMF409"]
    assert "uuid" in finding(found, "VMF409").message


def test_other_disks_today_leave_the_recorded_ones_and_order_them() -> None:
    before = former(vm(**TWO), at="prepared")
    grown = {"disks": [TWO["disks"][0], {"size": "90Gi", "datastore": "ds1"}]}
    found = resolved(vm(**grown), assignments=before, **stage("prepared"))
    assert [(disk.size >> 30, disk.boot_order) for disk in machines(found)["web-01"].disks] == [(40, 1), (80, 2)]
    assert codes(found) == ["VMF136", "VMF409"]
    assert finding(found, "VMF409").message.endswith("differs: disks")


def test_the_disk_that_rootdisk_names_boots_after_the_correction() -> None:
    second = vm(**TWO, rootDisk="/dev/sdb2")
    before = former(second, at="prepared")
    [(key, item)] = before.vms.items()
    assert item.machine is not None
    disks = tuple(replace(disk, boot_order=1 if disk.index == 0 else None) for disk in item.machine.disks)
    before = replace(before, vms={key: recorded(replace(item.machine, disks=disks), item)})
    found = resolved(second, assignments=before, **stage("prepared"))
    assert [disk.boot_order for disk in machines(found)["web-01"].disks] == [2, 1]


READDRESSED: Data = {
    "staticIP": "cloud-init",
    "readdress": {"vlan-7": {"addresses": ["10.0.7.9/24"]}},
}


def test_the_network_data_of_a_vm_that_did_not_start_gets_names() -> None:
    before = former(vm(**READDRESSED), at="prepared")
    assert before.vms["vc1/web-01"].machine is not None
    assert before.vms["vc1/web-01"].machine.nics[0].set_name is None
    found = resolved(vm(**READDRESSED), assignments=before, **stage("prepared"))
    assert machines(found)["web-01"].nics[0].set_name == "net0"
    assert codes(found) == ["VMF136"]


def test_the_network_data_of_a_vm_that_runs_stays() -> None:
    before = former(vm(**READDRESSED), at="cutover")
    found = resolved(vm(**READDRESSED), assignments=before, **stage("cutover"))
    assert found.assignments == before
    assert codes(found) == ["VMF137"]


def test_forklift_makes_its_vms_itself_so_their_record_stays() -> None:
    cold: Data = {"defaults": {"phase": "first", "namespace": "web", "path": "forklift", "method": "cold"}}
    before = former(vm(**TWO), at="migrating", **cold)
    found = resolved(vm(**TWO), assignments=before, **stage("migrating"), **cold)
    assert found.assignments == before
    assert codes(found) == []


def test_nothing_but_a_correction_passes_for_one() -> None:
    now = machines(resolved(vm(**TWO), **stage("prepared")))["web-01"]
    was = formerly(now)
    assert corrected(was, now) == now
    assert only_corrected(was, now)
    assert not only_corrected(now, now)
    assert not only_corrected(was, replace(now, memory=1 << 30))
    assert not only_corrected(replace(was, serial="4711"), now)
