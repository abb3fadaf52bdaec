"""The alerts of a migration, loaded by promtool and by a Prometheus: each fires, says whose it is, and resolves."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.backends.estate import blueprint, group, machine
from tests.servers.prometheus import Exporter, check_rules, running, unit_test, write_rules

from vmferry.backends import monitoring
from vmferry.model.blueprint import QUOTA_STATED, NamespacePlan, PhasePlan
from vmferry.model.manifest import KubeObject, Resource
from vmferry.model.spec import Monitoring, PrometheusRules

EXAMPLES = Path(__file__).parents[2] / "examples"
RULES = Monitoring(prometheus_rules=PrometheusRules(namespace="monitoring"))

POD = 'namespace="web",pod="virt-launcher-db-01-x7k2p"'
QUOTA = 'namespace="web",resourcequota="vmferry",resource="requests.cpu"'
RUNS = 'kubevirt_vmi_info{namespace="web",name="db-01",phase="running"}'
STAYS = 'kubevirt_vmi_info{namespace="web",name="web-01",phase="running"}'
FAULTS = {
    "VmferryPlanFailed": {'mtv_plan_alert_status{plan_name="acme-stateless-01",status="Failed"}': "1x30 _x30"},
    "VmferryConversionFailed": {
        'kube_job_failed{namespace="web",job_name="db-01-convert-1",condition="true"}': "1x30 0x30"
    },
    "VmferryVMNotRunning": {RUNS: "_x30 1x30"},
    "VmferryVMNotReady": {
        f'kube_pod_status_ready{{{POD},condition="true"}}': "0x30 1x30",
        f'kube_pod_status_phase{{{POD},phase="Running"}}': "1x60",
    },
    "VmferryVMCannotBeEvicted": {'kubevirt_vmi_non_evictable{namespace="web",name="db-01",node="n1"}': "1x30 0x30"},
    "VmferryQuotaNearlyFull": {
        f'kube_resourcequota{{{QUOTA},type="used"}}': "95x30 50x30",
        f'kube_resourcequota{{{QUOTA},type="hard"}}': "100x60",
    },
    "VmferryMetricsMissing": {"mtv_plans_status": "_x40 1x20"},
}
"""What is wrong for half an hour, and then is not."""

WELL = {
    RUNS: "1x60",
    STAYS: "1x60",
    'kube_job_info{namespace="web",job_name="db-01-convert-1"}': "1x60",
    'kube_resourcequota{namespace="web",resourcequota="vmferry",resource="pods",type="hard"}': "100x60",
    "mtv_plans_status": "1x60",
}
"""What exporters say while nothing is wrong."""


def rules(name: str = "db-01") -> list[KubeObject]:
    """Return the rules of a migration with a warm group that cuts over and a Job's group that was just started."""
    quota = NamespacePlan(name="web", quota={"requests.cpu": "100"}, quota_basis=QUOTA_STATED)
    found = blueprint(
        group("stateless-01", "warm", machine("web-01", key="vc1/vm-1")),
        group("stateful-01", "job", machine(name, key="vc1/vm-2")),
        monitoring=RULES,
        namespaces=(quota,),
        phases=(
            PhasePlan(name="stateless", kind="stateless", priority=1),
            PhasePlan(name="stateful", kind="stateful", priority=2),
        ),
    )
    return [item.object for item in monitoring.emit(found) if isinstance(item, Resource)]


@pytest.mark.parametrize("example", ["acme", "acme-argocd"])
def test_promtool_takes_every_rule_of_the_examples(example: str, tmp_path: Path) -> None:
    files = sorted((EXAMPLES / example / "gitops" / "infra").glob("*/**/*.yaml"))
    found = [obj for path in files for obj in yaml.safe_load_all(path.read_text()) if obj["kind"] == "PrometheusRule"]
    assert len(found) > 3
    check_rules(write_rules(tmp_path, found))


@pytest.mark.parametrize("alert", FAULTS)
def test_an_alert_fires_once_it_lasts_and_resolves(alert: str, tmp_path: Path) -> None:
    paths = write_rules(tmp_path, rules())
    fires = f'ALERTS{{alertname="{alert}",alertstate="firing",migration="acme"}}'
    others = f'ALERTS{{alertname!="{alert}",alertstate="firing"}}'
    early = "29m" if alert == "VmferryMetricsMissing" else "0m"
    late = "35m" if alert == "VmferryMetricsMissing" else "25m"
    expected = {fires: {early: 0, late: 1, "55m": 0}, others: {late: 0, "55m": 0}}
    unit_test(tmp_path, paths, WELL | FAULTS[alert], expected)


def test_nothing_fires_while_nothing_is_wrong(tmp_path: Path) -> None:
    unit_test(tmp_path, write_rules(tmp_path, rules()), WELL, {"ALERTS": {"1m": 0, "50m": 0}})


def test_a_warm_vm_that_is_not_made_yet_is_not_missed_and_one_that_is_down_is(tmp_path: Path) -> None:
    paths = write_rules(tmp_path, rules())
    fires = 'ALERTS{alertname="VmferryVMNotRunning",alertstate="firing",group="stateless-01"}'
    made = 'kubevirt_vmi_info{namespace="web",name="web-01",phase="scheduling"}'
    unit_test(tmp_path, paths, WELL | {STAYS: "_x60", made: "_x25 1x30"}, {fires: {"24m": 0, "45m": 1}})


def test_a_vm_of_the_same_name_elsewhere_neither_raises_nor_hides_an_alert(tmp_path: Path) -> None:
    paths = write_rules(tmp_path, rules())
    elsewhere = 'kubevirt_vmi_info{namespace="other",name="db-01",phase="running"}'
    stuck = 'kubevirt_vmi_non_evictable{namespace="other",name="db-01",node="n1"}'
    fires = 'ALERTS{alertname="VmferryVMNotRunning",alertstate="firing"}'
    evicts = 'ALERTS{alertname="VmferryVMCannotBeEvicted"}'
    unit_test(
        tmp_path,
        paths,
        WELL | {RUNS: "_x60", elsewhere: "1x60", stuck: "1x60"},
        {fires: {"30m": 1}, evicts: {"30m": 0}},
    )


def test_pods_that_ended_and_pods_of_others_do_not_count_as_not_ready(tmp_path: Path) -> None:
    paths = write_rules(tmp_path, rules())
    ended = 'namespace="web",pod="virt-launcher-db-01-aaaaa"'
    other = 'namespace="web",pod="virt-launcher-db-01-b-x7k2p"'
    series = {f'kube_pod_status_ready{{{each},condition="true"}}': "0x60" for each in (ended, other)} | {
        f'kube_pod_status_phase{{{ended},phase="Running"}}': "0x60",
        f'kube_pod_status_phase{{{ended},phase="Succeeded"}}': "1x60",
        f'kube_pod_status_phase{{{other},phase="Running"}}': "1x60",
    }
    unit_test(tmp_path, paths, WELL | series, {"ALERTS": {"40m": 0}})


@pytest.mark.parametrize("length", [43, 44, 63])
def test_a_pod_that_is_not_ready_is_found_however_long_the_name_of_its_vm_is(tmp_path: Path, length: int) -> None:
    """Kubernetes cuts what a generated name begins with to 58 characters."""
    name = ("orders-database-of-the-warehouse-in-the-north-of-the-country" * 2)[:length]
    paths = write_rules(tmp_path, rules(name))
    pod = f'namespace="web",pod="{f"virt-launcher-{name}-"[:58]}x7k2p"'
    series = {
        f'kube_pod_status_ready{{{pod},condition="true"}}': "0x60",
        f'kube_pod_status_phase{{{pod},phase="Running"}}': "1x60",
    }
    fires = f'ALERTS{{alertname="VmferryVMNotReady",alertstate="firing",name="{name}"}}'
    unit_test(tmp_path, paths, WELL | series, {fires: {"40m": 1}})


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    found = Exporter()
    yield found
    found.stop()


def test_a_prometheus_raises_an_alert_that_names_the_group_and_the_next_step_and_resolves_it(
    tmp_path: Path, exporter: Exporter
) -> None:
    paths = write_rules(tmp_path, rules(), hasty=True)
    well = "\n".join(f"{series} 1" for series in WELL) + "\n"
    failed = 'kube_job_failed{namespace="web",job_name="db-01-convert-1",condition="true"} 1\n'
    exporter.metrics = well
    with running(tmp_path, paths, exporter) as server:
        found = server.ask("rules")["data"]["groups"]
        assert {rule["health"] for each in found for rule in each["rules"]} <= {"ok", "unknown"}
        server.until(set())
        exporter.metrics = well + failed
        [alert] = server.until({"VmferryConversionFailed"})["VmferryConversionFailed"]
        assert alert["labels"]["severity"] == "critical"
        assert (alert["annotations"]["phase"], alert["annotations"]["group"]) == ("stateful", "stateful-01")
        assert alert["annotations"]["summary"] == (
            "conversion Job db-01-convert-1 in namespace web has failed (group stateful-01, cutover)"
        )
        assert "attempt" in alert["annotations"]["runbook_step"]
        exporter.metrics = well.replace(f"{RUNS} 1\n", "")
        server.until({"VmferryVMNotRunning"})
        exporter.metrics = well
        server.until(set())
