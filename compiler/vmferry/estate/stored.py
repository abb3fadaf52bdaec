"""How much storage a class needs: claims in full or only what is in use, with growth, snapshots and copies."""

import math
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import NamedTuple

from vmferry.estate.volumes import disk_facts, volumes_of
from vmferry.kube.quantity import parse_size
from vmferry.model.blueprint import Machine
from vmferry.model.facts import Disk
from vmferry.model.spec import SizingSettings, StorageClass, VirtualMachine


class Stored(NamedTuple):
    """A volume in the target: its class, or "" before one is chosen, its claim and what is in use of it, in bytes."""

    storage_class: str
    claim: int
    used: int


class Plan(NamedTuple):
    """Bytes that a class has to hold, and raw bytes with its copies; None: its number of copies is not stated."""

    held: int
    raw: int | None


def stored(vm: VirtualMachine, machine: Machine | None, brought: Container[str | None] = ()) -> Iterator[Stored]:
    """Yield the volumes of a VM. Of a thin disk only what is in use counts as used, if vSphere knows that.

    ``brought``: shared disks that another VM has, which count for that one while there is no machine.
    """
    free = _free_share(vm.disks or (), vm.used_storage)
    if machine is None:
        for disk in vm.disks or ():
            if disk.shared is not None and disk.shared in brought:
                continue
            yield Stored("", parse_size(disk.size), _used(parse_size(disk.size), disk, free))
        return
    facts: Mapping[str, Disk] = disk_facts(vm, machine)
    for volume in volumes_of(machine):
        for _ in range(volume.copies):
            yield Stored(volume.storage_class, volume.claim, _used(volume.claim, facts.get(volume.name), free))


def planned(size: int, item: StorageClass | None, sizing: SizingSettings) -> Plan:
    """Return what a class has to hold once its data has grown, with snapshots, unless it can have none."""
    snapshots = 0 if item is not None and item.snapshots is False else sizing.snapshot_reserve
    held = math.ceil(size * (100 + sizing.growth) * (100 + snapshots) / 10_000)
    copies = item.replication if item is not None else None
    return Plan(held, None if copies is None else math.ceil(held * copies * 100 / sizing.max_fill))


def _free_share(disks: Iterable[Disk], used: int | None) -> float:
    """Return which share of a VM's thin disks is not in use; 0 if unknown."""
    disks = tuple(disks)
    thin = sum(parse_size(disk.size) for disk in disks if disk.thin)
    if used is None or not thin:
        return 0.0
    thick = sum(parse_size(disk.size) for disk in disks) - thin
    return 1 - min(max(used - thick, 0), thin) / thin


def _used(claim: int, disk: Disk | None, free: float) -> int:
    return math.ceil(claim * (1 - free)) if disk is not None and disk.thin else claim
