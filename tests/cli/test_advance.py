"""`vmferry advance` sets stages in the user's file, nothing else, and only where every rule accepts it."""

import errno
import json
import re
from pathlib import Path

import pytest
from tests.cli.repository import Repository
from tests.invocation import Result, vmferry

from vmferry import files

NOW = ("--now", "2026-12-01T00:00:00Z")


class Advancing(Repository):
    """A repository in which groups are advanced."""

    def advance(self, *options: str) -> Result:
        """Run the verb."""
        return vmferry("advance", self.spec, *options, *NOW)


@pytest.fixture
def repository(tmp_path: Path) -> Advancing:
    """Return a repository with the example."""
    return Advancing(tmp_path)


def test_one_stage_is_set_and_every_comment_stays(repository: Advancing) -> None:
    result = repository.advance("stateless-06")
    assert result.code == 0, result.text
    assert result.out == "stateless-06: migrating → cutover (1 VM)\n"
    assert repository.changes() == [
        "-   stateless-06: {stage: migrating}",
        "+   stateless-06: {stage: cutover}",
    ]
    assert vmferry("check", repository.spec, "--against", "HEAD", *NOW).code == 0


def test_the_next_commands_can_be_run(repository: Advancing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository.spec.parent)
    assert vmferry("compile", "migration", "--out", ".").code == 0
    repository.commit()
    said = vmferry("advance", "migration", "stateless-06", *NOW).err
    commands = [line.strip() for line in said.partition("next:\n")[2].splitlines()]
    assert commands == [
        "vmferry compile migration --out .",
        "git add migration/spec.yaml migration/assignments.yaml gitops",
        "git commit -m 'stateless-06: migrating → cutover'",
    ]


def test_what_was_recorded_is_committed_with_the_move(repository: Advancing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository.spec.parent)
    assert vmferry("compile", "migration", "--out", ".").code == 0
    signing = ("--by", "ops", "--note", "looked at", *NOW)
    assert vmferry("sign", "migration", "stateless-06", *signing).code == 0
    assert vmferry("sign", "migration", "dev-test-01", "dev-test-03", "--despite-performance", *signing).code == 0
    repository.commit()
    said = vmferry("advance", "migration", "stateless-06", *NOW).err
    assert "git add migration/spec.yaml migration/assignments.yaml migration/evidence.yaml gitops\n" in said


def test_a_group_that_the_spec_does_not_name_yet_gets_a_line(repository: Advancing) -> None:
    assert repository.advance("stateless-05").code == 0
    assert repository.changes() == ["+   stateless-05: {stage: prepared}"]


def test_dry_run_writes_nothing(repository: Advancing) -> None:
    result = repository.advance("stateless-06", "--dry-run")
    assert (result.code, repository.changes()) == (0, [])
    assert "stateless-06: migrating → cutover" in result.out
    assert "nothing was written" in result.err


@pytest.mark.parametrize(
    ("group", "stage", "code"),
    [
        ("stateless-05", "migrating", "VMF850"),
        ("stateless-02", "planned", "VMF851"),
        ("dev-test-01", "planned", "VMF411"),
    ],
)
def test_what_a_rule_refuses_is_not_written(repository: Advancing, group: str, stage: str, code: str) -> None:
    result = repository.advance(group, "--to", stage)
    assert (result.code, repository.changes()) == (1, [])
    assert code in result.out
    assert "nothing was written" in result.err


def test_two_moves_need_two_commits(repository: Advancing) -> None:
    assert repository.advance("stateless-05").code == 0
    again = repository.advance("stateless-05")
    assert again.code == 1
    assert "VMF850" in again.out
    assert repository.changes() == ["+   stateless-05: {stage: prepared}"]
    repository.commit()
    assert repository.advance("stateless-05").code == 0


def test_without_git_it_compares_with_the_file_as_it_is(tmp_path: Path) -> None:
    repository = Advancing(tmp_path, committed=False)
    assert repository.advance("stateless-05", "--to", "migrating").code == 1
    assert repository.advance("stateless-05").code == 0
    assert repository.changes() == ["+   stateless-05: {stage: prepared}"]


def test_all_ready_moves_only_what_brings_no_warning(repository: Advancing) -> None:
    result = repository.advance("--phase", "stateless", "--all-ready", "--format", "json")
    assert result.code == 0, result.text
    data = result.data
    assert data["written"]
    moved = {each["group"]: each["to"] for each in data["moves"]}
    assert moved["stateless-02"] == "migrating"
    assert [each["code"] for each in data["waiting"] if each["group"] == "stateless-04"] == ["VMF406"]
    assert not moved.keys() & {each["group"] for each in data["waiting"]}
    assert all(finding["severity"] == "info" for finding in data["findings"])
    assert len([line for line in repository.changes() if line[0] == "+"]) == len(moved)


def test_a_phase_moves_as_a_whole_or_not_at_all(repository: Advancing) -> None:
    result = repository.advance("--phase", "stateless", "--to", "migrating")
    assert (result.code, repository.changes()) == (1, [])
    assert "VMF850" in result.out


def test_nothing_ready_is_no_failure(repository: Advancing) -> None:
    result = repository.advance("--phase", "decommission", "--all-ready")
    assert (result.code, result.out, repository.changes()) == (0, "", [])
    assert "no group was moved" in result.err


def test_warnings_that_a_move_brings_are_shown(repository: Advancing) -> None:
    result = repository.advance("stateful-01")
    assert result.code == 0
    assert "VMF426" in result.err
    assert repository.changes()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("stateless-6",), "Did you mean 'stateless-06'?"),
        (("--phase", "stateles"), "Did you mean 'stateless'?"),
        (("dev-test-01", "--to", "cutover"), "is already at cutover"),
        (("stateless-06", "--to", "migrating"), "is already at migrating"),
        ((), "Name a GROUP"),
        (("stateless-06", "--to", "archived"), "is not one of"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(repository: Advancing, options: tuple[str, ...], said: str) -> None:
    result = repository.advance(*options)
    assert (result.code, repository.changes()) == (2, [])
    assert said in result.err


def test_a_spec_with_errors_is_put_right_first(repository: Advancing) -> None:
    repository.edit("stateless-06: {stage: migrating}", "stateless-06: {stage: migrated}")
    result = repository.advance("stateless-06")
    assert (result.code, repository.changes()) == (1, [])
    assert "migrated" in result.out


def test_an_alias_is_left_to_its_author(repository: Advancing) -> None:
    repository.edit("  stateless-06: {stage: migrating}\n", "  stateless-06: &both {stage: migrating}\n")
    repository.edit("  stateless-07: {stage: migrating}\n", "  stateless-07: *both\n")
    result = repository.advance("stateless-07")
    assert (result.code, repository.changes()) == (1, [])
    assert "edit the file by hand" in result.err


def test_line_ends_and_a_byte_order_mark_stay(repository: Advancing) -> None:
    raw = b"\xef\xbb\xbf" + repository.file.read_bytes().replace(b"\n", b"\r\n")
    repository.file.write_bytes(raw)
    repository.commit()
    assert repository.advance("stateless-05").code == 0
    written = repository.file.read_bytes()
    assert written.replace(b"  stateless-05: {stage: prepared}\r\n", b"") == raw


def test_a_file_that_may_not_be_written_is_not_replaced(repository: Advancing, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(files, "check_writable", refuse)
    result = repository.advance("stateless-06")
    assert (result.code, repository.changes()) == (1, [])
    assert "Permission denied" in result.err


def test_json_says_what_was_refused(repository: Advancing) -> None:
    result = repository.advance("stateless-05", "--to", "migrating", "--format", "json")
    assert result.code == 1
    assert {each["code"] for each in json.loads(result.out)["findings"]} == {"VMF850"}


def test_without_git_a_group_that_was_never_prepared_does_not_begin_to_move(tmp_path: Path) -> None:
    repository = Repository(tmp_path, committed=False)
    compiled = ("compile", repository.spec, "--out", tmp_path / "out")
    assert vmferry(*compiled).code == 0
    repository.edit("  stateless-06:", "  stateless-05: {stage: migrating}\n  stateless-06:")
    before = (repository.spec / "assignments.yaml").read_bytes()
    result = vmferry(*compiled)
    assert (result.code, "error[VMF850]" in result.out + result.err) == (1, True)
    assert (repository.spec / "assignments.yaml").read_bytes() == before
    repository.edit("stateless-05: {stage: migrating}", "stateless-05: {stage: prepared}")
    assert vmferry(*compiled).code == 0
    repository.edit("stateless-05: {stage: prepared}", "stateless-05: {stage: migrating}")
    assert vmferry(*compiled).code == 0


def test_without_git_two_moves_need_a_compile_between_them(tmp_path: Path) -> None:
    repository = Advancing(tmp_path, committed=False)
    assert repository.advance("stateless-05").code == 0
    assert "VMF850" in repository.advance("stateless-05").out
    assert vmferry("compile", repository.spec, "--out", tmp_path).code == 0
    assert repository.advance("stateless-05").code == 0


def test_where_git_cannot_tell_nothing_is_written(repository: Advancing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    result = repository.advance("stateless-05")
    assert (result.code, repository.changes()) == (1, [])
    assert "git" in result.text


def test_many_groups_to_different_stages_are_called_that(
    repository: Advancing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository.spec.parent)
    assert vmferry("compile", "migration", "--out", ".").code == 0
    repository.commit()
    said = vmferry("advance", "migration", "--all-ready", *NOW).err
    assert re.search(r"git commit -m '\d+ groups to their next stages'", said)


def test_a_warning_that_was_there_before_makes_no_group_wait(repository: Advancing) -> None:
    late = ("--all-ready", "--dry-run", "--now", "2035-01-01T00:00:00Z")
    assert "dev-test-04: migrating → cutover" in vmferry("advance", repository.spec, *late).out
