"""VMs compared with what they were in vSphere: their baseline as series of Prometheus, and alerts.

Per group that runs, the baseline of its VMs and the bounds around it are recorded (`vmferry:vm:baseline`, `…:most`,
`…:least`); what they are now is recorded once for all (`vmferry:vm:now`), under the same labels, so that an alert is
written once, however many VMs there are.
"""

from collections.abc import Iterator
from typing import Any

from vmferry.backends.alerts import INFO_VM, Alert, Rule, missing, rule
from vmferry.backends.monitoring import ALERTS, prometheus_rule, record, root_of, watched
from vmferry.backends.places import lock
from vmferry.estate.performance import Bound, bounds, compared, vcpus
from vmferry.kube.metrics import ALWAYS, rate
from vmferry.kube.quantity import parse_duration
from vmferry.model.blueprint import Blueprint, Group
from vmferry.model.manifest import Item, KubeObject, Resource
from vmferry.model.spec import PerformanceSettings, PrometheusRules

BASELINES = "infra/baselines"
WAS, MOST, LEAST, NOW = "vmferry:vm:baseline", "vmferry:vm:most", "vmferry:vm:least", "vmferry:vm:now"
_RECORDS = 800
"""Series of one object: below 256 KiB, which is what an annotation of kubectl's may hold."""
_EVERY = "2m"
"""How often it is worked out: what looks at hours changes slowly. Prometheus forgets values after 5 minutes."""


def baselines_of(group: Group) -> str:
    """Return the root with the baselines of a group, beside the one with its other series."""
    return root_of(group).replace("infra/monitoring/", f"{BASELINES}/", 1)


def measured(group: Group) -> bool:
    """Return whether VMs of a group are compared at its stage."""
    return group.running and watched(group) and any(True for _ in compared(group))


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield the alerts, and the baselines of each group that runs."""
    rules = blueprint.monitoring.prometheus_rules
    if rules is None:
        return
    if blueprint.performance is not None:
        yield Resource(directory=ALERTS, object=_alerts(blueprint, rules, blueprint.performance))
    for group in filter(measured, blueprint.groups):
        records = list(_recorded(group))
        for number, start in enumerate(range(0, len(records), _RECORDS)):
            suffix = f".{number}" if number else ""
            yield Resource(
                directory=baselines_of(group),
                object=prometheus_rule(
                    blueprint,
                    rules,
                    f"{blueprint.name}-{group.name}--baseline{suffix}",
                    [
                        {
                            "name": f"{group.name} baseline{suffix}",
                            "interval": _EVERY,
                            "rules": records[start : start + _RECORDS],
                        }
                    ],
                    group,
                ),
                lock=lock(group),
                file=f"{group.name}.baseline{suffix}.yaml",
                listed=group.phase,
            )


def _recorded(group: Group) -> Iterator[Rule]:
    """Yield the baselines of a group's VMs, and the bounds that alerts look at."""
    assert group.performance is not None  # noqa: S101 - it is compared
    for machine, was in compared(group):
        of = {"namespace": machine.namespace, "name": machine.target_name}
        yield record(WAS, vcpus(machine), of | {"measure": "vcpus"})
        for bound in bounds(was, group.performance, peaks=True):
            labels = of | {"measure": bound.measure} | ({"drive": bound.disk} if bound.disk is not None else {})
            for name, value in _values(bound):
                yield record(name, value, labels)


def _values(bound: Bound) -> Iterator[tuple[str, float]]:
    for name, value in ((WAS, bound.was), (MOST, bound.most), (LEAST, bound.least)):
        if value is not None:
            yield name, value


# --- what VMs are now, and alerts ------------------------------------------------------------

_VM, _DISK = "namespace, name", "namespace, name, drive"
_SUBJECT = "VM {{ $labels.name }} in namespace {{ $labels.namespace }}"
_WAS = "than in vSphere"
_LASTING = "15m"


def _alerts(blueprint: Blueprint, rules: PrometheusRules, settings: PerformanceSettings) -> KubeObject:
    mine = f'migration="{blueprint.name}"'
    known = [
        {
            "record": NOW,
            "expr": expr.replace("MIGRATION", mine),
            "labels": {"migration": blueprint.name, "measure": name},
        }
        for name, expr in _now(settings)
    ]
    found = [rule(blueprint.name, alert, alert.expr, "") for alert in _slower(settings)]
    unseen = f"absent({ALWAYS}) and on () ({INFO_VM}{{MIGRATION}} and on ({_VM}) {WAS})"
    found.append(rule(blueprint.name, missing("KubeVirt", ALWAYS), unseen, "KubeVirt"))
    groups: list[dict[str, Any]] = [
        {"name": "performance", "interval": _EVERY, "rules": known},
        {"name": "performance alerts", "rules": found},
    ]
    return prometheus_rule(blueprint, rules, f"{blueprint.name}--performance", groups)


def _now(settings: PerformanceSettings) -> Iterator[tuple[str, str]]:
    """Yield the measures of VMs that run, each with its query. Latency has no value without load."""
    seconds, load = parse_duration(settings.window), settings.iops_at_least
    own = f"and on ({_VM}) {INFO_VM}{{MIGRATION}}"
    cpus = f'on ({_VM}) {WAS}{{measure="vcpus"}}'
    yield "cpu", f"(100 * {rate('cpu', seconds)} / {cpus}) {own}"
    yield "cpuWait", f"(100 * {rate('cpuWait', seconds)} / {cpus}) {own}"
    yield "swapIn", f"({rate('swapIn', seconds)}) {own}"
    yield "network", f"({rate('traffic', seconds)}) {own}"
    lost, sent = rate("lostPackets", seconds), rate("packets", seconds)
    yield "lostPackets", f"(100 * ({lost}) / ({sent} + {lost} > 0)) {own}"
    reads, writes = rate("reads", seconds), rate("writes", seconds)
    yield "readLatency", f"(1000 * {rate('readTime', seconds)} / ({reads} >= {load})) {own}"
    yield "writeLatency", f"(1000 * {rate('writeTime', seconds)} / ({writes} >= {load})) {own}"
    yield "iops", f"({reads} + {writes}) {own}"
    yield "queue", f"({rate('readTime', seconds)} + {rate('writeTime', seconds)}) {own}"
    yield "throughput", f"({rate('throughput', seconds)}) {own}"


def _slower(settings: PerformanceSettings) -> Iterator[Alert]:
    """Yield an alert for each way in which a VM can be slower."""
    next_ = "`vmferry explain` has its StorageClass and nodes; docs/performance.md says what to look at"
    yield _alert(
        "VmferryDiskSlower",
        f"{_too('most', 'readLatency')}\nor\n{_too('most', 'writeLatency')}",
        f"{_SUBJECT}: {{{{ $labels.measure }}}} of {{{{ $labels.drive }}}} is {{{{ $value | humanize }}}} ms, "
        f"longer {_WAS}",
        next_,
    )
    enough = f"{_now_of('throughput')} >= on ({_DISK}) {_of(LEAST, 'throughput')}"
    low = (
        f"{_too('least', 'iops')} unless on ({_DISK}) ({enough})\n"
        f"or\n{_too('least', 'throughput')} unless on ({_DISK}) {_of(LEAST, 'iops')}"
    )
    yield _alert(
        "VmferryDiskHeldUp",
        f"({low}) and on ({_DISK}) {_now_of('queue')} >= {settings.queue:g}",
        f"{_SUBJECT}: {{{{ $labels.drive }}}} does less {_WAS}, and requests wait",
        next_,
    )
    yield _alert(
        "VmferryCpuHeldUp",
        f"{_too('least', 'cpu')} and on ({_VM}) {_now_of('cpuWait')} >= {settings.cpu_wait}",
        f"{_SUBJECT} gets less CPU time {_WAS}, and its vCPUs wait for CPUs",
        "its node has too little CPU: compare cpuAllocationRatio with the node's load, or dedicate CPUs to the VM",
    )
    yield _alert(
        "VmferryCpuFull",
        _too("most", "cpu"),
        f"{_SUBJECT} uses {{{{ $value | humanize }}}} % of its vCPUs, more {_WAS}",
        "look at what uses it in the guest; emulated devices and a missing virtio driver cost CPU time",
    )
    yield _alert(
        "VmferryMemoryShort",
        _too("most", "swapIn"),
        f"{_SUBJECT} reads {{{{ $value | humanize }}}} KiB/s from its swap; its memory was enough in vSphere",
        "compare its memory in the target with vSphere's; a balloon or a smaller instance type takes from it",
    )
    yield _alert(
        "VmferryNetworkHeldUp",
        f"{_too('least', 'network')} and on ({_VM}) {_now_of('lostPackets')} >= {settings.drops:g}",
        f"{_SUBJECT} has less traffic {_WAS}, and loses packets",
        "compare the MTU of its networks with vSphere's, and look at the NICs' model and their node's uplink",
    )


def _alert(name: str, expr: str, summary: str, next_: str) -> Alert:
    """Return an alert on VMs, with their group."""
    of_group = f"({expr}) * on ({_VM}) group_left (phase, group, stage) {INFO_VM}{{MIGRATION}}"
    return Alert(name, "warning", of_group, _LASTING, summary, next_)


def _too(side: str, measure: str) -> str:
    """Return the VMs or disks that are beyond a bound."""
    sign, bound = {"most": (">", MOST), "least": ("<", LEAST)}[side]
    by = _DISK if measure in ("readLatency", "writeLatency", "iops", "throughput") else _VM
    return f"{_now_of(measure)} {sign} on ({by}, measure) {_of(bound, measure)}"


def _now_of(measure: str) -> str:
    return f'{NOW}{{MIGRATION,measure="{measure}"}}'


def _of(name: str, measure: str) -> str:
    return f'{name}{{measure="{measure}"}}'
