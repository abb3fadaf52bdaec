"""Tests of `vmferry.resolve.turns`: conversions of a vCenter take turns at one ConfigMap, for as long as they run."""

from typing import Any

from msgspec.structs import replace
from tests.resolve.projects import Data, machines, resolved, vm

from vmferry.estate.resolution import Resolution
from vmferry.model.assignments import Assignments

NAMESPACES = [{"name": "web"}, {"name": "crm"}]


def placed(*vms: Data, stage: str = "prepared", **sections: Any) -> Resolution:
    groups = {"first-01": {"stage": stage}, "first-02": {"stage": stage}}
    return resolved(*vms, **{"namespaces": NAMESPACES, "groups": groups} | sections)


def turns(found: Resolution) -> dict[str, str]:
    """Return where each VM that has begun takes its turn."""
    return {
        machine.name: f"{machine.conversion.places} at {machine.conversion.places_at}"
        for machine in machines(found).values()
        if machine.conversion is not None
    }


def places(found: Resolution) -> dict[str, tuple[str, ...]]:
    """Return who uses which ConfigMap."""
    return {f"{plan.name}/{each.name}": each.accounts for plan in found.blueprint.namespaces for each in plan.places}


def migrating(*vms: Data, assignments: Assignments, **sections: Any) -> Resolution:
    return placed(*vms, stage="migrating", assignments=assignments, **sections)


def test_namespaces_share_the_places_of_their_vcenter() -> None:
    pair = vm("a", namespace="crm"), vm("b")
    found = migrating(*pair, assignments=placed(*pair).assignments)
    assert turns(found) == dict.fromkeys("ab", "10 at web/acme-vc1-conversions")
    accounts = ("crm/acme-first-01-convert", "web/acme-first-02-convert")
    assert places(found) == {"web/acme-vc1-conversions": accounts}


def test_the_places_stay_where_conversions_that_have_begun_look_for_them() -> None:
    first = vm("a", namespace="crm")
    before = migrating(first, assignments=placed(first).assignments)
    assert turns(before) == {"a": "10 at crm/acme-vc1-conversions"}
    later = migrating(first, vm("b"), assignments=before.assignments)
    assert turns(later) == dict.fromkeys("ab", "10 at crm/acme-vc1-conversions")


def test_a_vm_that_is_added_moves_no_places_of_prepared_conversions() -> None:
    prepared = {"first-01": {"stage": "prepared"}}
    first = vm("b", namespace="crm")
    before = resolved(first, namespaces=NAMESPACES, groups=prepared)
    assert list(places(before)) == ["crm/acme-vc1-conversions"]
    later = resolved(first, vm("a"), namespaces=NAMESPACES, groups=prepared, assignments=before.assignments)
    assert list(places(later)) == ["crm/acme-vc1-conversions"]


def test_a_new_number_of_places_is_for_conversions_to_come() -> None:
    before = migrating(vm("a"), assignments=placed(vm("a")).assignments)
    [source] = before.blueprint.sources
    fewer: Data = {"url": source.vcenter.url, "credentials": {"secretRef": {"name": "vc1"}}, "parallelConversions": 3}
    fewer["conversionCredentials"] = {"secretRef": {"name": "vc1-conversion"}}
    sources = [{"name": "vc1", "vcenter": fewer}]
    found = migrating(vm("a"), vm("b", namespace="crm"), assignments=before.assignments, sources=sources)
    assert turns(found) == {"a": "10 at web/acme-vc1-conversions", "b": "3 at web/acme-vc1-conversions"}


def test_nothing_takes_turns_where_nothing_is_converted_by_jobs() -> None:
    assert places(placed(vm("a", method="image"))) == {}


def test_conversions_that_began_without_places_need_none() -> None:
    before = migrating(vm("a"), assignments=placed(vm("a")).assignments).assignments
    item = before.vms["vc1/a"]
    assert item.machine is not None
    assert item.machine.conversion is not None
    former = replace(item.machine.conversion, places=None, places_at=None)
    item = replace(item, machine=replace(item.machine, conversion=former))
    found = migrating(vm("a"), assignments=replace(before, vms={"vc1/a": item}))
    assert machines(found)["a"].conversion == former
    assert places(found) == {}


def test_kueue_takes_the_place_of_places() -> None:
    gitops = {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"}
    target = {"cluster": {"name": "prod-a", "kueueQueue": "conversions"}, "gitops": gitops}
    found = migrating(vm("a"), assignments=placed(vm("a"), target=target).assignments, target=target)
    [machine] = machines(found).values()
    assert machine.conversion is not None
    assert (machine.conversion.queue, machine.conversion.places) == ("conversions", None)
    assert places(found) == {}
