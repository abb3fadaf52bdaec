"""Argo CD: the AppProject, and an Application for every root."""

from collections.abc import Iterator
from typing import Any

from vmferry.backends import entry_points, monitoring
from vmferry.backends.argocd_health import health
from vmferry.backends.entry_points import EntryPoint, Part
from vmferry.backends.metadata import head
from vmferry.backends.places import base
from vmferry.kube import kinds
from vmferry.model.blueprint import Blueprint, Group
from vmferry.model.manifest import INFRA_LOCK, Item, KubeObject, Resource

SERVER = "https://kubernetes.default.svc"
FINALIZER = "resources-finalizer.argocd.argoproj.io/background"
"""Makes Argo CD delete what an Application applied before the Application itself (user-guide/app_deletion.md)."""

_IGNORED = [
    # Fields that controllers write into objects in git. Not runStrategy: the cutover changes it.
    {
        "group": kinds.VIRTUAL_MACHINE.group,
        "kind": kinds.VIRTUAL_MACHINE.name,
        "jsonPointers": ["/spec/template/metadata/annotations/kubevirt.io~1pci-topology-version"],
    },
    {
        "group": kinds.PLAN.group,
        "kind": kinds.PLAN.name,
        "jsonPointers": ["/metadata/annotations/populatorLabels"],
    },
    {
        "group": kinds.MIGRATION.group,
        "kind": kinds.MIGRATION.name,
        "jsonPointers": ["/metadata/ownerReferences"],
    },
]

_QUEUED = {"group": kinds.JOB.group, "kind": kinds.JOB.name, "jsonPointers": ["/spec/suspend"]}
"""What Kueue writes to start a Job; Argo CD would stop the Job again."""


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield everything below clusters/ if the engine is Argo CD, otherwise nothing.

    Waves over Applications only order them where the health of argoproj.io/Application is configured (removed in Argo
    CD 1.8, operator-manual/health.md); without it, retries achieve the same.
    """
    if blueprint.gitops.engine != "argocd":
        return
    entry = entry_points.entry(blueprint)
    yield Resource(directory=entry, object=_project(blueprint))
    yield Resource(directory=entry, object=_parent(blueprint, blueprint.name, entry, 0))
    for part in entry_points.parts(blueprint):
        rank = 0 if part.lock == INFRA_LOCK else 1
        yield Resource(directory=entry, object=_part(blueprint, part, rank))
        for point in part.points:
            yield entry_points.placed(part, point, _root(blueprint, point))
    yield from health(blueprint)


def _project(blueprint: Blueprint) -> KubeObject:
    """Return the AppProject: this repository, the migration's namespaces, and its cluster-scoped kinds."""
    gitops = blueprint.gitops
    spaces = {space.name for space in blueprint.namespaces} | {group.namespace for group in blueprint.groups}
    spaces |= {blueprint.forklift.namespace, blueprint.target.engine_namespace}
    spaces |= monitoring.namespaces_of(blueprint).keys()
    handled = [kinds.NAMESPACE, kinds.PRIORITY_CLASS]
    if blueprint.bridges:
        handled.insert(1, kinds.NODE_NETWORK)
    spec: dict[str, Any] = {
        "description": f"Migration {blueprint.name}, compiled by vmferry",
        "sourceRepos": [gitops.repo_url],
        "destinations": [{"server": SERVER, "namespace": space} for space in sorted(spaces)],
        "clusterResourceWhitelist": [{"group": kind.group, "kind": kind.name} for kind in handled],
    }
    if gitops.applier is not None:
        account = f"{gitops.applier.namespace}:{gitops.applier.name}"
        spec["destinationServiceAccounts"] = [{"server": SERVER, "namespace": "*", "defaultServiceAccount": account}]
    return {
        # A subscription of the project holds for all of its Applications.
        **head(
            kinds.APP_PROJECT,
            blueprint,
            blueprint.name,
            blueprint.target.engine_namespace,
            annotations=monitoring.subscriptions(blueprint),
            wave=-1,
        ),
        "spec": spec,
    }


def _parent(blueprint: Blueprint, name: str, directory: str, rank: int) -> KubeObject:
    """Return an Application of Applications."""
    return _application(
        blueprint, name, directory, rank=rank, target=blueprint.target.engine_namespace, inputs=(directory,)
    )


def _part(blueprint: Blueprint, part: Part, rank: int) -> KubeObject:
    """Return the Application of a part.

    When it is deleted, its Applications are too, or they would fail because their directories are gone; what they
    applied stays.
    """
    result = _parent(blueprint, part.name, part.directory, rank)
    result["metadata"]["finalizers"] = [FINALIZER]
    return result


def _root(blueprint: Blueprint, point: EntryPoint) -> KubeObject:
    """Return the Application of one root."""
    inputs: tuple[str, ...] = (point.directory,)
    if point.group is not None and point.step is not None:
        layers = (base(point.group, layer) for layer in point.step.layers)
        inputs = (point.directory, *layers, f"components/{point.group.phase_kind}")
    return _application(
        blueprint,
        point.name,
        point.directory,
        rank=point.rank,
        target=point.namespace,
        inputs=inputs,
        group=point.group,
    )


def _application(
    blueprint: Blueprint,
    name: str,
    directory: str,
    *,
    rank: int,
    target: str | None,
    inputs: tuple[str, ...],
    group: Group | None = None,
) -> KubeObject:
    """Return an Application.

    It prunes, because objects that hold data have Prune=false themselves. It gets no finalizer here: what it applied
    outlives it. ``inputs`` are the directories whose changes affect it.
    """
    gitops = blueprint.gitops
    annotations = {
        "argocd.argoproj.io/manifest-generate-paths": ";".join(f"/{gitops.path}/{each}" for each in inputs),
        # The client's diff does not know the defaults of CRDs once objects are applied by the server.
        "argocd.argoproj.io/compare-options": "ServerSideDiff=true",
    }
    destination = {"server": SERVER}
    if target is not None:
        destination["namespace"] = target
    return {
        **head(
            kinds.APPLICATION,
            blueprint,
            name,
            blueprint.target.engine_namespace,
            group=group,
            annotations=annotations,
            wave=rank,
        ),
        "spec": {
            "project": blueprint.name,
            "source": {
                "repoURL": gitops.repo_url,
                "targetRevision": gitops.branch,
                "path": f"{gitops.path}/{directory}",
            },
            "destination": destination,
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True, "allowEmpty": False},
                "syncOptions": [
                    "CreateNamespace=false",
                    "RespectIgnoreDifferences=true",
                    "ServerSideApply=true",
                ],
                # A Plan is refused until its Providers exist, so a sync may need several attempts.
                "retry": {
                    "limit": 10,
                    "backoff": {"duration": "10s", "factor": 2, "maxDuration": "5m"},
                },
            },
            "ignoreDifferences": [*_IGNORED, *([_QUEUED] if blueprint.target.queued else [])],
        },
    }
