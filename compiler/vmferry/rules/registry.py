"""How a rule is made: a function over the Review, under its code."""

from collections.abc import Callable, Iterable, Iterator
from inspect import cleandoc

from vmferry.model.finding import Code, Finding, Severity
from vmferry.model.review import Problem, Review
from vmferry.model.rule import Needs, Rule, declare

Check = Callable[[Review], Iterable[Problem]]

CHECKS: dict[Code, list[Check]] = {}
"""Every rule's functions by its code."""


def rule(
    code: str,
    severity: Severity,
    title: str,
    *,
    source: str = "",
    essential: bool = False,
    needs: Needs = "spec",
    progress: bool = False,
) -> Callable[[Check], Rule]:
    """Declare the rule ``code`` and register a function as what finds it; its docstring says why the rule is there.

    The name of the function stands for the rule from then on. ``source`` names the upstream file or page the fact is
    from. An ``essential`` rule cannot be lowered or suppressed: what it finds would be refused by a server, or lose
    something. Raises ValueError for a code that is taken or retired.
    """

    def add(check: Check) -> Rule:
        why = cleandoc(check.__doc__ or "")
        made = declare(
            code, severity, title, why=why, source=source, essential=essential, needs=needs, progress=progress
        )
        also(made)(check)
        return made

    return add


def also(rule: Rule) -> Callable[[Check], Check]:
    """Register a function as what finds, too, a rule that is declared elsewhere."""

    def add(check: Check) -> Check:
        CHECKS.setdefault(rule.code, []).append(check)
        return check

    return add


def run(rule: Rule, review: Review) -> Iterator[Finding]:
    """Yield what one rule finds."""
    for problem in (problem for check in CHECKS[rule.code] for problem in check(review)):
        yield rule.finding(
            problem.message,
            problem.help,
            where=problem.where,
            vms=problem.vms,
            fix=problem.right,
            secret=problem.secret,
            severity=problem.severity,
        )
