"""Which VMs move together."""

from typing import Any

import pytest
from tests.resolve.projects import Data, codes, defaults, finding, group, groups, resolved, vm

COLD = defaults(path="forklift", method="cold")
CLASSES: list[Data] = [
    {"name": "ceph-block", "provisioner": "rook-ceph.rbd.csi.ceph.com", "tier": "gold"},
    {"name": "ceph-fs", "provisioner": "rook-ceph.cephfs.csi.ceph.com", "tier": "silver"},
]
STORAGE = {
    "classes": CLASSES,
    "map": [
        {"source": {"datastore": "ds1"}, "tier": "gold"},
        {"source": {"datastore": "ds2"}, "tier": "silver"},
    ],
}


def few(count: int) -> Data:
    return {"grouping": {"maxVms": count}}


def test_vms_that_share_everything_are_one_group() -> None:
    assert groups(resolved(vm("a"), vm("b"))) == {"first-01": ["a", "b"]}


@pytest.mark.parametrize(
    "unlike",
    [
        {"phase": "second"},
        {"path": "forklift", "method": "cold"},
        {"method": "image"},
        {"namespace": "db"},
    ],
)
def test_what_a_group_shares_takes_vms_apart(unlike: Data) -> None:
    sections = {"phases": [{"name": "first"}, {"name": "second"}], "namespaces": [{"name": "web"}, {"name": "db"}]}
    assert len(groups(resolved(vm("a"), vm("b", **unlike), **sections))) == 2


@pytest.mark.parametrize(
    "unlike",
    [{"labels": {"tier": "a"}}, {"nodeSelector": {"disk": "fast"}}, {"apartFrom": "web"}, {"staticIP": "none"}],
)
def test_a_plan_has_one_of_each_setting_for_all_its_vms(unlike: Data) -> None:
    assert len(groups(resolved(vm("a"), vm("b", **unlike), defaults=COLD))) == 2
    assert len(groups(resolved(vm("a"), vm("b", **unlike)))) == 1  # a VM of path B has its own


def test_a_group_holds_as_many_vms_as_the_setting_says() -> None:
    found = resolved(*(vm(f"vm-{i}") for i in range(5)), settings=few(2))
    assert groups(found) == {"first-01": ["vm-0", "vm-1"], "first-02": ["vm-2", "vm-3"], "first-03": ["vm-4"]}


def test_a_phase_may_say_it_for_itself() -> None:
    found = resolved(vm("a"), vm("b"), settings=few(40), phases=[{"name": "first", "maxVms": 1}])
    assert len(groups(found)) == 2


def test_no_group_has_more_objects_than_a_root_may_hold() -> None:
    disks = [{"size": "1Gi", "datastore": "ds1"} for _ in range(10)]
    found = resolved(*(vm(f"vm-{i:02d}", disks=disks) for i in range(30)))
    assert [len(vms) for vms in groups(found).values()] == [12, 12, 6]  # 22 objects a VM, 280 in all


def test_vms_that_need_two_classes_from_one_datastore_go_to_two_plans() -> None:
    asks = {"disks": [{"size": "1Gi", "datastore": "ds1", "tier": "silver"}]}
    vms = [vm("a"), vm("b", **asks), vm("c")]
    found = resolved(*vms, defaults=COLD, storage=STORAGE)
    assert groups(found) == {"first-01": ["a", "c"], "first-02": ["b"]}
    for name, wanted in (("first-01", "ceph-block"), ("first-02", "ceph-fs")):
        assert [row.storage_class for row in group(found, name).storage] == [wanted]
    assert groups(resolved(*vms, storage=STORAGE)) == {"first-01": ["a", "b", "c"]}  # path B has no StorageMap


def test_one_vm_that_needs_two_classes_from_one_datastore_cannot_go_by_forklift() -> None:
    disks = [
        {"size": "1Gi", "datastore": "ds1", "controller": "scsi"},
        {"size": "1Gi", "datastore": "ds1", "controller": "scsi", "tier": "silver"},
    ]
    found = resolved(vm(disks=disks), defaults=COLD, storage=STORAGE)
    assert "need different StorageClasses" in finding(found, "VMF408").message


def test_datastores_with_a_class_each_share_a_plan() -> None:
    other = {"disks": [{"size": "1Gi", "datastore": "ds2"}]}
    assert len(groups(resolved(vm("a"), vm("b", **other), defaults=COLD, storage=STORAGE))) == 1


def shared(*names: str, **fields: Any) -> list[Data]:
    disks = [{"size": "1Gi", "datastore": "ds1", "shared": "quorum"}]
    return [vm(name, method="image", disks=disks, **fields) for name in names]


def test_vms_that_share_a_disk_stay_together() -> None:
    found = resolved(vm("b", method="image"), *shared("a", "z"), settings=few(2))
    assert sorted(groups(found).values()) == [["a", "z"], ["b"]]


def test_more_vms_share_a_disk_than_a_group_usually_holds() -> None:
    found = resolved(*shared("a", "b", "c"), vm("other", method="image"), settings=few(2))
    assert sorted(groups(found).values()) == [["a", "b", "c"], ["other"]]


def test_vms_that_must_move_together_and_cannot_are_an_error() -> None:
    phases = [{"name": "first"}, {"name": "second"}]
    found = resolved(*shared("a"), *shared("b", phase="second"), phases=phases)
    assert "differ in phase" in finding(found, "VMF408").message


def test_vms_that_must_move_together_and_are_too_many_are_an_error() -> None:
    ring = [vm(f"ring-{i:03d}", dependsOn=[f"ring-{(i + 1) % 80:03d}"]) for i in range(80)]
    assert codes(resolved(*ring)) == ["VMF405"]


def test_a_planned_vm_stays_in_its_group_when_others_come() -> None:
    before = resolved(vm("b"), vm("d"), settings=few(2))
    after = resolved(vm("a"), vm("b"), vm("c"), vm("d"), settings=few(2), assignments=before.assignments)
    assert groups(after) == {"first-01": ["b", "d"], "first-02": ["a", "c"]}


def test_a_new_vm_fills_the_place_that_another_left() -> None:
    before = resolved(vm("a"), vm("b"), vm("c"), settings=few(2))
    after = resolved(vm("a"), vm("c"), vm("d"), settings=few(2), assignments=before.assignments)
    assert groups(after) == {"first-01": ["a", "d"], "first-02": ["c"]}


def test_a_vm_whose_group_became_too_small_for_it_leaves() -> None:
    before = resolved(vm("a"), vm("b"), settings=few(2))
    after = resolved(vm("a"), vm("b"), settings=few(1), assignments=before.assignments)
    assert groups(after) == {"first-01": ["a"], "first-02": ["b"]}


def test_nobody_joins_a_frozen_group() -> None:
    prepared = {"groups": {"first-01": {"stage": "prepared"}}}
    before = resolved(vm("a"), **prepared)
    after = resolved(vm("a"), vm("b"), assignments=before.assignments, **prepared)
    assert groups(after) == {"first-01": ["a"], "first-02": ["b"]}


def test_a_vm_that_changes_its_phase_gets_a_group_there() -> None:
    phases = [{"name": "first"}, {"name": "second"}]
    before = resolved(vm("a"), vm("b"), phases=phases)
    after = resolved(vm("a"), vm("b", phase="second"), phases=phases, assignments=before.assignments)
    assert groups(after) == {"first-01": ["a"], "second-01": ["b"]}


def test_a_group_that_does_not_exist_is_an_error() -> None:
    found = resolved(vm("a"), groups={"first-02": {"stage": "prepared"}})
    assert "groups: first-01" in finding(found, "VMF404").help


STATE = {"name": "data", "mountPath": "/data", "size": "10Gi", "tier": "gold"}


def stateful(replicas: int, name: str = "shard", **state: Any) -> Data:
    application = {"image": "registry.example.com/shard:1.0", "kind": "StatefulSet", "replicas": replicas}
    return vm(name, path="rebuild", method=None, application=application | {"state": [STATE | state]})


def test_each_replica_has_a_claim_that_counts() -> None:
    found = finding(resolved(stateful(400)), "VMF405")
    assert "VM shard needs 406 objects" in found.message
    assert "replicas" in found.help
    assert codes(resolved(stateful(40))) == []
    assert codes(resolved(stateful(90, shared=True), storage=FILES)) == []


def test_applications_with_many_claims_are_cut_into_groups() -> None:
    found = resolved(*(stateful(100, name) for name in ("a", "b", "c")))
    assert sorted(groups(found).values()) == [["a", "b"], ["c"]]


FILES: Data = {
    "classes": [{"name": "files", "provisioner": "rook-ceph.cephfs.csi.ceph.com", "tier": "gold"}],
    "map": [{"source": {"datastore": "ds1"}, "tier": "gold"}],
}


def test_a_group_whose_only_vm_has_an_error_is_no_error_of_its_own() -> None:
    wrong = vm("a", uuid=None)
    state = {"stage": "prepared"}
    assert codes(resolved(wrong, groups={"first-01": state})) == ["VMF108"]
    assert "VMF404" in codes(resolved(wrong, groups={"first-02": state}))
    assert codes(resolved(vm("b", method="image"), wrong, groups={"first-02": state})) == ["VMF108"]
    assert "VMF404" in codes(resolved(vm("b"), groups={"first-02": state}))
    assert "VMF404" in codes(resolved(wrong, groups={"second-01": state}))


def test_a_clone_of_a_template_with_an_error_is_no_error_of_its_own() -> None:
    template = vm("gold", template=True, method="image", powerState=None, nics=[])
    clone = vm("web-01", cloneOf="gold", method="image", disks=None)
    assert codes(resolved(template | {"os": None}, clone)) == codes(resolved(template | {"os": None}))
    assert "VMF102" in codes(resolved(clone))
