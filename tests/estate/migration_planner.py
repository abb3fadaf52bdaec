"""The sizing of kubev2v/migration-planner by its formulas, to compare with (docs/sizing.md).

Written from internal/service/sizer.go at 6aff4ab: aggregateVMsIntoServices, CalculateEffectiveCPU,
calculateFailoverNodes and their constants. Which node takes which batch is decided by a service that is not public;
here a node takes as many batches as their requests, and 200 VMs, allow, and keeps nothing for itself.
"""

import math
from fractions import Fraction
from typing import NamedTuple


class Sized(NamedTuple):
    """Batches of equal size, worker nodes that carry them, and worker nodes for failover."""

    batches: int
    workers: int
    failover: int

    @property
    def nodes(self) -> int:
        return self.workers + self.failover


def sized(
    vms: int,
    cpu: float,
    memory: float,
    *,
    cores: int,
    node_memory: int,
    threads: int = 0,
    cpu_ratio: int = 4,
    memory_ratio: int = 2,
) -> Sized:
    """Return the size for VMs with these vCPUs and GB together; the ratios are its defaults."""
    effective = Fraction(cores) + Fraction(max(threads - cores, 0), 2)
    room_cpu, room_memory = effective * 8 / 10, Fraction(node_memory * 8, 10)
    batches = max(
        math.ceil(Fraction(cpu) / room_cpu), math.ceil(Fraction(memory) / room_memory), math.ceil(vms / 200), 1
    )
    batches = min(batches, vms)
    asks_cpu, asks_memory = Fraction(cpu) / batches / cpu_ratio, Fraction(memory) / batches / memory_ratio
    on_a_node = min(effective // asks_cpu, node_memory // asks_memory, 200 // math.ceil(vms / batches))
    workers = math.ceil(batches / on_a_node)
    return Sized(batches, workers, max(2, math.ceil(workers / 10)))
