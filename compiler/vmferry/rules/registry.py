"""How a rule is made: a function over the Review, under its code."""

from collections.abc import Callable, Iterable, Iterator
from inspect import cleandoc

from vmferry.model import catalog
from vmferry.model.finding import Finding, Severity
from vmferry.model.review import Problem, Review

Check = Callable[[Review], Iterable[Problem]]

CHECKS: dict[str, list[Check]] = {}
"""Every rule's functions by its code."""


def rule(
    code: str, severity: Severity, title: str, *, source: str = "", essential: bool = False
) -> Callable[[Check], Check]:
    """Register a function as the rule ``code``; its docstring says why the rule is there.

    ``source`` names the upstream file or page the fact is from. An ``essential`` rule cannot be lowered or
    suppressed: what it finds would be refused by a server, or lose something. Raises ValueError for a code
    that is taken.
    """

    def add(check: Check) -> Check:
        why = cleandoc(check.__doc__ or "")
        catalog.register(
            catalog.Rule(code=code, severity=severity, title=title, why=why, source=source, essential=essential)
        )
        CHECKS.setdefault(code, []).insert(0, check)  # another family may have added to it already
        return check

    return add


def also(code: str) -> Callable[[Check], Check]:
    """Add a function to a rule that is registered elsewhere, in the catalogue or in another family."""

    def add(check: Check) -> Check:
        CHECKS.setdefault(code, []).append(check)
        return check

    return add


def run(code: str, review: Review) -> Iterator[Finding]:
    """Yield what one rule finds."""
    for problem in (problem for check in CHECKS[code] for problem in check(review)):
        yield Finding(
            code=code,
            message=problem.message,
            help=problem.help,
            where=problem.where,
            vms=problem.vms,
            fix=problem.right,
            secret=problem.secret,
            severity=problem.severity,
        )
