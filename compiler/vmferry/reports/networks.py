"""Every segment and port group, datastore and resource pool: who is on it, where it goes, what nodes need for it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from msgspec import Struct

from vmferry.estate.network_map import MappedNetwork, NetworkMap, network_map
from vmferry.estate.nsx.segments import Segments, ids_of
from vmferry.estate.smoke import tested
from vmferry.estate.wording import counted
from vmferry.model.inventory import InventoryNetwork
from vmferry.model.nsx import NsxSegment
from vmferry.model.report import Cell, Column, Report, Row, Table
from vmferry.model.review import Review
from vmferry.model.spec import (
    BridgeNetwork,
    Cluster,
    ExistingNad,
    IgnoredNetwork,
    MacvtapNetwork,
    NetworkTarget,
    OvnLayer2,
    OvnLocalnet,
    PodNetwork,
    SriovNetwork,
)
from vmferry.reports import nsx_rules, stores_and_pools
from vmferry.reports.census import Picked
from vmferry.reports.content import Material
from vmferry.reports.nsx_rules import NsxUse, On, RuleUse, firewall_of, in_words, replacement
from vmferry.reports.stores_and_pools import DatastoreUse, PoolUse, datastores_of, pools_of

HELP = """Document every network, datastore and resource pool: who is on it, where it goes, what the nodes need.

SPEC may be an inventory as `vmferry import` wrote it.

\b
Examples:
  vmferry report networks migration/
  vmferry report networks migration/ --format md > networks.md
  vmferry report networks migration/ --format json | jq '.networks[] | select(.target == "none")'
"""

UNMAPPED = "none"
SmokeState = Literal["none", "not run", "passed", "failed"]


class NetworkUse(Struct, frozen=True, kw_only=True):
    """A network in vSphere. None is unknown."""

    name: str
    row: str | None  # its name in the target
    source: str
    kind: str | None
    vlan: str | None
    mtu: int | None
    subnet: str | None
    gateway: str | None
    vms: int
    nics: int
    static: int  # NICs with static addresses
    dhcp: int  # NICs with addresses from DHCP
    dhcp_server: bool | None
    layer: int | None
    nsx: NsxUse | None  # None: no NSX was imported for its vCenter
    target: str  # `none` where no row of the spec says
    detail: str
    nodes: str
    firewall: str  # what can filter its traffic in the target, if it is a segment of NSX
    smoke_test: SmokeState
    smoke_at: str | None  # when it passed or failed, in RFC 3339
    smoke_why: str


class Document(Struct, frozen=True, kw_only=True):
    """All of them."""

    networks: tuple[NetworkUse, ...]
    rules: tuple[RuleUse, ...] | None  # of NSX that touch them; None: no NSX was imported
    datastores: tuple[DatastoreUse, ...]
    pools: tuple[PoolUse, ...]


class _Network(NamedTuple):
    """A network, with its row in the spec, and its facts in the inventory."""

    source: str
    name: str
    row: MappedNetwork | None
    fact: InventoryNetwork | None
    nics: list[On]

    @property
    def asked(self) -> nsx_rules.Network:
        """Return it as NSX is asked about it."""
        network = self.row.network if self.row is not None else None
        ids = {on.nic.network_id for on in self.nics}
        return nsx_rules.Network(
            self.source,
            self.fact.name if self.fact is not None else self.name,
            ids_of(self.fact, network.source.id if network is not None else None, *sorted(filter(None, ids))),
            self.kind,
            network.subnet if network is not None else None,
            self.nics,
        )

    @property
    def kind(self) -> str | None:
        """Return what it is in vSphere."""
        stated = self.row.network.source.kind if self.row is not None else None
        return stated or (self.fact.kind if self.fact is not None else None)


def build(material: Material) -> Report:
    """Return the report."""
    review = material.review
    known = network_map(review.spec.networks, review.project.where)
    segments = Segments(review.project.inventories)
    on = _networks(review, known)
    firewall = firewall_of(segments, [each.asked for each in on]) if segments.managers else None
    uses = [
        use if segments.serve(each.source) else None
        for each, use in zip(on, firewall.uses if firewall is not None else (None,) * len(on), strict=True)
    ]
    found = Document(
        networks=tuple(_use(review, each, use, segments) for each, use in zip(on, uses, strict=True)),
        rules=firewall.rules if firewall is not None else None,
        datastores=tuple(datastores_of(material)),
        pools=tuple(pools_of(material)),
    )
    unmapped = sum(each.target == UNMAPPED for each in found.networks)
    summary = (
        f"{counted(len(found.networks), 'network')}, {counted(len(found.datastores), 'datastore')}, "
        f"{counted(len({each.pool for each in found.pools}), 'resource pool')}"
        + (f"; {counted(unmapped, 'network')} with VMs without a target" if unmapped else "")
    )
    vms = material.vms
    names = [_names(each) for each in found.networks]
    there = [_network_row(each, vms) for each in found.networks]
    becomes = [_target_row(each) for each in found.networks]
    note = _UNKNOWN_RULES if firewall is None else ""
    rows = [(*name, *own) for name, own in zip(names, there, strict=True)]
    targets = [(*name, *own) for name, own in zip(names, becomes, strict=True)]
    every = [(*row, *own) for row, own in zip(rows, becomes, strict=True)]
    blocks = (
        Table("Networks", "network", (*_NAMES, *_OF_NETWORK), rows, covers="some"),
        Table("What networks become", "network", (*_NAMES, *_BECOMES), targets, note=note),
        *nsx_rules.blocks(firewall),
        *stores_and_pools.blocks(found.datastores, found.pools, vms),
    )
    whole = Table("Networks", "network", (*_NAMES, *_OF_NETWORK, *_BECOMES), every, covers="some")
    return Report("Networks, datastores and resource pools", summary, blocks, found, whole=whole)


# --- networks ---------------------------------------------------------------------------------


def _networks(review: Review, known: NetworkMap) -> list[_Network]:
    """Return every network that has a VM or a row in the spec, by name."""
    nics: defaultdict[tuple[str, str, int | None], list[On]] = defaultdict(list)
    for subject in review.subjects:
        for nic in subject.vm.nics or ():
            row = known.of_nic(subject.source, nic, subject.vm.datacenter).row
            name = row.original if row is not None else nic.network
            nics[subject.source, name, row.index if row is not None else None].append(On(subject, nic))
    mapped: dict[int | None, MappedNetwork] = {row.index: row for row in known.rows}
    seen = {index for _, _, index in nics}
    found = [(source, name, mapped.get(index), each) for (source, name, index), each in nics.items()]
    found += [(row.network.source.source or "", row.original, row, []) for row in known.rows if row.index not in seen]
    networks = [_Network(source, name, row, _fact(review, source, name), each) for source, name, row, each in found]
    return sorted(
        networks, key=lambda each: (each.asked.name, each.source, each.row.index if each.row is not None else -1)
    )


def _fact(review: Review, source: str, name: str) -> InventoryNetwork | None:
    return review.networks.get((source, name)) or next(
        (network for (_, key), network in review.networks.items() if not source and key == name), None
    )


def _use(review: Review, on: _Network, nsx: NsxUse | None, segments: Segments) -> NetworkUse:
    row, fact, found = on.row, on.fact, on.nics
    network = row.network if row is not None else None
    segment = segments.find(nsx.manager, nsx.segment) if nsx is not None else None
    subnet, gateway = _subnet_of(segment)
    origins = Counter(each.nic.origin for each in found)
    test = network.smoke_test if network is not None else None
    smoke = tested(row.name, test, review.project.evidence) if row is not None and test is not None else None
    mtu = getattr(network.target, "mtu", None) if network is not None else None
    dhcp = network.dhcp if network is not None else None
    return NetworkUse(
        name=fact.name if fact is not None else on.name,
        row=row.name if row is not None else None,
        source=on.source,
        kind=on.kind,
        vlan=_vlan(row, fact) or (", ".join(segment.vlans) if segment is not None else "") or None,
        mtu=mtu or (fact.mtu if fact is not None else None),
        subnet=(network.subnet if network is not None else None) or subnet,
        gateway=(network.gateway if network is not None else None)
        or gateway
        or (_gateway(found) if network is None else None),
        vms=len({each.subject.key for each in found}),
        nics=len(found),
        static=origins["static"],
        dhcp=origins["dhcp"],
        dhcp_server=dhcp if dhcp is not None or segment is None else segment.dhcp or None,
        layer=network.layer if network is not None else None,
        nsx=nsx,
        target=_kind(network.target) if network is not None else UNMAPPED,
        detail=_detail(row) if row is not None else "add a row for it to `networks`",
        nodes=_nodes(network.target, review.spec.target.cluster) if network is not None else "",
        firewall=replacement(network.target if network is not None else None) if segment is not None else "",
        smoke_test=smoke.state if smoke is not None else "none",
        smoke_at=smoke.at if smoke is not None else None,
        smoke_why=smoke.why if smoke is not None else "",
    )


def _subnet_of(segment: NsxSegment | None) -> tuple[str | None, str | None]:
    """Return the subnets and the gateways of a segment in NSX."""
    subnets = segment.subnets if segment is not None else ()
    nets = [each.network for each in subnets if each.network is not None]
    gateways = [each.gateway.partition("/")[0] for each in subnets if each.gateway is not None]
    return ", ".join(nets) or None, ", ".join(gateways) or None


def _vlan(row: MappedNetwork | None, fact: InventoryNetwork | None) -> str | None:
    """Return the VLANs of a network in vSphere."""
    vlans = []
    if row is not None:
        vlans = [row.network.source.vlan, *row.network.source.trunk]
    if fact is not None and not any(vlans):
        vlans = [fact.vlan, *fact.trunk]
    return ", ".join(str(vlan) for vlan in vlans if vlan) or None


def _gateway(found: Iterable[On]) -> str | None:
    """Return the gateway that most NICs have."""
    counts = Counter(gateway for on in found for gateway in on.nic.gateways)
    return min(counts, key=lambda gateway: (-counts[gateway], gateway), default=None)


def _kind(target: NetworkTarget) -> str:
    return str(target.__struct_config__.tag)


def _detail(row: MappedNetwork) -> str:
    match row.network.target:
        case PodNetwork():
            return "the pod network, with masquerade"
        case IgnoredNetwork(reason=reason):
            return f"not connected: {reason}"
        case ExistingNad(name=name, namespace=namespace):
            return f"existing definition {namespace + '/' if namespace else ''}{name}"
        case target:
            vlan = getattr(target, "vlan", None) or ", ".join(map(str, getattr(target, "trunk", ())))
            return f"NetworkAttachmentDefinition {row.name}" + (f", VLAN {vlan}" if vlan else "")


def _nodes(target: NetworkTarget, cluster: Cluster) -> str:
    """Return what every node that runs its VMs must have."""
    match target:
        case BridgeNetwork(bridge=bridge):
            made = next((each for each in cluster.bridges if each.name == bridge), None)
            return f"bridge {bridge}" + (f", which vmferry makes on {made.port} (nmstate)" if made is not None else "")
        case OvnLocalnet(physical_network=name):
            return f"bridge mapping for physical network {name}"
        case SriovNetwork(resource_name=resource):
            return f"SR-IOV device plugin with {resource}"
        case MacvtapNetwork(resource=resource):
            return f"macvtap device plugin with {resource}"
        case OvnLayer2():
            return "OVN-Kubernetes"
        case ExistingNad():
            return "what the existing definition needs"
    return "nothing"


_UNKNOWN_RULES = (
    "No firewall rules of NSX were imported. If there is an NSX, save its answers and run `vmferry import nsx` before "
    "any VM moves: its distributed firewall does not come along."
)
_NAMES = (Column("network"), Column("source"))
_OF_NETWORK = (
    Column("kind"),
    Column("VLAN"),
    Column("subnet"),
    Column("gateway"),
    Column("MTU"),
    Column("VMs", "count"),
    Column("NICs", "count"),
    Column("static", "count"),
    Column("DHCP", "count"),
    Column("DHCP server"),
    Column("layer"),
)
_BECOMES = (
    Column("target"),
    Column("what it becomes"),
    Column("nodes need"),
    Column("smoke test"),
    Column("NSX rules"),
    Column("firewall in the target"),
)


def _names(use: NetworkUse) -> Row:
    return (use.name, use.source)


def _network_row(use: NetworkUse, vms: Picked) -> Row:
    places = (use.kind, use.vlan, use.subnet, use.gateway, str(use.mtu) if use.mtu else None)
    layer = f"layer {use.layer}" if use.layer is not None else None
    of = vms.where("source", use.source)
    of = of.where("network", use.name) if use.row is None else of.where("target network", use.row)
    count = Cell(use.vms, of=of.facets) if len(of.vms) == use.vms else Cell(use.vms)
    return (*places, count, use.nics, use.static or None, use.dhcp or None, _YES.get(use.dhcp_server), layer)


def _target_row(use: NetworkUse) -> Row:
    return (use.target, use.detail, use.nodes, _smoke(use), in_words(use.nsx), use.firewall or None)


_YES: Mapping[bool | None, str] = {True: "yes", False: "no"}


def _smoke(use: NetworkUse) -> str:
    at = f" {use.smoke_at[:10]}" if use.smoke_at is not None else ""
    return f"{use.smoke_test}{at}" + (f": {use.smoke_why}" if use.smoke_why else "")
