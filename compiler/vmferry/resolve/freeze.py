"""Assignments: VMs past `planned` keep their record, whatever changes later."""

from collections.abc import Iterable, Mapping

from msgspec import Struct, structs

from vmferry.estate import identity
from vmferry.estate.resolution import facts_digest
from vmferry.estate.smbios import as_formerly
from vmferry.estate.stages import begun, frozen, keeping, way
from vmferry.estate.statements import ASSIGNMENTS_MISFIT
from vmferry.model.assignments import Assignment
from vmferry.model.blueprint import Group, Machine
from vmferry.model.finding import Where
from vmferry.model.keys import VmKey, own_of
from vmferry.model.project import Project
from vmferry.model.rule import declare
from vmferry.model.spec import GroupState, MigrationSpec, Stage
from vmferry.resolve.cards import Card
from vmferry.resolve.notes import Noting
from vmferry.resolve.selection import Candidate

_SHOWN = 5  # differences a finding lists
_RESTORE = "restore the record in assignments.yaml from git: it says what is in the cluster"


class Frozen(Struct, frozen=True):
    """The frozen machines by key, and the candidate for each of them."""

    machines: dict[VmKey, Machine] = {}
    by_candidate: dict[VmKey, VmKey] = {}  # key of a candidate -> key it is frozen under

    def of_sources(self, names: Iterable[str]) -> tuple[Machine, ...]:
        """Return the frozen VMs of some vCenters: those of a missing one are one error, and do not compete."""
        known = set(names)
        return tuple(machine for machine in self.machines.values() if machine.source in known)

    def key(self, vm: Card | Candidate) -> VmKey | None:
        """Return the key under which a VM is frozen, if it is."""
        return self.by_candidate.get(vm.key)


def thaw(project: Project, cards: tuple[Card, ...], own: Mapping[VmKey, str]) -> Noting[Frozen]:
    """Return the machines whose group is past `planned`, each matched to its candidate.

    ``own`` are the groups of those that leave theirs for one of their own, by key.
    """
    spec, where = project.spec, project.where
    vms = project.assignments.vms if project.assignments else {}
    if project.assignments is not None and project.assignments.metadata.name != spec.metadata.name:
        yield ASSIGNMENTS_MISFIT.finding(
            f"assignments.yaml belongs to migration {project.assignments.metadata.name}, this is {spec.metadata.name}",
            "a migration keeps its name: restore it, and assignments.yaml, from git; a new one starts without the file",
            where=where.at("metadata", "name"),
        )
    yield from _check_record(spec, vms, where)
    yield from _check_whole(spec, vms, cards, where)
    machines = {
        key: structs.replace(item.machine, key=key, group=own.get(key, item.group))  # an edited record may differ
        for key, item in sorted(vms.items())
        if item.machine is not None and frozen(_stage(spec.groups, own.get(key, item.group)))
    }
    return Frozen(machines, (yield from _match(machines, cards)) if machines else {})


def _stage(groups: Mapping[str, GroupState], name: str) -> Stage:
    return groups.get(name, GroupState()).stage


def _check_record(spec: MigrationSpec, vms: Mapping[VmKey, Assignment], where: Where) -> Noting[None]:
    """Report a record that was edited or lost, and groups that are set back although something moved."""
    set_back: dict[str, Stage] = {}
    left: set[str] = set()
    for key, item in sorted(vms.items()):
        if begun(item.stage) and way(item.stage, _stage(spec.groups, item.group)) is None:
            set_back[item.group] = item.stage
        if item.stage == "rolled-back" and item.reached and begun(item.reached) and item.group not in spec.groups:
            left.add(item.group)
        machine = item.machine
        if machine is None:
            if frozen(item.stage):
                yield ASSIGNMENTS_MISFIT.finding(f"assignments: the frozen VM {key} is lost", _RESTORE, where=where)
        elif machine.key != key or machine.group != item.group or facts_digest(machine) != item.facts:
            yield ASSIGNMENTS_MISFIT.finding(
                f"assignments: the frozen VM {key} was edited",
                _RESTORE,
                where=where,
                vms=(machine.name,),
            )
    for group, stage in sorted(set_back.items()):
        yield ASSIGNMENTS_MISFIT.finding(
            f"group {group} reached {stage} and is set back to {_stage(spec.groups, group)}",
            keeping(stage),
            where=where.at("groups", group),
        )

    for group in sorted(left):
        yield ASSIGNMENTS_MISFIT.finding(
            f"group {group} was rolled back, and the spec no longer has it: its VMs would move as if they never had",
            "restore it in `groups`; `vmferry explain SPEC GROUP --rollback` says how to go on",
            where=where.at("groups"),
        )


def _check_whole(
    spec: MigrationSpec,
    vms: Mapping[VmKey, Assignment],
    cards: tuple[Card, ...],
    where: Where,
) -> Noting[None]:
    """Report frozen groups with fewer recorded VMs than were frozen, for example after a bad merge."""
    records: dict[str, list[Assignment]] = {}
    for item in vms.values():
        if item.of is not None and frozen(_stage(spec.groups, item.group)):
            records.setdefault(item.group, []).append(item)
    for name, items in sorted(records.items()):
        was = max(item.of or 0 for item in items)
        if len(items) >= was:
            continue
        have = "has" if len(items) == 1 else "have"
        phases = {item.machine.phase for item in items if item.machine is not None}
        new = tuple(card.name for card in cards if card.key not in vms and card.phase in phases)
        perhaps = f"; {', '.join(new[:_SHOWN])} {'has' if len(new) == 1 else 'have'} none" if new else ""
        yield ASSIGNMENTS_MISFIT.finding(
            f"assignments: {was} VMs are frozen in group {name}, and only {len(items)} {have} a record{perhaps}",
            _RESTORE,
            where=where.at("groups", name),
            vms=new,
        )


def _match(machines: Mapping[VmKey, Machine], cards: tuple[Card, ...]) -> Noting[dict[VmKey, VmKey]]:
    """Return the frozen machine of each candidate. An ambiguous candidate is an error."""
    known = [identity.of_machine(machine, key) for key, machine in machines.items()]
    found = identity.match(known, (card.mark for card in cards))
    yield from _check_doubles(known, [card for card in cards if card.key not in found], machines)
    return found


def _check_doubles(
    known: list[identity.Mark],
    others: Iterable[Card],
    machines: Mapping[VmKey, Machine],
) -> Noting[None]:
    """Report VMs that resemble a frozen one without being identified: they would move twice."""
    likes = identity.Likes(known)
    for card in others:
        was = likes.of(card.mark)
        if was is None:
            continue
        group = machines[was.key].group
        if was.key == card.key:
            message = f"VM {card.name} has the id of {was.name} ({was.key}), which is frozen in group {group}"
            fix = "a rebuilt vCenter reuses ids: restore the id in its entry, or give the vCenter another name"
        else:
            message = f"VM {card.key} has the name or UUID of {was.key}, which is frozen in group {group}"
            fix = f"if it is the same VM, set id: {own_of(was.key)} in its entry; if not, another name and uuid"
        yield ASSIGNMENTS_MISFIT.finding(message, fix, where=card.where.at("name"), vms=(card.name,))


def check_recorded(project: Project, groups: tuple[Group, ...]) -> Noting[None]:
    """Report groups that move although their VMs are not recorded: the record may be lost."""
    known = project.assignments.vms if project.assignments else {}
    names = {item.group for item in known.values()}
    for group in groups:
        if begun(group.stage) and group.name not in names and group.split_from not in names:
            yield ASSIGNMENTS_MISFIT.finding(
                f"group {group.name} is at {group.stage}, and assignments.yaml does not know it",
                f"if it was ever prepared, {_RESTORE}; if not, compile it as planned or prepared first",
                where=project.where.at("groups", group.name),
                vms=tuple(machine.name for machine in group.machines),
            )


FROZEN_DIFFERS = declare(
    "VMF409",
    "warning",
    "frozen VM differs from its assignment",
    why="Once a group is prepared, its VMs stay as they were decided, so that a changed inventory cannot rename a "
    "disk under a running copy. What changed since is therefore not in the output, although someone may think it "
    "is.",
)


def report_drift(was: Machine, now: Machine | None, candidate: Candidate, stage: Stage) -> Noting[None]:
    """Report how a frozen VM that still moves would differ if it were decided today."""
    differing = ["it could not be resolved today"] if now is None else differences(was, now)
    if differing:
        more = f" and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
        back = "; to take the change, set the group to rolled-back, in the next commit to planned, and prepare it again"
        yield FROZEN_DIFFERS.finding(
            f"VM {was.name} is frozen in group {was.group} and differs: {', '.join(differing[:_SHOWN])}{more}",
            "the output keeps what was frozen" + (back if stage == "prepared" else ""),
            where=candidate.where.at("name"),
            vms=(was.name,),
        )


def differences(was: Machine, now: Machine) -> list[str]:
    """Return the fields in which a machine changed, ignoring what another vmferry merely derives differently.

    Every import measures a baseline again, and what counts is how the VM was before it moved.
    """
    ignored = {"group", "key", "id", "conversion", "baseline"}
    nothing = not any(nic.kept for nic in was.nics)  # frozen by a vmferry that kept nothing; VMF570 reports it
    was, now = _lasting(was, nothing), _lasting(as_formerly(now, was), nothing)
    return [name for name in structs.asdict(was) if name not in ignored and getattr(was, name) != getattr(now, name)]


def _lasting(machine: Machine, nothing: bool) -> Machine:
    """Return a machine without dynamic addresses, and with ``nothing`` without any kept address.

    What records held before is forgotten: vSphere knows no addresses of a VM that is off.
    """
    nics = (
        structs.replace(nic, kept=structs.replace(nic.kept, seen=()) if nic.kept and not nothing else None)
        for nic in machine.nics
    )
    records = (structs.replace(record, before=(), dynamic=False) for record in machine.records)
    route = structs.replace(machine.route, address=None) if machine.route is not None else None
    return structs.replace(machine, nics=tuple(nics), records=tuple(records), route=route)
