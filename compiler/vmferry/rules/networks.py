"""Whether the target networks match the source networks: MTU, VLANs, segments."""

import difflib
from collections import defaultdict
from collections.abc import Iterator

from vmferry.estate.segments import Domain, Row, Rows, address, attached, subnet
from vmferry.kube.vlans import HIGHEST, numbers, spelled
from vmferry.model.finding import Path
from vmferry.model.keys import name_of, namespace_of
from vmferry.model.review import Problem, Review
from vmferry.model.spec import (
    BridgeNetwork,
    ExistingNad,
    MacvtapNetwork,
    Network,
    OvnLayer2,
    OvnLocalnet,
    PodNetwork,
)
from vmferry.rules.registry import rule

_ETHERNET = 1500
_TUNNEL = 100  # what OVN-Kubernetes leaves for Geneve
GLOBAL_NAMESPACES = frozenset(("default", "openshift-multus", "openshift-sriov-network-operator", "openshift-cnv"))


@rule(
    "VMF220",
    "warning",
    "MTU differs from the MTU of the vSphere switch",
    source="containernetworking/plugins plugins/main/bridge (mtu); KubeVirt passes the pod interface's MTU to virtio",
)
def mtu_differs(review: Review) -> Iterator[Problem]:
    """Frames that the guests can send today are silently dropped if the new network's MTU is smaller.

    Small packets pass, so logins work and copies hang. If it is larger, a virtio guest adopts it and sends frames that
    the rest of the segment drops. NSX segments are left out: there, the switch's MTU is the tunnel's.
    """
    for row in Rows(review).rows:
        target = row.network.target
        if row.nsx or not isinstance(target, BridgeNetwork | OvnLocalnet | OvnLayer2 | MacvtapNetwork):
            continue
        own = target.mtu
        if own is None and isinstance(target, BridgeNetwork | OvnLocalnet):
            own = _ETHERNET  # the kernel's default for the plugin's interfaces, whatever the bridge's MTU
        switch = next((known.mtu for _, known in row.known if known.mtu is not None), None)
        if own is None or switch is None or own == switch:
            continue
        if isinstance(target, OvnLayer2) and 0 < switch - own <= _TUNNEL:
            continue  # virtio guests adopt the smaller MTU
        stated = f"MTU {own}" if target.mtu is not None else f"no mtu, so {own}"
        fix = f"set mtu: {switch} in its target, or raise the MTU of the whole segment first"
        if own < switch:
            fix = f"add mtu: {switch} to its target (and its bridge), or suppress this if no guest uses jumbo frames"
        where = row.where.at("target", "mtu") if target.mtu is not None else row.where.at("target")
        yield Problem(f"network {row.original!r} has {stated}; its switch in vSphere has {switch}", fix, where)


@rule("VMF221", "warning", "jumbo frames on a bridge without an MTU", source="nmstate.io/v1 linux-bridge: mtu")
def bridge_without_mtu(review: Review) -> Iterator[Problem]:
    """A bridge that vmferry creates without an MTU takes the MTU of its port, usually 1500.

    A network on it with a larger MTU gets interfaces whose larger frames the bridge drops.
    """
    unstated = {
        bridge.name: index for index, bridge in enumerate(review.spec.target.cluster.bridges) if bridge.mtu is None
    }
    for row in Rows(review).rows:
        target = row.network.target
        if isinstance(target, BridgeNetwork) and (target.mtu or 0) > _ETHERNET and target.bridge in unstated:
            yield Problem(
                f"network {row.original!r} has MTU {target.mtu}, and bridge {target.bridge} does not state one",
                f"add mtu: {target.mtu} to target.cluster.bridges[{unstated[target.bridge]}], if its port supports it",
                row.where.at("target", "mtu"),
            )


@rule("VMF222", "warning", "VLAN differs from the VLAN in vSphere")
def vlan_differs(review: Review) -> Iterator[Problem]:
    """The VMs would start in a different VLAN from the one they left, with the old VLAN's addresses and gateway.

    If the VLAN is renumbered on purpose, suppress this with the reason. An overlay segment has no VLAN to compare.
    """
    for row in Rows(review).rows:
        theirs = row.vsphere_vlan
        if theirs is None:
            continue
        if row.trunk:
            yield Problem(
                f"network {row.original!r} is VLAN {theirs} in vSphere, and its target carries tagged VLANs",
                f"use vlan: {theirs} instead of trunk: guests on an access port group do not tag",
                row.where.at("target"),
            )
        elif row.vlan is not None and row.vlan != theirs:
            stated = getattr(review.spec.networks[row.index].target, "vlan", None) is not None
            yield Problem(
                f"network {row.original!r} is VLAN {theirs} in vSphere, and VLAN {row.vlan} in the target",
                f"set vlan: {theirs}, or suppress this with the reason for changing to {row.vlan}",
                row.where.at("target", "vlan") if stated else row.where.at("source", "vlan"),
            )


@rule("VMF223", "warning", "target does not carry the VLANs of the trunk")
def trunk_not_covered(review: Review) -> Iterator[Problem]:
    """On a trunk port group the guests tag their frames themselves, as virtual firewalls and hypervisors do.

    Frames of VLANs that the target does not list are dropped. A port group for all VLANs does not say which are in use:
    there, any trunk of the target is accepted as a decision.
    """
    for row in Rows(review).rows:
        theirs, target = numbers(row.vsphere_trunk), row.network.target
        if theirs and row.vlan is not None:
            fix = "use trunk instead of vlan" if isinstance(target, BridgeNetwork) else "use type bridge with a trunk"
            yield Problem(
                f"network {row.original!r} is a trunk in vSphere, and access VLAN {row.vlan} in the target",
                f"{fix}, with those VLANs that the guests tag, out of {spelled(theirs)}",
                row.where.at("target"),
            )
        elif row.trunk and len(theirs) < HIGHEST and (missing := theirs - numbers(row.trunk)):
            yield Problem(
                f"network {row.original!r}: VLANs {spelled(missing)} of the trunk in vSphere are missing from "
                "the target's",
                f"add them to trunk, each in quotes: {spelled(missing)}",
                row.where.at("target", "trunk"),
            )


@rule("VMF224", "warning", "bridge is not on the list of the nodes' bridges")
def foreign_bridge(review: Review) -> Iterator[Problem]:
    """The spec lists the bridges of the nodes, and a network uses one that is not listed, often because of a typo.

    On a node without the bridge, a VM stays in ContainerCreating.
    """
    cluster = review.spec.target.cluster
    made = [bridge.name for bridge in cluster.bridges] + [bridge.name for bridge in cluster.existing_bridges]
    for row in Rows(review).rows:
        target = row.network.target
        if made and isinstance(target, BridgeNetwork) and target.bridge not in made:
            close = difflib.get_close_matches(target.bridge, made, n=1)
            yield Problem(
                f"network {row.original!r} uses bridge {target.bridge}, which target.cluster does not list"
                + (f"; did you mean {close[0]}?" if close else ""),
                f"use bridge: {close[0] if close else made[0]}, add {target.bridge} to target.cluster.bridges, "
                "or to existingBridges if the nodes already have it",
                row.where.at("target", "bridge"),
            )


@rule(
    "VMF225",
    "error",
    "network definition is out of the namespace's reach",
    source="OpenShift's Multus: namespaceIsolation with globalNamespaces default, openshift-multus, "
    "openshift-sriov-network-operator, openshift-cnv",
    each=True,
)
def unreachable_nad(review: Review) -> Iterator[Problem]:
    """OpenShift's Multus lets a pod use the definitions of its own namespace and of a few global ones.

    A VM on any other stays in ContainerCreating. A Forklift Plan reaches even fewer; VMF204 covers that.
    """
    if review.spec.target.cluster.distribution != "openshift":
        return
    for item in attached(review):
        nad = item.made.nad if item.machine.path != "forklift" else None
        if nad is None or namespace_of(nad) in (item.machine.namespace, *GLOBAL_NAMESPACES):
            continue
        yield item.subject.problem(
            f"NetworkAttachmentDefinition {nad} is out of reach of namespace {item.machine.namespace}",
            f"create {name_of(nad)} in {item.machine.namespace} or in default, and use it in "
            f"networks[{item.row.index}].target",
            "nics",
            item.made.index,
        )


@rule("VMF226", "warning", "one segment is split across several networks")
def split(review: Review) -> Iterator[Problem]:
    """Rows of one vSphere segment lead to different target networks, so its VMs would not reach each other.

    Networks count as one segment if they have the same subnet, the same NSX segment, or the same VLAN of the same
    switch. Broadcasts, VRRP and ARP do not cross from a VLAN to an overlay or to the pod network.
    """
    alike: defaultdict[Domain, list[Row]] = defaultdict(list)
    for row in Rows(review).rows:
        for identity in row.identities if _lands(row) is not None else ():
            alike[identity].append(row)
    reported: set[tuple[int, ...]] = set()
    for identity, (first, *rest) in sorted(alike.items(), key=lambda item: str(item[0])):
        others = [row for row in rest if _lands(row) != _lands(first)]
        members = (first.index, *(row.index for row in others))
        if others and members not in reported:
            reported.add(members)
            places = ", ".join(f"{row.original!r} to {_lands(row)}" for row in (first, *others))
            yield Problem(
                f"{_named(identity)} is split: {places}",
                f"map networks[{others[0].index}] to the same network as networks[{first.index}], "
                "or correct what makes them look like one segment",
                others[0].where.at("target"),
            )


def _lands(row: Row) -> str | None:
    """Return a row's target layer 2 network in words; None if unknown."""
    match row.network.target:
        case PodNetwork():
            return "the pod network"
        case OvnLayer2():
            return f"overlay {row.network.name or row.original}"
    return f"VLAN {row.vlan}" if row.vlan is not None else None


def _named(identity: Domain) -> str:
    kind, *rest = identity
    return f"VLAN {rest[2]} of switch {rest[1]} in {rest[0]}" if kind == "VLAN" else f"{kind} {rest[-1]}"


@rule("VMF227", "warning", "two segments are merged into one")
def merged(review: Review) -> Iterator[Problem]:
    """Networks that were separate in vSphere share a broadcast domain in the target, often because of a copied line.

    The firewall between them is gone, two DHCP servers answer, and identical addresses conflict.
    """
    for first, row in _together(review):
        if _apart(first, row):
            yield Problem(
                f"networks {first.original!r} and {row.original!r} are separate in vSphere, and one network in "
                "the target",
                f"give networks[{row.index}] its own target: it has the one of networks[{first.index}]",
                row.where.at("target"),
            )


@rule("VMF228", "info", "one segment in two NetworkAttachmentDefinitions")
def twins(review: Review) -> Iterator[Problem]:
    """Two rows for one segment create two definitions with the same content: VMs that are neighbours look unrelated.

    It works, but whatever is bound to one of the definitions (a smoke test, a policy) misses half of the VMs.
    """
    for first, row in _together(review):
        same_vlan = first.vsphere_vlan is not None and first.vsphere_vlan == row.vsphere_vlan
        if isinstance(row.network.target, ExistingNad) or _apart(first, row):
            continue
        if same_vlan or first.identities & row.identities:
            yield Problem(
                f"networks {first.original!r} and {row.original!r} are one segment with two definitions",
                "create one definition by hand and map both to it (type: nad), or leave it as it is",
                row.where.at("target"),
            )


def _together(review: Review) -> Iterator[tuple[Row, Row]]:
    """Yield rows that share a broadcast domain with an earlier one, after that."""
    first: dict[Domain, Row] = {}
    for row in Rows(review).rows:
        if row.domain is not None and (known := first.setdefault(row.domain, row)) is not row:
            yield known, row


def _apart(one: Row, other: Row) -> bool:
    """Return whether two rows are known to be different segments in vSphere."""
    if one.identities & other.identities:
        return False
    if one.vsphere_vlan is not None and other.vsphere_vlan is not None:
        return one.vsphere_vlan != other.vsphere_vlan
    if subnet(one.network) is not None and subnet(other.network) is not None:
        return True
    return one.network.source.segment is not None and other.network.source.segment is not None


@rule("VMF230", "warning", "address of a network is outside its subnet")
def outside(review: Review) -> Iterator[Problem]:
    """The gateway, the smoke test's addresses or OVN's subnets are not in the subnet that the network states.

    One of the two is wrong, and whoever plans with it, or the smoke test, finds out late.
    """
    for row in Rows(review).rows:
        net = subnet(row.network)
        for what, text, path in _stated(row.network):
            ip = address(text)
            if net is not None and ip is not None and ip.version == net.version and ip not in net:
                yield Problem(
                    f"network {row.original!r}: {what} {text} is outside its subnet {net}",
                    f"correct it, or networks[{row.index}].subnet",
                    row.where.at(*path),
                )


def _stated(network: Network) -> Iterator[tuple[str, str, Path]]:
    """Yield the addresses of a network, with their meaning and place."""
    if network.gateway is not None:
        yield "gateway", network.gateway, ("gateway",)
    for index, text in enumerate(network.smoke_test.addresses if network.smoke_test is not None else ()):
        yield "smoke-test address", text, ("smokeTest", "addresses", index)
    target = network.target
    for index, text in enumerate(target.subnets if isinstance(target, OvnLocalnet | OvnLayer2) else ()):
        yield "OVN's subnet", text, ("target", "subnets", index)
