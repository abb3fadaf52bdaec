"""What an account in vCenter may do for each kind of work: the least privileges, by their ids.

Ids: AuthorizationManager.privilegeList (vSphere API); VMware docs, Defined Privileges, has the words beside them. Every
role also has System.Anonymous, System.Read and System.View, which vCenter adds by itself.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

Work = Literal["read", "convert", "cold", "warm", "offload", "encrypted"]


class Task(NamedTuple):
    """A kind of work: what does it, the privileges it takes besides System.*, and the page that lists them."""

    what: str
    privileges: frozenset[str]
    source: str


SYSTEM = frozenset(("System.Anonymous", "System.Read", "System.View"))

_FILES = frozenset(("Datastore.Browse", "Datastore.FileManagement", "Sessions.ValidateSession"))
_CONVERT = _FILES | {
    "VirtualMachine.Interact.GuestControl",  # "Guest operating system management by VIX API"
    "VirtualMachine.Provisioning.DiskRandomAccess",
    "VirtualMachine.Provisioning.DiskRandomRead",
}
_COLD = _CONVERT | {
    "VirtualMachine.Interact.PowerOff",
    "VirtualMachine.Interact.PowerOn",
    "VirtualMachine.Provisioning.FileRandomAccess",
    "VirtualMachine.Provisioning.GetVmFiles",
    "VirtualMachine.Provisioning.PutVmFiles",
}
_FORKLIFT = "kubev2v/forklift-documentation documentation/modules/ref_vmware-privileges.adoc"

TASKS: Mapping[Work, Task] = {
    "read": Task(
        "`vmferry import vcenter`",
        frozenset(),
        "the role Read-only, at the root",
    ),
    "convert": Task(
        "virt-v2v and VDDK, path virt-v2v",
        _CONVERT,
        "libguestfs/virt-v2v docs/virt-v2v-input-vmware.pod (vCenter: non-administrator role)",
    ),
    "cold": Task("Forklift, method cold", _COLD, _FORKLIFT),
    "warm": Task(
        "Forklift, method warm",
        _COLD | {"VirtualMachine.State.CreateSnapshot", "VirtualMachine.State.RemoveSnapshot"},
        _FORKLIFT,
    ),
    "offload": Task(
        "Forklift, copies by the storage array",
        _COLD
        | {
            "Global.Settings",
            "Host.Config.AdvancedConfig",
            "Host.Config.Patch",  # "Query patch"
            "Host.Config.Storage",  # "Storage partition configuration"
        },
        "kubev2v/forklift-documentation documentation/modules/proc_storage-copy-offload-cli.adoc",
    ),
    "encrypted": Task(
        "Forklift, encrypted VMs",
        _COLD | {"Cryptographer.Access", "Cryptographer.Decrypt"},
        _FORKLIFT,
    ),
}
"""Every kind of work, from the least to the most."""

AT_ROOT = frozenset(("Global.Settings", "Sessions.ValidateSession"))
"""Privileges that only count at the root of the inventory."""


def needed(works: Iterable[Work]) -> frozenset[str]:
    """Return the privileges that an account needs for some kinds of work together."""
    return frozenset(SYSTEM.union(*(TASKS[work].privileges for work in works))) - {"System.Anonymous"}


def granted(works: Iterable[Work]) -> tuple[str, ...]:
    """Return what a role for them is created with, sorted: vCenter adds System.* by itself."""
    return tuple(sorted(needed(works) - SYSTEM))


def superfluous(found: Iterable[str], works: Iterable[Work]) -> tuple[str, ...]:
    """Return the privileges that an account has beyond what its work needs, sorted."""
    return tuple(sorted(frozenset(found) - needed(works) - SYSTEM))
