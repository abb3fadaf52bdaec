"""VirtualMachines that git takes over: emitted as they were recorded, so that a server-side apply changes nothing.

Path forklift needs a record, because no Blueprint knows what Forklift made. Disks and interfaces are lists that
server-side apply owns as a whole (KubeVirt's CRD gives them no keys), and of their entries these are only known at run
time (kubev2v/forklift pkg/controller/plan/adapter/vsphere/builder.go; lines at main, d42511bb):

- a disk's serial number depends on disk.EnableUUID and the kind of its controller (v2.12.5, line 1060), on main on its
  device key (line 1186);
- the disk that boots is the one that virt-v2v found (line 1115, from 2.12);
- an interface's PCI address is from vSphere's PCI slots and bridges (line 936, from 2.12), its MAC address from
  Forklift's inventory (line 932).

The preference comes from the guest's system as virt-v2v detects it and from a ConfigMap (PreferenceName), the clock's
timezone from the ESXi host (mapClock), the serial number of the system from a setting of the controller
(getSystemSerial), firmware.uuid from KubeVirt's webhook. Facts such as firmware may be missing in the spec, too.
"""

from typing import Any

from vmferry.backends.metadata import VM_LABEL, head
from vmferry.kube import kinds
from vmferry.model.blueprint import Blueprint, Group, Machine
from vmferry.model.manifest import RECORDED, KubeObject

HALTED = "Halted"
"""Run strategy in a base; the overlay of a stage at which VMs run has another."""


def recorded(blueprint: Blueprint, group: Group, machine: Machine) -> KubeObject | None:
    """Return the VM as it was recorded; None without a record.

    The template stays as it is, labels included: another template would make KubeVirt ask for a restart
    (RestartRequired). So does the phase's priority class, which is in the template since the VM exists.
    """
    spec = group.adopted.get(machine.key)
    return _machine(blueprint, group, machine, spec, {RECORDED: "true"}) if spec is not None else None


def stopped(blueprint: Blueprint, group: Group, machine: Machine) -> KubeObject:
    """Return what stops a VM of Forklift's that was not recorded, and leaves everything else of it alone.

    A roll-back must not wait for a record. The fields below the run strategy are those that the CRD requires.
    """
    return _machine(blueprint, group, machine, {"template": {"spec": {"domain": {"devices": {}}}}}, {})


def _machine(
    blueprint: Blueprint, group: Group, machine: Machine, spec: dict[str, Any], notes: dict[str, str]
) -> KubeObject:
    own = {**dict(sorted(machine.placement.labels.items())), VM_LABEL: machine.target_name}
    return {
        **head(
            kinds.VIRTUAL_MACHINE,
            blueprint,
            machine.target_name,
            machine.namespace,
            group=group,
            layer="machines",
            labels=own,
            annotations=notes,
        ),
        "spec": {**spec, "runStrategy": HALTED},
    }
