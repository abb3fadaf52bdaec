"""Routes of the Gateway API: a Gateway sends a share of clients to the source, and the others to the target.

The base has the route as it is before the cutover; a patch of the overlay has both sides with the weights of the stage.
The source is reached by a Service without a selector. All of it is in the namespace of the VM: no ReferenceGrant is
needed.
"""

import ipaddress
from collections.abc import Iterator
from typing import Any

from vmferry.backends.metadata import VM_LABEL, head, patch
from vmferry.backends.places import of_machine
from vmferry.estate.client_routes import KINDS, source_service, weights
from vmferry.kube import kinds
from vmferry.kube.kinds import Kind
from vmferry.model.blueprint import Blueprint, Group, Machine, MachineRoute
from vmferry.model.manifest import Item, KubeObject, Patch

LAYER, SOURCE_LAYER = "route", "route-source"


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield the routes of every group as they are before the cutover, and the Services of their sources."""
    for group in blueprint.groups:
        if LAYER not in group.layers:
            continue
        for machine, route in _routes(group):
            yield of_machine(group, SOURCE_LAYER, machine, _service(blueprint, group, machine, route))
            yield of_machine(group, SOURCE_LAYER, machine, _slice(blueprint, group, machine, route))
            yield of_machine(group, LAYER, machine, _route(blueprint, group, machine, route))


def patches(group: Group) -> Iterator[Patch]:
    """Yield the patches that give both sides the weights of the stage."""
    source, target = weights(group)
    if target is None:
        return  # as in the base
    for machine, route in _routes(group):
        known = (KINDS[route.kind], machine.target_name, machine.namespace)
        yield patch(*known, "/spec/rules/0/backendRefs", _backends(machine, route, source, target))


def kinds_of(group: Group) -> tuple[Kind, ...]:
    """Return the kinds of the routes of a group."""
    return tuple(KINDS[kind] for kind in sorted({route.kind for _, route in _routes(group)}))


def _routes(group: Group) -> Iterator[tuple[Machine, MachineRoute]]:
    """Yield the routes of a group that are fully known."""
    for machine in group.machines:
        if machine.route is not None and machine.route.known:
            yield machine, machine.route


def _route(blueprint: Blueprint, group: Group, machine: Machine, route: MachineRoute) -> KubeObject:
    """Return the route (gateway-api apis/v1/httproute_types.go, apis/v1alpha2/tcproute_types.go)."""
    rule: dict[str, Any] = {"backendRefs": _backends(machine, route, 100, None)}
    hostnames: dict[str, Any] = {}
    if route.kind == "http":
        rule = {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}]} | rule
        hostnames = {"hostnames": [*route.hostnames]}
    listener = {"sectionName": route.gateway.section_name} if route.gateway.section_name is not None else {}
    parent = {
        "group": kinds.HTTP_ROUTE.group,
        "kind": "Gateway",
        "name": route.gateway.name,
        "namespace": route.gateway.namespace,
        **listener,
    }
    known = (KINDS[route.kind], blueprint, machine.target_name, machine.namespace)
    labels = {VM_LABEL: machine.target_name}
    return {
        **head(*known, group=group, layer=LAYER, labels=labels),
        "spec": {"parentRefs": [parent], **hostnames, "rules": [rule]},
    }


def _backends(machine: Machine, route: MachineRoute, source: int | None, target: int | None) -> list[dict[str, Any]]:
    sides = (
        (source_service(machine), route.source_port, source),
        (machine.target_name, route.number, target),
    )
    return [
        {"group": "", "kind": "Service", "name": name, "port": port, "weight": weight}
        for name, port, weight in sides
        if weight is not None
    ]


def _service(blueprint: Blueprint, group: Group, machine: Machine, route: MachineRoute) -> KubeObject:
    """Return the Service of the source. It has no selector: nothing but its EndpointSlice says where it leads."""
    port = {"name": route.port, "port": route.source_port, "protocol": "TCP", "targetPort": route.source_port}
    return {
        **_head(kinds.SERVICE, blueprint, group, machine, {}),
        "spec": {
            "type": "ClusterIP",
            "ports": [port],
            "internalTrafficPolicy": "Cluster",
            "sessionAffinity": "None",
        },
    }


def _slice(blueprint: Blueprint, group: Group, machine: Machine, route: MachineRoute) -> KubeObject:
    """Return the EndpointSlice (kubernetes staging/src/k8s.io/api/discovery/v1/types.go).

    Without its second label, the cluster's own controllers might take it for theirs.
    """
    labels = {
        "kubernetes.io/service-name": source_service(machine),
        "endpointslice.kubernetes.io/managed-by": "vmferry",
    }
    address = ipaddress.ip_address(route.address or "")
    return {
        **_head(kinds.ENDPOINT_SLICE, blueprint, group, machine, labels),
        "addressType": f"IPv{address.version}",
        "endpoints": [{"addresses": [str(address)], "conditions": {"ready": True}}],
        "ports": [{"name": route.port, "port": route.source_port, "protocol": "TCP"}],
    }


def _head(kind: Kind, blueprint: Blueprint, group: Group, machine: Machine, labels: dict[str, str]) -> dict[str, Any]:
    """Return the head of what leads to the source: kept as long as clients may still be there."""
    return head(
        kind,
        blueprint,
        source_service(machine),
        machine.namespace,
        group=group,
        layer=SOURCE_LAYER,
        labels=labels | {VM_LABEL: machine.target_name},
        keep=group.stage != "validated",
    )
