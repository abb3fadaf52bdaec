"""Resource usage of VMs, from vCenter's PerformanceManager: averages and peaks, and their coverage.

Counters (vSphere Performance Counters): cpu.usage and mem.usage in hundredths of a percent, net.usage and
virtualDisk.read and .write in KB/s, virtualDisk.number…Averaged in operations per second, virtualDisk.total…Latency in
whole milliseconds. Per-disk counters are only kept at statistics level 3, so they are often missing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, NamedTuple

from pyVmomi import vim, vmodl

from vmferry.importers.vcenter.collect import Collector, key
from vmferry.importers.vcenter.session import Session
from vmferry.model.facts import Baseline, DiskBaseline, Rate
from vmferry.model.spec import VirtualMachine

DEFAULT_LIMIT = 64  # default of config.vpxd.stats.maxQueryMetrics: metrics per query
_LIMIT_OPTION = "config.vpxd.stats.maxQueryMetrics"
_UNLIMITED = 1024  # metrics per query if vCenter sets no limit
_DAY = 86400
_STANDARD_INTERVALS = ((300, _DAY), (1800, 7 * _DAY), (7200, 30 * _DAY), (_DAY, 365 * _DAY))

_CPU, _MEMORY, _NETWORK = "cpu.usage.average", "mem.usage.average", "net.usage.average"
_WHOLE = {_CPU: 0.01, _MEMORY: 0.01, _NETWORK: 1.0}  # counter -> unit of the model
_BY_DISK = {
    "virtualDisk.numberReadAveraged.average": "read_iops",
    "virtualDisk.numberWriteAveraged.average": "write_iops",
    "virtualDisk.read.average": "read",
    "virtualDisk.write.average": "write",
    "virtualDisk.totalReadLatency.average": "read_latency",
    "virtualDisk.totalWriteLatency.average": "write_latency",
}


_performance: Any = vim.PerformanceManager  # its stubs do not type constructors
_machine: Any = vim.VirtualMachine


class _Question(NamedTuple):
    vm: str
    spec: Any
    metrics: int


class _Plan(NamedTuple):
    """The metrics to query for every VM."""

    days: int
    interval: int  # seconds per sample
    counters: Mapping[str, int]
    start: Any
    end: Any


def read_baselines(
    session: Session,
    collector: Collector,
    vms: Iterable[VirtualMachine],
    days: int,
    progress: Callable[[int], None],
) -> Mapping[str, Baseline]:
    """Return the baseline of VMs by object id; templates have none.

    ``progress`` is called with the number of VMs done. Calls: the metrics of all VMs (three, and six per disk) divided
    by vCenter's limit per query.
    """
    plan = _plan(session, collector, days)
    manager = session.content.perfManager
    questions = [_question(session, plan, vm) for vm in vms if vm.id and not vm.template]
    found: dict[str, Baseline] = {}
    done = 0
    for batch in _batches(questions, _limit(session)):
        for answer in _answers(manager, batch):
            vm = key(answer.entity)
            found[vm] = _baseline(plan, answer)
        done += len(batch)
        progress(done)
    return found


def _plan(session: Session, collector: Collector, days: int) -> _Plan:
    record = collector.one(session.content.perfManager, "perfCounter", "historicalInterval")
    counters = {f"{c.groupInfo.key}.{c.nameInfo.key}.{c.rollupType}": c.key for c in record.get("perfCounter") or ()}
    intervals = [(i.samplingPeriod, i.length) for i in record.get("historicalInterval") or () if i.enabled]
    end = session.now()
    return _Plan(
        days=days,
        interval=_interval(intervals or _STANDARD_INTERVALS, days),
        counters={name: counters[name] for name in (*_WHOLE, *_BY_DISK) if name in counters},
        start=end - timedelta(days=days),
        end=end,
    )


def _interval(intervals: Iterable[tuple[int, int]], days: int) -> int:
    """Return the shortest sampling period that vCenter keeps for that many days."""
    lasting = [period for period, length in intervals if length >= days * _DAY]
    return min(lasting) if lasting else max(period for period, _ in intervals)


def _limit(session: Session) -> int:
    """Return the maximum number of metrics per query. If the option is not readable, vCenter's default applies."""
    with suppress(vmodl.MethodFault, AttributeError, TypeError, ValueError, IndexError):
        value = int(session.content.setting.QueryOptions(_LIMIT_OPTION)[0].value)
        return value if value > 0 else _UNLIMITED
    return DEFAULT_LIMIT


def _question(session: Session, plan: _Plan, vm: VirtualMachine) -> _Question:
    units = [disk.unit for disk in vm.disks or () if disk.unit]
    metrics = [
        _performance.MetricId(counterId=counter, instance=instance)
        for name, counter in plan.counters.items()
        for instance in (units if name in _BY_DISK else [""])
    ]
    spec = _performance.QuerySpec(
        entity=_machine(vm.id, session.stub),
        metricId=metrics,
        intervalId=plan.interval,
        startTime=plan.start,
        endTime=plan.end,
        format="csv",  # ten times as fast as `normal` to transfer and parse
    )
    return _Question(vm.id or "", spec, len(metrics))


def _batches(questions: Iterable[_Question], limit: int) -> Iterator[list[_Question]]:
    batch: list[_Question] = []
    size = 0
    for question in questions:
        if batch and size + question.metrics > limit:
            yield batch
            batch, size = [], 0
        batch.append(question)
        size += question.metrics
    if batch:
        yield batch


def _answers(manager: Any, batch: Sequence[_Question]) -> Iterator[Any]:
    """Yield the responses to a batch. A refused batch is split in halves; a VM that is refused alone has none."""
    try:
        answers = manager.QueryPerf([question.spec for question in batch])
    except vmodl.MethodFault:
        # too many metrics, a deleted VM, or one without statistics: the fault does not say which
        half = len(batch) // 2
        if half:
            yield from _answers(manager, batch[:half])
            yield from _answers(manager, batch[half:])
    else:
        yield from answers or ()


def _baseline(plan: _Plan, answer: Any) -> Baseline:
    names = {counter: name for name, counter in plan.counters.items()}
    whole: dict[str, list[float]] = {}
    disks: dict[str, dict[str, _Samples]] = {}
    for series in answer.value or ():
        name, values = names.get(series.id.counterId, ""), _samples(series.value)
        if name in _WHOLE:
            whole[name] = [value * _WHOLE[name] for value in _present(values)]
        elif name in _BY_DISK and series.id.instance:
            disks.setdefault(str(series.id.instance), {})[_BY_DISK[name]] = values
    samples = max((len(values) for values in whole.values()), default=0)
    return Baseline(
        days=plan.days,
        samples=samples,
        interval=plan.interval,
        coverage=round(min(1.0, samples * plan.interval / (plan.days * _DAY)), 3),
        cpu=_rate(whole.get(_CPU)),
        memory=_rate(whole.get(_MEMORY)),
        network=_rate(whole.get(_NETWORK)),
        disks=tuple(
            DiskBaseline(label=label, **rates) for label, series in sorted(disks.items()) if (rates := _rates(series))
        ),
    )


_Samples = list[float | None]
"""Values in the order of time; None where vCenter has none."""


def _samples(csv: str | None) -> _Samples:
    """Return the samples of a series; vCenter writes -1 for missing ones."""
    return [number if (number := float(part)) >= 0 else None for part in (csv or "").split(",") if part]


def _present(values: _Samples) -> list[float]:
    return [value for value in values if value is not None]


def _rates(series: Mapping[str, _Samples]) -> dict[str, Rate]:
    """Return the rates of a disk. A latency is averaged over requests, not over time: idle hours say nothing."""
    found = {name: rate for name, values in series.items() if (rate := _rate(_present(values)))}
    for latency, count in (("read_latency", "read_iops"), ("write_latency", "write_iops")):
        times, counts = series.get(latency, []), series.get(count, [])
        if latency in found and len(times) == len(counts):
            pairs = [(time, many) for time, many in zip(times, counts, strict=True) if time is not None and many]
            if pairs:
                mean = sum(time * many for time, many in pairs) / sum(many for _, many in pairs)
                found[latency] = Rate(average=round(mean, 2), peak=found[latency].peak)
    return found


def _rate(values: Sequence[float] | None) -> Rate | None:
    if not values:
        return None
    return Rate(average=round(sum(values) / len(values), 2), peak=round(max(values), 2))
