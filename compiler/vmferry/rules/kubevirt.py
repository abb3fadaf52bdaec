"""VMs that KubeVirt accepts but cannot run, or not like vSphere: no driver, no node, no device, no room."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from vmferry.estate.sizing import Load, machine_load, millicores, peak, total
from vmferry.estate.state import keeps_state
from vmferry.estate.wording import counted
from vmferry.kube import versions
from vmferry.kube.quantity import format_size, parse_size
from vmferry.model.blueprint import Group, Machine, MachineDisk
from vmferry.model.review import Problem, Review, Subject
from vmferry.model.spec import Cluster, NodePool, Quota
from vmferry.rules.lost_decisions import lost
from vmferry.rules.registry import also, rule

_GI = 1 << 30

# --- drivers ----------------------------------------------------------------------------------


@rule(
    "VMF520",
    "warning",
    "nothing puts drivers into the boot disk",
    source="CDI doc/datavolumes.md: a vddk import copies bytes; virt-v2v docs/virt-v2v.pod",
    each=True,
)
def unconverted(review: Review) -> Iterator[Problem]:
    """A disk with source vddk, or of a VM with `conversion: skip`, is copied unchanged: its guest gets no drivers.

    Windows stops with INACCESSIBLE_BOOT_DEVICE, and a Linux whose initramfs was built for VMware's controllers does not
    find its root disk. That is fine only if the drivers were installed beforehand.
    """
    for subject, _, machine in review.moving:
        raw = [disk for disk in machine.disks if disk.source.vddk is not None or machine.raw]
        if any(_needs_driver(disk) for disk in raw):
            why = "conversion: skip" if machine.raw else "source: vddk"
            fix = _RAW if machine.path == "forklift" else _DRIVERLESS[machine.os]
            yield subject.problem(f"its boot disk is copied without conversion ({why}) to a virtio bus", fix, "disks")


_RAW = "state devices: emulated, or suppress this if the guest has virtio drivers (most BSDs do)"
_EMULATED = "set bus: sata on its disks and model: e1000e on its NICs"
_DRIVERLESS = {
    "windows": f"use method job (it converts), or {_EMULATED} until virtio-win is installed",
    "linux": f"use method job (it converts), or {_EMULATED}, or build its initramfs with virtio_blk first "
    "and suppress this",
    "other": f"{_EMULATED}, or suppress this if it has virtio drivers",
}
"""What to do about a guest without virtio drivers, by family."""


@rule(
    "VMF521",
    "warning",
    "guest of an unknown system on virtio disks",
    source="virt-v2v docs/virt-v2v-support.pod: guests it converts; KubeVirt pkg/storage/admitters/disks.go: no IDE",
    each=True,
)
def strange_guest(review: Review) -> Iterator[Problem]:
    """A guest that virt-v2v does not convert (it knows Linux and Windows) keeps its drivers, for IDE or LSI Logic.

    KubeVirt has neither of those controllers; most systems support SATA.
    """
    for subject, _, machine in review.moving:
        raw = any(_needs_driver(disk) and disk.source.vddk is None for disk in machine.disks)
        if machine.os == "other" and machine.path == "virt-v2v" and raw and not machine.raw:
            controllers = sorted({disk.controller.upper() for disk in subject.vm.disks or () if disk.controller})
            known = f" ({', '.join(controllers)} in vSphere)" if controllers else ""
            yield subject.problem(
                f"its system is neither Linux nor Windows, and its boot disk{known} is on a virtio bus",
                _DRIVERLESS["other"],
                "disks",
            )


_NO_DRIVERS = ("win95", "win98", "winMe", "winNT", "win2000", "winXP", "winNet", "winVista", "winLonghorn")
"""Guest ids of Windows up to Server 2008."""


@rule(
    "VMF522",
    "warning",
    "Windows is too old for the virtio drivers",
    source="github.com/virtio-win/kvm-guest-drivers-windows issue 808; common-instancetypes: windows.xp has SATA",
    each=True,
)
def old_windows(review: Review) -> Iterator[Problem]:
    """virtio-win is no longer built for Windows up to Server 2008, so virt-v2v finds no driver to install.

    It then converts the guest for IDE, which KubeVirt does not have: on a virtio bus Windows stops with a blue screen.
    """
    for subject, _, machine in review.moving:
        old = (machine.guest_id or "").startswith(_NO_DRIVERS)
        converted = any(_needs_driver(disk) and disk.source.vddk is None for disk in machine.disks)
        if old and machine.path == "virt-v2v" and converted and not machine.raw:
            yield subject.problem(
                f"{machine.guest_id} has no current virtio drivers, and its boot disk is on a virtio bus",
                "set bus: sata on its disks and model: e1000 or rtl8139 on its NICs",
                "disks",
            )


def _needs_driver(disk: MachineDisk) -> bool:
    return disk.boot_order == 1 and disk.bus in ("virtio", "scsi")


# --- nodes ------------------------------------------------------------------------------------


@rule(
    "VMF523",
    "error",
    "VM is larger than any node",
    source="kubevirt pkg/virt-controller/services/renderresources.go, template.go CalculateMemoryOverhead",
    each=True,
)
def too_large(review: Review) -> Iterator[Problem]:
    """The pod that runs a VM requests its memory plus KubeVirt's overhead, and its vCPUs by the allocation ratio.

    No node has that much, so the VM is never scheduled. KubeVirt does not spread a VM over nodes or swap it out.
    """
    cluster = review.spec.target.cluster
    for subject, _, machine in review.moving:
        need, pools = _pod(machine, cluster), _offering(machine, cluster)
        if need is None or not pools or _fitting(need, pools):
            continue
        largest = max(pools, key=lambda pool: parse_size(pool.memory))
        asks = f"it requests {_size(need.memory)} of memory and {need.cpu / 1000:g} CPUs"
        yield subject.problem(
            f"{asks}; no node has both (the largest suitable one, of pool {largest.name}, has {largest.memory} and "
            f"{largest.cpu})",
            "add larger nodes to target.cluster.nodes, or make the VM smaller before it moves",
            "application" if machine.application is not None else "memory",
        )


@rule(
    "VMF524",
    "warning",
    "more vCPUs than a node has CPUs",
    source="kubevirt docs/compute: cpuAllocationRatio",
    each=True,
)
def too_wide(review: Review) -> Iterator[Problem]:
    """The allocation ratio lets it be scheduled, but its own vCPUs then wait for each other on too few CPUs.

    A guest that spins on a lock held by a vCPU that is not running gets slower with each vCPU it has.
    """
    cluster = review.spec.target.cluster
    for subject, _, machine in review.moving:
        need = _guest(machine, cluster)
        fitting = _fitting(need, _offering(machine, cluster)) if need is not None else ()
        widest = max((pool.cpu for pool in fitting), default=0)
        if fitting and _vcpus(machine) > widest:
            yield subject.problem(
                f"{_vcpus(machine)} vCPUs, and the nodes that can hold it have at most {widest} CPUs",
                "give it fewer vCPUs before it moves: the baseline has its peak usage",
                "cpu",
            )


@rule(
    "VMF525",
    "error",
    "no node has the VM's devices",
    source="kubevirt pkg/virt-controller/services/renderresources.go: a device is a resource the pod requests",
    each=True,
)
def no_device(review: Review) -> Iterator[Problem]:
    """A GPU or host device is a resource of a node, which its device plugin offers under one exact name.

    If no node offers enough of them under that name, the VM is never scheduled.
    """
    cluster = review.spec.target.cluster
    for subject, _, machine in review.moving:
        wanted = _devices(machine)
        if not wanted or not cluster.nodes or _offering(machine, cluster):
            continue
        names = ", ".join(f"{count} {name}" for name, count in sorted(wanted.items()))
        known = sorted({f"{count} {name}" for pool in cluster.nodes for name, count in pool.resources.items()})
        yield subject.problem(
            f"it needs {names} on one node, and no node pool offers that",
            f"correct the name, or add `resources` to a pool in target.cluster.nodes; nodes now have "
            f"{', '.join(known) or 'none'}",
            "gpus" if machine.gpus else "hostDevices",
        )


@rule(
    "VMF526",
    "warning",
    "not enough devices for all VMs",
    source="kubernetes docs: extended resources are not overcommitted",
)
def too_few_devices(review: Review) -> Iterator[Problem]:
    """Each running VM holds its devices exclusively. The last ones to start find none and wait."""
    cluster = review.spec.target.cluster
    wanted: Counter[str] = Counter()
    vms: defaultdict[str, set[str]] = defaultdict(set)
    for _, _, machine in review.moving:
        if _runs(machine) and _offering(machine, cluster):
            for name, count in _devices(machine).items():
                wanted[name] += count
                vms[name].add(machine.name)
    for name, count in sorted(wanted.items()):
        there = sum(pool.count * pool.resources.get(name, 0) for pool in cluster.nodes)
        if count > there:
            yield Problem(
                f"{counted(len(vms[name]), 'VM')} need {count} {name}, all nodes together have {there}",
                "add nodes, or set runStrategy: Halted on VMs that need not run",
                review.at("target", "cluster", "nodes"),
                tuple(sorted(vms[name])),
            )


@rule(
    "VMF528",
    "warning",
    "live migration between different CPUs",
    source="kubevirt pkg/virt-handler/vm.go calculateLiveMigrationCondition; docs/compute/node_assignment.md",
    each=True,
)
def unlike_nodes(review: Review) -> Iterator[Problem]:
    """With host-model a VM gets the CPU of the node it starts on, and can only migrate to nodes with the same CPU.

    If nodes differ, it is tied to those like its first one, and draining the last of them fails.
    """
    pools = review.spec.target.cluster.nodes
    models = sorted({pool.cpu_model for pool in pools if pool.cpu_model is not None})
    for subject, _, machine in review.moving:
        follows = machine.cpu_model in (None, "host-model", "host-passthrough") and machine.instancetype is None
        pinned = bool(machine.placement.node_selector)
        if len(models) > 1 and follows and not pinned and machine.eviction_strategy == "LiveMigrate":
            yield subject.decided(
                "cpu_model",
                f"it must live-migrate with its node's CPU model, and nodes have {', '.join(models)}",
                "state the oldest as `cpuModel` (in `defaults` for every VM), or a nodeSelector for nodes with "
                "the same model",
            )


@rule(
    "VMF535",
    "warning",
    "only one node can hold a VM that must live-migrate",
    source="kubevirt pkg/virt-api/webhooks/validating-webhook/admitters/pod-eviction-admitter.go",
    each=True,
)
def one_node(review: Review) -> Iterator[Problem]:
    """Draining its node asks for a live migration, and no other node is large enough for it.

    The drain then waits forever, and with it the update of the node.
    """
    cluster = review.spec.target.cluster
    for subject, _, machine in review.moving:
        need = _guest(machine, cluster)
        if need is None or machine.eviction_strategy != "LiveMigrate":
            continue
        if sum(pool.count for pool in _fitting(need, _offering(machine, cluster))) == 1:
            yield subject.decided(
                "live_migration",
                "it must live-migrate, and only one node is large enough for it",
                "add a second such node to target.cluster.nodes, or set liveMigration: none, so that a drain stops it",
            )


# --- CPUs -------------------------------------------------------------------------------------

_MAX_VCPUS = 255
_HOTPLUG_RATIO = 4  # default of maxHotplugRatio


@rule(
    "VMF529",
    "error",
    "more vCPUs than this KubeVirt can start",
    source="github.com/kubevirt/kubevirt issue 13971; libvirt NEWS 10.10.0; kubevirt hack/rpm-deps.sh",
    each=True,
)
def too_many_vcpus(review: Review) -> Iterator[Problem]:
    """More than 255 vCPUs need an IOMMU with extended interrupt mode, which libvirt adds from 10.10 on.

    KubeVirt has that since 1.5. Before, libvirt refuses the domain and the VM never starts.
    """
    for subject, machine in _of_old_kubevirt(review):
        if _vcpus(machine) > _MAX_VCPUS:
            yield subject.problem(
                f"more than {_MAX_VCPUS} vCPUs, which KubeVirt {_kubevirt(review)} cannot start",
                "update KubeVirt and target.cluster.versions.kubevirt to 1.5 or later, or give it fewer vCPUs",
                "cpu",
            )


@rule(
    "VMF536",
    "warning",
    "room for CPU hotplug exceeds what this KubeVirt can start",
    source="kubevirt pkg/defaults/defaults.go setupCPUHotplug (maxHotplugRatio 4); pull request 14338",
    each=True,
)
def too_many_hotplug_vcpus(review: Review) -> Iterator[Problem]:
    """KubeVirt leaves room to hotplug up to four times a VM's sockets.

    That room counts towards the limit of 255 vCPUs. Before KubeVirt 1.5, a VM with 64 vCPUs therefore fails to start,
    because of the 256 it could have.
    """
    for subject, machine in _of_old_kubevirt(review):
        if _vcpus(machine) <= _MAX_VCPUS < _vcpus(machine) * _HOTPLUG_RATIO:
            yield subject.problem(
                f"{_vcpus(machine)} vCPUs with room for {_HOTPLUG_RATIO} times as many are more than {_MAX_VCPUS}, and "
                f"KubeVirt {_kubevirt(review)} cannot start that",
                "update KubeVirt and target.cluster.versions.kubevirt to 1.5 or later, or set "
                "liveUpdateConfiguration.maxHotplugRatio: 1 in the KubeVirt resource and suppress this",
                "cpu",
            )


def _of_old_kubevirt(review: Review) -> Iterator[tuple[Subject, Machine]]:
    """Yield the VMs that start on a KubeVirt whose libvirt is older than 10.10."""
    if not versions.certain(review.spec.target.cluster.versions, versions.MANY_VCPUS):
        for subject, _, machine in review.moving:
            if machine.instancetype is None and not machine.golden:
                yield subject, machine


def _kubevirt(review: Review) -> str:
    return review.spec.target.cluster.versions.kubevirt


@also(lost)
def two_cpus(review: Review) -> Iterator[Problem]:
    """Yield CPU models that an instance type overrides: a VM with an instance type must not set a CPU."""
    for subject, _, machine in review.moving:
        if machine.instancetype is not None and machine.cpu_model is not None and machine.path == "virt-v2v":
            yield subject.decided(
                "cpu_model",
                f"instance type {machine.instancetype.name} determines its CPU: cpuModel {machine.cpu_model} "
                "has no effect",
                "remove cpuModel or instancetype",
            )


@rule(
    "VMF537",
    "info",
    "guest runs VMs itself",
    source="kubevirt docs/cluster_admin: nested virtualization; forklift Plan.spec.enableNestedVirtualization",
    each=True,
)
def nested(review: Review) -> Iterator[Problem]:
    """In vSphere the guest sees hardware virtualization. In KubeVirt that depends on the node and on the CPU model.

    Without it the hypervisor in the guest (Hyper-V, WSL, an appliance) does not start, or is very slow.
    """
    for subject, _, machine in review.moving:
        if subject.vm.nested_hv and machine.application is None and not machine.golden:
            yield subject.problem(
                "hardware virtualization is exposed to the guest; in the target that depends on its node",
                "load kvm_intel or kvm_amd with nested=1 on the nodes it may run on (nodeSelector), and test it",
            )


# --- devices and feature gates ----------------------------------------------------------------


@rule(
    "VMF530",
    "info",
    "passed-through devices need prepared nodes and KubeVirt settings",
    source="kubevirt docs/compute/host-devices.md; pkg/virt-controller/services/renderresources.go",
    each=True,
)
def prepare_devices(review: Review) -> Iterator[Problem]:
    """Passthrough needs the nodes' kernel and the KubeVirt resource set up, and vmferry writes neither.

    Nodes: VT-d or AMD-Vi in the BIOS, intel_iommu=on or amd_iommu=on, and the device bound to vfio-pci. KubeVirt: the
    device in configuration.permittedHostDevices under exactly the name the VM asks for; without it the VM's pod is
    never created. Such a VM does not live-migrate.
    """
    for subject, _, machine in review.moving:
        if wanted := sorted(_devices(machine)):
            yield subject.problem(
                f"{', '.join(wanted)} must be in the KubeVirt resource's permittedHostDevices, on nodes with an IOMMU",
                "prepare the nodes (IOMMU, vfio-pci) and the KubeVirt resource, test it with one VM, and suppress this",
                "gpus" if machine.gpus else "hostDevices",
            )


_GATES: tuple[tuple[str, versions.Feature | None, str], ...] = (
    ("HostDevices", None, "a host device"),
    ("PersistentReservation", versions.PERSISTENT_RESERVATION_GATED, "a LUN with reservations"),
    ("VMPersistentState", versions.PERSISTENT_STATE_GATED, "a vTPM or EFI variables"),
    ("CPUManager", None, "dedicated CPUs"),
    ("NUMA", versions.NUMA_GATED, "a NUMA topology"),
    ("Snapshot", versions.SNAPSHOT_GATED, "a snapshot before its acceptance"),
)
"""Feature gates that admission requires: name, the releases with that gate (None: all), and what needs it."""


@rule(
    "VMF531",
    "error",
    "feature gate is off",
    source="kubevirt pkg/virt-config/featuregate; admitters/vmi-create-admitter.go validatePersistentReservation, "
    "validatePersistentState, validateHostDevicesWithPassthroughEnabled, validateNUMA; pkg/storage/admitters/"
    "vmsnapshot.go; virt-handler: nodes are "
    "labelled cpumanager=true with gate CPUManager only",
    each=True,
)
def gate_off(review: Review) -> Iterator[Problem]:
    """KubeVirt refuses a VM that uses a feature whose gate is off; that shows when it is applied, after the merge."""
    gates = review.spec.target.cluster.feature_gates
    for subject, name, what in _gated(review) if gates is not None else ():
        if name not in (gates or ()):
            yield subject.problem(
                f"it has {what}, and feature gate {name} is off",
                f"add {name} to configuration.developerConfiguration.featureGates of the KubeVirt resource, and to "
                "target.cluster.featureGates",
            )


@rule("VMF532", "info", "feature gate may be off", source="kubevirt pkg/virt-config/featuregate", each=True)
def gate_unknown(review: Review) -> Iterator[Problem]:
    """The spec does not state KubeVirt's feature gates, and a VM uses a feature that is off by default."""
    for subject, name, what in _gated(review) if review.spec.target.cluster.feature_gates is None else ():
        yield subject.problem(
            f"it has {what}, which KubeVirt {_kubevirt(review)} only accepts with feature gate {name}",
            f"state the enabled gates, as in `featureGates: [{name}]` under target.cluster",
        )


def _gated(review: Review) -> Iterator[tuple[Subject, str, str]]:
    """Yield the feature gates that VMs need: the VM, the gate, and the reason."""
    here = review.spec.target.cluster.versions
    for subject, group, machine in review.moving:
        needs = {
            "HostDevices": bool(machine.host_devices),
            "PersistentReservation": any(disk.lun for disk in machine.disks),
            "CPUManager": machine.dedicated_cpus,
            "NUMA": machine.numa_passthrough,
            "VMPersistentState": keeps_state(machine),
            "Snapshot": machine.key in group.snapshots,
        }
        for name, gated, what in _GATES:
            if needs[name] and (gated is None or versions.possible(here, gated)):
                yield subject, name, what


# --- stated quotas ----------------------------------------------------------------------------


@rule(
    "VMF533",
    "error",
    "stated quota is smaller than its VMs need",
    source="kubevirt pkg/virt-controller/services/renderresources.go; kubernetes ResourceQuota",
    blueprint=True,
)
def small_quota(review: Review) -> Iterator[Problem]:
    """Each VM's pod requests its memory plus KubeVirt's overhead of a few hundred Mi, and CPU by the allocation ratio.

    A pod that would exceed the quota is refused, so the last VMs do not start.
    """
    for place in _quotas(review):
        if place.running > place.limit:
            yield place.problem(
                f"namespace {place.name}: quota states {place.field} {place.stated}, the VMs running there request "
                f"{place.show(place.running)}",
                f"state at least {place.show(place.most)}, or set quota: auto",
            )


@rule(
    "VMF534",
    "warning",
    "stated quota leaves no room to convert or migrate",
    source="kubevirt pkg/virt-controller/watch/migration: migrationRejectedByResourceQuota; forklift: virt-v2v pods "
    "request 1 CPU and 1 Gi",
    blueprint=True,
)
def tight_quota(review: Review) -> Iterator[Problem]:
    """A conversion runs in its own pod, and a live migration in a second pod as large as the VM.

    A quota that the VMs use up refuses both: copies wait, and a node cannot be drained.
    """
    for place in _quotas(review):
        if place.running <= place.limit < place.most:
            yield place.problem(
                f"namespace {place.name}: quota states {place.field} {place.stated}; with conversions and live "
                f"migrations its pods request up to {place.show(place.most)}",
                f"state {place.show(place.most)}, or set quota: auto",
            )


class _StatedQuota(NamedTuple):
    """One stated limit of a namespace, and its pods' requests: millicores or bytes."""

    name: str
    field: str
    stated: str
    limit: int
    running: int
    most: int  # while VMs are converted and migrated
    place: Problem  # where the quota stands, and its VMs

    def problem(self, message: str, fix: str) -> Problem:
        """Return a problem of this quota."""
        return self.place._replace(message=message, help=fix)

    def show(self, value: int) -> str:
        """Return a value in the quota's form, rounded up."""
        return str(-(-value // 1000)) if self.field == "cpu" else _size(value)


def _quotas(review: Review) -> Iterator[_StatedQuota]:
    """Yield the CPU and memory that are stated for namespaces with VMs."""
    cluster = review.spec.target.cluster
    ranks = {phase.name: rank for rank, phase in enumerate(review.blueprint.phases)}
    groups: defaultdict[str, list[Group]] = defaultdict(list)
    for group in review.blueprint.groups:
        groups[group.namespace].append(group)
    for index, namespace in enumerate(review.spec.namespaces):
        here, quota = groups.get(namespace.name), namespace.quota
        if here is None or not isinstance(quota, Quota):
            continue
        machines = [machine for group in here for machine in group.machines]
        place = Problem("", "", review.at("namespaces", index, "quota"), tuple(sorted(m.name for m in machines)))
        runs = total(machine_load(machine, cluster) for machine in machines if _runs(machine))
        most, _ = peak([_without_parked(group) for group in here], ranks, cluster)
        stated = (
            ("cpu", quota.cpu, millicores, runs.cpu, most.cpu),
            ("memory", quota.memory, parse_size, runs.memory, most.memory),
        )
        for field, text, parse, running, highest in stated:
            if text is not None:
                yield _StatedQuota(namespace.name, field, text, parse(text), running, highest, place)


def _without_parked(group: Group) -> Group:
    """Return a group whose halted VMs only request resources during conversion, like golden images."""
    return replace(group, machines=tuple(m if _runs(m) else replace(m, golden=True) for m in group.machines))


# --- what a machine needs ---------------------------------------------------------------------


def _runs(machine: Machine) -> bool:
    """Return whether a machine runs after its cutover and has a known size."""
    return not machine.golden and machine.run_strategy != "Halted" and machine.instancetype is None


def _vcpus(machine: Machine) -> int:
    return machine.sockets * machine.cores * machine.threads


def _guest(machine: Machine, cluster: Cluster) -> Load | None:
    """Return the requests of a VM's pod; None if it has none, its size is unknown, or no nodes are stated."""
    if machine.golden or machine.application is not None or machine.instancetype is not None or not cluster.nodes:
        return None
    return machine_load(machine, cluster)


def _pod(machine: Machine, cluster: Cluster) -> Load | None:
    """Return the requests of one pod of a VM or application."""
    if machine.application is None:
        return _guest(machine, cluster)
    resources = machine.application.resources
    return Load(millicores(resources.cpu), parse_size(resources.memory))


def _devices(machine: Machine) -> Counter[str]:
    return Counter((*machine.gpus, *machine.host_devices))


def _offering(machine: Machine, cluster: Cluster) -> tuple[NodePool, ...]:
    """Return the pools whose nodes have the machine's devices."""
    if not (machine.gpus or machine.host_devices):
        return cluster.nodes
    wanted = _devices(machine).items()
    return tuple(p for p in cluster.nodes if all(p.resources.get(name, 0) >= count for name, count in wanted))


def _fitting(need: Load, pools: Iterable[NodePool]) -> tuple[NodePool, ...]:
    """Return the pools whose nodes have room for a pod."""
    return tuple(p for p in pools if need.cpu <= p.cpu * 1000 and need.memory <= parse_size(p.memory))


def _size(size: int) -> str:
    """Return bytes in readable form, rounded up to Gi."""
    return format_size(-(-size // _GI) * _GI)
