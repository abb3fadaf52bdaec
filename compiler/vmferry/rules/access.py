"""Access of people to namespaces: who would get more than the entry says, or nothing."""

from collections.abc import Iterator

from vmferry.kube import versions
from vmferry.kube.roles import READS_SECRETS, RESERVED_GROUPS
from vmferry.model.review import Problem, Review
from vmferry.rules.registry import also, rule
from vmferry.rules.versions import too_old


@rule(
    "VMF143",
    "error",
    "access for a group of Kubernetes' own",
    source="kubernetes/website content/en/docs/reference/access-authn-authz/rbac.md (Referring to subjects)",
    blueprint=True,
)
def reserved_groups(review: Review) -> Iterator[Problem]:
    """Kubernetes reserves the prefix `system:` for groups that it fills itself.

    `system:authenticated` contains everybody who can log in and every ServiceAccount, `system:serviceaccounts` every
    program in the cluster. No group of people in your directory has such a name.
    """
    for index, entry in enumerate(review.spec.access):
        if entry.group.startswith(RESERVED_GROUPS):
            yield Problem(
                f"group {entry.group} is one of Kubernetes' own",
                "name a group of people, as your OIDC provider and its prefix in the cluster make it",
                review.at("access", index, "group"),
            )


@rule(
    "VMF144",
    "warning",
    "who edits VMs here can read vCenter's credentials",
    source="kubevirt staging/src/kubevirt.io/api/core/v1/schema.go (SecretVolumeSource)",
    blueprint=True,
)
def readable_credentials(review: Review) -> Iterator[Problem]:
    """Conversion Jobs read the vCenter's credentials from a Secret in the namespace of their VMs.

    Who may create or change a VM there can attach that Secret to it as a disk, and read it in the guest. Kubernetes
    does not check whether that person may read Secrets. `operate` and `console` do not allow it.
    """
    holding = {plan.name: plan.credentials[0].source for plan in review.blueprint.namespaces if plan.credentials}
    for index, entry in enumerate(review.spec.access):
        for position, name in enumerate(entry.namespaces):
            if entry.role in READS_SECRETS and name in holding:
                yield Problem(
                    f"group {entry.group} has role {entry.role} in namespace {name}, which holds credentials of "
                    f"{holding[name]}",
                    "use `operate` until its VMs have moved, or give conversions an account of vCenter that may only "
                    "read (conversionCredentials)",
                    review.at("access", index, "namespaces", position),
                )


@also(too_old, blueprint=True)
def migrate_role(review: Review) -> Iterator[Problem]:
    """Yield access with a ClusterRole that this KubeVirt lacks: the API server accepts a binding without effect.

    kubernetes pkg/registry/rbac/rolebinding/policybased/storage.go: who may `bind` may bind what does not exist.
    """
    here = review.blueprint.cluster.versions
    if versions.certain(here, versions.MIGRATE_ROLE):
        return
    for index, entry in enumerate(review.spec.access):
        if entry.role == "migrate":
            yield Problem(
                f"group {entry.group} has role migrate, which KubeVirt {here.kubevirt} does not have",
                "1.5 does: update KubeVirt and target.cluster.versions.kubevirt, or use `edit`, which includes it",
                review.at("access", index, "role"),
            )
