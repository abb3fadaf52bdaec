"""The diff of a tree: what `diff -u` would show, in the order of the paths."""

import shutil
import subprocess
from pathlib import Path

import pytest

from vmferry.output.tree import Planned, plan
from vmferry.output.tree_diff import unified
from vmferry.output.writing import apply

INPUTS = {"dev": "sha256:00"}
BEFORE = {
    "b/changed": b"one\ntwo\nthree\n",
    "gone": b"x\n",
    "same": b"=\n",
    "z": b"a\x0cb\xc2\x85c\n",
    "binary": b"\xff",
}
AFTER = {
    "b/changed": b"one\n2\nthree",
    "a/new": b"n\n",
    "same": b"=\n",
    "z": b"a\x0cb\xc2\x85d\n",
    "binary": b"\xfe",
}


def files(contents: dict[str, bytes]) -> list[Planned]:
    return [Planned(path, content, "dev") for path, content in contents.items()]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    apply(tmp_path / "root", plan(tmp_path / "root", files(BEFORE), INPUTS))
    return tmp_path / "root"


def test_created_changed_and_deleted_files_are_shown_in_order(root: Path) -> None:
    assert "".join(unified(root, plan(root, files(AFTER), INPUTS))) == (
        "--- /dev/null\n+++ b/a/new\n@@ -0,0 +1 @@\n+n\n"
        "--- a/b/changed\n+++ b/b/changed\n@@ -1,3 +1,3 @@\n one\n-two\n-three\n+2\n+three\n"
        "\\ No newline at end of file\n"
        "Files a/binary and b/binary differ\n"
        "--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
        "Files a/locks/dev.lock and b/locks/dev.lock differ\n"
        "--- a/z\n+++ b/z\n@@ -1 +1 @@\n-a\x0cb\x85c\n+a\x0cb\x85d\n"
    )


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_git_can_apply_the_diff(root: Path) -> None:
    after = {path: content for path, content in AFTER.items() if path != "binary"} | {"binary": BEFORE["binary"]}
    text = "".join(line for line in unified(root, plan(root, files(after), INPUTS)) if not line.startswith("Files"))
    subprocess.run(["git", "apply"], cwd=root, input=text.encode(), check=True)
    written = {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    written.pop("locks/dev.lock")
    assert written == after


def test_an_unchanged_tree_has_no_diff(root: Path) -> None:
    assert list(unified(root, plan(root, files(BEFORE), INPUTS))) == []


def test_a_link_is_shown_by_its_target(root: Path) -> None:
    (root / "same").unlink()
    (root / "same").symlink_to("/etc/passwd")
    shown = "".join(unified(root, plan(root, files(BEFORE), INPUTS, force=True)))
    assert "-/etc/passwd\n\\ No newline at end of file\n+=\n" in shown
