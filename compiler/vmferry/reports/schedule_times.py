"""The times of a schedule as rows of a timeline, and as a calendar file."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from vmferry.estate.phases import LAST, bounds, is_time
from vmferry.estate.timetable.forecast import Forecast
from vmferry.estate.timetable.plans import GroupTimes
from vmferry.estate.timetable.stated import freezes_of
from vmferry.estate.wording import counted, duration
from vmferry.model.report import Lane, Span
from vmferry.model.review import Review
from vmferry.reports.against_plan import Compared
from vmferry.reports.calendar_file import Appointment, ics

_MOST_LANES = 300


class Known(NamedTuple):
    """A forecast with the review that it is of, and for how many seconds the sources of each phase are kept."""

    review: Review
    found: Forecast
    kept: dict[str, int]
    groups: tuple[Compared, ...]


def lanes(known: Known) -> Iterator[Lane]:
    """Yield freezes, and for each phase its windows and groups."""
    plan, found = known.found.prepared.plan, known.found.likely
    every = len(known.groups) <= _MOST_LANES
    plans = {each.group.name: each.plan for each in known.groups}
    freezes = [Span("change freeze", *each, "freeze") for each in freezes_of(known.review.spec.settings.schedule)]
    if any(_drawable(each) for each in freezes):
        yield Lane("change freezes", tuple(filter(_drawable, freezes)))
    for phase in known.review.spec.phases:
        windows = [bounds(each) for each in phase.windows if is_time(each.start)]
        spans = [Span("window", *each, "window") for each in windows]
        members = [number for number, group in enumerate(plan.groups) if plan.phases[group.phase].name == phase.name]
        if not every:
            spans += [span for number in members for span in _spans(known, number)]
        yield Lane("windows" if every else "all groups", tuple(filter(_drawable, spans)), phase.name)
        for each in known.groups if every else ():
            if each.group.phase == phase.name and each.state == "moved":
                spans = [*_planned(each.plan), *_moved(each.times)]
                yield Lane(each.group.name, tuple(filter(_drawable, spans)), phase.name)
        for number in members if every else ():
            name = plan.groups[number].name
            spans = [*_planned(plans[name]), *_spans(known, number)]
            if found.groups[number].start is not None:
                yield Lane(name, tuple(filter(_drawable, spans)), phase.name)


def _planned(times: GroupTimes | None) -> Iterator[Span]:
    if times is not None and times.start is not None and times.end is not None:
        yield Span("cutover as planned", times.start, times.end, "plan")


def _moved(times: GroupTimes | None) -> Iterator[Span]:
    if times is not None and times.end is not None:
        yield Span("cut over", times.end, times.end, "done")


def _spans(known: Known, number: int) -> Iterator[Span]:
    times = known.found.likely.groups[number]
    if times.ahead_from is not None and times.ahead_to is not None:
        yield Span("first copies", times.ahead_from, times.ahead_to, "running")
    if times.start is not None and times.end is not None:
        late = known.found.at_risk(number) > 0
        label = "cutover, too late in the worst case" if late else "cutover"
        yield Span(label, times.start, times.end, "late" if late else "planned")


def _drawable(span: Span) -> bool:
    return 0 <= span.start <= span.end <= LAST


# --- the calendar -----------------------------------------------------------------------------


def calendar(known: Known) -> str:
    """Return the windows of the phases, and the cutovers of groups whose phase has none, as a calendar file."""
    return ics(f"{known.review.blueprint.name}: migration windows", _appointments(known), known.found.prepared.plan.now)


def _appointments(known: Known) -> Iterator[Appointment]:
    plan, name = known.found.prepared.plan, known.review.blueprint.name
    groups = known.found.likely.groups
    for rank, phase in enumerate(known.review.spec.phases):
        for window in phase.windows:
            start, end = bounds(window) if is_time(window.start) else (-1.0, -1.0)
            if not 0 <= start <= end <= LAST:
                continue
            inside = [
                number
                for number, times in enumerate(groups)
                if times.start is not None and plan.groups[number].phase == _rank(known, rank)
                if start <= times.start < end
            ]
            uid = f"{phase.name}-{int(start)}@{name}.vmferry.dev"
            yield Appointment(uid, start, end, f"{name}: window of {phase.name}", _contents(known, inside))
    for number, times in enumerate(groups):
        opening, phase_name = times.opening, plan.phases[plan.groups[number].phase].name
        if times.start is None or times.end is None or opening is None or opening.end < math.inf or times.end > LAST:
            continue
        uid = f"{plan.groups[number].name}@{name}.vmferry.dev"
        title = f"{name}: {plan.groups[number].name} of {phase_name} cuts over"
        yield Appointment(uid, times.start, max(times.end, times.start + 1), title, _contents(known, [number]))


def _rank(known: Known, index: int) -> int:
    """Return the place of a phase of the spec in the order of the migration."""
    name = known.review.spec.phases[index].name
    return next(
        (rank for rank, phase in enumerate(known.found.prepared.plan.phases) if phase.name == name),
        -1,
    )


def _contents(known: Known, numbers: list[int]) -> str:
    """Return what happens in a window, in lines."""
    lines = []
    for number in numbers:
        group, times = known.found.prepared.groups[number], known.found.likely.groups[number]
        if times.start is None or times.end is None:
            continue
        many = counted(len(group.machines), "VM")
        lines.append(f"{group.name}: {many}, {group.method}, likely {duration(times.end - times.start)}")
        lines.append(", ".join(machine.name for machine in group.machines))
    return "\n".join(lines) or "No group is planned for this window."
