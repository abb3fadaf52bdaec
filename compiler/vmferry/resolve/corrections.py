"""Records of an earlier vmferry, put right where the VM has not started: identity and boot order of its guest."""

from collections.abc import Mapping

from msgspec import structs

from vmferry.estate.smbios import corrected, is_former
from vmferry.estate.stages import started
from vmferry.model.blueprint import Machine
from vmferry.model.keys import VmKey
from vmferry.model.project import Project
from vmferry.resolve.declared import IDENTITY_CORRECTED, IDENTITY_KEPT
from vmferry.resolve.freeze import Frozen
from vmferry.resolve.notes import Noting


def correct(project: Project, was: Frozen, today: Mapping[VmKey, Machine]) -> Noting[Frozen]:
    """Return the frozen machines, those of an earlier vmferry corrected unless they run already.

    ``today`` is what is decided of each of them now, by the key it is frozen under. What runs keeps its identity:
    what was bound to its UUID or serial number since then would break.
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
            f"{_count(fixed, 'frozen VM')} of an earlier vmferry: SMBIOS UUID, serial number and boot order change",
            "nothing to do: none of them has started, and the next compile updates assignments.yaml",
            where=where,
            vms=tuple(sorted(fixed)),
        )
    if kept:
        yield IDENTITY_KEPT.finding(
            f"{_count(kept, 'running VM')} of an earlier vmferry: SMBIOS UUID, serial number and boot order stay",
            "nothing to do, unless a licence was tied to the UUID that the guest had in vSphere: renew that licence",
            where=where,
            vms=tuple(sorted(kept)),
        )
    return structs.replace(was, machines=machines)


def _count(names: list[str], what: str) -> str:
    return f"1 {what}" if len(names) == 1 else f"{len(names)} {what}s"
