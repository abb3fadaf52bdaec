"""Keys of VMs and objects in files: only created and parsed here.

They are distinct types, so that no other text passes for one, and plain texts in every file and cache.
"""

from typing import NewType

Reference = NewType("Reference", str)
"""NAMESPACE/NAME of an object."""

VmKey = NewType("VmKey", str)
"""SOURCE/ID of a VM, or SOURCE/NAME while its id is unknown."""

DiskKey = NewType("DiskKey", str)
"""SOURCE/NAME of a disk that several VMs of a vCenter share."""


def reference(namespace: str, name: str) -> Reference:
    """Return the reference to an object."""
    return Reference(f"{namespace}/{name}")


def apart(ref: Reference) -> tuple[str, str]:
    """Return the namespace and the name of an object."""
    namespace, _, name = ref.partition("/")
    return namespace, name


def namespace_of(ref: Reference) -> str:
    """Return the namespace of an object."""
    return apart(ref)[0]


def name_of(ref: Reference) -> str:
    """Return the name of an object in its namespace."""
    return apart(ref)[1]


def vm_key(source: str, own: str) -> VmKey:
    """Return the key of a VM of a vCenter by its id, or by its name while that is unknown."""
    return VmKey(f"{source}/{own}")


def source_of(key: VmKey) -> str:
    """Return the vCenter of a VM; no name of one has a slash in it."""
    return key.partition("/")[0]


def own_of(key: VmKey) -> str:
    """Return the id of a VM in its vCenter, or its name."""
    return key.partition("/")[2]


def disk_key(source: str, name: str) -> DiskKey:
    """Return the key of a shared disk of a vCenter."""
    return DiskKey(f"{source}/{name}")
