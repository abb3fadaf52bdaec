"""Names in the target: valid for everything that takes them, unique, and stable."""

from pathlib import PurePosixPath

import pytest
from tests.resolve.projects import codes, decision, finding, groups, machines, resolved, vm

from vmferry.kube.dns import LONGEST, fit, sanitize
from vmferry.resolve.target_names import MAX_CLAIM


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("web-01", "web-01"),
        ("WEB_01.example.com", "web-01-example-com"),
        ("  (old) web 01!", "old-web-01"),
        ("Müller & Söhne", "m-ller-s-hne"),
        ("🦀", ""),
        ("---", ""),
        ("a" * 80, "a" * 63),
        ("a" * 62 + "-b", "a" * 62),
    ],
)
def test_a_name_is_made_into_a_label(name: str, wanted: str) -> None:
    assert sanitize(name) == wanted


def test_what_is_cut_off_is_kept_apart_by_a_digest() -> None:
    one, other = fit("a" * 70 + "1", LONGEST), fit("a" * 70 + "2", LONGEST)
    assert one != other
    assert len(one) == len(other) == LONGEST
    assert fit("short", LONGEST) == "short"


def test_a_vm_keeps_a_name_that_kubernetes_takes() -> None:
    found = resolved(vm("web-01"))
    assert machines(found)["web-01"].target_name == "web-01"
    assert codes(found) == []


def test_a_name_that_changes_is_reported() -> None:
    found = resolved(vm("WEB 01"))
    assert machines(found)["WEB 01"].target_name == "web-01"
    assert "'WEB 01' becomes web-01" in finding(found, "VMF111").message
    assert decision(found, "WEB 01", "target name").reason == "made from 'WEB 01'"


def test_two_names_that_become_one_get_digests() -> None:
    names = {m.target_name for m in machines(resolved(vm("web 01"), vm("web.01"))).values()}
    assert len(names) == 2
    assert all(name.startswith("web-01-") for name in names)


def test_the_vm_that_is_called_so_keeps_the_name_the_other_wants() -> None:
    found = machines(resolved(vm("web-01"), vm("web.01")))
    assert found["web-01"].target_name == "web-01"
    assert found["web.01"].target_name.startswith("web-01-")


def test_names_may_be_equal_in_different_namespaces() -> None:
    found = machines(resolved(vm("web 01"), vm("web.01", namespace="db"), namespaces=[{"name": "web"}, {"name": "db"}]))
    assert {machine.target_name for machine in found.values()} == {"web-01"}


def test_names_of_signs_only_are_told_apart() -> None:
    names = {m.target_name for m in machines(resolved(vm("🦀"), vm("🐙"), vm("!!"))).values()}
    assert len(names) == 3
    assert all(name.startswith("vm-") for name in names)


def test_digests_that_meet_are_made_longer() -> None:
    found = machines(resolved(vm("沮"), vm("墻")))  # the keys of both begin with a77d11 in SHA-256
    assert {machine.target_name[:9] for machine in found.values()} == {"vm-a77d11"}
    assert len({machine.target_name for machine in found.values()}) == 2


def test_a_stated_name_that_is_taken_is_an_error() -> None:
    found = resolved(vm("a", targetName="web"), vm("b", targetName="web"))
    assert finding(found, "VMF110").where.path == ("vms", 1, "targetName")  # type: ignore[union-attr]


def test_a_derived_name_gives_way_to_a_stated_one() -> None:
    found = machines(resolved(vm("web"), vm("other", targetName="web")))
    assert found["other"].target_name == "web"
    assert found["web"].target_name.startswith("web-")


@pytest.mark.parametrize("length", [37, 38, 63, 80])
def test_claims_fit_what_forklift_and_cdi_make_of_them(length: int) -> None:
    [machine] = machines(resolved(vm("a" * length, path="forklift", method="cold"))).values()
    assert len(machine.disks[0].claim) <= MAX_CLAIM
    assert machine.disks[0].claim.endswith("-disk-0")


def test_claims_of_long_names_with_one_beginning_differ() -> None:
    found = machines(resolved(vm("a" * 50 + "1"), vm("a" * 50 + "2")))
    assert len({machine.disks[0].claim for machine in found.values()}) == 2


def test_a_planned_vm_keeps_its_name_when_its_rival_is_frozen() -> None:
    vms = [vm("web 01"), vm("web.01", phase="second")]
    sections = {"phases": [{"name": "first"}, {"name": "second", "after": ["first"]}]}
    before = resolved(*vms, groups={"first-01": {"stage": "prepared"}}, **sections)
    after = resolved(*vms, groups={"first-01": {"stage": "prepared"}}, assignments=before.assignments, **sections)
    assert groups(after) == {"first-01": ["web 01"], "second-01": ["web.01"]}
    assert machines(after) == machines(before)
    assert "VMF409" not in codes(after)


def test_a_name_with_a_slash_is_no_path() -> None:
    name = machines(resolved(vm("../../etc/passwd")))["../../etc/passwd"].target_name
    assert PurePosixPath(name).name == name == "etc-passwd"


def test_names_that_only_change_to_lower_case_are_one_information() -> None:
    found = finding(resolved(vm("WEB-01"), vm("Web-02"), vm("web-03")), "VMF111")
    assert found.severity == "info"
    assert found.vms == ("WEB-01", "Web-02")
    assert "2 names change to lower case only" in found.message


def test_a_name_that_changes_otherwise_too_is_said_for_itself() -> None:
    found = [each for each in resolved(vm("WEB-01"), vm("WEB_02"), vm("x.y")).findings if each.code == "VMF111"]
    assert sorted(each.severity for each in found) == ["info", "warning", "warning"]
    # two that become one get digests
    twins = [each for each in resolved(vm("WEB-01"), vm("web-01", id="vm-2")).findings if each.code == "VMF111"]
    assert [each.severity for each in twins] == ["warning"]
