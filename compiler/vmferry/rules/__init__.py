"""The lint rules: one family a module; a rule is a function over the Review that yields problems.

A new rule is one function under `@rule`, and its two examples in `examples/CODE/`. A new family is a module here.
"""

import pkgutil
from importlib import import_module

from vmferry.model.finding import Finding
from vmferry.model.review import Review
from vmferry.model.rule import declared
from vmferry.rules.registry import CHECKS, run

__all__ = ["CHECKS", "check"]

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    import_module(f"{__name__}.{_module}")


def check(review: Review) -> tuple[Finding, ...]:
    """Return what the rules say of a migration."""
    return tuple(finding for code in sorted(CHECKS) for finding in run(declared()[code], review))
