"""The entry of one VM: its decisions and its facts."""

from typing import Annotated, Literal

from msgspec import Meta, field

from vmferry.model.application import Application
from vmferry.model.base import Address, Cidr, Model, Name, Size, Text, Uuid
from vmferry.model.facts import Baseline, Cpu, Device, Disk, Firmware, GuestDisk, Nic, OsFamily, PowerState
from vmferry.model.spec.client_routes import ClientRoute
from vmferry.model.spec.decisions import Decisions
from vmferry.model.spec.dns import VmRecord
from vmferry.model.spec.dual_run import Replication, ServiceAlias
from vmferry.model.spec.suppressions import Suppression


class ExternalDependency(Model, frozen=True, kw_only=True):
    """Something outside the migration that a VM needs."""

    external: Annotated[str, Meta(pattern=r"^[^\s:]+(:[0-9]{1,5})?$(?!\n)", description="HOST:PORT.")]


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
        """Return the default gateways as a list."""
        if self.gateway is None:
            return ()
        return (self.gateway,) if isinstance(self.gateway, str) else self.gateway

    def gateway_of(self, address: str) -> str | None:
        """Return the gateway of an address's family, IPv4 or IPv6."""
        return next((each for each in self.gateways if (":" in each) == (":" in address)), None)


class VirtualMachine(Decisions, frozen=True, kw_only=True):
    """A VM: its decisions and facts. An absent fact is unknown; there are no defaults."""

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
    nics: Annotated[tuple[Nic, ...], Meta(description="Network adapters, in order.")] | None = None
    gpus: Annotated[tuple[Device, ...], Meta(description="GPUs.")] = ()
    host_devices: Annotated[tuple[Device, ...], Meta(description="Other passed-through devices.")] = ()
    change_tracking: Annotated[bool, Meta(description="Changed block tracking is on.")] | None = None
    snapshots: Annotated[int, Meta(ge=0, description="Number of snapshots.")] | None = None

    instance_uuid: Annotated[Uuid, Meta(description="vCenter's own UUID of it (config.instanceUuid).")] | None = None
    vapp: Annotated[Text, Meta(description="vApp it is in.")] | None = None
    hardware_version: Annotated[Text, Meta(description="Virtual hardware, as in vmx-19.")] | None = None
    guest_name: Annotated[Text, Meta(description="Guest system, as configured.")] | None = None
    guest_tools_name: Annotated[Text, Meta(description="Guest system, as reported by VMware Tools.")] | None = None
    guest_detail: (
        Annotated[Text, Meta(description="Release of the guest system, as reported by VMware Tools.")] | None
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
    used_storage: (
        Annotated[int, Meta(ge=0, description="Bytes that its files use on datastores, rounded up.")] | None
    ) = None
    managed_by: Annotated[Text, Meta(description="Extension that manages it.")] | None = None
    srm_placeholder: Annotated[bool, Meta(description="Placeholder of Site Recovery Manager.")] | None = None
    annotation: Annotated[str, Meta(max_length=16384, description="Notes in vCenter.")] | None = None
    noted: Annotated[
        tuple[Text, ...],
        Meta(description="Known words in the notes, such as nginx; the notes themselves stay in vCenter."),
    ] = ()
    guest_disks: Annotated[tuple[GuestDisk, ...], Meta(description="File systems in the guest.")] | None = None
    baseline: Annotated[Baseline, Meta(description="What it used before it moved.")] | None = None
    depends_on: Annotated[
        tuple[Text | ExternalDependency, ...],
        Meta(description="VMs (by name) and external services it needs."),
    ] = ()
    application: Annotated[Application, Meta(description="The containers that replace it (rebuild).")] | None = None
    clone_of: (
        Annotated[Text, Meta(description="Template it is cloned from in the target; its own disks are not copied.")]
        | None
    ) = None
    readdress: Annotated[
        dict[str, Readdressing], Meta(description="New addresses for cloud-init, by network name.")
    ] = {}
    dns: Annotated[
        tuple[VmRecord, ...], Meta(description="Records by which clients find it, besides the one in `dnsZone`.")
    ] = ()
    alias: (
        Annotated[ServiceAlias, Meta(description="A Service by which clients in the cluster find it on either side.")]
        | None
    ) = None
    route: (
        Annotated[
            ClientRoute, Meta(description="A route of a Gateway by which clients move to it (dualRun: parallel).")
        ]
        | None
    ) = None
    replication: (
        Annotated[Replication, Meta(description="How it is filled and promoted, for method replica.")] | None
    ) = None
    target_name: (
        Annotated[Name, Meta(description="Name in the target. Default: its own, adapted to Kubernetes.")] | None
    ) = None
    suppress: Annotated[tuple[Suppression, ...], Meta(description="Accepted findings of this VM.")] = ()
