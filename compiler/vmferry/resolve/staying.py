"""Frozen VMs that are to stay, or to move differently: their group may wait, but not advance with them."""

from collections.abc import Iterable, Mapping

from vmferry.estate import identity
from vmferry.estate.stages import begun, moves, started
from vmferry.model.blueprint import Left, Machine
from vmferry.model.finding import Where
from vmferry.model.keys import VmKey
from vmferry.model.project import Project
from vmferry.model.rule import declare
from vmferry.model.spec import GroupState, Stage
from vmferry.resolve.cards import Card
from vmferry.resolve.freeze import Frozen
from vmferry.resolve.notes import Noting
from vmferry.resolve.selection import Candidate

_LEFT = {"retain": "is to be retained", "exclude": "is excluded", "retire": "is to be retired"}
_OUT = "set the group to rolled-back, in the next commit to planned, and prepare it again without the VM"


def report_staying(
    project: Project,
    was: Frozen,
    cards: Iterable[Card],
    left: tuple[Left, ...],
    today: Mapping[VmKey, Candidate],
) -> Noting[None]:
    """Report frozen VMs that no longer move, or move elsewhere: an error once their group would move them.

    ``today`` is the candidate of each VM that still moves, by frozen key.
    """
    sources = {source.name for source in project.spec.sources}
    others = {item.key: item.disposition for item in left}
    staying = {card.key: card for card in cards if card.key in others}
    likes = identity.Likes(card.mark for card in staying.values())
    for key, machine in was.machines.items():
        if machine.source not in sources:
            continue  # reported as that
        recorded, stage = _stages(project, key, machine)
        now = today.get(key)
        if now is not None:
            if not begun(recorded) and moves(stage) and (change := _elsewhere(machine, now)):
                yield from _report_elsewhere(machine, stage, *change, now)
            continue
        mark = likes.of(identity.of_machine(machine, key))
        found = staying[mark.key] if mark is not None else None
        where = (found.disposed_at or found.where) if found else project.where.at("groups", machine.group)
        what = _LEFT.get(others[found.key], "does not move") if found else "is no longer in the spec"
        if not moves(stage) or started(recorded):
            yield from _warn(machine, what, stage, where)
        else:
            yield from _refuse(machine, what, recorded, stage, where)


def _stages(project: Project, key: VmKey, machine: Machine) -> tuple[Stage, Stage]:
    """Return the stage of a VM's group at the last compile, and the one it is set to."""
    records = project.assignments.vms if project.assignments else {}
    return records[key].stage, project.spec.groups.get(machine.group, GroupState()).stage


def _elsewhere(machine: Machine, now: Candidate) -> tuple[str, str, str] | None:
    """Return the decision that changes when or how a VM moves: its field, old and new value."""
    decisions = now.decisions
    path = "rebuild" if decisions.disposition == "rebuild" else decisions.path
    if path is not None and path != "auto" and path != machine.path:
        field = "disposition" if decisions.disposition == "rebuild" else "path"
        return field, f"path {machine.path}", f"path {path}"
    if decisions.phase is not None and decisions.phase != machine.phase:
        return "phase", f"phase {machine.phase}", f"phase {decisions.phase}"
    return None


STAYING_VM_MOVES = declare(
    "VMF439",
    "error",
    "VM that is to stay would move with its group",
    why="After the group was prepared, someone decided that the VM stays, or moves in another phase or by another "
    "path, or deleted its entry. While the group waits, that is a warning (VMF409, VMF410). Once the group is at "
    "`migrating`, its Plan or its Job would shut the VM down and copy it all the same.",
)


def _report_elsewhere(
    machine: Machine, stage: Stage, field: str, before: str, after: str, now: Candidate
) -> Noting[None]:
    yield STAYING_VM_MOVES.finding(
        f"VM {machine.name} was decided to move by {after}, and its group {machine.group}, at {stage}, "
        f"would move it by {before}",
        f"restore {before}; or keep stage: prepared, and take the VM out of the group: {_OUT}",
        where=now.origin(field),
        vms=(machine.name,),
    )


FROZEN_GONE = declare(
    "VMF410",
    "warning",
    "frozen VM is no longer in the spec",
    why="A prepared VM has objects in the cluster, perhaps a disk with data. Removing its entry must not remove "
    "those, so the VM stays, and someone should know.",
)


def _warn(machine: Machine, what: str, stage: Stage, where: Where) -> Noting[None]:
    if not moves(stage):
        fix = f"its objects stay, and {machine.group} cannot move on to migrating: restore its entry, or {_OUT}"
    else:
        fix = "it stays in the output: removing its entry does not remove a VM that has moved; restore its entry"
    yield FROZEN_GONE.finding(
        f"VM {machine.name} {what}, and is frozen in group {machine.group}, which is at {stage}",
        fix,
        where=where,
        vms=(machine.name,),
    )


def _refuse(machine: Machine, what: str, recorded: Stage, stage: Stage, where: Where) -> Noting[None]:
    if not begun(recorded):
        fix = f"keep stage: {recorded} until the VM is out of the group: {_OUT}; or restore its entry to move it"
    else:
        fix = "its group reached migrating, so it is being copied and too late to leave out: restore its entry"
    yield STAYING_VM_MOVES.finding(
        f"VM {machine.name} {what}, and its group {machine.group}, set to {stage}, would move it",
        fix,
        where=where,
        vms=(machine.name,),
    )
