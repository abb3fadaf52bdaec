"""Copies that share bandwidth: each limit that is exceeded slows down everything below it in the same proportion.

A copy runs at its own rate, times the factors of its ESXi host, its vCenter and the network. Each host has a clock
that runs slower the more it is loaded, by which a copy always takes as long as it would alone; so that a copy that
starts or ends changes only its host and its vCenter, however many others run.
"""

import math
from heapq import heappop, heappush

from vmferry.estate.timetable.plans import Plan


class Sharing:
    """The copies that run. A copy is the number of its work times two, and one more if it is a first copy."""

    def __init__(self, plan: Plan) -> None:
        hosts, sources = len(plan.stations), len(plan.places)
        self._works, self._of = plan.works, plan.stations
        self._clock = [0.0] * hosts
        self._seen = [0.0] * hosts  # the vCenter's clock when the host's was set
        self._factor = [1.0] * hosts
        self._host_load, self._source_load, self._rate = ([0.0] * hosts for _ in range(3))
        self._ends: list[list[tuple[float, int]]] = [[] for _ in range(hosts)]
        self._version = [0] * hosts
        self._source_clock = [0.0] * sources
        self._source_factor = [1.0] * sources
        self._load, self._bytes = ([0.0] * sources for _ in range(2))
        self._next: list[list[tuple[float, int, int]]] = [[] for _ in range(sources)]
        self._network = 1.0
        self.at = plan.now
        self.cap, self.cap_until = plan.caps.at(plan.now)

    def copy(self) -> "Sharing":
        """Return another that goes on from the same state."""
        other = Sharing.__new__(Sharing)
        other.__dict__.update(
            (name, value[:] if isinstance(value, list) else value) for name, value in self.__dict__.items()
        )
        other._ends, other._next = [each[:] for each in self._ends], [each[:] for each in self._next]
        return other

    def advance(self, moment: float) -> None:
        """Let time pass."""
        passed = (moment - self.at) * self._network
        self.at = moment
        if passed:
            for source, factor in enumerate(self._source_factor):
                self._source_clock[source] += passed * factor

    def limit(self, cap: float, until: float) -> None:
        """Set what the network carries from now on."""
        self.cap, self.cap_until = cap, until
        self._weigh()

    def start(self, copy: int, size: float) -> None:
        """Start a copy of some bytes."""
        work = self._works[copy >> 1]
        host = self._sync(work.station)
        heappush(self._ends[host], (self._clock[host] + size / work.rate, copy))
        self._change(host, work.host_load, work.source_load, work.rate)

    def next(self) -> tuple[float, int]:
        """Return when the next copy ends, and the vCenter that it is from; infinity if none runs."""
        best, which = math.inf, -1
        for source, ends in enumerate(self._next):
            while ends and ends[0][1] != self._version[ends[0][2]]:
                heappop(ends)
            if ends:
                left = max(ends[0][0] - self._source_clock[source], 0.0)
                moment = self.at + left / (self._source_factor[source] * self._network)
                if moment < best:
                    best, which = moment, source
        return best, which

    def end(self, source: int) -> int:
        """End the copy of a vCenter that ends first, and return it."""
        host = self._sync(self._next[source][0][2])
        _, copy = heappop(self._ends[host])
        work = self._works[copy >> 1]
        self._change(host, -work.host_load, -work.source_load, -work.rate)
        return copy

    @property
    def running(self) -> bool:
        """Return whether anything is copied."""
        return any(self._ends)

    def _sync(self, host: int) -> int:
        clock = self._source_clock[self._of[host]]
        self._clock[host] += (clock - self._seen[host]) * self._factor[host]
        self._seen[host] = clock
        return host

    def _change(self, host: int, host_load: float, source_load: float, rate: float) -> None:
        source, factor = self._of[host], self._factor[host]
        self._load[source] -= factor * self._source_load[host]
        self._bytes[source] -= factor * self._rate[host]
        if self._ends[host]:
            self._host_load[host] += host_load
            self._source_load[host] += source_load
            self._rate[host] += rate
        else:  # rounding must not add up
            self._host_load[host] = self._source_load[host] = self._rate[host] = 0.0
        self._factor[host] = factor = 1.0 / max(self._host_load[host], 1.0)
        self._load[source] += factor * self._source_load[host]
        self._bytes[source] += factor * self._rate[host]
        self._version[host] += 1
        if self._ends[host]:
            left = (self._ends[host][0][0] - self._clock[host]) / factor
            heappush(self._next[source], (self._source_clock[source] + left, self._version[host], host))
        self._weigh()

    def _weigh(self) -> None:
        """Set the factors of vCenters and of the network."""
        carried = 0.0
        for source, load in enumerate(self._load):
            self._source_factor[source] = factor = 1.0 / max(load, 1.0)
            carried += factor * max(self._bytes[source], 0.0)
        self._network = self.cap / carried if carried > self.cap else 1.0
