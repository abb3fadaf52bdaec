"""What the vmferry before wrote down of VMs: their guests' UUID and serial number were vCenter's."""

from msgspec.structs import replace

from vmferry.estate.resolution import facts_digest
from vmferry.model.assignments import Assignment, Assignments
from vmferry.model.blueprint import Machine


def formerly(machine: Machine) -> Machine:
    """Return a machine as the vmferry before wrote it down."""
    disks = tuple(replace(disk, boot_order=1 if disk.boot_order == 1 else None) for disk in machine.disks)
    nics = tuple(replace(nic, set_name=None) for nic in machine.nics)
    return replace(machine, revision=0, guest_uuid=None, serial=machine.uuid, disks=disks, nics=nics)


def recorded(machine: Machine, item: Assignment) -> Assignment:
    """Return the record of a VM with another machine."""
    return replace(item, machine=machine, facts=facts_digest(machine))


def former_record(record: Assignments) -> Assignments:
    """Return a record with every machine as the vmferry before wrote it down."""
    vms = {
        key: item if item.machine is None else recorded(formerly(item.machine), item)
        for key, item in record.vms.items()
    }
    return replace(record, vms=vms)
