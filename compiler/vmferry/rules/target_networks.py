"""Whether the cluster has what its networks need: VLAN filtering, MTU, bridge mappings, plugins."""

import difflib
from collections import defaultdict
from collections.abc import Iterator

from vmferry.estate.segments import Row, Rows
from vmferry.kube.nodes import NO_NMSTATE
from vmferry.model.review import Problem, Review
from vmferry.model.spec import BridgeNetwork, MacvtapNetwork, OvnLayer2, OvnLocalnet, SriovNetwork
from vmferry.rules.registry import rule

_ETHERNET = 1500
_GENEVE = 58  # bytes of IPv4, UDP, Geneve with OVN's option, and the inner Ethernet header
_RESERVED = 100  # what OVN-Kubernetes itself leaves: its default MTU is 1400
_FILTERING = "containernetworking/plugins plugins/main/bridge/bridge.go (ensureBridge), issues 533 and 231"


@rule("VMF240", "info", "VLAN on a bridge that may not filter VLANs", source=_FILTERING)
def unfiltered(review: Review) -> Iterator[Problem]:
    """The CNI plugin turns on VLAN filtering only for a bridge that it creates itself.

    On an existing bridge without it, a network's VLAN does nothing: the VM lands in the native VLAN, and nothing
    reports an error. Bridges of `target.cluster.bridges` get it from their node policy. For any other bridge, someone
    has to check.
    """
    cluster = review.spec.target.cluster
    known = {bridge.name for bridge in cluster.bridges}
    known |= {bridge.name for bridge in cluster.existing_bridges if bridge.vlan_filtering is not None}
    for bridge, rows in _tagged(review).items():
        if bridge not in known:
            yield Problem(
                f"bridge {bridge} carries VLANs of {_named(rows)}, and nothing in the spec turns on its VLAN filtering",
                f"check that `ip -d link show {bridge}` has vlan_filtering 1 on every node, and state it: "
                f"target.cluster.existingBridges: [{{name: {bridge}, vlanFiltering: true}}]; or have vmferry "
                "create the "
                "bridge (target.cluster.bridges)",
                rows[0].where.at("target", "bridge"),
            )


@rule("VMF241", "error", "VLAN on a bridge without VLAN filtering", source=_FILTERING)
def filtering_off(review: Review) -> Iterator[Problem]:
    """The spec says that the bridge does not filter VLANs: those of its networks are ignored, and its VMs meet."""
    off = {b.name for b in review.spec.target.cluster.existing_bridges if b.vlan_filtering is False}
    for bridge, rows in _tagged(review).items():
        if bridge in off:
            yield Problem(
                f"bridge {bridge} carries VLANs of {_named(rows)}, and its VLAN filtering is off",
                "turn it on (nmstate does for a port with `vlan`), or set untagged: true if it has only one network",
                rows[0].where.at("target"),
            )


def _tagged(review: Review) -> dict[str, list[Row]]:
    """Return the rows with a VLAN or a trunk by their bridge."""
    result: defaultdict[str, list[Row]] = defaultdict(list)
    for row in Rows(review).rows:
        target = row.network.target
        if isinstance(target, BridgeNetwork) and (row.vlan or row.trunk):
            result[target.bridge].append(row)
    return result


def _named(rows: list[Row]) -> str:
    names = [repr(row.original) for row in rows]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"network{'s' if len(names) > 1 else ''} {', '.join(names[:3])}{more}"


@rule(
    "VMF242",
    "warning",
    "nmstate cannot create bridges on these nodes",
    source="nmstate/nmstate works through NetworkManager; siderolabs/talos issue 8941",
)
def no_nmstate(review: Review) -> Iterator[Problem]:
    """`target.cluster.bridges` becomes a NodeNetworkConfigurationPolicy, which kubernetes-nmstate applies.

    If the nodes do not use NetworkManager, nothing applies it: no bridge appears, and VMs stay in ContainerCreating.
    """
    cluster = review.spec.target.cluster
    if cluster.bridges and cluster.distribution in NO_NMSTATE:
        names = ", ".join(bridge.name for bridge in cluster.bridges)
        yield Problem(
            f"bridge {names}: {NO_NMSTATE[cluster.distribution]}",
            "create the bridges the distribution's way, with VLAN filtering, and list them in "
            "target.cluster.existingBridges instead",
            review.at("target", "cluster", "bridges"),
        )


@rule(
    "VMF243",
    "info",
    "networks need components in the cluster",
    source="kubevirt/user-guide docs/network/net_binding_plugins/macvtap.md, docs/network/interfaces_and_networks.md; "
    "ovn-kubernetes docs/features/multiple-networks/multi-homing.md; nmstate/kubernetes-nmstate",
)
def prerequisites(review: Review) -> Iterator[Problem]:
    """A network can need an operator, a plugin or a mapping that the migration's manifests do not bring along.

    Without it, VMs stay in ContainerCreating or Pending. Suppress this once the cluster has them.
    """
    cluster = review.spec.target.cluster
    if cluster.bridges and cluster.distribution not in NO_NMSTATE:
        yield Problem(
            "bridges on the nodes are created by kubernetes-nmstate, through NetworkManager",
            "install its operator, and make sure that NetworkManager manages the nodes' interfaces",
            review.at("target", "cluster", "bridges"),
        )
    reported: set[str] = set()
    for row in Rows(review).rows:
        for message, fix in _needs(review, row):
            if message not in reported:
                reported.add(message)
                yield Problem(message, fix, row.where.at("target"))


def _needs(review: Review, row: Row) -> Iterator[tuple[str, str]]:
    cluster, target = review.spec.target.cluster, row.network.target
    match target:
        case MacvtapNetwork():
            yield (
                f"macvtap resource {target.resource} needs the macvtap device plugin, and a binding plugin in KubeVirt",
                (
                    f"add {target.resource} to the device plugin's ConfigMap, on the interface that carries the VLAN; "
                    "register `macvtap` in the KubeVirt CR (configuration.network.binding)"
                ),
            )
        case SriovNetwork():
            yield (
                f"SR-IOV resource {target.resource_name} comes from the SR-IOV device plugin",
                "create a node policy with deviceType: vfio-pci, and enable the IOMMU of the nodes",
            )
        case OvnLocalnet() if cluster.physical_networks is None:
            yield (
                f"physical network {target.physical_network} needs a bridge mapping on every node that runs VMs",
                (
                    f"map it (nmstate: ovn.bridge-mappings, localnet: {target.physical_network}), and list it in "
                    "target.cluster.physicalNetworks"
                ),
            )
        case BridgeNetwork(bridge_type="cnv-bridge") if cluster.distribution != "openshift":
            yield (
                "the CNI plugin cnv-bridge comes with the cluster-network-addons-operator",
                "install it with its linuxBridge component, or set bridgeType: bridge",
            )


@rule("VMF247", "warning", "physical network without a bridge mapping")
def unmapped(review: Review) -> Iterator[Problem]:
    """OVN-Kubernetes finds a physical network by its name in the bridge mappings.

    The spec lists those that the cluster has, and a network uses a different one: its VMs would have a link to nowhere.
    """
    stated = review.spec.target.cluster.physical_networks
    names = [network.name for network in stated or ()]
    for row in Rows(review).rows:
        target = row.network.target
        if stated is not None and isinstance(target, OvnLocalnet) and target.physical_network not in names:
            close = difflib.get_close_matches(target.physical_network, names, n=1)
            yield Problem(
                f"network {row.original!r} is on physical network {target.physical_network}, which is not in "
                f"target.cluster.physicalNetworks{f'; did you mean {close[0]}?' if close else ''}",
                "correct the name, or add a bridge mapping for it on the nodes and list it there",
                row.where.at("target", "physicalNetwork"),
            )


@rule(
    "VMF245",
    "warning",
    "OVN overlay without an MTU",
    source="ovn-kubernetes docs/features/multiple-networks/multi-homing.md (mtu: chosen by the kernel), "
    "go-controller/pkg/cni/cni.go",
)
def overlay_without_mtu(review: Review) -> Iterator[Problem]:
    """Without `mtu`, a link of the overlay has the kernel's 1500 bytes, and the tunnel between nodes needs some.

    Small packets pass, and large ones are lost as soon as two VMs are on different nodes: logins work, copies hang.
    """
    nodes = review.spec.target.cluster.mtu
    for row in Rows(review).rows:
        target = row.network.target
        if isinstance(target, OvnLayer2) and target.mtu is None and (nodes or 0) < _ETHERNET + _GENEVE:
            fix = f"set mtu: {(nodes or _ETHERNET) - _RESERVED} in its target"
            if nodes is None:
                fix += ", for a network of 1500 between the nodes; if that has more, state target.cluster.mtu"
            yield Problem(
                f"network {row.original!r} is an OVN overlay without an MTU: its links get {_ETHERNET}, and Geneve "
                f"takes up to {_RESERVED} of what the network between the nodes carries",
                fix,
                row.where.at("target"),
            )


@rule("VMF246", "error", "MTU is larger than the underlying network's")
def too_large(review: Review) -> Iterator[Problem]:
    """Frames that are too large for the bridge, the physical network or the tunnel are dropped without an error."""
    for row in Rows(review).rows:
        carrier = _carrier(review, row)
        mtu = getattr(row.network.target, "mtu", None)
        if carrier is None or mtu is None or mtu <= carrier[1]:
            continue
        what, most = carrier
        yield Problem(
            f"network {row.original!r} has MTU {mtu}, and {what} at most {most}",
            f"lower mtu to {most} or less, or raise the MTU of the underlying network",
            row.where.at("target", "mtu"),
        )


def _carrier(review: Review, row: Row) -> tuple[str, int] | None:
    """Return the carrier of a network, and its maximum frame size; None if unknown."""
    cluster, target = review.spec.target.cluster, row.network.target
    match target:
        case OvnLayer2() if cluster.mtu is not None:
            return f"Geneve over the nodes' MTU of {cluster.mtu} carries", cluster.mtu - _GENEVE
        case OvnLocalnet():
            found = {network.name: network.mtu for network in cluster.physical_networks or ()}
            mtu, what = found.get(target.physical_network), f"physical network {target.physical_network} carries"
        case BridgeNetwork():
            mtu = {bridge.name: bridge.mtu for bridge in cluster.existing_bridges}.get(target.bridge)
            what = f"bridge {target.bridge} carries"
        case _:
            return None
    return (what, mtu) if mtu is not None else None
