"""The migration spec: what people decide, as they write it in YAML."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, field

from vmferry.model.application import Application, CpuQuantity, NamedPort
from vmferry.model.base import (
    API_VERSION,
    Address,
    BranchOrVersion,
    Cidr,
    Day,
    Duration,
    Image,
    InterfaceName,
    LabelKey,
    Labels,
    LabelValue,
    Model,
    Mtu,
    Name,
    Reason,
    ResourceName,
    RuleCode,
    ShortName,
    Size,
    Subdomain,
    Text,
    Timestamp,
    Trunk,
    Uuid,
    Version,
    Vlan,
)
from vmferry.model.facts import Baseline, Cpu, Device, Disk, Firmware, GuestDisk, Nic, OsFamily, PowerState
from vmferry.model.forklift import AapJob, ConversionStorage, ForkliftDecisions, Offload, ScriptSet

Disposition = Literal["migrate", "rebuild", "retire", "retain", "exclude"]
PathChoice = Literal["auto", "forklift", "virt-v2v", "rebuild"]
Method = Literal["warm", "cold", "job", "image", "rebuild"]
LiveMigration = Literal["required", "preferred", "none"]
RunStrategy = Literal["Always", "RerunOnFailure", "Manual", "Halted"]
Stage = Literal["planned", "prepared", "migrating", "cutover"]  # in order
AccessMode = Literal["ReadWriteMany", "ReadWriteOnce", "ReadOnlyMany"]
VolumeMode = Literal["Block", "Filesystem"]
PhaseKind = Literal["migrate", "dev-test", "stateless", "stateful", "decommission"]
Cni = Literal["cilium", "calico", "ovn-kubernetes", "antrea", "kube-router", "weave", "flannel", "kindnet", "none"]
Distribution = Literal["kubernetes", "openshift", "rke2", "k3s", "talos", "eks", "gke", "aks"]
ApiVersion = Literal["vmferry.dev/v1alpha1"]
assert ApiVersion.__args__ == (API_VERSION,)  # type: ignore[attr-defined]  # noqa: S101


class Metadata(Model, frozen=True, kw_only=True):
    """Name of the migration."""

    name: Annotated[ShortName, Meta(description="Prefix of names that share a namespace with other migrations.")]


# --- sources ---------------------------------------------------------------------------------


class SecretRef(Model, frozen=True, kw_only=True):
    """A Secret that exists already."""

    name: Annotated[Subdomain, Meta(description="Its name.")]


class StoreRef(Model, frozen=True, kw_only=True):
    """A SecretStore of the External Secrets operator."""

    name: Annotated[Subdomain, Meta(description="Its name.")]
    kind: Annotated[Literal["SecretStore", "ClusterSecretStore"], Meta(description="Its kind.")] = "ClusterSecretStore"


class ExternalSecret(Model, frozen=True, kw_only=True):
    """An ExternalSecret for vmferry to emit."""

    store_ref: Annotated[StoreRef, Meta(description="The store.")]
    key: Annotated[Text, Meta(description="Key in the store, with properties user, password and cacert.")]
    refresh_interval: Annotated[Duration, Meta(description="How often it is read.")] = "1h"
    api_version: Annotated[
        Literal["external-secrets.io/v1", "external-secrets.io/v1beta1"],
        Meta(description="Version of the operator's API."),
    ] = "external-secrets.io/v1"


class Credentials(Model, frozen=True, kw_only=True):
    """Where the user and password of a vCenter or ESXi host are found; exactly one. Never the values."""

    secret_ref: Annotated[SecretRef, Meta(description="An existing Secret.")] | None = None
    external_secret: Annotated[ExternalSecret, Meta(description="An ExternalSecret to emit.")] | None = None
    file: (
        Annotated[Text, Meta(description="A SealedSecret or SOPS file beside the spec, carried byte for byte.")] | None
    ) = None


class EsxiHost(Model, frozen=True, kw_only=True):
    """An ESXi host that Forklift copies from directly."""

    name: Annotated[Text, Meta(description="Its name in vCenter.")]
    id: Annotated[Text, Meta(description="Its managed object id, as in host-21.")] | None = None
    ip_address: Annotated[Address, Meta(description="The address to copy from.")]
    credentials: Annotated[Credentials, Meta(description="Credentials of the host.")]


class VCenter(Model, frozen=True, kw_only=True):
    """A vCenter server."""

    url: Annotated[
        str,
        Meta(
            pattern=r"^https://[^/@\s]+(:[0-9]+)?/sdk$(?!\n)",
            description="Its SDK address, https://HOST/sdk, without credentials.",
        ),
    ]
    credentials: Annotated[Credentials, Meta(description="Credentials Forklift uses, in its namespace.")]
    conversion_credentials: (
        Annotated[
            Credentials,
            Meta(description="Read-only credentials of virt-v2v Jobs, in every namespace they run in."),
        ]
        | None
    ) = None
    thumbprint: (
        Annotated[
            str,
            Meta(pattern=r"^[0-9A-F]{2}(:[0-9A-F]{2}){19}$(?!\n)", description="SHA-1 thumbprint of its certificate."),
        ]
        | None
    ) = None
    insecure_skip_verify: Annotated[bool, Meta(description="Do not verify its certificate.")] = False
    vddk_image: Annotated[Image, Meta(description="Image that holds VMware's VDDK.")] | None = None
    sdk_endpoint: Annotated[Literal["vcenter", "esxi"], Meta(description="What the URL leads to.")] = "vcenter"
    parallel_conversions: Annotated[
        int,
        Meta(
            ge=1,
            le=500,
            description="Conversion Jobs that read from it at once, over all namespaces; the others wait their turn.",
        ),
    ] = 10
    settings: Annotated[
        dict[Literal["useVddkAioOptimization", "vddkConfig", "esxiCloneMethod"], str],
        Meta(description="Further settings of the Forklift Provider."),
    ] = {}
    hosts: Annotated[tuple[EsxiHost, ...], Meta(description="ESXi hosts to copy from directly.")] = ()


class Source(Model, frozen=True, kw_only=True):
    """Where VMs come from."""

    name: Annotated[Name, Meta(description="Name that VMs refer to.")]
    vcenter: Annotated[VCenter, Meta(description="The vCenter.")]


# --- target ----------------------------------------------------------------------------------


class Versions(Model, frozen=True, kw_only=True):
    """Releases of what runs in the target: they decide which fields may be emitted. Each defaults to the newest.

    A version without a patch stands for every patch of it.
    """

    kubernetes: Annotated[Version, Meta(description="Kubernetes.")] = "1.37"
    kubevirt: Annotated[Version, Meta(description="KubeVirt.")] = "1.9"
    cdi: Annotated[Version, Meta(description="Containerized Data Importer.")] = "1.66"
    forklift: Annotated[BranchOrVersion, Meta(description="Forklift.")] = "2.12"
    flux: Annotated[Version, Meta(description="Flux, where it is the engine.")] = "2.10"
    argocd: Annotated[Version, Meta(description="Argo CD, where it is the engine.")] = "3.6"


class NodePool(Model, frozen=True, kw_only=True):
    """Nodes of one kind."""

    name: Annotated[Name, Meta(description="Name of the pool.")]
    count: Annotated[int, Meta(ge=1, le=10000, description="Number of nodes.")]
    cpu: Annotated[int, Meta(ge=1, le=4096, description="CPU threads a node.")]
    memory: Annotated[Size, Meta(description="Memory a node.")]
    zone: Annotated[LabelValue, Meta(description="Availability zone.")] | None = None
    cpu_model: Annotated[Text, Meta(description="CPU model, as libvirt names it.")] | None = None
    resources: Annotated[dict[LabelKey, int], Meta(description="Devices a node, by resource name.")] = {}


class NodeBridge(Model, frozen=True, kw_only=True):
    """A Linux bridge on the nodes, that a NodeNetworkConfigurationPolicy makes."""

    name: Annotated[InterfaceName, Meta(description="The bridge.")]
    port: Annotated[InterfaceName, Meta(description="The bond or NIC it takes.")]
    mtu: Annotated[Mtu, Meta(description="Its MTU.")] | None = None
    node_selector: Annotated[
        Labels, Meta(description="Nodes that get it. Default: those that run VMs, by a label the distribution has.")
    ] = {}


class ExistingBridge(Model, frozen=True, kw_only=True):
    """A Linux bridge that the nodes have already; vmferry makes nothing of it."""

    name: Annotated[InterfaceName, Meta(description="The bridge.")]
    vlan_filtering: (
        Annotated[
            bool,
            Meta(
                description="VLAN filtering is on (`ip -d link show BRIDGE` shows vlan_filtering 1). Without it, "
                "the VLANs of the CNI plugin do nothing. Absent: unknown."
            ),
        ]
        | None
    ) = None
    mtu: Annotated[Mtu, Meta(description="Its MTU. Absent: unknown.")] | None = None


class PhysicalNetwork(Model, frozen=True, kw_only=True):
    """A physical network that OVN-Kubernetes has a bridge mapping for, on every node that runs VMs."""

    name: Annotated[Text, Meta(description="Its name in the bridge mappings: `localnet` in nmstate.")]
    mtu: Annotated[Mtu, Meta(description="The MTU it carries. Absent: unknown.")] | None = None


class Cluster(Model, frozen=True, kw_only=True):
    """The Kubernetes cluster the VMs move to."""

    name: Annotated[Name, Meta(description="Name of its entry point, clusters/NAME.")]
    distribution: Annotated[Distribution, Meta(description="Distribution.")] = "kubernetes"
    versions: Annotated[Versions, Meta(description="Versions.")] = Versions()
    cni: Annotated[Cni, Meta(description="CNI of the pod network.")] | None = None
    nodes: Annotated[tuple[NodePool, ...], Meta(description="Its nodes.")] = ()
    bridges: Annotated[tuple[NodeBridge, ...], Meta(description="Bridges for vmferry to make with nmstate.")] = ()
    existing_bridges: Annotated[
        tuple[ExistingBridge, ...], Meta(description="Bridges that the nodes have already, and what they can do.")
    ] = ()
    physical_networks: (
        Annotated[
            tuple[PhysicalNetwork, ...],
            Meta(description="All physical networks in OVN-Kubernetes' bridge mappings. Absent: unknown."),
        ]
        | None
    ) = None
    mtu: (
        Annotated[Mtu, Meta(description="MTU of the network between the nodes, which overlays tunnel over.")] | None
    ) = None
    feature_gates: (
        Annotated[
            tuple[Text, ...],
            Meta(description="Feature gates that are on in KubeVirt, every one. Absent: unknown."),
        ]
        | None
    ) = None
    cpu_allocation_ratio: Annotated[
        int, Meta(ge=1, le=100, description="vCPUs a CPU (KubeVirt's cpuAllocationRatio).")
    ] = 10
    memory_overcommit: Annotated[
        int,
        Meta(
            ge=10,
            le=1000,
            description="Guest memory per requested memory, in percent (KubeVirt's memoryOvercommit).",
        ),
    ] = 100
    machine_type: Annotated[
        str,
        Meta(pattern=r"^(pc-)?q35[-a-z0-9.]*$(?!\n)", description="Machine type of the VMs; q35 follows the cluster."),
    ] = "q35"
    parallel_migrations: Annotated[
        int, Meta(ge=1, le=100, description="Live migrations at once a quota leaves room for.")
    ] = 2
    vm_state_storage_class: (
        Annotated[
            Subdomain,
            Meta(
                description="StorageClass that EFI variables and vTPM state get: KubeVirt's vmStateStorageClass, or "
                "the default class. Absent: unknown."
            ),
        ]
        | None
    ) = None
    v2v_image: Annotated[Image, Meta(description="Image of the conversion Jobs.")] = (
        "quay.io/kubev2v/forklift-virt-v2v:latest"
    )
    kueue_queue: (
        Annotated[
            Name,
            Meta(
                description="LocalQueue of Kueue, in each namespace with conversion Jobs, that starts them. "
                "Default: no Kueue; the Jobs keep to parallelConversions among themselves."
            ),
        ]
        | None
    ) = None
    conversion_scratch: (
        Annotated[
            ConversionStorage,
            Meta(
                description="Volume for the scratch files of each conversion Job (path virt-v2v), gone with its pod. "
                "Default: the node's own disk."
            ),
        ]
        | None
    ) = None
    smoke_image: Annotated[Image, Meta(description="Container disk of the smoke-test VMs.")] = (
        "quay.io/containerdisks/fedora:latest"
    )


class ServiceAccountRef(Model, frozen=True, kw_only=True):
    """A ServiceAccount."""

    name: Annotated[Subdomain, Meta(description="Its name.")]
    namespace: Annotated[Name, Meta(description="Its namespace.")]


class GitOps(Model, frozen=True, kw_only=True):
    """How the compiled tree reaches the cluster."""

    engine: Annotated[Literal["flux", "argocd"], Meta(description="Engine; one a cluster.")]
    repo_url: Annotated[
        str,
        Meta(
            pattern=r"^(https://|ssh://|git@)[^\s]+$(?!\n)",
            description="Repository that holds the tree, without credentials.",
        ),
    ] = field(name="repoURL")
    branch: Annotated[Text, Meta(description="Branch that is synced.")] = "main"
    path: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9][-A-Za-z0-9_]*(/[A-Za-z0-9][-A-Za-z0-9_]*)*$(?!\n)",
            description="Folder of the tree in the repository.",
        ),
    ] = "gitops"
    interval: Annotated[Duration, Meta(description="How often it is reconciled.")] = "10m"
    namespace: Annotated[Name, Meta(description="Namespace of the engine. Default: flux-system or argocd.")] | None = (
        None
    )
    git_secret: (
        Annotated[Name, Meta(description="Secret for the repository, in the engine's namespace (Flux).")] | None
    ) = None
    sops_secret: Annotated[Name, Meta(description="Secret that decrypts SOPS files (Flux).")] | None = None
    applier: (
        Annotated[
            ServiceAccountRef,
            Meta(description="ServiceAccount that applies the tree. Default: the engine's controller."),
        ]
        | None
    ) = None


class Forklift(Model, frozen=True, kw_only=True):
    """The Forklift operator of the target."""

    namespace: Annotated[Name, Meta(description="Its namespace.")] = "konveyor-forklift"
    provider: (
        Annotated[Name, Meta(description="Existing Provider of the target. Default: vmferry emits one.")] | None
    ) = None


class Target(Model, frozen=True, kw_only=True):
    """Where VMs go to."""

    cluster: Annotated[Cluster, Meta(description="The cluster.")]
    gitops: Annotated[GitOps, Meta(description="The GitOps engine.")]
    forklift: Annotated[Forklift, Meta(description="Forklift.")] = Forklift()


# --- networks --------------------------------------------------------------------------------


class NetworkSource(Model, frozen=True, kw_only=True):
    """A network in vSphere: an NSX segment or a port group, exactly one of the two."""

    segment: Annotated[Text, Meta(description="NSX segment (NSX-T) or logical switch (NSX-V), by name.")] | None = None
    port_group: Annotated[Text, Meta(description="Standard or distributed port group, by name.")] | None = None
    id: Annotated[Text, Meta(description="Managed object id, as in dvportgroup-42.")] | None = None
    source: Annotated[Name, Meta(description="Its vCenter. Default: any.")] | None = None
    datacenter: (
        Annotated[Text, Meta(description="Its datacenter, where several have a network of this name. Default: any.")]
        | None
    ) = None
    switch: (
        Annotated[Text, Meta(description="Its switch, where several have a network of this name. Default: any.")] | None
    ) = None
    kind: Annotated[Literal["nsx-t", "nsx-v", "distributed", "standard"], Meta(description="What it is.")] | None = None
    transport_zone: Annotated[Literal["overlay", "vlan"], Meta(description="Transport zone of a segment.")] | None = (
        None
    )
    vlan: Annotated[Vlan, Meta(description="VLAN of a port group.")] | None = None
    trunk: Annotated[Trunk, Meta(description="VLANs of a trunk (guest tagging).")] = ()


class PodNetwork(Model, frozen=True, kw_only=True, tag_field="type", tag="pod"):
    """The cluster's pod network, by masquerade; the VM's own address is not kept."""


class BridgeNetwork(Model, frozen=True, kw_only=True, tag_field="type", tag="bridge"):
    """A Linux bridge on the nodes."""

    bridge: Annotated[InterfaceName, Meta(description="The bridge.")]
    vlan: Annotated[Vlan, Meta(description="VLAN of the port.")] | None = None
    trunk: Annotated[Trunk, Meta(description="VLANs the guest may tag, instead of vlan.")] = ()
    untagged: Annotated[bool, Meta(description="Deliberately no VLAN: the bridge's native network.")] = False
    mtu: Annotated[Mtu, Meta(description="MTU.")] | None = None
    macspoofchk: Annotated[bool, Meta(description="Refuse frames with another source MAC.")] = True
    bridge_type: Annotated[Literal["bridge", "cnv-bridge"], Meta(description="CNI plugin.")] = "bridge"
    marker: Annotated[bool, Meta(description="Schedule to nodes that have the bridge (bridge-marker runs).")] = False


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


class OvnLayer2(Model, frozen=True, kw_only=True, tag_field="type", tag="ovn-layer2"):
    """An OVN-Kubernetes overlay: east-west traffic only, as on an NSX overlay segment without a gateway."""

    mtu: Annotated[Mtu, Meta(description="MTU.")] | None = None
    subnets: Annotated[
        tuple[Cidr, ...], Meta(description="Subnets OVN assigns addresses from; none for static guests.")
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
            description="Further definitions of the same network, in the same namespace: the second NIC of a VM takes "
            "the first of them, and so on. Forklift 2.11.1 to 2.12 takes a definition once per VM."
        ),
    ] = ()


class IgnoredNetwork(Model, frozen=True, kw_only=True, tag_field="type", tag="ignored"):
    """Deliberately not connected: the VMs arrive without their NICs on it, which are counted and reported."""

    reason: Annotated[Reason, Meta(description="Why nobody needs it.")]


NetworkTarget: TypeAlias = (
    PodNetwork | BridgeNetwork | MacvtapNetwork | OvnLocalnet | OvnLayer2 | SriovNetwork | ExistingNad | IgnoredNetwork
)


class SmokeTest(Model, frozen=True, kw_only=True):
    """Two small VMs on the network that ping each other, before anything moves."""

    addresses: Annotated[tuple[Cidr, Cidr], Meta(description="Two free addresses of the network, one a VM.")]
    namespace: Annotated[Name, Meta(description="Namespace they run in.")]


class Network(Model, frozen=True, kw_only=True):
    """What becomes of a network in vSphere."""

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
            Meta(description="What the VMs need of it: 2 for broadcast, VRRP, own addresses; the pod network is 3."),
        ]
        | None
    ) = None
    subnet: Annotated[Cidr, Meta(description="Its subnet.")] | None = None
    gateway: Annotated[Address, Meta(description="Its gateway.")] | None = None
    dhcp: Annotated[bool, Meta(description="A DHCP server answers on it.")] | None = None
    smoke_test: Annotated[SmokeTest, Meta(description="A pair of VMs that proves it.")] | None = None


# --- storage ---------------------------------------------------------------------------------


class StorageClass(Model, frozen=True, kw_only=True):
    """A StorageClass the target offers."""

    name: Annotated[Subdomain, Meta(description="Its name.")]
    provisioner: Annotated[Text, Meta(description="Its provisioner.")]
    parameters: Annotated[dict[str, str], Meta(description="Its parameters, where they change what it can do.")] = {}
    access_modes: (
        Annotated[
            tuple[AccessMode, ...],
            Meta(min_length=1, description="Access modes. Default: what the provisioner is known for."),
        ]
        | None
    ) = None
    volume_modes: (
        Annotated[
            tuple[VolumeMode, ...],
            Meta(min_length=1, description="Volume modes. Default: what the provisioner is known for."),
        ]
        | None
    ) = None
    tier: Annotated[Text, Meta(description="Tier it serves.")] | None = None
    snapshots: Annotated[bool, Meta(description="It can snapshot.")] | None = None
    replication: Annotated[int, Meta(ge=1, le=10, description="Copies it keeps.")] | None = None
    capacity: Annotated[Size, Meta(description="Usable capacity.")] | None = None
    iops: Annotated[int, Meta(ge=1, description="IOPS a volume can get.")] | None = None
    zones: Annotated[tuple[LabelValue, ...], Meta(description="Zones its volumes are bound to.")] = ()
    wait_for_first_consumer: Annotated[bool, Meta(description="Its volumeBindingMode is WaitForFirstConsumer.")] = False


class DatastoreRef(Model, frozen=True, kw_only=True):
    """A datastore in vSphere."""

    datastore: Annotated[Text, Meta(description="Its name.")]
    id: Annotated[Text, Meta(description="Its managed object id, as in datastore-12.")] | None = None
    source: Annotated[Name, Meta(description="Its vCenter. Default: any.")] | None = None


class DatastoreMap(Model, frozen=True, kw_only=True):
    """What becomes of the disks on a datastore: a tier, or one StorageClass."""

    source: Annotated[DatastoreRef, Meta(description="The datastore.")]
    tier: Annotated[Text, Meta(description="Tier; the class is chosen by need.")] | None = None
    storage_class: Annotated[Subdomain, Meta(description="The StorageClass, without choice.")] | None = None
    offload: Annotated[Offload, Meta(description="How the storage array copies them itself (path A).")] | None = None


class Storage(Model, frozen=True, kw_only=True):
    """Storage of the target, and where datastores go."""

    classes: Annotated[tuple[StorageClass, ...], Meta(description="StorageClasses, best first.")] = ()
    map: Annotated[tuple[DatastoreMap, ...], Meta(description="Datastores to tiers or classes.")] = ()


# --- namespaces, phases, groups --------------------------------------------------------------


class Quota(Model, frozen=True, kw_only=True):
    """A ResourceQuota stated by hand, instead of `auto`."""

    cpu: Annotated[CpuQuantity, Meta(description="requests.cpu.")] | None = None
    memory: Annotated[Size, Meta(description="requests.memory.")] | None = None
    storage: Annotated[Size, Meta(description="requests.storage.")] | None = None


class NamespaceSource(Model, frozen=True, kw_only=True):
    """The resource pool or folder whose VMs go to a namespace; exactly one."""

    resource_pool: Annotated[Text, Meta(description="Resource pool path; those below it follow.")] | None = None
    folder: Annotated[Text, Meta(description="Folder path; those below it follow.")] | None = None
    source: Annotated[Name, Meta(description="Its vCenter. Default: any.")] | None = None


class Namespace(Model, frozen=True, kw_only=True):
    """A namespace of the target."""

    name: Annotated[Name, Meta(description="Its name.")]
    source: Annotated[NamespaceSource, Meta(description="VMs that go there unless they say otherwise.")] | None = None
    quota: Annotated[Literal["auto", "none"] | Quota, Meta(description="ResourceQuota: computed, none, or stated.")] = (
        "auto"
    )
    network_policy: Annotated[
        Literal["none", "isolate"],
        Meta(description="isolate: nothing from other namespaces but declared ports."),
    ] = "none"
    labels: Annotated[Labels, Meta(description="Labels.")] = {}


class Window(Model, frozen=True, kw_only=True):
    """A maintenance window."""

    start: Annotated[Timestamp, Meta(description="When it opens.")]
    duration: Annotated[Duration, Meta(description="How long it stays open.")]


class DualRun(Model, frozen=True, kw_only=True):
    """How long the source is kept after cutover, and how."""

    mode: Annotated[Literal["fallback", "parallel", "replica"], Meta(description="fallback: source off and kept.")] = (
        "fallback"
    )
    at_least: Annotated[Duration, Meta(description="For how long.")] = "14d"


class Phase(Model, frozen=True, kw_only=True):
    """A phase of the migration: VMs of like risk, with their windows."""

    name: Annotated[ShortName, Meta(description="Its name.")]
    kind: Annotated[PhaseKind, Meta(description="Which component of overlays/ its VMs share.")] = "migrate"
    after: Annotated[tuple[Name, ...], Meta(description="Phases that come first.")] = ()
    windows: Annotated[tuple[Window, ...], Meta(description="When cutovers may happen.")] = ()
    dual_run: Annotated[DualRun, Meta(description="How the source is kept.")] | None = None
    max_vms: Annotated[int, Meta(ge=1, le=500, description="VMs a move group, over the setting.")] | None = None


class GroupState(Model, frozen=True, kw_only=True):
    """How far a move group is; a pull request moves it on."""

    stage: Annotated[Stage, Meta(description="Its stage.")] = "planned"
    attempt: Annotated[
        int, Meta(ge=1, le=99, description="Number of the attempt; raise it to retry a failed run, before cutover.")
    ] = 1
    cutover: Annotated[Timestamp, Meta(description="When a warm migration cuts over.")] | None = None
    vm_cutover: Annotated[
        dict[Text, Timestamp],
        Meta(description="When single VMs of it cut over instead, by name or id. Needs Forklift's main."),
    ] = {}


# --- decisions -------------------------------------------------------------------------------


class HookUse(Model, frozen=True, kw_only=True):
    """A Forklift hook that runs for a VM."""

    name: Annotated[Name, Meta(description="One of `hooks`.")]
    step: Annotated[Literal["PreHook", "PostHook"], Meta(description="When.")]


HOOK_RUNNER = "quay.io/konveyor/hook-runner:latest"
"""Image of a hook that names none and starts no AAP job."""


class Hook(Model, frozen=True, kw_only=True):
    """A Forklift Hook: an image, an Ansible playbook it runs, or a job of the Ansible Automation Platform."""

    name: Annotated[Name, Meta(description="Its name.")]
    image: (
        Annotated[Image, Meta(description=f"Image of the hook runner, without `aap`. Default: {HOOK_RUNNER}.")] | None
    ) = None
    playbook: Annotated[Text, Meta(description="Ansible playbook: a file beside the spec.")] | None = None
    service_account: Annotated[Name, Meta(description="ServiceAccount, in the Plan's namespace.")] | None = None
    deadline: Annotated[Duration, Meta(description="How long it may take.")] | None = None
    aap: Annotated[AapJob, Meta(description="AAP job to start, instead of image and playbook.")] | None = None


class Toleration(Model, frozen=True, kw_only=True):
    """A toleration of a node's taint."""

    key: Annotated[LabelKey, Meta(description="Taint key.")]
    operator: Annotated[Literal["Exists", "Equal"], Meta(description="Operator.")] = "Exists"
    value: Annotated[LabelValue, Meta(description="Taint value.")] | None = None
    effect: Annotated[Literal["NoSchedule", "PreferNoSchedule", "NoExecute"], Meta(description="Effect.")] | None = None


class InstancetypeRef(Model, frozen=True, kw_only=True):
    """An instance type or preference of the cluster."""

    name: Annotated[Subdomain, Meta(description="Its name.")]
    kind: (
        Annotated[
            Literal[
                "VirtualMachineInstancetype",
                "VirtualMachineClusterInstancetype",
                "VirtualMachinePreference",
                "VirtualMachineClusterPreference",
            ],
            Meta(description="Its kind. Default: the cluster-wide one."),
        ]
        | None
    ) = None


class Readdressing(Model, frozen=True, kw_only=True):
    """New addresses of one NIC, for cloud-init."""

    addresses: Annotated[tuple[Cidr, ...], Meta(min_length=1, description="Addresses.")]
    gateway: (
        Annotated[
            Address | Annotated[tuple[Address, ...], Meta(max_length=2)],
            Meta(description="Default gateway; with IPv4 and IPv6 addresses, a list with one of each."),
        ]
        | None
    ) = None
    nameservers: Annotated[tuple[Address, ...], Meta(description="DNS servers.")] = ()

    @property
    def gateways(self) -> tuple[str, ...]:
        """Return the default gateways, however many were given."""
        if self.gateway is None:
            return ()
        return (self.gateway,) if isinstance(self.gateway, str) else self.gateway

    def gateway_of(self, address: str) -> str | None:
        """Return the gateway of an address's family, IPv4 or IPv6."""
        return next((each for each in self.gateways if (":" in each) == (":" in address)), None)


class Decisions(Model, frozen=True, kw_only=True):
    """What is decided of a VM: by `defaults`, by an `assign` rule, or by its entry. Later ones win."""

    disposition: Annotated[Disposition, Meta(description="What becomes of it.")] | None = None
    reason: Annotated[Reason, Meta(description="Why; required to rebuild, retire, retain or exclude.")] | None = None
    phase: Annotated[Name, Meta(description="Its phase.")] | None = None
    namespace: Annotated[Name, Meta(description="Its namespace.")] | None = None
    path: Annotated[PathChoice, Meta(description="auto, forklift (A), virt-v2v (B) or rebuild (C).")] | None = None
    method: (
        Annotated[
            Literal["warm", "cold", "job", "image"],
            Meta(description="A: warm or cold. B: job (in the cluster) or image (on a bastion)."),
        ]
        | None
    ) = None
    conversion: (
        Annotated[
            Literal["virt-v2v", "skip"],
            Meta(
                description="virt-v2v: the guest gets drivers and a new boot configuration. skip: its disks are copied "
                "as they are, for guests that virt-v2v does not know (BSD, Photon, appliances). Default: virt-v2v."
            ),
        ]
        | None
    ) = None
    devices: (
        Annotated[
            Literal["emulated", "virtio"],
            Meta(
                description="Disks and NICs of a VM with conversion: skip, where they do not say it themselves. "
                "emulated: SATA and e1000e, which any guest boots from. virtio: the guest has its drivers. "
                "Default: emulated."
            ),
        ]
        | None
    ) = None
    live_migration: Annotated[LiveMigration, Meta(description="Whether it must be able to live-migrate.")] | None = None
    static_ip: (
        Annotated[
            Literal["preserve", "cloud-init", "none"],
            Meta(
                description="preserve: the guest keeps its own. cloud-init: it gets those of `readdress`, and on other "
                "NICs keeps its own. none: neither."
            ),
        ]
        | None
    ) = field(default=None, name="staticIP")
    tier: Annotated[Text, Meta(description="Storage tier of its disks, over the storage map's.")] | None = None
    run_strategy: (
        Annotated[RunStrategy, Meta(description="Run strategy after cutover. Default: by its power state.")] | None
    ) = None
    labels: Annotated[Labels, Meta(description="Labels of the VM.")] | None = None
    node_selector: Annotated[Labels, Meta(description="Nodes it may run on.")] | None = None
    tolerations: Annotated[tuple[Toleration, ...], Meta(description="Taints it tolerates.")] | None = None
    apart_from: (
        Annotated[Name, Meta(description="Name of an anti-affinity set: its members prefer different nodes.")] | None
    ) = None
    priority_class: Annotated[Name, Meta(description="PriorityClass, over the phase's.")] | None = None
    cpu_model: Annotated[Text, Meta(description="CPU model, over host-model.")] | None = None
    instancetype: Annotated[InstancetypeRef, Meta(description="Instance type, instead of CPU and memory.")] | None = (
        None
    )
    preference: Annotated[InstancetypeRef, Meta(description="Preference.")] | None = None
    cpu_placement: (
        Annotated[
            Literal["shared", "dedicated"],
            Meta(description="dedicated: each vCPU gets a CPU of its node for itself (dedicatedCpuPlacement)."),
        ]
        | None
    ) = None
    hugepages: (
        Annotated[Literal["2Mi", "1Gi"], Meta(description="Size of the huge pages that its memory is made of.")] | None
    ) = None
    numa_topology: (
        Annotated[
            Literal["passthrough"],
            Meta(description="passthrough: the guest sees its NUMA nodes; needs dedicated CPUs and huge pages."),
        ]
        | None
    ) = None
    windows_timezone: (
        Annotated[
            Text,
            Meta(description="Time zone of the virtual clock of VMs that run Windows, as in Europe/Berlin."),
        ]
        | None
    ) = None
    termination_grace_period: Annotated[Duration, Meta(description="Time the guest gets to shut down.")] | None = None
    transfer_network: Annotated[Name, Meta(description="One of `networks` by its name, to copy over.")] | None = None
    hooks: Annotated[tuple[HookUse, ...], Meta(description="Forklift hooks.")] | None = None
    forklift: Annotated[ForkliftDecisions, Meta(description="How Forklift moves it (path A).")] | None = None
    luks_secret: Annotated[Name, Meta(description="Secret with LUKS passphrases.")] | None = None
    nbde_clevis: Annotated[bool, Meta(description="LUKS is unlocked by Clevis.")] | None = None
    root_disk: (
        Annotated[
            str,
            Meta(
                pattern=r"^/dev/(?:[A-Za-z0-9_+][-A-Za-z0-9_.+]*/){0,2}[A-Za-z0-9_+][-A-Za-z0-9_.+]*$(?!\n)",
                description="Root device, as in /dev/sdb2 or /dev/vg/root, where the guest has several systems.",
            ),
        ]
        | None
    ) = None
    ports: (
        Annotated[
            tuple[NamedPort, ...],
            Meta(description="Ports it serves; on the pod network a Service offers them."),
        ]
        | None
    ) = None


class ForMany(Decisions, frozen=True, kw_only=True):
    """What is decided of many VMs, and facts that can be stated for many: they hold where nothing else says it."""

    firmware: (
        Annotated[Firmware, Meta(description="Firmware of VMs of which neither inventory nor entry says it.")] | None
    ) = None
    secure_boot: (
        Annotated[
            bool, Meta(description="EFI secure boot of EFI VMs of which neither the inventory nor their entry says it.")
        ]
        | None
    ) = None
    vtpm: (
        Annotated[
            bool,
            Meta(
                description="Whether EFI VMs have a virtual TPM of which neither inventory nor entry says it. "
                "RVTools does not know."
            ),
        ]
        | None
    ) = None


class Match(Model, frozen=True, kw_only=True):
    """Which VMs a rule is for: every field given must match, a list by any of its globs."""

    name: Annotated[Text | tuple[Text, ...], Meta(description="Name.")] | None = None
    source: Annotated[Text | tuple[Text, ...], Meta(description="vCenter.")] | None = None
    datacenter: Annotated[Text | tuple[Text, ...], Meta(description="Datacenter.")] | None = None
    folder: Annotated[Text | tuple[Text, ...], Meta(description="Folder path.")] | None = None
    cluster: Annotated[Text | tuple[Text, ...], Meta(description="Cluster.")] | None = None
    host: Annotated[Text | tuple[Text, ...], Meta(description="ESXi host.")] | None = None
    resource_pool: Annotated[Text | tuple[Text, ...], Meta(description="Resource pool path.")] | None = None
    network: Annotated[Text | tuple[Text, ...], Meta(description="Any of its networks.")] | None = None
    datastore: Annotated[Text | tuple[Text, ...], Meta(description="Any of its datastores.")] | None = None
    os: Annotated[OsFamily | tuple[OsFamily, ...], Meta(description="Family of its operating system.")] | None = None
    guest_id: Annotated[Text | tuple[Text, ...], Meta(description="guestId.")] | None = None
    power_state: Annotated[PowerState | tuple[PowerState, ...], Meta(description="Power state.")] | None = None
    template: Annotated[bool, Meta(description="Whether it is a template.")] | None = None
    tags: Annotated[Text | tuple[Text, ...], Meta(description="Any of its tags.")] | None = None
    custom_attributes: Annotated[dict[str, Text], Meta(description="Custom attributes, each by a glob.")] = {}


class Assign(Model, frozen=True, kw_only=True):
    """A decision for many VMs."""

    match: Annotated[Match, Meta(description="Which VMs.")]
    set: Annotated[ForMany, Meta(description="What is decided.")]


class ExternalDependency(Model, frozen=True, kw_only=True):
    """Something outside the migration that a VM needs."""

    external: Annotated[str, Meta(pattern=r"^[^\s:]+(:[0-9]{1,5})?$(?!\n)", description="HOST:PORT.")]


class Suppression(Model, frozen=True, kw_only=True):
    """A finding that was looked at and accepted."""

    rule: Annotated[RuleCode, Meta(description="The rule that says nothing of it.")]
    reason: Annotated[Reason, Meta(description="Why it is accepted.")]
    until: (
        Annotated[Day, Meta(description="Last day it is accepted; then it is an error that it still stands here.")]
        | None
    ) = None


class VmSuppression(Suppression, frozen=True, kw_only=True):
    """Findings on many VMs, or on none, that were looked at and accepted."""

    vms: Annotated[tuple[Text, ...], Meta(description="Names or globs of VMs. Default: whatever the rule finds.")] = ()


class VirtualMachine(Decisions, frozen=True, kw_only=True):
    """A VM: what is decided of it, and its facts. An absent fact is unknown; nothing stands in."""

    name: Annotated[str, Meta(min_length=1, max_length=400, description="Name in vCenter.")]
    id: Annotated[Text, Meta(description="Managed object id, as in vm-4711. Preferred over the name.")] | None = None
    source: Annotated[Name, Meta(description="Its vCenter, one of `sources`. Default: the only one.")] | None = None
    uuid: Annotated[Uuid, Meta(description="SMBIOS UUID (config.uuid).")] | None = None
    datacenter: Annotated[Text, Meta(description="Datacenter.")] | None = None
    folder: Annotated[Text, Meta(description="Folder path, as in /Prod/Web.")] | None = None
    cluster: Annotated[Text, Meta(description="Cluster.")] | None = None
    host: Annotated[Text, Meta(description="ESXi host.")] | None = None
    resource_pool: Annotated[Text, Meta(description="Resource pool path, as in Prod/Web.")] | None = None
    tags: Annotated[tuple[Text, ...], Meta(description="vSphere tags.")] = ()
    custom_attributes: Annotated[dict[str, str], Meta(description="Custom attributes.")] = {}
    power_state: Annotated[PowerState, Meta(description="Power state.")] | None = None
    template: Annotated[bool, Meta(description="It is a template.")] | None = None
    os: Annotated[OsFamily, Meta(description="Family of the guest operating system.")] | None = None
    guest_id: Annotated[Text, Meta(description="guestId, as in rhel9_64Guest.")] | None = None
    hostname: Annotated[Text, Meta(description="Host name of the guest.")] | None = None
    timezone: Annotated[Text, Meta(description="Time zone of the virtual clock, as in Europe/Berlin.")] | None = None
    firmware: Annotated[Firmware, Meta(description="Firmware.")] | None = None
    secure_boot: Annotated[bool, Meta(description="EFI secure boot.")] | None = None
    vtpm: Annotated[bool, Meta(description="It has a virtual TPM.")] | None = None
    cpu: Annotated[Cpu, Meta(description="Virtual CPUs.")] | None = None
    memory: Annotated[Size, Meta(description="Memory.")] | None = None
    disks: Annotated[tuple[Disk, ...], Meta(description="Disks in the order the guest sees them.")] | None = None
    nics: Annotated[tuple[Nic, ...], Meta(description="Network adapters in order.")] | None = None
    gpus: Annotated[tuple[Device, ...], Meta(description="GPUs.")] = ()
    host_devices: Annotated[tuple[Device, ...], Meta(description="Other passed-through devices.")] = ()
    change_tracking: Annotated[bool, Meta(description="Changed block tracking is on.")] | None = None
    snapshots: Annotated[int, Meta(ge=0, description="Number of snapshots.")] | None = None

    instance_uuid: Annotated[Uuid, Meta(description="vCenter's own UUID of it (config.instanceUuid).")] | None = None
    vapp: Annotated[Text, Meta(description="vApp it is in.")] | None = None
    hardware_version: Annotated[Text, Meta(description="Virtual hardware, as in vmx-19.")] | None = None
    guest_name: Annotated[Text, Meta(description="Guest system as the configuration names it.")] | None = None
    guest_tools_name: Annotated[Text, Meta(description="Guest system as VMware Tools reports it.")] | None = None
    guest_detail: (
        Annotated[Text, Meta(description="Release of the guest system as VMware Tools reports it.")] | None
    ) = None
    tools: Annotated[Literal["running", "notRunning", "notInstalled"], Meta(description="VMware Tools.")] | None = None
    connection_state: (
        Annotated[
            Literal["connected", "disconnected", "inaccessible", "invalid", "orphaned"],
            Meta(description="Connection state."),
        ]
        | None
    ) = None
    consolidation_needed: Annotated[bool, Meta(description="Its snapshots need consolidation.")] | None = None
    fault_tolerance: Annotated[bool, Meta(description="Fault tolerance is on.")] | None = None
    cpu_hot_add: Annotated[bool, Meta(description="CPUs can be added while it runs.")] | None = None
    cpu_hot_remove: Annotated[bool, Meta(description="CPUs can be removed while it runs.")] | None = None
    memory_hot_add: Annotated[bool, Meta(description="Memory can be added while it runs.")] | None = None
    cpu_affinity: Annotated[tuple[int, ...], Meta(description="CPUs it is bound to.")] | None = None
    numa_node_affinity: Annotated[tuple[int, ...], Meta(description="NUMA nodes it is bound to.")] | None = None
    host_affinity: Annotated[bool, Meta(description="A cluster rule binds it to hosts.")] | None = None
    rules: Annotated[tuple[Text, ...], Meta(description="Cluster rules it is in.")] = ()
    latency_sensitivity: (
        Annotated[Literal["low", "normal", "medium", "high"], Meta(description="Latency sensitivity.")] | None
    ) = None
    nested_hv: Annotated[bool, Meta(description="Hardware virtualization is exposed to the guest.")] | None = field(
        default=None, name="nestedHV"
    )
    encrypted: Annotated[bool, Meta(description="It is encrypted.")] | None = None
    disk_enable_uuid: (
        Annotated[bool, Meta(description="The guest sees the UUIDs of its disks (disk.EnableUUID).")] | None
    ) = field(default=None, name="diskEnableUUID")
    usb: Annotated[bool, Meta(description="It has a USB controller.")] | None = None
    sriov: Annotated[bool, Meta(description="It has an SR-IOV adapter.")] | None = None
    passthrough: (
        Annotated[
            tuple[Text, ...],
            Meta(description="PCI devices and vGPUs it has in vSphere, as in `vgpu grid_t4-4q` or `pci 10de:1eb8`."),
        ]
        | None
    ) = None
    numa: Annotated[dict[str, str], Meta(description="Advanced settings for NUMA (numa.*).")] = {}
    cpu_reservation: Annotated[int, Meta(ge=0, description="CPU reserved, in MHz.")] | None = None
    cpu_limit: Annotated[int, Meta(ge=0, description="CPU limit, in MHz. Absent: none, or unknown.")] | None = None
    memory_reservation: Annotated[int, Meta(ge=0, description="Memory reserved, in bytes.")] | None = None
    memory_limit: Annotated[int, Meta(ge=0, description="Memory limit, in bytes. Absent: none, or unknown.")] | None = (
        None
    )
    used_storage: Annotated[int, Meta(ge=0, description="Bytes its files take on datastores, rounded up.")] | None = (
        None
    )
    managed_by: Annotated[Text, Meta(description="Extension that manages it.")] | None = None
    srm_placeholder: Annotated[bool, Meta(description="Placeholder of Site Recovery Manager.")] | None = None
    annotation: Annotated[str, Meta(max_length=16384, description="Notes in vCenter.")] | None = None
    noted: Annotated[
        tuple[Text, ...],
        Meta(description="Words of the notes that vmferry knows, as in nginx; the notes themselves stay in vCenter."),
    ] = ()
    guest_disks: Annotated[tuple[GuestDisk, ...], Meta(description="File systems in the guest.")] | None = None
    baseline: Annotated[Baseline, Meta(description="What it used before it moved.")] | None = None
    depends_on: Annotated[
        tuple[Text | ExternalDependency, ...],
        Meta(description="VMs (by name) and external services it needs."),
    ] = ()
    application: Annotated[Application, Meta(description="The containers that take its place (rebuild).")] | None = None
    clone_of: (
        Annotated[Text, Meta(description="Template it is cloned from in the target; its own disks stay behind.")] | None
    ) = None
    readdress: Annotated[
        dict[str, Readdressing], Meta(description="New addresses for cloud-init, by network name.")
    ] = {}
    target_name: Annotated[Name, Meta(description="Name in the target. Default: its own, made to fit.")] | None = None
    suppress: Annotated[tuple[Suppression, ...], Meta(description="Findings on it that are accepted.")] = ()


class SimilarVms(Model, frozen=True, kw_only=True):
    """When VMs take the mass path."""

    threshold: Annotated[
        int, Meta(ge=1, description="A vCenter with this many standard VMs to move goes by Forklift.")
    ] = 50
    order: Annotated[
        tuple[Literal["rebuild", "special", "similar"], ...],
        Meta(description="Order of the questions for path auto."),
    ] = ("rebuild", "special", "similar")


class Grouping(Model, frozen=True, kw_only=True):
    """How move groups are cut."""

    max_vms: Annotated[int, Meta(ge=1, le=500, description="VMs a move group.")] = 40


class Settings(Model, frozen=True, kw_only=True):
    """Settings of the compiler."""

    auto: Annotated[SimilarVms, Meta(description="How path auto decides.")] = SimilarVms()
    grouping: Annotated[Grouping, Meta(description="Move groups.")] = Grouping()
    parallel_windows: (
        Annotated[
            int,
            Meta(ge=1, le=100, description="Phases whose windows may be open at once (VMF424). Default: any number."),
        ]
        | None
    ) = None


class MigrationSpec(Model, frozen=True, kw_only=True):
    """One migration: sources, target, maps, phases and bulk decisions."""

    api_version: Annotated[ApiVersion, Meta(description="Version of the format.")]
    kind: Annotated[Literal["MigrationSpec"], Meta(description="Kind of the file.")]
    metadata: Annotated[Metadata, Meta(description="Name.")]
    include: Annotated[tuple[Text, ...], Meta(description="Globs of further files, relative to this one.")] = ()
    sources: Annotated[tuple[Source, ...], Meta(min_length=1, description="vCenters.")]
    target: Annotated[Target, Meta(description="The cluster.")]
    networks: Annotated[tuple[Network, ...], Meta(description="Network map.")] = ()
    storage: Annotated[Storage, Meta(description="Storage classes and map.")] = Storage()
    namespaces: Annotated[tuple[Namespace, ...], Meta(description="Namespaces.")] = ()
    phases: Annotated[tuple[Phase, ...], Meta(min_length=1, description="Phases.")]
    groups: Annotated[dict[Name, GroupState], Meta(description="Move groups past `planned`.")] = {}
    hooks: Annotated[tuple[Hook, ...], Meta(description="Forklift hooks.")] = ()
    scripts: Annotated[tuple[ScriptSet, ...], Meta(description="Scripts for conversions by Forklift.")] = ()
    defaults: Annotated[ForMany, Meta(description="Decisions for every VM.")] = ForMany()
    assign: Annotated[tuple[Assign, ...], Meta(description="Bulk decisions in order; later ones win.")] = ()
    vms: Annotated[tuple[VirtualMachine, ...], Meta(description="VMs.")] = ()
    settings: Annotated[Settings, Meta(description="Settings.")] = Settings()
    rules: Annotated[
        dict[RuleCode, Literal["error", "warning", "info", "off"]],
        Meta(description="Severity of rules, over their own."),
    ] = {}
    suppress: Annotated[tuple[VmSuppression, ...], Meta(description="Findings that are accepted.")] = ()


class VirtualMachineSet(Model, frozen=True, kw_only=True):
    """VMs of one team, in a file of their own."""

    api_version: Annotated[ApiVersion, Meta(description="Version of the format.")]
    kind: Annotated[Literal["VirtualMachineSet"], Meta(description="Kind of the file.")]
    metadata: Annotated[Metadata, Meta(description="Name.")]
    vms: Annotated[tuple[VirtualMachine, ...], Meta(description="VMs.")] = ()
