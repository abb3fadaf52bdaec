"""Assignments: which VM is in which group, and the final state of frozen VMs."""

from typing import Annotated, Literal

from msgspec import Meta

from vmferry.model.base import Model, Name
from vmferry.model.blueprint import Departed, Machine
from vmferry.model.keys import VmKey
from vmferry.model.spec import ApiVersion, Metadata, Stage


class Assignment(Model, frozen=True, kw_only=True):
    """The assignment of a VM."""

    group: Annotated[Name, Meta(description="Its move group.")]
    stage: Annotated[Stage, Meta(description="Stage its group reached.")] = "planned"
    facts: Annotated[str, Meta(description="Digest of the facts and decisions that were frozen.")] | None = None
    attempt: (
        Annotated[int, Meta(ge=1, description="Attempt of its group, from `migrating` on, or once there was another.")]
        | None
    ) = None
    remigrate: Annotated[int, Meta(ge=0, description="How often its group began again after a roll-back.")] = 0
    reached: Annotated[Stage, Meta(description="Stage from which its group was rolled back, while it is.")] | None = (
        None
    )
    of: (
        Annotated[int, Meta(ge=1, description="Number of VMs frozen in its group, so that a lost record is noticed.")]
        | None
    ) = None
    machine: Annotated[Machine, Meta(description="The frozen VM; absent while its group is planned.")] | None = None


class Assignments(Model, frozen=True, kw_only=True):
    """Every VM's group; written by vmferry and committed. VMs past `planned` are frozen here."""

    api_version: Annotated[ApiVersion, Meta(description="Version of the format.")] = "vmferry.dev/v1alpha1"
    kind: Annotated[Literal["Assignments"], Meta(description="Kind of the file.")] = "Assignments"
    metadata: Annotated[Metadata, Meta(description="Name of the migration.")]
    vms: Annotated[dict[VmKey, Assignment], Meta(description="By source and id (or name).")] = {}
    departed: Annotated[
        dict[Name, dict[VmKey, Departed]], Meta(description="VMs that left a group that had begun to move, by group.")
    ] = {}
