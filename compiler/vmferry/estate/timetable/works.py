"""Makes a plan for the simulation of what the spec, the inventory and the evidence say, and of stated assumptions."""

import math
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from vmferry.estate.copying import Figure, Rates, filled, measured, rate_elsewhere, rates_of
from vmferry.estate.cutover import cutover_of
from vmferry.estate.dependencies import needs
from vmferry.estate.history import History
from vmferry.estate.identity import Directory, of_vm
from vmferry.estate.methods import METHODS
from vmferry.estate.phases import ancestors, bounds, is_time, moment
from vmferry.estate.stages import running
from vmferry.estate.timetable.calendars import Calendar, without
from vmferry.estate.timetable.plans import Batch, Plan, Stretch, Work
from vmferry.estate.timetable.stated import caps_of, freezes_of, recurring_of
from vmferry.kube.quantity import parse_duration
from vmferry.model.blueprint import Group, Machine
from vmferry.model.keys import VmKey
from vmferry.model.review import Review
from vmferry.model.spec import Method, Phase, ScheduleSettings, VirtualMachine

Case = Literal["best", "likely", "worst"]

_COPIES = ("migration", "copy", "conversion")
_DAY = 86400.0


class Prepared(NamedTuple):
    """A plan with what it was made of. ``groups`` are those of the plan, in its order."""

    plan: Plan
    groups: tuple[Group, ...]
    left_out: Mapping[str, str]  # groups that are not in it, with the reason
    rates: Mapping[tuple[str, Method], Rates]  # by vCenter and method
    rings: tuple[tuple[str, ...], ...]  # groups that need each other: their order is open
    used: int  # VMs that are copied whose bytes in use are known
    copied: int
    elsewhere: Mapping[str, tuple[Figure, int]]  # rates of VMs by storage array and by image, with how many there are
    unknown: frozenset[int]  # works whose copy takes nobody knows how long: only the rest of their times counts
    rebuilt: int  # VMs whose application is rebuilt: the work before the cutover is unknown
    written: int  # VMs that are copied warm whose writes were measured
    warm: int


def prepare(
    review: Review,
    case: Case = "likely",
    *,
    calibrated: bool = True,
    proposing: bool = False,
) -> Prepared:
    """Return the plan of a migration as it is now. ``calibrated``: with measured rates, where there are any.

    ``proposing``: phases may use recurring windows as well.
    """
    return _Preparation(review, case, calibrated).prepared(proposing)


class _Preparation:
    def __init__(self, review: Review, case: Case, calibrated: bool) -> None:
        self.review = review
        self.settings = review.spec.settings.schedule
        self.case: Case = case
        self.now = review.now.timestamp() if review.now is not None else _first_window(review)
        self.vms = {subject.key: subject.vm for subject in review.subjects}
        self.history = History(review.project.evidence)
        every = review.blueprint.groups
        self.known = measured(every, review.project.evidence) if calibrated else {}
        self.rates: dict[tuple[str, Method], Rates] = {}
        self.elsewhere: dict[str, tuple[Figure, int]] = {}
        self.unknown: set[VmKey] = set()
        self.left_out = {group.name: why for group in every if (why := _left_out(group)) is not None}
        ranks = {phase.name: rank for rank, phase in enumerate(review.blueprint.phases)}
        there = [group for group in every if group.name not in self.left_out]
        self.groups = tuple(sorted(there, key=lambda group: (ranks[group.phase], _soonest(group))))
        hosts = sorted({_host(machine) for group in self.groups for machine in group.machines})
        self.stations = {host: number for number, host in enumerate(hosts)}
        self.sources = [source.name for source in review.spec.sources]

    def prepared(self, proposing: bool) -> Prepared:
        works: list[Work] = []
        batches = []
        wanted, rings = _needs(self.review, self.groups)
        ranks = {phase.name: rank for rank, phase in enumerate(self.review.blueprint.phases)}
        for number, group in enumerate(self.groups):
            first = len(works)
            works += [self._work(group, machine) for machine in group.machines]
            batches.append(self._batch(group, ranks[group.phase], range(first, len(works)), wanted[number]))
        settings, copy = self.settings, self.review.spec.settings.copy
        rates = [each.vms_per_host for each in self.rates.values()]
        plan = Plan(
            now=self.now,
            works=tuple(works),
            groups=tuple(batches),
            phases=tuple(self._phases(proposing)),
            stations=tuple(self.sources.index(source) for source, _ in self.stations),
            places=tuple(source.vcenter.parallel_conversions for source in self.review.spec.sources),
            vms_per_host=rates[0] if rates else copy.vms_per_host or 20,
            vms_per_datastore=settings.vms_per_datastore,
            vms_per_window=settings.vms_per_window,
            groups_per_window=settings.groups_per_window,
            parallel_windows=self.review.spec.settings.parallel_windows,
            caps=caps_of(settings),
            copy_ahead=float(parse_duration(settings.copy_ahead)),
            apart=proposing,
        )
        read = (group for group in self.groups if _over_network(group))
        copied = [machine for group in read for machine in group.machines if self._size(group, machine)[0]]
        warm = [machine for group in self.groups if group.method == "warm" for machine in group.machines]
        return Prepared(
            plan,
            self.groups,
            self.left_out,
            self.rates,
            rings,
            used=sum(self._used(machine.key) is not None for machine in copied),
            copied=len(copied),
            elsewhere=dict(sorted(self.elsewhere.items())),
            unknown=frozenset(number for number, work in enumerate(works) if work.key in self.unknown),
            rebuilt=sum(len(group.machines) for group in self.groups if group.path == "rebuild"),
            written=sum(_written(self.vms.get(machine.key)) is not None for machine in warm),
            warm=len(warm),
        )

    # --- VMs ----------------------------------------------------------------------------------

    def _work(self, group: Group, machine: Machine) -> Work:
        """Return what one VM takes."""
        settings = self.settings
        off = (vm := self.vms.get(machine.key)) is not None and vm.power_state == "poweredOff"
        shuts_down = group.path != "rebuild" and not machine.golden and not off
        found = Work(
            machine.key,
            self.stations[_host(machine)],
            before=self._assumed(settings.shutdown) if shuts_down else 0.0,
            after=0.0 if machine.golden else self._assumed(settings.start),
            at=(own := self._own(group, machine)),
            until=self._closes(group, own) if own is not None else 0.0,
            datastores=tuple(
                sorted({f"{machine.source}/{disk.datastore.name}" for disk in machine.disks if disk.datastore})
            ),
        )
        if not _over_network(group):
            return self._elsewhere(group, machine, found)
        capacity, size = self._size(group, machine)
        if not capacity:
            return found
        rates = self._rates(machine.source, group.method)
        # measured rates are those of whole disks
        part = size / capacity if rates.per_vm.basis == "measured" and size else 1.0
        rate = rates.per_vm.value * part
        found = found._replace(
            rate=rate / (self.settings.worst if self.case == "worst" else 1.0),
            host_load=rate / rates.per_host.value,
            source_load=rate / rates.total.value,
            convert=self._conversion(group, machine, rates.per_vm),
        )
        copied = any(
            entry.what in _COPIES and entry.outcome == "succeeded" for entry in self.history.last(group, machine.key)
        )
        if group.method == "warm":
            delta = float(min(self._delta(machine, size), size))
            return found._replace(ahead=0.0 if copied else float(size), copy=delta, slots=len(machine.disks) or 1)
        if copied:
            return found._replace(convert=0.0, before=0.0)
        gate: Literal["host", "source"] = "source" if METHODS[group.method].converts else "host"
        return found._replace(copy=float(size), gate=gate)

    def _elsewhere(self, group: Group, machine: Machine, found: Work) -> Work:
        """Return what a VM takes that is copied by the storage array, or comes from images; or is rebuilt."""
        capacity, size = self._size(group, machine)
        if not capacity:
            return found
        if self._is_there(group, machine):
            return found._replace(before=0.0)
        rate = rate_elsewhere(self.review.spec, group, self.known)
        if rate is None:
            self.unknown.add(machine.key)
            return found
        way = "offload" if group.forklift.offload else "image"
        self.elsewhere[way] = (rate, self.elsewhere.get(way, (rate, 0))[1] + 1)
        # measured rates are those of whole disks, and of the whole migration
        seconds = (capacity if rate.basis == "measured" else size) / rate.value
        seconds *= self.settings.worst if self.case == "worst" else 1.0
        if group.forklift.offload:  # Forklift counts it as it does any other
            return found._replace(convert=seconds + self._conversion(group, machine, rate), gate="host")
        return found._replace(convert=seconds)

    def _is_there(self, group: Group, machine: Machine) -> bool:
        """Return whether a VM's copy is recorded, or that of each of its volumes."""
        latest = self.history.last(group, machine.key)
        if any(entry.what in _COPIES and entry.outcome == "succeeded" for entry in latest):
            return True
        return len(self.history.objects(group, "volume", machine.key)) >= len(filled(machine, group.method))

    def _size(self, group: Group, machine: Machine) -> tuple[int, int]:
        """Return the capacity of the disks that are copied, and the bytes of them that are in use."""
        capacity = sum(disk.size for disk in filled(machine, group.method))
        used = self._used(machine.key)
        return capacity, capacity if used is None else min(used, capacity)

    def _used(self, key: VmKey) -> int | None:
        vm = self.vms.get(key)
        return vm.used_storage if vm is not None else None

    def _delta(self, machine: Machine, size: int) -> float:
        """Return the bytes that the last copy of a warm VM has: what it wrote since the one before."""
        interval = parse_duration(self.settings.precopy_interval)
        rate = _written(self.vms.get(machine.key))
        if rate is None:
            assumed = size * self.settings.daily_change / 100 / _DAY
            rate = (assumed, assumed * self.settings.worst)
        average, peak = rate
        return {"best": average / 2, "likely": average, "worst": peak}[self.case] * interval

    def _conversion(self, group: Group, machine: Machine, rate: Figure) -> float:
        """Return how long a guest is converted; 0 where nobody does, or where the rate of its copy has it already."""
        if machine.raw or group.forklift.raw or (group.method != "warm" and rate.basis != "stated"):
            return 0.0
        times = self.settings.conversion
        base = {"linux": times.linux, "windows": times.windows}.get(machine.os, times.other)
        return self._assumed(base) + len(machine.disks) * self._assumed(times.per_disk)

    def _assumed(self, duration: str) -> float:
        factor = {"best": self.settings.best, "likely": 1.0, "worst": self.settings.worst}[self.case]
        return parse_duration(duration) * factor

    def _rates(self, source: str, method: Method) -> Rates:
        if (source, method) not in self.rates:
            self.rates[source, method] = rates_of(self.review.spec, source, method, self.known)
        return self.rates[source, method]

    # --- groups and phases --------------------------------------------------------------------

    def _batch(self, group: Group, phase: int, works: range, wanted: frozenset[int]) -> Batch:
        stated = moment(group.cutover) if group.cutover is not None and is_time(group.cutover) else None
        own = [time for machine in group.machines if (time := self._own(group, machine)) is not None]
        stated = min([*own, *([stated] if stated is not None and stated >= self.now else [])], default=None)
        method = METHODS[group.method]
        going: Literal["no", "ahead", "out"] = "no"
        if group.stage == "migrating":
            going = "ahead" if method.source_runs else "out"
        return Batch(
            group.name,
            phase,
            tuple(works),
            wanted,
            together=group.path == "virt-v2v",
            cutover=stated,
            until=max((self._closes(group, time) for time in own), default=0.0),
            running=going,
        )

    def _own(self, group: Group, machine: Machine) -> float | None:
        """Return when a VM cuts over whose group states a time for some of its VMs alone; None if that is over."""
        stated = cutover_of(group, machine) if group.vm_cutover else None
        time = moment(stated) if stated is not None and is_time(stated) else None
        return time if time is not None and time >= self.now else None

    def _closes(self, group: Group, time: float) -> float:
        """Return when the window closes in which a VM of a group has a time of its own; 0 if it is in none."""
        phase = next(phase for phase in self.review.spec.phases if phase.name == group.phase)
        spans = [bounds(window) for window in phase.windows if is_time(window.start)] or [(-math.inf, math.inf)]
        parts = [part for span in spans for part in without(span, freezes_of(self.settings))]
        return max((end for start, end in parts if start <= time <= end), default=0.0)

    def _phases(self, proposing: bool) -> Iterable[Stretch]:
        phases = self.review.blueprint.phases
        ranks = {phase.name: rank for rank, phase in enumerate(phases)}
        earlier = ancestors(phases)
        others = tuple(phase.name for phase in phases if phase.kind != "decommission")
        stated = {phase.name: phase for phase in self.review.spec.phases}
        for phase in phases:
            last = phase.kind == "decommission"
            first = (earlier[phase.name] or others) if last else earlier[phase.name]
            yield Stretch(
                phase.name,
                self._calendar(stated[phase.name], proposing, last=last),
                frozenset(ranks[name] for name in first),
                last,
                float(dual_run(stated[phase.name], self.settings)),
                self._not_before(first, stated, proposing) if last else 0.0,
            )

    def _calendar(self, phase: Phase, proposing: bool, *, last: bool) -> Calendar:
        windows = [bounds(window) for window in phase.windows if is_time(window.start)]
        taken = windows
        if last:
            taken = [bounds(each) for other in self.review.spec.phases for each in other.windows if is_time(each.start)]
        settings = self.settings
        return Calendar(
            windows=tuple(sorted(span for span in windows if span[1] > self.now)),
            endless=not phase.windows and not proposing,
            daily=settings.vms_per_window is not None or settings.groups_per_window is not None,
            freezes=freezes_of(settings),
            recurring=recurring_of(settings.windows) if proposing else None,
            taken=tuple(sorted(taken)),
        )

    def _not_before(self, first: Iterable[str], stated: Mapping[str, Phase], proposing: bool) -> float:
        """Return until when sources of groups that have moved are kept; VMF429 counts from a phase's last window."""
        found = [0.0]
        for group in self.review.blueprint.groups:
            if group.phase in first and running(group.stage):
                moved = moved_at(group, self.history)
                found.append((moved or self.now) + dual_run(stated[group.phase], self.settings))
        for name in first if proposing else ():
            ends = [bounds(window)[1] for window in stated[name].windows if is_time(window.start)]
            found += [end + dual_run(stated[name], self.settings) for end in ends]
        return max(found)


def dual_run(phase: Phase, settings: ScheduleSettings) -> int:
    """Return for how many seconds the sources of a phase are kept at least."""
    least = parse_duration(phase.dual_run.at_least) if phase.dual_run is not None else 0
    cycle = parse_duration(settings.business_cycle) if settings.business_cycle is not None else 0
    return max(least, cycle)


def moved_at(group: Group, history: History) -> float | None:
    """Return when a group that has moved cut over, if the evidence or the spec says so."""
    found = [
        moment(entry.finished)
        for machine in group.machines
        for entry in history.last(group, machine.key)
        if entry.what in ("migration", "conversion") and entry.finished is not None and is_time(entry.finished)
    ]
    times = [cutover_of(group, machine) for machine in group.machines]
    stated = [moment(time) for time in times if time is not None and is_time(time)]
    return max(found or stated, default=None)


def _first_window(review: Review) -> float:
    starts = [moment(each.start) for phase in review.spec.phases for each in phase.windows if is_time(each.start)]
    return min(starts, default=0.0)


def _over_network(group: Group) -> bool:
    """Return whether pods read the disks of a group from vSphere."""
    return METHODS[group.method].reads and not group.forklift.offload


def _left_out(group: Group) -> str | None:
    if running(group.stage):
        return "has moved"
    if group.stage == "rolled-back":
        return "is rolled back"
    return f"waits: {group.hold}" if group.hold is not None else None


def _soonest(group: Group) -> int:
    """Return where a group comes among those of its phase: those that are further on first, then by their order."""
    return {"migrating": 0, "prepared": 1}.get(group.stage, 2)


def _host(machine: Machine) -> tuple[str, str]:
    return machine.source, machine.host or ""  # unknown hosts count as one


def _written(vm: VirtualMachine | None) -> tuple[float, float] | None:
    """Return the bytes per second that a VM writes, average and peak; None if that was not measured."""
    disks = vm.baseline.disks if vm is not None and vm.baseline is not None else ()
    rates = [disk.write for disk in disks if disk.write is not None]
    if not rates:
        return None
    return sum(rate.average for rate in rates) * 1024, sum(rate.peak for rate in rates) * 1024


def _needs(review: Review, groups: tuple[Group, ...]) -> tuple[list[frozenset[int]], tuple[tuple[str, ...], ...]]:
    """Return the groups that each group needs, by number, and the rings of those that need each other."""
    homes = {machine.key: number for number, group in enumerate(groups) for machine in group.machines}
    known = Directory(of_vm(subject.vm, subject.source) for subject in review.subjects)
    earlier = ancestors(review.blueprint.phases)
    edges: set[tuple[int, int]] = set()
    for subject in review.subjects:
        mine = homes.get(subject.key)
        for need in needs(subject.vm, subject.source, known) if mine is not None else ():
            its = homes.get(need.found.key) if need.found is not None else None
            if mine is None or its is None or mine == its:
                continue
            if groups[mine].phase not in earlier[groups[its].phase]:  # VMF402
                edges.add((mine, its))
    rings = _rings(edges)
    ring_of = {member: ring for ring in rings for member in ring}
    found: list[set[int]] = [set() for _ in groups]
    for mine, its in edges:
        if ring_of.get(mine, (mine,)) != ring_of.get(its, (its,)):
            found[mine].add(its)
    names = tuple(tuple(groups[member].name for member in ring) for ring in rings)
    return [frozenset(each) for each in found], names


def _rings(edges: set[tuple[int, int]]) -> list[tuple[int, ...]]:
    if not edges:
        return []
    import networkx as nx  # slow to import, and most specs have no dependencies

    graph: nx.DiGraph[int] = nx.DiGraph(sorted(edges))
    return sorted(tuple(sorted(found)) for found in nx.strongly_connected_components(graph) if len(found) > 1)
