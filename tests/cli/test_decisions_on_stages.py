"""`vmferry diff SPEC REV` on groups that move: how long their copy takes, and which evidence the move rests on."""

import re
from pathlib import Path

import pytest
import yaml
from tests.cli.repository import NOW, Repository
from tests.invocation import Result, vmferry

EVIDENCE = "apiVersion: vmferry.dev/v1alpha1\nkind: Evidence\nmetadata: {name: acme}\nentries:\n"
READY = "  - {group: stateless-02, what: plan, outcome: succeeded, attempt: 1, finished: '2026-11-30T08:00:00Z'}\n"
SIGNED = (
    "  - {group: stateless-02, what: signOff, stage: prepared, outcome: succeeded, by: ada <b>|, attempt: 1, "
    "finished: '2026-11-30T09:00:00Z'}\n"
)
COPIED = (
    "  - {group: stateless-01, vm: %s, what: migration, outcome: succeeded, attempt: 1, "
    "started: '2026-11-30T08:00:00Z', finished: '2026-11-30T10:00:00Z', bytes: 75497472000}\n"
)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Return a repository with the example, in which a cold group starts to migrate."""
    made = Repository(tmp_path)
    made.edit("stateless-02: {stage: prepared}", "stateless-02: {stage: migrating}")
    return made


def diff(repository: Repository, *options: str) -> Result:
    result = vmferry("diff", repository.spec, *options, *(NOW if "--now" not in options else ()))
    assert result.code == 0, result.text
    return result


def line(repository: Repository, *options: str) -> str:
    return next(each for each in diff(repository, *options).out.splitlines() if "group stateless-02:" in each)


def test_a_copy_has_an_estimate_with_its_rate_and_its_window(repository: Repository) -> None:
    said = line(repository)
    assert "about 5 min (40 GiB of disks, as what is in use is not known, at an assumed 100 MiB/s per VM)" in said
    assert ", which fits the window 2027-01-30T21:00:00Z for 8h" in said
    copy = diff(repository, "--format", "json").data["stages"][0]["copy"]
    assert (copy["size"], copy["known"], copy["basis"], copy["per"], copy["fits"]) == (
        40 << 30,
        0,
        "assumed",
        "VM",
        True,
    )


def test_a_stated_rate_replaces_the_assumed_one_and_a_window_may_be_too_short(repository: Repository) -> None:
    repository.edit("settings:\n", "settings:\n  copy: {perHost: 512Ki}\n")
    said = line(repository)
    assert "at the stated 0.5 MiB/s per ESXi host), which does not fit the window 2027-01-30T21:00:00Z for 8h" in said


def test_what_is_left_of_an_open_window_counts(repository: Repository) -> None:
    assert "which fits" in line(repository, "--now", "2027-01-31T04:00:00Z")
    assert "which does not fit" in line(repository, "--now", "2027-01-31T04:59:00Z")
    assert "window" not in line(repository, "--now", "2027-01-31T05:01:00Z").partition("as soon as")[0]


def test_a_warm_copy_needs_no_window(repository: Repository) -> None:
    repository.edit("groups:\n", "groups:\n  stateless-05: {stage: migrating}\n")
    found = {each["group"]: each["copy"] for each in diff(repository, "--format", "json").data["stages"]}
    assert found["stateless-05"]["window"] is None
    assert "at an assumed 241 MiB/s per ESXi host" in found["stateless-05"]["words"]


def test_measured_rates_replace_assumed_ones(repository: Repository) -> None:
    (repository.spec / "evidence.yaml").write_text(EVIDENCE + READY + COPIED % key_of_one(repository, "stateless-01"))
    assert "at the measured 10 MiB/s per VM (1 copy)" in line(repository)


def key_of_one(repository: Repository, group: str) -> str:
    """Return the key of the first VM of a group."""
    known = yaml.safe_load((repository.spec / "assignments.yaml").read_text())["vms"]
    return next(key for key, each in known.items() if each["group"] == group)


def test_a_move_says_what_it_rests_on_and_by_whom(repository: Repository) -> None:
    (repository.spec / "evidence.yaml").write_text(EVIDENCE + READY)
    assert "rests on: Plan that is Ready, observed, 2026-11-30" in line(repository)
    (repository.spec / "evidence.yaml").write_text(EVIDENCE + READY + SIGNED)
    said = diff(repository)
    assert "rests on: sign-off of prepared by ada <b>|, 2026-11-30" in said.out
    assert "evidence of stateless-02: plan succeeded\n" in said.out
    assert "evidence of stateless-02: signOff of prepared by ada <b>|\n" in said.out


def test_a_move_says_which_evidence_it_lacks(repository: Repository) -> None:
    assert "lacks" not in line(repository)  # nothing was ever recorded
    (repository.spec / "evidence.yaml").write_text(EVIDENCE + READY.replace("stateless-02", "stateless-05"))
    lacks = line(repository).partition("lacks evidence: ")[2]
    assert "no passed pre-flight test of acme-preflight-" in lacks
    assert "no Plan that is Ready is recorded" in lacks


def test_removed_evidence_is_shown(repository: Repository) -> None:
    (repository.spec / "evidence.yaml").write_text(EVIDENCE + READY)
    repository.commit()
    (repository.spec / "evidence.yaml").unlink()
    assert "evidence of stateless-02: removed: plan succeeded" in diff(repository).out


def test_evidence_of_a_smoke_test_is_that_of_a_network(repository: Repository) -> None:
    tested = (
        "  - {network: web-prod, what: smokeTest, object: VirtualMachine web/smoke-web-prod-a, outcome: succeeded}\n"
    )
    (repository.spec / "evidence.yaml").write_text(EVIDENCE + tested)
    assert "evidence of network web-prod: smokeTest succeeded\n" in diff(repository).out


def test_several_moves_are_a_graph_in_markdown_only_and_hostile_names_are_inert(repository: Repository) -> None:
    assert "mermaid" not in diff(repository, "--format", "md").out
    repository.edit("stateful-05: {stage: prepared}", "stateful-05: {stage: migrating}")
    (repository.spec / "evidence.yaml").write_text(EVIDENCE + READY + SIGNED)
    said = diff(repository, "--format", "md").out
    graph = said.partition("```mermaid\n")[2].partition("```")[0]
    assert re.match(r'flowchart LR\n  subgraph c0\["state(ful|less)"\]\n    n0\["prepared"\]\n', graph)
    assert '-->|"stateless-02, 2 VMs, 40 GiB"|' in graph
    assert "<b>" not in said.replace("\\<b\\>", "")
    assert "mermaid" not in diff(repository).out


def test_a_lost_live_migration_is_said_in_words(repository: Repository) -> None:
    repository.edit("liveMigration: preferred", "liveMigration: none")
    said = diff(repository).out
    assert "live migration: LiveMigrate" in said
    assert "→ None" in said
