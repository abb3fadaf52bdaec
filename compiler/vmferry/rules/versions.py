"""What the target's versions cannot do: a field that is left out must not be a decision that is lost."""

from collections.abc import Iterator

from vmferry.model.blueprint import Blueprint, Group
from vmferry.model.finding import Finding

_PLAN_FIELDS = (2, 10)
"""Forklift release that brought targetLabels, targetNodeSelector, targetAffinity, targetPowerState and nbdeClevis."""


def version(text: str) -> tuple[int, ...]:
    """Return a version as numbers that compare."""
    return tuple(int(part) for part in text.split("."))


def check(blueprint: Blueprint) -> Iterator[Finding]:
    """Yield decisions that Forklift of the target's version has no field for."""
    if version(blueprint.cluster.versions.forklift) >= _PLAN_FIELDS:
        return
    for group in blueprint.groups:
        if group.path == "forklift" and (wishes := sorted(_wishes(group))):
            yield Finding(
                code="VMF506",
                message=f"Forklift {blueprint.cluster.versions.forklift} has no field for {', '.join(wishes)} "
                f"of group {group.name}",
                help="2.10 has: update Forklift and target.cluster.versions.forklift, or drop the decision",
                where=blueprint.places.get(group.machines[0].key),
                vms=tuple(machine.name for machine in group.machines),
            )


def _wishes(group: Group) -> Iterator[str]:
    placement = group.placement
    if placement.labels:
        yield "labels"
    if placement.node_selector:
        yield "nodeSelector"
    if placement.apart_from is not None:
        yield "apartFrom"
    if any(machine.nbde_clevis for machine in group.machines):
        yield "nbdeClevis"
