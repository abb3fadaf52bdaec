"""Into which namespace a VM goes."""

from typing import Any

from tests.resolve.projects import codes, decision, defaults, finding, machines, resolved, vm

NOWHERE = defaults(namespace=None)


def home(rows: list[dict[str, Any]], **fields: Any) -> str:
    found = resolved(vm(**fields), namespaces=rows, defaults=NOWHERE)
    return machines(found)["web-01"].namespace


def folder(name: str, path: str, **more: str) -> dict[str, Any]:
    return {"name": name, "source": {"folder": path, **more}}


def pool(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "source": {"resourcePool": path}}


def test_the_resource_pool_decides() -> None:
    assert home([pool("web", "Prod/Web"), pool("db", "Prod/Db")], resourcePool="Prod/Db") == "db"


def test_what_lies_below_a_folder_follows_it() -> None:
    assert home([folder("web", "/Prod/Web")], folder="/Prod/Web/Shop/2019") == "web"


def test_a_folder_whose_name_begins_alike_does_not_follow() -> None:
    found = resolved(vm(folder="/Prod/Webshop"), namespaces=[folder("web", "/Prod/Web")], defaults=NOWHERE)
    assert codes(found) == ["VMF105"]


def test_the_longest_path_wins() -> None:
    rows = [folder("prod", "/Prod"), folder("shop", "/Prod/Web/Shop"), folder("web", "/Prod/Web")]
    assert home(rows, folder="/Prod/Web/Shop") == "shop"
    assert home(rows, folder="/Prod/Web") == "web"
    assert home(rows, folder="/Prod/Other") == "prod"


def test_a_pool_and_a_folder_that_hold_it_equally_are_ambiguous() -> None:
    rows = [folder("web", "/Prod/Web"), pool("shop", "Prod/Shop")]
    found = resolved(vm(folder="/Prod/Web", resourcePool="Prod/Shop"), namespaces=rows, defaults=NOWHERE)
    assert "shop and web equally" in finding(found, "VMF112").message


def test_a_stated_namespace_wins_over_any_folder() -> None:
    rows = [folder("web", "/Prod/Web"), {"name": "db"}]
    found = resolved(vm(folder="/Prod/Web", namespace="db"), namespaces=rows, defaults=NOWHERE)
    assert machines(found)["web-01"].namespace == "db"
    assert decision(found, "web-01", "namespace").reason == "the spec says so"


def test_a_row_of_another_vcenter_is_not_for_this_one() -> None:
    rows = [folder("theirs", "/Prod/Web", source="vc2"), folder("ours", "/Prod", source="vc1")]
    assert home(rows, folder="/Prod/Web") == "ours"


def test_a_namespace_that_is_not_defined_is_an_error_with_a_guess() -> None:
    found = resolved(vm(namespace="webb"), namespaces=[{"name": "web"}])
    assert "did you mean web?" in finding(found, "VMF102").message


def test_a_vm_without_any_is_an_error() -> None:
    assert finding(resolved(vm(), namespaces=[], defaults=NOWHERE), "VMF105").vms == ("web-01",)
