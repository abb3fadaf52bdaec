"""What there is, what moves by which path, what stands in the way, and what it takes: page 1 for leadership."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from vmferry.estate.wording import counted, size
from vmferry.model.finding import Finding, Severity
from vmferry.model.report import Bar, Bars, Block, Cell, Column, Figure, Figures, Prose, Report, Row, Table
from vmferry.reports.census import NONE, UNKNOWN, Picked
from vmferry.reports.content import Material

HELP = """Assess an estate: what there is, what moves by which path and why, what stays, blockers and risks.

SPEC may be an inventory as `vmferry import` wrote it. The spec that `vmferry init --from` would draft for it is then
reported on.

\b
Examples:
  vmferry report assessment inventory/
  vmferry report assessment migration/ --format md > assessment.md
  vmferry report assessment migration/ --format json | jq '.paths'
"""

_EFFORT: Mapping[str, str] = {
    "1": "spec",
    "2": "networks",
    "3": "storage",
    "4": "phases",
    "5": "guests",
    "7": "Forklift",
}
"""What the first digit of a rule's code says about where the work is (docs/rules)."""


class Group(Struct, frozen=True, kw_only=True):
    """VMs with the same value of something. Sizes are in bytes; None is unknown for all of them."""

    name: str
    vms: int
    vcpus: int | None
    memory: int | None
    disks: int
    used: int | None


class Concern(Struct, frozen=True, kw_only=True):
    """What one rule found: on how many VMs, and how many places have to be looked at."""

    code: str
    severity: Severity
    title: str
    about: str
    vms: int
    places: int


class Assessment(Struct, frozen=True, kw_only=True):
    """The whole estate, counted."""

    name: str
    total: Group
    moving: Group
    dispositions: tuple[Group, ...]
    paths: tuple[Group, ...]
    reasons: tuple[Group, ...]
    phases: tuple[Group, ...]
    systems: tuple[Group, ...]
    power: tuple[Group, ...]
    hardware: tuple[Group, ...]
    clusters: tuple[Group, ...]
    datastores: tuple[Group, ...]
    networks: tuple[Group, ...]
    risks: tuple[Group, ...]
    concerns: tuple[Concern, ...]


def build(material: Material) -> Report:
    """Return the report."""
    everyone = material.vms
    moving = everyone.where("moves", "yes")
    concerns = tuple(_concerns(material))
    found = Assessment(
        name=material.review.blueprint.name,
        total=_group("all", everyone),
        moving=_group("moving", moving),
        dispositions=_groups(everyone, "disposition"),
        paths=_groups(moving, "path"),
        reasons=_groups(everyone, "why"),
        phases=_groups(moving, "phase"),
        systems=_groups(everyone, "system"),
        power=_groups(everyone, "power"),
        hardware=_groups(everyone, "hardware"),
        clusters=_groups(everyone, "cluster"),
        datastores=_groups(everyone, "datastore"),
        networks=_groups(everyone, "network"),
        risks=_groups(everyone, "trait"),
        concerns=concerns,
    )
    return Report(f"Assessment of {found.name}", _summary(found), tuple(_blocks(everyone, moving, concerns)), found)


def _summary(found: Assessment) -> str:
    paths = ", ".join(f"{path.vms} by {path.name}" for path in found.paths)
    errors = sum(concern.severity == "error" for concern in found.concerns)
    blocked = counted(errors, "kind of blocker", "kinds of blockers") if errors else "no blockers"
    return (
        f"{found.name}: {counted(found.total.vms, 'VM')} with {size(found.total.disks)} of disks; "
        f"{found.moving.vms} move" + (f" ({paths})" if paths else "") + f"; {blocked}"
    )


def _blocks(everyone: Picked, moving: Picked, concerns: tuple[Concern, ...]) -> Iterator[Block]:
    yield Figures("What there is", tuple(_figures(everyone, moving)))
    yield Bars(
        "What happens to the VMs",
        "decision",
        "count",
        ("VMs",),
        tuple(Bar(value, (picked.count,)) for value, picked in everyone.by("disposition")),
        everyone.facets,
    )
    yield _table("By path", "path", moving, "path")
    yield _table("Why they take this path, or stay", "reason", everyone, "why")
    yield _table("By phase", "phase", moving, "phase")
    yield _several("Risks", "risk", everyone, "trait")
    rows = [
        (each.severity, each.code, Cell(each.vms, of=(("code", each.code),)) if each.vms else None, each.places, *rest)
        for each in concerns
        for rest in [(each.about, each.title)]
    ]
    columns = (
        Column("severity"),
        Column("rule"),
        Column("VMs", "count"),
        Column("places", "count"),
        Column("about"),
        Column("what"),
    )
    note = "places: where a file has to be changed, or a fact looked up; many VMs may share one."
    yield Table("Blockers and warnings", "rule", columns, rows, note=note if rows else "", covers="some")
    if not rows:
        yield Prose("", ("No rule found anything.",))

    yield Bars(
        "By guest system",
        "family",
        "count",
        ("powered on", "powered off", "suspended", "unknown"),
        tuple(_by_power(everyone)),
        everyone.facets,
    )
    yield _table("Guest systems", "guest system", everyone, "system")
    yield _table("By memory", "memory", everyone, "size")
    yield _table("By disks", "size of all disks", everyone, "disk")
    yield _table("By hardware version", "hardware version", everyone, "hardware")
    yield _table("By cluster", "cluster", everyone, "cluster")
    yield _several("By datastore", "datastore", everyone, "datastore")
    yield _several("By network", "network", everyone, "network")


_SEVERAL = "A VM may be in several rows, with all its disks in each."


def _figures(everyone: Picked, moving: Picked) -> Iterator[Figure]:
    yield Figure("VMs", everyone.count)
    yield Figure("powered on", everyone.where("power", "on").count)
    yield Figure("vCPUs", everyone.total("vcpus"), "count", _unknown(everyone.lacking("vcpus")))
    yield Figure("memory", everyone.total("memory"), "bytes", _unknown(everyone.lacking("memory")))
    yield Figure("capacity of the disks", everyone.total("capacity"), "bytes", "a shared disk counts once")
    lacking = _unknown(everyone.lacking("used"))
    used = f"{lacking}{'; ' if lacking else ''}with snapshots and swap files; a shared disk counts for each VM"
    yield Figure("used on datastores", everyone.total("used"), "bytes", used)
    yield Figure("VMs that move", moving.count)
    yield Figure("capacity that moves", moving.total("moving"), "bytes")
    for name, column in (("clusters", "cluster"), ("ESXi hosts", "host"), ("datastores", "datastore")):
        yield Figure(f"{name} with VMs", sum(value not in (UNKNOWN, NONE) for value, _ in everyone.by(column)))
    yield Figure("networks with VMs", sum(value != NONE for value, _ in everyone.by("network")))


def _unknown(lacking: int) -> str:
    return f"unknown for {counted(lacking, 'VM')}" if lacking else ""


def _by_power(everyone: Picked) -> Iterator[Bar]:
    for family, picked in everyone.by("os"):
        yield Bar(family, tuple(picked.where("power", state).count for state in ("on", "off", "suspended", UNKNOWN)))


_SIZES = (
    Column("VMs", "count"),
    Column("vCPUs", "count"),
    Column("memory", "bytes"),
    Column("disks", "bytes"),
    Column("used", "bytes"),
)


def _table(title: str, one: str, of: Picked, column: str) -> Table:
    """Return a table of VMs by a column with one value for each."""
    rows: list[Row] = [(value, *_sizes(picked)) for value, picked in of.by(column)]
    return Table(title, one, (Column(one), *_SIZES), rows, covers=of.facets)


def _several(title: str, one: str, of: Picked, column: str) -> Table:
    """Return a table of VMs by a column with several values for some."""
    return _table(title, one, of, column)._replace(note=_SEVERAL, covers="some")


def _sizes(picked: Picked) -> tuple[Cell, ...]:
    return (
        picked.count,
        picked.total("vcpus"),
        picked.total("memory"),
        picked.total("capacity"),
        picked.total("used"),
    )


def _groups(of: Picked, column: str) -> tuple[Group, ...]:
    return tuple(_group(value, picked) for value, picked in of.by(column))


def _group(name: str, picked: Picked) -> Group:
    vms, *sizes = (cell.value if isinstance(cell.value, int) else None for cell in _sizes(picked))
    vcpus, memory, disks, used = sizes
    return Group(name=name, vms=vms or 0, vcpus=vcpus, memory=memory, disks=disks or 0, used=used)


def _concerns(material: Material) -> Iterator[Concern]:
    """Yield what each rule found: errors first, then what takes most places."""
    by_rule: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in material.findings:
        if finding.severity != "info":
            by_rule[finding.code].append(finding)
    rows = [
        _concern(code, found, len(material.vms.where("code", code).vms), material.title(code))
        for code, found in by_rule.items()
    ]
    yield from sorted(rows, key=lambda each: (each.severity != "error", -each.places, -each.vms, each.code))


def _concern(code: str, found: Iterable[Finding], vms: int, title: str) -> Concern:
    found = tuple(found)
    places = {(finding.where.file, finding.where.document, finding.where.path) for finding in found if finding.where}
    worst: Severity = "error" if any(finding.is_error for finding in found) else "warning"
    return Concern(
        code=code,
        severity=worst,
        title=title,
        about=_EFFORT.get(code.removeprefix("VMF")[:1], "files and transitions"),
        vms=vms,
        places=len(places),
    )
