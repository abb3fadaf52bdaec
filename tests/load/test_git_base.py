"""Tests of which commit `check --against` compares with."""

from pathlib import Path

import pytest
from tests.cli.test_against import BACK, PLANNED, PREPARED, against, transitions
from tests.invocation import Result, vmferry
from tests.load.test_history import commit, git, write


def staged(stage: str) -> str:
    return f"{PLANNED}groups: {{first-01: {{stage: {stage}}}}}\n"


def errors(result: Result) -> list[str]:
    return [finding["code"] for finding in result.data["findings"] if finding["severity"] == "error"]


def at(directory: Path, stage: str) -> None:
    """Commit the spec with its group at a stage, compiled as it would be."""
    write(directory / "spec.yaml", staged(stage))
    assert vmferry("compile", directory, "--out", directory).code == 0
    commit(directory, stage)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose group is prepared on `main`; branch `aside` leaves there, and `main` goes on."""
    root = tmp_path / "repository"
    at(root, "planned")
    at(root, "prepared")
    git(root, "branch", "aside")
    at(root, "migrating")
    return root


# --- where the branch began ------------------------------------------------------------------------


def test_a_branch_is_not_accused_of_what_main_did_meanwhile(repository: Path) -> None:
    git(repository, "switch", "--quiet", "aside")
    write(repository / "NOTES", "a note\n")
    commit(repository)
    assert errors(against(repository, "main")) == []
    assert transitions(against(repository, "main", "--exact")) == ["VMF851"]


def test_a_branch_that_takes_a_group_back_itself_is_found(repository: Path) -> None:
    git(repository, "switch", "--quiet", "--create", "back")
    git(repository, "revert", "--no-edit", "HEAD")
    assert transitions(against(repository, "main"))[0] == "VMF851"
    git(repository, "switch", "--quiet", "main")
    write(repository / "NOTES", "main went on\n")
    commit(repository)
    git(repository, "switch", "--quiet", "back")
    assert transitions(against(repository, "main"))[0] == "VMF851"


def test_a_branch_that_merged_main_is_compared_with_main(repository: Path) -> None:
    git(repository, "switch", "--quiet", "aside")
    write(repository / "NOTES", "a note\n")
    commit(repository)
    git(repository, "merge", "--quiet", "--no-edit", "main")
    assert errors(against(repository, "main")) == []
    at(repository, "cutover")
    assert errors(against(repository, "main")) == []
    git(repository, "checkout", "--quiet", "HEAD~2^1", "--", "spec.yaml", "assignments.yaml")
    git(repository, "commit", "--quiet", "--message", "back")
    assert "VMF851" in transitions(against(repository, "main"))


def test_in_the_middle_of_a_merge_what_main_did_is_no_skipped_stage(repository: Path) -> None:
    at(repository, "cutover")
    git(repository, "switch", "--quiet", "aside")
    write(repository / "NOTES", "a note\n")
    commit(repository)
    git(repository, "merge", "--quiet", "--no-commit", "--no-ff", "main")
    for revision in ("parent", "main"):
        assert errors(against(repository, revision)) == []


def test_in_the_middle_of_a_merge_to_keep_ones_own_side_is_found(repository: Path) -> None:
    git(repository, "switch", "--quiet", "aside")
    write(repository / "NOTES", "a note\n")
    commit(repository)
    git(repository, "merge", "--quiet", "--no-commit", "--no-ff", "main")
    git(repository, "checkout", "--quiet", "HEAD", "--", "spec.yaml", "assignments.yaml")
    for revision in ("parent", "main"):
        assert "VMF851" in transitions(against(repository, revision))


def test_branches_that_were_merged_crosswise_are_not_compared(repository: Path) -> None:
    git(repository, "switch", "--quiet", "aside")
    write(repository / "NOTES", "a note\n")
    commit(repository)
    for branch, other in (("main", "aside"), ("aside", "main~0^1")):
        git(repository, "switch", "--quiet", branch)
        git(repository, "merge", "--quiet", "--no-edit", "--no-ff", other)
    result = against(repository, "main")
    assert errors(result) == ["VMF009"]
    assert "2 merge bases" in result.out
    assert "merge main into this branch" in result.out


def test_branches_without_a_common_commit_are_not_compared(repository: Path) -> None:
    git(repository, "switch", "--quiet", "--orphan", "other")
    write(repository / "spec.yaml", PREPARED)
    commit(repository)
    result = against(repository, "main")
    assert errors(result) == ["VMF009"]
    assert "no commit in common" in result.out


def test_exact_needs_a_commit(repository: Path) -> None:
    result = vmferry("check", repository, "--exact")
    assert (result.code, result.out) == (2, "")
    assert "--exact needs --against" in result.err


# --- shallow clones --------------------------------------------------------------------------------


def shallow(repository: Path, branch: str, depth: int = 1) -> Path:
    clone = repository.with_name("clone")
    git(repository, "clone", "--quiet", f"--depth={depth}", "--no-single-branch", f"file://{repository}", str(clone))
    git(clone, "switch", "--quiet", branch)
    return clone


def test_a_shallow_clone_without_the_merge_base_says_how_to_get_it(repository: Path) -> None:
    git(repository, "switch", "--quiet", "aside")
    write(repository / "NOTES", "a note\n")
    commit(repository)
    clone = shallow(repository, "aside")
    result = against(clone, "origin/main")
    assert errors(result) == ["VMF009"]
    assert "this clone is shallow" in result.out
    assert "fetch-depth: 0" in result.out
    git(clone, "fetch", "--quiet", "--unshallow")
    assert errors(against(clone, "origin/main")) == []


def test_a_shallow_clone_with_the_merge_base_is_compared(repository: Path) -> None:
    git(repository, "switch", "--quiet", "aside")
    write(repository / "NOTES", "a note\n")
    commit(repository)
    clone = shallow(repository, "aside", 2)
    assert errors(against(clone, "origin/main")) == []


def test_a_shallow_clone_that_may_lack_a_later_merge_base_is_not_compared(repository: Path) -> None:
    """Main merged the branch, which the clone does not know: what it knows in common is older."""
    git(repository, "switch", "--quiet", "--create", "long", "main~2")
    for note in ("a note\n", "another\n", "a third\n"):
        write(repository / "NOTES", note)
        commit(repository)
    git(repository, "switch", "--quiet", "main")
    git(repository, "merge", "--quiet", "--no-edit", "--no-ff", "long~1")
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "more")
    clone = repository.with_name("clone")
    git(repository, "clone", "--quiet", f"file://{repository}", str(clone))
    ends = [git(clone, "rev-parse", f"origin/{name}").strip() for name in ("main~1^2", "long")]
    write(clone / ".git/shallow", f"{ends[0]}\n")
    git(clone, "switch", "--quiet", "long")
    assert errors(against(clone, "origin/main")) == []  # long~1 is known on both sides
    write(clone / ".git/shallow", f"{ends[1]}\n")
    assert errors(against(clone, "origin/main")) == ["VMF009"]


def test_the_commit_that_a_shallow_clone_stands_on_is_enough_for_head(repository: Path) -> None:
    clone = shallow(repository, "main")
    write(clone / "spec.yaml", BACK)
    (clone / "assignments.yaml").unlink()
    assert "VMF851" in transitions(against(clone, "HEAD"))


# --- what the commit builds on ---------------------------------------------------------------------


def take_back(repository: Path) -> None:
    write(repository / "spec.yaml", BACK)
    (repository / "assignments.yaml").unlink()


def test_before_a_commit_its_parent_is_head_and_after_it_the_one_before(repository: Path) -> None:
    assert errors(against(repository, "parent")) == []
    take_back(repository)
    assert "VMF851" in transitions(against(repository, "parent"))
    commit(repository)
    assert errors(against(repository, "HEAD")) == []
    assert "VMF851" in transitions(against(repository, "parent"))
    commit(repository, "nothing more")
    assert errors(against(repository, "parent")) == []


def test_a_revert_is_found_when_it_is_committed(repository: Path) -> None:
    git(repository, "revert", "--no-edit", "HEAD")
    assert "VMF851" in transitions(against(repository, "parent"))


def test_a_merge_is_compared_with_both_of_its_parents(repository: Path) -> None:
    git(repository, "switch", "--quiet", "aside")
    write(repository / "NOTES", "a note\n")
    commit(repository)
    git(repository, "merge", "--quiet", "--no-edit", "main")
    assert errors(against(repository, "parent")) == []
    git(repository, "checkout", "--quiet", "HEAD^1", "--", "spec.yaml", "assignments.yaml")
    git(repository, "commit", "--quiet", "--amend", "--no-edit")
    assert "VMF851" in transitions(against(repository, "parent"))


def test_a_run_of_pre_commit_over_several_commits_begins_where_it_says(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_back(repository)
    commit(repository)
    commit(repository, "nothing more")
    monkeypatch.setenv("PRE_COMMIT_FROM_REF", "HEAD~2")
    assert "VMF851" in transitions(against(repository, "parent"))
    monkeypatch.setenv("PRE_COMMIT_FROM_REF", "HEAD~1")
    assert errors(against(repository, "parent")) == []


def test_the_last_commit_of_a_shallow_clone_has_a_parent_that_it_lacks(repository: Path) -> None:
    clone = shallow(repository, "main")
    result = against(clone, "parent")
    assert errors(result) == ["VMF009"]
    assert "fetch-depth: 0" in result.out
    at(clone, "cutover")
    assert errors(against(clone, "parent")) == []


# --- a repository that begins ----------------------------------------------------------------------


def test_before_the_first_commit_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    write(tmp_path / "spec.yaml", PREPARED)
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    assert errors(against(tmp_path, "HEAD")) == []
    assert errors(against(tmp_path, "parent")) == []
    assert errors(against(tmp_path, "main")) == ["VMF009"]
    commit(tmp_path)
    assert errors(against(tmp_path, "parent")) == []


def test_an_empty_branch_beside_others_is_no_beginning(repository: Path) -> None:
    git(repository, "switch", "--quiet", "--orphan", "other")
    write(repository / "spec.yaml", BACK)
    assert errors(against(repository, "HEAD")) == ["VMF009"]


def test_a_new_spec_does_not_begin_with_groups_that_have_moved(repository: Path) -> None:
    for path in ("spec.yaml", "assignments.yaml"):
        text = (repository / path).read_text()
        write(repository / "new" / path, text.replace("name: demo", "name: other").replace("n: demo", "n: other"))
    result = against(repository / "new")
    assert errors(result) == ["VMF812"]
    assert "some of its groups have moved (first-01)" in result.out
