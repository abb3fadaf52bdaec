"""Where the conversion Jobs of a vCenter claim their places: one ConfigMap for all of them, in any namespace."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from vmferry.estate.methods import METHODS
from vmferry.estate.stages import frozen
from vmferry.kube.dns import fit
from vmferry.model.blueprint import Group, Machine, Places
from vmferry.model.keys import Reference, apart, namespace_of, reference
from vmferry.model.spec import GroupState, MigrationSpec


def is_converted(machine: Machine) -> bool:
    """Return whether a Job converts the machine."""
    return METHODS[machine.method].converts and machine.clone_of is None and bool(machine.disks)


def turns(spec: MigrationSpec, machines: Iterable[Machine]) -> dict[str, Reference]:
    """Return the ConfigMap that conversions which begin now take turns at, by source.

    It is the one of those that have started; otherwise in the spec's first namespace with prepared conversions, so that
    adding a VM does not affect them; otherwise in the first with any. There is none if Kueue starts the Jobs.
    """
    if spec.target.cluster.kueue_queue is not None:
        return {}
    ranks = {namespace.name: rank for rank, namespace in enumerate(spec.namespaces)}
    found: dict[str, tuple[bool, bool, int, Reference]] = {}
    for machine in machines:
        if not is_converted(machine):
            continue
        begun = machine.conversion.places_at if machine.conversion else None
        name = fit(f"{spec.metadata.name}-{machine.source}-conversions")
        place = begun or reference(machine.namespace, name)
        planned = not frozen(spec.groups.get(machine.group, GroupState()).stage)
        option = (begun is None, planned, ranks.get(namespace_of(place), len(ranks)), place)
        found[machine.source] = min(option, found.get(machine.source, option))
    return {source: place for source, (_, _, _, place) in sorted(found.items())}


def places(groups: Iterable[Group], now: Mapping[str, Reference]) -> dict[str, tuple[Places, ...]]:
    """Return the ConfigMaps of each namespace, with their users. ``now`` is the result of `turns`."""
    users: defaultdict[Reference, set[Reference]] = defaultdict(set)
    for group in groups:
        for machine in filter(is_converted, group.machines):
            place = machine.conversion.places_at if machine.conversion else now.get(machine.source)
            if place is not None:
                users[place].add(reference(group.namespace, group.conversion_account))
    result: defaultdict[str, tuple[Places, ...]] = defaultdict(tuple)
    for place, accounts in sorted(users.items()):
        namespace, name = apart(place)
        result[namespace] += (Places(name=name, accounts=tuple(sorted(accounts))),)
    return result
