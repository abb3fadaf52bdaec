"""Tests of `vmferry.resolve.conversions`: what fills the disks of VMs that go by virt-v2v."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.resolve.projects import Data, decision, machines, resolved, vm

from vmferry.estate.resolution import Resolution
from vmferry.model.assignments import Assignments
from vmferry.model.blueprint import Origin

UUIDS = {"uuid": "42301f6e-1c5d-4c6e-9d3a-2b8f6a7c0001", "instanceUuid": "50301f6e-1c5d-4c6e-9d3a-2b8f6a7c0001"}


def origins(found: Resolution) -> dict[str, Origin]:
    """Return what fills the disks of each VM, by the VM's name."""
    return {
        machine.name: group.origins[machine.key]
        for group in found.blueprint.groups
        for machine in group.machines
        if machine.key in group.origins
    }


def target(image: str = "v2v:first", **versions: str) -> Data:
    cluster = {"name": "prod-a", "v2vImage": image, "versions": versions}
    return {"cluster": cluster, "gitops": {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"}}


def at(stage: str, *vms: Data, assignments: Assignments | None = None, **sections: Any) -> Resolution:
    groups = {"first-01": {"stage": stage}} if stage != "planned" else {}
    return resolved(*vms or (vm(),), assignments=assignments, groups=groups, **sections)


def begun(*vms: Data, **sections: Any) -> Resolution:
    """Return what is decided of VMs whose first attempt begins."""
    return at("migrating", *vms, assignments=at("prepared", *vms, **sections).assignments, **sections)


@pytest.mark.parametrize("stage", ["planned", "prepared"])
def test_before_an_attempt_begins_it_is_what_the_spec_says_by_now(stage: str) -> None:
    before = at("planned") if stage == "planned" else at("prepared", target=target("v2v:first"))
    found = origins(at(stage, assignments=before.assignments, target=target("v2v:next")))["web-01"]
    assert (found.conversion.image, found.conversion.attempt, found.secret) == ("v2v:next", None, "vc1-conversion")


def test_what_has_begun_goes_on_as_it_began() -> None:
    before = begun(target=target("v2v:first", cdi="1.57"))
    after = origins(at("migrating", assignments=before.assignments, target=target("v2v:next", cdi="1.66")))
    assert after == origins(before)
    assert after["web-01"].conversion.image == "v2v:first"


def test_an_attempt_that_was_written_down_without_a_secret_has_that_of_the_namespace() -> None:
    before = begun()
    [(key, record)] = before.assignments.vms.items()
    assert record.machine is not None
    assert record.machine.conversion is not None
    without = replace(record.machine, conversion=replace(record.machine.conversion, secret=None))
    former = replace(before.assignments, vms={key: replace(record, machine=without)})
    found = at("migrating", assignments=former)
    assert origins(found)["web-01"].secret == "vc1-conversion"
    assert found.assignments == former


@pytest.mark.parametrize(
    ("cdi", "instance", "checksums", "collected"),
    [
        ("1.57", False, False, True),
        ("1.62", False, False, False),
        ("1.65", False, True, False),
        ("1.66", True, True, False),
    ],
)
def test_the_version_of_cdi_decides_what_it_is_told(cdi: str, instance: bool, checksums: bool, collected: bool) -> None:
    by_cdi = vm(**UUIDS, method="image", disks=[{"size": "40Gi", "datastore": "ds1", "source": {"vddk": {}}}])
    found = origins(at("planned", by_cdi, target=target(cdi=cdi)))["web-01"]
    assert found.uuid == UUIDS["instanceUuid" if instance else "uuid"]
    assert (found.checksums, found.collected) == (checksums, collected)


def test_vms_of_other_paths_are_filled_by_others() -> None:
    warm = vm("db-01", path="forklift", method="warm", changeTracking=True)
    found = at("planned", vm(), warm)
    assert set(machines(found)) == {"web-01", "db-01"}
    assert set(origins(found)) == {"web-01"}


def test_it_is_explained_with_which_image_a_vm_would_be_converted() -> None:
    said = decision(at("planned", target=target("v2v:first")), "web-01", "conversion")
    assert said.value == "v2v:first"
    assert said.reason.startswith("target.cluster.v2vImage")
