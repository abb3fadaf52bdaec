"""What people are shown of the three modes in which a source is kept beside its target: by the example dual-run."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.invocation import vmferry

EXAMPLE = Path(__file__).parents[2] / "examples" / "dual-run"


def explained(vm: str) -> dict[str, Any]:
    [found] = vmferry("explain", EXAMPLE, vm, "--format", "json").data
    assert isinstance(found, dict)
    return found


def test_explain_names_the_mode_and_the_identity_that_follows() -> None:
    found = explained("web-01")
    assert found["dual run"]["value"] == "parallel"
    assert found["identity"]["value"].startswith("host name web-01-new, UUID ")
    assert not {"dual run", "identity"} & explained("files-01").keys()


def test_status_says_how_many_clients_go_to_the_target() -> None:
    text = vmferry("status", EXAMPLE).text
    assert "cutover, parallel 25 %" in text
    groups = {each["group"]: each for each in vmferry("status", EXAMPLE, "--format", "json").data["groups"]}
    assert (groups["frontend-02"]["dual_run"], groups["frontend-02"]["weight"]) == ("parallel", 25)
    assert (groups["files-01"]["dual_run"], groups["files-01"]["weight"]) == ("fallback", 100)


@pytest.mark.parametrize(
    ("group", "outage", "power"), [("files-01", "from the shutdown", 1), ("frontend-02", "none", 0)]
)
def test_the_way_back_of_a_parallel_run_has_no_outage_and_starts_nothing(group: str, outage: str, power: int) -> None:
    found = vmferry("explain", EXAMPLE, group, "--rollback", "--format", "json").data
    assert found["outage"].startswith(outage)
    assert sum(step["kind"] == "power" for step in found["steps"]) == power


def runbook() -> dict[str, list[str]]:
    groups = vmferry("report", "runbook", EXAMPLE, "--format", "json").data["groups"]
    return {each["group"]: [step["what"] for step in each["steps"]] for each in groups}


def test_the_runbook_has_a_decision_for_each_step_and_shuts_nothing_down() -> None:
    found = runbook()
    shares = [what.split(" %")[0] for what in found["frontend-02"] if "of clients to the target" in what]
    assert shares == [f"Go or no-go: {weight}" for weight in (5, 25, 50, 100)]
    assert not [what for what in found["frontend-02"] if "Shut down" in what or "source is off" in what]
    assert [what for what in found["files-01"] if "Shut down" in what]
    assert not [what for what in found["files-01"] if "of clients" in what]


def test_a_route_is_explained_led_to_opened_and_taken_back() -> None:
    said = explained("shop-01")["HTTPRoute of gateways/public"]
    assert said["value"] == "10.1.50.16 → Service shop-01-new"
    steps = runbook()["frontend-02"]
    [led] = [number for number, what in enumerate(steps) if "Then lead shop.example.com to it" in what]
    [first] = [number for number, what in enumerate(steps) if what.startswith("Go or no-go: 5 %")]
    assert led < first
    back = vmferry("explain", EXAMPLE, "frontend-02", "--rollback", "--format", "json").data["steps"]
    assert [step["what"] for step in back if "shop-01-new" in step["what"]] == [
        "routes shop-01-new send all clients to the sources once this is synced"
    ]
    assert not [step for step in back if "shop-01:" in step["what"]]
    openings = vmferry("report", "firewall", EXAMPLE, "--format", "json").text
    assert "the proxies of Gateway gateways/public" in openings


def backends(project: Path) -> dict[str, int]:
    """Return the weights of the route of the example as it is synced."""
    stage = project / "gitops/overlays/frontend/frontend-02/route/stage/kustomization.yaml"
    [patch] = yaml.safe_load(stage.read_text())["patches"]
    [operation] = yaml.safe_load(patch["patch"])
    return {each["name"]: each["weight"] for each in operation["value"]}


def test_a_step_moves_the_weights_of_a_route_and_going_back_takes_them_back(tmp_path: Path) -> None:
    project = tmp_path / "migration"
    shutil.copytree(EXAMPLE, project)
    assert backends(project) == {"shop-01-new-source": 75, "shop-01-new": 25}
    spec = project / "spec.yaml"
    stated = "frontend-02: {stage: cutover, weight: 25}"
    before = spec.read_text()
    for state, source, target in (
        ("{stage: cutover, weight: 50}", 50, 50),
        ("{stage: cutover, weight: 0}", 100, 0),
        ("{stage: rolled-back, weight: 50, dataLoss: accepted, reason: slow}", 100, 0),
    ):
        spec.write_text(before.replace(stated, f"frontend-02: {state}"))
        made = vmferry("compile", project, "--out", project)
        assert made.code == 0, made.text
        assert backends(project) == {"shop-01-new-source": source, "shop-01-new": target}


def test_the_runbook_promotes_replicas_in_the_order_in_which_nothing_is_lost() -> None:
    [group] = [
        each
        for each in vmferry("report", "runbook", EXAMPLE, "--format", "json").data["groups"]
        if each["group"] == "databases-01"
    ]
    commands = [step["command"] for step in group["steps"] if step["command"]]
    order = [
        next(place for place, command in enumerate(commands) if wanted in command)
        for wanted in (
            "--to migrating",
            "set-up.sh",
            "stop-writes.sh",
            "--before",
            "caught-up.sh",
            "--caught-up",
            "promote.sh",
            "--to cutover",
        )
    ]
    assert order == sorted(order)


def commit(project: Path, message: str) -> None:
    git = ("git", "-C", str(project), "-c", "user.name=t", "-c", "user.email=t@example.com")
    if not (project / ".git").exists():
        subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", message], check=True)


def refused(project: Path) -> list[str]:
    found = vmferry("check", project, "--against", "HEAD", "--format", "json").data["findings"]
    return [each["code"] for each in found if each["severity"] == "error"]


def test_a_replica_is_promoted_once_somebody_has_signed_that_it_caught_up(tmp_path: Path) -> None:
    project = tmp_path / "migration"
    shutil.copytree(EXAMPLE, project)
    commit(project, "the replica follows its source")
    sign = ("sign", project, "--by", "ada", "--note", "0 bytes behind")
    other = vmferry(*sign, "frontend-02", "--caught-up", "off")
    assert (other.code, "method image" in other.text) == (2, True)
    spec = project / "spec.yaml"
    before = spec.read_text()
    spec.write_text(before.replace("databases-01: {stage: migrating}", "databases-01: {stage: cutover}"))
    assert refused(project) == ["VMF878", "VMF879"]  # nor did anyone ask the source for its data
    late = vmferry(*sign, "databases-01", "--caught-up", "read-only")
    assert (late.code, "from migrating" in late.text) == (2, True)
    spec.write_text(before)
    assert vmferry(*sign, "databases-01", "--stage", "migrating").code == 0
    spec.write_text(before.replace("databases-01: {stage: migrating}", "databases-01: {stage: cutover}"))
    assert refused(project) == ["VMF878", "VMF879"]  # a sign-off of the stage does not say it
    spec.write_text(before)
    assert vmferry(*sign, "databases-01", "--caught-up", "read-only", "--without-before").code == 0
    assert "sources are read-only: 0 bytes behind" in (project / "evidence.yaml").read_text()
    spec.write_text(before.replace("databases-01: {stage: migrating}", "databases-01: {stage: cutover}"))
    assert refused(project) == []


def test_a_group_that_was_rolled_back_begins_again_without_clients(tmp_path: Path) -> None:
    project = tmp_path / "migration"
    shutil.copytree(EXAMPLE, project)
    for options in (
        ("--to", "rolled-back", "--data-loss", "accepted", "--reason", "it is slow"),
        ("--to", "prepared", "--remigrate"),
    ):
        assert vmferry("compile", project, "--out", project).code == 0
        commit(project, "as it is")
        moved = vmferry("advance", project, "frontend-02", *options)
        assert moved.code == 0, moved.text
    assert "frontend-02: {stage: prepared, attempt: 2, remigrate: 1}" in (project / "spec.yaml").read_text()
