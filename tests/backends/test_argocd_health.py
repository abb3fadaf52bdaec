"""Argo CD's health checks, run as Argo CD runs them: Lua over the live object. Its own Lua has them in tests/e2e."""

from typing import Any

import pytest
import yaml
from tests.backends import estate
from tests.backends.estate import gitops, group

from vmferry.backends import argocd
from vmferry.backends.argocd_health import MIGRATION, PATH, PLAN, READY, SNAPSHOT
from vmferry.model.manifest import File

lupa = pytest.importorskip("lupa")


def health(script: str, *conditions: tuple[str, str] | tuple[str, str, str]) -> str:
    lua = lupa.LuaRuntime()
    found = [{"type": each[0], "category": each[1], "status": (*each, "True")[2]} for each in conditions]
    obj: dict[str, Any] = {"status": {"conditions": found}} if found else {}
    lua.globals().obj = lua.table_from(obj, recursive=True)
    return str(lua.execute(script).status)


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ([], "Progressing"),
        ([("PlanNotReady", "Critical")], "Progressing"),
        ([("Ready", "Required"), ("Running", "Advisory")], "Healthy"),
        ([("Ready", "Required"), ("Succeeded", "Advisory")], "Healthy"),
        ([("Ready", "Required"), ("Failed", "Advisory")], "Degraded"),
        ([("Running", "Advisory"), ("Canceled", "Advisory")], "Degraded"),
        ([("VMNotFound", "Critical")], "Degraded"),
        ([("Failed", "Advisory", "False"), ("Running", "Advisory")], "Healthy"),
    ],
)
def test_a_migration_that_failed_is_degraded(conditions: list[tuple[str, str]], said: str) -> None:
    assert health(MIGRATION, *conditions) == said


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ([], "Progressing"),
        ([("Ready", "Required")], "Healthy"),
        ([("Executing", "Advisory"), ("VMNotFound", "Critical")], "Healthy"),
        ([("Ready", "Required"), ("Failed", "Advisory")], "Healthy"),
        ([("VMNotFound", "Critical")], "Degraded"),
        ([("Archived", "Advisory")], "Healthy"),
    ],
)
def test_a_plan_that_is_refused_is_degraded_and_one_to_be_retried_is_not(
    conditions: list[tuple[str, str]], said: str
) -> None:
    assert health(PLAN, *conditions) == said


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ([], "Progressing"),
        ([("Validated", "Advisory"), ("LoadInventory", "Advisory")], "Progressing"),
        ([("ConnectionTestSucceeded", "Required"), ("InventoryCreated", "Required"), ("Ready", "Required")], "Healthy"),
        ([("ConnectionInsecure", "Warn"), ("Ready", "Required")], "Healthy"),
        ([("ConnectionTestFailed", "Critical")], "Degraded"),
        ([("Ready", "Required", "False"), ("SecretNotValid", "Critical")], "Degraded"),
        ([("SourceNetworkNotValid", "Warn"), ("Ready", "Required")], "Healthy"),
        ([("DestinationNetworkNotValid", "Critical")], "Degraded"),
        ([("DestinationStorageNotValid", "Error")], "Degraded"),
        ([("SourceProviderNotReady", "Critical")], "Healthy"),
        ([("SourceProviderNotReady", "Critical"), ("DestinationProviderNotValid", "Critical")], "Degraded"),
    ],
)
def test_a_provider_or_map_is_healthy_once_it_is_ready(conditions: list[tuple[str, str]], said: str) -> None:
    assert health(READY, *conditions) == said


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (None, "Progressing"),
        ({"phase": "InProgress", "readyToUse": False}, "Progressing"),
        ({"phase": "Succeeded", "readyToUse": True}, "Healthy"),
        ({"phase": "Failed", "readyToUse": False, "error": {"message": "no room"}}, "Degraded"),
        ({"phase": "Failed"}, "Degraded"),
    ],
)
def test_a_snapshot_that_failed_is_degraded(status: Any, said: str) -> None:
    lua = lupa.LuaRuntime()
    lua.globals().obj = lua.table_from({"status": status} if status else {}, recursive=True)
    assert str(lua.execute(SNAPSHOT).status) == said


def files(*groups: Any, engine: Any = "argocd", **fields: Any) -> list[File]:
    blueprint = estate.blueprint(*groups, gitops=gitops(engine=engine, **fields))
    return [item for item in argocd.emit(blueprint) if isinstance(item, File)]


def test_the_checks_are_in_the_tree_for_the_config_map_of_argo_cd() -> None:
    [file] = files(group("stateless-01", "warm"), namespace="gitops")
    assert file.path == PATH
    config = yaml.safe_load(file.content)
    assert config["metadata"] == {"name": "argocd-cm", "namespace": "gitops"}
    ready = ("Hook", "Host", "NetworkMap", "Provider", "StorageMap")
    scripts = dict.fromkeys(ready, READY) | {"Migration": MIGRATION, "Plan": PLAN}
    prefix = "resource.customizations.health.forklift.konveyor.io_"
    assert config["data"] == {f"{prefix}{kind}": script for kind, script in scripts.items()}


def test_where_forklift_moves_nothing_there_are_none() -> None:
    assert files(group("stateful-01", "job")) == []
    assert files(group("stateless-01", "warm"), engine="flux") == []
