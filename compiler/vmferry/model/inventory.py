"""The inventory: facts from vCenter or RVTools, generated and committed, never edited."""

from typing import Annotated, Literal

from msgspec import Meta

from vmferry.model.base import Model, Mtu, Name, Size, Text, Trunk, Vlan
from vmferry.model.nsx import Nsx
from vmferry.model.spec import ApiVersion, Decisions, VirtualMachine

FACTS = tuple(
    name
    for name in VirtualMachine.__struct_fields__
    if name not in Decisions.__struct_fields__
    and name not in ("depends_on", "application", "clone_of", "readdress", "dns", "target_name", "suppress")
)
"""Fields of a VM that an inventory may state: facts, no decisions."""


class InventoryMetadata(Model, frozen=True, kw_only=True):
    """Name of one part of an inventory."""

    name: Annotated[Text, Meta(description="SOURCE, or SOURCE and what the part has.")]


class Origin(Model, frozen=True, kw_only=True):
    """Where an inventory comes from."""

    name: Annotated[Name, Meta(description="Name of the source, as in the spec.")]
    kind: Annotated[Name, Meta(description="The importer that read it, as in rvtools.")]
    version: Annotated[Text, Meta(description="Version of vCenter or RVTools.")] | None = None
    instance_uuid: Annotated[Text, Meta(description="UUID of the vCenter.")] | None = None
    url: Annotated[Text, Meta(description="SDK address of the vCenter, without credentials.")] | None = None
    taken: Annotated[Text, Meta(description="When it was read (RFC 3339).")] | None = None
    by: Annotated[Text, Meta(description="Program that wrote the file.")] | None = None


class InventoryNetwork(Model, frozen=True, kw_only=True):
    """A network in vSphere."""

    name: Annotated[Text, Meta(description="Its name.")]
    id: Annotated[Text, Meta(description="Managed object id, as in dvportgroup-42.")] | None = None
    kind: Annotated[Literal["nsx-t", "nsx-v", "distributed", "standard"], Meta(description="What it is.")] | None = None
    switch: Annotated[Text, Meta(description="Its switch.")] | None = None
    datacenter: Annotated[Text, Meta(description="Its datacenter, if only one has it.")] | None = None
    vlan: Annotated[Vlan, Meta(description="VLAN.")] | None = None
    trunk: Annotated[Trunk, Meta(description="VLANs of a trunk.")] = ()
    untagged: Annotated[bool, Meta(description="It has VLAN 0: frames without a tag.")] = False
    segment_id: Annotated[Text, Meta(description="NSX segment or opaque network id.")] | None = None
    transport_zone: Annotated[Text, Meta(description="NSX transport zone.")] | None = None
    mtu: Annotated[Mtu, Meta(description="MTU of its switch.")] | None = None
    uplink: Annotated[bool, Meta(description="Carries uplinks; no VM is on it.")] = False
    accepts: Annotated[
        tuple[Literal["promiscuous", "macChanges", "forgedTransmits", "macLearning"], ...],
        Meta(description="What its security policy accepts."),
    ] = ()


class InventoryDatastore(Model, frozen=True, kw_only=True):
    """A datastore."""

    name: Annotated[Text, Meta(description="Its name.")]
    id: Annotated[Text, Meta(description="Managed object id.")] | None = None
    kind: Annotated[Text, Meta(description="VMFS, NFS, vsan, …")] | None = None
    capacity: Annotated[int, Meta(ge=0, description="Capacity in bytes.")] | None = None
    free: Annotated[int, Meta(ge=0, description="Free space in bytes, rounded down.")] | None = None


class InventoryHost(Model, frozen=True, kw_only=True):
    """An ESXi host."""

    name: Annotated[Text, Meta(description="Its name.")]
    id: Annotated[Text, Meta(description="Managed object id.")] | None = None
    cluster: Annotated[Text, Meta(description="Its cluster.")] | None = None
    cpu_model: Annotated[Text, Meta(description="CPU model.")] | None = None
    cpus: Annotated[int, Meta(ge=0, description="CPU packages (sockets).")] | None = None
    cores: Annotated[int, Meta(ge=0, description="CPU cores.")] | None = None
    memory: Annotated[int, Meta(ge=0, description="Memory in bytes.")] | None = None
    nics: Annotated[int, Meta(ge=0, description="Physical NICs.")] | None = None
    iommu: (
        Annotated[bool, Meta(description="Its IOMMU (VT-d, AMD-Vi) is on: some PCI device can be passed through.")]
        | None
    ) = None
    version: Annotated[Text, Meta(description="ESXi version.")] | None = None


class InventoryRule(Model, frozen=True, kw_only=True):
    """A rule of a cluster."""

    name: Annotated[Text, Meta(description="Its name.")]
    kind: Annotated[
        Literal["affinity", "anti-affinity", "host-affinity", "dependency", "other"], Meta(description="Kind.")
    ]
    vms: Annotated[tuple[Text, ...], Meta(description="Its VMs, by id or name.")] = ()
    enabled: Annotated[bool, Meta(description="It is enabled.")] = True


class InventoryCluster(Model, frozen=True, kw_only=True):
    """A cluster."""

    name: Annotated[Text, Meta(description="Its name.")]
    id: Annotated[Text, Meta(description="Managed object id.")] | None = None
    datacenter: Annotated[Text, Meta(description="Its datacenter.")] | None = None
    drs: Annotated[bool, Meta(description="DRS is on.")] | None = None
    dpm: Annotated[bool, Meta(description="DPM is on.")] | None = None
    ha: Annotated[bool, Meta(description="HA is on.")] | None = None
    rules: Annotated[tuple[InventoryRule, ...], Meta(description="Its rules.")] = ()


class ResourcePool(Model, frozen=True, kw_only=True):
    """A resource pool."""

    path: Annotated[Text, Meta(description="Its path, as in Prod/Web.")]
    cluster: Annotated[Text, Meta(description="Its cluster.")] | None = None
    cpu_limit: Annotated[int, Meta(description="CPU limit in MHz.")] | None = None
    memory_limit: Annotated[Size, Meta(description="Memory limit.")] | None = None


class InventoryRole(Model, frozen=True, kw_only=True):
    """A role that some permission gives. Roles that nobody has are left out."""

    name: Annotated[Text, Meta(description="Its name.")]
    builtin: Annotated[bool, Meta(description="It is one of vCenter's own.")] = False
    privileges: Annotated[
        tuple[Text, ...], Meta(description="What it allows, as in VirtualMachine.Interact.PowerOn.")
    ] = ()


EntityKind = Literal[
    "root",
    "datacenter-folder",
    "datacenter",
    "vm-folder",
    "compute-folder",
    "cluster",
    "host",
    "resource-pool",
    "vm",
    "datastore",
    "network",
    "other",
]
"""What a permission can be set on."""


class InventoryPermission(Model, frozen=True, kw_only=True):
    """A role of a user or group on an object, and on what is below it if it propagates."""

    principal: Annotated[Text, Meta(description="The user or group; a stand-in unless names were asked for.")]
    group: Annotated[bool, Meta(description="It is a group.")] = False
    service: Annotated[bool, Meta(description="It is one of vSphere's own services, not a person.")] = False
    role: Annotated[Text, Meta(description="The role, by name.")]
    kind: Annotated[EntityKind, Meta(description="What kind of object it is set on.")]
    id: Annotated[Text, Meta(description="Managed object id of the object.")] | None = None
    path: Annotated[
        Text, Meta(description="Path or name of the object: /Prod/Web of a folder, Prod/Web of a resource pool.")
    ]
    datacenter: Annotated[Text, Meta(description="Datacenter of the object.")] | None = None
    cluster: (
        Annotated[Text, Meta(description="Cluster of a host or resource pool; of a pool also its standalone host.")]
        | None
    ) = None
    contains: Annotated[
        tuple[Text, ...],
        Meta(description="Datacenters below a folder of datacenters; clusters and hosts below one of computers."),
    ] = ()
    propagate: Annotated[bool, Meta(description="It also holds for what is below the object.")] = True


class Unjoined(Model, frozen=True, kw_only=True):
    """A row of an export without a VM: reported, never dropped silently."""

    tab: Annotated[Text, Meta(description="Tab it is in.")]
    row: Annotated[int, Meta(ge=1, description="Row in the tab; the header is row 1.")]
    vm: Annotated[str, Meta(description="What it says about its VM.")]
    reason: Annotated[Text, Meta(description="Why it matches no VM.")]


class Inventory(Model, frozen=True, kw_only=True):
    """One part of an inventory. A source has one with its surroundings, one with permissions, and one per cluster."""

    api_version: Annotated[ApiVersion, Meta(description="Version of the format.")] = "vmferry.dev/v1alpha1"
    kind: Annotated[Literal["Inventory"], Meta(description="Kind of the file.")] = "Inventory"
    metadata: Annotated[InventoryMetadata, Meta(description="Name.")]
    source: Annotated[Origin, Meta(description="Where it comes from.")]
    vms: Annotated[tuple[VirtualMachine, ...], Meta(description="VMs: facts only.")] = ()
    networks: Annotated[tuple[InventoryNetwork, ...], Meta(description="Networks.")] = ()
    datastores: Annotated[tuple[InventoryDatastore, ...], Meta(description="Datastores.")] = ()
    clusters: Annotated[tuple[InventoryCluster, ...], Meta(description="Clusters.")] = ()
    hosts: Annotated[tuple[InventoryHost, ...], Meta(description="Hosts.")] = ()
    resource_pools: Annotated[tuple[ResourcePool, ...], Meta(description="Resource pools.")] = ()
    roles: Annotated[tuple[InventoryRole, ...], Meta(description="Roles that people have.")] = ()
    permissions: Annotated[tuple[InventoryPermission, ...], Meta(description="Who has which role where.")] = ()
    unjoined: Annotated[tuple[Unjoined, ...], Meta(description="Rows that match no VM.")] = ()
    nsx: Annotated[Nsx, Meta(description="What an NSX Manager says; such a part has nothing else.")] | None = None
