"""Decides which groups cut over in which window, by trying it: none is let into a window that it would not end in.

At each window, as many groups as possible go, in order; whether they fit is found out by letting a copy of the whole
state run on. What began earlier has to end in time as well, so that no window is ever exceeded.
"""

import math
from collections.abc import Mapping, Sequence

from vmferry.estate.timetable.calendars import Calendar, Opening
from vmferry.estate.timetable.plans import Batch, GroupTimes, Plan, Stretch, Timetable, VmTimes, Why
from vmferry.estate.timetable.running import COMMITTED, DONE, LEFT, READY, Running

_HOUR = 3600.0
_IDLE = 60
_LONGEST = 30 * 24 * _HOUR  # of a window that is proposed


def simulate(plan: Plan, given: Mapping[int, GroupTimes] | None = None) -> Timetable:
    """Return the timetable of a plan; with ``given``, each group at the time of another, whether or not it fits."""
    engine = _Engine(plan, given)
    engine.run()
    return engine.timetable()


def alone(plan: Plan, group: int) -> float:
    """Return how long the outage of a group takes that has the whole estate for itself, in seconds.

    Limits of bandwidth that hold for some hours only do not count.
    """
    batch = plan.groups[group]
    works = tuple(plan.works[number]._replace(ahead=0.0, at=None) for number in batch.works)
    only = Batch(batch.name, 0, tuple(range(len(works))), together=batch.together)
    phases = (Stretch(batch.name, Calendar()),)
    free = plan._replace(vms_per_window=None, groups_per_window=None, caps=plan.caps.always, apart=False)
    found = simulate(free._replace(works=works, groups=(only,), phases=phases)).groups[0]
    return (found.end or 0.0) - (found.start or 0.0)


class _Engine(Running):
    """A state that decides. While it tries (``trial``), it decides nothing."""

    def __init__(self, plan: Plan, given: Mapping[int, GroupTimes] | None) -> None:
        super().__init__(plan)
        self.given = given
        self.trial = False
        phases = range(len(plan.phases))
        self.order = [_in_order(plan, phase) for phase in phases]
        self.following = [[other for other in phases if phase in plan.phases[other].first] for phase in phases]
        sizes = [[len(self.order[first]) for first in plan.phases[phase].first] for phase in phases]
        self.to_copy, self.to_end = [sum(each) for each in sizes], [sum(each) for each in sizes]
        self.copying: set[int] = set()  # groups whose copies have begun
        self.open = [False] * len(plan.phases)  # to cutovers
        self.coming: list[Opening | None] = [None] * len(plan.phases)
        self.current: list[Opening | None] = [None] * len(plan.phases)
        self.used: dict[tuple[int, float], tuple[int, int]] = {}  # VMs and groups in a window
        self.openings: dict[int, Opening] = {}  # by group
        self.why: list[tuple[Why, int | None]] = [("window", None)] * len(plan.groups)
        self.again: set[int] = set()  # phases that may be able to let more groups go
        self.idle = 0  # windows in which nothing happened
        self.lasting: dict[int, float] = {}  # how long groups take alone

    def run(self) -> None:
        """Run to the end."""
        self._begin()
        while True:
            self._decide_again()
            if not self.step() and not self._give_up():
                return

    def timetable(self) -> Timetable:
        """Return what happened."""
        vms = tuple(VmTimes(*self.times[at : at + 7]) for at in range(0, len(self.times), 7))
        used: dict[int, set[Opening]] = {}
        groups = []
        for number, group in enumerate(self.plan.groups):
            opening = self.openings.get(number)
            if opening is not None and group.running != "out":
                used.setdefault(group.phase, set()).add(opening)
            ahead = [vms[work] for work in group.works if vms[work].ahead_from is not None]
            first = min((each.ahead_from for each in ahead if each.ahead_from is not None), default=None)
            last = max((each.ahead_to for each in ahead if each.ahead_to is not None), default=None)
            why, held_by = self._because(number)
            groups.append(GroupTimes(self.started[number], self.ended[number], opening, why, held_by, first, last))
        return Timetable(vms, tuple(groups), {phase: tuple(sorted(each)) for phase, each in sorted(used.items())})

    def _because(self, group: int) -> tuple[Why, int | None]:
        """Return why a group does not begin earlier: in its window, it may have waited for one that it needs."""
        opening, started = self.openings.get(group), self.started[group]
        if opening is not None and started is not None and started > opening.start:
            waited = (need for need in sorted(self.plan.groups[group].needs) if self.ended[need] == started)
            need = next(waited, None)
            if need is not None:
                return "needs", need
        return self.why[group]

    # --- phases -------------------------------------------------------------------------------

    def _begin(self) -> None:
        if self.given is not None:
            for number in range(len(self.plan.groups)):
                self._as_given(number, self.given.get(number))
            return
        free = [phase for phase, count in enumerate(self.to_end) if not count]  # before anything happens
        for number, group in enumerate(self.plan.groups):
            if group.running != "no":
                self.release(number)
            if group.running == "out" and self.state[number] == READY:
                self._let_in([number], Opening(self.now, math.inf))
        for phase in free:
            self._open_copies(phase)
            self._open_cutovers(phase)

    def _as_given(self, group: int, times: GroupTimes | None) -> None:
        if times is None or times.start is None:
            self.state[group] = LEFT
            return
        if times.ahead_from is not None:
            self.at(times.ahead_from, "release", group)
        else:
            self.release(group)
        self.at(times.start, "given", group)

    def happens(self, kind: str, what: int) -> None:
        """Let an event happen."""
        match kind:
            case "release" if self.given is not None:
                self.release(what)
            case "release":
                for group in self.order[what]:
                    self.release(group)
            case "given":
                if self.given is not None and self.state[what] == READY:
                    self.commit(what, self.given[what].opening or Opening(self.now, math.inf))
            case "cutovers":
                self._open_cutovers(what)
            case "opening":
                self._opens(what)
            case "close":
                for group in self.order[what]:
                    self._leave(group)
            case _:
                super().happens(kind, what)

    def began_copying(self, group: int) -> None:
        """Open later phases to first copies, once all groups of earlier ones are copied (VMF426)."""
        if group in self.copying:
            return
        self.copying.add(group)
        for phase in self.following[self.plan.groups[group].phase]:
            self.to_copy[phase] -= 1
            if not self.to_copy[phase] and not self.plan.phases[phase].last and self.given is None:
                self._open_copies(phase)

    def became_ready(self, group: int) -> None:
        """Let a group into the window that is open."""
        if self.given is not None:
            times = self.given.get(group)
            if times is not None and times.start is not None and times.start <= self.now:
                self.commit(group, times.opening or Opening(self.now, math.inf))
            return
        self.again.add(self.plan.groups[group].phase)

    def gone(self, group: int) -> None:
        """Open later phases to cutovers, once all groups of earlier ones have cut over or never will."""
        super().gone(group)
        if self.given is not None:
            return
        for phase in self.following[self.plan.groups[group].phase]:
            self.to_end[phase] -= 1
            if not self.to_end[phase]:
                if self.plan.phases[phase].last:
                    self._open_copies(phase)
                self._open_cutovers(phase)
        self.again |= {number for number, each in enumerate(self.current) if each is not None and each.end == math.inf}
        self.again |= {each.phase for each in self.plan.groups if group in each.needs}

    def _open_copies(self, phase: int) -> None:
        opening = self.plan.phases[phase].calendar.opening(self.now)
        if opening is not None:
            self.at(max(self.now, opening.start - self.plan.copy_ahead), "release", phase)

    def _open_cutovers(self, phase: int) -> None:
        """Open a phase, or set when that happens."""
        each = self.plan.phases[phase]
        moment = max([self.now, each.not_before, *self._dual_runs(each), *self._apart(each)])
        if moment > self.now:
            self.at(moment, "cutovers", phase)
            return
        self.open[phase] = True
        self.coming[phase] = opening = each.calendar.opening(self.now)
        self._blame(phase)
        if opening is not None:
            self.at(max(self.now, opening.start), "opening", phase)
            return
        for group in self.order[phase]:
            self._leave(group)

    def _dual_runs(self, each: Stretch) -> list[float]:
        """Return until when the sources of earlier phases are kept, for a phase that waits for that."""
        if not each.last:
            return []
        return [
            (self.ended[group] or self.now) + self.plan.phases[first].dual_run
            for first in each.first
            for group in self.order[first]
            if self.state[group] == DONE
        ]

    def _apart(self, each: Stretch) -> list[float]:
        if not self.plan.apart:
            return []
        before = (group for first in each.first for group in self.order[first] if group in self.openings)
        return [self.openings[group].end for group in before if self.openings[group].end < math.inf]

    def _blame(self, phase: int) -> None:
        """Note for the groups of a phase that opens late, what it waited for."""
        each = self.plan.phases[phase]
        earliest = each.calendar.opening(self.plan.now)
        before = [group for first in each.first for group in self.order[first] if self.ended[group] is not None]
        if before and earliest is not None and earliest.start < self.now:
            last = max(before, key=lambda group: (self.ended[group] or 0.0, group))
            for group in self.order[phase]:
                self.why[group] = ("after", last)

    # --- windows ------------------------------------------------------------------------------

    def _opens(self, phase: int) -> None:
        opening = self.coming[phase]
        if opening is None:
            return
        if not (opening.elastic and self._crowded(phase)):
            self.current[phase] = opening
            if not self.trial:
                self._decide(phase)
                opening = self.current[phase] or opening
        if all(self.state[group] >= COMMITTED for group in self.order[phase]):
            return
        if self._in_vain(phase):
            self.at(self.now, "close", phase)
            return
        self.coming[phase] = following = self.plan.phases[phase].calendar.following(opening, self.now)
        if following is not None:
            self.at(max(self.now, following.start), "opening", phase)
        elif opening.end < math.inf:
            self.at(opening.end, "close", phase)

    def _in_vain(self, phase: int) -> bool:
        """Return whether window after window opens, and nothing that is going on could let a group into one."""
        stated = max((self.plan.groups[group].cutover or 0.0 for group in self.order[phase]), default=0.0)
        goes_on = self.sharing.running or any(event.kind != "opening" for event in self.events)
        self.idle = 0 if goes_on or stated > self.now else self.idle + 1
        return self.idle > _IDLE

    def _crowded(self, phase: int) -> bool:
        most = self.plan.parallel_windows
        others = (each for number, each in enumerate(self.current) if number != phase and each is not None)
        return most is not None and sum(self.now < each.end < math.inf for each in others) >= most

    def _decide_again(self) -> None:
        while self.again:
            phase = min(self.again)
            self.again.discard(phase)
            self._decide(phase)

    def _decide(self, phase: int) -> None:
        """Let as many groups go as fit into the window that is open."""
        opening = self.current[phase]
        if opening is None or opening.end <= self.now or not self.open[phase]:
            return
        waiting = [group for group in self.order[phase] if self.state[group] < COMMITTED]
        ready = self._candidates(waiting, opening)
        if not ready:
            return
        count, opening = self._most(ready, opening)
        self.current[phase] = opening
        self._let_in(ready[:count], opening)
        last = max((group for group, each in self.openings.items() if each == opening), default=None)
        for group in ready[count:]:
            self.why[group] = ("full", last)

    def _candidates(self, waiting: Sequence[int], opening: Opening) -> list[int]:
        """Return the groups that could go now, each after those that it needs; note why others cannot."""
        found: list[int] = []
        vms, groups = self.used.get((self.plan.groups[waiting[0]].phase, opening.start), (0, 0)) if waiting else (0, 0)
        for group in waiting:
            reason, by = self._refused(group, opening, found)
            size = len(self.plan.groups[group].works)
            if reason is None and not self._team(vms + size, groups + 1):
                reason = "team"
            if reason is not None:
                self.why[group] = (reason, by)
                continue
            vms, groups = vms + size, groups + 1
            found.append(group)
        return found

    def _refused(self, group: int, opening: Opening, before: Sequence[int]) -> tuple[Why | None, int | None]:
        each = self.plan.groups[group]
        if self.state[group] != READY:
            return "copy", None
        for need in sorted(each.needs):
            if self.state[need] < COMMITTED and need not in before:
                return "needs", need
        if each.cutover is not None and not max(opening.start, self.now) <= each.cutover <= opening.end:
            return "cutover", None
        room = max(opening.end, each.until) - max(self.now, each.cutover or self.now)
        if not opening.elastic and room < math.inf and self.alone(group) > room:
            return "length", None
        return None, None

    def _team(self, vms: int, groups: int) -> bool:
        most_vms, most_groups = self.plan.vms_per_window, self.plan.groups_per_window
        return (most_vms is None or vms <= most_vms) and (most_groups is None or groups <= most_groups)

    def alone(self, group: int) -> float:
        """Return how long a group takes alone, worked out once."""
        if group not in self.lasting:
            self.lasting[group] = alone(self.plan, group)
        return self.lasting[group]

    def _let_in(self, groups: Sequence[int], opening: Opening) -> None:
        for group in groups:
            each = self.plan.groups[group]
            self.idle = 0
            vms, count = self.used.get((each.phase, opening.start), (0, 0))
            self.used[each.phase, opening.start] = (vms + len(each.works), count + 1)
            self.openings[group] = opening
            self.commit(group, opening)
            self.again |= {other.phase for other in self.plan.groups if group in other.needs}

    def _most(self, ready: Sequence[int], opening: Opening) -> tuple[int, Opening]:
        """Return how many of the groups fit into a window, and the window: a proposed one may be made longer."""
        if opening.elastic and self.alone(ready[0]) > opening.end - self.now:
            longer = self._longer(ready[0], opening)
            if longer is None:
                return 0, opening
            opening = longer
        if opening.end == math.inf and not self.bounded and not any(self.plan.groups[each].until for each in ready):
            return len(ready), opening
        low, at = 0, self._at_most(ready, opening.end - self.now)
        high = at + 1
        while high - low > 1:
            if self._fit(ready[:at], opening):
                low = at
            else:
                high = at
            at = low + max(1, (high - low) * 3 // 4)  # the bound is close as a rule
        return low, opening

    def _at_most(self, ready: Sequence[int], seconds: float) -> int:
        """Return how many of the groups could be copied in some time if nothing but their vCenters limited it."""
        busy = [0.0] * len(self.plan.places)
        for count, group in enumerate(ready):
            for work in (self.plan.works[number] for number in self.plan.groups[group].works):
                busy[self.plan.stations[work.station]] += work.source_load * work.copy / work.rate
            if max(busy) > seconds:
                return count
        return len(ready)

    def _longer(self, group: int, opening: Opening) -> Opening | None:
        """Return a window that is long enough for a group, in whole hours; None if there is no room for it."""
        phase = self.plan.phases[self.plan.groups[group].phase]
        hours = math.ceil((self.now + self.alone(group) - opening.start) / _HOUR - 1e-9)
        while hours * _HOUR <= _LONGEST:
            longer = opening._replace(end=opening.start + hours * _HOUR)
            if longer.end > phase.calendar.room(opening):
                return None
            if self._fit([group], longer):
                return longer
            hours += 1
        return None

    def _fit(self, groups: Sequence[int], opening: Opening) -> bool:
        """Return whether groups end in time that begin now in a window, and whether all others still do."""
        other = self.copy()
        other.trial = True
        for group in groups:
            other.commit(group, opening)
        due, seen = other.due, other.ends
        while other.bounded:
            if not other.step(due):
                return False
            if other.ends != seen:
                due, seen = other.due, other.ends
        return True

    # --- what has no place --------------------------------------------------------------------

    def _leave(self, group: int) -> None:
        if self.state[group] < COMMITTED:
            self.state[group] = LEFT
            self.began_copying(group)
            self.gone(group)

    def _give_up(self) -> bool:
        """Leave groups that wait for something that will not happen; return whether there were any."""
        waiting = [group for group, state in enumerate(self.state) if state < COMMITTED]
        first = [group for group in waiting if self.open[self.plan.groups[group].phase]] or waiting
        for group in first:
            self._leave(group)
        return bool(first)


def _in_order(plan: Plan, phase: int) -> list[int]:
    """Return the groups of a phase, each after those of them that it needs; otherwise in the order of the plan."""
    members = [number for number, group in enumerate(plan.groups) if group.phase == phase]
    found: dict[int, None] = {}
    while len(found) < len(members):
        ready = (each for each in members if each not in found)
        free = next(
            (
                each
                for each in members
                if each not in found and not (plan.groups[each].needs & set(members)) - set(found)
            ),
            None,
        )
        found[free if free is not None else next(ready)] = None
    return list(found)
