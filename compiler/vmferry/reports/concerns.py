"""What stands in the way of a migration: by rule, with the affected VMs, and by VM."""

from collections import defaultdict
from collections.abc import Callable, Iterable

from msgspec import Struct

from vmferry.model.finding import Finding, Severity
from vmferry.model.keys import VmKey
from vmferry.model.report import Cell, Column, Report, Row, Table
from vmferry.model.review import Subject
from vmferry.reports.census import meant
from vmferry.reports.content import Material

HELP = """Report what stands in the way of a migration: the top blockers, and the findings of each VM.

The findings are those of `vmferry check`; `vmferry rules CODE` explains one. Always exits with 0.

\b
Examples:
  vmferry report concerns migration/
  vmferry report concerns migration/ --format csv > concerns.csv
  vmferry report concerns migration/ --format json | jq '.rules[:5]'
"""

_RANK: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}


class RuleConcern(Struct, frozen=True, kw_only=True):
    """The findings of one rule."""

    code: str
    severity: Severity
    title: str
    vms: tuple[str, ...]  # names; none where it is about no VM
    findings: int


class VmConcern(Struct, frozen=True, kw_only=True):
    """The findings on one VM."""

    name: str
    key: VmKey
    disposition: str
    path: str
    method: str
    group: str
    errors: tuple[str, ...]  # codes
    warnings: tuple[str, ...]
    infos: tuple[str, ...]


class Concerns(Struct, frozen=True, kw_only=True):
    """All findings, counted; worst first, then those that affect most VMs."""

    rules: tuple[RuleConcern, ...]
    vms: tuple[VmConcern, ...]

    @property
    def blocked(self) -> int:
        """Return how many VMs have an error."""
        return sum(bool(vm.errors) for vm in self.vms)

    @property
    def clean(self) -> int:
        """Return how many VMs have no findings."""
        return sum(not (vm.errors or vm.warnings or vm.infos) for vm in self.vms)


def build(material: Material) -> Report:
    """Return the report: a table of rules, and one of VMs."""
    found = concerns(material.findings, material.review.subjects, material.title)
    vms = _vm_rows(found)
    summary = (
        f"{len(found.vms)} VM{'' if len(found.vms) == 1 else 's'}: {found.blocked} blocked by errors, "
        f"{len(found.vms) - found.blocked - found.clean} with concerns, {found.clean} clean"
    )
    by_rule = Table("Top blockers", "rule", _OF_RULE, _rule_rows(found), covers="some")
    by_vm = Table("By VM", "VM", _OF_VM, vms, notable=[row for row in vms if any(row[6:])], covers=())
    return Report("Concerns", summary, (by_rule, by_vm), found)


_OF_RULE = (Column("code"), Column("severity"), Column("VMs", "count"), Column("title"))
_OF_VM = tuple(map(Column, ("vm", "key", "disposition", "path", "method", "group", "errors", "warnings", "infos")))


def _rule_rows(found: Concerns) -> list[Row]:
    return [
        (rule.code, rule.severity, Cell(len(rule.vms), of=(("code", rule.code),)) if rule.vms else None, rule.title)
        for rule in found.rules
    ]


def _vm_rows(found: Concerns) -> list[Row]:
    return [
        (
            Cell(vm.name, vm=vm.key),
            vm.key,
            vm.disposition,
            vm.path,
            vm.method,
            vm.group,
            *map(" ".join, (vm.errors, vm.warnings, vm.infos)),
        )
        for vm in found.vms
    ]


Titles = Callable[[str], str]


def concerns(findings: Iterable[Finding], subjects: Iterable[Subject], titles: Titles) -> Concerns:
    """Return the findings by rule and by VM; ``titles`` maps codes to titles."""
    by_rule: defaultdict[str, list[Finding]] = defaultdict(list)
    vms_of: defaultdict[str, set[VmKey]] = defaultdict(set)
    by_vm: defaultdict[str, defaultdict[Severity, set[str]]] = defaultdict(lambda: defaultdict(set))
    subjects = tuple(subjects)
    names = {subject.key: subject.name for subject in subjects}
    for finding, keys in meant(findings, subjects):
        by_rule[finding.code].append(finding)
        vms_of[finding.code].update(keys)
        for key in keys:
            by_vm[key][finding.severity].add(finding.code)
    rules = [
        _rule(code, found, sorted(names[key] for key in vms_of[code]), titles(code)) for code, found in by_rule.items()
    ]
    vms = [_vm(subject, by_vm[subject.key]) for subject in subjects]
    return Concerns(
        rules=tuple(sorted(rules, key=lambda rule: (_RANK[rule.severity], -len(rule.vms), rule.code))),
        vms=tuple(sorted(vms, key=lambda vm: (-len(vm.errors), -len(vm.warnings), vm.name, vm.key))),
    )


def _rule(code: str, found: list[Finding], vms: Iterable[str], title: str) -> RuleConcern:
    return RuleConcern(
        code=code,
        severity=min((finding.severity for finding in found), key=_RANK.__getitem__),
        title=title,
        vms=tuple(vms),
        findings=len(found),
    )


def _vm(subject: Subject, found: defaultdict[Severity, set[str]]) -> VmConcern:
    machine = subject.machine
    return VmConcern(
        name=subject.name,
        key=subject.key,
        disposition=subject.disposition or "",
        path=machine.path if machine else "",
        method=machine.method if machine else "",
        group=machine.group if machine else "",
        errors=tuple(sorted(found["error"])),
        warnings=tuple(sorted(found["warning"])),
        infos=tuple(sorted(found["info"])),
    )
