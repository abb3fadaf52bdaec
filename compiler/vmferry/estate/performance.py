"""Whether a VM in the target is slower than it was in vSphere: its baseline, the bounds around it, and what they say.

A VM that does less is not slower, and one without load cannot be. So latency only counts under load, and less CPU time,
IOPS, throughput or traffic only together with what shows that the VM is held up: vCPUs that wait, requests that queue,
packets that are lost. docs/performance.md says why for each.
"""

import json
from collections.abc import Iterator, Mapping
from math import inf
from typing import Literal, NamedTuple

import msgspec
from msgspec import structs

from vmferry.estate.checks import checkable
from vmferry.estate.volumes import disk_facts
from vmferry.kube.dns import digest
from vmferry.kube.metrics import Sum
from vmferry.model.blueprint import Comparison, Group, Machine
from vmferry.model.evidence import OBSERVED, Entry
from vmferry.model.facts import Baseline, DiskBaseline, Rate
from vmferry.model.spec import Margins, PerformanceSettings, PhasePerformance, VirtualMachine

Measure = Literal["cpu", "memory", "swapIn", "network", "readLatency", "writeLatency", "iops", "throughput"]
"""`cpu`: percent of its vCPUs. `memory`: percent of its memory that is active. `swapIn`, `network`, `throughput`: KiB
per second. `readLatency`, `writeLatency`: milliseconds. `iops`: per second. Those from `readLatency` on are of a disk.
"""

_MARGINS = {"latency": 50, "disk": 30, "cpu": 30, "network": 50}
_ROOMY = 90
"""Percent of its memory that a VM used at its peak, below which it had enough: it would not have had to swap."""


class Bound(NamedTuple):
    """What a measure was in vSphere, and beyond what it is worse: above ``most``; below ``least``, if held up."""

    measure: Measure
    disk: str | None
    was: float | None
    most: float | None = None
    least: float | None = None


class Slower(NamedTuple):
    """A measure that is worse than its bound."""

    bound: Bound
    now: float
    held_up: str = ""  # what shows it, for those that are too low


def comparison(settings: PerformanceSettings, phase: PhasePerformance | None) -> Comparison | None:
    """Return how the VMs of a phase are compared; None if they are not."""
    if phase is None:
        return None
    margins = {
        name: next(
            (each for each in (_of(phase.margins, name), _of(settings.margins, name)) if each is not None), usual
        )
        for name, usual in _MARGINS.items()
    }
    return Comparison(gate=phase.gate, settings=settings, **margins)


def _of(margins: Margins, name: str) -> int | None:
    found: int | None = getattr(margins, name)
    return found


def kept_baseline(vm: VirtualMachine, machine: Machine) -> Baseline | None:
    """Return the baseline of a VM with its disks as they are called in the target; None if nothing was measured."""
    was = vm.baseline
    if was is None or not (was.cpu or was.memory or was.network or was.disks):
        return None
    units = {fact.unit: name for name, fact in disk_facts(vm, machine).items() if fact.unit is not None}
    disks = (structs.replace(each, label=units[each.label]) for each in was.disks if each.label in units)
    return structs.replace(was, disks=tuple(sorted(disks, key=lambda each: each.label)))


def compared(group: Group) -> Iterator[tuple[Machine, Baseline]]:
    """Yield the VMs of a group that are compared with their baseline once they run."""
    for machine in group.machines if group.performance is not None else ():
        if machine.baseline is not None and checkable(machine):
            yield machine, machine.baseline


def vcpus(machine: Machine) -> int:
    """Return how many vCPUs a VM has."""
    return machine.sockets * machine.cores * machine.threads


# --- bounds ----------------------------------------------------------------------------------


def bounds(was: Baseline, how: Comparison, *, peaks: bool) -> Iterator[Bound]:
    """Yield the bounds of a VM; upper ones from its peaks, or from its averages.

    What alerts look at is as short as a sample, so that it may be as high as the highest one was.
    """
    settings = how.settings
    if was.cpu is not None:
        full = max(float(settings.cpu_full), _more(was.cpu.peak, how.cpu))
        yield Bound("cpu", None, was.cpu.average, full if full < 100 else None, _less(was.cpu, how.cpu))
    if was.memory is not None:
        yield Bound("memory", None, was.memory.average)
        if was.memory.peak < _ROOMY:
            yield Bound("swapIn", None, None, float(settings.swap_in))
    if was.network is not None:
        yield Bound("network", None, was.network.average, least=_less(was.network, how.network))
    for disk in was.disks:
        yield from _of_disk(disk, how, peaks=peaks)


def _of_disk(disk: DiskBaseline, how: Comparison, *, peaks: bool) -> Iterator[Bound]:
    latencies: tuple[tuple[Measure, Rate | None], ...] = (
        ("readLatency", disk.read_latency),
        ("writeLatency", disk.write_latency),
    )
    for measure, rate in latencies:
        if rate is not None:
            most = max(how.settings.latency_at_least, _more(rate.peak if peaks else rate.average, how.latency))
            yield Bound(measure, disk.label, rate.average, most)
    both: tuple[tuple[Measure, Rate | None, Rate | None], ...] = (
        ("iops", disk.read_iops, disk.write_iops),
        ("throughput", disk.read, disk.write),
    )
    for measure, read, write in both:
        if read is not None and write is not None:
            average = Rate(average=read.average + write.average, peak=read.peak + write.peak)
            yield Bound(measure, disk.label, round(average.average, 2), least=_less(average, how.disk))


def _more(value: float, percent: int) -> float:
    return round(value * (1 + percent / 100), 2)


def _less(rate: Rate, percent: int) -> float:
    return round(rate.average * (1 - percent / 100), 2)


# --- comparing -------------------------------------------------------------------------------

Sums = Mapping[tuple[Sum, str | None], float]
"""What Prometheus says of a VM, by sum and disk."""


def known(now: Sums, machine: Machine, how: Comparison) -> dict[tuple[Measure, str | None], float]:
    """Return the measures of a VM that follow from sums. Disks without load have no latency."""
    found: dict[tuple[Measure, str | None], float] = {}
    of_vm: tuple[tuple[Measure, Sum, float], ...] = (
        ("cpu", "cpu", 100 / vcpus(machine)),
        ("swapIn", "swapIn", 1),
        ("network", "traffic", 1),
    )
    for measure, name, factor in of_vm:
        if (name, None) in now:
            found[measure, None] = now[name, None] * factor
    for disk in sorted({drive for _, drive in now if drive is not None}):
        latencies: tuple[tuple[Measure, Sum, Sum], ...] = (
            ("readLatency", "readTime", "reads"),
            ("writeLatency", "writeTime", "writes"),
        )
        for measure, time, count in latencies:
            if now.get((count, disk), 0) >= how.settings.iops_at_least and (time, disk) in now:
                found[measure, disk] = 1000 * now[time, disk] / now[count, disk]
        if ("reads", disk) in now and ("writes", disk) in now:
            found["iops", disk] = now["reads", disk] + now["writes", disk]
        if ("throughput", disk) in now:
            found["throughput", disk] = now["throughput", disk]
    return found


def missing(was: Baseline, now: Sums, how: Comparison) -> tuple[str, ...]:
    """Return what nothing is measured of in the target, although the baseline has it: `CPU`, `disk-1`."""
    lost = []
    for bound in bounds(was, how, peaks=False):
        name = {"cpu": "cpu", "swapIn": "swapIn", "network": "traffic"}.get(bound.measure)
        if bound.disk is not None and ("reads", bound.disk) not in now:
            lost.append(bound.disk)
        elif bound.disk is None and name is not None and not any(key == (name, None) for key in now):
            lost.append({"cpu": "CPU", "swapIn": "swap"}.get(bound.measure, bound.measure))
    return tuple(dict.fromkeys(lost))


def slower(was: Baseline, now: Sums, machine: Machine, how: Comparison) -> tuple[Slower, ...]:
    """Return the measures in which a VM is slower than it was, by averages over the period."""
    measured = known(now, machine, how)
    limits = {(bound.measure, bound.disk): bound for bound in bounds(was, how, peaks=False)}
    low = {key for key, bound in limits.items() if bound.least is not None and measured.get(key, inf) < bound.least}
    enough = measured.keys() & limits.keys() - low
    found = []
    for key, bound in limits.items():
        beside = (_BESIDE.get(bound.measure), bound.disk)
        if bound.most is not None and measured.get(key, 0) > bound.most:
            found.append(Slower(bound, measured[key]))
        elif key in low and beside not in enough and (why := _held_up(bound, now, machine, how)):
            found.append(Slower(bound, measured[key], why))
    return tuple(found)


_BESIDE: dict[Measure, Measure] = {"iops": "throughput", "throughput": "iops"}
"""Larger requests are fewer, and smaller ones carry less: only both together is less work."""


def _held_up(bound: Bound, now: Sums, machine: Machine, how: Comparison) -> str:
    """Return what shows that a VM would do more if it could; empty if nothing does."""
    settings = how.settings
    if bound.measure == "cpu":
        waits = 100 * now.get(("cpuWait", None), 0) / vcpus(machine)
        return f"its vCPUs wait for {waits:.0f} % of the time" if waits >= settings.cpu_wait else ""
    if bound.measure == "network":
        packets, lost = now.get(("packets", None), 0), now.get(("lostPackets", None), 0)
        share = 100 * lost / (packets + lost) if lost else 0
        return f"{share:.1f} % of its packets are lost" if share >= settings.drops else ""
    queue = now.get(("readTime", bound.disk), 0) + now.get(("writeTime", bound.disk), 0)
    return f"{queue:.1f} requests wait" if queue >= settings.queue else ""


# --- evidence --------------------------------------------------------------------------------


def compares(group: Group) -> bool:
    """Return whether there is something of a group to compare at its stage."""
    return group.running and group.stage != "retired" and any(True for _ in compared(group))


def shown_by(group: Group, machine: Machine) -> str:
    """Return what evidence of a comparison is about. With other margins, or another baseline, it has to pass again."""
    content = json.dumps(msgspec.to_builtins((machine.baseline, group.performance)), sort_keys=True)
    return f"comparison of {machine.namespace}/{machine.target_name}, {digest(content)}"


def is_past(group: Group, entry: Entry) -> bool:
    """Return whether an entry is about a comparison that the group no longer asks for."""
    if entry.what != "performance" or entry.by != OBSERVED:
        return False
    return all(entry.object != shown_by(group, machine) for machine, _ in compared(group) if machine.key == entry.vm)


_UNITS: dict[Measure, str] = {
    "cpu": "% CPU",
    "memory": "% memory",
    "swapIn": "KiB/s from swap",
    "network": "KiB/s network",
    "readLatency": "ms per read",
    "writeLatency": "ms per write",
    "iops": "IOPS",
    "throughput": "KiB/s",
}


def in_words(each: Slower) -> str:
    """Return in what a VM is slower: `disk-0: 20 ms per read (4 in vSphere, at most 6)`."""
    bound = each.bound
    was = [f"{bound.was:g} in vSphere"] if bound.was is not None else []
    limit = f"at least {bound.least:g}" if each.held_up else f"at most {bound.most:g}"
    why = f", and {each.held_up}" if each.held_up else ""
    return f"{_of_disk_in_words(bound)}{each.now:.4g} {_UNITS[bound.measure]} ({', '.join([*was, limit])}){why}"


def as_it_is(was: Baseline, now: Sums, machine: Machine, how: Comparison) -> str:
    """Return the measures of a VM beside its baseline: `18 % CPU (20), disk-0: 4 ms per read (4)`."""
    measured = known(now, machine, how)
    return ", ".join(
        f"{_of_disk_in_words(bound)}{measured[bound.measure, bound.disk]:.4g} {_UNITS[bound.measure]} ({bound.was:g})"
        for bound in bounds(was, how, peaks=False)
        if bound.was is not None and (bound.measure, bound.disk) in measured
    )


def _of_disk_in_words(bound: Bound) -> str:
    return f"{bound.disk}: " if bound.disk is not None else ""
