"""A copy of a tree that another process makes: taken if it is what was seen, and of no consequence otherwise."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmferry import cores
from vmferry.model.finding import SpecError
from vmferry.output import writing
from vmferry.output.clone import Clone, cloned
from vmferry.output.tree import Changes, Planned, look, plan

INPUTS = {"dev": "sha256:01"}


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(os, "fork") or sys.platform != "linux":
        pytest.skip("no process is forked here")
    monkeypatch.setattr(cores, "count", lambda: 2)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a tree of two files in two folders."""
    root = tmp_path / "out/gitops"
    writing.apply(root, planned(root, {"a/one": "1", "b/two": "2"}))
    return root


def planned(root: Path, files: dict[str, str]) -> Changes:
    return plan(root, [Planned(path, text.encode(), "dev") for path, text in files.items()], INPUTS)


def finished(clone: Clone) -> bool:
    """Wait for the other process; return whether it made a copy."""
    identity = clone._wait()
    clone._wait = lambda: identity
    return bool(identity)


def read(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): path.read_text() if path.is_file() else "/"
        for path in sorted(root.rglob("*"))
        if path.parent.name != "locks"
    }


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return trees that are built from nothing."""
    found: list[Path] = []
    build = writing._build

    def noting(root: Path, tree: Path, changes: Changes) -> object:
        found.append(root)
        return build(root, tree, changes)

    monkeypatch.setattr(writing, "_build", noting)
    return found


def test_the_copy_becomes_the_new_tree(root: Path, built: list[Path]) -> None:
    inode = (root / "a/one").stat().st_ino
    with cloned(root) as clone:
        writing.apply(root, planned(root, {"a/one": "1", "c/three": "3"}), clone=clone)
    assert read(root) == {"a": "/", "a/one": "1", "c": "/", "c/three": "3", "locks": "/"}
    assert built == []
    status = (root / "a/one").stat()
    assert (status.st_ino, status.st_nlink) == (inode, 1)
    assert [path.name for path in root.parent.iterdir()] == ["gitops"]


def test_a_copy_that_nobody_takes_is_removed(root: Path) -> None:
    before = read(root)
    with cloned(root):
        pass
    with cloned(root) as clone:
        writing.apply(root, planned(root, {"a/one": "1", "b/two": "2"}), clone=clone)  # nothing changes
    with pytest.raises(KeyError), cloned(root):
        raise KeyError
    assert read(root) == before
    assert [path.name for path in root.parent.iterdir()] == ["gitops"]


@pytest.mark.parametrize("saved", ["new", "replaced", "removed", "written", "mode"])
def test_what_the_user_saves_after_the_copy_was_made_is_kept(root: Path, built: list[Path], saved: str) -> None:
    with cloned(root) as clone:
        assert clone is not None
        assert finished(clone)
        if saved == "new":
            (root / "a/mine").write_text("x")
        elif saved == "replaced":
            (root / "a/new").write_text("1")
            (root / "a/new").rename(root / "a/one")
        elif saved == "removed":
            (root / "a/one").unlink()
        elif saved == "written":
            (root / "locks/mine.txt").write_text("x")
        else:
            (root / "a").chmod(0o770)
        writing.apply(root, planned(root, {"a/one": "1", "b/two": "!"}), clone=clone)
    assert read(root) == {"a": "/", "a/one": "1", "b": "/", "b/two": "!", "locks": "/"} | (
        {"a/mine": "x"} if saved == "new" else {}
    )
    assert (root / "locks/mine.txt").exists() == (saved == "written")
    assert ((root / "a").stat().st_mode & 0o777 == 0o770) == (saved == "mode")
    assert built == [root]


@pytest.mark.parametrize("strange", ["link", "pipe", "folder", "name"])
def test_a_tree_with_something_special_is_built_from_nothing(root: Path, built: list[Path], strange: str) -> None:
    if strange == "link":
        (root / "mine").symlink_to("a/one")
    elif strange == "pipe":
        os.mkfifo(root / "mine")
    elif strange == "folder":
        (root / "mine").mkdir(mode=0o500)
    else:
        Path(os.fsdecode(os.fsencode(root) + b"/mine\xff")).write_text("x")
    with cloned(root) as clone:
        writing.apply(root, planned(root, {"a/one": "1", "b/two": "!"}), clone=clone)
    assert (root / "b/two").read_text() == "!"
    assert len(list(root.glob("mine*"))) == 1
    assert built == [root]
    assert [path.name for path in root.parent.iterdir()] == ["gitops"]


def test_one_processor_makes_no_copy(root: Path, built: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "count", lambda: 1)
    with cloned(root) as clone:
        writing.apply(root, planned(root, {"a/one": "1", "b/two": "!"}), clone=clone)
    assert (root / "b/two").read_text() == "!"
    assert built == [root]


def test_a_tree_that_is_not_there_yet_has_none(tmp_path: Path) -> None:
    with cloned(tmp_path / "absent") as clone:
        assert clone is None
    with cloned(None) as clone:
        assert clone is None
    assert list(tmp_path.iterdir()) == []


_NAMES = st.sampled_from(["a", "b", "b/c", "b/c/d", "e/f", "e/g", "h"])
_TREES = st.dictionaries(_NAMES, st.sampled_from(["1", "2"]), max_size=6).filter(
    lambda tree: not any(path.startswith(f"{other}/") for path in tree for other in tree)
)


@given(old=_TREES, new=_TREES, own=st.sets(st.sampled_from(["x", "b/x", "e/x/y"])))
def test_a_tree_made_of_a_copy_is_the_one_that_is_built(
    old: dict[str, str], new: dict[str, str], own: set[str]
) -> None:
    found = []
    for how in ("built", "cloned"):
        with tempfile.TemporaryDirectory() as place:
            root = Path(place) / "gitops"
            writing.apply(root, planned(root, old))
            for path in own:
                if not any(other == path or path.startswith(f"{other}/") for other in {**old, **new}):
                    (root / path).parent.mkdir(parents=True, exist_ok=True)
                    (root / path).write_text("mine")
            with cloned(root if how == "cloned" else None) as clone:
                writing.apply(root, planned(root, new), clone=clone)
            found.append(read(root))
            assert {path.name for path in Path(place).iterdir()} <= {"gitops"}
    assert found[0] == found[1]


WAITING = """
import sys, time
from pathlib import Path
from vmferry import cores
from vmferry.model.finding import SpecError
from vmferry.output import clone
cores.count = lambda: 2
clone._copied = lambda root, tree: time.sleep(60) or b""
with clone.cloned(Path(sys.argv[1])):
    print("begun", flush=True)
    time.sleep(60)
"""


def test_the_process_that_copies_ends_with_a_compile_that_is_killed(root: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WAITING, root], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"begun\n"
        running.send_signal(signal.SIGKILL)
        assert running.stdout.read() == b""  # the other process had it open, too
    assert len(list(root.parent.iterdir())) == 2
    deadline = time.monotonic() + 30
    while len(list(root.parent.iterdir())) > 1 and time.monotonic() < deadline:
        writing.apply(root, planned(root, {"a/one": "1"}))
    assert [path.name for path in root.parent.iterdir()] == ["gitops"]


def test_a_tree_that_changed_since_it_was_copied_is_not_replaced_by_what_was_planned_of_the_copy(root: Path) -> None:
    with cloned(root) as clone:
        assert clone is not None
        changes = plan(root, [Planned("a/one", b"2", "dev")], INPUTS, seen=look(root))
        assert finished(clone)
        (root / "a/mine").write_text("x")
        with pytest.raises(SpecError, match="VMF602"):
            writing.apply(root, changes, clone=clone)
    assert read(root) == {"a": "/", "a/mine": "x", "a/one": "1", "b": "/", "b/two": "2", "locks": "/"}
    assert [path.name for path in root.parent.iterdir()] == ["gitops"]


def test_a_copy_is_of_its_own_tree_alone(root: Path, built: list[Path]) -> None:
    other = root.parent / "other"
    with cloned(root) as clone:
        assert clone is not None
        assert finished(clone)
        writing.apply(other, planned(other, {"a/one": "1"}), clone=clone)
    assert read(other) == {"a": "/", "a/one": "1", "locks": "/"}
    assert built == [other]
