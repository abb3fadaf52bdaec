"""When a VM counts as slower than it was in vSphere: margins around its baseline, and what shows that it is held up."""

from typing import Annotated

from msgspec import Meta

from vmferry.model.base import Duration, Model

_More = Annotated[int, Meta(ge=0, le=10000)]
_Less = Annotated[int, Meta(ge=0, le=100)]


class Margins(Model, frozen=True, kw_only=True):
    """How far a VM may be from its baseline, in percent of it."""

    latency: Annotated[_More, Meta(description="How much longer a read or a write may take. Default: 50.")] | None = (
        None
    )
    disk: (
        Annotated[
            _Less, Meta(description="How many IOPS, and how much throughput, a disk that queues may lack. Default: 30.")
        ]
        | None
    ) = None
    cpu: (
        Annotated[
            _Less,
            Meta(
                description="How much CPU time a VM that waits for CPU may lack, and how far a full one may be above "
                "its peak. Default: 30."
            ),
        ]
        | None
    ) = None
    network: (
        Annotated[_Less, Meta(description="How much traffic a VM that loses packets may lack. Default: 50.")] | None
    ) = None


class PerformanceSettings(Model, frozen=True, kw_only=True):
    """How VMs are compared with their baseline, in phases with `performance`; docs/performance.md."""

    margins: Annotated[Margins, Meta(description="Of every phase that states no other.")] = Margins()
    window: Annotated[
        Duration, Meta(description="What alerts look at: averages over this time, at least a sample of the baseline.")
    ] = "2h"
    period: Annotated[
        Duration, Meta(description="What the gate looks at: averages over this time, since the VM runs in the target.")
    ] = "1d"
    latency_at_least: Annotated[
        float, Meta(ge=0, le=1000, description="Milliseconds that a read or a write may always take.")
    ] = 5.0
    iops_at_least: Annotated[
        int, Meta(ge=1, le=100000, description="Reads or writes per second below which latency says nothing.")
    ] = 10
    queue: Annotated[
        float, Meta(gt=0, le=1024, description="Requests that a disk has waiting, from which on it is held up.")
    ] = 4.0
    cpu_wait: Annotated[
        int, Meta(ge=1, le=100, description="Percent of the time that its vCPUs wait for a CPU, from which on it is.")
    ] = 5
    cpu_full: Annotated[
        int, Meta(ge=1, le=100, description="Percent of its vCPUs in use, from which on it is full.")
    ] = 90
    swap_in: Annotated[
        int, Meta(ge=1, le=1048576, description="KiB per second read from the guest's swap: it lacks memory.")
    ] = 1024
    drops: Annotated[
        float, Meta(gt=0, le=100, description="Percent of packets lost on its NICs, from which on it is held up.")
    ] = 1.0


class PhasePerformance(Model, frozen=True, kw_only=True):
    """The VMs of a phase are compared with their baseline once they run in the target."""

    gate: Annotated[
        bool,
        Meta(
            description="Groups wait until those that cut over before have been compared and are not slower (VMF895)."
        ),
    ] = True
    margins: Annotated[Margins, Meta(description="Over those of the settings.")] = Margins()
