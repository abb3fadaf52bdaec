"""Adds up every table of every report, and says where one disagrees with the VMs behind it.

It asks the census (`vmferry.reports.census`) what a link leads to, and the Blueprint what the census should count. It
knows no report: what a table of VMs adds up to, the table says itself (`Table.covers`), or it is a fault.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from vmferry.cli.report import checked_for_reports, material
from vmferry.model.keys import VmKey
from vmferry.model.report import Bars, Cell, Column, Facets, Figures, Graph, Measure, Report, Row, Table
from vmferry.reports import REPORTS, builder
from vmferry.reports.census import Picked
from vmferry.reports.content import Material
from vmferry.site import all_vms

NOW = datetime(2027, 1, 18, 9, tzinfo=UTC)
_OF_VMS = re.compile(r"\bVMs?\b")
_NAMES = {"VMs": "vms", "vCPUs": "vcpus", "disks": "capacity", "disks that move": "moving", "used": "used"}


def faults_of(spec: Path) -> list[str]:
    """Return what disagrees in any report of a spec, or of a bare inventory."""
    with checked_for_reports(spec, None, NOW) as (checked, base):
        return faults(material(checked, NOW, base))


def faults(of: Material) -> list[str]:
    """Return what disagrees in any report."""
    reports = {name: builder(name).build(of) for name in REPORTS} | {"vms": all_vms(of)}
    found = [f"{name}: {fault}" for name, report in reports.items() for fault in faults_in(report, of.vms)]
    return found + (list(_census(of)) if of.complete else [])


def faults_in(report: Report, vms: Picked) -> Iterator[str]:
    """Yield what disagrees in one report."""
    for block in (*report.blocks, report.spreadsheet):
        match block:
            case Table() | Bars():
                yield from (f"{block.title}: {fault}" for fault in _table(_tabular(block), vms))
            case Figures():
                for figure in block.figures:
                    yield from (f"{figure.name}: {fault}" for fault in _cell(figure.value, vms))
            case Graph():
                nodes = (Cell(None, of=node.of) for node in block.nodes)
                yield from (f"{block.title}: {node}" for node in nodes if node.of is not None and not _keys(node, vms))


def _tabular(block: Table | Bars) -> Table:
    if isinstance(block, Table):
        return block
    columns = (Column(block.one), *(Column(name, block.unit) for name in block.series))
    return Table(block.title, block.one, columns, [(bar.label, *bar.parts) for bar in block.bars], covers=block.covers)


def _table(table: Table, vms: Picked) -> Iterator[str]:
    for row in table.rows:
        if len(row) != len(table.columns):
            yield f"{row} has not one value for each column"
        for column, cell in zip(table.columns, row, strict=False):
            yield from (f"{column.name}: {fault}" for fault in _cell(cell, vms))
    if table.covers is None:
        if _about_vms(table):
            yield "counts VMs, and does not say which ones its rows cover"
    elif table.covers != "some":
        yield from _covers(table, vms, table.covers)


def _about_vms(table: Table) -> bool:
    counts = any(column.unit == "count" and _OF_VMS.search(column.name) for column in table.columns)
    cells = (cell for row in table.rows for cell in row if isinstance(cell, Cell))
    return counts or any(cell.of is not None or cell.vm is not None for cell in cells)


def _cell(cell: object, vms: Picked) -> Iterator[str]:
    """Yield whether a number is not what its link leads to, or a name not that of its VM."""
    if not isinstance(cell, Cell):
        return
    if cell.vm is not None and {vm.name for vm in vms.vms if vm.key == cell.vm} != {cell.value}:
        yield f"{cell.value!r} leads to {cell.vm}"
    if cell.of is not None:
        right = _measure(_picked(vms, cell.of), cell.counts)
        if right != cell.value:
            yield f"{cell.value} leads to {right} {cell.counts}: {cell.of}"


def _covers(table: Table, vms: Picked, facets: Facets) -> Iterator[str]:
    """Yield what keeps the rows of a table from adding up to the VMs that it covers."""
    whole = _picked(vms, facets)
    times = Counter(key for row in table.rows for key in _behind(row, vms))
    there = {vm.key for vm in whole.vms}
    yield from (f"{key} is in several rows" for key, count in times.items() if count > 1)
    yield from (f"{key} is in no row" for key in sorted(there - times.keys()))
    yield from (f"{key} is not one of {facets}" for key in sorted(times.keys() - there))
    for index, column in enumerate(table.columns):
        cells = [row[index] for row in table.rows]
        if column.name in _NAMES and not all(isinstance(cell, Cell) and cell.of is not None for cell in cells):
            yield f"{column.name} leads to no VMs"
        yield from (f"{column.name}: {fault}" for fault in _sum(table.rows, index, whole))


def _sum(rows: Sequence[Row], index: int, whole: Picked) -> Iterator[str]:
    """Yield whether a column that counts all of each row's VMs does not add up to the whole."""
    cells = [(row[index], next(iter(_parts(row)), None)) for row in rows if len(_parts(row)) == 1]
    same = [each for each, first in cells if isinstance(each, Cell) and first is not None and each.of == first.of]
    kinds = {cell.counts for cell in same if cell.of is not None}
    if len(same) == len(rows) and len(kinds) == 1:
        total, right = sum(cell.value or 0 for cell in same), _measure(whole, kinds.pop()) or 0
        if total != right:
            yield f"adds up to {total}, not to {right}"


def _behind(row: Row, vms: Picked) -> Iterator[VmKey]:
    """Yield the VMs of a row: the one that it names, or those of its first number; of a bar those of all parts."""
    named = next((cell.vm for cell in row if isinstance(cell, Cell)), None)
    if named is not None:
        yield named
        return
    for cell in _parts(row):
        yield from _keys(cell, vms)


def _parts(row: Row) -> list[Cell]:
    numbers = [cell for cell in row if isinstance(cell, Cell) and cell.of is not None and cell.counts == "vms"]
    return numbers if len(numbers) == len(row) - 1 else numbers[:1]


def _keys(cell: Cell, vms: Picked) -> list[VmKey]:
    return [vm.key for vm in _picked(vms, cell.of or ()).vms]


def _picked(vms: Picked, facets: Facets) -> Picked:
    for column, value in facets:
        vms = vms.where(column, value)
    return vms


def _measure(picked: Picked, counts: Measure) -> object:
    return picked.count.value if counts == "vms" else picked.total(counts).value


def _census(of: Material) -> Iterator[str]:
    """Yield where the census counts other things than the Blueprint has."""
    machines = {machine.key: machine for _, machine in of.review.machines}
    moving = of.vms.where("moves", "yes")
    if {vm.key for vm in moving.vms} != machines.keys() or len(moving.vms) != len(machines):
        yield "other VMs move than in the Blueprint"
    if len(of.vms.vms) != len(machines) + len(of.review.blueprint.left):
        yield "VMs that stay are missing, or are there twice"
    plain = {
        machine.key: machine
        for machine in machines.values()
        if machine.application is None and machine.instancetype is None
    }
    here = [vm for vm in moving.vms if vm.key in plain]
    for what, counted, right in (
        ("disks", moving.total("moving").value, sum(d.size for m in machines.values() for d in m.disks if d.owner)),
        ("vCPUs", sum(vm.vcpus or 0 for vm in here), sum(m.sockets * m.cores * m.threads for m in plain.values())),
        ("memory", sum(vm.memory or 0 for vm in here), sum(machine.memory for machine in plain.values())),
    ):
        if counted != right:
            yield f"{what} that move: {counted}, in the Blueprint {right}"
