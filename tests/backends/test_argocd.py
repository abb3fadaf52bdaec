"""Tests of `vmferry.backends.argocd`."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.backends import estate, schemas
from tests.backends.decided import changed
from tests.backends.estate import gitops, group

from vmferry.backends import argocd
from vmferry.model.blueprint import Blueprint, BridgePlan, Step
from vmferry.model.manifest import Item, KubeObject, Resource
from vmferry.model.spec import NodeBridge, ServiceAccountRef

ALL = (Step(name="all", layers=("plan", "migration")),)


def emitted(blueprint: Blueprint | None = None, **fields: Any) -> list[Item]:
    given: dict[str, Any] = {"engine": "argocd", **fields}
    groups = (group("stateless-01", "warm", steps=ALL), group("stateful-01", "warm", steps=ALL))
    return list(argocd.emit(blueprint or estate.blueprint(*groups, gitops=gitops(**given))))


def applications(items: list[Item]) -> list[KubeObject]:
    return [obj for obj in schemas.objects(items) if obj["kind"] == "Application"]


def wave(obj: KubeObject) -> int:
    return int(obj["metadata"]["annotations"].get("argocd.argoproj.io/sync-wave", "0"))


def test_flux_gets_nothing_of_this() -> None:
    assert emitted(engine="flux") == []


@pytest.mark.parametrize(
    "fields",
    [{}, {"namespace": "gitops", "applier": ServiceAccountRef(name="vmferry", namespace="gitops")}],
)
def test_every_object_fits_its_schema(fields: dict[str, Any]) -> None:
    for obj in schemas.objects(emitted(**fields)):
        schemas.assert_fits(obj)
        assert obj["metadata"]["namespace"] == fields.get("namespace", "argocd")


def test_there_is_an_application_for_every_root_and_part() -> None:
    items = emitted()
    names = [obj["metadata"]["name"] for obj in applications(items)]
    assert len(set(names)) == len(names)
    assert {obj["spec"]["source"]["path"] for obj in applications(items)} == {
        "gitops/clusters/prod-a",
        "gitops/clusters/prod-a/_infra",
        "gitops/clusters/prod-a/stateless",
        "gitops/clusters/prod-a/stateful",
        "gitops/infra/cluster",
        "gitops/infra/namespaces/db",
        "gitops/infra/namespaces/web",
        "gitops/infra/forklift",
        "gitops/infra/source/vc1",
        "gitops/overlays/stateless/stateless-01/all",
        "gitops/overlays/stateful/stateful-01/all",
    }


def test_nothing_but_applications_is_deleted_with_an_application() -> None:
    items = emitted()
    kinds: dict[str, set[str]] = {}
    for item in items:
        if not isinstance(item, Resource):
            continue
        kinds.setdefault(f"gitops/{item.directory}", set()).add(item.object["kind"])
    for obj in applications(items):
        only_roots = kinds.get(obj["spec"]["source"]["path"]) == {"Application"}
        assert ("finalizers" in obj["metadata"]) == only_roots


def test_the_cutover_is_not_ignored() -> None:
    for obj in applications(emitted()):
        pointers = [each for row in obj["spec"]["ignoreDifferences"] for each in row["jsonPointers"]]
        assert "/spec/runStrategy" not in pointers
        assert "/spec/cutover" not in pointers


def test_argo_cd_does_not_stop_what_kueue_lets_go() -> None:
    plan = estate.blueprint(group("stateful-01", "job", steps=ALL), gitops=gitops(engine="argocd"))
    queued = changed(plan, cluster=replace(plan.cluster, kueue_queue="conversions"))
    row = {"group": "batch", "kind": "Job", "jsonPointers": ["/spec/suspend"]}
    assert all(row in obj["spec"]["ignoreDifferences"] for obj in applications(emitted(queued)))
    assert not any(row in obj["spec"]["ignoreDifferences"] for obj in applications(emitted(plan)))


def test_waves_go_from_the_cluster_to_the_groups() -> None:
    by_path = {obj["spec"]["source"]["path"].removeprefix("gitops/"): obj for obj in applications(emitted())}
    ordered = [
        "infra/cluster",
        "infra/namespaces/web",
        "infra/forklift",
        "infra/source/vc1",
        "overlays/stateless/stateless-01/all",
    ]
    waves = [wave(by_path[path]) for path in ordered]
    assert waves == sorted(set(waves))
    assert wave(by_path["clusters/prod-a/_infra"]) < wave(by_path["clusters/prod-a/stateless"])


def test_a_group_is_rendered_again_only_when_its_own_directories_change() -> None:
    [obj] = [obj for obj in applications(emitted()) if obj["metadata"]["name"] == "acme-stateless-01-all"]
    assert obj["metadata"]["annotations"]["argocd.argoproj.io/manifest-generate-paths"].split(";") == [
        "/gitops/overlays/stateless/stateless-01/all",
        "/gitops/bases/stateless/stateless-01/plan",
        "/gitops/bases/stateless/stateless-01/migration",
        "/gitops/components/stateless",
    ]


def test_the_project_allows_this_repository_and_these_namespaces_only() -> None:
    project = schemas.named(emitted(), "AppProject", "acme")["spec"]
    assert project["sourceRepos"] == ["https://git.acme.example/acme/migration.git"]
    assert [each["namespace"] for each in project["destinations"]] == [
        "argocd",
        "db",
        "konveyor-forklift",
        "web",
    ]
    assert [each["kind"] for each in project["clusterResourceWhitelist"]] == ["Namespace", "PriorityClass"]


def test_the_project_allows_bridges_where_there_are_some() -> None:
    bridge = BridgePlan(bridge=NodeBridge(name="br-vm", port="bond0"), node_selector={"pool": "vms"}, vlans=())
    items = emitted(estate.blueprint(gitops=gitops("argocd"), bridges=(bridge,)))
    project = schemas.named(items, "AppProject", "acme")["spec"]
    assert {"group": "nmstate.io", "kind": "NodeNetworkConfigurationPolicy"} in project["clusterResourceWhitelist"]


def test_every_application_is_in_the_project_and_goes_where_it_allows() -> None:
    items = emitted()
    project = schemas.named(items, "AppProject", "acme")["spec"]
    allowed = {each["namespace"] for each in project["destinations"]}
    for obj in applications(items):
        assert obj["spec"]["project"] == "acme"
        assert obj["spec"]["destination"].get("namespace", "web") in allowed


def test_objects_of_a_group_are_in_its_phases_part_and_in_its_own_file_and_lock() -> None:
    for item in emitted():
        if not isinstance(item, Resource):
            continue
        path = item.object["spec"].get("source", {}).get("path", "")
        if path.startswith("gitops/overlays/stateful/"):
            group = path.split("/")[-2]
            assert (item.directory, item.file) == ("clusters/prod-a/stateful", f"{group}.yaml")
            assert (item.lock, item.listed) == (f"stateful/{group}", "stateful")
