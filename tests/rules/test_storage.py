"""Rules on storage, where the examples do not reach."""

from typing import Any

import msgspec
from msgspec.structs import replace
from tests.resolve.projects import Data, defaults, project, vm

from vmferry import rules
from vmferry.check import review
from vmferry.model.assignments import Assignments
from vmferry.model.finding import Finding
from vmferry.model.inventory import InventoryCluster
from vmferry.model.review import Review
from vmferry.resolve.blueprint import resolve

CEPH: Data = {"name": "ceph-block", "provisioner": "rook-ceph.rbd.csi.ceph.com", "tier": "gold"}
NVME: Data = {"name": "nvme", "provisioner": "topolvm.io", "tier": "local", "waitForFirstConsumer": True}
STATEFUL = [{"name": "first", "kind": "stateful"}]
TWO_DISKS = [
    {"size": "40Gi", "datastore": "ds1", "file": "[ds1] a/a.vmdk", "unit": "scsi0:0"},
    {"size": "80Gi", "datastore": "ds1", "file": "[ds1] a/a_1.vmdk", "unit": "scsi0:1"},
]


def reviewed(*vms: Data, assignments: Assignments | None = None, **sections: Any) -> Review:
    """Return the review of a small project without errors."""
    made = project(*vms, assignments=assignments, **sections)
    resolution = resolve(made)
    assert [each.message for each in resolution.findings if each.is_error] == []
    return review(made, resolution)


def storage(*classes: Data, tier: str = "gold") -> Data:
    return {"classes": list(classes), "map": [{"source": {"datastore": "ds1"}, "tier": tier}]}


def cluster(*pools: Data) -> Data:
    base = {"cpu": 64, "memory": "256Gi", "count": 3}
    nodes = [{"name": f"pool-{index}", **base, **pool} for index, pool in enumerate(pools)]
    gitops = {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"}
    return {"cluster": {"name": "prod-a", "nodes": nodes}, "gitops": gitops}


def app(name: str, **fields: Any) -> Data:
    state = [{"name": "data", "mountPath": "/data", "size": "100Gi", "tier": fields.pop("tier", "gold")}]
    image = "registry.example.com/app:1.4.2"
    return vm(name, path="rebuild", method=None, application={"image": image, "state": state, **fields})


def found(code: str, reviewed: Review) -> list[Finding]:
    return [each for each in rules.check(reviewed) if each.code == code]


# --- local storage ----------------------------------------------------------------------------


def local_vm(**fields: Any) -> Review:
    return reviewed(vm("a", tier="local", liveMigration="none", **fields), storage=storage(CEPH, NVME))


def test_local_storage_is_fine_where_nothing_says_that_the_vm_must_survive_its_node() -> None:
    assert found("VMF320", local_vm()) == []


def test_local_storage_under_an_anti_affinity_set_is_a_warning() -> None:
    [finding] = found("VMF320", local_vm(apartFrom="web-farm"))
    assert "set web-farm must survive a failure" in finding.message


def test_local_storage_takes_away_what_ha_gave_in_vsphere() -> None:
    review_ = local_vm(cluster="C1")
    for ha, expected in ((True, 1), (False, 0), (None, 0)):
        known = replace(review_, clusters={("vc1", "C1"): InventoryCluster(name="C1", ha=ha)})
        assert len(found("VMF320", known)) == expected


def test_the_state_of_a_rebuilt_application_on_local_storage_is_a_warning_too() -> None:
    files = {"name": "hostpath", "provisioner": "kubevirt.io.hostpath-provisioner", "tier": "local"}
    [finding] = found("VMF320", reviewed(app("a", tier="local"), storage=storage(files, tier="local"), phases=STATEFUL))
    assert finding.where is not None
    assert finding.where.path[-2:] == ("application", "state")


def test_a_hostpath_that_is_shared_is_not_local() -> None:
    shared = {
        "name": "shared",
        "provisioner": "kubevirt.io.hostpath-provisioner",
        "parameters": {"overlayCSI": "nfs"},
        "tier": "gold",
    }
    assert found("VMF320", reviewed(vm("a"), storage=storage(shared), phases=STATEFUL)) == []


# --- binding ----------------------------------------------------------------------------------


def two_disks(item: Data, *pools: Data, **fields: Any) -> list[Finding]:
    machine = vm("a", disks=TWO_DISKS, liveMigration="none", **fields)
    return found(
        "VMF321", reviewed(machine, storage=storage({**item, "tier": "gold"}), target=cluster(*pools or ({},)))
    )


def test_disks_that_are_bound_at_once_can_land_in_two_zones_even_under_a_job() -> None:
    [finding] = two_disks({**CEPH, "zones": ["a", "b"]})
    assert "another zone" in finding.message


def test_a_class_of_one_zone_keeps_disks_together() -> None:
    assert two_disks({**CEPH, "zones": ["a"]}) == []


def test_warm_copies_bind_each_disk_at_once_and_cold_ones_do_not() -> None:
    assert len(two_disks(NVME, path="forklift", method="warm")) == 1
    assert two_disks(NVME, path="forklift", method="cold") == []


def test_on_a_single_node_all_local_disks_are_together() -> None:
    assert two_disks(NVME, {"count": 1}, method="image") == []


def test_one_local_disk_is_always_together() -> None:
    assert found("VMF321", reviewed(vm("a", method="image"), storage=storage({**NVME, "tier": "gold"}))) == []


def test_a_template_has_no_vm_to_schedule() -> None:
    assert two_disks(NVME, template=True, method="image") == []


# --- zones ------------------------------------------------------------------------------------

ZONE_A = {**CEPH, "name": "in-a", "zones": ["a"]}
ZONE_B = {**CEPH, "name": "in-b", "zones": ["b"], "tier": "silver"}


def test_disks_in_two_zones_have_no_node() -> None:
    disks = [TWO_DISKS[0], {**TWO_DISKS[1], "tier": "silver"}]
    [finding] = found("VMF322", reviewed(vm("a", disks=disks), storage=storage(ZONE_A, ZONE_B)))
    assert "have no zone in common (in-a: a; in-b: b)" in finding.message


def test_a_node_selector_for_another_zone_than_the_volumes_is_refused() -> None:
    for zone, expected in (("b", 1), ("a", 0)):
        machine = vm("a", nodeSelector={"topology.kubernetes.io/zone": zone})
        assert len(found("VMF322", reviewed(machine, storage=storage(ZONE_A)))) == expected


def test_nothing_is_said_of_zones_while_that_of_a_pool_is_unknown() -> None:
    zonal: dict[str, Any] = {"storage": storage(ZONE_A), "phases": STATEFUL}
    assert found("VMF322", reviewed(vm("a"), target=cluster({"zone": "b"}, {}), **zonal)) == []
    assert found("VMF323", reviewed(vm("a"), target=cluster({"zone": "a"}, {}), **zonal)) == []


def test_volumes_of_one_zone_are_fine_under_a_vm_that_may_wait_for_it() -> None:
    target = cluster({"zone": "a"}, {"zone": "b"})
    assert found("VMF323", reviewed(vm("a"), storage=storage(ZONE_A), target=target)) == []
    assert len(found("VMF323", reviewed(vm("a", apartFrom="x"), storage=storage(ZONE_A), target=target))) == 1


def test_of_local_volumes_the_node_is_said_and_not_the_zone_again() -> None:
    target, local = cluster({"zone": "a"}, {"zone": "b"}), {**NVME, "tier": "gold", "zones": ["a"]}
    review_ = reviewed(vm("a"), storage=storage(local), target=target, phases=STATEFUL)
    assert (len(found("VMF320", review_)), len(found("VMF323", review_))) == (1, 0)


# --- classes ----------------------------------------------------------------------------------


def test_snapshots_are_asked_for_under_a_dual_run_and_unknown_ones_are_not_missing() -> None:
    dual = [{"name": "first", "dualRun": {"mode": "parallel"}}]
    without = storage({**CEPH, "snapshots": False})
    [finding] = found("VMF324", reviewed(vm("a"), storage=without, phases=dual))
    assert "has a dual run" in finding.message
    assert found("VMF324", reviewed(vm("a"), storage=storage(CEPH), phases=dual)) == []
    assert found("VMF324", reviewed(vm("a"), storage=without)) == []


def test_one_copy_is_enough_outside_a_stateful_phase() -> None:
    assert found("VMF328", reviewed(vm("a"), storage=storage({**CEPH, "replication": 1}))) == []


def test_a_frozen_vm_on_a_class_that_is_gone_is_not_judged_by_it() -> None:
    groups = {"first-01": {"stage": "prepared"}}
    before = resolve(project(vm("a"), groups=groups, storage=storage({**CEPH, "snapshots": False, "iops": 1})))
    review_ = reviewed(
        vm("a", baseline=baseline(5000)),
        assignments=msgspec.convert(msgspec.to_builtins(before.assignments), Assignments),
        groups=groups,
        storage=storage({**CEPH, "name": "other", "snapshots": False, "iops": 1, "zones": ["a"]}),
        phases=STATEFUL,
    )
    assert [disk.storage_class for _, _, machine in review_.moving for disk in machine.disks] == ["ceph-block"]
    assert [each.code for each in rules.check(review_) if each.code.startswith("VMF32")] == []


def test_encryption_is_known_by_the_parameters_of_the_class() -> None:
    for parameters, expected in (
        ({"secure": "true"}, 0),
        ({"disk-encryption-kms-key": "projects/x"}, 0),
        ({"encrypted": "false"}, 1),
        ({"pool": "replicapool"}, 1),
    ):
        item = {**CEPH, "parameters": parameters}
        assert len(found("VMF332", reviewed(vm("a", encrypted=True), storage=storage(item)))) == expected
    assert found("VMF332", reviewed(vm("a"), storage=storage(CEPH))) == []


# --- capacity ---------------------------------------------------------------------------------


def room(capacity: str, *vms: Data, **sections: Any) -> dict[str, int]:
    review_ = reviewed(*vms, storage=storage({**CEPH, "capacity": capacity}), **sections)
    return {code: len(found(code, review_)) for code in ("VMF325", "VMF326")}


def test_a_thin_disk_counts_with_what_it_is_known_to_use() -> None:
    disks = [{**TWO_DISKS[0], "thin": False}, {**TWO_DISKS[1], "thin": True}]
    used = vm("a", disks=disks, usedStorage=100 << 30)  # 40 of the thick disk, 60 of the thin one
    assert room("100Gi", used) == {"VMF325": 0, "VMF326": 1}
    assert room("99Gi", used) == {"VMF325": 1, "VMF326": 0}
    assert room("120Gi", used) == {"VMF325": 0, "VMF326": 0}


def test_a_thin_disk_of_unknown_use_may_still_outgrow_its_class() -> None:
    thin = vm("a", disks=[{"size": "40Gi", "datastore": "ds1", "thin": True}])
    assert room("1Gi", thin) == {"VMF325": 0, "VMF326": 1}


def test_what_a_vm_uses_is_not_divided_among_classes() -> None:
    disks = [{**TWO_DISKS[0], "thin": True}, {**TWO_DISKS[1], "thin": True, "tier": "silver"}]
    classes = [{**CEPH, "capacity": "10Gi"}, {**CEPH, "name": "silver", "tier": "silver"}]
    review_ = reviewed(vm("a", disks=disks, usedStorage=100 << 30), storage=storage(*classes))
    assert found("VMF325", review_) == []
    assert len(found("VMF326", review_)) == 1


def test_each_replica_of_a_stateful_set_has_a_volume() -> None:
    files = {
        "name": "fs",
        "provisioner": "rook-ceph.cephfs.csi.ceph.com",
        "tier": "gold",
        "accessModes": ["ReadWriteOnce"],
        "capacity": "299Gi",
    }
    machine = app("a", kind="StatefulSet", replicas=3)
    [finding] = found("VMF325", reviewed(machine, storage=storage(files)))
    assert "need 300Gi" in finding.message
    assert found("VMF325", reviewed(app("a", replicas=1), storage=storage(files))) == []


def test_a_clone_takes_no_more_than_it_writes() -> None:
    template = vm("golden", template=True, method="image", powerState=None)
    clone = vm("web-01", cloneOf="golden", method="image", disks=None)
    assert room("60Gi", template, clone) == {"VMF325": 0, "VMF326": 1}


# --- speed ------------------------------------------------------------------------------------


def baseline(*peaks: int) -> Data:
    disks = [{"label": f"scsi0:{index}", "readIops": {"average": 1, "peak": peak}} for index, peak in enumerate(peaks)]
    return {"days": 30, "samples": 100, "coverage": 1.0, "disks": disks}


def test_each_disk_is_held_against_its_own_baseline() -> None:
    slow = storage({**CEPH, "iops": 1000})
    review_ = reviewed(vm("a", disks=TWO_DISKS, baseline=baseline(900, 1100)), storage=slow)
    [finding] = found("VMF327", review_)
    assert finding.message.startswith("VM a: disk-1 peaked at 1100 IOPS")


def test_a_disk_that_cannot_be_told_apart_is_not_judged() -> None:
    disks = [{key: value for key, value in disk.items() if key != "file"} for disk in TWO_DISKS]
    slow = storage({**CEPH, "iops": 1000})
    assert found("VMF327", reviewed(vm("a", disks=disks, baseline=baseline(9000, 9000)), storage=slow)) == []
    assert found("VMF327", reviewed(vm("a", baseline=baseline(9000)), storage=slow)) == []  # its unit is unknown


# --- quotas -----------------------------------------------------------------------------------


def quota(size: str, *vms: Data, **sections: Any) -> list[str]:
    namespaces = [{"name": "web", "quota": {"storage": size}}, {"name": "empty", "quota": {"storage": "1Gi"}}]
    review_ = reviewed(*vms, namespaces=namespaces, **sections)
    return [each.code for each in rules.check(review_) if each.code in ("VMF329", "VMF330", "VMF331")]


def test_the_claim_for_efi_variables_counts_in_a_quota() -> None:
    efi = vm("a", firmware="efi", secureBoot=False, vtpm=False)
    assert quota("40Gi", efi) == ["VMF330"]
    assert quota("41Gi", efi) == ["VMF331"]
    assert quota("81Gi", efi) == []
    assert quota("39Gi", efi) == ["VMF329"]


def test_the_volumes_of_rebuilt_applications_count_in_a_quota() -> None:
    files = storage({"name": "fs", "provisioner": "rook-ceph.cephfs.csi.ceph.com", "tier": "gold"})
    assert quota("99Gi", app("a"), storage=files) == ["VMF329"]
    assert quota("100Gi", app("a"), storage=files) == []


def test_a_quota_without_storage_limits_none() -> None:
    assert found("VMF329", reviewed(vm("a"), namespaces=[{"name": "web", "quota": {"cpu": "100"}}])) == []
    assert found("VMF329", reviewed(vm("a"), defaults=defaults(), namespaces=[{"name": "web", "quota": "none"}])) == []
