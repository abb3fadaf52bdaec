"""How far a migration is: VMs, bytes and hosts that are left, week by week, with a badge and numbers for dashboards."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from msgspec import Struct

from vmferry.estate.history import History
from vmferry.estate.phases import LAST, is_time, moment
from vmferry.estate.stages import OWNED
from vmferry.estate.wording import counted, duration, size
from vmferry.model.blueprint import Group, Machine
from vmferry.model.keys import VmKey
from vmferry.model.report import Bar, Bars, Block, Column, Figure, Figures, Lines, Report, Row, Table, Unit
from vmferry.reports.against_plan import Beside, Compared, beside, compared, groups_table, phases_table
from vmferry.reports.census import UNKNOWN, Picked
from vmferry.reports.content import Material
from vmferry.reports.demand import phases_of

HELP = """Report how far a migration is: VMs, bytes and ESXi hosts that have moved and that are left, week by week.

What has moved is what runs in the target; when it did is what evidence.yaml records. Beside it stand the plan, which is
this spec before anything moved, or with --against what an earlier commit forecast, and the forecast for the rest.
`--format badge` is an SVG for a README, and json has the numbers for a dashboard.

\b
Examples:
  vmferry report progress migration/
  vmferry report progress migration/ --format badge > progress.svg
  vmferry report progress migration/ --format json | jq .moved.share
"""

FORMATS = ("badge",)
AGAINST = True


class Share(Struct, frozen=True, kw_only=True):
    """What has moved of something. Sizes are in bytes; ``share`` is between 0 and 1."""

    vms: int
    of_vms: int
    size: int
    of_size: int
    share: float


class PhaseProgress(Struct, frozen=True, kw_only=True):
    """One phase."""

    phase: str
    moved: Share
    accepted: int  # VMs of groups that are validated or retired


class Left(Struct, frozen=True, kw_only=True):
    """What was left at a moment. ``hosts`` are ESXi hosts with any VM."""

    vms: int
    size: int
    hosts: int


class Week(Struct, frozen=True, kw_only=True):
    """What is left at the end of weeks that begin on Monday ``start``: as planned, as recorded, and as forecast.

    ``left`` is None for weeks that are still to come, and in this week as of now; ``forecast`` is None for past ones.
    """

    start: str
    planned: Left
    left: Left | None
    forecast: Left | None


class Progress(Struct, frozen=True, kw_only=True):
    """All of it. ``dated``: how many of the VMs that moved have a recorded date."""

    name: str
    moved: Share
    planned: int  # VMs that were to have moved by now
    plan: Beside
    phases: tuple[PhaseProgress, ...]
    hosts: int  # ESXi hosts that are known
    hosts_empty: int
    weeks: tuple[Week, ...]
    dated: int


def build(material: Material) -> Report:
    """Return the report."""
    blueprint = material.review.blueprint
    moving = material.vms.where("moves", "yes")
    leaving = _leaving(material, groups := compared(material))
    hosts = _hosts(material)
    away = {vm.key for vm in moving.where("moved", "yes").vms}
    now = material.forecast.prepared.plan.now
    found = Progress(
        name=blueprint.name,
        moved=_share(moving),
        planned=sum(moment <= now for moment in leaving.planned.values()),
        plan=beside(material, groups),
        phases=tuple(
            PhaseProgress(
                phase=phase,
                moved=_share(its := moving.where("phase", phase)),
                accepted=sum(vm.stage in OWNED[1:] for vm in its.vms),
            )
            for phase in phases_of(material)
        ),
        hosts=len(hosts),
        hosts_empty=sum(keys <= away for keys in hosts.values()),
        weeks=tuple(_weeks(moving, leaving, hosts, now)),
        dated=leaving.dated,
    )
    return Report(
        f"Progress of {found.name}",
        _summary(found),
        tuple(_blocks(found, moving, material)),
        found,
        {"badge": _badge(found)},
    )


class _Leaving(NamedTuple):
    """When VMs leave vSphere, in seconds since 1970: as planned, as recorded, and as forecast for the rest."""

    planned: Mapping[VmKey, float]
    moved: Mapping[VmKey, float]
    forecast: Mapping[VmKey, float]
    dated: int


def _leaving(material: Material, groups: Iterable[Compared]) -> _Leaving:
    """Return when VMs leave. One that moved at an unknown time counts from now on."""
    history = History(material.review.project.evidence)
    now = material.forecast.prepared.plan.now
    planned: dict[VmKey, float] = {}
    moved: dict[VmKey, float] = {}
    forecast: dict[VmKey, float] = {}
    dated = 0
    for each in groups:
        for machine in each.group.machines:
            if each.plan is not None and each.plan.end is not None:
                planned[machine.key] = each.plan.end
            if each.state == "moved":
                date = _moved_on(each.group, machine, history)
                dated += date is not None
                moved[machine.key] = min(date, now) if date is not None else now
            elif each.times is not None and each.times.end is not None:
                forecast[machine.key] = each.times.end
    return _Leaving(planned, moved, forecast, dated)


def _share(of: Picked) -> Share:
    moved = of.where("moved", "yes").vms
    return Share(
        vms=len(moved),
        of_vms=len(of.vms),
        size=sum(vm.moving for vm in moved),
        of_size=sum(vm.moving for vm in of.vms),
        share=len(moved) / len(of.vms) if of.vms else 0.0,
    )


def _moved_on(group: Group, machine: Machine, history: History) -> float | None:
    """Return when a VM was first seen to run in the target, in seconds since 1970."""
    seen = history.first(group, "virtualMachine", machine.key) or history.first(group, "migration", machine.key)
    return moment(seen) if seen is not None and is_time(seen) else None


def _hosts(material: Material) -> dict[str, set[VmKey]]:
    """Return the keys of all VMs on each ESXi host that is known, those that stay as well."""
    found: defaultdict[str, set[VmKey]] = defaultdict(set)
    for source, name in material.review.hosts:
        found[f"{source}/{name}"] = set()
    for vm in material.vms.vms:
        if vm.host != UNKNOWN:
            found[f"{vm.source}/{vm.host}"].add(vm.key)
    return dict(found)


def _weeks(moving: Picked, leaving: _Leaving, hosts: dict[str, set[VmKey]], now: float) -> Iterator[Week]:
    """Yield what is left after each week, from the first that a VM leaves in or should, until the last."""
    when = [moment for each in leaving[:3] for moment in each.values() if 0 <= moment <= LAST]
    if not when:
        return
    sizes = {vm.key: vm.moving for vm in moving.vms}
    first = datetime.fromtimestamp(min(when), UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = first.timestamp() - first.weekday() * _DAY
    step = _WEEK * max(1, math.ceil((max(*when, start) - start) / _WEEK / _MOST_WEEKS))
    coming = {**leaving.moved, **leaving.forecast}
    while start <= max(when):
        end = start + step
        yield Week(
            start=datetime.fromtimestamp(start, UTC).date().isoformat(),
            planned=_left(sizes, leaving.planned, hosts, end),
            left=_left(sizes, leaving.moved, hosts, min(end, now + 1)) if start <= now else None,
            forecast=_left(sizes, coming, hosts, end) if end > now else None,
        )
        start = end


_DAY, _WEEK = 86400, 7 * 86400
_MOST_WEEKS = 120  # in a burn-down: of a longer one, each row has several weeks


def _left(sizes: Mapping[VmKey, int], leaves: Mapping[VmKey, float], hosts: dict[str, set[VmKey]], end: float) -> Left:
    gone = {key for key, moment in leaves.items() if moment < end and key in sizes}
    return Left(
        vms=len(sizes) - len(gone),
        size=sum(sizes.values()) - sum(sizes[key] for key in gone),
        hosts=sum(not keys <= gone for keys in hosts.values()),
    )


def _summary(found: Progress) -> str:
    moved, plan = found.moved, found.plan
    text = (
        f"{found.name}: {moved.vms} of {counted(moved.of_vms, 'VM')} moved ({moved.share:.0%}), {found.planned} "
        f"planned by now; {size(moved.size)} of {size(moved.of_size)}; {found.hosts_empty} of "
        f"{counted(found.hosts, 'ESXi host')} empty"
    )
    if plan.end is not None and plan.late is not None:
        late = f"{duration(abs(plan.late))} {'later' if plan.late > 0 else 'earlier'} than" if plan.late else "as"
        text += f"; the last group cuts over by {plan.end}, {late} planned"
    undated = moved.vms - found.dated
    return text + (f"; no date is recorded for {counted(undated, 'VM')} that moved" if undated else "")


def _blocks(found: Progress, moving: Picked, material: Material) -> Iterator[Block]:
    moved, plan = moving.where("moved", "yes"), found.plan
    yield Figures(
        "",
        (
            Figure("VMs that moved", moved.count, "count", f"of {found.moved.of_vms}"),
            Figure("share", found.moved.share * 100, "percent"),
            Figure("planned to have moved", found.planned, "count", f"of {found.moved.of_vms}, by now"),
            Figure("moved", moved.total("moving"), "bytes", f"of {size(found.moved.of_size)}"),
            Figure("ESXi hosts without a VM", found.hosts_empty, "count", f"of {found.hosts}"),
            Figure("last cutover, as planned", plan.planned_end, "time"),
            Figure("last cutover, forecast", plan.end, "time"),
            Figure("later than planned by", plan.late, "seconds"),
        ),
    )
    by_phase = [(each, moving.where("phase", each.phase)) for each in found.phases]
    states = ("yes", "no", "waits")
    bars = (Bar(each.phase, tuple(its.where("moved", state).count for state in states)) for each, its in by_phase)
    yield Bars("VMs by phase", "phase", "count", ("moved", "left", "waiting"), tuple(bars), moving.facets)
    if found.weeks:
        yield from _burn_down(found.weeks)
    yield phases_table(plan, material)
    yield groups_table(plan, material)
    of_phase = (
        Column("phase"),
        Column("VMs", "count"),
        Column("moved", "count"),
        Column("accepted", "count"),
        Column("disks that move", "bytes"),
        Column("disks moved", "bytes"),
    )
    lines: list[Row] = [
        (each.phase, its.count, gone.count, each.accepted, its.total("moving"), gone.total("moving"))
        for each, its in by_phase
        for gone in [its.where("moved", "yes")]
    ]
    yield Table("Phases", "phase", of_phase, lines, covers=moving.facets)


_SERIES = ("planned", "left", "forecast")


def _burn_down(weeks: Sequence[Week]) -> Iterator[Block]:
    """Yield what is left week by week, as charts and as a table."""
    units: tuple[tuple[str, str, Unit, Callable[[Left], int]], ...] = (
        ("VMs left, by week", "VMs", "count", lambda left: left.vms),
        ("Disks left, by week", "disks", "bytes", lambda left: left.size),
        ("ESXi hosts with VMs, by week", "hosts", "count", lambda left: left.hosts),
    )
    for title, _, unit, of in units:
        points = tuple(Bar(week.start, tuple(of(each) if each else None for each in _three(week))) for week in weeks)
        yield Lines(title, "week of", unit, _SERIES, points)
    columns = (Column(f"{what}, {series}", unit) for _, what, unit, _ in units for series in _SERIES)
    rows: list[Row] = [
        (week.start, *(of(each) if each else None for *_, of in units for each in _three(week))) for week in weeks
    ]
    note = "At the end of each week; what is left in this one is as of now."
    yield Table("Burn-down", "week", (Column("week of", "time"), *columns), rows, note=note, covers="some")


def _three(week: Week) -> tuple[Left | None, ...]:
    return week.planned, week.left, week.forecast


def _badge(found: Progress) -> str:
    """Return a badge as SVG; the name of a migration is a DNS label."""
    share = found.planned / found.moved.of_vms if found.moved.of_vms else 0.0
    left, right = f"{found.name} moved", f"{found.moved.share:.0%}, planned {share:.0%}"
    color = "#2f6fb5" if found.moved.vms >= found.planned else "#a04a00"
    wide, narrow = 12 + 7 * len(left), 14 + 8 * len(right)
    boxes = f'<rect width="{wide}" height="20" fill="#444c56"/>'
    boxes += f'<rect x="{wide}" width="{narrow}" height="20" fill="{color}"/>'
    texts = f'<text x="{wide / 2:g}" y="14">{left}</text><text x="{wide + narrow / 2:g}" y="14">{right}</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide + narrow}" height="20" role="img" '
        f'aria-label="{left}: {right}"><title>{left}: {right}</title>{boxes}'
        f'<g fill="#fff" font-family="Verdana,sans-serif" font-size="11" text-anchor="middle">{texts}</g></svg>\n'
    )
