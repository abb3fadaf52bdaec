"""Forklift's concerns about a VM as a whole: its hardware and its cluster."""

from collections.abc import Iterator

from vmferry.model.blueprint import Group, Machine
from vmferry.model.review import Subject
from vmferry.rules.source_concern import Detected, Seen, concern, copied, warm


def _cold_without_tracking(subject: Subject, group: Group, machine: Machine) -> bool:  # noqa: ARG001
    """Return whether a running VM is copied cold although the spec does not request it; warm would be refused."""
    return machine.method == "cold" and subject.vm.power_state == "poweredOn" and subject.decisions.method != "cold"


@concern(
    "VMF701",
    "info",
    "changed block tracking is off",
    forklift="vmware.changed_block_tracking.disabled",
    source="changed_block_tracking.rego",
    matters=_cold_without_tracking,
)
def change_tracking(seen: Seen) -> Iterator[Detected]:
    """Without changed block tracking vSphere cannot tell what was written since the last copy.

    Forklift then copies the VM cold: it is down while all of its disks are copied. (Method warm without it is an error,
    VMF503.) With it, the VM keeps running while the disks are copied, and is down only for the last changes.
    """
    if seen.vm.change_tracking is False:
        fix = "set ctkEnabled in its advanced settings and power-cycle it, then use method warm; or state method: cold"
        yield Detected("changed block tracking is off, so it is copied cold", fix, ("changeTracking",))


@concern(
    "VMF703",
    "warning",
    "snapshots need consolidation",
    forklift="vmware.consolidation_needed",
    source="consolidation_needed.rego",
    matters=warm,
)
def consolidation(seen: Seen) -> Iterator[Detected]:
    """A warm copy takes and removes a snapshot each time it copies.

    If vSphere could not merge the disks of an earlier snapshot, each of these steps takes longer, and the removal may
    fail until someone consolidates the disks.
    """
    if seen.vm.consolidation_needed:
        fix = "in vSphere: Snapshots, Consolidate; or use method cold"
        yield Detected("its disks need consolidation", fix, ("consolidationNeeded",))


def _shares_cpus(subject: Subject, group: Group, machine: Machine) -> bool:
    """Return whether a copy has no dedicated CPUs."""
    return copied(subject, group, machine) and not machine.dedicated_cpus


def _without_numa(subject: Subject, group: Group, machine: Machine) -> bool:
    """Return whether a copy does not see the NUMA nodes it runs on."""
    return copied(subject, group, machine) and not machine.numa_passthrough


@concern(
    "VMF704",
    "warning",
    "CPU affinity is not carried over",
    forklift="vmware.cpu_affinity.detected",
    source="cpu_affinity.rego",
    matters=_shares_cpus,
    loss=True,
)
def cpu_affinity(seen: Seen) -> Iterator[Detected]:
    """The VM is bound to CPUs of its host. In the target it runs on any CPU of its node.

    CPUs are often bound because of a licence that counts them, or for latency.
    """
    if seen.vm.cpu_affinity:
        fix = (
            "if a licence or latency needs it, give it dedicated CPUs (path virt-v2v, `cpuPlacement: dedicated`) or "
            "keep it to suitable nodes with `nodeSelector`; otherwise suppress this"
        )
        yield Detected("it is bound to CPUs, and its copy is not", fix, ("cpuAffinity",))


@concern(
    "VMF705",
    "info",
    "CPU or memory can be added while the VM runs",
    forklift="vmware.cpu_memory.hotplug.enabled",
    source="cpu_memory_hotplug.rego",
)
def hotplug(seen: Seen) -> Iterator[Detected]:
    """CPUs or memory can be added to this VM while it runs; the copy has a fixed size.

    KubeVirt can change it later, with a restart, or while the VM runs if the cluster's vmRolloutStrategy is LiveUpdate
    and the VM can live-migrate.
    """
    vm = seen.vm
    if vm.cpu_hot_add or vm.cpu_hot_remove or vm.memory_hot_add:
        yield Detected("hot add of CPU or memory is on", "state `cpu` and `memory` large enough for its peak")


@concern(
    "VMF711",
    "info",
    "cluster uses DPM",
    forklift="vmware.dpm.enabled",
    source="dpm_enabled.rego",
    by_cluster=True,
)
def power_management(seen: Seen) -> Iterator[Detected]:
    """Distributed Power Management switches off idle ESXi hosts. Kubernetes leaves nodes on.

    Whoever plans power and cooling should know.
    """
    if seen.cluster is not None and seen.cluster.dpm:
        yield Detected("DPM is on, and the target has no equivalent", "plan for nodes that are always on")


@concern(
    "VMF712",
    "info",
    "cluster uses DRS",
    forklift="vmware.drs.enabled",
    source="drs_enabled.rego",
    by_cluster=True,
)
def resource_scheduling(seen: Seen) -> Iterator[Detected]:
    """DRS moves VMs between hosts while they run. Kubernetes places a VM once, when it starts.

    The descheduler can move VMs later if they can live-migrate.
    """
    if seen.cluster is not None and seen.cluster.drs:
        fix = "run the Kubernetes descheduler (KubeVirt has a profile for it), or leave room on every node"
        yield Detected("DRS is on, and the target does not balance VMs by itself", fix)


@concern(
    "VMF713",
    "warning",
    "fault tolerance is lost",
    forklift="vmware.fault_tolerance.enabled",
    source="fault_tolerance.rego",
    loss=True,
)
def fault_tolerance(seen: Seen) -> Iterator[Detected]:
    """A second copy of this VM runs in vSphere and takes over without an interruption.

    KubeVirt has nothing comparable: when a node fails, the VM starts again on another one after some minutes.
    """
    if seen.vm.fault_tolerance:
        fix = "make the application itself redundant, or accept a restart; turn fault tolerance off before the copy"
        yield Detected("fault tolerance is on, and its copy has none", fix, ("faultTolerance",))


def _anywhere(subject: Subject, group: Group, machine: Machine) -> bool:
    """Return whether the VM is copied and its copy is not restricted to certain nodes."""
    return copied(subject, group, machine) and not machine.placement.node_selector


@concern(
    "VMF716",
    "warning",
    "host affinity is not carried over",
    forklift="vmware.host_affinity.detected",
    source="host_affinity.rego",
    matters=_anywhere,
    loss=True,
)
def host_affinity(seen: Seen) -> Iterator[Detected]:
    """A rule of the cluster binds this VM to certain hosts. Its copy runs on any node.

    Such rules often exist because of a licence, for a device, or to keep sites apart.
    """
    if seen.vm.host_affinity:
        fix = "if the reason holds in the target, give the VM a `nodeSelector`; otherwise suppress this"
        yield Detected(
            "a cluster rule binds it to certain hosts, and its copy may run anywhere", fix, ("hostAffinity",)
        )


@concern(
    "VMF721",
    "warning",
    "NUMA affinity is not carried over",
    forklift="vmware.numa_affinity.detected",
    source="numa_affinity.rego",
    matters=_without_numa,
    loss=True,
)
def numa_affinity(seen: Seen) -> Iterator[Detected]:
    """The VM is bound to NUMA nodes of its host, mostly for memory latency. Its copy is not.

    KubeVirt maps NUMA nodes only for VMs with dedicated CPUs and huge pages.
    """
    if seen.vm.numa_node_affinity:
        fix = (
            "if a test migration shows that it matters: path virt-v2v with `cpuPlacement: dedicated`, `hugepages` and "
            "`numaTopology: passthrough`"
        )
        yield Detected("it is bound to NUMA nodes, and its copy is not", fix, ("numaNodeAffinity",))


def _devices_left(subject: Subject, group: Group, machine: Machine) -> bool:
    """Return whether fewer devices are named for the target than the VM has; on path forklift that is an error."""
    named = len(machine.gpus) + len(machine.host_devices)
    return copied(subject, group, machine) and named < len(subject.vm.passthrough or ())


@concern(
    "VMF722",
    "warning",
    "passed-through device is left behind",
    forklift="vmware.passthrough_device.detected",
    source="passthrough_device.rego",
    matters=_devices_left,
    loss=True,
)
def passthrough(seen: Seen) -> Iterator[Detected]:
    """Devices of the ESXi host that are passed through to the VM stay in that host.

    The copy gets those that `gpus` and `hostDevices` name. (Path forklift with any of them is an error, VMF503, and so
    is path virt-v2v with none named, VMF108.)
    """
    if seen.vm.passthrough:
        what = f"some of its passed-through devices are not named for the target: {', '.join(seen.vm.passthrough)}"
        yield Detected(what, "name each of them in `gpus` or `hostDevices`, or remove it in vSphere", ("passthrough",))


def _loses_sriov(subject: Subject, group: Group, machine: Machine) -> bool:
    """Return whether the copy has no SR-IOV adapter; Forklift never creates one."""
    kept = machine.path != "forklift" and any(nic.binding == "sriov" for nic in machine.nics)
    return copied(subject, group, machine) and not kept


@concern(
    "VMF726",
    "warning",
    "SR-IOV adapter becomes a virtio adapter",
    forklift="vmware.device.sriov.detected",
    source="sriov_device.rego",
    matters=_loses_sriov,
    loss=True,
)
def sriov(seen: Seen) -> Iterator[Detected]:
    """The VM has a virtual function of a network card. Its copy gets a virtio adapter.

    That costs latency and throughput, and the guest may lack the driver or give the adapter another name.
    """
    if seen.vm.sriov:
        fix = (
            "path virt-v2v with a network target of type sriov keeps it; otherwise check throughput in a test migration"
        )
        yield Detected("its SR-IOV adapter becomes a virtio adapter", fix, ("sriov",))


@concern(
    "VMF728",
    "info",
    "USB controller is left behind",
    forklift="vmware.usb_controller.detected",
    source="usb_controller.rego",
    loss=True,
)
def usb(seen: Seen) -> Iterator[Detected]:
    """Devices on the VM's USB controller, such as licence dongles, are not carried over."""
    if seen.vm.usb:
        fix = "if a device is attached, replace it with a USB server on the network, or add it to `hostDevices`"
        yield Detected("it has a USB controller, and its copy has none", fix, ("usb",))
