"""The settings of a spec: how the compiler itself decides."""

from typing import Annotated, Literal

from msgspec import Meta

from vmferry.model.base import Model, Size
from vmferry.model.spec.phases import Gates


class SimilarVms(Model, frozen=True, kw_only=True):
    """When VMs take the mass path."""

    threshold: Annotated[int, Meta(ge=1, description="From this many standard VMs on, a vCenter uses Forklift.")] = 50
    order: Annotated[
        tuple[Literal["rebuild", "special", "similar"], ...],
        Meta(description="Order of the criteria for path auto."),
    ] = ("rebuild", "special", "similar")


class Grouping(Model, frozen=True, kw_only=True):
    """How VMs are split into move groups."""

    max_vms: Annotated[int, Meta(ge=1, le=500, description="VMs per move group.")] = 40


class CopySettings(Model, frozen=True, kw_only=True):
    """How fast disks are copied from vSphere, for estimates. It limits nothing: Forklift has settings for that."""

    per_vm: (
        Annotated[Size, Meta(description="Bytes per second of one VM. Default: as measured, or published figures.")]
        | None
    ) = None
    per_host: Annotated[Size, Meta(description="Bytes per second that one ESXi host sends.")] | None = None
    total: Annotated[Size, Meta(description="Bytes per second that a vCenter's hosts send together.")] | None = None
    vms_per_host: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=500,
                description="VMs of one ESXi host that are copied at once: Forklift's controller_max_vm_inflight. "
                "Default: 20, as there.",
            ),
        ]
        | None
    ) = None


class Settings(Model, frozen=True, kw_only=True):
    """Settings of the compiler."""

    auto: Annotated[SimilarVms, Meta(description="How path auto decides.")] = SimilarVms()
    grouping: Annotated[Grouping, Meta(description="Move groups.")] = Grouping()
    gates: Annotated[
        Gates,
        Meta(description="Whether a stage needs evidence of the one before; `recorded`: once evidence.yaml exists."),
    ] = "recorded"
    copy: Annotated[CopySettings, Meta(description="Rates of copies, for estimates of how long they take.")] = (
        CopySettings()
    )
    parallel_windows: (
        Annotated[
            int,
            Meta(ge=1, le=100, description="Phases whose windows may be open at once (VMF424). Default: any number."),
        ]
        | None
    ) = None
