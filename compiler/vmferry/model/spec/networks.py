"""The network map of a spec: the target of each network in vSphere."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from vmferry.model.base import (
    Address,
    Cidr,
    InterfaceName,
    Model,
    Mtu,
    Name,
    Reason,
    ResourceName,
    Subdomain,
    Text,
    Trunk,
    Vlan,
)


class NetworkSource(Model, frozen=True, kw_only=True):
    """A network in vSphere: either an NSX segment or a port group."""

    segment: Annotated[Text, Meta(description="NSX segment (NSX-T) or logical switch (NSX-V), by name.")] | None = None
    port_group: Annotated[Text, Meta(description="Standard or distributed port group, by name.")] | None = None
    id: Annotated[Text, Meta(description="Managed object id, as in dvportgroup-42.")] | None = None
    source: Annotated[Name, Meta(description="Its vCenter. Default: any.")] | None = None
    datacenter: (
        Annotated[Text, Meta(description="Its datacenter, if several have a network with this name. Default: any.")]
        | None
    ) = None
    switch: (
        Annotated[Text, Meta(description="Its switch, if several have a network with this name. Default: any.")] | None
    ) = None
    kind: Annotated[Literal["nsx-t", "nsx-v", "distributed", "standard"], Meta(description="What it is.")] | None = None
    transport_zone: Annotated[Literal["overlay", "vlan"], Meta(description="Transport zone of a segment.")] | None = (
        None
    )
    vlan: Annotated[Vlan, Meta(description="VLAN of a port group.")] | None = None
    trunk: Annotated[Trunk, Meta(description="VLANs of a trunk (guest tagging).")] = ()


class PodNetwork(Model, frozen=True, kw_only=True, tag_field="type", tag="pod"):
    """The cluster's pod network, with masquerade; the VM's own address is not kept."""


class BridgeNetwork(Model, frozen=True, kw_only=True, tag_field="type", tag="bridge"):
    """A Linux bridge on the nodes."""

    bridge: Annotated[InterfaceName, Meta(description="The bridge.")]
    vlan: Annotated[Vlan, Meta(description="VLAN of the port.")] | None = None
    trunk: Annotated[Trunk, Meta(description="VLANs the guest may tag, instead of vlan.")] = ()
    untagged: Annotated[bool, Meta(description="Deliberately no VLAN: the bridge's native network.")] = False
    mtu: Annotated[Mtu, Meta(description="MTU.")] | None = None
    macspoofchk: Annotated[bool, Meta(description="Drop frames with another source MAC.")] = True
    bridge_type: Annotated[Literal["bridge", "cnv-bridge"], Meta(description="CNI plugin.")] = "bridge"
    marker: Annotated[bool, Meta(description="Schedule to nodes that have the bridge (requires bridge-marker).")] = (
        False
    )


class MacvtapNetwork(Model, frozen=True, kw_only=True, tag_field="type", tag="macvtap"):
    """A macvtap device; VMs on it cannot live-migrate."""

    resource: Annotated[Name, Meta(description="Name in the macvtap device plugin's configuration.")]
    untagged: Annotated[
        bool, Meta(description="Deliberately no VLAN here: the parent interface carries the network's.")
    ] = False
    mtu: Annotated[Mtu, Meta(description="MTU.")] | None = None


class OvnLocalnet(Model, frozen=True, kw_only=True, tag_field="type", tag="ovn-localnet"):
    """OVN-Kubernetes on a physical network."""

    physical_network: Annotated[Text, Meta(description="Name of the bridge mapping.")]
    vlan: Annotated[Vlan, Meta(description="VLAN.")] | None = None
    untagged: Annotated[bool, Meta(description="Deliberately no VLAN.")] = False
    mtu: Annotated[Mtu, Meta(description="MTU.")] | None = None
    subnets: Annotated[
        tuple[Cidr, ...], Meta(description="Subnets OVN assigns addresses from; none for static guests.")
    ] = ()
    exclude_subnets: Annotated[
        tuple[Cidr, ...],
        Meta(description="Addresses in them that OVN must not assign: gateways, and whatever else has one there."),
    ] = ()


class OvnLayer2(Model, frozen=True, kw_only=True, tag_field="type", tag="ovn-layer2"):
    """An OVN-Kubernetes overlay: east-west traffic only, as on an NSX overlay segment without a gateway."""

    mtu: Annotated[Mtu, Meta(description="MTU.")] | None = None
    subnets: Annotated[
        tuple[Cidr, ...], Meta(description="Subnets OVN assigns addresses from; none for static guests.")
    ] = ()
    exclude_subnets: Annotated[
        tuple[Cidr, ...],
        Meta(description="Addresses in them that OVN must not assign: gateways, and whatever else has one there."),
    ] = ()


class SriovNetwork(Model, frozen=True, kw_only=True, tag_field="type", tag="sriov"):
    """SR-IOV virtual functions."""

    resource_name: Annotated[ResourceName, Meta(description="Resource of the device plugin.")]
    vlan: Annotated[Vlan, Meta(description="VLAN.")] | None = None
    untagged: Annotated[bool, Meta(description="Deliberately no VLAN.")] = False
    spoofchk: Annotated[bool, Meta(description="Check for spoofed MACs.")] = True
    trust: Annotated[bool, Meta(description="Trust the virtual function.")] = False


class ExistingNad(Model, frozen=True, kw_only=True, tag_field="type", tag="nad"):
    """A NetworkAttachmentDefinition that exists already."""

    name: Annotated[Subdomain, Meta(description="Its name.")]
    namespace: Annotated[Name, Meta(description="Its namespace. Default: the VM's.")] | None = None
    binding: Annotated[Literal["bridge", "sriov", "macvtap"], Meta(description="How KubeVirt binds to it.")] = "bridge"
    pool: Annotated[
        tuple[Subdomain, ...],
        Meta(
            description="Additional definitions of the same network, in the same namespace: the second NIC of a VM "
            "uses the first of them, and so on. Forklift 2.11.1 to 2.12 uses a definition only once per VM."
        ),
    ] = ()


class IgnoredNetwork(Model, frozen=True, kw_only=True, tag_field="type", tag="ignored"):
    """Deliberately not connected: the VMs arrive without their NICs on it, which are counted and reported."""

    reason: Annotated[Reason, Meta(description="Why it is not needed.")]


NetworkTarget: TypeAlias = (
    PodNetwork | BridgeNetwork | MacvtapNetwork | OvnLocalnet | OvnLayer2 | SriovNetwork | ExistingNad | IgnoredNetwork
)


class SmokeTest(Model, frozen=True, kw_only=True):
    """Two small VMs on the network that ping each other, before anything moves."""

    addresses: Annotated[tuple[Cidr, Cidr], Meta(description="Two free addresses of the network, one per VM.")]
    namespace: Annotated[Name, Meta(description="Namespace they run in.")]


class Network(Model, frozen=True, kw_only=True):
    """The target of a network in vSphere."""

    name: (
        Annotated[
            Name,
            Meta(description="Name of the NetworkAttachmentDefinition. Default: from the source's name."),
        ]
        | None
    ) = None
    source: Annotated[NetworkSource, Meta(description="The network in vSphere.")]
    target: Annotated[NetworkTarget, Meta(description="What the VMs are attached to.")]
    layer: (
        Annotated[
            Literal[2, 3],
            Meta(description="What the VMs need: 2 for broadcast, VRRP, their own addresses; the pod network is 3."),
        ]
        | None
    ) = None
    subnet: Annotated[Cidr, Meta(description="Its subnet.")] | None = None
    gateway: Annotated[Address, Meta(description="Its gateway.")] | None = None
    dhcp: Annotated[bool, Meta(description="It has a DHCP server.")] | None = None
    smoke_test: Annotated[SmokeTest, Meta(description="A pair of VMs that tests it.")] | None = None
