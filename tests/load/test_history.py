"""Tests of reading a spec as it was at another commit, out of real repositories."""

import os
import subprocess
import tracemalloc
from pathlib import Path

import pytest

from vmferry.load.history import at_revision
from vmferry.model.finding import SpecError


def git(directory: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    done = subprocess.run(
        ["git", "-C", str(directory), *identity, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout


def commit(repository: Path, message: str = "a commit") -> None:
    if not (repository / ".git").exists():
        git(repository, "init", "--quiet", "--initial-branch=main")
    git(repository, "add", "--all", "--force")
    git(repository, "commit", "--quiet", "--allow-empty", "--message", message)


def files(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): path.read_text() for path in sorted(directory.rglob("*")) if path.is_file()
    }


def then(spec: Path, revision: str = "HEAD", without: str = "gitops") -> dict[str, str] | None:
    """Return the files beside a spec at a commit; of a spec that is a file, that file."""
    with at_revision(spec, revision, without) as earlier:
        if earlier is None:
            return None
        return files(earlier.spec) if earlier.spec.is_dir() else {earlier.spec.name: earlier.spec.read_text()}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    write(root / "spec.yaml", "old\n")
    write(root / "vms/a.yaml", "a\n")
    commit(root)
    return root


def test_files_are_as_they_were_committed(repository: Path) -> None:
    write(repository / "spec.yaml", "new\n")
    write(repository / "more.yaml", "more\n")
    (repository / "vms/a.yaml").unlink()
    assert then(repository) == {"spec.yaml": "old\n", "vms/a.yaml": "a\n"}


def test_what_is_staged_is_not_committed(repository: Path) -> None:
    write(repository / "spec.yaml", "new\n")
    git(repository, "add", "--all")
    assert then(repository) == {"spec.yaml": "old\n", "vms/a.yaml": "a\n"}


def test_nothing_stays_behind(repository: Path) -> None:
    with at_revision(repository, "HEAD", "gitops") as earlier:
        assert earlier is not None
        directory = earlier.spec
    assert not directory.exists()
    assert git(repository, "status", "--porcelain") == ""


def test_branches_tags_and_abbreviations_name_commits(repository: Path) -> None:
    git(repository, "tag", "--annotate", "v1", "--message", "v1")
    write(repository / "spec.yaml", "new\n")
    commit(repository)
    for revision in ("v1", "HEAD~1", "main~1", git(repository, "rev-parse", "--short", "HEAD~1").strip(), "@{1}"):
        assert then(repository, revision) == {"spec.yaml": "old\n", "vms/a.yaml": "a\n"}


def test_a_spec_in_a_subdirectory_is_all_that_is_read(tmp_path: Path) -> None:
    write(tmp_path / "migrations/acme/spec.yaml", "acme\n")
    write(tmp_path / "migrations/other/spec.yaml", "other\n")
    write(tmp_path / "README.md", "top\n")
    commit(tmp_path)
    assert then(tmp_path / "migrations/acme") == {"spec.yaml": "acme\n"}


def test_a_spec_that_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "migrations/acme.yaml", "acme\n")
    commit(tmp_path)
    assert then(path) == {"acme.yaml": "acme\n"}
    monkeypatch.chdir(tmp_path / "migrations")
    assert then(Path("acme.yaml")) == {"acme.yaml": "acme\n"}


def test_the_compiled_tree_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "spec.yaml", "spec\n")
    write(tmp_path / "vms/gitops/a.yaml", "not the tree\n")
    for number in range(300):
        write(tmp_path / f"gitops/bases/{number}.yaml", "x" * 100_000)
    commit(tmp_path)
    tracemalloc.start()
    assert then(tmp_path) == {"spec.yaml": "spec\n", "vms/gitops/a.yaml": "not the tree\n"}
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000  # of 30 MB in the tree, nothing is read


def test_a_tree_that_lies_deeper_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "spec.yaml", "spec\n")
    write(tmp_path / "deploy/tree/a.yaml", "tree\n")
    write(tmp_path / "deploy/b.yaml", "not the tree\n")
    commit(tmp_path)
    assert then(tmp_path, without="deploy/tree") == {"spec.yaml": "spec\n", "deploy/b.yaml": "not the tree\n"}


def test_a_spec_that_was_not_there_is_none(repository: Path) -> None:
    git(repository, "tag", "before")
    write(repository / "new/spec.yaml", "new\n")
    assert then(repository / "new") is None
    commit(repository)
    assert then(repository / "new", "before") is None
    assert then(repository / "new/spec.yaml", "before") is None
    assert then(repository / "new") == {"spec.yaml": "new\n"}
    assert then(write(repository / "other.yaml", "")) is None


def test_a_commit_without_any_file_has_no_spec(tmp_path: Path) -> None:
    commit(tmp_path)
    write(tmp_path / "spec.yaml", "new\n")
    assert then(tmp_path / "spec.yaml") is None


REVISIONS = [
    "nowhere",
    "HEAD~7",
    "",
    "--help",
    "-h",
    "--output=x",
    "HEAD^{tree}",
    "HEAD:spec.yaml",
    "HEAD..main",
    "^HEAD",
    "^main",
    "HEAD^!",
    "HEAD^@",
    "a\nb",
]


@pytest.mark.parametrize("revision", REVISIONS)
def test_what_names_no_commit_is_refused(repository: Path, revision: str) -> None:
    with pytest.raises(SpecError) as raised, at_revision(repository, revision, "gitops"):
        pass
    [finding] = raised.value.findings
    assert finding.code == "VMF009"
    assert finding.message.startswith(f"there is no commit {revision!r} in a git repository around {repository}")
    assert sorted(path.name for path in repository.iterdir()) == [".git", "spec.yaml", "vms"]


def test_a_directory_in_no_repository_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(SpecError) as raised, at_revision(tmp_path, "HEAD", "gitops"):
        pass
    assert "not a git repository" in raised.value.findings[0].message


def test_a_machine_without_git_is_told_so(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SpecError) as raised, at_revision(repository, "HEAD", "gitops"):
        pass
    assert "git is not installed" in raised.value.findings[0].message


def test_links_that_lead_out_are_not_there_and_others_are(tmp_path: Path) -> None:
    secret = write(tmp_path / "secret.yaml", "hunter2\n")
    root = tmp_path / "repository"
    write(root / "teams/a.yaml", "a\n")
    (root / "inside.yaml").symlink_to("teams/a.yaml")
    (root / "team").symlink_to("teams")
    (root / "through.yaml").symlink_to("team/a.yaml")
    (root / "absolute.yaml").symlink_to(secret)
    (root / "etc").symlink_to("/etc")
    (root / "passwd.yaml").symlink_to("etc/passwd")
    (root / "relative.yaml").symlink_to("../../../../../../../../../../etc/passwd")
    (root / "teams/up").symlink_to("../..")
    (root / "assignments.yaml").symlink_to("teams/up/secret.yaml")
    (root / "circle.yaml").symlink_to("circle.yaml")
    (root / "nothing.yaml").symlink_to("missing.yaml")
    commit(root)
    with at_revision(root, "HEAD", "gitops") as earlier:
        assert earlier is not None
        found = {str(path.relative_to(earlier.spec)) for path in earlier.spec.rglob("*")}
        assert found == {"inside.yaml", "team", "teams", "teams/a.yaml", "through.yaml"}
        assert (earlier.spec / "through.yaml").read_text() == "a\n"


def test_a_hook_of_git_may_ask(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(repository / "deep/spec.yaml", "deep\n")
    commit(repository)
    monkeypatch.chdir(repository)
    monkeypatch.setenv("GIT_DIR", ".git")
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/index")
    monkeypatch.setenv("GIT_PREFIX", "deep/")
    assert then(repository / "deep") == {"spec.yaml": "deep\n"}


def test_a_worktree_is_a_repository(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "--quiet", str(tmp_path / "other"))
    assert then(tmp_path / "other") == {"spec.yaml": "old\n", "vms/a.yaml": "a\n"}


def test_a_shallow_clone_lacks_what_it_did_not_fetch(repository: Path, tmp_path: Path) -> None:
    commit(repository, "another")
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{repository}", "clone")
    assert then(tmp_path / "clone") == {"spec.yaml": "old\n", "vms/a.yaml": "a\n"}
    with pytest.raises(SpecError, match="there is no commit 'HEAD~1'"), at_revision(tmp_path / "clone", "HEAD~1", "x"):
        pass


def test_names_of_any_letters_are_read(tmp_path: Path) -> None:
    root = tmp_path / "répertoire: *?[x]"
    for name in ("é.yaml", "a b.yaml", "長" * 60 + ".yaml", ":(top)x.yaml", "-x.yaml", os.fsdecode(b"\xff.yaml")):
        write(root / "sub" / name, "x\n")
    commit(root)
    found = then(root / "sub", without=":(glob)*")
    assert found is not None
    assert sorted(found) == sorted(path.name for path in (root / "sub").iterdir())


def test_assignments_elsewhere_are_as_they_were(repository: Path) -> None:
    elsewhere = write(repository / "state/acme.yaml", "old\n")
    commit(repository)
    write(elsewhere, "new\n")
    with at_revision(repository / "vms", "HEAD", "gitops", elsewhere) as earlier:
        assert earlier is not None
        assert earlier.assignments is not None
        assert earlier.assignments.read_text() == "old\n"


def test_assignments_that_were_not_there_or_are_in_no_repository_are_none(repository: Path, tmp_path: Path) -> None:
    for elsewhere in (repository / "state/acme.yaml", tmp_path / "a.yaml", repository / "missing.yaml"):
        if elsewhere.name != "missing.yaml":
            write(elsewhere, "new\n")
        with at_revision(repository, "HEAD", "gitops", elsewhere) as earlier:
            assert earlier is not None
            assert earlier.assignments is not None
            assert not earlier.assignments.exists()


@pytest.mark.parametrize(
    "attributes", ["spec.yaml export-ignore", "* export-ignore", "spec.yaml export-subst", "*.yaml text eol=crlf"]
)
def test_attributes_change_nothing_of_what_was_committed(repository: Path, attributes: str) -> None:
    write(repository / ".gitattributes", f"{attributes}\n")
    write(repository / "spec.yaml", "$Format:%H$\n")
    commit(repository)
    found = then(repository)
    assert found is not None
    assert found["spec.yaml"] == "$Format:%H$\n"


def test_nothing_that_the_checkout_configures_is_run(repository: Path, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    script = write(tmp_path / "paint.sh", f'#!/bin/sh\necho ran >> "{mark}"\ncat\n')
    script.chmod(0o755)
    write(repository / ".gitattributes", "*.yaml filter=paint diff=paint\n")
    commit(repository)
    for name in ("filter.paint.smudge", "filter.paint.clean", "diff.paint.textconv", "diff.external"):
        git(repository, "config", name, str(script))
    git(repository, "config", "core.fsmonitor", str(script))
    found = then(repository)
    assert found is not None
    assert found["spec.yaml"] == "old\n"
    assert not mark.exists()


@pytest.mark.parametrize("what", ["HEAD:spec.yaml", "HEAD:vms/a.yaml", "HEAD:vms", "HEAD^{tree}"])
def test_an_object_that_git_lacks_is_no_spec_without_it(repository: Path, what: str) -> None:
    name = git(repository, "rev-parse", what).strip()
    (repository / ".git/objects" / name[:2] / name[2:]).unlink()
    with pytest.raises(SpecError, match="git cannot read"):
        then(repository)


def test_a_partial_clone_fetches_nothing_and_runs_nothing(repository: Path, tmp_path: Path) -> None:
    git(repository, "config", "uploadpack.allowFilter", "true")
    url = f"file://{repository}"
    git(tmp_path, "clone", "--quiet", "--no-checkout", "--filter=blob:none", url, "clone")
    mark = tmp_path / "executed"
    script = write(tmp_path / "pack.sh", f'#!/bin/sh\necho ran > "{mark}"\n')
    script.chmod(0o755)
    git(tmp_path / "clone", "config", "remote.origin.uploadpack", str(script))
    with pytest.raises(SpecError, match="git cannot read"):
        then(tmp_path / "clone")
    assert not mark.exists()


def test_an_object_that_was_replaced_is_as_it_was_committed(repository: Path) -> None:
    was = git(repository, "rev-parse", "HEAD:spec.yaml").strip()
    other = git(repository, "hash-object", "-w", "vms/a.yaml").strip()
    git(repository, "replace", was, other)
    found = then(repository)
    assert found is not None
    assert found["spec.yaml"] == "old\n"
