"""What each stage of a group puts into the cluster."""

from typing import Any

import pytest
from tests.resolve.projects import codes, group, machines, resolved, vm

from vmferry.model.spec import Method, Stage

# method -> stage -> steps, each with its layers: the table of DESIGN section 5
PLAN, MIGRATION = ("plan", ("plan",)), ("migration", ("migration",))
TABLE: dict[Method, dict[Stage, list[tuple[str, tuple[str, ...]]]]] = {
    "warm": {"planned": [], "prepared": [PLAN], "migrating": [PLAN, MIGRATION], "cutover": [PLAN, MIGRATION]},
    "cold": {"planned": [], "prepared": [PLAN], "migrating": [PLAN, MIGRATION], "cutover": [PLAN, MIGRATION]},
    "job": {
        "planned": [],
        "prepared": [("convert", ("access",))],
        "migrating": [("convert", ("access", "conversion"))],
        "cutover": [("convert", ("access", "conversion")), ("machines", ("machines",))],
    },
    "image": {
        "planned": [],
        "prepared": [],
        "migrating": [("import", ("volumes",))],
        "cutover": [("import", ("volumes",)), ("machines", ("machines",))],
    },
    "replica": {
        "planned": [],
        "prepared": [],
        "migrating": [("machines", ("machines",))],
        "cutover": [("machines", ("machines",))],
    },
    "rebuild": {
        "planned": [],
        "prepared": [("workload", ("config",))],
        "migrating": [("workload", ("config", "workload"))],
        "cutover": [("workload", ("config", "workload"))],
    },
}
APPLICATION = {
    "image": "registry.example.com/app:1.4.2",
    "config": {"app.ini": "colour = blue\n"},
    "state": [{"name": "data", "mountPath": "/data", "size": "5Gi", "tier": "gold"}],
}
GOLD = vm(
    "gold",
    template=True,
    method="image",
    nics=[],
    disks=[{"size": "40Gi", "datastore": "ds1", "source": {"blank": {}}}],
)
ROWS = [(method, stage) for method, row in TABLE.items() for stage in row]


def at(method: Method, stage: Stage, *, engine: str = "flux", **fields: Any) -> Any:
    """Return the group of one VM at a stage."""
    path = {"warm": "forklift", "cold": "forklift", "rebuild": "rebuild"}.get(method, "virt-v2v")
    chosen = {"path": path} | ({"method": method} if method != "rebuild" else {"application": APPLICATION})
    state = {"stage": stage} | ({"cutover": "2027-01-11T20:00:00Z"} if (method, stage) == ("warm", "cutover") else {})
    gitops = {"engine": engine, "repoURL": "https://git.example.com/platform/gitops"}
    sections: dict[str, Any] = {
        "target": {"cluster": {"name": "prod-a"}, "gitops": gitops},
        "defaults": {"phase": "first", "namespace": "web"},
    }
    vms = [vm(**chosen, **fields)]
    if method == "replica":
        vms = [vm(**chosen, **fields, cloneOf="gold"), GOLD]
    first = resolved(*vms, **sections)
    [name] = [each.name for each in first.blueprint.groups if each.method == method]
    groups = {each.name: state for each in first.blueprint.groups}
    found = resolved(*vms, groups=groups, assignments=first.assignments, **sections)
    assert codes(found) == []
    return group(found, name)


@pytest.mark.parametrize(("method", "stage"), ROWS)
def test_flux_applies_the_layers_of_the_stage_one_step_after_the_other(method: Method, stage: Stage) -> None:
    found = at(method, stage)
    assert [(step.name, step.layers) for step in found.steps] == TABLE[method][stage]
    names = [step.name for step in found.steps]
    assert [step.after for step in found.steps] == [tuple(names[max(0, i - 1) : i]) for i in range(len(names))]


@pytest.mark.parametrize(("method", "stage"), ROWS)
def test_argo_cd_applies_them_in_one_step(method: Method, stage: Stage) -> None:
    found = at(method, stage, engine="argocd")
    layers = [layer for _, step in TABLE[method][stage] for layer in step]
    assert [(step.name, list(step.layers), step.after) for step in found.steps] == (
        [("all", layers, ())] * bool(layers)
    )


@pytest.mark.parametrize(("method", "stage"), ROWS)
def test_the_target_runs_from_cutover_on_and_a_group_is_frozen_from_prepared_on(method: Method, stage: Stage) -> None:
    found = at(method, stage)
    assert found.running == (stage == "cutover")
    assert found.frozen == (stage != "planned")
    assert found.layers == at(method, "planned").layers  # the base has them all


def test_layers_that_would_be_empty_are_left_out() -> None:
    assert at("image", "cutover", template=True).layers == ("volumes", "images")
    bare = {"application": {"image": "registry.example.com/app:1.4.2"}, "path": "rebuild", "method": None}
    assert group(resolved(vm(**bare)), "first-01").layers == ("workload",)


@pytest.mark.parametrize(("power", "strategy"), [("poweredOn", "Always"), ("poweredOff", "Halted")])
def test_a_vm_runs_after_cutover_if_it_ran_before(power: str, strategy: str) -> None:
    assert machines(resolved(vm(powerState=power)))["web-01"].run_strategy == strategy
