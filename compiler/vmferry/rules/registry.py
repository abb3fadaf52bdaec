"""How a rule is made: a function over the Review, under its code."""

from collections.abc import Callable, Iterable, Iterator
from inspect import cleandoc
from typing import NamedTuple

from vmferry.model.finding import Code, Finding, Severity
from vmferry.model.review import Problem, Review
from vmferry.model.rule import Needs, Rule, declare

Find = Callable[[Review], Iterable[Problem]]


class Check(NamedTuple):
    """A function that finds what is wrong.

    One that is ``each`` looks at one VM after the other: what it finds of a VM depends on that VM, on the head of its
    group and on the spec's tables alone. It is asked of parts of the estate, and its answers are remembered.
    """

    find: Find
    each: bool = False


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
    each: bool = False,
) -> Callable[[Find], Rule]:
    """Declare the rule ``code`` and register a function as what finds it; its docstring says why the rule is there.

    The name of the function stands for the rule from then on. ``source`` names the upstream file or page the fact is
    from. An ``essential`` rule cannot be lowered or suppressed: what it finds would be refused by a server, or lose
    something. ``each``: see `Check`. Raises ValueError for a code that is taken or retired.
    """

    def add(find: Find) -> Rule:
        why = cleandoc(find.__doc__ or "")
        made = declare(
            code, severity, title, why=why, source=source, essential=essential, needs=needs, progress=progress
        )
        also(made, each=each)(find)
        return made

    return add


def also(rule: Rule, *, each: bool = False) -> Callable[[Find], Find]:
    """Register a function as what finds, too, a rule that is declared elsewhere."""

    def add(find: Find) -> Find:
        CHECKS.setdefault(rule.code, []).append(Check(find, each))
        return find

    return add


def run(rule: Rule, review: Review, *, each: bool | None = None) -> Iterator[Finding]:
    """Yield what one rule finds; by ``each``, only what its functions find that are so, or that are not."""
    checks = (check for check in CHECKS[rule.code] if each is None or check.each is each)
    for problem in (problem for check in checks for problem in check.find(review)):
        yield rule.finding(
            problem.message,
            problem.help,
            where=problem.where,
            vms=problem.vms,
            fix=problem.right,
            secret=problem.secret,
            severity=problem.severity,
        )
