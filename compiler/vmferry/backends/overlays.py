"""Overlays: for each step of a group, its part of the base, its phase's component, and the patches of its stage."""

from collections.abc import Iterator
from datetime import UTC, datetime

from vmferry.backends import alias, client_routes, dns
from vmferry.backends.entry_points import overlay
from vmferry.backends.forklift import found, migration_name
from vmferry.backends.metadata import MIGRATION_LABEL, head, patch
from vmferry.backends.places import base, lock
from vmferry.estate.methods import METHODS
from vmferry.kube import kinds
from vmferry.kube.kinds import Kind
from vmferry.model.blueprint import Blueprint, Group, Machine, Step
from vmferry.model.manifest import File, Item, KubeObject, Patch, Resource, Root
from vmferry.model.spec import PhaseKind
from vmferry.shipped import shipped


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield the overlay of every step, the components of the phases, and the PriorityClasses they name."""
    yield from emit_phases(blueprint)
    yield from emit_overlays(blueprint)


def emit_phases(blueprint: Blueprint) -> Iterator[Item]:
    """Yield the components of the phases, and the PriorityClasses they name."""
    for kind, priority in sorted({(phase.kind, phase.priority) for phase in blueprint.phases}):
        yield Resource(directory="infra/cluster", object=_priority_class(blueprint, kind, priority))
        yield from _component(kind)


def emit_overlays(blueprint: Blueprint) -> Iterator[Item]:
    """Yield the overlay of every step of every group."""
    for group in blueprint.groups:
        for step in group.steps:
            yield Root(
                directory=overlay(group, step),
                resources=tuple(base(group, layer) for layer in step.layers),
                components=(f"components/{group.phase_kind}",),
                patches=tuple(_patches(blueprint, group, step)),
                lock=lock(group),
                local=True,
            )


def _component(kind: PhaseKind) -> Iterator[File]:
    """Yield the shipped files of a phase's component."""
    folder = shipped("overlays") / kind
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        yield File(path=f"components/{kind}/{name}", content=path.read_bytes())


def _priority_class(blueprint: Blueprint, kind: PhaseKind, priority: int) -> KubeObject:
    """Return the PriorityClass of a kind of phase.

    It orders the scheduler's queue, and evictions under node pressure. It never preempts: preempting the pod of a VM
    shuts the VM down.
    """
    return {
        **_shared_head(blueprint, kinds.PRIORITY_CLASS, f"vmferry-{kind}"),
        "value": priority,
        "globalDefault": False,
        "preemptionPolicy": "Never",
        "description": f"Workloads that vmferry moves in phases of kind {kind}",
    }


def _shared_head(blueprint: Blueprint, kind: Kind, name: str) -> KubeObject:
    """Return an object's head without the migration's label: two migrations to one cluster apply the same object."""
    shared = head(kind, blueprint, name)
    del shared["metadata"]["labels"][MIGRATION_LABEL]
    return shared


def _patches(blueprint: Blueprint, group: Group, step: Step) -> Iterator[Patch]:
    """Yield the patches of the group's stage: none before cutover."""
    if dns.LAYER in step.layers:
        yield from dns.patches(group)
    if alias.LAYER in step.layers:
        yield from alias.patches(group)
    if client_routes.LAYER in step.layers:
        yield from client_routes.patches(group)
    if "migration" in step.layers:
        yield from _of_migration(blueprint, group)
    if "plan" in step.layers and group.stage == "retired" and not group.source_gone:
        # Forklift cleans up what it kept of the run; an archived Plan is never reconciled again.
        yield patch(kinds.PLAN, group.full_name, blueprint.forklift.namespace, "/spec/archived", value=True)
    if not (group.running or (group.stage == "migrating" and METHODS[group.method].replicates)):
        return
    for machine in group.machines:
        if "machines" in step.layers and not machine.golden and machine.run_strategy != "Halted":
            yield _start(machine)
        if "workload" in step.layers:
            yield from _scale(machine)


def _of_migration(blueprint: Blueprint, group: Group) -> Iterator[Patch]:
    """Yield the patches of a Migration: when it cuts over, or that it ends because the group is rolled back.

    A VM that is cancelled is cleaned up, and its source is powered on if it was on; one that is complete is left alone
    (kubev2v/forklift pkg/controller/plan/migration.go, execute and Cancel).
    """
    known = (migration_name(group), blueprint.forklift.namespace)
    ended = [each.machine for each in group.departed]
    if group.stage == "rolled-back":
        ended += group.machines
    if ended:
        refs = [found(machine.id, machine.name) for machine in sorted(ended, key=lambda machine: machine.key)]
        yield patch(kinds.MIGRATION, *known, "/spec/cancel", refs, op="add")
    if group.running and METHODS[group.method].cutover and group.cutover is not None:
        yield patch(kinds.MIGRATION, *known, "/spec/cutover", _utc(group.cutover), op="add")
        if group.vm_cutover and "Migration.spec.vmCutover" not in blueprint.target.withheld:
            times = [{"id": each.id, "cutover": _utc(each.time)} for each in group.vm_cutover]
            yield patch(kinds.MIGRATION, *known, "/spec/vmCutover", times, op="add")


def _start(machine: Machine) -> Patch:
    """Return the patch that starts a VM."""
    known = (machine.target_name, machine.namespace)
    return patch(kinds.VIRTUAL_MACHINE, *known, "/spec/runStrategy", machine.run_strategy)


def _scale(machine: Machine) -> Iterator[Patch]:
    """Yield the patch that gives a rebuilt application its replicas."""
    application = machine.application
    if application is not None:
        known = (machine.target_name, machine.namespace)
        # the group of a deployment is that of stateful sets
        yield patch(kinds.DEPLOYMENT, *known, "/spec/replicas", application.replicas, named=application.kind)


def _utc(time: str) -> str:
    """Return an RFC 3339 time in the form that Forklift writes back: UTC, to the second.

    Its controller updates the Migration through Go's metav1.Time, so any other form would show as drift.
    """
    return datetime.fromisoformat(time).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
