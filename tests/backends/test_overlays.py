"""Tests of `vmferry.backends.overlays` and of the components in overlays/."""

import posixpath
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.backends import estate, schemas
from tests.backends.estate import group, machine

from vmferry.backends import overlays
from vmferry.model.application import Application
from vmferry.model.blueprint import Group, PhasePlan, VmCutover
from vmferry.model.manifest import File, Item, KubeObject, Patch, Resource, Root
from vmferry.model.spec import PhaseKind
from vmferry.resolve.target import PRIORITIES
from vmferry.shipped import shipped

KINDS: tuple[PhaseKind, ...] = ("migrate", "dev-test", "stateless", "stateful", "decommission")


def emitted(*groups: Group, **fields: Any) -> list[Item]:
    return list(overlays.emit(estate.blueprint(*groups, **fields)))


def roots(items: list[Item]) -> dict[str, Root]:
    return {item.directory: item for item in items if isinstance(item, Root)}


def patches(*groups: Group, **fields: Any) -> list[Patch]:
    return [patch for root in roots(emitted(*groups, **fields)).values() for patch in root.patches]


# --- roots -----------------------------------------------------------------------------------


def test_every_step_is_a_root_of_its_layers_and_the_phases_component() -> None:
    root = roots(emitted())["overlays/stateful/stateful-01/convert"]
    assert root.resources == (
        "bases/stateful/stateful-01/access",
        "bases/stateful/stateful-01/conversion",
    )
    assert root.components == ("components/stateful",)
    assert (root.lock, root.local) == ("stateful/stateful-01", True)


def test_a_planned_group_has_no_root() -> None:
    assert roots(emitted(group("stateless-01", "warm", stage="planned", steps=()))) == {}


# --- patches ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["job", "image"])
def test_a_running_group_starts_its_vms(method: Any) -> None:
    machines = (
        machine("db-01", run_strategy="RerunOnFailure"),
        machine("db-02", run_strategy="Halted"),
        machine("db-03", golden=True),
    )
    [patch] = patches(group("stateful-01", method, *machines))
    assert (patch.group, patch.kind, patch.namespace, patch.name) == (
        "kubevirt.io",
        "VirtualMachine",
        "web",
        "db-01",
    )
    assert (patch.op, patch.path, patch.value) == ("replace", "/spec/runStrategy", "RerunOnFailure")


@pytest.mark.parametrize("method", ["job", "image", "rebuild"])
def test_a_group_that_does_not_run_is_not_patched(method: Any) -> None:
    shop = machine("shop", application=Application(image="shop:1"))
    assert patches(group("stateful-01", method, shop, running=False)) == []


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_running_rebuild_gets_its_replicas(kind: Any) -> None:
    shop = machine("shop", application=Application(image="shop:1", kind=kind, replicas=3))
    [patch] = patches(group("stateless-02", "rebuild", shop))
    assert (patch.group, patch.kind, patch.name) == ("apps", kind, "shop")
    assert (patch.op, patch.path, patch.value) == ("replace", "/spec/replicas", 3)


@pytest.mark.parametrize(
    ("time", "written"),
    [
        ("2027-01-11T20:00:00Z", "2027-01-11T20:00:00Z"),
        ("2027-01-11T20:00Z", "2027-01-11T20:00:00Z"),
        ("2027-01-11T21:30:00+01:30", "2027-01-11T20:00:00Z"),
    ],
)
def test_a_cutover_is_added_in_utc(time: str, written: str) -> None:
    [patch] = patches(group("stateless-01", "warm", attempt=2, cutover=time))
    assert (patch.kind, patch.name, patch.namespace) == (
        "Migration",
        "acme-stateless-01-2",
        "konveyor-forklift",
    )
    assert (patch.op, patch.path, patch.value) == ("add", "/spec/cutover", written)


def test_a_vm_cuts_over_at_its_own_time_where_forklift_knows_that() -> None:
    own = (VmCutover(id="vm-1", time="2027-01-11T21:30:00+01:30"), VmCutover(id="vm-2", time="2027-01-11T21:00:00Z"))
    warm = group("stateless-01", "warm", cutover="2027-01-11T23:00:00Z", vm_cutover=own)
    _, patch = patches(warm, forklift="main")
    assert (patch.kind, patch.op, patch.path) == ("Migration", "add", "/spec/vmCutover")
    assert patch.value == [
        {"id": "vm-1", "cutover": "2027-01-11T20:00:00Z"},
        {"id": "vm-2", "cutover": "2027-01-11T21:00:00Z"},
    ]
    assert len(patches(warm, forklift="2.12.5")) == 1


def test_a_cutover_comes_with_its_stage_however_early_its_time_is_known() -> None:
    time = "2027-01-11T20:00:00Z"
    assert patches(group("stateless-01", "warm", stage="migrating", running=False, cutover=time)) == []


def test_a_cold_migration_has_no_cutover() -> None:
    assert patches(group("stateless-01", "cold", cutover="2027-01-11T20:00:00Z")) == []


def test_a_cutover_without_the_migration_is_not_patched() -> None:
    prepared = group("stateless-01", "warm", cutover="2027-01-11T20:00:00Z", steps=estate.STEPS["warm"][:1])
    assert patches(prepared) == []


# --- components and PriorityClasses ----------------------------------------------------------


def test_only_the_kinds_of_the_phases_are_copied() -> None:
    items = emitted(phases=(PhasePlan(name="stateless", kind="stateless", priority=20_000),))
    [file] = [item for item in items if isinstance(item, File)]
    assert file.path == "components/stateless/kustomization.yaml"
    assert file.content == (shipped("overlays") / "stateless" / "kustomization.yaml").read_bytes()


def test_every_kind_has_a_component_and_a_priority_class_that_preempts_nothing() -> None:
    items = emitted(phases=tuple(PhasePlan(name=kind, kind=kind, priority=PRIORITIES[kind]) for kind in KINDS))
    for kind in KINDS:
        assert f"components/{kind}/kustomization.yaml" in {item.path for item in items if isinstance(item, File)}
        found = schemas.named(items, "PriorityClass", f"vmferry-{kind}")
        schemas.assert_fits(found)
        assert (found["value"], found["preemptionPolicy"]) == (PRIORITIES[kind], "Never")
    assert {item.directory for item in items if isinstance(item, Resource)} == {"infra/cluster"}


# --- kustomize -------------------------------------------------------------------------------


def vm(name: str, **labels: str) -> KubeObject:
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name, "namespace": "web", "labels": labels},
        "spec": {
            "runStrategy": "Halted",
            "template": {"metadata": {"labels": {"vmferry.dev/vm": name}}, "spec": {"domain": {}}},
        },
    }


def workload(kind: str) -> KubeObject:
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "shop", "namespace": "web", "labels": {"vmferry.dev/priority": "phase"}},
        "spec": {
            "selector": {"matchLabels": {"vmferry.dev/vm": "shop"}},
            "template": {"metadata": {"labels": {"vmferry.dev/vm": "shop"}}, "spec": {"containers": []}},
        },
    }


def build(tmp_path: Path, kind: str, *objects: KubeObject) -> list[KubeObject]:
    """Build an overlay of the objects, a shipped component and an empty local one, as the tree lays them out."""
    overlay = "overlays/p/g/all"
    files: dict[str, Any] = {
        "bases/p/g/machines/kustomization.yaml": {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [f"{number}.yaml" for number in range(len(objects))],
        },
        f"{overlay}/kustomization.yaml": {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [posixpath.relpath("bases/p/g/machines", overlay)],
            "components": [posixpath.relpath(f"components/{kind}", overlay), "local"],
        },
        f"{overlay}/local/kustomization.yaml": {
            "apiVersion": "kustomize.config.k8s.io/v1alpha1",
            "kind": "Component",
            "resources": [],
        },
    }
    for number, obj in enumerate(objects):
        files[f"bases/p/g/machines/{number}.yaml"] = obj
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(yaml.safe_dump(content))
    shutil.copytree(shipped("overlays") / kind, tmp_path / "components" / kind)
    command = ["kustomize", "build"] if shutil.which("kustomize") else ["kubectl", "kustomize"]
    done = subprocess.run([*command, tmp_path / overlay], capture_output=True, check=False, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


needs_kustomize = pytest.mark.skipif(
    not shutil.which("kustomize") and not shutil.which("kubectl"), reason="needs kustomize or kubectl"
)


@pytest.mark.kustomize
@needs_kustomize
@pytest.mark.parametrize("kind", KINDS)
def test_a_component_builds_and_gives_vms_the_phases_priority(tmp_path: Path, kind: str) -> None:
    given, own = build(tmp_path, kind, vm("given", **{"vmferry.dev/priority": "phase"}), vm("own"))
    assert "priorityClassName" not in own["spec"]["template"]["spec"]
    assert given["spec"]["template"]["spec"]["priorityClassName"] == f"vmferry-{kind}"
    assert own["metadata"]["labels"] == {"vmferry.dev/phase-kind": kind}
    assert given["spec"]["template"]["metadata"]["labels"] == {"vmferry.dev/vm": "given"}


@pytest.mark.kustomize
@needs_kustomize
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_component_leaves_selectors_and_pod_labels_alone(tmp_path: Path, kind: str) -> None:
    [found] = build(tmp_path, "stateful", workload(kind))
    assert found["spec"]["template"]["spec"]["priorityClassName"] == "vmferry-stateful"
    assert found["spec"]["selector"] == workload(kind)["spec"]["selector"]
    assert found["spec"]["template"]["metadata"] == workload(kind)["spec"]["template"]["metadata"]


@pytest.mark.kustomize
@needs_kustomize
def test_a_component_builds_where_it_finds_nothing_to_patch(tmp_path: Path) -> None:
    plan = {
        "apiVersion": "forklift.konveyor.io/v1beta1",
        "kind": "Plan",
        "metadata": {"name": "acme-stateless-01", "namespace": "konveyor-forklift"},
        "spec": {"targetLabels": {"vmferry.dev/group": "stateless-01"}},
    }
    [found] = build(tmp_path, "stateless", plan)
    assert found["spec"] == plan["spec"]
