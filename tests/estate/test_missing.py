"""Which facts a path and method cannot do without."""

from typing import Any, get_args

import pytest
from msgspec import convert

from vmferry.estate.methods import METHODS
from vmferry.estate.missing import missing
from vmferry.estate.readable import unreadable
from vmferry.model.facts import Disk
from vmferry.model.spec import Method, VirtualMachine


def fields(method: Method, **facts: Any) -> set[str]:
    vm = convert({"name": "web-01"} | facts, VirtualMachine)
    return {field for field, _, _ in missing(vm, METHODS[method].path, method)}


WHOLE: dict[str, Any] = {
    "powerState": "poweredOn",
    "disks": [{"size": "40Gi", "datastore": "ds1"}],
    "nics": [],
    "os": "linux",
    "cpu": {"count": 2},
    "memory": "4Gi",
    "firmware": "bios",
    "uuid": "42301f6e-1c5d-4c6e-9d3a-000000000001",
    "datacenter": "DC1",
    "host": "esx1.example.com",
}


@pytest.mark.parametrize("method", get_args(Method))
def test_of_a_vm_of_which_all_is_known_nothing_is_missing(method: Method) -> None:
    assert fields(method, **WHOLE) == set()


def test_forklift_reads_most_of_it_itself() -> None:
    assert fields("warm") == {"power_state", "disks", "nics"}
    assert fields("rebuild") == set()


def test_a_job_needs_to_know_where_the_vm_is_and_an_image_does_not() -> None:
    assert fields("job") - fields("image") == {"datacenter", "host"}


def test_with_efi_more_has_to_be_known() -> None:
    assert fields("image", **WHOLE | {"firmware": "efi"}) == {"secure_boot", "vtpm"}


def test_controllers_are_known_of_all_disks_or_of_none() -> None:
    disks = [{"size": "40Gi", "controller": "scsi"}, {"size": "40Gi"}]
    assert fields("cold", **WHOLE | {"disks": disks}) == {"controller"}


@pytest.mark.parametrize(
    ("facts", "readable"),
    [({}, True), ({"rdm": "virtual"}, True), ({"rdm": "physical"}, False), ({"mode": "independent_persistent"}, False)],
)
def test_what_vsphere_cannot_read_is_told_with_the_reason(facts: dict[str, Any], readable: bool) -> None:
    assert (unreadable(convert({"size": "40Gi"} | facts, Disk)) is None) == readable
