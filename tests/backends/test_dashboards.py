"""Tests of `vmferry.backends.dashboards`: Grafana's own types take them, and they do not grow with VMs."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.backends import estate, schemas
from tests.backends.estate import blueprint, group, machine
from tests.backends.test_performance import HOW, RULES, baseline

from vmferry.backends import applier, argocd, dashboards, entry_points, performance
from vmferry.model.blueprint import Blueprint, PhasePlan
from vmferry.model.manifest import KubeObject
from vmferry.model.spec import Dashboards, Monitoring, PerformanceSettings, ServiceAccountRef

PHASES = (
    PhasePlan(name="stateless", kind="stateless", priority=1),
    PhasePlan(name="stateful", kind="stateful", priority=2, compared=True),
)
STATED = Dashboards(namespace="grafana")
TOOL = Path(__file__).parents[2] / ".tools/bin/grafana-dashboard"


def showing(stated: Dashboards | None = STATED, vms: int = 1, **fields: Any) -> Blueprint:
    names = (f"db-{number:04}" for number in range(vms))
    its = group("stateful-01", "job", *(machine(name, baseline=baseline()) for name in names), performance=HOW)
    given: dict[str, Any] = {
        "monitoring": Monitoring(prometheus_rules=RULES.prometheus_rules, dashboards=stated),
        "performance": PerformanceSettings(),
        "phases": PHASES,
        "namespaces": (),
    }
    return blueprint(its, **given | fields)


def config_map(found: Blueprint) -> KubeObject:
    [obj] = schemas.objects(list(dashboards.emit(found)))
    return obj


def of_phase(found: Blueprint) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(config_map(found)["data"]["acme-performance-stateful.json"])
    return data


def test_each_phase_that_compares_gets_one_and_grafana_finds_it_by_label() -> None:
    obj = config_map(showing())
    schemas.assert_fits(obj)
    assert (obj["metadata"]["name"], obj["metadata"]["namespace"]) == ("acme-performance-stateful", "grafana")
    assert obj["metadata"]["labels"]["grafana_dashboard"] == "1"
    own = config_map(showing(Dashboards(namespace="grafana", labels={"dash": "y"}, annotations={"folder": "M"})))
    assert own["metadata"]["labels"].items() >= {"dash": "y"}.items()
    assert "grafana_dashboard" not in own["metadata"]["labels"]
    assert own["metadata"]["annotations"] == {"folder": "M"}
    assert list(dashboards.emit(showing(None))) == []


def test_grafanas_own_types_take_it(tmp_path: Path) -> None:
    if not TOOL.exists() and not shutil.which("grafana-dashboard"):
        assert not os.environ.get("VMFERRY_REQUIRE_GRAFANA"), "`make testtools` builds it"
        pytest.skip("`make testtools` builds what reads a dashboard as Grafana does")
    found = of_phase(showing())
    assert _read(found) == ""
    del found["panels"][1]["options"]["graphMode"]
    assert "panels[1].options.graphMode" in _read(found)


def _read(found: dict[str, Any]) -> str:
    tool = TOOL if TOOL.exists() else "grafana-dashboard"
    done = subprocess.run([tool], input=json.dumps(found), capture_output=True, text=True, check=False)
    assert bool(done.returncode) is bool(done.stderr)
    return done.stderr


def test_it_is_as_large_for_a_thousand_vms_as_for_one() -> None:
    one, many = (json.dumps(config_map(showing(vms=vms))) for vms in (1, 1000))
    assert one == many
    assert len(one) < 64 << 10


def test_every_measure_that_is_recorded_has_a_chart_with_what_it_was_and_its_bounds() -> None:
    found = showing()
    rules = [
        rule
        for obj in schemas.objects(list(performance.emit(found)))
        for each in obj["spec"]["groups"]
        for rule in each["rules"]
        if "record" in rule
    ]
    recorded = {(rule["record"], rule["labels"]["measure"]) for rule in rules}
    panels = [panel for panel in of_phase(found)["panels"] if panel["type"] == "timeseries"]
    shown = {
        match
        for panel in panels
        for target in panel["targets"]
        for match in re.findall(r'^(vmferry:vm:\w+)\{measure="(\w+)"', target["expr"])
    }
    was, memory = performance.WAS, "memory"  # what guests call used is something else
    assert recorded - shown == {(was, "vcpus"), (was, memory)}
    assert shown <= recorded


def test_panels_do_not_overlap_and_have_numbers_of_their_own() -> None:
    panels = of_phase(showing())["panels"]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len({*places}) == len(panels) == len({panel["id"] for panel in panels})


def test_every_query_is_about_this_phase_alone() -> None:
    for panel in of_phase(showing())["panels"]:
        for target in panel["targets"]:
            assert 'migration="acme",phase="stateful"' in target["expr"]


@pytest.mark.parametrize("engine", ["flux", "argocd"])
def test_its_root_waits_for_nothing_and_who_applies_it_may(engine: str) -> None:
    account = ServiceAccountRef(name="migrator", namespace="flux-system")
    found = showing(gitops=estate.gitops(engine, applier=account))
    [point] = [
        point for part in entry_points.parts(found) for point in part.points if point.directory == dashboards.DIRECTORY
    ]
    assert (point.after, point.namespace) == ((), "grafana")
    rights = {
        (role["metadata"]["namespace"], resource)
        for role in schemas.objects(list(applier.emit(found)))
        if role["kind"] == "Role"
        for each in role["rules"]
        for resource in each["resources"]
    }
    assert {("grafana", "configmaps"), ("monitoring", "prometheusrules")} <= rights
    if engine == "argocd":
        [project] = [obj for obj in schemas.objects(list(argocd.emit(found))) if obj["kind"] == "AppProject"]
        spaces = {each["namespace"] for each in project["spec"]["destinations"]}
        assert {"grafana", "monitoring"} <= spaces
