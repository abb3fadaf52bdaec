"""When single VMs of a warm group cut over."""

from typing import Any

import pytest
from tests.resolve.projects import Data, codes, finding, group, resolved, vm

from vmferry.estate.cutover import cutover_of, stated_cutover
from vmferry.estate.resolution import Resolution
from vmferry.model.blueprint import VmCutover
from vmferry.model.spec import GroupState

WARM = {"path": "forklift", "method": "warm", "changeTracking": True}
WINDOWS = {"phases": [{"name": "first", "windows": [{"start": "2027-01-11T20:00:00Z", "duration": "6h"}]}]}
EARLY, LATE = "2027-01-11T20:30:00Z", "2027-01-11T22:00:00Z"


def at(own: dict[str, str], *vms: Data, **sections: Any) -> Resolution:
    """Return what is decided where a group states times for single VMs."""
    wanted = vms or (vm("a", id="vm-1", **WARM), vm("b", id="vm-2", **WARM))
    state = {"stage": "prepared", "cutover": LATE, "vmCutover": own}
    return resolved(*wanted, groups={"first-01": state}, **(WINDOWS | sections))


@pytest.mark.parametrize("key", ["a", "vm-1"])
def test_a_vm_is_called_by_its_name_or_id_and_cuts_over_at_its_own_time(key: str) -> None:
    found = group(at({key: EARLY}), "first-01")
    assert found.vm_cutover == (VmCutover(id="vm-1", time=EARLY),)
    assert [cutover_of(found, machine) for machine in found.machines] == [EARLY, LATE]


@pytest.mark.parametrize("key", ["a", "vm-1"])
def test_the_spec_says_the_same_before_anything_is_decided(key: str) -> None:
    found = group(at({key: EARLY}), "first-01")
    state = GroupState(stage="prepared", cutover=LATE, vm_cutover={key: EARLY})
    assert [stated_cutover(state, machine) for machine in found.machines] == [EARLY, LATE]


@pytest.mark.parametrize(
    ("own", "code", "words"),
    [
        ({"c": EARLY}, "VMF102", "has no VM c"),
        ({"a": "2027-01-12T08:00:00Z"}, "VMF406", "VM a: cutover 2027-01-12T08:00:00Z is outside"),
        ({"a": "2027-02-30T20:00:00Z"}, "VMF406", "is not a valid time"),
        ({"a": EARLY, "vm-1": EARLY}, "VMF101", "two cutover times"),
    ],
)
def test_a_time_that_no_vm_can_keep_is_an_error(own: dict[str, str], code: str, words: str) -> None:
    found = at(own)
    assert words in finding(found, code).message
    assert finding(found, code).where.path[:3] == ("groups", "first-01", "vmCutover")  # type: ignore[union-attr]


def test_forklift_finds_a_vms_time_by_its_id_only() -> None:
    assert "add `id`" in finding(at({"a": EARLY}, vm("a", **WARM)), "VMF108").help


def test_a_name_that_two_vms_have_is_an_error() -> None:
    twins = (vm("a", id="vm-1", **WARM), vm("a", id="vm-2", targetName="a-2", uuid=None, nics=[], **WARM))
    assert "vm-1, vm-2" in finding(at({"a": EARLY}, *twins), "VMF102").help


def test_only_warm_migrations_cut_over() -> None:
    cold = vm("a", id="vm-1", path="forklift", method="cold")
    found = resolved(cold, groups={"first-01": {"stage": "prepared", "vmCutover": {"a": EARLY}}})
    assert codes(found).count("VMF116") == 1
    assert group(found, "first-01").vm_cutover == ()
