"""Adopted VMs: their specs as the cluster has them, recorded so that git owns them without changing them."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from vmferry.model.base import Model, Name
from vmferry.model.keys import VmKey
from vmferry.model.spec import ApiVersion, Metadata


class AdoptedMachine(Model, frozen=True, kw_only=True):
    """A VM as it was found in the cluster. Another attempt makes another VM, to which this does not apply."""

    attempt: Annotated[int, Meta(ge=1, description="Attempt of its group that made the VM.")] = 1
    remigrate: Annotated[int, Meta(ge=0, description="How often its group began again before that.")] = 0
    spec: Annotated[
        dict[str, Any],
        Meta(description="The spec of the VirtualMachine, without what the cluster only keeps for itself."),
    ]


class AdoptedMachines(Model, frozen=True, kw_only=True):
    """The adopted VMs of a move group; written by `vmferry adopt` and committed."""

    api_version: Annotated[ApiVersion, Meta(description="Version of the format.")] = "vmferry.dev/v1alpha1"
    kind: Annotated[Literal["AdoptedMachines"], Meta(description="Kind of the file.")] = "AdoptedMachines"
    metadata: Annotated[Metadata, Meta(description="Name of the migration.")]
    group: Annotated[Name, Meta(description="The move group.")]
    vms: Annotated[dict[VmKey, AdoptedMachine], Meta(description="By source and id (or name).")] = {}
