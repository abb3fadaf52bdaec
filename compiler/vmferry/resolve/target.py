"""The target's effect on all manifests: fields that its releases lack, the applier, priorities."""

from collections.abc import Iterable

from vmferry.kube.versions import withheld
from vmferry.model.blueprint import Machine, TargetPlan
from vmferry.model.spec import GitOps, PhaseKind, ServiceAccountRef, Target

PRIORITIES: dict[PhaseKind, int] = {
    "decommission": 100,
    "dev-test": 1_000,
    "migrate": 10_000,
    "stateless": 20_000,
    "stateful": 30_000,
}
"""Value of each kind's PriorityClass. It is immutable in the API server, so these never change."""

_CONTROLLERS = {
    "flux": ServiceAccountRef(name="kustomize-controller", namespace="flux-system"),
    "argocd": ServiceAccountRef(name="argocd-application-controller", namespace="argocd"),
}
"""ServiceAccount that applies by default, and the namespace of the engine by default, by engine."""


def plan_target(migration: str, target: Target, machines: Iterable[Machine]) -> TargetPlan:
    """Return the target's settings for all manifests. ``machines`` are all moving ones, with their attempts."""
    gitops = target.gitops
    space = engine_namespace(gitops)
    controller = ServiceAccountRef(name=_CONTROLLERS[gitops.engine].name, namespace=space)
    return TargetPlan(
        withheld=withheld(target.cluster.versions),
        engine_namespace=space,
        applier=gitops.applier or controller,
        # Two hyphens, because Providers of vCenters are named MIGRATION-SOURCE, and no source starts with one.
        host_provider=target.forklift.provider or f"{migration}--host",
        # A Job whose attempt started with Kueue keeps it.
        queued=target.cluster.kueue_queue is not None
        or any(each.conversion is not None and each.conversion.queue is not None for each in machines),
    )


def engine_namespace(gitops: GitOps) -> str:
    """Return the namespace of the engine's own objects."""
    return gitops.namespace or _CONTROLLERS[gitops.engine].namespace
