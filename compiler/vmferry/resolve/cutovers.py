"""Cutover times of single VMs in a warm group, instead of the group's."""

from vmferry.estate import identity
from vmferry.estate.statements import DEFINED_TWICE, UNDEFINED_REFERENCE, UNKNOWN_FACT
from vmferry.model.blueprint import Machine, VmCutover
from vmferry.model.finding import Where
from vmferry.model.spec import GroupState, Phase
from vmferry.resolve.notes import Noting
from vmferry.resolve.windows import check_cutover


def vm_cutovers(
    name: str, state: GroupState, members: tuple[Machine, ...], phase: Phase, where: Where
) -> Noting[tuple[VmCutover, ...]]:
    """Return a group's times for single VMs, sorted by id; times that Forklift cannot apply are findings.

    ``where`` is the group in the spec.
    """
    found: dict[str, VmCutover] = {}
    for key, time in state.vm_cutover.items():
        place = where.at("vmCutover", key)
        machine = yield from _member(name, key, members, place)
        if machine is None or not (yield from check_cutover(name, time, members[0].method, phase, place, vm=key)):
            continue
        if machine.id is None:
            yield UNKNOWN_FACT.finding(
                f"VM {machine.name}: its id is unknown",
                "add `id`, as in vm-4711: Forklift finds a VM's own cutover only by id",
                where=place,
                vms=(machine.name,),
            )
        elif machine.id in found:
            yield DEFINED_TWICE.finding(
                f"group {name}: VM {key} has two cutover times", where=place, vms=(machine.name,)
            )
        else:
            found[machine.id] = VmCutover(id=machine.id, time=time)
    return tuple(found[id_] for id_ in sorted(found))


def _member(group: str, key: str, members: tuple[Machine, ...], where: Where) -> Noting[Machine | None]:
    """Return the VM with this id or unique name."""
    by_key = {machine.key: machine for machine in members}
    known = identity.Directory(identity.of_machine(machine) for machine in members)
    meant = [by_key[mark.key] for mark in known.meant(key)]
    if len(meant) == 1:
        return meant[0]
    if meant:
        fix = f"write its id: {', '.join(sorted(machine.id or machine.key for machine in meant))}"
        yield UNDEFINED_REFERENCE.finding(f"group {group}: {len(meant)} VMs are named {key}", fix, where=where)
    else:
        names = ", ".join(sorted(machine.name for machine in members)[:20])
        yield UNDEFINED_REFERENCE.finding(f"group {group} has no VM {key}", f"its VMs: {names}", where=where)
    return None
