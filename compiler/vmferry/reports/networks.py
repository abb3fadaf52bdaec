"""Every segment and port group, datastore and resource pool: who is on it, where it goes, what nodes need for it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from msgspec import Struct

from vmferry.estate.network_map import MappedNetwork, NetworkMap, network_map
from vmferry.estate.smoke import tested
from vmferry.estate.wording import counted, size
from vmferry.model.facts import Nic
from vmferry.model.inventory import InventoryDatastore, InventoryNetwork
from vmferry.model.report import Cell, Column, Prose, Report, Row, Table
from vmferry.model.review import Review, Subject
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
from vmferry.reports.census import NONE, Picked, datastore_names
from vmferry.reports.content import Material

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
    target: str  # `none` where no row of the spec says
    detail: str
    nodes: str
    smoke_test: SmokeState
    smoke_at: str | None  # when it passed or failed, in RFC 3339
    smoke_why: str


class DatastoreUse(Struct, frozen=True, kw_only=True):
    """A datastore. Sizes are in bytes; None is unknown."""

    name: str
    source: str
    kind: str | None
    capacity: int | None
    free: int | None
    vms: int
    disks: int
    size: int
    classes: dict[str, int]  # disks by StorageClass
    refused: dict[str, int]  # why other classes were refused, with the number of disks


class PoolUse(Struct, frozen=True, kw_only=True):
    """A resource pool, and a namespace that its VMs go to."""

    pool: str
    namespace: str
    vms: int
    quota: str
    basis: str


class Document(Struct, frozen=True, kw_only=True):
    """All of them."""

    networks: tuple[NetworkUse, ...]
    datastores: tuple[DatastoreUse, ...]
    pools: tuple[PoolUse, ...]


class _On(NamedTuple):
    """A NIC on a network, with its VM."""

    subject: Subject
    nic: Nic


def build(material: Material) -> Report:
    """Return the report."""
    review = material.review
    known = network_map(review.spec.networks, review.project.where)
    found = Document(
        networks=tuple(_networks(review, known)),
        datastores=tuple(_datastores(review)),
        pools=tuple(_pools(material)),
    )
    unmapped = sum(each.target == UNMAPPED for each in found.networks)
    summary = (
        f"{counted(len(found.networks), 'network')}, {counted(len(found.datastores), 'datastore')}, "
        f"{counted(len({each.pool for each in found.pools}), 'resource pool')}"
        + (f"; {counted(unmapped, 'network')} with VMs without a target" if unmapped else "")
    )
    vms = material.vms
    blocks = (
        Table(
            "Networks",
            "network",
            _OF_NETWORK,
            [_network_row(each, vms) for each in found.networks],
            note=_NSX,
            covers="some",
        ),
        Table(
            "Datastores",
            "datastore",
            _OF_DATASTORE,
            [_datastore_row(each, vms) for each in found.datastores],
            covers="some",
        ),
        Prose("Refused StorageClasses", tuple(_refused(found.datastores))),
        Table(
            "Resource pools",
            "resource pool",
            _OF_POOL,
            [_pool_row(each, vms) for each in found.pools],
            covers=vms.where("moves", "yes").facets,
        ),
    )
    return Report("Networks, datastores and resource pools", summary, blocks, found)


# --- networks ---------------------------------------------------------------------------------


def _networks(review: Review, known: NetworkMap) -> Iterator[NetworkUse]:
    """Yield every network that has a VM or a row in the spec, by name."""
    nics: defaultdict[tuple[str, str, int | None], list[_On]] = defaultdict(list)
    for subject in review.subjects:
        for nic in subject.vm.nics or ():
            row = known.of_nic(subject.source, nic, subject.vm.datacenter).row
            name = row.original if row is not None else nic.network
            nics[subject.source, name, row.index if row is not None else None].append(_On(subject, nic))
    mapped = {row.index: row for row in known.rows}
    seen = {index for _, _, index in nics}
    uses = [
        _use(review, source, name, mapped[index] if index is not None else None, found)
        for (source, name, index), found in nics.items()
    ]
    uses += [
        _use(review, row.network.source.source or "", row.original, row, [])
        for row in known.rows
        if row.index not in seen
    ]
    yield from sorted(uses, key=lambda use: (use.name, use.source, use.detail))


def _use(review: Review, source: str, name: str, row: MappedNetwork | None, found: list[_On]) -> NetworkUse:
    fact = review.networks.get((source, name)) or next(
        (network for (_, key), network in review.networks.items() if not source and key == name), None
    )
    network = row.network if row is not None else None
    origins = Counter(on.nic.origin for on in found)
    test = network.smoke_test if network is not None else None
    smoke = tested(row.name, test, review.project.evidence) if row is not None and test is not None else None
    mtu = getattr(network.target, "mtu", None) if network is not None else None
    return NetworkUse(
        name=fact.name if fact is not None else name,
        row=row.name if row is not None else None,
        source=source,
        kind=(network.source.kind if network is not None else None) or (fact.kind if fact is not None else None),
        vlan=_vlan(row, fact),
        mtu=mtu or (fact.mtu if fact is not None else None),
        subnet=network.subnet if network is not None else None,
        gateway=network.gateway if network is not None else _gateway(found),
        vms=len({on.subject.key for on in found}),
        nics=len(found),
        static=origins["static"],
        dhcp=origins["dhcp"],
        dhcp_server=network.dhcp if network is not None else None,
        layer=network.layer if network is not None else None,
        target=_kind(network.target) if network is not None else UNMAPPED,
        detail=_detail(row) if row is not None else "add a row for it to `networks`",
        nodes=_nodes(network.target, review.spec.target.cluster) if network is not None else "",
        smoke_test=smoke.state if smoke is not None else "none",
        smoke_at=smoke.at if smoke is not None else None,
        smoke_why=smoke.why if smoke is not None else "",
    )


def _vlan(row: MappedNetwork | None, fact: InventoryNetwork | None) -> str | None:
    """Return the VLANs of a network in vSphere."""
    vlans = []
    if row is not None:
        vlans = [row.network.source.vlan, *row.network.source.trunk]
    if fact is not None and not any(vlans):
        vlans = [fact.vlan, *fact.trunk]
    return ", ".join(str(vlan) for vlan in vlans if vlan) or None


def _gateway(found: Iterable[_On]) -> str | None:
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


_NSX = "Firewall rules of NSX are not imported: list them for each segment before its VMs move."
_OF_NETWORK = (
    Column("network"),
    Column("source"),
    Column("kind"),
    Column("VLAN"),
    Column("subnet"),
    Column("gateway"),
    Column("MTU"),
    Column("VMs", "count"),
    Column("NICs", "count"),
    Column("static", "count"),
    Column("DHCP", "count"),
    Column("layer"),
    Column("target"),
    Column("what it becomes"),
    Column("nodes need"),
    Column("smoke test"),
)


def _network_row(use: NetworkUse, vms: Picked) -> Row:
    places = (use.name, use.source, use.kind, use.vlan, use.subnet, use.gateway, str(use.mtu) if use.mtu else None)
    layer = f"layer {use.layer}" if use.layer is not None else None
    of = vms.where("source", use.source)
    of = of.where("network", use.name) if use.row is None else of.where("target network", use.row)
    count = Cell(use.vms, of=of.facets) if len(of.vms) == use.vms else Cell(use.vms)
    addresses = (use.static or None, use.dhcp or None)
    return (*places, count, use.nics, *addresses, layer, use.target, use.detail, use.nodes, _smoke(use))


def _smoke(use: NetworkUse) -> str:
    at = f" {use.smoke_at[:10]}" if use.smoke_at is not None else ""
    return f"{use.smoke_test}{at}" + (f": {use.smoke_why}" if use.smoke_why else "")


# --- datastores -------------------------------------------------------------------------------


def _datastores(review: Review) -> Iterator[DatastoreUse]:
    """Yield every datastore with a disk, by name."""
    facts: dict[tuple[str, str], InventoryDatastore] = {
        (part.source.name, datastore.name): datastore
        for part in review.project.inventories
        for datastore in part.datastores
    }
    names = datastore_names(review)
    found: defaultdict[tuple[str, str], list[tuple[Subject, int]]] = defaultdict(list)
    for subject in review.subjects:
        for index, disk in enumerate(subject.vm.disks or ()):
            if disk.datastore is not None:
                name = names.get((subject.source, disk.datastore), disk.datastore)
                found[subject.source, name].append((subject, index))
    for (source, name), disks in sorted(found.items(), key=lambda item: (item[0][1], item[0][0])):
        fact = facts.get((source, name))
        made = [
            (subject, disk)
            for subject, index in disks
            if subject.machine is not None
            for disk in subject.machine.disks
            if disk.index == index
        ]
        yield DatastoreUse(
            name=name,
            source=source,
            kind=fact.kind if fact is not None else None,
            capacity=fact.capacity if fact is not None else None,
            free=fact.free if fact is not None else None,
            vms=len({subject.key for subject, _ in disks}),
            disks=len(disks),
            size=sum(disk.size for _, disk in made if disk.owner),
            classes=dict(sorted(Counter(disk.storage_class for _, disk in made).items())),
            refused=_reasons(review, ((subject, disk.name) for subject, disk in made)),
        )


def _reasons(review: Review, disks: Iterable[tuple[Subject, str]]) -> dict[str, int]:
    """Return why StorageClasses were refused, with the number of disks, most first."""
    counts: Counter[str] = Counter()
    for subject, name in disks:
        for decision in review.blueprint.decisions.get(subject.key, ()):
            if decision.subject == name:
                counts.update(decision.refused)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


_OF_DATASTORE = (
    Column("datastore"),
    Column("source"),
    Column("kind"),
    Column("capacity", "bytes"),
    Column("free", "bytes"),
    Column("VMs", "count"),
    Column("disks", "count"),
    Column("size that moves", "bytes"),
    Column("StorageClasses"),
)


def _datastore_row(use: DatastoreUse, vms: Picked) -> Row:
    of = vms.where("source", use.source).where("datastore", use.name)
    count = Cell(use.vms, of=of.facets) if len(of.vms) == use.vms else Cell(use.vms)
    classes = ", ".join(f"{name} ({counted(disks, 'disk')})" for name, disks in use.classes.items())
    return (use.name, use.source, use.kind, use.capacity, use.free, count, use.disks, use.size, classes)


def _refused(datastores: Iterable[DatastoreUse]) -> Iterator[str]:
    for use in datastores:
        if use.refused:
            reasons = "; ".join(f"{reason} ({counted(disks, 'disk')})" for reason, disks in use.refused.items())
            yield f"{use.name} ({use.source}, {size(use.size)}): {reasons}"


# --- resource pools ---------------------------------------------------------------------------


def _pools(material: Material) -> Iterator[PoolUse]:
    """Yield the namespaces that the VMs of each resource pool go to."""
    plans = {plan.name: plan for plan in material.review.blueprint.namespaces}
    for pool, inside in sorted(material.vms.where("moves", "yes").by("pool")):
        for namespace, picked in sorted(inside.by("namespace")):
            plan = plans.get(namespace)
            yield PoolUse(
                pool=pool,
                namespace=namespace,
                vms=len(picked.vms),
                quota=_quota(plan.quota) if plan is not None else "",
                basis=plan.quota_basis if plan is not None else "",
            )


def _quota(quota: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(quota.items()))


_OF_POOL = (
    Column("resource pool"),
    Column("namespace"),
    Column("VMs", "count"),
    Column("quota of the namespace"),
    Column("made of"),
)


def _pool_row(use: PoolUse, vms: Picked) -> Row:
    of = vms.where("moves", "yes").where("pool", use.pool).where("namespace", use.namespace)
    namespace = use.namespace if use.namespace != NONE else "not decided"
    return (use.pool, namespace, of.count, use.quota, use.basis)
