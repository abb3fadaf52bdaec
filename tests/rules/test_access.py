"""Access that would be more than its entry says, or nothing."""

import pytest
from tests.resolve.projects import Data, vm
from tests.rules.ruling import ruled


def access(role: str, group: str = "oidc:web") -> list[Data]:
    return [{"group": group, "role": role, "namespaces": ["web"]}]


def found(*vms: Data, code: str, **sections: Data | list[Data]) -> list[str]:
    return [each.message for each in ruled(*vms, **sections) if each.code == code]


@pytest.mark.parametrize(("kubevirt", "fires"), [("1.4", True), ("1.5", False), ("1.9", False)])
def test_kubevirt_has_a_role_for_migration_since_1_5(kubevirt: str, *, fires: bool) -> None:
    target = {
        "cluster": {"name": "prod-a", "versions": {"kubevirt": kubevirt}},
        "gitops": {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"},
    }
    assert bool(found(vm(), code="VMF506", target=target, access=access("migrate"))) is fires
    assert found(vm(), code="VMF506", target=target, access=access("edit")) == []


@pytest.mark.parametrize(("role", "fires"), [("edit", True), ("admin", True), ("operate", False), ("migrate", False)])
def test_who_makes_vms_reads_the_secrets_beside_them(role: str, *, fires: bool) -> None:
    assert bool(found(vm(), code="VMF144", access=access(role))) is fires


def test_a_namespace_without_conversion_jobs_holds_no_credentials() -> None:
    assert found(vm(path="forklift", method="cold"), code="VMF144", access=access("edit")) == []


@pytest.mark.parametrize("group", ["system:authenticated", "system:masters", "system:serviceaccounts:web"])
def test_groups_of_kubernetes_own_are_refused(group: str) -> None:
    [message] = found(vm(), code="VMF143", access=access("view", group))
    assert group in message
