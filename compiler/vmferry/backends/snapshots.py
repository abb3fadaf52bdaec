"""Snapshots of VMs before they are accepted."""

from collections.abc import Iterator

from vmferry.backends.metadata import VM_LABEL, head
from vmferry.backends.places import of_machine
from vmferry.estate.snapshots import snapshot_name, snapshotted
from vmferry.kube import kinds
from vmferry.model.blueprint import Blueprint, Group, Machine
from vmferry.model.manifest import Item, KubeObject

_DEADLINE = "5m0s"
"""KubeVirt's default. A longer one would also allow the guest to be frozen for longer (source.go, Freeze)."""


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield a VirtualMachineSnapshot of each VM that gets one, at the stage at which it is taken."""
    for group in blueprint.groups:
        if "snapshots" in group.layers:
            for machine in snapshotted(group):
                yield of_machine(group, "snapshots", machine, _snapshot(blueprint, group, machine))


def _snapshot(blueprint: Blueprint, group: Group, machine: Machine) -> KubeObject:
    """Return the snapshot. Its spec never changes: KubeVirt's webhook refuses that (admitters/vmsnapshot.go)."""
    return {
        **head(
            kinds.SNAPSHOT,
            blueprint,
            snapshot_name(machine, group.attempt),
            machine.namespace,
            group=group,
            layer="snapshots",
            labels={VM_LABEL: machine.target_name},
        ),
        "spec": {
            "source": {
                "apiGroup": kinds.VIRTUAL_MACHINE.group,
                "kind": kinds.VIRTUAL_MACHINE.name,
                "name": machine.target_name,
            },
            # What it holds outlives it, whoever deletes it: the VirtualMachineSnapshotContent and its VolumeSnapshots.
            "deletionPolicy": "Retain",
            "failureDeadline": _DEADLINE,
        },
    }
