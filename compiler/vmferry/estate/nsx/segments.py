"""Which NSX segment a network in vSphere is: by an id that both know, otherwise by its name."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from vmferry.model.inventory import Inventory, InventoryNetwork
from vmferry.model.nsx import Nsx, NsxSegment


class Segment(NamedTuple):
    """A segment, and the NSX that it is of."""

    manager: str  # the name of the NSX in the inventory
    facts: NsxSegment

    @property
    def key(self) -> tuple[str, str]:
        """Return what identifies it among the segments of all NSX."""
        return self.manager, self.facts.path


class Segments:
    """The segments of all NSX in an inventory."""

    def __init__(self, parts: Iterable[Inventory]) -> None:
        self.managers: dict[str, Nsx] = {part.source.name: part.nsx for part in parts if part.nsx is not None}
        self._by_id: defaultdict[str, list[Segment]] = defaultdict(list)
        self._by_name: defaultdict[str, list[Segment]] = defaultdict(list)
        for manager, nsx in sorted(self.managers.items()):
            for facts in nsx.segments:
                segment = Segment(manager, facts)
                self._by_name[facts.name].append(segment)
                for id_ in (facts.path, *facts.ids):
                    self._by_id[id_.lower()].append(segment)

    def of(self, vcenter: str, name: str, ids: Iterable[str], kind: str | None) -> tuple[Segment, ...]:
        """Return the segments that a network of a vCenter may be: several if it is ambiguous.

        ``ids`` are those by which vSphere knows the network. vCenter has a distributed port group for each segment,
        with the segment's name and its path or UUID (DistributedVirtualPortgroup.config: segmentId,
        logicalSwitchUuid), or an opaque network with its UUID (OpaqueNetwork.summary.opaqueNetworkId). A port group
        that is known not to be NSX-T's is not a segment, whatever its name is.
        """
        found = {each.key: each for id_ in ids for each in self._by_id.get(id_.lower(), ())}
        if not found and kind in (None, "nsx-t"):
            found = {each.key: each for each in self._by_name.get(name, ())}
        return tuple(each for _, each in sorted(found.items()) if self._serves(each.manager, vcenter))

    def serve(self, vcenter: str) -> bool:
        """Return whether any NSX that was imported serves a vCenter."""
        return any(self._serves(manager, vcenter) for manager in self.managers)

    def find(self, manager: str | None, path: str | None) -> NsxSegment | None:
        """Return a segment by its path."""
        nsx = self.managers.get(manager or "")
        return next((each for each in nsx.segments if each.path == path), None) if nsx is not None else None

    def _serves(self, manager: str, vcenter: str) -> bool:
        vcenters = self.managers[manager].vcenters
        return not vcenters or not vcenter or vcenter in vcenters


def ids_of(fact: InventoryNetwork | None, *others: str | None) -> tuple[str, ...]:
    """Return the ids by which vSphere knows a network."""
    known = (fact.segment_id if fact is not None else None, *others)
    return tuple(id_ for id_ in known if id_)
