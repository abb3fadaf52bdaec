"""Hosts that leave vSphere: what still needs them, and what is left without a reserve."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import count

from vmferry.estate.cutover import cutover_of
from vmferry.estate.decommission.plans import Guest
from vmferry.estate.decommission.reserve import VSAN_HOSTS, holds, load_of
from vmferry.estate.decommission.takes import begun, covers, named, taken_hosts, takes_of, whole_sources
from vmferry.estate.decommission.today import BLOCKS, Why, guests_of, hosts_of, why_there
from vmferry.estate.hardware import HostKey, is_vcls
from vmferry.estate.history import History
from vmferry.estate.phases import time_text
from vmferry.estate.stages import frozen, rank, running
from vmferry.estate.timetable.works import dual_run, moved_at
from vmferry.estate.wording import counted
from vmferry.model.blueprint import Group, Machine
from vmferry.model.finding import Where
from vmferry.model.keys import VmKey
from vmferry.model.review import Problem, Review, Subject
from vmferry.model.spec import Phase, Taken
from vmferry.rules.registry import rule

_WORDS: Mapping[Why, str] = {
    "moves": "it has not moved",
    "held": "its group is held",
    "rolled back": "its group is rolled back",
    "retained": "it is retained",
    "excluded": "it is excluded",
    "undecided": "nothing is decided about it",
}


@rule("VMF450", "error", "a phase of kind decommission has VMs that migrate", groups=True)
def migrating(review: Review) -> Iterator[Problem]:
    """In a phase of kind `decommission` hosts leave vSphere; VMs that move last go in a phase like any other.

    Its hosts cannot go while its own VMs are still on them. Groups that are past `planned` are only a warning: they
    keep their names, files and priority until they are retired.
    """
    afters = {phase.name: phase.after for phase in review.spec.phases}
    for group in review.blueprint.groups:
        if group.phase_kind != "decommission":
            continue
        after = ", ".join(afters.get(group.phase, ()))
        new = next(name for name in _free_names() if name not in afters)
        fix = (
            f"add `- {{name: {new}, kind: migrate, after: [{after}]}}` to `phases`, set `after: [{new}]` in phase "
            f"{group.phase}, and `phase: {new}` for these VMs"
        )
        if frozen(group.stage):
            fix = "leave it as it is until it is retired; put VMs that are still planned into another phase"
        yield Problem(
            f"group {group.name} is {group.stage}: {counted(len(group.machines), 'VM')} of it would migrate in phase "
            f"{group.phase}, which is of kind decommission",
            fix,
            phase_at(review, group.phase, "kind"),
            tuple(machine.name for machine in group.machines),
            severity="warning" if frozen(group.stage) else None,
        )


@rule("VMF451", "error", "a phase that is not of kind decommission takes hosts")
def other_kind(review: Review) -> Iterator[Problem]:
    """`takes` and `state` are about hosts that leave vSphere; in other phases they have no effect."""
    for phase in review.spec.phases:
        for field, stated in (("takes", bool(phase.takes)), ("state", phase.state != "planned")):
            if stated and phase.kind != "decommission":
                yield Problem(
                    f"phase {phase.name} is of kind {phase.kind}, and states `{field}`",
                    f"remove `{field}`, or add a phase of kind decommission for it",
                    phase_at(review, phase.name, field),
                )


@rule("VMF452", "error", "a phase takes hosts that do not exist")
def unknown(review: Review) -> Iterator[Problem]:
    """A name with a typo takes nothing: the hosts that were meant are not checked.

    Clusters and hosts are only known if the inventory has hosts: imports from vCenter, and RVTools' tab vHost. Once a
    phase has `state: started`, a later import may lack hosts that are gone already: they are only a warning, and
    nothing is found at `done`.
    """
    sources = {source.name for source in review.spec.sources}
    for phase in review.spec.phases:
        for index, taken in enumerate(phase.takes):
            own = {name: host for (source, name), host in review.hosts.items() if source == taken.source}
            clusters = {host.cluster for host in own.values()}
            field = None
            if taken.source not in sources:
                field = "source"
            elif own and taken.host is not None and taken.host not in own:
                field = "host"
            elif own and taken.cluster is not None and taken.cluster not in clusters:
                field = "cluster"
            elif taken.host is not None and taken.cluster is not None and taken.host in own:
                field = "cluster" if own[taken.host].cluster != taken.cluster else None
            if field == "source":
                yield Problem(
                    f"phase {phase.name} takes source {taken.source}, which is not in `sources`",
                    "correct the name, or remove the row",
                    phase_at(review, phase.name, "takes", index, field),
                )
            elif field is not None and phase.state != "done":
                gone = "" if phase.state == "planned" else "; if it has left vSphere already, nothing is to be done"
                yield Problem(
                    f"phase {phase.name} takes {field} {getattr(taken, field)} of {taken.source}, and the inventory "
                    f"has none{' with this host' if field == 'cluster' and taken.host is not None else ''}",
                    f"correct the name, or remove the row: `vmferry report decommission` lists every {field}{gone}",
                    phase_at(review, phase.name, "takes", index, field),
                    severity=None if phase.state == "planned" else "warning",
                )


@rule("VMF453", "error", "a host is taken out of vSphere while a VM needs it", each=True)
def still_there(review: Review) -> Iterator[Problem]:
    """The VM is off the moment its host is.

    It fires for phases of kind `decommission` whose `state` is `started` or `done`, for each VM that is retained,
    excluded, held, rolled back or has not moved, and is on a host that is taken, by the inventory; or in a cluster or
    vCenter that is taken as a whole. VMs to retire go with the host, and so do vSphere's own cluster VMs (vCLS).
    """
    for subject in review.subjects:
        why = _why(subject)
        if why not in BLOCKS or is_vcls(subject.vm) or (subject.group is not None and _moved(subject.group, why)):
            continue
        if (found := _taking(review, subject)) is None:
            continue
        phase, taken = found
        yield subject.problem(
            f"{_WORDS[why]}, and phase {phase.name} ({phase.state}) takes {_with_host(taken, subject)}",
            "move it to a host that stays and import the inventory again; or set `disposition: retire` if it goes too",
        )


@rule("VMF454", "error", "hosts are taken out of vSphere, and the others have no reserve", fewer=True)
def without_reserve(review: Review) -> Iterator[Problem]:
    """When one of the other hosts fails, its VMs find no place.

    What is left of a cluster has to hold its VMs with its largest host gone: by memory, and with no more vCPUs per core
    than when a host fails today, or one. Sources of groups that are not retired count, because a rollback starts them.
    VMs of unknown size do not count, and clusters with such hosts are not judged.
    """
    if not any(begun(review.spec)):
        return
    hosts, gone = hosts_of(review), set[HostKey]()
    there: dict[VmKey, Why] = {subject.key: _why(subject) for subject in review.subjects}
    there = {key: "left" if why == "to retire" else why for key, why in there.items()}
    left = _by_cluster(guests_of(review, there, {}))
    everyone = _by_cluster(guests_of(review, dict.fromkeys(there, "moves"), {}))
    for phase in begun(review.spec):
        own = set(taken_hosts(takes_of(phase, review.spec), review.hosts))
        gone |= own  # two phases may take hosts of one cluster
        for cluster in sorted({host.cluster for host in hosts if host.key in own}):
            before = [host for host in hosts if host.cluster == cluster]
            after = [host for host in before if host.key not in gone]
            guests = _known(left[cluster])
            if not after or not guests or not all(host.cores and host.memory for host in after):
                continue
            if not holds(after, guests, load_of(before, _known(everyone[cluster]))):
                vsan = f"; vSAN needs {VSAN_HOSTS}" if any(guest.vsan for guest in guests) else ""
                yield Problem(
                    f"phase {phase.name} ({phase.state}) leaves {counted(len(after), 'host')} in cluster {cluster[1]} "
                    f"of {cluster[0]}: not enough for the VMs that are left when one fails{vsan}",
                    "take fewer hosts until more VMs have left: `vmferry report decommission` has the order",
                    phase_at(review, phase.name, "takes" if phase.takes else "state"),
                )


@rule("VMF455", "error", "a host is taken out of vSphere while its VMs are not validated", groups=True)
def not_validated(review: Review) -> Iterator[Problem]:
    """Until a VM is accepted, its source is the way back: it is off, and can be started again on its host.

    It fires for phases of kind `decommission` whose `state` is `started` or `done`.
    """
    for subject in review.subjects:
        group = subject.group
        if group is None or not running(group.stage) or rank(group.stage) >= rank("validated"):
            continue
        if (found := _taking(review, subject)) is None:
            continue
        phase, taken = found
        yield subject.problem(
            f"its group {group.name} is at {group.stage}, and phase {phase.name} ({phase.state}) takes "
            f"{_with_host(taken, subject)}",
            f"set `state: planned` in phase {phase.name} until the group is validated",
        )


@rule("VMF456", "error", "a host is taken out of vSphere before its sources may be deleted", blueprint=True)
def too_soon(review: Review) -> Iterator[Problem]:
    """`dualRun.atLeast` and `settings.schedule.businessCycle` promise how long sources are kept after the cutover.

    It fires for phases of kind `decommission` whose `state` is `started` or `done`, if evidence or the spec says when a
    group cut over. VMF429 compares the windows.
    """
    if review.now is None:
        return
    now, history = review.now.timestamp(), History(review.project.evidence)
    phases = {phase.name: phase for phase in review.spec.phases}
    for phase in begun(review.spec):
        takes = takes_of(phase, review.spec)
        for group in review.blueprint.groups:
            names = tuple(machine.name for machine in group.machines if _is_taken(review, takes, machine))
            own = phases.get(group.phase)
            if not names or own is None or not running(group.stage) or (at := _cut_over(group, history)) is None:
                continue
            until = at + dual_run(own, review.spec.settings.schedule)
            if now < until:
                yield Problem(
                    f"phase {phase.name} ({phase.state}) takes hosts of group {group.name}, whose sources are kept "
                    f"until {time_text(until) or 'after the year 9999'}",
                    f"set `state: planned` in phase {phase.name} until then, or a shorter dualRun.atLeast or "
                    "businessCycle",
                    phase_at(review, phase.name, "state"),
                    names,
                )


@rule("VMF457", "warning", "two phases take the same hosts")
def taken_twice(review: Review) -> Iterator[Problem]:
    """Each of them expects to be the one that empties the hosts, at another time."""
    known: list[tuple[Taken, str]] = []
    for phase in review.spec.phases:
        for index, taken in enumerate(takes_of(phase, review.spec)):
            others = (name for other, name in known if name != phase.name and _overlap(review, other, taken))
            first = next(others, None)
            known.append((taken, phase.name))
            if first is not None:
                path = ("takes", index) if phase.takes else ("name",)
                yield Problem(
                    f"phase {phase.name} takes {named(taken)}, and so does phase {first}",
                    "list in `takes` of each phase only its own hosts, clusters or vCenters",
                    phase_at(review, phase.name, *path),
                )


@rule("VMF461", "error", "a vCenter leaves the sync while groups need it", essential=True, groups=True)
def needed(review: Review) -> Iterator[Problem]:
    """When a phase with `state: done` takes a whole vCenter, its Provider, maps and credentials are no longer synced.

    A Plan without its Provider fails, and no group of it could be moved, retried or rolled back. At `retired` nothing
    is left to do in vSphere.
    """
    gone = whole_sources(review.spec)
    for group in review.blueprint.groups:
        sources = sorted({machine.source for machine in group.machines} & gone)
        if sources and group.stage != "retired":
            phase = next(
                phase
                for phase in begun(review.spec)
                if any(each.source == sources[0] for each in takes_of(phase, review.spec))
            )
            yield Problem(
                f"phase {phase.name} is done and takes {sources[0]}, and group {group.name} is at {group.stage}",
                f"set `state: started` in phase {phase.name} until every group of {sources[0]} is retired",
                phase_at(review, phase.name, "state"),
                tuple(machine.name for machine in group.machines),
            )


# --- shared ---------------------------------------------------------------------------------------


def phase_at(review: Review, name: str, *path: str | int) -> Where:
    """Return a place in a phase of the spec."""
    index = next(index for index, phase in enumerate(review.spec.phases) if phase.name == name)
    return review.at("phases", index, *path)


def _why(subject: Subject) -> Why:
    moves = subject.machine is not None or subject.disposition in ("migrate", "rebuild")
    return why_there(subject, moves=moves)


def _moved(group: Group, why: Why) -> bool:
    """Return whether a VM runs in the target: then VMF455 asks for its acceptance."""
    return why == "moves" and running(group.stage)


def _taking(review: Review, subject: Subject) -> tuple[Phase, Taken] | None:
    """Return the first phase under way that takes the host of a VM, or all that it could be on."""
    vm = subject.vm
    cluster = _cluster(review, subject.source, vm.cluster, vm.host)
    for phase in begun(review.spec):
        for taken in takes_of(phase, review.spec):
            if covers(taken, subject.source, cluster, vm.host):
                return phase, taken
    return None


def _is_taken(review: Review, takes: tuple[Taken, ...], machine: Machine) -> bool:
    cluster = _cluster(review, machine.source, machine.cluster, machine.host)
    return any(covers(taken, machine.source, cluster, machine.host) for taken in takes)


def _cluster(review: Review, source: str, stated: str | None, host: str | None) -> str | None:
    """Return the cluster of a VM: that of its host, which a VM that states its host alone does not name."""
    known = review.hosts.get((source, host or ""))
    return (known.cluster if known is not None else None) or stated


def _cut_over(group: Group, history: History) -> float | None:
    times = [datetime.fromisoformat(time).timestamp() for each in group.machines if (time := cutover_of(group, each))]
    return moved_at(group, history) or max(times, default=None)


def _with_host(taken: Taken, subject: Subject) -> str:
    """Return what is taken, with the VM's own host."""
    own = f", with {subject.vm.host}" if taken.host is None and subject.vm.host else ""
    return named(taken) + own


def _overlap(review: Review, one: Taken, other: Taken) -> bool:
    """Return whether two rows of `takes` have hosts in common; without hosts in the inventory, by their names."""
    if one.source != other.source:
        return False
    names = [(taken.cluster if taken.host is None else None, taken.host) for taken in (one, other)]
    if names[0] == names[1] or (None, None) in names:
        return True
    return not set(taken_hosts((one,), review.hosts)).isdisjoint(taken_hosts((other,), review.hosts))


def _free_names() -> Iterator[str]:
    """Yield names for a phase of the VMs that move last."""
    yield from ("management", "last")
    yield from (f"last-{number}" for number in count(2))


def _by_cluster(guests: tuple[Guest, ...]) -> defaultdict[HostKey, list[Guest]]:
    found: defaultdict[HostKey, list[Guest]] = defaultdict(list)
    for guest in guests:
        found[guest.cluster].append(guest)
    return found


def _known(guests: list[Guest]) -> list[Guest]:
    return [guest for guest in guests if not guest.runs or (guest.memory is not None and guest.vcpus is not None)]
