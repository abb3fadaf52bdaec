"""The UUID and serial number that a VM's firmware shows its guest, now and as derived by an earlier vmferry."""

import re

from msgspec.structs import replace

from vmferry.estate.boot import boot_orders
from vmferry.model.blueprint import Machine, MachineDisk, MachineNic

SWAPPED_SINCE = 13
"""The first hardware version with which a guest reads the first three fields of config.uuid byte-swapped.

Its SMBIOS says version 2.7 there, and from 2.6 on those fields are little-endian; ESXi stores the bytes as before.
Sources: candlepin/virt-who virtwho/virt/esx/esx.py and #262, #415; vmware/pyvmomi #688; DSP0134, 7.2.1.
"""

CURRENT = 1
"""How this vmferry derives the values that a guest sees (`Machine.revision`).

0: the guest's UUID and its serial number were config.uuid, and only the disk that boots had a boot order.
1: both as the guest read them in vSphere, and an order for each disk.
"""

_HARDWARE = re.compile(r"(?:vmx-)?0*(?P<number>[0-9]{1,3})", re.IGNORECASE)


def hardware_number(version: str | None) -> int | None:
    """Return the number of a hardware version, 19 for vmx-19; None where it is unknown."""
    found = _HARDWARE.fullmatch(version or "")
    return int(found["number"]) if found else None


def guest_uuid(uuid: str, hardware_version: str | None) -> str:
    """Return the UUID that the guest reads, in lower case. ``uuid`` is vCenter's config.uuid.

    An unknown hardware version is treated like those of ESXi 6.5 or later, whose default is 13 or later.
    """
    number = hardware_number(hardware_version)
    if number is not None and number < SWAPPED_SINCE:
        return uuid.lower()
    fields = uuid.lower().split("-")
    swapped = (bytes.fromhex(field)[::-1].hex() for field in fields[:3])
    return "-".join((*swapped, *fields[3:]))


def guest_serial(uuid: str) -> str:
    """Return the system serial number that the guest reads: VMware- and the bytes of config.uuid, in two halves.

    Same form as in Forklift (pkg/controller/plan/adapter/vsphere/uuid_to_vmware_serial.go).
    """
    numbers = [f"{number:02x}" for number in bytes.fromhex(uuid.replace("-", ""))]
    return f"VMware-{' '.join(numbers[:8])}-{' '.join(numbers[8:])}"


# --- what an earlier vmferry wrote down ------------------------------------------------------------


def is_former(machine: Machine) -> bool:
    """Return whether an earlier vmferry derived what the machine's guest sees."""
    return machine.revision < CURRENT


def corrected(was: Machine, now: Machine) -> Machine:
    """Return an earlier vmferry's machine with today's derivation.

    ``now`` is the VM as resolved today. Only the derivation is updated: if facts differ (another UUID, other disks),
    the recorded values stay.
    """
    if not is_former(was) or was.serial != was.uuid or was.uuid != now.uuid:
        return was
    return replace(
        was,
        revision=now.revision,
        guest_uuid=now.guest_uuid,
        serial=now.serial,
        disks=_corrected_disks(was, now),
        nics=_with_names(was, now),
    )


def _with_names(was: Machine, now: Machine) -> tuple[MachineNic, ...]:
    """Return the NICs of ``was`` with the names of those of ``now`` that have the same new addresses."""
    names = {(nic.index, nic.mac, nic.readdress): nic.set_name for nic in now.nics}
    return tuple(
        replace(nic, set_name=names.get((nic.index, nic.mac, nic.readdress), nic.set_name)) for nic in was.nics
    )


def _corrected_disks(was: Machine, now: Machine) -> tuple[MachineDisk, ...]:
    if _unordered(was) == _unordered(now):
        return now.disks
    boot = next((place for place, disk in enumerate(was.disks) if disk.boot_order == 1), None)
    shared = frozenset(place for place, disk in enumerate(was.disks) if disk.shared)
    orders = boot_orders(range(len(was.disks)), boot, shared)
    return tuple(replace(disk, boot_order=orders[place]) for place, disk in enumerate(was.disks))


def _unordered(machine: Machine) -> tuple[MachineDisk, ...]:
    return tuple(replace(disk, boot_order=None) for disk in machine.disks)


def only_corrected(was: Machine, now: Machine) -> bool:
    """Return whether two records of a machine only differ in the later one's correction."""
    lasting = replace(was, conversion=now.conversion)
    return is_former(was) and not is_former(now) and corrected(lasting, now) == now


def as_formerly(now: Machine, was: Machine) -> Machine:
    """Return ``now`` with an earlier vmferry's derivation from the same facts, for comparing it with ``was``."""
    if not is_former(was):
        return now
    disks = now.disks
    if _unordered(was) == _unordered(now):
        disks = was.disks
    serial = was.serial if was.uuid == now.uuid else now.serial
    nics = _with_names(now, was)
    return replace(now, revision=was.revision, guest_uuid=was.guest_uuid, serial=serial, disks=disks, nics=nics)
