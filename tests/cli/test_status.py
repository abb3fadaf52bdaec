"""`vmferry status`: what it counts is what there is, in every format, and also from what the last run left."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from tests.cli.repository import Repository
from tests.invocation import vmferry
from tests.work import counted

from vmferry.check import check
from vmferry.estate.stages import STAGES

ACME = Path(__file__).parents[2] / "examples/acme"
NOW = ("--now", "2026-12-01T00:00:00Z")


def status(spec: Path = ACME, *options: str | Path) -> Any:
    result = vmferry("status", spec, "--format", "json", *(options or NOW))
    assert result.code == 0, result.text
    return result.data


def test_every_vm_and_every_disk_is_counted_once() -> None:
    blueprint = check(ACME).resolution.blueprint
    machines = [machine for group in blueprint.groups for machine in group.machines]
    size = sum(disk.size for machine in machines for disk in machine.disks if disk.owner)
    data = status()
    for rows in (data["phases"], data["groups"]):
        assert sum(row["vms"] for row in rows) == len(machines)
        assert sum(row["size"] for row in rows) == size
    assert [phase["phase"] for phase in data["phases"]] == [phase.name for phase in blueprint.phases]
    assert sum(data["staying"].values()) == len(blueprint.left)


def test_a_phase_is_the_sum_of_its_groups() -> None:
    data = status()
    for phase in data["phases"]:
        groups = [group for group in data["groups"] if group["phase"] == phase["phase"]]
        assert phase["groups"] == len(groups)
        assert phase["stages"] == {
            stage: sum(group["vms"] for group in groups if group["stage"] == stage) for stage in STAGES
        }
        assert phase["left"] == sum(group["size"] for group in groups if group["stage"] != "cutover")


def test_a_group_has_its_next_stage_its_attempt_and_its_cutover() -> None:
    groups = {group["group"]: group for group in status()["groups"]}
    assert groups["stateless-05"]["next"] == "prepared"
    assert groups["dev-test-04"]["attempt"] == 2
    assert (groups["stateless-03"]["next"], groups["stateless-03"]["cutover"]) == ("adopted", "2027-01-30T22:00:00Z")


@pytest.mark.parametrize(
    ("now", "window"),
    [
        ("2026-12-01T00:00:00Z", "2027-02-13T20:00:00Z for 12h"),
        ("2027-02-14T07:00:00Z", "2027-02-13T20:00:00Z for 12h"),
        ("2027-02-14T09:00:00Z", "2027-02-27T20:00:00Z for 12h"),
        ("2027-03-01T00:00:00Z", None),
    ],
)
def test_the_window_is_the_one_that_is_open_or_opens_next(now: str, window: str | None) -> None:
    phases = {phase["phase"]: phase for phase in status(ACME, "--now", now)["phases"]}
    assert phases["stateful"]["window"] == window


def test_text_markdown_and_csv_show_the_same() -> None:
    text = vmferry("status", ACME, "--all", *NOW).out
    assert text.startswith(
        "acme: 71 VMs in 20 groups: 27 planned, 10 prepared, 20 migrating, 14 cutover; 14.9 TiB of 15.6"
    )
    assert "; 6 VMs not moved (exclude 2, retain 2, retire 2)\n" in text
    markdown = vmferry("status", ACME, "--format", "md", *NOW).out
    rows = list(csv.DictReader(io.StringIO(vmferry("status", ACME, "--format", "csv", *NOW).out)))
    assert [row["group"] for row in rows] == [group["group"] for group in status()["groups"]]
    for row in rows:
        assert f"| {row['group']} | {row['phase']} | {row['stage']} |" in markdown
        assert row["group"] in text


def test_it_is_a_report_as_well() -> None:
    for style in ("text", "json", "md", "csv"):
        assert vmferry("status", ACME, "--format", style, *NOW) == vmferry(
            "report", "status", ACME, "--format", style, *NOW
        )


def test_a_second_run_decides_nothing_again(tmp_path: Path) -> None:
    repository = Repository(tmp_path, committed=False)
    assert vmferry("check", repository.spec, *NOW, "--cache-dir", tmp_path / "cache").code == 0
    with counted() as calls:
        warm = status(repository.spec, *NOW, "--cache-dir", tmp_path / "cache")
    assert not calls["_passes"]
    assert warm == status(repository.spec, *NOW, "--no-cache")


def test_a_spec_with_errors_says_so(tmp_path: Path) -> None:
    repository = Repository(tmp_path, committed=False)
    repository.edit("set: {phase: stateless}", "set: {phase: nowhere}")
    result = vmferry("status", repository.spec, *NOW)
    assert result.code == 0
    assert "most rules did not run because of errors" in result.out


# --- with evidence ---------------------------------------------------------------------------

DUMPS = Path(__file__).parents[1] / "observe/dumps"


def observed(tmp_path: Path, *names: str) -> Path:
    """Return the example with evidence of recorded dumps."""
    repository = Repository(tmp_path, committed=False)
    for name in names:
        dump = DUMPS / f"{name}.json"
        assert vmferry("observe", repository.spec, "--from", dump, "--now", "2027-02-01T00:00:00Z").code == 0
    return repository.spec


def of_group(data: dict[str, Any], name: str) -> dict[str, Any]:
    """Return one group of a status."""
    group: dict[str, Any] = next(group for group in data["groups"] if group["group"] == name)
    return group


def test_without_evidence_nothing_is_copied_and_no_move_waits_for_any() -> None:
    for group in status()["groups"]:
        assert group["left"] == (0 if group["stage"] == "cutover" else group["size"])
        assert (group["running"], group["waits"]) == (0, None)
    assert status()["problems"] == []


def test_what_was_copied_is_no_longer_left(tmp_path: Path) -> None:
    gib = 1 << 30
    spec = observed(tmp_path, "running")
    data = status(spec, *NOW)
    assert of_group(data, "stateless-01")["left"] == 80 * gib - 6 * 40 * gib // 10 - 40 * gib // 10
    assert of_group(data, "stateless-07")["left"] == 102 * gib - 4 * 50 * gib // 10
    assert [of_group(data, name)["running"] for name in ("stateless-01", "stateless-07", "dev-test-04")] == [2, 1, 1]
    observed(tmp_path / "done", "success-forklift-cold", "success-image", "success-job")
    data = status(tmp_path / "done/migration", *NOW)
    for name in ("stateless-01", "stateless-07", "dev-test-04"):
        assert (of_group(data, name)["left"], of_group(data, name)["running"]) == (0, 0)
    stateless = next(phase for phase in data["phases"] if phase["phase"] == "stateless")
    assert stateless["left"] == sum(group["left"] for group in data["groups"] if group["phase"] == "stateless")


def test_what_failed_has_its_cause_and_its_next_step_in_every_format(tmp_path: Path) -> None:
    spec = observed(tmp_path, "conversion-failed", "volume-taken")
    problems = {(each["group"], each["vm"]): each for each in status(spec, *NOW)["problems"]}
    assert {key: each["cause"] for key, each in problems.items()} == {
        ("stateless-01", "ldap-01"): "conversion-failed",
        ("dev-test-04", "lab-probe"): "volume-taken",
    }
    text, markdown = (vmferry("status", spec, "--format", style, *NOW).out for style in ("text", "md"))
    for each in problems.values():
        assert each["next"] in text
        assert f"| {each['vm']} |" in markdown
        assert f"| {each['cause']} |" in markdown


def test_a_success_ends_a_problem(tmp_path: Path) -> None:
    spec = observed(tmp_path, "vm-crashes")
    assert [each["cause"] for each in status(spec, *NOW)["problems"]] == ["vm-crashes"]
    text = (DUMPS / "success-running.json").read_text().replace("2027-01-31", "2027-02-02")
    assert vmferry("observe", spec, "--from", "-", stdin=text.encode()).code == 0
    assert status(spec, *NOW)["problems"] == []


def test_the_evidence_that_the_next_move_lacks_is_named(tmp_path: Path) -> None:
    spec = observed(tmp_path, "success-job", "conversion-failed")
    data = status(spec, *NOW)
    waits = {name: of_group(data, name)["waits"] for name in ("dev-test-04", "stateless-01", "stateless-05")}
    assert waits == {"dev-test-04": None, "stateless-01": "successful migration of 2 VMs", "stateless-05": None}


def test_evidence_is_known_to_a_run_that_remembers(tmp_path: Path) -> None:
    spec, cache = observed(tmp_path, "conversion-failed"), ("--cache-dir", tmp_path / "cache")
    cold = status(spec, *NOW, *cache)
    assert vmferry("check", spec, *NOW, *cache).code == 0
    assert status(spec, *NOW, *cache) == cold
    assert len(cold["problems"]) == 1
