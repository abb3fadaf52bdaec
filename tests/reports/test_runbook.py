"""Tests of `vmferry report runbook`: each group's steps in order, with who does them, and what going back costs."""

import csv
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.invocation import vmferry

from vmferry.check import check
from vmferry.estate.stages import STAGES
from vmferry.estate.wording import duration

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


def test_the_preflight_is_the_first_step_of_what_vsphere_is_read_for() -> None:
    found = {name: plan["steps"][0] for name, plan in plans().items()}
    step = found["stateless-08"]
    assert step["what"].startswith("Pre-flight: ")
    assert step["command"] == f"vmferry status {EXAMPLES / 'acme'}"
    assert step["expected"].endswith(" tests of the pre-flight passed")
    assert not found["dev-test-02"]["what"].startswith("Pre-flight")  # rebuilt: containers
    without = plans(EXAMPLES / "minimal")
    assert not any("re-flight" in str(step) for plan in without.values() for step in plan["steps"])


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
    [planned] = [step["planned"] for step in plan["steps"] if step["planned_seconds"]]
    assert planned.startswith("about ")
    assert "an assumed" in planned


def test_the_playbook_has_what_was_accepted_and_why() -> None:
    book = vmferry("report", "runbook", EXAMPLES / "acme", "--format", "json").data["playbook"]
    assert len([each for each in book if each["what"].endswith(" is accepted") and each["answer"]]) > 0


def test_a_spreadsheet_has_the_steps_of_all_groups() -> None:
    text = vmferry("report", "runbook", EXAMPLES / "acme", "--format", "csv").out
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["group"] for row in rows if row["phase"] != "decommission"} == plans().keys()
    assert [row["#"] for row in rows if row["phase"] == "decommission"] == list("123456")
    assert len(rows) == 6 + sum(len(plan["steps"]) for plan in plans().values())


# --- contacts ---------------------------------------------------------------------------------


def contacts(plan: dict[str, Any], owner: str) -> set[tuple[str, ...]]:
    """Return the contacts of the steps that somebody does."""
    return {tuple(step["contacts"]) for step in plan["steps"] if step["owner"] == owner}


def test_the_nearest_place_names_whom_to_reach() -> None:
    found = plans()
    rotas = "https://oncall.acme.example/rotas"
    assert contacts(found["dev-test-01"], "application") == {("service-desk@acme.example",)}  # the settings
    assert contacts(found["stateful-05"], "application") == {(f"{rotas}/databases",)}  # its phase
    assert contacts(found["dev-test-03"], "application") == {("developer tools rota",)}  # the group
    erp = next(plan for plan in found.values() if "ERP-DB-01" in plan["vms"])
    assert erp["phase"] == "stateful"
    assert contacts(erp, "application") == {("erp-team@lists.acme.example",)}  # its VMs
    assert {role for plan in found.values() for role in contacts(plan, "platform")} == {(f"{rotas}/platform",)}


def test_a_vm_without_a_contact_has_that_of_its_group_beside_those_of_the_others(edited: Callable[..., Path]) -> None:
    spec = edited(("  - name: web-03", "  - name: web-03\n    contact: shop rota"))
    plan = next(plan for plan in plans(spec).values() if {"web-03", "web-04"} <= set(plan["vms"]))
    assert contacts(plan, "application") == {("shop rota", "service-desk@acme.example")}


def test_every_decision_says_whom_to_reach_or_that_nobody_is_named() -> None:
    for plan in plans().values():
        decisions = [step for step in plan["steps"] if step["decision"]]
        assert len(decisions) >= 4
        assert all(step["contacts"] for step in decisions)
        assert all(step["what"].startswith("Go or no-go") for step in decisions)
    text = vmferry("report", "runbook", EXAMPLES / "minimal", "--format", "md").out
    assert "Contacts\\: nobody is named." in text
    assert text.count("| nobody is named |") == 5


@pytest.mark.parametrize("contact", ["https://ada:hunter2@oncall.example/", " ", "", "a\tb", "x" * 201])
def test_a_contact_is_a_reference_without_credentials(contact: str, edited: Callable[..., Path]) -> None:
    spec = edited(("application: service-desk@acme.example", f"application: {yaml.safe_dump(contact).splitlines()[0]}"))
    result = vmferry("report", "runbook", spec)
    assert result.code == 1
    assert "hunter2" not in result.text


@pytest.fixture
def edited(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that makes a copy of the example with replaced texts, and returns its path."""

    def edit(*pairs: tuple[str, str]) -> Path:
        shutil.copytree(EXAMPLES / "acme", tmp_path / "acme", ignore=shutil.ignore_patterns("gitops"))
        for old, new in pairs:
            [path] = [path for path in sorted((tmp_path / "acme").rglob("*.yaml")) if old in path.read_text()]
            path.write_text(path.read_text().replace(old, new, 1))
        return tmp_path / "acme"

    return edit


# --- time planned and taken -------------------------------------------------------------------


def evidence(spec: Path, *entries: dict[str, Any]) -> Path:
    """Write evidence beside a spec."""
    head = {"apiVersion": "vmferry.dev/v1alpha1", "kind": "Evidence", "metadata": {"name": "acme"}}
    (spec / "evidence.yaml").write_text(yaml.safe_dump(head | {"entries": list(entries)}))
    return spec


def of_vms(spec: Path, group: str, what: str, *times: tuple[str | None, str], **more: Any) -> list[dict[str, Any]]:
    """Return successes of the VMs of a group, one for each pair of times."""
    found = yaml.safe_load((spec / "assignments.yaml").read_text())["vms"]
    keys = sorted(key for key, each in found.items() if each["group"] == group)
    assert len(keys) == len(times), keys
    return [
        {"group": group, "vm": key, "what": what, "outcome": "succeeded", "attempt": 1, "finished": end}
        | ({"started": start} if start is not None else {})
        | more
        for key, (start, end) in zip(keys, times, strict=True)
    ]


def step(plan: dict[str, Any], stage: str) -> dict[str, Any]:
    """Return the pull request that takes a group to a stage."""
    [found] = [each for each in plan["steps"] if (each["command"] or "").endswith(f"--to {stage}")]
    return dict(found)


def test_a_cold_night_is_timed_from_its_first_copy_to_its_last_vm(edited: Callable[..., Path]) -> None:
    spec = edited()
    untouched = step(plans(spec)["dev-test-01"], "migrating")
    assert (untouched["started"], untouched["finished"], untouched["taken_seconds"]) == (None, None, None)
    starts = [f"2027-01-11T18:{minute:02}:00Z" for minute in (10, 12, 14, 16, 18, 20)]
    ends = [f"2027-01-11T{hour}:00Z" for hour in ("18:40", "18:50", "19:05", "18:55", "19:00", "18:45")]
    ran = [(None, f"2027-01-11T19:{minute:02}:00Z") for minute in (6, 7, 8, 9, 10, 11)]
    ready = {"group": "dev-test-01", "what": "plan", "outcome": "succeeded", "attempt": 1}
    signed = {"group": "dev-test-01", "what": "signOff", "stage": "adopted", "outcome": "succeeded", "by": "ada"}
    evidence(
        spec,
        ready | {"finished": "2027-01-08T09:00:00Z"},
        *of_vms(spec, "dev-test-01", "migration", *zip(starts, ends, strict=True)),
        *of_vms(spec, "dev-test-01", "virtualMachine", *ran),
        signed | {"attempt": 1, "finished": "2027-01-13T10:00:00Z"},
    )
    plan = plans(spec)["dev-test-01"]
    copied = step(plan, "migrating")
    assert (copied["started"], copied["finished"]) == ("2027-01-11T18:10:00Z", "2027-01-11T19:05:00Z")
    assert copied["taken_seconds"] == 55 * 60
    # what its own night measured is no plan for it
    assert copied["planned_seconds"] == untouched["planned_seconds"]
    assert step(plan, "prepared")["finished"] == "2027-01-08T09:00:00Z"
    assert step(plan, "cutover")["finished"] == "2027-01-11T19:11:00Z"
    [sign] = [each for each in plan["steps"] if "sign-off of adopted" in each["expected"]]
    assert sign["finished"] == "2027-01-13T10:00:00Z"
    text = vmferry("report", "runbook", spec, "--format", "md").out
    assert "Planned and taken so far" in text
    assert "| dev-test-01 | dev-test | migrating |" in text
    # the copies of later groups are planned with what this night measured: 360 GiB in the sum of six times
    rate = 360 * 2**30 / sum((30, 38, 51, 39, 42, 25)) / 60
    later = step(plans(spec)["stateless-02"], "migrating")
    assert later["planned"].endswith(f"at the measured {rate / 2**20:.0f} MiB/s per VM (6 copies)")


def test_a_move_has_no_end_before_all_of_its_vms_are_done(edited: Callable[..., Path]) -> None:
    spec = edited()
    done = of_vms(spec, "dev-test-01", "migration", *[("2027-01-11T18:10:00Z", "2027-01-11T18:40:00Z")] * 6)
    evidence(spec, *done[:-1], done[-1] | {"outcome": "failed"})
    copied = step(plans(spec)["dev-test-01"], "migrating")
    assert (copied["started"], copied["finished"], copied["taken_seconds"]) == ("2027-01-11T18:10:00Z", None, None)


def test_a_warm_outage_lasts_from_the_cutover_until_all_vms_run(edited: Callable[..., Path]) -> None:
    spec = edited()
    before = step(plans(spec)["stateless-03"], "cutover")
    assert before["planned_seconds"] > 15 * 60  # the start alone
    assert "15m of them to start and check" in before["planned"]
    ran = [(None, "2027-01-30T22:17:00Z"), (None, "2027-01-30T22:21:00Z")]
    evidence(spec, *of_vms(spec, "stateless-03", "virtualMachine", *ran))
    after = step(plans(spec)["stateless-03"], "cutover")
    assert (after["started"], after["finished"]) == ("2027-01-30T22:00:00Z", "2027-01-30T22:21:00Z")
    assert after["taken_seconds"] == 21 * 60
    assert after["planned_seconds"] == before["planned_seconds"]


def test_a_retry_starts_the_clock_again(edited: Callable[..., Path]) -> None:
    spec = edited()
    first = of_vms(spec, "dev-test-04", "conversion", *[("2027-01-11T20:00:00Z", "2027-01-11T21:00:00Z")] * 3)
    evidence(spec, *first)
    assert step(plans(spec)["dev-test-04"], "migrating")["started"] is None  # the group is at its second attempt


# --- sums ---------------------------------------------------------------------------------------


def test_the_plans_add_up_to_the_blueprint() -> None:
    blueprint = check(EXAMPLES / "acme").resolution.blueprint
    groups = {group.name: group for group in blueprint.groups}
    found = plans()
    assert found.keys() == groups.keys()
    for name, plan in found.items():
        machines = groups[name].machines
        assert sorted(plan["vms"]) == sorted(machine.name for machine in machines)
        assert plan["size"] == sum(disk.size for machine in machines for disk in machine.disks if disk.owner)


def test_the_table_of_nights_has_every_move_that_left_evidence(edited: Callable[..., Path]) -> None:
    spec = edited()
    copied = [("2027-01-11T18:00:00Z", "2027-01-11T18:30:00Z")] * 6
    evidence(spec, *of_vms(spec, "dev-test-01", "migration", *copied))
    moves = [(name, each) for name, plan in plans(spec).items() for each in plan["steps"] if each["started"]]
    assert [(name, each["stage"], each["taken_seconds"]) for name, each in moves] == [
        ("dev-test-01", "migrating", 1800.0)
    ]
    planned = moves[0][1]["planned_seconds"]
    text = vmferry("report", "runbook", spec, "--format", "md").out
    [row] = [line for line in text.splitlines() if line.startswith("| dev-test-01 | dev-test | migrating |")]
    cells = [cell.strip() for cell in row.split("|")[4:7]]
    assert cells == [duration(planned), duration(1800), duration(1800 - planned)]


def leaving(spec: Path, **phase: Any) -> dict[str, Any]:
    """Return the plan of the last phase of a spec, which takes hosts, with other fields."""
    path = spec / "spec.yaml"
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    found["phases"][-1] |= phase
    path.write_text(yaml.safe_dump(found, sort_keys=False), encoding="utf-8")
    [plan] = vmferry("report", "runbook", spec, "--format", "json").data["decommission"]
    return dict(plan)


def test_hosts_leave_step_by_step_and_what_is_deleted_by_hand_comes_last(tmp_path: Path) -> None:
    spec = Path(shutil.copytree(EXAMPLES / "acme", tmp_path / "acme"))
    plan = leaving(spec)
    assert plan["takes"] == ["vc1", "vc2"]
    assert [step["state"] for step in plan["steps"]] == ["next", "next", "later", "later", "later", "later"]
    assert plan["steps"][0]["decision"]
    assert "Provider, maps, Plans and credentials of vc1, vc2 leave the sync" in plan["steps"][3]["what"]
    assert plan["steps"][-1]["what"].startswith("By hand, once nothing is to go back to, delete")
    assert {step["outage"] for step in plan["steps"][3:]} == {"there is no way back"}


def test_a_phase_that_takes_single_hosts_leaves_the_vcenter_in_the_sync(tmp_path: Path) -> None:
    spec = Path(shutil.copytree(EXAMPLES / "acme", tmp_path / "acme"))
    row = {"source": "vc1", "host": "esx-fra-03.acme.example", "asNode": True}
    plan = leaving(spec, takes=[row], state="started")
    assert plan["takes"] == ["host esx-fra-03.acme.example of vc1"]
    whats = " ".join(step["what"] for step in plan["steps"])
    assert "as nodes of the target cluster" in whats
    assert "leave the sync" not in whats
    assert "By hand" not in whats
    assert [step["state"] for step in plan["steps"]] == ["done", "done", "next", "next", "next", "next"]


def test_what_is_left_to_delete_is_next_once_hosts_are_gone(tmp_path: Path) -> None:
    spec = Path(shutil.copytree(EXAMPLES / "acme", tmp_path / "acme"))
    assert [step["state"] for step in leaving(spec, state="done")["steps"]] == [*["done"] * 5, "next"]
