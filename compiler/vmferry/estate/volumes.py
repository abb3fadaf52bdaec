"""The volumes of a machine in the target, and the disks in vSphere that they come from."""

from collections.abc import Iterator
from typing import NamedTuple

from vmferry.estate.sizing import disk_storage
from vmferry.model.blueprint import Machine
from vmferry.model.facts import Disk
from vmferry.model.spec import VirtualMachine


class Volume(NamedTuple):
    """A volume that a machine's base creates: its claim in bytes, and how many there are of it."""

    name: str
    storage_class: str
    claim: int
    copies: int = 1


def volumes_of(machine: Machine) -> Iterator[Volume]:
    """Yield the volumes that a machine's base creates; those of a shared disk once, with their owner."""
    for disk in machine.disks:
        if disk.owner:
            yield Volume(disk.name, disk.storage_class, disk_storage(disk))
    application = machine.application
    for state in machine.state:  # a StatefulSet has one volume a replica, unless all mount the same
        each = application is not None and application.kind == "StatefulSet" and state.access_mode != "ReadWriteMany"
        copies = application.replicas if application is not None and each else 1
        yield Volume(state.name, state.storage_class, state.size, copies)


def disk_facts(vm: VirtualMachine, machine: Machine) -> dict[str, Disk]:
    """Return vSphere's facts on each disk by its name in the target, matched by VMDK, because the order may differ."""
    given = vm.disks or ()
    if len(given) == 1 == len(machine.disks):
        return {machine.disks[0].name: given[0]}
    files = {disk.file: disk for disk in given if disk.file is not None}
    return {disk.name: files[disk.file] for disk in machine.disks if disk.file in files}
