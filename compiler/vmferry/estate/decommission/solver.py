"""Finds the order in which hosts empty and become nodes. docs/decommission.md computes one estate by hand.

Hosts empty as soon as the VMs that are left fit on the others, and become nodes as late as a phase needs them. Which
host of a cluster goes first is tried in several ways; the one that needs the fewest nodes from elsewhere is kept. Each
step is proven by `reserve` before it is taken, so a sequence may be longer than the best one, but is never wrong.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import NamedTuple

from vmferry.estate.capacity import Pod, fits
from vmferry.estate.decommission.plans import Guest, Host, Sequence, Situation, Step, Wave
from vmferry.estate.decommission.reserve import Load, failing, holds, load_of
from vmferry.estate.hardware import HostKey
from vmferry.estate.placement import missing

Order = Callable[[Host, int], tuple[object, ...]]
"""Which host goes first, by the host and the memory of the VMs on it."""

_ORDERS: tuple[Order, ...] = (
    lambda host, used: (host.node is None, used, -(host.memory or 0), host.key),  # those that have the least to move
    lambda host, used: (host.node is None, -(host.memory or 0), -(host.cores or 0), used, host.key),
    lambda host, used: (host.node is None, host.memory or 0, host.cores or 0, used, host.key),
)


class _Event(NamedTuple):
    """A wave cuts over, or its sources may be deleted."""

    wave: int
    releases: bool


def solve(situation: Situation) -> Sequence:
    """Return the sequence that needs the fewest nodes from elsewhere, and then the one that empties most hosts."""
    found = [_Run(situation, order).sequence() for order in _ORDERS]
    return min(found, key=lambda each: (each.missing, sum(map(len, each.left.values()))))


def events(waves: tuple[Wave, ...]) -> list[_Event]:
    """Return what happens, in order: sources are released when no wave before them can still be under way.

    A wave without a time cuts over before everything that is released at a time after it; a wave whose own times are
    unknown is released at the end if its sources are kept, and at once otherwise.
    """
    after: defaultdict[int, list[int]] = defaultdict(list)
    for number, wave in enumerate(waves):
        release, last = wave.release, number
        for later in range(number + 1, len(waves)):
            start = waves[later].start
            if release is None or start is None:
                last = later if wave.kept else last
            elif start < release:
                last = later
        after[last].append(number)
    found = []
    for number in range(len(waves)):
        found.append(_Event(number, releases=False))
        found += [_Event(each, releases=True) for each in sorted(after[number], key=lambda n: (_when(waves[n]), n))]
    return found


def _when(wave: Wave) -> float:
    return wave.release if wave.release is not None else float("inf")


class _Run:
    """One attempt, with one order of hosts."""

    def __init__(self, situation: Situation, order: Order) -> None:
        self._situation, self._order = situation, order
        self._hosts: dict[HostKey, list[Host]] = {}
        for host in sorted(situation.hosts):
            self._hosts.setdefault(host.cluster, []).append(host)
        self._guests: dict[HostKey, list[Guest]] = {cluster: [] for cluster in self._hosts}
        for guest in situation.guests:
            self._guests.setdefault(guest.cluster, []).append(guest)
        self._today: Mapping[HostKey, Load] = {
            cluster: load_of(hosts, self._guests[cluster]) for cluster, hosts in self._hosts.items()
        }
        self._free: list[Host] = []
        self._pools = list(situation.pools)
        self._pods = list(situation.running)
        self._steps: list[Step] = []
        self._date: float | None = 0.0  # from when on what is emptied now may go; None: unknown

    def sequence(self) -> Sequence:
        waves = self._situation.waves
        self._empty("")
        for number, releases in events(waves):
            wave = waves[number]
            if releases:
                self._release(number, wave)
                self._empty(wave.name)
            else:
                self._move(wave)
        return Sequence(
            tuple(self._steps),
            {cluster: tuple(hosts) for cluster, hosts in self._hosts.items()},
            tuple(self._pools),
        )

    # --- the target

    def _move(self, wave: Wave) -> None:
        """Bring a wave to the target, after as many hosts became nodes as it needs."""
        if self._situation.pools and wave.pods:
            self._join([*self._pods, *wave.pods, *wave.converting], wave)
        self._pods += wave.pods
        self._steps.append(Step("moves", wave.name))

    def _join(self, pods: list[Pod], wave: Wave) -> None:
        margins = self._situation.margins
        while (left := failing(pods, self._pools, margins)) is not None:
            ready = [host for host in self._free if self._serves(host, left[1], wave)]
            if ready:
                host = max(ready, key=lambda host: (host.memory or 0, host.cores or 0, host.key))
                self._free.remove(host)
                self._pools += [host.node] if host.node is not None else []
                self._steps.append(Step("joins", wave.name, host.key))
                continue
            more = missing(*left)
            for name, count in more.items():
                self._buy(name, max(count, 1), wave)
            if not more:
                return  # no pool has the devices that are asked for

    def _serves(self, host: Host, waiting: list[Pod], wave: Wave) -> bool:
        """Return whether a host can be a node in time that takes any of the pods that wait."""
        node, margins = host.node, self._situation.margins
        if node is None or not any(not pod.devices and fits(pod, node, margins) for pod in waiting):
            return False
        date = next(step.date for step in self._steps if step.what == "emptied" and step.host == host.key)
        return date is None or wave.start is None or date <= wave.start

    def _buy(self, name: str, count: int, wave: Wave) -> None:
        """Add nodes that come from elsewhere: the sequence goes on as if they were there."""
        number = next((at for at, pool in enumerate(self._pools) if pool.name == name))
        pool = self._pools[number]
        self._pools[number] = pool._replace(nodes=pool.nodes + count)
        self._steps.append(Step("missing", wave.name, pool=name, nodes=count))

    # --- the sources

    def _release(self, number: int, wave: Wave) -> None:
        for cluster, guests in self._guests.items():
            self._guests[cluster] = [guest for guest in guests if guest.leaves != number]
        if self._date is not None:
            self._date = max(self._date, wave.release) if wave.release is not None else None
        self._steps.append(Step("released", wave.name, date=wave.release))

    def _empty(self, wave: str) -> None:
        """Empty as many hosts of each cluster as its other hosts can do without."""
        for cluster in sorted(self._hosts):
            while (host := self._next(cluster)) is not None:
                self._hosts[cluster].remove(host)
                self._free.append(host)
                self._steps.append(Step("emptied", wave, host.key, date=self._clear()))

    def _next(self, cluster: HostKey) -> Host | None:
        hosts, guests = self._hosts[cluster], self._guests[cluster]
        held = {guest.host for guest in guests if guest.pinned}
        used: defaultdict[HostKey, int] = defaultdict(int)
        for guest in guests:
            used[guest.host] += guest.memory or 0
        refused: set[tuple[int | None, int | None]] = set()
        for host in sorted(hosts, key=lambda host: self._order(host, used[host.key])):
            if host.key in held or (host.cores, host.memory) in refused:
                continue
            if holds([other for other in hosts if other is not host], guests, self._today[cluster]):
                return host
            refused.add((host.cores, host.memory))
        return None

    def _clear(self) -> float | None:
        """Return from when on a host may go that is emptied now: in no window in which a phase cuts over."""
        date = self._date
        for start, end in sorted(self._situation.changes):
            if date is not None and start <= date < end:
                date = end
        return date
