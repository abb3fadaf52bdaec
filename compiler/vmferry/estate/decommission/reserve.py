"""Whether a side carries its load when a host or node fails: the proof behind every step of a sequence.

Each kind of machine is tried as the one that fails, and what is left has to hold all of the load: by memory VM by VM,
on nodes by CPU as well. CPU of ESXi hosts is shared: after a failure there is at most one vCPU per core, or as many as
after a failure today.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from vmferry.estate.capacity import Margins, Pod, Pool, domains, too_large
from vmferry.estate.decommission.plans import Guest, Host
from vmferry.estate.placement import Placement, empty

VSAN_HOSTS = 4
"""Hosts of a vSAN cluster that stay while it has data: three hold the copies of an object with FTT=1, one may fail
(docs.vmware.com, vSAN Planning and Deployment: 2n+1 hosts, one more to rebuild on)."""

_PLENTY = 1 << 30


class Load(NamedTuple):
    """What a cluster has today: the measure of its CPU. ``vcpus`` is None where some are unknown."""

    vcpus: int | None
    cores: int
    hosts: int


def load_of(hosts: Sequence[Host], guests: Iterable[Guest]) -> Load:
    """Return the load of a cluster; its cores are those that are left when its largest host fails."""
    vcpus = [guest.vcpus for guest in guests if guest.runs]
    known = [each for each in vcpus if each is not None]
    return Load(sum(known) if len(known) == len(vcpus) else None, _surviving(hosts), len(hosts))


def holds(hosts: Sequence[Host], guests: Sequence[Guest], today: Load) -> bool:
    """Return whether these hosts of a cluster are enough for the VMs that are left in it, with one that may fail."""
    if not guests:
        return True
    running = [guest for guest in guests if guest.runs]
    unknown = today.vcpus is None or any(guest.memory is None for guest in running)
    if len(hosts) < 2 or unknown or not all(host.cores and host.memory for host in hosts):
        return False
    if any(guest.vsan for guest in guests) and len(hosts) < min(VSAN_HOSTS, today.hosts):
        return False
    vcpus = sum(guest.vcpus or 0 for guest in running)
    if vcpus * today.cores > max(today.vcpus or 0, today.cores) * _surviving(hosts):
        return False
    pods = [Pod(guest.name, 0, guest.memory or 0) for guest in running]
    kinds = Counter(host.memory or 0 for host in hosts)
    pools = [Pool(str(memory), count, 1, memory) for memory, count in sorted(kinds.items(), reverse=True)]
    margins = Margins(0, 1, per_zone=False, pods=_PLENTY)
    return all(_placed(pods, left, margins) for left in _losses(pools, margins))


def _surviving(hosts: Sequence[Host]) -> int:
    """Return the cores that are left when the host with most of them fails; of a single host, all."""
    cores = [host.cores or 0 for host in hosts]
    return sum(cores) - (max(cores) if len(cores) > 1 else 0)


def _placed(pods: Sequence[Pod], pools: Sequence[Pool], margins: Margins) -> bool:
    """Return whether all pods find a place, and none is larger than every host."""
    return not too_large(pods, pools, margins) and not unplaced(pods, pools, margins)[1]


def unplaced(pods: Iterable[Pod], pools: Sequence[Pool], margins: Margins) -> tuple[Placement, list[Pod]]:
    """Return the nodes with the pods on them, and the pods that found no place; none of the nodes fails."""
    return empty(pools, margins._replace(spare=0)).add(pods)


def failing(pods: Sequence[Pod], pools: Sequence[Pool], margins: Margins) -> tuple[Placement, list[Pod]] | None:
    """Return where pods find no place after nodes failed, with these pods; None if they do whichever nodes fail."""
    for left in _losses(pools, margins):
        placed, waiting = unplaced(pods, left, margins)
        if waiting:
            return placed, waiting
    return None


def _losses(pools: Sequence[Pool], margins: Margins) -> Iterator[list[Pool]]:
    """Yield what is left of the nodes after failures: in each domain the largest, and once for each kind that one."""
    groups = domains(pools, margins)
    largest = {id(same): _lost(same, margins.spare) for same in groups}
    yield [pool for same in groups for pool in largest[id(same)]]
    for same in groups:
        for number in range(1, len(same)):
            first = [same[number], *same[:number], *same[number + 1 :]]
            others = [pool for other in groups if other is not same for pool in largest[id(other)]]
            yield [*others, *_lost(first, margins.spare)]


def _lost(pools: Iterable[Pool], spare: int) -> list[Pool]:
    """Return the pools without the first ``spare`` nodes; one without any stays, so that its pods find no place."""
    left = []
    for pool in pools:
        lost = min(spare, pool.nodes)
        spare -= lost
        left.append(pool._replace(nodes=pool.nodes - lost))
    return left
