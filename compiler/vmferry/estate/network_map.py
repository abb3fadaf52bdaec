"""The network map: which row a network in vSphere is in, and what a VM on that network is attached to."""

import difflib
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from vmferry.model.blueprint import Binding
from vmferry.model.finding import Where
from vmferry.model.spec import (
    BridgeNetwork,
    ExistingNad,
    MacvtapNetwork,
    Network,
    NetworkSource,
    OvnLocalnet,
    PodNetwork,
    SriovNetwork,
)


class MappedNetwork(Struct, frozen=True, kw_only=True):
    """A row of the network map, made whole: VLAN and name filled in from the source."""

    name: str
    network: Network
    where: Where

    def nad(self, namespace: str) -> str | None:
        """Return namespace/name of the NAD a VM of ``namespace`` uses; None on the pod network."""
        target = self.network.target
        if isinstance(target, PodNetwork):
            return None
        if isinstance(target, ExistingNad):
            return f"{target.namespace or namespace}/{target.name}"
        return f"{namespace}/{self.name}"

    def emitted(self) -> bool:
        """Return whether vmferry makes the NAD."""
        return not isinstance(self.network.target, PodNetwork | ExistingNad)

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


class NetworkMap:
    """Every row, found by vCenter and by the network's name or id."""

    def __init__(self, rows: Iterable[MappedNetwork]) -> None:
        self.rows = tuple(rows)
        self._by_name: dict[tuple[str | None, str], MappedNetwork] = {}
        for row in self.rows:
            source = row.network.source
            for name in (source.segment, source.port_group, source.id):
                if name is not None:
                    self._by_name.setdefault((source.source, name), row)

    def find(self, vcenter: str, name: str) -> MappedNetwork | None:
        """Return the row for a network of a vCenter, by name or id; a row that names the vCenter wins."""
        own, shared = self._by_name.get((vcenter, name)), self._by_name.get((None, name))
        if own is not None or shared is None:
            return own
        # by id as well, where the vCenter's row has only the name
        rival = self._by_name.get((vcenter, vsphere_name(shared.network.source) or ""))
        return rival if rival is not None and rival.network.source.id is None else shared

    def close(self, name: str) -> str:
        """Return a question whether a network of nearly that name was meant; empty where there is none."""
        close = difflib.get_close_matches(name, [known for _, known in self._by_name], n=1)
        return f"; did you mean {close[0]!r}?" if close else ""

    def named(self, name: str) -> MappedNetwork | None:
        """Return the row with this name in the target."""
        return next((row for row in self.rows if row.name == name), None)


def vsphere_name(source: NetworkSource) -> str | None:
    """Return the network's name in vSphere; None where there is not exactly one."""
    if (source.segment is None) == (source.port_group is None):
        return None
    return source.segment or source.port_group


def filled(network: Network) -> Network:
    """Return the network with the VLAN or trunk of its source where the target leaves it out."""
    source, target = network.source, network.target
    if isinstance(target, BridgeNetwork) and not (target.vlan or target.trunk or target.untagged):
        return replace(network, target=replace(target, vlan=source.vlan, trunk=() if source.vlan else source.trunk))
    if isinstance(target, OvnLocalnet | SriovNetwork) and not (target.vlan or target.untagged):
        return replace(network, target=replace(target, vlan=source.vlan))
    return network
