"""The lint rules: one module per family; a rule is a function over the Review that yields problems.

A new rule is one function under `@rule`, and its two examples in `examples/CODE/`. A new family is a module here.
"""

import pkgutil
from collections.abc import Set
from importlib import import_module
from typing import NamedTuple

from vmferry import cores
from vmferry.cache import Cache
from vmferry.estate.blocks import blocks
from vmferry.model.finding import Code, Finding
from vmferry.model.review import Review, Subject
from vmferry.model.rule import Rule, declared
from vmferry.rules.parts import Parts, digests
from vmferry.rules.registry import CHECKS, Check, run

__all__ = ["CHECKS", "check"]

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    import_module(f"{__name__}.{_module}")


_KIND = "found of each 1"
MANY = 1000
"""VMs that are worth processes of their own."""


def check(review: Review, cache: Cache | None = None) -> tuple[Finding, ...]:
    """Return the findings of all rules; with a ``cache``, findings about single VMs are remembered."""
    return (*of_estate(review, cache), *of_blueprint(review))


def of_estate(review: Review, cache: Cache | None = None) -> tuple[Finding, ...]:
    """Return all findings but those `of_blueprint`: on VMs as they are in vSphere, and on the spec."""
    rules = _all()
    if cache is None or not cache.enabled:
        return tuple(finding for rule in rules for finding in run(rule, review, _checks(rule, blueprint=False)))
    parts = list(blocks(review.subjects))
    try:
        keys = digests(review, parts)
    except UnicodeEncodeError:  # a file whose name is not valid text
        parts, keys = [review.subjects], []
    known = cache.get(_KIND, keys, tuple[Finding, ...])
    missed = [index for index in range(len(parts)) if not keys or keys[index] not in known]
    whole = [rule.code for rule in rules if _checks(rule, each=False, blueprint=False)]
    work = _Work(review, Parts(review), parts)
    jobs: list[int | Code] = [*missed, *whole]
    jobs = jobs[::2] + jobs[1::2]  # so that each process has its part of the long ones
    least = 2 if keys and len(review.subjects) >= MANY else len(jobs) + 1
    found = dict(zip(jobs, cores.spread(_findings, jobs, work, least=least), strict=True))
    fresh = {keys[index]: found[index].findings for index in missed if keys}
    cache.put(_KIND, fresh)
    return (
        *(finding for job in jobs for finding in found[job].findings),
        *(finding for findings in known.values() for finding in findings),
    )


def of_blueprint(review: Review) -> tuple[Finding, ...]:
    """Return the findings of functions that look at the Blueprint and at no VM in vSphere."""
    return tuple(finding for rule in _all() for finding in run(rule, review, _checks(rule, blueprint=True)))


def of_each(part: Review) -> tuple[Finding, ...]:
    """Return the findings of functions that look at one VM at a time, in a part of the estate."""
    return tuple(finding for rule in _all() for finding in run(rule, part, _checks(rule, each=True)))


class Change(NamedTuple):
    """What is no longer found, and what is found more."""

    gone: tuple[Finding, ...]
    new: tuple[Finding, ...]


def of_moved(was: Review, now: Review, known: Set[Code]) -> Change | None:
    """Return how findings change where groups moved to a later stage, but for those of functions on the Blueprint.

    None if only a look at everything can tell. Both reviews are of these groups alone; ``known`` are the codes of what
    was found in the whole.
    """
    gone: list[Finding] = []
    new: list[Finding] = []
    for rule in _all():
        for check in CHECKS[rule.code]:
            if check.fewer and rule.code in known:
                return None
            if not (check.each or check.groups):
                continue
            before, after = (tuple(run(rule, review, (check,))) for review in (was, now))
            if before == after:
                continue
            if check.groups and (before or rule.code in known):
                return None  # one finding may be about several groups
            gone += before
            new += after
    return Change(tuple(gone), tuple(new))


def _all() -> list[Rule]:
    return [declared()[code] for code in sorted(CHECKS)]


def _checks(rule: Rule, *, each: bool | None = None, blueprint: bool | None = None) -> list[Check]:
    """Return the functions of a rule that have or lack these marks."""
    return [check for check in CHECKS[rule.code] if each in (None, check.each) and blueprint in (None, check.blueprint)]


class _Work(NamedTuple):
    """What rules are asked of: the whole, and the estate in parts for those that look at one VM after the other."""

    review: Review
    alone: Parts
    parts: list[tuple[Subject, ...]]


class _Found(cores.Portable, frozen=True, array_like=True):
    findings: tuple[Finding, ...]


def _findings(work: _Work, job: int | Code) -> _Found:
    """Return the findings of one rule in the whole, or of the rules for single VMs in one part."""
    if isinstance(job, str):
        rule = declared()[job]
        return _Found(tuple(run(rule, work.review, _checks(rule, each=False, blueprint=False))))
    return _Found(of_each(work.alone.of(work.parts[job])))
