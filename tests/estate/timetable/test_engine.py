"""Tests of the simulation of a migration: no window and no limit is exceeded at any instant."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estate.timetable.replay import broken

from vmferry.check import check, review
from vmferry.estate.timetable.calendars import Calendar, Cap, Caps, Recurring, without
from vmferry.estate.timetable.engine import alone, simulate
from vmferry.estate.timetable.plans import Batch, Plan, Stretch, Work
from vmferry.estate.timetable.works import prepare
from vmferry.model.keys import VmKey

ACME = Path(__file__).parents[3] / "examples/acme"
NOW = 1_800_000_000.0
HOUR, DAY = 3600.0, 86400.0
MIB = float(1 << 20)


def work(number: int, **more: Any) -> Work:
    return Work(**{"key": VmKey(f"vc/{number}"), "station": 0, "rate": 100 * MIB} | more)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    sources = draw(st.integers(1, 2))
    stations = tuple(draw(st.lists(st.integers(0, sources - 1), min_size=1, max_size=3)))
    names = ("ds1", "ds2")
    count = draw(st.integers(1, 12))
    seconds = st.sampled_from((0.0, 60.0, 300.0))
    sizes = st.floats(1, 500, allow_nan=False).map(lambda gib: gib * 1024 * MIB)

    def one(number: int) -> Work:
        gate = draw(st.sampled_from(("none", "host", "source")))
        return work(
            number,
            station=draw(st.integers(0, len(stations) - 1)),
            host_load=draw(st.sampled_from((0.0, 0.3, 0.5, 1.5))),
            source_load=draw(st.sampled_from((0.0, 0.1, 0.4))),
            ahead=draw(sizes) if gate == "none" and draw(st.booleans()) else 0.0,
            copy=draw(sizes | st.just(0.0)),
            before=draw(seconds),
            convert=draw(seconds),
            after=draw(seconds),
            gate=gate,
            slots=draw(st.integers(1, 4)),
            datastores=tuple(sorted(draw(st.sets(st.sampled_from(names))))),
        )

    works = tuple(one(number) for number in range(count))
    cuts = sorted(draw(st.sets(st.integers(1, count), max_size=4)) | {0, count})
    spans = list(pairwise(cuts))
    phases = tuple(draw(_phase(number)) for number in range(draw(st.integers(1, 3))))
    groups = []
    for number, (start, end) in enumerate(spans):
        phase = draw(st.integers(0, len(phases) - 1))
        needs = draw(st.sets(st.integers(0, number - 1), max_size=2)) if number else set()
        cutover = draw(st.none() | st.none() | st.floats(NOW, NOW + 6 * DAY))
        running = draw(st.sampled_from(("no", "no", "no", "ahead", "out")))
        own = draw(_own_times(works[start:end], phases[phase].calendar)) if running == "no" else {}
        if own:
            works = tuple(each._replace(at=at, until=until) for each, (at, until) in _given(works, start, own))
            cutover = min(at for at, _ in own.values())
        groups.append(
            Batch(
                f"g{number}",
                phase,
                tuple(range(start, end)),
                frozenset(needs) if running == "no" else frozenset(),
                draw(st.booleans()),
                cutover if running == "no" else None,
                running,
                max((until for _, until in own.values()), default=0.0),
            )
        )
    return Plan(
        NOW,
        works,
        tuple(groups),
        phases,
        stations,
        tuple(draw(st.integers(1, 3)) for _ in range(sources)),
        vms_per_host=draw(st.integers(1, 4)),
        vms_per_datastore=draw(st.none() | st.integers(1, 2)),
        vms_per_window=draw(st.none() | st.integers(1, 12)),
        groups_per_window=draw(st.none() | st.integers(1, 3)),
        parallel_windows=draw(st.none() | st.just(1)),
        caps=Caps(tuple(draw(st.lists(_caps(), max_size=2)))),
        copy_ahead=draw(st.sampled_from((HOUR, DAY, 7 * DAY))),
        apart=draw(st.booleans()),
    )


@st.composite
def _own_times(draw: st.DrawFn, works: Sequence[Work], calendar: Calendar) -> dict[int, tuple[float, float]]:
    """Return times of VMs alone, by their place in the group, each with the end of the window that it is in."""
    spans = [part for span in calendar.windows for part in without(span, calendar.freezes) if part[1] > NOW]
    free = [place for place, each in enumerate(works) if each.gate == "none"]
    if not spans or not free or not draw(st.booleans()):
        return {}
    found = {}
    for place in draw(st.lists(st.sampled_from(free), min_size=1, unique=True)):
        start, end = draw(st.sampled_from(spans))
        found[place] = (draw(st.floats(max(start, NOW), end)), end)
    return found


def _given(
    works: Sequence[Work], start: int, own: dict[int, tuple[float, float]]
) -> Iterator[tuple[Work, tuple[float | None, float]]]:
    for number, each in enumerate(works):
        yield each, own.get(number - start, (each.at, each.until))


@st.composite
def _phase(draw: st.DrawFn, number: int) -> Stretch:
    window = st.tuples(st.integers(-1, 12 * 24), st.integers(1, 30))
    kind = draw(st.sampled_from(("endless", "windows", "recurring")))
    windows = draw(st.lists(window, min_size=1, max_size=4)) if kind == "windows" else []
    freezes = draw(st.lists(window, max_size=2))
    return Stretch(
        f"p{number}",
        Calendar(
            windows=tuple(sorted((NOW + at * HOUR, NOW + (at + lasts) * HOUR) for at, lasts in windows)),
            endless=kind == "endless",
            daily=draw(st.booleans()),
            freezes=tuple(sorted((NOW + at * HOUR, NOW + (at + lasts) * HOUR) for at, lasts in freezes)),
            recurring=Recurring((2, 5), time(20), 6 * HOUR, "Europe/Berlin") if kind == "recurring" else None,
        ),
        first=frozenset(draw(st.sets(st.integers(0, number - 1)))) if number else frozenset(),
        last=draw(st.booleans()),
        dual_run=draw(st.sampled_from((0.0, DAY))),
    )


def _caps() -> st.SearchStrategy[Cap]:
    times = st.none() | st.sampled_from((time(8), time(18), time(23, 30)))
    days = st.sampled_from(((0, 1, 2, 3, 4), (0, 1, 2, 3, 4, 5, 6)))
    rates = st.sampled_from((30 * MIB, 150 * MIB))
    return st.builds(Cap, rates, days, times, times, st.sampled_from(("UTC", "Europe/Berlin")))


@settings(max_examples=150, deadline=None)
@given(plans())
def test_a_replay_finds_no_window_exceeded_no_limit_broken_and_every_order_kept(plan: Plan) -> None:
    assert broken(plan, simulate(plan)) == []


@settings(max_examples=40, deadline=None)
@given(plans())
def test_the_same_plan_gives_the_same_timetable(plan: Plan) -> None:
    assert simulate(plan) == simulate(plan)


@settings(max_examples=40, deadline=None)
@given(plans())
def test_without_windows_every_group_has_a_place(plan: Plan) -> None:
    phases = tuple(each._replace(calendar=Calendar(), last=False) for each in plan.phases)
    groups = tuple(each._replace(cutover=None, needs=frozenset(), until=0.0) for each in plan.groups)
    works = tuple(each._replace(at=None, until=0.0) for each in plan.works)
    free = plan._replace(works=works, phases=phases, groups=groups, vms_per_window=None, groups_per_window=None)
    assert simulate(free).unplaced == ()


@settings(max_examples=60, deadline=None)
@given(plans(), st.floats(1, 4))
def test_where_nothing_waits_for_a_slot_more_bandwidth_never_ends_later(plan: Plan, faster: float) -> None:
    works = tuple(each._replace(gate="none", ahead=0.0, at=None, until=0.0) for each in plan.works)
    groups = (Batch("all", 0, tuple(range(len(works)))),)
    slow = plan._replace(works=works, groups=groups, phases=(Stretch("p", Calendar()),), vms_per_window=None)
    more = tuple(
        each._replace(host_load=each.host_load / faster, source_load=each.source_load / faster) for each in works
    )
    caps = Caps(tuple(each._replace(rate=each.rate * faster) for each in plan.caps.caps))
    assert simulate(slow._replace(works=more, caps=caps)).end <= simulate(slow).end + 1e-3


@settings(max_examples=60, deadline=None)
@given(plans(), st.integers(1, 3))
def test_where_bandwidth_limits_nothing_more_slots_never_end_later(plan: Plan, more: int) -> None:
    works = tuple(each._replace(host_load=0.0, source_load=0.0, ahead=0.0, at=None, until=0.0) for each in plan.works)
    groups = (Batch("all", 0, tuple(range(len(works)))),)
    few = plan._replace(
        works=works,
        groups=groups,
        phases=(Stretch("p", Calendar()),),
        caps=Caps(),
        vms_per_datastore=None,
        vms_per_window=None,
    )
    many = few._replace(vms_per_host=few.vms_per_host + more, places=tuple(places + more for places in few.places))
    assert simulate(many).end <= simulate(few).end + 1e-3


@settings(max_examples=40, deadline=None)
@given(plans())
def test_no_group_is_faster_than_its_slowest_vm_alone(plan: Plan) -> None:
    """Than all of it alone, it may be: a VM that waits for another group's slot may end up in a better order."""
    found = simulate(plan)
    for number, group in enumerate(found.groups):
        if group.end is not None and group.start is not None and plan.groups[number].running == "no":
            single = (plan._replace(groups=(Batch("one", 0, (work,)),)) for work in plan.groups[number].works)
            assert group.end - group.start >= max(alone(each, 0) for each in single) - 1e-3


def test_the_plan_of_a_whole_example_breaks_no_limit() -> None:
    now = datetime(2027, 1, 9, 8, tzinfo=UTC)
    found = check(ACME, None, now=now)
    for proposing in (False, True):
        plan = prepare(review(found.project, found.resolution, now=now), proposing=proposing).plan
        assert len(plan.groups) == 16
        assert broken(plan, simulate(plan)) == []
