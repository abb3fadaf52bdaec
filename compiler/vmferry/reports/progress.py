"""How far a migration is: VMs, bytes and hosts that are left, week by week, with a badge and numbers for dashboards."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from vmferry.estate.history import History
from vmferry.estate.phases import is_time, moment
from vmferry.estate.stages import OWNED, running
from vmferry.estate.wording import counted, size
from vmferry.model.blueprint import Group, Machine
from vmferry.model.keys import VmKey
from vmferry.model.report import Bar, Bars, Column, Figure, Figures, Report, Row, Table
from vmferry.reports.census import UNKNOWN, Picked
from vmferry.reports.content import Material
from vmferry.reports.demand import phases_of

HELP = """Report how far a migration is: VMs, bytes and ESXi hosts that have moved and that are left, week by week.

What has moved is what runs in the target; when it did is what evidence.yaml records. `--format badge` is an SVG for a
README, and json has the numbers for a dashboard.

\b
Examples:
  vmferry report progress migration/
  vmferry report progress migration/ --format badge > progress.svg
  vmferry report progress migration/ --format json | jq .moved.share
"""

FORMATS = ("badge",)


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


class Week(Struct, frozen=True, kw_only=True):
    """What was left at the end of a week that begins on Monday ``start``."""

    start: str
    vms: int
    size: int
    hosts: int


class Progress(Struct, frozen=True, kw_only=True):
    """All of it. ``dated``: how many of the VMs that moved have a recorded date."""

    name: str
    moved: Share
    phases: tuple[PhaseProgress, ...]
    hosts: int  # ESXi hosts with VMs of the estate
    hosts_empty: int
    weeks: tuple[Week, ...]
    dated: int


def build(material: Material) -> Report:
    """Return the report."""
    blueprint = material.review.blueprint
    history = History(material.review.project.evidence)
    moving = material.vms.where("moves", "yes")
    machines = [(group, machine) for group in blueprint.groups for machine in group.machines]
    dates = {machine.key: date for group, machine in machines if (date := _moved_on(group, machine, history))}
    hosts = _hosts(material.vms)
    away = {vm.key for vm in moving.where("moved", "yes").vms}
    weeks = tuple(_weeks(moving, dates, hosts, material.review.now))
    found = Progress(
        name=blueprint.name,
        moved=_share(moving),
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
        weeks=weeks,
        dated=len(dates.keys() & away),
    )
    return Report(
        f"Progress of {found.name}",
        _summary(found),
        tuple(_blocks(found, moving)),
        found,
        {"badge": _badge(found)},
    )


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
    return moment(seen) if running(group.stage) and seen is not None and is_time(seen) else None


def _hosts(vms: Picked) -> dict[str, set[VmKey]]:
    """Return the keys of all VMs on each ESXi host, those that stay as well."""
    found: defaultdict[str, set[VmKey]] = defaultdict(set)
    for vm in vms.vms:
        if vm.host != UNKNOWN:
            found[f"{vm.source}/{vm.host}"].add(vm.key)
    return dict(found)


def _weeks(
    moving: Picked,
    dates: dict[VmKey, float],
    hosts: dict[str, set[VmKey]],
    now: datetime | None,
) -> Iterator[Week]:
    """Yield what was left after each week from the first move that is recorded until now, or until the last one."""
    if not dates:
        return
    until = max(max(dates.values()), now.timestamp() if now is not None else 0.0)
    start = datetime.fromtimestamp(min(dates.values()), UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start -= timedelta(days=start.weekday())
    sizes = {vm.key: vm.moving for vm in moving.vms}
    while start.timestamp() <= until:
        end = (start + timedelta(days=7)).timestamp()
        gone = {key for key, date in dates.items() if date < end}
        yield Week(
            start=start.date().isoformat(),
            vms=len(sizes) - len(gone),
            size=sum(sizes.values()) - sum(sizes[key] for key in gone),
            hosts=sum(not keys <= gone for keys in hosts.values()),
        )
        start += timedelta(days=7)


def _summary(found: Progress) -> str:
    moved = found.moved
    text = (
        f"{found.name}: {moved.vms} of {counted(moved.of_vms, 'VM')} moved ({moved.share:.0%}), "
        f"{size(moved.size)} of {size(moved.of_size)}; {found.hosts_empty} of {counted(found.hosts, 'ESXi host')} empty"
    )
    undated = moved.vms - found.dated
    return text + (f"; no date is recorded for {counted(undated, 'VM')} that moved" if undated else "")


def _blocks(found: Progress, moving: Picked) -> Iterator[Figures | Bars | Table]:
    moved = moving.where("moved", "yes")
    yield Figures(
        "",
        (
            Figure("VMs that moved", moved.count, "count", f"of {found.moved.of_vms}"),
            Figure("share", found.moved.share * 100, "percent"),
            Figure("moved", moved.total("moving"), "bytes", f"of {size(found.moved.of_size)}"),
            Figure("ESXi hosts without a VM", found.hosts_empty, "count", f"of {found.hosts}"),
        ),
    )
    by_phase = [(each, moving.where("phase", each.phase)) for each in found.phases]
    states = ("yes", "no", "waits")
    bars = (Bar(each.phase, tuple(its.where("moved", state).count for state in states)) for each, its in by_phase)
    yield Bars("VMs by phase", "phase", "count", ("moved", "left", "waiting"), tuple(bars), moving.facets)
    if found.weeks:
        yield Bars(
            "VMs left, by week", "week of", "count", ("left",), tuple(Bar(w.start, (w.vms,)) for w in found.weeks)
        )
    columns = (
        Column("week of"),
        Column("VMs left", "count"),
        Column("disks left", "bytes"),
        Column("ESXi hosts with VMs", "count"),
    )
    rows: list[Row] = [(week.start, week.vms, week.size, week.hosts) for week in found.weeks]
    yield Table("Burn-down", "week", columns, rows, covers="some")
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


def _badge(found: Progress) -> str:
    """Return a badge as SVG; the name of a migration is a DNS label."""
    left, right = f"{found.name} moved", f"{found.moved.share:.0%}"
    wide, narrow = 12 + 7 * len(left), 14 + 8 * len(right)
    boxes = f'<rect width="{wide}" height="20" fill="#444c56"/>'
    boxes += f'<rect x="{wide}" width="{narrow}" height="20" fill="#2f6fb5"/>'
    texts = f'<text x="{wide / 2:g}" y="14">{left}</text><text x="{wide + narrow / 2:g}" y="14">{right}</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide + narrow}" height="20" role="img" '
        f'aria-label="{left}: {right}"><title>{left}: {right}</title>{boxes}'
        f'<g fill="#fff" font-family="Verdana,sans-serif" font-size="11" text-anchor="middle">{texts}</g></svg>\n'
    )
