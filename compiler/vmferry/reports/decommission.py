"""In which order ESXi hosts, clusters and vCenters empty, what still runs there, and which hosts become nodes."""

from collections.abc import Iterator

from vmferry.estate.wording import counted
from vmferry.model.report import Block, Cell, Column, Figure, Figures, Prose, Report, Row, Table
from vmferry.reports.content import Material
from vmferry.reports.leaving import Decommission, decommissioned
from vmferry.reports.leaving_scripts import leaving, powershell, shell

HELP = """Report in which order ESXi hosts, clusters and vCenters empty, and which hosts become nodes.

It solves a sequence: hosts empty as phases move, what is left is consolidated on fewer hosts, and a host becomes a node
before the phase that needs it. Both sides keep their reserve at each step; docs/decommission.md has the arithmetic. The
formats sh and ps1 are scripts for people, to be run host by host: vmferry runs nothing.

\b
Examples:
  vmferry report decommission migration/
  vmferry report decommission migration/ --format csv > hosts.csv
  vmferry report decommission migration/ --format sh > hosts.sh
"""

FORMATS = ("sh", "ps1")


def build(material: Material) -> Report:
    """Return the report."""
    found = decommissioned(material)
    hosts = _hosts(found)
    going = [
        leaving(
            host.source,
            host.host,
            host.id,
            emptied=host.emptied,
            at_once=host.empties_with == "now",
            date=host.date,
        )
        for host in found.hosts
    ]
    extra = {"sh": shell(going), "ps1": powershell(going)}
    blocks = tuple(_blocks(found, hosts))
    return Report(f"Decommissioning of {found.name}", _summary(found), blocks, found, extra, whole=hosts)


def _summary(found: Decommission) -> str:
    if not found.hosts:
        return "the inventory has no ESXi hosts: import it from vCenter, or from RVTools with the tab vHost"
    gone = sum(host.emptied for host in found.hosts)
    nodes = sum(bool(host.node_before) for host in found.hosts)
    text = f"{gone} of {counted(len(found.hosts), 'ESXi host')} can be emptied; {nodes} become nodes"
    if found.target == "unknown":
        text += "; the target's nodes are unknown"
    lacking = next((step for step in found.steps if step.what == "missing"), None)
    if lacking is not None:
        text += f"; phase {lacking.phase} is the first that lacks nodes"
    stay = sum(vm.why != "moves" for vm in found.there)
    return f"{text}; {counted(stay, 'VM stays', 'VMs stay')} in vSphere"


def _blocks(found: Decommission, hosts: Table) -> Iterator[Block]:
    yield Figures("Hosts", tuple(_figures(found)))
    if found.notes:
        yield Prose("", found.notes)
    if found.steps:
        yield _steps(found)
    yield from _places(found)
    if found.there:
        yield _there(found)
    if found.licences:
        yield _licences(found)
    yield hosts


def _figures(found: Decommission) -> Iterator[Figure]:
    yield Figure("ESXi hosts", len(found.hosts))
    yield Figure("that can be emptied", sum(host.emptied for host in found.hosts))
    yield Figure("that become nodes", sum(bool(host.node_before) for host in found.hosts))
    missing = sum(step.nodes for step in found.steps)
    known = found.target != "unknown"
    yield Figure("nodes from elsewhere", missing if known else None, "count", "to carry every phase with its reserve")
    dates = [host.date for host in found.hosts]
    last = max((date for date in dates if date is not None), default=None)
    yield Figure("the last host may go on", last if dates and all(dates) else None, "time")


def _steps(found: Decommission) -> Table:
    columns = (Column("step", "count"), Column("what"), Column("phase"), Column("not before", "time"))
    rows: list[Row] = [(number, step.text, step.phase, step.date) for number, step in enumerate(found.steps, 1)]
    note = (
        "In this order both sides keep their reserve at each step. Sources that are kept for a dual run or a business "
        "cycle count as if they ran: a rollback starts them again."
    )
    return Table("The sequence", "step", columns, rows, note=note)


def _places(found: Decommission) -> Iterator[Table]:
    for one, rows in (("cluster", found.clusters), ("vCenter", found.sources)):
        if not rows:
            continue
        columns = (
            Column("vCenter"),
            *((Column("cluster"),) if one == "cluster" else ()),
            Column("hosts", "count"),
            Column("hosts left at the end", "count"),
            Column("empties with phase"),
            Column("may go from", "time"),
            Column("VMs that stay"),
            Column("groups validated", "count"),
            Column("groups", "count"),
        )
        table: list[Row] = [
            (
                place.source,
                *((place.cluster,) if one == "cluster" else ()),
                place.hosts,
                place.left,
                place.empties_with,
                place.date,
                ", ".join(place.staying),
                place.validated,
                place.groups,
            )
            for place in rows
        ]
        note = (
            "may go from: all sources are released, dual runs and the business cycle are over, and no phase cuts over. "
            "Every group must be validated by then."
        )
        yield Table("Clusters" if one == "cluster" else "vCenters", one, columns, table, note=note, covers="some")


def _there(found: Decommission) -> Table:
    columns = tuple(map(Column, ("VM", "vCenter", "cluster", "host", "why", "phase", "reason")))
    rows: list[Row] = [
        (Cell(vm.vm, vm=vm.key), vm.source, vm.cluster, vm.host, vm.why, vm.phase, vm.reason) for vm in found.there
    ]
    staying = [row for row, vm in zip(rows, found.there, strict=True) if vm.why != "moves"]
    note = "vSphere's own cluster VMs (vCLS) are left out: they come and go with the hosts."
    return Table("What still runs there", "VM", columns, rows, notable=staying or rows, note=note, covers="some")


def _licences(found: Decommission) -> Table:
    columns = (
        Column("licence"),
        Column("paid until"),
        Column(f"per year ({found.currency})", "money"),
        Column("falls away from"),
        Column("note"),
    )
    rows: list[Row] = [(each.name, each.ends, each.per_year, each.falls_away, each.note) for each in found.licences]
    return Table("Licences that fall away", "licence", columns, rows)


def _hosts(found: Decommission) -> Table:
    columns = (
        Column("vCenter"),
        Column("cluster"),
        Column("host"),
        Column("order", "count"),
        Column("VMs today", "count"),
        Column("empties with phase"),
        Column("may go from", "time"),
        Column("then"),
        Column("CPU"),
        Column("generation"),
        Column("x86-64 level", "count"),
        Column("cores", "count"),
        Column("memory", "bytes"),
        Column("NICs", "count"),
        Column("IOMMU"),
        Column("ESXi"),
    )
    rows: list[Row] = [
        (
            host.source,
            host.cluster,
            host.host,
            host.order,
            Cell(host.vms, of=(("source", host.source), ("host", host.host))),
            host.empties_with,
            host.date,
            host.then,
            host.cpu_model,
            host.generation,
            host.level,
            host.cores,
            host.memory,
            host.nics,
            None if host.iommu is None else "yes" if host.iommu else "no",
            host.version,
        )
        for host in found.hosts
    ]
    note = "The first to go come first. A value that is left empty is unknown: the import did not have it."
    return Table("ESXi hosts", "host", columns, rows, note=note, covers="some")
