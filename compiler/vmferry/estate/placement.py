"""Puts VMs on nodes, the largest first, each on the first node with room. What finds none is left over.

The scheduler of Kubernetes places one pod after the other by other criteria, so this shows that VMs can be placed, not
where they will be. Node selectors, affinity and the zones of volumes are not looked at.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from vmferry.estate.capacity import Margins, Pod, Pool, allotted, domains, eligible, fits


class _Nodes(NamedTuple):
    """Nodes with the same room left."""

    number: int
    cpu: int
    memory: int
    places: int  # for VMs
    devices: tuple[tuple[str, int], ...]

    def fitting(self, pod: Pod) -> int:
        """Return how many pods like this one fit on each."""
        there = dict(self.devices)
        limits = [self.places, *(there.get(name, 0) // count for name, count in pod.devices)]
        limits += [self.cpu // pod.cpu] if pod.cpu else []
        limits += [self.memory // pod.memory] if pod.memory else []
        return min(limits)

    def with_pods(self, pod: Pod, number: int, count: int) -> "_Nodes":
        """Return ``count`` of them, each with ``number`` more pods like this one."""
        taken = dict(pod.devices)
        return _Nodes(
            count,
            self.cpu - number * pod.cpu,
            self.memory - number * pod.memory,
            self.places - number,
            tuple((name, there - number * taken.get(name, 0)) for name, there in self.devices),
        )


class Placement(NamedTuple):
    """Nodes with what is on them. Each `add` returns another one, so that a phase can be tried out."""

    pools: tuple[Pool, ...]
    margins: Margins
    rooms: tuple[_Nodes, ...]

    def add(self, pods: Iterable[Pod]) -> tuple["Placement", list[Pod]]:
        """Return the placement with these pods too, and the pods that found no node.

        Pods that no node can hold take all of one. Those whose devices no pool offers are not placed, nor left over.
        """
        alike: defaultdict[tuple[object, ...], list[Pod]] = defaultdict(list)
        for pod in pods:
            if meant := eligible(pod, self.pools):
                small = _clipped(pod, meant, self.margins)
                alike[bool(pod.devices), self._size(small), small.cpu, small.memory, small.devices].append(small)
        rooms, left = self.rooms, []
        for _, same in sorted(alike.items(), reverse=True, key=lambda item: item[0]):
            rooms, number = _settled(rooms, same[0], len(same))
            left += sorted(same, key=lambda pod: pod.name)[len(same) - number :]
        return self._replace(rooms=rooms), left

    @property
    def used(self) -> int:
        """Return how many nodes have any pod."""
        return sum(room.number for room in self.rooms if room.places < self.margins.pods)

    def _size(self, pod: Pod) -> float:
        """Return the largest share of a node that a pod takes, of CPU or memory."""
        cpu = max(pool.cpu for pool in self.pools)
        memory = max(pool.memory for pool in self.pools)
        return max(pod.cpu / cpu, pod.memory / memory)


def _clipped(pod: Pod, pools: Sequence[Pool], margins: Margins) -> Pod:
    """Return a pod, at most as large as what the largest of the nodes allots: a larger one takes all of it."""
    if any(fits(pod, pool, margins) for pool in pools):
        return pod
    cpu, memory = allotted(max(pools, key=lambda pool: (pool.memory, pool.cpu)), margins)
    return pod._replace(cpu=min(pod.cpu, cpu), memory=min(pod.memory, memory))


def _settled(rooms: tuple[_Nodes, ...], pod: Pod, number: int) -> tuple[tuple[_Nodes, ...], int]:
    """Return the rooms with ``number`` pods of one kind in the first that have room, and how many found none."""
    found: list[_Nodes] = []
    for room in rooms:
        fit = room.fitting(pod) if number else 0
        if not fit:
            found.append(room)
            continue
        full = min(number // fit, room.number)
        number -= full * fit
        rest = number if full < room.number else 0
        number -= rest
        parts = ((full, fit), (1 if rest else 0, rest), (room.number - full - (1 if rest else 0), 0))
        found += (room.with_pods(pod, each, count) for count, each in parts if count)
    return tuple(found), number


def empty(pools: Sequence[Pool], margins: Margins) -> Placement:
    """Return the nodes of some pools without those that may fail, of each zone the largest; no pod is on them.

    Nodes without devices come first: others are kept for VMs that need theirs.
    """
    lost: dict[str, int] = {}
    for same in domains(pools, margins):
        spare = margins.spare
        for pool in same:
            lost[pool.name] = min(spare, pool.nodes)
            spare -= lost[pool.name]
    rooms = (
        _Nodes(
            pool.nodes - lost[pool.name], *allotted(pool, margins), margins.pods, tuple(sorted(pool.devices.items()))
        )
        for pool in sorted(pools, key=lambda pool: bool(pool.devices))
    )
    return Placement(tuple(pools), margins, tuple(room for room in rooms if room.number))


def nodes_for(pods: Sequence[Pod], pool: Pool, margins: Margins) -> int:
    """Return on how many nodes like those of a pool the pods are placed, if there are enough; none may fail."""
    enough = [pool._replace(nodes=max(len(pods), 1))]
    placed, _ = empty(enough, margins._replace(spare=0)).add(pods)
    return placed.used


def missing(placed: Placement, left: Iterable[Pod]) -> dict[str, int]:
    """Return how many more nodes carry the pods that found none, by the largest pool that is meant for them."""
    pools = {pool.name: pool for pool in placed.pools}
    by_pool: defaultdict[str, list[Pod]] = defaultdict(list)
    for pod in left:
        meant = eligible(pod, placed.pools)
        by_pool[max(meant, key=lambda pool: (pool.memory, pool.cpu, pool.name)).name].append(pod)
    return {name: nodes_for(pods, pools[name], placed.margins) for name, pods in sorted(by_pool.items())}
