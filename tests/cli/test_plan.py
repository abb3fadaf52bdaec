"""Tests of `vmferry plan schedule`: windows in which everything fits, written into the user's own file."""

from pathlib import Path
from typing import Any

import yaml
from tests.invocation import vmferry
from tests.reports.test_schedule import GIB, NOW, schedule, spec, vm, warm, window

SATURDAY = "2027-01-02T20:00:00Z"


def plan(file: Path, *more: str) -> Any:
    result = vmferry("plan", "schedule", file, "--format", "json", *more, *NOW)
    assert result.code == 0, result.err
    return result.data


def windows(file: Path) -> dict[str, list[dict[str, str]]]:
    return {each["name"]: each.get("windows", []) for each in yaml.safe_load(file.read_text())["phases"]}


def late(folder: Path) -> Path:
    """Write a spec in which one of three groups has no place, with comments."""
    vms = [vm(number, 300 * GIB, host=f"esx{number}") for number in range(3)]
    phases = [{"name": "one", "maxVms": 1, "windows": [window("2027-01-16", "2h")]}]
    file = spec(folder, vms, phases=phases, settings={"schedule": {"groupsPerWindow": 2}})
    text = file.read_text().replace("phases:\n", "# when\nphases: # in order\n").replace("maxVms: 1", "maxVms: 1 # one")
    file.write_text(text)
    return file


def test_what_has_no_place_gets_a_window_and_the_rest_of_the_file_stays(tmp_path: Path) -> None:
    file = late(tmp_path)
    before = file.read_text()
    assert len(schedule(file)["misfits"]) == 1
    found = plan(file, "--write")
    assert (found["written"], found["unplaced"], found["findings"]) == (True, [], [])
    after = file.read_text()
    added = [line for line in after.splitlines() if line not in before.splitlines()]
    assert added == ['  - {start: "2027-01-23T20:00:00Z", duration: "8h"}']
    assert [line for line in after.splitlines() if line not in added] == before.splitlines()
    assert schedule(file)["misfits"] == []
    assert vmferry("check", file, *NOW).code == 0


def test_a_second_time_there_is_nothing_to_propose(tmp_path: Path) -> None:
    file = late(tmp_path)
    plan(file, "--write")
    once = file.read_bytes()
    found = plan(file, "--write")
    assert (found["windows"], found["cutovers"], found["written"]) == ({}, {}, False)
    assert file.read_bytes() == once
    assert "nothing to propose" in vmferry("plan", "schedule", file, *NOW).out


def test_without_write_it_only_says_what_it_would_do(tmp_path: Path) -> None:
    file = late(tmp_path)
    before = file.read_bytes()
    result = vmferry("plan", "schedule", file, *NOW)
    assert result.out.startswith("phase one: window 2027-01-23T20:00:00Z for 8h\n")
    assert "1 group had no place before" in result.out
    assert "nothing was written" in result.err
    assert file.read_bytes() == before


def test_phases_without_windows_get_some_one_phase_after_the_other(tmp_path: Path) -> None:
    phases = [{"name": "one"}, {"name": "two", "after": ["one"]}]
    vms = [vm(1, 35 * GIB), vm(2, 35 * GIB, phase="two")]
    file = spec(tmp_path, vms, phases=phases)
    assert set(plan(file, "--write")["windows"]) == {"one", "two"}
    assert [each[0]["start"] for each in windows(file).values()] == [SATURDAY, "2027-01-09T20:00:00Z"]
    assert vmferry("check", file, *NOW).err.startswith("no findings")


def test_a_group_that_takes_longer_gets_a_longer_window(tmp_path: Path) -> None:
    # 120 s + 4000 GiB at 100 MiB/s (40,960 s) + 900 s are 11 h 40 min
    file = spec(tmp_path, [vm(1, 4000 * GIB, "5Ti")], phases=[{"name": "one"}])
    assert plan(file)["windows"] == {"one": [{"start": SATURDAY, "duration": "12h", "longer": True}]}
    assert "longer than settings.schedule.windows" in vmferry("plan", "schedule", file, *NOW).out


def test_proposals_follow_the_recurring_window_and_avoid_freezes(tmp_path: Path) -> None:
    recurring = {"days": ["tue", "thu"], "at": "21:30", "duration": "4h30m", "timezone": "Europe/Berlin"}
    freeze = {"start": "2027-01-04T00:00:00Z", "duration": "3d"}
    settings = {"schedule": {"windows": recurring, "freezes": [freeze]}}
    file = spec(tmp_path, [vm(1, 35 * GIB)], phases=[{"name": "one"}], settings=settings)
    assert plan(file)["windows"]["one"] == [{"start": "2027-01-07T20:30:00Z", "duration": "4h30m", "longer": False}]


def test_warm_groups_that_are_prepared_get_their_cutover(tmp_path: Path) -> None:
    file = warm(tmp_path)
    text = file.read_text().replace("phases:", "groups:\n  one-01: {stage: prepared} # next\nphases:")
    file.write_text(text)
    assert vmferry("compile", file, "--out", tmp_path).code == 0
    assert plan(file, "--write")["cutovers"] == {"one-01": "2027-01-16T20:00:00Z"}
    assert 'one-01: {stage: prepared, cutover: "2027-01-16T20:00:00Z"} # next' in file.read_text()
    assert plan(file)["cutovers"] == {}


def test_a_spec_with_errors_is_not_planned(tmp_path: Path) -> None:
    file = spec(tmp_path, [vm(1, GIB, phase="three")])
    before = file.read_bytes()
    result = vmferry("plan", "schedule", file, "--write", *NOW)
    assert (result.code, file.read_bytes()) == (1, before)
    assert "phase three of VM vm-01 is not defined" in result.text


def test_standard_input_cannot_be_planned() -> None:
    assert vmferry("plan", "schedule", "-", stdin=b"a: 1").code == 2
