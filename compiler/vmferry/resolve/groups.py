"""Which VMs move together: move groups, split by what a group must share, and stable over time."""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple

from msgspec.json import encode

from vmferry.kube.limits import MAX_OF_GROUP
from vmferry.model.assignments import Assignments
from vmferry.model.blueprint import Machine, MachineDisk, StateVolume
from vmferry.model.finding import Where
from vmferry.model.keys import VmKey
from vmferry.model.rule import declare
from vmferry.model.spec import MigrationSpec, Phase
from vmferry.resolve.notes import Noting

_SHARED_OBJECTS = 6  # maps and Plan, or access of the Jobs


class _Atom(NamedTuple):
    """Inseparable machines, and their requirements on a group."""

    key: Hashable  # what all machines of the group share
    machines: tuple[Machine, ...]
    resources: int
    rows: tuple[tuple[str, Hashable], ...]  # datastore and its row in the StorageMap


class _Bin:
    """A group while it is filled."""

    def __init__(self, name: str, key: Hashable) -> None:
        self.name = name
        self.key = key
        self.machines: list[Machine] = []
        self.resources = _SHARED_OBJECTS
        self.classes: dict[str, Hashable] = {}  # datastore -> StorageMap row

    def takes(self, atom: _Atom, limit: int) -> bool:
        """Return whether the atom fits: same plan-level settings, room, no other StorageClass for a datastore."""
        if atom.key != self.key or len(self.machines) + len(atom.machines) > limit:
            return False
        if self.resources + atom.resources > MAX_OF_GROUP:
            return False
        return all(self.classes.get(datastore, row) == row for datastore, row in atom.rows)

    def add(self, atom: _Atom) -> None:
        self.machines += atom.machines
        self.resources += atom.resources
        self.classes.update(atom.rows)


class _Bins:
    """All groups while they are filled, by name; those with room also by what their machines share."""

    def __init__(self, closed: Iterable[str]) -> None:
        self.named: dict[str, _Bin] = {}
        self._taken = set(closed)
        self._open: defaultdict[Hashable, list[_Bin]] = defaultdict(list)
        self._numbers: defaultdict[str, int] = defaultdict(int)  # by phase, those that are certainly taken

    def keep(self, atom: _Atom, name: str, limit: int) -> bool:
        """Keep the atom in its previous group, unless it no longer fits."""
        own = self.named.get(name) or _Bin(name, atom.key)
        if not own.takes(atom, limit if own.machines else max(limit, len(atom.machines))):
            return False
        if name not in self.named:
            self._register(own)
        own.add(atom)
        return True

    def place(self, atom: _Atom, limit: int) -> bool:
        """Put the atom into the first group that accepts it."""
        # without full groups, the search takes the same time however many groups there are
        candidates = self._open[atom.key] = [item for item in self._open[atom.key] if len(item.machines) < limit]
        for item in candidates:
            if item.takes(atom, limit):
                item.add(atom)
                return True
        return False

    def open(self, atom: _Atom, phase: str) -> bool:
        """Put the atom into a new group; return whether it fits into any."""
        while (name := f"{phase}-{self._numbers[phase] + 1:02d}") in self._taken:
            self._numbers[phase] += 1
        fresh = _Bin(name, atom.key)
        fits = fresh.takes(atom, len(atom.machines))
        self._register(fresh)
        fresh.add(atom)
        return fits

    def _register(self, item: _Bin) -> None:
        self.named[item.name] = item
        self._taken.add(item.name)
        self._open[item.key].append(item)


def resources(machine: Machine) -> int:
    """Return how many objects a machine adds to the roots of its group."""
    services = bool(machine.ports)
    if machine.path == "forklift":
        return services
    if machine.path == "rebuild":
        return 6 + sum(_claims(machine, volume) for volume in machine.state)
    return 2 + services + 2 * len(machine.disks)


def _claims(machine: Machine, volume: StateVolume) -> int:
    """Return the number of claims of a volume: each replica of a StatefulSet has its own, unless they can share one."""
    application = machine.application
    own = application is not None and application.kind == "StatefulSet" and volume.access_mode != "ReadWriteMany"
    return application.replicas if own and application is not None else 1


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
        if machine.forklift is not None:
            shared += (encode(machine.forklift, order="sorted").decode(),)
    return shared


def _atom(machines: tuple[Machine, ...]) -> _Atom:
    """Return machines with their requirements on a group; a datastore has one row in a Plan of path A."""
    rows = (
        (disk.datastore.name, (disk.storage_class, disk.access_mode, disk.volume_mode, *_array(disk)))
        for machine in machines
        if machine.path == "forklift"
        for disk in machine.disks
        if disk.datastore is not None
    )
    return _Atom(_key(machines[0]), machines, sum(resources(machine) for machine in machines), tuple(rows))


def _array(disk: MachineDisk) -> tuple[str, ...]:
    """Return the storage array's copy settings in a disk's row."""
    return () if disk.offload is None else (encode(disk.offload, order="sorted").decode(),)


def cut(
    machines: Mapping[VmKey, Machine],
    ties: Iterable[frozenset[VmKey]],
    spec: MigrationSpec,
    phases: tuple[Phase, ...],
    assignments: Assignments | None,
    closed: frozenset[str],
    places: Mapping[VmKey, Where],
    own: Mapping[VmKey, str],
) -> Noting[dict[VmKey, str]]:
    """Return the group of each machine by key.

    ``ties`` are VMs that must move together. ``closed`` are frozen groups, which no VM joins. A planned VM stays in its
    group as long as it fits; new ones fill planned groups first. ``own`` are groups that VMs have for themselves.
    """
    known = {key: item.group for key, item in assignments.vms.items()} if assignments else {}
    limits = {phase.name: phase.max_vms or spec.settings.grouping.max_vms for phase in phases}
    bins = _Bins(closed)
    together = yield from _atoms(machines, ties, places)
    atoms = sorted(
        (_atom(members) for members in together),
        key=lambda atom: (str(atom.key), atom.machines[0].key),
    )
    new: list[_Atom] = []
    for atom in atoms:
        first = atom.machines[0]
        if (name := own.get(first.key)) is not None:
            if any(own.get(member.key) != name for member in atom.machines) or not bins.keep(atom, name, MAX_OF_GROUP):
                yield from _cannot_leave(name, atom.machines, places)
            continue
        group = known.get(first.key, "")
        stays = (
            group not in closed
            and _belongs(group, first.phase)
            and all(known.get(m.key) == group for m in atom.machines)
        )
        if not stays or not bins.keep(atom, group, limits.get(first.phase, 1)):
            new.append(atom)
    for atom in new:
        phase = atom.machines[0].phase
        if not bins.place(atom, limits.get(phase, 1)) and not bins.open(atom, phase):
            yield from _too_large(atom.machines, places)
    return {machine.key: item.name for item in bins.named.values() for machine in item.machines}


def _cannot_leave(name: str, members: tuple[Machine, ...], places: Mapping[VmKey, Where]) -> Noting[None]:
    """Report VMs that a group of their own would separate from others, or that cannot share one."""
    names = tuple(member.name for member in members)
    yield TIED_VMS_APART.finding(
        f"VMs {', '.join(names)} cannot be in group {name}: some must move with others, or they share no plan",
        "list all VMs that must move together in `vms`, or give each a group of its own",
        where=places[members[0].key],
        vms=names,
    )


def _belongs(group: str, phase: str) -> bool:
    return re.fullmatch(re.escape(phase) + r"-[0-9]{2,}", group) is not None


def _atoms(
    machines: Mapping[VmKey, Machine], ties: Iterable[frozenset[VmKey]], places: Mapping[VmKey, Where]
) -> Noting[list[tuple[Machine, ...]]]:
    """Return the sets of inseparable machines, each sorted by key."""
    parent = {key: key for key in machines}

    def root(key: VmKey) -> VmKey:
        while parent[key] != key:
            key = parent[key]
        return key

    for tie in ties:
        here = sorted(key for key in tie if key in machines)
        for other in here[1:]:
            parent[root(other)] = root(here[0])
    sets: defaultdict[VmKey, list[Machine]] = defaultdict(list)
    for key in sorted(machines):
        sets[root(key)].append(machines[key])
    for members in sets.values():
        yield from _check_rows(members, places)
        if len({_key(member) for member in members}) > 1:
            yield from _disagree(members, places)
    return [tuple(members) for members in sets.values()]


TIED_VMS_APART = declare(
    "VMF408",
    "error",
    "tied VMs cannot share a group",
    why="VMs that share a disk or depend on each other in a cycle go into one group, and a group has one namespace, "
    "one path and one set of maps, as a Forklift Plan has. If their decisions differ, one of them would get the "
    "other's.",
    source="kubev2v/forklift operator/config/crd/bases (Plan, StorageMap)",
)


def _check_rows(members: list[Machine], places: Mapping[VmKey, Where]) -> Noting[None]:
    """Report disks of one datastore that need different classes within inseparable VMs."""
    rows: dict[str, Hashable] = {}
    for datastore, row in _atom(tuple(members)).rows:
        if rows.setdefault(datastore, row) != row:
            names = tuple(member.name for member in members)
            yield TIED_VMS_APART.finding(
                f"VM {names[0]}: disks on datastore {datastore} need different StorageClasses, but a Plan has only one "
                "per datastore",
                "use path virt-v2v, or the same class for both",
                where=places[members[0].key],
                vms=names,
            )


def _disagree(members: list[Machine], places: Mapping[VmKey, Where]) -> Noting[None]:
    names = tuple(member.name for member in members)
    fields = ("phase", "path", "method", "namespace", "source", "placement", "forklift")
    differing = [field for field in fields if len({str(getattr(member, field)) for member in members}) > 1]
    yield TIED_VMS_APART.finding(
        f"VMs {', '.join(names)} must move together, but differ in {', '.join(differing) or 'plan-level settings'}",
        "they share a disk or form a dependency cycle: make the same decisions for all of them",
        where=places[members[0].key],
        vms=names,
    )


GROUP_TOO_LARGE = declare(
    "VMF405",
    "error",
    "group cannot be kept under the resource limit",
    why="What moves together is built and applied as one root, and kustomize takes four times as long for twice as "
    "many objects; Argo CD stops waiting after 90 seconds. A VM with very many disks, or a large dependency "
    "cycle, cannot be split any further.",
    source="kubernetes-sigs/kustomize issue 5084; argoproj/argo-cd docs/operator-manual/high_availability.md",
)


def _too_large(atom: tuple[Machine, ...], places: Mapping[VmKey, Where]) -> Noting[None]:
    names = tuple(machine.name for machine in atom)
    if len(atom) == 1:
        message = f"VM {names[0]} needs {resources(atom[0])} objects, more than the {MAX_OF_GROUP} of a group"
        fix = "give it fewer disks"
        if atom[0].path == "rebuild":
            fix = "each replica has a claim for each volume of `state`: lower `replicas`, or set shared: true"
    else:
        message = f"VMs {', '.join(names[:20])} must move together and need more than {MAX_OF_GROUP} objects"
        fix = "break the dependency cycle"
    yield GROUP_TOO_LARGE.finding(
        message,
        f"kustomize and Argo CD cannot build such a root in time; {fix}",
        where=places[atom[0].key],
        vms=names,
    )
