"""Which object of the cluster belongs to which group and VM: by the names and labels that vmferry gave it."""

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

from vmferry.backends import entry_points
from vmferry.backends.forklift import migration_name
from vmferry.backends.metadata import GROUP_LABEL, MIGRATION_LABEL
from vmferry.backends.networks import smoke_names
from vmferry.backends.virt_v2v import job_name
from vmferry.estate.checks import jobs
from vmferry.estate.preflight import job_name as test_job_name
from vmferry.estate.snapshots import has_volumes, snapshot_name
from vmferry.model.blueprint import Blueprint, Group, Machine, PreflightTest
from vmferry.observe.shapes import (
    Application,
    Claim,
    DataVolume,
    Instance,
    Job,
    Kustomization,
    Metadata,
    Migration,
    Object,
    Plan,
    Snapshot,
    VirtualMachine,
)

OURS = (Plan, Migration, Job, Snapshot, Kustomization, Application)
"""Kinds that only vmferry makes for a migration; the others are made by Forklift too, without vmferry's labels."""


class Place(NamedTuple):
    """Where an object belongs."""

    group: Group
    machine: Machine | None = None  # None: to the whole group
    attempt: int | None = None  # None: it has no number; what it shows counts for the current one


Places = Mapping[tuple[str, str], Place]
"""By namespace and name."""


class Belonging:
    """The objects that a migration has or had in the cluster."""

    def __init__(self, blueprint: Blueprint) -> None:
        self._blueprint = blueprint

    def place(self, obj: Object) -> Place | None:
        """Return where an object belongs; None for a stranger."""
        metadata = obj.metadata
        found = self._of(obj).get((metadata.namespace or "", metadata.name or ""))
        return found if found is not None and self._labelled(obj, metadata, found) else None

    def network(self, obj: Object) -> str | None:
        """Return the network that a VM of a smoke test is for; None for anything else."""
        metadata = obj.metadata
        if not isinstance(obj, VirtualMachine) or (metadata.labels or {}).get(MIGRATION_LABEL) != self._blueprint.name:
            return None
        return self._smoke.get((metadata.namespace or "", metadata.name or ""))

    def test(self, obj: Object) -> PreflightTest | None:
        """Return the pre-flight test that a Job is for; None for anything else."""
        metadata = obj.metadata
        if not isinstance(obj, Job) or (metadata.labels or {}).get(MIGRATION_LABEL) != self._blueprint.name:
            return None
        return self._tests.get((metadata.namespace or "", metadata.name or ""))

    def machine(self, group: Group, id_: str | None, name: str | None) -> Machine | None:
        """Return the VM of a group that Forklift names by id, or by name while its id is unknown."""
        own = self._forklift.get(group.name, {})
        return own.get(id_ or "") or own.get(name or "")

    def _labelled(self, obj: Object, metadata: Metadata, place: Place) -> bool:
        """Return whether an object's labels allow that it belongs there: another migration may use its name."""
        labels = metadata.labels or {}
        migration, group = labels.get(MIGRATION_LABEL), labels.get(GROUP_LABEL)
        if migration is None:
            return not isinstance(obj, OURS)
        return migration == self._blueprint.name and group in (None, place.group.name)

    def _of(self, obj: Object) -> Places:
        if isinstance(obj, Plan):
            return self._plans
        if isinstance(obj, Migration):
            return self._migrations
        if isinstance(obj, Job):
            return self._jobs
        if isinstance(obj, Snapshot):
            return self._snapshots
        if isinstance(obj, DataVolume | Claim):
            return self._volumes
        if isinstance(obj, VirtualMachine | Instance):
            return self._machines
        if isinstance(obj, Kustomization | Application):
            return self._roots
        return {}

    @cached_property
    def _smoke(self) -> Mapping[tuple[str, str], str]:
        return {
            (plan.name, name): pair.network
            for plan in self._blueprint.namespaces
            for pair in plan.smoke
            for name in smoke_names(pair)
        }

    @cached_property
    def _tests(self) -> Mapping[tuple[str, str], PreflightTest]:
        plan, name = self._blueprint.preflight, self._blueprint.name
        tests = plan.tests if plan is not None else ()
        return {(plan.namespace, test_job_name(name, plan, test)): test for test in tests if plan is not None}

    @cached_property
    def _plans(self) -> Places:
        space = self._blueprint.forklift.namespace
        return {(space, group.full_name): Place(group) for group in self._blueprint.groups if group.path == "forklift"}

    @cached_property
    def _migrations(self) -> Places:
        space = self._blueprint.forklift.namespace
        return {
            (space, migration_name(group, attempt)): Place(group, attempt=attempt)
            for group in self._blueprint.groups
            if group.path == "forklift"
            for attempt in range(1, group.attempt + 1)
        }

    @cached_property
    def _jobs(self) -> Places:
        return self._check_jobs | {
            (machine.namespace, job_name(machine, attempt)): Place(group, machine, attempt)
            for group in self._blueprint.groups
            if group.method == "job"
            for machine in group.machines
            for attempt in range(1, group.attempt + 1)
        }

    @property
    def _check_jobs(self) -> dict[tuple[str, str], Place]:
        """Return the Jobs that check groups; one of an earlier list of checks belongs to nothing."""
        return {
            (group.namespace, name): Place(group, None, group.attempt)
            for group in self._blueprint.groups
            for name in jobs(group)
        }

    @cached_property
    def _snapshots(self) -> Places:
        return {
            (machine.namespace, snapshot_name(machine, attempt)): Place(group, machine, attempt)
            for group in self._blueprint.groups
            for machine in group.machines
            if has_volumes(machine)
            for attempt in range(1, group.attempt + 1)
        }

    @cached_property
    def _volumes(self) -> Places:
        return {
            (machine.namespace, disk.claim): Place(group, machine)
            for group in self._blueprint.groups
            for machine in group.machines
            for disk in machine.disks
            if disk.owner
        }

    @cached_property
    def _machines(self) -> Places:
        return {
            (machine.namespace, machine.target_name): Place(group, machine)
            for group in self._blueprint.groups
            if group.path != "rebuild"
            for machine in group.machines
            if not machine.golden
        }

    @cached_property
    def _roots(self) -> Places:
        space = self._blueprint.target.engine_namespace
        return {
            (space, point.name): Place(point.group)
            for part in entry_points.parts(self._blueprint)
            for point in part.points
            if point.group is not None
        }

    @cached_property
    def _forklift(self) -> Mapping[str, Mapping[str, Machine]]:
        return {
            group.name: {
                **{machine.name: machine for machine in group.machines},
                **{machine.id: machine for machine in group.machines if machine.id is not None},
            }
            for group in self._blueprint.groups
            if group.path == "forklift"
        }
