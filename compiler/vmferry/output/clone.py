"""A copy of a tree for the new one to be made of: hard links, made by another process while the spec is checked.

Making a thousand directories and ten thousand links takes a third of a small compile, and depends on nothing but the
old tree. Whether that is still the same is known by the end.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

import msgspec

from vmferry import cores
from vmferry.output import swap
from vmferry.output.tree import Entry, resolved, scan


class Clone:
    """A copy that is being made."""

    def __init__(self, root: Path) -> None:
        """Begin. Raises OSError if nothing can be written beside ``root``."""
        self._root = root
        self._left = True
        with ExitStack() as stack:
            with swap.exclusive(root):  # or another compile takes an unfinished directory for a leftover
                self._tree = stack.enter_context(swap.staging(root))
            self._wait = stack.enter_context(cores.beside(lambda: _copied(root, self._tree)))
            self._stack = stack.pop_all()

    @contextmanager
    def taken(self, seen: Mapping[str, Entry]) -> Iterator[Path | None]:
        """Yield the copy if it is one of what was ``seen``, with the same files; clear up afterwards."""
        self._left = False
        with self._stack:
            identity = self._wait()
            yield self._tree if identity and identity == _identity(seen) else None

    def close(self) -> None:
        """Clear up a copy that nobody took."""
        if self._left:
            with swap.exclusive(self._root):
                self._stack.close()


@contextmanager
def cloned(root: Path | None) -> Iterator[Clone | None]:
    """Copy the tree at ``root``, if there is one, while the body runs."""
    clone = None
    if root is not None and root.is_dir():
        with suppress(OSError):  # whoever writes the tree says why nothing can be written there
            clone = Clone(resolved(root))
    try:
        yield clone
    finally:
        if clone is not None:
            clone.close()


def dress(directory: Path, entry: Entry) -> None:
    """Give a directory of the new tree the owner and the permissions of the old one."""
    status = directory.lstat()
    if (status.st_uid, status.st_gid) != (entry.uid, entry.gid):
        os.chown(directory, entry.uid, entry.gid)
    directory.chmod(stat.S_IMODE(entry.mode))


def _copied(root: Path, tree: Path) -> bytes:
    """Copy all regular files of ``root`` as links; return the copy's identity, or nothing if it cannot be used.

    Neither links nor folders that their owner may not write to are worth the effort: hardly any tree has some.
    """
    seen = scan(root)
    for path, entry in seen.items():
        if entry.is_directory:
            if entry.mode & stat.S_IRWXU != stat.S_IRWXU:
                return b""
            if path != ".":
                (tree / path).mkdir()
        elif stat.S_ISREG(entry.mode):
            os.link(f"{root}/{path}", f"{tree}/{path}", follow_symlinks=False)
        else:
            return b""
    for path, entry in seen.items():
        if entry.is_directory:
            dress(tree / path, entry)
    return _identity(scan(tree))


def _identity(seen: Mapping[str, Entry]) -> bytes:
    """Return a digest of everything in a tree, whose files keep their inodes; nothing if a name is not UTF-8."""
    try:
        return blake2b(msgspec.msgpack.encode(seen, order="deterministic")).digest()
    except UnicodeEncodeError:
        return b""
