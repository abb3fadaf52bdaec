"""Facts in vSphere: the parts of a VM. An absent field is unknown; there are no defaults."""

from typing import Annotated, Literal

from msgspec import Meta

from vmferry.model.base import Address, GuestAddress, InterfaceName, Mac, Model, Name, ResourceName, Size, Text

OsFamily = Literal["linux", "windows", "other"]
Firmware = Literal["bios", "efi"]
PowerState = Literal["poweredOn", "poweredOff", "suspended"]
Controller = Literal["scsi", "nvme", "sata", "ide"]
DiskMode = Literal[
    "persistent", "nonpersistent", "undoable", "append", "independent_persistent", "independent_nonpersistent"
]
Bus = Literal["virtio", "scsi", "sata"]
NicModel = Literal["virtio", "e1000e", "e1000", "rtl8139"]


class Cpu(Model, frozen=True, kw_only=True):
    """Virtual CPUs as vSphere counts them."""

    count: Annotated[int, Meta(ge=1, le=1024, description="Virtual CPUs (numCPU).")]
    cores_per_socket: Annotated[int, Meta(ge=1, le=1024, description="Cores per socket (numCoresPerSocket).")] = 1
    threads_per_core: Annotated[int, Meta(ge=1, le=8, description="Threads per core.")] = 1


class HttpImage(Model, frozen=True, kw_only=True):
    """A disk image on a web server that CDI imports."""

    url: Annotated[Text, Meta(description="Address of the raw or qcow2 image, without credentials.")]
    checksum: (
        Annotated[
            str,
            Meta(
                pattern=r"^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$(?!\n)",
                description="Digest of the image; emitted if the target's CDI checks it (1.65 and later).",
            ),
        ]
        | None
    ) = None
    secret_ref: Annotated[Name, Meta(description="Secret with accessKeyId and secretKey.")] | None = None
    cert_config_map: Annotated[Name, Meta(description="ConfigMap with the server's CA.")] | None = None


class RegistryImage(Model, frozen=True, kw_only=True):
    """A disk image in a container registry that CDI imports."""

    url: Annotated[
        str,
        Meta(pattern=r"^(docker|oci-archive)://[^@\s]+(@sha256:[0-9a-f]{64})?$(?!\n)", description="The image."),
    ]
    secret_ref: Annotated[Name, Meta(description="Secret with accessKeyId and secretKey.")] | None = None


class NoOptions(Model, frozen=True, kw_only=True):
    """A source that needs no options: `{}`."""


class DiskSource(Model, frozen=True, kw_only=True):
    """Where the bytes of a volume come from; exactly one."""

    http: Annotated[HttpImage, Meta(description="An image on a web server.")] | None = None
    registry: Annotated[RegistryImage, Meta(description="An image in a registry.")] | None = None
    upload: Annotated[NoOptions, Meta(description="Someone uploads it with virtctl image-upload.")] | None = None
    vddk: (
        Annotated[
            NoOptions,
            Meta(description="CDI copies the bytes from vSphere, unconverted: the guest already has drivers."),
        ]
        | None
    ) = None
    blank: Annotated[NoOptions, Meta(description="An empty volume: the source disk is not copied.")] | None = None


class Disk(Model, frozen=True, kw_only=True):
    """A virtual disk: facts of the source and, if they differ from the rules, decisions for the target."""

    size: Annotated[Size, Meta(description="Capacity.")]
    datastore: Annotated[Text, Meta(description="Datastore it lies on, by name or id.")] | None = None
    file: Annotated[Text, Meta(description="Its VMDK, as in `[ds1] web-01/web-01.vmdk`.")] | None = None
    key: Annotated[int, Meta(description="Device key in vSphere.")] | None = None
    label: Annotated[Text, Meta(description="Device label, as in `Hard disk 1`.")] | None = None
    serial: Annotated[Text, Meta(description="Serial number or UUID the guest sees.")] | None = None
    controller: Annotated[Controller, Meta(description="Kind of controller.")] | None = None
    unit: Annotated[Text, Meta(description="Controller and unit, as in scsi0:1.")] | None = None
    thin: Annotated[bool, Meta(description="Thin provisioned.")] | None = None
    mode: Annotated[DiskMode, Meta(description="Disk mode.")] | None = None
    change_tracking: Annotated[bool, Meta(description="Changed blocks are tracked (scsi0:1.ctkEnabled).")] | None = None
    shared: (
        Annotated[
            Name,
            Meta(description="Name of a disk that several VMs share; set the same name in each of them."),
        ]
        | None
    ) = None
    rdm: Annotated[Literal["virtual", "physical"], Meta(description="Raw device mapping mode.")] | None = None
    boot: Annotated[bool, Meta(description="The guest boots from it. Default: the first disk does.")] | None = None
    iops: Annotated[int, Meta(ge=1, description="IOPS it needs.")] | None = None
    iops_limit: Annotated[int, Meta(ge=1, description="IOPS vSphere limits it to.")] | None = None
    tier: Annotated[Text, Meta(description="Storage tier; overrides the storage map.")] | None = None
    storage_class: Annotated[Name, Meta(description="StorageClass; overrides any rule.")] | None = None
    bus: Annotated[Bus, Meta(description="Bus in the target. Default: virtio.")] | None = None
    source: Annotated[DiskSource, Meta(description="Where the bytes come from, for method image.")] | None = None


class Nic(Model, frozen=True, kw_only=True):
    """A network adapter."""

    network: Annotated[Text, Meta(description="Segment or port group, by name or id.")]
    mac: Annotated[Mac, Meta(description="Its MAC address, kept in the target.")] | None = None
    connected: Annotated[bool, Meta(description="Connected when the VM starts.")] = True
    linked: (
        Annotated[bool, Meta(description="Connected now, if that differs from its state after the next start.")] | None
    ) = None
    adapter: Annotated[Text, Meta(description="Adapter in vSphere, as in vmxnet3.")] | None = None
    network_id: Annotated[Text, Meta(description="Managed object id of the network, or NSX segment id.")] | None = None
    switch: Annotated[Text, Meta(description="Its switch, to tell apart port groups with the same name.")] | None = None
    model: Annotated[NicModel, Meta(description="Model in the target. Default: virtio.")] | None = None
    addresses: Annotated[tuple[GuestAddress, ...], Meta(description="Addresses the guest has.")] = ()
    origin: Annotated[Literal["static", "dhcp"], Meta(description="Where the addresses come from.")] | None = None
    gateway: (
        Annotated[
            Address | Annotated[tuple[Address, ...], Meta(max_length=2)],
            Meta(description="Default gateway; with IPv4 and IPv6 addresses, a list with one of each."),
        ]
        | None
    ) = None
    nameservers: Annotated[tuple[Address, ...], Meta(description="DNS servers.")] = ()
    interface: (
        Annotated[
            InterfaceName,
            Meta(description="Its name in a Linux guest, as in ens192. Default: found by MAC or address in the guest."),
        ]
        | None
    ) = None

    @property
    def gateways(self) -> tuple[str, ...]:
        """Return the default gateways, one or none of each address family."""
        if self.gateway is None:
            return ()
        return (self.gateway,) if isinstance(self.gateway, str) else self.gateway


class Device(Model, frozen=True, kw_only=True):
    """A GPU or other device passed through to the VM."""

    device_name: Annotated[
        ResourceName,
        Meta(description="Resource name on the target's nodes, as in nvidia.com/TU104GL_Tesla_T4."),
    ]


class GuestDisk(Model, frozen=True, kw_only=True):
    """A file system in the guest, as VMware Tools reports it."""

    path: Annotated[Text, Meta(description="Mount point or drive, as in / or C:\\.")]
    key: (
        Annotated[int, Meta(ge=0, description="Device key of the disk it is on; 0 if VMware Tools could not tell.")]
        | None
    ) = None
    capacity: Annotated[int, Meta(ge=0, description="Capacity in bytes.")] | None = None
    free: Annotated[int, Meta(ge=0, description="Free space in bytes, rounded down.")] | None = None


class Rate(Model, frozen=True, kw_only=True):
    """Average and peak of one counter over the baseline's period."""

    average: Annotated[float, Meta(ge=0, description="Average.")]
    peak: Annotated[float, Meta(ge=0, description="Highest sample.")]


class DiskBaseline(Model, frozen=True, kw_only=True):
    """The I/O of one disk."""

    label: Annotated[Text, Meta(description="Instance of the counter, as in scsi0:0.")]
    read_iops: Annotated[Rate, Meta(description="Reads per second.")] | None = None
    write_iops: Annotated[Rate, Meta(description="Writes per second.")] | None = None
    read: Annotated[Rate, Meta(description="KiB/s read.")] | None = None
    write: Annotated[Rate, Meta(description="KiB/s written.")] | None = None
    read_latency: Annotated[Rate, Meta(description="Milliseconds a read takes; averaged over reads.")] | None = None
    write_latency: Annotated[Rate, Meta(description="Milliseconds a write takes; averaged over writes.")] | None = None


class Baseline(Model, frozen=True, kw_only=True):
    """The VM's resource usage before it moved, measured by vCenter's PerformanceManager."""

    days: Annotated[int, Meta(ge=1, description="Days requested.")]
    samples: Annotated[int, Meta(ge=0, description="Number of samples.")]
    coverage: Annotated[float, Meta(ge=0, le=1, description="Fraction of the time that has samples.")]
    interval: Annotated[int, Meta(ge=1, description="Seconds per sample; a peak is the highest sample.")] | None = None
    cpu: Annotated[Rate, Meta(description="CPU usage in percent.")] | None = None
    memory: Annotated[Rate, Meta(description="Active memory in percent.")] | None = None
    network: Annotated[Rate, Meta(description="Network usage in KiB/s.")] | None = None
    disks: Annotated[tuple[DiskBaseline, ...], Meta(description="Per disk, if vCenter has it.")] = ()
