"""Alerts on VMs that are slower than in vSphere, on synthetic metrics of KubeVirt: each fires, and resolves."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.backends.estate import blueprint, group, machine
from tests.backends.test_performance import baseline
from tests.servers.prometheus import Exporter, Server, check_rules, running, unit_test, write_rules

from vmferry.backends import monitoring, performance
from vmferry.estate.performance import comparison
from vmferry.model.blueprint import Blueprint
from vmferry.model.manifest import KubeObject, Resource
from vmferry.model.spec import Monitoring, PerformanceSettings, PhasePerformance, PrometheusRules
from vmferry.observe.prometheus import Answers, observed, queries

VM = machine("db-01", key="vc1/vm-2", sockets=2, cores=2, baseline=baseline())
OF_VM = 'namespace="web",name="db-01",node="n1"'
OF_DISK = f'{OF_VM},drive="disk-0",kubernetes_vmi_label_app="db"'
LONG = 240  # minutes
FIRES = 'ALERTS{alertname="%s",alertstate="firing",migration="acme",group="stateful-01",phase="stateful"}'
OTHERS = 'ALERTS{alertname!="%s",alertstate="firing"}'


def migration(window: str = "2h") -> Blueprint:
    """Return a group with one VM that runs. In vSphere: 20 % CPU, 60 reads at 4 ms, 40 writes at 1 ms."""
    settings = PerformanceSettings(window=window, period=window)
    return blueprint(
        group("stateful-01", "job", VM, performance=comparison(settings, PhasePerformance())),
        monitoring=Monitoring(prometheus_rules=PrometheusRules(namespace="monitoring")),
        performance=settings,
        namespaces=(),
    )


def rules(window: str = "2h") -> list[KubeObject]:
    """Return the rules of the migration."""
    found = migration(window)
    items = (*monitoring.emit(found), *performance.emit(found))
    every = [item.object for item in items if isinstance(item, Resource)]
    return [obj for obj in every if obj["metadata"]["name"] != "acme--alerts"]


def counters(**rates: float) -> dict[str, float]:
    """Return the counters of the VM by what they grow a second; what is not said is as it was in vSphere."""
    usual = {
        "cpu": 0.8,  # 20 % of 4 vCPUs
        "wait": 0.0,
        "swap": 0.0,
        "traffic": 50 * 1024,
        "packets": 50,
        "lost": 0.0,
        "reads": 60,
        "writes": 40,
        "read_time": 60 * 0.004,
        "write_time": 40 * 0.001,
        "bytes": 500 * 1024,
    }
    now = usual | rates
    of_vm = {
        "cpu_usage_seconds_total": now["cpu"],
        "memory_swap_in_traffic_bytes": now["swap"],
    }
    found = {f"kubevirt_vmi_{name}{{{OF_VM}}}": value for name, value in of_vm.items()}
    found |= {f'kubevirt_vmi_vcpu_delay_seconds_total{{{OF_VM},id="{each}"}}': now["wait"] / 4 for each in range(4)}
    of_nic = {"receive_bytes_total": "traffic", "transmit_bytes_total": "traffic", "receive_packets_total": "packets"}
    of_nic |= {"transmit_packets_total": "packets", "receive_packets_dropped_total": "lost"}
    of_nic |= dict.fromkeys(("transmit_packets_dropped_total", "receive_errors_total"), "nothing")
    of_nic |= {"transmit_errors_total": "nothing"}
    found |= {
        f'kubevirt_vmi_network_{name}{{{OF_VM},interface="nic-0"}}': now.get(key, 0.0) for name, key in of_nic.items()
    }
    of_disk = {
        "iops_read_total": now["reads"],
        "iops_write_total": now["writes"],
        "read_times_seconds_total": now["read_time"],
        "write_times_seconds_total": now["write_time"],
        "read_traffic_bytes_total": now["bytes"],
        "write_traffic_bytes_total": now["bytes"],
    }
    return found | {f"kubevirt_vmi_storage_{name}{{{OF_DISK}}}": value for name, value in of_disk.items()}


SLOWER: dict[str, dict[str, float]] = {
    "VmferryDiskSlower": {"read_time": 60 * 0.020},
    "VmferryDiskHeldUp": {"reads": 20, "writes": 5, "bytes": 50 * 1024, "read_time": 4.5, "write_time": 0.004},
    "VmferryCpuHeldUp": {"cpu": 0.4, "wait": 0.4},
    "VmferryCpuFull": {"cpu": 3.8},
    "VmferryMemoryShort": {"swap": 4 << 20},
    "VmferryNetworkHeldUp": {"traffic": 10 * 1024, "lost": 5},
}
BESIDE = {"VmferryDiskHeldUp": "VmferryDiskSlower"}
"""An alert that fires as well: 4.5 s of waiting a second for 20 reads is 225 ms for each."""

WELL: dict[str, dict[str, float]] = {
    "as in vSphere": {},
    "half of the load": {name: value / 2 for name, value in {"cpu": 0.8, "reads": 60, "writes": 40}.items()}
    | {"read_time": 0.12, "write_time": 0.02, "bytes": 250 * 1024, "traffic": 25 * 1024},
    "no load at all": dict.fromkeys(("cpu", "reads", "writes", "read_time", "write_time", "bytes", "traffic"), 0.0),
    "almost no load, and each read takes long": {"reads": 2, "writes": 1, "read_time": 1, "write_time": 0.5},
    "more work": {"cpu": 2, "reads": 300, "writes": 200, "read_time": 1.5, "write_time": 0.4, "traffic": 900 * 1024},
    "fewer and larger requests that queue": {"reads": 15, "writes": 10, "read_time": 0.15, "write_time": 3.9 / 100},
    "lost packets at full traffic": {"lost": 10},
    "vCPUs wait, and it does all of its work": {"wait": 1},
}


def series(before: dict[str, float], then: dict[str, float] | None = None) -> dict[str, str]:
    """Return the counters by minute: ``before`` until the middle, and back to normal then."""
    after = counters() if then is None else then
    return {
        name: f"0+{value * 60:.6f}x{LONG} {value * 60 * LONG:.6f}+{after[name] * 60:.6f}x{LONG}"
        for name, value in before.items()
    }


def test_promtool_takes_the_rules(tmp_path: Path) -> None:
    found = rules()
    assert {obj["metadata"]["name"] for obj in found} == {
        "acme-stateful-01",
        "acme-stateful-01--baseline",
        "acme--performance",
    }
    check_rules(write_rules(tmp_path, found))


@pytest.mark.parametrize("alert", SLOWER)
def test_an_alert_fires_while_a_vm_is_slower_and_resolves(alert: str, tmp_path: Path) -> None:
    paths = write_rules(tmp_path, rules())
    beside = 1 if alert in BESIDE else 0
    unit_test(
        tmp_path,
        paths,
        series(counters(**SLOWER[alert])),
        {FIRES % alert: {"10m": 0, "200m": 1, "470m": 0}, OTHERS % alert: {"200m": beside, "470m": 0}},
    )


@pytest.mark.parametrize("case", WELL)
def test_a_vm_that_does_less_or_more_or_nothing_is_not_slower(case: str, tmp_path: Path) -> None:
    paths = write_rules(tmp_path, rules())
    unit_test(tmp_path, paths, series(counters(**WELL[case])), {"ALERTS": {"200m": 0, "470m": 0}})


def test_a_live_migration_changes_nothing(tmp_path: Path) -> None:
    """Counters begin at 0 on another node; half of the window is of each."""
    before = {name: f"0+{value * 60:.6f}x300" for name, value in counters().items()}
    after = {
        name.replace('node="n1"', 'node="n2"'): f"_x300 0+{value * 60:.6f}x400" for name, value in counters().items()
    }
    expected = {
        "ALERTS": {"290m": 0, "330m": 0, "360m": 0, "500m": 0},
        'round(vmferry:vm:now{measure="cpu"})': {"290m": 20, "360m": 20, "500m": 20},
        'round(vmferry:vm:now{measure="readLatency"})': {"290m": 4, "360m": 4, "500m": 4},
    }
    unit_test(tmp_path, write_rules(tmp_path, rules()), before | after, expected)


def test_a_vm_of_the_same_name_elsewhere_is_not_compared(tmp_path: Path) -> None:
    elsewhere = {
        name.replace('namespace="web"', 'namespace="other"'): values
        for name, values in series(counters(**SLOWER["VmferryDiskSlower"])).items()
    }
    unit_test(tmp_path, write_rules(tmp_path, rules()), series(counters()) | elsewhere, {"ALERTS": {"200m": 0}})


def test_it_says_so_if_virt_handler_is_not_scraped(tmp_path: Path) -> None:
    paths = write_rules(tmp_path, rules())
    missing = 'ALERTS{alertname="VmferryMetricsMissing",alertstate="firing",exporter="KubeVirt"}'
    unit_test(tmp_path, paths, {"up": "1x100"}, {missing: {"20m": 0, "60m": 1}})


class Load:
    """An exporter whose counters grow."""

    def __init__(self) -> None:
        self.exporter = Exporter()
        self.rates = counters()
        self._values = dict.fromkeys(self.rates, 0.0)
        self._stop = threading.Event()
        threading.Thread(target=self._grow, daemon=True).start()

    def _grow(self) -> None:
        while not self._stop.wait(0.1):
            for name, value in self.rates.items():
                self._values[name] += value / 10
            self.exporter.metrics = "".join(f"{name} {value}\n" for name, value in self._values.items())

    def stop(self) -> None:
        """Stop it."""
        self._stop.set()
        self.exporter.stop()


@pytest.fixture
def load() -> Iterator[Load]:
    found = Load()
    yield found
    found.stop()


def test_a_prometheus_raises_an_alert_for_a_slow_disk_and_resolves_it(tmp_path: Path, load: Load) -> None:
    paths = write_rules(tmp_path, rules(window="5s"), hasty=True)
    with running(tmp_path, paths, load.exporter) as server:
        server.until(set())
        load.rates = counters(**SLOWER["VmferryDiskSlower"])
        [alert] = server.until({"VmferryDiskSlower"})["VmferryDiskSlower"]
        assert alert["labels"]["severity"] == "warning"
        assert (alert["annotations"]["phase"], alert["annotations"]["group"]) == ("stateful", "stateful-01")
        assert alert["annotations"]["summary"].startswith("VM db-01 in namespace web: readLatency of disk-0 is "), (
            alert["annotations"]["summary"]
        )
        load.rates = counters()
        server.until(set())


def compared(server: Server, found: Blueprint) -> tuple[str, str | None]:
    """Ask a Prometheus the queries of `vmferry observe`, and return how the VM compares, and why."""
    answers = Answers()
    for query in queries(found):
        answers.add(json.dumps(server.ask(f"query?query={quote(query)}")).encode())
    entries = observed(answers, found)
    return (entries[0].outcome, entries[0].cause) if entries else ("unknown", None)


def test_what_a_prometheus_answers_to_the_queries_says_whether_a_vm_is_slower(tmp_path: Path, load: Load) -> None:
    found = migration("5s")
    with running(tmp_path, [], load.exporter) as server:
        _until(("succeeded", None), server, found)
        load.rates = counters(**SLOWER["VmferryDiskSlower"])
        _until(("failed", "slower-than-before"), server, found)
        load.rates = counters()
        _until(("succeeded", None), server, found)


def _until(wanted: tuple[str, str | None], server: Server, found: Blueprint) -> None:
    end = time.monotonic() + 240  # a busy machine misses scrapes
    while (now := compared(server, found)) != wanted:
        assert time.monotonic() < end, now
        time.sleep(0.5)
