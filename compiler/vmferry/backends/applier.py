"""Permissions that the applying ServiceAccount needs before the first sync: an administrator applies this root.

Its permissions within each namespace are in the tree itself (`backends.namespaces`). Those that let it create these,
those for the rest of that root, and those for cluster-scoped kinds cannot be in the tree: nobody can grant permissions
they do not have. Flux's and Argo CD's own controllers usually have all permissions; a dedicated ServiceAccount
(`target.gitops.applier`) has none.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from vmferry.backends import access, monitoring
from vmferry.backends.namespaces import applier, beside_roles, grant, rules_of
from vmferry.backends.namespaces import emit as namespace_items
from vmferry.kube import kinds
from vmferry.kube.kinds import Right
from vmferry.model.blueprint import Blueprint
from vmferry.model.manifest import Item, Resource

DIRECTORY = "infra/applier"
_ENGINE_KINDS = {
    "flux": (kinds.KUSTOMIZATION, kinds.GIT_REPOSITORY),
    "argocd": (kinds.APPLICATION, kinds.APP_PROJECT),
}


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield the root, which no entry point syncs."""
    engine = blueprint.gitops.engine
    name, subjects = f"vmferry-applier-{blueprint.name}", [applier(blueprint)]
    engine_kinds = [*_ENGINE_KINDS[engine], *([kinds.ALERT] if monitoring.notifies(blueprint) else [])]
    watching = (
        obj
        for number, (space, its) in enumerate(monitoring.namespaces_of(blueprint).items())
        for obj in grant(blueprint, f"{name}-monitoring{'-dashboards' * number}", space, [*_one_by_one(its)], subjects)
    )
    for obj in (
        *grant(blueprint, name, None, [*_of_the_cluster(blueprint)], subjects),
        *grant(
            blueprint,
            f"{name}-{engine}",
            blueprint.target.engine_namespace,
            [*_one_by_one(engine_kinds)],
            subjects,
        ),
        *watching,
    ):
        yield Resource(directory=DIRECTORY, object=obj)


def _of_the_cluster(blueprint: Blueprint) -> Iterator[dict[str, Any]]:
    """Yield the permissions on cluster-scoped kinds, and on the Roles that hold all others.

    The API server asks for `escalate` and `bind` by the name of the Role (kubernetes pkg/registry/rbac/
    escalation_check.go), which server-side apply, which both engines use, already has in its first request. Of
    KubeVirt's ClusterRoles the applier may bind those that `access` names, and have none of what they allow.
    """
    yield from _one_by_one((kinds.NAMESPACE, kinds.PRIORITY_CLASS))
    if blueprint.bridges:
        yield from _one_by_one((kinds.NODE_NETWORK,))
    yield from _one_by_one((kinds.ROLE, kinds.ROLE_BINDING))
    yield from beside_roles(blueprint)
    items = (*namespace_items(blueprint), *access.emit(blueprint))
    made = (item.object for item in items if isinstance(item, Resource))
    names = sorted({obj["metadata"]["name"] for obj in made if obj["kind"] == kinds.ROLE.name})
    if names:
        yield from rules_of([Right(kinds.ROLE, ("escalate", "bind"), tuple(names))])
    if bound := access.cluster_roles(blueprint):
        yield from rules_of([Right(kinds.CLUSTER_ROLE, ("bind",), bound)])


def _one_by_one(each_of: Iterable[kinds.Kind]) -> Iterator[dict[str, Any]]:
    """Yield a rule for each kind, in order."""
    for kind in each_of:
        yield from rules_of([kind])
