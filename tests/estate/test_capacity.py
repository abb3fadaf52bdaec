"""Nodes for VMs: what more load, larger nodes and more spare nodes may never do, and placing VMs one by one."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.resolve.projects import project

from vmferry.estate.capacity import Margins, Pod, Pool, allotted, eligible, margins_of, needed, pools_of, too_large
from vmferry.estate.placement import empty, missing, nodes_for

GI = 1 << 30
PLAIN = Margins(headroom=20, spare=1, per_zone=True, pods=90)

_pods = st.builds(
    lambda cpu, memory, gpus: ("vm", cpu * 100, memory * GI, (("gpu", gpus),) if gpus else ()),
    st.integers(1, 400),
    st.integers(1, 300),
    st.sampled_from([0, 0, 0, 1, 2]),
)
_loads = st.lists(_pods, max_size=25).map(lambda many: [Pod(f"vm-{i}", *each[1:]) for i, each in enumerate(many)])
_pool = st.tuples(
    st.integers(1, 6), st.integers(2, 64), st.integers(8, 512), st.sampled_from(["", "a", "b"]), st.sampled_from([0, 2])
)
_pools = st.lists(_pool, min_size=1, max_size=3).map(
    lambda many: [
        Pool(f"pool-{i}", nodes, cpu * 1000, memory * GI, zone, {"gpu": gpus} if gpus else {})
        for i, (nodes, cpu, memory, zone, gpus) in enumerate(many)
    ]
)
_margins = st.builds(Margins, st.integers(0, 60), st.integers(0, 2), st.booleans(), st.integers(1, 100))


def nodes(pods: list[Pod], pools: list[Pool], margins: Margins) -> dict[str, int]:
    return {name: need.nodes for name, need in needed(pods, pools, margins).items()}


def at_most(some: dict[str, int], others: dict[str, int]) -> bool:
    return all(some[name] <= others[name] for name in some)


@given(_loads, _pods, _pools, _margins)
def test_more_load_never_needs_fewer_nodes(
    pods: list[Pod], more: tuple[str, int, int, tuple[tuple[str, int], ...]], pools: list[Pool], margins: Margins
) -> None:
    assert at_most(nodes(pods, pools, margins), nodes([*pods, Pod(*more)], pools, margins))


@given(_loads.filter(bool), st.integers(0, 3), _pools, _margins)
def test_a_larger_vm_never_needs_fewer_nodes(pods: list[Pod], factor: int, pools: list[Pool], margins: Margins) -> None:
    first = pods[0]._replace(cpu=pods[0].cpu * (1 + factor), memory=pods[0].memory * (1 + factor))
    assert at_most(nodes(pods, pools, margins), nodes([first, *pods[1:]], pools, margins))


@given(_loads, _pools, _margins, st.integers(0, 64), st.integers(0, 512))
def test_larger_nodes_are_never_more_nodes(
    pods: list[Pod], pools: list[Pool], margins: Margins, cpu: int, memory: int
) -> None:
    larger = [pool._replace(cpu=pool.cpu + cpu * 1000, memory=pool.memory + memory * GI) for pool in pools]
    assert at_most(nodes(pods, larger, margins), nodes(pods, pools, margins))


@given(_loads, _pools, _margins, st.integers(0, 2), st.integers(0, 64), st.integers(0, 512))
def test_larger_nodes_in_one_pool_are_never_more_nodes_for_vms_that_fit(
    pods: list[Pod], pools: list[Pool], margins: Margins, which: int, cpu: int, memory: int
) -> None:
    some = [pod for pod in pods if pod not in too_large(pods, pools, margins)]
    pool = pools[which % len(pools)]
    larger = pool._replace(cpu=pool.cpu + cpu * 1000, memory=pool.memory + memory * GI)
    among = [larger if each is pool else each for each in pools]
    before, after = needed(some, pools, margins), needed(some, among, margins)
    assert all(after[name].carrying <= before[name].carrying for name in before)


@given(_loads, _pools, _margins, st.integers(0, 3))
def test_more_spare_nodes_are_never_fewer_nodes(
    pods: list[Pod], pools: list[Pool], margins: Margins, more: int
) -> None:
    found = nodes(pods, pools, margins)
    assert at_most(found, nodes(pods, pools, margins._replace(spare=margins.spare + more)))
    assert sum(found.values()) <= sum(nodes(pods, pools, margins._replace(spare=margins.spare + 1)).values())


@given(_loads, _pools, _margins)
def test_every_vm_is_on_a_node_or_named(pods: list[Pod], pools: list[Pool], margins: Margins) -> None:
    large = {pod.name for pod in too_large(pods, pools, margins)}
    placed, left = empty(pools, margins).add(pods)
    over = {pod.name for pod in left}
    for pod in pods:
        meant = eligible(pod, pools)
        fits = any(pod.cpu <= allotted(pool, margins)[0] and pod.memory <= allotted(pool, margins)[1] for pool in meant)
        assert fits or pod.name in large
    homeless = [pod for pod in pods if not eligible(pod, pools)]
    on_nodes = sum(room.number * (margins.pods - room.places) for room in placed.rooms)
    assert on_nodes == len(pods) - len(over) - len(homeless)
    assert all(room.cpu >= 0 and room.memory >= 0 and room.places >= 0 for room in placed.rooms)
    assert all(there >= 0 for room in placed.rooms for _, there in room.devices)


@given(_loads, _pools, _margins)
def test_with_the_nodes_that_are_missing_every_vm_is_placed(
    pods: list[Pod], pools: list[Pool], margins: Margins
) -> None:
    placed, left = empty(pools, margins).add(pods)
    more = missing(placed, left)
    assert bool(more) == bool(left)
    by_name = {pool.name: pool for pool in pools}
    for name, number in more.items():
        pool = by_name[name]._replace(nodes=number)
        mine = [
            pod
            for pod in left
            if max(eligible(pod, pools), key=lambda each: (each.memory, each.cpu, each.name)).name == name
        ]
        again, none = empty([pool], margins._replace(spare=0)).add(mine)
        assert (none, again.used) == ([], number)


@given(_loads, _margins)
def test_the_sum_is_never_more_than_placing_takes(pods: list[Pod], margins: Margins) -> None:
    node = Pool("node", 1, 64_000, 512 * GI)
    plain = [pod._replace(devices=()) for pod in pods]
    need = needed(plain, [node], margins)["node"]
    if need.by != "large VMs" and not too_large(plain, [node], margins):
        assert need.carrying <= nodes_for(plain, node, margins)


def test_a_vm_of_more_than_half_a_node_needs_one_of_its_own() -> None:
    node = Pool("node", 1, 120_000, 120 * GI)  # allots 100
    three = [Pod(f"vm-{index}", 1000, 51 * GI) for index in range(3)]
    need = needed(three, [node], PLAIN)["node"]
    assert (need.carrying, need.spare, need.by) == (3, 1, "large VMs")
    assert nodes_for(three, node, PLAIN) == 3


def test_nodes_that_may_fail_are_the_largest_of_each_zone() -> None:
    pools = [
        Pool("a", 2, 12_000, 12 * GI, "a"),
        Pool("big", 1, 120_000, 120 * GI, "a"),
        Pool("b", 2, 24_000, 24 * GI, "b"),
    ]
    rooms = empty(pools, PLAIN).rooms
    assert Counter({room.memory // GI: room.number for room in rooms}) == {10: 2, 20: 1}
    rooms = empty(pools, PLAIN._replace(per_zone=False)).rooms
    assert Counter({room.memory // GI: room.number for room in rooms}) == {10: 2, 20: 2}


def test_nodes_with_gpus_are_kept_for_vms_that_need_them() -> None:
    pools = [Pool("gpu", 1, 12_000, 12 * GI, devices={"gpu": 1}), Pool("plain", 1, 12_000, 12 * GI)]
    margins = PLAIN._replace(spare=0)
    placed, left = empty(pools, margins).add([Pod("a", 1000, GI), Pod("b", 1000, GI, (("gpu", 1),))])
    assert left == []
    assert all(room.places == 89 for room in placed.rooms)
    assert {name: need.nodes for name, need in needed([Pod("a", 1000, GI)], pools, PLAIN).items()} == {
        "gpu": 0,
        "plain": 2,
    }


@pytest.mark.parametrize(
    ("distribution", "stated", "pods"), [("kubernetes", None, 90), ("openshift", None, 230), ("openshift", 150, 150)]
)
def test_margins_come_from_the_spec(distribution: str, stated: int | None, pods: int) -> None:
    sizing = {"headroom": 15, "spareNodes": 2, "sparePer": "cluster", **({"vmsPerNode": stated} if stated else {})}
    found = project(
        target={
            "cluster": {"name": "prod-a", "distribution": distribution},
            "gitops": {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"},
        },
        settings={"sizing": sizing},
    ).spec
    assert margins_of(found) == Margins(15 + 15, 2, False, pods)  # Ceph runs on the nodes
    assert pools_of(found.target.cluster) == ()
