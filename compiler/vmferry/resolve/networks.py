"""What each NIC is attached to in the target."""

import difflib
import ipaddress
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from vmferry.model.blueprint import Binding, MachineNic, SourceRef
from vmferry.model.facts import Nic
from vmferry.model.finding import Path, Where
from vmferry.model.spec import (
    BridgeNetwork,
    Cluster,
    ExistingNad,
    MacvtapNetwork,
    Network,
    NetworkSource,
    NetworkTarget,
    OvnLayer2,
    OvnLocalnet,
    PodNetwork,
    SriovNetwork,
    VirtualMachine,
)
from vmferry.resolve.journal import Journal
from vmferry.resolve.names import sanitize
from vmferry.resolve.paths import Route
from vmferry.resolve.selection import Candidate

_MAX_NAMED = 20  # VMs a message names; the finding carries all of them


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
        rival = self._by_name.get((vcenter, _original(shared.network.source) or ""))
        return rival if rival is not None and rival.network.source.id is None else shared

    def close(self, name: str) -> str:
        """Return a question whether a network of nearly that name was meant; empty where there is none."""
        close = difflib.get_close_matches(name, [known for _, known in self._by_name], n=1)
        return f"; did you mean {close[0]!r}?" if close else ""

    def named(self, name: str) -> MappedNetwork | None:
        """Return the row with this name in the target."""
        return next((row for row in self.rows if row.name == name), None)


def map_networks(networks: tuple[Network, ...], where: Where, journal: Journal) -> NetworkMap:
    """Return the network map; rows that are not clear are findings. ``where`` is the spec."""
    rows: list[MappedNetwork] = []
    mapped = _Mapped()
    names: dict[str, int] = {}
    for index, network in enumerate(networks):
        place = where.at("networks", index)
        original = _original(network.source)
        if original is None:
            journal.find(
                "VMF204",
                "a network's source is a segment or a portGroup, exactly one",
                where=place.at("source"),
            )
            continue
        row = MappedNetwork(name=network.name or sanitize(original), network=_filled(network), where=place)
        mapped.add(index, network.source, original, place, journal)
        if not row.name:
            if row.emitted() or network.smoke_test is not None:
                journal.find(
                    "VMF204",
                    f"nothing of {original!r} can be in a name in Kubernetes",
                    "give the network a `name`",
                    where=place.at("source"),
                )
        elif row.emitted() and names.setdefault(row.name, index) != index:
            journal.find(
                "VMF101",
                f"two networks would be called {row.name}",
                "give one of them a `name`",
                where=place.at("name") if network.name else place.at("source"),
            )
        rows.append(row)
    return NetworkMap(rows)


def _original(source: NetworkSource) -> str | None:
    """Return the network's name in vSphere; None where there is not exactly one."""
    if (source.segment is None) == (source.port_group is None):
        return None
    return source.segment or source.port_group


class _Claim(NamedTuple):
    vcenter: str | None
    row: int
    by_id: bool


class _Mapped:
    """What the rows so far are found by, in order to notice a network that two of them are for."""

    def __init__(self) -> None:
        self._claims: defaultdict[str, list[_Claim]] = defaultdict(list)

    def add(self, index: int, source: NetworkSource, original: str, place: Where, journal: Journal) -> None:
        """Take a row in; report it, once, if a NIC's network would be found in another row as well."""
        reported = False
        for text, by_id in ((original, False), (source.id, True)):
            if text is None:
                continue
            claim = _Claim(source.source, index, by_id)
            first = next((other.row for other in self._claims[text] if _meet(other, claim)), None)
            self._claims[text].append(claim)
            if first is not None and not reported:
                reported = True
                journal.find(
                    "VMF210",
                    f"network {'id ' if by_id else ''}{text!r} is mapped twice",
                    f"it is networks[{first}] already",
                    where=place.at("source", "id") if by_id else place.at("source"),
                )


def _meet(one: _Claim, other: _Claim) -> bool:
    """Return whether both are for one network. By name, a row for one vCenter goes before one for any."""
    if one.row == other.row:
        return False
    any_vcenter = (one.by_id or other.by_id) and None in (one.vcenter, other.vcenter)
    return one.vcenter == other.vcenter or any_vcenter


def check_networks(
    rows: Iterable[MappedNetwork], users: dict[str, list[str]], cluster: Cluster, journal: Journal
) -> None:
    """Report rows whose target cannot work, each with the VMs it strands."""
    for row in rows:
        vms = tuple(sorted(users.get(_identity(row), ())))
        for problem in _problems(row, cluster):
            message = f"{problem.message}{stranded(vms)}"
            journal.find(problem.code, message, problem.fix, where=row.where.at(*problem.at), vms=vms)


def _identity(row: MappedNetwork) -> str:
    return f"{row.network.source.source}/{_original(row.network.source)}"


def stranded(vms: tuple[str, ...]) -> str:
    """Return the VMs a message is about, in brackets: how many, and the names of the first."""
    if not vms:
        return ""
    more = f" and {len(vms) - _MAX_NAMED} more" if len(vms) > _MAX_NAMED else ""
    return f" ({len(vms)} VM{'s' if len(vms) > 1 else ''}: {', '.join(vms[:_MAX_NAMED])}{more})"


def _filled(network: Network) -> Network:
    """Return the network with the VLAN or trunk of its source where the target leaves it out."""
    source, target = network.source, network.target
    if isinstance(target, BridgeNetwork) and not (target.vlan or target.trunk or target.untagged):
        return replace(network, target=replace(target, vlan=source.vlan, trunk=() if source.vlan else source.trunk))
    if isinstance(target, OvnLocalnet | SriovNetwork) and not (target.vlan or target.untagged):
        return replace(network, target=replace(target, vlan=source.vlan))
    return network


class _Problem(NamedTuple):
    code: str
    message: str
    fix: str
    at: Path = ("target",)


def _problems(row: MappedNetwork, cluster: Cluster) -> Iterable[_Problem]:
    network, target = row.network, row.network.target
    name = f"network {_original(network.source)!r}"
    if isinstance(target, BridgeNetwork):
        yield from _bridge_problems(name, target, network.source)
    else:
        yield from _vlan_problems(name, target, network.source)
    if isinstance(target, OvnLayer2 | OvnLocalnet) and cluster.cni not in (None, "ovn-kubernetes"):
        yield _Problem("VMF204", f"{name} needs OVN-Kubernetes, the cluster has {cluster.cni}", "use type bridge")
    if isinstance(target, PodNetwork):
        if network.smoke_test is not None:
            yield _Problem("VMF204", f"{name}: the pod network needs no smoke test", "remove smokeTest")
        if network.layer == 2:
            fix = "map it to a bridge or another secondary network, or say layer: 3 if that is enough"
            yield _Problem("VMF204", f"{name} needs layer 2, and the pod network is layer 3", fix, ("layer",))
    yield from _address_problems(name, network)


def _vlan_problems(name: str, target: NetworkTarget, source: NetworkSource) -> Iterable[_Problem]:
    if isinstance(target, OvnLocalnet | SriovNetwork):
        if target.vlan and target.untagged:
            yield _Problem("VMF204", f"{name}: vlan and untagged exclude each other", "keep one of them")
        elif not (target.vlan or target.untagged):
            yield _undecided(name, source, "`vlan`, or `untagged: true`")
    if isinstance(target, MacvtapNetwork) and not target.untagged:
        tagged = source.vlan or source.trunk or source.segment is not None or source.transport_zone is not None
        if tagged:  # macvtap cannot tag, so it matters what it is on
            fields = f"`untagged: true` if the parent interface of {target.resource} carries the VLAN"
            yield _undecided(name, source, fields)


def _address_problems(name: str, network: Network) -> Iterable[_Problem]:
    target, test = network.target, network.smoke_test
    subnets = target.subnets if isinstance(target, OvnLocalnet | OvnLayer2) else ()
    for at, text in ((("subnet",), network.subnet), *((("target", "subnets", i), s) for i, s in enumerate(subnets))):
        if text is not None and not _parses(ipaddress.ip_network, text):
            yield _Problem("VMF204", f"{name}: {text} is not a network", "as in 10.1.2.0/24", at)
    if network.gateway is not None and not _parses(ipaddress.ip_address, network.gateway):
        yield _Problem("VMF204", f"{name}: gateway {network.gateway} is not an address", "as in 10.1.2.1", ("gateway",))
    for index, text in enumerate(test.addresses if test is not None else ()):
        if not _parses(ipaddress.ip_interface, text):
            at = ("smokeTest", "addresses", index)
            yield _Problem("VMF204", f"{name}: {text} is not an address", "as in 10.1.2.3/24", at)


def _parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


def _bridge_problems(name: str, target: BridgeNetwork, source: NetworkSource) -> Iterable[_Problem]:
    ways = [bool(target.vlan), bool(target.trunk), target.untagged]
    if sum(ways) == 0:
        yield _undecided(name, source, "`vlan`, `trunk`, or `untagged: true`")
    elif sum(ways) > 1:
        yield _Problem("VMF204", f"{name}: vlan, trunk and untagged exclude each other", "keep one of them")
    if len(target.bridge) > 15:
        yield _Problem("VMF204", f"{name}: bridge {target.bridge} is longer than 15 characters", "the kernel allows 15")
    for text in target.trunk:
        low, _, high = text.partition("-")
        if not 1 <= int(low) <= int(high or low) <= 4094:
            yield _Problem("VMF204", f"{name}: trunk {text} is not a range of VLANs", "VLANs go from 1 to 4094")


def _undecided(name: str, source: NetworkSource, fields: str) -> _Problem:
    no_vlan = source.transport_zone is None and not (source.vlan or source.trunk)
    if source.transport_zone == "overlay" or (source.segment is not None and no_vlan):
        return _Problem(
            "VMF202",
            f"{name} is an overlay segment: the target does not say which VLAN takes its place",
            f"say {fields}, or use type ovn-layer2 or pod: the segment's own VNI means nothing outside NSX",
        )
    return _Problem("VMF204", f"{name}: the target does not say its VLAN", f"say {fields}")


def attach(
    candidates: tuple[Candidate, ...],
    routes: dict[str, Route],
    namespaces: dict[str, str],
    table: NetworkMap,
    cluster: Cluster,
    taken: dict[str, tuple[str, str]],
    journal: Journal,
) -> dict[str, tuple[MachineNic, ...]]:
    """Return the NICs of each VM by key. ``taken`` maps the MACs of frozen VMs to their keys and names."""
    result: dict[str, tuple[MachineNic, ...]] = {}
    users: defaultdict[str, _Users] = defaultdict(_Users)
    unmapped: defaultdict[tuple[str, str], list[tuple[str, Where]]] = defaultdict(list)
    macs = dict(taken)
    for candidate in candidates:
        nics: list[MachineNic] = []
        for index, nic in enumerate(candidate.vm.nics or ()):
            where = candidate.where.at("nics", index)
            row = _row(candidate, nic, where, table, journal)
            if row is None:
                unmapped[candidate.source, nic.network].append((candidate.vm.name, where.at("network")))
                continue
            users[_identity(row)].add(candidate, nic, routes[candidate.key])
            mac = _mac(candidate, nic, where, routes[candidate.key], macs, journal)
            nics.append(_nic(candidate, index, nic, mac, row, namespaces.get(candidate.key, "")))
            _explain(candidate, nics[-1], nic, row, journal)
        _check_addresses(candidate, routes[candidate.key], journal)
        _check_vm(candidate, nics, routes[candidate.key], namespaces.get(candidate.key, ""), journal)
        result[candidate.key] = tuple(nics)
    for (vcenter, network), found in sorted(unmapped.items()):
        vms = tuple(sorted({name for name, _ in found}))
        journal.find(
            "VMF201",
            f"network {network!r} of {vcenter} is not mapped{stranded(vms)}{table.close(network)}",
            f"add it to `networks`, with source.segment or source.portGroup: {network}",
            where=found[0][1],
            vms=vms,
        )
    check_networks(table.rows, {name: each.names for name, each in users.items()}, cluster, journal)
    for row in table.rows:
        _check_one_network(row, users[_identity(row)], journal)
    return result


def _row(candidate: Candidate, nic: Nic, where: Where, table: NetworkMap, journal: Journal) -> MappedNetwork | None:
    """Return the row of a NIC's network: by its name, or by its id where no row has the name.

    A row whose name is its id is for that network alone: it goes before one that only has the name.
    """
    row = table.find(candidate.source, nic.network)
    by_id = table.find(candidate.source, nic.network_id) if nic.network_id is not None else None
    if by_id is not None and _original(by_id.network.source) == nic.network_id:
        return by_id
    if row is not None and by_id is not None and row is not by_id:
        journal.find(
            "VMF210",
            f"VM {candidate.vm.name}: its NIC on {nic.network!r} is on another network by its id, {nic.network_id}",
            f"networks[{row.where.path[-1]}] has the name, networks[{by_id.where.path[-1]}] the id: correct one",
            where=where.at("networkId"),
            vms=(candidate.vm.name,),
        )
    elif row is not None and by_id is None and _another(row.network.source, nic):
        journal.find(
            "VMF212",
            f"VM {candidate.vm.name}: its NIC is on network {nic.network!r} with id {nic.network_id}, "
            f"and the network map has another of that name, {row.network.source.id}",
            _apart(row, nic.network_id or ""),
            where=where.at("networkId"),
            vms=(candidate.vm.name,),
        )
    return row or by_id


_MOREF = re.compile(r"(dvportgroup|network)-[0-9]+")


def _apart(row: MappedNetwork, *ids: str) -> str:
    """Return how networks that share a name are told apart: each has a row whose name is its id (see `_row`)."""
    kind = "portGroup" if row.network.source.port_group is not None else "segment"
    sources = ", ".join(f"source: {{{kind}: {each}, id: {each}}}" for each in ids)
    return f"give {'it' if len(ids) == 1 else 'each'} a row of its own, found by id: {sources}"


def _another(source: NetworkSource, nic: Nic) -> bool:
    """Return whether a NIC is certainly on another network than a row is for: both ids are vCenter's, and differ."""
    ids = (source.id, nic.network_id)
    return source.id != nic.network_id and all(text is not None and _MOREF.fullmatch(text) for text in ids)


class _Users:
    """Which VMs use a row, and by which ids their NICs know its network."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.ids: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)  # by vCenter
        self.forklift = False

    def add(self, candidate: Candidate, nic: Nic, route: Route) -> None:
        self.names.append(candidate.vm.name)
        self.forklift = self.forklift or route.path == "forklift"
        if nic.network_id is not None and _MOREF.fullmatch(nic.network_id):
            self.ids[candidate.source].setdefault(nic.network_id, []).append(candidate.vm.name)


def _check_one_network(row: MappedNetwork, users: _Users, journal: Journal) -> None:
    """Report a row without an id whose name stands for several networks of a vCenter.

    One NSX segment has a distributed port group on each switch it spans; only Forklift must tell those apart.
    """
    one_segment = row.network.source.segment is not None and not users.forklift
    if row.network.source.id is not None or one_segment:
        return
    for vcenter, found in sorted(users.ids.items()):
        if len(found) < 2:
            continue
        ids, vms = sorted(found), tuple(sorted({vm for each in found.values() for vm in each}))
        name = _original(row.network.source)
        journal.find(
            "VMF212",
            f"{len(ids)} networks of {vcenter} are called {name!r}: {', '.join(ids)}{stranded(vms)}",
            _apart(row, *ids[:3]),
            where=row.where.at("source"),
            vms=vms,
        )


def _nic(candidate: Candidate, index: int, nic: Nic, mac: str | None, row: MappedNetwork, namespace: str) -> MachineNic:
    source = row.network.source
    return MachineNic(
        index=index,
        name=f"nic-{index}",
        network=SourceRef(name=source.segment or source.port_group or nic.network, id=source.id),
        mac=mac,
        model=nic.model or "virtio",
        binding=row.binding(),
        nad=row.nad(namespace),
        connected=nic.connected,
        readdress=candidate.vm.readdress.get(nic.network) if candidate.decisions.static_ip == "cloud-init" else None,
    )


def _explain(candidate: Candidate, made: MachineNic, nic: Nic, row: MappedNetwork, journal: Journal) -> None:
    target = type(row.network.target).__struct_config__.tag
    value = f"{nic.network} → {made.nad or 'pod network'} ({target})"
    journal.decide(candidate.key, made.name, value, "the network map", where=row.where)


def _mac(
    candidate: Candidate,
    nic: Nic,
    where: Where,
    route: Route,
    macs: dict[str, tuple[str, str]],
    journal: Journal,
) -> str | None:
    vm = candidate.vm
    if nic.mac is None:
        if route.path == "virt-v2v":
            journal.find(
                "VMF108",
                f"VM {vm.name}: the MAC of its NIC on {nic.network!r} is unknown",
                "add `mac`, as vCenter shows it: the guest's configuration and licences are bound to it",
                where=where,
                vms=(vm.name,),
            )
        return None
    mac = nic.mac.lower().replace("-", ":")
    if int(mac[:2], 16) & 1 or mac in ("00:00:00:00:00:00", "02:00:00:00:00:00"):
        journal.find(
            "VMF205",
            f"VM {vm.name}: {nic.mac} is not the address of a NIC",
            "a multicast, zero or reserved address; copy it from vCenter again",
            where=where.at("mac"),
            vms=(vm.name,),
        )
    elif route.path != "rebuild":
        key, name = macs.setdefault(mac, (candidate.key, vm.name))
        twice = sum(n.mac is not None and n.mac.lower().replace("-", ":") == mac for n in vm.nics or ()) > 1
        users = f"{name} twice"
        if key != candidate.key:
            alike = name == vm.name
            users = f"{name} ({key}) and {vm.name} ({candidate.key})" if alike else f"{name} and {vm.name}"
        if key != candidate.key or twice:
            journal.find(
                "VMF206",
                f"MAC {mac} is used by {users}",
                "two NICs with one address disturb each other as soon as both run",
                where=where.at("mac"),
                vms=tuple(sorted({name, vm.name})),
            )
    return mac


def _check_addresses(candidate: Candidate, route: Route, journal: Journal) -> None:
    """Report addresses that are none, and new ones that two NICs would get."""
    vm = candidate.vm
    if route.path == "rebuild":
        return
    for at, parse, text in _addresses(vm):
        if not _parses(parse, text):
            journal.find(
                "VMF116",
                f"VM {vm.name}: {text} is not an address",
                "correct it; an IPv4 address has four numbers up to 255, and a prefix goes up to 32",
                where=candidate.where.at(*at),
                vms=(vm.name,),
            )
    nics = Counter(nic.network for nic in vm.nics or ())
    for network, new in sorted(vm.readdress.items()):
        if len({":" in gateway for gateway in new.gateways}) < len(new.gateways):
            journal.find(
                "VMF116",
                f"VM {vm.name}: two default gateways of one address family on {network!r}",
                "give at most one IPv4 and one IPv6 gateway",
                where=candidate.where.at("readdress", network, "gateway"),
                vms=(vm.name,),
            )
        if candidate.decisions.static_ip == "cloud-init" and nics[network] > 1:
            journal.find(
                "VMF116",
                f"VM {vm.name}: {nics[network]} NICs on {network!r} would get the same new addresses",
                "readdress goes by network: set the addresses in the guest, and staticIP to preserve or none",
                where=candidate.where.at("readdress", network),
                vms=(vm.name,),
            )


def _addresses(vm: VirtualMachine) -> Iterable[tuple[Path, Callable[[str], object], str]]:
    for index, nic in enumerate(vm.nics or ()):
        for number, text in enumerate(nic.addresses):
            yield ("nics", index, "addresses", number), ipaddress.ip_interface, text
    for network, new in sorted(vm.readdress.items()):
        at = ("readdress", network)
        for number, text in enumerate(new.addresses):
            yield (*at, "addresses", number), ipaddress.ip_interface, text
        for number, text in enumerate(new.gateways):
            place = () if isinstance(new.gateway, str) else (number,)
            yield (*at, "gateway", *place), ipaddress.ip_address, text
        for number, text in enumerate(new.nameservers):
            yield (*at, "nameservers", number), ipaddress.ip_address, text


def _check_vm(candidate: Candidate, nics: list[MachineNic], route: Route, namespace: str, journal: Journal) -> None:
    vm = candidate.vm
    if route.path == "rebuild":
        return
    on_pod = [nic for nic in nics if nic.nad is None]
    if len(on_pod) > 1:
        journal.find(
            "VMF203",
            f"VM {vm.name}: {len(on_pod)} NICs on the pod network ({', '.join(nic.network.name for nic in on_pod)})",
            "a VM has one pod network; map the others to a bridge or another secondary network",
            where=candidate.where.at("nics", on_pod[1].index, "network"),
            vms=(vm.name,),
        )
    for nic in on_pod:
        if (vm.nics or ())[nic.index].origin == "static" and candidate.decisions.static_ip in (
            None,
            "preserve",
        ):
            journal.find(
                "VMF208",
                f"VM {vm.name}: its static address on {nic.network.name!r} is not kept on the pod network",
                "the guest needs DHCP there; map the network to a bridge to keep the address",
                where=candidate.where.at("nics", nic.index),
                vms=(vm.name,),
            )
    for nic in nics:
        if route.path == "forklift" and nic.nad and nic.nad.partition("/")[0] not in (namespace, "default"):
            journal.find(
                "VMF204",
                f"VM {vm.name}: NAD {nic.nad} is out of Forklift's reach",
                "a Plan takes NADs of its target namespace or of `default` only",
                where=candidate.where.at("nics", nic.index, "network"),
                vms=(vm.name,),
            )
