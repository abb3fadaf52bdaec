"""The networks, datastores, pools and folders in use, as rows of the draft's maps."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal, NamedTuple

from vmferry.draft.cover import UNCARRIED
from vmferry.draft.guesses import leave, tier
from vmferry.estate.ties import Member
from vmferry.kube.quantity import parse_size
from vmferry.kube.vlans import span
from vmferry.model.facts import Nic
from vmferry.model.inventory import Inventory, InventoryDatastore, InventoryNetwork
from vmferry.model.spec import VirtualMachine

MAX_NAMESPACES = 40
GOLDEN = "golden-images"
_RESERVED = re.compile(r"(kube|openshift)-|default$|openshift$")


def label(text: str, limit: int = 63) -> str:
    """Return a Kubernetes name made from a text; empty if no character is usable."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:limit].rstrip("-")


class _Use:
    """How many VMs use something, with how many NICs or disks and bytes."""

    def __init__(self) -> None:
        self.vms: set[str] = set()
        self.parts = 0
        self.size = 0

    def add(self, member: Member, size: int = 0) -> None:
        self.vms.add(member.key)
        self.parts += 1
        self.size += size


# --- networks ---------------------------------------------------------------------------------------


class NetworkRow(NamedTuple):
    """A row of the network map; ``undecided`` is what is left for a person to decide."""

    name: str | None  # stated where the one made of the source's name is taken or empty
    source: dict[str, Any]
    title: str  # as people call it
    vms: int
    nics: int
    about: tuple[str, ...]  # facts about it, besides the row
    untagged: bool  # it has no VLAN in vSphere
    undecided: str | None


def network_rows(parts: Sequence[Inventory], members: Sequence[Member], *, several: bool) -> list[NetworkRow]:
    """Return a row for every network with VMs. ``several``: there is more than one vCenter."""
    known = _Networks(parts)
    overlaid = {part.source.name for part in parts if any(map(_of_nsx, part.vms))}
    used: defaultdict[_Key, _Use] = defaultdict(_Use)
    facts: dict[_Key, InventoryNetwork | None] = {}
    for member in members:
        for nic in member.vm.nics or ():
            network = known.find(member.source, nic, member.vm.datacenter)
            name = network.name if network else nic.network
            identity = (network.id or network.segment_id) if network else nic.network_id
            place = (network.datacenter, network.switch) if network and identity is None else (None, None)
            key = (member.source, name, identity, *place)
            facts[key] = network
            used[key].add(member)
    names = Counter((source, name) for source, name, *_ in used)
    taken: set[str] = set()
    rows = []
    for key in sorted(used, key=lambda each: tuple(part or "" for part in each)):
        twice = names[key[:2]] > 1 or known.places(key[0], key[1]) > 1  # others of its name may be in use by nobody
        row = _network(key, facts[key], used[key], twice=twice, several=several, taken=taken)
        network = facts[key]
        if row.untagged and network is not None and network.kind == "distributed" and key[0] in overlaid:
            doubt = "no VLAN on a distributed switch, and NSX is in use: an overlay segment, or really untagged"
            row = row._replace(untagged=False, undecided=doubt)
        rows.append(row)
    return rows


def _of_nsx(vm: VirtualMachine) -> bool:
    """Return whether a VM is part of NSX: to RVTools, NSX segments look like port groups without a VLAN."""
    found = leave(vm)
    return found is not None and "NSX" in found.reason


_Key = tuple[str, str, str | None, str | None, str | None]
"""A network in use: vCenter, name, id, and of one without id the datacenter and switch."""


class _Networks:
    """Networks by the names that NICs may use."""

    def __init__(self, parts: Sequence[Inventory]) -> None:
        self._by_id: dict[tuple[str, str], InventoryNetwork] = {}
        self._by_name: defaultdict[tuple[str, str], list[InventoryNetwork]] = defaultdict(list)
        for part in parts:
            for network in part.networks:
                if network.uplink:
                    continue
                self._by_name[part.source.name, network.name].append(network)
                for identity in (network.id, network.segment_id):
                    if identity is not None:
                        self._by_id.setdefault((part.source.name, identity), network)

    def places(self, source: str, name: str) -> int:
        """Return how many networks with this name have no id, in different places."""
        named = self._by_name.get((source, name), ())
        return len({(each.datacenter, each.switch) for each in named if each.id is None and each.segment_id is None})

    def find(self, source: str, nic: Nic, datacenter: str | None) -> InventoryNetwork | None:
        """Return a NIC's network: by id, otherwise by name, datacenter and switch."""
        found = self._by_id.get((source, nic.network_id)) if nic.network_id else None
        if found is not None:
            return found
        named = [
            each
            for each in self._by_name.get((source, nic.network), ())
            if None in (each.datacenter, datacenter) or each.datacenter == datacenter
        ]
        here = [each for each in named if None in (each.switch, nic.switch) or each.switch == nic.switch]
        if here or named:
            return (here or named)[0]
        return self._by_id.get((source, nic.network))


def _network(
    key: _Key,
    network: InventoryNetwork | None,
    used: _Use,
    *,
    twice: bool,
    several: bool,
    taken: set[str],
) -> NetworkRow:
    source, name, identity, datacenter, switch = key
    segment = network is not None and network.kind in ("nsx-t", "nsx-v")
    # two networks with the same name are found by id, which is how their NICs differ
    called = identity if identity and (twice or UNCARRIED.search(name)) else name
    data: dict[str, Any] = {"segment" if segment else "portGroup": called}
    data |= {"id": identity} if identity else {}
    data |= {"source": source} if several else {}
    if twice and not identity:
        data |= {"datacenter": datacenter} if datacenter else {}
        data |= {"switch": switch} if switch else {}
    about = [f"one of several networks named {name!r}"] * twice
    undecided = "its VLAN is unknown"
    if network is not None:
        zone = _zone(network.transport_zone)
        fields = {"kind": network.kind, "transportZone": zone, "vlan": network.vlan, "trunk": _trunk(network.trunk)}
        data |= {field: value for field, value in fields.items() if value}
        about += [f"NSX id {network.segment_id}"] * bool(network.segment_id and network.segment_id != identity)
        about += [f"transport zone {network.transport_zone}"] * bool(network.transport_zone and not zone)
        about += [f"switch {network.switch}"] * bool(network.switch)
        about += [f"MTU {network.mtu}"] * bool(network.mtu)
        if segment and zone != "vlan":
            undecided = "an overlay segment: choose the VLAN that replaces it"
    untagged = network is not None and network.untagged and not segment
    decided = "vlan" in data or "trunk" in data or untagged
    own = label(name)
    stated = None if own and called == name and own not in taken else _free(own or "network", taken)
    taken.add(stated or own)
    return NetworkRow(
        name=stated,
        source=data,
        title=name,
        vms=len(used.vms),
        nics=used.parts,
        about=tuple(about),
        untagged=untagged,
        undecided=None if decided else undecided,
    )


def _trunk(ranges: Iterable[str]) -> list[str]:
    """Return the ranges of a trunk without VLAN 0, which means untagged frames: vSphere's default trunk is 0-4094."""
    result = []
    for text in ranges:
        first, last = span(text)
        if last > 0:
            result.append(f"{max(1, first)}-{last}" if "-" in text else text)
    return result


def _zone(text: str | None) -> Literal["overlay", "vlan"] | None:
    lower = (text or "").lower()
    return "overlay" if "overlay" in lower else "vlan" if "vlan" in lower else None


def _free(wish: str, taken: Collection[str]) -> str:
    """Return a free name: the wish, or the wish with the next free number."""
    name, number = wish, 2
    while name in taken:
        name, number = f"{wish[:58]}-{number}", number + 1
    return name


# --- datastores -------------------------------------------------------------------------------------


class DatastoreRow(NamedTuple):
    """A row of the storage map with a proposed tier."""

    source: dict[str, Any]
    tier: str
    why: str
    vms: int
    disks: int
    size: int  # bytes of the disks on it


def datastore_rows(parts: Sequence[Inventory], members: Sequence[Member], *, several: bool) -> list[DatastoreRow]:
    """Return a row for every datastore with disks."""
    known: dict[tuple[str, str], InventoryDatastore] = {}
    names: Counter[tuple[str, str]] = Counter()
    for part in parts:
        for datastore in part.datastores:
            names[part.source.name, datastore.name] += 1
            for name in (datastore.id, datastore.name):
                if name is not None:
                    known.setdefault((part.source.name, name), datastore)
    used: defaultdict[tuple[str, str], _Use] = defaultdict(_Use)
    for member in members:
        for disk in member.vm.disks or ():
            if disk.datastore is not None:
                called = known.get((member.source, disk.datastore))
                alone = called is not None and names[member.source, called.name] == 1
                used[member.source, called.name if called is not None and alone else disk.datastore].add(
                    member, parse_size(disk.size)
                )
    rows = []
    for (source, name), use in sorted(used.items()):
        found = known.get((source, name))
        guessed, why = tier(found.name if found else name, found.kind if found else None)
        data = {"datastore": name, **({"source": source} if several else {})}
        if found is not None and found.id is not None and found.name == name:
            data["id"] = found.id
        rows.append(DatastoreRow(data, guessed, why, len(use.vms), use.parts, use.size))
    return rows


# --- namespaces -------------------------------------------------------------------------------------


class NamespaceRow(NamedTuple):
    """A proposed namespace, and where its VMs are in vSphere; ``source`` is None if rules list them."""

    name: str
    source: dict[str, Any] | None
    vms: int
    why: str


class NamespacePlan(NamedTuple):
    """The proposed namespaces, and the one of every VM by key."""

    rows: list[NamespaceRow]
    of: dict[str, str]
    by_place: frozenset[str]  # keys of VMs that the namespace's pool or folder brings there
    whys: dict[str, str]  # of the others: the reason in words, by key


def plan_namespaces(members: Sequence[Member], *, several: bool) -> NamespacePlan:
    """Return namespaces from resource pools if most VMs are in one, otherwise from folders, otherwise one per vCenter.

    VMs outside of these get a namespace from the other of the two, with a rule that lists them.
    """
    rows: list[NamespaceRow] = []
    of: dict[str, str] = {}
    by_place: set[str] = set()
    whys: dict[str, str] = {}
    taken: set[str] = {GOLDEN}
    templates = [member for member in members if member.vm.template]
    for source in sorted({member.source for member in members}):
        here = [member for member in members if member.source == source and not member.vm.template]
        field: Literal["resourcePool", "folder"] | None = next(
            (f for f in _FIELDS if sum(bool(_meaning(_path(member, f))) for member in here) * 2 >= len(here) > 0), None
        )
        named: dict[str, str] = {}
        for path, found in _by_path(here, field):
            wish = _wish(path, source)
            name = named[wish] = _name(wish, taken)
            of |= {member.key: name for member in found}
            by_place |= {member.key for member in found}
            data = {field or "": path, **({"source": source} if several else {})}
            rows.append(NamespaceRow(name, data, len(found), _KINDS[field or ""]))
        rest = [member for member in here if member.key not in by_place]
        other = next((f for f in _FIELDS if f != field), None)
        placed = _by_path(rest, other)
        lost = [member for member in rest if not any(member in found for _, found in placed)]
        for path, found in [*placed, *([("", lost)] if lost else [])]:
            wish = _wish(path, source)
            what = (
                f"in {_KINDS[other or '']} {path}"
                if path
                else "in no resource pool or folder that hints at a namespace"
            )
            joined = path and wish in named
            name = named[wish] if joined else _name(wish, taken)
            of |= {member.key: name for member in found}
            whys |= {member.key: what for member in found}
            if not joined:
                rows.append(NamespaceRow(name, None, len(found), what))
    if templates:
        rows.append(NamespaceRow(GOLDEN, None, len(templates), "templates, as golden images"))
        of |= {member.key: GOLDEN for member in templates}
    return NamespacePlan(rows, of, frozenset(by_place), whys)


def _by_path(members: Sequence[Member], field: str | None) -> list[tuple[str, list[Member]]]:
    """Return the VMs in a meaningful pool or folder, by the part of its path that distinguishes them."""
    inside = [(path, member) for member in members if field and (path := _path(member, field))]
    depth = _depth(path for path, _ in inside)
    groups: defaultdict[str, list[Member]] = defaultdict(list)
    for path, member in inside:
        groups[_cut(path, depth)].append(member)
    return sorted(groups.items())


def _wish(path: str, source: str) -> str:
    wish = label(_meaning(path) or source, 50) or label(source)
    return f"vms-{wish}" if _RESERVED.match(wish) else wish


def _name(wish: str, taken: set[str]) -> str:
    name = _free(wish, taken)
    taken.add(name)
    return name


_KINDS = {"resourcePool": "resource pool", "folder": "folder"}
_FIELDS: tuple[Literal["resourcePool", "folder"], ...] = ("resourcePool", "folder")


def _path(member: Member, field: str) -> str:
    path = member.vm.resource_pool if field == "resourcePool" else member.vm.folder
    return path if path and _meaning(path) else ""


def _root(parts: Sequence[str]) -> int:
    """Return how many parts of a path every VM of a cluster or datacenter shares: up to Resources or vm."""
    return next((i + 1 for i, part in enumerate(parts) if part == "Resources" or (part == "vm" and i < 2)), 0)


def _parts(path: str) -> list[str]:
    return path.strip("/").split("/") if path.strip("/") else []


def _meaning(path: str) -> str:
    """Return the part of a path that people chose."""
    parts = _parts(path)
    return "/".join(parts[_root(parts) :])


def _cut(path: str, depth: int) -> str:
    parts = _parts(path)
    lead = "/" if path.startswith("/") else ""
    return lead + "/".join(parts[: _root(parts) + depth]) if parts else ""


def _depth(paths: Iterable[str]) -> int:
    """Return the depth at which paths are distinguished, so that the number of namespaces stays manageable."""
    found = {path for path in paths if path}
    deepest = max((len(_parts(_meaning(path))) for path in found), default=1)
    for depth in range(deepest, 1, -1):
        if len({_cut(path, depth) for path in found}) <= MAX_NAMESPACES:
            return depth
    return 1
