"""Facts that a VM's path needs and the inventory lacks, such as the vTPM in RVTools."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from vmferry.draft.cover import Member
from vmferry.estate.routing import specialities
from vmferry.model.facts import Disk, Nic
from vmferry.model.spec import SimilarVms, VirtualMachine

Way = Literal["forklift", "job", "image"]


class Unknown(NamedTuple):
    """A fact to be stated by hand: the problem in words, and the lines to complete."""

    what: str  # as in "its UUID is unknown"
    example: dict[str, Any]  # of the VM's entry; the text TODO stands for what is unknown


def ways(members: Sequence[Member]) -> dict[str, Way]:
    """Return how each VM would move with `path: auto`, by key: resolve/paths.py asks the same questions."""
    standard = Counter(member.source for member in members if not specialities(member.vm))
    return {member.key: _way(member.vm, standard[member.source]) for member in members}


def _way(vm: VirtualMachine, standard: int) -> Way:
    if vm.template or any(disk.shared for disk in vm.disks or ()) or image_reason(vm):
        return "image"
    return "forklift" if standard >= SimilarVms().threshold and not specialities(vm) else "job"


def image_reason(vm: VirtualMachine) -> str | None:
    """Return why a VM's disks cannot be read through vSphere's APIs, so that only method image is left."""
    for disk in vm.disks or ():
        if disk.rdm == "physical":
            return "vSphere cannot read a physical raw device mapping"
        if (disk.mode or "").startswith("independent"):
            return "VDDK cannot read an independent disk"
    return None


_COPIED: tuple[tuple[str, str, Any], ...] = (
    ("os", "its operating system", "TODO linux, windows or other"),
    ("firmware", "its firmware (with efi, secureBoot and vtpm have to be stated too)", "TODO bios or efi"),
    ("uuid", "its SMBIOS UUID", "TODO config.uuid"),
)
_EFI: tuple[tuple[str, str, Any], ...] = (
    ("secure_boot", "whether secure boot is on", "TODO true or false"),
    ("vtpm", "whether it has a vTPM", "TODO true or false"),
)
_JOB: tuple[tuple[str, str, Any], ...] = (
    ("datacenter", "its datacenter", "TODO"),
    ("host", "its ESXi host", "TODO"),
)
_SIZE: tuple[tuple[str, str, Any], ...] = (
    ("cpu", "its CPU count", {"count": "TODO"}),
    ("memory", "its memory", "TODO as in 8Gi"),
)


def unknown(member: Member, way: Way) -> list[Unknown]:
    """Return the facts that must be stated before a VM can be compiled."""
    vm = member.vm
    found = [
        Unknown(f"{what} is unknown", {_yaml(field): example})
        for field, what, example in _needed(vm, way)
        if _absent(vm, field)
    ]
    if vm.power_state is None and not vm.template:
        found.append(Unknown("whether it runs is unknown", {"powerState": "TODO poweredOn or poweredOff"}))
    return [*found, *_topology(vm), *_devices(vm, way), *_disks(vm, way), *_nics(vm, way)]


def _needed(vm: VirtualMachine, way: Way) -> Iterable[tuple[str, str, Any]]:
    if way == "forklift":
        return _SIZE
    if vm.template:
        return _COPIED[:2]
    return (*_COPIED, *_SIZE, *(_EFI if vm.firmware == "efi" else ()), *(_JOB if way == "job" else ()))


def _absent(vm: VirtualMachine, field: str) -> bool:
    return getattr(vm, field) is None


def _yaml(field: str) -> str:
    return VirtualMachine.__struct_encode_fields__[VirtualMachine.__struct_fields__.index(field)]


def _topology(vm: VirtualMachine) -> Iterable[Unknown]:
    if vm.cpu is not None and vm.cpu.count % (vm.cpu.cores_per_socket * vm.cpu.threads_per_core):
        what = f"its {vm.cpu.count} CPUs do not divide into sockets of {vm.cpu.cores_per_socket}"
        yield Unknown(what, {"cpu": {"count": vm.cpu.count, "coresPerSocket": "TODO"}})


def _devices(vm: VirtualMachine, way: Way) -> Iterable[Unknown]:
    if way == "forklift" or not vm.passthrough or vm.gpus or vm.host_devices:
        return
    rows: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for device in vm.passthrough:
        graphics = device.startswith(("vgpu", "pci 10de:"))  # 10de is NVIDIA
        field, example = ("gpus", "nvidia.com/GRID_T4-4Q") if graphics else ("hostDevices", "intel.com/qat")
        rows[field].append({"deviceName": f"TODO as in {example}"})
    yield Unknown(f"the resource name of {', '.join(vm.passthrough)} on the target's nodes is unknown", dict(rows))


def _disks(vm: VirtualMachine, way: Way) -> Iterable[Unknown]:
    disks = vm.disks
    if disks is None:
        yield Unknown("the list of its disks is unknown", {"disks": [{"size": "TODO as in 40Gi", "datastore": "TODO"}]})
        return
    controllers = {disk.controller is not None for disk in disks} == {True, False}
    datastores = way == "forklift" and any(disk.datastore is None for disk in disks)
    if not (controllers or datastores):
        return
    rows = [_disk(disk, controllers=controllers, datastores=datastores) for disk in disks]
    named = [*["the controller of some disks"] * controllers, *["the datastore of some disks"] * datastores]
    yield Unknown(f"{' and '.join(named)} is unknown", {"disks": rows})


def _disk(disk: Disk, *, controllers: bool, datastores: bool) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(disk)
    if controllers:
        data.setdefault("controller", "TODO scsi, nvme, sata or ide")
    if datastores:
        data.setdefault("datastore", "TODO")
    return data


def _nics(vm: VirtualMachine, way: Way) -> Iterable[Unknown]:
    if vm.nics is None:
        yield Unknown("the list of its NICs is unknown", {"nics": [{"network": "TODO", "mac": "TODO"}]})
    elif way != "forklift" and any(nic.mac is None for nic in vm.nics):
        yield Unknown("the MAC of some NICs is unknown", {"nics": [_nic(nic) for nic in vm.nics]})


def _nic(nic: Nic) -> dict[str, Any]:
    return {**msgspec.to_builtins(nic), **({} if nic.mac else {"mac": "TODO"})}


def shared_macs(members: Sequence[Member]) -> dict[str, Unknown]:
    """Return VMs with a MAC that another VM also has, by key: usually clones."""
    first: dict[str, Member] = {}
    result: dict[str, Unknown] = {}
    for member in members:
        for nic in member.vm.nics or ():
            mac = (nic.mac or "").lower().replace("-", ":")
            other = first.setdefault(mac, member)
            if mac and other.key != member.key:
                nics = [{**msgspec.to_builtins(each), "mac": "TODO"} for each in member.vm.nics or ()]
                what = f"VM {other.vm.name} has the same MAC {mac}; only one of them can run"
                result.setdefault(member.key, Unknown(what, {"nics": nics}))
    return result


def without_datastore(member: Member, way: Way) -> bool:
    """Return whether a VM has a disk that no storage map can place, but a stated tier can."""
    return way != "forklift" and any(disk.datastore is None for disk in member.vm.disks or ())
