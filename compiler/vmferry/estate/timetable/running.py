"""VMs and groups on their way through copies, conversions and outages, within every limit. It decides nothing.

Which groups cut over in which window is what `engine` decides; it tries with copies of a state first.
"""

import math
from collections import deque
from heapq import heappop, heappush
from typing import NamedTuple, Self

from vmferry.estate.timetable.calendars import Opening
from vmferry.estate.timetable.plans import Plan
from vmferry.estate.timetable.sharing import Sharing

WAITING, COPYING, READY, COMMITTED, STARTED, DONE, LEFT = range(7)
"""The states of a group. COPYING: its first copies. READY: these are complete. LEFT: it has no place in any window."""

_EPSILON = 1e-6  # seconds: less is rounding

AHEAD_FROM, AHEAD_TO, DOWN, COPY_FROM, COPY_TO, CONVERTED, UP = range(7)
"""Moments of a VM, as in `VmTimes`."""


class Event(NamedTuple):
    """Something that happens at a moment; those of one moment in the order in which they were set."""

    moment: float
    number: int
    kind: str
    what: int


class Running:
    """The state at a moment."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.now = plan.now
        self.sharing = Sharing(plan)
        self.events: list[Event] = []
        self.number = 0
        self.state = [WAITING] * len(plan.groups)
        self.left = [0] * len(plan.groups)  # VMs whose first copy, and then whose outage, is not over
        self.closes = [math.inf] * len(plan.groups)  # the windows that they were let into
        self.deadline = [math.inf] * len(plan.groups)  # of the VMs that are not up yet
        self.started: list[float | None] = [None] * len(plan.groups)
        self.ended: list[float | None] = [None] * len(plan.groups)
        self.times: list[float | None] = [None] * (7 * len(plan.works))  # a row of seven for each VM
        self.bounded: set[int] = set()  # groups that run and have to end in time
        self.ends = 0  # how often one of them has ended, or has another deadline
        self.waits_for: set[int] = set()  # groups that were let into a window, and need others that are on their way
        self.held: dict[str | int, int] = {}  # slots of hosts, places of vCenters (negative), datastores (by name)
        self.queues: dict[int, deque[int]] = {}  # copies that wait, by host, or by vCenter (negative)
        self.blocked: dict[str, set[int]] = {}  # queues that wait for a datastore
        self.group_of = {work: number for number, group in enumerate(plan.groups) for work in group.works}

    def copy(self) -> Self:
        """Return another that goes on from the same state."""
        other = type(self).__new__(type(self))
        other.__dict__.update(
            (name, value.copy() if isinstance(value, list | dict | set) else value)
            for name, value in self.__dict__.items()
        )
        other.sharing = self.sharing.copy()
        other.queues = {key: queue.copy() for key, queue in self.queues.items()}
        other.blocked = {key: waiting.copy() for key, waiting in self.blocked.items()}
        other.group_of = self.group_of
        return other

    # --- time ---------------------------------------------------------------------------------

    def at(self, moment: float, kind: str, what: int) -> None:
        """Set an event."""
        self.number += 1
        heappush(self.events, Event(moment, self.number, kind, what))

    def step(self, until: float = math.inf) -> bool:
        """Let the next thing happen; return False if nothing does until a moment."""
        ends, source = self.sharing.next()
        event = self.events[0].moment if self.events else math.inf
        if min(ends, event) == math.inf or min(ends, event) > until:
            return False
        if ends < math.inf and self.sharing.cap_until < min(ends, event):
            self._pass(self.sharing.cap_until)
            self._recap()
        elif ends <= event:
            self._pass(ends)
            self._copied(self.sharing.end(source))
        else:
            self._pass(event)
            if self.sharing.cap_until <= event:
                self._recap()
            _, _, kind, what = heappop(self.events)
            self.happens(kind, what)
        return True

    def _recap(self) -> None:
        self.sharing.limit(*self.plan.caps.at(self.now))

    def _pass(self, moment: float) -> None:
        self.now = max(moment, self.now)
        self.sharing.advance(self.now)

    def happens(self, kind: str, what: int) -> None:
        """Let an event happen."""
        match kind:
            case "copy":
                self.times[what * 7 + COPY_FROM] = self.now
                self._transfer(what * 2, self.plan.works[what].copy)
            case "queue":
                self._queue(what * 2)
            case "converted":
                self._converted(what)
            case "up":
                self._up(what)
            case "begin":
                self.begin(what)
            case "down":
                self._down(what)

    # --- first copies -------------------------------------------------------------------------

    def release(self, group: int) -> None:
        """Let the first copies of a group begin; a group without any is ready at once."""
        if self.state[group] != WAITING:
            return
        self.state[group] = COPYING
        works = [work for work in self.plan.groups[group].works if self.plan.works[work].ahead]
        self.left[group] = len(works)
        if works:
            self.began_copying(group)
        for work in works:
            self._queue(work * 2 + 1)
        if not works:
            self._ready(group)

    def began_copying(self, group: int) -> None:
        """Notice that the first copies of a group begin, or its outage."""

    def _ready(self, group: int) -> None:
        self.state[group] = READY
        self.became_ready(group)

    def became_ready(self, group: int) -> None:
        """Notice that the first copies of a group are complete."""

    # --- outages ------------------------------------------------------------------------------

    def commit(self, group: int, opening: Opening) -> None:
        """Let a group cut over in a window: at once, at the time it states, or after those that it needs."""
        self.state[group] = COMMITTED
        self.closes[group] = opening.end
        self.deadline[group] = self._limit(group)
        stated = self.plan.groups[group].cutover
        self.at(max(self.now, stated if stated is not None else self.now), "begin", group)
        if self.deadline[group] < math.inf:
            self.bounded.add(group)

    def _limit(self, group: int) -> float:
        """Return until when a group has to end, or the next of its VMs where some have times of their own."""
        closes, batch = self.closes[group], self.plan.groups[group]
        if not batch.until:
            return closes
        left = [work for work in batch.works if self.times[work * 7 + UP] is None]
        return min((self.plan.works[work].until or closes for work in left), default=closes)

    def begin(self, group: int) -> None:
        """Start the outage of a group, if nothing that it needs is still on its way."""
        needs = self.plan.groups[group].needs
        stated = self.plan.groups[group].cutover
        if self.state[group] != COMMITTED or (stated is not None and self.now < stated):
            return
        if any(self.state[need] in (COMMITTED, STARTED) for need in needs):
            self.waits_for.add(group)
            return
        self.waits_for.discard(group)
        self.state[group] = STARTED
        self.started[group] = self.now
        works = self.plan.groups[group].works
        self.left[group] = len(works)
        for work in works:
            each = self.plan.works[work]
            if each.gate == "host":
                self._queue(work * 2)
                continue
            if each.at is not None and each.at > self.now:
                self.at(each.at, "down", work)
            else:
                self._down(work)
        self.began_copying(group)
        if not works:
            self._ended(group)

    def _down(self, work: int) -> None:
        each = self.plan.works[work]
        self.times[work * 7 + DOWN] = self.now
        self.at(self.now + each.before, "queue" if each.gate == "source" else "copy", work)

    def _copied(self, copy: int) -> None:
        work, first = copy >> 1, copy & 1
        group = self.group_of[work]
        if first:
            self.times[work * 7 + AHEAD_TO] = self.now
            self._free(copy)
            self.left[group] -= 1
            if not self.left[group]:
                self._ready(group)
            return
        self.times[work * 7 + COPY_TO] = self.now
        self.at(self.now + self.plan.works[work].convert, "converted", work)

    def _converted(self, work: int) -> None:
        self.times[work * 7 + CONVERTED] = self.now
        each, group = self.plan.works[work], self.group_of[work]
        if each.gate != "none":
            self._free(work * 2)
        if not self.plan.groups[group].together:
            self.at(self.now + each.after, "up", work)
            return
        self.left[group] -= 1
        if not self.left[group]:
            works = self.plan.groups[group].works
            self.left[group] = len(works)
            for other in works:
                self.at(self.now + self.plan.works[other].after, "up", other)

    def _up(self, work: int) -> None:
        self.times[work * 7 + UP] = self.now
        group = self.group_of[work]
        if self.plan.groups[group].until:
            self.deadline[group] = self._limit(group)
            self.ends += 1
        self.left[group] -= 1
        if not self.left[group]:
            self._ended(group)

    def _ended(self, group: int) -> None:
        self.state[group] = DONE
        self.ended[group] = self.now
        self.ends += 1
        self.bounded.discard(group)
        self.gone(group)

    def gone(self, group: int) -> None:
        """Notice that a group has cut over, or never will: those that waited for it can go."""
        for other in sorted(self.waits_for):
            if group in self.plan.groups[other].needs:
                self.begin(other)

    @property
    def due(self) -> float:
        """Return until when the first group that runs has to end; infinity if none has to."""
        return min((self.deadline[group] for group in self.bounded), default=math.inf) + _EPSILON

    # --- limits -------------------------------------------------------------------------------

    def _transfer(self, copy: int, size: float) -> None:
        if size > 0:
            self.sharing.start(copy, size)
        else:
            self._copied(copy)

    def _queue(self, copy: int) -> None:
        work = self.plan.works[copy >> 1]
        place = work.gate == "source" and not copy & 1
        key = -1 - self.plan.stations[work.station] if place else work.station
        self.queues.setdefault(key, deque()).append(copy)
        self._admit(key)

    def _admit(self, key: int) -> None:
        """Start what waits in a queue, in order, until the first that has to wait."""
        queue = self.queues.get(key)
        while queue and self._take(key, queue[0]):
            copy = queue.popleft()
            work = copy >> 1
            each = self.plan.works[work]
            if copy & 1:
                self.times[work * 7 + AHEAD_FROM] = self.now
                self._transfer(copy, each.ahead)
            elif each.gate == "host":
                self.times[work * 7 + DOWN] = self.now
                self.at(self.now + each.before, "copy", work)
            else:
                self.happens("copy", work)

    def _take(self, key: int, copy: int) -> bool:
        """Take the slot and datastores of a copy; return whether they were free."""
        work = self.plan.works[copy >> 1]
        slots = 1 if key < 0 else work.slots
        most = self.plan.places[-1 - key] if key < 0 else self.plan.vms_per_host
        held = self.held.get(key, 0)
        if held and held + slots > most:  # alone, even a VM with more disks than slots is copied
            return False
        per_datastore = self.plan.vms_per_datastore
        if per_datastore is not None:
            full = next((name for name in work.datastores if self.held.get(name, 0) >= per_datastore), None)
            if full is not None:
                self.blocked.setdefault(full, set()).add(key)
                return False
            for name in work.datastores:
                self.held[name] = self.held.get(name, 0) + 1
        self.held[key] = held + slots
        return True

    def _free(self, copy: int) -> None:
        work = self.plan.works[copy >> 1]
        place = work.gate == "source" and not copy & 1
        key = -1 - self.plan.stations[work.station] if place else work.station
        self.held[key] -= 1 if place else work.slots
        waiting = {key}
        if self.plan.vms_per_datastore is not None:
            for name in work.datastores:
                self.held[name] -= 1
                waiting |= self.blocked.pop(name, set())
        for each in sorted(waiting):
            self._admit(each)
