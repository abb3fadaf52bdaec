"""Facts that a VM's path needs and the inventory lacks, such as the vTPM in RVTools."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from vmferry.estate.methods import usual_of
from vmferry.estate.missing import CONTROLLERS, DEVICES, RUNS, missing
from vmferry.estate.readable import unreadable
from vmferry.estate.routing import auto, is_standard
from vmferry.estate.sizing import whole_sockets
from vmferry.estate.ties import Member
from vmferry.kube.mac import plain
from vmferry.model.blueprint import Path
from vmferry.model.facts import Disk, Nic
from vmferry.model.keys import VmKey
from vmferry.model.spec import Method, SimilarVms, VirtualMachine

Way = Literal["forklift", "job", "image"]


class Unknown(NamedTuple):
    """A fact to be stated by hand: the problem in words, and the lines to complete."""

    what: str  # as in "its UUID is unknown"
    example: dict[str, Any]  # of the VM's entry; the text TODO stands for what is unknown


def ways(members: Sequence[Member]) -> dict[VmKey, Way]:
    """Return how each VM would move with `path: auto`, by key."""
    settings = SimilarVms()
    standard = Counter(member.source for member in members if is_standard(member.vm, settings))
    return {member.key: _way(member, standard[member.source], settings) for member in members}


def _way(member: Member, standard: int, settings: SimilarVms) -> Way:
    path = auto(member.vm, member.source, standard, settings).path
    if path == "forklift":
        return "forklift"
    method, _ = usual_of(path, member.vm)
    return "image" if method == "image" or unreadable_disk(member.vm) else "job"


def unreadable_disk(vm: VirtualMachine) -> str | None:
    """Return why one of a VM's disks cannot be read through vSphere's APIs, so that only method image is left."""
    return next((why for disk in vm.disks or () if (why := unreadable(disk)) is not None), None)


_EXAMPLES: dict[str, Any] = {
    "os": "TODO linux, windows or other",
    "firmware": "TODO bios or efi",
    "uuid": "TODO config.uuid",
    "cpu": {"count": "TODO"},
    "memory": "TODO as in 8Gi",
    "secure_boot": "TODO true or false",
    "vtpm": "TODO true or false",
    "datacenter": "TODO",
    "host": "TODO",
    RUNS: "TODO poweredOn or poweredOff",
    "disks": [{"size": "TODO as in 40Gi", "datastore": "TODO"}],
    "nics": [{"network": "TODO", "mac": "TODO"}],
}
"""By field: what stands for a fact that nobody knows yet."""

_FULLER = {"firmware": "its firmware (with efi, secureBoot and vtpm have to be stated too)", "uuid": "its SMBIOS UUID"}
"""By field: a fact, and where to look for it."""

_SIZE = (("cpu", "its CPU count"), ("memory", "its memory"))


def unknown(member: Member, way: Way) -> list[Unknown]:
    """Return the facts that must be stated before a VM can be compiled."""
    vm = member.vm
    absent = {field: what for field, what, _ in missing(vm, *_ROUTES[way])}
    if way == "forklift":  # which reads the rest itself; quotas count these
        absent |= {field: what for field, what in _SIZE if getattr(vm, field) is None}
    found = [
        Unknown(f"{_FULLER.get(field, absent[field])} is unknown", {_yaml(field): example})
        for field, example in _EXAMPLES.items()
        if field in absent
    ]
    return [
        *found,
        *_topology(vm),
        *(_devices(vm) if DEVICES in absent else ()),
        *_disks(vm, way, controllers=CONTROLLERS in absent),
        *_nics(vm, way),
    ]


_ROUTES: dict[Way, tuple[Path, Method]] = {
    "forklift": ("forklift", "cold"),
    "job": ("virt-v2v", "job"),
    "image": ("virt-v2v", "image"),
}


def _yaml(field: str) -> str:
    return VirtualMachine.__struct_encode_fields__[VirtualMachine.__struct_fields__.index(field)]


def _topology(vm: VirtualMachine) -> Iterable[Unknown]:
    if vm.cpu is not None and whole_sockets(vm.cpu) is None:
        what = f"its {vm.cpu.count} CPUs do not divide into sockets of {vm.cpu.cores_per_socket}"
        yield Unknown(what, {"cpu": {"count": vm.cpu.count, "coresPerSocket": "TODO"}})


def _devices(vm: VirtualMachine) -> Iterable[Unknown]:
    rows: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for device in vm.passthrough or ():
        graphics = device.startswith(("vgpu", "pci 10de:"))  # 10de is NVIDIA
        field, example = ("gpus", "nvidia.com/GRID_T4-4Q") if graphics else ("hostDevices", "intel.com/qat")
        rows[field].append({"deviceName": f"TODO as in {example}"})
    yield Unknown(
        f"the resource name of {', '.join(vm.passthrough or ())} on the target's nodes is unknown", dict(rows)
    )


def _disks(vm: VirtualMachine, way: Way, *, controllers: bool) -> Iterable[Unknown]:
    disks = vm.disks or ()
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
    nics = vm.nics or ()
    if way != "forklift" and any(nic.mac is None for nic in nics):
        yield Unknown("the MAC of some NICs is unknown", {"nics": [_nic(nic) for nic in nics]})


def _nic(nic: Nic) -> dict[str, Any]:
    return {**msgspec.to_builtins(nic), **({} if nic.mac else {"mac": "TODO"})}


def shared_macs(members: Sequence[Member]) -> dict[str, Unknown]:
    """Return VMs with a MAC that another VM also has, by key: usually clones."""
    first: dict[str, Member] = {}
    result: dict[str, Unknown] = {}
    for member in members:
        for nic in member.vm.nics or ():
            mac = plain(nic.mac or "")
            other = first.setdefault(mac, member)
            if mac and other.key != member.key:
                nics = [{**msgspec.to_builtins(each), "mac": "TODO"} for each in member.vm.nics or ()]
                what = f"VM {other.vm.name} has the same MAC {mac}; only one of them can run"
                result.setdefault(member.key, Unknown(what, {"nics": nics}))
    return result


def without_datastore(member: Member, way: Way) -> bool:
    """Return whether a VM has a disk that no storage map can place, but a stated tier can."""
    return way != "forklift" and any(disk.datastore is None for disk in member.vm.disks or ())
