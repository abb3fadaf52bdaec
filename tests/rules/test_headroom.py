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


def carried(*vms: Data, count: int = 3, sizing: Data | None = None, **node: Any) -> list[str]:
    """Return what VMF442 says of VMs on nodes of 16 CPUs and 24Gi, which allot two VMs of 8Gi each."""
    given = sections(16, "24Gi", ELSEWHERE)
    given["target"]["cluster"]["nodes"] = [{"name": "w", "count": count, "cpu": 16, "memory": "24Gi", **node}]
    given["settings"] = {"sizing": sizing or {}}
    return [each.message for each in ruled(*vms, **given) if each.code == "VMF442"]


def test_the_first_phase_that_the_nodes_do_not_carry_when_one_fails_is_named_with_the_nodes_it_needs() -> None:
    vms = [vm(f"a-{number}") for number in range(3)] + [vm("b-0", phase="second"), vm("b-1", phase="second")]
    [message] = carried(*vms)
    assert message.startswith("with phase second, 1 VM finds no node when 1 node of each zone fails")
    assert message.endswith("1 more node like those of pool w would do")
    assert carried(*vms, count=4) == []
    assert carried(*vms, sizing={"spareNodes": 0}) == []


def test_conversions_need_room_too() -> None:
    vms = [vm(f"a-{number}") for number in range(4)]
    assert carried(*vms, cpu=12, sizing={"conversions": 2}) == []
    [message] = carried(*vms, cpu=10, sizing={"conversions": 4})  # two VMs leave 1.98 of 10 CPUs on two nodes: one each
    assert "2 of its conversions find no node" in message


def test_nodes_of_one_zone_do_not_stand_in_for_those_of_another() -> None:
    given = sections(16, "24Gi", ELSEWHERE)
    zones = [{"name": f"w-{zone}", "count": 2, "cpu": 16, "memory": "24Gi", "zone": zone} for zone in "abc"]
    given["target"]["cluster"]["nodes"] = zones
    vms = [vm(f"a-{number}") for number in range(8)]
    [message] = [each.message for each in ruled(*vms, **given) if each.code == "VMF442"]
    assert "2 VMs find no node" in message
    given["settings"] = {"sizing": {"sparePer": "cluster"}}
    assert [each for each in ruled(*vms, **given) if each.code == "VMF442"] == []


def test_nodes_that_are_full_anyway_are_reported_once() -> None:
    vms = [vm(f"a-{number}") for number in range(8)]
    assert carried(*vms) == []


def test_a_vm_that_leaves_a_node_no_headroom_is_named() -> None:
    given = sections(16, "24Gi", ELSEWHERE)
    [found] = [each for each in ruled(vm("a", memory="22Gi"), **given) if each.code == "VMF538"]
    assert found.message.endswith("with a headroom of 20 %, a node of pool w allots 13.33 CPUs and 20 GiB")
    assert [each for each in ruled(vm("a", memory="19Gi"), **given) if each.code == "VMF538"] == []
    assert "VMF538" not in {each.code for each in ruled(vm("a", memory="30Gi"), **given)}  # VMF523
