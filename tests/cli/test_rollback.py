"""Taking groups back: `vmferry explain --rollback` says how, `advance` does it, and what it says is accepted."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from tests.cli.repository import NOW, Estate
from tests.invocation import vmferry

ACME = Path(__file__).parents[2] / "examples" / "acme"


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return Estate(tmp_path)


def explained(spec: Path, group: str, *options: str) -> Any:
    result = vmferry("explain", spec, group, "--rollback", "--format", "json", *options)
    assert result.code == 0, result.text
    return json.loads(result.out)


# every method, and each stage at which something of a group is in the cluster
GROUPS = {
    "dev-test-01": "cutover",  # cold
    "stateless-03": "cutover",  # warm
    "stateless-01": "migrating",  # cold
    "stateless-04": "migrating",  # warm
    "stateless-06": "migrating",  # rebuild
    "dev-test-04": "migrating",  # job
    "stateless-08": "prepared",
}


@pytest.mark.parametrize("group", GROUPS)
def test_what_it_says_is_accepted_when_it_is_done_and_so_is_going_again(group: str, estate: Estate) -> None:
    said = explained(estate.spec, group)
    assert (said["stage"], said["possible"]) == (GROUPS[group], True)
    assert said["outage"]
    assert said["data"]
    program, *arguments = shlex.split(said["command"])
    assert program == "vmferry"
    before = estate.spec.joinpath("spec.yaml").read_text()
    result = vmferry(*arguments, *NOW)
    assert result.code == 0, result.text
    assert [line for line in said["edit"].splitlines() if line[:1] in "+-"][2:] == [
        f"{line[0]}{line[2:]}" for line in estate.changes()
    ]
    estate.compile()
    assert vmferry("check", estate.spec, "--against", "HEAD", *NOW).code == 0
    assert vmferry("verify", estate.top / "gitops").code == 0
    estate.commit()
    assert before != estate.spec.joinpath("spec.yaml").read_text()
    refused = estate.advance(group, "--to", "planned" if said["stage"] != "prepared" else "migrating")
    assert refused.code == 1, refused.text
    estate.moved(group, "--to", "prepared", "--remigrate") if "remigrate" in said["again"] else estate.moved(
        group, "--to", "prepared"
    )


def test_scripts_start_sources_only_while_the_group_is_rolled_back(estate: Estate) -> None:
    scripts = "bases/dev-test/dev-test-03/start-sources.*"
    assert estate.files(scripts) == set()
    estate.moved("dev-test-03", "--to", "rolled-back", "--data-loss", "accepted", "--reason", "it is slow")
    assert len(estate.files(scripts)) == 2
    estate.moved("dev-test-03", "--to", "prepared", "--remigrate")
    assert estate.files(scripts) == set()


def test_a_group_that_cut_over_is_stopped_and_kept(estate: Estate) -> None:
    estate.moved("dev-test-03", "--to", "rolled-back", "--data-loss", "accepted", "--reason", "it is slow")
    overlay = "overlays/dev-test/dev-test-03"  # clones of its golden image may be elsewhere
    assert estate.files(f"{overlay}/*") == {f"{overlay}/import", f"{overlay}/machines"}
    assert "DataVolume" not in estate.built(f"{overlay}/import")
    built = estate.built("overlays/dev-test/dev-test-03/machines")
    assert "runStrategy: Halted" in built
    assert "runStrategy: Always" not in built
    assert "DataVolume" not in built
    assert "kind: Job" not in built


def test_a_running_migration_is_cancelled_vm_by_vm(estate: Estate) -> None:
    estate.moved("stateless-04", "--to", "rolled-back")
    assert estate.files("overlays/stateless/stateless-04/*") == {"overlays/stateless/stateless-04/migration"}
    built = estate.built("overlays/stateless/stateless-04/migration")
    vms = explained_vms(estate, "stateless-04")
    assert vms
    assert built.count("  - id: vm-") == len(vms)
    assert "cancel:" in built


def explained_vms(estate: Estate, group: str) -> list[str]:
    found = vmferry("explain", estate.spec, "--all", "--group", group, "--format", "json")
    return [each["vm"] for each in json.loads(found.out)]


def test_a_migration_of_its_own_begins_after_what_was_in_the_target_is_deleted(estate: Estate) -> None:
    estate.moved("dev-test-01", "--to", "rolled-back", "--data-loss", "replayed", "--reason", "the driver is wrong")
    estate.moved("dev-test-01", "--to", "prepared", "--remigrate")
    text = (estate.spec / "spec.yaml").read_text()
    assert "  dev-test-01: {stage: prepared, attempt: 2, remigrate: 1}\n" in text
    plan = estate.built("overlays/dev-test/dev-test-01/plan")
    assert "dev-test-01-r1\n" in plan


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--data-loss", "accepted"), "need --to rolled-back"),
        (("--to", "prepared", "--reason", "x"), "need --to rolled-back"),
    ],
)
def test_options_that_make_no_sense_are_usage_errors(options: tuple[str, ...], said: str, estate: Estate) -> None:
    result = estate.advance("dev-test-01", *options)
    assert (result.code, said in result.text) == (2, True), result.text


def test_after_a_cutover_nothing_is_rolled_back_without_a_word_on_the_data(estate: Estate) -> None:
    result = estate.advance("dev-test-01", "--to", "rolled-back")
    assert result.code == 1
    assert "VMF863" in result.text
    assert estate.changes() == []


@pytest.mark.parametrize("style", ["text", "md"])
def test_people_read_the_same(style: str) -> None:
    result = vmferry("explain", ACME, "dev-test-01", "--rollback", "--format", style)
    assert result.code == 0
    for words in ("--to rolled-back --data-loss accepted", "start-sources.sh", "at most 180 s", "-  dev-test-01:"):
        assert words in result.out
    assert result.out.isprintable() or "\n" in result.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--rollback",), "needs a move group"),
        (("dev-test-1", "--rollback"), "Did you mean 'dev-test-01'?"),
        (("dev-test-01", "--rollback", "--format", "csv"), "text, json and md"),
    ],
)
def test_what_is_no_group_is_a_usage_error(arguments: tuple[str, ...], said: str) -> None:
    result = vmferry("explain", ACME, *arguments)
    assert (result.code, said in result.text) == (2, True), result.text


def test_there_is_nothing_to_take_back_of_a_planned_group() -> None:
    said = explained(ACME, "stateless-05")
    assert (said["possible"], said["steps"]) == (False, [])
    assert "nothing of the group is in the cluster" in said["data"]
