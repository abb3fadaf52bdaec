"""Whether the path and the method of a VM support its devices and disks."""

from collections.abc import Iterable

from vmferry.estate.methods import METHODS, methods_of
from vmferry.estate.methods.traits import Trouble
from vmferry.estate.readable import is_independent
from vmferry.model.facts import Disk, DiskSource
from vmferry.model.rule import declare
from vmferry.resolve import forklift
from vmferry.resolve.notes import Noting
from vmferry.resolve.paths import Route
from vmferry.resolve.selection import Candidate, is_raw
from vmferry.resolve.storage import Allocated

DISK_NOT_MIGRATABLE = declare(
    "VMF503",
    "error",
    "disk cannot be migrated by this path",
    why="Not every path can read every disk: a warm copy needs changed block tracking and no snapshots, VDDK cannot "
    "read independent disks or physical RDMs, and a shared disk would be copied once for each of its VMs. The "
    "copy would fail halfway, or produce a disk without current data.",
    source="kubev2v/forklift pkg/controller/plan/validation.go (VMMissingChangedBlockTracking, "
    "VMHasSnapshots, SharedDisks), validation/policies/io/konveyor/forklift/vmware",
)


def check_supported(candidate: Candidate, route: Route, allocated: Allocated) -> Noting[bool]:
    """Return whether the path and the method support the VM at all."""
    problems = list(_problems(candidate, route, allocated))
    for message, fix, field in problems:
        yield DISK_NOT_MIGRATABLE.finding(
            f"VM {candidate.vm.name}: {message}",
            fix,
            where=candidate.where.at(*field),
            vms=(candidate.vm.name,),
        )
    return not problems


def _problems(candidate: Candidate, route: Route, allocated: Allocated) -> Iterable[Trouble]:
    vm, method = candidate.vm, METHODS[route.method]
    devices = vm.gpus or vm.host_devices or vm.passthrough
    if route.path == "forklift" and devices:
        yield (
            "Forklift refuses a VM with a passed-through device",
            "use path virt-v2v: otherwise the whole Plan never becomes Ready",
            ("gpus",) if vm.gpus else ("hostDevices",) if vm.host_devices else ("name",),
        )
    if (vm.template or vm.clone_of) and not method.from_images:
        yield (
            "templates and their clones move by method image",
            "set path virt-v2v and method image",
            ("name",),
        )
    if method.converts and is_raw(candidate):
        yield (
            f"method {route.method} converts every guest, and this one has conversion: skip",
            "use method image (CDI then copies its disks by source vddk) or path forklift, or remove conversion: skip",
            ("conversion",),
        )
    yield from method.refuses(vm)
    for index, volume in enumerate(allocated.volumes):
        copy = forklift.by_array(candidate, route.path, volume.offload if volume is not None else None)
        yield from _disk_problems((vm.disks or ())[index], index, route, by_array=copy is not None)
    if sum(bool(disk.boot) for disk in vm.disks or ()) > 1:
        yield "two disks are marked boot", "mark one", ("disks",)


def _disk_problems(disk: Disk, index: int, route: Route, *, by_array: bool) -> Iterable[Trouble]:
    """Yield why the path does not support a disk; ``by_array``: the storage array copies it."""
    at, method = ("disks", index), METHODS[route.method]
    if disk.shared and not method.from_images:
        yield (
            f"shared disk {disk.shared} would be copied once for every VM",
            "use path virt-v2v with method image",
            (*at, "shared"),
        )
    if disk.rdm == "physical" and not method.from_images and not (by_array and route.method == "cold"):
        yield "a physical raw device mapping cannot be read by vSphere", "use method image", (*at, "rdm")
    if is_independent(disk) and not method.independent_disks:
        other = next((name for name in methods_of(route.path) if METHODS[name].independent_disks), "image")
        yield "VDDK cannot read an independent disk", f"use method {other}", (*at, "mode")
    if disk.source is not None and not method.from_images:
        yield "`source` is for method image", "remove it, or set method image", (*at, "source")
    if disk.source is not None and len(_sources(disk.source)) != 1:
        yield "a disk's source needs exactly one of http, registry, upload, vddk, blank", "", (*at, "source")


def _sources(source: DiskSource) -> list[str]:
    return [name for name in source.__struct_fields__ if getattr(source, name) is not None]
