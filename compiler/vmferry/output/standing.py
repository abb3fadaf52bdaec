"""The tree on disk before a compile, and which of its locks are up to date, so that their groups need not be emitted.

A lock contains the digest of the inputs of its group's files. The cache knows which lock results from such a digest; if
the tree has that lock, and its files match it, the group need not be compiled again.
"""

import hashlib
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from vmferry import files
from vmferry.cache import Cache
from vmferry.layout.locks import Lock, lock_path, noted, parse
from vmferry.layout.seen_files import Notes, Stamp
from vmferry.model.finding import SpecError
from vmferry.output import tree

_KIND = "lock of inputs 1"


class Standing(NamedTuple):
    """A tree as it is on disk: everything in it by path, and notes on its regular files.

    ``plain``: it has no other files, such as links. Nothing of vmferry's is in a hidden folder, such as .git.
    """

    seen: Mapping[str, tree.Entry]
    notes: Notes
    plain: bool


def look(root: Path, cache: Cache) -> Standing:
    """Return the tree at ``root``. Raises SpecError (VMF602) for a file in its place."""
    seen = tree.look(root)
    found = {
        path: entry
        for path, entry in seen.items()
        if not entry.is_directory and "/." not in f"/{path.rpartition('/')[0]}"
    }
    stamps = {
        path: Stamp(entry.inode, entry.size, entry.mtime) for path, entry in found.items() if stat.S_ISREG(entry.mode)
    }
    notes = Notes(cache, str(root.absolute()), stamps, lambda path: files.read(f"{root}/{path}"))
    return Standing(seen, notes, plain=len(stamps) == len(found))


def settled(standing: Standing, inputs: Mapping[str, str], cache: Cache) -> dict[str, Lock]:
    """Return the locks whose files need not be compiled again. ``inputs`` are the digests of all their inputs."""
    if not cache.enabled or not standing.seen:
        return {}
    notes = standing.notes
    keys = {name: digest.encode() for name, digest in inputs.items()}
    expected = cache.get(_KIND, keys.values(), bytes)
    found: dict[str, Lock] = {}
    for name, key in keys.items():
        path = lock_path(name)
        if key not in expected or path not in notes.stamps or notes.digest(path) != expected[key]:
            continue
        try:
            lock = noted(notes, path, path)
        except (OSError, SpecError):
            continue
        if notes.stamps.keys() >= {*lock.files, *lock.seeds} and all(
            notes.digest(file).hex() == digest for file, digest in lock.files.items()
        ):
            found[name] = lock
    notes.keep()
    return found


def remember(root: Path, inputs: Mapping[str, str], cache: Cache) -> None:
    """Record which locks resulted from which inputs, for a tree just written."""
    locks: dict[bytes, object] = {}
    for name, digest in inputs.items():
        try:
            raw = files.read(root / lock_path(name))
            lock = parse(raw, lock_path(name))
        except (OSError, SpecError):
            continue
        if lock.inputs == digest:
            locks[digest.encode()] = hashlib.sha256(raw).digest()
    cache.put(_KIND, locks)
