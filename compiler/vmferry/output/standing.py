"""Which locks of the tree on disk are up to date, so that their groups need not be emitted.

A lock contains the digest of the inputs of its group's files. The cache knows which lock results from such a digest; if
the tree has that lock, and its files match it, the group need not be compiled again.
"""

import hashlib
import stat
from collections.abc import Mapping
from pathlib import Path

from vmferry import files
from vmferry.cache import Cache
from vmferry.layout.compiled import walk
from vmferry.layout.locks import Lock, lock_path, parse
from vmferry.layout.seen_files import Notes, stamp
from vmferry.model.finding import SpecError
from vmferry.output.tree import Settled

_KIND = "lock of inputs 1"


def settled(root: Path, inputs: Mapping[str, str], cache: Cache) -> dict[str, Settled]:
    """Return the locks whose files need not be compiled again. ``inputs`` are the digests of all their inputs."""
    if not cache.enabled or not root.is_dir():
        return {}
    keys = {name: digest.encode() for name, digest in inputs.items()}
    expected = cache.get(_KIND, keys.values(), bytes)
    found: dict[str, Settled] = {}
    for name, key in keys.items():
        raw = _raw(root, name) if key in expected else None
        if raw is not None and hashlib.sha256(raw).digest() == expected[key] and (lock := _lock(raw, name)):
            found[name] = Settled(raw, lock)
    if not found:
        return {}
    regular = {path: stamp(status) for path, status in walk(str(root)) if stat.S_ISREG(status.st_mode)}
    notes = Notes(cache, str(root.absolute()), regular, lambda path: files.read(f"{root}/{path}"))
    intact = {
        name: each
        for name, each in found.items()
        if regular.keys() >= {*each.lock.files, *each.lock.seeds}
        and all(notes.digest(path).hex() == digest for path, digest in each.lock.files.items())
    }
    notes.keep()
    return intact


def remember(root: Path, inputs: Mapping[str, str], cache: Cache) -> None:
    """Record which locks resulted from which inputs, for a tree just written."""
    locks: dict[bytes, object] = {}
    for name, digest in inputs.items():
        raw = _raw(root, name)
        lock = _lock(raw, name) if raw is not None else None
        if raw is not None and lock is not None and lock.inputs == digest:
            locks[digest.encode()] = hashlib.sha256(raw).digest()
    cache.put(_KIND, locks)


def _raw(root: Path, name: str) -> bytes | None:
    try:
        return files.read(root / lock_path(name))
    except OSError:
        return None


def _lock(raw: bytes, name: str) -> Lock | None:
    try:
        return parse(raw, lock_path(name))
    except SpecError:
        return None
