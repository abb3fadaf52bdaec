"""The input and the content of reports: results for people, which the command line renders."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from vmferry.model.finding import Finding
from vmferry.model.review import Review

Rows = Sequence[tuple[str, ...]]


class Material(NamedTuple):
    """The input of a report: a checked spec. Without errors its Blueprint is complete."""

    review: Review
    findings: tuple[Finding, ...]
    title: Callable[[str], str]  # of a rule, by its code


class Table(NamedTuple):
    """One table of a report, the most important row first."""

    title: str
    one: str  # what a row is about, as in `VM`
    headings: tuple[str, ...]
    rows: Rows
    notable: Rows | None = None  # rows that a terminal shows; all by default


class Report(NamedTuple):
    """A finished report. As text and Markdown it has all tables, as CSV the last one, as JSON its ``data``."""

    title: str
    summary: str
    tables: tuple[Table, ...]
    data: Any  # what `msgspec.to_builtins` takes


class Builder(Protocol):
    """The module of one report, registered in `vmferry.reports`."""

    HELP: str
    """The help of its command."""

    def build(self, material: Material, /) -> Report:
        """Return the report. The same material gives the same report: it reads no clock and no files."""
