"""Every VM with the values that reports count by, so that each number in a report leads to its VMs.

A number is counted with `Picked`, which remembers how its VMs were picked: by values of columns of the table of VMs
(`FACETS`). The table filtered by them shows exactly these VMs.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal

from msgspec import Struct

from vmferry.estate.network_map import NetworkMap, network_map
from vmferry.estate.routing import auto, specialities
from vmferry.estate.stages import running
from vmferry.kube.quantity import parse_size
from vmferry.model.blueprint import Group
from vmferry.model.finding import Finding, Path, Severity
from vmferry.model.inventory import InventoryNetwork
from vmferry.model.keys import VmKey
from vmferry.model.report import Cell, Facets
from vmferry.model.review import Review, Subject
from vmferry.model.spec import SimilarVms, VirtualMachine

UNKNOWN = "unknown"
NONE = "none"

Total = Literal["vcpus", "memory", "capacity", "moving", "used"]
"""A `Measure` that is a sum."""

_GIB = 1 << 30
_TIB = 1 << 40
_SIZES = ((4 * _GIB, "up to 4 GiB"), (16 * _GIB, "up to 16 GiB"), (64 * _GIB, "up to 64 GiB"))
_DISKS = ((100 * _GIB, "up to 100 GiB"), (_TIB, "up to 1 TiB"), (10 * _TIB, "up to 10 TiB"))
_ABOVE = {"size": "over 64 GiB", "disk": "over 10 TiB"}
_ORDERS: Mapping[str, tuple[str, ...]] = {
    "size": (*(name for _, name in _SIZES), _ABOVE["size"], UNKNOWN),
    "disk": (*(name for _, name in _DISKS), _ABOVE["disk"], UNKNOWN),
}
_POWER = {"poweredOn": "on", "poweredOff": "off", "suspended": "suspended"}
_RANK: Mapping[str, int] = {"error": 0, "warning": 1, "info": 2}


class Vm(Struct, frozen=True, kw_only=True):
    """A VM. Sizes are in bytes; None is unknown. ``capacity`` is that of the disks that move with it or stay with it.

    ``moving`` is that of the disks that move: none of a VM that stays, or is rebuilt. A disk that several VMs share
    counts for the one that brings it.
    """

    key: VmKey
    name: str
    source: str
    disposition: str
    path: str
    why: str  # why by this path, or why it stays
    method: str
    phase: str
    group: str
    stage: str
    moved: str
    namespace: str
    pool: str
    os: str
    system: str
    power: str
    datacenter: str
    cluster: str
    host: str
    hardware: str
    size: str
    disk_size: str
    vcpus: int | None
    memory: int | None
    capacity: int
    moving: int
    used: int | None
    datastores: tuple[str, ...]
    networks: tuple[str, ...]
    attached: tuple[str, ...]  # rows of the network map, by their names in the target
    classes: tuple[str, ...]
    traits: tuple[str, ...]
    worst: str
    codes: tuple[str, ...]


FACETS: Mapping[str, Callable[[Vm], tuple[str, ...]]] = {
    "key": lambda vm: (vm.key,),
    "source": lambda vm: (vm.source,),
    "disposition": lambda vm: (vm.disposition,),
    "moves": lambda vm: ("no" if vm.path == NONE else "yes",),
    "path": lambda vm: (vm.path,),
    "why": lambda vm: (vm.why,),
    "method": lambda vm: (vm.method,),
    "phase": lambda vm: (vm.phase,),
    "group": lambda vm: (vm.group,),
    "stage": lambda vm: (vm.stage,),
    "moved": lambda vm: (vm.moved,),
    "namespace": lambda vm: (vm.namespace,),
    "pool": lambda vm: (vm.pool,),
    "os": lambda vm: (vm.os,),
    "system": lambda vm: (vm.system,),
    "power": lambda vm: (vm.power,),
    "datacenter": lambda vm: (vm.datacenter,),
    "cluster": lambda vm: (vm.cluster,),
    "host": lambda vm: (vm.host,),
    "hardware": lambda vm: (vm.hardware,),
    "size": lambda vm: (vm.size,),
    "disk": lambda vm: (vm.disk_size,),
    "datastore": lambda vm: vm.datastores,
    "network": lambda vm: vm.networks,
    "target network": lambda vm: vm.attached,
    "class": lambda vm: vm.classes,
    "trait": lambda vm: vm.traits,
    "worst": lambda vm: (vm.worst,),
    "code": lambda vm: vm.codes,
}
"""The columns that VMs are picked by; the table of VMs has them all under these names. Some have several values."""


class Picked(Struct, frozen=True):
    """VMs, and how they were picked from all of them."""

    vms: tuple[Vm, ...]
    facets: Facets = ()

    def where(self, column: str, value: str) -> "Picked":
        """Return those with a value. Raises KeyError for an unknown column."""
        values = FACETS[column]
        return Picked(tuple(vm for vm in self.vms if value in values(vm)), (*self.facets, (column, value)))

    def by(self, column: str) -> list[tuple[str, "Picked"]]:
        """Return those with each value of a column: most VMs first, sizes in their order. Raises KeyError."""
        values = FACETS[column]
        found: defaultdict[str, list[Vm]] = defaultdict(list)
        for vm in self.vms:
            for value in values(vm):
                found[value].append(vm)
        rows = [(value, Picked(tuple(vms), (*self.facets, (column, value)))) for value, vms in found.items()]
        order = _ORDERS.get(column, ())
        return sorted(rows, key=lambda row: (order.index(row[0]) if row[0] in order else -1, -len(row[1].vms), row[0]))

    @property
    def count(self) -> Cell:
        """Return how many they are."""
        return Cell(len(self.vms), of=self.facets)

    def total(self, column: Total) -> Cell:
        """Return a sum over them; None if it is unknown for all. See `lacking` for how many it is unknown."""
        known = [value for vm in self.vms if (value := getattr(vm, column)) is not None]
        return Cell(sum(known) if known or not self.vms else None, of=self.facets, counts=column)

    def lacking(self, column: Total) -> int:
        """Return for how many of them a value is unknown."""
        return sum(getattr(vm, column) is None for vm in self.vms)


def census(review: Review, findings: Iterable[Finding], standard: Mapping[str, int]) -> Picked:
    """Return every VM of a migration, sorted by key. ``standard``: see `estate.routing.auto`."""
    codes = _codes(findings, review.subjects)
    left = {item.key: item.reason for item in review.blueprint.left}
    reasons = {
        key: next((each.reason for each in found if each.subject == "path"), "")
        for key, found in review.blueprint.decisions.items()
    }
    brought = {
        (subject.source, disk.shared)
        for subject in review.subjects
        if subject.machine is not None
        for disk in subject.machine.disks
        if disk.shared is not None and disk.owner
    }
    known = network_map(review.spec.networks, review.project.where)
    names = datastore_names(review)
    return Picked(
        tuple(
            _vm(subject, review, codes[subject.key], left, reasons, _capacity(subject, brought), standard, known, names)
            for subject in review.subjects
        )
    )


def datastore_names(review: Review) -> dict[tuple[str, str], str]:
    """Return the names of datastores by source and id."""
    return {
        (part.source.name, datastore.id): datastore.name
        for part in review.project.inventories
        for datastore in part.datastores
        if datastore.id is not None
    }


def meant(findings: Iterable[Finding], subjects: Iterable[Subject]) -> Iterator[tuple[Finding, list[VmKey]]]:
    """Yield each finding with the keys of the VMs that it is about.

    Of several VMs with the same name it is about the one whose entry contains its place; about all of them, if none
    does.
    """
    subjects = tuple(subjects)
    named: defaultdict[str, list[VmKey]] = defaultdict(list)
    for subject in subjects:
        named[subject.name].append(subject.key)
    entries = {(subject.where.file, subject.where.document, subject.where.path): subject for subject in subjects}
    for finding in findings:
        keys = []
        for name in finding.vms:
            keys += named[name] if len(named[name]) < 2 else _at_entry(finding, name, entries) or named[name]
        yield finding, keys


def _at_entry(finding: Finding, name: str, entries: Mapping[tuple[str, int, Path], Subject]) -> list[VmKey]:
    where = finding.where
    if where is None:
        return []
    around = (entries.get((where.file, where.document, where.path[:steps])) for steps in range(len(where.path) + 1))
    return [subject.key for subject in around if subject is not None and subject.name == name]


def _codes(findings: Iterable[Finding], subjects: Iterable[Subject]) -> defaultdict[VmKey, dict[str, Severity]]:
    """Return the codes of each VM's findings, with their severity."""
    found: defaultdict[VmKey, dict[str, Severity]] = defaultdict(dict)
    for finding, keys in meant(findings, subjects):
        for key in keys:
            if finding.code not in found[key] or _RANK[finding.severity] < _RANK[found[key][finding.code]]:
                found[key][finding.code] = finding.severity
    return found


def _capacity(subject: Subject, brought: set[tuple[str, str]]) -> int:
    """Return the bytes of a VM's disks; a shared one counts once, with the VM that brings it or comes first."""
    if subject.machine is not None and subject.machine.disks:
        return sum(disk.size for disk in subject.machine.disks if disk.owner)
    size = 0
    for disk in subject.vm.disks or ():
        if disk.shared is not None:
            if (subject.source, disk.shared) in brought:
                continue
            brought.add((subject.source, disk.shared))
        size += _bytes(disk.size) or 0
    return size


def _vm(
    subject: Subject,
    review: Review,
    codes: Mapping[str, Severity],
    left: Mapping[VmKey, str],
    reasons: Mapping[VmKey, str],
    capacity: int,
    standard: Mapping[str, int],
    known: NetworkMap,
    names: Mapping[tuple[str, str], str],
) -> Vm:
    vm, machine, group = subject.vm, subject.machine, subject.group
    path, why = _path(subject, standard, review.spec.settings.auto)
    memory = machine.memory if machine is not None and machine.memory else _bytes(vm.memory)
    networks = {_named(review.networks, subject.source, nic.network) for nic in vm.nics or ()}
    rows = (known.of_nic(subject.source, nic, vm.datacenter).row for nic in vm.nics or ())
    datastores = {names.get((subject.source, each), each) for disk in vm.disks or () if (each := disk.datastore)}
    return Vm(
        key=subject.key,
        name=subject.name,
        source=subject.source,
        disposition=subject.disposition or "migrate",
        path=path or NONE,
        why=left.get(subject.key) or reasons.get(subject.key) or why,
        method=machine.method if machine is not None else NONE,
        phase=machine.phase if machine is not None else (subject.decisions.phase or NONE) if path else NONE,
        group=group.name if group is not None else NONE,
        stage=group.stage if group is not None else NONE,
        moved=_moved(group) if path else NONE,
        namespace=machine.namespace if machine is not None else NONE,
        pool=vm.resource_pool or NONE,
        os=vm.os or UNKNOWN,
        system=vm.guest_tools_name or vm.guest_name or vm.guest_id or UNKNOWN,
        power=_POWER.get(vm.power_state or "", UNKNOWN),
        datacenter=vm.datacenter or UNKNOWN,
        cluster=vm.cluster or UNKNOWN,
        host=vm.host or UNKNOWN,
        hardware=vm.hardware_version or UNKNOWN,
        size=_class_of(memory, _SIZES, _ABOVE["size"]),
        disk_size=_class_of(capacity, _DISKS, _ABOVE["disk"]),
        vcpus=_vcpus(subject),
        memory=memory,
        capacity=capacity,
        moving=sum(disk.size for disk in machine.disks if disk.owner)
        if machine is not None
        else (capacity if path not in ("", "rebuild") else 0),
        used=vm.used_storage,
        datastores=tuple(sorted(datastores)) or (NONE,),
        networks=tuple(sorted(networks)) or (NONE,),
        attached=tuple(sorted({row.name for row in rows if row is not None})) or (NONE,),
        classes=tuple(sorted({disk.storage_class for disk in machine.disks})) if machine is not None else (),
        traits=tuple(_traits(subject)),
        worst=min(codes.values(), key=_RANK.__getitem__, default=NONE),
        codes=tuple(sorted(codes)),
    )


def _named(networks: Mapping[tuple[str, str], InventoryNetwork], source: str, network: str) -> str:
    """Return the name of a network that a NIC may name by its id."""
    fact = networks.get((source, network))
    return fact.name if fact is not None else network


def _vcpus(subject: Subject) -> int | None:
    """Return the vCPUs that a VM gets, or has where the cluster or nobody decides that."""
    machine, cpu = subject.machine, subject.vm.cpu
    if cpu is None or machine is None or machine.application is not None or machine.instancetype is not None:
        return cpu.count if cpu is not None else None
    return machine.sockets * machine.cores * machine.threads


def _moved(group: Group | None) -> str:
    """Return whether VMs that move have done so: `yes`, `no`, or `waits` while they are on hold or rolled back."""
    if group is None:
        return "no"
    if running(group.stage):
        return "yes"
    return "waits" if group.stage == "rolled-back" or group.hold is not None else "no"


def _path(subject: Subject, standard: Mapping[str, int], settings: SimilarVms) -> tuple[str, str]:
    """Return the path of a VM and why, even where errors keep it from being decided; "" for one that stays."""
    if subject.machine is not None:
        return subject.machine.path, ""
    if subject.disposition not in (None, "migrate", "rebuild"):
        return "", subject.decisions.reason or ""
    chosen = "rebuild" if subject.disposition == "rebuild" else subject.decisions.path
    if chosen is not None and chosen != "auto":
        return chosen, "the spec says so"
    found = auto(subject.vm, subject.source, standard.get(subject.source, 0), settings)
    return found.path, found.reason


def _class_of(size: int | None, classes: Iterable[tuple[int, str]], above: str) -> str:
    if size is None:
        return UNKNOWN
    return next((name for most, name in classes if size <= most), above)


def _bytes(size: str | None) -> int | None:
    return parse_size(size) if size is not None else None


def _traits(subject: Subject) -> Iterator[str]:
    """Yield what makes a VM harder to move than most."""
    vm = subject.vm
    yield from (each.removeprefix("it ") for each in specialities(vm) if vm.clone_of is None or vm.clone_of not in each)
    facts = {
        "snapshots": bool(vm.snapshots),
        "encrypted": bool(vm.encrypted),
        "vTPM": bool(vm.vtpm),
        "disk over 2 TiB": any((_bytes(disk.size) or 0) > 2 * _TIB for disk in vm.disks or ()),
        "hardware version before vmx-13": _age(vm) < _OLD_HARDWARE,
        "suspended": vm.power_state == "suspended",
        "USB controller": bool(vm.usb),
    }
    yield from (name for name, holds in facts.items() if holds)


_OLD_HARDWARE = 13  # ESXi 6.5, out of support since October 2022; older ones show the guest another UUID (smbios)


def _age(vm: VirtualMachine) -> float:
    """Return the number of a VM's hardware version; infinity if it is unknown."""
    number = (vm.hardware_version or "").removeprefix("vmx-")
    return int(number) if number.isdecimal() else math.inf
