"""Forklift's concerns about disks: what the copy cannot read, and what the guest has too little space for."""

from collections.abc import Iterator

from vmferry.estate.methods import METHODS
from vmferry.kube.quantity import parse_size
from vmferry.model.blueprint import Group, Machine
from vmferry.model.facts import Disk
from vmferry.model.review import Subject
from vmferry.rules.source_concern import Detected, Seen, by_forklift, concern, converted, copied, warm

MOST_DISKS = 165
SECTOR = 512
"""Bytes; importers write a capacity of 0, which is not a valid size, as 1."""

_MIB = 1 << 20
_ROOMS = {"/": 100 * _MIB, "/boot": 50 * _MIB}
_WINDOWS_ROOM, _OTHER_ROOM = 100 * _MIB, 10 * _MIB
_WINDOWS_ROOTS = ("c:", "c:\\", "c:/")
_SNAPS = ("/snap/", "/var/lib/snapd/snap/")  # read-only images, full by nature, that no conversion mounts


def _disks(seen: Seen) -> Iterator[tuple[str, int, Disk]]:
    """Yield the usual name of each disk, its index, and the disk."""
    for index, disk in enumerate(seen.vm.disks or ()):
        yield disk.label or f"disk {index + 1}", index, disk


@concern(
    "VMF702",
    "warning",
    "changed block tracking is off for a disk",
    forklift="vmware.changed_block_tracking.disk.disabled",
    source="changed_block_tracking_per_disk.rego",
    matters=warm,
)
def disk_tracking(seen: Seen) -> Iterator[Detected]:
    """A warm copy asks vSphere for what changed on each disk since the last one.

    For a disk without changed block tracking vSphere cannot tell: the copy fails, or the last one copies the whole disk
    while the VM is down.
    """
    for name, index, disk in _disks(seen):
        if disk.change_tracking is False:
            fix = "set its ctkEnabled (as in scsi0:1.ctkEnabled) in the advanced settings and power-cycle the VM"
            yield Detected(f"changed block tracking is off for {name}", fix, ("disks", index, "changeTracking"))


def _job(subject: Subject, group: Group, machine: Machine) -> bool:  # noqa: ARG001
    """Return whether a Job reads the disks; for Forklift a disk without a datastore is VMF108."""
    return METHODS[machine.method].converts


@concern(
    "VMF706",
    "warning",
    "disk is on no known datastore",
    forklift="vmware.datastore.missing",
    source="datastore.rego",
    matters=_job,
)
def no_datastore(seen: Seen) -> Iterator[Detected]:
    """The conversion reads a disk from its datastore, and cannot read one without a datastore.

    (Forklift maps disks by their datastore, and refuses a whole Plan for a disk without one; for path forklift an
    unknown datastore is an error, VMF108.)
    """
    for name, index, disk in _disks(seen):
        if disk.datastore is None:
            fix = "look at the disk in vSphere: add its `datastore`, or remove the disk if it is on none"
            yield Detected(f"{name} is on no known datastore", fix, ("disks", index))


@concern(
    "VMF707",
    "warning",
    f"more than {MOST_DISKS} disks",
    forklift="vmware.disk.count.exceeds.limit",
    source="disk_count.rego",
)
def disk_count(seen: Seen) -> Iterator[Detected]:
    """A VM in KubeVirt has no room for more disks on its bus; its network adapters may not come up.

    The limit is OpenShift Virtualization's (CNV-91554).
    """
    count = len(seen.vm.disks or ())
    if count > MOST_DISKS:
        what = f"it has {count} disks, and a VM in the target has at most {MOST_DISKS}"
        yield Detected(what, "merge disks in the guest, or spread its data over several VMs", ("disks",))


def _cold(subject: Subject, group: Group, machine: Machine) -> bool:  # noqa: ARG001
    return machine.method == "cold"


@concern(
    "VMF708",
    "warning",
    "independent disk is copied by VDDK",
    forklift="vmware.disk_mode.independent",
    source="disk_mode.rego",
    matters=_cold,
)
def independent(seen: Seen) -> Iterator[Detected]:
    """Snapshots exclude independent disks, and VDDK, which copies from snapshots, may not read them.

    (For methods warm and job it cannot: VMF503.)
    """
    for name, index, disk in _disks(seen):
        if disk.mode in ("independent_persistent", "independent_nonpersistent"):
            fix = "in vSphere, with the VM off, change its disk mode to Dependent; or use path virt-v2v, method image"
            yield Detected(f"{name} is independent ({disk.mode})", fix, ("disks", index, "mode"))


@concern(
    "VMF709",
    "info",
    "guest sees the serial numbers of its disks, which become shorter",
    forklift="vmware.disk_serial.truncated",
    source="disk_serial_numbers.rego",
    loss=True,
)
def serial_numbers(seen: Seen) -> Iterator[Detected]:
    """The guest sees the UUIDs of its SCSI disks as their serial numbers (disk.EnableUUID).

    A virtio disk only has 20 characters of them. Anything that uses the full number, as /dev/disk/by-id, multipath or
    ASM rules may, no longer finds its disk.
    """
    if seen.vm.disk_enable_uuid and any(disk.controller == "scsi" for disk in seen.vm.disks or ()):
        fix = "look for /dev/disk/by-id, multipath and ASM rules in the guest; use file system UUIDs or LVM instead"
        yield Detected("it sees the serial numbers of its disks, which are cut to 20 characters", fix)


@concern(
    "VMF710",
    "error",
    "disk has no capacity",
    forklift="vmware.disk.capacity.invalid",
    source="disk_size.rego",
    matters=by_forklift,
)
def no_capacity(seen: Seen) -> Iterator[Detected]:
    """The disk has a capacity of zero in vCenter: its VMDK is missing or damaged. Forklift refuses the whole Plan.

    (For path virt-v2v it is too small for a volume: VMF505.)
    """
    for name, index, disk in _disks(seen):
        if parse_size(disk.size) < SECTOR:
            fix = "correct or remove the disk in vSphere and import again"
            yield Detected(f"{name} has no capacity", fix, ("disks", index, "size"))


@concern(
    "VMF714",
    "error",
    "not enough free space in the guest for the conversion",
    forklift="vmware.guestDisks.freespace",
    source="https://libguestfs.org/virt-v2v.1.html#disk-space; filesystem_size.rego of Forklift's policies",
    matters=converted,
)
def free_space(seen: Seen) -> Iterator[Detected]:
    """virt-v2v installs drivers in the guest, and stops if a file system lacks the space.

    It needs 100 MiB on / and C:, 50 MiB on /boot and 10 MiB on any other. Forklift refuses the whole Plan. An entry
    with a capacity of 0 is the pseudo mount of an agent, not a file system on a disk.
    """
    for index, each in enumerate(seen.vm.guest_disks or ()):
        room = _room(each.path)
        if each.capacity == 0:
            continue
        if each.free is not None and each.free < room and not each.path.startswith(_SNAPS):
            what = f"{each.path} has {each.free // _MIB} MiB free, and the conversion needs {room // _MIB} MiB"
            yield Detected(what, "free space on it in the guest and import again", ("guestDisks", index))


def _room(path: str) -> int:
    """Return how many bytes a conversion needs on a file system."""
    return _WINDOWS_ROOM if path.lower() in _WINDOWS_ROOTS else _ROOMS.get(path, _OTHER_ROOM)


def _several_disks(subject: Subject, group: Group, machine: Machine) -> bool:
    """Return whether a drive may be on more than one disk."""
    return copied(subject, group, machine) and len(machine.disks) > 1


@concern(
    "VMF715",
    "info",
    "unknown which disk a Windows drive is on",
    forklift="vmware.guestDisks.key.not_found",
    source="guest_disk_mapping.rego",
    matters=_several_disks,
)
def drive_unknown(seen: Seen) -> Iterator[Detected]:
    """VMware Tools report from version 11 on which disk a drive is on; here they do not.

    So it is also unknown which volume in the target holds D:, and the drives have to be compared by hand after the
    migration. By default, Windows takes disks on a new controller offline.
    """
    if "windows" in (seen.vm.guest_id or "").lower():
        for index, each in enumerate(seen.vm.guest_disks or ()):
            if each.key == 0:
                fix = "update VMware Tools and import again; or note its drives and disks before cutover"
                yield Detected(f"it is unknown which disk {each.path} is on", fix, ("guestDisks", index))


def _read_by_vmware(subject: Subject, group: Group, machine: Machine) -> bool:  # noqa: ARG001
    """Return whether the disks are read from vSphere over the network; VMF503 then covers physical mappings."""
    return METHODS[machine.method].reads and not (machine.forklift is not None and machine.forklift.offload)


@concern(
    "VMF723",
    "warning",
    "raw device mapping is copied by VDDK",
    forklift="vmware.disk.rdm.detected",
    source="rdm_disk.rego",
    matters=_read_by_vmware,
)
def raw_device(seen: Seen) -> Iterator[Detected]:
    """The disk is a LUN of the storage array. Forklift and virt-v2v read all of it over the network.

    Forklift reports that VDDK does not support it. The copy is a volume of the target's storage, no longer the LUN.
    """
    for name, index, disk in _disks(seen):
        if disk.rdm is not None:
            fix = "change it to a VMDK (Storage vMotion); or detach it before the copy and attach the LUN after"
            yield Detected(f"{name} is a raw device mapping ({disk.rdm})", fix, ("disks", index, "rdm"))


def _without_reservations(subject: Subject, group: Group, machine: Machine) -> bool:
    """Return whether a shared disk does not become a LUN; with methods other than image, VMF503 covers it."""
    return copied(subject, group, machine) and any(disk.shared and not disk.lun for disk in machine.disks)


@concern(
    "VMF724",
    "warning",
    "shared disk has no SCSI reservations in the target",
    forklift="vmware.disk.shared.detected",
    source="shared_disk.rego",
    matters=_without_reservations,
    loss=True,
)
def shared_disk(seen: Seen) -> Iterator[Detected]:
    """VMs that share a disk share one volume in the target, without SCSI reservations.

    Cluster file systems and Oracle ASM work without them. Windows failover clusters do not: their validation fails.
    """
    for name, index, disk in _disks(seen):
        if disk.shared is not None:
            fix = "if a failover cluster reserves it, give the guests their own iSCSI LUN; otherwise suppress this"
            yield Detected(f"{name} is shared ({disk.shared}), and VMs cannot reserve it", fix, ("disks", index))


@concern(
    "VMF725", "info", "snapshots stay behind", forklift="vmware.snapshot.detected", source="snapshot.rego", loss=True
)
def snapshots(seen: Seen) -> Iterator[Detected]:
    """The copy has the VM's current state: earlier states stay in vSphere and go when it is retired.

    Reading through a chain of snapshots is slow. (Method warm with snapshots is an error, VMF503.)
    """
    if seen.vm.snapshots:
        fix = "before the copy, delete snapshots in vSphere that nobody needs"
        yield Detected("its snapshots stay behind", fix, ("snapshots",))
