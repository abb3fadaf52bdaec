"""The rows of the network map with vSphere's facts on their networks, and which of them share a broadcast domain."""

import ipaddress
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from msgspec import structs

from vmferry.estate.addresses import preserves
from vmferry.estate.network_map import MappedNetwork, network_map, vsphere_name
from vmferry.model.blueprint import Group, Machine, MachineNic, SourceRef
from vmferry.model.facts import Nic
from vmferry.model.inventory import InventoryNetwork
from vmferry.model.review import Review, Subject, once
from vmferry.model.spec import (
    BridgeNetwork,
    ExistingNad,
    Network,
    NetworkSource,
    OvnLayer2,
    OvnLocalnet,
    PodNetwork,
    SriovNetwork,
)

Ip = ipaddress.IPv4Interface | ipaddress.IPv6Interface
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Domain = tuple[str | int | None, ...]


class Row(MappedNetwork, frozen=True, kw_only=True):
    """A row of the network map, with vSphere's facts on its network."""

    known: tuple[tuple[str, InventoryNetwork], ...]  # the networks it is for, each with its vCenter

    @property
    def nsx(self) -> bool:
        """Return whether it is an NSX segment, whose switch has the MTU of the tunnel, not of the guests."""
        kinds = {self.network.source.kind, *(known.kind for _, known in self.known)}
        return self.network.source.segment is not None or bool(kinds & {"nsx-t", "nsx-v"})

    @property
    def overlay(self) -> bool:
        """Return whether it is an overlay, whose VLAN is a decision, not a fact."""
        return self.network.source.transport_zone == "overlay"

    @property
    def vsphere_vlan(self) -> int | None:
        """Return the network's VLAN in vSphere, from the inventory if known; None if unknown."""
        found = next((known.vlan for _, known in self.known if known.vlan is not None), self.network.source.vlan)
        return None if self.overlay else found

    @property
    def vsphere_trunk(self) -> tuple[str, ...]:
        """Return the VLANs the guests tag themselves in vSphere, as ranges."""
        return next((known.trunk for _, known in self.known if known.trunk), self.network.source.trunk)

    @property
    def vlan(self) -> int | None:
        """Return the VLAN in the target."""
        target = self.network.target
        return target.vlan if isinstance(target, BridgeNetwork | OvnLocalnet | SriovNetwork) else None

    @property
    def trunk(self) -> tuple[str, ...]:
        """Return the VLANs the target carries tagged."""
        target = self.network.target
        return target.trunk if isinstance(target, BridgeNetwork) else ()

    @property
    def domain(self) -> Domain | None:
        """Return the identity of a row's broadcast domain in the target; None if unknown."""
        target = self.network.target
        match target:
            case BridgeNetwork():
                return None if self.trunk else ("bridge", target.bridge, self.vlan)
            case OvnLocalnet():
                return ("localnet", target.physical_network, self.vlan)
            case OvnLayer2():
                return ("overlay", self.network.name or self.original)
            case SriovNetwork():
                return ("sriov", target.resource_name, self.vlan)
            case ExistingNad():
                return ("nad", target.namespace, target.name)
        return None

    @property
    def identities(self) -> frozenset[Domain]:
        """Return the identities of a row's segment in vSphere."""
        found: set[Domain] = set()
        if (net := subnet(self.network)) is not None:
            found.add(("subnet", str(net)))
        if self.network.source.segment is not None:
            found.add(("segment", self.network.source.segment))
        for vcenter, known in self.known:
            if known.segment_id is not None:
                found.add(("segment id", known.segment_id))
            if known.switch is not None and known.vlan is not None:
                found.add(("VLAN", vcenter, known.switch, known.vlan))
        return frozenset(found)


class Rows:
    """Every row, as the network map finds it."""

    def __init__(self, review: Review) -> None:
        self._map = network_map(review.spec.networks, review.project.where)
        self.rows = tuple(
            Row(**structs.asdict(row), known=tuple(_known(review, row.network.source))) for row in self._map.rows
        )
        self._by_index = {row.index: row for row in self.rows}

    def of_nic(self, subject: Subject, nic: Nic) -> Row | None:
        """Return the row of a NIC that a VM has in vSphere."""
        return self._known(self._map.of_nic(subject.source, nic, subject.vm.datacenter).row)

    def of(self, subject: Subject, index: int, network: SourceRef) -> Row | None:
        """Return the row of a VM's NIC in the target, by the NIC's place among those in vSphere, where it is."""
        facts = subject.vm.nics or ()
        switch = facts[index].switch if index < len(facts) else None
        return self._known(self._map.of_ref(subject.source, network, datacenter=subject.vm.datacenter, switch=switch))

    def _known(self, row: MappedNetwork | None) -> Row | None:
        return self._by_index[row.index] if row is not None else None


class Attached(NamedTuple):
    """A NIC of a VM that becomes a NIC in the target, and its row."""

    subject: Subject
    group: Group
    machine: Machine
    fact: Nic
    made: MachineNic
    row: Row

    @property
    def keeps(self) -> bool:
        """Return whether the guest keeps its addresses, on a network that allows it."""
        wanted = preserves(self.subject.decisions) and self.made.readdress is None
        return wanted and self.fact.origin != "dhcp" and not isinstance(self.row.network.target, PodNetwork)

    @property
    def static(self) -> bool:
        """Return whether it is known to keep addresses of its own."""
        return self.keeps and self.fact.origin == "static"

    @property
    def addresses(self) -> tuple[Ip, ...]:
        """Return its future addresses, if known."""
        if self.made.readdress is not None:
            return parsed(self.made.readdress.addresses)
        return parsed(self.fact.addresses) if self.keeps else ()


@once  # used by many rules
def attached(review: Review) -> tuple[Attached, ...]:
    """Return every NIC of the VMs that stay VMs, without frozen ones that are no longer in the network map."""
    return tuple(_attached(review, Rows(review)))


def _attached(review: Review, rows: Rows) -> Iterator[Attached]:
    for subject, group, machine in review.moving:
        facts = subject.vm.nics or ()
        for made in machine.nics if machine.path != "rebuild" and not machine.golden else ():
            row = rows.of(subject, made.index, made.network)
            if row is not None and made.index < len(facts):
                yield Attached(subject, group, machine, facts[made.index], made, row)


def subnet(network: Network) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """Return the subnet a row states, without its host bits."""
    found = interface(network.subnet)
    return found.network if found is not None else None


@lru_cache(maxsize=1 << 16)
def parsed(texts: tuple[str, ...]) -> tuple[Ip, ...]:
    """Return addresses of a NIC, without those that are only valid inside the guest."""
    found = [ip for text in texts if (ip := interface(text)) is not None]
    return tuple(ip for ip in found if not (ip.ip.is_link_local or ip.ip.is_loopback or ip.ip.is_unspecified))


@lru_cache(maxsize=1 << 16)
def interface(text: str | None) -> Ip | None:
    """Return an address with its prefix; None if missing or invalid (reported by VMF116 and VMF204)."""
    try:
        return ipaddress.ip_interface(text or "")
    except ValueError:
        return None


def is_host(found: Ip) -> bool:
    """Return whether an address with its prefix can be that of a host with neighbours."""
    ip, net = found.ip, found.network
    if ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified or net.num_addresses == 1:
        return False
    return net.num_addresses == 2 or ip not in (net.network_address, net.broadcast_address)


def address(text: str | None) -> Address | None:
    """Return an address, without its prefix if it has one; None likewise."""
    found = interface(text)
    return found.ip if found is not None else None


def parsed_addresses(texts: tuple[str, ...]) -> tuple[Address, ...]:
    """Return the texts that are valid addresses."""
    return tuple(found for text in texts if (found := address(text)) is not None)


def _known(review: Review, source: NetworkSource) -> Iterator[tuple[str, InventoryNetwork]]:
    """Yield the networks of inventories that a row is for, each with its vCenter."""
    names = [name for name in (source.id, source.segment, source.port_group) if name is not None]
    for vcenter in [source.source] if source.source is not None else [each.name for each in review.spec.sources]:
        found = next((net for name in names if (net := review.networks.get((vcenter, name)))), None)
        if found is not None and source.id is None and (source.datacenter or source.switch):
            found = _there(review, vcenter, source) or found
        if found is not None:
            yield vcenter, found


def _there(review: Review, vcenter: str, source: NetworkSource) -> InventoryNetwork | None:
    """Return the network with this name at the row's place, of several."""
    name = vsphere_name(source)
    found = [
        net
        for part in review.project.inventories
        for net in part.networks
        if part.source.name == vcenter
        and net.name == name
        and source.datacenter in (None, net.datacenter)
        and source.switch in (None, net.switch)
    ]
    return found[0] if found else None
