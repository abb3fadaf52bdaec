"""Registration of rules: functions over the Review, by code."""

from collections.abc import Callable, Iterable, Iterator
from inspect import cleandoc
from typing import NamedTuple

from vmferry.model.finding import Code, Finding, Severity
from vmferry.model.review import Problem, Review
from vmferry.model.rule import Needs, Rule, declare

Find = Callable[[Review], Iterable[Problem]]


class Check(NamedTuple):
    """A function that yields problems.

    With ``each`` it looks at one VM at a time: its findings on a VM only depend on that VM, the head of its group and
    the spec's tables. It runs on parts of the estate, and its findings are cached.
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
    """Declare the rule ``code`` and register its function, whose docstring explains the rule.

    The name of the function then refers to the rule. ``source`` is the upstream file or page of the fact. An
    ``essential`` rule cannot be lowered or suppressed: a server would refuse what it finds, or something would be lost.
    ``each``: see `Check`. Raises ValueError for a code that is taken or retired.
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
    """Register another function for a rule that is declared elsewhere."""

    def add(find: Find) -> Find:
        CHECKS.setdefault(rule.code, []).append(Check(find, each))
        return find

    return add


def run(rule: Rule, review: Review, *, each: bool | None = None) -> Iterator[Finding]:
    """Yield the findings of one rule; ``each`` selects the functions that have or lack that mark."""
    for check in CHECKS[rule.code]:
        if each is None or check.each is each:
            for problem in check.find(review):
                yield rule.finding(
                    problem.message,
                    problem.help,
                    where=problem.where,
                    vms=problem.vms,
                    fix=problem.right,
                    secret=problem.secret,
                    severity=problem.severity,
                )
