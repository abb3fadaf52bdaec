"""Finished reports: what they say, without how it looks. `vmferry.render` shows them in every format."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from vmferry.model.keys import VmKey

Unit = Literal["text", "count", "bytes", "seconds", "time", "percent", "decimal", "money"]
"""What a number means. `time` is a moment in RFC 3339; `decimal` is a number with one digit after the point."""

Value = str | int | float | None
"""A value in a report; None is unknown, which is not the same as nothing."""

Facets = tuple[tuple[str, str], ...]
"""Which VMs a number counts: values of columns of the table of VMs, all of which must hold. () means every VM."""


Measure = Literal["vms", "vcpus", "memory", "capacity", "moving", "used"]
"""What a number counts of the VMs behind it: how many they are, or a sum over them. See `reports.census.Vm`."""

Covers = Facets | Literal["some"] | None
"""The VMs that rows divide among themselves, each in exactly one row. `some`: a VM is in several rows, or in none."""


class Cell(NamedTuple):
    """A value with what stands behind it: the VMs that it counts, or the one VM that it names."""

    value: Value
    of: Facets | None = None
    vm: VmKey | None = None
    counts: Measure = "vms"


class Column(NamedTuple):
    """A column of a table."""

    name: str
    unit: Unit = "text"


Row = Sequence[Cell | Value]


class Table(NamedTuple):
    """A table, the most important row first. A column without any value is not shown in a terminal."""

    title: str
    one: str  # what a row is about, as in `VM`
    columns: tuple[Column, ...]
    rows: Sequence[Row]
    notable: Sequence[Row] | None = None  # rows that a terminal shows; all by default
    note: str = ""  # what a reader needs to know to read it
    covers: Covers = None  # None: it is not about VMs


class Figure(NamedTuple):
    """One number that matters by itself."""

    name: str
    value: Cell | Value
    unit: Unit = "count"
    note: str = ""


class Figures(NamedTuple):
    """The key figures of a report."""

    title: str
    figures: tuple[Figure, ...]


class Prose(NamedTuple):
    """Paragraphs."""

    title: str
    paragraphs: tuple[str, ...]


class Snippet(NamedTuple):
    """Text to copy as it is, such as a manifest or commands. What people wrote must not be in it unchecked."""

    title: str
    text: str


class Bar(NamedTuple):
    """One bar or point of a chart: a value for each series of it."""

    label: str
    parts: tuple[Cell | Value, ...]


class Bars(NamedTuple):
    """A chart of horizontal bars; with several series, their values are stacked. A terminal shows it as a table."""

    title: str
    one: str  # what a bar is about
    unit: Unit
    series: tuple[str, ...]
    bars: tuple[Bar, ...]
    covers: Covers = None


class Lines(NamedTuple):
    """A chart of lines over points that are as far from each other, such as weeks; a table beside it has its numbers.

    The first series is what the others are compared with, and is drawn dashed. A point where it is None is left out.
    """

    title: str
    one: str  # what a point is about
    unit: Unit
    series: tuple[str, ...]
    points: tuple[Bar, ...]


class Span(NamedTuple):
    """A span of time in a row of a `Timeline`. Moments are in seconds since 1970, UTC."""

    label: str
    start: float
    end: float
    kind: Literal["planned", "done", "running", "late", "window", "freeze", "plan"] = "planned"


class Lane(NamedTuple):
    """A row of a `Timeline`."""

    label: str
    spans: tuple[Span, ...]
    section: str = ""  # what it belongs to, such as a phase: rows of one section follow each other


class Timeline(NamedTuple):
    """A Gantt chart: spans of time in rows."""

    title: str
    lanes: tuple[Lane, ...]
    now: float | None = None


class Node(NamedTuple):
    """A node of a `Graph`. ``column`` is where it stands from left to right, such as the rank of its phase."""

    id: str
    label: str
    column: int
    of: Facets | None = None
    kind: Literal["plain", "risk", "outside"] = "plain"


class Edge(NamedTuple):
    """An edge of a `Graph`, from what needs something to what it needs."""

    start: str
    end: str
    label: str = ""
    kind: Literal["plain", "risk", "proposed"] = "plain"


class Graph(NamedTuple):
    """A directed graph in columns."""

    title: str
    columns: tuple[str, ...]  # their headings
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


Block = Prose | Figures | Snippet | Table | Bars | Lines | Timeline | Graph


class Report(NamedTuple):
    """A finished report. As CSV it has the rows of one table, as JSON its ``data``, otherwise every block."""

    title: str
    summary: str
    blocks: tuple[Block, ...]
    data: Any  # what `msgspec.to_builtins` takes
    extra: Mapping[str, str] = {}  # further formats by name, such as ics
    whole: Table | None = None  # what a spreadsheet gets, where that is not the last table of the blocks

    @property
    def spreadsheet(self) -> Table:
        """Return the table that a spreadsheet gets; an empty one if there is no table."""
        tables = [block for block in self.blocks if isinstance(block, Table)]
        return self.whole or (tables[-1] if tables else Table("", "", (), ()))


def value_of(cell: Cell | Value) -> Value:
    """Return the value of a cell."""
    return cell.value if isinstance(cell, Cell) else cell
