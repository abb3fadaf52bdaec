"""How much storage VMs take: in full, in use, and with what is planned on top."""

from typing import Any

import msgspec
import pytest
from tests.backends.blueprints import disk, machine

from vmferry.estate.stored import planned, stored
from vmferry.model.spec import SizingSettings, StorageClass, VirtualMachine

GI = 1 << 30


def vm(*disks: dict[str, Any], used: int | None = None) -> VirtualMachine:
    data = {"name": "a", "disks": list(disks)} | ({"usedStorage": used * GI} if used is not None else {})
    return msgspec.convert(data, VirtualMachine)


@pytest.mark.parametrize(
    ("disks", "used", "in_use"),
    [
        ([("100Gi", True)], 30, [30]),
        ([("100Gi", True)], None, [100]),  # unknown
        ([("100Gi", False)], 30, [100]),
        ([("100Gi", True)], 130, [100]),  # snapshots and swap files do not move
        ([("100Gi", False), ("100Gi", True), ("300Gi", True)], 200, [100, 25, 75]),
    ],
)
def test_of_thin_disks_what_is_in_use_counts(
    disks: list[tuple[str, bool]], used: int | None, in_use: list[int]
) -> None:
    found = list(stored(vm(*({"size": size, "thin": thin} for size, thin in disks), used=used), None))
    assert [each.used // GI for each in found] == in_use
    assert all(each.storage_class == "" for each in found)


def test_a_claim_on_a_file_system_is_larger_than_its_disk() -> None:
    made = machine(disks=(disk("web-01", size=100 * GI, volume_mode="Filesystem"),))
    [found] = stored(vm({"size": "100Gi", "thin": True}, used=50), made)
    assert (found.claim / GI, found.used / GI) == (106, 53)


def test_growth_snapshots_copies_and_what_must_stay_empty() -> None:
    item = StorageClass(name="ceph", provisioner="p", replication=3)
    plan = planned(100 * GI, item, SizingSettings(growth=50, snapshot_reserve=20, max_fill=90))
    assert (plan.held / GI, plan.raw and plan.raw / GI) == (180, 600)  # 100 * 1.5 * 1.2, then * 3 / 0.9


def test_a_class_without_snapshots_has_no_room_for_them_and_unknown_copies_are_unknown() -> None:
    item = StorageClass(name="local", provisioner="p", snapshots=False)
    plan = planned(100 * GI, item, SizingSettings(growth=50))
    assert (plan.held / GI, plan.raw) == (150, None)
