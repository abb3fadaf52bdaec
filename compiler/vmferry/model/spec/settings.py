"""The settings of a spec: how the compiler itself decides."""

from typing import Annotated, Literal

from msgspec import Meta

from vmferry.model.base import Model, Size
from vmferry.model.spec.contacts import Contacts
from vmferry.model.spec.performance import PerformanceSettings
from vmferry.model.spec.phases import Gates
from vmferry.model.spec.schedule import ScheduleSettings


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
    offload: (
        Annotated[
            Size,
            Meta(
                description="Bytes per second of one VM whose disks the storage array copies, while its group is "
                "copied. Default: as measured; before that, the time is unknown."
            ),
        ]
        | None
    ) = None
    image: (
        Annotated[
            Size,
            Meta(
                description="Bytes per second of one VM by method image, from its shutdown until its volumes are "
                "filled: export, conversion, upload and import. Default: the time is unknown."
            ),
        ]
        | None
    ) = None
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


class NodeType(Model, frozen=True, kw_only=True):
    """The size of a node."""

    cpu: Annotated[int, Meta(ge=1, le=4096, description="CPU threads.")]
    memory: Annotated[Size, Meta(description="Memory.")]


_Percent = Annotated[int, Meta(ge=0, le=300)]


class SizingSettings(Model, frozen=True, kw_only=True):
    """How many nodes and how much storage to plan, for VMF441, VMF442 and the report `sizing`.

    docs/sizing.md has the arithmetic, and where each default comes from.
    """

    headroom: Annotated[
        _Percent, Meta(description="Percent of what VMs request that nodes have on top, for Kubernetes and KubeVirt.")
    ] = 20
    ceph_headroom: Annotated[
        _Percent, Meta(description="Percent on top of that where Rook or ODF runs Ceph on the same nodes.")
    ] = 15
    spare_nodes: Annotated[
        int, Meta(ge=0, le=10, description="Nodes that may fail without a VM left out: 1 for N+1, 2 for N+2.")
    ] = 1
    spare_per: Annotated[
        Literal["zone", "cluster"],
        Meta(description="Whether spareNodes may fail in each zone, or in all."),
    ] = "zone"
    vms_per_node: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=1000,
                description="VMs per node. Default: the distribution's maxPods less 20 for pods of the node itself, "
                "so 90, and 230 on OpenShift.",
            ),
        ]
        | None
    ) = None
    conversions: Annotated[
        int, Meta(ge=0, le=1000, description="VMs that are converted at once while a phase runs.")
    ] = 20
    node: (
        Annotated[
            NodeType,
            Meta(
                description="Nodes to plan with while `target.cluster.nodes` is empty. Default: like the most common "
                "ESXi host."
            ),
        ]
        | None
    ) = None
    zones: Annotated[
        int, Meta(ge=1, le=20, description="Zones to plan with while `target.cluster.nodes` is empty.")
    ] = 1
    growth: Annotated[_Percent, Meta(description="Percent that stored data grows before storage is added.")] = 20
    snapshot_reserve: Annotated[_Percent, Meta(description="Percent of stored data for snapshots.")] = 20
    max_fill: Annotated[int, Meta(ge=10, le=100, description="Percent of the raw capacity that may be full.")] = 85


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
    sizing: Annotated[SizingSettings, Meta(description="How many nodes and how much storage to plan.")] = (
        SizingSettings()
    )
    schedule: Annotated[ScheduleSettings, Meta(description="What forecasts of the schedule assume.")] = (
        ScheduleSettings()
    )
    performance: Annotated[
        PerformanceSettings, Meta(description="How VMs are compared with what they were in vSphere.")
    ] = PerformanceSettings()
    contacts: Annotated[Contacts, Meta(description="Whom to reach, for `vmferry report runbook`.")] = Contacts()
    parallel_windows: (
        Annotated[
            int,
            Meta(ge=1, le=100, description="Phases whose windows may be open at once (VMF424). Default: any number."),
        ]
        | None
    ) = None
