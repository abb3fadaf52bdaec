"""The methods by which VMs move, each a module with its METHOD; the type `model.spec.Method` registers them."""

from collections.abc import Mapping
from importlib import import_module
from typing import get_args

from vmferry.estate.methods.traits import MoveMethod
from vmferry.model.blueprint import Path
from vmferry.model.spec import Method, VirtualMachine

METHODS: Mapping[Method, MoveMethod] = {
    name: import_module(f"vmferry.estate.methods.{name}").METHOD for name in get_args(Method)
}
"""Every method by its name, in the order of registration."""


def usual_of(path: Path, vm: VirtualMachine) -> tuple[Method, str]:
    """Return the first method of a path with a reason to be the default for such a VM."""
    reasons = ((name, METHODS[name].usual(vm)) for name in methods_of(path))
    return next((name, reason) for name, reason in reasons if reason is not None)


def methods_of(path: Path) -> tuple[Method, ...]:
    """Return the methods of a path, default first."""
    return tuple(name for name, method in METHODS.items() if method.path == path)
