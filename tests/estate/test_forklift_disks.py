"""How Forklift numbers a VM's disks at one release or another, and which of them it boots."""

import pytest

from vmferry.estate.forklift_disks import boot_fault, numbered, order_fault, root_disk
from vmferry.model.facts import Controller, Disk
from vmferry.model.spec import Versions

NEW = Versions(forklift="2.12")
OLD = Versions(forklift="2.11.4")
EITHER = Versions(forklift="2.11")


def disk(unit: str | None = None, key: int | None = None, *, boot: bool | None = None) -> Disk:
    bus: Controller | None = None
    match (unit or "")[:3]:
        case "sca" | "scs":
            bus = "scsi"
        case "sat":
            bus = "sata"
        case "ide":
            bus = "ide"
        case "nvm":
            bus = "nvme"
    return Disk(size="40Gi", controller=bus, unit=unit, key=key, boot=boot)


LATE = (disk("scsi0:0", 2000), disk("scsi1:0", 2016), disk("scsi0:16", 131088))
EVEN = (disk("scsi0:0", 2000), disk("scsi0:1", 2001), disk("scsi1:0", 2016))
MIXED = (disk("scsi0:0"), disk("sata0:0"))  # VMware counts SATA first, libvirt SCSI
PAIR = (disk(), disk())


@pytest.mark.parametrize(("release", "places"), [(OLD, [0, 1, 2]), (NEW, [0, 2, 1])])
def test_disks_are_numbered_by_key_before_2_11_5_and_by_controller_since(release: Versions, places: list[int]) -> None:
    assert numbered(LATE, release) == places
    assert numbered(EVEN, release) == [0, 1, 2]


def test_buses_come_first_either_way() -> None:
    disks = (disk("scsi0:0", 2000), disk("sata0:0", 16000), disk("nvme0:0", 32000), disk("ide0:0", 3000))
    assert numbered(disks, OLD) == numbered(disks, NEW) == [1, 3, 0, 2]


def test_a_version_that_may_be_either_is_said_where_they_differ() -> None:
    fault = order_fault(LATE, EITHER)
    assert fault is not None
    assert "the cluster's patch release of 2.11" in fault.fix
    assert order_fault(EVEN, EITHER) is None
    assert order_fault(LATE, NEW) is None
    assert order_fault(LATE, OLD) is None


@pytest.mark.parametrize("units", [("scsi0:0", "scsi1:0"), ("scsi0:0", "scsi0:16")])
def test_unknown_keys_matter_where_they_need_not_follow_the_units(units: tuple[str, str]) -> None:
    disks = tuple(disk(unit) for unit in units)
    fault = order_fault(disks, OLD)
    assert fault is not None
    assert (fault.what, fault.path) == (
        "Forklift 2.11.4 numbers disks by their device keys, and some are unknown",
        ("disks", 0),
    )
    assert order_fault(disks, NEW) is None


@pytest.mark.parametrize("disks", [PAIR, (disk("scsi0:0"), disk("scsi0:1")), MIXED])
def test_unknown_keys_of_one_controller_follow_its_units(disks: tuple[Disk, ...]) -> None:
    assert order_fault(disks, OLD) is None


@pytest.mark.parametrize(
    ("disks", "stated", "release", "told"),
    [
        ((disk(), disk(boot=True)), None, OLD, "/dev/sdb"),
        ((disk(), disk(boot=True)), None, NEW, "/dev/sdb"),
        ((disk(boot=True), disk()), None, NEW, None),
        (PAIR, None, NEW, None),
        ((), None, NEW, None),
        (PAIR, "/dev/sda2", NEW, "/dev/sda2"),
        (PAIR, "/dev/vg/root", NEW, "/dev/vg/root"),
        # the boot disk is the first in the list, and SATA disks have the lower numbers
        (MIXED, None, NEW, "/dev/sdb"),
        (MIXED, None, OLD, "/dev/sdb"),
        # it is Forklift's first, and virt-v2v, which finds it from 2.12 on, would number it otherwise
        ((disk("sata0:0"), disk("scsi0:0")), None, NEW, "/dev/sda"),
        ((disk("sata0:0"), disk("scsi0:0")), None, OLD, None),
        ((disk("ide0:0"), disk("nvme0:0")), None, NEW, None),
    ],
)
def test_a_plan_names_the_boot_disk_where_forklift_would_take_another(
    disks: tuple[Disk, ...], stated: str | None, release: Versions, told: str | None
) -> None:
    assert root_disk(disks, stated, release) == told
    assert boot_fault(disks, stated, release) is None


def test_the_letter_follows_the_numbers_of_the_release() -> None:
    disks = (*LATE[:2], disk("scsi0:16", 131088, boot=True))
    assert root_disk(disks, None, OLD) == "/dev/sdc"
    assert root_disk(disks, None, NEW) == "/dev/sdb"


@pytest.mark.parametrize(
    ("disks", "stated", "what"),
    [
        ((disk(),), "/dev/sdc1", "rootDisk /dev/sdc1 is on disk 3, and the VM has 1 disk"),
        ((disk(),), "/dev/nvme0n1p2", "rootDisk /dev/nvme0n1p2 is what the guest calls it"),
        (PAIR, "/dev/sdc", "and the VM has 2 disks"),
        (PAIR, "/dev/vdc", "and the VM has 2 disks"),
        (PAIR, "/dev/vdb1", "Forklift looks for /dev/sdX"),
        (PAIR, "/dev/xvda", "Forklift looks for /dev/sdX"),
        (
            (disk(), disk(boot=True)),
            "/dev/sda1",
            "rootDisk /dev/sda1 is on disk 1, which Forklift boots, and `boot` marks disk 2",
        ),
        ((disk(), disk(boot=True)), "/dev/vg/root", "does not identify a disk to Forklift, so it boots the first"),
        (MIXED, "/dev/vg/root", "the VM boots from disk 1"),
        (MIXED, "/dev/sda2", "rootDisk /dev/sda2 is disk 2 for Forklift, which boots it, and disk 1 for virt-v2v"),
        (PAIR * 14, "/dev/sdab1", "Forklift reads the first letter"),
        ((*PAIR * 13, disk(boot=True)), None, "it boots from disk 27"),
    ],
)
def test_what_forklift_cannot_be_told_is_a_fault(disks: tuple[Disk, ...], stated: str | None, what: str) -> None:
    fault = boot_fault(disks, stated, NEW)
    assert fault is not None
    assert what in fault.what
    assert fault.fix
    assert fault.path in (("rootDisk",), ("disks", 26))


@pytest.mark.parametrize(
    ("disks", "stated"),
    [
        ((disk(),), "/dev/sda2"),
        ((disk(), disk(boot=True)), "/dev/sdb1"),
        (PAIR, "/dev/sdb1"),
        (PAIR, "/dev/vg/root"),
        ((disk("sata0:0"), disk("sata0:1", boot=True)), "/dev/sdb1"),
        ((), "/dev/sda"),
    ],
)
def test_what_forklift_reads_as_it_is_meant_is_none(disks: tuple[Disk, ...], stated: str | None) -> None:
    assert boot_fault(disks, stated, NEW) is None
