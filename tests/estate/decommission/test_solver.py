"""Tests of the order in which hosts empty and become nodes, by a simulation that shares no code with the solver."""

import random

import pytest
from tests.estate.decommission.simulation import broken

from vmferry.estate.capacity import Margins, Pod, Pool
from vmferry.estate.decommission.plans import Guest, Host, Sequence, Situation, Step, Wave
from vmferry.estate.decommission.solver import events, solve

GI = 1 << 30
DAY = 86400.0
N1 = Margins(20, 1, per_zone=False, pods=90)
C1 = ("vc1", "C1")


def host(number: int, cores: int = 32, memory: int = 256, *, serves: bool = True, cluster: str = "C1") -> Host:
    name = f"{cluster}-esx{number}"
    node = Pool(name, 1, cores * 1000, memory * GI) if serves else None
    return Host(("vc1", name), ("vc1", cluster), cores, memory * GI, node)


def guest(number: int, leaves: int | None, on: int = 1, memory: int = 16, **more: bool) -> Guest:
    return Guest(f"vm-{number}", C1, ("vc1", f"C1-esx{on}"), 4, memory * GI, True, leaves, **more)


def pods(count: int, cpu: int = 1000, memory: int = 16) -> tuple[Pod, ...]:
    return tuple(Pod(f"vm-{number}", cpu, memory * GI) for number in range(count))


def of(found: Sequence, what: str) -> list[Step]:
    return [step for step in found.steps if step.what == what]


def estate(seed: int) -> Situation:
    """Return a random estate; the sizes are such that some have a sequence and others lack nodes."""
    rnd = random.Random(seed)
    waves = rnd.randint(1, 5)
    hosts: list[Host] = []
    for cluster in range(rnd.randint(1, 3)):
        sizes = [(rnd.choice((16, 32, 48)), rnd.choice((128, 256, 384))) for _ in range(rnd.randint(1, 2))]
        for number in range(rnd.randint(1, 7)):
            hosts.append(host(number, *rnd.choice(sizes), serves=rnd.random() < 0.8, cluster=f"C{cluster}"))
    guests, brought = [], [list[Pod]() for _ in range(waves)]
    vsan = rnd.random() < 0.2
    for number in range(rnd.randint(1, 60)):
        home = rnd.choice(hosts)
        leaves = rnd.choice([*range(waves), *range(waves), *range(waves), None])
        vcpus, memory = rnd.choice((1, 2, 4, 8)), rnd.choice((2, 4, 8, 16, 32, 64)) * GI
        known = None if rnd.random() < 0.01 else memory
        runs, pinned = rnd.random() < 0.9, rnd.random() < 0.03
        guests.append(Guest(f"vm-{number}", home.cluster, home.key, vcpus, known, runs, leaves, pinned, vsan))
        if leaves is not None and runs:
            brought[leaves].append(Pod(f"vm-{number}", vcpus * 250, memory + GI // 4))
    start, timed, found = 0.0, rnd.random() < 0.8, []
    for number in range(waves):
        start += rnd.randint(1, 30) * DAY
        known = timed and rnd.random() < 0.9
        converting = (Pod("", 1000, GI),) * rnd.randint(0, 3)
        times = (start, start + DAY / 3) if known else (None, None)
        kept = rnd.choice((0, 0, 14, 30)) * DAY
        found.append(Wave(f"phase-{number}", tuple(brought[number]), converting, *times, kept))
    changes = tuple((wave.start, wave.end) for wave in found if wave.start is not None and wave.end is not None)
    pools = (Pool("worker", rnd.randint(0, 4), 32_000, 256 * GI),) if rnd.random() < 0.9 else ()
    margins = Margins(rnd.choice((0, 20, 35)), 1, per_zone=False, pods=90)
    return Situation(tuple(hosts), tuple(guests), tuple(found), pools, (), margins, changes)


@pytest.mark.parametrize("block", range(10))
def test_no_side_ever_lacks_what_runs_there_and_its_reserve(block: int) -> None:
    for seed in range(block * 100, block * 100 + 100):
        situation = estate(seed)
        assert broken(situation, solve(situation)) == [], seed


def test_random_estates_have_sequences_of_every_kind() -> None:
    found = [solve(estate(seed)) for seed in range(300)]
    assert sum(bool(of(each, "joins")) for each in found) > 30
    assert sum(bool(each.missing) for each in found) > 30
    assert sum(any(each.left.values()) for each in found) > 30  # VMs stay
    assert sum(not any(each.left.values()) for each in found) > 10


def test_the_order_of_the_input_changes_nothing() -> None:
    for seed in range(50):
        situation = estate(seed)
        turned = situation._replace(hosts=situation.hosts[::-1], guests=situation.guests[::-1])
        assert solve(situation) == solve(turned)


def test_a_freed_host_becomes_a_node_before_the_phase_that_needs_it() -> None:
    """Four hosts of 256 GiB with 40 VMs of 16 GiB; two nodes of 256 GiB carry 12 VMs each beside the headroom."""
    guests = tuple(guest(number, 0 if number < 12 else 1, on=number % 4 + 1) for number in range(24))
    waves = (Wave("first", pods(12)), Wave("second", pods(12)))
    hosts = tuple(host(number) for number in range(1, 5))
    found = solve(Situation(hosts, guests, waves, (Pool("worker", 2, 32_000, 256 * GI),), (), N1))
    assert [step.what for step in found.steps] == [
        "moves",
        "released",
        "emptied",
        "joins",
        "moves",
        "released",
        "emptied",
        "emptied",
        "emptied",
    ]
    assert found.missing == 0


def test_a_phase_that_lacks_nodes_is_named_with_their_number() -> None:
    """26 VMs of 16 GiB and no host free before them: 13 fit on a node, so two nodes, one more that may fail."""
    guests = tuple(guest(number, 0) for number in range(26))
    found = solve(
        Situation((host(1), host(2)), guests, (Wave("all", pods(26)),), (Pool("w", 1, 32000, 256 * GI),), (), N1)
    )
    assert of(found, "missing") == [Step("missing", "all", pool="w", nodes=2)]


def test_sources_that_are_kept_count_until_their_dual_run_is_over() -> None:
    """Of three hosts, none may go while the first phase may have to go back, nor while the second one cuts over."""
    guests = tuple(guest(number, 0 if number < 12 else 1, on=number % 3 + 1) for number in range(24))
    first = Wave("first", pods(12), start=0.0, end=DAY, kept=14 * DAY)
    second = Wave("second", pods(12), start=7 * DAY, end=8 * DAY)
    plenty = (Pool("worker", 9, 64_000, 512 * GI),)
    hosts = (host(1), host(2), host(3))
    changes = ((0.0, DAY), (7 * DAY, 8 * DAY))
    found = solve(Situation(hosts, guests, (first, second), plenty, (), N1, changes))
    steps = [(step.what, step.wave) for step in found.steps]
    assert steps.index(("moves", "second")) < steps.index(("released", "first"))
    assert [step.date for step in of(found, "emptied")] == [8 * DAY, 15 * DAY, 15 * DAY]


def test_no_host_goes_in_a_window_in_which_a_phase_cuts_over() -> None:
    first = Wave("first", pods(1), start=0.0, end=DAY, kept=6 * DAY)
    guests = (guest(1, 0),)
    found = solve(Situation((host(1), host(2)), guests, (first,), (), (), N1, ((7 * DAY, 8 * DAY),)))
    assert [step.date for step in of(found, "emptied")] == [8 * DAY, 8 * DAY]


def test_a_pinned_vm_keeps_its_host_and_vsan_keeps_four() -> None:
    hosts = tuple(host(number) for number in range(1, 7))
    wave = (Wave("first"),)
    pinned = solve(Situation(hosts, (guest(1, None, on=5, pinned=True),), wave, (), (), N1))
    assert {each.key[1] for each in pinned.left[C1]} >= {"C1-esx5"}
    assert len(pinned.left[C1]) == 2
    assert len(solve(Situation(hosts, (guest(1, None, vsan=True),), wave, (), (), N1)).left[C1]) == 4


def test_a_host_that_does_not_serve_never_becomes_a_node() -> None:
    guests = tuple(guest(number, 0 if number < 12 else 1, on=number % 4 + 1) for number in range(24))
    hosts = tuple(host(number, serves=False) for number in range(1, 5))
    waves = (Wave("first", pods(12)), Wave("second", pods(12)))
    found = solve(Situation(hosts, guests, waves, (Pool("worker", 2, 32_000, 256 * GI),), (), N1))
    assert of(found, "joins") == []
    assert [(step.wave, step.nodes) for step in of(found, "missing")] == [("second", 1)]


def test_undated_phases_release_at_once_unless_their_sources_are_kept() -> None:
    first, second = Wave("first"), Wave("second")
    assert [tuple(each) for each in events((first, second))] == [(0, False), (0, True), (1, False), (1, True)]
    kept = first._replace(kept=DAY)
    assert [tuple(each) for each in events((kept, second))] == [(0, False), (1, False), (0, True), (1, True)]
