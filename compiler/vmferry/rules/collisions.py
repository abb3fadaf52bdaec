"""Objects of different VMs that would have one name: each is right alone, and one would overwrite the other."""

from collections import defaultdict
from collections.abc import Iterator

from vmferry.model.blueprint import Blueprint, Machine
from vmferry.model.finding import Finding


def check(blueprint: Blueprint) -> Iterator[Finding]:
    """Yield a finding for each name, Service or MAC that two VMs would have; claims are checked where they are made."""
    owners: defaultdict[tuple[str, str, str], dict[str, Machine]] = defaultdict(dict)
    for group in blueprint.groups:
        for machine in group.machines:
            for kind, name in _objects(machine):
                owners[kind, machine.namespace, name][machine.key] = machine
            for nic in machine.nics if machine.path != "rebuild" else ():
                if nic.mac is not None:
                    owners["MAC address", "", nic.mac][machine.key] = machine
    for (kind, namespace, name), machines in sorted(owners.items()):
        if len(machines) > 1:
            yield _finding(blueprint, kind, f"{namespace}/{name}" if namespace else name, machines)


def _finding(blueprint: Blueprint, kind: str, name: str, machines: dict[str, Machine]) -> Finding:
    keys = sorted(machines)
    fix = "give one of them another address" if kind == "MAC address" else "state another targetName for one of them"
    return Finding(
        code="VMF206" if kind == "MAC address" else "VMF110",
        message=f"{kind} {name} would belong to {' and '.join(f'{machines[key].name} ({key})' for key in keys)}",
        help=fix,
        where=next((blueprint.places[key] for key in reversed(keys) if key in blueprint.places), None),
        vms=tuple(sorted({machine.name for machine in machines.values()})),
    )


def _objects(machine: Machine) -> Iterator[tuple[str, str]]:
    """Yield what a machine brings into its namespace, as kind and name."""
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
