"""Whether the nodes have enough headroom after each phase, also when some of them fail."""

from collections.abc import Iterator

from vmferry.estate.capacity import Margins, Pod, allotted, eligible, has_ceph, margins_of, pools_of, too_large
from vmferry.estate.demand import CONVERTING, converts, pods_of
from vmferry.estate.placement import empty, missing
from vmferry.estate.sizing import Load, machine_load, total
from vmferry.estate.wording import counted, size
from vmferry.model.blueprint import Machine
from vmferry.model.review import Problem, Review
from vmferry.rules.registry import rule


@rule("VMF441", "warning", "nodes are nearly full", blueprint=True)
def nearly_full(review: Review) -> Iterator[Problem]:
    """Not all of a node is for VMs: the kubelet, KubeVirt and the CNI take their share.

    Nodes should have 15 to 20 % of CPU and memory on top of what everything that runs requests, and 10 to 15 % more if
    Ceph stores its data on the same nodes; `settings.sizing` sets both. The phase that takes the last of it is named;
    what does not fit at all is VMF527.
    """
    (cpu, memory), reported = _there(review), set[str]()
    whole = 100 + margins_of(review.spec).headroom
    for phase, (machines, need) in _totals(review) if review.spec.target.cluster.nodes else ():
        for what, wanted, has in (("CPU", need.cpu, cpu), ("memory", need.memory, memory)):
            if what not in reported and wanted <= has and wanted * whole > has * 100:
                reported.add(what)
                yield Problem(
                    f"with phase {phase} the VMs request {_amount(what, wanted)}, {wanted * 100 // has} % of the "
                    f"nodes' {what}: with {_why(review)} that is {_amount(what, wanted * whole // 100 - has)} more "
                    "than they have",
                    "add nodes to target.cluster.nodes before that phase, or migrate fewer VMs",
                    review.at("target", "cluster", "nodes"),
                    tuple(sorted(machine.name for machine in machines)),
                )


@rule("VMF527", "warning", "all VMs together need more than the nodes have", blueprint=True)
def too_many(review: Review) -> Iterator[Problem]:
    """The requests of everything that runs after the migration add up to more than the nodes have.

    The last VMs to start are not scheduled, and nothing is left for a node that fails or is updated. The first phase
    that does not fit is named.
    """
    if not review.spec.target.cluster.nodes:
        return
    cpu, memory = _there(review)
    phases = dict(_totals(review))
    machines, need = next(reversed(phases.values()), ([], Load()))
    names = {machine.name for machine in machines}
    for what, wanted, has in (("memory", need.memory, memory), ("CPU", need.cpu, cpu)):
        if wanted > has:
            first = next(
                phase for phase, (_, load) in phases.items() if (load.cpu if what == "CPU" else load.memory) > has
            )
            has_all = _amount(what, has)
            of = " of memory" if what == "memory" else ""
            yield Problem(
                f"{counted(len(names), 'VM')} request {_amount(what, wanted)}{of}, the nodes have {has_all}; "
                f"phase {first} is the first that does not fit",
                "add nodes to target.cluster.nodes before the phase that needs them, or migrate fewer VMs",
                review.at("target", "cluster", "nodes"),
                tuple(sorted(names)),
            )


@rule("VMF442", "warning", "nodes cannot carry a phase when one fails", blueprint=True)
def not_carried(review: Review) -> Iterator[Problem]:
    """When a node fails or is drained for an update, its VMs need room on the others.

    VMs are placed on the nodes phase by phase, the largest first, without the largest node of each zone, and with room
    for the conversions of the phase. The first phase whose VMs do not all find a node is named. While a node is away,
    the others may use the headroom of VMF441. `settings.sizing` sets how many nodes may fail, and how many VMs are
    converted at once; `vmferry report sizing` shows all phases.
    """
    cluster = review.spec.target.cluster
    pools, margins, most = pools_of(cluster), margins_of(review.spec), review.spec.settings.sizing.conversions
    placed = empty(pools, margins._replace(headroom=0))
    totals = dict(_totals(review)) if pools else {}
    for phase in review.blueprint.phases if pools else ():
        groups = [group for group in review.blueprint.groups if group.phase == phase.name]
        machines = [machine for group in groups for machine in group.machines if machine.instancetype is None]
        placed, left = placed.add(pod for machine in machines for pod in pods_of(machine, cluster))
        converted = sum(converts(machine, group) for group in groups for machine in group.machines)
        _, waiting = placed.add([CONVERTING] * min(most, converted))
        if _exceeds(totals[phase.name][1], review, margins):
            return  # VMF441 and VMF527 say so
        if left or waiting:
            yield _not_carried(review, phase.name, left, len(waiting), missing(placed, left or waiting))
            return


@rule("VMF538", "warning", "VM takes more than a node allots", each=True)
def no_headroom(review: Review) -> Iterator[Problem]:
    """The VM fits on an empty node, and takes what the node needs for Kubernetes, KubeVirt and Ceph.

    What a node allots to VMs is its CPU and memory less the headroom of VMF441. On a node that is full, the kubelet
    evicts pods, and the kernel kills the process that takes most memory: this VM.
    """
    pools, margins = pools_of(review.spec.target.cluster), margins_of(review.spec)
    for subject, _, machine in review.moving if pools else ():
        if machine.instancetype is not None:
            continue
        pods = pods_of(machine, review.spec.target.cluster)[:1]
        for pod in too_large(pods, pools, margins):
            meant = eligible(pod, pools)
            if not any(pod.cpu <= pool.cpu and pod.memory <= pool.memory for pool in meant):
                continue  # VMF523, or VMF525
            largest = max(meant, key=lambda pool: (pool.memory, pool.cpu))
            cpu, memory = allotted(largest, margins)
            yield subject.problem(
                f"it requests {_cpus(pod.cpu)} and {size(pod.memory)} of memory; with {_why(review)}, a node of pool "
                f"{largest.name} allots {_cpus(cpu)} and {size(memory)}",
                "add larger nodes to target.cluster.nodes, or make the VM smaller before it moves",
                "application" if machine.application is not None else "memory",
            )


def _not_carried(review: Review, phase: str, left: list[Pod], waiting: int, more: dict[str, int]) -> Problem:
    margins = margins_of(review.spec)
    nodes = " and ".join(f"{counted(each, 'more node')} like those of pool {name}" for name, each in more.items())
    names = tuple(sorted({pod.name for pod in left}))
    without = counted(len(names), "VM finds", "VMs find") if left else f"{waiting} of its conversions find"
    failing = f" when {_failing(margins)}" if margins.spare else ""
    return Problem(
        f"with phase {phase}, {without} no node{failing}: {nodes} would do",
        "add nodes to target.cluster.nodes before that phase, or state in settings.sizing what you plan with",
        review.at("target", "cluster", "nodes"),
        names,
    )


def _failing(margins: Margins) -> str:
    nodes = counted(margins.spare, "node of each zone fails", "nodes of each zone fail")
    return nodes if margins.per_zone else counted(margins.spare, "node fails", "nodes fail")


def _exceeds(need: Load, review: Review, margins: Margins) -> bool:
    """Return whether a load is more than all nodes have less the headroom."""
    cpu, memory = _there(review)
    whole = 100 + margins.headroom
    return need.cpu * whole > cpu * 100 or need.memory * whole > memory * 100


def _there(review: Review) -> tuple[int, int]:
    """Return the millicores and bytes that all nodes have."""
    pools = pools_of(review.spec.target.cluster)
    return sum(pool.nodes * pool.cpu for pool in pools), sum(pool.nodes * pool.memory for pool in pools)


def _totals(review: Review) -> Iterator[tuple[str, tuple[list[Machine], Load]]]:
    """Yield each phase with what runs after it and all earlier phases have moved, and its requests."""
    running: list[Machine] = []
    need = Load()
    for phase in review.blueprint.phases:
        new = [
            machine
            for group, machine in review.machines
            if group.phase == phase.name
            and not machine.golden
            and machine.run_strategy != "Halted"
            and machine.instancetype is None
        ]
        running += new
        need = total((need, *(machine_load(machine, review.spec.target.cluster) for machine in new)))
        yield phase.name, (list(running), need)


def _why(review: Review) -> str:
    sizing = review.spec.settings.sizing
    ceph = f" and {sizing.ceph_headroom} % for Ceph on the same nodes" if has_ceph(review.spec) else ""
    return f"a headroom of {sizing.headroom} %{ceph}"


def _amount(what: str, amount: int) -> str:
    return _cpus(amount) if what == "CPU" else size(amount)


def _cpus(millicores: int) -> str:
    return f"{millicores / 1000:.4g} CPUs"
