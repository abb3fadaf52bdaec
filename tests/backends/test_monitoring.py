"""Tests of `vmferry.backends.monitoring`: what is watched of whom, and that nothing waits for it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.backends import estate, schemas
from tests.backends.estate import blueprint, group, machine

from vmferry.backends import applier, argocd, entry_points, flux, monitoring
from vmferry.kube.limits import MAX_OF_ROOT
from vmferry.model.blueprint import Blueprint, Group, NamespacePlan, PhasePlan
from vmferry.model.manifest import KubeObject, Resource
from vmferry.model.spec import (
    ArgoCdNotifications,
    FluxNotifications,
    Monitoring,
    Notifications,
    PrometheusRules,
    ServiceAccountRef,
    Stage,
)

EXAMPLES = Path(__file__).parents[2] / "examples"
RULES = Monitoring(prometheus_rules=PrometheusRules(namespace="monitoring", labels={"release": "prom"}))
PHASES = (
    PhasePlan(name="stateless", kind="stateless", priority=1),
    PhasePlan(name="stateful", kind="stateful", priority=2),
)
BOTH = Notifications(
    flux=FluxNotifications(provider="room"),
    argocd=ArgoCdNotifications(service="slack", recipients=("a", "b"), triggers=("on-sync-failed",)),
)


def watching(*groups: Group, **fields: Any) -> Blueprint:
    given: dict[str, Any] = {"monitoring": RULES, "phases": PHASES, "namespaces": ()}
    return blueprint(*groups, **given | fields)


def emitted(found: Blueprint) -> dict[str, KubeObject]:
    return {f"{obj['kind']}/{obj['metadata']['name']}": obj for obj in schemas.objects(list(monitoring.emit(found)))}


def series(found: Blueprint, name: str) -> list[dict[str, str]]:
    rules = emitted(found)[f"PrometheusRule/{name}"]["spec"]["groups"]
    return [
        {"record": rule["record"], **rule["labels"]} for each in rules for rule in each["rules"] if "record" in rule
    ]


def test_nothing_is_emitted_that_is_not_stated() -> None:
    assert emitted(watching(monitoring=Monitoring())) == {}
    points = [
        point.directory for part in entry_points.parts(watching(monitoring=Monitoring())) for point in part.points
    ]
    assert not [each for each in points if "alerts" in each or "monitoring" in each]


def test_rules_fit_the_operators_schema_and_have_the_labels_that_it_selects() -> None:
    found = emitted(watching(gitops=estate.gitops(notifications=BOTH)))
    assert {"PrometheusRule/acme--alerts", "PrometheusRule/acme-stateful-01", "Alert/acme"} <= found.keys()
    for obj in found.values():
        schemas.assert_fits(obj)
        if obj["kind"] == "PrometheusRule":
            assert obj["metadata"]["labels"]["release"] == "prom"
            assert obj["metadata"]["namespace"] == "monitoring"
            assert "annotations" not in obj["metadata"], "deleting it is safe"


@pytest.mark.parametrize(
    ("stage", "watched"),
    [
        ("planned", False),
        ("prepared", False),
        ("migrating", True),
        ("cutover", True),
        ("adopted", True),
        ("validated", True),
        ("retired", False),
        ("rolled-back", False),
    ],
)
def test_a_group_is_watched_while_the_migration_answers_for_it(stage: Stage, watched: bool) -> None:
    found = watching(group("stateless-01", "warm", stage=stage))
    assert ("PrometheusRule/acme-stateless-01" in emitted(found)) is watched
    roots = {point.directory for part in entry_points.parts(found) for point in part.points}
    assert ("infra/monitoring/stateless" in roots) is watched


def test_no_root_holds_too_many_groups_and_no_group_changes_its_root() -> None:
    names = [f"stateless-{number:02}" for number in range(1, 701)]
    one = machine("web-01")
    found = watching(*(group(name, "cold", one) for name in names))
    there = {item.directory: 0 for item in monitoring.emit(found) if isinstance(item, Resource)}
    for item in monitoring.emit(found):
        if isinstance(item, Resource):
            there[item.directory] += 1
    assert sum(there.values()) == 701
    assert max(there.values()) < MAX_OF_ROOT
    roots = {point.directory for part in entry_points.parts(found) for point in part.points}
    assert {each for each in there if each != "infra/alerts"} <= roots
    [alone] = [item for item in monitoring.emit(watching(group("stateless-450", "cold", one))) if "450" in str(item)]
    assert isinstance(alone, Resource)
    assert (alone.directory, alone.listed) == ("infra/monitoring/stateless.2", "stateless")


def test_each_vm_says_when_it_has_to_run() -> None:
    one = (machine("now"), machine("guest-stops-it", run_strategy="RerunOnFailure"), machine("golden", golden=True))
    cold = {
        each["name"]: each for each in series(watching(group("stateless-01", "cold", *one)), "acme-stateless-01")[1:]
    }
    assert {name: each["expected"] for name, each in cold.items()} == {"now": "now", "guest-stops-it": "no"}
    assert cold["now"] == {
        "record": "vmferry:vm:info",
        "namespace": "web",
        "name": "now",
        "launcher": "virt-launcher-now-",
        "expected": "now",
        "migration": "acme",
        "phase": "stateless",
        "group": "stateless-01",
        "stage": "cutover",
    }
    warm = series(watching(group("stateless-01", "warm", one[0])), "acme-stateless-01")
    assert warm[1]["expected"] == "once made", "Forklift makes it at the end of the cutover"
    later = series(watching(group("stateless-01", "warm", one[0], stage="adopted")), "acme-stateless-01")
    assert later[1]["expected"] == "now"


def test_plans_and_jobs_are_named_by_attempt() -> None:
    found = watching(
        group("stateless-01", "warm", machine("web-01")),
        group("stateful-01", "job", machine("db-01"), attempt=2, running=False, stage="migrating"),
    )
    assert series(found, "acme-stateless-01")[0]["plan_name"] == "acme-stateless-01"
    assert [each["job_name"] for each in series(found, "acme-stateful-01")] == ["db-01-convert-2"]


@pytest.mark.parametrize("example", ["acme", "acme-argocd"])
def test_what_is_recorded_in_the_examples_is_in_the_cluster_by_that_name(example: str) -> None:
    top = EXAMPLES / example / "gitops"
    made = {
        (obj["kind"], obj["metadata"]["name"])
        for path in top.glob("bases/**/*.yaml")
        for obj in yaml.safe_load_all(path.read_text())
        if "metadata" in obj
    }
    kind_of = {"plan_name": "Plan", "job_name": "Job"}
    recorded = [
        (kind_of[label], name)
        for path in top.glob("infra/monitoring/*/*-*.yaml")
        for each in yaml.safe_load(path.read_text())["spec"]["groups"]
        for rule in each["rules"]
        for label, name in rule["labels"].items()
        if label in kind_of
    ]
    assert {kind for kind, _ in recorded} == {"Plan", "Job"}
    assert set(recorded) <= made


def test_a_forklift_that_names_no_failed_plans_gets_no_alert_for_them() -> None:
    def alerts(forklift: str) -> set[str]:
        rules = emitted(watching(forklift=forklift))["PrometheusRule/acme--alerts"]["spec"]["groups"][-1]["rules"]
        return {rule["alert"] for rule in rules}

    assert alerts("2.11") - alerts("2.10") == {"VmferryPlanFailed"}


def test_every_alert_is_about_this_migration_alone_and_says_what_to_do() -> None:
    found = emitted(watching())["PrometheusRule/acme--alerts"]["spec"]["groups"][-1]["rules"]
    for rule in found:
        assert rule["expr"].count('{migration="acme"') == rule["expr"].count("vmferry:")
        assert rule["labels"]["migration"] == "acme"
        assert rule["annotations"].keys() >= {"summary", "runbook_step"}
    assert len({rule["alert"] for rule in found}) == 7


def test_a_stated_quota_alerts_early_and_a_computed_one_when_it_is_full() -> None:
    spaces = (
        NamespacePlan(name="db", quota={"pods": "9"}, quota_basis="2 VMs"),
        NamespacePlan(name="free"),
        NamespacePlan(name="web", quota={"pods": "9"}, quota_basis="stated in the spec"),
    )
    found = emitted(watching(namespaces=spaces))["PrometheusRule/acme--alerts"]["spec"]["groups"][0]["rules"]
    assert [(rule["labels"]["namespace"], rule["expr"]) for rule in found] == [
        ("db", "vector(1)"),
        ("web", "vector(0.9)"),
    ]


@pytest.mark.parametrize("engine", ["flux", "argocd"])
def test_no_root_waits_for_alerts_or_notifications(engine: str) -> None:
    found = watching(gitops=estate.gitops(engine, notifications=BOTH))
    points = {point.name: point for part in entry_points.parts(found) for point in part.points}
    own = {
        name
        for name, point in points.items()
        if point.directory.startswith(("infra/alerts", "infra/mon", "infra/noti"))
    }
    assert len(own) == (4 if engine == "flux" else 3)
    for name, point in points.items():
        assert not own & {*point.after}
        assert name not in own or point.after == ()


def test_each_engine_notifies_by_its_own_objects() -> None:
    sources = emitted(watching(gitops=estate.gitops(notifications=BOTH)))["Alert/acme"]["spec"]
    assert sources["providerRef"] == {"name": "room"}
    assert sources["eventSeverity"] == "error"
    kustomizations = [obj for obj in schemas.objects(list(flux.emit(watching()))) if obj["kind"] == "Kustomization"]
    wanted = sources["eventSources"][0]["matchLabels"]
    assert kustomizations
    assert all(wanted.items() <= obj["metadata"]["labels"].items() for obj in kustomizations)
    other = watching(gitops=estate.gitops("argocd", notifications=BOTH))
    assert "Alert/acme" not in emitted(other)
    [project] = [obj for obj in schemas.objects(list(argocd.emit(other))) if obj["kind"] == "AppProject"]
    assert project["metadata"]["annotations"]["notifications.argoproj.io/subscribe.on-sync-failed.slack"] == "a;b"
    assert {"server": argocd.SERVER, "namespace": "monitoring"} in project["spec"]["destinations"]


def test_an_administrator_grants_the_rights_on_namespaces_that_are_not_in_the_tree() -> None:
    account = ServiceAccountRef(name="migrator", namespace="flux-system")
    found = watching(gitops=estate.gitops(notifications=BOTH, applier=account))
    roles = [obj for obj in schemas.objects(list(applier.emit(found))) if obj["kind"] == "Role"]
    rights = {
        (role["metadata"]["namespace"], resource)
        for role in roles
        for rule in role["rules"]
        for resource in rule["resources"]
    }
    assert {("monitoring", "prometheusrules"), ("flux-system", "alerts")} <= rights
