"""Tests of `vmferry compile` on what git made of a tree: merges, rebases, other line ends. Nobody edited anything."""

import subprocess
from pathlib import Path

import pytest
from tests.cli.test_check import SPEC, vm
from tests.invocation import Result, vmferry
from tests.load.test_history import commit, git, write


def add(repository: Path, *names: str) -> None:
    """Write an entry for each VM, in a file of its own, and compile."""
    head = "apiVersion: vmferry.dev/v1alpha1\nkind: VirtualMachineSet\nmetadata: {name: %s}\nvms:\n"
    for name in names:
        write(repository / f"vms/{name}.yaml", head % name + vm(name))
    result = compiled(repository)
    assert result.code == 0, result.text


def compiled(repository: Path, *options: str) -> Result:
    return vmferry("compile", repository, "--out", repository, *options)


def merge(repository: Path, *command: str) -> None:
    """Have git merge; a conflict is what is looked at."""
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "core.editor=true")
    subprocess.run(["git", "-C", str(repository), *identity, *command], capture_output=True, check=False)


def take_ours(repository: Path) -> None:
    for path in git(repository, "diff", "--name-only", "--diff-filter=U").split():
        git(repository, "checkout", "--quiet", "--ours", "--", path)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose main has web-01 and web-05 and then web-03; branch aside has web-02 instead."""
    root = tmp_path / "repository"
    write(root / "spec.yaml", f"{SPEC}include: [vms/*.yaml]\n")
    add(root, "web-01", "web-05")
    commit(root)
    git(root, "switch", "--quiet", "--create", "aside")
    add(root, "web-02")
    commit(root)
    git(root, "switch", "--quiet", "main")
    add(root, "web-03")
    commit(root)
    return root


def is_that_of_all_four(repository: Path) -> None:
    """Assert that the tree is what the merged spec gives, and that nothing of either side is left."""
    result = compiled(repository)
    assert result.code == 0, result.text
    for path in ("web-01", "web-02", "web-03", "web-05"):
        assert any(path in plan.read_text() for plan in repository.glob("gitops/bases/**/plan/plan-*.yaml"))
    anew = repository.with_name("anew")
    assert vmferry("compile", repository, "--out", anew).code == 0
    assert tree(repository / "gitops") == tree(anew / "gitops")


def tree(top: Path) -> dict[str, bytes]:
    return {path.relative_to(top).as_posix(): path.read_bytes() for path in top.rglob("*") if path.is_file()}


def test_after_a_merge_of_which_one_side_was_taken_the_tree_is_compiled(repository: Path) -> None:
    merge(repository, "merge", "--quiet", "aside")
    take_ours(repository)
    commit(repository, "merged")
    is_that_of_all_four(repository)


def test_commits_after_the_merge_change_nothing(repository: Path) -> None:
    merge(repository, "merge", "--quiet", "aside")
    take_ours(repository)
    commit(repository, "merged")
    write(repository / "NOTES", "a note\n")
    commit(repository)
    is_that_of_all_four(repository)


@pytest.mark.parametrize("command", [("merge", "aside"), ("rebase", "aside"), ("cherry-pick", "aside")])
def test_in_the_middle_of_a_merge_the_tree_may_be_compiled_as_it_is(repository: Path, command: tuple[str, ...]) -> None:
    merge(repository, *command)
    conflicts = git(repository, "diff", "--name-only", "--diff-filter=U").split()
    assert any("locks/" in path for path in conflicts)
    git(repository, "checkout", "--quiet", "--ours", "--", "assignments.yaml")
    is_that_of_all_four(repository)


def test_an_edit_by_hand_is_still_one(repository: Path) -> None:
    merge(repository, "merge", "--quiet", "aside")
    take_ours(repository)
    commit(repository, "merged")
    [plan] = repository.glob("gitops/bases/**/plan/plan-*.yaml")
    plan.write_text(plan.read_text() + "# by hand\n")
    result = compiled(repository)
    assert (result.code, "VMF601" in result.out) == (1, True)
    commit(repository)
    assert compiled(repository).code == 1


def test_an_edit_by_hand_that_a_branch_committed_is_still_one(repository: Path) -> None:
    git(repository, "switch", "--quiet", "aside")
    [plan] = repository.glob("gitops/bases/**/plan/plan-*.yaml")
    plan.write_text(plan.read_text() + "# by hand\n")
    commit(repository)
    git(repository, "switch", "--quiet", "main")
    merge(repository, "merge", "--quiet", "aside")
    take_ours(repository)
    commit(repository, "merged")
    if "# by hand" in plan.read_text():
        assert compiled(repository).code == 1


def test_an_edit_by_hand_of_what_no_side_changed_is_still_one(repository: Path) -> None:
    [namespace] = repository.glob("gitops/infra/namespaces/web/namespace.yaml")
    merge(repository, "merge", "--quiet", "aside")
    namespace.write_text(namespace.read_text() + "# by hand\n")
    git(repository, "checkout", "--quiet", "--ours", "--", "assignments.yaml")
    result = compiled(repository)
    assert (result.code, "namespaces/web/namespace.yaml" in result.out) == (1, True)


# --- line ends -------------------------------------------------------------------------------------


def clone(repository: Path) -> Path:
    result = repository.with_name("clone")
    git(repository, "clone", "--quiet", "--config=core.autocrlf=true", str(repository), str(result))
    return result


def test_a_clone_with_other_line_ends_has_the_tree_as_it_was_compiled(repository: Path) -> None:
    copy = clone(repository)
    assert b"\r\n" in (copy / "spec.yaml").read_bytes()
    assert compiled(copy, "--check").code == 0
    assert not any(b"\r\n" in content for content in tree(copy / "gitops").values())


def test_a_clone_of_a_tree_without_attributes_is_mended_by_compiling(repository: Path) -> None:
    git(repository, "rm", "--quiet", "gitops/.gitattributes")
    commit(repository)
    copy = clone(repository)
    verified = vmferry("verify", copy / "gitops", "--format", "json").data["findings"]
    assert [finding["code"] for finding in verified] == ["VMF634"]
    assert "* -text" in verified[0]["help"]
    result = compiled(copy)
    assert result.code == 0, result.text
    assert compiled(copy).out.count(" 0 updated") == 1
    assert tree(copy / "gitops") == tree(repository / "gitops") | {
        ".gitattributes": (copy / "gitops/.gitattributes").read_bytes()
    }


def test_attributes_that_the_user_has_there_are_the_users(tmp_path: Path) -> None:
    write(tmp_path / "gitops/.gitattributes", "* text eol=lf\n")
    write(tmp_path / "spec.yaml", f"{SPEC}vms:\n{vm('web-01')}")
    assert compiled(tmp_path).code == 0
    assert (tmp_path / "gitops/.gitattributes").read_text() == "* text eol=lf\n"


# --- two pull requests ------------------------------------------------------------------------------


GROUPS = ("first-01", "first-02")


def test_branches_that_move_two_groups_of_one_phase_merge_without_a_conflict(tmp_path: Path) -> None:
    """Nothing of the two is in one file: their locks, entry points, bases and overlays are their own."""
    spec, root = f"{SPEC}vms:\n{vm('web-01')}{vm('web-02')}", tmp_path / "repository"
    spec = spec.replace('{name: "web-02"', '{name: "web-02", namespace: db').replace(
        "namespaces: [", "namespaces: [{name: db, quota: none}, "
    )
    text = f"{spec}groups:\n  first-01: {{stage: prepared}}\n  # the other one\n  first-02: {{stage: prepared}}\n"
    moved = {name: text.replace(f"{name}: {{stage: prepared", f"{name}: {{stage: migrating") for name in GROUPS}
    for branch, content in {"main": text, **moved}.items():
        if branch != "main":
            git(root, "switch", "--quiet", "--create", branch, "main")
        write(root / "spec.yaml", content)
        result = compiled(root)
        assert result.code == 0, result.text
        commit(root)
    git(root, "switch", "--quiet", "main")
    for name in GROUPS:
        git(root, "merge", "--quiet", "--no-edit", name)
    assert (root / "spec.yaml").read_text().count("migrating") == 2
    assert compiled(root, "--check").code == 0
