"""Snapshots before acceptance: what they are called, and why a VM cannot have one.

KubeVirt takes a VirtualMachineSnapshot without the volumes that it cannot snapshot, and calls that a success
(kubevirt/kubevirt pkg/storage/snapshot/snapshot.go, createContent and getSnapshotPVC): a restore would then bring back
some of the disks. So it is decided here, before anything is emitted.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from vmferry.kube.dns import suffixed
from vmferry.model.blueprint import Group, Machine
from vmferry.model.spec import StorageClass


class Obstacle(NamedTuple):
    """Why a VM cannot be snapshotted, and how to change that."""

    what: str
    fix: str


def snapshot_name(machine: Machine, attempt: int) -> str:
    """Return the name of a VM's snapshot: a new one for each attempt, which makes another VM."""
    return suffixed(machine.target_name, f"acceptance-{attempt}")


def has_volumes(machine: Machine) -> bool:
    """Return whether there will be a VM with disks; of a rebuilt application or a golden image there is none."""
    return machine.path != "rebuild" and not machine.golden and bool(machine.disks)


def obstacle(machine: Machine, classes: Mapping[str, StorageClass]) -> Obstacle | None:
    """Return the first reason why not all disks of a VM can be snapshotted. ``classes`` are those of the spec."""
    for disk in machine.disks:
        if disk.shared is not None:
            return Obstacle(
                f"{disk.name} is shared with other VMs: restored, it would be a copy of its own",
                "back up the disk from within its cluster software, and suppress this with that reason",
            )
    names = dict.fromkeys(disk.storage_class for disk in machine.disks)
    unknown = [name for name in names if name not in classes or classes[name].snapshots is None]
    for name in names:
        if name in classes and classes[name].snapshots is False:
            return Obstacle(
                f"StorageClass {name} cannot snapshot (snapshots: false)",
                "choose a class with snapshots: true before its group is prepared, or back it up in another way and "
                "suppress this with that reason",
            )
    if unknown:
        return Obstacle(
            f"it is unknown whether StorageClass {unknown[0]} can snapshot",
            "state `snapshots: true` or `false` of it in storage.classes; it can if `kubectl get volumesnapshotclass` "
            "shows its provisioner as a driver",
        )
    return None


def snapshotted(group: Group) -> Iterable[Machine]:
    """Return the VMs of a group that get a snapshot."""
    return (machine for machine in group.machines if machine.key in group.snapshots)
