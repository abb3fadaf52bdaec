"""Whether the firmware finds its boot disk, and a boot loader on it."""

import re
from collections.abc import Iterator

from vmferry.estate.boot import boot_disk, foreign_root, root_number
from vmferry.estate.release import Release, release
from vmferry.estate.wording import counted
from vmferry.model.blueprint import Group, Machine
from vmferry.model.review import Problem, Review, Subject
from vmferry.rules.registry import rule


def _booting(review: Review) -> Iterator[tuple[Subject, Group, Machine]]:
    """Yield the VMs with disks of their own."""
    for subject, group, machine in review.moving:
        if machine.disks and not machine.golden and machine.clone_of is None:
            yield subject, group, machine


def _starting(review: Review) -> Iterator[tuple[Subject, Group, Machine]]:
    """Yield the VMs with disks of their own that have not started in the target."""
    return (each for each in _booting(review) if not each[1].running)


@rule(
    "VMF546",
    "error",
    "rootDisk is on a disk the VM does not have",
    source="libguestfs/virt-v2v convert/choose_root.ml",
    each=True,
)
def no_such_root(review: Review) -> Iterator[Problem]:
    """virt-v2v stops: "root device not found". Its disks are sda, sdb and so on, in libvirt's order.

    libvirt sorts by controller (SCSI, SATA, IDE, NVMe), and within one by bus and unit. It names NVMe disks the same
    way.
    """
    for subject, _, machine in _starting(review):
        if machine.path == "virt-v2v" and foreign_root(machine.root_disk):
            yield subject.decided(
                "root_disk",
                f"rootDisk {machine.root_disk} is the guest's name; virt-v2v names disks /dev/sda, /dev/sdb, …",
                f"correct `rootDisk`: {_devices(len(machine.disks))}, or a logical volume such as /dev/vg/root",
            )
        number = root_number(machine.root_disk) if machine.path == "virt-v2v" else None
        if number is not None and number >= len(machine.disks):
            disks = counted(len(machine.disks), "disk")
            yield subject.decided(
                "root_disk",
                f"rootDisk {machine.root_disk} is on disk {number + 1}, and the VM has {disks}",
                f"correct `rootDisk`: {_devices(len(machine.disks))}, or a logical volume such as /dev/vg/root",
            )


def _devices(count: int) -> str:
    return "/dev/sda" if count == 1 else f"/dev/sda to /dev/sd{chr(ord('a') + min(count, 26) - 1)}"


@rule(
    "VMF547",
    "warning",
    "rootDisk and boot name different disks",
    source="libguestfs/virt-v2v output/create_kubevirt_yaml.ml, target_boot_device",
    each=True,
)
def two_boot_disks(review: Review) -> Iterator[Problem]:
    """The VM boots the disk that is marked `boot`, and virt-v2v prepares the system on another disk for booting.

    That is right if the boot loader is on a separate disk. Otherwise the firmware does not find a system.
    """
    for subject, _, machine in _starting(review):
        disks = subject.vm.disks or ()
        found = boot_disk(disks, machine.root_disk)
        if found.problem == "disagrees" and machine.path == "virt-v2v" and found.place is not None:
            yield subject.decided(
                "root_disk",
                f"rootDisk {machine.root_disk} is on disks[{found.root}], and disks[{found.place}] is marked boot",
                "remove `boot` to boot from the system disk, correct `rootDisk`, or suppress this if the boot "
                "loader is on a separate disk",
            )


_FALLBACK_BY_VIRT_V2V = frozenset((("debian", 12), ("ubuntu", 14), ("centos", 6)))
"""Guests for which virt-v2v copies the boot loader to the fallback path; Debian since 2.11.2."""


def _without_fallback(guest: Release, *, converted: bool) -> bool:
    """Return whether a guest's EFI boot loader only exists at the path of an NVRAM entry."""
    lacks = guest.distribution == "debian" or guest in (("ubuntu", 14), ("centos", 6), ("rhel", 6), ("oraclelinux", 6))
    return lacks and not (converted and guest in _FALLBACK_BY_VIRT_V2V)


@rule(
    "VMF548",
    "warning",
    "EFI boot entry is lost and there may be no fallback loader",
    source="libguestfs/virt-v2v convert/convert_linux.ml (lost uefi boot entries); wiki.debian.org/UEFI, Force "
    "grub-efi installation to the removable media path",
    each=True,
)
def boot_entry(review: Review) -> Iterator[Problem]:
    r"""The entry that EFI boots is in NVRAM, which is not copied. The copy only has the path for removable media.

    Debian puts no loader there (\EFI\BOOT\BOOTX64.EFI), nor do RHEL and its clones of release 6. virt-v2v creates one
    for Debian 12, Ubuntu 14.04 and CentOS 6; others end in the EFI shell or with "no bootable device". It is still
    reported, as an information, once the VM runs in the target: that is when it shows.
    """
    for subject, group, machine in _booting(review):
        guest = release(subject.vm) if machine.os == "linux" else None
        if subject.vm.firmware != "efi" or guest is None or machine.path == "rebuild":
            continue
        copied = any(disk.source.vddk is not None and disk.boot_order == 1 for disk in machine.disks)
        converted = not (machine.raw or copied)
        if _without_fallback(guest, converted=converted):
            problem = subject.problem(
                f"its EFI boot entry in NVRAM is not copied, and {_NAMES[guest.distribution]} {guest.major} has no "
                "loader at the fallback path",
                _FIX[guest.distribution],
                "firmware",
            )
            yield problem._replace(severity="info", help=_BY_HAND) if group.running else problem


_BY_HAND = (
    "if it does not boot, start the loader by hand (EFI shell or Boot From File), then install it there permanently"
)
_NAMES = {"debian": "Debian", "ubuntu": "Ubuntu", "centos": "CentOS", "rhel": "RHEL", "oraclelinux": "Oracle Linux"}
_REMOVABLE = "grub-install --target=x86_64-efi --force-extra-removable"
_COPY = "copy the loader to /boot/efi/EFI/BOOT/BOOTX64.EFI in the guest before the copy; suppress this once it is there"
_FIX = {
    "debian": f"run `{_REMOVABLE}` in the guest before the copy; suppress this once \\EFI\\BOOT\\BOOTX64.EFI is there",
    "ubuntu": _COPY,
    "centos": _COPY,
    "rhel": _COPY,
    "oraclelinux": _COPY,
}


_SHA1_IDS = ("windows7",)  # Windows 7 and Server 2008 R2
_SHA1_NAMES = re.compile(r"windows (?:7\b|server 2008 r2)", re.IGNORECASE)
_OLDER_IDS = ("winXP", "winNet", "winVista", "winLonghorn")
_OLDER_NAMES = re.compile(r"windows (?:xp|vista|server 2003|server 2008\b(?! r2))", re.IGNORECASE)


@rule(
    "VMF550",
    "warning",
    "Windows does not accept current virtio drivers",
    source="kubev2v/forklift #1644, pkg/controller/plan/adapter/vsphere/builder.go IsLegacyWindows, "
    "build/virt-v2v/Containerfile-downstream; virtio-win/kvm-guest-drivers-windows #485",
    each=True,
)
def legacy_windows(review: Review) -> Iterator[Problem]:
    """Current virtio drivers are signed with SHA-2, which Windows 7 and Server 2008 R2 only support after an update.

    Windows then refuses the driver of its own boot disk and stops with 0xc0000428 or 0x7B. Forklift gives such guests
    an ISO of old drivers (build 173 or before), which is only in Red Hat's image; the community's lacks it.
    """
    downstream = review.spec.target.cluster.distribution == "openshift"
    for subject, _, machine in _starting(review):
        if machine.os == "windows" and _legacy(subject, machine) and _gets_drivers(machine, downstream=downstream):
            named = subject.vm.guest_tools_name or machine.guest_id or "it"
            yield subject.problem(
                f"{named} does not accept current virtio drivers, and its boot disk is on a virtio bus",
                _LEGACY_FIX["forklift" if machine.path == "forklift" else "virt-v2v"],
                "guestId",
            )


def _legacy(subject: Subject, machine: Machine) -> bool:
    """Return whether Windows needs old drivers. Below Server 2008 R2, VMF522 covers path virt-v2v."""
    ids, names = machine.guest_id or "", subject.vm.guest_tools_name or ""
    older = machine.path == "forklift" and (ids.startswith(_OLDER_IDS) or bool(_OLDER_NAMES.search(names)))
    return older or ids.startswith(_SHA1_IDS) or bool(_SHA1_NAMES.search(names))


def _gets_drivers(machine: Machine, *, downstream: bool) -> bool:
    """Return whether the guest gets drivers that it does not accept for a disk that needs them."""
    boot = next((disk for disk in machine.disks if disk.boot_order == 1), None)
    if machine.raw or boot is None or boot.bus == "sata" or boot.source.vddk is not None:
        return False
    own_image = machine.forklift is not None and machine.forklift.virt_v2v_image is not None
    return not (machine.path == "forklift" and (downstream or own_image))


_LEGACY_FIX = {
    "forklift": "use a conversion image with /usr/local/virtio-win-legacy.iso, or use path virt-v2v with "
    "bus: sata on its disks and model: e1000 on its NICs; if KB4474419 (SHA-2) is installed, suppress this",
    "virt-v2v": "set bus: sata on its disks and model: e1000 on its NICs, or use a v2vImage whose virtio-win is build "
    "173 or before; if KB4474419 (SHA-2) is installed, suppress this",
}
