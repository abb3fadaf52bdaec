"""When a VM cuts over: at its own time, otherwise at its group's."""

from vmferry.model.blueprint import Group, Machine
from vmferry.model.spec import GroupState


def stated_cutover(state: GroupState, machine: Machine) -> str | None:
    """Return the time (RFC 3339) that a group's state in the spec has for a VM, if any."""
    own = state.vm_cutover.get(machine.id or "") or state.vm_cutover.get(machine.name)
    return own or state.cutover


def cutover_of(group: Group, machine: Machine) -> str | None:
    """Return the time (RFC 3339) at which a VM of a resolved group cuts over, if stated."""
    own = {each.id: each.time for each in group.vm_cutover}
    return own.get(machine.id or "", group.cutover)
