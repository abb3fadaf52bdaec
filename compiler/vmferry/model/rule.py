"""A rule: the meaning of its code, and how findings are created.

A rule is declared once, as a constant beside its condition, and creates its findings. So a mistyped code is an
undefined name, which the type checker rejects, and there is no list of codes to maintain.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from vmferry.model.finding import Code, Finding, Severity, Where

Needs = Literal["spec", "comparison", "tree"]
"""What a rule needs in order to find anything: a spec, another commit of it, or the compiled tree."""


class Rule(Struct, frozen=True):
    """One rule.

    Its page consists of ``why`` and ``source`` (where the fact comes from). ``essential`` rules keep the compiler from
    writing something wrong: they cannot be lowered or suppressed. ``progress``: it finds groups that moved too fast; at
    a merge, that must be so since each side.
    """

    code: Code
    severity: Severity
    title: str
    why: str = ""
    source: str = ""
    essential: bool = True
    needs: Needs = "spec"
    progress: bool = False

    @property
    def family(self) -> str:
        """Return the name of the rule's family, by the first digit of its code; VMF85x and up are transitions."""
        hundreds, tens = self.code[3], self.code[4]
        return "transition" if hundreds == "8" and tens >= "5" else _FAMILIES[hundreds]

    def finding(
        self,
        message: str,
        help_: str = "",
        *,
        where: Where | None = None,
        vms: tuple[str, ...] = (),
        secret: bool = False,
        severity: Severity | None = None,
        fix: str | None = None,
    ) -> Finding:
        """Return a finding of this rule; ``severity`` overrides the rule's own, and the spec cannot change it.

        The other arguments are the fields of a `Finding`.
        """
        return Finding(
            code=self.code,
            message=message,
            help=help_,
            where=where,
            vms=vms,
            secret=secret,
            severity=severity or self.severity,
            settled=severity is not None,
            essential=self.essential,
            fix=fix,
        )


_FAMILIES = {
    "0": "reading",
    "1": "spec",
    "2": "network",
    "3": "storage",
    "4": "order",
    "5": "kubevirt",
    "6": "output",
    "7": "source",
    "8": "gitops",
    "9": "policy",
}
"""Families by the first digit of a code."""

RETIRED: Mapping[str, str] = {
    "VMF117": "no release ever reported it",
    "VMF305": "no release ever reported it; VMF013 requires the image of a disk that is imported",
    "VMF407": "every stage in the schema compiles; any other value is VMF013",
}
"""Retired codes, and why they were retired: none of them ever gets another meaning."""

_declared: dict[str, Rule] = {}


def declare(
    code: str,
    severity: Severity,
    title: str,
    *,
    why: str = "",
    source: str = "",
    essential: bool = True,
    needs: Needs = "spec",
    progress: bool = False,
) -> Rule:
    """Return a new rule. Raises ValueError for a code that is taken or retired."""
    if code in RETIRED:
        raise ValueError(f"{code} is retired: {RETIRED[code]}")
    if code in _declared:
        raise ValueError(f"{code} is taken: {_declared[code].title}")
    rule = Rule(Code(code), severity, title, why, source, essential, needs, progress)
    _declared[code] = rule
    return rule


def declared() -> Mapping[str, Rule]:
    """Return the rules of all imported modules by code. `vmferry.ruleset` has all rules."""
    return _declared
