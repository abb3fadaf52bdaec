"""The plan beside what became of it, by phase and group: when it has moved, and what is forecast for the rest."""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

from vmferry.estate.history import History
from vmferry.estate.phases import moment, time_text
from vmferry.estate.stages import running
from vmferry.estate.timetable.plans import GroupTimes
from vmferry.estate.timetable.works import moved_at
from vmferry.model.blueprint import Group
from vmferry.model.report import Column, Covers, Row, Table
from vmferry.reports.content import Material

State = Literal["moved", "waits", "open"]
"""Whether a group has cut over, cannot be scheduled (on hold, or rolled back), or is still to move."""


class Compared(NamedTuple):
    """A group as it was planned, and as it is or is forecast.

    ``plan`` is None for one that the plan did not have, ``times`` for one without a forecast. One that has moved has an
    end alone, where the evidence or the spec has it.
    """

    group: Group
    plan: GroupTimes | None
    state: State
    times: GroupTimes | None


class GroupBeside(Struct, frozen=True, kw_only=True):
    """A group. Times are in RFC 3339, or None; ``late`` is by how many seconds it ends after its plan."""

    group: str
    phase: str
    state: State
    vms: int
    planned_start: str | None
    planned_end: str | None
    start: str | None
    end: str | None
    late: float | None


class PhaseBeside(Struct, frozen=True, kw_only=True):
    """A phase, from the first cutover of its groups until the last one; no end while one of them has no place."""

    phase: str
    vms: int
    groups: int
    planned_start: str | None
    planned_end: str | None
    start: str | None
    end: str | None
    late: float | None


class Beside(Struct, frozen=True, kw_only=True):
    """All of it. ``since`` is when the plan was, or would have been, made; ``revision`` the commit that it is of."""

    since: str | None
    revision: str | None
    planned_end: str | None
    end: str | None
    late: float | None
    phases: tuple[PhaseBeside, ...]
    groups: tuple[GroupBeside, ...]


def compared(material: Material) -> tuple[Compared, ...]:
    """Return all groups, by phase and name."""
    found, blueprint = material.forecast, material.review.blueprint
    likely = {group.name: times for group, times in zip(found.prepared.groups, found.likely.groups, strict=True)}
    history = History(material.review.project.evidence)
    ranks = {phase.name: rank for rank, phase in enumerate(blueprint.phases)}
    groups = sorted(blueprint.groups, key=lambda group: (ranks.get(group.phase, len(ranks)), group.name))
    return tuple(
        Compared(group, found.plan.groups.get(group.name), *_now(group, likely.get(group.name), history))
        for group in groups
    )


def _now(group: Group, likely: GroupTimes | None, history: History) -> tuple[State, GroupTimes | None]:
    if running(group.stage):
        return "moved", GroupTimes(end=moved_at(group, history))
    return ("open" if likely is not None else "waits"), likely


def beside(material: Material, groups: Sequence[Compared]) -> Beside:
    """Return what reports say of the plan."""
    phases: dict[str, list[Compared]] = {}
    for each in groups:
        phases.setdefault(each.group.phase, []).append(each)
    plan, earlier = material.forecast.plan, material.earlier
    whole = _Span.of(groups)
    return Beside(
        since=time_text(plan.since),
        revision=earlier.revision if earlier is not None else None,
        planned_end=time_text(whole.planned_end),
        end=time_text(whole.end),
        late=whole.late,
        phases=tuple(_phase(phase, members) for phase, members in phases.items()),
        groups=tuple(_group(each) for each in groups),
    )


class _Span(NamedTuple):
    """From when to when some groups cut over, as planned and as it is; in seconds since 1970."""

    planned_start: float | None
    planned_end: float | None
    start: float | None
    end: float | None

    @classmethod
    def of(cls, groups: Sequence[Compared]) -> "_Span":
        plans = [each.plan for each in groups if each.plan is not None]
        known = [each.times for each in groups if each.times is not None and each.times.end is not None]
        # of what has moved, some may not be recorded: it was before what is still to move
        open_end = any(each.state != "moved" and (each.times is None or each.times.end is None) for each in groups)
        return cls(
            min((plan.start for plan in plans if plan.start is not None), default=None),
            None if any(plan.end is None for plan in plans) else _last(plan.end for plan in plans),
            min((times.start for times in known if times.start is not None), default=None),
            None if open_end else _last(times.end for times in known),
        )

    @property
    def late(self) -> float | None:
        """Return by how many seconds they end after their plan, of times as they are written down."""
        end, planned = time_text(self.end), time_text(self.planned_end)
        return moment(end) - moment(planned) if end is not None and planned is not None else None


def _last(ends: Iterable[float | None]) -> float | None:
    return max((end for end in ends if end is not None), default=None)


def _phase(phase: str, groups: Sequence[Compared]) -> PhaseBeside:
    span = _Span.of(groups)
    return PhaseBeside(
        phase=phase,
        vms=sum(len(each.group.machines) for each in groups),
        groups=len(groups),
        planned_start=time_text(span.planned_start),
        planned_end=time_text(span.planned_end),
        start=time_text(span.start),
        end=time_text(span.end),
        late=span.late,
    )


def _group(each: Compared) -> GroupBeside:
    span = _Span.of([each])
    return GroupBeside(
        group=each.group.name,
        phase=each.group.phase,
        state=each.state,
        vms=len(each.group.machines),
        planned_start=time_text(span.planned_start),
        planned_end=time_text(span.planned_end),
        start=time_text(span.start),
        end=time_text(span.end),
        late=span.late,
    )


# --- how it is shown --------------------------------------------------------------------------

_TIMES = (
    Column("planned from", "time"),
    Column("planned until", "time"),
    Column("from", "time"),
    Column("until", "time"),
    Column("later by", "seconds"),
)


def phases_table(found: Beside, material: Material) -> Table:
    """Return the plan beside the forecast, by phase."""
    moving = material.vms.where("moves", "yes")
    rows: list[Row] = [
        (each.phase, moving.where("phase", each.phase).count, *_times(each), each.late) for each in found.phases
    ]
    columns = (Column("phase"), Column("VMs", "count"), *_TIMES)
    covers: Covers = moving.facets if material.complete else "some"
    note = said(found) if rows else ""
    return Table("Plan and forecast, by phase", "phase", columns, rows, note=note, covers=covers)


def groups_table(found: Beside, material: Material) -> Table:
    """Return the plan beside the forecast, by group: those first that end latest after their plan."""
    moving = material.vms.where("moves", "yes")
    order = sorted(found.groups, key=lambda each: (each.late is None, -(each.late or 0.0)))
    rows: list[Row] = [
        (each.group, each.phase, moving.where("group", each.group).count, _STATES[each.state], *_times(each), each.late)
        for each in order
    ]
    columns = (Column("group"), Column("phase"), Column("VMs", "count"), Column("state"), *_TIMES)
    covers: Covers = moving.facets if material.complete else "some"
    return Table("Plan and forecast, by group", "group", columns, rows, covers=covers)


_STATES = {"moved": "has moved", "waits": "waits", "open": "to move"}


def _times(each: PhaseBeside | GroupBeside) -> tuple[str | None, ...]:
    return (each.planned_start, each.planned_end, each.start, each.end)


def said(found: Beside) -> str:
    """Return a sentence on what the plan is."""
    if found.revision is not None:
        return f"Planned: what {found.revision} forecast when it was committed, at {found.since}."
    return f"Planned: this spec seen from {found.since}, with nothing moved, held back or measured yet."
