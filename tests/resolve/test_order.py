"""In which order things move: phases, and VMs that depend on each other."""

import pytest
from tests.resolve.projects import Data, codes, finding, groups, resolved, vm

THREE: list[Data] = [{"name": "a"}, {"name": "b", "after": ["a"]}, {"name": "c", "after": ["b"]}]


def order(phases: list[Data]) -> list[str]:
    return [phase.name for phase in resolved(phases=phases).blueprint.phases]


def test_phases_keep_the_order_of_the_spec_where_nothing_else_is_said() -> None:
    assert order([{"name": "z"}, {"name": "a"}]) == ["z", "a"]


def test_a_phase_comes_after_those_it_names() -> None:
    assert order(list(reversed(THREE))) == ["a", "b", "c"]


def test_phases_in_a_circle_are_an_error() -> None:
    found = resolved(phases=[{"name": "a", "after": ["b"]}, {"name": "b", "after": ["a"]}])
    assert "cycle" in finding(found, "VMF403").message


def test_a_phase_that_is_not_defined_is_an_error_with_a_guess() -> None:
    found = resolved(phases=[{"name": "stateless"}, {"name": "last", "after": ["stateles"]}])
    assert "did you mean stateless?" in finding(found, "VMF102").message


def test_a_vm_that_would_move_before_what_it_needs_is_an_error() -> None:
    found = resolved(vm("web", phase="a", dependsOn=["db"]), vm("db", phase="c"), phases=THREE)
    assert finding(found, "VMF402").vms == ("web", "db")


@pytest.mark.parametrize("phase", ["b", "c"])
def test_a_vm_may_move_with_or_after_what_it_needs(phase: str) -> None:
    found = resolved(vm("web", phase=phase, dependsOn=["db"]), vm("db", phase="b"), phases=THREE)
    assert codes(found) == []


def test_phases_side_by_side_have_no_order_to_break() -> None:
    phases = [{"name": "a"}, {"name": "b"}]
    assert codes(resolved(vm("web", phase="a", dependsOn=["db"]), vm("db", phase="b"), phases=phases)) == []


def test_a_circle_within_a_phase_moves_as_one() -> None:
    ring = [vm(f"ring-{i}", dependsOn=[f"ring-{(i + 1) % 4}"]) for i in range(4)]
    found = resolved(*ring, vm("alone"), settings={"grouping": {"maxVms": 1}})
    assert sorted(groups(found).values()) == [["alone"], ["ring-0", "ring-1", "ring-2", "ring-3"]]
    assert codes(found) == []


def test_a_circle_over_phases_is_an_error_that_names_its_vms() -> None:
    found = resolved(vm("web", phase="a", dependsOn=["db"]), vm("db", phase="b", dependsOn=["web"]), phases=THREE)
    assert "db (b), web (a)" in finding(found, "VMF401").message


def test_a_vm_is_found_by_name_by_id_and_by_key() -> None:
    for reference in ("db", "vm-7", "vc1/vm-7"):
        assert codes(resolved(vm("db", id="vm-7"), vm("web", dependsOn=[reference]))) == []


def test_a_name_that_two_vms_have_is_an_error() -> None:
    pair = [vm("db", id="vm-1"), vm("db", id="vm-2", uuid=None, method="image", path="forklift", nics=[])]
    found = resolved(*pair, vm("web", dependsOn=["db"]), defaults={"phase": "first", "namespace": "web"})
    assert any("2 VMs have that" in each.message for each in found.findings)


def test_a_name_that_no_vm_has_is_an_error_with_a_guess() -> None:
    found = resolved(vm("ldap-01"), vm("web", dependsOn=["ldap-1"]))
    assert "did you mean ldap-01?" in finding(found, "VMF102").message


def test_what_is_outside_and_what_stays_behind_orders_nothing() -> None:
    stays = {"name": "ldap", "disposition": "retain", "reason": "a later project"}
    found = resolved(stays, vm("web", dependsOn=["ldap", {"external": "smtp.example.com:25"}]))
    assert codes(found) == []
