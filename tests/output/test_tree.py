"""The writer: what it replaces and removes, what it leaves alone, and what it refuses."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vmferry.model.finding import SpecError
from vmferry.output import writing
from vmferry.output.clone import cloned
from vmferry.output.tree import Changes, Planned, plan, read_locks

INPUTS = {"dev": "sha256:01", "prod": "sha256:02", "_infra": "sha256:03"}
SEED = b"kind: Component\n"


def planned(lock: str = "dev", /, **files: str) -> list[Planned]:
    """Return files named in the form bases__a (a slash is two underscores)."""
    return [Planned(path.replace("__", "/"), text.encode(), lock) for path, text in files.items()]


def seed(path: str, content: bytes = SEED) -> Planned:
    return Planned(path, content, "dev", seed=True)


@pytest.fixture(params=["built", "cloned"])
def root(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Return where the tree is: a new one is built from nothing, or made of a copy that another process makes."""
    return tmp_path / ("out" if request.param == "built" else CLONED) / "gitops"


CLONED = "cloned"


def apply(root: Path, changes: Changes) -> None:
    with cloned(root if root.parent.name == CLONED else None) as clone:
        writing.apply(root, changes, clone=clone)


def compile_to(root: Path, files: list[Planned], *, force: bool = False) -> Changes:
    with cloned(root if root.parent.name == CLONED else None) as clone:
        changes = plan(root, files, INPUTS, force=force)
        writing.apply(root, changes, clone=clone)
    return changes


def contents(root: Path, *, locks: bool = False) -> dict[str, str]:
    found = {
        path.relative_to(root).as_posix(): f"-> {path.readlink()}" if path.is_symlink() else path.read_text()
        for path in sorted(root.rglob("*"))
        if path.is_symlink() or path.is_file()
    }
    return found if locks else {path: text for path, text in found.items() if not path.startswith("locks/")}


def codes(changes: Changes) -> list[tuple[str, str]]:
    return [(finding.code, finding.message.split("`")[1]) for finding in changes.conflicts]


def refused(root: Path, files: list[Planned], *, force: bool = False) -> list[tuple[str, str]]:
    """Return the conflicts, after a check that nothing is written in spite of them."""
    before = contents(root, locks=True)
    changes = plan(root, files, INPUTS, force=force)
    with pytest.raises(SpecError):
        apply(root, changes)
    assert contents(root, locks=True) == before
    return codes(changes)


# --- what is written ----------------------------------------------------------------------------------------


def test_the_first_compile_makes_the_tree_and_its_locks(root: Path) -> None:
    changes = compile_to(root, planned(bases__a="1", top="2") + planned("prod", bases__b="3"))
    assert contents(root) == {"bases/a": "1", "bases/b": "3", "top": "2"}
    assert changes.created == ("bases/a", "bases/b", "locks/dev.lock", "locks/prod.lock", "top")
    assert (changes.updated, changes.deleted, changes.unchanged, changes.total) == ((), (), (), 5)
    locks = read_locks(root)
    assert {name: (lock.inputs, sorted(lock.files)) for name, lock in locks.items()} == {
        "dev": ("sha256:01", ["bases/a", "top"]),
        "prod": ("sha256:02", ["bases/b"]),
    }
    assert locks["dev"].files["top"] == hashlib.sha256(b"2").hexdigest()
    assert [path.name for path in root.parent.iterdir()] == ["gitops"]


def test_planning_writes_nothing(root: Path) -> None:
    assert plan(root, planned(a="1"), INPUTS).pending
    assert not root.parent.exists()


def test_nothing_is_touched_when_nothing_changes(root: Path) -> None:
    compile_to(root, [*planned(bases__a="1"), seed("local/k")])
    before = {path: path.stat() for path in [root.parent, root, *root.rglob("*")]}
    changes = compile_to(root, [*planned(bases__a="1"), seed("local/k")])
    assert not changes.pending
    assert changes.unchanged == ("bases/a", "locks/dev.lock")
    assert {path: path.stat() for path in [root.parent, root, *root.rglob("*")]} == before


def test_compiling_nothing_into_nothing_makes_nothing(root: Path) -> None:
    compile_to(root, [])
    assert not root.parent.exists()


def test_a_change_leaves_the_other_files_as_they_are(root: Path) -> None:
    compile_to(root, planned(a="1", bases__b="2"))
    before = (root / "bases/b").stat()
    changes = compile_to(root, planned(a="one", bases__b="2", c="3"))
    assert contents(root) == {"a": "one", "bases/b": "2", "c": "3"}
    after = (root / "bases/b").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert (changes.created, changes.updated) == (("c",), ("a", "locks/dev.lock"))


def test_new_inputs_alone_change_the_lock(root: Path) -> None:
    compile_to(root, planned(a="1"))
    changes = plan(root, planned(a="1"), {"dev": "sha256:ff"})
    assert changes.updated == ("locks/dev.lock",)


def test_the_order_of_the_files_does_not_matter(root: Path, tmp_path: Path) -> None:
    files = planned(b="1", a="2") + planned("prod", c__d="3") + [seed("local/k")]
    compile_to(root, files)
    compile_to(tmp_path / "other", files[::-1])
    assert contents(root, locks=True) == contents(tmp_path / "other", locks=True)


def test_stale_files_and_the_directories_they_leave_empty_go(root: Path) -> None:
    compile_to(root, planned(a="1", bases__x__y="2") + planned("prod", p="3"))
    changes = compile_to(root, planned(a="1"))
    assert changes.deleted == ("bases/x/y", "locks/prod.lock", "p")
    assert sorted(path.name for path in root.rglob("*")) == ["a", "dev.lock", "locks"]


def test_an_owned_file_that_is_missing_is_written_again(root: Path) -> None:
    compile_to(root, planned(bases__a="1", b="2"))
    shutil.rmtree(root / "bases")
    assert compile_to(root, planned(bases__a="1", b="2")).created == ("bases/a",)
    (root / "b").unlink()
    assert compile_to(root, planned(bases__a="1")).deleted == ()


def test_a_file_may_become_a_directory_and_a_directory_a_file(root: Path) -> None:
    compile_to(root, planned(a="1", b__c__d="2"))
    compile_to(root, planned(a__x="3", b="4"))
    assert contents(root) == {"a/x": "3", "b": "4"}


def test_a_file_may_move_from_lock_to_lock(root: Path) -> None:
    compile_to(root, planned(a="1"))
    compile_to(root, planned("prod", a="1"))
    assert list(read_locks(root)) == ["prod"]
    assert contents(root) == {"a": "1"}


def test_a_file_of_two_locks_is_ours_if_either_hash_fits(root: Path) -> None:
    compile_to(root, planned(a="1") + planned("prod", b="1"))
    lock = root / "locks/prod.lock"
    lock.write_text(lock.read_text() + f"{'0' * 64}  a\n")
    compile_to(root, planned(a="2") + planned("prod", b="1"))
    assert contents(root) == {"a": "2", "b": "1"}


def test_modes_follow_the_umask_and_those_of_directories_stay(root: Path) -> None:
    before = os.umask(0o027)
    try:
        compile_to(root, planned(bases__a="1"))
        assert (root / "bases/a").stat().st_mode & 0o777 == 0o640
        root.chmod(0o2775)
        (root / "bases").chmod(0o700)
        compile_to(root, planned(bases__a="2"))
    finally:
        os.umask(before)
    assert root.stat().st_mode & 0o7777 == 0o2775
    assert (root / "bases").stat().st_mode & 0o777 == 0o700


def test_the_root_may_be_reached_through_a_link(root: Path, tmp_path: Path) -> None:
    compile_to(root, planned(a="1"))
    (tmp_path / "link").symlink_to(root)
    compile_to(tmp_path / "link", planned(a="2"))
    assert (tmp_path / "link").is_symlink()
    assert contents(root) == {"a": "2"}


# --- what is the user's -------------------------------------------------------------------------------------


def test_files_of_the_user_stay(root: Path) -> None:
    compile_to(root, planned(bases__a="1"))
    (root / "README").write_text("mine")
    (root / "bases/note").write_text("mine too")
    (root / "empty/dir").mkdir(parents=True)
    (root / "link").symlink_to("nowhere")
    os.mkfifo(root / "pipe")
    inode = (root / "README").stat().st_ino
    changes = compile_to(root, planned(b="2"))
    assert changes.kept == ("README", "bases/note", "link", "pipe")
    assert contents(root) == {"README": "mine", "b": "2", "bases/note": "mine too", "link": "-> nowhere"}
    assert (root / "README").stat().st_ino == inode
    assert (root / "empty/dir").is_dir()
    assert (root / "pipe").is_fifo()


def test_a_directory_without_permission_to_write_is_no_obstacle(root: Path) -> None:
    compile_to(root, planned(bases__a="1"))
    (root / "mine").mkdir()
    (root / "mine/file").write_text("x")
    (root / "mine").chmod(0o555)
    compile_to(root, planned(bases__a="2"))
    assert (root / "mine/file").read_text() == "x"
    assert (root / "mine").stat().st_mode & 0o777 == 0o555
    assert [path.name for path in root.parent.iterdir()] == ["gitops"]


def test_an_unowned_file_with_the_very_content_is_taken_over(root: Path) -> None:
    root.mkdir(parents=True)
    (root / "a").write_text("1")
    assert compile_to(root, planned(a="1")).unchanged == ("a",)
    assert "a" in read_locks(root)["dev"].files


def test_a_file_edited_by_hand_is_a_conflict(root: Path) -> None:
    compile_to(root, planned(a="1", b="2"))
    (root / "a").write_text("edited")
    assert refused(root, planned(a="1", b="2")) == [("VMF601", "a")]
    assert refused(root, planned(a="new", b="2")) == [("VMF601", "a")]
    compile_to(root, planned(a="new", b="2"), force=True)
    assert contents(root) == {"a": "new", "b": "2"}


def test_an_edit_that_the_compiler_would_make_as_well_is_none(root: Path) -> None:
    compile_to(root, planned(a="1"))
    (root / "a").write_text("2")
    assert compile_to(root, planned(a="2")).updated == ("locks/dev.lock",)


def test_a_stale_file_edited_by_hand_is_a_conflict(root: Path) -> None:
    compile_to(root, planned(a="1", b="2"))
    (root / "b").write_text("edited")
    assert refused(root, planned(a="1")) == [("VMF601", "b")]
    compile_to(root, planned(a="1"), force=True)
    assert contents(root) == {"a": "1"}


def test_a_file_in_the_way_is_a_conflict(root: Path) -> None:
    root.mkdir(parents=True)
    (root / "a").write_text("mine")
    assert refused(root, planned(a="1", b="2")) == [("VMF602", "a")]
    compile_to(root, planned(a="1", b="2"), force=True)
    assert contents(root) == {"a": "1", "b": "2"}


@pytest.mark.parametrize("force", [False, True])
def test_directories_and_files_of_the_user_in_each_others_way_stay(root: Path, force: bool) -> None:
    (root / "a").mkdir(parents=True)
    (root / "a/mine").write_text("x")
    (root / "b").write_text("x")
    (root / "d").mkdir()
    files = planned(a="1", b__c="2", d="3")
    assert refused(root, files, force=force) == [("VMF602", "a"), ("VMF602", "b"), ("VMF602", "d")]


def test_a_file_where_the_root_should_be_is_a_conflict(root: Path) -> None:
    root.parent.mkdir()
    root.write_text("x")
    with pytest.raises(SpecError, match="VMF602"):
        plan(root, planned(a="1"), INPUTS)


# --- seeds --------------------------------------------------------------------------------------------------


def test_a_seed_is_written_once_and_then_the_users(root: Path) -> None:
    files = [*planned(a="1"), seed("g/local/k")]
    assert "g/local/k" in compile_to(root, files).created
    assert "g/local/k" not in read_locks(root)["dev"].files
    (root / "g/local/k").write_text("edited")
    changes = compile_to(root, files)
    assert not changes.pending
    assert changes.kept == ("g/local/k",)
    (root / "g/local/k").unlink()
    assert compile_to(root, files).created == ("g/local/k",)


def test_new_text_for_seeds_leaves_those_that_exist(root: Path) -> None:
    compile_to(root, [*planned(a="1"), seed("g/local/k")])
    compile_to(root, [*planned(a="1"), seed("g/local/k", b"other")])
    assert (root / "g/local/k").read_bytes() == SEED


def test_a_seed_that_nothing_needs_goes_unless_it_was_edited(root: Path) -> None:
    compile_to(root, [*planned(a="1"), seed("g/local/k"), seed("h/local/k")])
    (root / "h/local/k").write_text("edited")
    changes = compile_to(root, planned(a="1"))
    assert changes.deleted == ("g/local/k",)
    assert changes.orphaned == changes.kept == ("h/local/k",)
    assert contents(root) == {"a": "1", "h/local/k": "edited"}
    assert not (root / "g").exists()


def test_the_last_group_takes_its_seed_along(root: Path) -> None:
    compile_to(root, [*planned(a="1"), seed("g/local/k")])
    compile_to(root, [])
    assert list(root.iterdir()) == []


def test_an_owned_file_may_become_a_seed_and_back(root: Path) -> None:
    compile_to(root, planned(a="1", k="2"))
    compile_to(root, [*planned(a="1"), seed("k")])
    assert (root / "k").read_text() == "2"
    (root / "k").write_bytes(SEED)
    compile_to(root, planned(a="1", k="3"))
    assert (root / "k").read_text() == "3"


def test_a_local_directory_that_the_user_made_a_link_is_left_alone(root: Path, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    files = [*planned(g__k="1"), seed("g/local/k")]
    compile_to(root, files)
    shutil.rmtree(root / "g/local")
    (root / "g/local").symlink_to(tmp_path / "shared")
    assert not compile_to(root, files).pending
    assert list((tmp_path / "shared").iterdir()) == []


# --- links --------------------------------------------------------------------------------------------------


def test_links_are_never_followed(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a").write_text("1")
    (outside / "b").write_text("2")
    compile_to(root, planned(bases__a="1", b="2"))
    shutil.rmtree(root / "bases")
    (root / "bases").symlink_to(outside)
    (root / "b").unlink()
    (root / "b").symlink_to(outside / "b")
    assert refused(root, planned(bases__a="new", b="2")) == [("VMF601", "b"), ("VMF602", "bases")]
    assert refused(root, planned(bases__a="new", b="2"), force=True) == [("VMF602", "bases")]
    assert refused(root, []) == [("VMF601", "b")]
    compile_to(root, [], force=True)
    assert contents(root) == {"bases": f"-> {outside}"}
    assert contents(outside) == {"a": "1", "b": "2"}


def test_locks_behind_a_link_are_not_read(root: Path, tmp_path: Path) -> None:
    compile_to(tmp_path / "victim", planned(a="1"))
    root.mkdir(parents=True)
    (root / "a").write_text("1")
    (root / "locks").symlink_to(tmp_path / "victim/locks")
    assert read_locks(root) == {}
    assert refused(root, planned(a="2")) == [("VMF602", "a"), ("VMF602", "locks")]


# --- paths --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "paths",
    [
        ["/etc/x"], ["../x"], ["a/../../x"], ["a/./x"], ["a//x"], ["a/"], [""], ["a\\b"], ["a\0b"], ["a\nb"],
        [".git/x"], ["a", "a"], ["a", "A"], ["a/x", "A/y"], ["a", "a/b"], ["A", "a/b"], ["a/b/c", "a/B"],
        ["stra\u00dfe", "STRASSE"], ["\u00e9", "e\u0301"], ["locks/dev.lock"], ["locks/other.lock"],
        ["LOCKS/x"], ["locks"], ["\ud800"], ["x" * 256],
    ],
)  # fmt: skip
def test_paths_that_are_not_safe_everywhere_are_refused(root: Path, paths: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        plan(root, [Planned(path, b"", "dev") for path in paths], INPUTS)
    assert {finding.code for finding in caught.value.findings} == {"VMF611"}
    assert not root.parent.exists()


@pytest.mark.parametrize("locks", [["../x"], ["a/b/c"], ["a/../b"], ["a/"], [""], ["a", "A"], ["a/b", "A/b"]])
def test_locks_that_are_not_safe_everywhere_are_refused(root: Path, locks: list[str]) -> None:
    files = [Planned(f"f{number}", b"", lock) for number, lock in enumerate(locks)]
    with pytest.raises(SpecError, match="VMF611"):
        plan(root, files, dict.fromkeys(locks, "sha256:00"))


# --- damaged locks ------------------------------------------------------------------------------------------


def test_a_damaged_lock_stops_the_compile_and_force_goes_by_what_is_left(root: Path) -> None:
    compile_to(root, planned(a="1", b="2"))
    (root / "mine").write_text("x")
    lock = root / "locks/dev.lock"
    lock.write_text(f"<<<<<<< HEAD\n{lock.read_text()}=======\n>>>>>>> theirs\n")
    with pytest.raises(SpecError, match="VMF603"):
        plan(root, planned(a="3"), INPUTS)
    compile_to(root, planned(a="3"), force=True)
    assert contents(root) == {"a": "3", "mine": "x"}
    assert not plan(root, planned(a="3"), INPUTS).pending


def test_a_lock_cannot_have_files_outside_the_tree_removed(root: Path, tmp_path: Path) -> None:
    compile_to(root, planned(a="1"))
    (tmp_path / "victim").write_text("x")
    digest = hashlib.sha256(b"x").hexdigest()
    lock = root / "locks/dev.lock"
    lock.write_text(lock.read_text() + f"{digest}  ../../victim\n")
    with pytest.raises(SpecError, match="VMF611"):
        plan(root, [], INPUTS)
    compile_to(root, [], force=True)
    assert (tmp_path / "victim").exists()


# --- other writers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["edit", "new", "remove"])
def test_a_tree_that_changed_since_it_was_planned_is_not_replaced(root: Path, change: str) -> None:
    compile_to(root, planned(a="1"))
    changes = plan(root, planned(a="2"), INPUTS)
    target = root / {"edit": "a", "new": "n", "remove": "a"}[change]
    target.unlink() if change == "remove" else target.write_text("edited")
    before = contents(root, locks=True)
    with pytest.raises(SpecError, match="VMF602"):
        apply(root, changes)
    assert contents(root, locks=True) == before


def test_a_failed_write_leaves_the_old_tree_and_no_rubbish(root: Path) -> None:
    compile_to(root, planned(a="1"))
    changes = plan(root, planned(a="2", b="3"), INPUTS)
    broken = Changes(
        **{name: getattr(changes, name) for name in Changes.__struct_fields__ if name != "contents"},
        contents={**changes.contents, "missing/directory/x": b""},
    )
    with pytest.raises(FileNotFoundError):
        apply(root, broken)
    assert contents(root) == {"a": "1"}
    assert [path.name for path in root.parent.iterdir()] == ["gitops"]


CONTENDER = """
import sys
from pathlib import Path
from vmferry.model.finding import SpecError
from vmferry.output import swap
from vmferry.output.clone import cloned
from vmferry.output.tree import Planned, plan
from vmferry.output.writing import apply
swap.flush = lambda directory: None  # minutes on a disk that is busy with something else
root, name = Path(sys.argv[1]), sys.argv[2]
files = [Planned(f"d{i % 7}/f{i}", f"{name} {i}".encode(), "dev") for i in range(20)]
written = 0
while written < 40:
    try:
        with cloned(root if sys.argv[3:] else None) as clone:
            apply(root, plan(root, files, {"dev": "sha256:" + name}), clone=clone)
        written += 1
    except SpecError as error:
        assert "changed while" in str(error), error
"""


def test_two_compiles_at_once_do_not_interleave(root: Path) -> None:
    (root / "mine").parent.mkdir(parents=True)
    (root / "mine").write_text("x")
    command, how = [sys.executable, "-c", CONTENDER, str(root)], [CLONED] * (root.parent.name == CLONED)
    running = [subprocess.Popen([*command, name, *how]) for name in ("one", "two", "three")]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    written = contents(root)
    assert written.pop("mine") == "x"
    assert len({text.split()[0] for text in written.values()}) == 1
    assert len(written) == 20
    subprocess.run(["sha256sum", "--quiet", "-c", "locks/dev.lock"], cwd=root, check=True)
    assert [path.name for path in root.parent.iterdir()] == ["gitops"]
