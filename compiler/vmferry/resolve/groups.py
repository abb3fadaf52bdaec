"""Which VMs move together: move groups, cut by what a group must share, and kept where they are."""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping

from vmferry.model.assignments import Assignments
from vmferry.model.blueprint import Machine
from vmferry.model.finding import Where
from vmferry.model.spec import MigrationSpec, Phase
from vmferry.resolve.journal import Journal

MAX_RESOURCES = 280
"""Objects of one group: a root holds 300 at most, since kustomize is quadratic in their number."""

_SHARED_OBJECTS = 6  # maps and Plan, or access of the Jobs


class _Bin:
    """A group while it is filled."""

    def __init__(self, name: str, key: Hashable) -> None:
        self.name = name
        self.key = key
        self.machines: list[Machine] = []
        self.resources = _SHARED_OBJECTS
        self.classes: dict[str, Hashable] = {}  # datastore -> StorageMap row

    def takes(self, atom: tuple[Machine, ...], limit: int) -> bool:
        """Return whether the atom fits: same plan-level settings, room, no other StorageClass for a datastore."""
        if _key(atom[0]) != self.key or len(self.machines) + len(atom) > limit:
            return False
        if self.resources + sum(resources(machine) for machine in atom) > MAX_RESOURCES:
            return False
        return all(self.classes.get(datastore, row) == row for datastore, row in _rows(atom))

    def add(self, atom: tuple[Machine, ...]) -> None:
        self.machines += atom
        self.resources += sum(resources(machine) for machine in atom)
        self.classes.update(_rows(atom))


def resources(machine: Machine) -> int:
    """Return how many objects a machine adds to the roots of its group."""
    services = bool(machine.ports)
    if machine.path == "forklift":
        return services
    if machine.path == "rebuild":
        return 6 + len(machine.state)
    return 2 + services + 2 * len(machine.disks)


def _key(machine: Machine) -> Hashable:
    """Return what all machines of a group share."""
    placement = machine.placement
    shared: tuple[Hashable, ...] = (
        machine.phase,
        machine.path,
        machine.method,
        machine.namespace,
        machine.source,
    )
    if machine.path == "forklift":  # a Plan has one of each for all its VMs
        shared += (
            tuple(sorted(placement.labels.items())),
            tuple(sorted(placement.node_selector.items())),
            placement.tolerations,
            placement.apart_from,
            machine.preserve_static_ips,
            machine.transfer_network,
        )
    return shared


def _rows(atom: Iterable[Machine]) -> list[tuple[str, Hashable]]:
    """Return the rows of a StorageMap that path A needs; a datastore has one row in a Plan."""
    return [
        (disk.datastore.name, (disk.storage_class, disk.access_mode, disk.volume_mode))
        for machine in atom
        if machine.path == "forklift"
        for disk in machine.disks
        if disk.datastore is not None
    ]


def cut(
    machines: Mapping[str, Machine],
    ties: Iterable[frozenset[str]],
    spec: MigrationSpec,
    phases: tuple[Phase, ...],
    assignments: Assignments | None,
    closed: frozenset[str],
    where: Where,
    journal: Journal,
) -> dict[str, str]:
    """Return the group of each machine by key.

    ``ties`` are VMs that must move together. ``closed`` names frozen groups: nobody joins them. A
    planned VM stays in the group it was in as long as it fits; new ones fill planned groups first.
    """
    known = {key: item.group for key, item in assignments.vms.items()} if assignments else {}
    limits = {phase.name: phase.max_vms or spec.settings.grouping.max_vms for phase in phases}
    bins: defaultdict[str, list[_Bin]] = defaultdict(list)
    used = set(closed)
    atoms = sorted(_atoms(machines, ties, where, journal), key=lambda atom: (str(_key(atom[0])), atom[0].key))
    new: list[tuple[Machine, ...]] = []
    for atom in atoms:
        group = known.get(atom[0].key, "")
        phase = atom[0].phase
        stays = group not in closed and _belongs(group, phase) and all(known.get(m.key) == group for m in atom)
        if not stays or not _join(bins[phase], atom, limits.get(phase, 1), only=group):
            new.append(atom)
            continue
        used.add(group)
    for atom in new:
        phase = atom[0].phase
        limit = max(limits.get(phase, 1), len(atom))
        if not _join(bins[phase], atom, limit):
            name = _next_name(phase, used)
            used.add(name)
            fresh = _Bin(name, _key(atom[0]))
            if not fresh.takes(atom, limit):
                _too_large(atom, where, journal)
            fresh.add(atom)
            bins[phase].append(fresh)
    return {machine.key: item.name for found in bins.values() for item in found for machine in item.machines}


def _join(bins: list[_Bin], atom: tuple[Machine, ...], limit: int, *, only: str | None = None) -> bool:
    """Put the atom into the first group that takes it; ``only`` names the one it was in."""
    if only is not None:
        own = next((item for item in bins if item.name == only), None)
        if own is None:
            own = _Bin(only, _key(atom[0]))
            bins.append(own)
        bins = [own]
    for item in bins:
        if item.takes(atom, max(limit, len(atom) if not item.machines else limit)):
            item.add(atom)
            return True
    return False


def _belongs(group: str, phase: str) -> bool:
    return re.fullmatch(re.escape(phase) + r"-[0-9]{2,}", group) is not None


def _next_name(phase: str, used: set[str]) -> str:
    number = 1
    while (name := f"{phase}-{number:02d}") in used:
        number += 1
    return name


def _atoms(
    machines: Mapping[str, Machine], ties: Iterable[frozenset[str]], where: Where, journal: Journal
) -> Iterable[tuple[Machine, ...]]:
    """Yield the sets of machines that cannot be taken apart, each sorted by key."""
    parent = {key: key for key in machines}

    def root(key: str) -> str:
        while parent[key] != key:
            key = parent[key]
        return key

    for tie in ties:
        first, *others = sorted(key for key in tie if key in machines) or [""]
        for other in others:
            parent[root(other)] = root(first)
    sets: defaultdict[str, list[Machine]] = defaultdict(list)
    for key in sorted(machines):
        sets[root(key)].append(machines[key])
    for members in sets.values():
        if len({_key(member) for member in members}) > 1:
            _disagree(members, where, journal)
        yield tuple(members)


def _disagree(members: list[Machine], where: Where, journal: Journal) -> None:
    names = tuple(member.name for member in members)
    fields = ("phase", "path", "method", "namespace", "source", "placement")
    differing = [field for field in fields if len({str(getattr(member, field)) for member in members}) > 1]
    journal.find(
        "VMF408",
        f"VMs {', '.join(names)} must move together and differ in {', '.join(differing) or 'plan-level settings'}",
        "they share a disk or depend on each other in a circle: decide the same for all of them",
        where=where.at("vms") if where.path else where,
        vms=names,
    )


def _too_large(atom: tuple[Machine, ...], where: Where, journal: Journal) -> None:
    names = tuple(machine.name for machine in atom)
    journal.find(
        "VMF405",
        f"VMs {', '.join(names[:20])} must move together and need more than {MAX_RESOURCES} objects",
        "kustomize and Argo CD cannot build such a root in time; break the circle of dependencies",
        where=where,
        vms=names,
    )
