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

    With ``blueprint`` it looks at the spec and the Blueprint, and at no VM as it is in vSphere. It always runs, also
    where only facts about single VMs or stages changed, so it must take a fraction of a second for thousands of VMs.
    Only such a function may depend on the time, or on CPU and memory of all VMs.

    Others may only depend on the stage of a group in two ways. With ``groups``, each group makes its own contribution
    to what it finds, whatever the others are like; with ``fewer``, what it finds about a VM also depends on others, but
    once the VM's group has moved on, nothing is found that was not found before.
    """

    find: Find
    each: bool = False
    blueprint: bool = False
    groups: bool = False
    fewer: bool = False


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
    blueprint: bool = False,
    groups: bool = False,
    fewer: bool = False,
) -> Callable[[Find], Rule]:
    """Declare the rule ``code`` and register its function, whose docstring explains the rule.

    The name of the function then refers to the rule. ``source`` is the upstream file or page of the fact. An
    ``essential`` rule cannot be lowered or suppressed: a server would refuse what it finds, or something would be lost.
    ``each``, ``blueprint``, ``groups`` and ``fewer``: see `Check`. Raises ValueError for a code that is taken or
    retired.
    """

    def add(find: Find) -> Rule:
        why = cleandoc(find.__doc__ or "")
        made = declare(
            code, severity, title, why=why, source=source, essential=essential, needs=needs, progress=progress
        )
        also(made, each=each, blueprint=blueprint, groups=groups, fewer=fewer)(find)
        return made

    return add


def also(
    rule: Rule, *, each: bool = False, blueprint: bool = False, groups: bool = False, fewer: bool = False
) -> Callable[[Find], Find]:
    """Register another function for a rule that is declared elsewhere."""

    def add(find: Find) -> Find:
        CHECKS.setdefault(rule.code, []).append(Check(find, each, blueprint, groups, fewer))
        return find

    return add


def run(rule: Rule, review: Review, checks: Iterable[Check] | None = None) -> Iterator[Finding]:
    """Yield the findings of a rule, or of some of its functions."""
    for check in CHECKS[rule.code] if checks is None else checks:
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
