"""Drift: each change in vCenter is harmless, needs a decision, or blocks, by what is compiled already."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.resolve.projects import Data, defaults, project, resolved, vm

from vmferry.model.assignments import Assignments
from vmferry.model.inventory import FACTS, Inventory
from vmferry.model.project import Project
from vmferry.resolve.drift import Change, drift, uncovered

PREPARED: Data = {"first-01": {"stage": "prepared"}}


def newer(*vms: Data, source: str = "vc1", **fields: Any) -> list[Inventory]:
    origin = {"name": source, "kind": "vcenter"} | fields.pop("origin", {})
    data = {"metadata": {"name": source}, "source": origin, "vms": list(vms), **fields}
    return [msgspec.convert(data, Inventory)]


def imported(found: Project) -> Project:
    """Return a project whose facts come from an inventory: only decisions are stated."""
    entries = []
    for entry in found.entries:
        stated = [f for f in entry.vm.__struct_fields__ if f not in FACTS and f != "source" and getattr(entry.vm, f)]
        entries.append(replace(entry, imported=entry.vm, stated=(*stated, "id")))
    return replace(found, entries=tuple(entries))


def frozen(*before: Data, **sections: Any) -> Assignments:
    """Return the record once the group of these VMs was prepared."""
    assignments = resolved(*before, **sections).assignments
    return resolved(*before, assignments=assignments, **{**sections, "groups": PREPARED}).assignments


def changes(
    before: Data,
    after: Data | None,
    stage: str = "planned",
    state: Data | None = None,
    origin: Data | None = None,
    now: Data | None = None,
    **sections: Any,
) -> list[Change]:
    """Return the changes of one VM whose group is at a stage. ``now``: the spec says this of it meanwhile."""
    sections = {"groups": {}, **sections}
    if stage == "planned":
        assignments = resolved(before, **sections).assignments
    else:
        assignments = frozen(before, **sections)
        sections["groups"] = {"first-01": {"stage": stage, **(state or {})}}
    today = imported(project(now or before, assignments=assignments, **sections))
    return list(drift(today, newer(*([facts(after)] if after else []), origin=origin or {})))


def facts(data: Data) -> Data:
    """Return what an inventory says of a VM."""
    return {
        key: value
        for key, value in data.items()
        if key not in ("path", "method", "runStrategy", "phase", "application")
    }


def verdicts(*args: Any, **sections: Any) -> list[str]:
    return [change.verdict for change in changes(*args, **sections)]


DISK = {"size": "40Gi", "datastore": "ds1"}
NIC = vm()["nics"][0]
WARM = {"path": "forklift", "method": "warm", "changeTracking": True}
COLD = {"path": "forklift", "method": "cold"}
IMAGE = {"path": "virt-v2v", "method": "image"}


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
        ({}, {}, {"cpu": {"count": 8, "coresPerSocket": 2}}, "harmless", "blocks"),
        ({}, {}, {"cpu": {"count": 4, "coresPerSocket": 4}}, "harmless", "blocks"),
        (WARM, {}, {"memory": "16Gi"}, "harmless", "harmless"),
        ({}, {}, {"firmware": "efi"}, "harmless", "blocks"),
        ({}, {}, {"template": True}, "decision", "blocks"),
        ({}, {}, {"connectionState": "orphaned"}, "decision", "blocks"),
        ({}, {}, {"connectionState": "disconnected"}, "decision", "decision"),
        (WARM, {"passthrough": []}, {"passthrough": ["vgpu grid_t4-4q"]}, "decision", "blocks"),
        (WARM, {"encrypted": False}, {"encrypted": True}, "decision", "blocks"),
        ({}, {}, {"disks": [{**DISK, "shared": "quorum"}]}, "decision", "blocks"),
        ({}, {}, {"disks": [{**DISK, "rdm": "physical"}]}, "decision", "blocks"),
        ({}, {}, {"disks": [{**DISK, "mode": "independent_persistent"}]}, "decision", "blocks"),
        ({}, {}, {"disks": [DISK, {**DISK, "datastore": "ds2"}]}, "decision", "blocks"),
        ({}, {}, {"nics": [NIC, {"network": "vlan-8"}]}, "decision", "blocks"),
        ({}, {}, {"uuid": "42301f6e-1c5d-4c6e-9d3a-000000000001"}, "harmless", "blocks"),
        (WARM, {}, {"uuid": "42301f6e-1c5d-4c6e-9d3a-000000000001"}, "harmless", "harmless"),
        ({}, {}, {"os": "windows"}, "decision", "decision"),
        ({}, {"powerState": "poweredOff"}, {"powerState": "poweredOn"}, "harmless", "decision"),
        ({"id": "vm-1"}, {}, {"id": "vm-9"}, "decision", "blocks"),
    ],
)
def test_a_change_counts_by_the_stage_of_its_group(
    fields: Data, before: Data, after: Data, planned: str, prepared: str
) -> None:
    was = vm(**fields, **before)
    now = was | after
    assert verdicts(was, now) == [planned]
    assert verdicts(was, now, "prepared") == [prepared]


def test_a_vm_that_vanished_blocks_what_is_prepared() -> None:
    assert verdicts(vm(), None) == ["decision"]
    assert verdicts(vm(), None, "prepared") == ["blocks"]
    assert verdicts(vm(), None, "cutover") == ["decision"]


def test_a_new_vm_needs_a_decision() -> None:
    [change] = drift(project(vm()), newer(vm(), vm("web-02")))
    assert (change.vm, change.what, change.verdict) == ("web-02", "new VM", "decision")


@pytest.mark.parametrize(
    "fields",
    [
        {"usedStorage": 5, "guestDisks": [{"path": "/", "free": 1}], "tools": "notRunning", "hostname": "x"},
        {"nics": [{**NIC, "addresses": ["10.0.0.9"], "origin": "dhcp"}]},
        {"baseline": {"days": 7, "samples": 1, "coverage": 1.0}, "annotation": "patched on Sunday"},
        {"disks": [{**DISK, "file": "[ds1] web-01/web-01-000002.vmdk"}]},
        {"disks": [{**DISK, "size": "41943041Ki"}]},
        {"nics": [{**NIC, "mac": str(NIC["mac"]).upper()}]},
    ],
)
def test_what_changes_by_itself_is_no_drift(fields: Data) -> None:
    before = vm(disks=[{**DISK, "file": "[ds1] web-01/web-01.vmdk"}])
    assert changes(before, before | fields) == []
    assert changes(before, before | fields, "prepared") == []


def test_where_drs_put_a_vm_counts_only_for_a_job_that_reads_it_there() -> None:
    moved = {"host": "esx2.example.com", "cluster": "C2"}
    assert changes(vm(cluster="C1"), vm(**moved)) == []
    assert changes(vm(cluster="C1", **WARM), vm(**WARM, **moved), "prepared") == []
    assert verdicts(vm(cluster="C1"), vm(**moved), "prepared") == ["blocks", "blocks"]


def test_a_source_that_runs_after_cutover_blocks_whatever_it_was_when_the_inventory_was_taken() -> None:
    for power in ("poweredOn", "poweredOff"):
        was = vm(powerState=power, runStrategy="Always")
        assert verdicts(was, vm(powerState="poweredOn"), "cutover") == ["blocks"]
        assert verdicts(was, vm(powerState="poweredOff", memory="16Gi"), "cutover") == []


def test_a_source_may_run_beside_the_target_in_a_parallel_run() -> None:
    phases = [{"name": "first", "dualRun": {"mode": "parallel"}}]
    assert verdicts(vm(), vm(), "cutover", phases=phases) == []


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ("2027-01-30T21:00:00Z", ["blocks"]),  # the disk; the source still serves
        ("2027-01-30T23:00:00Z", ["blocks"]),  # the source; its disks are copied
    ],
)
def test_a_warm_source_runs_until_its_appointment(taken: str, expected: list[str]) -> None:
    now = vm(**WARM, disks=[DISK, DISK])
    found = changes(vm(**WARM), now, "cutover", {"cutover": "2027-01-30T22:00:00Z"}, {"taken": taken})
    assert [change.verdict for change in found] == expected
    assert ("disk" in found[0].what) == (taken < "2027-01-30T22")


def test_without_the_time_of_the_inventory_a_warm_source_that_runs_needs_a_look() -> None:
    [change] = changes(vm(**WARM), vm(**WARM), "cutover", {"cutover": "2027-01-30T22:00:00Z"})
    assert (change.what, change.verdict) == ("the source is on", "decision")
    assert "2027-01-30T22:00:00Z" in change.why


def test_a_vm_that_is_rebuilt_may_change_and_run_as_it_likes() -> None:
    rebuilt = vm(path="rebuild", method=None, application={"image": "registry.example.com/app:1"})
    now = vm(memory="16Gi", disks=[DISK, DISK], nics=[], snapshots=2)
    for stage in ("prepared", "migrating", "cutover"):
        assert changes(rebuilt, now, stage, defaults=defaults(path="rebuild", method=None)) == []


def test_a_source_that_is_on_while_it_is_copied_needs_a_look() -> None:
    assert verdicts(vm(**COLD), vm(), "migrating") == ["decision"]
    assert verdicts(vm(**COLD), vm(powerState="poweredOff"), "migrating") == []
    assert verdicts(vm(**WARM), vm(**WARM), "migrating") == []


def test_the_snapshots_of_forklifts_precopy_do_not_block() -> None:
    assert verdicts(vm(**WARM), vm(**WARM, snapshots=1), "prepared") == ["blocks"]
    assert verdicts(vm(**WARM), vm(**WARM, snapshots=1), "migrating") == ["harmless"]


def test_a_vm_is_compared_as_it_was_frozen_even_if_the_specs_inventory_is_newer() -> None:
    today = vm(memory="16Gi", disks=[DISK, DISK])
    found = changes(vm(), today, "prepared", now=today)
    assert [change.what for change in found] == [
        "memory: 8Gi → 16Gi",
        "new disk of 40Gi on ds1",
    ]
    assert changes(vm(), vm(), "prepared", now=today) == []


def test_a_frozen_vm_that_the_spec_has_no_more_is_compared_too() -> None:
    other = vm("web-02")
    now = imported(project(other, assignments=frozen(vm(), other), groups=PREPARED))
    assert drift(now, newer(vm(), other)) == ()
    [change] = drift(now, newer(other))
    assert (change.vm, change.what, change.verdict) == ("web-01", "gone from vCenter", "blocks")


# --- which VM is which ----------------------------------------------------------------------------


def test_an_id_that_another_vm_has_now_is_not_the_same_vm() -> None:
    was = vm(id="vm-1")
    found = drift(imported(project(was)), newer(vm("db-09", id="vm-1")))
    assert sorted((change.vm, change.what) for change in found) == [
        ("db-09", "new VM"),
        ("web-01", "gone from vCenter"),
    ]


def test_a_vm_of_the_old_name_with_another_uuid_is_said_to_be_another() -> None:
    now = vm(id="vm-9", uuid="42301f6e-1c5d-4c6e-9d3a-000000000001")
    [change] = changes(vm(id="vm-1"), now, "prepared")
    assert change.verdict == "blocks"
    assert "another VM now has this name" in change.why


def test_a_vm_that_moved_to_another_vcenter_is_found_there() -> None:
    sources = [
        {"name": name, "vcenter": {"url": f"https://{name}.example/sdk", "credentials": {"secretRef": {"name": name}}}}
        for name in ("vc1", "vc2")
    ]
    was = vm(id="vm-1", source="vc1")
    now = [*newer(), *newer(facts(vm(id="vm-7")), source="vc2")]
    [change] = drift(imported(project(was, sources=sources)), now)
    assert (change.vm, change.what, change.verdict) == ("web-01", "moved to vCenter vc2, as vm-7", "decision")
    [only] = drift(imported(project(was, sources=sources)), newer())
    assert only.what == "gone from vCenter"
    assert uncovered(project(was, sources=sources), newer()) == ("vc2",)


def test_a_vcenter_that_the_spec_does_not_have_is_one_change() -> None:
    [change] = drift(imported(project(vm())), newer(vm(), vm("web-02"), source="fra"))
    assert (change.kind, change.vm, change.what, change.verdict) == (
        "vcenter",
        "fra",
        "new vCenter with 2 VMs",
        "decision",
    )


def test_one_cluster_of_an_import_says_nothing_of_the_others() -> None:
    here, there = vm(cluster="C1"), vm("web-02", cluster="C2")
    assert drift(imported(project(here, there)), newer(here, metadata={"name": "vc1/C1"})) == ()
    [change] = drift(imported(project(here, there)), newer(here))
    assert (change.vm, change.what) == ("web-02", "gone from vCenter")


def test_a_renamed_vm_blocks_where_it_is_looked_for_by_name() -> None:
    was = vm(id="vm-1")
    now = {**was, "name": "web-9"}
    assert verdicts(was, now) == ["harmless"]
    assert verdicts({**was, **WARM}, {**now, **WARM}, "prepared") == ["harmless"]
    assert verdicts(was, now, "prepared") == ["blocks"]
    [change] = drift(project(vm()), newer(now))  # its entry has no id
    assert (change.what, change.verdict) == ("renamed to web-9", "decision")
    [change] = drift(project(was), newer(now))
    assert change.verdict == "harmless"


# --- disks and NICs -------------------------------------------------------------------------------


def disk(**fields: Any) -> Data:
    return {**DISK, "key": 2000, "serial": "6000C291-0000-0000-0000-000000000001", **fields}


def test_a_disk_in_the_place_of_another_is_a_new_one_though_its_key_and_size_are_the_same() -> None:
    other = disk(serial="6000C291-0000-0000-0000-000000000002")
    found = changes(vm(disks=[disk()]), vm(disks=[other]), "prepared")
    assert [change.what for change in found] == ["disk 2000 is gone", "new disk of 40Gi on ds1"]
    assert {change.verdict for change in found} == {"blocks"}


def test_a_disk_on_another_controller_is_the_same_disk() -> None:
    was = vm(disks=[disk(controller="scsi"), disk(controller="scsi", key=2001, serial="b")])
    now = vm(disks=[disk(controller="nvme", key=31000), disk(controller="scsi", key=2001, serial="b")])
    assert [change.what for change in changes(was, now, "prepared")] == ["disks are on another kind of controller"]
    assert verdicts(was, now, "prepared") == ["blocks"]
    assert verdicts(vm(disks=[disk(controller="scsi")]), vm(disks=[disk(controller="nvme")]), "prepared") == [
        "harmless"
    ]


def test_disks_stated_without_keys_are_those_of_the_inventory() -> None:
    assert changes(vm(disks=[DISK, DISK]), vm(disks=[disk(), disk(key=2001, serial="b")]), "prepared") == []


def test_a_nic_taken_away_is_named_though_others_stay() -> None:
    second = {"network": "vlan-7", "mac": "00:50:56:00:00:99"}
    [change] = changes(vm(nics=[NIC, second]), vm(nics=[second]), "prepared")
    assert (change.what, change.verdict) == ("NIC 1 on vlan-7 is gone", "blocks")


def test_a_disk_on_a_datastore_that_the_plan_maps_is_copied_from_there() -> None:
    storage = {
        "classes": [
            {"name": "ceph-block", "provisioner": "rook-ceph.rbd.csi.ceph.com", "tier": "gold"},
            {"name": "ceph-slow", "provisioner": "rook-ceph.rbd.csi.ceph.com", "tier": "slow"},
        ],
        "map": [
            {"source": {"datastore": "ds1"}, "tier": "gold"},
            {"source": {"datastore": "ds2"}, "tier": "gold"},
            {"source": {"datastore": "ds3"}, "tier": "slow"},
        ],
    }
    disks = [disk(), disk(key=2001, serial="b", datastore="ds2"), disk(key=2002, serial="c", datastore="ds3")]
    for datastore, verdict in (("ds2", "harmless"), ("ds3", "decision"), ("ds9", "blocks")):
        now = vm(**WARM, disks=[disk(datastore=datastore), *disks[1:]])
        assert verdicts(vm(**WARM, disks=disks), now, "prepared", storage=storage) == [verdict]


def test_disks_that_a_path_numbers_by_controller_are_told_by_their_looks() -> None:
    both = [{**DISK, "size": "20Gi", "controller": "ide"}, {**DISK, "controller": "scsi"}]
    for fields in ({}, WARM):
        assert changes(vm(disks=both, **fields), vm(disks=both, **fields), "prepared") == []


# --- networks and datastores ----------------------------------------------------------------------


def test_a_vlan_that_changed_blocks_once_a_vm_is_prepared_on_it() -> None:
    now = newer(vm(), networks=[{"name": "vlan-7", "vlan": 9}])
    [change] = drift(imported(project(vm())), now)
    assert (change.kind, change.vm, change.what, change.verdict) == ("network", "vlan-7", "VLAN 7 → 9", "decision")
    [change] = drift(imported(project(vm(), assignments=frozen(vm()), groups=PREPARED)), now)
    assert change.verdict == "blocks"


def test_a_vlan_is_compared_with_the_row_of_its_datacenter() -> None:
    target = {"type": "bridge", "bridge": "br-vm"}
    here = {"source": {"portGroup": "lan", "vlan": 7, "datacenter": "north"}, "target": target}
    there = {"source": {"portGroup": "lan", "vlan": 8, "datacenter": "south"}, "target": target, "name": "lan-south"}
    now = newer(vm(), networks=[{"name": "lan", "vlan": 9, "datacenter": "south"}])
    found = project(vm(nics=[]), networks=[here, there])
    assert [change.what for change in drift(imported(found), now) if change.kind == "network"] == ["VLAN 8 → 9"]


def test_a_datastore_that_was_renamed_is_one_change_and_no_disk_moved() -> None:
    rows = [{"source": {"datastore": "ds1", "id": "datastore-1"}, "tier": "gold"}]
    storage = {"classes": [{"name": "c", "provisioner": "rook-ceph.rbd.csi.ceph.com", "tier": "gold"}], "map": rows}
    now = newer(vm(disks=[{**DISK, "datastore": "new"}]), datastores=[{"name": "new", "id": "datastore-1"}])
    [change] = drift(imported(project(vm(), storage=storage)), now)
    assert (change.kind, change.vm, change.what) == ("datastore", "new", "was named ds1")


# --- what the spec decides and states -------------------------------------------------------------


def test_what_does_not_move_makes_no_noise() -> None:
    rules = [{"match": {"name": "vCLS-*"}, "set": {"disposition": "exclude", "reason": "agents"}}]
    found = imported(project(vm("vCLS-1"), assign=rules))
    assert drift(found, newer(vm("vCLS-1", memory="1Gi", powerState="poweredOff"))) == ()
    assert {change.verdict for change in drift(found, newer(vm("vCLS-2")))} == {"harmless"}


def path_changes(gone: int, *, stage: str = "planned", cluster: str | None = None) -> list[Change]:
    """Return the changes of path of 51 equal VMs when some are gone; ``cluster`` is what the newer inventory covers."""
    before = [vm(f"web-{n:02d}", id=f"vm-{n}", cluster="C1" if n < 20 else "C2") for n in range(51)]
    sections: Data = {"defaults": defaults(path="auto"), "groups": {}}
    assignments = resolved(*before, **sections).assignments
    if stage != "planned":
        sections["groups"] = {name: {"stage": stage} for name in {item.group for item in assignments.vms.values()}}
        assignments = resolved(*before, assignments=assignments, **sections).assignments
    today = imported(project(*before, assignments=assignments, **sections))
    left = [facts(data) for data in before[gone:] if cluster in (None, data["cluster"])]
    name = {"metadata": {"name": f"vc1/{cluster}"}} if cluster else {}
    return [change for change in drift(today, newer(*left, **name)) if "path" in change.what]


def test_vms_whose_path_changes_because_others_are_gone_are_said() -> None:
    assert path_changes(1) == []
    found = path_changes(2)
    assert len(found) == 49
    assert found[0].what == "path: forklift → virt-v2v"
    assert "49 standard VMs" in found[0].why


def test_the_path_of_frozen_vms_does_not_change_and_nothing_is_said() -> None:
    assert path_changes(2, stage="prepared") == []


def test_clusters_that_the_newer_inventory_does_not_cover_count_as_they_were() -> None:
    assert path_changes(0, cluster="C1") == []


def test_a_vm_that_a_rule_now_decides_otherwise_needs_a_look() -> None:
    rules = [{"match": {"folder": "/Old/*"}, "set": {"disposition": "retire", "reason": "old"}}]
    found = changes(vm(folder="/New"), vm(folder="/Old"), assign=rules)
    assert [(change.what, change.verdict) for change in found] == [("disposition: none → retire", "decision")]


def test_a_fact_that_the_spec_states_itself_is_not_taken_by_the_next_compile() -> None:
    [change] = drift(project(vm()), newer(vm(disks=[DISK, DISK])))
    assert (change.verdict, change.why) == ("decision", "the spec states this itself: correct it there")


def test_a_fact_that_the_spec_states_otherwise_is_no_drift_while_vcenter_says_the_same() -> None:
    [entry] = project(vm(memory="6Gi")).entries
    inventory = msgspec.convert(vm(memory="4Gi"), type(entry.vm))
    entry = replace(entry, imported=inventory, overrides=("memory",), stated=("memory", "name"))
    found = replace(project(vm(memory="6Gi")), entries=(entry,))
    assert drift(found, newer(vm(memory="4Gi"))) == ()
    [change] = drift(found, newer(vm(memory="8Gi")))
    assert (change.what, change.verdict) == ("memory: 6Gi → 8Gi", "decision")


def test_what_is_compared_does_not_depend_on_the_order_of_vms_or_parts() -> None:
    vms = [vm(f"web-{number:02}", id=f"vm-{number}") for number in range(6)]
    now = [{**each, "memory": "16Gi"} for each in vms[1:]]
    found = imported(project(*vms))
    parts = [part for each in reversed(now) for part in newer(each)]
    assert drift(found, newer(*now)) == drift(found, parts)
    assert len(drift(found, parts)) == 6


def test_a_disk_that_the_spec_does_not_list_is_always_said_though_its_inventory_has_it_meanwhile() -> None:
    [entry] = project(vm()).entries
    inventory = msgspec.convert(vm(disks=[DISK, DISK]), type(entry.vm))
    entry = replace(entry, imported=inventory, overrides=("disks",), stated=("disks", "name"))
    for sections in ({}, {"assignments": frozen(vm()), "groups": PREPARED}):
        found = replace(project(vm(), **sections), entries=(entry,))
        [change] = drift(found, newer(vm(disks=[DISK, DISK])))
        assert (change.what, change.verdict) == ("new disk of 40Gi on ds1", "blocks" if sections else "decision")


def test_the_worst_comes_first() -> None:
    found = drift(
        imported(project(vm(), assignments=frozen(vm()), groups=PREPARED)),
        newer(vm("aaa"), vm(powerState="poweredOff", disks=[])),
    )
    assert [change.verdict for change in found] == ["blocks", "decision", "harmless"]


def test_what_is_unknown_on_one_side_is_no_difference() -> None:
    known = vm()
    assert changes(known, {key: known[key] for key in ("name", "uuid")}, "prepared") == []


def test_a_nic_that_was_left_behind_is_no_new_one() -> None:
    networks = [
        {"source": {"portGroup": "vlan-7", "vlan": 7}, "target": {"type": "bridge", "bridge": "br-vm"}},
        {"source": {"portGroup": "backup"}, "target": {"type": "ignored", "reason": "nobody needs it any more"}},
    ]
    for path in ({}, {"path": "forklift", "method": "cold"}):
        nics = [{"network": "backup", "mac": "00:50:56:00:99:01"}, {"network": "vlan-7", "mac": "00:50:56:00:99:02"}]
        given = vm(nics=nics, **path)
        was = project(given, networks=networks, assignments=frozen(given, networks=networks), groups=PREPARED)
        assert drift(was, newer(given)) == ()
        [change] = drift(was, newer({**given, "nics": nics[1:]}))
        assert change.what == "NIC 1 on backup is gone"
