"""Which locks of the tree on disk compiling would write again as they are: their groups need not be emitted.

What a group's files are made of is in its lock, as a digest. The cache knows which lock came of such a digest; where
the tree has that lock, and each of its files as it says, nothing of the group has to be made again. A file counts as it
was left where inode, size and time of its last change are those that were seen when its content was known.
"""

import hashlib
import os
import time
from collections.abc import Mapping
from pathlib import Path

from vmferry import files
from vmferry.cache import Cache
from vmferry.layout.locks import Lock, lock_path, parse
from vmferry.model.finding import SpecError
from vmferry.output.tree import Settled

_LOCKS = "lock of inputs 1"
_FILES = "files of a lock 1"
_TICK = 50_000_000  # ns; a file that changed later than that before it was looked at may change again unnoticed

_Seen = tuple[int, int, int]  # inode, size, time of the last change in ns


def settled(root: Path, inputs: Mapping[str, str], cache: Cache) -> dict[str, Settled]:
    """Return the locks whose files need not be made again. ``inputs`` are the digests of all that they came from."""
    if not cache.enabled or not root.is_dir():
        return {}
    keys = {name: digest.encode() for name, digest in inputs.items()}
    expected = cache.get(_LOCKS, keys.values(), bytes)
    found: dict[str, Settled] = {}
    for name, key in keys.items():
        raw = _raw(root / lock_path(name)) if key in expected else None
        if raw is not None and hashlib.sha256(raw).digest() == expected[key] and (lock := _lock(raw, name)):
            found[name] = Settled(raw, lock)
    known = cache.get(_FILES, (_place(root, each.raw) for each in found.values()), dict[str, _Seen])
    return {name: each for name, each in found.items() if _intact(root, each, known.get(_place(root, each.raw), {}))}


def remember(root: Path, inputs: Mapping[str, str], cache: Cache) -> None:
    """Take down which locks came of which inputs, and what their files look like: those of a tree just written."""
    if not cache.enabled or not root.is_dir():
        return
    now = time.time_ns()
    locks: dict[bytes, object] = {}
    looks: dict[bytes, object] = {}
    for name, digest in inputs.items():
        raw = _raw(root / lock_path(name))
        lock = _lock(raw, name) if raw is not None else None
        if raw is None or lock is None or lock.inputs != digest:
            continue
        locks[digest.encode()] = hashlib.sha256(raw).digest()
        seen = {path: found for path in lock.files if (found := _look(root, path)) is not None}
        looks[_place(root, raw)] = {path: each for path, each in seen.items() if each[2] < now - _TICK}
    cache.put(_LOCKS, locks)
    cache.put(_FILES, looks)


def _intact(root: Path, each: Settled, known: Mapping[str, _Seen]) -> bool:
    """Return whether every file of a lock is there, with the content that it says."""
    for path, digest in each.lock.files.items():
        found = _look(root, path)
        if found is None or (known.get(path) != found and _digest(root / path) != digest):
            return False
    return all(_look(root, path) is not None for path in each.lock.seeds)


def _look(root: Path, path: str) -> _Seen | None:
    """Return what tells a regular file's state; None for anything else."""
    try:
        status = os.lstat(f"{root}/{path}")
    except OSError:
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns) if status.st_mode & 0o170000 == 0o100000 else None


def _digest(path: Path) -> str | None:
    raw = _raw(path)
    return hashlib.sha256(raw).hexdigest() if raw is not None else None


def _raw(path: Path) -> bytes | None:
    try:
        return files.read(path)
    except OSError:
        return None


def _lock(raw: bytes, name: str) -> Lock | None:
    try:
        return parse(raw, lock_path(name))
    except SpecError:
        return None


def _place(root: Path, raw: bytes) -> bytes:
    return str(root.resolve()).encode("utf-8", "surrogateescape") + b"\0" + hashlib.sha256(raw).digest()
