"""The figures of the report `decommission`: hosts, clusters, vCenters and licences, by the solved sequence."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from msgspec import Struct

from vmferry.estate.capacity import Pool, margins_of, pools_of, too_large
from vmferry.estate.decommission.cpus import cpu_of
from vmferry.estate.decommission.plans import Sequence as Steps
from vmferry.estate.decommission.plans import Situation
from vmferry.estate.decommission.reserve import VSAN_HOSTS
from vmferry.estate.decommission.solver import solve
from vmferry.estate.decommission.today import Mover, cluster_of, node_vendor, situation, unfit_host, why_there
from vmferry.estate.demand import CONVERTING
from vmferry.estate.hardware import Esxi, HostKey, common, is_vcls
from vmferry.estate.phases import is_day, time_text
from vmferry.estate.stages import rank
from vmferry.estate.wording import counted, size
from vmferry.kube.quantity import parse_size
from vmferry.model.keys import VmKey
from vmferry.model.spec import Licence
from vmferry.reports.content import Material
from vmferry.reports.cost import licence_cost
from vmferry.reports.demand import movers_of, phases_of

Target = Literal["spec", "stated", "like the hosts", "unknown"]
"""Where the target's nodes come from: target.cluster.nodes, settings.sizing.node, the ESXi hosts, or nowhere."""


class There(Struct, frozen=True, kw_only=True):
    """A VM that is still in vSphere, and why; its phase if it moves."""

    vm: str
    key: VmKey
    source: str
    cluster: str
    host: str
    why: str
    phase: str
    reason: str


class HostEnd(Struct, frozen=True, kw_only=True):
    """An ESXi host: its hardware, when it empties, from when on it may go, and what becomes of it. None is unknown."""

    source: str
    cluster: str
    host: str
    id: str | None
    order: int | None
    vms: int
    emptied: bool
    empties_with: str
    date: str | None
    node_before: str
    then: str
    cpu_model: str | None
    generation: str | None
    level: int | None
    cores: int | None
    memory: int | None
    nics: int | None
    iommu: bool | None
    version: str | None


class Place(Struct, frozen=True, kw_only=True):
    """A cluster, or a vCenter, whose ``cluster`` is ""."""

    source: str
    cluster: str
    hosts: int
    left: int
    empties_with: str
    date: str | None
    staying: tuple[str, ...]
    groups: int
    validated: int


class StepOf(Struct, frozen=True, kw_only=True):
    """A step of the sequence."""

    what: str
    text: str
    phase: str
    source: str = ""
    host: str = ""
    nodes: int = 0
    date: str | None = None


class LicenceEnd(Struct, frozen=True, kw_only=True):
    """A licence of vSphere: from when on nobody needs it."""

    name: str
    ends: str | None
    per_year: float | None
    falls_away: str | None
    note: str


class Decommission(Struct, frozen=True, kw_only=True):
    """Everything."""

    name: str
    target: Target
    currency: str
    steps: tuple[StepOf, ...]
    hosts: tuple[HostEnd, ...]
    clusters: tuple[Place, ...]
    sources: tuple[Place, ...]
    there: tuple[There, ...]
    licences: tuple[LicenceEnd, ...]
    notes: tuple[str, ...]


def decommissioned(material: Material) -> Decommission:
    """Return how an estate leaves vSphere."""
    review = material.review
    movers = {
        mover.vm.key: Mover(mover.vm.phase, mover.pods, (CONVERTING,) if mover.converted else ())
        for mover in movers_of(material)
    }
    basis, pools = _pools(material, movers)
    phases = [name for name in phases_of(material) if any(mover.phase == name for mover in movers.values())]
    now = situation(review, phases, movers, pools)
    found = solve(now)
    there = tuple(_there(material))
    hosts = tuple(_hosts(material, found))
    return Decommission(
        name=review.blueprint.name,
        target=basis,
        currency=review.spec.costs.currency if review.spec.costs is not None else "",
        steps=tuple(_steps(found, now)),
        hosts=hosts,
        clusters=tuple(_places(material, hosts, there, clusters=True)),
        sources=tuple(_places(material, hosts, there, clusters=False)),
        there=there,
        licences=tuple(_licences(material, hosts)),
        notes=tuple(_notes(material, now, basis)),
    )


def _pools(material: Material, movers: dict[VmKey, Mover]) -> tuple[Target, tuple[Pool, ...]]:
    """Return the nodes there are: those of the spec; without any, none of a kind that is known."""
    spec = material.review.spec
    if spec.target.cluster.nodes:
        return "spec", pools_of(spec.target.cluster)
    stated = spec.settings.sizing.node
    if stated is not None:
        return "stated", (Pool("nodes", 0, stated.cpu * 1000, parse_size(stated.memory)),)
    esxi = [Esxi(key, ("", ""), host.cores, host.memory) for key, host in sorted(material.review.hosts.items())]
    kinds = [Pool("nodes", 0, cores * 1000, memory) for cores, memory in common(esxi)]
    if not kinds:
        return "unknown", ()
    pods = [pod for mover in movers.values() for pod in mover.pods]
    margins = margins_of(spec)
    return "like the hosts", (next((kind for kind in kinds if not too_large(pods, [kind], margins)), kinds[0]),)


# --- VMs ------------------------------------------------------------------------------------------


def _there(material: Material) -> Iterator[There]:
    """Yield what is still in vSphere: first what stays."""
    found = []
    for subject, vm in zip(material.review.subjects, material.vms.vms, strict=True):
        moves = vm.path != "none"
        why = why_there(subject, moves=moves)
        if why == "left" or is_vcls(subject.vm):
            continue
        held = subject.group.hold if subject.group is not None else None
        fact = material.review.hosts.get((subject.source, subject.vm.host or ""))
        found.append(
            There(
                vm=subject.name,
                key=subject.key,
                source=subject.source,
                cluster=cluster_of(subject.source, fact)[1] if fact is not None else subject.vm.cluster or "",
                host=subject.vm.host or "",
                why=why,
                phase=vm.phase if moves else "",
                reason=(held if why == "held" else subject.decisions.reason) or "",
            )
        )
    yield from sorted(found, key=lambda each: (each.why == "moves", each.source, each.cluster, each.host, each.key))


# --- hosts, clusters and vCenters ---------------------------------------------------------------


def _hosts(material: Material, found: Steps) -> Iterator[HostEnd]:
    review = material.review
    vendor = node_vendor(review)
    emptied = {step.host: (number, step) for number, step in enumerate(found.steps) if step.what == "emptied"}
    order = {host: number for number, host in enumerate(emptied, 1)}
    nodes = {step.host: step.wave for step in found.steps if step.what == "joins"}
    on = Counter((vm.source, vm.host) for vm in material.vms.vms)
    for key in sorted(review.hosts, key=lambda key: (order.get(key, len(order) + 1), key)):
        fact = review.hosts[key]
        step = emptied[key][1] if key in emptied else None
        cpu = cpu_of(fact.cpu_model)
        yield HostEnd(
            source=key[0],
            cluster=cluster_of(key[0], fact)[1],
            host=key[1],
            id=fact.id,
            order=order.get(key),
            vms=on[key],
            emptied=step is not None,
            empties_with="" if step is None else step.wave or "now",
            date=time_text(step.date) if step is not None and step.wave else None,
            node_before=nodes.get(key, ""),
            then=_then(key, step is not None, nodes, unfit_host(fact, vendor)),
            cpu_model=fact.cpu_model,
            generation=cpu.generation if cpu is not None else None,
            level=cpu.level if cpu is not None else None,
            cores=fact.cores,
            memory=fact.memory,
            nics=fact.nics,
            iommu=fact.iommu,
            version=fact.version,
        )


def _then(key: HostKey, emptied: bool, nodes: dict[HostKey | None, str], unfit: str | None) -> str:
    """Return what becomes of a host, in words."""
    if not emptied:
        return "stays: VMs are left in its cluster"
    if key in nodes:
        return f"node before {nodes[key]}"
    if unfit is not None:
        return f"retire: {unfit}"
    return "spare: no phase needs it as a node"


def _places(material: Material, hosts: Sequence[HostEnd], there: Sequence[There], *, clusters: bool) -> Iterator[Place]:
    """Yield the clusters, or the vCenters, in the order in which they empty."""
    found = []
    names = {(host.source, host.cluster if clusters else "") for host in hosts}
    for source, cluster in names:
        own = [host for host in hosts if host.source == source and cluster in ("", host.cluster)]
        last = max(own, key=lambda host: host.order or len(hosts) + 1)
        stay = [vm for vm in there if vm.source == source and vm.why not in ("moves", "to retire")]
        groups = {
            group.name: group
            for group in material.review.blueprint.groups
            for machine in group.machines
            if machine.source == source and (not clusters or (source, machine.host or "") in _keys(own))
        }
        gone = all(host.emptied for host in own)
        known = all(host.date is not None or host.empties_with == "now" for host in own)
        dates = [host.date for host in own if host.date is not None]
        found.append(
            Place(
                source=source,
                cluster=cluster,
                hosts=len(own),
                left=sum(not host.emptied for host in own),
                empties_with=last.empties_with if gone else "",
                date=max(dates) if gone and known and dates else None,
                staying=tuple(vm.vm for vm in stay if cluster in ("", vm.cluster) or not vm.cluster),
                groups=len(groups),
                validated=sum(rank(group.stage) >= rank("validated") for group in groups.values()),
            )
        )
    order = {(host.source, host.cluster if clusters else ""): host.order or len(hosts) + 1 for host in hosts}
    yield from sorted(found, key=lambda each: (order[each.source, each.cluster], each.source, each.cluster))


def _keys(hosts: Sequence[HostEnd]) -> set[tuple[str, str]]:
    return {(host.source, host.host) for host in hosts}


# --- the sequence -------------------------------------------------------------------------------


def _steps(found: Steps, now: Situation) -> Iterator[StepOf]:
    kinds = {pool.name: pool for pool in (*now.pools, *found.pools)}
    for step in found.steps:
        source, host = step.host or ("", "")
        match step.what:
            case "moves":
                text = f"phase {step.wave} cuts over"
            case "released":
                text = f"the sources of phase {step.wave} may be deleted"
            case "emptied":
                text = f"host {host} is empty, and may leave its cluster"
            case "joins":
                text = f"host {host} becomes a node"
            case "missing":
                kind = kinds[step.pool]
                text = f"{counted(step.nodes, 'node')} missing: {kind.cpu // 1000} CPUs, {size(kind.memory)} each"
        yield StepOf(
            what=step.what,
            text=text,
            phase=step.wave,
            source=source,
            host=host,
            nodes=step.nodes,
            date=time_text(step.date) if step.wave else None,
        )


def _notes(material: Material, now: Situation, basis: Target) -> Iterator[str]:
    if not now.hosts:
        yield "No ESXi host is known: import from vCenter, or from an RVTools export with the tab vHost."
        return
    if basis == "unknown":
        yield "No node is known: set target.cluster.nodes, or settings.sizing.node. Only the hosts are in the sequence."
    elif basis != "spec":
        pool = now.pools[0]
        yield (
            "target.cluster.nodes is empty, so the target begins without nodes; those that are missing have "
            f"{pool.cpu // 1000} CPUs and {size(pool.memory)}."
        )
    undated = [wave.name for wave in now.waves if wave.end is None]
    if undated:
        kept = [wave.name for wave in now.waves if wave.end is None and wave.kept]
        text = f"No date is known for {', '.join(undated)}: no window is left, or none is stated."
        yield text + (
            f" Sources of {', '.join(kept)} are taken to be kept until every phase has moved." if kept else ""
        )
    if any(guest.memory is None and guest.runs for guest in now.guests):
        yield "VMs of unknown size keep all hosts of their cluster until they have left."
    if any(guest.vsan for guest in now.guests):
        yield (
            f"A cluster with data on vSAN keeps {VSAN_HOSTS} hosts until that data has left. Nobody knows here whether "
            "their disks hold it: look at vSAN's capacity before a host goes."
        )
    if any(guest.pinned for guest in now.guests):
        yield "VMs with a PCI device or SR-IOV adapter cannot be moved by vMotion: their hosts wait for them."
    if any(vm.why == "to retire" for vm in _there(material)):
        yield "VMs to retire are taken to be off and deleted when the last phase has left."


# --- licences -----------------------------------------------------------------------------------


def _licences(material: Material, hosts: Sequence[HostEnd]) -> Iterator[LicenceEnd]:
    costs = material.review.spec.costs
    if costs is None:
        return
    gone = all(host.emptied for host in hosts)
    known = all(host.date is not None or host.empties_with == "now" for host in hosts)
    last = max((host.date for host in hosts if host.date is not None), default=None)
    day = _day_after(last) if hosts and gone and known else None
    for licence in costs.licences:
        if licence.of != "target":
            yield _licence(licence, material, day, gone)


def _licence(licence: Licence, material: Material, day: str | None, gone: bool) -> LicenceEnd:
    note = "" if gone else "needed as long as VMs stay in vSphere"
    ends = licence.ends
    if day is not None and ends is not None and is_day(ends):
        short = (date.fromisoformat(day) - date.fromisoformat(ends)).days - 1
        if short > 0:
            note = f"ends {counted(short, 'day')} before the last host may go: it must be renewed"
    return LicenceEnd(
        name=licence.name,
        ends=ends,
        per_year=licence_cost(licence, material.review),
        falls_away=day,
        note=note,
    )


def _day_after(moment: str | None) -> str | None:
    """Return the first whole day after a moment."""
    if moment is None:
        return None
    at = datetime.fromisoformat(moment).astimezone(UTC)
    return (at + timedelta(days=1)).date().isoformat() if at.year < 9000 else None
