"""What is wrong with a spec, and where: the type that all checks report."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, NewType

from msgspec import Struct

Severity = Literal["error", "warning", "info"]

Code = NewType("Code", str)
"""The code of a rule. Only a declaration creates one (`vmferry.model.rule`), so that every finding belongs to a rule.
"""

Path = tuple[str | int, ...]
"""Keys and indices from the top of one YAML document down to a value."""


class Span(NamedTuple):
    """A range of text. Lines and columns count from 1; ``end_column`` is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


class Where(Struct, frozen=True, kw_only=True):
    """A place in a file that a person edits.

    ``path`` leads to a value in document number ``document`` of the file; its line and column are only looked up when a
    finding is shown. ``span`` is set if the text could not be parsed, so that there is no path. ``key`` points at the
    mapping key instead of its value.
    """

    file: str
    document: int = 0
    path: Path = ()
    key: bool = False
    span: Span | None = None

    def at(self, *more: str | int, key: bool = False) -> "Where":
        """Return the place ``more`` steps below this one."""
        return Where(file=self.file, document=self.document, path=(*self.path, *more), key=key)


class Finding(Struct, frozen=True, kw_only=True):
    """One problem: the rule's code, what, where, and how to fix it.

    A `Rule` creates it. ``vms`` are all VMs that it is about, so that a report can count them. ``secret``: the
    offending line contains secret material, which must never be shown. ``settled``: the spec cannot change the
    severity, because it is not the rule's own. Findings of an ``essential`` rule cannot be suppressed. ``fix`` is the
    correct replacement of the text at ``where``, if there is exactly one; `{}` in it is the current text.
    """

    code: Code
    message: str
    help: str = ""
    where: Where | None = None
    vms: tuple[str, ...] = ()
    secret: bool = False
    severity: Severity
    settled: bool = False
    essential: bool
    fix: str | None = None

    @property
    def is_error(self) -> bool:
        """Return whether it stops the compiler."""
        return self.severity == "error"


class SpecError(Exception):
    """Raised if the work cannot continue; contains the findings that explain why."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__("; ".join(f"{f.code} {f.message}" for f in findings))
        self.findings = findings


class UnreadableError(SpecError):
    """Raised for a spec that cannot be read; contains the texts, so that findings can show their lines."""

    def __init__(self, findings: Iterable[Finding], texts: Mapping[str, str]) -> None:
        super().__init__(*findings)
        self.texts = texts


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in an order that does not depend on how they were found, errors first, and none twice."""
    return errors_first(by_place(findings))


def by_place(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in the order of the files, none twice."""
    found = sorted(findings, key=_place)
    return tuple(finding for finding, before in zip(found, (None, *found), strict=False) if finding != before)


def inserted(findings: Iterable[Finding], more: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings that are `by_place`, and a few more in their places, none twice."""
    found = list(findings)
    for finding in by_place(more):
        index = bisect_left(found, _place(finding), key=_place)
        if index == len(found) or found[index] != finding:
            found.insert(index, finding)
    return tuple(found)


def errors_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings with the errors before all others, otherwise in their order."""
    return tuple(sorted(findings, key=lambda finding: not finding.is_error))


def _place(finding: Finding) -> tuple[object, ...]:
    """Return all of a finding, its place first: two that differ never come out in the order in which they went in."""
    where = finding.where or _NOWHERE
    path = [f"{part:09d}" if isinstance(part, int) else part for part in where.path]
    told = (finding.code, finding.message, finding.help, finding.vms)
    rest = (where.key, where.span or (), finding.severity, finding.fix or "")
    return (where.file, where.document, path, *told, *rest, finding.secret, finding.settled, finding.essential)


_NOWHERE = Where(file="")
