"""Reservations in the words of DHCP servers: Kea, ISC dhcpd and dnsmasq.

Nothing that vCenter says stands in them but names that are one label of a host name (RFC 1123): they are configuration
that runs as root. Addresses and MACs have been parsed.
"""

import ipaddress
import json
import re
from collections.abc import Iterable, Iterator

from vmferry.reports.address_plan import Reservation, Served

_LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?")
_NOT_A_NAME = re.compile(r"ignore|infinite|deprecated|[0-9].*", re.IGNORECASE)
"""What dnsmasq takes for something else than a name in `dhcp-host`: its words, and lease times (45m, 3600)."""

_ABOUT = (
    "Addresses of VMs that ask for them by DHCP and keep their MAC (vmferry report addresses). Only these VMs get one "
    "here: pools, lease times and interfaces are for you to add."
)


def kea(subnets: Iterable[Served]) -> str:
    """Return a configuration of kea-dhcp4 (Kea ARM, Host Reservations in DHCPv4)."""
    found = [_kea_subnet(served) for served in subnets]
    return json.dumps({"Dhcp4": {"user-context": {"comment": _ABOUT}, "subnet4": found}}, indent=2) + "\n"


def _kea_subnet(served: Served) -> dict[str, object]:
    options = [("routers", served.gateway), ("domain-name-servers", ", ".join(served.nameservers))]
    data = [{"name": name, "data": value} for name, value in options if value]
    return {
        # The network's address as a number: it stays what it is when subnets are added, and leases refer to it.
        "id": int(ipaddress.IPv4Network(served.subnet).network_address),
        "subnet": served.subnet,
        **({"option-data": data} if data else {}),
        "reservations": [
            {"hw-address": each.mac, "ip-address": each.address} | ({"hostname": name} if name else {})
            for each in served.reservations
            for name in [host_name(each)]
        ],
    }


def dhcpd(subnets: Iterable[Served]) -> str:
    """Return a configuration of ISC's dhcpd (dhcpd.conf(5), Host declarations)."""
    return _comment() + "".join(line + "\n" for served in subnets for line in _dhcpd_subnet(served))


def _dhcpd_subnet(served: Served) -> Iterator[str]:
    net = ipaddress.IPv4Network(served.subnet)
    yield ""
    yield f"subnet {net.network_address} netmask {net.netmask} {{"
    if served.gateway:
        yield f"  option routers {served.gateway};"
    if served.nameservers:
        yield f"  option domain-name-servers {', '.join(served.nameservers)};"
    for each in served.reservations:
        yield f"  host vmferry-{each.mac.replace(':', '')} {{"
        yield f"    hardware ethernet {each.mac};"
        yield f"    fixed-address {each.address};"
        if name := host_name(each):
            yield f'    option host-name "{name}";'
        yield "  }"
    yield "}"


def dnsmasq(subnets: Iterable[Served]) -> str:
    """Return a configuration of dnsmasq (dnsmasq(8), dhcp-host)."""
    return _comment() + "".join(line + "\n" for served in subnets for line in _dnsmasq_subnet(served))


def _dnsmasq_subnet(served: Served) -> Iterator[str]:
    net = ipaddress.IPv4Network(served.subnet)
    tag = f"vmferry-{str(net.network_address).replace('.', '-')}"
    yield ""
    yield f"dhcp-range=set:{tag},{net.network_address},static,{net.netmask}"
    # without a value, guests get none: by default dnsmasq names itself
    yield ",".join(filter(None, (f"dhcp-option=tag:{tag},option:router", served.gateway)))
    if served.nameservers:
        yield ",".join((f"dhcp-option=tag:{tag},option:dns-server", *served.nameservers))
    for each in served.reservations:
        name = host_name(each)
        known = name if name is not None and not _NOT_A_NAME.fullmatch(name) else None
        yield ",".join(filter(None, (f"dhcp-host={each.mac}", each.address, known)))


def host_name(reservation: Reservation) -> str | None:
    """Return the host name of a guest without its domain; None if it is unknown or no host name."""
    label = (reservation.host_name or "").partition(".")[0]
    return label if _LABEL.fullmatch(label) else None


def _comment() -> str:
    words = re.findall(r".{1,110}(?:\s+|$)", _ABOUT)
    return "".join(f"# {line.rstrip()}\n" for line in words)
