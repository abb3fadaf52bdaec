"""The Blueprint: all decisions are made, and backends only turn them into manifests."""

from typing import Any, Literal

from vmferry.model.application import Application, NamedPort
from vmferry.model.base import Labels, Model
from vmferry.model.facts import Baseline, Bus, DiskSource, Firmware, NicModel, OsFamily
from vmferry.model.finding import Where
from vmferry.model.forklift import AapJob, ConversionStorage, ConvertorPods, CsiImport, XcopyProduct
from vmferry.model.keys import Reference, VmKey
from vmferry.model.spec import (
    AccessMode,
    AccessRole,
    Check,
    Cluster,
    DataLoss,
    Disposition,
    DnsProvider,
    DualRunMode,
    EsxiHost,
    ExternalSecret,
    Forklift,
    GitOps,
    HookUse,
    InstancetypeRef,
    Method,
    Monitoring,
    Network,
    NetworkTarget,
    NodeBridge,
    PerformanceSettings,
    PhaseKind,
    Readdressing,
    RouteGateway,
    RouteKind,
    RunStrategy,
    ServiceAccountRef,
    SmokeTest,
    Stage,
    Toleration,
    VCenter,
    VolumeMode,
    Window,
)

Path = Literal["forklift", "virt-v2v", "rebuild"]
Binding = Literal["masquerade", "bridge", "sriov", "macvtap"]
EvictionStrategy = Literal["LiveMigrate", "LiveMigrateIfPossible", "None"]


class SourceRef(Model, frozen=True, kw_only=True):
    """A network or datastore as Forklift finds it in vSphere: by id if known, otherwise by name."""

    name: str
    id: str | None = None


class XcopyCopy(Model, frozen=True, kw_only=True):
    """The storage array copies a datastore's disks on ESXi's request, on hosts by id."""

    secret: str
    product: XcopyProduct
    hosts: tuple[str, ...] = ()


class ArrayCopy(Model, frozen=True, kw_only=True):
    """How the storage array copies the disks of a datastore; at least one of the two."""

    xcopy: XcopyCopy | None = None
    csi: CsiImport | None = None


class MachineDisk(Model, frozen=True, kw_only=True):
    """A disk of a VM in the target. ``size`` is in bytes."""

    index: int
    name: str  # disk name in the VM, disk-0
    claim: str  # PersistentVolumeClaim and DataVolume
    size: int
    datastore: SourceRef | None
    file: str | None = None  # VMDK, for logs and the vddk source
    serial: str | None = None
    bus: Bus = "virtio"
    boot_order: int | None = None
    shared: str | None = None  # name of the shared disk; only its owner creates the claim
    owner: bool = True
    lun: bool = False
    clones: Reference | None = None  # the DataSource it is cloned from
    unreadable: bool = False  # vSphere cannot read it (physical raw device mapping)
    storage_class: str
    access_mode: AccessMode
    volume_mode: VolumeMode
    bind_immediately: bool = False  # WaitForFirstConsumer class that must import before a VM runs
    offload: ArrayCopy | None = None  # None: VDDK or virt-v2v reads it over the network
    source: DiskSource


class KeptNic(Model, frozen=True, kw_only=True):
    """What the conversion restores for a NIC in the guest: its name in Linux, its addresses in Windows."""

    interface: str | None = None  # its name in the guest; None: found in the guest, by MAC or address
    addresses: tuple[str, ...] = ()  # static; with prefixes, where Windows is to have them
    seen: tuple[str, ...] = ()  # not known to be static: they only help to find its name
    gateways: tuple[str, ...] = ()  # one or none of each address family
    nameservers: tuple[str, ...] = ()


class MachineNic(Model, frozen=True, kw_only=True):
    """A NIC of a VM in the target."""

    index: int  # among the VM's NICs in vSphere
    name: str  # interface and network name in the VM, nic-0; numbered like in Forklift, without those it drops
    network: SourceRef
    mac: str | None  # lower case with colons; None: unknown, Forklift keeps the source's
    model: NicModel = "virtio"
    binding: Binding
    nad: Reference | None  # None: the pod network
    connected: bool = True
    readdress: Readdressing | None = None
    set_name: str | None = None  # its name in the guest from its new addresses on; None: frozen before there was one
    kept: KeptNic | None = None  # None: nothing, or frozen by a vmferry that kept nothing


class DroppedNic(Model, frozen=True, kw_only=True):
    """A NIC that is deliberately left behind: its network is not connected in the target."""

    index: int  # among the VM's NICs in vSphere
    network: SourceRef
    mac: str | None = None
    reason: str


class StateVolume(Model, frozen=True, kw_only=True):
    """A volume of a rebuilt application. ``size`` is in bytes."""

    name: str
    claim: str
    mount_path: str
    size: int
    storage_class: str
    access_mode: AccessMode


class Placement(Model, frozen=True, kw_only=True):
    """Where VMs may run; a Forklift Plan has one for all its VMs."""

    labels: Labels = {}
    node_selector: Labels = {}
    tolerations: tuple[Toleration, ...] = ()
    apart_from: str | None = None


class PlanOptions(Model, frozen=True, kw_only=True):
    """Settings of a Forklift Plan for copying and converting all its VMs."""

    offload: bool = False  # the storage array copies the disks of all of them
    raw: bool = False  # nobody converts the guests
    emulated: bool = True  # devices of guests that nobody converts: any guest boots from SATA and e1000e
    conversion_storage: ConversionStorage | None = None
    convertor: ConvertorPods | None = None
    service_account: str | None = None
    virt_v2v_image: str | None = None
    xfs_compatibility: bool = False
    scripts: str | None = None  # one of the Blueprint's script sets
    tags: Literal["all", "none"] | tuple[str, ...] = "all"
    legacy_drivers: bool | None = None  # None: Forklift decides by the guest


class Conversion(Model, frozen=True, kw_only=True):
    """The settings at the start of a conversion attempt. Its Job and DataVolumes cannot change once they exist."""

    image: str  # of the conversion Job
    cdi: str  # version of CDI
    url: str
    sdk_endpoint: Literal["vcenter", "esxi"] = "vcenter"
    thumbprint: str | None = None
    insecure_skip_verify: bool = False
    vddk_image: str | None = None
    secret: str | None = None  # with the credentials, in the VM's namespace
    attempt: int | None = None  # None: none has begun
    places: int | None = None  # conversions of its source at once; None: as many as there are
    places_at: Reference | None = None  # the ConfigMap with the places
    queue: str | None = None  # LocalQueue of Kueue
    sized: bool = False  # its scratch space has a size
    scratch: ConversionStorage | None = None  # None: on the node


class Origin(Model, frozen=True, kw_only=True):
    """What fills the disks of a VM on path virt-v2v, and with which settings: those of its attempt, or current ones."""

    conversion: Conversion
    secret: str | None = None  # with the credentials, in the VM's namespace; None: nothing reads vCenter there
    uuid: str | None = None  # by which CDI finds the VM in vCenter
    checksums: bool = False  # CDI compares images with theirs
    collected: bool = False  # CDI may delete a DataVolume that is complete


class DnsRecord(Model, frozen=True, kw_only=True):
    """A record by which clients find a VM. Values are addresses, or one host name; () is unknown."""

    name: str  # in full, lower case, without a dot at its end
    switch: bool = False  # it leads elsewhere after the cutover
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    dynamic: bool = False  # its address comes from a DHCP server, and nobody says what it will be
    ttl: str | None = None  # None: that of its zone


class MachineAlias(Model, frozen=True, kw_only=True):
    """A Service in the VM's namespace that is an alias of one host name at a time."""

    name: str
    before: str
    after: str | None = None  # None: unknown


class MachineRoute(Model, frozen=True, kw_only=True):
    """A route that sends clients to a VM's source and to its Service, by weight. None is unknown: it is not emitted."""

    kind: RouteKind
    gateway: RouteGateway
    hostnames: tuple[str, ...] = ()
    port: str | None = None  # of the Service, by name
    number: int | None = None
    address: str | None = None  # of the source
    source_port: int | None = None

    @property
    def known(self) -> bool:
        """Return whether all is known that its objects need."""
        return None not in (self.port, self.number, self.address, self.source_port)


class Machine(Model, frozen=True, kw_only=True):
    """A VM that moves, with all decisions made."""

    key: VmKey
    name: str  # in vCenter
    id: str | None = None
    source: str
    target_name: str
    namespace: str
    phase: str
    group: str
    path: Path
    method: Method
    placement: Placement = Placement()
    os: OsFamily
    guest_id: str | None = None
    datacenter: str | None = None
    cluster: str | None = None
    host: str | None = None
    hostname: str | None = None
    timezone: str | None = None
    instance_uuid: str | None = None  # vCenter's own, of VMs whose disks CDI copies
    uuid: str | None = None  # config.uuid, by which vCenter finds it; known for every VM that vmferry emits itself
    guest_uuid: str | None = None  # firmware.uuid, which its guest reads; None: as uuid, by an earlier vmferry
    serial: str | None = None  # system serial number that its guest reads
    revision: int = 0  # how it was derived what its guest sees (estate.smbios.CURRENT)
    firmware: Firmware = "bios"
    secure_boot: bool = False
    vtpm: bool = False
    machine_type: str = "q35"
    sockets: int = 1
    cores: int = 1
    threads: int = 1
    cpu_model: str | None = None
    dedicated_cpus: bool = False
    hugepages: str | None = None  # size of a page
    numa_passthrough: bool = False
    memory: int = 0  # bytes
    disks: tuple[MachineDisk, ...] = ()
    nics: tuple[MachineNic, ...] = ()
    dropped_nics: tuple[DroppedNic, ...] = ()  # on networks that are deliberately not connected
    gpus: tuple[str, ...] = ()  # resource names
    host_devices: tuple[str, ...] = ()
    run_strategy: RunStrategy = "Always"  # from cutover on
    eviction_strategy: EvictionStrategy = "None"
    priority_class: str | None = None
    instancetype: InstancetypeRef | None = None
    preference: InstancetypeRef | None = None
    termination_grace_period: int = 180  # seconds
    preserve_static_ips: bool = True
    transfer_network: Reference | None = None  # a NAD
    hooks: tuple[HookUse, ...] = ()
    raw: bool = False  # its disks are copied unchanged: the guest is not converted
    forklift: PlanOptions | None = None  # of its Plan; None: all defaults
    nested_virtualization: bool | None = None  # Forklift; None: as in vSphere
    rdm_as_lun: bool = False
    scsi_reservation: bool = False
    luks_secret: str | None = None
    nbde_clevis: bool = False
    root_disk: str | None = None
    ports: tuple[NamedPort, ...] = ()
    golden: bool = False  # a template: its disks become DataSources, no VM
    clone_of: str | None = None  # target name of the golden image it is cloned from
    application: Application | None = None
    state: tuple[StateVolume, ...] = ()
    probe: Check | None = None  # what KubeVirt checks while it runs
    conversion: Conversion | None = None  # once its attempt has begun (virt-v2v)
    records: tuple[DnsRecord, ...] = ()
    baseline: Baseline | None = None  # what it used in vSphere; its disks are those of the target, by name
    alias: MachineAlias | None = None
    route: MachineRoute | None = None


class Step(Model, frozen=True, kw_only=True):
    """One root of a group: the layers of its base that the group's stage selects."""

    name: str
    layers: tuple[str, ...]
    after: tuple[str, ...] = ()  # steps of the same group that come first


class NetworkPair(Model, frozen=True, kw_only=True):
    """One row of a NetworkMap."""

    source: SourceRef
    nad: Reference | None  # None: the pod network
    ignored: bool = False  # deliberately not connected; there is no NAD


class StoragePair(Model, frozen=True, kw_only=True):
    """One row of a StorageMap."""

    source: SourceRef
    storage_class: str
    access_mode: AccessMode
    volume_mode: VolumeMode
    offload: ArrayCopy | None = None


class VmCutover(Model, frozen=True, kw_only=True):
    """The cutover time of one VM in a warm group, instead of the group's. Forklift only accepts it by id."""

    id: str
    time: str  # RFC 3339


class Departed(Model, frozen=True, kw_only=True):
    """A VM that left a group which had begun to move, for one of its own. The group's Plan still names it."""

    machine: Machine
    attempt: int  # of the group at that time


class DnsChange(Model, frozen=True, kw_only=True):
    """A record that changes with its VM, and how far it is at the stage of its group. TTLs are in seconds."""

    vm: VmKey
    name: str
    zone: str
    provider: DnsProvider
    before: tuple[str, ...]
    after: tuple[str, ...]
    usual_ttl: int
    lowered_ttl: int
    switched: bool
    lowered: bool
    weight: int | None = None  # percent of clients that get the new value; None: the record holds one value at a time
    ended: bool = False  # the source may be gone: of a record with weights, only the new value is left

    @property
    def values(self) -> tuple[str, ...]:
        """What it holds at this stage."""
        return self.after if self.switched else self.before

    @property
    def ttl(self) -> int:
        """Its TTL at this stage."""
        return self.lowered_ttl if self.lowered else self.usual_ttl


class CheckSegment(Model, frozen=True, kw_only=True):
    """A network that the pod of a check is attached to itself, with which address."""

    network: str  # its name
    address: str  # with its prefix
    target: NetworkTarget
    nad: Reference | None = None  # of the VMs, where pods can use it as well; None: it needs one with its address
    resource: str | None = None  # of the node, which it needs for that network
    node_selector: Labels = {}
    tolerations: tuple[Toleration, ...] = ()


class MachineCheck(Model, frozen=True, kw_only=True):
    """A check of one VM."""

    check: Check
    address: str | None = None  # where the VM is reached; None: KubeVirt knows, or there is no way
    source: str | None = None  # where its source is, of one that compares both; None: nobody knows for certain
    made_of: str | None = None  # digest of its script, of one that compares: another script prints something else
    segment: CheckSegment | None = None  # None: from the pod network


class Comparison(Model, frozen=True, kw_only=True):
    """How the VMs of a group are compared with their baseline. Margins are in percent."""

    gate: bool
    latency: int
    disk: int
    cpu: int
    network: int
    settings: PerformanceSettings


class Group(Model, frozen=True, kw_only=True):
    """A move group: VMs with the same plan-level settings, which move together."""

    name: str
    full_name: str  # SPEC-GROUP, for objects in shared namespaces; with remigrate another one
    phase: str
    phase_kind: PhaseKind
    stage: Stage
    dual_run: DualRunMode = "fallback"
    weight: int = 0  # percent of clients that go to the target at this stage
    reached: Stage | None = None  # the stage from which it was rolled back
    split_from: str | None = None  # the group that its VMs left
    departed: tuple[Departed, ...] = ()  # VMs that left it for groups of their own
    hold: str | None = None  # why it stays at its stage
    source_gone: bool = False  # its vCenter left vSphere: nothing of Forklift's is synced for it
    attempt: int = 1
    remigrate: int = 0  # how often it began again after what was in the target was deleted
    data_loss: DataLoss | None = None  # of what its VMs wrote in the target, if they are rolled back after cutover
    cutover: str | None = None  # RFC 3339
    vm_cutover: tuple[VmCutover, ...] = ()
    running: bool = False  # at this stage the target runs
    graduated: bool = False  # its VMs were handed over to another repository
    frozen: bool = False
    path: Path
    method: Method
    source: str
    namespace: str
    placement: Placement = Placement()
    preserve_static_ips: bool = True
    transfer_network: Reference | None = None
    forklift: PlanOptions = PlanOptions()
    machines: tuple[Machine, ...]
    origins: dict[VmKey, Origin] = {}  # of those on path virt-v2v
    adopted: dict[VmKey, dict[str, Any]] = {}  # the specs of those that were recorded as they are in the cluster
    snapshots: tuple[VmKey, ...] = ()  # those that get a snapshot before they are accepted
    checks: dict[VmKey, tuple[MachineCheck, ...]] = {}  # what proves that its VMs work
    check_image: str | None = None  # of the Job that checks them
    check_user: int | None = None  # that it runs as; None: the platform chooses
    check_scripts: dict[str, str] = {}  # text of the scripts among them, by check
    performance: Comparison | None = None  # None: nobody asked for it
    kept_on_failure: tuple[str, ...] = ()  # keys of those that may have served before their migration failed
    networks: tuple[NetworkPair, ...] = ()
    storage: tuple[StoragePair, ...] = ()
    dns: tuple[DnsChange, ...] = ()  # records that change with its VMs, by name
    preflight: tuple[str, ...] = ()  # objects of the pre-flight tests that have to pass before it moves
    layers: tuple[str, ...]  # every layer its base has, whatever the stage
    steps: tuple[Step, ...] = ()  # the roots its stage has; none while planned

    @property
    def conversion_account(self) -> str:
        """Name of the ServiceAccount, Role and ConfigMap of its conversion Jobs."""
        return f"{self.full_name}-convert"


class Credential(Model, frozen=True, kw_only=True):
    """A Secret, by reference: it exists already, or comes from an ExternalSecret or an opaque file."""

    name: str
    namespace: str
    source: str  # vCenter it is for
    external: ExternalSecret | None = None
    content: bytes | None = None  # SealedSecret or SOPS file, byte for byte
    purpose: Literal["provider", "conversion"] = "provider"
    gone: bool = False  # its vCenter left vSphere: it is not synced, and only the right to prune it is left


class Host(Model, frozen=True, kw_only=True):
    """An ESXi host that Forklift copies from directly."""

    host: EsxiHost
    name: str
    credential: Credential


class SourcePlan(Model, frozen=True, kw_only=True):
    """A vCenter as Forklift sees it."""

    name: str
    provider: str  # name of the Provider
    vcenter: VCenter
    credential: Credential
    hosts: tuple[Host, ...] = ()
    places_at: Reference | None = None  # what conversions that begin now take their places from
    gone: bool = False  # it left vSphere as a whole: nothing that reads from it is synced


class HookPlan(Model, frozen=True, kw_only=True):
    """A Forklift Hook."""

    name: str  # as the spec calls it
    full_name: str
    image: str | None  # None: a job of AAP
    playbook: str | None = None  # text of the playbook
    service_account: str | None = None
    deadline: int | None = None  # seconds
    aap: AapJob | None = None
    aap_timeout: int | None = None  # seconds


class ScriptPlan(Model, frozen=True, kw_only=True):
    """A ConfigMap with scripts for conversions."""

    name: str  # as the spec calls it
    config_map: str
    namespace: str
    scripts: dict[str, str] | None = None  # text by key; None: the ConfigMap exists already


class Nad(Model, frozen=True, kw_only=True):
    """A NetworkAttachmentDefinition in one namespace."""

    name: str
    network: Network
    first: str | None = None  # the network's first definition, where this is a further one for the NICs of one VM
    route: str | None = None  # what Forklift's pods that copy over it get: a gateway, or none


class SmokePair(Model, frozen=True, kw_only=True):
    """Two VMs that test a network."""

    name: str
    nad: Reference
    test: SmokeTest
    gateway: str | None = None
    binding: Binding  # of their NICs on it

    @property
    def network(self) -> str:
        """Return the name of the network that they test."""
        return self.name.removeprefix("smoke-")


class Places(Model, frozen=True, kw_only=True):
    """A ConfigMap in which conversion Jobs of one vCenter claim places, which limits how many run at once."""

    name: str
    accounts: tuple[Reference, ...]  # the ServiceAccounts that use it


QUOTA_STATED = "stated in the spec"
"""The basis of a quota that was not computed."""


class NamespacePlan(Model, frozen=True, kw_only=True):
    """A namespace of the target, with what all its VMs share."""

    name: str
    labels: Labels = {}
    nads: tuple[Nad, ...] = ()
    smoke: tuple[SmokePair, ...] = ()
    quota: dict[str, str] = {}  # hard limits; empty: no ResourceQuota
    quota_basis: str = ""  # what the numbers are made of
    default_requests: dict[str, str] = {}  # of pods that ask for nothing, which the quota would refuse
    isolate: bool = False
    access: dict[AccessRole, tuple[str, ...]] = {}  # confirmed groups of people by role, both sorted
    credentials: tuple[Credential, ...] = ()  # of conversion Jobs
    places: tuple[Places, ...] = ()
    forklift: bool = False  # Plans put VMs here: the applier needs create on virtualmachines


class BridgePlan(Model, frozen=True, kw_only=True):
    """A bridge on the nodes with the VLANs that its networks use."""

    bridge: NodeBridge
    node_selector: Labels  # the bridge's own, or where VMs run
    vlans: tuple[tuple[int, int], ...]  # ranges, first and last
    untagged: bool = False  # some network of its has no VLAN


class PreflightNetwork(Model, frozen=True, kw_only=True):
    """A network that pods attach to, and the node resource that they need for it."""

    name: str
    nad: Reference
    resource: str | None = None


class PreflightVCenter(Model, frozen=True, kw_only=True):
    """A vCenter that pods reach, with the certificate it should have and the ESXi hosts behind it."""

    host: str
    port: int
    esxi: tuple[str, ...] = ()  # names or addresses
    thumbprint: str | None = None
    vddk_image: str | None = None


class PreflightClaim(Model, frozen=True, kw_only=True):
    """A claim that pods mount; without a class it is of the cluster's default class."""

    storage_class: str | None = None
    access_mode: AccessMode = "ReadWriteOnce"
    volume_mode: VolumeMode = "Filesystem"


class PreflightTest(Model, frozen=True, kw_only=True):
    """A Job of the pre-flight: pods on ``nodes`` different nodes, and what each of them tries."""

    name: str  # source-vc1-workers
    source: str | None = None
    nodes: int = 1
    node_selector: Labels = {}
    vcenter: PreflightVCenter | None = None
    networks: tuple[PreflightNetwork, ...] = ()
    claim: PreflightClaim | None = None


class PreflightPlan(Model, frozen=True, kw_only=True):
    """What Jobs test before anything moves. It follows from the spec and the inventory's hosts, not from VMs."""

    namespace: str
    image: str | None
    max_clock_skew: int  # seconds
    user: int | None = None  # that pods run as; None: the platform chooses
    tolerations: tuple[Toleration, ...] = ()
    tests: tuple[PreflightTest, ...] = ()


class PhasePlan(Model, frozen=True, kw_only=True):
    """A phase in the order of the migration."""

    name: str
    kind: PhaseKind
    priority: int  # value of the PriorityClass of its kind
    after: tuple[str, ...] = ()
    windows: tuple[Window, ...] = ()
    compared: bool = False  # its VMs, with what they were in vSphere


class TargetPlan(Model, frozen=True, kw_only=True):
    """What follows from the target's releases and its engine, for all that is emitted."""

    withheld: frozenset[str] = frozenset()  # fields that the stated releases may lack, as in Plan.spec.type
    engine_namespace: str  # where the engine's own objects are
    applier: ServiceAccountRef  # who applies the tree
    host_provider: str  # name of Forklift's Provider of the target
    queued: bool = False  # Kueue starts conversion Jobs


class Left(Model, frozen=True, kw_only=True):
    """A VM that does not move, and why."""

    key: VmKey
    name: str
    disposition: Disposition
    reason: str


class Decision(Model, frozen=True, kw_only=True):
    """One decision with its reason: what ``vmferry explain`` shows."""

    subject: str
    value: str
    reason: str
    where: Where | None = None
    refused: tuple[str, ...] = ()


class Blueprint(Model, frozen=True, kw_only=True):
    """The whole migration, decided."""

    name: str
    cluster: Cluster
    gitops: GitOps
    forklift: Forklift
    monitoring: Monitoring = Monitoring()
    performance: PerformanceSettings | None = None  # None: no phase compares its VMs
    target: TargetPlan
    sources: tuple[SourcePlan, ...]
    hooks: tuple[HookPlan, ...] = ()
    scripts: tuple[ScriptPlan, ...] = ()
    namespaces: tuple[NamespacePlan, ...] = ()
    bridges: tuple[BridgePlan, ...] = ()
    preflight: PreflightPlan | None = None
    phases: tuple[PhasePlan, ...] = ()
    groups: tuple[Group, ...] = ()
    left: tuple[Left, ...] = ()
    external_nads: tuple[Reference, ...] = ()  # NADs that exist already
    decisions: dict[VmKey, tuple[Decision, ...]] = {}
    places: dict[VmKey, Where] = {}  # of each VM's entry, by key
