"""KubeVirt: VirtualMachines that mirror their sources, and their Services."""

import hashlib
import re
from collections.abc import Iterator
from typing import Any

from vmferry.backends import adopted, checks
from vmferry.backends.cdi import BIND_IMMEDIATELY, storage
from vmferry.backends.metadata import APART_LABEL, PRIORITY_LABEL, VM_LABEL, head, stamps
from vmferry.backends.places import of_machine
from vmferry.backends.tolerations import toleration
from vmferry.estate.cloud_init import seed
from vmferry.estate.services import has_service
from vmferry.estate.stages import OWNED
from vmferry.kube import kinds
from vmferry.kube.quantity import format_size
from vmferry.model.blueprint import Blueprint, Group, Machine, MachineDisk, MachineNic, Placement
from vmferry.model.keys import apart
from vmferry.model.manifest import Item, KubeObject

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SERIAL_LENGTH = 20  # limit of virtio-blk; also Forklift's MaxDiskSerialLength

_HYPERV: dict[str, Any] = {
    "frequencies": {},
    "ipi": {},
    "reenlightenment": {},
    "relaxed": {},
    "reset": {},
    "runtime": {},
    "spinlocks": {"spinlocks": 8191},
    "synic": {},
    "synictimer": {"direct": {}},
    "tlbflush": {},
    "vapic": {},
    "vpindex": {},
}
"""Of common-instancetypes preferences/components/hyperv; ipi, synic and tlbflush need vpindex, synictimer synic."""

_WINDOWS_TIMERS: dict[str, Any] = {
    "hpet": {"present": False},
    "hyperv": {},
    "pit": {"tickPolicy": "delay"},
    "rtc": {"tickPolicy": "catchup"},
}

_SMALL_PCI_HOLE = ("winXP", "winNet")
"""Guest ids of Windows that cannot boot with the 64-bit PCI hole: XP and Server 2003."""


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield the VMs of groups, halted, and the Services of every VM's ports.

    Golden images have no VM, and Forklift creates its VMs itself: git takes them over once they run. A Service only
    reaches a VM through the pod network, so a VM without it gets none.
    """
    for group in blueprint.groups:
        if group.path == "rebuild":
            continue
        layer = "plan" if group.path == "forklift" else "machines"
        for machine in group.machines:
            if machine.golden:
                continue
            if "machines" in group.layers:
                yield of_machine(group, "machines", machine, _machine(blueprint, group, machine))
            if not group.graduated and has_service(machine):
                yield of_machine(group, layer, machine, _service(blueprint, group, machine, layer))


def _machine(blueprint: Blueprint, group: Group, machine: Machine) -> KubeObject:
    recorded = adopted.recorded(blueprint, group, machine)
    if recorded is not None:
        return recorded
    made = adopted.stopped if group.path == "forklift" else virtual_machine
    return made(blueprint, group, machine)


def virtual_machine(blueprint: Blueprint, group: Group, machine: Machine) -> KubeObject:
    """Return a VM of path virt-v2v, made from its decisions."""
    own = {**dict(sorted(machine.placement.labels.items())), VM_LABEL: machine.target_name}
    by_phase = {} if machine.priority_class is not None else {PRIORITY_LABEL: "phase"}
    spec: dict[str, Any] = _catalogue(machine) | {"runStrategy": adopted.HALTED}
    if machine.clone_of is not None:
        spec["dataVolumeTemplates"] = [_clone(disk) for disk in machine.disks]
    spec["template"] = {
        "metadata": _template_metadata(blueprint, group, machine, own),
        "spec": _instance(machine),
    }
    return {
        **head(
            kinds.VIRTUAL_MACHINE,
            blueprint,
            machine.target_name,
            machine.namespace,
            group=group,
            layer="machines",
            labels=own | by_phase,
        ),
        "spec": spec,
    }


def _catalogue(machine: Machine) -> dict[str, Any]:
    """Return the instance type and preference; the mutating webhook would add their kinds."""
    references: dict[str, Any] = {}
    if machine.instancetype is not None:
        kind = machine.instancetype.kind or "VirtualMachineClusterInstancetype"
        references["instancetype"] = {"kind": kind, "name": machine.instancetype.name}
    if machine.preference is not None:
        kind = machine.preference.kind or "VirtualMachineClusterPreference"
        references["preference"] = {"kind": kind, "name": machine.preference.name}
    return references


def _clone(disk: MachineDisk) -> dict[str, Any]:
    """Return the dataVolumeTemplate that clones a golden image's disk."""
    namespace, source = apart(disk.clones) if disk.clones else ("", "")
    result: dict[str, Any] = {"metadata": {"name": disk.claim}}
    if disk.bind_immediately:
        result["metadata"]["annotations"] = dict(BIND_IMMEDIATELY)
    result["spec"] = {
        "sourceRef": {"kind": "DataSource", "name": source, "namespace": namespace},
        "storage": storage(disk),
    }
    return result


def _template_metadata(blueprint: Blueprint, group: Group, machine: Machine, labels: dict[str, str]) -> dict[str, Any]:
    apart = machine.placement.apart_from
    if apart is not None:
        labels = {**labels, APART_LABEL: apart}
    result: dict[str, Any] = {"labels": labels | stamps(blueprint, group)}
    if (machine.guest_id or "").startswith(_SMALL_PCI_HOLE):
        result["annotations"] = {"kubevirt.io/disablePCIHole64": "true"}
    return result


def _instance(machine: Machine) -> dict[str, Any]:
    """Return the VirtualMachineInstance of the template."""
    spec: dict[str, Any] = {
        "architecture": "amd64",
        "domain": _domain(machine),
        "evictionStrategy": machine.eviction_strategy,
        "terminationGracePeriodSeconds": machine.termination_grace_period,
    }
    hostname = (machine.hostname or "").split(".")[0].lower()
    if _DNS_LABEL.fullmatch(hostname):
        spec["hostname"] = hostname
    spec |= _placement(machine.placement)
    if machine.priority_class is not None:
        spec["priorityClassName"] = machine.priority_class
    if machine.probe is not None:
        spec["readinessProbe"] = checks.readiness(machine.probe, machine)
    spec["networks"] = [_network(nic) for nic in _nics(machine)]
    spec["volumes"] = _volumes(machine)
    return spec


def _placement(placement: Placement) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if placement.node_selector:
        result["nodeSelector"] = dict(sorted(placement.node_selector.items()))
    if placement.apart_from is not None:
        term = {
            "labelSelector": {"matchLabels": {APART_LABEL: placement.apart_from}},
            "topologyKey": "kubernetes.io/hostname",
        }
        preferred = [{"podAffinityTerm": term, "weight": 100}]
        result["affinity"] = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
    if placement.tolerations:
        result["tolerations"] = [toleration(entry) for entry in placement.tolerations]
    return result


# --- domain ----------------------------------------------------------------------------------


def _domain(machine: Machine) -> dict[str, Any]:
    """Return the domain.

    KubeVirt's webhook stores its own Go form of the spec: it adds `resources: {}` and `features.acpi: {}`, normalises
    quantities and removes zero values of optional fields. This function already returns that form.
    """
    result: dict[str, Any] = {"clock": _clock(machine)}
    if machine.instancetype is None:
        result["cpu"] = _cpu(machine)
        result["memory"] = _memory(machine)
    return result | {
        "devices": _devices(machine),
        "features": _features(machine),
        "firmware": _firmware(machine),
        "machine": {"type": machine.machine_type},
        "resources": {},
    }


def _cpu(machine: Machine) -> dict[str, Any]:
    """Return the CPUs; dedicated ones make the pod Guaranteed, for which KubeVirt sets the limits."""
    cpu: dict[str, Any] = {
        "cores": machine.cores,
        "model": machine.cpu_model or "host-model",
        "sockets": machine.sockets,
        "threads": machine.threads,
    }
    if machine.dedicated_cpus:
        cpu["dedicatedCpuPlacement"] = True
    if machine.numa_passthrough:
        cpu["numa"] = {"guestMappingPassthrough": {}}
    return cpu


def _memory(machine: Machine) -> dict[str, Any]:
    memory: dict[str, Any] = {"guest": format_size(machine.memory)}
    if machine.hugepages is not None:
        memory["hugepages"] = {"pageSize": machine.hugepages}
    return memory


def _clock(machine: Machine) -> dict[str, Any]:
    clock: dict[str, Any] = {"timezone": machine.timezone} if machine.timezone else {"utc": {}}
    return clock | ({"timer": _WINDOWS_TIMERS} if machine.os == "windows" else {})


def _features(machine: Machine) -> dict[str, Any]:
    features: dict[str, Any] = {"acpi": {}, "apic": {}}
    if machine.os == "windows":
        features["hyperv"] = _HYPERV
    if machine.firmware == "efi" and machine.secure_boot:
        features["smm"] = {"enabled": True}
    return features


def _firmware(machine: Machine) -> dict[str, Any]:
    loader: dict[str, Any] = {"bios": {}}
    if machine.firmware == "efi":
        # Left out, secureBoot would mean true.
        loader = {"efi": {"persistent": True, "secureBoot": machine.secure_boot}}
    identity = {"serial": machine.serial or machine.uuid, "uuid": machine.guest_uuid or machine.uuid}
    return {"bootloader": loader} | {name: value for name, value in identity.items() if value is not None}


def _devices(machine: Machine) -> dict[str, Any]:
    devices: dict[str, Any] = {
        "autoattachGraphicsDevice": True,
        "autoattachMemBalloon": True,
        "autoattachPodInterface": False,  # or KubeVirt would add one to a VM without NICs
        "autoattachSerialConsole": True,
        "disks": _disks(machine),
        "inputs": [{"bus": _tablet_bus(machine), "name": "tablet", "type": "tablet"}],
        "interfaces": [_interface(nic) for nic in _nics(machine)],
        "rng": {},
    }
    if machine.gpus:
        devices["gpus"] = _host_resources("gpu", machine.gpus)
    if machine.host_devices:
        devices["hostDevices"] = _host_resources("hostdev", machine.host_devices)
    if machine.vtpm:
        devices["tpm"] = {"persistent": True}
    return devices


def _host_resources(prefix: str, names: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"deviceName": name, "name": f"{prefix}-{index}"} for index, name in enumerate(names)]


def _tablet_bus(machine: Machine) -> str:
    """Return the bus of the tablet: USB for guests that may lack virtio drivers."""
    return "virtio" if _paravirtual(machine) else "usb"


def _paravirtual(machine: Machine) -> bool:
    """Return whether the guest certainly has virtio drivers."""
    return machine.os != "windows" and all(disk.bus == "virtio" for disk in machine.disks)


# --- disks -----------------------------------------------------------------------------------


def _disks(machine: Machine) -> list[dict[str, Any]]:
    """Return the disks in the machine's order, then the cloud-init disk."""
    used: set[str] = set()
    disks = [_disk(disk, None if disk.lun else _serial(machine, disk, used)) for disk in machine.disks]
    if seed(machine) is not None:
        # Cloud kernels have no AHCI driver (Debian's linux-image-cloud-amd64), and would not see a CD-ROM on SATA.
        medium = {"disk": {"bus": "virtio"}} if _paravirtual(machine) else {"cdrom": {"bus": "sata"}}
        disks.append(medium | {"name": "cloudinit"})
    return disks


def _disk(disk: MachineDisk, serial: str | None) -> dict[str, Any]:
    """Return the disk.

    A LUN is SCSI passthrough: reservations need bus scsi (KubeVirt validateReservationBus), the guest has to see
    the errors, and libvirt has no serial number for it (formatdomain, serial; kubevirt #18882 rejects one).
    """
    result: dict[str, Any] = {"name": disk.name}
    if serial is not None:
        result["serial"] = serial
    if disk.lun:
        result |= {"errorPolicy": "report", "lun": {"bus": "scsi", "reservation": True}}
    else:
        result["disk"] = {"bus": disk.bus}
    if disk.boot_order is not None:
        result["bootOrder"] = disk.boot_order
    if disk.shared is not None:
        result |= {"cache": "none", "shareable": True}
    return result


def _serial(machine: Machine, disk: MachineDisk, used: set[str]) -> str:
    """Return the disk's serial number: the source's, cut to virtio's limit, or one derived from its identity.

    Same as in Forklift (pkg/controller/plan/adapter/base/disk_serial.go). VMs that share a disk agree on it. ``used``
    are the serials of the VM's other disks; this one is added.
    """
    serial = re.sub(r"[^A-Za-z0-9-]", "", disk.serial or "")[:_SERIAL_LENGTH]
    if not serial or serial in used:
        identity = f"{machine.key}:{disk.index}" if disk.shared is None else f"{machine.namespace}:{disk.shared}"
        serial = hashlib.sha256(identity.encode()).hexdigest()[:_SERIAL_LENGTH]
    used.add(serial)
    return serial


def _volumes(machine: Machine) -> list[dict[str, Any]]:
    volumes = [_volume(machine, disk) for disk in machine.disks]
    seeded = seed(machine)
    if seeded is not None:
        network = {} if seeded.network_data is None else {"networkData": seeded.network_data}
        volumes.append({"cloudInitNoCloud": network | {"userData": seeded.user_data}, "name": "cloudinit"})
    return volumes


def _volume(machine: Machine, disk: MachineDisk) -> dict[str, Any]:
    """Return the disk's volume, by claim, so that a restored VM keeps it.

    See KubeVirt docs/storage/snapshot_restore_api.md. Only a clone refers to its DataVolume: KubeVirt refuses a
    dataVolumeTemplate without a volume.
    """
    if machine.clone_of is not None:
        return {"dataVolume": {"name": disk.claim}, "name": disk.name}
    return {"name": disk.name, "persistentVolumeClaim": {"claimName": disk.claim}}


# --- networks --------------------------------------------------------------------------------


def _nics(machine: Machine) -> list[MachineNic]:
    return sorted(machine.nics, key=lambda nic: nic.index)


def _interface(nic: MachineNic) -> dict[str, Any]:
    """Return the interface. It lists no ports: KubeVirt would only forward those."""
    result: dict[str, Any] = {"name": nic.name}
    if nic.binding == "macvtap":
        result["binding"] = {"name": "macvtap"}
    else:
        result[nic.binding] = {}
    if nic.mac is not None:
        result["macAddress"] = nic.mac
    if nic.binding != "sriov":
        result["model"] = nic.model
        if not nic.connected:
            result["state"] = "down"
    return result


def _network(nic: MachineNic) -> dict[str, Any]:
    if nic.nad is None:
        return {"name": nic.name, "pod": {}}
    return {"multus": {"networkName": nic.nad}, "name": nic.name}


def _service(blueprint: Blueprint, group: Group, machine: Machine, layer: str) -> KubeObject:
    """Return the Service.

    KubeVirt's own label, vm.kubevirt.io/name, contains the host name, so it selects none. Forklift sets the label `app`
    of its VMs' pods to the target name (pkg/controller/plan/kubevirt.go).
    """
    selector = {"app" if group.path == "forklift" else VM_LABEL: machine.target_name}
    ports = [
        {
            "name": port.name,
            "port": port.port,
            "protocol": port.protocol,
            "targetPort": port.target_port or port.port,
        }
        for port in machine.ports
    ]
    return {
        **head(
            kinds.SERVICE,
            blueprint,
            machine.target_name,
            machine.namespace,
            group=group,
            layer=layer,
            labels={VM_LABEL: machine.target_name},
            keep=group.stage in OWNED,  # clients depend on it, also while the VM is handed over to another repository
        ),
        "spec": {
            "type": "ClusterIP",
            "selector": selector,
            "ports": ports,
            "internalTrafficPolicy": "Cluster",
            "sessionAffinity": "None",
        },
    }
