"""Tests of `vmferry report progress`: what moved and what is left, by what the spec and the evidence say."""

import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from tests.invocation import vmferry

from vmferry.check import check

ACME = Path(__file__).parents[2] / "examples/acme"


@pytest.fixture
def acme(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ACME, tmp_path / "acme"))


def progress(spec: Path, now: str = "2027-01-26T12:00:00Z") -> dict[str, Any]:
    result = vmferry("report", "progress", spec, "--now", now, "--format", "json")
    assert result.code == 0, result.text
    found: dict[str, Any] = result.data
    return found


def record(spec: Path, dates: dict[str, str]) -> None:
    """Record for VMs, by name, when they were first seen to run in the target."""
    entries = [
        {
            "group": group.name,
            "vm": machine.key,
            "name": machine.name,
            "what": "virtualMachine",
            "outcome": "succeeded",
            "attempt": group.attempt,
            "finished": dates[machine.name],
        }
        for group in check(spec).resolution.blueprint.groups
        for machine in group.machines
        if machine.name in dates
    ]
    assert len(entries) == len(dates)
    head = {"apiVersion": "vmferry.dev/v1alpha1", "kind": "Evidence", "metadata": {"name": "acme"}}
    (spec / "evidence.yaml").write_text(yaml.safe_dump({**head, "entries": entries}, sort_keys=False))


def test_what_moved_is_what_runs_in_the_target(acme: Path) -> None:
    found = progress(acme)
    groups = check(acme).resolution.blueprint.groups
    moved = [machine for group in groups if group.stage == "cutover" for machine in group.machines]
    assert found["moved"]["vms"] == len(moved)
    assert found["moved"]["of_vms"] == sum(len(group.machines) for group in groups)
    assert found["moved"]["size"] == sum(disk.size for machine in moved for disk in machine.disks if disk.owner)
    assert sum(phase["moved"]["vms"] for phase in found["phases"]) == len(moved)
    assert (found["dated"], found["weeks"]) == (0, [])


def test_what_was_left_after_each_week_follows_the_evidence(acme: Path) -> None:
    record(acme, {"dev-build-01": "2027-01-12T20:00:00Z", "dev-build-02": "2027-01-25T00:00:00Z"})
    found = progress(acme)
    assert [(week["start"], week["vms"]) for week in found["weeks"]] == [
        ("2027-01-11", 70),
        ("2027-01-18", 70),
        ("2027-01-25", 69),
    ]
    sizes = [week["size"] for week in found["weeks"]]
    assert sizes[0] - sizes[2] == 60 << 30
    assert found["dated"] == 2
    text = vmferry("report", "progress", acme).out
    assert "no date is recorded for 12 VMs that moved" in text


def test_a_host_is_empty_when_no_vm_is_on_it_whether_it_moves_or_not(acme: Path) -> None:
    vms = check(acme).resolution.subjects
    hosts = {(subject.source, subject.vm.host) for subject in vms if subject.vm.host}
    assert (progress(acme)["hosts"], progress(acme)["hosts_empty"]) == (len(hosts), 0)


def test_the_badge_is_svg_with_the_share(acme: Path) -> None:
    text = vmferry("report", "progress", acme, "--format", "badge").out
    root = ElementTree.fromstring(text)
    assert root.attrib["aria-label"] == "acme moved: 20%"
