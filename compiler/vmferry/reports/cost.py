"""What the migration costs and what a week of delay costs, from `costs` of the spec alone; nothing is assumed."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from msgspec import Struct

from vmferry.estate.phases import bounds, is_time
from vmferry.estate.wording import counted
from vmferry.kube.quantity import parse_duration
from vmferry.model.inventory import InventoryHost
from vmferry.model.report import Bar, Bars, Block, Column, Figure, Figures, Prose, Report, Row, Table
from vmferry.model.review import Review
from vmferry.model.spec import Costs, Licence
from vmferry.reports.content import Material

HELP = """Report what the migration costs, what a week of delay costs, and when the target has paid for itself.

Only what `costs` in the spec states is counted; what is missing is shown as unknown. docs/cost.md has the arithmetic.

\b
Examples:
  vmferry report cost migration/
  vmferry report cost migration/ --format csv > cost.csv
  vmferry report cost migration/ --format json | jq .week_of_delay
"""

Side = Literal["vsphere", "target", "both"]

_WEEKS = 365.25 / 7
_DELAYS = (4, 13, 26)
_CHANGES = (-20, -10, 10, 20)


class Line(Struct, frozen=True, kw_only=True):
    """One thing that costs money. ``per_year`` is None where it cannot be known."""

    name: str
    of: Side
    kind: str
    per_year: float | None
    basis: str
    ends: str | None = None
    note: str = ""


class Change(Struct, frozen=True, kw_only=True):
    """What the result would be if one thing were different."""

    what: str
    one_off: float | None
    saved_per_year: float | None
    months: float | None


class Cost(Struct, frozen=True, kw_only=True):
    """All of it, in ``currency``. None is unknown."""

    currency: str | None = None
    source: str | None = None
    vsphere_per_year: float | None = None
    target_per_year: float | None = None
    saved_per_year: float | None = None
    week_of_delay: float | None = None
    one_off: float | None = None
    dual_run_weeks: float | None = None
    dual_run: float | None = None
    months: float | None = None  # until the savings have paid what is paid once
    vsphere_until: str | None = None  # the day on which the last source may go
    lines: tuple[Line, ...] = ()
    once: dict[str, float] = {}
    changes: tuple[Change, ...] = ()
    unknown: tuple[str, ...] = ()


def build(material: Material) -> Report:
    """Return the report."""
    review = material.review
    costs = review.spec.costs
    if costs is None:
        empty = Cost(unknown=("all amounts: the spec has no `costs`",))
        how = "State in `costs` what is known: licences, what recurs, what is paid once, the team (docs/cost.md)."
        return Report("Cost", "unknown: the spec has no `costs`", (Prose("", (how,)),), empty)
    found = _cost(review, costs)
    return Report("Cost", _summary(found), tuple(_blocks(found)), found)


def _cost(review: Review, costs: Costs) -> Cost:
    until = _until(review)
    lines = (*(_licence(each, review, until) for each in costs.licences), *_recurring(costs))
    vsphere, target = _of("vsphere", lines), _of("target", lines)
    once = {each.name: each.amount for each in costs.once}
    if costs.team is not None:
        once["team"] = costs.team.day_rate * costs.team.days
    one_off = sum(once.values()) if once else None
    weeks = _dual_run_weeks(review)
    both = _sum((vsphere, target))
    unknown = [f"{line.name}: {line.basis}" for line in lines if line.per_year is None]
    unknown += ["what is paid once: nothing is stated"] if one_off is None else []
    unknown += ["the end of the migration: not every phase has a window"] if until is None else []
    saved = vsphere - target if vsphere is not None and target is not None else None
    return Cost(
        currency=costs.currency,
        source=costs.source,
        vsphere_per_year=vsphere,
        target_per_year=target,
        saved_per_year=saved,
        week_of_delay=vsphere / _WEEKS if vsphere is not None else None,
        one_off=one_off,
        dual_run_weeks=weeks,
        dual_run=both / _WEEKS * weeks if both is not None and weeks is not None else None,
        months=_months(one_off, saved),
        vsphere_until=until.isoformat() if until is not None else None,
        lines=lines,
        once=once,
        changes=tuple(_changes(one_off, vsphere, target)),
        unknown=tuple(unknown),
    )


def _of(side: str, lines: Sequence[Line]) -> float | None:
    """Return what one side costs per year."""
    return _sum([line.per_year for line in lines if line.of in (side, "both")])


def _sum(values: Sequence[float | None]) -> float | None:
    """Return a sum; None if any part of it is unknown, or there is none."""
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _months(one_off: float | None, saved: float | None) -> float | None:
    """Return after how many months savings have paid what is paid once; None if never, or unknown."""
    return one_off / saved * 12 if one_off is not None and saved is not None and saved > 0 else None


def _licence(licence: Licence, review: Review, until: date | None) -> Line:
    per_year, basis = _per_year(licence, review)
    ends = licence.ends
    note = ""
    if ends is not None and licence.of != "target" and until is not None:
        days = (until - date.fromisoformat(ends)).days if _is_day(ends) else 0
        note = f"ends {counted(days, 'day')} before the last source may go: it must be renewed" if days > 0 else ""
    return Line(
        name=licence.name, of=licence.of, kind=licence.kind, per_year=per_year, basis=basis, ends=ends, note=note
    )


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def licence_cost(licence: Licence, review: Review) -> float | None:
    """Return what a licence costs per year; None if that is unknown."""
    return _per_year(licence, review)[0]


def _per_year(licence: Licence, review: Review) -> tuple[float | None, str]:
    """Return what a licence costs per year, and what that is made of."""
    if licence.per_core is None:
        known = licence.per_year is not None
        return licence.per_year, "stated" if known else "neither perYear nor perCore is stated"
    if licence.cores is not None:
        return licence.per_core * licence.cores, f"{licence.cores} cores at {_money(licence.per_core)}"
    hosts = [host for part in review.project.inventories for host in part.hosts]
    lacking = [host.name for host in hosts if not host.cores]
    if not hosts or lacking:
        return None, "the cores of the ESXi hosts are unknown: state `cores`"
    cores = sum(_counted_cores(host, licence.minimum_cores) for host in hosts)
    blind = sum(host.cpus is None for host in hosts)
    least = f", at least {licence.minimum_cores} per CPU" if licence.minimum_cores else ""
    least += f" (not applied to {counted(blind, 'host')}: CPUs unknown)" if least and blind else ""
    return (
        licence.per_core * cores,
        f"{cores} cores of {counted(len(hosts), 'host')}{least}, at {_money(licence.per_core)}",
    )


def _counted_cores(host: InventoryHost, least: int) -> int:
    """Return the cores of a host as they are licensed: `least` or more for each CPU."""
    return max(host.cores or 0, least * (host.cpus or 0))


def _recurring(costs: Costs) -> Iterator[Line]:
    for each in costs.recurring:
        basis = f"12 months at {_money(each.per_month)}"
        yield Line(name=each.name, of=each.of, kind="recurring", per_year=each.per_month * 12, basis=basis)


def _dual_run_weeks(review: Review) -> float | None:
    """Return for how long both platforms run after the last cutover: the longest dual run of a phase."""
    runs = [parse_duration(phase.dual_run.at_least) for phase in review.spec.phases if phase.dual_run is not None]
    return max(runs) / (7 * 86400) if runs else None


def _until(review: Review) -> date | None:
    """Return the day on which the last source may go: windows and dual runs of all phases are over. None: unknown."""
    days = []
    for phase in review.spec.phases:
        ends = [bounds(window)[1] for window in phase.windows if is_time(window.start)]
        if not ends:
            if any(group.phase == phase.name for group in review.blueprint.groups):
                return None
            continue
        kept = parse_duration(phase.dual_run.at_least) if phase.dual_run is not None else 0
        days.append(max(ends) + kept)
    if not days or max(days) > _LATEST:
        return None
    return (datetime.fromtimestamp(max(days), UTC) + timedelta(days=1)).date()


_LATEST = datetime(9000, 1, 1, tzinfo=UTC).timestamp()


def _changes(one_off: float | None, vsphere: float | None, target: float | None) -> Iterator[Change]:
    """Yield what delays and other prices would change."""
    if vsphere is None:
        return
    saved = vsphere - target if target is not None else None
    for weeks in _DELAYS:
        more = vsphere / _WEEKS * weeks
        total = one_off + more if one_off is not None else None
        yield Change(what=f"{weeks} weeks later", one_off=total, saved_per_year=saved, months=_months(total, saved))
    for side in ("vSphere", "target"):
        for percent in _CHANGES:
            factor = 1 + percent / 100
            was, now = (
                (vsphere * factor, target) if side == "vSphere" else (vsphere, target * factor if target else target)
            )
            different = was - now if now is not None else None
            what = f"{side} costs {percent:+d} %"
            yield Change(what=what, one_off=one_off, saved_per_year=different, months=_months(one_off, different))


# --- how it is shown --------------------------------------------------------------------------


def _money(amount: float) -> str:
    return f"{amount:,.2f}".removesuffix(".00")


def _round(amount: float | None) -> float | None:
    return None if amount is None else round(amount, 2)


def _summary(found: Cost) -> str:
    def said(amount: float | None) -> str:
        return f"{_money(round(amount))} {found.currency}" if amount is not None else "unknown"

    pays = f"paid back after {found.months:.1f} months" if found.months is not None else "payback unknown"
    if found.saved_per_year is not None and found.saved_per_year <= 0:
        pays = "never paid back: the target does not cost less"
    return (
        f"a week of delay costs {said(found.week_of_delay)}; paid once {said(found.one_off)}; saved per year "
        f"{said(found.saved_per_year)}; {pays}"
    )


def _blocks(found: Cost) -> Iterator[Block]:
    money = f"{found.currency}"
    yield Figures(
        "",
        (
            Figure(f"vSphere per year ({money})", _round(found.vsphere_per_year), "money"),
            Figure(f"target per year ({money})", _round(found.target_per_year), "money"),
            Figure(f"a week of delay ({money})", _round(found.week_of_delay), "money"),
            Figure(f"paid once ({money})", _round(found.one_off), "money"),
            Figure("weeks of dual run", _round(found.dual_run_weeks), "decimal", "after the last cutover"),
            Figure(f"dual run ({money})", _round(found.dual_run), "money", "both platforms in these weeks"),
            Figure("months until it is paid back", found.months, "decimal"),
            Figure("the last source may go on", found.vsphere_until, "text"),
        ),
    )
    yield Prose("Source", (f"All amounts are in {money}, from: {found.source}",))
    if found.unknown:
        yield Prose("Unknown", found.unknown)
    once = tuple(Bar(name, (amount,)) for name, amount in found.once.items())
    yield Bars(f"Paid once ({money})", "what", "money", ("amount",), once)
    changes: list[Row] = [
        (each.what, _round(each.one_off), _round(each.saved_per_year), each.months) for each in found.changes
    ]
    columns = (
        Column("if"),
        Column("paid once", "money"),
        Column("saved per year", "money"),
        Column("months until paid back", "decimal"),
    )
    yield Table("What if", "change", columns, changes)
    lines: list[Row] = [
        (line.name, line.of, line.kind, _round(line.per_year), line.basis, line.ends, line.note) for line in found.lines
    ]
    of_line = (
        Column("what"),
        Column("for"),
        Column("kind"),
        Column("per year", "money"),
        Column("made of"),
        Column("paid until"),
        Column("note"),
    )
    yield Table("Every year", "cost", of_line, lines)
