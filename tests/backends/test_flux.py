"""Tests of `vmferry.backends.flux`."""

from typing import Any

import pytest
from tests.backends import estate, schemas
from tests.backends.estate import disk, gitops, group, machine

from vmferry.backends import flux
from vmferry.model.blueprint import Blueprint
from vmferry.model.manifest import Item, Resource
from vmferry.model.spec import ServiceAccountRef


def emitted(blueprint: Blueprint | None = None, **fields: Any) -> list[Item]:
    return list(flux.emit(blueprint or estate.blueprint(gitops=gitops(**fields))))


def spec(name: str, items: list[Item] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = schemas.named(items or emitted(), "Kustomization", name)["spec"]
    return found


def test_argo_cd_gets_nothing_of_this() -> None:
    assert emitted(engine="argocd") == []


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {
            "interval": "1d",
            "git_secret": "git",
            "sops_secret": "sops-age",
            "applier": ServiceAccountRef(name="vmferry", namespace="flux-system"),
        },
        {"repo_url": "git@git.acme.example:acme/migration.git"},
    ],
)
def test_every_object_fits_its_schema(fields: dict[str, Any]) -> None:
    for obj in schemas.objects(emitted(**fields)):
        schemas.assert_fits(obj)
        assert obj["metadata"]["namespace"] == "flux-system"


def test_names_are_unique() -> None:
    names = [(obj["kind"], obj["metadata"]["name"]) for obj in schemas.objects(emitted())]
    assert len(set(names)) == len(names)


def test_what_is_depended_on_is_emitted() -> None:
    objects = [obj for obj in schemas.objects(emitted()) if obj["kind"] == "Kustomization"]
    names = {obj["metadata"]["name"] for obj in objects}
    needed = {each["name"] for obj in objects for each in obj["spec"].get("dependsOn", ())}
    assert needed <= names


def test_the_entry_point_syncs_itself_and_every_part() -> None:
    items = [item for item in emitted() if isinstance(item, Resource)]
    paths = {
        item.object["spec"]["path"]: item.directory
        for item in items
        if item.object["kind"] == "Kustomization" and "/clusters/" in item.object["spec"]["path"]
    }
    assert paths == {
        "./gitops/clusters/prod-a": "clusters/prod-a",
        "./gitops/clusters/prod-a/_infra": "clusters/prod-a",
        "./gitops/clusters/prod-a/stateless": "clusters/prod-a",
        "./gitops/clusters/prod-a/stateful": "clusters/prod-a",
    }


def test_objects_of_a_group_are_in_its_phases_part_and_in_its_own_file_and_lock() -> None:
    for item in emitted():
        assert isinstance(item, Resource)
        path = item.object["spec"].get("path", "")
        if path.startswith("./gitops/overlays/stateful/"):
            group = path.split("/")[-2]
            assert (item.directory, item.file) == ("clusters/prod-a/stateful", f"{group}.yaml")
            assert (item.lock, item.listed) == (f"stateful/{group}", "stateful")


def test_nothing_but_kustomizations_is_deleted_with_a_kustomization() -> None:
    items = list(emitted())
    kinds: dict[str, set[str]] = {}
    for item in items:
        assert isinstance(item, Resource)
        kinds.setdefault(f"./gitops/{item.directory}", set()).add(item.object["kind"])
    for obj in schemas.objects(items):
        if obj["kind"] == "Kustomization":
            only_roots = kinds.get(obj["spec"]["path"]) == {"Kustomization"}
            assert obj["spec"]["deletionPolicy"] == ("Delete" if only_roots else "Orphan")


def test_a_kustomization_neither_replaces_nor_waits_for_everything() -> None:
    for obj in schemas.objects(emitted()):
        if obj["kind"] == "Kustomization":
            assert (obj["spec"]["force"], obj["spec"]["wait"]) == (False, False)
            assert {"targetNamespace", "postBuild"}.isdisjoint(obj["spec"])


def test_the_short_form_of_a_git_address_becomes_a_url() -> None:
    items = emitted(repo_url="git@git.acme.example:acme/migration.git")
    repository = schemas.named(items, "GitRepository", "acme")
    assert repository["spec"]["url"] == "ssh://git@git.acme.example/acme/migration.git"


def test_an_interval_in_days_is_written_in_hours() -> None:
    assert spec("acme", emitted(interval="1d"))["interval"] == "24h"


def test_secrets_are_decrypted_in_roots_and_not_in_the_entry_point() -> None:
    items = emitted(sops_secret="sops-age")
    assert spec("acme-source-vc1", items)["decryption"] == {
        "provider": "sops",
        "secretRef": {"name": "sops-age"},
    }
    assert "decryption" not in spec("acme", items)


def test_the_applier_applies_everything() -> None:
    items = emitted(applier=ServiceAccountRef(name="vmferry", namespace="flux-system"))
    for obj in schemas.objects(items):
        if obj["kind"] == "Kustomization":
            assert obj["spec"]["serviceAccountName"] == "vmferry"


def test_a_plan_has_to_be_ready_before_its_migration_is_applied() -> None:
    plan = spec("acme-stateless-01-plan")
    assert plan["healthChecks"] == [
        {
            "apiVersion": "forklift.konveyor.io/v1beta1",
            "kind": "Plan",
            "name": "acme-stateless-01",
            "namespace": "konveyor-forklift",
        }
    ]
    assert "'Ready'" in plan["healthCheckExprs"][0]["current"]
    assert spec("acme-stateless-01-migration")["dependsOn"] == [{"name": "acme-stateless-01-plan"}]


def test_a_job_has_to_be_complete_before_its_vm_is_applied() -> None:
    convert = spec("acme-stateful-01-convert")
    assert [(each["kind"], each["name"]) for each in convert["healthChecks"]] == [("Job", "db-01-convert-1")]
    assert "healthCheckExprs" not in convert
    assert spec("acme-stateful-01-machines")["dependsOn"] == [{"name": "acme-stateful-01-convert"}]


def test_images_have_to_be_imported_before_their_vm_is_applied() -> None:
    shared = disk("db-03", 1, claim="quorum", shared="quorum", owner=False)
    machines = (
        machine("db-02"),
        machine("db-03", disks=(disk("db-03", 0), shared)),
        machine("db-04", clone_of="golden"),
    )
    blueprint = estate.blueprint(group("stateful-02", "image", *machines, phase_kind="stateful"))
    found = spec("acme-stateful-02-import", emitted(blueprint))
    assert [each["name"] for each in found["healthChecks"]] == ["db-02-disk-0", "db-03-disk-0"]
    assert "'Succeeded'" in found["healthCheckExprs"][0]["current"]


def test_a_group_that_is_only_prepared_waits_for_no_job() -> None:
    [first, _] = estate.STEPS["job"]
    prepared = type(first)(name="convert", layers=("access",))
    blueprint = estate.blueprint(group("stateful-01", "job", stage="prepared", steps=(prepared,)))
    assert "healthChecks" not in spec("acme-stateful-01-convert", emitted(blueprint))


def test_a_wait_for_hours_of_copying_does_not_hold_a_worker_for_long() -> None:
    assert spec("acme-stateful-01-convert")["timeout"] == "1m"
    assert spec("acme-stateful-01-convert")["retryInterval"] == "2m"


def test_a_migration_that_failed_makes_its_kustomization_fail() -> None:
    found = spec("acme-stateless-01-migration")
    [check], [expression] = found["healthChecks"], found["healthCheckExprs"]
    assert (check["kind"], check["name"]) == ("Migration", "acme-stateless-01-1")
    assert (expression["kind"], expression["apiVersion"]) == ("Migration", check["apiVersion"])
    assert all(f"'{name}'" in expression["failed"] for name in ("Failed", "Canceled"))
    assert all(f"'{name}'" in expression["current"] for name in ("Running", "Succeeded"))


def test_a_plan_whose_run_failed_is_no_failure_or_its_retry_would_never_be_applied() -> None:
    [plan] = spec("acme-stateless-01-plan")["healthCheckExprs"]
    assert "failed" not in plan
