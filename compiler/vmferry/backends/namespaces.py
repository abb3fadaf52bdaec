"""Namespaces and what all their VMs share: quota, the applier's permissions, network policies, credentials."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from vmferry.backends import client_routes, credentials, forklift, forklift_plan
from vmferry.backends.metadata import VM_LABEL, head
from vmferry.backends.places import namespace_root, of_namespace
from vmferry.backends.vcenter import source_plan
from vmferry.backends.virt_v2v import CONVERSION_SCC
from vmferry.estate.checks import jobs
from vmferry.estate.methods import METHODS
from vmferry.kube import kinds
from vmferry.kube.kinds import Kind, Right
from vmferry.model.application import NamedPort
from vmferry.model.base import LABEL_DOMAIN
from vmferry.model.blueprint import Blueprint, Credential, Group, Machine, NamespacePlan
from vmferry.model.keys import apart
from vmferry.model.manifest import Item, KubeObject, Resource

QUOTA_BASIS = f"{LABEL_DOMAIN}/quota-basis"
APPLIER = "vmferry-applier"
GOLDEN = "vmferry-golden-images"
FORKLIFT_VM_LABEL = "app"  # Forklift puts the VM's name there (pkg/controller/plan/kubevirt.go), and no other
CDI_LABEL = "cdi.kubevirt.io"  # on CDI's own pods and on those that import, upload and clone

_ABOUT = "Conversion Jobs note here which of them may read from the vCenter (vmferry docs/conversions.md)."
_TAKE = ("get", "patch")
_VERBS = (*kinds.PRUNE, "use", "escalate", "bind")  # in the order they are written


_BASIC = (kinds.NAMESPACE, kinds.ROLE, kinds.ROLE_BINDING)
_BESIDE = (kinds.QUOTA, kinds.LIMIT_RANGE, kinds.CONFIG_MAP, kinds.NETWORK_POLICY, kinds.NAD)
"""Kinds that may be in the root of a namespace, besides credentials."""

_OF_CHECKS = (kinds.SERVICE, kinds.CONFIG_MAP, kinds.JOB)

_CONVERSION_SCC = Right(kinds.SECURITY_CONSTRAINT, ("use",), (CONVERSION_SCC,))
"""The Jobs' own permission on OpenShift, which the applier must have in order to grant it."""

_OF_FORKLIFT = (
    *(kinds.HOST, kinds.HOOK, kinds.PROVIDER, kinds.NETWORK_MAP, kinds.STORAGE_MAP, kinds.PLAN, kinds.MIGRATION),
)


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield every namespace with its shared objects, and the permissions to apply Forklift's objects."""
    for plan in blueprint.namespaces:
        groups = [group for group in blueprint.groups if group.namespace == plan.name]
        for obj in (
            _namespace(blueprint, plan),
            *_quota(blueprint, plan),
            *_default_requests(blueprint, plan),
            *_applier_rights(blueprint, plan, groups),
            *_golden_image_rights(blueprint, plan, groups),
            *_places(blueprint, plan),
            *(_network_policies(blueprint, plan, groups) if plan.isolate else ()),
        ):
            yield of_namespace(plan.name, obj)
        for credential in (each for each in plan.credentials if not each.gone):
            insecure = source_plan(blueprint, credential.source).vcenter.insecure_skip_verify
            for item in credentials.resources(blueprint, credential, namespace_root(plan.name), insecure=insecure):
                yield of_namespace(plan.name, item.object, raw=item.raw)
    if any(group.path == "forklift" for group in blueprint.groups):
        # Not in the root of the objects they are for: Flux dry-runs a root as a whole before it applies any of it.
        known = any(plan.name == blueprint.forklift.namespace for plan in blueprint.namespaces)
        for obj in _forklift_rights(blueprint):
            elsewhere = Resource(directory="infra/cluster", object=obj)
            yield of_namespace(blueprint.forklift.namespace, obj) if known else elsewhere


def _namespace(blueprint: Blueprint, plan: NamespacePlan) -> KubeObject:
    labels = {**plan.labels, "kubernetes.io/metadata.name": plan.name}
    return head(kinds.NAMESPACE, blueprint, plan.name, labels=labels)


def _quota(blueprint: Blueprint, plan: NamespacePlan) -> Iterator[KubeObject]:
    if not plan.quota:
        return
    notes = {QUOTA_BASIS: plan.quota_basis} if plan.quota_basis else None
    yield {
        **head(kinds.QUOTA, blueprint, "vmferry", plan.name, annotations=notes),
        "spec": {"hard": dict(sorted(plan.quota.items()))},
    }


def _default_requests(blueprint: Blueprint, plan: NamespacePlan) -> Iterator[KubeObject]:
    """Yield default requests; no default limits, which would hold for the pods that run the VMs, too."""
    if plan.default_requests:
        yield {
            **head(kinds.LIMIT_RANGE, blueprint, "vmferry", plan.name),
            "spec": {"limits": [{"type": "Container", "defaultRequest": plan.default_requests}]},
        }


# --- rights ----------------------------------------------------------------------------------


def beside_roles(blueprint: Blueprint) -> list[dict[str, Any]]:
    """Return rules for the other objects in the root of the applier's Roles.

    The Roles are not in effect when it is first applied: Flux dry-runs a root as a whole before it applies any of it
    (fluxcd/pkg/ssa, ApplyAllStaged).
    """
    credentials_of_all = [credential for plan in blueprint.namespaces for credential in plan.credentials]
    return rules_of([*_BESIDE, *_put_by_backends(), *_credential_kinds(credentials_of_all)])


def _put_by_backends() -> Iterator[Kind]:
    """Yield what backends put into any namespace, as they are registered."""
    from vmferry.backends import BACKENDS  # which has this module

    yield from (kind for backend in BACKENDS.values() for kind in backend.puts)


def _applier_rights(blueprint: Blueprint, plan: NamespacePlan, groups: list[Group]) -> Iterator[KubeObject]:
    rights: list[Kind | Right] = [*_BASIC, *_put_by_backends(), *_credential_kinds(plan.credentials)]
    for group in groups:
        rights += _of_group(blueprint, group)
    if plan.quota:
        rights.append(kinds.QUOTA)
    if plan.default_requests:
        rights.append(kinds.LIMIT_RANGE)
    if plan.isolate:
        rights.append(kinds.NETWORK_POLICY)
    if plan.nads:
        rights.append(kinds.NAD)
    rights += _for_tests(blueprint, plan)
    if plan.forklift:
        # Forklift's webhooks check that whoever creates a Plan or Migration may create the VMs.
        rights.append(Right(kinds.VIRTUAL_MACHINE, ("create",)))
    yield from grant(blueprint, APPLIER, plan.name, rules_of(rights), [applier(blueprint)])


def _of_group(blueprint: Blueprint, group: Group) -> Iterator[Kind | Right]:
    """Yield what a group puts into its namespace."""
    method = METHODS[group.method]
    yield from method.kinds
    if method.converts and blueprint.cluster.distribution == "openshift":
        yield _CONVERSION_SCC
    if group.snapshots:
        yield kinds.SNAPSHOT
    if "dns" in group.layers:
        yield kinds.DNS_ENDPOINT
    if "route" in group.layers:
        yield from (kinds.ENDPOINT_SLICE, *client_routes.kinds_of(group))
    if group.checks:
        yield from _OF_CHECKS
    if any(each is not None and each.nad is None for each in jobs(group).values()):
        yield Right(kinds.NAD, kinds.PRUNE)  # of the pods of checks alone


def _for_tests(blueprint: Blueprint, plan: NamespacePlan) -> Iterator[Kind | Right]:
    """Yield what smoke tests and the pre-flight put into a namespace: deleting their VMs and claims is safe."""
    if plan.smoke:
        yield Right(kinds.VIRTUAL_MACHINE, kinds.PRUNE)
    if blueprint.preflight is not None and blueprint.preflight.namespace == plan.name:
        yield from (kinds.CONFIG_MAP, kinds.JOB, Right(kinds.CLAIM, kinds.PRUNE))


def _forklift_rights(blueprint: Blueprint) -> Iterator[KubeObject]:
    references: list[Credential] = []
    for source in forklift.known_sources(blueprint):
        references += [source.credential, *(host.credential for host in source.hosts)]
    scripts = [kinds.CONFIG_MAP] if any(forklift_plan.made(blueprint)) else []
    rules = rules_of([*_OF_FORKLIFT, *scripts, *_credential_kinds(references)])
    # Other migrations share this namespace.
    name = f"{APPLIER}-{blueprint.name}"
    yield from grant(blueprint, name, blueprint.forklift.namespace, rules, [applier(blueprint)])


def _credential_kinds(references: Iterable[Credential]) -> Iterator[Kind]:
    for credential in references:
        if credential.external is not None:
            yield kinds.EXTERNAL_SECRET
        elif credential.content is not None and b"SealedSecret" in credential.content:
            yield kinds.SEALED_SECRET
        elif credential.content is not None:
            yield kinds.SECRET


def rules_of(rights: Iterable[Kind | Right]) -> list[dict[str, Any]]:
    """Return one rule for each API group, set of verbs and set of names, in order."""
    verbs: dict[tuple[str, str, tuple[str, ...]], set[str]] = {}
    for right in rights:
        kind, stated, names = right if isinstance(right, Right) else Right(right)
        verbs.setdefault((kind.group, kind.plural, names), set()).update(kind.verbs if stated is None else stated)
    resources: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for (group, resource, names), granted in sorted(verbs.items()):
        key = (group, tuple(verb for verb in _VERBS if verb in granted), names)
        resources.setdefault(key, []).append(resource)
    return [
        {"apiGroups": [group], "resources": listed}
        | ({"resourceNames": list(names)} if names else {})
        | {"verbs": list(granted)}
        for (group, granted, names), listed in resources.items()
    ]


def applier(blueprint: Blueprint) -> dict[str, str]:
    """Return the subject of the permissions: the ServiceAccount that applies the tree."""
    account = blueprint.target.applier
    return {"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}


def grant(
    blueprint: Blueprint,
    name: str,
    namespace: str | None,
    rules: list[dict[str, Any]],
    subjects: list[dict[str, str]],
) -> Iterator[KubeObject]:
    """Yield a role and its binding; cluster-wide ones without a namespace."""
    role = kinds.CLUSTER_ROLE if namespace is None else kinds.ROLE
    yield {
        **head(role, blueprint, name, namespace),
        "rules": rules,
    }
    yield bind(blueprint, name, namespace, role, name, subjects)


def bind(
    blueprint: Blueprint, name: str, namespace: str | None, role: Kind, called: str, subjects: list[dict[str, str]]
) -> KubeObject:
    """Return a binding of the role that is ``called`` so; a cluster-wide one without a namespace."""
    return {
        **head(kinds.CLUSTER_ROLE_BINDING if namespace is None else kinds.ROLE_BINDING, blueprint, name, namespace),
        "roleRef": {"apiGroup": role.group, "kind": role.name, "name": called},
        "subjects": subjects,
    }


def _golden_image_rights(blueprint: Blueprint, plan: NamespacePlan, groups: list[Group]) -> Iterator[KubeObject]:
    """Yield the permissions for other namespaces to clone this one's golden images.

    CDI checks them for the VM's ServiceAccount, its namespace's `default` (kubevirt
    pkg/virt-controller/watch/vm/vm.go); within one namespace it does not check.
    """
    golden = {machine.target_name for machine in _machines(groups) if machine.golden}
    if not golden:
        return
    clients = {
        machine.namespace
        for machine in _machines(blueprint.groups)
        if machine.clone_of in golden and machine.namespace != plan.name
    }
    if not clients:
        return
    rule = {"apiGroups": ["cdi.kubevirt.io"], "resources": ["datavolumes/source"], "verbs": ["create"]}
    subjects = [{"kind": "ServiceAccount", "name": "default", "namespace": namespace} for namespace in sorted(clients)]
    yield from grant(blueprint, GOLDEN, plan.name, [rule], subjects)


def _places(blueprint: Blueprint, plan: NamespacePlan) -> Iterator[KubeObject]:
    """Yield the ConfigMap in which the conversion Jobs of a vCenter claim their places.

    No Lease: Argo CD leaves those out from 3.0 on (operator-manual/upgrading/2.14-3.0, resource.exclusions).
    """
    for places in plan.places:
        yield {
            **head(kinds.CONFIG_MAP, blueprint, places.name, plan.name),
            "data": {"about": _ABOUT},  # the other keys belong to the Jobs: the engine uses server-side apply
        }
        rule = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [places.name], "verbs": [*_TAKE]}
        accounts = map(apart, places.accounts)
        subjects = [{"kind": "ServiceAccount", "name": name, "namespace": space} for space, name in accounts]
        yield from grant(blueprint, places.name, plan.name, [rule], subjects)


# --- network policies ------------------------------------------------------------------------


def _network_policies(blueprint: Blueprint, plan: NamespacePlan, groups: list[Group]) -> Iterator[KubeObject]:
    """Yield policies that isolate the namespace, except for declared ports and the migration itself.

    They apply to pod addresses: they do not filter the VMs' other networks. Egress is not restricted.
    """

    def policy(name: str, selector: dict[str, Any], rule: dict[str, Any]) -> KubeObject:
        return {
            **head(kinds.NETWORK_POLICY, blueprint, name, plan.name),
            "spec": {"podSelector": selector, "policyTypes": ["Ingress"], "ingress": [rule]},
        }

    yield policy("vmferry-isolate", {}, {"from": [{"podSelector": {}}]})
    if any(group.path != "rebuild" for group in groups):
        # Progress (metrics) and uploads come from CDI's namespace, host-assisted clones from any other.
        cdi: dict[str, Any] = {"matchExpressions": [{"key": CDI_LABEL, "operator": "Exists"}]}
        peer: dict[str, Any] = {"namespaceSelector": {}, "podSelector": cdi}
        yield policy("vmferry-cdi", cdi, {"from": [peer], "ports": [_port("TCP", 8443)]})
    if plan.forklift:
        # The controller fetches the converted VM (8080) and the progress (2112) from its pods.
        controller = {"matchLabels": {"kubernetes.io/metadata.name": blueprint.forklift.namespace}}
        pods = {"matchExpressions": [{"key": "forklift.app", "operator": "Exists"}]}
        ports = [_port("TCP", 2112), _port("TCP", 8080)]
        yield policy("vmferry-forklift", pods, {"from": [{"namespaceSelector": controller}], "ports": ports})
    for offer, names in sorted(_offers(groups).items()):
        selector = {"matchExpressions": [{"key": offer.label, "operator": "In", "values": sorted(names)}]}
        yield policy(offer.name, selector, {"ports": [_port(*port) for port in offer.ports]})


class _Offer(NamedTuple):
    """Ports that pods offer to everyone, and the label with those pods' names."""

    label: str
    ports: tuple[tuple[Literal["TCP", "UDP"], int], ...]

    @property
    def name(self) -> str:
        """Name of the policy; VMs with the same ports share one, which keeps the root small."""
        ports = "-".join(f"{protocol.lower()}-{number}" for protocol, number in self.ports)
        prefix = "vmferry-forklift-ports" if self.label == FORKLIFT_VM_LABEL else "vmferry-ports"
        if len(f"{prefix}-{ports}") > 63:
            ports = hashlib.sha256(ports.encode()).hexdigest()[:8]
        return f"{prefix}-{ports}"


def _offers(groups: Iterable[Group]) -> dict[_Offer, set[str]]:
    offers: dict[_Offer, set[str]] = {}
    for machine in _machines(groups):
        if ports := _open_ports(machine):
            label = FORKLIFT_VM_LABEL if machine.path == "forklift" else VM_LABEL
            numbers = sorted({(port.protocol, port.target_port or port.port) for port in ports})
            offers.setdefault(_Offer(label, tuple(numbers)), set()).add(machine.target_name)
    return offers


def _open_ports(machine: Machine) -> tuple[NamedPort, ...]:
    """Return the ports that anyone may reach on the pod network."""
    if machine.application is not None and machine.path == "rebuild":
        # With allowFrom, the application has a policy of its own.
        return machine.application.ports if machine.application.allow_from is None else ()
    return machine.ports if any(nic.nad is None for nic in machine.nics) else ()


def _port(protocol: str, number: int) -> dict[str, Any]:
    return {"protocol": protocol, "port": number}


def _machines(groups: Iterable[Group]) -> Iterator[Machine]:
    for group in groups:
        yield from group.machines
