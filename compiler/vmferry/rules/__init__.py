"""Lint rules: functions over the Blueprint that yield findings, one family a module."""

from collections.abc import Callable, Iterator

from vmferry.model.blueprint import Blueprint
from vmferry.model.finding import Finding
from vmferry.rules import admission, collisions, fields, transfer, versions

FAMILIES: dict[str, Callable[[Blueprint], Iterator[Finding]]] = {
    "admission": admission.check,
    "collisions": collisions.check,
    "fields": fields.check,
    "transfer": transfer.check,
    "versions": versions.check,
}
"""Every family by name; a new one is a module and a line here."""


def check(blueprint: Blueprint) -> tuple[Finding, ...]:
    """Return what the rules say of a Blueprint."""
    return tuple(finding for family in FAMILIES.values() for finding in family(blueprint))
