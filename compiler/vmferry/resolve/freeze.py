"""Assignments: VMs past `planned` stay as they were written down, whatever is said of them later."""

from collections.abc import Mapping

from msgspec import Struct, structs

from vmferry.model.assignments import Assignment, Assignments
from vmferry.model.blueprint import Group, Machine
from vmferry.model.finding import Where
from vmferry.model.spec import GroupState, MigrationSpec
from vmferry.resolve.journal import Journal
from vmferry.resolve.machines import facts_digest
from vmferry.resolve.selection import Candidate
from vmferry.resolve.stages import frozen

_SHOWN = 5  # differences a finding lists


class Frozen(Struct, frozen=True):
    """The frozen machines by key, and which of them a candidate is."""

    machines: dict[str, Machine]

    def key(self, candidate: Candidate) -> str | None:
        """Return the key a candidate is frozen under: by id, or by name if it had none then."""
        named = f"{candidate.source}/{candidate.vm.name}"
        for key in (candidate.key, named):
            machine = self.machines.get(key)
            if machine is not None and machine.name == candidate.vm.name:
                return key
        return candidate.key if candidate.key in self.machines else None


def thaw(assignments: Assignments | None, groups: Mapping[str, GroupState]) -> Frozen:
    """Return the machines whose group is past `planned`."""
    vms = assignments.vms if assignments else {}
    return Frozen(
        {
            key: item.machine
            for key, item in sorted(vms.items())
            if item.machine is not None and frozen(groups.get(item.group, GroupState()).stage)
        }
    )


def check_assignments(spec: MigrationSpec, assignments: Assignments | None, where: Where, journal: Journal) -> None:
    """Report assignments that belong to another migration or lost what was frozen."""
    if assignments is None:
        return
    if assignments.metadata.name != spec.metadata.name:
        journal.find(
            "VMF411",
            f"assignments.yaml belongs to migration {assignments.metadata.name}, this is {spec.metadata.name}",
            "a migration keeps its name; remove the file only if nothing of it was ever prepared",
            where=where.at("metadata", "name"),
        )


def assignments_of(spec: MigrationSpec, groups: tuple[Group, ...]) -> Assignments:
    """Return what to write down: the group of every VM, and the frozen ones as a whole."""
    vms = {
        machine.key: Assignment(
            group=group.name,
            facts=facts_digest(machine) if group.frozen else None,
            machine=machine if group.frozen else None,
        )
        for group in groups
        for machine in group.machines
    }
    return Assignments(metadata=spec.metadata, vms=dict(sorted(vms.items())))


def report_drift(
    was: Machine, now: Machine | None, candidate: Candidate | None, where: Where, journal: Journal
) -> None:
    """Report what a frozen VM would look like if it were decided today."""
    if candidate is None:
        journal.find(
            "VMF410",
            f"VM {was.name} is frozen in group {was.group} and no longer in the spec",
            "it stays in the output: a VM that is prepared is not dropped by leaving it out; restore its entry",
            where=where,
            vms=(was.name,),
        )
        return
    differences = ["it could not be resolved today"] if now is None else _differences(was, now)
    if differences:
        more = f" and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
        journal.find(
            "VMF409",
            f"VM {was.name} is frozen in group {was.group} and differs: {', '.join(differences[:_SHOWN])}{more}",
            "the output keeps what was frozen; to take the change, move the group back to planned first",
            where=candidate.where.at("name"),
            vms=(was.name,),
        )


def _differences(was: Machine, now: Machine) -> list[str]:
    ignored = {"group", "key", "id"}
    return [name for name in structs.asdict(was) if name not in ignored and getattr(was, name) != getattr(now, name)]
