"""The target network of each NIC."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from msgspec import Struct

from vmferry.estate.addresses import preserves
from vmferry.estate.cloud_init import interface_name
from vmferry.estate.network_map import MappedNetwork, NetworkMap, vsphere_name
from vmferry.estate.statements import DEFINED_TWICE
from vmferry.kube.nad import INVALID_NETWORK
from vmferry.kube.versions import NAD_POOL, certain
from vmferry.model.blueprint import DroppedNic, MachineNic, SourceRef
from vmferry.model.facts import Nic
from vmferry.model.finding import Where
from vmferry.model.keys import VmKey, namespace_of
from vmferry.model.rule import declare
from vmferry.model.spec import Cluster, NetworkSource, Versions
from vmferry.resolve.network_rows import NETWORK_MAPPED_TWICE, check_networks, identity, stranded
from vmferry.resolve.nic_addresses import Addressed, check_addresses, check_macs, mac_address
from vmferry.resolve.notes import Noting, decide
from vmferry.resolve.paths import Route
from vmferry.resolve.selection import Candidate


class Use(Struct, frozen=True):
    """A NIC's use of a row of the network map, and the id of its network in vCenter."""

    row: str  # its identity
    network_id: str | None = None


class Attached(Struct, frozen=True):
    """The results for the NICs of a VM; those of ``unmapped`` networks, by number and network, are in no other list."""

    nics: tuple[MachineNic, ...] = ()
    dropped: tuple[DroppedNic, ...] = ()
    unmapped: tuple[tuple[int, str], ...] = ()
    uses: tuple[Use, ...] = ()

    @property
    def count(self) -> int:
        """Return the number of decided NICs."""
        return len(self.nics) + len(self.dropped)

    @property
    def macs(self) -> tuple[tuple[int, str], ...]:
        """Return the MACs, each with the number of its NIC."""
        nics: list[MachineNic | DroppedNic] = [*self.nics, *self.dropped]
        return tuple((nic.index, nic.mac) for nic in sorted(nics, key=lambda nic: nic.index) if nic.mac is not None)


def attach(
    candidates: Iterable[Candidate],
    routes: Mapping[VmKey, Route],
    namespaces: Mapping[VmKey, str],
    table: NetworkMap,
    cluster: Cluster,
) -> Noting[dict[VmKey, Attached]]:
    """Return the NICs of each VM by key. VMs do not affect each other."""
    result: dict[VmKey, Attached] = {}
    for candidate in candidates:
        route, namespace = routes[candidate.key], namespaces.get(candidate.key, "")
        made = _Making(candidate, route, namespace, table, cluster.versions)
        unmapped: list[tuple[int, str]] = []
        uses: list[Use] = []
        for index, nic in enumerate(candidate.vm.nics or ()):
            where = candidate.where.at("nics", index)
            row = yield from _row(candidate, nic, where, table)
            if row is None:
                unmapped.append((index, nic.network))
                continue
            known = nic.network_id if nic.network_id is not None and _MOREF.fullmatch(nic.network_id) else None
            uses.append(Use(identity(row), known))
            mac = yield from mac_address(candidate, nic, where, route)
            yield from made.attach(index, nic, mac, row)
        yield from check_addresses(candidate, route)
        yield from _check_vm(candidate, made.nics, route, namespace)
        result[candidate.key] = Attached(tuple(made.nics), tuple(made.dropped), tuple(unmapped), tuple(uses))
    return result


UNMAPPED_NETWORK = declare(
    "VMF201",
    "error",
    "network is not mapped",
    why="Every NIC must be attached to something in the cluster. A VM whose port group or segment is in no row would "
    "arrive without that NIC, and Forklift refuses the whole Plan for it.",
    source="kubev2v/forklift pkg/controller/plan/validation.go (VMNetworksNotMapped)",
)


def check_attached(
    candidates: Iterable[Candidate],
    routes: Mapping[VmKey, Route],
    attached: Mapping[VmKey, Attached],
    table: NetworkMap,
    cluster: Cluster,
    taken: Mapping[str, tuple[str, str]],
) -> Noting[None]:
    """Report problems that involve several VMs: duplicate MACs, networks without a row, rows that cannot work.

    ``taken`` maps the MACs of frozen VMs to their keys and names.
    """
    users: defaultdict[str, _Users] = defaultdict(_Users)
    unmapped: defaultdict[tuple[str, str], list[tuple[str, Where]]] = defaultdict(list)
    addressed: list[Addressed] = []
    for candidate in candidates:
        route, found = routes[candidate.key], attached[candidate.key]
        for index, network in found.unmapped:
            place = candidate.where.at("nics", index, "network")
            unmapped[candidate.source, network].append((candidate.vm.name, place))
        for use in found.uses:
            users[use.row].add(candidate, use, route)
        if route.path != "rebuild":
            addressed.append(Addressed(candidate.key, candidate.vm.name, candidate.where, found.macs))
    yield from check_macs(addressed, taken)
    for (vcenter, network), stranding in sorted(unmapped.items()):
        vms = tuple(sorted({name for name, _ in stranding}))
        yield UNMAPPED_NETWORK.finding(
            f"network {network!r} of {vcenter} is not mapped{stranded(vms)}{table.close(network)}",
            f"add it to `networks`, with source.segment or source.portGroup: {network}",
            where=stranding[0][1],
            vms=vms,
        )
    yield from check_networks(table.rows, {name: each.names for name, each in users.items()}, cluster)
    for row in table.rows:
        yield from _check_one_network(row, users[identity(row)])


class _Making:
    """The NICs of one VM so far."""

    def __init__(
        self,
        candidate: Candidate,
        route: Route,
        namespace: str,
        table: NetworkMap,
        versions: Versions,
    ) -> None:
        self.nics: list[MachineNic] = []
        self.dropped: list[DroppedNic] = []
        self._candidate, self._namespace, self._table = candidate, namespace, table
        self._forklift = route.path == "forklift"
        self._pools = not self._forklift or certain(versions, NAD_POOL)
        self._on: Counter[str] = Counter()  # NICs on each row

    def attach(self, index: int, nic: Nic, mac: str | None, row: MappedNetwork) -> Noting[None]:
        """Add the NIC at ``index``, whose network is in ``row``."""
        source = row.network.source
        network = SourceRef(name=row.original or nic.network, id=source.id)
        reason = row.ignored()
        if reason is not None:
            self.dropped.append(DroppedNic(index=index, network=network, mac=mac, reason=reason))
            subject = f"NIC {index + 1}"
            yield decide(self._candidate.key, subject, f"{nic.network} → not connected", reason, where=row.where)
            return
        vm = self._candidate.vm
        new = vm.readdress.get(nic.network) if self._candidate.decisions.static_ip == "cloud-init" else None
        made = MachineNic(
            index=index,
            name=f"nic-{len(self.nics)}",
            network=network,
            mac=mac,
            model=nic.model or "virtio",
            binding=row.binding(),
            nad=row.nad(self._namespace, (yield from self._copy(row))),
            connected=nic.connected,
            readdress=new,
            set_name=interface_name(nic, index) if new is not None and vm.os != "windows" else None,
        )
        self.nics.append(made)
        target = type(row.network.target).__struct_config__.tag
        value = f"{nic.network} → {made.nad or 'pod network'} ({target})"
        yield decide(self._candidate.key, made.name, value, "the network map", where=row.where)

    def _copy(self, row: MappedNetwork) -> Noting[int]:
        """Return which definition of a network the VM's next NIC on it uses.

        Since 2.11.7, Forklift gives each NIC of a VM the next row of the NetworkMap for its network, and up to 2.12 it
        refuses a definition that is used twice. Later releases use one for all NICs again; the definitions stay
        separate there too, so that an update of Forklift changes no VM. KubeVirt itself accepts both.
        """
        before = self._on[identity(row)]
        self._on[identity(row)] += 1
        if not self._pools or (row.emitted() and not self._forklift):
            return 0
        name = row.copy_name(before)
        if before and row.emitted() and self._table.making(name) is not row:
            yield DEFINED_TWICE.finding(
                f"VM {self._candidate.vm.name} has {before + 1} NICs on one network, and the additional definition "
                f"{name} would have the name of another network",
                "give one of the two networks another `name`",
                where=row.where.at("name") if row.network.name else row.where.at("source"),
                vms=(self._candidate.vm.name,),
            )
        return before


AMBIGUOUS_NETWORK = declare(
    "VMF212",
    "error",
    "one name stands for several networks",
    why="A vCenter may have a network of the same name in each datacenter, and an NSX segment is a port group on each "
    "switch it spans. By name alone a VM could land on the wrong one, and Forklift accepts neither: its "
    "NetworkMap reports `Source network has ambiguous ref`, or the Plan `VM has unmapped networks`.",
    source="kubev2v/forklift pkg/controller/map/network, pkg/controller/plan/validation.go",
)


def _row(candidate: Candidate, nic: Nic, where: Where, table: NetworkMap) -> Noting[MappedNetwork | None]:
    """Return the row of a NIC's network: by its name, or by its id if no row has the name.

    A row whose name is its id is only for that network: it wins over one that only has the name.
    """
    sought = table.of_nic(candidate.source, nic, candidate.vm.datacenter)
    row, by_id = sought.by_name, sought.by_id
    if sought.special:
        return by_id
    if row is not None and by_id is not None and row is not by_id:
        yield NETWORK_MAPPED_TWICE.finding(
            f"VM {candidate.vm.name}: the id of its NIC on {nic.network!r}, {nic.network_id}, belongs to another "
            "network",
            f"networks[{row.index}] has the name, networks[{by_id.index}] the id: correct one",
            where=where.at("networkId"),
            vms=(candidate.vm.name,),
        )
    elif row is not None and by_id is None and _another(row.network.source, nic):
        yield AMBIGUOUS_NETWORK.finding(
            f"VM {candidate.vm.name}: its NIC is on network {nic.network!r} with id {nic.network_id}, "
            f"but the network map has another network of that name, {row.network.source.id}",
            _apart(row, nic.network_id or ""),
            where=where.at("networkId"),
            vms=(candidate.vm.name,),
        )
    return sought.row


_MOREF = re.compile(r"(dvportgroup|network)-[0-9]+")


def _apart(row: MappedNetwork, *ids: str) -> str:
    """Return how to distinguish networks with the same name: each has a row whose name is its id (see `_row`)."""
    kind = "portGroup" if row.network.source.port_group is not None else "segment"
    sources = ", ".join(f"source: {{{kind}: {each}, id: {each}}}" for each in ids)
    return f"give {'it' if len(ids) == 1 else 'each'} its own row, found by id: {sources}"


def _another(source: NetworkSource, nic: Nic) -> bool:
    """Return whether a NIC is certainly on a different network from a row's: both ids are vCenter's, and differ."""
    ids = (source.id, nic.network_id)
    return source.id != nic.network_id and all(text is not None and _MOREF.fullmatch(text) for text in ids)


class _Users:
    """The VMs that use a row, and the ids of its network in their NICs."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.ids: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)  # by vCenter
        self.forklift = False

    def add(self, candidate: Candidate, use: Use, route: Route) -> None:
        self.names.append(candidate.vm.name)
        self.forklift = self.forklift or route.path == "forklift"
        if use.network_id is not None:
            self.ids[candidate.source].setdefault(use.network_id, []).append(candidate.vm.name)


def _check_one_network(row: MappedNetwork, users: _Users) -> Noting[None]:
    """Report a row without an id whose name matches several networks of a vCenter.

    One NSX segment has a distributed port group on each switch it spans; only Forklift must distinguish those.
    """
    one_segment = row.network.source.segment is not None and not users.forklift
    if row.network.source.id is not None or one_segment:
        return
    for vcenter, found in sorted(users.ids.items()):
        if len(found) < 2:
            continue
        ids, vms = sorted(found), tuple(sorted({vm for each in found.values() for vm in each}))
        name = vsphere_name(row.network.source)
        yield AMBIGUOUS_NETWORK.finding(
            f"{len(ids)} networks of {vcenter} are named {name!r}: {', '.join(ids)}{stranded(vms)}",
            _apart(row, *ids[:3]),
            where=row.where.at("source"),
            vms=vms,
        )


TWO_POD_NICS = declare(
    "VMF203",
    "error",
    "two NICs of the same VM on the pod network",
    why="KubeVirt allows a VM at most one interface on the pod network. Admission refuses the VM, and Forklift the "
    "Plan; if a NetworkMap uses names, Forklift may not even notice before it copies.",
    source="kubevirt/kubevirt pkg/network/admitter/netsource.go; kubev2v/forklift "
    "pkg/controller/plan/validation.go (VMMultiplePodNetworkMappings), adapter/base/network.go",
)


STATIC_ON_POD_NETWORK = declare(
    "VMF208",
    "warning",
    "static address on the pod network",
    why="On the pod network a VM is behind NAT and gets its address from KubeVirt. A guest with a static address "
    "keeps sending from it and reaches nothing; Forklift only warns.",
    source="kubev2v/forklift pkg/controller/plan/validation.go (NetMapPreservingIPsOnPodNetwork)",
)


def _check_vm(candidate: Candidate, nics: list[MachineNic], route: Route, namespace: str) -> Noting[None]:
    vm = candidate.vm
    if route.path == "rebuild":
        return
    on_pod = [nic for nic in nics if nic.nad is None]
    if len(on_pod) > 1:
        yield TWO_POD_NICS.finding(
            f"VM {vm.name}: {len(on_pod)} NICs on the pod network ({', '.join(nic.network.name for nic in on_pod)})",
            "a VM can have only one; map the others to a bridge or another secondary network",
            where=candidate.where.at("nics", on_pod[1].index, "network"),
            vms=(vm.name,),
        )
    for nic in on_pod:
        kept = nic.readdress is None and preserves(candidate.decisions)
        if kept and (vm.nics or ())[nic.index].origin == "static":
            yield STATIC_ON_POD_NETWORK.finding(
                f"VM {vm.name}: its static address on {nic.network.name!r} is not kept on the pod network",
                "the guest needs DHCP there; map the network to a bridge to keep the address",
                where=candidate.where.at("nics", nic.index),
                vms=(vm.name,),
            )
    for nic in nics:
        if route.path == "forklift" and nic.nad and namespace_of(nic.nad) not in (namespace, "default"):
            yield INVALID_NETWORK.finding(
                f"VM {vm.name}: NAD {nic.nad} is out of Forklift's reach",
                "a Plan can only use NADs in its target namespace or in `default`",
                where=candidate.where.at("nics", nic.index, "network"),
                vms=(vm.name,),
            )
