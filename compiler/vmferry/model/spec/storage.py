"""The storage of a spec: the classes the target offers, and where each datastore goes."""

from typing import Annotated, Literal

from msgspec import Meta

from vmferry.model.base import LabelValue, Model, Name, Size, Subdomain, Text
from vmferry.model.forklift import Offload

AccessMode = Literal["ReadWriteMany", "ReadWriteOnce", "ReadOnlyMany"]
VolumeMode = Literal["Block", "Filesystem"]


class StorageClass(Model, frozen=True, kw_only=True):
    """A StorageClass the target offers."""

    name: Annotated[Subdomain, Meta(description="Its name.")]
    provisioner: Annotated[Text, Meta(description="Its provisioner.")]
    parameters: Annotated[dict[str, str], Meta(description="Parameters that change its capabilities.")] = {}
    access_modes: (
        Annotated[
            tuple[AccessMode, ...],
            Meta(min_length=1, description="Access modes. Default: those known for the provisioner."),
        ]
        | None
    ) = None
    volume_modes: (
        Annotated[
            tuple[VolumeMode, ...],
            Meta(min_length=1, description="Volume modes. Default: those known for the provisioner."),
        ]
        | None
    ) = None
    tier: Annotated[Text, Meta(description="Tier it serves.")] | None = None
    snapshots: Annotated[bool, Meta(description="It can snapshot.")] | None = None
    replication: Annotated[int, Meta(ge=1, le=10, description="Number of copies it keeps.")] | None = None
    capacity: Annotated[Size, Meta(description="Usable capacity.")] | None = None
    iops: Annotated[int, Meta(ge=1, description="IOPS available to a volume.")] | None = None
    zones: Annotated[tuple[LabelValue, ...], Meta(description="Zones that its volumes are bound to.")] = ()
    wait_for_first_consumer: Annotated[bool, Meta(description="Its volumeBindingMode is WaitForFirstConsumer.")] = False


class DatastoreRef(Model, frozen=True, kw_only=True):
    """A datastore in vSphere."""

    datastore: Annotated[Text, Meta(description="Its name.")]
    id: Annotated[Text, Meta(description="Its managed object id, as in datastore-12.")] | None = None
    source: Annotated[Name, Meta(description="Its vCenter. Default: any.")] | None = None


class DatastoreMap(Model, frozen=True, kw_only=True):
    """The target of the disks on a datastore: a tier, or one StorageClass."""

    source: Annotated[DatastoreRef, Meta(description="The datastore.")]
    tier: Annotated[Text, Meta(description="Tier; the class is chosen by what the disk needs.")] | None = None
    storage_class: Annotated[Subdomain, Meta(description="A fixed StorageClass.")] | None = None
    offload: Annotated[Offload, Meta(description="How the storage array copies its disks (path A).")] | None = None


class Storage(Model, frozen=True, kw_only=True):
    """Storage of the target, and where datastores go."""

    classes: Annotated[tuple[StorageClass, ...], Meta(description="StorageClasses, best first.")] = ()
    map: Annotated[tuple[DatastoreMap, ...], Meta(description="Datastores to tiers or classes.")] = ()
