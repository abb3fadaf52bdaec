"""The address plan: each NIC of the VMs that move, with its address today and in the target, and how the guest gets it.

From it follow the reservations that a DHCP server needs, so that guests which keep their MAC keep their address too.
"""

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Literal, NamedTuple

from msgspec import Struct

from vmferry.estate.addresses import preserves
from vmferry.estate.segments import Address, Ip, Row, Rows, address, parsed, parsed_addresses, subnet
from vmferry.model.blueprint import DnsRecord, MachineNic
from vmferry.model.facts import Nic
from vmferry.model.keys import VmKey
from vmferry.model.review import Review, Subject
from vmferry.model.spec import OvnLayer2, OvnLocalnet
from vmferry.reports.census import NONE
from vmferry.reports.content import Material

How = Literal["kept", "DHCP", "readdress", "OVN", "pod network", "by hand", "rebuilt", "left behind", "open"]
"""How a guest gets its address in the target. `open`: nothing is decided yet."""


class PlannedAddress(Struct, frozen=True, kw_only=True):
    """An address of a NIC today, and the one in its place. None is unknown, or none; ``how`` says which."""

    vm: str
    key: VmKey
    source: str
    phase: str
    group: str
    nic: int  # among the VM's NICs in vSphere, from 0
    network: str  # in vSphere
    target: str | None  # its name in the target; None: no row of the spec says
    segment: str | None  # its broadcast domain in the target
    subnet: str | None
    mac: str | None
    new_mac: str | None
    old: str | None
    new: str | None
    how: How
    gateway: str | None  # in the target
    names: tuple[str, ...]  # in DNS, of the VM; those that are known to lead elsewhere are left out


class Reservation(Struct, frozen=True, kw_only=True):
    """An address that a DHCP server keeps for a MAC."""

    vm: str
    key: VmKey
    network: str  # in the target
    subnet: str
    address: str
    mac: str
    host_name: str | None


class Unreserved(Struct, frozen=True, kw_only=True):
    """A NIC whose guest asks for an address, and why none can be reserved."""

    vm: str
    key: VmKey
    network: str
    mac: str | None
    why: str


class Served(Struct, frozen=True, kw_only=True):
    """A subnet with reservations: what guests need beside their address, where all of them agree on it."""

    subnet: str
    gateway: str | None
    nameservers: tuple[str, ...]
    reservations: tuple[Reservation, ...]


class AddressPlan(Struct, frozen=True, kw_only=True):
    """All of it."""

    addresses: tuple[PlannedAddress, ...]
    subnets: tuple[Served, ...]
    unreserved: tuple[Unreserved, ...]


class _Planned(NamedTuple):
    """A NIC, with what becomes of it."""

    subject: Subject
    number: int  # among the VM's NICs in vSphere, from 0
    fact: Nic
    made: MachineNic | None
    row: Row | None
    how: How

    @property
    def old(self) -> tuple[Ip, ...]:
        return parsed(self.fact.addresses)

    @property
    def new(self) -> tuple[Ip, ...]:
        if self.made is not None and self.made.readdress is not None:
            return parsed(self.made.readdress.addresses)
        return self.old if self.how == "kept" else ()

    @property
    def mac(self) -> str | None:
        """Return its MAC in the target; where nobody decided on another one, that of today."""
        return (self.made.mac if self.made is not None else None) or _lower(self.fact.mac)

    @property
    def network(self) -> str:
        return self.row.name if self.row is not None else self.fact.network


def address_plan(material: Material) -> AddressPlan:
    """Return the plan for the VMs that move, by VM and NIC."""
    nics = list(_nics(material))
    served, unreserved = _reservations(nics)
    return AddressPlan(
        addresses=tuple(row for each in nics for row in _rows(material, each)),
        subnets=served,
        unreserved=unreserved,
    )


def _nics(material: Material) -> Iterator[_Planned]:
    review = material.review
    rows = Rows(review)
    for subject, vm in zip(review.subjects, material.vms.vms, strict=True):
        machine = subject.machine
        if vm.path == NONE or (machine is not None and machine.golden):
            continue
        made = {nic.index: nic for nic in machine.nics} if machine is not None and machine.path != "rebuild" else {}
        for index, fact in enumerate(subject.vm.nics or ()):
            own = made.get(index)
            row = rows.of(subject, index, own.network) if own is not None else rows.of_nic(subject, fact)
            yield _Planned(subject, index, fact, own, row, _how(subject, fact, own, row, index))


def _how(subject: Subject, fact: Nic, made: MachineNic | None, row: Row | None, index: int) -> How:
    machine = subject.machine
    if machine is None:
        return "open"
    if machine.path == "rebuild":
        return "rebuilt"
    if any(dropped.index == index for dropped in machine.dropped_nics):
        return "left behind"
    if made is None:  # it came after the VM was frozen
        return "open"
    if made.readdress is not None:
        return "readdress"
    if made.nad is None:
        return "pod network"
    target = row.network.target if row is not None else None
    if isinstance(target, OvnLocalnet | OvnLayer2) and target.subnets:
        return "OVN"
    if fact.origin == "dhcp":
        return "DHCP"
    return "kept" if preserves(subject.decisions) else "by hand"


# --- rows -------------------------------------------------------------------------------------


def _rows(material: Material, nic: _Planned) -> Iterator[PlannedAddress]:
    """Yield a row for each address, the new one beside the old one of its family; one row if none is known."""
    subject, machine, network = nic.subject, nic.subject.machine, nic.row.network if nic.row is not None else None
    pairs = [pair for version in (4, 6) for pair in zip_longest(_of(nic.old, version), _of(nic.new, version))]
    for old, new in pairs or [(None, None)]:
        yield PlannedAddress(
            vm=subject.name,
            key=subject.key,
            source=subject.source,
            phase=(machine.phase if machine is not None else subject.decisions.phase) or NONE,
            group=subject.group.name if subject.group is not None else NONE,
            nic=nic.number,
            network=_called(material.review, subject, nic.fact),
            target=nic.row.name if nic.row is not None else None,
            segment=_segment(nic.row) if nic.row is not None else None,
            subnet=network.subnet if network is not None else None,
            mac=_lower(nic.fact.mac),
            new_mac=nic.made.mac if nic.made is not None else None,
            old=str(old) if old is not None else None,
            new=str(new) if new is not None else None,
            how=nic.how,
            gateway=_gateway(nic, new or old) if nic.how in ("kept", "DHCP", "readdress") else None,
            names=tuple(_names(machine.records if machine is not None else (), old, new)),
        )


def _of(ips: Iterable[Ip], version: int) -> list[Address]:
    return [each.ip for each in ips if each.version == version]


def _called(review: Review, subject: Subject, fact: Nic) -> str:
    """Return the name of a NIC's network, which vSphere may give by its id."""
    known = review.networks.get((subject.source, fact.network))
    return known.name if known is not None else fact.network


def _lower(mac: str | None) -> str | None:
    return mac.lower().replace("-", ":") if mac is not None else None


def _segment(row: Row) -> str:
    """Return in words what NICs have in common that hear each other's broadcasts."""
    target = row.network.target
    kind = str(target.__struct_config__.tag)
    where = next((str(value) for name in _PLACES if (value := getattr(target, name, None)) is not None), "")
    vlan = f", VLAN {row.vlan}" if row.vlan is not None else f", VLANs {', '.join(row.trunk)}" if row.trunk else ""
    return f"{kind} {where}".rstrip() + vlan


_PLACES = ("bridge", "physical_network", "resource_name", "resource", "name")


def _gateway(nic: _Planned, ip: Address | None) -> str | None:
    """Return the gateway of the address's family: the new one, the network's, or the one that the guest keeps."""
    made, version = nic.made, ip.version if ip is not None else 4
    new = parsed_addresses(made.readdress.gateways) if made is not None and made.readdress is not None else ()
    stated = address(nic.row.network.gateway) if nic.row is not None else None
    kept = parsed_addresses(nic.fact.gateways) if nic.how != "readdress" else ()
    found = [*new, *([stated] if stated is not None else []), *kept]
    return next((str(each) for each in found if each.version == version), None)


def _names(records: Iterable[DnsRecord], old: Address | None, new: Address | None) -> Iterator[str]:
    """Yield the names that lead to an address, or may do so: of a record that stays, nobody states what it holds."""
    mine = {str(each) for each in (old, new) if each is not None}
    for record in records:
        if not record.before + record.after or mine & {*record.before, *record.after}:
            yield record.name


# --- reservations -----------------------------------------------------------------------------


def _reservations(nics: Iterable[_Planned]) -> tuple[tuple[Served, ...], tuple[Unreserved, ...]]:
    """Return what a DHCP server reserves, and what it cannot: an address that is not clear is never guessed."""
    asking = [nic for nic in nics if nic.how == "DHCP"]
    clear: list[tuple[_Planned, Reservation]] = []
    why_not: list[tuple[_Planned, str]] = []
    for nic in asking:
        found = _reservation(nic)
        if isinstance(found, str):
            why_not.append((nic, found))
        else:
            clear.append((nic, found))
    kept = []
    subnets = {each.subnet for _, each in clear}
    users: defaultdict[str, set[str]] = defaultdict(set)
    for _, each in clear:
        users[each.address].add(each.vm)
        users[each.mac].add(each.vm)
    times = _times(clear)
    for nic, each in clear:
        if times[each.address] > 1 or times[each.mac] > 1:
            twice = each.address if times[each.address] > 1 else each.mac
            why_not.append((nic, f"{twice} is used twice: by {', '.join(sorted(users[twice]))}"))
        elif (other := _overlapping(each.subnet, subnets)) is not None:
            why_not.append((nic, f"its subnet {each.subnet} overlaps {other}: state `subnet` of both networks"))
        else:
            kept.append((nic, each))
    left = tuple(
        Unreserved(vm=nic.subject.name, key=nic.subject.key, network=nic.network, mac=nic.mac, why=why)
        for nic, why in sorted(why_not, key=lambda each: (each[0].subject.key, each[0].number))
    )
    return tuple(_served(kept)), left


def _reservation(nic: _Planned) -> Reservation | str:
    """Return what to reserve for a NIC, or why nothing can be."""
    old = [ip for ip in nic.old if isinstance(ip, ipaddress.IPv4Interface)]
    if nic.mac is None:
        return "its MAC is unknown"
    if nic.fact.mac is not None and nic.mac != _lower(nic.fact.mac):
        return f"it gets the MAC {nic.mac} and another address: it runs beside its source"
    if len(old) != 1:
        if old:
            return "it has several addresses today"
        return "DHCPv6 reserves by DUID, which vSphere does not know" if nic.old else "its address today is unknown"
    stated = subnet(nic.row.network) if nic.row is not None else None
    net = stated if isinstance(stated, ipaddress.IPv4Network) else old[0].network
    if net.prefixlen > 30:
        return "the subnet of its network is unknown: state `subnet`"
    if old[0].ip not in net or old[0].ip in (net.network_address, net.broadcast_address):
        return f"its address {old[0].ip} is not one of hosts in {net}"
    return Reservation(
        vm=nic.subject.name,
        key=nic.subject.key,
        network=nic.network,
        subnet=str(net),
        address=str(old[0].ip),
        mac=nic.mac,
        host_name=nic.subject.vm.hostname,
    )


def _times(clear: Iterable[tuple[_Planned, Reservation]]) -> Mapping[str, int]:
    found: defaultdict[str, int] = defaultdict(int)
    for _, each in clear:
        found[each.address] += 1
        found[each.mac] += 1
    return found


def _overlapping(text: str, others: Iterable[str]) -> str | None:
    net = ipaddress.IPv4Network(text)
    return next(
        (other for other in sorted(others) if other != text and net.overlaps(ipaddress.IPv4Network(other))), None
    )


def _served(kept: Iterable[tuple[_Planned, Reservation]]) -> Iterator[Served]:
    by_subnet: defaultdict[ipaddress.IPv4Network, list[tuple[_Planned, Reservation]]] = defaultdict(list)
    for nic, each in kept:
        by_subnet[ipaddress.IPv4Network(each.subnet)].append((nic, each))
    for net, found in sorted(by_subnet.items()):
        gateways = {_gateway(nic, net.network_address) for nic, _ in found} - {None}
        servers = {
            tuple(each for each in parsed_addresses(nic.fact.nameservers) if each.version == 4) for nic, _ in found
        }
        servers -= {()}
        gateway = next(iter(gateways)) if len(gateways) == 1 else None
        yield Served(
            subnet=str(net),
            gateway=gateway if gateway is not None and ipaddress.ip_address(gateway) in net else None,
            nameservers=tuple(map(str, next(iter(servers)))) if len(servers) == 1 else (),
            reservations=tuple(
                sorted((each for _, each in found), key=lambda each: ipaddress.ip_address(each.address))
            ),
        )
