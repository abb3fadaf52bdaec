"""When everything moves, simulated before it does: windows, outages, what does not fit, and what decides the end."""

import math
from collections.abc import Iterator

from msgspec import Struct

from vmferry.estate.copying import ASSUMED
from vmferry.estate.history import History
from vmferry.estate.phases import time_text
from vmferry.estate.timetable.plans import GroupTimes, Why
from vmferry.estate.timetable.works import dual_run, moved_at
from vmferry.estate.wording import counted, duration, size
from vmferry.model.keys import VmKey
from vmferry.model.report import Block, Cell, Column, Covers, Figure, Figures, Prose, Report, Row, Table, Timeline
from vmferry.reports.against_plan import Beside, beside, compared, phases_table
from vmferry.reports.assumed import Assumption, assumptions
from vmferry.reports.content import Material
from vmferry.reports.schedule_times import Known, calendar, lanes

HELP = """Report when everything moves: a simulation of copies, conversions and outages within windows and limits.

It says which groups fit into their windows, how long each VM is down in the best, likely and worst case, what decides
the end, and what would save time. Measured rates replace assumed ones as soon as there is evidence. docs/schedule.md
has the rules and the arithmetic; `settings.schedule` states what you know better. `vmferry plan schedule` proposes
windows. With --format ics it is a calendar of the windows.

Beside the forecast stands the plan: this spec before anything moved, at rates that are assumed or stated; or with
--against, what an earlier commit forecast.

\b
Examples:
  vmferry report schedule migration/
  vmferry report schedule migration/ --format csv > schedule.csv
  vmferry report schedule migration/ --format ics > windows.ics
"""

FORMATS = ("ics",)
AGAINST = True


class GroupForecast(Struct, frozen=True, kw_only=True):
    """When a group moves. Times are in RFC 3339, durations in seconds; None where it has no place or nothing is known.

    ``exceeds`` is by how much it exceeds its window in the worst case, ``held_by`` the group that ``why`` is about.
    ``unknown``: VMs whose copy takes an unknown time; ``end``, ``lasts`` and ``alone`` are then minimums.
    """

    group: str
    phase: str
    method: str
    vms: int
    unknown: int
    copy_from: str | None
    copied: str | None
    window: str | None
    start: str | None
    end: str | None
    kept_until: str | None
    lasts: float | None
    alone: float
    exceeds: float
    why: str
    held_by: str | None


class VmForecast(Struct, frozen=True, kw_only=True):
    """How long a VM is down, in seconds; None if its group has no place, or if that is ``unknown``."""

    vm: str
    key: VmKey
    group: str
    unknown: bool
    down: str | None
    up: str | None
    best: float | None
    likely: float | None
    worst: float | None


class Misfit(Struct, frozen=True, kw_only=True):
    """A group without a place in any window."""

    group: str
    phase: str
    vms: int
    alone: float
    longest: float | None  # the longest window of its phase that is not over
    why: str


class SavingOf(Struct, frozen=True, kw_only=True):
    """What another limit would change."""

    what: str
    end: str | None
    saves: float
    unplaced: int


class Schedule(Struct, frozen=True, kw_only=True):
    """The whole forecast."""

    name: str
    now: str
    end: str | None
    kept_until: str | None
    plan: Beside
    groups: tuple[GroupForecast, ...]
    vms: tuple[VmForecast, ...]
    misfits: tuple[Misfit, ...]
    path: tuple[str, ...]
    savings: tuple[SavingOf, ...]
    assumptions: tuple[Assumption, ...]
    moved: dict[str, str | None]  # groups that have moved, with the time if it is known
    waiting: dict[str, str]  # groups that nobody can schedule, with the reason


def build(material: Material) -> Report:
    """Return the report."""
    review = material.review
    found = material.forecast
    settings = review.spec.settings.schedule
    groups = compared(material)
    known = Known(review, found, {phase.name: dual_run(phase, settings) for phase in review.spec.phases}, groups)
    data = _schedule(known, beside(material, groups))
    return Report(
        f"Schedule of {data.name}",
        _summary(data),
        tuple(_blocks(data, known, material)),
        data,
        {"ics": calendar(known)},
    )


def _schedule(known: Known, plan: Beside) -> Schedule:
    review, found = known.review, known.found
    groups = tuple(_group(known, number) for number in range(len(found.prepared.groups)))
    ends = [_kept(known, number) for number in range(len(groups))]
    history = History(review.project.evidence)
    out = found.prepared.left_out
    moved = {
        group.name: time_text(moved_at(group, history)) for group in review.blueprint.groups if out.get(group.name)
    }
    return Schedule(
        name=review.blueprint.name,
        now=time_text(found.prepared.plan.now) or "",
        end=time_text(found.likely.end),
        kept_until=time_text(max((end for end in ends if end is not None), default=None)),
        plan=plan,
        groups=groups,
        vms=tuple(_vms(known)),
        misfits=tuple(_misfits(known)),
        path=tuple(found.prepared.groups[link.group].name for link in found.path),
        savings=tuple(
            SavingOf(what=each.what, end=time_text(each.end), saves=each.saves, unplaced=each.unplaced)
            for each in found.savings
        ),
        assumptions=tuple(assumptions(review, found.prepared)),
        moved={name: time for name, time in sorted(moved.items()) if out[name] == "has moved"},
        waiting={name: why for name, why in sorted(out.items()) if why != "has moved"},
    )


def _group(known: Known, number: int) -> GroupForecast:
    found = known.found
    group, times = found.prepared.groups[number], found.likely.groups[number]
    going = found.prepared.plan.groups[number].running == "out"
    return GroupForecast(
        group=group.name,
        phase=group.phase,
        method=group.method,
        vms=len(group.machines),
        unknown=len(found.prepared.unknown & {*found.prepared.plan.groups[number].works}),
        copy_from=time_text(times.ahead_from),
        copied=time_text(times.ahead_to),
        window=None if going else _window(times),
        start=time_text(times.start),
        end=time_text(times.end),
        kept_until=time_text(_kept(known, number)),
        lasts=times.end - times.start if times.end is not None and times.start is not None else None,
        alone=found.alone(number),
        exceeds=found.at_risk(number),
        why="is being moved" if going else _why(known, times),
        held_by=found.prepared.groups[times.held_by].name if times.held_by is not None else None,
    )


def _kept(known: Known, number: int) -> float | None:
    """Return until when the sources of a group are kept."""
    end = known.found.likely.groups[number].end
    return end + known.kept[known.found.prepared.groups[number].phase] if end is not None else None


_WORDS: dict[Why, str] = {
    "window": "the first window of its phase",
    "after": "{} had to cut over first, whose phase comes before",
    "needs": "{} had to cut over first, which it needs",
    "copy": "its first copies were not complete",
    "full": "the window before was full",
    "team": "the team had reached its limit",
    "length": "the window before was too short",
    "cutover": "the spec states the time",
}

_NO_PLACE: dict[Why, str] = {
    "window": "no window of its phase is left",
    "after": "the windows of its phase are over before {} has cut over, whose phase comes first",
    "needs": "it needs {}, which does not cut over before or with it",
    "copy": "its first copies are not complete before the last window",
    "full": "the windows of its phase are full",
    "team": "the team's limit per window is reached in every window",
    "length": "every window of its phase is too short for it",
    "cutover": "its stated cutover leaves it too little time, or is in no window",
}


def _why(known: Known, times: GroupTimes) -> str:
    words = _WORDS if times.end is not None else _NO_PLACE
    name = known.found.prepared.groups[times.held_by].name if times.held_by is not None else "another group"
    if times.end is not None and times.why == "window" and (times.opening is None or times.opening.end == math.inf):
        return "its phase has no windows"
    return words[times.why].format(name)


def _vms(known: Known) -> Iterator[VmForecast]:
    found = known.found
    off = {each.key for each in known.review.subjects if each.vm.power_state == "poweredOff"}
    works = iter(range(len(found.prepared.plan.works)))
    for group in found.prepared.groups:
        for machine in group.machines:
            number = next(works)
            times, outage = found.likely.vms[number], found.outage(number)
            unknown = False
            if outage is not None and (machine.golden or machine.key in off):
                outage = (0.0, 0.0, 0.0)  # nobody uses it
            elif number in found.prepared.unknown:
                unknown, outage = True, None
            best, likely, worst = outage if outage is not None else (None, None, None)
            yield VmForecast(
                vm=machine.name,
                key=machine.key,
                group=group.name,
                unknown=unknown,
                down=time_text(times.down),
                up=time_text(times.up) if not unknown else None,
                best=best,
                likely=likely,
                worst=worst,
            )


def _misfits(known: Known) -> Iterator[Misfit]:
    found = known.found
    for number in found.likely.unplaced:
        group = found.prepared.groups[number]
        calendar = found.prepared.plan.phases[found.prepared.plan.groups[number].phase].calendar
        yield Misfit(
            group=group.name,
            phase=group.phase,
            vms=len(group.machines),
            alone=found.alone(number),
            longest=max((end - start for start, end in calendar.windows), default=None),
            why=_why(known, found.likely.groups[number]),
        )


# --- blocks -----------------------------------------------------------------------------------


def _summary(data: Schedule) -> str:
    vms = sum(group.vms for group in data.groups)
    if not data.groups:
        left = len(data.moved) + len(data.waiting)
        return f"{data.name}: nothing is left to schedule" if left else f"{data.name}: no groups yet, so no schedule"
    text = f"{data.name}: {counted(vms, 'VM')} in {counted(len(data.groups), 'group')}"
    text += f", the last one cuts over by {data.end}" if data.end is not None else ""
    if data.plan.late:
        how = "later" if data.plan.late > 0 else "earlier"
        text += f", {duration(abs(data.plan.late))} {how} than planned ({data.plan.planned_end})"
    risks = sum(group.exceeds > 0 for group in data.groups)
    text += f"; {counted(len(data.misfits), 'group')} without a place" if data.misfits else ""
    text += f"; {counted(risks, 'group')} may exceed the window in the worst case" if risks else ""
    unknown = sum(each.unknown for each in data.vms)
    text += f"; how long {counted(unknown, 'VM is', 'VMs are')} down is unknown" if unknown else ""
    assumed = sum(each.basis == "assumed" for each in data.assumptions)
    return f"{text}. A forecast that rests on {counted(assumed, 'assumption')}"


def _blocks(data: Schedule, known: Known, material: Material) -> Iterator[Block]:
    if data.groups or data.moved or data.waiting:
        yield Figures("At a glance", tuple(_figures(data)))
    else:
        yield Prose("What can be said already", tuple(_before_groups(material)))
    yield Timeline("Phases and groups", tuple(lanes(known)), known.found.prepared.plan.now)
    yield phases_table(data.plan, material)
    misfits = [*_misfit_rows(data)]
    yield Table("Groups without a place", "group", _OF_MISFIT, misfits, note=_PROPOSE if misfits else "", covers="some")
    yield Table("What decides the end", "step", _OF_STEP, [*_path_rows(data)])
    rows: list[Row] = [(each.what, each.end, each.saves, each.unplaced) for each in data.savings]
    note = "The simulation ran again with each. A negative number means that it would end later." if rows else ""
    yield Table("What would save time", "change", _OF_SAVING, rows, note=note)
    waiting, moved, left = (material.vms.where("moves", "yes").where("moved", each) for each in ("waits", "yes", "no"))
    rows = [(name, waiting.where("group", name).count, why) for name, why in data.waiting.items()]
    yield Table("Groups that cannot be scheduled", "group", _OF_WAITING, rows, covers=waiting.facets)
    plans = {each.group: each for each in data.plan.groups}
    rows = [
        (name, moved.where("group", name).count, plans[name].planned_end, time, plans[name].late)
        for name, time in data.moved.items()
    ]
    yield Table("Groups that have moved", "group", _OF_MOVED, rows, covers=moved.facets)
    order = sorted(data.vms, key=lambda each: (-(each.worst or 0.0), each.key))
    vms: list[Row] = [
        (Cell(each.vm, vm=each.key), each.group, each.down, each.best, each.likely, each.worst) for each in order
    ]
    covers: Covers = left.facets if material.complete else "some"
    yield Table("Outages", "VM", _OF_VM, vms, note=_OUTAGES if vms else "", covers=covers)
    basis = [(each.what, each.value, each.basis, each.source, each.setting) for each in data.assumptions]
    yield Table(
        "What this rests on", "number", _OF_BASIS, basis, note="assumed: nobody has measured or stated it here."
    )
    note = _GROUPS if data.groups else ""
    yield Table("Groups", "group", _OF_GROUP, [*_group_rows(data)], note=note, covers=covers)


def _before_groups(material: Material) -> Iterator[str]:
    """Yield the least time that copies take, while there are no groups to schedule."""
    yield "There are no groups to schedule: the spec has errors, or no VM moves. `vmferry check` says which."
    for source, picked in material.vms.where("moves", "yes").by("source"):
        read = sum(vm.moving if vm.used is None else min(vm.used, vm.moving) for vm in picked.vms)
        seconds = read / ASSUMED["cold"][2]
        if read:
            yield (
                f"From {source}, {size(read)} of {counted(len(picked.vms), 'VM')} are copied: {duration(seconds)} "
                f"at least, at the {ASSUMED['cold'][2] / _MIB:.0f} MiB/s that are assumed of a vCenter."
            )


_MIB = 1 << 20
_PROPOSE = "`vmferry plan schedule` proposes windows in which they fit."
_OUTAGES = (
    "From the shutdown until it serves again. VMs that are off and golden images have no outage. The outage is blank "
    "where the time of the copy is unknown (settings.copy.offload, settings.copy.image), or the group has no place."
)
_GROUPS = (
    "Likely times, which rest on the numbers above. alone: the outage if nothing else were copied. For groups with "
    "unknown copies, the times are minimums."
)

_OF_MISFIT = (
    Column("group"),
    Column("phase"),
    Column("VMs", "count"),
    Column("takes alone", "seconds"),
    Column("longest window", "seconds"),
    Column("why"),
)
_OF_STEP = (Column("group"), Column("from", "time"), Column("to", "time"), Column("why not earlier"))
_OF_SAVING = (
    Column("change"),
    Column("last cutover", "time"),
    Column("saves", "seconds"),
    Column("groups without a place", "count"),
)
_OF_WAITING = (Column("group"), Column("VMs", "count"), Column("why"))
_OF_MOVED = (
    Column("group"),
    Column("VMs", "count"),
    Column("planned until", "time"),
    Column("cut over", "time"),
    Column("later by", "seconds"),
)
_OF_VM = (
    Column("VM"),
    Column("group"),
    Column("down from", "time"),
    Column("best", "seconds"),
    Column("likely", "seconds"),
    Column("worst", "seconds"),
)
_OF_BASIS = (Column("number"), Column("value"), Column("basis"), Column("source"), Column("in the spec"))
_OF_GROUP = (
    Column("group"),
    Column("phase"),
    Column("method"),
    Column("VMs", "count"),
    Column("unknown copies", "count"),
    Column("first copies from", "time"),
    Column("copied", "time"),
    Column("window"),
    Column("cutover from", "time"),
    Column("until", "time"),
    Column("lasts", "seconds"),
    Column("alone", "seconds"),
    Column("too late in the worst case by", "seconds"),
    Column("sources kept until", "time"),
    Column("planned from", "time"),
    Column("planned until", "time"),
    Column("later by", "seconds"),
    Column("why not earlier"),
)


def _figures(data: Schedule) -> Iterator[Figure]:
    likely = [each.likely for each in data.vms if each.likely is not None]
    worst = [each.worst for each in data.vms if each.worst is not None]
    yield Figure("groups to move", len(data.groups))
    yield Figure("VMs to move", sum(group.vms for group in data.groups))
    yield Figure("last cutover", data.end, "time", "likely")
    if data.plan.planned_end is not None:
        late = f"later by {duration(data.plan.late)}" if data.plan.late is not None else ""
        yield Figure("last cutover, as planned", data.plan.planned_end, "time", late)
    yield Figure("sources kept until", data.kept_until, "time", "after dualRun and settings.schedule.businessCycle")
    yield Figure("longest outage, likely", max(likely, default=None), "seconds")
    yield Figure("longest outage, worst case", max(worst, default=None), "seconds")
    unknown = sum(each.unknown for each in data.vms)
    if unknown:
        yield Figure("VMs whose outage is unknown", unknown, "count", "no rate of their copies is stated or measured")
    yield Figure("groups without a place", len(data.misfits))
    yield Figure("groups too late in the worst case", sum(group.exceeds > 0 for group in data.groups))
    assumed = sum(each.basis == "assumed" for each in data.assumptions)
    yield Figure("assumptions", assumed, "count", f"of {len(data.assumptions)} numbers that this rests on")


def _misfit_rows(data: Schedule) -> Iterator[Row]:
    for each in data.misfits:
        vms = Cell(each.vms, of=(("group", each.group),))
        yield (each.group, each.phase, vms, each.alone, each.longest, each.why)


def _path_rows(data: Schedule) -> Iterator[Row]:
    groups = {group.group: group for group in data.groups}
    for name in data.path:
        group = groups[name]
        if group.copy_from is not None:
            yield (f"{name}, first copies", group.copy_from, group.copied, "")
        yield (name, group.start, group.end, group.why)


def _group_rows(data: Schedule) -> Iterator[Row]:
    plans = {each.group: each for each in data.plan.groups}
    for each in data.groups:
        plan = plans[each.group]
        yield (
            each.group,
            each.phase,
            each.method,
            Cell(each.vms, of=(("group", each.group),)),
            each.unknown or None,
            each.copy_from,
            each.copied,
            each.window,
            each.start,
            each.end,
            each.lasts,
            each.alone,
            each.exceeds or None,
            each.kept_until,
            plan.planned_start,
            plan.planned_end,
            plan.late,
            each.why,
        )


def _window(times: GroupTimes) -> str | None:
    opening = times.opening
    if opening is None or opening.end == math.inf:
        return None
    return f"{time_text(opening.start)} for {duration(opening.lasts)}"
