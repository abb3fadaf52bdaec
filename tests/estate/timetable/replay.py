"""Replays a timetable: what was copied, held and open at each instant, from the plan and the times alone.

Nothing here uses the simulator: rates are worked out again from the rule in docs/schedule.md.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from vmferry.estate.timetable.calendars import Calendar
from vmferry.estate.timetable.plans import Batch, GroupTimes, Plan, Timetable, VmTimes, Work

SLACK = 1e-3  # seconds, or bytes of a byte: moments are floats around 2e9


def broken(plan: Plan, found: Timetable) -> list[str]:
    """Return every limit, window and order that a timetable breaks."""
    checks = (_steps, _held, _windows, _order, _bandwidth)
    return [problem for check in checks for problem in check(plan, found)]


def _steps(plan: Plan, found: Timetable) -> Iterator[str]:
    for batch, group in zip(plan.groups, found.groups, strict=True):
        for number in batch.works:
            yield from _steps_of(plan.works[number], found.vms[number], group)
        if batch.together and group.end is not None:
            last = max(found.vms[number].converted for number in batch.works)
            if any(found.vms[number].up < last - SLACK for number in batch.works):
                yield f"VMs of {batch.name} start before the last is converted"


def _steps_of(work: Work, times: VmTimes, group: GroupTimes) -> Iterator[str]:
    if group.end is None:
        if times.down is not None:
            yield f"{work.key} is down, and its group has no place"
        return
    if None in (times.down, times.copy_from, times.copy_to, times.converted, times.up):
        yield f"{work.key} does not come to its end: {times}"
        return
    if work.ahead and not (times.ahead_to is not None and times.ahead_to <= group.start + SLACK):
        yield f"{work.key} cuts over before its first copy is complete"
    if work.at is not None and times.down < work.at - SLACK:
        yield f"{work.key} is down before its own time"
    if times.copy_from < times.down + work.before - SLACK:
        yield f"{work.key} is copied before it is down"
    if abs(times.converted - times.copy_to - work.convert) > SLACK:
        yield f"{work.key} is converted in {times.converted - times.copy_to} s"
    if times.up < times.converted + work.after - SLACK:
        yield f"{work.key} serves too early"
    if not group.start - SLACK <= times.down <= times.up <= group.end + SLACK:
        yield f"{work.key} is not within its group"


def _held(plan: Plan, found: Timetable) -> Iterator[str]:
    held: dict[object, list[tuple[float, float, int]]] = defaultdict(list)
    for work, times in zip(plan.works, found.vms, strict=True):
        spans = []
        if times.ahead_from is not None:
            spans.append((times.ahead_from, times.ahead_to, work.slots, ("host", work.station)))
        if work.gate == "host" and times.down is not None:
            spans.append((times.down, times.converted, work.slots, ("host", work.station)))
        if work.gate == "source" and times.copy_from is not None:
            spans.append((times.copy_from, times.converted, 1, ("source", plan.stations[work.station])))
        for start, end, count, what in spans:
            held[what].append((start, float("inf") if end is None else end, count))
            for name in work.datastores:
                held["datastore", name].append((start, float("inf") if end is None else end, 1))
    for (kind, which), spans in held.items():
        most = {"host": plan.vms_per_host, "datastore": plan.vms_per_datastore}.get(kind)
        most = plan.places[which] if kind == "source" else most
        for start, _, _ in spans:
            now = [count for since, until, count in spans if since <= start and until > start + SLACK]
            if most is not None and len(now) > 1 and sum(now) > most:
                yield f"{kind} {which} has {now} at {start}, and its limit is {most}"


def _windows(plan: Plan, found: Timetable) -> Iterator[str]:
    used = defaultdict(list)
    for batch, group in zip(plan.groups, found.groups, strict=True):
        if group.end is None:
            continue
        calendar = plan.phases[batch.phase].calendar
        if group.start < group.opening.start - SLACK or group.end > max(group.opening.end, batch.until) + SLACK:
            yield f"{batch.name} exceeds its window: {group}"
        # a VM with a time of its own may be in another window of the phase than its group
        outages = [(found.vms[number].down, found.vms[number].up) for number in batch.works]
        yield from _outages(batch, outages if batch.until else [(group.start, group.end)], calendar)
        if batch.cutover is not None and group.start < batch.cutover - SLACK:
            yield f"{batch.name} cuts over before its time"
        if batch.running != "out":
            used[batch.phase, group.opening.start].append(len(batch.works))
    for sizes in used.values():
        if plan.vms_per_window is not None and sum(sizes) > plan.vms_per_window:
            yield f"{sum(sizes)} VMs in one window"
        if plan.groups_per_window is not None and len(sizes) > plan.groups_per_window:
            yield f"{len(sizes)} groups in one window"


def _outages(batch: Batch, spans: list[tuple[float, float]], calendar: Calendar) -> Iterator[str]:
    for since, until in spans if batch.running != "out" else ():
        inside = any(start - SLACK <= since and until <= end + SLACK for start, end in calendar.windows)
        if calendar.windows and calendar.recurring is None and not inside:
            yield f"{batch.name} is outside of the windows of its phase"
        if any(since < end - SLACK and start < until - SLACK for start, end in calendar.freezes):
            yield f"{batch.name} cuts over in a freeze"


def _order(plan: Plan, found: Timetable) -> Iterator[str]:
    for number, batch in enumerate(plan.groups):
        mine, phase = found.groups[number], plan.phases[batch.phase]
        if mine.start is None or batch.running == "out":
            continue
        for other, each in enumerate(plan.groups):
            its = found.groups[other]
            if its.end is None:
                continue
            if other in batch.needs and mine.start < its.end - SLACK:
                yield f"{batch.name} cuts over before {each.name}, which it needs"
            kept = plan.phases[each.phase].dual_run if phase.last else 0
            if each.phase in phase.first and mine.start < its.end + kept - SLACK:
                yield f"{batch.name} cuts over before {each.name}, whose phase comes first"


def _bandwidth(plan: Plan, found: Timetable) -> Iterator[str]:
    """Integrate every copy over time, at the rates that follow from which copies run."""
    flows = []
    for number, (work, times) in enumerate(zip(plan.works, found.vms, strict=True)):
        if times.ahead_from is not None and times.ahead_to is not None:
            flows.append((number, times.ahead_from, times.ahead_to, work.ahead))
        if times.copy_from is not None and times.copy_to is not None:
            flows.append((number, times.copy_from, times.copy_to, work.copy))
    moments = sorted({moment for _, start, end, _ in flows for moment in (start, end)})
    done = defaultdict(float)
    for start, end in pairwise(moments):
        at = start
        while at < end:
            cap, until = plan.caps.at(at)
            step = min(end, until)
            running = [flow for flow in flows if flow[1] <= start and flow[2] >= end]
            yield from _slice(plan, running, cap, step - at, done)
            at = step
    for flow in flows:
        rate = plan.works[flow[0]].rate
        if abs(done[flow] - flow[3]) > rate * SLACK * (1 + len(moments)):
            yield f"{plan.works[flow[0]].key} had {done[flow]} of {flow[3]} bytes"


def _slice(plan: Plan, running: list, cap: float, seconds: float, done: dict) -> Iterator[str]:
    works = {flow: plan.works[flow[0]] for flow in running}
    of_host = {}
    for host in {work.station for work in works.values()}:
        of_host[host] = min(1, 1 / (sum(work.host_load for work in works.values() if work.station == host) or 1))
    of_source = {}
    for source in {plan.stations[host] for host in of_host}:
        here = [work for work in works.values() if plan.stations[work.station] == source]
        of_source[source] = min(1, 1 / (sum(work.source_load * of_host[work.station] for work in here) or 1))
    speed = {
        flow: work.rate * of_host[work.station] * of_source[plan.stations[work.station]] for flow, work in works.items()
    }
    network = min(1, cap / (sum(speed.values()) or 1))
    for flow in running:
        done[flow] += speed[flow] * network * seconds
    if sum(speed.values()) * network > cap * (1 + 1e-9):
        yield "the network carries more than it may"
