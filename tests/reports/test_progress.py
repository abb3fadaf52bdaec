"""Tests of `vmferry report progress`: what moved and what is left, by what the spec and the evidence say."""

import shutil
from datetime import date, timedelta
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
    assert found["dated"] == 0


def test_what_was_left_after_each_week_follows_the_evidence(acme: Path) -> None:
    record(acme, {"dev-build-01": "2027-01-12T20:00:00Z", "dev-build-02": "2027-01-25T00:00:00Z"})
    found = progress(acme)
    past = [week for week in found["weeks"] if week["left"] is not None]
    assert [(week["start"], week["left"]["vms"]) for week in past] == [
        ("2027-01-11", 70),
        ("2027-01-18", 70),
        ("2027-01-25", 57),  # the second one, and 12 that moved at an unknown time
    ]
    whole, sizes = found["moved"]["of_size"], [week["left"]["size"] for week in past]
    assert (sizes[0], sizes[2]) == (whole - (60 << 30), whole - found["moved"]["size"])
    assert found["dated"] == 2
    text = vmferry("report", "progress", acme).out
    assert "no date is recorded for 12 VMs that moved" in text


def test_the_burn_down_has_what_was_planned_and_what_is_forecast(acme: Path) -> None:
    found = progress(acme)
    weeks = {week["start"]: week for week in found["weeks"]}
    groups = found["plan"]["groups"]
    assert sum(each["vms"] for each in groups) == found["moved"]["of_vms"]
    for start, week in weeks.items():
        end = (date.fromisoformat(start) + timedelta(days=7)).isoformat()
        planned = sum(each["vms"] for each in groups if each["planned_end"] < end)
        assert week["planned"]["vms"] == found["moved"]["of_vms"] - planned
        to_come = sum(each["vms"] for each in groups if each["state"] == "open" and each["end"] < end)
        if week["forecast"] is not None:
            assert week["forecast"]["vms"] == found["moved"]["of_vms"] - found["moved"]["vms"] - to_come
    assert [start for start, week in weeks.items() if week["left"] and week["forecast"]] == ["2027-01-25"]
    assert found["planned"] == 15  # the window of dev-test was on 11 January
    last = [*weeks.values()][-1]
    assert (last["planned"]["vms"], last["forecast"]["vms"], last["left"]) == (0, 0, None)


def test_a_burn_down_over_centuries_has_rows_of_several_weeks(acme: Path) -> None:
    record(acme, {"dev-build-01": "1971-01-12T20:00:00Z"})
    weeks = progress(acme, "2700-01-01T00:00:00Z")["weeks"]
    assert 100 < len(weeks) <= 121
    assert weeks[0]["start"] == "1971-01-11"


def test_a_host_is_empty_when_no_vm_is_on_it_whether_it_moves_or_not(acme: Path) -> None:
    vms = check(acme).resolution.subjects
    hosts = {(subject.source, subject.vm.host) for subject in vms if subject.vm.host}
    assert (progress(acme)["hosts"], progress(acme)["hosts_empty"]) == (len(hosts) + 1, 1)  # and esx-fra-03


def test_the_badge_is_svg_with_the_share(acme: Path) -> None:
    text = vmferry("report", "progress", acme, "--format", "badge", "--now", "2027-01-26T12:00:00Z").out
    root = ElementTree.fromstring(text)
    assert root.attrib["aria-label"] == "acme moved: 20%, planned 21%"
