"""What resolving a project comes to, and what of it is recorded in assignments.yaml."""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from vmferry.estate.stages import begun
from vmferry.kube.dns import digest
from vmferry.model.assignments import Assignment, Assignments
from vmferry.model.blueprint import Blueprint, Group, Machine
from vmferry.model.finding import Finding
from vmferry.model.review import Subject
from vmferry.model.spec import Metadata


class Resolution(Struct, frozen=True, kw_only=True):
    """The Blueprint, and the findings."""

    blueprint: Blueprint
    metadata: Metadata  # of the spec
    findings: tuple[Finding, ...] = ()
    subjects: tuple[Subject, ...] = ()  # every VM, for the rules
    standard: Mapping[str, int] = {}  # see `paths.standard_vms`

    @property
    def assignments(self) -> Assignments:
        """Return the assignments to write. Made of all VMs again, whenever it is asked for."""
        return assignments_of(self.metadata, self.blueprint.groups)


def assignments_of(metadata: Metadata, groups: Iterable[Group]) -> Assignments:
    """Return the assignments to write: the group of every VM, and the full record of frozen ones."""
    vms = {
        machine.key: Assignment(
            group=group.name,
            stage=group.stage,
            facts=facts_digest(machine) if group.frozen else None,
            attempt=group.attempt if begun(group.stage) or group.attempt > 1 else None,
            remigrate=group.remigrate,
            reached=group.reached,
            of=len(group.machines) if group.frozen else None,
            machine=machine if group.frozen else None,
        )
        for group in groups
        for machine in group.machines
    }
    departed = {group.name: {each.machine.key: each for each in group.departed} for group in groups if group.departed}
    return Assignments(metadata=metadata, vms=dict(sorted(vms.items())), departed=dict(sorted(departed.items())))


def facts_digest(machine: Machine) -> str:
    """Return a digest of a machine, to detect changes.

    The settings of an attempt are not included: they differ for every attempt.
    """
    lasting = replace(machine, conversion=None)
    return "sha256:" + digest(msgspec.json.encode(lasting, order="sorted").decode(), 64)
