"""A frozen VM that is to stay, or to move otherwise, keeps its group from moving on."""

from typing import Any

import pytest
from tests.resolve.projects import Data, codes, defaults, finding, groups, resolved, vm

from vmferry.estate.resolution import Resolution
from vmferry.model.assignments import Assignments

PATHS = [("forklift", "cold"), ("forklift", "warm"), ("virt-v2v", "job"), ("virt-v2v", "image")]
STAYS: list[Data] = [
    {"disposition": "retain", "reason": "licence audit"},
    {"disposition": "exclude", "reason": "not ours"},
    {"disposition": "retire", "reason": "nobody uses it"},
]
PHASES: Data = {"phases": [{"name": "first"}, {"name": "second"}]}


def at(stage: str, *vms: Data, was: Assignments | None = None, **sections: Any) -> Resolution:
    return resolved(*vms, assignments=was, groups={"first-01": {"stage": stage}}, **sections)


def taken(stage: str, *vms: Data, **sections: Any) -> Assignments:
    """Return the record of a group that was taken stage by stage up to this one."""
    record = None
    for each in ("prepared", "migrating", "cutover"):
        record = at(each, *vms, was=record, **sections).assignments
        if each == stage:
            break
    assert record is not None
    return record


@pytest.mark.parametrize(("path", "method"), PATHS)
@pytest.mark.parametrize("stays", [*STAYS, None])
def test_a_group_does_not_move_on_with_a_vm_that_stays(path: str, method: str, stays: Data | None) -> None:
    route = {"defaults": defaults(path=path, method=method)}
    was = taken("prepared", vm("a"), vm("b"), **route)
    now = [vm("a"), *([vm("b", **stays)] if stays else [])]
    waiting = at("prepared", *now, was=was, **route)
    assert finding(waiting, "VMF410").vms == ("b",)
    assert "VMF439" not in codes(waiting)
    found = finding(at("migrating", *now, was=was, **route), "VMF439")
    assert found.vms == ("b",)
    assert "rolled-back, in the next commit to planned" in found.help


def test_the_finding_is_where_the_decision_was_made() -> None:
    was = taken("prepared", vm("a"), vm("b"))
    rule = [{"match": {"name": "b"}, "set": {"disposition": "retain", "reason": "audit"}}]
    where = finding(at("migrating", vm("a"), vm("b"), was=was, assign=rule), "VMF439").where
    assert where is not None
    assert where.path == ("assign", 0, "set", "disposition")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"phase": "second"}, "phase second"),
        ({"path": "forklift", "method": "cold"}, "path forklift"),
        ({"disposition": "rebuild", "path": "rebuild", "method": None}, "path rebuild"),
    ],
)
def test_a_group_does_not_move_on_with_a_vm_that_moves_otherwise(change: Data, said: str) -> None:
    was = taken("prepared", vm("a"), vm("b"), **PHASES)
    assert "VMF439" not in codes(at("prepared", vm("a"), vm("b", **change), was=was, **PHASES))
    assert said in finding(at("migrating", vm("a"), vm("b", **change), was=was, **PHASES), "VMF439").message
    begun = taken("migrating", vm("a"), vm("b"), **PHASES)
    assert "VMF439" not in codes(at("migrating", vm("a"), vm("b", **change), was=begun, **PHASES))


def test_other_changes_of_a_frozen_vm_do_not_stop_its_group() -> None:
    was = taken("prepared", vm("a"), vm("b"))
    found = at("migrating", vm("a"), vm("b", memory="16Gi", method="image"), was=was)
    assert [code for code in codes(found) if code.startswith("VMF4")] == ["VMF409"]


def test_a_vm_that_is_being_copied_cannot_be_left_out() -> None:
    was = taken("migrating", vm("a"), vm("b"))
    for stage in ("migrating", "cutover"):
        assert "too late" in finding(at(stage, vm("a"), was=was), "VMF439").help


def test_after_cutover_an_entry_may_go_with_a_warning() -> None:
    found = at("cutover", vm("a"), was=taken("cutover", vm("a"), vm("b")))
    assert finding(found, "VMF410").vms == ("b",)
    assert "VMF439" not in codes(found)


def test_back_at_planned_the_vm_is_out_of_its_group() -> None:
    was = taken("prepared", vm("a"), vm("b"))
    back = at("planned", vm("a"), vm("b", **STAYS[0]), was=was)
    again = at("prepared", vm("a"), vm("b", **STAYS[0]), was=back.assignments)
    on = at("migrating", vm("a"), vm("b", **STAYS[0]), was=again.assignments)
    assert groups(on) == {"first-01": ["a"]}
    assert not {"VMF410", "VMF439"} & set(codes(on))


def test_a_vm_that_stays_is_known_by_its_uuid() -> None:
    was = taken("prepared", vm("a"), vm("b"))
    other = vm("b-new", id="vm-9", uuid=vm("b")["uuid"], **STAYS[0])
    found = finding(at("migrating", vm("a"), other, was=was), "VMF439")
    assert "is to be retained" in found.message
