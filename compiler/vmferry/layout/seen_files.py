"""Notes of an earlier run about the files of a tree, so that the next run only reads changed files.

A file counts as unchanged while its inode, size and modification time are the same, as in git.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from vmferry.cache import Cache

_KIND = "files of a tree, 1"


class Stamp(NamedTuple):
    """Identifies the version of a file, with the same values as git."""

    inode: int
    size: int
    modified: int  # ns


def stamp(status: os.stat_result) -> Stamp:
    """Return the stamp of a file."""
    return Stamp(status.st_ino, status.st_size, status.st_mtime_ns)


class Note(msgspec.Struct, array_like=True):
    """A known file: the digest of its content (SHA-256), and the content of a kustomization or lock."""

    inode: int
    size: int
    modified: int  # ns
    digest: bytes
    data: bytes = b""  # msgpack


class Notes:
    """The notes on the files of one tree, all of whose regular files have ``stamps``."""

    def __init__(
        self,
        cache: Cache,
        tree: str,
        stamps: Mapping[str, Stamp],
        read: Callable[[str], bytes],
    ):
        self._cache = cache
        self._key = tree.encode(errors="surrogateescape")
        self.stamps = dict(stamps)
        self._read = read
        self._begun = time.time_ns()
        known = cache.get(_KIND, [self._key], dict[str, Note]).get(self._key, {})
        self._notes = {path: note for path, note in known.items() if self._is_same(path, note)}
        self._changed = len(self._notes) != len(known)

    def learn(self, stamps: Mapping[str, Stamp], contents: Mapping[str, bytes], gone: Iterable[str], at: int) -> None:
        """Take down files that were just written or removed, before a time (ns), without reading them."""
        self._begun = at
        for path in gone:
            self.stamps.pop(path, None)
            self._changed = self._notes.pop(path, None) is not None or self._changed
        self.stamps |= stamps
        for path, content in contents.items():
            self._take(path, content)

    def digest(self, path: str) -> bytes:
        """Return the digest of a file's content; empty if it cannot be read."""
        note = self._notes.get(path)
        if note is None:
            try:
                return self._take(path, self._read(path)).digest
            except OSError:
                return b""
        return note.digest

    def parsed(self, path: str, parse: Callable[[bytes], dict[str, Any]]) -> dict[str, Any]:
        """Return a file's content, parsed by ``parse``. Raises OSError, and the exceptions of ``parse``."""
        note = self._notes.get(path)
        if note is not None and note.data:
            with suppress(msgspec.MsgspecError):
                known: dict[str, Any] = msgspec.msgpack.decode(note.data)
                return known
        content = self._read(path)
        data = parse(content)
        with suppress(TypeError, OverflowError, ValueError):  # YAML values that the cache cannot store
            self._take(path, content).data = msgspec.msgpack.encode(data)
        return data

    def keep(self) -> None:
        """Put the notes into the cache, for the next run."""
        if self._changed:
            self._cache.put(
                _KIND, {self._key: {path: note for path, note in self._notes.items() if self._settled(note)}}
            )
            self._changed = False

    def _take(self, path: str, content: bytes) -> Note:
        digest = hashlib.sha256(content).digest()
        known = self.stamps.get(path)
        if known is None:
            return Note(0, 0, 0, digest)
        note = Note(*known, digest)
        if len(content) == known.size:
            self._notes[path] = note
            self._changed = True
        return note

    def _is_same(self, path: str, note: Note) -> bool:
        return self.stamps.get(path) == (note.inode, note.size, note.modified)

    def _settled(self, note: Note) -> bool:
        """Return whether any later write must have changed the file's time: file system clocks have a resolution."""
        tick = 2_000_000_000 if note.modified % 1_000_000_000 == 0 else 20_000_000
        return note.modified < self._begun - tick
