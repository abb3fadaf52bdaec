"""What each NIC is attached to in the target."""

import difflib
import ipaddress
from collections import defaultdict
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from vmferry.model.blueprint import Binding, MachineNic, SourceRef
from vmferry.model.facts import Nic
from vmferry.model.finding import Where
from vmferry.model.spec import (
    BridgeNetwork,
    Cluster,
    ExistingNad,
    MacvtapNetwork,
    Network,
    NetworkSource,
    OvnLayer2,
    OvnLocalnet,
    PodNetwork,
    SriovNetwork,
)
from vmferry.resolve.journal import Journal
from vmferry.resolve.names import digest, sanitize
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
        """Return the row for a network of a vCenter; a row that names the vCenter wins."""
        return self._by_name.get((vcenter, name)) or self._by_name.get((None, name))

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
    sources: dict[tuple[str | None, str], int] = {}
    names: dict[str, int] = {}
    for index, network in enumerate(networks):
        place = where.at("networks", index)
        original = network.source.segment or network.source.port_group
        if (network.source.segment is None) == (network.source.port_group is None) or original is None:
            journal.find(
                "VMF204",
                "a network's source is a segment or a portGroup, exactly one",
                where=place.at("source"),
            )
            continue
        row = MappedNetwork(
            name=network.name or sanitize(original) or f"network-{digest(original)}",
            network=_filled(network),
            where=place,
        )
        first = sources.setdefault((network.source.source, original), index)
        if first != index:
            journal.find(
                "VMF210",
                f"network {original!r} is mapped twice",
                f"it is networks[{first}] already",
                where=place.at("source"),
            )
        if row.emitted() and names.setdefault(row.name, index) != index:
            journal.find(
                "VMF101",
                f"two networks would be called {row.name}",
                "give one of them a `name`",
                where=place.at("name") if network.name else place.at("source"),
            )
        rows.append(row)
    return NetworkMap(rows)


def check_networks(
    rows: Iterable[MappedNetwork], users: dict[str, list[str]], cluster: Cluster, journal: Journal
) -> None:
    """Report rows whose target cannot work, each with the VMs it strands."""
    for row in rows:
        vms = tuple(sorted(users.get(_identity(row), ())))
        for code, message, fix in _problems(row, cluster):
            journal.find(code, f"{message}{_stranded(vms)}", fix, where=row.where.at("target"), vms=vms)


def _identity(row: MappedNetwork) -> str:
    return f"{row.network.source.source}/{row.network.source.segment or row.network.source.port_group}"


def _stranded(vms: tuple[str, ...]) -> str:
    if not vms:
        return ""
    more = f" and {len(vms) - _MAX_NAMED} more" if len(vms) > _MAX_NAMED else ""
    return f" ({len(vms)} VM{'s' if len(vms) > 1 else ''}: {', '.join(vms[:_MAX_NAMED])}{more})"


def _filled(network: Network) -> Network:
    """Return the network with the VLAN or trunk of its source where the target leaves it out."""
    source, target = network.source, network.target
    if isinstance(target, BridgeNetwork) and not (target.vlan or target.trunk or target.untagged):
        return replace(network, target=replace(target, vlan=source.vlan, trunk=() if source.vlan else source.trunk))
    if isinstance(target, OvnLocalnet) and not (target.vlan or target.untagged):
        return replace(network, target=replace(target, vlan=source.vlan))
    return network


def _problems(row: MappedNetwork, cluster: Cluster) -> Iterable[tuple[str, str, str]]:
    source, target = row.network.source, row.network.target
    name = source.segment or source.port_group
    if isinstance(target, BridgeNetwork):
        yield from _bridge_problems(f"network {name!r}", target, source)
    if isinstance(target, OvnLocalnet) and not (target.vlan or target.untagged):
        yield _undecided(f"network {name!r}", source, "`vlan`, or `untagged: true`")
    if isinstance(target, OvnLayer2 | OvnLocalnet) and cluster.cni not in (None, "ovn-kubernetes"):
        yield (
            "VMF204",
            f"network {name!r} needs OVN-Kubernetes, the cluster has {cluster.cni}",
            "use type bridge",
        )
    if isinstance(target, PodNetwork) and row.network.smoke_test is not None:
        yield "VMF204", f"network {name!r}: the pod network needs no smoke test", "remove smokeTest"
    for field, text in (
        ("subnet", row.network.subnet),
        *(("subnets", s) for s in getattr(target, "subnets", ())),
    ):
        if text is not None and not _is_network(text):
            yield "VMF204", f"network {name!r}: {field} {text} is not a network", "as in 10.1.2.0/24"


def _bridge_problems(name: str, target: BridgeNetwork, source: NetworkSource) -> Iterable[tuple[str, str, str]]:
    ways = [bool(target.vlan), bool(target.trunk), target.untagged]
    if sum(ways) == 0:
        yield _undecided(name, source, "`vlan`, `trunk`, or `untagged: true`")
    elif sum(ways) > 1:
        yield "VMF204", f"{name}: vlan, trunk and untagged exclude each other", "keep one of them"
    if len(target.bridge) > 15:
        yield "VMF204", f"{name}: bridge {target.bridge} is longer than 15 characters", "the kernel allows 15"
    for text in target.trunk:
        low, _, high = text.partition("-")
        if not 1 <= int(low) <= int(high or low) <= 4094:
            yield "VMF204", f"{name}: trunk {text} is not a range of VLANs", "VLANs go from 1 to 4094"


def _undecided(name: str, source: NetworkSource, fields: str) -> tuple[str, str, str]:
    if source.transport_zone == "overlay" or (source.segment is not None and source.transport_zone is None):
        return (
            "VMF202",
            f"{name} is an overlay segment: the target does not say which VLAN takes its place",
            f"say {fields}, or use type ovn-layer2 or pod: the segment's own VNI means nothing outside NSX",
        )
    return "VMF204", f"{name}: the target does not say its VLAN", f"say {fields}"


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=True)
    except ValueError:
        return False
    return True


def attach(
    candidates: tuple[Candidate, ...],
    routes: dict[str, Route],
    namespaces: dict[str, str],
    table: NetworkMap,
    cluster: Cluster,
    taken: dict[str, str],
    journal: Journal,
) -> dict[str, tuple[MachineNic, ...]]:
    """Return the NICs of each VM by key. ``taken`` maps the MACs of frozen VMs to their names."""
    result: dict[str, tuple[MachineNic, ...]] = {}
    users: defaultdict[str, list[str]] = defaultdict(list)
    unmapped: defaultdict[tuple[str, str], list[tuple[str, Where]]] = defaultdict(list)
    macs = dict(taken)
    for candidate in candidates:
        nics: list[MachineNic] = []
        for index, nic in enumerate(candidate.vm.nics or ()):
            where = candidate.where.at("nics", index)
            row = table.find(candidate.source, nic.network)
            if row is None:
                unmapped[candidate.source, nic.network].append((candidate.vm.name, where.at("network")))
                continue
            users[_identity(row)].append(candidate.vm.name)
            mac = _mac(candidate, nic, where, routes[candidate.key], macs, journal)
            nics.append(_nic(candidate, index, nic, mac, row, namespaces.get(candidate.key, "")))
            _explain(candidate, nics[-1], nic, row, journal)
        _check_vm(candidate, nics, routes[candidate.key], namespaces.get(candidate.key, ""), journal)
        result[candidate.key] = tuple(nics)
    for (vcenter, network), found in sorted(unmapped.items()):
        vms = tuple(sorted({name for name, _ in found}))
        journal.find(
            "VMF201",
            f"network {network!r} of {vcenter} is not mapped{_stranded(vms)}{table.close(network)}",
            f"add it to `networks`, with source.segment or source.portGroup: {network}",
            where=found[0][1],
            vms=vms,
        )
    check_networks(table.rows, users, cluster, journal)
    return result


def _nic(candidate: Candidate, index: int, nic: Nic, mac: str | None, row: MappedNetwork, namespace: str) -> MachineNic:
    source = row.network.source
    return MachineNic(
        index=index,
        name=f"nic-{index}",
        network=SourceRef(name=source.segment or source.port_group or nic.network, id=source.id),
        mac=mac,
        model=nic.model or "virtio",
        binding=_binding(row),
        nad=row.nad(namespace),
        connected=nic.connected,
        readdress=candidate.vm.readdress.get(nic.network) if candidate.decisions.static_ip == "cloud-init" else None,
    )


def _binding(row: MappedNetwork) -> Binding:
    match row.network.target:
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


def _explain(candidate: Candidate, made: MachineNic, nic: Nic, row: MappedNetwork, journal: Journal) -> None:
    target = type(row.network.target).__struct_config__.tag
    value = f"{nic.network} → {made.nad or 'pod network'} ({target})"
    journal.decide(candidate.key, made.name, value, "the network map", where=row.where)


def _mac(
    candidate: Candidate, nic: Nic, where: Where, route: Route, macs: dict[str, str], journal: Journal
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
        other = macs.setdefault(mac, vm.name)
        if (
            other != vm.name
            or sum(n.mac is not None and n.mac.lower().replace("-", ":") == mac for n in vm.nics or ()) > 1
        ):
            journal.find(
                "VMF206",
                f"MAC {mac} is used by {other}" + (f" and {vm.name}" if other != vm.name else " twice"),
                "two NICs with one address disturb each other as soon as both run",
                where=where.at("mac"),
                vms=tuple(sorted({other, vm.name})),
            )
    return mac


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
