"""Which StorageClass a disk gets: by need, with the refused ones and why."""

from typing import Any

import pytest
from tests.resolve.projects import Data, codes, decision, finding, machines, resolved, vm

from vmferry.model.blueprint import MachineDisk

CEPH = {"name": "ceph-block", "provisioner": "rook-ceph.rbd.csi.ceph.com", "tier": "gold"}
FILES = {"name": "ceph-fs", "provisioner": "rook-ceph.cephfs.csi.ceph.com", "tier": "gold"}
LOCAL = {"name": "local", "provisioner": "kubevirt.io.hostpath-provisioner", "tier": "gold"}


def storage(*classes: Data, **row: Any) -> Data:
    return {"classes": list(classes), "map": [{"source": {"datastore": "ds1"}, **(row or {"tier": "gold"})}]}


def disk_of(*classes: Data, row: Data | None = None, live: str = "preferred", **fields: Any) -> MachineDisk:
    """Return what becomes of one disk."""
    disk = {"size": "40Gi", "datastore": "ds1", **fields}
    found = resolved(vm(disks=[disk], liveMigration=live), storage=storage(*classes, **(row or {})))
    return machines(found)["web-01"].disks[0]


def test_live_migration_that_is_preferred_gets_a_class_that_can() -> None:
    found = disk_of(LOCAL, CEPH)
    assert (found.storage_class, found.access_mode, found.volume_mode) == ("ceph-block", "ReadWriteMany", "Block")


def test_live_migration_that_is_preferred_falls_back_with_a_warning() -> None:
    found = resolved(vm(liveMigration="preferred"), storage=storage(LOCAL))
    assert machines(found)["web-01"].disks[0].storage_class == "local"
    assert codes(found) == ["VMF304"]
    assert machines(found)["web-01"].eviction_strategy == "LiveMigrateIfPossible"


def test_rwo_only_class_is_refused_when_live_migration_is_required() -> None:
    found = resolved(vm(liveMigration="required"), storage=storage(LOCAL))
    assert "live migration is required" in finding(found, "VMF301").message
    assert "local: no ReadWriteMany" in finding(found, "VMF301").help


def test_required_live_migration_takes_the_class_that_can_and_keeps_why_not_the_others() -> None:
    found = resolved(vm(liveMigration="required"), storage=storage(LOCAL, CEPH, FILES))
    chosen = decision(found, "web-01", "disk-0")
    assert chosen.value == "ceph-block"
    assert chosen.refused == ("local: no ReadWriteMany", "ceph-fs: comes after ceph-block")
    assert machines(found)["web-01"].eviction_strategy == "LiveMigrate"


def test_a_vm_that_never_moves_does_not_take_shared_storage_from_others() -> None:
    found = disk_of(CEPH, LOCAL, live="none")
    assert (found.storage_class, found.access_mode) == ("ceph-block", "ReadWriteOnce")


@pytest.mark.parametrize("classes", [(CEPH, FILES), (FILES, CEPH)])
def test_block_comes_before_file_systems(classes: tuple[Data, ...]) -> None:
    assert disk_of(*classes).storage_class == "ceph-block"


def test_the_first_of_equal_classes_wins() -> None:
    assert disk_of(CEPH, CEPH | {"name": "other"}).storage_class == "ceph-block"
    assert disk_of(CEPH | {"name": "other"}, CEPH).storage_class == "other"


def test_a_class_that_can_snapshot_wins_over_an_equal_one() -> None:
    assert disk_of(CEPH, CEPH | {"name": "better", "snapshots": True}).storage_class == "better"


def test_a_class_without_zones_wins_over_one_that_is_bound_to_them() -> None:
    assert disk_of(CEPH | {"zones": ["a"]}, CEPH | {"name": "anywhere"}).storage_class == "anywhere"


def test_a_class_with_too_few_iops_is_refused() -> None:
    found = resolved(
        vm(disks=[{"size": "1Gi", "datastore": "ds1", "iops": 5000}]),
        storage=storage(CEPH | {"name": "slow", "iops": 1000}, CEPH | {"iops": 50000}),
    )
    chosen = decision(found, "web-01", "disk-0")
    assert chosen.value == "ceph-block"
    assert "slow: 1000 IOPS, 5000 needed" in chosen.refused


def test_another_tier_is_refused() -> None:
    found = resolved(vm(), storage=storage(CEPH | {"name": "slow", "tier": "bronze"}, CEPH))
    assert "slow: tier bronze, not gold" in decision(found, "web-01", "disk-0").refused


def test_the_disk_wins_over_the_vm_and_the_vm_over_the_map() -> None:
    classes = [CEPH | {"name": name, "tier": name} for name in ("gold", "silver", "bronze")]
    disk = {"size": "1Gi", "datastore": "ds1"}
    for vm_fields, disk_fields, wanted in (
        ({}, {}, "gold"),
        ({"tier": "silver"}, {}, "silver"),
        ({"tier": "silver"}, {"tier": "bronze"}, "bronze"),
        ({"tier": "silver"}, {"storageClass": "gold", "tier": "bronze"}, "gold"),
    ):
        found = resolved(vm(disks=[disk | disk_fields], **vm_fields), storage=storage(*classes))
        assert machines(found)["web-01"].disks[0].storage_class == wanted


def test_a_datastore_may_go_to_one_class_without_a_choice() -> None:
    assert disk_of(CEPH, LOCAL, row={"storageClass": "local"}).storage_class == "local"


def test_an_unmapped_datastore_names_every_vm_it_strands() -> None:
    disks = [{"size": "1Gi", "datastore": "gone"}]
    found = resolved(vm("a", disks=disks), vm("b", disks=disks), vm("c"))
    assert finding(found, "VMF302").vms == ("a", "b")


def test_a_shared_disk_needs_a_block_device_that_several_nodes_write() -> None:
    disks = [{"size": "1Gi", "datastore": "ds1", "shared": "quorum"}]
    pair = [vm(name, method="image", disks=disks) for name in ("a", "b")]
    found = machines(resolved(*pair, storage=storage(FILES, CEPH)))
    assert {each.disks[0].storage_class for each in found.values()} == {"ceph-block"}
    assert len({each.disks[0].claim for each in found.values()}) == 1
    assert [each.disks[0].owner for each in found.values()] == [True, False]
    refused = [each for each in resolved(*pair, storage=storage(FILES)).findings if each.code == "VMF301"]
    assert "ceph-fs: no ReadWriteMany Block" in refused[0].help


def test_a_datastore_that_is_named_by_its_id_is_the_same_datastore() -> None:
    row = {"source": {"datastore": "ds1", "id": "datastore-12"}, "tier": "gold"}
    sections = {"storage": {"classes": [CEPH], "map": [row]}}
    disks = [{"size": "1Gi", "datastore": name, "controller": "scsi"} for name in ("ds1", "datastore-12")]
    found = resolved(vm(path="forklift", method="cold", disks=disks), **sections)
    [pair] = found.blueprint.groups[0].storage
    assert (pair.source.name, pair.source.id) == ("ds1", "datastore-12")


def test_a_row_that_names_the_vcenter_wins_over_one_for_any() -> None:
    classes = [CEPH, CEPH | {"name": "silver", "tier": "silver"}]
    rows = [
        {"source": {"datastore": "ds1"}, "tier": "gold"},
        {"source": {"datastore": "ds1", "source": "vc1"}, "tier": "silver"},
    ]
    found = resolved(vm(), storage={"classes": classes, "map": rows})
    assert machines(found)["web-01"].disks[0].storage_class == "silver"


def test_forklift_has_to_know_the_datastore_whatever_class_was_asked_for() -> None:
    disks = [{"size": "1Gi", "storageClass": "ceph-block"}]
    assert codes(resolved(vm(disks=disks))) == []
    assert "VMF108" in codes(resolved(vm(path="forklift", method="cold", disks=disks)))


def test_what_is_missing_is_said_once_and_not_again_for_every_disk() -> None:
    disks = [{"size": "1Gi", "datastore": "ds1"}] * 3
    for row, said in (
        ({"tier": "silver"}, "no StorageClass has tier 'silver'"),
        ({"storageClass": "x"}, "x is not defined"),
    ):
        part = {"classes": [LOCAL], "map": [{"source": {"datastore": "ds1"}} | row]}
        findings = resolved(vm("a", disks=disks), vm("b", disks=disks), storage=part).findings
        assert [said in each.message for each in findings if each.code in ("VMF102", "VMF301")] == [True]


def test_disks_that_no_class_fits_for_one_reason_are_one_finding() -> None:
    disks = [{"size": "1Gi", "datastore": "ds1"}] * 2
    found = resolved(*(vm(name, disks=disks, tier="platinum") for name in ("a", "b")), storage=storage(CEPH))
    assert [each.vms for each in found.findings if each.code == "VMF301"] == [("a",), ("b",)]  # each in its own entry
    rule = [{"match": {"name": "*"}, "set": {"tier": "platinum"}}]
    found = resolved(*(vm(name, disks=disks) for name in ("a", "b")), storage=storage(CEPH), assign=rule)
    [each] = [each for each in found.findings if each.code == "VMF301"]
    assert each.vms == ("a", "b")
    assert each.message == "4 disks of a, b: no StorageClass fits: the VM asks for tier platinum"
