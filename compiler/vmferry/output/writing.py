"""Writes a tree: builds the complete new one beside the old one, and exchanges the two.

Files that stay are hard links, so that the new tree costs little. Where another process has made a `Clone` of the old
tree meanwhile, only what changes is done to that.
"""

import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from vmferry import cores
from vmferry.layout.seen_files import Stamp, stamp
from vmferry.model.finding import SpecError
from vmferry.output import swap
from vmferry.output.clone import Clone, dress
from vmferry.output.tree import Changes, Entry, changed_meanwhile, entry_of, resolved


class Written(NamedTuple):
    """The stamps of a tree's new files, and a time (ns) before which nobody else could have written to them."""

    stamps: Mapping[str, Stamp]
    sealed: int


def apply(
    root: Path,
    changes: Changes,
    before: Callable[[], None] = lambda: None,
    after: Callable[[Written], None] = lambda _: None,
    clone: Clone | None = None,
) -> None:
    """Write ``changes``. Whenever this is killed, ``root`` is the old tree or the new one.

    ``before`` is called when all but the exchange is done; if it raises, the old tree stays. ``after`` is called with
    what is new once that is in place, while the old tree is removed. A ``clone`` becomes the new tree if it is as
    `plan` saw the old one. Nothing is touched if nothing changes. Raises SpecError for conflicts, and VMF602 if the
    tree is not what `plan` saw any more; OSError if the tree cannot be written. The old tree stays in each case.
    """
    if changes.conflicts:
        raise SpecError(*changes.conflicts)
    root = resolved(root)
    if changes.pending:
        root.parent.mkdir(parents=True, exist_ok=True)
    elif not root.parent.exists():
        before()
        after(Written({}, time.time_ns()))
        return
    with swap.exclusive(root):
        for leftover in swap.leftovers(root):
            swap.discard(leftover)
        if not changes.pending:
            before()
            after(Written({}, time.time_ns()))
            return
        if not _is_as_seen(root, changes):
            raise SpecError(changed_meanwhile(root))
        with _staged(root, changes, clone) as (tree, stamps):
            swap.flush(tree)
            before()
            sealed = time.time_ns()
            if old := swap.replace(root, tree):
                _rescue(old, root, changes)
            with swap.clearing(tree):
                after(Written(stamps, sealed))


@contextmanager
def _staged(root: Path, changes: Changes, clone: Clone | None) -> Iterator[tuple[Path, dict[str, Stamp]]]:
    """Yield the new tree and the stamps of its new files; clear up afterwards."""
    with ExitStack() as stack:
        tree = stack.enter_context(clone.taken(changes.seen)) if clone is not None else None
        if tree is not None:
            yield tree, _change(tree, changes)
        else:
            tree = stack.enter_context(swap.staging(root))
            yield tree, _build(root, tree, changes)


def _is_as_seen(root: Path, changes: Changes) -> bool:
    """Return whether the tree is as `plan` saw it.

    A file that stays only has to be the same file: the new tree will have it, with whatever was written into it since.
    """
    seen = changes.seen
    try:
        if entry_of(root.lstat()) != seen.get("."):
            return False
    except FileNotFoundError:
        return not seen
    count, going, pending = 1, {*changes.updated, *changes.deleted}, [""]
    while pending:
        prefix = pending.pop()
        with os.scandir(f"{root}/{prefix}") as items:
            for item in items:
                path = prefix + item.name
                known = seen.get(path)
                if known is None or not _is_as_known(item, known, going=path in going):
                    return False
                count += 1
                if known.is_directory:
                    pending.append(f"{path}/")
    return count == len(seen)


def _is_as_known(item: os.DirEntry[str], known: Entry, *, going: bool) -> bool:
    """Return whether something is as it was, without asking for its status where that suffices."""
    if stat.S_ISREG(known.mode) and not going and item.is_file(follow_symlinks=False) and item.inode() == known.inode:
        return True
    return entry_of(item.stat(follow_symlinks=False)) == known


def _build(root: Path, tree: Path, changes: Changes) -> dict[str, Stamp]:
    """Make ``tree`` the new tree: its directories, the files that stay, and new ones; return the stamps of those."""
    for directory in changes.directories:
        (tree / directory).mkdir()
    gone = {*changes.deleted, *changes.contents}
    staying = [(path, entry) for path, entry in changes.seen.items() if not entry.is_directory and path not in gone]

    def carry(some: Sequence[tuple[str, Entry]]) -> None:
        for path, entry in some:
            _carry(f"{root}/{path}", f"{tree}/{path}", entry)

    for _ in cores.overlapped(carry, staying):
        pass
    stamps = _create_all(tree, changes.contents)
    for directory in (*reversed(changes.directories), "."):
        if directory in changes.seen:
            dress(tree / directory, changes.seen[directory])
    return stamps


def _change(tree: Path, changes: Changes) -> dict[str, Stamp]:
    """Make a clone of the old tree the new one; return the stamps of its new files."""
    for path in (*changes.deleted, *changes.updated):
        (tree / path).unlink()
    directories = {path for path, entry in changes.seen.items() if entry.is_directory and path != "."}
    for directory in sorted(directories.difference(changes.directories), reverse=True):
        (tree / directory).rmdir()
    for directory in changes.directories:
        if directory not in directories:
            (tree / directory).mkdir()
    return _create_all(tree, changes.contents)


def _create_all(tree: Path, contents: Mapping[str, bytes]) -> dict[str, Stamp]:
    """Create files; return their stamps."""

    def create(some: Sequence[tuple[str, bytes]]) -> dict[str, Stamp]:
        return {path: _create(f"{tree}/{path}", content) for path, content in some}

    stamps: dict[str, Stamp] = {}
    for some in cores.overlapped(create, list(contents.items())):
        stamps |= some
    return stamps


def _create(path: str, content: bytes) -> Stamp:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(handle, "wb", buffering=0) as file:
        rest = memoryview(content)
        while rest:
            rest = rest[file.write(rest) or 0 :]
        return stamp(os.fstat(handle))


def _carry(source: str, target: str, entry: Entry) -> None:
    """Create ``target`` as a hard link to ``source`` if the file system allows it, otherwise as a copy."""
    if stat.S_ISLNK(entry.mode):
        Path(target).symlink_to(Path(source).readlink())
        return
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system, too many links, another user's file
        if not stat.S_ISREG(entry.mode):
            raise
        shutil.copy2(source, target, follow_symlinks=False)


def _rescue(old: Path, root: Path, changes: Changes) -> None:
    """Copy what the user saved in the old tree between the scan and the exchange.

    Writing into a file reached both trees, which share it; only new and replaced files have to be copied.
    """
    pending = [""]
    while pending:
        prefix = pending.pop()
        with os.scandir(f"{old}/{prefix}") as items:
            found = [(prefix + item.name, item.inode(), item.is_dir(follow_symlinks=False)) for item in items]
        for path, inode, is_directory in found:
            known = changes.seen.get(path)
            if is_directory:
                pending.append(f"{path}/")
            elif (known is None or known.inode not in (0, inode)) and path not in changes.contents:
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (old / path).replace(root / path)
