"""VMs that leave their move group for one of their own, to wait, to be rolled back or to be tried again alone."""

import re
from collections.abc import Iterable, Mapping

from vmferry.estate import identity
from vmferry.estate.stages import begun, way
from vmferry.model.assignments import Assignment
from vmferry.model.keys import VmKey
from vmferry.model.project import Project
from vmferry.model.rule import declare
from vmferry.model.spec import GroupState
from vmferry.resolve.cards import Card
from vmferry.resolve.notes import Noting

CANNOT_SPLIT = declare(
    "VMF867",
    "error",
    "VM cannot leave its group like that",
    why="`splitFrom` and `vms` take VMs out of a group, without touching the others. Each VM must be found in that "
    "group, someone must stay behind, and nothing that copies or runs may be made a second time: once the group "
    "migrates, its VMs can only leave it rolled back.",
)


_SHOWN = 20  # VMs that a finding lists


def split(project: Project, cards: Iterable[Card]) -> Noting[dict[VmKey, str]]:
    """Return the groups that VMs have of their own, by key: of those that leave theirs now, and that did before."""
    result: dict[VmKey, str] = {}
    wanted = {name: state for name, state in project.spec.groups.items() if state.split_from or state.vms}
    if not wanted:
        return result
    records = project.assignments.vms if project.assignments else {}
    marks = {card.key: card.mark for card in cards}
    for name, state in sorted(wanted.items()):
        where = project.where.at("groups", name)
        if (trouble := _misfit(project, name, state, records)) is not None:
            yield CANNOT_SPLIT.finding(f"group {name}: {trouble[0]}", trouble[1], where=where)
            continue
        parent = state.split_from or ""
        members = {key: item for key, item in records.items() if item.group in (parent, name)}
        known = identity.Directory(_marks_of(members, marks))
        found = set[VmKey]()
        for index, text in enumerate(state.vms):
            meant = known.meant(text)
            if len(meant) == 1:
                found.add(meant[0].key)
            else:
                what, fix = _ambiguous(name, parent, text, meant, _marks_of(members, marks))
                yield CANNOT_SPLIT.finding(f"group {name}: {what}", fix, where=where.at("vms", index))
        if len(found) < len(state.vms):
            continue
        leaving = {key for key in found if members[key].group == parent}
        if (trouble := _refused(name, state, members, leaving)) is not None:
            yield CANNOT_SPLIT.finding(f"group {name}: {trouble[0]}", trouble[1], where=where.at("splitFrom"))
            continue
        result |= dict.fromkeys(found, name)
    return result


def _marks_of(members: Mapping[VmKey, Assignment], marks: Mapping[VmKey, identity.Mark]) -> Iterable[identity.Mark]:
    """Return the VMs of some records, each with its name."""
    return (marks[key] if key in marks else identity.of_record(key, item) for key, item in members.items())


def _ambiguous(
    name: str, parent: str, text: str, meant: list[identity.Mark], known: Iterable[identity.Mark]
) -> tuple[str, str]:
    """Return what is wrong with the name of a VM, and how to fix it."""
    if meant:
        return (
            f"{len(meant)} VMs of {parent} are named {text}",
            f"write its id: {', '.join(sorted(m.key for m in meant))}",
        )
    names = sorted(mark.name or mark.key for mark in known)
    more = ", …" if len(names) > _SHOWN else ""
    return (
        f"group {parent} has no VM {text}",
        f"remove {name}, or name VMs of {parent}: {', '.join(names[:_SHOWN])}{more}",
    )


def _misfit(
    project: Project, name: str, state: GroupState, records: Mapping[VmKey, Assignment]
) -> tuple[str, str] | None:
    """Return what is wrong with a split whatever its VMs are, and how to fix it."""
    if not state.split_from or not state.vms:
        return "`splitFrom` and `vms` belong together", "name the group that the VMs leave, and the VMs"
    if state.split_from == name:
        return "it is split from itself", "name the group that the VMs leave"
    if any(re.fullmatch(re.escape(phase.name) + r"-[0-9]{2,}", name) for phase in project.spec.phases):
        return "names of a phase and a number are vmferry's own", f"call it {state.split_from}-{_short(state.vms[0])}"
    if not any(item.group in (state.split_from, name) for item in records.values()):
        return f"there is no group {state.split_from}", f"remove {name}, or correct `splitFrom`"
    return None


def _short(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "own"


def _refused(
    name: str, state: GroupState, members: Mapping[VmKey, Assignment], leaving: set[VmKey]
) -> tuple[str, str] | None:
    """Return why the VMs cannot leave, and what to do instead."""
    if not leaving:
        return None
    if any(item.group == name for item in members.values()):
        others = ", ".join(sorted(leaving))
        return "it exists, and other VMs would join it", f"remove {others} from `vms`, for a group of their own"
    parent = members[min(leaving)]
    if all(key in leaving for key, item in members.items() if item.group == parent.group):
        return f"it takes every VM of {parent.group}", f"remove {name}, and set the stage of {parent.group} itself"
    back = way(parent.stage, "rolled-back") == ()
    if begun(parent.stage) and state.stage != "rolled-back" and back:
        return (
            f"it leaves {parent.group}, which is at {parent.stage}, for {state.stage}",
            "set stage: rolled-back; it can go on from there alone",
        )
    if begun(parent.stage) and not back:
        return f"it leaves {parent.group}, which is {parent.stage}", f"remove {name}: there is no way back"
    if state.stage != parent.stage and not (state.stage == "rolled-back" and way(parent.stage, state.stage) == ()):
        return f"it leaves {parent.group}, which is at {parent.stage}, for {state.stage}", f"set stage: {parent.stage}"
    return None
