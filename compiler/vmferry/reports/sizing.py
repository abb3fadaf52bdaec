"""How many nodes and how much storage the VMs need, phase by phase, and which ESXi hosts are free when."""

from collections.abc import Iterator

from vmferry.estate.wording import counted, size
from vmferry.model.report import Bar, Bars, Block, Cell, Column, Figure, Figures, Prose, Report, Row, Table
from vmferry.reports.content import Material
from vmferry.reports.devices import device_ids, snippets
from vmferry.reports.needs import ClassNeed, Sizing, sized

HELP = """Report how many nodes and how much storage the VMs need, phase by phase, and which ESXi hosts are free when.

The nodes are those of target.cluster.nodes. Where there are none, as for a bare inventory, they are like the most
common ESXi host, or as settings.sizing.node says. Every parameter is in the report; settings.sizing in the spec sets
them, and docs/sizing.md has the arithmetic.

\b
Examples:
  vmferry report sizing inventory/
  vmferry report sizing migration/ --format csv > phases.csv
  vmferry report sizing migration/ --format json | jq '.pools'
"""

_CPUS = 1000  # millicores per CPU


def build(material: Material) -> Report:
    """Return the report."""
    found = sized(material)
    phases = _phases(found)
    blocks = tuple(_blocks(found, material, phases))
    return Report(f"Sizing of {found.name}", _summary(found), blocks, found, whole=phases)


def _summary(found: Sizing) -> str:
    what = f"{found.name}: {counted(found.vms, 'VM moves', 'VMs move')}"
    if not found.phases:
        return f"{what}; nothing to place on nodes"
    peak = max(found.phases, key=lambda phase: (phase.needed or 0, phase.memory, phase.cpu))
    asks = f"{what}; they request {_cpus(peak.cpu)} CPUs and {size(peak.memory)} of memory"
    if not found.pools:
        return f"{asks}; no node type is known"
    there = sum(pool.nodes or 0 for pool in found.pools)
    of = f", the spec has {there}" if found.basis == "spec" else ""
    first = next((phase for phase in found.phases if phase.missing), None)
    fails = f"; phase {first.phase} is the first that they do not carry" if first is not None and there else ""
    return f"{asks}; {counted(sum(pool.needed for pool in found.pools), 'node')} needed{of}{fails}"


def _cpus(millicores: int) -> str:
    return f"{millicores / _CPUS:.0f}"


def _blocks(found: Sizing, material: Material, phases: Table) -> Iterator[Block]:
    yield Figures("What is needed", tuple(_figures(found)))
    yield from _notes(found)
    if found.pools:
        yield _pools(found)
    if found.phases:
        yield _bars(found)
    yield phases
    yield from _too_large(found)
    yield from _devices(found, material)
    yield _storage(found, material)
    yield from _hardware(found)
    yield Table(
        "Parameters",
        "parameter",
        tuple(map(Column, ("parameter", "value", "set by", "why"))),
        [(each.name, each.value, each.set_by, each.why) for each in found.parameters],
    )


def _figures(found: Sizing) -> Iterator[Figure]:
    last = found.phases[-1] if found.phases else None
    yield Figure("VMs that move", Cell(found.vms, of=(("moves", "yes"),)))
    yield Figure("of them running", found.running, "count", "others are off, or templates")
    yield Figure("CPUs requested", last.cpu / _CPUS if last else 0, "decimal", "after the last phase")
    yield Figure("memory requested", last.memory if last else 0, "bytes", "with KubeVirt's overhead")
    if found.pools:
        needed = sum(pool.needed for pool in found.pools)
        spare = sum(pool.spare for pool in found.pools)
        more = sum(pool.missing for pool in found.pools)
        yield Figure(
            "nodes needed",
            needed,
            "count",
            f"{spare} of them may fail" + (f"; {more} more to place every VM" if more else ""),
        )
    if found.measured:
        peak = sum(pool.needed_at_peak or 0 for pool in found.pools)
        yield Figure("nodes by measured peaks", peak, "count", f"{found.measured} VMs have a baseline")
    if found.new_nodes is not None:
        yield Figure("nodes to get first", found.new_nodes, "count", "the others are today's ESXi hosts, as they empty")
    yield Figure("storage, in full", sum(each.claimed for each in found.storage), "bytes", "claims")
    yield Figure("storage in use", sum(each.used for each in found.storage), "bytes", "where vSphere knows it")


def _notes(found: Sizing) -> Iterator[Prose]:
    lines = []
    if found.basis == "proposed":
        lines.append(
            "The spec has no nodes: they are as large as the most common ESXi host that holds every VM, with one CPU "
            f"per core ({found.pools[0].cpus} CPUs, {size(found.pools[0].memory)}). settings.sizing.node sets another."
        )
    if not found.pools:
        lines.append(
            "No node type is known: the inventory has no ESXi host with its cores and memory. Set "
            "settings.sizing.node, or target.cluster.nodes."
        )
    if found.unknown:
        lines.append(f"{counted(found.unknown, 'VM')} of unknown size: not counted.")
    if found.typed:
        lines.append(
            f"{counted(found.typed, 'VM has', 'VMs have')} an instance type, which only the cluster knows: CPU and "
            "memory are those in vSphere."
        )
    if found.measured and found.measured < found.running:
        lines.append("VMs without a baseline count with their requests, also by measured use.")
    if found.measured:
        lines.append(
            "By measured use, CPU and active memory count as vCenter saw them. A VM's pod still requests all of the "
            "guest's memory, unless memoryOvercommit says otherwise: if measured peaks need more nodes than requests, "
            "cpuAllocationRatio is too high."
        )
    if lines:
        yield Prose("", tuple(lines))


def _pools(found: Sizing) -> Table:
    columns = (
        Column("pool"),
        Column("zone"),
        Column("CPUs", "count"),
        Column("memory", "bytes"),
        Column("nodes", "count"),
        Column("needed", "count"),
        Column("of them spare", "count"),
        Column("decided by"),
        Column("measured, average", "count"),
        Column("measured, peak", "count"),
        Column("missing to place all", "count"),
    )
    rows = [
        (
            pool.pool,
            pool.zone,
            pool.cpus,
            pool.memory,
            pool.nodes,
            pool.needed,
            pool.spare,
            pool.by,
            pool.needed_at_average,
            pool.needed_at_peak,
            pool.missing,
        )
        for pool in found.pools
    ]
    note = (
        "needed: by the sum of requests, at the phase that needs most. missing to place all: the VMs are placed one by "
        "one, the largest first; this many more nodes take those that found no room."
    )
    return Table("Nodes", "pool", columns, rows, note=note)


def _bars(found: Sizing) -> Bars:
    """Return the memory of each phase, beside what the nodes of the spec have left."""
    title = "Memory by phase"
    if found.basis != "spec":
        return Bars(title, "phase", "bytes", ("requested",), tuple(Bar(p.phase, (p.memory,)) for p in found.phases))
    bars = (Bar(p.phase, (p.memory, max(0, (p.carried_memory or 0) - p.memory))) for p in found.phases)
    return Bars(title, "phase", "bytes", ("requested", "free"), tuple(bars))


def _phases(found: Sizing) -> Table:
    columns = (
        Column("phase"),
        Column("VMs", "count"),
        Column("running so far", "count"),
        Column("CPUs requested", "decimal"),
        Column("memory requested", "bytes"),
        Column("conversions at once", "count"),
        Column("CPUs carried", "decimal"),
        Column("memory carried", "bytes"),
        Column("nodes needed", "count"),
        Column("nodes missing", "count"),
        Column("ESXi hosts free", "count"),
    )
    rows = [
        (
            each.phase,
            Cell(each.vms, of=(("moves", "yes"), ("phase", each.phase))),
            each.running,
            each.cpu / _CPUS,
            each.memory,
            each.conversions,
            None if each.carried_cpu is None else each.carried_cpu / _CPUS,
            each.carried_memory,
            each.needed,
            each.missing,
            each.hosts_free,
        )
        for each in found.phases
    ]
    note = (
        "Each phase with what the phases before it brought. carried: what the nodes have for VMs, less the headroom, "
        "when those that may fail are gone. ESXi hosts free: after vMotion of what is left onto the others."
    )
    return Table("Phase by phase", "phase", columns, rows, note=note, covers=(("moves", "yes"),))


def _too_large(found: Sizing) -> Iterator[Table]:
    if not found.too_large:
        return
    columns = (
        Column("VM"),
        Column("CPUs requested", "decimal"),
        Column("memory requested", "bytes"),
        Column("CPUs a node allots", "decimal"),
        Column("memory a node allots", "bytes"),
    )
    rows: list[Row] = [
        (
            Cell(each.vm, vm=each.key),
            each.cpu / _CPUS,
            each.memory,
            None if each.allotted_cpu is None else each.allotted_cpu / _CPUS,
            each.allotted_memory,
        )
        for each in found.too_large
    ]
    note = (
        "Each counts as a whole node. Where nothing is allotted, no node has the devices of the VM: it counts nowhere."
    )
    yield Table("VMs that are too large for every node", "VM", columns, rows, note=note, covers="some")


def _devices(found: Sizing, material: Material) -> Iterator[Block]:
    if not found.devices:
        return
    columns = (
        Column("device"),
        Column("VMs", "count"),
        Column("devices needed", "count"),
        Column("devices on the nodes", "count"),
    )
    rows: list[Row] = [(each.device, each.vms, each.needed, each.there) for each in found.devices]
    note = "A device belongs to one running VM, and keeps it from live migration."
    yield Table("GPUs and other devices", "device", columns, rows, note=note, covers="some")
    resources = device_ids(material.review.subjects)
    wanted = {each.device for each in found.devices}
    named = {name: ids for name, ids in resources.items() if name in wanted}
    if named:
        yield from snippets(material.review.spec.target.cluster.distribution, named)


def _storage(found: Sizing, material: Material) -> Table:
    columns = (
        Column("StorageClass"),
        Column("VMs", "count"),
        Column("claims", "count"),
        Column("in full", "bytes"),
        Column("in use", "bytes"),
        Column("copies", "count"),
        Column("planned, thick", "bytes"),
        Column("planned, thin", "bytes"),
        Column("raw, thick", "bytes"),
        Column("raw, thin", "bytes"),
        Column("capacity", "bytes"),
        Column("free if thin", "bytes"),
    )
    rows: list[Row] = [
        (
            each.storage_class or "not chosen yet",
            _linked(each, material),
            each.claims,
            each.claimed,
            each.used,
            each.copies,
            each.thick,
            each.thin,
            each.raw_thick,
            each.raw_thin,
            each.capacity,
            max(0, each.capacity - each.thin) if each.capacity is not None else None,
        )
        for each in found.storage
    ]
    note = (
        "planned: with growth and room for snapshots; thick: claims in full, thin: what is in use. raw: with all "
        "copies and the share that must stay empty, where the class states `replication`. A VM may be in several rows."
    )
    return Table("Storage", "StorageClass", columns, rows, note=note, covers="some")


def _linked(each: ClassNeed, material: Material) -> Cell | int:
    """Return the number of a class's VMs; with a link, if the census counts the same: it knows the classes of disks."""
    picked = material.vms.where("class", each.storage_class)
    return picked.count if len(picked.vms) == each.vms else each.vms


def _hardware(found: Sizing) -> Iterator[Block]:
    if not found.hosts:
        return
    columns = (
        Column("ESXi host"),
        Column("cluster"),
        Column("CPU"),
        Column("cores", "count"),
        Column("memory", "bytes"),
        Column("VMs", "count"),
        Column("VMs that stay", "count"),
        Column("empty after phase"),
        Column("sources kept"),
    )
    rows: list[Row] = [
        (
            each.host,
            each.cluster,
            each.cpu_model,
            each.cores,
            each.memory,
            Cell(each.vms, of=(("source", each.source), ("host", each.host))),
            each.staying or None,
            each.empty_after,
            each.fallback,
        )
        for each in found.hosts
    ]
    note = (
        "empty after phase: all of its VMs have moved; vMotion frees hosts earlier, as the phases show. A host that "
        "holds the sources of a dual run, or vSAN data, is needed until those are gone."
    )
    yield Table("ESXi hosts that can be reused", "ESXi host", columns, rows, note=note, covers="some")
