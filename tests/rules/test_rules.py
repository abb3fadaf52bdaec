"""The rules over the Blueprint: each fires, and a near miss does not."""

import pytest
from tests.resolve.projects import Data, project, vm

from vmferry.model.finding import Finding
from vmferry.resolve.blueprint import resolve
from vmferry.rules import FAMILIES, check

APP: Data = {"image": "registry.example.com/app:1.4.2"}


def ruled(*vms: Data, **sections: object) -> list[Finding]:
    return list(check(resolve(project(*vms, **sections)).blueprint))


def app(name: str, **fields: object) -> Data:
    return vm(name, path="rebuild", method=None, application={**APP, **fields})


def test_every_family_is_registered_under_the_name_of_its_module() -> None:
    assert {name: family.__module__ for name, family in FAMILIES.items()} == {
        name: f"vmferry.rules.{name}" for name in FAMILIES
    }


PORT = {"name": "http", "port": 80}
STATE = {"name": "data", "mountPath": "/data", "size": "1Gi", "tier": "gold"}


@pytest.mark.parametrize(
    ("code", "fires", "near_miss"),
    [
        ("VMF505", [app("1-app", ports=[PORT])], [app("app-1", ports=[PORT])]),
        (
            "VMF505",
            [app("app", replicas=2, state=[STATE])],
            [app("app", replicas=2, state=[STATE], kind="StatefulSet")],
        ),
        ("VMF505", [app("app", config={"a/b": "x"})], [app("app", config={"a.b": "x"})]),
        ("VMF505", [app("a" * 53, kind="StatefulSet")], [app("a" * 52, kind="StatefulSet")]),
        ("VMF505", [app("app", ports=[PORT, PORT])], [app("app", ports=[PORT, {"name": "https", "port": 443}])]),
        (
            "VMF507",
            [vm("a", path="forklift", method="cold", tolerations=[{"key": "gpu"}])],
            [vm("a", tolerations=[{"key": "gpu"}])],
        ),
        ("VMF507", [vm("a", hooks=[{"name": "drain", "step": "PreHook"}])], [vm("a")]),
        ("VMF508", [vm("a", path="forklift", method="cold", cpuModel="Nehalem")], [vm("a", cpuModel="Nehalem")]),
        (
            "VMF110",
            [app("web", kind="StatefulSet"), app("web-headless", ports=[PORT])],
            [app("web", kind="StatefulSet"), app("web-2", ports=[PORT])],
        ),
    ],
)
def test_a_rule_fires_and_its_near_miss_does_not(code: str, fires: list[Data], near_miss: list[Data]) -> None:
    found = [each for each in ruled(*fires) if each.code == code]
    assert len(found) == 1
    assert found[0].vms
    assert found[0].help
    assert found[0].where is not None
    assert code not in [each.code for each in ruled(*near_miss)]
