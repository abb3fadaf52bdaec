"""VMF888: a VM that cannot be snapshotted as a whole gets no snapshot, and says why."""

from typing import Any

import pytest
from tests.resolve.projects import group, project, resolved, vm

from vmferry.model.review import review_of
from vmferry.rules.registry import run
from vmferry.rules.snapshots import unsnapshotted

PHASES = [{"name": "first", "acceptanceSnapshot": True}]
MAP = [{"source": {"datastore": "ds1"}, "tier": "gold"}]


def storage(**fields: Any) -> Any:
    given = {"name": "ceph-block", "provisioner": "rook-ceph.rbd.csi.ceph.com", "tier": "gold"}
    return {"classes": [given | fields], "map": MAP}


def found(*vms: Any, **sections: Any) -> tuple[list[str], int]:
    """Return the messages of the rule, and how many VMs are snapshotted."""
    sections = {"phases": PHASES, "storage": storage(snapshots=True)} | sections
    resolution = resolved(*vms, **sections)
    review = review_of(project(*vms, **sections), resolution.blueprint, resolution.subjects)
    messages = [finding.message for finding in run(unsnapshotted, review)]
    return messages, sum(len(each.snapshots) for each in resolution.blueprint.groups)


def test_a_class_that_can_snapshot_needs_no_word() -> None:
    assert found(vm()) == ([], 1)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"snapshots": False}, "StorageClass ceph-block cannot snapshot (snapshots: false)"),
        ({}, "it is unknown whether StorageClass ceph-block can snapshot"),
    ],
)
def test_a_class_that_cannot_or_does_not_say_is_named(fields: Any, said: str) -> None:
    messages, count = found(vm(), storage=storage(**fields))
    assert (messages, count) == ([f"VM web-01: no snapshot before its acceptance: {said}"], 0)


def test_one_such_disk_is_enough() -> None:
    classes = [*storage(snapshots=True)["classes"], storage(name="local", tier="tin", snapshots=False)["classes"][0]]
    rows = [*MAP, {"source": {"datastore": "ds2"}, "tier": "tin"}]
    disks = [{"size": "40Gi", "datastore": "ds1"}, {"size": "4Gi", "datastore": "ds2"}]
    [message], count = found(vm(disks=disks), storage={"classes": classes, "map": rows})
    assert ("StorageClass local cannot" in message, count) == (True, 0)


def test_a_shared_disk_would_be_restored_as_a_copy() -> None:
    disk = {"size": "40Gi", "datastore": "ds1", "shared": "quorum", "file": "[ds1] q.vmdk", "source": {"upload": {}}}
    vms = [vm(name, disks=[disk], method="image", runStrategy="Halted") for name in ("sql-01", "sql-02")]
    messages, count = found(*vms)
    assert (len(messages), count) == (2, 0)
    assert "disk-0 is shared with other VMs" in messages[0]


@pytest.mark.parametrize("fields", [{"template": True, "method": "image"}, {"disks": []}])
def test_what_has_no_vm_or_no_disk_has_no_snapshot_and_no_finding(fields: Any) -> None:
    assert found(vm(**fields), storage=storage(snapshots=False)) == ([], 0)


def test_where_the_phase_does_not_ask_for_it_nothing_is_said() -> None:
    assert found(vm(), phases=[{"name": "first"}], storage=storage(snapshots=False)) == ([], 0)


def test_names_are_valid_and_differ_however_long_they_are() -> None:
    from vmferry.estate.snapshots import snapshot_name

    long = "a" * 62
    resolution = resolved(vm("web-01", targetName=f"{long}b"), vm("web-02", targetName=f"{long}c"))
    names = {snapshot_name(machine, 12) for machine in group(resolution, "first-01").machines}
    assert len(names) == 2
    assert all(len(name) <= 63 and name.endswith("-acceptance-12") for name in names)
