"""The figures of a sizing: what the phases need, what nodes, classes and ESXi hosts have."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from vmferry.estate.capacity import (
    Margins,
    Need,
    Pool,
    allotted,
    eligible,
    margins_of,
    needed,
    pools_of,
    too_large,
)
from vmferry.estate.hardware import Esxi, Resident, common, emptied, freed, is_vcls, like
from vmferry.estate.placement import empty, missing
from vmferry.estate.stored import planned, stored
from vmferry.kube.quantity import parse_size
from vmferry.model.keys import VmKey
from vmferry.reports.content import Material
from vmferry.reports.demand import Mover, Wave, movers_of, phases_of, waves_of
from vmferry.reports.parameters import Parameter, parameters_of

Basis = Literal["spec", "stated", "proposed", "unknown"]
"""Where the nodes come from: target.cluster.nodes, settings.sizing.node, the ESXi hosts, or nowhere."""


class PoolNeed(Struct, frozen=True, kw_only=True):
    """A node pool. ``nodes`` it has; ``needed`` with those that may fail; None: not measured, or not stated."""

    pool: str
    zone: str
    cpus: int
    memory: int
    nodes: int | None
    needed: int
    spare: int
    by: str
    needed_at_average: int | None
    needed_at_peak: int | None
    missing: int


class Phase(Struct, frozen=True, kw_only=True):
    """A phase, with what the phases before it brought. CPU in millicores, memory in bytes."""

    phase: str
    vms: int
    running: int
    cpu: int
    memory: int
    conversions: int
    carried_cpu: int | None
    carried_memory: int | None
    needed: int | None
    missing: int | None
    hosts_free: int | None


class TooLarge(Struct, frozen=True, kw_only=True):
    """A VM that takes more than any node allots; None: no node has its devices. CPU in millicores, memory in bytes."""

    vm: str
    key: VmKey
    cpu: int
    memory: int
    allotted_cpu: int | None
    allotted_memory: int | None


class Devices(Struct, frozen=True, kw_only=True):
    """A kind of device: VMs that need it, and how many there are on all nodes; None: no nodes are stated."""

    device: str
    vms: int
    needed: int
    there: int | None


class ClassNeed(Struct, frozen=True, kw_only=True):
    """What is stored in a class, in bytes; "" before one is chosen."""

    storage_class: str
    vms: int
    claims: int
    claimed: int
    used: int
    copies: int | None
    thick: int
    thin: int
    raw_thick: int | None
    raw_thin: int | None
    capacity: int | None


class Host(Struct, frozen=True, kw_only=True):
    """An ESXi host, and after which phase it is empty; "" if VMs stay."""

    source: str
    host: str
    cluster: str
    cpu_model: str | None
    cores: int | None
    memory: int | None
    vms: int
    staying: int
    empty_after: str
    fallback: str | None  # how long the sources of its last phase are kept


class Sizing(Struct, frozen=True, kw_only=True):
    """The whole sizing."""

    name: str
    basis: Basis
    vms: int
    running: int
    measured: int
    unknown: int
    typed: int
    new_nodes: int | None
    pools: tuple[PoolNeed, ...]
    phases: tuple[Phase, ...]
    too_large: tuple[TooLarge, ...]
    devices: tuple[Devices, ...]
    storage: tuple[ClassNeed, ...]
    hosts: tuple[Host, ...]
    parameters: tuple[Parameter, ...]


def sized(material: Material) -> Sizing:
    """Return the sizing of a migration."""
    movers, margins = movers_of(material), margins_of(material.review.spec)
    hosts = _esxi(material)
    basis, pools = _pools(material, movers, hosts, margins)
    waves = tuple(waves_of(material, movers, pools, margins))
    residents = _residents(material, movers)
    ranks = {phase: rank for rank, phase in enumerate(phases_of(material))}
    free = {phase: freed(hosts, residents, ranks[phase]) for phase in ranks} if hosts else {}
    phases = tuple(_phases(waves, pools, margins, {phase: len(found) for phase, found in free.items()}, basis))
    return Sizing(
        name=material.review.blueprint.name,
        basis=basis,
        vms=len(movers),
        running=sum(bool(mover.pods) for mover in movers),
        measured=sum(mover.measured and bool(mover.pods) for mover in movers),
        unknown=sum(mover.unknown for mover in movers),
        typed=sum(mover.typed for mover in movers),
        new_nodes=_new_nodes(waves, pools, free, ranks) if basis == "proposed" else None,
        pools=tuple(_pool_needs(waves, movers, pools, margins, basis)),
        phases=phases,
        too_large=tuple(_too_large(movers, pools, margins)),
        devices=tuple(_devices(movers, pools if basis == "spec" else ())),
        storage=tuple(_storage(material, movers)),
        hosts=tuple(_hosts(material, hosts, residents)),
        parameters=tuple(parameters_of(material)),
    )


# --- nodes ------------------------------------------------------------------------------------


def _pools(
    material: Material, movers: Sequence[Mover], hosts: Sequence[Esxi], margins: Margins
) -> tuple[Basis, tuple[Pool, ...]]:
    """Return the node pools, and where they come from."""
    spec = material.review.spec
    if spec.target.cluster.nodes:
        return "spec", pools_of(spec.target.cluster)
    kinds = common(hosts)
    stated = spec.settings.sizing.node
    if stated is not None:
        return "stated", _alike(material, movers, stated.cpu, parse_size(stated.memory))
    if not kinds:
        return "unknown", ()
    pods = [pod for mover in movers for pod in mover.pods]
    best = next((kind for kind in kinds if not too_large(pods, [_node("node", *kind)], margins)), kinds[0])
    return "proposed", _alike(material, movers, *best)


def _node(name: str, cpu: int, memory: int) -> Pool:
    return Pool(name, 1, cpu * 1000, memory)


def _alike(material: Material, movers: Sequence[Mover], cpu: int, memory: int) -> tuple[Pool, ...]:
    """Return a pool in each zone, and one for each set of devices, with as many as an ESXi host has today."""
    zones = material.review.spec.settings.sizing.zones
    names = [f"zone-{number + 1}" for number in range(zones)] if zones > 1 else [""]
    plain = [_node(f"nodes {zone}".rstrip(), cpu, memory)._replace(zone=zone) for zone in names]
    sets: dict[tuple[str, ...], dict[str, int]] = {}
    per_host: Counter[tuple[str, str, str]] = Counter()
    for mover in movers:
        for pod in mover.pods:
            for name, count in pod.devices:
                per_host[mover.vm.source, mover.vm.host, name] += count
                most = sets.setdefault(tuple(each for each, _ in pod.devices), {})
                there = per_host[mover.vm.source, mover.vm.host, name] if mover.subject.vm.host else count
                most[name] = max(most.get(name, 0), there, count)
    special = [
        _node(f"nodes with {' and '.join(wanted)}", cpu, memory)._replace(devices=devices)
        for wanted, devices in sorted(sets.items())
    ]
    return (*plain, *special)


def _pool_needs(
    waves: Sequence[Wave], movers: Sequence[Mover], pools: Sequence[Pool], margins: Margins, basis: Basis
) -> Iterator[PoolNeed]:
    """Yield what each pool needs at the phase that needs most of it."""
    measured = any(mover.measured for mover in movers)
    average = needed([pod for mover in movers for pod in mover.average], pools, margins)
    peak = needed([pod for mover in movers for pod in mover.peak], pools, margins)
    needs = {
        pool.name: max((wave.needs[pool.name] for wave in waves), key=lambda need: need.nodes, default=Need(0, 0, ""))
        for pool in pools
    }
    more = _missing(waves, needs, pools, margins, basis)
    for pool in pools:
        most = needs[pool.name]
        yield PoolNeed(
            pool=pool.name,
            zone=pool.zone,
            cpus=pool.cpu // 1000,
            memory=pool.memory,
            nodes=pool.nodes if basis == "spec" else None,
            needed=most.nodes,
            spare=most.spare,
            by=most.by,
            needed_at_average=average[pool.name].nodes if measured else None,
            needed_at_peak=peak[pool.name].nodes if measured else None,
            missing=more.get(pool.name, 0),
        )


def _missing(
    waves: Sequence[Wave], needs: Mapping[str, Need], pools: Sequence[Pool], margins: Margins, basis: Basis
) -> Mapping[str, int]:
    """Return how many more nodes take the VMs that find none: on the nodes there are, or else on those needed."""
    if basis == "spec":
        return {pool.name: max((wave.more.get(pool.name, 0) for wave in waves), default=0) for pool in pools}
    enough = [pool._replace(nodes=needs[pool.name].nodes) for pool in pools if needs[pool.name].nodes]
    if not enough or not waves:
        return {}
    placed, left = empty(enough, margins).add(waves[-1].loaded)
    return missing(placed, left)


def _phases(
    waves: Sequence[Wave], pools: Sequence[Pool], margins: Margins, free: dict[str, int], basis: Basis
) -> Iterator[Phase]:
    rooms = empty(pools, margins).rooms if basis == "spec" else ()
    running = 0
    for wave in waves:
        running += sum(bool(mover.pods) for mover in wave.movers)
        yield Phase(
            phase=wave.phase,
            vms=len(wave.movers),
            running=running,
            cpu=sum(pod.cpu for pod in wave.pods),
            memory=sum(pod.memory for pod in wave.pods),
            conversions=wave.converting,
            carried_cpu=sum(room.number * room.cpu for room in rooms) if rooms else None,
            carried_memory=sum(room.number * room.memory for room in rooms) if rooms else None,
            needed=sum(need.nodes for need in wave.needs.values()) if pools else None,
            missing=sum(wave.more.values()) if basis == "spec" else None,
            hosts_free=free.get(wave.phase),
        )


def _new_nodes(waves: Sequence[Wave], pools: Sequence[Pool], free: dict[str, list[Esxi]], ranks: dict[str, int]) -> int:
    """Return how many nodes are needed that are not ESXi hosts which earlier phases freed and which are as large."""
    order = sorted(ranks, key=ranks.__getitem__)
    most = 0
    for wave in waves:
        before = order[: ranks[wave.phase]]
        hosts = like(free[before[-1]], pools[0].cpu // 1000, pools[0].memory) if before else []
        most = max(most, sum(need.nodes for need in wave.needs.values()) - len(hosts))
    return most


def _too_large(movers: Sequence[Mover], pools: Sequence[Pool], margins: Margins) -> Iterator[TooLarge]:
    for mover in movers:
        for pod in too_large(mover.pods[:1], pools, margins) if pools else ():
            meant = eligible(pod, pools)
            largest = [allotted(pool, margins) for pool in meant]
            cpu, memory = max(largest, key=lambda allot: (allot[1], allot[0])) if largest else (None, None)
            yield TooLarge(
                vm=mover.vm.name,
                key=mover.vm.key,
                cpu=pod.cpu,
                memory=pod.memory,
                allotted_cpu=cpu,
                allotted_memory=memory,
            )


def _devices(movers: Sequence[Mover], pools: Sequence[Pool]) -> Iterator[Devices]:
    vms: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    for mover in movers:
        devices = dict(next((pod.devices for pod in mover.pods), ()))
        vms.update(devices.keys())
        wanted.update(devices)
    for name in sorted(wanted):
        there = sum(pool.nodes * pool.devices.get(name, 0) for pool in pools) if pools else None
        yield Devices(device=name, vms=vms[name], needed=wanted[name], there=there)


# --- storage ----------------------------------------------------------------------------------


def _storage(material: Material, movers: Sequence[Mover]) -> Iterator[ClassNeed]:
    """Yield what each class has to hold, in the order of the spec."""
    spec = material.review.spec
    claimed, used, claims = Counter[str](), Counter[str](), Counter[str]()
    vms: defaultdict[str, set[VmKey]] = defaultdict(set)
    brought: defaultdict[str, set[str]] = defaultdict(set)  # shared disks, by source
    for mover in movers:
        shared = brought[mover.vm.source]
        for volume in stored(mover.subject.vm, mover.subject.machine, frozenset(shared)):
            claimed[volume.storage_class] += volume.claim
            used[volume.storage_class] += volume.used
            claims[volume.storage_class] += 1
            vms[volume.storage_class].add(mover.vm.key)
        shared |= {disk.shared for disk in mover.subject.vm.disks or () if disk.shared is not None}
    classes = {item.name: item for item in spec.storage.classes}
    for name in (*(each for each in classes if each in claims), *sorted(set(claims) - set(classes))):
        item = classes.get(name)
        thick, thin = (planned(each[name], item, spec.settings.sizing) for each in (claimed, used))
        yield ClassNeed(
            storage_class=name,
            vms=len(vms[name]),
            claims=claims[name],
            claimed=claimed[name],
            used=used[name],
            copies=item.replication if item is not None else None,
            thick=thick.held,
            thin=thin.held,
            raw_thick=thick.raw,
            raw_thin=thin.raw,
            capacity=parse_size(item.capacity) if item is not None and item.capacity is not None else None,
        )


# --- ESXi hosts -------------------------------------------------------------------------------


def _esxi(material: Material) -> tuple[Esxi, ...]:
    return tuple(
        Esxi((source, name), (source, host.cluster or ""), host.cores or None, host.memory or None)
        for (source, name), host in sorted(material.review.hosts.items())
    )


def _residents(material: Material, movers: Sequence[Mover]) -> tuple[Resident, ...]:
    """Return every VM as what it is today: on which host, and when it leaves."""
    ranks = {phase: rank for rank, phase in enumerate(phases_of(material))}
    leaves = {mover.vm.key: ranks[mover.vm.phase] for mover in movers}
    return tuple(
        Resident(
            host=(vm.source, vm.host),
            cluster=(vm.source, subject.vm.cluster or ""),
            leaves=leaves.get(vm.key),
            runs=subject.vm.power_state in (None, "poweredOn") and not subject.vm.template,
            vcpus=vm.vcpus,
            memory=vm.memory,
        )
        for subject, vm in zip(material.review.subjects, material.vms.vms, strict=True)
        if not is_vcls(subject.vm)
    )


def _hosts(material: Material, hosts: Sequence[Esxi], residents: Sequence[Resident]) -> Iterator[Host]:
    """Yield the hosts, those that are empty first in front."""
    ends = emptied(hosts, residents)
    phases = phases_of(material)
    fallback = {
        phase.name: phase.dual_run.at_least
        for phase in material.review.spec.phases
        if phase.dual_run is not None and phase.dual_run.mode == "fallback"
    }
    on = Counter((vm.source, vm.host) for vm in material.vms.vms)
    staying = Counter(each.host for each in residents if each.leaves is None)
    order = sorted(hosts, key=lambda host: (_order(ends[host.key]), host.key))
    for host in order:
        rank, (source, name) = ends[host.key], host.key
        after = "" if rank is None else "now" if rank < 0 else phases[rank]
        fact = material.review.hosts[host.key]
        kept = fallback.get(after)
        yield Host(
            source=source,
            host=name,
            cluster=fact.cluster or "",
            cpu_model=fact.cpu_model,
            cores=fact.cores,
            memory=fact.memory,
            vms=on[host.key],
            staying=staying[host.key],
            empty_after=after,
            fallback=kept,
        )


def _order(rank: int | None) -> float:
    return float("inf") if rank is None else rank
