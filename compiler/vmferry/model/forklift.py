"""Options that only Forklift has (path A): copies by a storage array, conversion pods, scripts, AAP jobs."""

from typing import Annotated, Literal

from msgspec import Meta, field

from vmferry.model.base import (
    Duration,
    Image,
    LabelKey,
    Labels,
    LabelValue,
    Model,
    Name,
    Size,
    Subdomain,
    Text,
)

XcopyProduct = Literal[
    "flashsystem",
    "infinibox",
    "ontap",
    "powerflex",
    "powermax",
    "powerstore",
    "primera3par",
    "pureFlashArray",
    "vantara",
]
CsiProduct = Literal["ontap", "primera3par"]


# --- storage map: copies by the storage array --------------------------------------------------


class XcopyOffload(Model, frozen=True, kw_only=True):
    """ESXi makes the array copy a VMDK into the volume (vsphereXcopyConfig)."""

    secret_ref: Annotated[Subdomain, Meta(description="Secret with the array's credentials, in Forklift's namespace.")]
    storage_vendor_product: Annotated[XcopyProduct, Meta(description="The array, as Forklift names it.")]
    dedicated_migration_hosts: Annotated[
        tuple[Text, ...],
        Meta(description="ESXi hosts that copy, by id (host-21) or name. Default: the VM's own host."),
    ] = ()


class CsiImport(Model, frozen=True, kw_only=True):
    """The CSI driver clones the array's own volume (csiVolumeImport): for VVols and raw device mappings, cold."""

    secret_ref: Annotated[Subdomain, Meta(description="Secret with the array's credentials, in Forklift's namespace.")]
    storage_vendor_product: Annotated[CsiProduct, Meta(description="The array, as Forklift names it.")]


class Offload(Model, frozen=True, kw_only=True):
    """How the storage array itself copies the disks of a datastore, instead of VDDK over the network (path A)."""

    xcopy: Annotated[XcopyOffload, Meta(description="Copy offload by XCOPY.")] | None = None
    csi_volume_import: Annotated[CsiImport, Meta(description="Import by the CSI driver.")] | None = None


# --- a Plan's conversion -----------------------------------------------------------------------


class ConversionStorage(Model, frozen=True, kw_only=True):
    """Volume for scratch files of conversion pods, instead of the node's own disk."""

    storage_class: Annotated[Subdomain, Meta(description="StorageClass of the temporary volume.")]
    size: Annotated[Size, Meta(description="Its size; at least the size of the largest disk.")]


class NodeTerm(Model, frozen=True, kw_only=True):
    """A condition on a node's label."""

    key: Annotated[LabelKey, Meta(description="Label of the node.")]
    operator: Annotated[Literal["In", "NotIn", "Exists", "DoesNotExist"], Meta(description="Operator.")] = "Exists"
    values: Annotated[tuple[LabelValue, ...], Meta(description="Values, for In and NotIn.")] = ()


class ConvertorPods(Model, frozen=True, kw_only=True):
    """Labels of the pods that convert guests, and the nodes they run on."""

    labels: Annotated[Labels, Meta(description="Labels of the pods.")] = {}
    node_selector: Annotated[Labels, Meta(description="Nodes they may run on.")] = {}
    require_nodes: Annotated[
        tuple[NodeTerm, ...], Meta(description="Nodes they may run on; all terms must match.")
    ] = ()
    prefer_nodes: Annotated[tuple[NodeTerm, ...], Meta(description="Preferred nodes.")] = ()
    spread: Annotated[bool, Meta(description="Concurrent conversions prefer different nodes.")] = False


class ForkliftDecisions(Model, frozen=True, kw_only=True):
    """How Forklift moves a VM (path A). Later `assign` rules win per field, and the VM's entry wins over all."""

    offload: (
        Annotated[bool, Meta(description="Use the `offload` of its datastores. Default: true; false: by VDDK.")] | None
    ) = None
    conversion_storage: (
        Annotated[ConversionStorage, Meta(description="Scratch space of its conversion. Default: the node's.")] | None
    ) = None
    convertor: Annotated[ConvertorPods, Meta(description="The pods that convert it.")] | None = None
    service_account: (
        Annotated[Name, Meta(description="ServiceAccount of the migration's pods, in the VM's namespace.")] | None
    ) = None
    virt_v2v_image: Annotated[Image, Meta(description="Conversion image. Default: the Forklift operator's.")] | None = (
        field(default=None, name="virtV2vImage")
    )
    xfs_compatibility: (
        Annotated[bool, Meta(description="Convert with the image for XFS v4 file systems, which cannot read Btrfs.")]
        | None
    ) = None
    scripts: Annotated[Name, Meta(description="One of `scripts`, to run while the guest is converted.")] | None = None
    tags: (
        Annotated[
            Literal["all", "none"] | tuple[Text, ...],
            Meta(description="vSphere tags that become labels of the VM, by name. Default: all."),
        ]
        | None
    ) = None
    legacy_drivers: (
        Annotated[bool, Meta(description="Give Windows drivers without SHA-2 signatures. Default: by its guestId.")]
        | None
    ) = None
    nested_virtualization: (
        Annotated[bool, Meta(description="The guest may run VMs itself. Default: as in vSphere.")] | None
    ) = None
    rdm_as_lun: (
        Annotated[bool, Meta(description="Raw device mappings become LUNs, to which the guest may send any SCSI.")]
        | None
    ) = None
    scsi_reservation: (
        Annotated[bool, Meta(description="Shared LUNs take SCSI persistent reservations; needs rdmAsLun.")] | None
    ) = None


# --- scripts and hooks -------------------------------------------------------------------------


class ConfigMapRef(Model, frozen=True, kw_only=True):
    """A ConfigMap that exists already."""

    name: Annotated[Subdomain, Meta(description="Its name.")]
    namespace: Annotated[Name, Meta(description="Its namespace. Default: Forklift's.")] | None = None


class ScriptSet(Model, frozen=True, kw_only=True):
    """Scripts that run in guests during the conversion: either files or an existing ConfigMap."""

    name: Annotated[Name, Meta(description="Its name.")]
    files: Annotated[
        tuple[Text, ...],
        Meta(
            description="Files beside the spec, named NUMBER_linux_run_NAME.sh, NUMBER_linux_firstboot_NAME.sh or "
            "NUMBER_win_firstboot_NAME.ps1; vmferry makes a ConfigMap of them."
        ),
    ] = ()
    config_map: Annotated[ConfigMapRef, Meta(description="A ConfigMap with such keys.")] | None = None


class AapJob(Model, frozen=True, kw_only=True):
    """A job template of the Ansible Automation Platform that a hook starts."""

    job_template_id: Annotated[int, Meta(ge=1, le=2**31 - 1, description="Id of the job template.")]
    url: (
        Annotated[
            str,
            Meta(
                pattern=r"^https?://[^\s@]+$(?!\n)",
                description="The platform's address, with tokenSecret. Default: the ForkliftController's aap_url.",
            ),
        ]
        | None
    ) = None
    token_secret: (
        Annotated[Subdomain, Meta(description="Secret with key `token`, in Forklift's namespace; with url.")] | None
    ) = None
    timeout: Annotated[Duration, Meta(description="Time limit of the job. Default: the hook's deadline.")] | None = None
