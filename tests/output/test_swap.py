"""The exchange of two trees: complete at every instant, and cleared up after a kill."""

import errno
import fcntl
import random
import subprocess
import sys
from pathlib import Path

import pytest

from vmferry.output import swap
from vmferry.output.tree import Planned, plan
from vmferry.output.writing import apply


def make(path: Path, **files: str) -> Path:
    path.mkdir(parents=True)
    for name, text in files.items():
        (path / name).write_text(text)
    return path


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def test_directories_are_exchanged(tmp_path: Path) -> None:
    one, other = make(tmp_path / "one", a="1"), make(tmp_path / "other", b="2")
    if not swap.exchange(one, other):
        pytest.skip("this file system cannot exchange directories")
    assert (names(one), names(other)) == (["b"], ["a"])


def test_an_exchange_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="absent") as caught:
        swap.exchange(make(tmp_path / "one"), tmp_path / "absent")
    assert caught.value.errno == errno.ENOENT


def test_two_renames_do_where_directories_cannot_be_exchanged(tmp_path: Path) -> None:
    root = make(tmp_path / "root", a="1")
    with swap.staging(root) as tree:
        (tree / "b").write_text("2")
        old = swap.replace_by_renaming(root, tree)
        assert names(old) == ["a"]
    assert names(root) == ["b"]
    assert names(tmp_path) == ["root"]


def test_a_second_rename_that_never_happens_brings_the_old_tree_back(tmp_path: Path) -> None:
    root = make(tmp_path / "root", a="1")
    with swap.staging(root) as tree:
        root.rename(tree.parent / "old")  # and nothing takes its place
    assert names(root) == ["a"]
    assert names(tmp_path) == ["root"]


def killed(root: Path, **trees: dict[str, str]) -> Path:
    """Return what a killed process left beside ``root``."""
    container = root.parent / f".{root.name}.vmferry-4711-0123abcd"
    container.mkdir(parents=True)
    for name, files in trees.items():
        make(container / name, **files)
    (container / "vmferry-staging").touch()
    return container


def test_a_tree_that_a_killed_process_moved_aside_is_put_back(tmp_path: Path) -> None:
    root = tmp_path / "root"
    killed(root, old={"a": "1"}, tree={"b": "2"})
    changes = plan(root, [], {})
    assert (names(root), changes.kept) == (["a"], ("a",))
    apply(root, changes)
    assert names(tmp_path) == ["root"]


def test_an_old_tree_whose_successor_is_in_place_is_not_put_back(tmp_path: Path) -> None:
    root = tmp_path / "root"
    killed(root, old={"a": "1"})
    apply(root, plan(root, [Planned("b", b"", "l")], {"l": "sha256:0"}))
    assert names(root) == ["b", "locks"]
    assert names(tmp_path) == ["root"]


def test_leftovers_go_whether_or_not_something_changes(tmp_path: Path) -> None:
    root = make(tmp_path / "root", a="1")
    container = killed(root, tree={"b": "2"})
    (container / "tree/sub").mkdir(mode=0o500)
    (tmp_path / ".root.vmferry-1-00000000").mkdir()
    apply(root, plan(root, [], {}))
    assert names(tmp_path) == ["root"]


def test_what_is_not_surely_a_leftover_stays(tmp_path: Path) -> None:
    root = make(tmp_path / "root")
    make(tmp_path / ".root.vmferry-1-0000000", **{"vmferry-staging": ""})  # a digit short
    make(tmp_path / ".other.vmferry-1-00000000", **{"vmferry-staging": ""})
    make(tmp_path / ".root.vmferry-1-00000001", precious="no marker")
    (tmp_path / ".root.vmferry-1-00000002").symlink_to(make(tmp_path / "elsewhere", **{"vmferry-staging": ""}))
    alive = killed(root)
    with (alive / "vmferry-staging").open("w") as marker:
        fcntl.flock(marker, fcntl.LOCK_EX)
        before = names(tmp_path)
        apply(root, plan(root, [], {}))
        assert names(tmp_path) == before


def test_files_saved_while_the_tree_was_replaced_are_brought_over(tmp_path: Path) -> None:
    from vmferry.output.writing import _rescue  # the window is too short to hit from outside

    root = tmp_path / "root"
    make(root, edited="1", same="2")
    changes = plan(root, [Planned("a", b"", "l")], {"l": "sha256:0"})
    apply(root, changes)
    old = make(tmp_path / "old")
    (old / "same").hardlink_to(root / "same")
    make(old / "new", file="3")
    (old / "edited").write_text("4")
    _rescue(old, root, changes)
    assert ((root / "edited").read_text(), (root / "new/file").read_text()) == ("4", "3")
    assert (root / "same").read_text() == "2"


# A process that loads vmferry once, and for each line it reads forks a child that goes on compiling one tree
# after the other, and kills it after as many seconds as the line says.
NURSERY = """
import itertools, os, signal, sys, time
from pathlib import Path
from vmferry.output.clone import cloned
from vmferry.output.tree import Planned, plan
from vmferry.output.writing import apply
root = Path(sys.argv[1])
def files(turn):
    for i in range(200):
        if turn == i % 2 or i % 3:
            yield Planned(f"bases/g{i % 11}/f{i}", (f"{turn if i % 5 == 0 else ''} {i}").encode(), "dev")
for number, line in enumerate(sys.stdin):
    child = os.fork()
    if not child:
        for turn in itertools.cycle([number % 2, 1 - number % 2]):
            with cloned(root if turn else None) as clone:
                apply(root, plan(root, files(turn), {"dev": f"sha256:{turn}"}), clone=clone)
    time.sleep(float(line))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print("killed", flush=True)
"""


def expected(turn: int) -> dict[str, str]:
    wanted = (i for i in range(200) if turn == i % 2 or i % 3)
    return {f"bases/g{i % 11}/f{i}": f"{turn if i % 5 == 0 else ''} {i}" for i in wanted}


def test_a_kill_at_any_instant_leaves_the_old_tree_or_the_new_one(tmp_path: Path) -> None:
    root = make(tmp_path / "out/root", mine="precious")
    dice = random.Random(4711)
    seen, interrupted = [], 0
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY, root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as nursery:
        assert nursery.stdin
        assert nursery.stdout
        for kills in range(400):
            if kills >= 50 and set(seen) == {0, 1} and interrupted > 5:
                break
            longest = 0.12 * max(1, kills / 25)  # a busy machine takes longer to come that far
            nursery.stdin.write(f"{dice.uniform(0.001, longest)}\n")
            assert nursery.stdout.readline() == "killed\n"
            written = {p.relative_to(root).as_posix(): p.read_text() for p in root.rglob("*") if p.is_file()}
            assert written.pop("mine") == "precious"
            lock = written.pop("locks/dev.lock", None)
            if lock is None:
                assert written == {}
                continue
            turn = int("sha256:1" in lock)
            assert written == expected(turn)
            subprocess.run(["sha256sum", "--quiet", "-c", "locks/dev.lock"], cwd=root, check=True)
            seen.append(turn)
            interrupted += len(names(root.parent)) > 1
        nursery.stdin.close()
    assert set(seen) == {0, 1}
    assert interrupted > 5, "the kills came too early or too late to prove anything"
    apply(root, plan(root, [Planned("last", b"", "dev")], {"dev": "sha256:2"}))
    assert names(root) == ["last", "locks", "mine"]
    assert names(root.parent) == ["root"]
    assert (root / "mine").stat().st_nlink == 1
