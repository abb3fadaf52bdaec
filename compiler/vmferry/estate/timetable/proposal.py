"""Proposes windows in which every group fits, and the cutover times of warm groups that are prepared."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from msgspec import structs

from vmferry.estate.methods import METHODS
from vmferry.estate.timetable.calendars import Opening
from vmferry.estate.timetable.engine import simulate
from vmferry.estate.timetable.plans import GroupTimes, Timetable
from vmferry.estate.timetable.works import Prepared, prepare
from vmferry.kube.quantity import parse_duration
from vmferry.model.review import Review
from vmferry.model.spec import Window

_LAST = 253_370_764_800.0  # the year 9999
_ROUNDS = 8  # as windows are stated, groups may move to earlier ones; it settles after one or two


class Proposal(NamedTuple):
    """What is proposed: windows by phase, each longer than the recurring one or not, and cutovers by group."""

    windows: Mapping[str, tuple[Window, ...]]
    longer: frozenset[str]  # starts of windows that are longer than `settings.schedule.windows` says
    cutovers: Mapping[str, str]
    prepared: Prepared
    before: Timetable  # as it is now
    after: Timetable  # with the proposal

    @property
    def empty(self) -> bool:
        """Return whether nothing is proposed."""
        return not self.windows and not self.cutovers


def propose(review: Review) -> Proposal:
    """Return windows in which all groups fit that can, beside those that there are."""
    before = simulate(prepare(review).plan)
    windows: dict[str, tuple[Window, ...]] = {}
    now = review
    for _ in range(_ROUNDS):
        prepared = prepare(now, proposing=True)
        after = simulate(prepared.plan)
        new = _new(prepared, after)
        if not new:
            break
        windows = {name: (*windows.get(name, ()), *new.get(name, ())) for name in {**windows, **new}}
        now = _with(now, new)
    lasts = parse_duration(review.spec.settings.schedule.windows.duration)
    every = [window for each in windows.values() for window in each]
    return Proposal(
        windows={phase.name: windows[phase.name] for phase in review.spec.phases if phase.name in windows},
        longer=frozenset(window.start for window in every if parse_duration(window.duration) > lasts),
        cutovers=_cutovers(prepared, after),
        prepared=prepared,
        before=before,
        after=after,
    )


def _new(prepared: Prepared, found: Timetable) -> dict[str, tuple[Window, ...]]:
    """Return the proposed windows that groups use, by phase."""
    return {
        prepared.plan.phases[phase].name: new
        for phase, openings in found.openings.items()
        if (new := tuple(_window(opening) for opening in openings if opening.elastic))
    }


def _window(opening: Opening) -> Window:
    hours, minutes = divmod(round(opening.lasts / 60), 60)
    duration = f"{hours}h" * bool(hours) + f"{minutes}m" * bool(minutes)
    return Window(start=_moment(opening.start), duration=duration)


def _with(review: Review, windows: Mapping[str, tuple[Window, ...]]) -> Review:
    """Return a review whose phases have more windows."""
    spec, blueprint = review.spec, review.blueprint
    phases = tuple(structs.replace(each, windows=(*each.windows, *windows.get(each.name, ()))) for each in spec.phases)
    project = structs.replace(review.project, spec=structs.replace(spec, phases=phases))
    plans = tuple(
        structs.replace(each, windows=(*each.windows, *windows.get(each.name, ()))) for each in blueprint.phases
    )
    return structs.replace(review, project=project, blueprint=structs.replace(blueprint, phases=plans))


def _cutovers(prepared: Prepared, found: Timetable) -> dict[str, str]:
    """Return the times of groups that need one before they can cut over: warm ones that are prepared."""
    return {
        group.name: _moment(math.ceil(times.start / 60) * 60)
        for group, times in zip(prepared.groups, found.groups, strict=True)
        if METHODS[group.method].cutover and group.frozen and group.cutover is None and _fixed(times)
        if times.start is not None
    }


def _fixed(times: GroupTimes) -> bool:
    """Return whether a group begins in a window that ends, at a time that can be written down."""
    opening = times.opening
    return times.start is not None and opening is not None and max(opening.end, times.start) < _LAST


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
