"""Tests of `vmferry.backends.entry_points`."""

from graphlib import TopologicalSorter

from msgspec.structs import replace
from tests.backends import estate
from tests.backends.estate import group

from vmferry.backends import entry_points
from vmferry.backends.entry_points import EntryPoint
from vmferry.model.blueprint import Blueprint, NamespacePlan, PhasePlan, SmokePair
from vmferry.model.spec import SmokeTest

PAIR = SmokePair(
    name="web-prod",
    nad="web/web-prod",
    test=SmokeTest(addresses=("10.0.0.2/24", "10.0.0.3/24"), namespace="smoke"),
    binding="bridge",
)


def points(blueprint: Blueprint) -> dict[str, EntryPoint]:
    return {point.directory: point for part in entry_points.parts(blueprint) for point in part.points}


def waits_for(blueprint: Blueprint, directory: str) -> set[str]:
    found = points(blueprint)
    names = {point.name: point.directory for point in found.values()}
    return {names[name] for name in found[directory].after}


def test_there_is_one_entry_point_a_root() -> None:
    namespaces = (NamespacePlan(name="web", smoke=(PAIR,)), NamespacePlan(name="db"))
    assert sorted(points(estate.blueprint(namespaces=namespaces))) == [
        "infra/cluster",
        "infra/forklift",
        "infra/namespaces/db",
        "infra/namespaces/web",
        "infra/smoke/web",
        "infra/source/vc1",
        "overlays/stateful/stateful-01/convert",
        "overlays/stateful/stateful-01/machines",
        "overlays/stateful/stateful-02/import",
        "overlays/stateful/stateful-02/machines",
        "overlays/stateless/stateless-01/migration",
        "overlays/stateless/stateless-01/plan",
        "overlays/stateless/stateless-02/workload",
    ]


def test_forklifts_roots_exist_only_where_forklift_copies() -> None:
    found = points(estate.blueprint(group("stateful-01", "job")))
    assert not [directory for directory in found if "forklift" in directory or "source" in directory]


def test_there_is_no_root_for_what_all_sources_share_where_they_share_nothing() -> None:
    blueprint = estate.blueprint(forklift_provider="host", hooks=())
    assert "infra/forklift" not in points(blueprint)
    assert waits_for(blueprint, "infra/source/vc1") == {"infra/cluster"}


def test_a_planned_group_has_no_entry_point() -> None:
    found = points(estate.blueprint(group("stateless-01", "warm", stage="planned", steps=())))
    assert not [directory for directory in found if directory.startswith("overlays/")]


def test_names_are_unique_and_fit_into_a_label() -> None:
    long = "a-namespace-of-sixty-three-characters-which-is-all-there-may-be"
    groups = [group(f"stateless-{number:02d}", "warm") for number in range(1, 40)]
    blueprint = estate.blueprint(
        *groups,
        namespaces=(NamespacePlan(name=long), NamespacePlan(name=f"{long[:-1]}x"), NamespacePlan(name="web")),
    )
    parts = entry_points.parts(blueprint)
    names = [point.name for part in parts for point in part.points] + [part.name for part in parts]
    assert len({*names, blueprint.name}) == len(names) + 1
    assert max(map(len, names)) <= 63
    assert all(name.startswith("acme-") for name in names)


def test_a_group_called_like_a_namespaces_root_still_has_a_name_of_its_own() -> None:
    blueprint = estate.blueprint(
        group("namespace-01", "warm"),
        namespaces=(NamespacePlan(name="web"), NamespacePlan(name="01-plan")),
        phases=(PhasePlan(name="namespace", kind="stateless", priority=20_000),),
    )
    names = {directory: point.name for directory, point in points(blueprint).items()}
    assert names["infra/namespaces/01-plan"] == "acme-namespace-01-plan"
    assert names["overlays/namespace/namespace-01/plan"].startswith("acme-namespace-01-plan-")


def test_everything_that_is_waited_for_exists_and_nothing_waits_for_itself() -> None:
    blueprint = estate.blueprint()
    found = {point.name: point for point in points(blueprint).values()}
    graph = {name: point.after for name, point in found.items()}
    assert {name for after in graph.values() for name in after} <= found.keys()
    assert len(list(TopologicalSorter(graph).static_order())) == len(found)


def test_a_plan_waits_for_its_namespace_and_source_and_a_migration_for_its_plan() -> None:
    blueprint = estate.blueprint()
    assert waits_for(blueprint, "overlays/stateless/stateless-01/plan") == {
        "infra/cluster",
        "infra/namespaces/web",
        "infra/source/vc1",
    }
    assert waits_for(blueprint, "overlays/stateless/stateless-01/migration") == {"overlays/stateless/stateless-01/plan"}
    assert waits_for(blueprint, "infra/source/vc1") == {"infra/forklift"}
    assert waits_for(blueprint, "infra/namespaces/web") == {"infra/cluster"}


def test_forklifts_objects_wait_for_the_rights_to_apply_them() -> None:
    assert waits_for(estate.blueprint(), "infra/forklift") == {"infra/cluster"}
    namespaces = (NamespacePlan(name="web"), NamespacePlan(name="konveyor-forklift"))
    blueprint = estate.blueprint(namespaces=namespaces)
    assert waits_for(blueprint, "infra/forklift") == {"infra/cluster", "infra/namespaces/konveyor-forklift"}


def test_a_group_waits_for_the_namespaces_of_its_networks() -> None:
    elsewhere = group("stateless-01", "warm", transfer_network="db/copy")
    assert "infra/namespaces/db" in waits_for(estate.blueprint(elsewhere), "overlays/stateless/stateless-01/plan")


def test_no_group_waits_for_another() -> None:
    for directory, point in points(estate.blueprint()).items():
        if point.group is not None:
            waited = waits_for(estate.blueprint(), directory)
            own = f"overlays/{point.group.phase}/{point.group.name}/"
            assert all(other.startswith(("infra/", own)) for other in waited)


def test_no_part_holds_more_than_250() -> None:
    groups = [group(f"stateless-{number:03d}", "warm") for number in range(260)]
    parts = entry_points.parts(estate.blueprint(*groups))
    assert [(part.directory, len(part.points), part.lock) for part in parts] == [
        ("clusters/prod-a/_infra", 5, "_infra"),
        ("clusters/prod-a/stateless", 250, "stateless"),
        ("clusters/prod-a/stateless.2", 250, "stateless"),
        ("clusters/prod-a/stateless.3", 20, "stateless"),
    ]


def test_the_parts_of_one_phase_do_not_depend_on_another() -> None:
    blueprint = estate.blueprint()
    fewer = replace(blueprint, groups=tuple(each for each in blueprint.groups if each.phase == "stateless"))
    assert entry_points.parts(blueprint)[1] == entry_points.parts(fewer)[1]
