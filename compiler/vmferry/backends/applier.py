"""What the ServiceAccount that applies the tree has to hold before the first sync: an administrator applies this root.

Its rights within each namespace are in the tree itself (`backends.namespaces`). What gives it those, what lies in one
root with them, and what is of no namespace, cannot be: nobody may grant what they do not hold. Flux's and Argo CD's own
controllers hold everything, as they are usually installed; a ServiceAccount of its own (`target.gitops.applier`) holds
nothing.
"""

from collections.abc import Iterator
from typing import Any

from vmferry.backends.metadata import metadata
from vmferry.backends.namespaces import APPLY, PRUNE, applier, beside_roles
from vmferry.backends.namespaces import emit as namespace_items
from vmferry.model.blueprint import Blueprint
from vmferry.model.manifest import Item, KubeObject, Resource

DIRECTORY = "infra/applier"
_RBAC = "rbac.authorization.k8s.io"
_ENGINE_NAMESPACES = {"flux": "flux-system", "argocd": "argocd"}
_ENGINE_KINDS: dict[str, tuple[tuple[str, str], ...]] = {
    "flux": (("kustomize.toolkit.fluxcd.io", "kustomizations"), ("source.toolkit.fluxcd.io", "gitrepositories")),
    "argocd": (("argoproj.io", "applications"), ("argoproj.io", "appprojects")),
}


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield the root, which no entry point syncs."""
    engine = blueprint.gitops.engine
    name = f"vmferry-applier-{blueprint.name}"
    space = blueprint.gitops.namespace or _ENGINE_NAMESPACES[engine]
    objects = [
        *_bound(blueprint, "ClusterRole", name, None, list(_of_the_cluster(blueprint))),
        *_bound(blueprint, "Role", f"{name}-{engine}", space, [_rule(*kind, PRUNE) for kind in _ENGINE_KINDS[engine]]),
    ]
    for obj in objects:
        yield Resource(directory=DIRECTORY, object=obj)


def _of_the_cluster(blueprint: Blueprint) -> Iterator[dict[str, Any]]:
    """Yield the rights on what is of no namespace, and on the Roles that hold all others.

    The API server asks for `escalate` and `bind` by the name of the Role (kubernetes pkg/registry/rbac/
    escalation_check.go), which server-side apply, as both engines do it, gives with its first request, too.
    """
    yield _rule("", "namespaces", APPLY)
    yield _rule("scheduling.k8s.io", "priorityclasses", PRUNE)
    if blueprint.bridges:
        yield _rule("nmstate.io", "nodenetworkconfigurationpolicies", PRUNE)
    yield _rule(_RBAC, "roles", PRUNE)
    yield _rule(_RBAC, "rolebindings", PRUNE)
    yield from beside_roles(blueprint)
    made = (item.object for item in namespace_items(blueprint) if isinstance(item, Resource))
    names = sorted({obj["metadata"]["name"] for obj in made if obj["kind"] == "Role"})
    if names:
        yield {"apiGroups": [_RBAC], "resources": ["roles"], "resourceNames": names, "verbs": ["escalate", "bind"]}


def _rule(group: str, resource: str, verbs: tuple[str, ...]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}


def _bound(
    blueprint: Blueprint, kind: str, name: str, namespace: str | None, rules: list[dict[str, Any]]
) -> Iterator[KubeObject]:
    """Yield a role of this kind and what binds it to the applier."""
    about = metadata(blueprint, name, namespace)
    yield {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": about, "rules": rules}
    yield {
        "apiVersion": f"{_RBAC}/v1",
        "kind": f"{kind}Binding",
        "metadata": about,
        "roleRef": {"apiGroup": _RBAC, "kind": kind, "name": name},
        "subjects": [applier(blueprint)],
    }
