"""The target of a spec: the cluster, its GitOps engine and its Forklift."""

from typing import Annotated, Literal

from msgspec import Meta, field

from vmferry.model.base import (
    BranchOrVersion,
    Cidr,
    Duration,
    Image,
    InterfaceName,
    LabelKey,
    Labels,
    LabelValue,
    Model,
    Mtu,
    Name,
    Size,
    Subdomain,
    Text,
    Version,
)
from vmferry.model.forklift import ConversionStorage
from vmferry.model.spec.monitoring import Monitoring, Notifications
from vmferry.model.spec.preflight import Preflight

Cni = Literal["cilium", "calico", "ovn-kubernetes", "antrea", "kube-router", "weave", "flannel", "kindnet", "none"]
Distribution = Literal["kubernetes", "openshift", "rke2", "k3s", "talos", "eks", "gke", "aks"]


class Versions(Model, frozen=True, kw_only=True):
    """Releases of the target's components: they decide which fields may be emitted.

    Each defaults to the newest. A version without a patch level stands for all its patch releases.
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
    cpu: Annotated[int, Meta(ge=1, le=4096, description="CPU threads per node.")]
    memory: Annotated[Size, Meta(description="Memory per node.")]
    zone: Annotated[LabelValue, Meta(description="Availability zone.")] | None = None
    cpu_model: Annotated[Text, Meta(description="CPU model, as libvirt names it.")] | None = None
    resources: Annotated[dict[LabelKey, int], Meta(description="Devices per node, by resource name.")] = {}
    node_selector: Annotated[Labels, Meta(description="Labels that its nodes have, and no other nodes.")] = {}


class NodeBridge(Model, frozen=True, kw_only=True):
    """A Linux bridge on the nodes that a NodeNetworkConfigurationPolicy creates."""

    name: Annotated[InterfaceName, Meta(description="The bridge.")]
    port: Annotated[InterfaceName, Meta(description="The bond or NIC it takes.")]
    mtu: Annotated[Mtu, Meta(description="Its MTU.")] | None = None
    node_selector: Annotated[
        Labels, Meta(description="Nodes that get it. Default: those that run VMs, by a label of the distribution.")
    ] = {}


class ExistingBridge(Model, frozen=True, kw_only=True):
    """A Linux bridge that the nodes already have; vmferry does not create it."""

    name: Annotated[InterfaceName, Meta(description="The bridge.")]
    vlan_filtering: (
        Annotated[
            bool,
            Meta(
                description="VLAN filtering is on (`ip -d link show BRIDGE` shows vlan_filtering 1). Without it, VLANs "
                "in the CNI plugin have no effect. Absent: unknown."
            ),
        ]
        | None
    ) = None
    mtu: Annotated[Mtu, Meta(description="Its MTU. Absent: unknown.")] | None = None


class PhysicalNetwork(Model, frozen=True, kw_only=True):
    """A physical network with a bridge mapping in OVN-Kubernetes on every node that runs VMs."""

    name: Annotated[Text, Meta(description="Its name in the bridge mappings: `localnet` in nmstate.")]
    mtu: Annotated[Mtu, Meta(description="The MTU it carries. Absent: unknown.")] | None = None


class Cluster(Model, frozen=True, kw_only=True):
    """The Kubernetes cluster the VMs move to."""

    name: Annotated[Name, Meta(description="Name of its entry point, clusters/NAME.")]
    distribution: Annotated[Distribution, Meta(description="Distribution.")] = "kubernetes"
    versions: Annotated[Versions, Meta(description="Versions.")] = Versions()
    cni: Annotated[Cni, Meta(description="CNI of the pod network.")] | None = None
    nodes: Annotated[tuple[NodePool, ...], Meta(description="Its nodes.")] = ()
    bridges: Annotated[tuple[NodeBridge, ...], Meta(description="Bridges that vmferry creates with nmstate.")] = ()
    existing_bridges: Annotated[
        tuple[ExistingBridge, ...], Meta(description="Bridges that the nodes already have, and their features.")
    ] = ()
    physical_networks: (
        Annotated[
            tuple[PhysicalNetwork, ...],
            Meta(description="All physical networks in OVN-Kubernetes' bridge mappings. Absent: unknown."),
        ]
        | None
    ) = None
    mtu: (
        Annotated[Mtu, Meta(description="MTU of the network between the nodes, which carries the overlays.")] | None
    ) = None
    pod_cidrs: Annotated[
        tuple[Cidr, ...],
        Meta(description="Ranges of its pods (--cluster-cidr); with dual stack one of each family. Absent: unknown."),
    ] = field(default=(), name="podCIDR")
    service_cidrs: Annotated[
        tuple[Cidr, ...],
        Meta(description="Ranges of its Services (--service-cluster-ip-range), likewise. Absent: unknown."),
    ] = field(default=(), name="serviceCIDR")
    feature_gates: (
        Annotated[
            tuple[Text, ...],
            Meta(description="All feature gates that are enabled in KubeVirt. Absent: unknown."),
        ]
        | None
    ) = None
    cpu_allocation_ratio: Annotated[
        int, Meta(ge=1, le=100, description="vCPUs per CPU (KubeVirt's cpuAllocationRatio).")
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
        int, Meta(ge=1, le=100, description="Concurrent live migrations that quotas leave room for.")
    ] = 2
    vm_state_storage_class: (
        Annotated[
            Subdomain,
            Meta(
                description="StorageClass of EFI variables and vTPM state: KubeVirt's vmStateStorageClass, or the "
                "default class. Absent: unknown."
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
                description="LocalQueue of Kueue that starts conversion Jobs, in each of their namespaces. Default: no "
                "Kueue; the Jobs themselves respect parallelConversions."
            ),
        ]
        | None
    ) = None
    conversion_scratch: (
        Annotated[
            ConversionStorage,
            Meta(
                description="Volume for the scratch files of each conversion Job (path virt-v2v), deleted with its "
                "pod. Default: the node's own disk."
            ),
        ]
        | None
    ) = None
    smoke_image: Annotated[Image, Meta(description="Container disk of the smoke-test VMs.")] = (
        "quay.io/containerdisks/fedora:latest"
    )
    check_image: (
        Annotated[
            Image,
            Meta(description="Image of the Jobs that check VMs: with bash, curl and coreutils, and ping if used."),
        ]
        | None
    ) = None


class ServiceAccountRef(Model, frozen=True, kw_only=True):
    """A ServiceAccount."""

    name: Annotated[Subdomain, Meta(description="Its name.")]
    namespace: Annotated[Name, Meta(description="Its namespace.")]


class GitOps(Model, frozen=True, kw_only=True):
    """How the compiled tree reaches the cluster."""

    engine: Annotated[Literal["flux", "argocd"], Meta(description="GitOps engine; one per cluster.")]
    repo_url: Annotated[
        str,
        Meta(
            pattern=r"^(https://|ssh://|git@)[^\s]+$(?!\n)",
            description="Repository that contains the tree, without credentials.",
        ),
    ] = field(name="repoURL")
    branch: Annotated[Text, Meta(description="Synced branch.")] = "main"
    path: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9][-A-Za-z0-9_]*(/[A-Za-z0-9][-A-Za-z0-9_]*)*$(?!\n)",
            description="Folder of the tree in the repository.",
        ),
    ] = "gitops"
    interval: Annotated[Duration, Meta(description="Reconciliation interval.")] = "10m"
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
    notifications: (
        Annotated[Notifications, Meta(description="Notifications of failed syncs. Default: none.")] | None
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
    monitoring: Annotated[Monitoring, Meta(description="Alerts. Default: none.")] = Monitoring()
    preflight: (
        Annotated[
            Preflight, Meta(description="Jobs that test the way to vSphere, networks and storage. Default: none.")
        ]
        | None
    ) = None
