"""The questions of a forecast: when everything ends and why, in the best and worst case, and what would save time."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from msgspec import structs

from vmferry.estate.timetable.calendars import DAY, Calendar, Caps
from vmferry.estate.timetable.engine import alone, simulate
from vmferry.estate.timetable.planned import Planned, planned
from vmferry.estate.timetable.plans import GroupTimes, Plan, Timetable, VmTimes
from vmferry.estate.timetable.works import Prepared, prepare
from vmferry.model.review import Review


class Saving(NamedTuple):
    """What another limit would change: seconds by which the end comes earlier, and groups without a place then."""

    what: str
    end: float | None
    saves: float
    unplaced: int


class Link(NamedTuple):
    """A group on the critical path, which decides when the migration ends; the first one comes first."""

    group: int
    times: GroupTimes


class Forecast(NamedTuple):
    """Everything that is known beforehand, with the ``plan`` that it is compared with."""

    prepared: Prepared
    likely: Timetable
    best: Timetable
    worst: Timetable
    plan: Planned
    path: tuple[Link, ...]
    savings: tuple[Saving, ...]

    def outage(self, work: int) -> tuple[float, float, float] | None:
        """Return how long a VM is down, best, likely and worst; None if its group has no place."""
        best, likely, worst = (_down(each.vms[work]) for each in (self.best, self.likely, self.worst))
        if likely is None:
            return None
        return min(best or likely, likely), likely, max(worst or likely, likely)

    def alone(self, group: int) -> float:
        """Return how long the outage of a group takes that has the whole estate for itself, in seconds."""
        return alone(self.prepared.plan, group)

    def at_risk(self, group: int) -> float:
        """Return by how many seconds a group exceeds its window in the worst case."""
        opening, worst = self.likely.groups[group].opening, self.worst.groups[group].end
        if opening is None or worst is None or opening.end == math.inf:
            return 0.0
        return max(worst - max(opening.end, self.prepared.plan.groups[group].until), 0.0)


def forecast(review: Review, earlier: Review | None = None) -> Forecast:
    """Return the forecast of a migration from now on. ``earlier``: see `planned`."""
    prepared = prepare(review)
    likely = simulate(prepared.plan)
    given = {number: times for number, times in enumerate(likely.groups) if times.start is not None}
    best, worst = (simulate(prepare(review, case).plan, given) for case in ("best", "worst"))
    path = tuple(reversed(list(_path(likely, prepared.plan))))
    savings = tuple(_savings(prepared.plan, likely))
    return Forecast(prepared, likely, best, worst, planned(review, earlier), path, savings)


def outages(review: Review) -> dict[str, float]:
    """Return how long the outage of each warm group takes by itself, in seconds, whatever its stage is by now.

    The rates are those that the spec states or that are assumed, as before the first copy.
    """
    groups = tuple(
        structs.replace(group, stage="planned", hold=None)
        for group in review.blueprint.groups
        if group.method == "warm"
    )
    before = structs.replace(
        review,
        project=structs.replace(review.project, evidence=None),
        blueprint=structs.replace(review.blueprint, groups=groups),
    )
    prepared = prepare(before)
    return {group.name: alone(prepared.plan, number) for number, group in enumerate(prepared.groups)}


def _down(times: VmTimes) -> float | None:
    return times.up - times.down if times.up is not None and times.down is not None else None


def _path(found: Timetable, plan: Plan) -> Iterator[Link]:
    """Yield the groups that decide when a migration ends, from the last one back."""
    ends = [(times.end, number) for number, times in enumerate(found.groups) if times.end is not None]
    current = max(ends)[1] if ends else None
    seen: set[int] = set()
    while current is not None and current not in seen:
        seen.add(current)
        times = found.groups[current]
        yield Link(current, times)
        current = times.held_by if times.why in ("after", "needs", "full") else None
        if times.why == "team":
            current = _previous(found, plan, seen, times)


def _previous(found: Timetable, plan: Plan, seen: set[int], times: GroupTimes) -> int | None:
    """Return the group that ends last in the window before, of the same phase."""
    phase = {plan.groups[number].phase for number in seen}
    earlier = [
        (each.end, number)
        for number, each in enumerate(found.groups)
        if each.opening is not None and times.opening is not None and each.opening < times.opening
        if each.end is not None and plan.groups[number].phase in phase
    ]
    return max(earlier)[1] if earlier else None


def _savings(plan: Plan, found: Timetable) -> Iterator[Saving]:
    """Yield what other limits would change, of those that anything waited for."""
    for what, other in _others(plan, found):
        changed = simulate(other)
        saves = (found.end or 0.0) - (changed.end or 0.0)
        yield Saving(what, changed.end, saves, len(changed.unplaced))


def _others(plan: Plan, found: Timetable) -> Iterator[tuple[str, Plan]]:
    if _waited(plan, found, "host"):
        yield "one more VM at once per ESXi host", plan._replace(vms_per_host=plan.vms_per_host + 1)
    if _waited(plan, found, "source"):
        places = tuple(count + 1 for count in plan.places)
        yield "one more conversion at once per vCenter", plan._replace(places=places)
    reasons = {times.why for times in found.groups}
    if reasons & {"full", "team", "length", "after", "copy"} or found.unplaced:
        phases = tuple(each._replace(calendar=_doubled(each.calendar)) for each in plan.phases)
        if phases != plan.phases:
            yield "a second window on the day after each", plan._replace(phases=phases)
    if "team" in reasons:
        vms, groups = plan.vms_per_window, plan.groups_per_window
        twice = plan._replace(
            vms_per_window=vms * 2 if vms is not None else None,
            groups_per_window=groups * 2 if groups is not None else None,
        )
        yield "twice the team", twice
    if plan.caps.caps:
        yield "no limits of bandwidth", plan._replace(caps=Caps())


def _doubled(calendar: Calendar) -> Calendar:
    """Return a calendar with each window again a day later, as far as it does not overlap the others."""
    windows = list(calendar.windows)
    for start, end in calendar.windows:
        later = (start + DAY, end + DAY)
        if not any(later[0] < until and since < later[1] for since, until in windows):
            windows.append(later)
    return calendar._replace(windows=tuple(sorted(windows)))


def _waited(plan: Plan, found: Timetable, gate: str) -> bool:
    """Return whether any copy waited for a slot of its ESXi host, or for a place of its vCenter."""
    for batch, times in zip(plan.groups, found.groups, strict=True):
        for number in batch.works:
            work, each = plan.works[number], found.vms[number]
            if gate == "host":
                late = each.ahead_from is not None and each.ahead_from > (times.ahead_from or 0.0)
                late |= work.gate == "host" and each.down is not None and each.down > (times.start or 0.0)
            else:
                late = work.gate == "source" and (each.copy_from or 0.0) > (each.down or 0.0) + work.before
            if late:
                return True
    return False
