"""Drift: each change in vCenter is harmless, needs a decision, or blocks, by what is compiled already."""

from typing import Any

import msgspec
import pytest
from tests.resolve.projects import Data, project, resolved, vm

from vmferry.model.inventory import Inventory
from vmferry.resolve.drift import Change, drift

STAGES: dict[str, Data] = {stage: {"first-01": {"stage": stage}} for stage in ("prepared", "cutover")}


def newer(*vms: Data) -> list[Inventory]:
    data = {"metadata": {"name": "vc1"}, "source": {"name": "vc1", "kind": "vcenter"}, "vms": list(vms)}
    return [msgspec.convert(data, Inventory)]


def changes(before: Data, after: Data | None, stage: str = "planned", **sections: Any) -> list[Change]:
    """Return the changes of one VM whose group is at a stage."""
    assignments = resolved(before, groups={}, **sections).assignments
    if stage != "planned":
        prepared = {"groups": STAGES["prepared"], **sections}
        assignments = resolved(before, assignments=assignments, **prepared).assignments
        sections = {"groups": STAGES[stage], **sections}
    now = project(before, assignments=assignments, **sections)
    return list(drift(now, newer(*([after] if after else []))))


def verdicts(*args: Any, **sections: Any) -> list[str]:
    return [change.verdict for change in changes(*args, **sections)]


DISK = {"size": "40Gi", "datastore": "ds1"}
NIC = vm()["nics"][0]
WARM = {"path": "forklift", "method": "warm", "changeTracking": True}


def test_the_same_inventory_is_no_drift() -> None:
    assert changes(vm(), vm(), "prepared") == []


@pytest.mark.parametrize(
    ("fields", "before", "after", "planned", "prepared"),
    [
        ({}, {}, {"disks": [DISK, DISK]}, "harmless", "blocks"),
        ({}, {"disks": [DISK, DISK]}, {"disks": [DISK]}, "harmless", "blocks"),
        ({}, {}, {"disks": [{**DISK, "size": "50Gi"}]}, "harmless", "blocks"),
        (WARM, {}, {"disks": [{**DISK, "size": "50Gi"}]}, "harmless", "harmless"),
        ({}, {}, {"disks": [{**DISK, "datastore": "ds2"}]}, "decision", "harmless"),
        (WARM, {}, {"disks": [{**DISK, "datastore": "ds2"}]}, "decision", "blocks"),
        ({}, {}, {"nics": [NIC, {**NIC, "mac": "00:50:56:00:00:99"}]}, "harmless", "blocks"),
        ({}, {}, {"nics": []}, "harmless", "blocks"),
        ({}, {}, {"nics": [{**NIC, "network": "vlan-8"}]}, "decision", "blocks"),
        ({}, {}, {"nics": [{**NIC, "mac": "00:50:56:00:00:99"}]}, "harmless", "blocks"),
        ({}, {}, {"powerState": "poweredOff"}, "harmless", "harmless"),
        ({}, {}, {"snapshots": 1}, "harmless", "harmless"),
        (WARM, {}, {"snapshots": 1}, "harmless", "blocks"),
        (WARM, {}, {"changeTracking": False}, "harmless", "blocks"),
        ({}, {}, {"memory": "16Gi"}, "harmless", "blocks"),
        ({}, {}, {"host": "esx2.example.com"}, "harmless", "blocks"),
        (WARM, {}, {"host": "esx2.example.com"}, "harmless", "harmless"),
        ({"id": "vm-1"}, {}, {"id": "vm-9"}, "decision", "blocks"),
    ],
)
def test_a_change_counts_by_the_stage_of_its_group(
    fields: Data, before: Data, after: Data, planned: str, prepared: str
) -> None:
    was = vm(**fields, **before)
    now = {key: value for key, value in (was | after).items() if key not in ("path", "method")}
    assert verdicts(was, now) == [planned]
    assert verdicts(was, now, "prepared") == [prepared]


def test_a_vm_that_vanished_blocks_what_is_prepared() -> None:
    assert verdicts(vm(), None) == ["decision"]
    assert verdicts(vm(), None, "prepared") == ["blocks"]
    assert verdicts(vm(), None, "cutover") == ["decision"]


def test_a_new_vm_needs_a_decision() -> None:
    [change] = drift(project(vm()), newer(vm(), vm("web-02")))
    assert (change.vm, change.what, change.verdict) == ("web-02", "new VM", "decision")


def test_a_source_that_runs_again_after_cutover_blocks() -> None:
    off = vm(powerState="poweredOff", runStrategy="Always")
    on = {key: value for key, value in (off | {"powerState": "poweredOn"}).items() if key != "runStrategy"}
    assert verdicts(off, on, "cutover") == ["blocks"]
    assert verdicts(off, on | {"memory": "16Gi", "powerState": "poweredOff"}, "cutover") == []


def test_what_is_unknown_on_one_side_is_no_difference() -> None:
    known = vm()
    assert changes(known, {key: known[key] for key in ("name", "uuid")}, "prepared") == []
