"""Which disk a guest boots from, and what each tool calls it."""

import pytest

from vmferry.estate.boot import LIBVIRT, VMWARE, Boot, boot_disk, boot_orders, ranked, root_device, root_number
from vmferry.model.facts import Disk

TWO = (Disk(size="60Gi", controller="scsi", unit="scsi0:0"), Disk(size="40Gi", controller="scsi", unit="scsi0:1"))
SWAPPED = (TWO[1], TWO[0])
SATA_FIRST = (Disk(size="8Gi", controller="sata", unit="sata0:0"), Disk(size="40Gi", controller="scsi", unit="scsi0:0"))


def marked(disks: tuple[Disk, ...], place: int) -> tuple[Disk, ...]:
    """Return the disks with one of them marked as the one that boots."""
    return tuple(
        Disk(size=disk.size, controller=disk.controller, unit=disk.unit, boot=True) if index == place else disk
        for index, disk in enumerate(disks)
    )


@pytest.mark.parametrize(
    ("root", "number"),
    [
        ("/dev/sda", 0),
        ("/dev/sda2", 0),
        ("/dev/sdb2", 1),
        ("/dev/vdc", 2),
        ("/dev/xvdb1", 1),
        ("/dev/sdaa1", 26),
        ("/dev/vg_sys/lv_root", None),
        ("/dev/mapper/vg_sys-lv_root", None),
        ("/dev/sd", None),
        ("/dev/md0", None),
        ("/dev/nvme0n1p2", None),
        (None, None),
    ],
)
def test_a_root_device_tells_its_disk_by_its_letter(root: str | None, number: int | None) -> None:
    assert root_number(root) == number


@pytest.mark.parametrize(
    ("root", "device"),
    [
        ("/dev/sdb2", "/dev/sdb2"),
        ("/dev/vdb2", "/dev/sdb2"),
        ("/dev/vg_sys/lv_root", "/dev/vg_sys/lv_root"),
        ("/dev/mapper/vg_sys-lv_root", "/dev/vg_sys/lv_root"),
        ("/dev/mapper/vg--sys-lv--root", "/dev/vg-sys/lv-root"),
        ("/dev/mapper/mpatha", "/dev/mapper/mpatha"),
        ("/dev/md0", "/dev/md0"),
        (None, None),
    ],
)
def test_virt_v2v_takes_the_names_that_libguestfs_gives(root: str | None, device: str | None) -> None:
    assert root_device(root) == device


@pytest.mark.parametrize(
    ("disks", "root", "expected"),
    [
        ((), None, Boot(place=None)),
        ((), "/dev/sdb1", Boot(place=None)),
        (TWO, None, Boot(place=0)),
        (SWAPPED, None, Boot(place=1)),
        (TWO, "/dev/sda2", Boot(place=0, root=0)),
        (TWO, "/dev/sdb2", Boot(place=1, root=1)),
        (SWAPPED, "/dev/sdb2", Boot(place=0, root=0)),
        (TWO, "/dev/vg/root", Boot(place=0)),
        (TWO, "/dev/sdc1", Boot(place=0, problem="beyond")),
        (marked(TWO, 1), None, Boot(place=1)),
        (marked(TWO, 1), "/dev/sdb2", Boot(place=1, root=1)),
        (marked(TWO, 0), "/dev/sdb2", Boot(place=0, root=1, problem="disagrees")),
        (marked(TWO, 1), "/dev/sdc1", Boot(place=1, problem="beyond")),
        (SATA_FIRST, None, Boot(place=0)),
    ],
)
def test_boot_wins_then_the_root_disk_then_the_first(disks: tuple[Disk, ...], root: str | None, expected: Boot) -> None:
    assert boot_disk(disks, root) == expected


def test_what_a_letter_means_depends_on_who_counts() -> None:
    assert boot_disk(SATA_FIRST, "/dev/sda1", LIBVIRT).place == 1
    assert boot_disk(SATA_FIRST, "/dev/sda1", VMWARE).place == 0
    assert ranked(SATA_FIRST, LIBVIRT) == [1, 0]


def test_every_disk_has_a_boot_order_and_shared_ones_come_last() -> None:
    assert boot_orders([0, 1, 2], 1) == {1: 1, 0: 2, 2: 3}
    assert boot_orders([2, 0, 1], None) == {2: 1, 0: 2, 1: 3}
    assert boot_orders([0, 1, 2], 2, frozenset([0])) == {2: 1, 1: 2, 0: 3}
