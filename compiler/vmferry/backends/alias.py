"""Services of type ExternalName: names in the cluster that lead to the source, and from the cutover on to the target.

The base has the source; a patch of the overlay leads to the target once all clients are to go there. An alias is
switched as a whole. It has no selector: a Service that loses its selector keeps the endpoints that it had, so a
roll-back would leave clients at the target.
"""

from collections.abc import Iterator

from vmferry.backends.metadata import VM_LABEL, head, patch
from vmferry.backends.places import of_machine
from vmferry.kube import kinds
from vmferry.model.blueprint import Blueprint, Group, Machine, MachineAlias
from vmferry.model.manifest import Item, Patch

LAYER = "alias"


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield the aliases of every group, as they are before the cutover."""
    for group in blueprint.groups:
        for machine, alias, _ in _aliases(group):
            labels = {VM_LABEL: machine.target_name}
            known = (alias.name, machine.namespace)
            service = {
                **head(kinds.SERVICE, blueprint, *known, group=group, layer=LAYER, labels=labels, keep=True),
                "spec": {"type": "ExternalName", "externalName": alias.before, "sessionAffinity": "None"},
            }
            yield of_machine(group, LAYER, machine, service)


def patches(group: Group) -> Iterator[Patch]:
    """Yield the patches that lead to the target."""
    if group.weight != 100:
        return
    for machine, alias, after in _aliases(group):
        yield patch(kinds.SERVICE, alias.name, machine.namespace, "/spec/externalName", after)


def _aliases(group: Group) -> Iterator[tuple[Machine, MachineAlias, str]]:
    """Yield the aliases of a group that are fully known, with the host name of the target."""
    for machine in group.machines:
        if machine.alias is not None and machine.alias.after is not None:
            yield machine, machine.alias, machine.alias.after
