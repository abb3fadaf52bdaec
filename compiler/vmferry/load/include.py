"""Finds the files that a glob matches below a directory, and reports what it could not look at.

A skipped file means a VM without a plan, so nothing is skipped silently: neither unreadable folders, nor dangling links
or links out of the directory. Links that stay inside are followed, once each.
"""

import fnmatch
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from vmferry import files

_LONGEST = 1024
_EDITORS_LOCK = ".#"  # Emacs marks a file that is being edited with a dangling link


class Obstacle(NamedTuple):
    """A path that could not be read, why, and whether it is a link that leads out of the directory."""

    path: Path
    problem: str
    leaves: bool = False


class Found(NamedTuple):
    """The files that a glob matches, sorted, what it could not look at, and what was in the folders it looked into."""

    paths: list[Path]
    obstacles: list[Obstacle]
    folders: Mapping[Path, list[os.DirEntry[str]]]


def find(root: Path, pattern: str) -> Found:
    """Return what ``pattern`` matches below ``root``: names with wildcards between slashes, `**` for any depth.

    Raises ValueError for an invalid pattern.
    """
    if len(pattern) > _LONGEST:
        raise ValueError(f"a pattern of {len(pattern)} characters")
    return _Search(root, _parts(pattern)).run()


def _parts(pattern: str) -> list[str]:
    """Return the parts of a pattern; consecutive `**` are merged."""
    if "\0" in pattern:
        raise ValueError("a zero byte in a pattern")
    parts: list[str] = []
    for part in PurePosixPath(pattern).parts:
        if "**" in part and part != "**":
            raise ValueError("'**' can only be an entire path component")
        if part != "**" or parts[-1:] != ["**"]:
            parts.append(part)
    return parts


class _Search:
    """Walks folders and parts of the pattern together: each pair is visited once, even with circular links."""

    def __init__(self, root: Path, parts: list[str]) -> None:
        self._root = root
        self._parts = parts
        self._names = [re.compile(fnmatch.translate(part)) for part in parts]
        self._entries: dict[Path, list[os.DirEntry[str]]] = {}
        self._paths: dict[Path, None] = {}
        self._obstacles: dict[Obstacle, None] = {}

    def run(self) -> Found:
        pending = [(self._root, 0)]
        visited: set[tuple[str, int]] = set()
        while pending:
            folder, index = pending.pop()
            state = (os.path.realpath(folder), index)
            if state not in visited and index < len(self._parts):
                visited.add(state)
                pending += self._step(folder, index)
        return Found(sorted(self._paths), sorted(self._obstacles), self._entries)

    def _step(self, folder: Path, index: int) -> Iterator[tuple[Path, int]]:
        """Match the entries of a folder with one part; yield the folders to continue with."""
        anywhere = self._parts[index] == "**"
        last = index == len(self._parts) - 1
        if anywhere:
            yield folder, index + 1
        for entry in self._listed(folder):
            if not anywhere and not self._names[index].match(entry.name):
                continue
            path = folder / entry.name
            if entry.is_symlink() and not self._leads_somewhere(path, anywhere):
                continue
            if _is_folder(entry):
                if anywhere or not last:
                    yield path, index + (not anywhere)
            elif last and not anywhere:
                self._paths[path] = None

    def _leads_somewhere(self, path: Path, anywhere: bool) -> bool:
        """Return whether a link may be followed. Below `**` one with a suffix is a file, which its own part matches."""
        if anywhere and path.suffix and not path.is_dir():
            return True
        if path.exists() or path.name.startswith(_EDITORS_LOCK):
            if files.inside(path, self._root):
                return path.exists()
            self._obstacles[Obstacle(path, "it leads out of the directory", leaves=True)] = None
        else:
            leaves = not files.inside(path, self._root)
            self._obstacles[Obstacle(path, "it is a link to nothing", leaves=leaves)] = None
        return False

    def _listed(self, folder: Path) -> list[os.DirEntry[str]]:
        if folder not in self._entries:
            try:
                with os.scandir(folder) as entries:
                    self._entries[folder] = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                self._entries[folder] = []
                self._obstacles[Obstacle(folder, error.strerror or str(error))] = None
        return self._entries[folder]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
