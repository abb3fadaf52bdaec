"""Paths of objects.

A group has layers, each with one file per VM and one for what the VMs share. What the groups of a namespace share is
one file too.
"""

from vmferry.layout.names import NAMESPACE, file_of, shared_file
from vmferry.model.blueprint import Group, Machine
from vmferry.model.manifest import KubeObject, Resource, group_lock, namespace_lock


def base(group: Group, layer: str) -> str:
    """Return the directory of one layer of a group's base."""
    return f"bases/{group.phase}/{group.name}/{layer}"


def lock(group: Group) -> str:
    """Return the lock that owns a group's files."""
    return group_lock(group.phase, group.name)


def of_group(group: Group, layer: str, obj: KubeObject) -> Resource:
    """Return an object that the VMs of a group share, with its path."""
    file = shared_file(layer, group.name)
    return Resource(directory=base(group, layer), object=obj, lock=lock(group), file=file)


def of_machine(group: Group, layer: str, machine: Machine, obj: KubeObject) -> Resource:
    """Return an object of one VM, with its path."""
    return Resource(directory=base(group, layer), object=obj, lock=lock(group), file=file_of(machine.target_name))


def namespace_root(namespace: str) -> str:
    """Return the directory of a namespace, for what its groups share."""
    return f"infra/namespaces/{namespace}"


def of_namespace(namespace: str, obj: KubeObject, raw: bytes | None = None) -> Resource:
    """Return an object that the groups of a namespace share, with its path; ``raw`` bytes are a separate file."""
    return Resource(
        directory=namespace_root(namespace),
        object=obj,
        lock=namespace_lock(namespace),
        file=NAMESPACE if raw is None else None,
        raw=raw,
    )
