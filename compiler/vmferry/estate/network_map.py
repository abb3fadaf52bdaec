"""The network map: which row a network in vSphere is in, and what a VM on that network is attached to."""

import difflib
import re
from collections.abc import Iterable
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from vmferry.model.blueprint import Binding
from vmferry.model.finding import Where
from vmferry.model.rule import declare
from vmferry.model.spec import (
    BridgeNetwork,
    ExistingNad,
    IgnoredNetwork,
    MacvtapNetwork,
    Network,
    NetworkSource,
    OvnLocalnet,
    PodNetwork,
    SriovNetwork,
)

INVALID_NETWORK = declare(
    "VMF204",
    "error",
    "network definition is not valid",
    why="A NetworkAttachmentDefinition holds its configuration as text that the API server does not read. A wrong "
    "VLAN, a bridge name over 15 characters or an MTU that the bridge does not have is accepted, and shows up "
    "when the first VM does not start or loses its large packets.",
    source="containernetworking/plugins plugins/main/bridge/bridge.go; ovn-kubernetes "
    "docs/features/multiple-networks/multi-homing.md; kubev2v/forklift "
    "pkg/controller/plan/validation.go (NetMapDestinationNADNotValid)",
)

_Row = TypeVar("_Row")
_MAX_NAME = 63
_COPY = re.compile(r".+-(?P<number>[2-9]|[1-9][0-9]+)")


class MappedNetwork(Struct, frozen=True, kw_only=True):
    """A row of the network map, made whole: VLAN and name filled in from the source."""

    name: str
    network: Network
    where: Where

    def nad(self, namespace: str, copy: int = 0) -> str | None:
        """Return namespace/name of the NAD a VM of ``namespace`` uses; None where there is none.

        ``copy`` counts the VM's earlier NICs on this network. An existing NAD without so many others of its pool is
        used again.
        """
        target = self.network.target
        if isinstance(target, PodNetwork | IgnoredNetwork):
            return None
        if isinstance(target, ExistingNad):
            pool = (target.name, *target.pool)
            return f"{target.namespace or namespace}/{pool[copy] if copy < len(pool) else target.name}"
        return f"{namespace}/{self.copy_name(copy)}"

    def copy_name(self, copy: int) -> str:
        """Return the name of a NAD that vmferry makes; ``copy`` 0 is the first, and has the row's own name."""
        suffix = f"-{copy + 1}" if copy else ""
        return f"{self.name[: _MAX_NAME - len(suffix)].rstrip('-')}{suffix}"

    def emitted(self) -> bool:
        """Return whether vmferry makes the NAD."""
        return not isinstance(self.network.target, PodNetwork | ExistingNad | IgnoredNetwork)

    def ignored(self) -> str | None:
        """Return why the network is deliberately not connected; None for one that is."""
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


class NetworkMap:
    """Every row, by vCenter and the network's name or id; datacenter and switch tell those of one name apart."""

    def __init__(self, rows: Iterable[MappedNetwork]) -> None:
        self.rows = tuple(rows)
        self._by_name: dict[tuple[str | None, str], list[MappedNetwork]] = {}
        for row in self.rows:
            source = row.network.source
            for name in (source.segment, source.port_group, source.id):
                if name is not None:
                    self._by_name.setdefault((source.source, name), []).append(row)

    def find(
        self, vcenter: str, name: str, datacenter: str | None = None, switch: str | None = None
    ) -> MappedNetwork | None:
        """Return the row for a network of a vCenter, by name or id; a row that names the vCenter wins.

        A row that names a datacenter or switch is for what is there, and goes before one that names none.
        """
        own = _nearest(self._by_name.get((vcenter, name), ()), datacenter, switch)
        shared = _nearest(self._by_name.get((None, name), ()), datacenter, switch)
        if own is not None or shared is None:
            return own
        # by id as well, where the vCenter's row has only the name
        named = self._by_name.get((vcenter, vsphere_name(shared.network.source) or ""), ())
        rival = _nearest(named, datacenter, switch)
        return rival if rival is not None and rival.network.source.id is None else shared

    def close(self, name: str) -> str:
        """Return a question whether a network of nearly that name was meant; empty where there is none."""
        close = difflib.get_close_matches(name, [known for _, known in self._by_name], n=1)
        return f"; did you mean {close[0]!r}?" if close else ""

    def named(self, name: str) -> MappedNetwork | None:
        """Return the row with this name in the target."""
        return next((row for row in self.rows if row.name == name), None)

    def making(self, nad: str) -> MappedNetwork | None:
        """Return the row that a NAD with this name, without its namespace, is made of; None for an existing one."""
        made = [row for row in self.rows if row.emitted()]
        row = next((row for row in made if row.name == nad), None)
        if row is None and (match := _COPY.fullmatch(nad)):
            copy = int(match["number"]) - 1
            row = next((row for row in made if row.copy_name(copy) == nad), None)
        return row


def _nearest(rows: Iterable[MappedNetwork], datacenter: str | None, switch: str | None) -> MappedNetwork | None:
    return nearest(((row, row.network.source) for row in rows), datacenter, switch)


def nearest(rows: Iterable[tuple[_Row, NetworkSource]], datacenter: str | None, switch: str | None) -> _Row | None:
    """Return the row that says most of where a network is, and nothing that is otherwise; the first of equals."""
    fitting = [(row, source) for row, source in rows if _there(source, datacenter, switch)]
    best = max(fitting, key=lambda each: _said(each[1]), default=None)
    return best[0] if best is not None else None


def _there(source: NetworkSource, datacenter: str | None, switch: str | None) -> bool:
    return source.datacenter in (None, datacenter) and source.switch in (None, switch)


def _said(source: NetworkSource) -> int:
    return (source.datacenter is not None) + (source.switch is not None)


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
