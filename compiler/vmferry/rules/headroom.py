"""Whether the nodes have enough headroom after each phase."""

from collections.abc import Iterator

from vmferry.estate.sizing import Load, machine_load, total
from vmferry.kube.provisioners import is_ceph_on_nodes
from vmferry.kube.quantity import format_size, parse_size
from vmferry.model.blueprint import Machine
from vmferry.model.review import Problem, Review
from vmferry.rules.registry import rule

_HEADROOM = 15  # percent of the nodes; 15 to 20 are asked for
_CEPH = 10  # percent more for OSDs, monitors and managers on the same nodes; 10 to 15 are asked for
_GI = 1 << 30


@rule("VMF441", "warning", "nodes are nearly full", blueprint=True)
def nearly_full(review: Review) -> Iterator[Problem]:
    """Not all of a node is for VMs: the kubelet, KubeVirt and the CNI take their share, and a node may fail.

    15 to 20 % of CPU and memory should be free when everything runs, and 10 to 15 % more if Ceph stores its data on the
    same nodes. The phase that takes the last of it is named; what does not fit at all is VMF527.
    """
    cluster = review.spec.target.cluster
    cpu = sum(pool.count * pool.cpu for pool in cluster.nodes) * 1000
    memory = sum(pool.count * parse_size(pool.memory) for pool in cluster.nodes)
    ceph = any(map(is_ceph_on_nodes, review.spec.storage.classes))
    free = _HEADROOM + (_CEPH if ceph else 0)
    reported: set[str] = set()
    for phase, machines in _by_phase(review) if cluster.nodes else ():
        need = total(machine_load(machine, cluster) for machine in machines)
        for what, wanted, has in (("CPU", need.cpu, cpu), ("memory", need.memory, memory)):
            if what not in reported and has * (100 - free) < wanted * 100 <= has * 100:
                reported.add(what)
                why = f"{free} % should be free" + (", because Rook or ODF may run Ceph on them" if ceph else "")
                yield Problem(
                    f"with phase {phase} the VMs request {_amount(what, need)}, {wanted * 100 // has} % of the nodes' "
                    f"{what}: {why}",
                    "add nodes to target.cluster.nodes before that phase, or migrate fewer VMs",
                    review.at("target", "cluster", "nodes"),
                    tuple(sorted(machine.name for machine in machines)),
                )


def _by_phase(review: Review) -> Iterator[tuple[str, list[Machine]]]:
    """Yield each phase with what runs after it and all earlier phases have moved."""
    running: list[Machine] = []
    for phase in review.blueprint.phases:
        running += [
            machine
            for group, machine in review.machines
            if group.phase == phase.name
            and not machine.golden
            and machine.run_strategy != "Halted"
            and machine.instancetype is None
        ]
        yield phase.name, list(running)


def _amount(what: str, need: Load) -> str:
    if what == "CPU":
        return f"{need.cpu / 1000:g} CPUs"
    return format_size(-(-need.memory // _GI) * _GI)
