"""Services that are aliases: to the source, then to the target."""

import pytest
from msgspec import structs
from tests.backends.estate import blueprint, group, machine
from tests.backends.schemas import assert_fits, named

from vmferry.backends import alias, overlays
from vmferry.estate.dual_run import weight_of
from vmferry.estate.stages import STAGES, running
from vmferry.model.blueprint import Group, MachineAlias, Step
from vmferry.model.spec import DualRun, Method, Stage

ALIAS = MachineAlias(name="orders-db", before="db-01.example.com", after="db-01-new.web.svc.cluster.local")


def at(stage: Stage, *, method: Method = "replica", found: MachineAlias = ALIAS, weight: int | None = None) -> Group:
    run = DualRun(mode="replica" if weight is None else "parallel")
    made = group("first-01", method, machine("db-01-new", alias=found), stage=stage, running=running(stage))
    share = weight_of(run, stage, weight)
    return structs.replace(made, dual_run=run.mode, weight=share, layers=(*made.layers, "alias"))


def test_the_base_leads_to_the_source_at_every_stage_and_nothing_prunes_it() -> None:
    for stage in STAGES:
        service = named([*alias.emit(blueprint(at(stage)))], "Service", "orders-db")
        assert_fits(service)
        assert service["spec"]["type"] == "ExternalName"
        assert service["spec"]["externalName"] == "db-01.example.com"
        assert "selector" not in service["spec"]
        assert service["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/prune"] == "disabled"


@pytest.mark.parametrize("stage", STAGES)
def test_a_patch_leads_to_the_target_where_it_is_the_primary(stage: Stage) -> None:
    found = [(patch.kind, patch.name, patch.path, patch.value) for patch in alias.patches(at(stage))]
    led = [("Service", "orders-db", "/spec/externalName", "db-01-new.web.svc.cluster.local")]
    assert found == led * running(stage)


def test_in_a_parallel_run_an_alias_is_switched_at_the_last_step() -> None:
    assert not list(alias.patches(at("cutover", method="image", weight=50)))
    assert len(list(alias.patches(at("cutover", method="image", weight=100)))) == 1


def test_an_alias_whose_target_is_unknown_is_not_emitted() -> None:
    made = at("cutover", found=MachineAlias(name="orders-db", before="db-01.example.com"))
    assert not list(alias.emit(blueprint(made)))
    assert not list(alias.patches(made))


@pytest.mark.parametrize(("method", "starts"), [("replica", True), ("image", False)])
def test_only_a_replica_runs_while_its_source_serves(method: Method, starts: bool) -> None:
    made = structs.replace(at("migrating", method=method), steps=(Step(name="machines", layers=("machines",)),))
    [root] = overlays.emit_overlays(blueprint(made))
    assert [patch.path for patch in getattr(root, "patches", ())] == ["/spec/runStrategy"] * starts


def test_a_replica_that_is_rolled_back_does_not_run() -> None:
    made = structs.replace(at("rolled-back"), steps=(Step(name="machines", layers=("machines",)),))
    [root] = overlays.emit_overlays(blueprint(made))
    assert not getattr(root, "patches", ())
