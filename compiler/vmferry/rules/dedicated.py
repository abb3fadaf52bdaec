"""Dedicated CPUs, huge pages and NUMA: what KubeVirt refuses, and what nodes must offer."""

from collections.abc import Iterator

from vmferry.kube.quantity import format_size, parse_size
from vmferry.model.blueprint import Machine
from vmferry.model.review import Problem, Review
from vmferry.model.spec import Cluster
from vmferry.rules.registry import rule

_ADMISSION = "kubevirt pkg/virt-api/webhooks/validating-webhook/admitters/vmi-create-admitter.go"
_MOST_THREADS = 2
_NONE = 100  # percent of memoryOvercommit


@rule(
    "VMF558",
    "error",
    "dedicated CPUs, huge pages and NUMA do not fit together",
    source=f"{_ADMISSION} validateNUMA, validateHugepagesMemoryRequests, validateThreadCountOnDedicatedCPUPlacement; "
    "pkg/virt-controller/services/renderresources.go WithHugePages, WithMemoryRequests",
    essential=True,
    each=True,
)
def unfit(review: Review) -> Iterator[Problem]:
    """KubeVirt refuses such a VM, or gives its pod less memory than its guest has.

    NUMA passthrough needs dedicated CPUs and huge pages, and memory has to be a multiple of the page size. Neither
    works with overcommitted memory: the pod of dedicated CPUs is limited to what it requests.
    """
    cluster = review.spec.target.cluster
    for subject, _, machine in review.moving:
        if machine.path == "virt-v2v" and not machine.golden:
            for field, message, fix in _faults(machine, cluster):
                yield subject.decided(field, message, fix)


def _faults(machine: Machine, cluster: Cluster) -> Iterator[tuple[str, str, str]]:
    """Yield the decision, what is wrong with it, and how to fix it."""
    special = {
        "cpu_placement": machine.dedicated_cpus,
        "hugepages": machine.hugepages is not None,
        "numa_topology": machine.numa_passthrough,
    }
    first = next((field for field, stated in special.items() if stated), None)
    if first is None:
        return
    if machine.instancetype is not None:
        what = f"instance type {machine.instancetype.name} determines its CPUs and memory"
        yield first, what, "choose an instance type with dedicated CPUs and huge pages, and remove the decisions here"
        return
    if machine.numa_passthrough and not (machine.dedicated_cpus and machine.hugepages):
        fix = "add `cpuPlacement: dedicated` and `hugepages`, or remove numaTopology"
        yield "numa_topology", "numaTopology: passthrough needs dedicated CPUs and huge pages", fix
    if machine.dedicated_cpus and machine.threads > _MOST_THREADS:
        what = f"with dedicated CPUs a core has at most {_MOST_THREADS} threads, and this VM states {machine.threads}"
        yield "cpu_placement", what, "correct cpu.threadsPerCore, or remove cpuPlacement"
    if machine.hugepages is not None and machine.memory % parse_size(machine.hugepages):
        what = f"its memory, {format_size(machine.memory)}, is not a multiple of its huge pages of {machine.hugepages}"
        yield "hugepages", what, "use hugepages: 2Mi, or correct `memory`"
    if (machine.hugepages is not None or machine.dedicated_cpus) and cluster.memory_overcommit > _NONE:
        what = f"with memoryOvercommit {cluster.memory_overcommit} its pod gets less memory than its guest has"
        yield first, what, "remove the decision, or set memoryOvercommit to 100 in the cluster"


@rule(
    "VMF559",
    "info",
    "nodes must offer dedicated CPUs or huge pages",
    source="KubeVirt user guide, dedicated_cpu_resources.md, hugepages.md, numa.md; Kubernetes, Control CPU Management "
    "Policies on the Node, Manage HugePages",
    each=True,
)
def nodes(review: Review) -> Iterator[Problem]:
    """A kubelet gives a pod its own CPUs only with cpuManagerPolicy static, and huge pages are set aside at boot.

    Without them the VM is never scheduled.
    """
    for subject, _, machine in review.moving:
        needs = ["dedicated CPUs (kubelet: cpuManagerPolicy: static)"] * machine.dedicated_cpus
        needs += [f"{format_size(machine.memory)} in huge pages of {machine.hugepages}"] * bool(machine.hugepages)
        if needs and machine.path == "virt-v2v" and not machine.golden:
            yield subject.decided(
                "cpu_placement" if machine.dedicated_cpus else "hugepages",
                f"it needs a node with {' and '.join(needs)}",
                "prepare such nodes, select them with `nodeSelector`, test with one VM, and suppress this",
            )
