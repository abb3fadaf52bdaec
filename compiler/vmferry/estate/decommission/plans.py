"""What a sequence is about, and what comes out of it. Times are seconds since 1970; sizes are bytes."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from vmferry.estate.capacity import Margins, Pod, Pool
from vmferry.estate.hardware import HostKey


class Host(NamedTuple):
    """An ESXi host: cores and bytes, None where unknown; the node it can be, None if its hardware does not serve."""

    key: HostKey
    cluster: HostKey
    cores: int | None
    memory: int | None
    node: Pool | None


class Guest(NamedTuple):
    """A VM in vSphere. ``leaves`` is the wave whose release lets it be deleted; None: it stays.

    ``pinned`` is a VM that vMotion cannot take to another host. ``vsan``: it has data on vSAN.
    """

    name: str
    cluster: HostKey
    host: HostKey
    vcpus: int | None
    memory: int | None
    runs: bool
    leaves: int | None
    pinned: bool = False
    vsan: bool = False


class Wave(NamedTuple):
    """A phase: pods that it brings, those that convert meanwhile, and its times.

    ``start`` is when its first window opens, ``end`` when its last cutover is over. Its sources are kept for ``kept``
    seconds after that: they may be started again, so they count like VMs that run.
    """

    name: str
    pods: tuple[Pod, ...] = ()
    converting: tuple[Pod, ...] = ()
    start: float | None = None
    end: float | None = None
    kept: float = 0.0

    @property
    def release(self) -> float | None:
        """Return when its sources may be deleted; None if nobody knows when it cuts over."""
        return self.end + self.kept if self.end is not None else None


class Situation(NamedTuple):
    """Everything that a sequence needs. Without pools the target is unknown, and only hosts are emptied."""

    hosts: tuple[Host, ...]
    guests: tuple[Guest, ...]
    waves: tuple[Wave, ...]
    pools: tuple[Pool, ...]
    running: tuple[Pod, ...]  # what the target runs already
    margins: Margins
    changes: tuple[tuple[float, float], ...] = ()  # windows in which phases cut over: no host goes then


What = Literal["moves", "released", "emptied", "joins", "missing"]


class Step(NamedTuple):
    """A step of a sequence.

    moves: a wave cuts over. released: its sources may be deleted. emptied: a host has no VM left, and may go from
    ``date`` on. joins: it becomes a node, before the next wave. missing: ``nodes`` nodes like those of ``pool`` have to
    come from elsewhere before the next wave.
    """

    what: What
    wave: str = ""
    host: HostKey | None = None
    pool: str = ""
    nodes: int = 0
    date: float | None = None


class Sequence(NamedTuple):
    """The steps in order, with what is left at the end: hosts by cluster, and the nodes."""

    steps: tuple[Step, ...]
    left: Mapping[HostKey, tuple[Host, ...]]
    pools: tuple[Pool, ...]

    @property
    def missing(self) -> int:
        """Return how many nodes have to come from elsewhere."""
        return sum(step.nodes for step in self.steps if step.what == "missing")
