"""Stabilises facts that change every hour, so that a diff of inventory files only shows real changes.

Rules only need the magnitude of used and free space: virt-v2v needs 100 MiB free in a root file system and less in
others (virt-v2v(1), "Free space in the guest"), the rest is for people to judge. So used space is rounded up by at most
a quarter, and free space down to a power of two from 1 GiB on, below that to whole MiB. Notes about each backup run in
custom attributes are left out.
"""

import re
from collections.abc import Mapping

from msgspec.structs import replace

from vmferry.model.facts import GuestDisk
from vmferry.model.inventory import Inventory
from vmferry.model.spec import VirtualMachine

_MIB, _GIB = 2**20, 2**30
_RESTLESS = re.compile(
    r"(?:nb[ _-]?)?last[ _-]?(?:successful[ _-]?)?backup(?:[ _-]?(?:time|date|status|result))?"
    r"|backup[ _-]?(?:status|time|date|result)",
    re.IGNORECASE,
)


def steady(inventory: Inventory) -> Inventory:
    """Return an inventory with volatile facts rounded or left out; idempotent."""
    return replace(
        inventory,
        vms=tuple(_vm(vm) for vm in inventory.vms),
        datastores=tuple(
            store if store.free is None else replace(store, free=_down(store.free)) for store in inventory.datastores
        ),
    )


def _vm(vm: VirtualMachine) -> VirtualMachine:
    facts: dict[str, object] = {}
    if vm.used_storage is not None:
        facts["used_storage"] = _up(vm.used_storage)
    if vm.guest_disks:
        facts["guest_disks"] = tuple(_mount(each) for each in vm.guest_disks)
    if any(map(_RESTLESS.fullmatch, vm.custom_attributes)):
        facts["custom_attributes"] = _calm(vm.custom_attributes)
    return replace(vm, **facts) if facts else vm


def _mount(disk: GuestDisk) -> GuestDisk:
    return disk if disk.free is None else replace(disk, free=_down(disk.free))


def _calm(attributes: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in attributes.items() if not _RESTLESS.fullmatch(name)}


def _up(size: int) -> int:
    """Return bytes rounded up to whole GiB, and to three binary digits."""
    step = max(_GIB, 1 << max(0, size.bit_length() - 3))
    return -(-size // step) * step


def _down(size: int) -> int:
    """Return bytes rounded down: below 1 GiB to whole MiB, otherwise to a power of two."""
    return size // _MIB * _MIB if size < _GIB else 1 << (size.bit_length() - 1)
