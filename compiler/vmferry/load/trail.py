"""Records what a spec was read from.

Files, folders and missing paths, so that a later run knows whether it would read the same. Only certain facts count: if
a folder contains a link or a device, or a file is not a regular one, there is no trail, and the next run reads
everything again. The targets of links on the way to a folder or a file are part of the trail.
"""

import os
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from vmferry import files
from vmferry.model.trail import Trail
from vmferry.yaml.text import MAX_BYTES

_SIZE = 20
_CONTENT = 32


class Tracker:
    """Records what is read."""

    def __init__(self) -> None:
        self._files: dict[str, bytes | None] = {}
        self._folders: dict[str, bytes] = {}
        self._certain = True

    def file(self, path: Path, raw: bytes | None) -> None:
        """Record a file's content; None for a missing file."""
        self._files[str(path)] = _digest(path) + content(raw) if raw is not None else None

    def folder(self, path: Path, entries: Iterable["os.DirEntry[str]"]) -> None:
        """Record the content of a folder."""
        self._folders[str(path)] = listing = _listing(path, entries)
        self._certain = self._certain and bool(listing)

    def uncertain(self) -> None:
        """Record that something was read that may differ next time, such as a pipe."""
        self._certain = False

    def trail(self) -> Trail | None:
        """Return the trail; None if it is not certain."""
        return Trail(files=self._files, folders=self._folders) if self._certain else None


def follow(trail: Trail) -> dict[str, bytes] | None:
    """Return the content of a trail's files if nothing changed, otherwise None."""
    found = look(trail)
    return None if found is None or found.changed else found.contents


class Look(NamedTuple):
    """The current contents of a trail's files, and what is different: the earlier content's digest by path."""

    contents: dict[str, bytes]
    changed: dict[str, bytes]

    def trail(self, before: Trail) -> Trail:
        """Return the trail that leads here."""
        now = {path: _digest(path) + content(self.contents[path]) for path in self.changed}
        return Trail(files={**before.files, **now}, folders=before.folders)


def look(trail: Trail, instead: Mapping[str, bytes] | None = None) -> Look | None:
    """Return what a trail's files contain now; None if a file or a folder came, went or moved.

    ``instead`` has the content that files would have, by path.
    """
    others = instead or {}
    for folder, listing in trail.folders.items():
        try:
            with os.scandir(folder) as entries:
                if _listing(folder, entries) != listing:
                    return None
        except OSError:
            return None
    found = Look({}, {})
    for path, digest in trail.files.items():
        try:
            raw = others[path] if path in others else files.read(path, MAX_BYTES + 1)
        except OSError:
            if digest is not None or os.path.lexists(path):
                return None
            continue
        if digest is None or not digest.startswith(_digest(path)):
            return None
        found.contents[path] = raw
        if not digest.endswith(content(raw)):
            found.changed[path] = digest[_SIZE:]
    return found


def same_below(trail: Trail, root: Path, other: Path) -> bool:
    """Return whether a copy of a folder has all that a trail found below it. A trail that leads elsewhere has not."""
    places: dict[str, Path] = {}
    for name in (*trail.files, *trail.folders):
        if not Path(name).is_relative_to(root):
            return False
        places[name] = other / Path(name).relative_to(root)
    try:
        for folder, listing in trail.folders.items():
            with os.scandir(places[folder]) as entries:
                if _listing(folder, entries) != listing:
                    return False
        return all(
            not os.path.lexists(places[name])
            if digest is None
            else digest == _digest(name) + content(files.read(places[name], MAX_BYTES + 1))
            for name, digest in trail.files.items()
        )
    except OSError:
        return False


def content(raw: bytes) -> bytes:
    """Return a digest of a file's content."""
    return blake2b(raw, digest_size=_CONTENT).digest()


def _listing(folder: Path | str, entries: Iterable["os.DirEntry[str]"]) -> bytes:
    """Return a digest of a folder's entries and their types; nothing if it contains a link or a device."""
    found = []
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            found.append(f"{entry.name}/")
        elif entry.is_file(follow_symlinks=False):
            found.append(entry.name)
        else:
            return b""
    return _digest(folder, "\0".join(sorted(found)).encode(errors="surrogateescape"))


def _digest(path: Path | str, more: bytes = b"") -> bytes:
    """Return a digest of where a path leads, and of ``more``."""
    digest = blake2b(os.path.realpath(path).encode(errors="surrogateescape") + b"\0", digest_size=_SIZE)
    digest.update(more)
    return digest.digest()
