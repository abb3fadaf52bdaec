"""Tests that `check --against` finds a spec that lay elsewhere at the other commit, and takes none for a new one."""

import shutil
from pathlib import Path

import pytest
from tests.cli.test_against import PLANNED, PREPARED, against, transitions
from tests.cli.test_check import SPEC, vm
from tests.invocation import Result, vmferry
from tests.load.test_git_base import errors, repository
from tests.load.test_history import commit, git, write

__all__ = ["repository"]


def moved(repository: Path, to: str, stage: str = "planned") -> Result:
    """Move the spec as one commit would, and take its group to a stage."""
    (repository / to).parent.mkdir(parents=True, exist_ok=True)
    for path in ("spec.yaml", "assignments.yaml"):
        (repository / path).rename((repository / to).with_name(Path(to).name if path == "spec.yaml" else path))
    write(repository / to, (repository / to).read_text().replace("stage: migrating", f"stage: {stage}"))
    shutil.rmtree(repository / "gitops")
    if stage == "planned":
        (repository / to).with_name("assignments.yaml").unlink()
    commit(repository, "moved")
    return against((repository / to).parent, "HEAD~1")


@pytest.mark.parametrize("to", ["acme/spec.yaml", "migration.yaml", "migrations/2027/acme.yml"])
def test_a_spec_is_followed_across_renames(repository: Path, to: str) -> None:
    assert "VMF851" in transitions(moved(repository, to))
    assert "VMF851" in transitions(against(repository / to, "HEAD~1"))


def test_a_spec_that_moved_and_changed_nothing_is_fine(repository: Path) -> None:
    assert errors(moved(repository, "acme/spec.yaml", "migrating")) == []


def test_a_folder_that_was_moved_with_its_assignments_and_sets_is_compared_whole(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    write(
        root / "old/vms/web.yaml",
        f"apiVersion: vmferry.dev/v1alpha1\nkind: VirtualMachineSet\nmetadata: {{name: web}}\nvms:\n{vm('web-01')}",
    )
    write(root / "old/spec.yaml", f"{SPEC}include: [vms/*.yaml]\ngroups: {{first-01: {{stage: prepared}}}}\n")
    assert vmferry("compile", root / "old", "--out", root).code == 0
    commit(root)
    git(root, "mv", "old", "new")
    assert errors(against(root / "new")) == []
    (root / "new/assignments.yaml").unlink()
    assert errors(against(root / "new")) == ["VMF858"]


def test_a_spec_that_swapped_its_place_with_another_is_compared_with_itself(repository: Path) -> None:
    write(repository / "other/spec.yaml", PREPARED.replace("name: demo", "name: other"))
    commit(repository)
    swapped = [(repository / path / "spec.yaml") for path in ("", "other")]
    texts = [path.read_text() for path in swapped]
    write(swapped[0], texts[1])
    write(swapped[1], texts[0].replace("migrating", "planned"))
    (repository / "assignments.yaml").unlink()
    assert "VMF851" in transitions(against(repository / "other"))


def test_a_spec_with_another_name_where_one_has_gone_is_not_taken_for_a_new_one(repository: Path) -> None:
    (repository / "assignments.yaml").unlink()
    text = (repository / "spec.yaml").read_text().replace("name: demo", "name: other").replace("migrating", "planned")
    (repository / "spec.yaml").unlink()
    write(repository / "other/spec.yaml", text)
    result = against(repository / "other")
    assert errors(result) == ["VMF812"]
    assert "no spec at HEAD is named other, and spec.yaml has been removed since" in result.out


def test_a_new_spec_beside_others_is_a_new_one(repository: Path) -> None:
    write(repository / "new/spec.yaml", PREPARED.replace("name: demo", "name: other"))
    assert errors(against(repository / "new")) == []


def test_a_broken_spec_that_has_gone_may_have_been_any(repository: Path) -> None:
    write(repository / "broken/spec.yaml", "kind: MigrationSpec\na: [")
    commit(repository)
    write(repository / "new/spec.yaml", PREPARED.replace("name: demo", "name: other"))
    assert errors(against(repository / "new")) == []
    (repository / "broken/spec.yaml").unlink()
    assert errors(against(repository / "new")) == ["VMF812"]


def test_a_copy_of_a_spec_is_the_same_migration_in_one_cluster_and_a_new_one_in_another(repository: Path) -> None:
    text = (repository / "spec.yaml").read_text().replace("migrating", "planned")
    write(repository / "copy/spec.yaml", text)
    assert "VMF851" in transitions(against(repository / "copy"))
    write(repository / "copy/spec.yaml", text.replace("name: prod,", "name: prod-b,"))
    assert errors(against(repository / "copy")) == []


def test_of_two_specs_of_one_name_none_is_guessed(repository: Path) -> None:
    write(repository / "twin/spec.yaml", (repository / "spec.yaml").read_text())
    commit(repository)
    (repository / "twin/spec.yaml").unlink()
    result = moved(repository, "new/spec.yaml", "migrating")
    assert errors(result) == ["VMF812"]
    assert "are named demo (spec.yaml, twin/spec.yaml)" in result.out


def test_a_migration_that_is_called_otherwise_in_its_place_is_found(repository: Path) -> None:
    write(repository / "spec.yaml", PREPARED)
    commit(repository)
    write(repository / "spec.yaml", PREPARED.replace("name: demo", "name: other"))
    assert vmferry("check", repository, "--against", "HEAD").code == 1


def test_a_spec_that_cannot_be_compared_may_say_why(repository: Path) -> None:
    write(repository / "spec.yaml", PLANNED.replace("engine: flux", "engine: fluks"))
    commit(repository)
    write(repository / "spec.yaml", f"{PREPARED}suppress: [{{rule: VMF861, reason: it never compiled}}]\n")
    (repository / "assignments.yaml").unlink()
    assert errors(against(repository)) == []
