"""Unknown facts of a VM that its path and method need."""

from collections.abc import Iterator

from vmferry.estate.methods import METHODS
from vmferry.estate.methods.traits import Needed
from vmferry.model.blueprint import Path
from vmferry.model.spec import Method, VirtualMachine

_COPIED: tuple[Needed, ...] = (
    ("os", "its operating system", "add `os`: linux, windows or other"),
    ("cpu", "its CPU count", "add `cpu: {count: …}`"),
    ("memory", "its memory", "add `memory`, as in 8Gi"),
    ("firmware", "its firmware", "add `firmware`: bios or efi; the wrong one does not boot"),
    ("uuid", "its UUID", "add `uuid` (config.uuid, RVTools: SMBIOS UUID); licences are tied to it"),
)
_EFI: tuple[Needed, ...] = (
    ("secure_boot", "whether secure boot is on", "add `secureBoot`; RVTools: EFI Secure boot"),
    ("vtpm", "whether it has a vTPM", "add `vtpm`; RVTools does not know it, vCenter's VM hardware does"),
)
_TEMPLATE = ("os", "firmware")  # a golden image has no VM of its own

RUNS, CONTROLLERS, DEVICES = "power_state", "controller", "passthrough"
"""Pseudo-fields for missing facts that are not a single field of the VM."""


def missing(vm: VirtualMachine, path: Path, method: Method) -> Iterator[Needed]:
    """Yield unknown facts of a VM that are required: the field, its meaning, and how to state it."""
    if path == "rebuild":
        return
    if vm.power_state is None and not vm.template:
        yield RUNS, "whether it runs", "add `powerState`, or decide `runStrategy`"
    if not vm.disks and vm.clone_of is None:
        yield "disks", "the list of its disks", "add `disks`, every one: a disk that is not listed would be lost"
    if len({disk.controller is not None for disk in vm.disks or ()}) == 2:
        fix = "add `controller` to all or to none: it decides their order"
        yield CONTROLLERS, "the controller of some disks", fix
    if vm.nics is None:
        yield "nics", "the list of its NICs", "add `nics`, or `nics: []` if it has none"
    if path == "virt-v2v" and vm.passthrough and not (vm.gpus or vm.host_devices):
        yield DEVICES, "the resource names of its passed-through devices in the target", "add `gpus` or `hostDevices`"
    yield from (fact for fact in _faithful(vm, path, method) if getattr(vm, fact[0]) is None)


def _faithful(vm: VirtualMachine, path: Path, method: Method) -> tuple[Needed, ...]:
    """Return the facts without which a faithful copy cannot be written."""
    if path == "forklift":
        return ()
    if vm.template:
        return tuple(fact for fact in _COPIED if fact[0] in _TEMPLATE)
    return (*_COPIED, *(_EFI if vm.firmware == "efi" else ()), *METHODS[method].facts)
