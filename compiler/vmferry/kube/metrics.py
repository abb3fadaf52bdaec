"""What KubeVirt measures of a running VM, as queries of Prometheus: sums by VM, or by VM and disk.

Names and labels are those of kubevirt/kubevirt pkg/monitoring/metrics/virt-handler/domainstats (cpu, vcpu, memory,
block and network_metrics.go; docs/observability/metrics.md), the same from v1.3.0 to v1.9.0: `namespace`, `name`,
`node`, and the labels of the VM; of disks also `drive`, which is the disk's name in the VM. Counters begin again on the
node that a VM is live-migrated to, so each query adds up the rates of all nodes.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Literal

Sum = Literal[
    "cpu",
    "cpuWait",
    "swapIn",
    "traffic",
    "packets",
    "lostPackets",
    "reads",
    "writes",
    "readTime",
    "writeTime",
    "throughput",
]
"""`cpu`, `cpuWait`: seconds per second, of all vCPUs together. `swapIn`, `traffic`, `throughput`: KiB per second.
`packets`, `lostPackets`, `reads`, `writes`: per second. `readTime`, `writeTime`: seconds per second, which is the
average number of requests that are under way.
"""

_VM, _DISK = "namespace, name", "namespace, name, drive"
_METRICS: dict[Sum, tuple[str, tuple[str, ...], float]] = {
    "cpu": (_VM, ("cpu_usage_seconds_total",), 1),
    "cpuWait": (_VM, ("vcpu_delay_seconds_total",), 1),
    "swapIn": (_VM, ("memory_swap_in_traffic_bytes",), 1024),
    "traffic": (_VM, ("network_receive_bytes_total", "network_transmit_bytes_total"), 1024),
    "packets": (_VM, ("network_receive_packets_total", "network_transmit_packets_total"), 1),
    "lostPackets": (
        _VM,
        (
            *("network_receive_packets_dropped_total", "network_transmit_packets_dropped_total"),
            *("network_receive_errors_total", "network_transmit_errors_total"),
        ),
        1,
    ),
    "reads": (_DISK, ("storage_iops_read_total",), 1),
    "writes": (_DISK, ("storage_iops_write_total",), 1),
    "readTime": (_DISK, ("storage_read_times_seconds_total",), 1),
    "writeTime": (_DISK, ("storage_write_times_seconds_total",), 1),
    "throughput": (_DISK, ("storage_read_traffic_bytes_total", "storage_write_traffic_bytes_total"), 1024),
}
"""By what it is summed up, the counters (without `kubevirt_vmi_`), and what they are divided by."""

ALWAYS = "kubevirt_vmi_cpu_usage_seconds_total"
"""A counter that every running VM has."""


def rate(name: Sum, seconds: int) -> str:
    """Return the query of a sum, averaged over the last ``seconds``."""
    by, counters, unit = _METRICS[name]
    terms = " + ".join(f"sum by ({by}) (rate(kubevirt_vmi_{counter}[{seconds}s]))" for counter in counters)
    if unit == 1:
        return terms
    return f"({terms}) / {unit:g}" if len(counters) > 1 else f"{terms} / {unit:g}"


def covered(seconds: int) -> str:
    """Return the query of how many of the last ``seconds`` each VM was measured, in steps."""
    step = max(60, seconds // 96)
    return f"{step} * count_over_time((count by ({_VM}) ({ALWAYS}))[{seconds}s:{step}s])"


MEASURE = "vmferry"
"""The label that says what a series is of: an answer of Prometheus does not repeat its query."""
COVERED = "covered"


def queries(seconds: int, namespaces: Iterable[str]) -> Iterator[str]:
    """Yield the queries of all sums in these namespaces, each on one line, with the name of the sum as a label."""
    of = "|".join(sorted(namespaces))
    texts = {name: rate(name, seconds) for name in _METRICS} | {COVERED: covered(seconds)}
    for name, text in texts.items():
        within = re.sub(r"(kubevirt_vmi_\w+)", rf'\1{{namespace=~"{of}"}}', text)
        yield f'label_replace({within}, "{MEASURE}", "{name}", "", "")'


SUMS = {name: name for name in _METRICS}
"""What there are queries of, by the text of the label."""
