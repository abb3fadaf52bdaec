"""What a drain does to a VM whose state KubeVirt keeps on a volume."""

from typing import Any

import pytest
from tests.resolve.projects import Data, codes, defaults, finding, machines, resolved, vm

EFI: Data = {"firmware": "efi", "secureBoot": False, "vtpm": False}
CLASSES = [
    {"name": "ceph-block", "provisioner": "rook-ceph.rbd.csi.ceph.com", "tier": "gold"},
    {"name": "ceph-fs", "provisioner": "rook-ceph.cephfs.csi.ceph.com"},
]


def sections(kubevirt: str, wanted: str = "preferred", state: str | None = None, **more: Any) -> Data:
    """Return a cluster with a release of KubeVirt, and its class for state volumes."""
    cluster = {"name": "prod-a", "versions": {"kubevirt": kubevirt}} | ({"vmStateStorageClass": state} if state else {})
    gitops = {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"}
    return {
        "target": {"cluster": cluster, "gitops": gitops},
        "storage": {"classes": CLASSES, "map": [{"source": {"datastore": "ds1"}, "tier": "gold"}]},
        "defaults": defaults(liveMigration=wanted, **more),
    }


@pytest.mark.parametrize(
    ("firmware", "kubevirt", "state", "strategy"),
    [
        (EFI, "1.3", None, "LiveMigrateIfPossible"),
        (EFI | {"vtpm": True}, "1.3.1", None, "LiveMigrateIfPossible"),
        (EFI, "1.3", "ceph-block", "LiveMigrateIfPossible"),  # its file systems are ReadWriteOnce
        (EFI, "1.3", "ceph-fs", "LiveMigrate"),
        (EFI, "1.4", None, "LiveMigrate"),
        ({}, "1.3", None, "LiveMigrate"),
    ],
)
def test_state_keeps_a_vm_on_its_node_before_kubevirt_1_4(
    firmware: Data, kubevirt: str, state: str | None, strategy: str
) -> None:
    found = resolved(vm(**firmware), **sections(kubevirt, state=state))
    assert machines(found)["web-01"].eviction_strategy == strategy
    assert ("VMF304" in codes(found)) == (strategy != "LiveMigrate")


def test_a_vm_that_must_live_migrate_and_cannot_for_its_state_is_an_error() -> None:
    problem = finding(resolved(vm(**EFI), **sections("1.3", "required")), "VMF502")
    assert "EFI variables" in problem.message
    assert "1.4" in problem.help


def test_forklift_asks_for_no_persistent_efi_variables() -> None:
    found = resolved(vm(**EFI), **sections("1.3", path="forklift", method="cold"))
    assert machines(found)["web-01"].eviction_strategy == "LiveMigrate"
