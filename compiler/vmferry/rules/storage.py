"""Storage that accepts the disks and fails later: bound to a node or zone, too small, too slow, without redundancy."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from vmferry.estate.sizing import machine_load, peak, total
from vmferry.estate.volumes import disk_facts, volumes_of
from vmferry.estate.wording import counted
from vmferry.kube.provisioners import is_local, is_zonal
from vmferry.kube.quantity import format_size, parse_size
from vmferry.model.blueprint import Group, Machine
from vmferry.model.facts import DiskBaseline
from vmferry.model.review import Problem, Review, Subject
from vmferry.model.spec import Quota, StorageClass
from vmferry.rules.registry import rule

_GI = 1 << 30
_ZONE = "topology.kubernetes.io/zone"


@rule(
    "VMF320",
    "warning",
    "local storage under a VM that must survive its node",
    source="kubernetes PersistentVolume.spec.nodeAffinity of local volumes",
    each=True,
)
def local(review: Review) -> Iterator[Problem]:
    """A local volume exists on one node; when that node is down or drained, no other node can run the VM.

    In vSphere a datastore is shared, so HA restarts the VM on another host. Here it waits until the node is back, and
    if the node's disk is lost, so is the data. A node cannot be drained for an update without stopping the VM.
    """
    bad = _named(review, is_local)
    for subject, group, machine in review.moving if bad else ():
        names = sorted(_used(machine) & bad)
        why = _must_survive(review, subject, group)
        if names and why is not None and not machine.golden:
            yield subject.problem(
                f"{_class(names)} keeps each volume on one node, and {why}",
                "give it a class with shared storage (`tier` or `storageClass`); or suppress this if the "
                "application itself keeps copies elsewhere",
                *_at(machine),
            )


@rule(
    "VMF321",
    "warning",
    "volumes of a VM may be bound to different nodes or zones",
    source="CDI doc/waitforfirstconsumer-storage-handling.md; forklift pkg/controller/plan/kubevirt.go",
    each=True,
)
def apart(review: Review) -> Iterator[Problem]:
    """Each volume is bound before the VM runs, and independently: nothing makes two of them land in the same place.

    A VM whose disks are on two nodes, or in two zones, cannot be scheduled anywhere. Only a pod that mounts all disks
    at once binds them together: the pod of a conversion Job or of a cold Forklift migration, with WaitForFirstConsumer.
    """
    zones = len(_node_zones(review))
    placed = {
        item.name: item
        for item in review.spec.storage.classes
        if is_local(item) or len(item.zones) > 1 or (zones > 1 and not item.zones and is_zonal(item))
    }
    alone = sum(pool.count for pool in review.spec.target.cluster.nodes) == 1
    for subject, _, machine in review.moving if placed and not alone else ():
        items = [placed[disk.storage_class] for disk in machine.disks if disk.owner and disk.storage_class in placed]
        together = machine.method not in ("warm", "image")  # one pod mounts them all, if they wait for it
        scattered = [item for item in items if not (together and item.wait_for_first_consumer)]
        if len(scattered) > 1 and not machine.golden:
            places = "node" if any(map(is_local, scattered)) else "zone"
            yield subject.problem(
                f"{len(scattered)} disks on {_class(sorted({item.name for item in scattered}))} are bound one by one, "
                f"possibly each to another {places}; then it cannot run anywhere",
                "use method job or cold with a class that has waitForFirstConsumer: true, a class with shared storage, "
                "or a class of one zone",
                "disks",
            )


@rule(
    "VMF322",
    "error",
    "no zone has both all volumes of a VM and nodes",
    source="kubernetes PersistentVolume.spec.nodeAffinity, topology.kubernetes.io/zone",
    each=True,
)
def no_zone(review: Review) -> Iterator[Problem]:
    """A volume that is bound to a zone can only be mounted there.

    A VM whose volumes are in different zones, or in a zone without nodes, is never scheduled.
    """
    zonal, nodes = {item.name: item.zones for item in review.spec.storage.classes if item.zones}, _node_zones(review)
    for subject, _, machine in review.moving if zonal else ():
        bound = {name: zonal[name] for name in _used(machine) & zonal.keys()}
        if not bound or machine.golden:
            continue
        common = frozenset.intersection(*map(frozenset, bound.values()))
        chosen = machine.placement.node_selector.get(_ZONE)
        where = "; ".join(f"{name}: {', '.join(zones)}" for name, zones in sorted(bound.items()))
        if not common:
            message, fix = f"its classes have no zone in common ({where})", "give its disks classes of the same zone"
        elif nodes and not common & nodes:
            message = f"its volumes are in zones without nodes ({where}); nodes are in {', '.join(sorted(nodes))}"
            fix = "correct the `zones` of the class or of target.cluster.nodes, or choose another class"
        elif chosen is not None and chosen not in common:
            message = f"nodeSelector requires zone {chosen}, and its volumes are elsewhere ({where})"
            fix = "choose a class of that zone, or remove the nodeSelector"
        else:
            continue
        yield subject.problem(message, fix, *_at(machine))


@rule(
    "VMF323",
    "warning",
    "volumes in one zone under a VM that must survive it",
    source="kubernetes PersistentVolume.spec.nodeAffinity, topology.kubernetes.io/zone",
    each=True,
)
def single_zone(review: Review) -> Iterator[Problem]:
    """The nodes span several zones, the VM's volumes do not: each is bound to the zone it was created in.

    When that zone fails, the VM cannot start in another, and anti-affinity spreads its set within one zone only.
    """
    nodes, bad = _node_zones(review), _named(review, lambda item: is_zonal(item) and not is_local(item))
    for subject, group, machine in review.moving if bad and len(nodes) > 1 else ():
        names = sorted(_used(machine) & bad)
        why = _must_survive(review, subject, group)
        if names and why is not None and not machine.golden:
            yield subject.problem(
                f"{_class(names)} binds each volume to one zone, nodes are in {len(nodes)}, and {why}",
                "choose a class that is replicated across zones, or accept that the VM waits for its zone",
                *_at(machine),
            )


@rule("VMF324", "warning", "class without snapshots although the way back needs them", each=True)
def no_snapshots(review: Review) -> Iterator[Problem]:
    """Once the guest writes in the target, the disks in vSphere are outdated: going back to them loses those writes.

    A snapshot before a risky step is the way back that keeps them. In a stateful phase, and where source and target run
    side by side (`dualRun`), a class without snapshots leaves none.
    """
    bad = _named(review, lambda item: item.snapshots is False)
    dual = {phase.name for phase in review.spec.phases if phase.dual_run is not None}
    for subject, group, machine in review.moving if bad else ():
        names = sorted(_used(machine) & bad)
        if names and (group.phase_kind == "stateful" or group.phase in dual):
            because = "is stateful" if group.phase_kind == "stateful" else "has a dual run"
            yield subject.problem(
                f"{_class(names)} cannot snapshot, and phase {group.phase} {because}",
                "choose a class with snapshots: true (the driver needs a VolumeSnapshotClass), or plan backups of it",
                *_at(machine),
            )


class _Demand:
    """The demand on one class, in bytes."""

    def __init__(self) -> None:
        self.claimed = 0  # every claim in full
        self.certain = 0  # without what thin disks do not use yet
        self.vms: set[str] = set()


@rule(
    "VMF325",
    "error",
    "class is smaller than its claims",
    source="CDI pkg/util/util.go GetRequiredSpace: 6 % more for a Filesystem volume",
)
def capacity(review: Review) -> Iterator[Problem]:
    """The volumes of a class add up to more than its capacity, with thin disks counted at their current usage only.

    Copies fail once it is full; on thin-provisioned storage all VMs on it stop at once. Filesystem volumes claim 6 %
    more than the disk, which CDI adds for the file system.
    """
    for index, item, demand in _demands(review):
        if demand.certain > parse_size(item.capacity or ""):
            yield Problem(
                f"StorageClass {item.name}: {counted(len(demand.vms), 'VM')} need {_size(demand.certain)}, its "
                f"capacity is {item.capacity}",
                "add storage and correct `capacity`, or move VMs to another tier",
                review.at("storage", "classes", index, "capacity"),
                tuple(sorted(demand.vms)),
            )


@rule("VMF326", "warning", "thin disks can outgrow their class")
def thin_growth(review: Review) -> Iterator[Problem]:
    """The current usage of thin disks fits, their full size does not: claims are as large as the disks.

    vSphere warns about overcommitted datastores; most CSI drivers do not. A class that runs full stops every VM on it.
    """
    for index, item, demand in _demands(review):
        if demand.certain <= parse_size(item.capacity or "") < demand.claimed:
            yield Problem(
                f"StorageClass {item.name}: {counted(len(demand.vms), 'VM')} may grow to "
                f"{_size(demand.claimed)}, its capacity is {item.capacity}",
                "add storage, move VMs to another tier, or monitor its usage and suppress this",
                review.at("storage", "classes", index, "capacity"),
                tuple(sorted(demand.vms)),
            )


def _demands(review: Review) -> Iterator[tuple[int, StorageClass, _Demand]]:
    """Yield the classes with a stated capacity, with the demand on them."""
    demands: defaultdict[str, _Demand] = defaultdict(_Demand)
    limited = any(item.capacity is not None for item in review.spec.storage.classes)
    for subject, _, machine in review.moving if limited else ():
        thin: defaultdict[str, int] = defaultdict(int)
        facts = disk_facts(subject.vm, machine)
        for volume in volumes_of(machine):
            demand = demands[volume.storage_class]
            claimed = volume.claim * volume.copies
            demand.claimed += claimed
            demand.vms.add(machine.name)
            fact = facts.get(volume.name)
            if machine.clone_of is not None or (fact is not None and fact.thin):
                thin[volume.storage_class] += claimed
            else:
                demand.certain += claimed
        if len(thin) == 1 and machine.clone_of is None:  # otherwise its usage cannot be split by class
            [(name, grown)] = thin.items()
            demands[name].certain += min(grown, _used_by_thin(subject))
    for index, item in enumerate(review.spec.storage.classes):
        if item.capacity is not None and item.name in demands:
            yield index, item, demands[item.name]


def _used_by_thin(subject: Subject) -> int:
    """Return the minimum usage of a VM's thin disks in bytes; 0 if unknown."""
    thick = sum(parse_size(disk.size) for disk in subject.vm.disks or () if not disk.thin)
    return max(0, (subject.vm.used_storage or 0) - thick)


@rule(
    "VMF327",
    "warning",
    "class is slower than the disk was in vSphere",
    source="vSphere PerformanceManager: virtualDisk.numberReadAveraged, numberWriteAveraged",
    each=True,
)
def slow(review: Review) -> Iterator[Problem]:
    """The baseline measured in vSphere has peaks above what the class gives a volume.

    The VM will wait for its disk at the same hours. State `iops` on the disk, and a class that cannot deliver them is
    not chosen.
    """
    fast = {item.name: item.iops for item in review.spec.storage.classes if item.iops is not None}
    for subject, _, machine in review.moving if fast else ():
        baseline = subject.vm.baseline
        measured = {each.label: _peak(each) for each in baseline.disks} if baseline is not None else {}
        facts = disk_facts(subject.vm, machine) if measured else {}
        for disk in machine.disks:
            fact, limit = facts.get(disk.name), fast.get(disk.storage_class)
            iops = measured.get(fact.unit or "", 0) if fact is not None else 0
            if limit is not None and iops > limit:
                yield subject.problem(
                    f"{disk.name} peaked at {iops} IOPS, StorageClass {disk.storage_class} provides {limit}",
                    f"add `iops: {iops}` to the disk so that a faster class is chosen, or set `storageClass`",
                    "disks",
                )


def _peak(measured: DiskBaseline) -> int:
    return round(sum(rate.peak for rate in (measured.read_iops, measured.write_iops) if rate is not None))


@rule("VMF328", "warning", "only one copy of data that must not be lost", each=True)
def single_copy(review: Review) -> Iterator[Problem]:
    """The class keeps one copy of each block: when its disk or node is lost, so is the volume.

    A vSphere datastore is on RAID or vSAN. For a stateful phase the target should be at least as safe.
    """
    bad = _named(review, lambda item: item.replication == 1)
    for subject, group, machine in review.moving if bad else ():
        names = sorted(_used(machine) & bad)
        if names and group.phase_kind == "stateful":
            yield subject.problem(
                f"{_class(names)} keeps one copy, and phase {group.phase} is stateful",
                "choose a class with replication of 2 or more, or suppress this if the array below it keeps copies",
                *_at(machine),
            )


@rule(
    "VMF329",
    "error",
    "stated quota is smaller than the disks",
    source="kubernetes ResourceQuota requests.storage: claims count at the size they request",
    blueprint=True,
)
def small_quota(review: Review) -> Iterator[Problem]:
    """A quota counts what volume claims request: thin disks in full, however little they use.

    The claim that would exceed it is refused, and the copy of that VM does not start.
    """
    for place in _quotas(review):
        if place.disks > place.limit:
            yield place.problem(
                f"namespace {place.name}: quota states storage {place.stated}, its disks need {_size(place.disks)}",
                f"state at least {_size(place.claims)}, or set quota: auto; thin disks count in full",
            )


@rule(
    "VMF330",
    "error",
    "stated quota leaves out file system overhead",
    source="CDI pkg/util/util.go GetRequiredSpace: 6 % on Filesystem volumes; KubeVirt pkg/storage/backend-storage",
    blueprint=True,
)
def overhead(review: Review) -> Iterator[Problem]:
    """The disks fit into the quota, their claims do not.

    CDI adds 6 % to a Filesystem claim, so that the disk image fits on it, and KubeVirt adds a small claim for each VM
    with EFI variables or a vTPM. The last disks would be refused.
    """
    for place in _quotas(review):
        if place.disks <= place.limit < place.claims:
            yield place.problem(
                f"namespace {place.name}: quota states storage {place.stated}, with CDI's and KubeVirt's overhead "
                f"its claims need {_size(place.claims)}",
                f"state at least {_size(place.claims)}, or set quota: auto",
            )


@rule(
    "VMF331",
    "warning",
    "stated quota leaves no room to fill the volumes",
    source="CDI pkg/controller/populators createPVCPrime; doc/scratch-space.md",
    blueprint=True,
)
def no_room_to_copy(review: Review) -> Iterator[Problem]:
    """While CDI fills a volume, it holds a second claim of the same size (and for images a scratch claim as well).

    Both count towards the quota. With room for only the finished VMs, a group's last disks wait forever.
    """
    for place in _quotas(review):
        if place.claims <= place.limit < place.peak:
            yield place.problem(
                f"namespace {place.name}: quota states storage {place.stated}, while its VMs are copied their claims "
                f"need up to {_size(place.peak)}",
                f"state {_size(place.peak)} until its last phase is over, or set quota: auto",
            )


class _StatedQuota(NamedTuple):
    """A namespace with a stated storage quota, and the needs of its VMs; in bytes."""

    name: str
    stated: str
    limit: int
    disks: int  # without any overhead
    claims: int
    peak: int  # while they are copied
    place: Problem  # where the quota stands, and its VMs

    def problem(self, message: str, fix: str) -> Problem:
        """Return a problem of this quota."""
        return self.place._replace(message=message, help=fix)


def _quotas(review: Review) -> Iterator[_StatedQuota]:
    """Yield the non-empty namespaces with a stated storage quota."""
    cluster = review.spec.target.cluster
    ranks = {phase.name: rank for rank, phase in enumerate(review.blueprint.phases)}
    groups: defaultdict[str, list[Group]] = defaultdict(list)
    for group in review.blueprint.groups:
        groups[group.namespace].append(group)
    for index, namespace in enumerate(review.spec.namespaces):
        here, quota = groups.get(namespace.name), namespace.quota
        if here is None or not isinstance(quota, Quota) or quota.storage is None:
            continue
        machines = [machine for group in here for machine in group.machines]
        vms = tuple(sorted(machine.name for machine in machines))
        yield _StatedQuota(
            name=namespace.name,
            stated=quota.storage,
            limit=parse_size(quota.storage),
            disks=sum(map(_without_overhead, machines)),
            claims=total(machine_load(machine, cluster) for machine in machines).storage,
            peak=peak(here, ranks, cluster)[0].storage,
            place=Problem("", "", review.at("namespaces", index, "quota", "storage"), vms),
        )


def _without_overhead(machine: Machine) -> int:
    if machine.application is not None:
        return sum(volume.claim * volume.copies for volume in volumes_of(machine))
    return sum(disk.size for disk in machine.disks if disk.owner)


@rule("VMF332", "warning", "encrypted VM on a class that is not declared as encrypted", each=True)
def not_encrypted(review: Review) -> Iterator[Problem]:
    """VM encryption ends in vSphere: the copy is written in clear, and is only as safe as the target's storage.

    Whoever asked for encryption at rest wants it there too.
    """
    bad = _named(review, lambda item: not _encrypts(item))
    for subject, _, machine in review.moving:
        names = sorted(_used(machine) & bad) if subject.vm.encrypted else []
        if names:
            yield subject.problem(
                f"it is encrypted in vSphere, and {_class(names)} is not declared as encrypted",
                "choose a class that encrypts and state that in its `parameters` (Ceph, Longhorn, EBS: encrypted: "
                '"true"), or suppress this with the reason, for example self-encrypting disks',
                *_at(machine),
            )


def _encrypts(item: StorageClass) -> bool:
    """Return whether a parameter of the class enables encryption (`secure` in Portworx)."""
    return any(
        ("encrypt" in key.lower() or key == "secure") and value.lower() not in ("", "false")
        for key, value in item.parameters.items()
    )


# --- what a machine has -----------------------------------------------------------------------


def _named(review: Review, test: Callable[[StorageClass], bool]) -> frozenset[str]:
    """Return the names of the classes that pass a test."""
    return frozenset(item.name for item in review.spec.storage.classes if test(item))


def _used(machine: Machine) -> set[str]:
    """Return the names of a machine's classes; the spec may no longer define all of them."""
    return {disk.storage_class for disk in machine.disks} | {state.storage_class for state in machine.state}


def _must_survive(review: Review, subject: Subject, group: Group) -> str | None:
    """Return why a VM must not depend on one node or zone, if so."""
    cluster = review.clusters.get((subject.source, subject.vm.cluster or ""))
    if group.phase_kind == "stateful":
        return f"phase {group.phase} is stateful"
    if subject.decisions.apart_from is not None:
        return f"set {subject.decisions.apart_from} must survive a failure"
    if cluster is not None and cluster.ha:
        return f"HA of cluster {cluster.name} restarts it elsewhere today"
    return None


def _node_zones(review: Review) -> frozenset[str]:
    """Return the zones of the nodes; none if a pool's zone is unknown."""
    zones = [pool.zone for pool in review.spec.target.cluster.nodes]
    return frozenset(zone for zone in zones if zone is not None) if all(zones) else frozenset()


def _at(machine: Machine) -> tuple[str, ...]:
    return ("application", "state") if machine.application is not None else ("disks",)


def _class(names: Iterable[str]) -> str:
    return f"StorageClass {', '.join(names)}"


def _size(size: int) -> str:
    """Return bytes in readable form, rounded up to Gi."""
    return format_size(-(-size // _GI) * _GI)
