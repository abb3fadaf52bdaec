"""From vCenter's data on a VM to the facts of the model."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace
from pyVmomi import vim

from vmferry.estate.words.secrecy import NOTHING_MORE, Keep, harmless, noted, secret_text
from vmferry.importers.build import build
from vmferry.importers.cells import fits, uuid
from vmferry.importers.disks import shared_name
from vmferry.importers.guests import detailed_name, family, release
from vmferry.importers.vcenter.collect import Paths, Record, unescape
from vmferry.importers.vcenter.devices import Hardware, read_hardware
from vmferry.importers.vcenter.guest import guest_disks, tools, with_addresses
from vmferry.importers.vcenter.surroundings import Surroundings
from vmferry.kube.quantity import format_size
from vmferry.model.facts import Cpu, Firmware, OsFamily
from vmferry.model.spec import VirtualMachine

PATHS: Paths = {
    vim.VirtualMachine: (
        "name",
        "parent",
        "parentVApp",
        "resourcePool",
        "runtime.host",
        "runtime.powerState",
        "runtime.connectionState",
        "runtime.consolidationNeeded",
        "runtime.faultToleranceState",
        "config.uuid",
        "config.instanceUuid",
        "config.template",
        "config.version",
        "config.guestId",
        "config.guestFullName",
        "config.annotation",
        "config.firmware",
        "config.bootOptions",
        "config.managedBy",
        "config.hardware.numCPU",
        "config.hardware.numCoresPerSocket",
        "config.hardware.memoryMB",
        "config.hardware.device",
        "config.cpuAllocation",
        "config.memoryAllocation",
        "config.cpuAffinity",
        "config.memoryAffinity",
        "config.latencySensitivity",
        "config.nestedHVEnabled",
        "config.keyId",
        "config.changeTrackingEnabled",
        "config.cpuHotAddEnabled",
        "config.cpuHotRemoveEnabled",
        "config.memoryHotAddEnabled",
        "config.flags.diskUuidEnabled",
        "config.extraConfig",
        "guest.guestFullName",
        "guest.guestFamily",
        "guest.guestDetailedData",
        "guest.toolsRunningStatus",
        "guest.toolsVersionStatus2",
        "guest.hostName",
        "guest.net",
        "guest.ipStack",
        "guest.disk",
        "snapshot.rootSnapshotList",
        "summary.storage.committed",
        "customValue",
    )
}

_FAMILIES: Mapping[str, OsFamily] = {
    "linuxGuest": "linux",
    "windowsGuest": "windows",
    "darwinGuestFamily": "other",
    "netwareGuest": "other",
    "solarisGuest": "other",
}
_FIRMWARE: Mapping[str, Firmware] = {"bios": "bios", "efi": "efi", "csm": "bios"}  # csm boots like BIOS
_CONNECTIONS = frozenset(("connected", "disconnected", "inaccessible", "invalid", "orphaned"))
_SENSITIVITIES = frozenset(("low", "normal", "medium", "high"))
_MAX_NAME, _MAX_NOTES = 400, 16384


class Machine(NamedTuple):
    """A VM and, for each of its disks, the file or LUN if it is configured for shared writes.

    ``withheld`` names the custom attributes that stay in vCenter; ``secret`` means that requested notes seem to contain
    a secret, and also stay there.
    """

    vm: VirtualMachine
    sharing: tuple[str | None, ...]
    withheld: frozenset[str]
    has_note: bool
    secret: bool


def read_machine(
    record: Record, surroundings: Surroundings, attributes: Mapping[int, str], keep: Keep = NOTHING_MORE
) -> Machine:
    """Return the facts of one VM. ``attributes``: names of custom attributes by key.

    Properties that vCenter does not show (an inaccessible VM has no config) stay absent.
    """
    hardware = _hardware(record, surroundings)
    facts = {
        **_place(record, surroundings),
        **_identity(record),
        **_system(record),
        **_capacity(record),
        **_special(record),
        **_state(record, surroundings),
    }
    if hardware:
        facts |= {
            "disks": hardware.disks,
            "nics": with_addresses(hardware.nics, record.get("guest.net"), record.get("guest.ipStack")),
            "vtpm": hardware.vtpm,
            "usb": hardware.usb,
            "sriov": hardware.sriov,
            "passthrough": hardware.passthrough,
        }
    stated = _attributes(record, attributes)
    facts["custom_attributes"] = kept = harmless(stated, keep)
    notes = record.get("config.annotation") or ""
    secret = keep.notes and secret_text(notes)
    facts["noted"] = noted(notes)
    facts["annotation"] = notes[:_MAX_NOTES] or None if keep.notes and not secret else None
    withheld = frozenset(stated) - frozenset(kept)
    return Machine(
        build(VirtualMachine, record, **facts), hardware.sharing if hardware else (), withheld, bool(notes), secret
    )


def name_shared_disks(machines: Iterable[Machine], source: str) -> tuple[VirtualMachine, ...]:
    """Return the VMs with names for shared disks: those on the same file, and those configured as shared."""
    known = list(machines)
    files = Counter(file for machine in known for file in {disk.file for disk in machine.vm.disks or () if disk.file})
    return tuple(_named(machine, files, source) for machine in known)


def _named(machine: Machine, files: Mapping[str, int], source: str) -> VirtualMachine:
    if not machine.vm.disks:
        return machine.vm
    disks = tuple(
        replace(disk, shared=shared_name(said or disk.file or "", source))
        if said or (disk.file and files[disk.file] > 1)
        else disk
        for disk, said in zip(machine.vm.disks, machine.sharing, strict=True)
    )
    return replace(machine.vm, disks=disks)


def _hardware(record: Record, surroundings: Surroundings) -> Hardware | None:
    devices = record.get("config.hardware.device")
    return read_hardware(devices, surroundings, record.get("config.bootOptions")) if devices is not None else None


def _place(record: Record, surroundings: Surroundings) -> dict[str, Any]:
    host, pool, vapp = (record.get(path) for path in ("runtime.host", "resourcePool", "parentVApp"))
    folder = record.get("parent") or surroundings.vapp_folder(vapp or pool)
    return {
        "datacenter": surroundings.datacenter(folder, host, pool),
        "folder": fits(surroundings.folder(folder)),
        "cluster": surroundings.cluster(host, pool),
        "host": surroundings.name(host),
        "resource_pool": fits(surroundings.pool(pool)),
        "vapp": surroundings.vapp(vapp, pool),
    }


def _identity(record: Record) -> dict[str, Any]:
    name = unescape(record.get("name") or "")
    return {
        "name": name[:_MAX_NAME] or record.id,
        "id": record.id,
        "uuid": uuid(record.get("config.uuid")),
        "instance_uuid": uuid(record.get("config.instanceUuid")),
        "template": record.get("config.template"),
        **_manager(record.get("config.managedBy")),
    }


def _manager(managed: Any) -> dict[str, Any]:
    if managed is None:
        return {}
    return {"managed_by": fits(managed.extensionKey), "srm_placeholder": managed.type == "placeholderVm"}


def _system(record: Record) -> dict[str, Any]:
    detail = record.get("guest.guestDetailedData")
    names = (record.get("guest.guestFullName"), record.get("config.guestFullName"), detailed_name(detail))
    firmware = _FIRMWARE.get(record.get("config.firmware") or "")
    boot = record.get("config.bootOptions")
    secure = False if firmware == "bios" else getattr(boot, "efiSecureBootEnabled", None)
    return {
        "os": _FAMILIES.get(record.get("guest.guestFamily") or "") or family(*names, record.get("config.guestId")),
        "guest_id": fits(record.get("config.guestId")),
        "guest_name": fits(record.get("config.guestFullName")),
        "guest_tools_name": fits(record.get("guest.guestFullName")),
        "guest_detail": fits(release(detail)),
        "hostname": fits(record.get("guest.hostName")),
        "guest_disks": guest_disks(record.get("guest.disk")),
        "tools": tools(record.get("guest.toolsRunningStatus"), record.get("guest.toolsVersionStatus2")),
        "firmware": firmware,
        "secure_boot": secure,
        "hardware_version": fits(record.get("config.version")),
    }


def _capacity(record: Record) -> dict[str, Any]:
    count, memory = record.get("config.hardware.numCPU"), record.get("config.hardware.memoryMB")
    cores = record.get("config.hardware.numCoresPerSocket") or 1  # 0: vSphere chooses at power-on
    cpu, ram = record.get("config.cpuAllocation"), record.get("config.memoryAllocation")
    return {
        "cpu": build(Cpu, record, count=count, cores_per_socket=cores) if count else None,
        "memory": format_size(memory << 20) if memory else None,
        "cpu_reservation": _amount(cpu, "reservation"),
        "cpu_limit": _amount(cpu, "limit"),
        "memory_reservation": _amount(ram, "reservation", 20),
        "memory_limit": _amount(ram, "limit", 20),
        "cpu_hot_add": record.get("config.cpuHotAddEnabled"),
        "cpu_hot_remove": record.get("config.cpuHotRemoveEnabled"),
        "memory_hot_add": record.get("config.memoryHotAddEnabled"),
        "used_storage": record.get("summary.storage.committed"),
    }


def _amount(allocation: Any, what: str, shift: int = 0) -> int | None:
    """Return an amount in ResourceAllocationInfo, MB as bytes; -1 means no limit."""
    amount = getattr(allocation, what, None)
    return int(amount) << shift if amount is not None and amount >= 0 else None


def _special(record: Record) -> dict[str, Any]:
    settings = _settings(record.get("config.extraConfig"))
    tracking = record.get("config.changeTrackingEnabled")
    sensitivity = str(getattr(record.get("config.latencySensitivity"), "level", ""))
    visible = settings.get("disk.enableuuid")
    whole = record.get("config.hardware.device") is not None  # then an unset property means false
    return {
        "cpu_affinity": _affinity(record.get("config.cpuAffinity")),
        "numa_node_affinity": _nodes(settings) or _affinity(record.get("config.memoryAffinity")),
        "numa": {name: value for name, value in sorted(settings.items()) if name.startswith("numa.")},
        "latency_sensitivity": sensitivity if sensitivity in _SENSITIVITIES else None,
        "nested_hv": record.get("config.nestedHVEnabled"),
        "encrypted": _encrypted(record),
        "change_tracking": tracking if tracking is not None else _flag(settings.get("ctkenabled")),
        "disk_enable_uuid": _flag(visible) if visible else record.get("config.flags.diskUuidEnabled"),
        "snapshots": _count(record.get("snapshot.rootSnapshotList")) if whole else None,
    }


def _encrypted(record: Record) -> bool | None:
    """Return whether a VM or one of its disks has a key; None if vCenter does not show it."""
    devices = record.get("config.hardware.device")
    if record.get("config.keyId") or any(getattr(device.backing, "keyId", None) for device in devices or ()):
        return True
    return None if devices is None or "config.keyId" in record.missing else False


def _settings(options: Iterable[Any] | None) -> Mapping[str, str]:
    """Return the advanced settings that vmferry uses. The rest may contain secrets, and is dropped."""
    return {
        name: str(option.value)[:1024]
        for option in options or ()
        if (name := str(option.key).lower()) in ("disk.enableuuid", "ctkenabled") or name.startswith("numa.")
    }


def _flag(value: str | None) -> bool | None:
    return value.lower() in ("true", "1", "yes") if value else None


def _affinity(info: Any) -> tuple[int, ...] | None:
    members = getattr(info, "affinitySet", None)
    return tuple(sorted(int(member) for member in members)) if members else None


def _nodes(settings: Mapping[str, str]) -> tuple[int, ...] | None:
    """Return the nodes of numa.nodeAffinity: `0,2`."""
    parts = [part.strip() for part in settings.get("numa.nodeaffinity", "").split(",")]
    return tuple(sorted({int(part) for part in parts})) if all(re.fullmatch("[0-9]{1,4}", p) for p in parts) else None


def _count(trees: Sequence[Any] | None) -> int:
    """Return the number of snapshots in some trees; a chain may exceed Python's recursion limit."""
    waiting, count = list(trees or ()), 0
    while waiting:
        waiting += waiting.pop().childSnapshotList or ()
        count += 1
    return count


def _state(record: Record, surroundings: Surroundings) -> dict[str, Any]:
    connection = str(record.get("runtime.connectionState") or "")
    tolerance = record.get("runtime.faultToleranceState")
    power = record.get("runtime.powerState")
    return {
        "power_state": str(power) if power else None,
        "connection_state": connection if connection in _CONNECTIONS else None,
        "consolidation_needed": record.get("runtime.consolidationNeeded"),
        "fault_tolerance": str(tolerance) != "notConfigured" if tolerance else None,
        "rules": tuple(sorted(set(surroundings.rules.get(record.id, ())))),
        "host_affinity": record.id in surroundings.bound,
    }


def _attributes(record: Record, names: Mapping[int, str]) -> dict[str, str]:
    """Return the custom attributes by name, sorted."""
    found = {
        names[value.key]: str(value.value)
        for value in record.get("customValue") or ()
        if value.key in names and getattr(value, "value", None)
    }
    return dict(sorted(found.items()))
