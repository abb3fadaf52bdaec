"""The lint rules: one module per family; a rule is a function over the Review that yields problems.

A new rule is one function under `@rule`, and its two examples in `examples/CODE/`. A new family is a module here.
"""

import pkgutil
from importlib import import_module
from typing import NamedTuple

from vmferry import cores
from vmferry.cache import Cache
from vmferry.estate.blocks import blocks
from vmferry.model.finding import Code, Finding
from vmferry.model.review import Review, Subject
from vmferry.model.rule import Rule, declared
from vmferry.rules.parts import Parts, digests
from vmferry.rules.registry import CHECKS, run

__all__ = ["CHECKS", "check"]

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    import_module(f"{__name__}.{_module}")


_KIND = "found of each 1"
MANY = 1000
"""VMs that are worth processes of their own."""


def check(review: Review, cache: Cache | None = None) -> tuple[Finding, ...]:
    """Return the findings of all rules; with a ``cache``, findings about single VMs are remembered."""
    rules = [declared()[code] for code in sorted(CHECKS)]
    if cache is None or not cache.enabled:
        return tuple(finding for rule in rules for finding in run(rule, review))
    parts = list(blocks(review.subjects))
    try:
        keys = digests(review, parts)
    except UnicodeEncodeError:  # a file whose name is not valid text
        parts, keys = [review.subjects], []
    known = cache.get(_KIND, keys, tuple[Finding, ...])
    missed = [index for index in range(len(parts)) if not keys or keys[index] not in known]
    whole = [rule.code for rule in rules if not all(check.each for check in CHECKS[rule.code])]
    work = _Work(
        review, Parts(review), parts, [rule for rule in rules if any(check.each for check in CHECKS[rule.code])]
    )
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


class _Work(NamedTuple):
    """What rules are asked of: the whole, and the estate in parts for those that look at one VM after the other."""

    review: Review
    alone: Parts
    parts: list[tuple[Subject, ...]]
    each: list[Rule]


class _Found(cores.Portable, frozen=True, array_like=True):
    findings: tuple[Finding, ...]


def _findings(work: _Work, job: int | Code) -> _Found:
    """Return the findings of one rule in the whole, or of the rules for single VMs in one part."""
    if isinstance(job, str):
        return _Found(tuple(run(declared()[job], work.review, each=False)))
    part = work.alone.of(work.parts[job])
    return _Found(tuple(finding for rule in work.each for finding in run(rule, part, each=True)))
