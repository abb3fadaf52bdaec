"""The input of reports, and what the module of one has."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

from msgspec import Struct

from vmferry.model.finding import Finding
from vmferry.model.keys import VmKey
from vmferry.model.report import Report
from vmferry.model.review import Review
from vmferry.reports.census import Picked, census

if TYPE_CHECKING:
    from vmferry.estate.timetable.forecast import Forecast


class Earlier(NamedTuple):
    """The migration at an earlier commit, and at its time; what people called the commit."""

    review: Review
    revision: str


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
    earlier: Earlier | None = None  # what the forecast is compared with; None: this spec, before anything moved
    base: str = ""  # what paths of files begin with that nobody keeps: those of a draft

    @cached_property
    def vms(self) -> Picked:
        """Return every VM, with the values that reports count by."""
        return census(self.review, self.findings, self.standard)

    @cached_property
    def copied(self) -> frozenset[VmKey]:
        """Return the VMs whose disks move."""
        return frozenset(vm.key for vm in self.vms.vms if vm.moving)

    @cached_property
    def forecast(self) -> "Forecast":
        """Return the forecast of the migration, beside its plan."""
        from vmferry.estate.timetable.forecast import forecast  # most reports need none

        return forecast(self.review, self.earlier.review if self.earlier is not None else None)


class Builder(Protocol):
    """The module of one report, registered in `vmferry.reports`."""

    HELP: str
    """The help of its command."""

    def build(self, material: Material, /) -> Report:
        """Return the report. The same material gives the same report: it reads no clock and no files."""
