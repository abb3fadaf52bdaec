"""What path `auto` asks of a VM: is it special, and does it count among the standard VMs that Forklift is worth it for.

The guide advises Forklift from some 50 VMs on because of what installing and learning it costs. That is paid once for
an estate, one vCenter: on which port group or datastore a VM is makes it no special case, and a Storage vMotion may
never change the path of other VMs.
"""

import re

from vmferry.model.spec import VirtualMachine

_OLD = re.compile(
    r"windows (?:nt|2000|xp|vista|server 2003|server 2008|2003|2008)"
    r"|(?:centos|red hat enterprise linux|oracle linux) (?:[345]|4/5)(?:\D|$)|suse linux enterprise (?:8|9|10)(?:\D|$)",
    re.IGNORECASE,
)
"""Guests that need drivers by hand: virtio-win has none for Windows before Server 2012, their kernels no virtio.

Sources: virtio-win's release notes (the ISO has lost Server 2008 R2 and older), libguestfs.org/virt-v2v-support.1.html.
"""


def specialities(vm: VirtualMachine, *, raw: bool = False) -> list[str]:
    """Return what keeps a VM from the mass path: what Forklift refuses or would lose; ``raw``: nobody converts it."""
    disks = vm.disks or ()
    facts = {
        "it is a template": bool(vm.template),
        f"it is cloned from {vm.clone_of}": vm.clone_of is not None,
        "GPU": bool(vm.gpus),
        "passed-through device": bool(vm.host_devices or vm.passthrough),
        "raw device mapping": any(disk.rdm for disk in disks),
        "shared disk": any(disk.shared for disk in disks),
        "independent disk": any((disk.mode or "").startswith("independent") for disk in disks),
        "unusual guest system": vm.os == "other" and not raw,
        "a guest system as old as to need drivers by hand": not raw and _old(vm),
    }
    return [name for name, holds in facts.items() if holds]


def _old(vm: VirtualMachine) -> bool:
    """Return whether the guest is old by what VMware Tools say, else by what somebody once chose."""
    return _OLD.search(vm.guest_tools_name or vm.guest_name or "") is not None
