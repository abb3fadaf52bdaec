"""Access of people to the VMs of a namespace: Roles of vmferry's own where KubeVirt has none, and RoleBindings."""

from collections.abc import Iterator

from vmferry.backends.namespaces import bind, grant
from vmferry.backends.places import of_namespace
from vmferry.kube import kinds
from vmferry.kube.roles import CLUSTER_ROLES, OWN_ROLES
from vmferry.model.blueprint import Blueprint, NamespacePlan
from vmferry.model.manifest import Item, KubeObject
from vmferry.model.spec import AccessRole


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield one RoleBinding for each role in each namespace, with all its groups, and nothing that is not confirmed."""
    for plan in blueprint.namespaces:
        for role, groups in plan.access.items():
            for obj in _granted(blueprint, plan, role, groups):
                yield of_namespace(plan.name, obj)


def cluster_roles(blueprint: Blueprint) -> tuple[str, ...]:
    """Return the ClusterRoles of KubeVirt that are bound, sorted."""
    roles = {role for plan in blueprint.namespaces for role in plan.access}
    return tuple(sorted(CLUSTER_ROLES[role] for role in roles if role in CLUSTER_ROLES))


def _granted(
    blueprint: Blueprint, plan: NamespacePlan, role: AccessRole, groups: tuple[str, ...]
) -> Iterator[KubeObject]:
    name = f"vmferry-access-{role}"  # a binding cannot change its role later, so the name has it
    subjects = [{"apiGroup": kinds.ROLE.group, "kind": "Group", "name": group} for group in groups]
    if role in CLUSTER_ROLES:
        yield bind(blueprint, name, plan.name, kinds.CLUSTER_ROLE, CLUSTER_ROLES[role], subjects)
    else:
        rules = [
            {"apiGroups": [rule.group], "resources": list(rule.resources), "verbs": list(rule.verbs)}
            for rule in OWN_ROLES[role]
        ]
        yield from grant(blueprint, name, plan.name, rules, subjects)
