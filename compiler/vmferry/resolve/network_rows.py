"""The rows of the network map: each is unambiguous, no network is in two of them, and its target can work."""

import ipaddress
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from vmferry.estate.network_map import MappedNetwork, NetworkMap, network_map, vsphere_name
from vmferry.estate.statements import DEFINED_TWICE
from vmferry.kube.nad import INVALID_NETWORK
from vmferry.kube.vlans import HIGHEST, span
from vmferry.model.finding import Path, Where
from vmferry.model.rule import Rule, declare
from vmferry.model.spec import (
    BridgeNetwork,
    Cluster,
    IgnoredNetwork,
    MacvtapNetwork,
    Network,
    NetworkSource,
    NetworkTarget,
    OvnLayer2,
    OvnLocalnet,
    PodNetwork,
    SriovNetwork,
)
from vmferry.resolve.notes import Noting

_MAX_NAMED = 20  # VMs that a message names; the finding has all of them


def map_networks(networks: tuple[Network, ...], where: Where) -> Noting[NetworkMap]:
    """Return the network map; ambiguous rows are findings. ``where`` is the spec."""
    table = network_map(networks, where)
    for index, network in enumerate(networks):
        if vsphere_name(network.source) is None:
            yield INVALID_NETWORK.finding(
                "a network's source needs exactly one of segment and portGroup",
                where=where.at("networks", index, "source"),
            )
    mapped = _Mapped()
    names: dict[str, int] = {}
    for row in table.rows:
        yield from mapped.add(row)
        if not row.name:
            if row.emitted() or row.network.smoke_test is not None:
                yield INVALID_NETWORK.finding(
                    f"no character of {row.original!r} is allowed in a Kubernetes name",
                    "give the network a `name`",
                    where=row.where.at("source"),
                )
        elif row.emitted() and names.setdefault(row.name, row.index) != row.index:
            yield DEFINED_TWICE.finding(
                f"two networks would be named {row.name}",
                "give one of them a `name`",
                where=row.where.at("name") if row.network.name else row.where.at("source"),
            )
    return table


class _Claim(NamedTuple):
    vcenter: str | None
    row: int
    by_id: bool
    place: tuple[str | None, str | None]  # datacenter and switch


NETWORK_MAPPED_TWICE = declare(
    "VMF210",
    "error",
    "network is mapped twice",
    why="With two rows for one network, their order would decide where the VMs land: half an estate on the wrong VLAN "
    "is noticed late.",
)


class _Mapped:
    """The keys of the rows so far, to detect a network in two rows."""

    def __init__(self) -> None:
        self._claims: defaultdict[str, list[_Claim]] = defaultdict(list)

    def add(self, row: MappedNetwork) -> Noting[None]:
        """Add a row; report it, once, if a NIC's network would also match another row."""
        source, reported = row.network.source, False
        for text, by_id in ((row.original, False), (source.id, True)):
            if text is None:
                continue
            claim = _Claim(source.source, row.index, by_id, (source.datacenter, source.switch))
            first = next((other.row for other in self._claims[text] if _overlap(other, claim)), None)
            self._claims[text].append(claim)
            if first is not None and not reported:
                reported = True
                yield NETWORK_MAPPED_TWICE.finding(
                    f"network {'id ' if by_id else ''}{text!r} is mapped twice",
                    f"it is networks[{first}] already"
                    + ("" if by_id or source.id is None else _same_name_hint(source.id)),
                    where=row.where.at("source", "id") if by_id else row.where.at("source"),
                )


def _same_name_hint(id_: str) -> str:
    return (
        f"; if it is another network of that name, use its id instead of the name as well: {id_}, and give it a `name`"
    )


def _overlap(one: _Claim, other: _Claim) -> bool:
    """Return whether both are for the same network. By name, a row for one vCenter or place wins over one for any."""
    if one.row == other.row or (one.place != other.place and not (one.by_id and other.by_id)):
        return False
    any_vcenter = (one.by_id or other.by_id) and None in (one.vcenter, other.vcenter)
    return one.vcenter == other.vcenter or any_vcenter


def check_networks(rows: Iterable[MappedNetwork], users: dict[str, list[str]], cluster: Cluster) -> Noting[None]:
    """Report rows whose target cannot work, each with the affected VMs."""
    for row in rows:
        vms = tuple(sorted(users.get(identity(row), ())))
        for problem in _problems(row, cluster):
            message = f"{problem.message}{stranded(vms)}"
            yield problem.rule.finding(message, problem.fix, where=row.where.at(*problem.at), vms=vms)


def identity(row: MappedNetwork) -> str:
    """Return what distinguishes the row's network from others."""
    source = row.network.source
    place = "/".join(part for part in (source.datacenter, source.switch) if part is not None)
    return f"{source.source}/{vsphere_name(source)}" + (f"/{place}" if place else "")


def stranded(vms: tuple[str, ...]) -> str:
    """Return a message's VMs in brackets: their number, and the first names."""
    if not vms:
        return ""
    more = f" and {len(vms) - _MAX_NAMED} more" if len(vms) > _MAX_NAMED else ""
    return f" ({len(vms)} VM{'s' if len(vms) > 1 else ''}: {', '.join(vms[:_MAX_NAMED])}{more})"


class _Problem(NamedTuple):
    rule: Rule
    message: str
    fix: str
    at: Path = ("target",)


def _problems(row: MappedNetwork, cluster: Cluster) -> Iterable[_Problem]:
    network, target = row.network, row.network.target
    name = f"network {vsphere_name(network.source)!r}"
    if isinstance(target, BridgeNetwork):
        yield from _bridge_problems(name, target, network.source)
    else:
        yield from _vlan_problems(name, target, network.source)
    if isinstance(target, OvnLayer2 | OvnLocalnet) and cluster.cni not in (None, "ovn-kubernetes"):
        yield _Problem(
            INVALID_NETWORK, f"{name} needs OVN-Kubernetes, but the cluster has {cluster.cni}", "use type bridge"
        )
    if isinstance(target, IgnoredNetwork) and network.smoke_test is not None:
        yield _Problem(INVALID_NETWORK, f"{name} is not connected, so there is nothing to test", "remove smokeTest")
    if isinstance(target, PodNetwork):
        if network.smoke_test is not None:
            yield _Problem(INVALID_NETWORK, f"{name}: the pod network needs no smoke test", "remove smokeTest")
        if network.layer == 2:
            fix = "map it to a bridge or another secondary network, or set layer: 3 if that is enough"
            yield _Problem(INVALID_NETWORK, f"{name} needs layer 2, and the pod network is layer 3", fix, ("layer",))
    yield from _address_problems(name, network)


def _vlan_problems(name: str, target: NetworkTarget, source: NetworkSource) -> Iterable[_Problem]:
    if isinstance(target, OvnLocalnet | SriovNetwork):
        if target.vlan and target.untagged:
            yield _Problem(INVALID_NETWORK, f"{name}: vlan and untagged exclude each other", "keep one of them")
        elif not (target.vlan or target.untagged):
            yield _undecided(name, source, "`vlan`, or `untagged: true`")
    if isinstance(target, MacvtapNetwork) and not target.untagged:
        tagged = source.vlan or source.trunk or source.segment is not None or source.transport_zone is not None
        if tagged:  # macvtap cannot tag, so its parent interface matters
            fields = f"`untagged: true` if the parent interface of {target.resource} carries the VLAN"
            yield _undecided(name, source, fields)


def _address_problems(name: str, network: Network) -> Iterable[_Problem]:
    target, test = network.target, network.smoke_test
    subnets = target.subnets if isinstance(target, OvnLocalnet | OvnLayer2) else ()
    excluded = target.exclude_subnets if isinstance(target, OvnLocalnet | OvnLayer2) else ()
    ranges: list[tuple[tuple[str | int, ...], str | None]] = [(("subnet",), network.subnet)]
    ranges += [(("target", "subnets", index), text) for index, text in enumerate(subnets)]
    ranges += [(("target", "excludeSubnets", index), text) for index, text in enumerate(excluded)]
    for at, text in ranges:
        if text is not None and not parses(ipaddress.ip_network, text):
            yield _Problem(INVALID_NETWORK, f"{name}: {text} is not a subnet", "as in 10.1.2.0/24", at)
    if network.gateway is not None and not parses(ipaddress.ip_address, network.gateway):
        yield _Problem(
            INVALID_NETWORK, f"{name}: gateway {network.gateway} is not an address", "as in 10.1.2.1", ("gateway",)
        )
    for index, text in enumerate(test.addresses if test is not None else ()):
        if not parses(ipaddress.ip_interface, text):
            at = ("smokeTest", "addresses", index)
            yield _Problem(INVALID_NETWORK, f"{name}: {text} is not an address", "as in 10.1.2.3/24", at)


def parses(parse: Callable[[str], object], text: str) -> bool:
    """Return whether ``parse`` accepts a text."""
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
        yield _Problem(INVALID_NETWORK, f"{name}: vlan, trunk and untagged exclude each other", "keep one of them")
    if len(target.bridge) > 15:
        yield _Problem(
            INVALID_NETWORK, f"{name}: bridge {target.bridge} is longer than 15 characters", "the kernel allows 15"
        )
    for text in target.trunk:
        first, last = span(text)
        if not 1 <= first <= last <= HIGHEST:
            yield _Problem(INVALID_NETWORK, f"{name}: trunk {text} is not a range of VLANs", "VLANs go from 1 to 4094")


UNDECIDED_OVERLAY = declare(
    "VMF202",
    "error",
    "overlay segment without a VLAN or layer 2 decision",
    why="NSX carries an overlay segment in Geneve, under a number (VNI) that no switch outside NSX knows. Outside "
    "there is no port group to fall back on: someone has to provide a VLAN or another network instead, and until "
    "the spec names it the VMs would be connected to nothing.",
)


def _undecided(name: str, source: NetworkSource, fields: str) -> _Problem:
    no_vlan = source.transport_zone is None and not (source.vlan or source.trunk)
    if source.transport_zone == "overlay" or (source.segment is not None and no_vlan):
        return _Problem(
            UNDECIDED_OVERLAY,
            f"{name} is an overlay segment, and the target has no VLAN to replace it",
            f"set {fields}, or use type ovn-layer2 or pod: the segment's own VNI means nothing outside NSX",
        )
    return _Problem(INVALID_NETWORK, f"{name}: the target has no VLAN", f"set {fields}")
