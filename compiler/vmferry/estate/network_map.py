"""The network map: which row a network in vSphere belongs to, and what a VM on it is attached to."""

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from vmferry.kube.dns import LONGEST, sanitize
from vmferry.model.blueprint import Binding, SourceRef
from vmferry.model.facts import Nic
from vmferry.model.finding import Where
from vmferry.model.inventory import InventoryNetwork
from vmferry.model.keys import Reference, reference
from vmferry.model.spec import (
    BridgeNetwork,
    ExistingNad,
    IgnoredNetwork,
    MacvtapNetwork,
    Network,
    NetworkSource,
    NetworkTarget,
    OvnLocalnet,
    PodNetwork,
    SriovNetwork,
)

_COPY = re.compile(r".+-(?P<number>[2-9]|[1-9][0-9]+)")


class MappedNetwork(Struct, frozen=True, kw_only=True):
    """A complete row of the network map, with VLAN and name filled in from the source."""

    index: int  # among the rows of the spec
    name: str
    network: Network
    where: Where

    @property
    def original(self) -> str:
        """Return the network's name in vSphere."""
        return vsphere_name(self.network.source) or ""

    def nad(self, namespace: str, copy: int = 0) -> Reference | None:
        """Return the NAD a VM of ``namespace`` uses; None where there is none.

        ``copy`` counts the VM's earlier NICs on this network. An existing NAD is used again if its pool has too few
        others.
        """
        target = self.network.target
        if isinstance(target, PodNetwork | IgnoredNetwork):
            return None
        if isinstance(target, ExistingNad):
            pool = (target.name, *target.pool)
            return reference(target.namespace or namespace, pool[copy] if copy < len(pool) else target.name)
        return reference(namespace, self.copy_name(copy))

    def copy_name(self, copy: int) -> str:
        """Return the name of a NAD that vmferry creates; ``copy`` 0 is the first, with the row's own name."""
        suffix = f"-{copy + 1}" if copy else ""
        return f"{self.name[: LONGEST - len(suffix)].rstrip('-')}{suffix}"

    def emitted(self) -> bool:
        """Return whether vmferry creates the NAD."""
        return not isinstance(self.network.target, PodNetwork | ExistingNad | IgnoredNetwork)

    def ignored(self) -> str | None:
        """Return why the network is deliberately not connected; None if it is connected."""
        target = self.network.target
        return target.reason if isinstance(target, IgnoredNetwork) else None

    def binding(self) -> Binding:
        """Return how KubeVirt binds a VM to it."""
        match self.network.target:
            case PodNetwork():
                return "masquerade"
            case SriovNetwork():
                return "sriov"
            case MacvtapNetwork():
                return "macvtap"
            case ExistingNad(binding=binding):
                return binding
            case _:
                return "bridge"


class Sought(NamedTuple):
    """The rows that are found for a NIC's network: by its name, and by the id that the NIC knows it by."""

    by_name: MappedNetwork | None
    by_id: MappedNetwork | None
    special: bool  # the row's name is that id: it is for this network alone, and goes before one that has the name

    @property
    def row(self) -> MappedNetwork | None:
        """Return the row that the NIC's network is in."""
        return self.by_id if self.special or self.by_name is None else self.by_name


class NetworkMap:
    """All rows, by vCenter and the network's name or id; datacenter and switch distinguish equal names."""

    def __init__(self, rows: Iterable[MappedNetwork]) -> None:
        self.rows = tuple(rows)
        self._by_name: dict[tuple[str | None, str], list[MappedNetwork]] = {}
        for row in self.rows:
            source = row.network.source
            for name in (source.segment, source.port_group, source.id):
                if name is not None:
                    self._by_name.setdefault((source.source, name), []).append(row)
        self._found: dict[tuple[str, str, str | None, str | None], MappedNetwork | None] = {}

    def find(
        self, vcenter: str, name: str, datacenter: str | None = None, switch: str | None = None
    ) -> MappedNetwork | None:
        """Return the row for a network of a vCenter, by name or id; a row that names the vCenter wins.

        A row with a datacenter or switch only applies there, and wins over one without.
        """
        place = (vcenter, name, datacenter, switch)
        if place not in self._found:  # thousands of NICs are on a few networks
            self._found[place] = self._find(*place)
        return self._found[place]

    def _find(self, vcenter: str, name: str, datacenter: str | None, switch: str | None) -> MappedNetwork | None:
        own = _nearest(self._by_name.get((vcenter, name), ()), datacenter, switch)
        if own is not None:
            return own
        shared = _nearest(self._by_name.get((None, name), ()), datacenter, switch)
        if shared is None:
            return None
        # by id as well, where the vCenter's row has only the name
        named = self._by_name.get((vcenter, vsphere_name(shared.network.source) or ""), ())
        rival = _nearest(named, datacenter, switch)
        return rival if rival is not None and rival.network.source.id is None else shared

    def of_nic(self, vcenter: str, nic: Nic, datacenter: str | None) -> Sought:
        """Return the rows that the network of a NIC in vSphere is found in."""
        by_name = self.find(vcenter, nic.network, datacenter, nic.switch)
        by_id = self.find(vcenter, nic.network_id) if nic.network_id is not None else None
        special = by_id is not None and vsphere_name(by_id.network.source) == nic.network_id
        return Sought(by_name, by_id, special)

    def of_ref(
        self, vcenter: str, ref: SourceRef, datacenter: str | None = None, switch: str | None = None
    ) -> MappedNetwork | None:
        """Return the current row of a decided NIC's network: by its name, otherwise by its id."""
        row = self.find(vcenter, ref.name, datacenter, switch)
        return self.find(vcenter, ref.id, datacenter, switch) if row is None and ref.id is not None else row

    def of_network(self, vcenter: str, network: InventoryNetwork) -> MappedNetwork | None:
        """Return the row of a network in an inventory: by its id, otherwise by its name."""
        names = (network.name,) if network.id is None else (network.id, network.name)
        found = (self.find(vcenter, name, network.datacenter, network.switch) for name in names)
        return next((row for row in found if row is not None), None)

    def rows_of(self, vcenter: str, name: str) -> tuple[MappedNetwork, ...]:
        """Return the rows for a name or id, wherever in a vCenter it is; those that name the vCenter come first."""
        return (*self._by_name.get((vcenter, name), ()), *self._by_name.get((None, name), ()))

    def close(self, name: str) -> str:
        """Return a question whether a network with a similar name was meant; empty if there is none."""
        close = difflib.get_close_matches(name, [known for _, known in self._by_name], n=1)
        return f"; did you mean {close[0]!r}?" if close else ""

    def named(self, name: str) -> MappedNetwork | None:
        """Return the row with this name in the target."""
        return next((row for row in self.rows if row.name == name), None)

    def making(self, nad: str) -> MappedNetwork | None:
        """Return the row that creates a NAD with this name, without its namespace; None for an existing one."""
        made = [row for row in self.rows if row.emitted()]
        row = next((row for row in made if row.name == nad), None)
        if row is None and (match := _COPY.fullmatch(nad)):
            copy = int(match["number"]) - 1
            row = next((row for row in made if row.copy_name(copy) == nad), None)
        return row


def network_map(networks: Sequence[Network], where: Where) -> NetworkMap:
    """Return the map of a spec's networks; rows whose source is not clear are not in it. ``where`` is the spec."""
    rows = []
    for index, network in enumerate(networks):
        original = vsphere_name(network.source)
        if original is not None:
            name = network.name or sanitize(original)
            place = where.at("networks", index)
            rows.append(MappedNetwork(index=index, name=name, network=filled(network), where=place))
    return NetworkMap(rows)


def _nearest(rows: Iterable[MappedNetwork], datacenter: str | None, switch: str | None) -> MappedNetwork | None:
    """Return the row that describes a network's place most precisely without contradicting it; the first of equals."""
    fitting = [row for row in rows if _there(row.network.source, datacenter, switch)]
    return max(fitting, key=lambda row: _precision(row.network.source), default=None)


def _there(source: NetworkSource, datacenter: str | None, switch: str | None) -> bool:
    return source.datacenter in (None, datacenter) and source.switch in (None, switch)


def _precision(source: NetworkSource) -> int:
    return (source.datacenter is not None) + (source.switch is not None)


def vsphere_name(source: NetworkSource) -> str | None:
    """Return the network's name in vSphere; None unless there is exactly one."""
    if (source.segment is None) == (source.port_group is None):
        return None
    return source.segment or source.port_group


def filled(network: Network) -> Network:
    """Return the network with the VLAN or trunk of its source if the target leaves it out."""
    source, target = network.source, network.target
    if isinstance(target, BridgeNetwork) and not (target.vlan or target.trunk or target.untagged):
        return replace(network, target=replace(target, vlan=source.vlan, trunk=() if source.vlan else source.trunk))
    if isinstance(target, OvnLocalnet | SriovNetwork) and not (target.vlan or target.untagged):
        return replace(network, target=replace(target, vlan=source.vlan))
    return network


def resource_name(target: NetworkTarget) -> str | None:
    """Return the node resource that a pod on this network needs, so that it is scheduled to a node that has it."""
    match target:
        case BridgeNetwork(marker=True):
            return f"bridge.network.kubevirt.io/{target.bridge}"
        case MacvtapNetwork():
            return f"macvtap.network.kubevirt.io/{target.resource}"
        case SriovNetwork():
            return target.resource_name
    return None
