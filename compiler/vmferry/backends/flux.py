"""Flux: the GitRepository, and a Kustomization for every root."""

import re
from collections.abc import Iterator
from typing import Any

from vmferry.backends import entry_points, forklift, preflight, virt_v2v
from vmferry.backends.durations import go_duration
from vmferry.backends.entry_points import EntryPoint, Part
from vmferry.backends.metadata import head
from vmferry.estate.checks import jobs as check_jobs
from vmferry.estate.preflight import job_name as preflight_job
from vmferry.estate.snapshots import snapshot_name, snapshotted
from vmferry.kube import kinds
from vmferry.model.blueprint import Blueprint, Group, Machine
from vmferry.model.manifest import Item, KubeObject, Resource

_TIMEOUT = "5m"
_SHORT_TIMEOUT = "1m"
"""Timeout of roots that wait for hours of copying: a wait occupies one of the controller's four workers.

It times out and starts again after the retry interval, until the copy is done.
"""

_PLAN_HEALTH = {
    "apiVersion": kinds.PLAN.api_version,
    "kind": kinds.PLAN.name,
    # It stands for its Providers and maps: unless they are ready, it is not either (kubev2v/forklift
    # pkg/controller/plan/validation.go). The root of a Provider has no check: every group of its vCenter depends on it,
    # and while vCenter is down, none could be synced, not even rolled back.
    # Forklift does not reconcile a Plan that ran, and an archived one is no longer Ready.
    "current": (
        "has(status.conditions) && status.conditions.exists(c,"
        " c.status == 'True' && c.type in ['Ready', 'Executing', 'Succeeded', 'Archived'])"
    ),
}
_MIGRATION_HEALTH = {
    "apiVersion": kinds.MIGRATION.api_version,
    "kind": kinds.MIGRATION.name,
    # A running one is current: nothing waits for its end, and a warm one copies for days. Flux checks again at each
    # interval. The conditions: kubev2v/forklift pkg/controller/migration (reflectPlan, validation.go), v2.7 to main.
    "current": (
        "has(status.conditions) && status.conditions.exists(c,"
        " c.status == 'True' && c.type in ['Running', 'Succeeded'])"
    ),
    "failed": (
        "has(status.conditions) && status.conditions.exists(c, c.status == 'True' &&"
        " c.type in ['Failed', 'Canceled', 'PlanNotValid', 'VMNotFound', 'VMNotUnique'])"
    ),
}
_JOB = {"apiVersion": kinds.JOB.api_version, "kind": kinds.JOB.name}
_VOLUME_HEALTH = {
    "apiVersion": kinds.DATA_VOLUME.api_version,
    "kind": kinds.DATA_VOLUME.name,
    # A volume that waits for its VM is as ready as it gets before the VM exists.
    "current": ("has(status.phase) && status.phase in ['Succeeded', 'WaitForFirstConsumer', 'PendingPopulation']"),
    "failed": "has(status.phase) && status.phase == 'Failed'",
}
_SNAPSHOT_HEALTH = {
    "apiVersion": kinds.SNAPSHOT.api_version,
    "kind": kinds.SNAPSHOT.name,
    # kubevirt/kubevirt pkg/storage/snapshot/snapshot.go, updateSnapshotStatus
    "current": "has(status.readyToUse) && status.readyToUse",
    "failed": "has(status.phase) && status.phase == 'Failed'",
}


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield everything below clusters/ if the engine is Flux, otherwise nothing.

    healthCheckExprs and deletionPolicy need kustomize-controller 1.5, which is Flux 2.5 (its CHANGELOG).
    """
    if blueprint.gitops.engine != "flux":
        return
    entry = entry_points.entry(blueprint)
    yield Resource(directory=entry, object=_repository(blueprint))
    yield Resource(directory=entry, object=_kustomization(blueprint, blueprint.name, entry))
    for part in entry_points.parts(blueprint):
        yield Resource(directory=entry, object=_kustomization(blueprint, part.name, part.directory, holds_roots=True))
        yield from _part(blueprint, part)


def _part(blueprint: Blueprint, part: Part) -> Iterator[Item]:
    for point in part.points:
        yield entry_points.placed(part, point, _root(blueprint, point))


def _repository(blueprint: Blueprint) -> KubeObject:
    gitops = blueprint.gitops
    spec: dict[str, Any] = {
        "interval": go_duration(gitops.interval),
        "url": _url(gitops.repo_url),
        "ref": {"branch": gitops.branch},
        "timeout": "60s",
    }
    if gitops.git_secret is not None:
        spec["secretRef"] = {"name": gitops.git_secret}
    return {
        **head(kinds.GIT_REPOSITORY, blueprint, blueprint.name, blueprint.target.engine_namespace),
        "spec": spec,
    }


def _url(url: str) -> str:
    """Return the repository's address; Flux does not support git's short form, git@HOST:PATH."""
    short = re.fullmatch(r"(git@[^:/]+):(.+)", url)
    return f"ssh://{short[1]}/{short[2]}" if short else url


def _root(blueprint: Blueprint, point: EntryPoint) -> KubeObject:
    """Return the Kustomization of one root."""
    checks, expressions, timeout = _health(blueprint, point)
    return _kustomization(
        blueprint,
        point.name,
        point.directory,
        group=point.group,
        after=point.after,
        timeout=timeout,
        health=_present(healthChecks=checks, healthCheckExprs=expressions if checks else []),
        decrypts=True,
    )


def _kustomization(
    blueprint: Blueprint,
    name: str,
    directory: str,
    *,
    group: Group | None = None,
    after: tuple[str, ...] = (),
    timeout: str = _TIMEOUT,
    health: dict[str, Any] | None = None,
    holds_roots: bool = False,
    decrypts: bool = False,
) -> KubeObject:
    """Return a Kustomization; what it applied outlives it (Orphan).

    Only one that contains nothing but Kustomizations deletes them too, because they would fail without their
    directories; what those applied stays.
    """
    gitops = blueprint.gitops
    spec: dict[str, Any] = {
        "interval": go_duration(gitops.interval),
        "retryInterval": "2m",
        "timeout": timeout,
        "path": f"./{gitops.path}/{directory}",
        "sourceRef": {"kind": "GitRepository", "name": blueprint.name},
        "prune": True,
        "deletionPolicy": "Delete" if holds_roots else "Orphan",
        # force would delete and recreate immutable objects: volumes, Jobs.
        "force": False,
        # A halted VM is never healthy for Flux; healthChecks lists what matters.
        "wait": False,
    }
    if after:
        spec["dependsOn"] = [{"name": other} for other in after]
    spec |= health or {}
    if decrypts and gitops.sops_secret is not None:
        spec["decryption"] = {"provider": "sops", "secretRef": {"name": gitops.sops_secret}}
    if gitops.applier is not None:
        spec["serviceAccountName"] = gitops.applier.name
    return {
        **head(kinds.KUSTOMIZATION, blueprint, name, blueprint.target.engine_namespace, group=group),
        "spec": spec,
    }


def _health(blueprint: Blueprint, point: EntryPoint) -> tuple[list[dict[str, str]], list[dict[str, str]], str]:
    """Return what must be healthy before the following steps start, how to check it, and the timeout."""
    if point.directory == preflight.ROOT and (tested := blueprint.preflight) is not None:
        tests = [preflight_job(blueprint.name, tested, test) for test in tested.tests]
        return [_object(_JOB, name, tested.namespace) for name in tests], [], _SHORT_TIMEOUT
    if point.group is None or point.step is None:
        return [], [], _TIMEOUT
    group, layers = point.group, point.step.layers
    if group.stage == "rolled-back":  # a Migration that was cancelled would be reported as failed for ever
        return [], [], _TIMEOUT
    if "plan" in layers and not group.source_gone:
        plan = _object(_PLAN_HEALTH, group.full_name, blueprint.forklift.namespace)
        return [plan], [_PLAN_HEALTH], _TIMEOUT
    if "migration" in layers:
        name = forklift.migration_name(group)
        migration = _object(_MIGRATION_HEALTH, name, blueprint.forklift.namespace)
        return [migration], [_MIGRATION_HEALTH], _TIMEOUT
    if "conversion" in layers:
        # Flux itself knows when a Job is complete.
        jobs = [_object(_JOB, virt_v2v.job_name(each, group.attempt), group.namespace) for each in _filled(group)]
        return jobs, [], _SHORT_TIMEOUT
    if "volumes" in layers:
        claims = [disk.claim for each in _filled(group) for disk in each.disks if disk.owner]
        volumes = [_object(_VOLUME_HEALTH, claim, group.namespace) for claim in claims]
        return volumes, [_VOLUME_HEALTH], _SHORT_TIMEOUT
    if "checks" in layers:
        return [_object(_JOB, name, group.namespace) for name in check_jobs(group)], [], _SHORT_TIMEOUT
    if "snapshots" in layers:
        taken = [snapshot_name(each, group.attempt) for each in snapshotted(group)]
        snapshots = [_object(_SNAPSHOT_HEALTH, name, group.namespace) for name in taken]
        return snapshots, [_SNAPSHOT_HEALTH], _TIMEOUT
    return [], [], _TIMEOUT


def _filled(group: Group) -> list[Machine]:
    """Return the machines with volumes to fill; a clone's volumes are created with its VM."""
    return [machine for machine in group.machines if machine.clone_of is None and machine.disks]


def _present(**lists: list[dict[str, str]]) -> dict[str, Any]:
    return {name: items for name, items in lists.items() if items}


def _object(kind: dict[str, str], name: str, namespace: str) -> dict[str, str]:
    return {
        "apiVersion": kind["apiVersion"],
        "kind": kind["kind"],
        "name": name,
        "namespace": namespace,
    }
