"""Objects of different VMs with the same name: each is valid alone, and one would overwrite the other."""

from collections import defaultdict
from collections.abc import Iterator

from vmferry.estate.identity import TARGET_NAME_TWICE
from vmferry.kube.mac import MAC_TWICE
from vmferry.model.blueprint import Machine
from vmferry.model.keys import VmKey, reference
from vmferry.model.review import Problem, Review
from vmferry.rules.registry import also


@also(TARGET_NAME_TWICE)
def names(review: Review) -> Iterator[Problem]:
    """Yield a problem for each name or Service that two VMs would have; claims are checked where they are created."""
    owners: _Owners = defaultdict(dict)
    for group in review.blueprint.groups:
        for machine in group.machines:
            for kind, name in _objects(machine):
                owners[kind, reference(machine.namespace, name)][machine.key] = machine
    yield from _problems(review, owners, "set another targetName for one of them")


@also(MAC_TWICE)
def addresses(review: Review) -> Iterator[Problem]:
    """Yield a problem for each MAC address that two VMs would have."""
    owners: _Owners = defaultdict(dict)
    for group in review.blueprint.groups:
        for machine in group.machines if group.path != "rebuild" else ():
            for nic in machine.nics:
                if nic.mac is not None:
                    owners["MAC address", nic.mac][machine.key] = machine
    yield from _problems(review, owners, "give one of them another address")


_Owners = defaultdict[tuple[str, str], dict[VmKey, Machine]]


def _problems(review: Review, owners: _Owners, fix: str) -> Iterator[Problem]:
    places = review.blueprint.places
    for (kind, name), machines in sorted(owners.items()):
        if len(machines) > 1:
            keys = sorted(machines)
            yield Problem(
                f"{kind} {name} would be used by {' and '.join(f'{machines[key].name} ({key})' for key in keys)}",
                fix,
                next((places[key] for key in reversed(keys) if key in places), None),
                tuple(sorted({machine.name for machine in machines.values()})),
            )


def _objects(machine: Machine) -> Iterator[tuple[str, str]]:
    """Yield a machine's objects in its namespace, as kind and name."""
    yield "name", machine.target_name
    application = machine.application
    if application is None:
        if machine.ports and not machine.golden:
            yield "Service", machine.target_name
        return
    if application.ports:
        yield "Service", machine.target_name
    if application.kind == "StatefulSet":
        yield "Service", f"{machine.target_name}-headless"
