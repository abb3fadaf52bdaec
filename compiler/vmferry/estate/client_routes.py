"""Routes of the Gateway API: their kinds, the ports they can lead to, and which sides they name at a stage."""

import ipaddress
from collections.abc import Mapping

from vmferry.estate.services import has_service
from vmferry.estate.stages import TABLE, running
from vmferry.kube import kinds
from vmferry.kube.dns import suffixed
from vmferry.kube.kinds import Kind
from vmferry.model.application import NamedPort
from vmferry.model.blueprint import Group, Machine
from vmferry.model.spec import RouteKind

KINDS: Mapping[RouteKind, Kind] = {"http": kinds.HTTP_ROUTE, "tcp": kinds.TCP_ROUTE}


def tcp_ports(machine: Machine) -> tuple[NamedPort, ...]:
    """Return the TCP ports of a VM's Service, if it is on the pod network, or of its application's."""
    if machine.application is not None:
        ports = machine.application.ports
    else:
        ports = machine.ports if has_service(machine) else ()
    return tuple(port for port in ports if port.protocol == "TCP")


def source_service(machine: Machine) -> str:
    """Return the name of the Service that leads to the source of a VM, and of its EndpointSlice."""
    return suffixed(machine.target_name, "source")


def weights(group: Group) -> tuple[int | None, int | None]:
    """Return the weights of source and target at the stage of a group; None for a side that is not named.

    The target is not named before its Service is synced: a Gateway reports a backend that does not exist as an error,
    whatever its weight (gateway-api apis/v1/shared_types.go, RouteReasonBackendNotFound).
    """
    reached = group.reached if group.stage == "rolled-back" else group.stage
    if reached is None or not running(reached):
        return 100, None
    return (None if TABLE[group.stage].source == "gone" else 100 - group.weight), group.weight


def reachable(address: str) -> bool:
    """Return whether an EndpointSlice may hold an address.

    kubernetes pkg/apis/core/validation/validation.go (ValidateEndpointIP).
    """
    ip = ipaddress.ip_address(address)
    return not (ip.is_unspecified or ip.is_loopback or ip.is_link_local or ip.is_multicast)
