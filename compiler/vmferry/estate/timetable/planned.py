"""The plan that a forecast is compared with: of the spec before anything moved, or of an earlier commit.

Neither is stored anywhere. The spec as it is says what would have been forecast with nothing moved, measured or held
back; git has what it said when the plan was agreed upon.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from msgspec import structs

from vmferry.estate.history import History
from vmferry.estate.history import moment as time_of
from vmferry.estate.phases import is_time, moment
from vmferry.estate.stages import running
from vmferry.estate.timetable.engine import simulate
from vmferry.estate.timetable.plans import GroupTimes
from vmferry.estate.timetable.works import moved_at, prepare
from vmferry.kube.quantity import parse_duration
from vmferry.model.review import Review


class Planned(NamedTuple):
    """When each group was to cut over, by name, as it looked at a moment (``since``, in seconds since 1970)."""

    since: float
    groups: Mapping[str, GroupTimes]

    @property
    def end(self) -> float | None:
        """Return when the last group was to have cut over; None if none was."""
        return max((times.end for times in self.groups.values() if times.end is not None), default=None)


def planned(review: Review, earlier: Review | None = None) -> Planned:
    """Return the plan: what an ``earlier`` state of the migration forecast then, or this one at its beginning."""
    plan = prepare(earlier) if earlier is not None else prepare(_at_first(review), calibrated=False)
    found = simulate(plan.plan)
    groups = {group.name: times for group, times in zip(plan.groups, found.groups, strict=True)}
    if earlier is not None:
        history = History(earlier.project.evidence)
        moved = (group for group in earlier.blueprint.groups if running(group.stage))
        groups |= {group.name: GroupTimes(end=moved_at(group, history)) for group in moved}
    return Planned(plan.plan.now, groups)


def _at_first(review: Review) -> Review:
    """Return a migration as if nothing had moved, been measured or been held back."""
    groups = tuple(structs.replace(group, stage="planned", hold=None) for group in review.blueprint.groups)
    return structs.replace(
        review,
        now=_beginning(review),
        project=structs.replace(review.project, evidence=None),
        blueprint=structs.replace(review.blueprint, groups=groups),
    )


def _beginning(review: Review) -> datetime | None:
    """Return when a migration began, or begins: first copies before its first window, what was first recorded, or now.

    None without a time: it begins with its first window.
    """
    if review.now is None:
        return None
    known = [each for each in _beginnings(review) if each < review.now.timestamp()]
    return datetime.fromtimestamp(max(min(known), 0.0), UTC) if known else review.now


def _beginnings(review: Review) -> Iterator[float]:
    ahead = parse_duration(review.spec.settings.schedule.copy_ahead)
    for phase in review.spec.phases:
        yield from (moment(window.start) - ahead for window in phase.windows if is_time(window.start))
    evidence = review.project.evidence
    for entry in evidence.entries if evidence is not None else ():
        when = entry.started or time_of(entry)
        if is_time(when):
            yield moment(when)
