"""The lint rules: one module per family; a rule is a function over the Review that yields problems.

A new rule is one function under `@rule`, and its two examples in `examples/CODE/`. A new family is a module here.
"""

import pkgutil
from collections.abc import Iterable, Iterator
from importlib import import_module

from vmferry.cache import Cache
from vmferry.estate.blocks import blocks
from vmferry.model.finding import Finding
from vmferry.model.review import Review
from vmferry.model.rule import Rule, declared
from vmferry.rules.parts import Parts, digests
from vmferry.rules.registry import CHECKS, run

__all__ = ["CHECKS", "check"]

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    import_module(f"{__name__}.{_module}")


_KIND = "found of each 1"


def check(review: Review, cache: Cache | None = None) -> tuple[Finding, ...]:
    """Return the findings of all rules on a migration; with a ``cache``, findings on single VMs are cached."""
    rules = [declared()[code] for code in sorted(CHECKS)]
    if cache is None or not cache.enabled:
        return tuple(finding for rule in rules for finding in run(rule, review))
    of_all = tuple(finding for rule in rules for finding in run(rule, review, each=False))
    each = [rule for rule in rules if any(check.each for check in CHECKS[rule.code])]
    return (*of_all, *_of_each(each, review, cache))


def _of_each(rules: Iterable[Rule], review: Review, cache: Cache) -> Iterator[Finding]:
    """Yield the findings of rules that look at one VM at a time."""
    found = list(blocks(review.subjects))
    try:
        keys = digests(review, found)
    except UnicodeEncodeError:  # a file whose name is not valid text
        yield from (finding for rule in rules for finding in run(rule, review, each=True))
        return
    known = cache.get(_KIND, keys, tuple[Finding, ...])
    alone = Parts(review)
    fresh: dict[bytes, tuple[Finding, ...]] = {}
    for key, subjects in zip(keys, found, strict=True):
        if key not in known:
            part = alone.of(subjects)
            fresh[key] = tuple(finding for rule in rules for finding in run(rule, part, each=True))
        yield from known.get(key, fresh.get(key, ()))
    cache.put(_KIND, fresh)
