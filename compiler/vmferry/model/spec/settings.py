"""The settings of a spec: how the compiler itself decides."""

from typing import Annotated, Literal

from msgspec import Meta

from vmferry.model.base import Model
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


class Settings(Model, frozen=True, kw_only=True):
    """Settings of the compiler."""

    auto: Annotated[SimilarVms, Meta(description="How path auto decides.")] = SimilarVms()
    grouping: Annotated[Grouping, Meta(description="Move groups.")] = Grouping()
    gates: Annotated[
        Gates,
        Meta(description="Whether a stage needs evidence of the one before; `recorded`: once evidence.yaml exists."),
    ] = "recorded"
    parallel_windows: (
        Annotated[
            int,
            Meta(ge=1, le=100, description="Phases whose windows may be open at once (VMF424). Default: any number."),
        ]
        | None
    ) = None
