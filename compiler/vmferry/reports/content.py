"""The input of reports, and what the module of one has."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Protocol

from msgspec import Struct

from vmferry.model.finding import Finding
from vmferry.model.report import Report
from vmferry.model.review import Review
from vmferry.reports.census import Picked, census


class Material(Struct, frozen=True, kw_only=True, eq=False, dict=True):
    """The input of a report: a checked spec.

    Without errors of the spec's own (``complete``) its Blueprint has every VM that moves. Only equal to itself, so that
    what several reports need is made once.
    """

    review: Review
    findings: tuple[Finding, ...]
    title: Callable[[str], str]  # of a rule, by its code
    standard: Mapping[str, int] = {}  # by source, how many VMs count for Forklift (`estate.routing.auto`)
    complete: bool = True
    base: str = ""  # what paths of files begin with that nobody keeps: those of a draft

    @cached_property
    def vms(self) -> Picked:
        """Return every VM, with the values that reports count by."""
        return census(self.review, self.findings, self.standard)


class Builder(Protocol):
    """The module of one report, registered in `vmferry.reports`."""

    HELP: str
    """The help of its command."""

    def build(self, material: Material, /) -> Report:
        """Return the report. The same material gives the same report: it reads no clock and no files."""
