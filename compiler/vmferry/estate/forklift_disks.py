"""How a Forklift release numbers a VM's disks, and which one it boots.

Source: kubev2v/forklift pkg/controller/plan/adapter/vsphere/builder.go mapDisks, pkg/controller/plan/util/utils.go
GetDeviceNumber, pkg/controller/provider/web/vsphere/vm.go; the same text is virt-v2v's --root (V2V_RootDisk).
"""

from collections.abc import Sequence
from typing import NamedTuple

from vmferry.estate.boot import LIBVIRT, VMWARE, first_disk, foreign_root, ranked, root_device, root_number
from vmferry.estate.wording import counted
from vmferry.kube import versions
from vmferry.model.facts import Disk
from vmferry.model.spec import Versions

_LETTERS = 26
_KEYS_FOLLOW = 15  # units of one controller up to this have keys in their order: 2000 to 2015 on scsi0


class Fault(NamedTuple):
    """Why Forklift would treat the disks differently from the spec, how to fix it, and the field it is about."""

    what: str
    fix: str
    path: tuple[str | int, ...]


def numbered(disks: Sequence[Disk], here: Versions) -> list[int]:
    """Return the indices of disks in the order of Forklift's DiskIndex.

    Older releases sort by device key within a bus instead of controller and unit; if keys are unknown, the order is
    that of the units, and `order_fault` reports if it may differ.
    """
    if versions.possible(here, versions.DISKS_BY_CONTROLLER):
        return ranked(disks, VMWARE)
    return _by_key(disks)


def _by_key(disks: Sequence[Disk]) -> list[int]:
    places = ranked(disks, VMWARE)
    keyed = {bus for bus in VMWARE if all(disk.key is not None for disk in disks if (disk.controller or "scsi") == bus)}

    def rank(place: int) -> tuple[int, int]:
        disk = disks[place]
        bus = disk.controller or "scsi"
        return VMWARE[bus], disk.key if bus in keyed and disk.key is not None else 0

    return sorted(places, key=rank)


def order_fault(disks: Sequence[Disk], here: Versions) -> Fault | None:
    """Return why Forklift's numbers of the disks are uncertain; None if they are certain."""
    if versions.certain(here, versions.DISKS_BY_CONTROLLER):
        return None
    since = versions.DISKS_BY_CONTROLLER.since
    if versions.possible(here, versions.DISKS_BY_CONTROLLER) and ranked(disks, VMWARE) != _by_key(disks):
        return Fault(
            f"Forklift numbers disks by device key before {since} and by controller since, and here the two differ",
            f"set target.cluster.versions.forklift to the cluster's patch release of {here.forklift}",
            ("disks",),
        )
    for bus in VMWARE:
        here_on = [index for index, disk in enumerate(disks) if (disk.controller or "scsi") == bus]
        slots = [(disks[index].unit or "").lower().partition(":") for index in here_on]
        spread = len({controller for controller, _, _ in slots}) > 1
        far = any(unit.isdigit() and int(unit) > _KEYS_FOLLOW for _, _, unit in slots)
        if (spread or far) and any(disks[index].key is None for index in here_on):
            return Fault(
                f"Forklift {here.forklift} numbers disks by their device keys, and some are unknown",
                f"add `key` to its disks (RVTools: Disk Key), or update Forklift to {since}",
                ("disks", next(index for index in here_on if disks[index].key is None)),
            )
    return None


def root_disk(disks: Sequence[Disk], stated: str | None, here: Versions) -> str | None:
    """Return a Plan's rootDisk: the spec's, or the boot disk if Forklift would choose another.

    Forklift boots the disk with that letter, in VMware's numbering. Without it, Forklift boots what virt-v2v found
    (from 2.12, and not if disks are copied warm), otherwise the first disk; what virt-v2v found is a number in
    libvirt's order, so with several buses it is a different disk. virt-v2v's --root only reads the text if a guest has
    several systems, and then fails, because a whole disk is not one of them.
    """
    if stated is not None or not disks:
        return root_device(stated)
    place = _stated(disks)
    forklift, libvirt = numbered(disks, here), ranked(disks, LIBVIRT)
    known = first_disk(disks) if place is None else place
    number = forklift.index(known)
    misread = number != libvirt.index(known) and (number > 0 or versions.possible(here, versions.FINDS_BOOT_DISK))
    if number < _LETTERS and (misread or (place is not None and number > 0)):
        return f"/dev/sd{chr(ord('a') + number)}"
    return None


def boot_fault(disks: Sequence[Disk], stated: str | None, here: Versions) -> Fault | None:
    """Return why Forklift would boot a different disk from the spec's, or no disk; None if it boots the right one."""
    if not disks:
        return None
    number = root_number(stated)
    return _unread(disks, stated, here) if number is None else _misread(disks, stated or "", number, here)


def _misread(disks: Sequence[Disk], stated: str, number: int, here: Versions) -> Fault | None:
    """Return what is wrong with a rootDisk that Forklift reads: the disk of its first letter."""
    at = ("rootDisk",)
    if number >= len(disks):
        count = counted(len(disks), "disk")
        what = f"rootDisk {stated} is on disk {number + 1}, and the VM has {count}"
        return Fault(what, "name one of its disks: /dev/sda is the first, in the order of its controllers", at)
    if not stated.startswith("/dev/sd"):
        what = (
            f"rootDisk {stated}: Forklift looks for /dev/sdX, whatever the guest calls its disks, and boots the first"
        )
        return Fault(what, f"write {root_device(stated)} if it is on disk {number + 1}", at)
    if number >= _LETTERS:
        what = f"rootDisk {stated}: Forklift reads the first letter after /dev/sd only"
        return Fault(what, "use path virt-v2v, or attach the boot disk before the others", at)
    forklift, libvirt, place = numbered(disks, here)[number], ranked(disks, LIBVIRT)[number], _stated(disks)
    if forklift != libvirt:
        return Fault(
            f"rootDisk {stated} is {_name(disks, forklift)} for Forklift, which boots it, and {_name(disks, libvirt)} "
            "for virt-v2v: they order the buses differently",
            "mark the disk with `boot: true` and drop rootDisk, which only a guest of several systems needs; or use "
            "path virt-v2v",
            at,
        )
    if place is not None and place != forklift:
        return Fault(
            f"rootDisk {stated} is on {_name(disks, forklift)}, which Forklift boots, and `boot` marks "
            f"{_name(disks, place)}",
            "correct one of the two; where / is on another disk than the boot loader, use path virt-v2v",
            at,
        )
    return None


def _unread(disks: Sequence[Disk], stated: str | None, here: Versions) -> Fault | None:
    """Return what is wrong if rootDisk does not identify a disk to Forklift, such as a logical volume."""
    if foreign_root(stated):
        return Fault(
            f"rootDisk {stated} is what the guest calls it; Forklift looks for /dev/sdX, and so does virt-v2v",
            "write /dev/sda for the first disk, /dev/sdb for the second, in the order of its controllers; or drop it, "
            "since only a guest of several systems needs it",
            ("rootDisk",),
        )
    place = _stated(disks)
    known = first_disk(disks) if place is None else place
    number = numbered(disks, here).index(known)
    if stated is not None and number > 0:
        return Fault(
            f"rootDisk {stated} does not identify a disk to Forklift, so it boots the first, but the VM boots from "
            f"{_name(disks, known)}",
            "drop rootDisk, which only a guest of several systems needs; or use path virt-v2v",
            ("rootDisk",),
        )
    if number >= _LETTERS:
        what = f"it boots from disk {number + 1}, and Forklift can only boot one of the first {_LETTERS}"
        return Fault(what, "use path virt-v2v, or attach the boot disk before the others", ("disks", known))
    return None


def _stated(disks: Sequence[Disk]) -> int | None:
    return next((place for place, disk in enumerate(disks) if disk.boot), None)


def _name(disks: Sequence[Disk], place: int) -> str:
    return disks[place].label or f"disk {place + 1}"
