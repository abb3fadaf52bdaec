"""Criteria of path `auto`: is a VM special, or does it count towards the standard VMs that justify Forklift.

The guide recommends Forklift from about 50 VMs, because of the effort to install and learn it. That effort occurs once
per estate, that is per vCenter: a VM's port group or datastore does not make it special, and a Storage vMotion must
never change the path of other VMs.
"""

import re
from typing import Literal, NamedTuple

from vmferry.estate.readable import is_independent
from vmferry.model.blueprint import Path
from vmferry.model.spec import SimilarVms, VirtualMachine

_OLD = re.compile(
    r"windows (?:nt|2000|xp|vista|7(?!\d)|(?:server )?(?:2003|2008))"
    r"|(?:centos|red hat enterprise linux|oracle linux) (?:[345]|4/5)(?:\D|$)|suse linux enterprise (?:8|9|10)(?:\D|$)",
    re.IGNORECASE,
)
_OLD_IDS = re.compile(
    r"win(?:nt|2000|xp|net|vista|longhorn)|windows7|rhel[345]|(?:centos|oraclelinux|sles)(?:64)?guest|sles10",
    re.IGNORECASE,
)
"""Guests that do not accept current virtio drivers, or whose kernels have no modern virtio.

Windows up to 7 and Server 2008 R2 does not know SHA-2, which they are signed with: Forklift looks for an ISO of old
ones (pkg/controller/plan/adapter/vsphere/builder.go IsLegacyWindows) that only Red Hat's image has. virt-v2v converts
RHEL and CentOS from 4 and SLES from 10 on (docs/virt-v2v-support.pod), but a Forklift Plan has no field for its devices
for a kernel without virtio (IDE and e1000, convert/convert_linux.ml): these disks and NICs have to be stated.
"""


class Auto(NamedTuple):
    """The path that `auto` gives a VM, which question decided it, and why."""

    path: Path
    question: Literal["rebuild", "special", "similar"] | None  # None: none did
    reason: str


def auto(vm: VirtualMachine, source: str, standard: int, settings: SimilarVms, *, raw: bool = False) -> Auto:
    """Return the path of a VM; ``standard`` is how many VMs of its vCenter count (`is_standard`)."""
    for question in settings.order:
        if question == "rebuild" and vm.application is not None:
            return Auto("rebuild", question, "an application is described for it")
        if question == "special" and (special := specialities(vm, raw=raw)):
            return Auto("virt-v2v", question, f"it is special: {', '.join(special)}")
        if question == "similar" and standard >= settings.threshold:
            reason = f"{source} has {standard} standard VMs (threshold {settings.threshold})"
            return Auto("forklift", question, reason)
    few = f"{standard} standard VM{'' if standard == 1 else 's'}"
    return Auto("virt-v2v", None, f"{source} has only {few} (threshold {settings.threshold})")


def is_standard(vm: VirtualMachine, settings: SimilarVms, *, raw: bool = False) -> bool:
    """Return whether Forklift would be installed for this VM: no earlier question chose another path."""
    asked = settings.order[: settings.order.index("similar")] if "similar" in settings.order else settings.order
    if "rebuild" in asked and vm.application is not None:
        return False
    return "special" not in asked or not specialities(vm, raw=raw)


def specialities(vm: VirtualMachine, *, raw: bool = False) -> list[str]:
    """Return what keeps a VM off the mass path: what Forklift refuses or would lose; ``raw``: it is not converted."""
    disks = vm.disks or ()
    facts = {
        "it is a template": bool(vm.template),
        f"it is cloned from {vm.clone_of}": vm.clone_of is not None,
        "GPU": bool(vm.gpus),
        "passed-through device": bool(vm.host_devices or vm.passthrough),
        "raw device mapping": any(disk.rdm for disk in disks),
        "shared disk": any(disk.shared for disk in disks),
        "independent disk": any(map(is_independent, disks)),
        "a NIC that is not connected": any(not nic.connected for nic in vm.nics or ()),
        "it runs without VMware Tools": vm.power_state == "poweredOn" and vm.tools in ("notRunning", "notInstalled"),
        "unusual guest system": vm.os == "other" and not raw,
        "a guest system that takes no current virtio drivers": not raw and _old(vm),
    }
    return [name for name, holds in facts.items() if holds]


def _old(vm: VirtualMachine) -> bool:
    """Return whether the guest is old according to VMware Tools, otherwise to its configuration."""
    if name := vm.guest_tools_name or vm.guest_name:
        return _OLD.search(name) is not None
    return _OLD_IDS.match(vm.guest_id or "") is not None
