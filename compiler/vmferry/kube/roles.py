"""What each role of `access` may do in a namespace: a ClusterRole of KubeVirt's, or rules of vmferry's own.

KubeVirt installs its ClusterRoles for everyone, so binding one says nothing new about what it allows. Read at tags
v1.3.0 to v1.9.0: pkg/virt-operator/resource/generate/rbac/cluster.go. `kubevirt.io:view` opens no console, and
`kubevirt.io:edit` also deletes VMs: between the two are the people who run VMs and do not change them.
"""

from collections.abc import Mapping
from typing import NamedTuple

from vmferry.kube.kinds import Verbs
from vmferry.model.spec import AccessRole

KUBEVIRT = "kubevirt.io"
SUBRESOURCES = "subresources.kubevirt.io"


class Allowed(NamedTuple):
    """One rule of a Role."""

    group: str
    resources: tuple[str, ...]
    verbs: Verbs


_SEE = (
    Allowed(KUBEVIRT, ("virtualmachines", "virtualmachineinstances"), ("get", "list", "watch")),
    Allowed(
        SUBRESOURCES,
        (
            "virtualmachineinstances/guestosinfo",
            "virtualmachineinstances/filesystemlist",
            "virtualmachineinstances/userlist",
        ),
        ("get",),
    ),
)
_CONSOLE = (Allowed(SUBRESOURCES, ("virtualmachineinstances/console", "virtualmachineinstances/vnc"), ("get",)),)
_POWER = (
    Allowed(
        SUBRESOURCES,
        (
            "virtualmachines/start",
            "virtualmachines/stop",
            "virtualmachines/restart",
            "virtualmachineinstances/pause",
            "virtualmachineinstances/unpause",
            "virtualmachineinstances/softreboot",
        ),
        ("update",),
    ),
)

OWN_ROLES: Mapping[AccessRole, tuple[Allowed, ...]] = {
    "console": (*_SEE, *_CONSOLE),
    "operate": (*_SEE, *_CONSOLE, *_POWER),
}
"""Roles that KubeVirt does not have. Each rule is a part of one of `kubevirt.io:edit` in every supported release."""

CLUSTER_ROLES: Mapping[AccessRole, str] = {
    "view": "kubevirt.io:view",
    "migrate": "kubevirt.io:migrate",
    "edit": "kubevirt.io:edit",
    "admin": "kubevirt.io:admin",
}
"""ClusterRoles that KubeVirt's operator installs; `kube.versions` says from which release on."""

READS_SECRETS: frozenset[AccessRole] = frozenset(("edit", "admin"))
"""Roles that create VMs, and so can attach every Secret of the namespace to one as a disk and read it in its guest.

kubevirt staging/src/kubevirt.io/api/core/v1/schema.go (SecretVolumeSource, ServiceAccountVolumeSource)
"""

RESERVED_GROUPS = "system:"
"""Prefix of the groups of Kubernetes' own, as in system:authenticated, which every ServiceAccount is in.

kubernetes/website content/en/docs/reference/access-authn-authz/rbac.md (Referring to subjects)
"""
