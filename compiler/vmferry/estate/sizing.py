"""How much a namespace needs at its peak: the ResourceQuota, by KubeVirt's own arithmetic.

Source: kubevirt pkg/hypervisor/kvm/hypervisorbackend.go GetMemoryOverhead, pkg/virt-controller/services
renderresources.go; Forklift's defaults for virt-v2v pods; CDI's filesystem overhead (pkg/util GetRequiredSpace),
prime claims (pkg/controller/populators createPVCPrime) and scratch space (doc/scratch-space.md).
"""

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from vmferry.estate.methods import METHODS
from vmferry.estate.wording import counted
from vmferry.kube.quantity import format_size, parse_size
from vmferry.model.blueprint import Group, Machine, MachineDisk
from vmferry.model.facts import Cpu
from vmferry.model.spec import Cluster

_MI = 1 << 20
_GI = 1 << 30
_FIXED_OVERHEAD = 240 * _MI  # virt-launcher, virtlogd, virtqemud, qemu; up to KubeVirt 1.9 they ask for 210 or 220
_CONSOLE_CPU = 5  # millicores of the container that logs the serial console (services/serialconsolelog.go)
_CONSOLE_MEMORY = 35_000_000
_CONSOLE_GUARANTEED = (15, 60_000_000)  # of a pod that is Guaranteed, which requests its limits
_PER_VCPU = 8 * _MI
_IO_THREAD = 8 * _MI
_GRAPHICS = 32 * _MI
_VFIO = _GI
_TPM = 53 * _MI
_DEDICATED = 100 * _MI  # of a pod that is Guaranteed
_EXEC_PROBE = 110 * _MI  # virt-probe, which runs a command in the guest (services/template.go addProbeOverheads)
_PAGE_TABLES = 512  # bytes of memory per byte of page table
_FILESYSTEM_OVERHEAD = Decimal("1.06")  # CDI's default 0.06
SMOKE_MEMORY = _GI  # of a smoke-test VM, which has one vCPU


class Load(Struct, frozen=True):
    """Requests of pods and claims: millicores, bytes, bytes, claims, and devices."""

    cpu: int = 0
    memory: int = 0
    storage: int = 0
    claims: int = 0
    devices: dict[str, int] = {}

    def times(self, factor: int) -> "Load":
        """Return a multiple of this load."""
        devices = {name: count * factor for name, count in self.devices.items()}
        return Load(self.cpu * factor, self.memory * factor, self.storage * factor, self.claims * factor, devices)

    def most(self, other: "Load") -> "Load":
        """Return the maximum of each value."""
        devices = {
            name: max(self.devices.get(name, 0), other.devices.get(name, 0))
            for name in sorted({*self.devices, *other.devices})
        }
        return Load(
            max(self.cpu, other.cpu),
            max(self.memory, other.memory),
            max(self.storage, other.storage),
            max(self.claims, other.claims),
            devices,
        )


CONVERSION = Load(1000, _GI)
"""The requests of a virt-v2v pod: Forklift's defaults, which conversion Jobs have too."""


def whole_sockets(cpu: Cpu) -> int | None:
    """Return how many sockets a VM has; None where its CPUs do not fill the last one."""
    sockets, rest = divmod(cpu.count, cpu.cores_per_socket * cpu.threads_per_core)
    return sockets if rest == 0 else None


def total(loads: Iterable[Load]) -> Load:
    """Return the sum of loads."""
    cpu = memory = storage = claims = 0
    devices: Counter[str] = Counter()
    for load in loads:
        cpu += load.cpu
        memory += load.memory
        storage += load.storage
        claims += load.claims
        if load.devices:
            devices.update(load.devices)
    return Load(cpu, memory, storage, claims, dict(devices))


def memory_overhead(machine: Machine) -> int:
    """Return KubeVirt's memory overhead of a guest in bytes."""
    passthrough = machine.gpus or machine.host_devices or any(nic.binding == "sriov" for nic in machine.nics)
    more = (_VFIO if passthrough else 0) + (_TPM if machine.vtpm else 0) + (_DEDICATED if machine.dedicated_cpus else 0)
    more += _EXEC_PROBE if machine.probe is not None and machine.probe.service is not None else 0
    return _overhead(_vcpus(machine), machine.memory) + more


def _overhead(vcpus: int, memory: int) -> int:
    return _FIXED_OVERHEAD + _PER_VCPU * vcpus + _IO_THREAD + _GRAPHICS + math.ceil(memory / _PAGE_TABLES)


def _vcpus(machine: Machine) -> int:
    return machine.sockets * machine.cores * machine.threads


def _launcher(vcpus: int, memory: int, overhead: int, cluster: Cluster) -> Load:
    """Return what a virt-launcher pod requests."""
    cpu = math.ceil(vcpus * 1000 / cluster.cpu_allocation_ratio)
    return Load(cpu + _CONSOLE_CPU, memory * 100 // cluster.memory_overcommit + overhead + _CONSOLE_MEMORY)


def _guaranteed(machine: Machine) -> Load:
    """Return the requests of a VM's pod with dedicated CPUs: one CPU per vCPU, and all of its memory."""
    cpu, memory = _CONSOLE_GUARANTEED
    return Load(_vcpus(machine) * 1000 + cpu, machine.memory + memory_overhead(machine) + memory)


def disk_storage(disk: MachineDisk) -> int:
    """Return the bytes that a claim requests: CDI adds its overhead on file systems."""
    if disk.volume_mode == "Block":
        return disk.size
    return math.ceil(disk.size * _FILESYSTEM_OVERHEAD)


def machine_load(machine: Machine, cluster: Cluster) -> Load:
    """Return the requests of a running machine."""
    if machine.application is not None:
        return _application_load(machine)
    disks = [disk for disk in machine.disks if disk.owner]
    storage = sum(disk_storage(disk) for disk in disks)
    claims = len(disks)
    if machine.golden:
        return Load(0, 0, storage, claims)
    devices = Counter(f"requests.{name}" for name in (*machine.gpus, *machine.host_devices))
    if machine.vtpm or machine.firmware == "efi":  # backend storage for NVRAM and TPM state
        storage, claims = storage + 10 * _MI, claims + 1
    pod = _launcher(_vcpus(machine), machine.memory, memory_overhead(machine), cluster)
    if machine.dedicated_cpus:
        pod = _guaranteed(machine)
    return Load(pod.cpu, pod.memory, storage, claims, dict(devices))


def guest_load(vcpus: int, memory: int, cluster: Cluster, *, passthrough: bool = False, vtpm: bool = False) -> Load:
    """Return the requests of a VM's pod before anything is decided about the VM. ``memory`` is in bytes."""
    more = (_VFIO if passthrough else 0) + (_TPM if vtpm else 0)
    return _launcher(vcpus, memory, _overhead(vcpus, memory) + more, cluster)


def pod_overhead(machine: Machine) -> int:
    """Return the memory in bytes that a VM's pod requests beside its guest's."""
    return memory_overhead(machine) + _CONSOLE_MEMORY


def smoke_load(cluster: Cluster, *, passthrough: bool) -> Load:
    """Return the requests of a smoke test's two VMs; their disks are in their images."""
    overhead = _overhead(1, SMOKE_MEMORY) + (_VFIO if passthrough else 0)
    return _launcher(1, SMOKE_MEMORY, overhead, cluster).times(2)


def _application_load(machine: Machine) -> Load:
    application = machine.application
    if application is None:
        return Load()
    one = Load(millicores(application.resources.cpu), parse_size(application.resources.memory))
    state = []
    for volume in machine.state:  # a StatefulSet has one volume a replica, unless all mount the same
        own = application.kind == "StatefulSet" and volume.access_mode != "ReadWriteMany"
        state.append(Load(0, 0, volume.size, 1).times(application.replicas if own else 1))
    return total((one.times(application.replicas + 1), *state))  # one more while it rolls


def millicores(text: str) -> int:
    """Return the millicores of a CPU quantity: 500m, 2, 0.5."""
    return int(text[:-1]) if text.endswith("m") else int(Decimal(text) * 1000)


def quota(
    groups: Sequence[Group], ranks: Mapping[str, int], cluster: Cluster, *, smoke: Load | None = None
) -> tuple[dict[str, str], str]:
    """Return the hard limits of one namespace at its peak, and how they are composed."""
    load, busiest = peak(groups, ranks, cluster, smoke=smoke)
    machines = [machine for group in groups for machine in group.machines]
    return _hard(load), _basis(machines, busiest, cluster, smoke)


def peak(
    groups: Iterable[Group], ranks: Mapping[str, int], cluster: Cluster, *, smoke: Load | None = None
) -> tuple[Load, str]:
    """Return the peak requests of one namespace, and the phase of the peak.

    ``ranks`` is each phase's place in the order. VMs that have moved stay; while a phase runs, all its groups may
    convert at once, because nothing separates them; the largest VMs may be live-migrating; and the VMs of ``smoke``
    tests always run.
    """
    phases: defaultdict[str, list[Group]] = defaultdict(list)
    for group in groups:
        phases[group.phase].append(group)
    most, steady, busiest = Load(), smoke or Load(), ""
    mobile: list[Load] = []  # what may be live-migrating
    for phase in sorted(phases, key=lambda name: ranks[name]):
        for group in phases[phase]:
            loads = [machine_load(machine, cluster) for machine in group.machines]
            steady = total((steady, *loads))
            mobile += (
                load
                for load, machine in zip(loads, group.machines, strict=True)
                if machine.eviction_strategy == "LiveMigrate"
            )
        working = (_conversion(group, cluster) for group in phases[phase])
        now = total((steady, *working, _migration(mobile, cluster)))
        if now.cpu >= most.cpu:
            busiest = phase
        most = most.most(now)
    return most, busiest


def _basis(machines: list[Machine], busiest: str, cluster: Cluster, smoke: Load | None) -> str:
    parts = ["guests", "KubeVirt overhead", "conversion with CDI's prime claims and scratch space"]
    parts += ["smoke-test VMs"] * (smoke is not None)
    parts.append(f"{cluster.parallel_migrations} live migrations")
    typed = sum(machine.instancetype is not None for machine in machines)
    vms = counted(typed, "VM")
    # only the cluster knows the content of an instance type
    note = f"; of {vms} with an instance type, CPU and memory are those in vSphere" if typed else ""
    return f"{len(machines)} VMs and applications, peak in phase {busiest}: {', '.join(parts)}{note}"


def _conversion(group: Group, cluster: Cluster) -> Load:
    """Return the requests while all volumes of a group are filled at once."""
    if group.path == "rebuild":
        return Load()
    machines = [machine for machine in group.machines if machine.clone_of is None]
    disks = [disk for machine in machines for disk in machine.disks if disk.owner]
    pods = len(machines) if METHODS[group.method].reads else 0
    return total(
        (
            CONVERSION.times(pods),
            *(_conversion_scratch(group, cluster) for machine in machines if machine.disks and not machine.raw),
            # a populator fills a prime claim, as large as the one that then takes over its volume
            *(Load(0, 0, disk_storage(disk), 1) for disk in disks),
            *(_scratch(disk) for disk in disks),
        )
    )


def _conversion_scratch(group: Group, cluster: Cluster) -> Load:
    """Return the scratch volume of a conversion's pod, if any: a Job's, or a Plan's."""
    of_plan = group.forklift.conversion_storage
    scratch = cluster.conversion_scratch if METHODS[group.method].converts else of_plan
    return Load() if scratch is None else Load(0, 0, parse_size(scratch.size), 1)


def _scratch(disk: MachineDisk) -> Load:
    """Return CDI's scratch volume for unpacking an image, always a file system; VDDK needs none."""
    source = disk.source
    if source.http is None and source.registry is None and source.upload is None:
        return Load()
    return Load(0, 0, math.ceil(disk.size * _FILESYSTEM_OVERHEAD), 1)


def _migration(loads: list[Load], cluster: Cluster) -> Load:
    """Return the room for live migrations of the largest VMs: the target is a second pod of the same size."""
    cpu = heapq.nlargest(cluster.parallel_migrations, (load.cpu for load in loads))
    memory = heapq.nlargest(cluster.parallel_migrations, (load.memory for load in loads))
    return Load(sum(cpu), sum(memory))


def _hard(load: Load) -> dict[str, str]:
    """Return a quota's limits, rounded up to readable values; only requests, because limits have side effects."""
    return {
        "requests.cpu": str(math.ceil(load.cpu / 1000)),
        "requests.memory": format_size(math.ceil(load.memory / _GI) * _GI),
        "requests.storage": format_size(math.ceil(load.storage / _GI) * _GI),
        "persistentvolumeclaims": str(load.claims),
        **{name: str(count) for name, count in sorted(load.devices.items())},
    }
