"""Tests of `vmferry.backends.performance`: which baselines are recorded, and that no object gets too large."""

import json
from typing import Any

import pytest
from msgspec.structs import replace
from tests.backends import estate, schemas
from tests.backends.estate import blueprint, disk, group, machine

from vmferry.backends import entry_points, inputs, performance
from vmferry.estate.performance import comparison
from vmferry.model.blueprint import Blueprint, Group
from vmferry.model.facts import Baseline, DiskBaseline, Rate
from vmferry.model.manifest import KubeObject, Resource
from vmferry.model.spec import (
    Margins,
    Monitoring,
    PerformanceSettings,
    PhasePerformance,
    PrometheusRules,
    Stage,
)

RULES = Monitoring(prometheus_rules=PrometheusRules(namespace="monitoring", labels={"release": "prom"}))
HOW = comparison(PerformanceSettings(), PhasePerformance())


def rate(average: float, peak: float) -> Rate:
    return Rate(average=average, peak=peak)


def baseline(*disks: str) -> Baseline:
    """Return what a VM with these disks was like in vSphere."""
    return Baseline(
        days=7,
        samples=336,
        coverage=1,
        interval=1800,
        cpu=rate(20, 60),
        memory=rate(30, 50),
        network=rate(100, 900),
        disks=tuple(
            DiskBaseline(
                label=name,
                read_iops=rate(60, 300),
                write_iops=rate(40, 90),
                read=rate(600, 3000),
                write=rate(400, 900),
                read_latency=rate(4, 8),
                write_latency=rate(1, 2),
            )
            for name in disks or ("disk-0",)
        ),
    )


VM = machine("db-01", key="vc1/vm-2", sockets=2, cores=2, baseline=baseline())


def comparing(*groups: Group, **fields: Any) -> Blueprint:
    given: dict[str, Any] = {"monitoring": RULES, "performance": PerformanceSettings(), "namespaces": ()}
    return blueprint(*groups, **given | fields)


def emitted(found: Blueprint) -> dict[str, KubeObject]:
    return {obj["metadata"]["name"]: obj for obj in schemas.objects(list(performance.emit(found)))}


def recorded(found: Blueprint, name: str = "acme-stateful-01--baseline") -> dict[tuple[str, str, str], str]:
    """Return the values of what is recorded, by series, measure and disk."""
    rules = [rule for each in emitted(found)[name]["spec"]["groups"] for rule in each["rules"]]
    return {
        (rule["record"].rpartition(":")[2], rule["labels"]["measure"], rule["labels"].get("drive", "")): rule["expr"]
        for rule in rules
    }


def test_nothing_is_compiled_that_no_phase_asks_for() -> None:
    asked = group("stateful-01", "job", VM)
    assert emitted(comparing(asked, performance=None)) == {}
    assert emitted(comparing(asked, monitoring=Monitoring())) == {}
    assert emitted(comparing(asked)).keys() == {"acme--performance"}, "its own phase does not compare"


def test_a_vm_is_recorded_with_what_it_was_and_how_far_it_may_be_from_that() -> None:
    found = recorded(comparing(group("stateful-01", "job", VM, performance=HOW)))
    assert found == {
        ("baseline", "vcpus", ""): "vector(4)",
        ("baseline", "cpu", ""): "vector(20)",
        ("most", "cpu", ""): "vector(90)",
        ("least", "cpu", ""): "vector(14)",
        ("baseline", "memory", ""): "vector(30)",
        ("most", "swapIn", ""): "vector(1024)",
        ("baseline", "network", ""): "vector(100)",
        ("least", "network", ""): "vector(50)",
        ("baseline", "readLatency", "disk-0"): "vector(4)",
        ("most", "readLatency", "disk-0"): "vector(12)",
        ("baseline", "writeLatency", "disk-0"): "vector(1)",
        ("most", "writeLatency", "disk-0"): "vector(5)",
        ("baseline", "iops", "disk-0"): "vector(100)",
        ("least", "iops", "disk-0"): "vector(70)",
        ("baseline", "throughput", "disk-0"): "vector(1000)",
        ("least", "throughput", "disk-0"): "vector(700)",
    }


def test_margins_of_a_phase_go_over_those_of_the_settings() -> None:
    settings = PerformanceSettings(margins=Margins(latency=10, cpu=10), latency_at_least=1)
    how = comparison(settings, PhasePerformance(margins=Margins(latency=100)))
    found = recorded(comparing(group("stateful-01", "job", VM, performance=how)))
    assert found["most", "readLatency", "disk-0"] == "vector(16)"
    assert found["least", "cpu", ""] == "vector(18)"
    assert found["least", "iops", "disk-0"] == "vector(70)"


def test_a_vm_that_was_full_in_vsphere_may_be_full_again_and_one_that_was_short_of_memory_may_swap() -> None:
    busy = replace(baseline(), cpu=rate(70, 95), memory=rate(80, 97))
    found = recorded(comparing(group("stateful-01", "job", replace(VM, baseline=busy), performance=HOW)))
    assert ("most", "cpu", "") not in found
    assert ("most", "swapIn", "") not in found


@pytest.mark.parametrize(
    ("stage", "compared"),
    [
        ("planned", False),
        ("prepared", False),
        ("migrating", False),
        ("cutover", True),
        ("adopted", True),
        ("validated", True),
        ("retired", False),
        ("rolled-back", False),
    ],
)
def test_vms_are_compared_while_they_run_and_the_migration_answers_for_them(stage: Stage, compared: bool) -> None:
    runs = stage in ("cutover", "adopted", "validated", "retired")
    found = comparing(group("stateful-01", "job", VM, performance=HOW, stage=stage, running=runs))
    assert ("acme-stateful-01--baseline" in emitted(found)) is compared
    roots = {point.directory for part in entry_points.parts(found) for point in part.points}
    assert ("infra/baselines/stateful" in roots) is compared


def test_templates_and_vms_that_stay_off_are_not_compared() -> None:
    others = (replace(VM, golden=True), replace(VM, run_strategy="Halted"), replace(VM, baseline=None))
    for each in others:
        assert emitted(comparing(group("stateful-01", "job", each, performance=HOW))).keys() == {"acme--performance"}


def test_no_object_is_larger_than_an_annotation_of_kubectl_may_be() -> None:
    names = [f"disk-{index}" for index in range(4)]
    many = (
        machine(
            f"a-rather-long-name-of-a-database-{number:04}",
            namespace="a-rather-long-name-of-a-namespace",
            disks=tuple(disk("x", index) for index in range(4)),
            baseline=baseline(*names),
        )
        for number in range(500)
    )
    found = comparing(group("stateful-01", "cold", *many, performance=HOW))
    objects = [obj for name, obj in emitted(found).items() if "baseline" in name]
    assert sum(len(each["spec"]["groups"][0]["rules"]) for each in objects) == 500 * (8 + 8 * 4)
    assert max(len(json.dumps(obj)) for obj in objects) < 256 << 10
    files = [item.file for item in performance.emit(found) if isinstance(item, Resource) and item.file]
    assert len(files) == len({*files}) == len(objects)
    for obj in objects:
        schemas.assert_fits(obj)
        assert obj["metadata"]["labels"]["release"] == "prom"


def test_a_baseline_only_changes_the_files_of_a_group_that_is_frozen() -> None:
    def digest(**fields: Any) -> list[str]:
        one = group("stateful-01", "job", performance=HOW, **fields)
        vms = (VM, replace(VM, baseline=replace(baseline(), cpu=rate(99, 99))))
        found = (comparing(replace(one, machines=(vm,)), gitops=estate.gitops()) for vm in vms)
        return [value for each in found for key, value in inputs.digests(each).items() if "stateful-01" in key]

    was, now = digest(stage="planned", frozen=False, running=False, steps=())
    assert was == now
    was, now = digest(frozen=True)
    assert was != now


def test_every_alert_is_about_vms_of_this_migration() -> None:
    spec = emitted(comparing(group("stateful-01", "job", VM, performance=HOW)))["acme--performance"]["spec"]
    schemas.assert_fits(emitted(comparing())["acme--performance"])
    rules = [rule for each in spec["groups"] for rule in each["rules"]]
    for rule in rules:
        assert 'vmferry:vm:info{migration="acme"}' in rule["expr"]
        assert rule["labels"]["migration"] == "acme"
    alerts = {rule["alert"] for rule in rules if "alert" in rule}
    assert alerts == {
        "VmferryDiskSlower",
        "VmferryDiskHeldUp",
        "VmferryCpuHeldUp",
        "VmferryCpuFull",
        "VmferryMemoryShort",
        "VmferryNetworkHeldUp",
        "VmferryMetricsMissing",
    }
