"""How long copies from vSphere take: bytes over rates, within what is copied at once. An estimate, never a promise.

Nothing is copied faster than its slowest limit allows: one VM's own stream, the network of its ESXi host, all hosts
together, and how many VMs are copied at the same time. The rates are those that the spec states, otherwise measured
ones (evidence.yaml), otherwise the published ones in `ASSUMED`. docs/copy-time.md has the arithmetic by hand.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from vmferry.estate.methods import METHODS
from vmferry.estate.phases import is_time, moment
from vmferry.kube.quantity import parse_size
from vmferry.model.blueprint import Group, Machine, MachineDisk
from vmferry.model.evidence import Evidence, What
from vmferry.model.keys import VmKey
from vmferry.model.spec import Method, MigrationSpec

Basis = Literal["stated", "measured", "assumed"]
"""Where a rate comes from: the spec, evidence, or `ASSUMED`."""

Per = Literal["VM", "ESXi host", "vCenter"]

Way = Method | Literal["offload"]
"""How disks are copied, as far as evidence measures it: by a method over the network, or by the storage array."""

_MIB = 1 << 20


class Figure(NamedTuple):
    """A rate in bytes per second, and where it comes from; measured ones, of how many copies."""

    value: float
    basis: Basis
    copies: int = 0


class Rates(NamedTuple):
    """What limits the copies from one vCenter. ``at_once`` are VMs of all hosts together; None: no such limit."""

    per_vm: Figure
    per_host: Figure
    total: Figure
    vms_per_host: int
    at_once: int | None = None


class Copy(NamedTuple):
    """A VM to be copied: the capacity of its disks, the bytes in use if known, and its ESXi host if known."""

    capacity: int
    used: int | None
    host: str | None

    @property
    def size(self) -> int:
        """Return the bytes to be read: VDDK leaves out what was never written."""
        return self.capacity if self.used is None else min(self.used, self.capacity)


class Estimate(NamedTuple):
    """How long some copies take together, in seconds, and which rate decides that."""

    seconds: float
    figure: Figure
    per: Per
    at_once: int | None = None  # VMs, where their number is what limits


ASSUMED: Mapping[Method, tuple[float, float, float]] = {
    "cold": (100 * _MIB, 272 * _MIB, 1173 * _MIB),
    "warm": (76.5e6, 253e6, 802e6),
    "job": (100 * _MIB, 272 * _MIB, 1173 * _MIB),
}
"""Bytes per second of one VM, of one ESXi host, and of eight hosts together.

Source: kubev2v/forklift-documentation, documentation/modules/mtv-performance-recommendation.adoc (Red Hat's lab, which
calls them a best case): one VM cold, ten VMs of one host, 80 VMs of eight hosts, each with 35 GiB in use; warm, the
highest rates of one disk, one host, and eight hosts. The rates cold are bytes in use over the time of the whole
migration. A conversion Job reads as Forklift's cold migration does: virt-v2v through nbdkit's VDDK plugin.
"""

VMS_PER_HOST = 20
"""Forklift's default of controller_max_vm_inflight (pkg/settings/migration.go), which counts by ESXi host."""

_SHOWS: Mapping[Method, What] = {"cold": "migration", "warm": "copy", "job": "conversion"}
"""The evidence whose times are those of a copy; a warm `migration` also waits for its cutover."""


def filled(machine: Machine, method: Method) -> list[MachineDisk]:
    """Return the disks of a machine whose volumes are filled, from vSphere or from images."""
    disks = [disk for disk in machine.disks if disk.owner and not disk.lun] if machine.clone_of is None else []
    # a Job fills volumes that CDI creates empty
    return [disk for disk in disks if METHODS[method].reads or disk.source.blank is None]


def copies_of(group: Group, used: Callable[[VmKey], int | None]) -> tuple[Copy, ...]:
    """Return the copies that a group takes; none if no pod reads its disks, or the storage array copies them."""
    if group.method not in ASSUMED or group.forklift.offload:
        return ()
    disks = ((machine, filled(machine, group.method)) for machine in group.machines)
    return tuple(
        Copy(sum(disk.size for disk in each), used(machine.key), machine.host) for machine, each in disks if each
    )


def rates_of(spec: MigrationSpec, source: str, method: Method, measured: Mapping[Way, Figure]) -> Rates:
    """Return the rates of a vCenter and a method. Raises KeyError for a method that reads nothing from vSphere."""
    stated = spec.settings.copy
    per_vm, per_host, total = (Figure(value, "assumed") for value in ASSUMED[method])
    per_vm = _stated(stated.per_vm) or measured.get(method, per_vm)
    per_host = _stated(stated.per_host) or max(per_host, per_vm)
    jobs = next((each.vcenter.parallel_conversions for each in spec.sources if each.name == source), None)
    return Rates(
        per_vm,
        per_host,
        _stated(stated.total) or max(total, per_host),
        stated.vms_per_host or VMS_PER_HOST,
        jobs if METHODS[method].converts else None,
    )


def rate_elsewhere(spec: MigrationSpec, group: Group, measured: Mapping[Way, Figure]) -> Figure | None:
    """Return the rate of one VM that the storage array copies, or that comes from an image; None: unknown.

    Forklift's documentation has no rate for arrays. Images are exported by people; evidence only has their import.
    """
    stated = spec.settings.copy
    if group.forklift.offload:
        return _stated(stated.offload) or measured.get("offload")
    return _stated(stated.image)


def _stated(size: str | None) -> Figure | None:
    return Figure(parse_size(size), "stated") if size is not None else None


def measured(groups: Iterable[Group], evidence: Evidence | None) -> dict[Way, Figure]:
    """Return the rate of one VM that recorded copies had, by way: the capacity of its disks over its time.

    Copies that ran side by side were slower for it, so that the rate is that of a VM among others.
    """
    known = {group.name: (group, {machine.key: machine for machine in group.machines}) for group in groups}
    found: defaultdict[Way, list[tuple[float, float]]] = defaultdict(list)
    for entry in evidence.entries if evidence is not None else ():
        group, machines = known.get(entry.group or "", (None, {}))
        machine = machines.get(entry.vm) if entry.vm is not None else None
        if group is None or machine is None or entry.outcome != "succeeded":
            continue
        seconds = _lasted(entry.started, entry.finished)
        size = entry.bytes or sum(disk.size for disk in filled(machine, group.method))
        if _SHOWS.get(group.method) == entry.what and seconds and size:
            found["offload" if group.forklift.offload else group.method].append((size, seconds))
    return {
        way: Figure(sum(size for size, _ in each) / sum(seconds for _, seconds in each), "measured", len(each))
        for way, each in found.items()
    }


def _lasted(started: str | None, finished: str | None) -> float:
    """Return the seconds between two times; 0 if that is not known."""
    if started is None or finished is None or not is_time(started) or not is_time(finished):
        return 0
    return max(moment(finished) - moment(started), 0)


def estimate(copies: Sequence[Copy], rates: Rates) -> Estimate | None:
    """Return how long copies from one vCenter take that start together; None if there is nothing to copy."""
    limits = [limit for limit in _limits(copies, rates) if limit.seconds > 0]
    return max(limits, key=lambda limit: limit.seconds, default=None)


def _limits(copies: Sequence[Copy], rates: Rates) -> Iterator[Estimate]:
    """Yield how long it takes at least, by each limit."""
    # measured rates are those of whole disks: what is in use at other sites says nothing of them
    whole = rates.per_vm.basis == "measured"
    times = [(each.capacity if whole else each.size) / rates.per_vm.value for each in copies]
    yield Estimate(max(times, default=0), rates.per_vm, "VM")
    hosts: defaultdict[str | None, list[int]] = defaultdict(list)  # unknown hosts count as one
    for index, each in enumerate(copies):
        hosts[each.host].append(index)
    for indexes in hosts.values():
        if len(indexes) > rates.vms_per_host:
            busy = sum(times[index] for index in indexes) / rates.vms_per_host
            yield Estimate(busy, rates.per_vm, "VM", rates.vms_per_host)
        yield Estimate(sum(copies[index].size for index in indexes) / rates.per_host.value, rates.per_host, "ESXi host")
    if rates.at_once is not None and len(copies) > rates.at_once:
        yield Estimate(sum(times) / rates.at_once, rates.per_vm, "VM", rates.at_once)
    yield Estimate(sum(each.size for each in copies) / rates.total.value, rates.total, "vCenter")


def about(seconds: float) -> str:
    """Return a duration in words, rounded up: to 5 minutes, from one hour on to half hours, from 12 on to hours."""
    minutes = -(-seconds // 300) * 5
    if minutes < 60:
        return f"about {minutes:.0f} min"
    hours = -(-seconds // 1800) / 2
    if hours <= 12:
        return f"about {hours:g} h"
    return f"about {-(-seconds // 3600):.0f} h"


def at_rate(found: Estimate) -> str:
    """Return the rate of an estimate in words: `at an assumed 272 MiB/s per ESXi host`."""
    basis = {"assumed": "an assumed", "stated": "the stated", "measured": "the measured"}[found.figure.basis]
    value = found.figure.value / _MIB
    of = f" ({found.figure.copies} copies)" if found.figure.copies > 1 else " (1 copy)" * found.figure.copies
    many = f", {found.at_once} at once" if found.at_once is not None else ""
    return f"at {basis} {value:.{0 if value >= 10 else 1}f} MiB/s per {found.per}{many}{of}"
