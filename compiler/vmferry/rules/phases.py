"""Phases and their windows: what moves too early, at the wrong time, or before its dependencies.

An impossible order is refused during resolve (VMF401 to VMF411). These rules are about an order that compiles, but
fails or hurts in the maintenance window.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple

from vmferry.estate.cutover import cutover_of
from vmferry.estate.dependencies import needs
from vmferry.estate.identity import Directory, of_vm
from vmferry.estate.methods import METHODS
from vmferry.estate.phases import ancestors, bounds, moment
from vmferry.estate.stages import frozen, moves, rank, serves, started
from vmferry.kube.quantity import format_size, parse_duration
from vmferry.model.blueprint import Group, Machine, PhasePlan
from vmferry.model.review import Problem, Review, Subject
from vmferry.model.spec import DualRun, Phase
from vmferry.rules.registry import rule

_TWO_WEEKS = 14 * 86400  # seconds
_TEN_GIGABIT = 1_250_000_000  # bytes per second: the most that a 10 Gbit/s link can carry
_SHOWN = 3  # groups a message names


class _Span(NamedTuple):
    """A window as seconds since 1970, with its place: a datetime would overflow at the end of time."""

    start: float
    end: float
    text: str
    phase: str
    place: tuple[str | int, ...]

    def overlaps(self, other: "_Span") -> bool:
        """Return whether both are open at the same time."""
        return self.start < other.end and other.start < self.end


# --- who moves when --------------------------------------------------------------------------


@rule("VMF420", "warning", "production VM moves in the first phase", each=True)
def production_first(review: Review) -> Iterator[Problem]:
    """The first phase is where a migration learns: its networks, drivers and runbooks are used for the first time.

    What it breaks should not be missed. Folder, resource pool, tags, custom attributes and the name of a VM are
    searched for `prod`, `prd` and `production`, unless they also mention test or development.
    """
    if len(review.blueprint.phases) < 2:
        return
    first = review.blueprint.phases[0]
    for subject, group, machine in review.moving:
        if group.phase != first.name or _done(group) or machine.golden:
            continue
        if evidence := _production(subject):
            yield subject.decided(
                "phase",
                f"{evidence} says production, and it moves in {first.name}, the first phase",
                "put it into a later phase: `assign: [{match: {…}, set: {phase: …}}]`, or `phase` in its entry",
            )


@cache  # when it is first asked: it takes some milliseconds
def _any(words: str) -> re.Pattern[str]:
    """Return a pattern for any of these words in a text, not surrounded by letters."""
    return re.compile(f"(?<![a-z])(?:{words})(?![a-z])", re.IGNORECASE)


_PRODUCTION = "prod|prd|production|produktion|produktiv"
_OTHERWISE = "non|not|no|pre|test|tst|dev|development|qa|uat|int|stage|staging|lab|sandbox|demo|training"


def _production(subject: Subject) -> str | None:
    """Return the evidence that a VM is in production; None without evidence, or with contrary evidence."""
    vm = subject.vm
    sources = (
        (f"its folder {vm.folder}", (vm.folder,)),
        (f"its resource pool {vm.resource_pool}", (vm.resource_pool,)),
        ("one of its tags", vm.tags),
        ("one of its custom attributes", tuple(vm.custom_attributes.values())),
        ("its name", (vm.name,)),
    )
    if any(_says(_OTHERWISE, texts) for _, texts in sources):
        return None
    return next((evidence for evidence, texts in sources if _says(_PRODUCTION, texts)), None)


def _says(words: str, texts: Iterable[str | None]) -> bool:
    pattern = _any(words)
    return any(text is not None and pattern.search(text) for text in texts)


@rule("VMF421", "warning", "database moves without a maintenance window", groups=True)
def database_without_window(review: Review) -> Iterator[Problem]:
    """A database is down during its cutover, and so is everything that uses it: someone has to know when.

    Cutover times are also checked against the windows of a phase (VMF406); without windows any time is accepted. Names,
    tags, custom attributes and ports are searched for known databases; in a phase of kind `stateful` every VM counts as
    one.
    """
    phases = {phase.name: phase for phase in review.blueprint.phases}
    places = _places(review)
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for subject, group, machine in review.moving:
        if phases[group.phase].windows or _done(group) or machine.golden:
            continue
        if evidence := _database(subject, machine, phases[group.phase]):
            found[group.phase][subject.name] = evidence
    for phase, listed in found.items():
        shown = [f"{name}: {evidence}" for name, evidence in list(listed.items())[:_SHOWN]]
        more = f"; and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
        many = f"{len(listed)} databases move" if len(listed) > 1 else "a database moves"
        yield Problem(
            f"phase {phase} has no maintenance window, and {many} in it ({'; '.join(shown)}{more})",
            f'add `windows: [{{start: "2027-02-06T20:00:00Z", duration: 8h}}]` to phase {phase}',
            review.at(*places[phase]),
            tuple(listed),
        )


_DATABASES = (
    # pg is a port group as often as PostgreSQL
    "db|databases?|sql|mssql|sqlserver|sqlsrv|mysql|mariadb|postgres|postgresql|pgsql|psql|oracle(?![ _-]?linux)|ora|"
    "mongo|mongodb|cassandra|hana|sybase|informix|couchdb|couchbase|cockroach|cockroachdb|clickhouse|influxdb|"
    "timescale|timescaledb|neo4j|teradata"
)
_GLUED_SQL = re.compile("sql(?!ite)[a-z]{0,4}[0-9]", re.IGNORECASE)  # as in HBSQLD01SEN
_DATABASE_PORTS = {1433: "SQL Server", 1521: "Oracle", 3306: "MySQL", 5432: "PostgreSQL", 9042: "Cassandra"}
_DATABASE_PORTS |= {27017: "MongoDB", 50000: "Db2"}


def _database(subject: Subject, machine: Machine, phase: PhasePlan) -> str | None:
    """Return the evidence that a VM is a database, if any."""
    vm = subject.vm
    if _says(_DATABASES, (vm.name,)) or _GLUED_SQL.search(vm.name):
        return "its name suggests a database"
    if _says(_DATABASES, (*vm.tags, *vm.custom_attributes.values())):
        return "a tag or custom attribute suggests a database"
    ports = (*machine.ports, *(machine.application.ports if machine.application is not None else ()))
    served = sorted({port.target_port or port.port for port in ports} & _DATABASE_PORTS.keys())
    if served:
        return f"port {served[0]} is {_DATABASE_PORTS[served[0]]}'s"
    return "its phase is of kind stateful" if phase.kind == "stateful" else None


# --- windows ---------------------------------------------------------------------------------


@rule("VMF422", "warning", "window overlaps one of an earlier phase", blueprint=True)
def overlapping(review: Review) -> Iterator[Problem]:
    """A phase is `after` another so that the results of the earlier one can still change it.

    With both windows open at once, the second cuts over before the first is known to have worked.
    """
    spans, earlier = _spans(review), ancestors(review.blueprint.phases)
    for phase in _waiting(review):
        if phase.kind == "decommission":
            continue  # VMF427
        for span in spans[phase.name]:
            first = next((each for name in earlier[phase.name] for each in spans[name] if span.overlaps(each)), None)
            if first is not None:
                yield Problem(
                    f"phase {phase.name}: its window {span.text} overlaps {first.text} of {first.phase}, "
                    f"which comes first",
                    f"move one of the two, or remove {first.phase} from `after`",
                    review.at(*span.place),
                )


@rule("VMF423", "warning", "window closes before the earlier phases have begun", blueprint=True)
def too_early(review: Review) -> Iterator[Problem]:
    """The phase has to wait for others whose first window opens later, so this window cannot be used.

    Often the month or year is wrong.
    """
    spans, earlier = _spans(review), ancestors(review.blueprint.phases)
    for phase in _waiting(review):
        for span in spans[phase.name]:
            others = (min(spans[name]) for name in earlier[phase.name] if spans[name])
            first = next((other for other in others if span.end <= other.start), None)
            if first is not None:
                yield Problem(
                    f"phase {phase.name}: its window {span.text} closes before the first of {first.phase}, "
                    f"which comes first, opens ({first.text})",
                    f"set a later `start`, or remove {first.phase} from `after`",
                    review.at(*span.place, "start"),
                )


@rule("VMF424", "warning", "more windows are open at once than `parallelWindows` allows", blueprint=True)
def crowded(review: Review) -> Iterator[Problem]:
    """The number of phases that can cut over at once depends on the people who watch and on the storage.

    `settings.parallelWindows` states that number; phases whose VMs have all moved do not count.
    """
    limit = review.spec.settings.parallel_windows
    if limit is None:
        return
    spans = [span for spans in _spans(review).values() for span in spans]
    for span in spans:
        open_ = sorted({other.phase for other in spans if other.start <= span.start < other.end})
        if len(open_) > limit and span.end > span.start:
            yield Problem(
                f"phase {span.phase}: when its window {span.text} opens, those of {len(open_)} phases are open "
                f"({', '.join(open_)}), and settings.parallelWindows is {limit}",
                "move the windows apart, or raise the setting",
                review.at(*span.place),
            )


@rule("VMF431", "warning", "phase has no window left", blueprint=True)
def over(review: Review) -> Iterator[Problem]:
    """Its windows are over and its VMs have not moved: whatever cuts over now does so outside any window."""
    if review.now is None:
        return
    now = review.now.timestamp()
    spans, places = _spans(review), _places(review)
    for phase in _waiting(review):
        late = [group for group in review.blueprint.groups if group.phase == phase.name and not _done(group)]
        if late and spans[phase.name] and all(span.end < now for span in spans[phase.name]):
            last = max(spans[phase.name], key=lambda span: span.end)
            yield Problem(
                f"phase {phase.name}: its last window, {last.text}, is over, "
                f"and {_groups(late)} {'has' if len(late) == 1 else 'have'} not cut over",
                "add a window to `windows`",
                review.at(*places[phase.name], "windows"),
                tuple(sorted(machine.name for group in late for machine in group.machines)),
            )


@rule("VMF432", "warning", "window is too short for the data", groups=True)
def too_short(review: Review) -> Iterator[Problem]:
    """With methods cold and job a VM is off while its disks are copied: the whole copy has to fit into the window.

    It fires only if even a 10 Gbit/s link could not carry the data in the phase's longest window. It counts the storage
    in use according to the inventory, at most the capacity of the disks; if that is unknown, nothing.
    """
    sizes: defaultdict[str, int] = defaultdict(int)
    for subject, group, machine in review.moving:
        used = subject.vm.used_storage
        method = METHODS[group.method]
        off = method.reads and not method.source_runs
        if off and not _done(group) and used is not None and machine.clone_of is None:
            sizes[group.name] += min(used, sum(disk.size for disk in machine.disks))
    spans = _spans(review)
    for group in review.blueprint.groups:
        longest = max(spans[group.phase], key=lambda span: span.end - span.start, default=None)
        if longest is None or sizes[group.name] <= _TEN_GIGABIT * (longest.end - longest.start):
            continue
        hours = sizes[group.name] / _TEN_GIGABIT / 3600
        yield Problem(
            f"group {group.name}: {_rounded(sizes[group.name])} are copied while its VMs are off, which takes at least "
            f"{hours:.1f} h over 10 Gbit/s, and the longest window of phase {group.phase} is {longest.text}",
            "use method warm, a longer window, or smaller groups (maxVms of the phase)",
            review.at(*longest.place),
            tuple(machine.name for machine in group.machines),
        )


def _rounded(size: int) -> str:
    """Return bytes in whole GiB, or exactly if that would be zero."""
    gib = 1 << 30
    return format_size(size // gib * gib or size)


# --- order of groups -------------------------------------------------------------------------


@rule("VMF426", "warning", "group is ahead of the earlier phases", blueprint=True)
def ahead(review: Review) -> Iterator[Problem]:
    """A phase is `after` others so that they try out what it depends on, and nothing in the cluster enforces that.

    Flux and Argo CD apply each group independently, so that a VM stuck in one phase does not keep another from being
    rolled back. A group that copies waits for all earlier ones to copy; one that cuts over waits for their cutover.
    """
    earlier = ancestors(review.blueprint.phases)
    by_phase = _by_phase(review)
    for group in review.blueprint.groups:
        if not moves(group.stage) or group.phase_kind == "decommission":
            continue
        behind = [
            each for name in earlier[group.phase] for each in by_phase[name] if rank(each.stage) < rank(group.stage)
        ]
        if behind:
            yield Problem(
                f"group {group.name} is at {group.stage}, and {_groups(behind)} of "
                f"{_list(sorted({each.phase for each in behind}))}, which comes first, "
                f"{'is' if len(behind) == 1 else 'are'} not",
                "move those first, or remove the phase from `after`",
                review.at("groups", group.name, "stage"),
                tuple(machine.name for machine in group.machines),
            )


@rule("VMF430", "warning", "cutover time has passed, or has by the time it is synced", blueprint=True)
def missed(review: Review) -> Iterator[Problem]:
    """A time in the past is not an appointment: Forklift cuts over as soon as it sees it, at whatever hour that is.

    A commit that brings a group to `cutover`, or gives it another time, takes up to `target.gitops.interval` to reach
    the cluster; an earlier time may be past by then. It is an error if no window of the phase is open until then,
    because the VMs may cut over outside of it. Once a group is at `cutover`, its time may pass.
    """
    if review.now is None:
        return
    now, interval = review.now.timestamp(), review.spec.target.gitops.interval
    synced = now + parse_duration(interval)
    was = {group.name: group for group in review.before.blueprint.groups} if review.before else {}
    for group in review.blueprint.groups:
        known = was.get(group.name)
        for time, names in sorted(_appointments(group).items()):
            agreed = moment(time)
            # at cutover, or at this time, since the other commit
            new = known is not None and _done(group) and (not _done(known) or time not in _appointments(known))
            if agreed >= (synced if new else now) or (started(group.stage) and not new):
                continue
            field = "cutover" if time == group.cutover else "vmCutover"
            spans = _spans_of(review.blueprint.phases, group.phase)
            at_once = new and spans and not any(opens <= max(agreed, now) and synced <= ends for opens, ends in spans)
            why = f"has passed ({time_text(agreed)})"
            if agreed >= now:
                why = f"is in less than {interval}, which the engine may take to see it (target.gitops.interval)"
            yield Problem(
                f"group {group.name} is at {group.stage}, and its cutover {time} {why}",
                f"set a later `{field}`, inside {_coming(review.spec.phases, group.phase, review.now)}",
                review.at("groups", group.name, field),
                names,
                severity="error" if at_once else None,
            )


def _coming(phases: Iterable[Phase], name: str, now: datetime) -> str:
    """Return the windows of a phase that are not over, in words."""
    windows = [window for phase in phases if phase.name == name for window in phase.windows]
    left = [f"{window.start} for {window.duration}" for window in windows if bounds(window)[1] > now.timestamp()]
    if windows and not left:
        return "a window that is added to `windows` of the phase: all of its windows are over"
    return f"one of the phase's windows{': ' * bool(left)}{'; '.join(left)}"


def _appointments(group: Group) -> dict[str, tuple[str, ...]]:
    """Return the times that a group states for its cutover, each with its VMs."""
    times: defaultdict[str, list[str]] = defaultdict(list)
    for machine in group.machines:
        if (time := cutover_of(group, machine)) is not None:
            times[time].append(machine.name)
    return {time: tuple(names) for time, names in times.items()}


# --- the source after cutover ----------------------------------------------------------------


@rule("VMF425", "warning", "dual run is shorter than two weeks")
def short_dual_run(review: Review) -> Iterator[Problem]:
    """What runs once a week or at the end of the month fails days later: backups, batch jobs, licence checks.

    Until then the source is the only way back.
    """
    for index, phase in enumerate(review.spec.phases):
        if phase.dual_run is not None and parse_duration(phase.dual_run.at_least) < _TWO_WEEKS:
            yield Problem(
                f"phase {phase.name}: its dual run is {phase.dual_run.at_least}, less than two weeks",
                "set dualRun.atLeast: 14d, or longer for what runs once a month",
                review.at("phases", index, "dualRun", "atLeast"),
            )


@rule("VMF433", "error", "source runs alongside its target", groups=True)
def both_run(review: Review) -> Iterator[Problem]:
    """Both have the same MAC and IP address, and both write: from now on the guest's data is in two places.

    Rolling back to the source loses what the target accepted, and vice versa. It fires if the inventory was read after
    the cutover: after the time the group states or, with `--against`, after an inventory that was read when the group
    had already cut over.
    """
    taken = _taken(review)
    was_done = {group.name for group in review.before.blueprint.groups if _done(group)} if review.before else set()
    was_taken = _taken(review.before) if review.before else {}
    modes = _dual_runs(review)
    for subject, group, machine in review.moving:
        read = taken.get(subject.source)
        if subject.vm.power_state != "poweredOn" or not _done(group) or read is None or machine.golden:
            continue
        if (run := modes.get(group.phase)) is not None and run.mode != "fallback":
            continue  # both are meant to run, under other addresses
        cutover = cutover_of(group, machine)
        since = datetime.fromisoformat(cutover).timestamp() if cutover is not None else None
        if since is None and group.name in was_done:
            since = was_taken.get(subject.source)
        if since is not None and read > since:
            yield subject.problem(
                f"it runs in vSphere ({time_text(read)}), and group {group.name} has cut over",
                "power the source off; if it was powered on to roll back, stop the VM in the target first",
                "powerState",
            )


@rule("VMF427", "warning", "sources are decommissioned while others cut over", blueprint=True)
def decommission_at_cutover(review: Review) -> Iterator[Problem]:
    """A cutover changes DNS and routes, and its way back is vSphere: nobody should dismantle hosts and datastores then.

    If something fails that night, two changes are suspects, and one of them cannot be undone.
    """
    spans = _spans(review)
    kinds = {phase.name: phase.kind for phase in review.blueprint.phases}
    cutovers = [span for name, each in spans.items() if kinds[name] != "decommission" for span in each]
    for phase in review.blueprint.phases:
        for span in spans[phase.name] if phase.kind == "decommission" else ():
            other = next((each for each in cutovers if span.overlaps(each)), None)
            if other is not None:
                yield Problem(
                    f"phase {phase.name}: its window {span.text} is open while {other.phase} cuts over ({other.text})",
                    f"move it after the last window of {other.phase}",
                    review.at(*span.place),
                )


@rule("VMF428", "warning", "decommissioning starts before everything has cut over", blueprint=True)
def decommission_early(review: Review) -> Iterator[Problem]:
    """What is decommissioned still serves the VMs in vSphere, and is part of the way back for the others.

    It fires for phases of kind `decommission` whose `state` is `started` or `done`. VMF453 names the VMs whose own
    hosts go.
    """
    by_phase = _by_phase(review)
    states = {phase.name: phase.state for phase in review.spec.phases}
    for phase, first in _decommissions(review):
        behind = [group for name in first for group in by_phase[name] if serves(group.stage)]
        if behind and states[phase.name] != "planned":
            yield Problem(
                f"decommission phase {phase.name} is {states[phase.name]}, and {_groups(behind)} "
                f"{'is' if len(behind) == 1 else 'are'} not at cutover",
                "set `state: planned` until they are, or list in `after` only the phases that have to come first",
                review.at(*_places(review)[phase.name], "state"),
                tuple(machine.name for group in behind for machine in group.machines),
            )
        early = [group for group in by_phase[phase.name] if frozen(group.stage)]
        open_ = [group for name in first for group in by_phase[name] if serves(group.stage)]
        for group in early if open_ else ():
            yield Problem(
                f"group {group.name} of decommission phase {phase.name} is at {group.stage}, "
                f"and {_groups(open_)} {'is' if len(open_) == 1 else 'are'} not at cutover",
                "set it back to planned until they are",
                review.at("groups", group.name, "stage"),
                tuple(machine.name for machine in group.machines),
            )


@rule("VMF429", "warning", "decommissioning starts before the end of a dual run", blueprint=True)
def decommission_in_dual_run(review: Review) -> Iterator[Problem]:
    """`dualRun.atLeast` promises that the source is kept for that long after the last cutover of the phase.

    `settings.schedule.businessCycle` does so for all phases, so that sources see a whole month, for example; the longer
    of both counts.
    """
    spans = _spans(review)
    cycle = review.spec.settings.schedule.business_cycle
    kept = {}
    for stated in review.spec.phases:
        promises = [("dualRun.atLeast", stated.dual_run.at_least)] if stated.dual_run is not None else []
        promises += [("settings.schedule.businessCycle", cycle)] if cycle is not None else []
        if promises:
            kept[stated.name] = max(promises, key=lambda promise: parse_duration(promise[1]))
    ends = {name: end for name in kept if (end := _last_cutover(review, name)) is not None}
    for phase, first in _decommissions(review):
        for span in spans[phase.name]:
            for name in first:
                if name not in ends:
                    continue
                field, duration = kept[name]
                over_at = ends[name] + parse_duration(duration)
                if span.start < over_at:
                    what = "dual run" if field == "dualRun.atLeast" else "business cycle"
                    yield Problem(
                        f"phase {phase.name}: its window {span.text} opens before the {what} of {name} is over "
                        f"({duration} after its last cutover, {time_text(over_at)})",
                        f"set a later `start`, or a shorter {field}",
                        review.at(*span.place, "start"),
                    )


def _decommissions(review: Review) -> Iterator[tuple[PhasePlan, tuple[str, ...]]]:
    """Yield the decommission phases, each with those that come first: all others if it names none."""
    earlier = ancestors(review.blueprint.phases)
    others = tuple(phase.name for phase in review.blueprint.phases if phase.kind != "decommission")
    for phase in review.blueprint.phases:
        if phase.kind == "decommission":
            yield phase, earlier[phase.name] or others


def _last_cutover(review: Review, name: str) -> float | None:
    """Return the latest cutover of a phase's VMs, if known."""
    groups = [group for group in review.blueprint.groups if group.phase == name]
    stated = [datetime.fromisoformat(time).timestamp() for group in groups for time in _appointments(group)]
    spans = _spans(review)[name] if any(group.cutover is None for group in groups) else []
    return max([*stated, *(span.end for span in spans)], default=None)


# --- dependencies ----------------------------------------------------------------------------


@rule("VMF434", "warning", "VM cuts over before one that it depends on", fewer=True)
def before_its_dependency(review: Review) -> Iterator[Problem]:
    """It would start in the target and look for a service that is still at the old address, or off.

    VMF402 checks phases that come after each other against dependencies; this rule is about the times of the others:
    cutovers that groups state, or the windows of their phases.
    """
    earlier = ancestors(review.blueprint.phases)
    for subject, index, other in dependencies(review):
        mine, its = subject.group, other.group
        if mine is None or its is None or (mine.name == its.name and not mine.vm_cutover):
            continue
        if mine.cutover is None and its.cutover is None and its.phase in earlier[mine.phase]:
            continue  # VMF423
        own, needed = _times(review, subject), _times(review, other)
        if own is not None and needed is not None and own[1] < needed[0]:
            yield subject.problem(
                f"it cuts over by {time_text(own[1])}, and {other.name}, which it depends on, from "
                f"{time_text(needed[0])} on",
                f"let {other.name} ({its.name}) cut over first, or both at the same time",
                "dependsOn",
                index,
            )


def dependencies(review: Review) -> Iterator[tuple[Subject, int, Subject]]:
    """Yield each VM that moves with each VM it depends on, and the dependency's number; those outside are left out."""
    subjects = {subject.key: subject for subject in review.subjects}
    known = Directory(of_vm(subject.vm, subject.source) for subject in review.subjects)
    for subject, _, _ in review.moving:
        for need in needs(subject.vm, subject.source, known):
            if need.found is not None:
                yield subject, need.number, subjects[need.found.key]


def _times(review: Review, subject: Subject) -> tuple[float, float] | None:
    """Return the earliest and latest cutover of a VM; None if unknown."""
    group, machine = subject.group, subject.machine
    if group is None or machine is None or _done(group):
        return None
    if (cutover := cutover_of(group, machine)) is not None:
        moment = datetime.fromisoformat(cutover).timestamp()
        return moment, moment
    spans = _spans_of(review.blueprint.phases, group.phase)
    return (min(start for start, _ in spans), max(end for _, end in spans)) if spans else None


# --- shared ----------------------------------------------------------------------------------


def _done(group: Group) -> bool:
    """Return whether a group has cut over, and was not rolled back."""
    return not serves(group.stage)


def _waiting(review: Review) -> list[PhasePlan]:
    """Return the phases with something to cut over, and all decommission phases, even empty ones."""
    waiting = {group.phase for group in review.blueprint.groups if not _done(group)}
    empty = {phase.name for phase in review.blueprint.phases} - {group.phase for group in review.blueprint.groups}
    return [
        phase
        for phase in review.blueprint.phases
        if phase.name in waiting or (phase.kind == "decommission" and phase.name in empty)
    ]


def _spans(review: Review) -> dict[str, list[_Span]]:
    """Return the windows of every phase by name; none for finished phases."""
    places = _places(review)
    waiting = {phase.name for phase in _waiting(review)}
    return {
        phase.name: [
            _Span(
                *bounds(window),
                text=f"{window.start} for {window.duration}",
                phase=phase.name,
                place=(*places[phase.name], "windows", number),
            )
            for number, window in enumerate(phase.windows if phase.name in waiting else ())
        ]
        for phase in review.blueprint.phases
    }


def _spans_of(phases: Iterable[PhasePlan], name: str) -> list[tuple[float, float]]:
    return [bounds(window) for phase in phases if phase.name == name for window in phase.windows]


def _places(review: Review) -> dict[str, tuple[str | int, ...]]:
    """Return the place of each phase in the spec."""
    return {phase.name: ("phases", index) for index, phase in enumerate(review.spec.phases)}


def _by_phase(review: Review) -> Mapping[str, list[Group]]:
    result: defaultdict[str, list[Group]] = defaultdict(list)
    for group in review.blueprint.groups:
        result[group.phase].append(group)
    return result


def _dual_runs(review: Review) -> dict[str, DualRun]:
    return {phase.name: phase.dual_run for phase in review.spec.phases if phase.dual_run is not None}


def _taken(review: Review) -> dict[str, float]:
    """Return when the inventory of each source was read, if stated."""
    result: dict[str, float] = {}
    for part in review.project.inventories:
        try:
            moment = datetime.fromisoformat(part.source.taken or "")
        except ValueError:
            continue
        if moment.tzinfo is not None:
            taken = moment.timestamp()
            result[part.source.name] = min(taken, result.get(part.source.name, taken))
    return result


def _groups(groups: list[Group]) -> str:
    names = [f"{group.name} ({group.stage})" for group in groups[:_SHOWN]]
    more = len(groups) - len(names)
    return f"group {names[0]}" if len(groups) == 1 else f"groups {', '.join(names)}{f' and {more} more' * bool(more)}"


def _list(names: list[str]) -> str:
    return f"phase {names[0]}" if len(names) == 1 else f"phases {', '.join(names)}"


def time_text(moment: float) -> str:
    """Return a time, in seconds since 1970, to the minute."""
    try:
        return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%MZ")
    except (ValueError, OverflowError):
        return "after the year 9999"
