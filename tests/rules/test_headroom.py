"""Nodes that are nearly full, and the phase that fills them."""

from typing import Any

import pytest
from tests.resolve.projects import Data, vm
from tests.rules.ruling import ruled

RBD = "rook-ceph.rbd.csi.ceph.com"
ELSEWHERE = "csi.trident.example"


def sections(cpu: int, memory: str, provisioner: str) -> Data:
    item: Data = {"name": "block", "provisioner": provisioner, "tier": "gold"}
    item |= {"accessModes": ["ReadWriteMany"], "volumeModes": ["Block"]}
    nodes = [{"name": "w", "count": 3, "cpu": cpu, "memory": memory}]
    return {
        "target": {
            "cluster": {"name": "prod-a", "nodes": nodes, "cpuAllocationRatio": 1},
            "gitops": {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"},
        },
        "storage": {"classes": [item], "map": [{"source": {"datastore": "ds1"}, "tier": "gold"}]},
        "phases": [{"name": "first"}, {"name": "second", "after": ["first"]}],
    }


def told(cpu: int, memory: str, *, provisioner: str = ELSEWHERE, **fields: Any) -> list[str]:
    """Return what is said of three VMs with 12 CPUs and 24Gi on three nodes."""
    vms = (vm("a"), vm("b", phase="second"), vm("c", phase="second", **fields))
    return [each.message for each in ruled(*vms, **sections(cpu, memory, provisioner)) if each.code == "VMF441"]


@pytest.mark.parametrize(
    ("cpu", "memory", "provisioner", "what"),
    [
        (4, "64Gi", ELSEWHERE, []),  # 12 CPUs and a little of 12: VMF527
        (30, "9Gi", ELSEWHERE, ["memory"]),  # 25Gi of 27Gi
        (30, "64Gi", ELSEWHERE, []),
        (5, "64Gi", ELSEWHERE, []),  # 80 %
        (5, "64Gi", RBD, ["CPU"]),  # 80 %, and Ceph wants its part
        (6, "64Gi", RBD, []),  # 67 %
    ],
)
def test_headroom(cpu: int, memory: str, provisioner: str, what: list[str]) -> None:
    found = told(cpu, memory, provisioner=provisioner)
    assert [next(word for word in ("CPU", "memory") if f"{word}: " in each) for each in found] == what


def test_the_phase_that_takes_the_last_of_it_is_named() -> None:
    [message] = told(5, "64Gi", provisioner=RBD)
    assert "with phase second" in message
    assert "80 %" in message


def test_what_does_not_run_takes_nothing() -> None:
    assert told(5, "64Gi", provisioner=RBD, runStrategy="Halted") == []
