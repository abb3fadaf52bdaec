"""From a review to the situation that a sequence starts from: what runs where, and what leaves when."""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from vmferry.estate.capacity import Pod, Pool, margins_of
from vmferry.estate.cutover import cutover_of
from vmferry.estate.decommission.cpus import Vendor, unfit, usual_vendor
from vmferry.estate.decommission.plans import Guest, Host, Situation, Wave
from vmferry.estate.hardware import HostKey, is_vcls
from vmferry.estate.history import History
from vmferry.estate.phases import bounds, is_time, moment
from vmferry.estate.stages import running
from vmferry.estate.timetable.works import dual_run, moved_at
from vmferry.kube.quantity import parse_size
from vmferry.model.blueprint import Group
from vmferry.model.inventory import InventoryHost
from vmferry.model.keys import VmKey
from vmferry.model.review import Review, Subject
from vmferry.model.spec import Phase

Why = Literal["moves", "held", "rolled back", "retained", "excluded", "to retire", "undecided", "left"]
"""Why a VM is still in vSphere: it has not left, its group is held or was rolled back, or it does not move at all."""

BLOCKS: tuple[Why, ...] = ("moves", "held", "rolled back", "retained", "excluded", "undecided")
"""The reasons for which a VM must not lose its host: all but those to retire, and those that have left."""


class Mover(NamedTuple):
    """What a VM that moves brings to the target."""

    phase: str
    pods: tuple[Pod, ...]
    converting: tuple[Pod, ...]


def why_there(subject: Subject, *, moves: bool) -> Why:
    """Return why a VM is still in vSphere."""
    group = subject.group
    if group is not None and group.stage == "retired":
        return "left"
    if group is not None and group.stage == "rolled-back":
        return "rolled back"
    if group is not None and group.hold is not None:
        return "held"
    if moves:
        return "moves"
    match subject.disposition:
        case "retain":
            return "retained"
        case "exclude":
            return "excluded"
        case "retire":
            return "to retire"
        case _:
            return "undecided"


def hosts_of(review: Review, node_zone: str = "") -> tuple[Host, ...]:
    """Return the ESXi hosts, each with the node that can be made of it: one CPU per core, as in the sizing."""
    vendor = node_vendor(review)
    return tuple(
        Host(
            (source, name),
            cluster_of(source, fact),
            fact.cores or None,
            fact.memory or None,
            None if unfit_host(fact, vendor) else _node(fact, node_zone),
        )
        for (source, name), fact in sorted(review.hosts.items())
    )


def cluster_of(source: str, host: InventoryHost) -> HostKey:
    """Return the cluster of a host; a host without one is a cluster of its own."""
    return source, host.cluster or host.name


def node_vendor(review: Review) -> Vendor | None:
    """Return the vendor of the nodes' CPUs; where no node pool says so, that of most ESXi hosts."""
    stated = [(pool.cpu_model, pool.cpu * pool.count) for pool in review.spec.target.cluster.nodes]
    found = usual_vendor(stated)
    return found or usual_vendor((host.cpu_model, host.cores or 0) for host in review.hosts.values())


def unfit_host(host: InventoryHost, vendor: Vendor | None) -> str | None:
    """Return why a host cannot become a node; None if nothing is known to speak against it."""
    if not host.cores or not host.memory:
        return "its cores or memory are unknown"
    return unfit(host.cpu_model, vendor)


def _node(host: InventoryHost, zone: str) -> Pool:
    return Pool(host.name, 1, (host.cores or 0) * 1000, host.memory or 0, zone)


def situation(
    review: Review, phases: Iterable[str], movers: Mapping[VmKey, Mover], pools: tuple[Pool, ...]
) -> Situation:
    """Return the situation now. ``phases`` are those that bring VMs, in order; ``movers`` are all VMs that move."""
    names = tuple(phases)
    plain = next((pool for pool in pools if not pool.devices), None)
    hosts = hosts_of(review, plain.zone if plain is not None else "")
    there = {subject.key: why_there(subject, moves=subject.key in movers) for subject in review.subjects}
    groups = {subject.key: subject.group for subject in review.subjects}
    done = {key for key in movers if (group := groups.get(key)) is not None and running(group.stage)}
    most = review.spec.settings.sizing.conversions
    waves = []
    for name in names:
        coming = [
            each for key, each in movers.items() if each.phase == name and key not in done and there[key] == "moves"
        ]
        waves.append(
            wave_of(
                review,
                name,
                tuple(pod for each in coming for pod in each.pods),
                tuple(pod for each in coming for pod in each.converting)[:most],
            )
        )
    return Situation(
        hosts,
        guests_of(review, there, leaves_of({name: number for number, name in enumerate(names)}, there, movers)),
        tuple(waves),
        pools,
        tuple(pod for key in sorted(done) for pod in movers[key].pods),
        margins_of(review.spec),
        changes_of(review),
    )


def wave_of(review: Review, name: str, pods: tuple[Pod, ...], converting: tuple[Pod, ...]) -> Wave:
    """Return a phase with its times: windows that are not over, cutovers that groups state, and those that were.

    A group that has moved at an unknown time has done so by now.
    """
    phase = next((phase for phase in review.spec.phases if phase.name == name), None)
    if phase is None:
        return Wave(name, pods, converting)
    groups = [group for group in review.blueprint.groups if group.phase == name]
    start, end = _times(review, phase, groups)
    return Wave(name, pods, converting, start, end, float(dual_run(phase, review.spec.settings.schedule)))


def _times(review: Review, phase: Phase, groups: list[Group]) -> tuple[float | None, float | None]:
    """Return when a phase begins and ends to cut over; None where nobody knows."""
    history = History(review.project.evidence)
    moved = [group for group in groups if running(group.stage)]
    ahead = [group for group in groups if not running(group.stage)]
    starts, ends = [], []
    for group in moved:
        at = moved_at(group, history) or (review.now.timestamp() if review.now is not None else None)
        starts.append(at)
        ends.append(at)
    stated = [time for group in ahead for machine in group.machines if (time := cutover_of(group, machine))]
    cutovers = [moment(time) for time in stated if is_time(time)]
    if any(cutover_of(group, machine) is None for group in ahead for machine in group.machines) or not groups:
        now = review.now.timestamp() if review.now is not None else float("-inf")
        spans = [bounds(window) for window in phase.windows if is_time(window.start)]
        open_ = [span for span in spans if span[1] > now]
        starts.append(min((span[0] for span in open_), default=None))
        ends.append(max((span[1] for span in open_), default=None))
    starts += cutovers
    ends += cutovers
    first = [each for each in starts if each is not None]
    last = [each for each in ends if each is not None]
    return (
        min(first) if first and len(first) == len(starts) else None,
        max(last) if last and len(last) == len(ends) else None,
    )


def changes_of(review: Review) -> tuple[tuple[float, float], ...]:
    """Return the windows in which phases cut over, which changes DNS and routes: no host goes then."""
    return tuple(
        sorted(
            bounds(window)
            for phase in review.spec.phases
            if phase.kind != "decommission"
            for window in phase.windows
            if is_time(window.start)
        )
    )


def leaves_of(ranks: Mapping[str, int], there: Mapping[VmKey, Why], movers: Mapping[VmKey, Mover]) -> dict[VmKey, int]:
    """Return with which phase, by its rank, each VM leaves: those to retire with the last one."""
    last = max(ranks.values(), default=None)
    found = {key: ranks[movers[key].phase] for key, why in there.items() if why == "moves"}
    return found | {key: last for key, why in there.items() if why == "to retire" and last is not None}


def guests_of(review: Review, there: Mapping[VmKey, Why], leaves: Mapping[VmKey, int]) -> tuple[Guest, ...]:
    """Return the VMs that are still in vSphere, each in the cluster of its host.

    A VM whose host and cluster are unknown may be in any cluster of its vCenter, and counts in each.
    """
    homes = {key: cluster_of(key[0], host) for key, host in review.hosts.items()}
    vsan = {
        (part.source.name, name)
        for part in review.project.inventories
        for datastore in part.datastores
        if (datastore.kind or "").lower() == "vsan"
        for name in (datastore.name, datastore.id)
        if name is not None
    }
    found = []
    for subject in review.subjects:
        why, vm = there[subject.key], subject.vm
        if why == "left" or is_vcls(vm):
            continue
        host = subject.source, vm.host or ""
        known = homes.get(host) or ((subject.source, vm.cluster) if vm.cluster else None)
        clusters = [known] if known is not None else sorted({each for each in homes.values() if each[0] == host[0]})
        found += [
            Guest(
                subject.key,
                cluster,
                host,
                vm.cpu.count if vm.cpu is not None else None,
                parse_size(vm.memory) if vm.memory is not None else None,
                (vm.power_state in (None, "poweredOn") and not vm.template) or _was_running(subject),
                leaves.get(subject.key),
                pinned=bool(vm.passthrough) or bool(vm.sriov),
                vsan=any((subject.source, disk.datastore or "") in vsan for disk in vm.disks or ()),
            )
            for cluster in clusters
        ]
    return tuple(found)


def _was_running(subject: Subject) -> bool:
    """Return whether a source is off because its copy runs: it may have to run again."""
    machine = subject.machine
    return (
        machine is not None
        and subject.group is not None
        and running(subject.group.stage)
        and not machine.golden
        and machine.run_strategy != "Halted"
    )
