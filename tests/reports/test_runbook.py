"""Tests of `vmferry report runbook`: each group's steps in order, with who does them, and what going back costs."""

import csv
import io
import shutil
from pathlib import Path
from typing import Any

from tests.invocation import vmferry

from vmferry.estate.stages import STAGES

EXAMPLES = Path(__file__).parents[2] / "examples"


def plans(spec: Path = EXAMPLES / "acme") -> dict[str, dict[str, Any]]:
    found = vmferry("report", "runbook", spec, "--format", "json").data["groups"]
    return {each["group"]: each for each in found}


def commands(plan: dict[str, Any], stage: str) -> list[str]:
    return [step["command"] for step in plan["steps"] if step["stage"] == stage and step["command"]]


def test_every_group_has_every_stage_in_order_and_one_pull_request_each() -> None:
    for name, plan in plans().items():
        stages = [step["stage"] for step in plan["steps"]]
        assert stages == sorted(stages, key=STAGES.index)
        assert [step["number"] for step in plan["steps"]] == list(range(1, len(stages) + 1))
        merges = [step["command"] for step in plan["steps"] if (step["command"] or "").startswith("vmferry advance")]
        spec = EXAMPLES / "acme"
        assert merges == [f"vmferry advance {spec} {name} --to {stage}" for stage in STAGES[1:7]]


def test_what_is_done_is_ticked_and_one_stage_is_next() -> None:
    plan = plans()["dev-test-04"]
    assert plan["stage"] == "migrating"
    assert {step["state"] for step in plan["steps"] if step["stage"] in ("prepared", "migrating")} == {"done"}
    assert {step["stage"] for step in plan["steps"] if step["state"] == "next"} == {"cutover"}


def test_the_downtime_begins_where_the_method_says() -> None:
    found = plans()
    job = [step["what"] for step in found["dev-test-04"]["steps"] if step["stage"] == "migrating"]
    assert "Shut down the VMs: the downtime begins." in job
    cold = [step["what"] for step in found["dev-test-01"]["steps"] if step["stage"] == "migrating"]
    assert any("the next pull request shuts the VMs down" in what for what in cold)
    warm = next(plan for plan in found.values() if plan["method"] == "warm")
    assert not any("downtime begins" in step["what"] for step in warm["steps"])
    assert any("at the time of the cutover" in step["what"] for step in warm["steps"] if step["stage"] == "cutover")


def test_sign_offs_are_asked_for_where_the_gates_need_them() -> None:
    plan = plans()["dev-test-01"]
    signed = [stage for stage in STAGES if any(each.startswith("vmferry sign") for each in commands(plan, stage))]
    assert signed == ["adopted", "validated"]


def test_the_way_back_costs_what_explain_says(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / "acme", tmp_path / "acme")
    for name in ("dev-test-01", "dev-test-04", "stateful-02"):
        plan = plans(tmp_path / "acme")[name]
        back = vmferry("explain", tmp_path / "acme", name, "--rollback", "--format", "json").data
        if plan["stage"] == "planned":
            continue
        [step] = [each for each in plan["steps"] if each["command"] and f"--to {plan['stage']}" in each["command"]]
        assert (step["outage"], step["data"]) == (back["outage"], back["data"])


def test_copies_have_a_planned_time_and_the_rate_behind_it() -> None:
    plan = plans()["dev-test-01"]
    [planned] = [step["planned"] for step in plan["steps"] if step["planned"]]
    assert planned.startswith("about ")
    assert "an assumed" in planned


def test_the_playbook_has_what_was_accepted_and_why() -> None:
    book = vmferry("report", "runbook", EXAMPLES / "acme", "--format", "json").data["playbook"]
    assert len([each for each in book if each["what"].endswith(" is accepted") and each["answer"]]) > 0


def test_a_spreadsheet_has_the_steps_of_all_groups() -> None:
    text = vmferry("report", "runbook", EXAMPLES / "acme", "--format", "csv").out
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["group"] for row in rows} == plans().keys()
    assert len(rows) == sum(len(plan["steps"]) for plan in plans().values())
