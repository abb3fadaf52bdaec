"""Which disk a guest boots from: by `boot`, by `rootDisk`, otherwise the first.

And which disk is the first for each tool.

Sources: libvirt src/vmx/vmx.c and virt-v2v's -i libvirt input (SCSI, SATA, IDE, NVMe, each by controller and unit);
Forklift pkg/controller/provider/web/vsphere/vm.go SortedDisksAsVmware and SortedDisksAsLibvirt.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from vmferry.model.facts import Disk

LIBVIRT: Mapping[str, int] = {"scsi": 0, "sata": 1, "ide": 2, "nvme": 3}
"""How libvirt, and so virt-v2v, numbers a VM's disks by their controllers."""
VMWARE: Mapping[str, int] = {"sata": 0, "ide": 1, "scsi": 2, "nvme": 3}
"""How Forklift numbers them (DiskIndex)."""

_SLOT = re.compile(r"[a-z]+(?P<controller>[0-9]{1,3}):(?P<unit>[0-9]{1,3})", re.IGNORECASE)  # as in scsi0:1
_LETTERED = re.compile(r"/dev/(?:sd|vd|hd|xvd)(?P<letters>[a-z]{1,2})[0-9]*")
_FOREIGN = re.compile(r"/dev/(?:nvme[0-9]|disk/)")
_MAPPED = re.compile(r"/dev/mapper/(?P<group>(?:[^-/]|--)+)-(?P<volume>(?:[^-/]|--)+)")


class Boot(Struct, frozen=True, kw_only=True):
    """Which disk boots, by its index among a VM's disks, and what is wrong with the statements about it."""

    place: int | None  # None: there are no disks
    root: int | None = None  # the disk that rootDisk is on; None: it does not tell
    problem: Literal["beyond", "disagrees"] | None = None
    """beyond: rootDisk is on a disk that the VM does not have. disagrees: `boot` marks another disk; it wins."""


def boot_disk(disks: Sequence[Disk], root_disk: str | None, order: Mapping[str, int] = LIBVIRT) -> Boot:
    """Return which disk boots. ``order`` is the numbering of the tool that reads ``root_disk``.

    A disk marked `boot` wins, then the disk that ``root_disk`` is on, then the first on the bus of the first disk.
    """
    if not disks:
        return Boot(place=None)
    numbered = ranked(disks, order)
    number = root_number(root_disk)
    root = numbered[number] if number is not None and number < len(disks) else None
    stated = next((place for place in numbered if disks[place].boot), None)
    if number is not None and root is None:
        return Boot(place=first_disk(disks) if stated is None else stated, problem="beyond")
    if stated is None:
        return Boot(place=first_disk(disks) if root is None else root, root=root)
    return Boot(place=stated, root=root, problem=None if root in (None, stated) else "disagrees")


def first_disk(disks: Sequence[Disk]) -> int:
    """Return the index of the default boot disk: the first one on the first disk's bus."""
    bus = _bus(disks[0])
    return next(place for place in ranked(disks, LIBVIRT) if _bus(disks[place]) == bus)


def boot_orders(places: Sequence[int], boot: int | None, last: frozenset[int] = frozenset()) -> dict[int, int]:
    """Return the boot order of each disk, from 1: the boot disk, then the others, with ``last`` at the end.

    Every disk has one: with strict booting, which KubeVirt uses, SeaBIOS does not initialise disks without one (seabios
    src/hw/virtio-blk.c), so a boot loader could not read them, and OVMF does not connect them (edk2 QemuBootOrderLib).
    virt-v2v also numbers all disks (output/create_kubevirt_yaml.ml).
    """
    order = sorted(places, key=lambda place: (place != boot, place in last))
    return {place: number for number, place in enumerate(order, start=1)}


def ranked(disks: Sequence[Disk], order: Mapping[str, int]) -> list[int]:
    """Return the indices of disks in the order of their numbering: by bus, controller and unit, otherwise as listed.

    Forklift and libvirt both sort by where a disk is attached, not by when.
    """
    if len(disks) < 2:
        return [*range(len(disks))]
    return [*_ranked(tuple((_bus(disk), disk.unit or "") for disk in disks), tuple(order.items()))]


@lru_cache(maxsize=4096)  # thousands of VMs have their disks at the same few places
def _ranked(places: tuple[tuple[str, str], ...], order: tuple[tuple[str, int], ...]) -> tuple[int, ...]:
    ranks = dict(order)
    slots = [_SLOT.fullmatch(unit) for _, unit in places]
    unknown = {bus for (bus, _), slot in zip(places, slots, strict=True) if slot is None}

    def rank(place: int) -> tuple[int, int, int]:
        bus, slot = places[place][0], slots[place]
        if slot is None or bus in unknown:
            return ranks[bus], 0, 0
        return ranks[bus], int(slot["controller"]), int(slot["unit"])

    return tuple(sorted(range(len(places)), key=rank))


def _bus(disk: Disk) -> str:
    return disk.controller or "scsi"


def root_number(root_disk: str | None) -> int | None:
    """Return the number, from 0, of a root device's disk: 1 for /dev/sdb2; None if its name does not tell."""
    found = _LETTERED.fullmatch(root_disk or "")
    if found is None:
        return None
    number = 0
    for letter in found["letters"]:
        number = number * 26 + ord(letter) - ord("a") + 1
    return number - 1


def foreign_root(root_disk: str | None) -> bool:
    """Return whether a root device has the guest's name, which virt-v2v never uses.

    In libguestfs' appliance every disk is on virtio-scsi: NVMe namespaces are sda, sdb, … there, too, and no disk is
    looked up by UUID or label.
    """
    return _FOREIGN.match(root_disk or "") is not None


def root_device(root_disk: str | None) -> str | None:
    """Return a root device for virt-v2v's --root, with its name in libguestfs' inspection.

    It names disks sda, sdb, … whatever their name in the guest, and a logical volume /dev/GROUP/VOLUME (libguestfs
    docs/guestfs.pod, block device naming; virt-v2v convert/choose_root.ml compares the names).
    """
    mapped = _MAPPED.fullmatch(root_disk or "")
    if mapped is not None:
        group, volume = (mapped[part].replace("--", "-") for part in ("group", "volume"))
        return f"/dev/{group}/{volume}"
    if root_disk is not None and _LETTERED.fullmatch(root_disk):
        return re.sub(r"^/dev/(?:vd|hd|xvd)", "/dev/sd", root_disk)
    return root_disk
