"""Tests of `vmferry compile`: writing, comparing, conflicts, and what is left alone."""

from pathlib import Path

import pytest
from tests.cli.test_check import SPEC, vm
from tests.invocation import Result, vmferry

Tree = dict[str, tuple[int, bytes]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "spec.yaml").write_text(f"{SPEC}vms:\n{vm('web-01')}{vm('web-02')}")
    return tmp_path


@pytest.fixture
def root(project: Path) -> Path:
    """The tree of a compiled project."""
    assert run(project).code == 0
    return project / "out/gitops"


def run(project: Path, *options: str) -> Result:
    return vmferry("compile", project, "--out", project / "out", *options)


def tree(directory: Path) -> Tree:
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {str(path.relative_to(directory)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def drop_the_second_vm(project: Path) -> None:
    (project / "spec.yaml").write_text(f"{SPEC}vms:\n{vm('web-01')}")


def test_second_run_changes_nothing(project: Path, root: Path) -> None:
    before, assignments = tree(root), (project / "assignments.yaml").stat().st_mtime_ns
    result = run(project)
    assert result.code == 0
    assert (root / ".gitattributes").is_file()  # the user's from now on
    assert result.out == f"{root}: 0 created, 0 updated, 0 deleted, {len(before) - 1} unchanged\n"
    assert tree(root) == before
    assert (project / "assignments.yaml").stat().st_mtime_ns == assignments


def test_check_of_a_tree_that_is_up_to_date_gives_0(project: Path, root: Path) -> None:
    assert run(project, "--check").code == 0


def test_check_of_a_tree_that_is_not_names_each_file_and_writes_none(project: Path, root: Path) -> None:
    drop_the_second_vm(project)
    before = tree(project)
    result = run(project, "--check")
    assert result.code == 1
    assert "error[VMF604]" in result.out
    assert "would be updated" in result.out
    assert "run vmferry compile" in result.out
    assert tree(project) == before


def test_check_without_a_tree_gives_1_and_makes_none(project: Path) -> None:
    assert run(project, "--check").code == 1
    assert sorted(path.name for path in project.iterdir()) == ["spec.yaml"]


def test_diff_shows_the_change_as_a_patch_and_writes_nothing(project: Path, root: Path) -> None:
    drop_the_second_vm(project)
    before = tree(project)
    result = run(project, "--diff")
    assert result.code == 0
    assert result.out.startswith(("--- a/", "Files a/"))
    assert "-  - name: web-02\n" in result.out or "-    name: web-02\n" in result.out
    assert "VMF604" not in result.out
    assert tree(project) == before


def test_diff_without_a_change_is_empty(project: Path, root: Path) -> None:
    assert run(project, "--diff").out == ""


def test_diff_and_check_together_show_and_fail(project: Path, root: Path) -> None:
    drop_the_second_vm(project)
    result = run(project, "--diff", "--check")
    assert result.code == 1
    assert "@@" in result.out


def test_json_says_what_was_done(project: Path) -> None:
    first = run(project, "--format", "json").data
    assert first["written"] is True
    assert first["assignmentsChanged"] is True
    assert len(first["created"]) == len(tree(Path(first["root"])))
    assert (first["updated"], first["deleted"], first["unchanged"], first["findings"]) == ([], [], 0, [])
    drop_the_second_vm(project)
    second = run(project, "--format", "json", "--diff").data
    assert second["written"] is False
    assert second["updated"]
    assert "@@" in second["diff"]


def test_stale_files_go_and_their_directories_with_them(project: Path, root: Path) -> None:
    (project / "spec.yaml").write_text(
        f"{SPEC.replace('path: forklift, method: cold', 'disposition: retire, reason: gone')}"
    )
    result = run(project)
    assert result.code == 0
    assert not (root / "bases").exists()
    assert " 0 deleted" not in result.out
    assert all(any(path.iterdir()) for path in root.rglob("*") if path.is_dir())


def test_files_of_others_are_left_alone(project: Path, root: Path) -> None:
    mine = {
        root / "README.md": "mine\n",
        root / "bases/first/notes.txt": "mine\n",
        root.parent / "other.yaml": "a: b\n",
    }
    for path, text in mine.items():
        path.write_text(text)
    drop_the_second_vm(project)
    assert run(project).code == 0
    assert {path: path.read_text() for path in mine} == mine


@pytest.fixture
def edited(root: Path) -> Path:
    """A file of the tree that somebody has edited."""
    [path] = root.rglob("plan/plan-*.yaml")
    path.write_text(path.read_text() + "# by hand\n")
    return path


@pytest.mark.parametrize("style", ["text", "json"])
def test_file_that_was_edited_is_a_conflict_and_nothing_is_written(project: Path, edited: Path, style: str) -> None:
    drop_the_second_vm(project)
    before = tree(project)
    result = run(project, "--format", style)
    assert result.code == 1
    assert "VMF601" in result.out
    assert str(edited.name) in result.out
    assert tree(project) == before
    if style == "json":
        assert [finding["code"] for finding in result.data["findings"]] == ["VMF601"]


def test_force_takes_the_edit_back(project: Path, edited: Path) -> None:
    drop_the_second_vm(project)
    assert run(project, "--force").code == 0
    assert "# by hand" not in edited.read_text()


def test_an_edit_is_a_conflict_for_check_and_diff_too(project: Path, edited: Path) -> None:
    assert run(project, "--check").code == 1
    assert run(project, "--diff").code == 1


def test_local_component_is_the_users(project: Path, root: Path) -> None:
    spec = project / "spec.yaml"
    spec.write_text(spec.read_text() + "groups: {first-01: {stage: prepared}}\n")
    assert run(project).code == 0
    [local] = root.rglob("local/kustomization.yaml")
    local.write_text(local.read_text() + "# mine\n")
    assert run(project).code == 0
    assert local.read_text().endswith("# mine\n")
    assert run(project, "--check").code == 0


def test_compiled_spec_with_errors_leaves_the_tree(project: Path, root: Path) -> None:
    before = tree(project / "out")
    (project / "spec.yaml").write_text(f"{SPEC}vms:\n{vm('web-01', network='other')}")
    result = run(project)
    assert result.code == 1
    assert result.err == "1 error; nothing was written\n"
    assert tree(project / "out") == before


def test_standard_input_has_no_assignments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = vmferry("compile", "-", "--out", "out", stdin=f"{SPEC}vms:\n{vm('web-01')}".encode())
    assert result.code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_assignments_may_lie_elsewhere(project: Path) -> None:
    elsewhere = project / "state.yaml"
    assert run(project, "--assignments", str(elsewhere)).code == 0
    assert elsewhere.is_file()
    assert not (project / "assignments.yaml").exists()
