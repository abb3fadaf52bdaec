"""The route by whose weights clients move to a VM: which port of its Service, and where its source is reached."""

from collections.abc import Iterable

from vmferry.estate.addresses import address_of, own
from vmferry.estate.client_routes import KINDS, tcp_ports
from vmferry.model.application import NamedPort
from vmferry.model.blueprint import Machine, MachineRoute
from vmferry.model.facts import Nic
from vmferry.model.spec import ClientRoute
from vmferry.resolve.notes import Noting, decide
from vmferry.resolve.selection import Candidate


def route_of(candidate: Candidate, machine: Machine) -> Noting[MachineRoute | None]:
    """Return the route of a VM; of a template, none. What is unknown about it is left empty (VMF146, VMF147)."""
    stated = candidate.vm.route
    if stated is None or machine.golden:
        return None
    port = _port(stated, tcp_ports(machine))
    before = stated.before
    found = MachineRoute(
        kind=stated.kind,
        gateway=stated.gateway,
        hostnames=tuple(sorted({*stated.hostnames})),
        port=port.name if port is not None else None,
        number=port.port if port is not None else None,
        address=address_of(before.address) if before.address is not None else _static(candidate.vm.nics or ()),
        source_port=before.port or (_at_source(port) if port is not None else None),
    )
    what = f"{KINDS[found.kind].name} of {found.gateway.namespace}/{found.gateway.name}"
    way = f"{found.address or 'unknown'} → Service {machine.target_name}"
    why = "the spec says so" if before.address is not None else "the static address of its NIC in vSphere"
    yield decide(candidate.key, what, way, why)
    return found


def _port(stated: ClientRoute, ports: tuple[NamedPort, ...]) -> NamedPort | None:
    found = [port for port in ports if stated.port in (None, port.name)]
    return found[0] if len(found) == 1 else None


def _at_source(port: NamedPort) -> int | None:
    """Return the port of the source: with a `targetPort`, it is not clear which of the two that has."""
    return port.port if port.target_port in (None, port.port) else None


def _static(nics: Iterable[Nic]) -> str | None:
    """Return the one address of a source that stays, of IPv4 if it has both; None if it is not clear which."""
    texts = (text for nic in nics if nic.origin != "dhcp" for text in own(nic))
    found = sorted({address for text in texts if (address := address_of(text)) is not None})
    first = [each for each in found if ":" not in each] or found
    return first[0] if len(first) == 1 else None
