"""Tests of `vmferry compile --check` in a git repository: what lies there and would not be in the commit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.test_check import SPEC, vm
from tests.invocation import Result, vmferry
from tests.load.test_history import commit, git, write

PLANNED = f"{SPEC}vms:\n{vm('web-01')}"
PREPARED = f"{PLANNED}groups: {{first-01: {{stage: prepared}}}}\n"


def check(repository: Path, *options: str) -> Result:
    return vmferry("compile", repository, "--out", repository, "--check", *options)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a migration that was planned and committed, and then prepared and compiled."""
    root = tmp_path / "repository"
    write(root / "spec.yaml", PLANNED)
    assert vmferry("compile", root, "--out", root).code == 0
    commit(root)
    write(root / "spec.yaml", PREPARED)
    assert vmferry("compile", root, "--out", root).code == 0
    return root


def new(repository: Path) -> list[str]:
    return git(repository, "ls-files", "--others").split()


def test_generated_files_that_git_does_not_have_are_errors(repository: Path) -> None:
    git(repository, "add", "--update")
    result = check(repository)
    assert result.code == 1
    assert "error[VMF630]" in result.out
    assert f"git add {repository}/gitops" in result.out
    found = check(repository, "--format", "json").data["findings"]
    assert sorted(f["message"] for f in found if f["code"] == "VMF630") == [
        f"{repository}/{path} is not in git" for path in sorted(new(repository))
    ]
    assert any("/local/kustomization.yaml" in path for path in new(repository))


def test_what_was_added_is_in_the_next_commit(repository: Path) -> None:
    git(repository, "add", "--all")
    assert check(repository).code == 0
    assert "git add" not in check(repository).text


def test_files_of_others_are_none_of_its_business(repository: Path) -> None:
    git(repository, "add", "--all")
    write(repository / "gitops/NOTES.md", "mine\n")
    write(repository / "other/a.yaml", "mine: yes\n")
    assert check(repository).code == 0


def test_assignments_that_git_does_not_have_are_an_error(repository: Path) -> None:
    git(repository, "add", "--all")
    git(repository, "rm", "--quiet", "--cached", "assignments.yaml")
    result = check(repository)
    assert result.code == 1
    assert f"git add {repository}/assignments.yaml" in result.out


def test_files_that_gitignore_keeps_out_are_errors(repository: Path) -> None:
    write(repository / ".gitignore", "*.lock\n")
    git(repository, "rm", "--quiet", "--cached", "gitops/locks/first/first-01.lock")
    git(repository, "add", "--all")
    result = check(repository)
    assert result.code == 1
    assert "first-01.lock is not in git" in result.out
    assert ".gitignore" in result.out


def test_a_tree_in_no_repository_is_only_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    write(tmp_path / "spec.yaml", PREPARED.replace("prepared", "planned"))
    assert vmferry("compile", tmp_path, "--out", tmp_path).code == 0
    assert check(tmp_path).code == 0
    monkeypatch.setenv("PATH", str(tmp_path))
    assert check(tmp_path).code == 0


def test_a_tree_in_a_repository_of_its_own_is_looked_up_there(repository: Path, tmp_path: Path) -> None:
    other = tmp_path / "deploy"
    git(tmp_path, "init", "--quiet", str(other))
    assert vmferry("compile", repository, "--out", other).code == 0
    git(repository, "add", "--all")
    result = vmferry("compile", repository, "--out", other, "--check")
    assert (result.code, f"git add {other}/gitops" in result.out) == (1, True)
    git(other, "add", "--all")
    assert vmferry("compile", repository, "--out", other, "--check").code == 0


def test_a_hook_of_git_sees_the_commit_that_is_made(repository: Path) -> None:
    """`git commit FILE` makes an index of its own: what is only staged is not in that commit."""
    hook = write(
        repository / ".git/hooks/pre-commit",
        f"#!/bin/sh\n{sys.executable} -m vmferry compile . --out . --check\n",
    )
    hook.chmod(0o755)
    git(repository, "add", "--all")
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")

    def commits(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["git", *identity, "commit", "--quiet", "--message", "x", *arguments]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        return subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)

    partial = commits("spec.yaml")
    assert partial.returncode == 1
    assert "is not in git" in partial.stdout + partial.stderr
    assert commits().returncode == 0
