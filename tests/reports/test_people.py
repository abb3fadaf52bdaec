"""Tests of `vmferry report people`: concepts with the estate's own objects, and topics before their phase."""

from pathlib import Path
from typing import Any

from tests.cli.test_check import SPEC, vm
from tests.invocation import vmferry
from tests.reports.test_assessment import inventory
from tests.reports.test_assessment import vm as fact

from vmferry.check import check

ACME = Path(__file__).parents[2] / "examples/acme"


def people() -> dict[str, Any]:
    found: dict[str, Any] = vmferry("report", "people", ACME, "--format", "json").data
    return found


def test_concepts_are_shown_with_what_the_estate_has_of_them() -> None:
    found = {each["vsphere"]: each for each in people()["concepts"]}
    subjects = check(ACME).resolution.subjects
    pools = {subject.vm.resource_pool for subject in subjects if subject.vm.resource_pool}
    assert found["resource pool, folder"]["here"].startswith(f"your {len(pools)} resource pools → ")
    assert "tag, custom attribute" not in found or found["tag, custom attribute"]["here"] != "0 tags"


def test_a_topic_comes_before_the_first_phase_that_needs_it() -> None:
    training = {each["topic"]: each for each in people()["training"]}
    groups = check(ACME).resolution.blueprint.groups
    order = [phase.name for phase in check(ACME).resolution.blueprint.phases]
    windows = {group.phase for group in groups if any(machine.os == "windows" for machine in group.machines)}
    assert training["Windows on virtio"]["phase"] == min(windows, key=order.index)
    phases = [order.index(each["phase"]) for each in people()["training"]]
    assert phases == sorted(phases)
    assert training["Git, pull requests, Flux or Argo CD"]["phase"] == order[0]


def test_what_nobody_needs_is_not_taught() -> None:
    text = f"{SPEC}vms:\n{vm('a')}"
    found = vmferry("report", "people", "-", "--format", "json", stdin=text.encode()).data
    topics = {each["topic"] for each in found["training"]}
    assert "KubeVirt: VirtualMachine, virtctl" in topics
    assert not topics & {"GPUs in KubeVirt", "SR-IOV", "Windows on virtio", "Deployments, Services, probes"}


def test_a_bare_inventory_has_its_concepts(tmp_path: Path) -> None:
    place = inventory(tmp_path / "inventory", fact(1, resourcePool="Prod", host="esx1", snapshots=2))
    found = {
        each["vsphere"]: each["here"]
        for each in vmferry("report", "people", place, "--format", "json").data["concepts"]
    }
    assert found["resource pool, folder"].startswith("your 1 resource pool → ")
    assert found["snapshot"] == "1 VM with snapshots"
