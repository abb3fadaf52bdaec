"""Corrects an earlier vmferry's records of VMs that have not started: identity and boot order of the guest."""

from collections.abc import Mapping

from msgspec import structs

from vmferry.estate.smbios import corrected, is_former
from vmferry.estate.stages import started
from vmferry.estate.wording import counted
from vmferry.model.blueprint import Machine
from vmferry.model.keys import VmKey
from vmferry.model.project import Project
from vmferry.model.rule import declare
from vmferry.resolve.freeze import Frozen
from vmferry.resolve.notes import Noting

IDENTITY_CORRECTED = declare(
    "VMF136",
    "info",
    "frozen VM gets the identity its guest had in vSphere",
    why="An earlier vmferry wrote config.uuid into the VM's firmware unchanged. A guest with hardware version 13 or "
    "later reads its first three fields byte-swapped, and a serial number that starts with VMware-. It also gave "
    "a boot order to only one disk, so the firmware could not read the others. The VM has not started yet, so its "
    "frozen record is corrected; nothing else about it changes.",
    source="candlepin/virt-who #262; seabios src/hw/virtio-blk.c",
    essential=False,
)


IDENTITY_KEPT = declare(
    "VMF137",
    "info",
    "running VM keeps the identity an earlier vmferry gave it",
    why="Its guest has used that UUID and serial number since its cutover, and whatever was bound to them since would "
    "break if they changed again. The frozen record stays as it is, although this vmferry would write a different "
    "one for a new VM.",
    source="candlepin/virt-who #262",
    essential=False,
)


def correct(project: Project, was: Frozen, today: Mapping[VmKey, Machine]) -> Noting[Frozen]:
    """Return the frozen machines, with those of an earlier vmferry corrected unless they already run.

    ``today`` is the current decision about each, by frozen key. A running VM keeps its identity: anything tied to its
    UUID or serial number since then would break.
    """
    records = project.assignments.vms if project.assignments else {}
    machines, fixed, kept = dict(was.machines), list[str](), list[str]()
    for key, machine in was.machines.items():
        now = today.get(key)
        if now is None or machine.path != "virt-v2v" or machine.golden or not is_former(machine):
            continue
        right = corrected(machine, now)
        if right == machine:
            continue
        if started(records[key].stage):
            kept.append(machine.name)
        else:
            machines[key] = right
            fixed.append(machine.name)
    where = project.where.at("groups")
    if fixed:
        yield IDENTITY_CORRECTED.finding(
            f"{counted(len(fixed), 'frozen VM')} of an earlier vmferry: SMBIOS UUID, serial number and boot order "
            "change",
            "nothing to do: none of them has started, and the next compile updates assignments.yaml",
            where=where,
            vms=tuple(sorted(fixed)),
        )
    if kept:
        yield IDENTITY_KEPT.finding(
            f"{counted(len(kept), 'running VM')} of an earlier vmferry: SMBIOS UUID, serial number and boot order stay",
            "nothing to do, unless a licence was tied to the UUID that the guest had in vSphere: renew that licence",
            where=where,
            vms=tuple(sorted(kept)),
        )
    return structs.replace(was, machines=machines)
