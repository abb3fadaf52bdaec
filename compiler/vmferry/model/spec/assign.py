"""Decisions for many VMs: `defaults`, and `assign` with its matches."""

from typing import Annotated

from msgspec import Meta

from vmferry.model.base import Model, Text
from vmferry.model.facts import Firmware, OsFamily, PowerState
from vmferry.model.spec.decisions import Decisions


class ForMany(Decisions, frozen=True, kw_only=True):
    """Decisions on many VMs, and facts that can be stated for many: they apply if nothing else states them."""

    firmware: (
        Annotated[
            Firmware, Meta(description="Firmware of VMs for which neither the inventory nor their entry states it.")
        ]
        | None
    ) = None
    secure_boot: (
        Annotated[
            bool,
            Meta(description="EFI secure boot of EFI VMs for which neither the inventory nor their entry states it."),
        ]
        | None
    ) = None
    vtpm: (
        Annotated[
            bool,
            Meta(
                description="Whether EFI VMs have a virtual TPM, for VMs for which neither the inventory nor their "
                "entry states it. RVTools does not know."
            ),
        ]
        | None
    ) = None


class Match(Model, frozen=True, kw_only=True):
    """Selects VMs: every given field must match, a list by any of its globs."""

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
