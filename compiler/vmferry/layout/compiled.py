"""Finds a compiled tree on disk, its kustomizations, and the source file of an object."""

import os
import posixpath
import stat
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from vmferry import files as disk
from vmferry.cache import Cache
from vmferry.layout.locks import DIRECTORY, INVALID_LOCK, lock_name
from vmferry.layout.names import KUSTOMIZATION_FILES
from vmferry.layout.objects import Issue, Key, is_object, key_of, parse
from vmferry.layout.seen_files import Notes, stamp
from vmferry.model import finding
from vmferry.model.finding import Finding, SpecError, Where
from vmferry.model.rule import declare

EDITED_BY_HAND = declare(
    "VMF601",
    "error",
    "file was edited by hand",
    why="The next compile would undo the edit, and until then the cluster runs something that no spec describes. "
    "Edits belong in the local/ component beside each overlay, which vmferry never touches.",
)
FILE_IN_THE_WAY = declare(
    "VMF602",
    "error",
    "file is in the way",
    why="vmferry overwrites and removes only files that it wrote itself. A foreign file in the place of a compiled "
    "one would be lost, and one beside compiled manifests is listed in no kustomization.yaml: it looks deployed "
    "and is not.",
)
OUT_OF_DATE = declare(
    "VMF604",
    "error",
    "output is not up to date",
    why="Flux or Argo CD applies the tree, not the spec. If the two differ, the reviewers of the pull request looked "
    "at something that will not happen.",
)

YAML_SUFFIXES = (".yaml", ".yml", ".json")
_DEEPEST = 4  # folders between the given directory and the tree


class Kustomization(NamedTuple):
    """A kustomization file: its directory and path in the tree, its content, and whether it is a component."""

    directory: str
    file: str
    data: dict[str, Any]
    component: bool

    def below(self, field: str) -> Iterator[tuple[int, str]]:
        """Yield each local entry of a list such as ``resources``, with its index, as a path in the tree."""
        entries = self.data.get(field)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, str) and "://" not in entry:
                yield index, posixpath.normpath(posixpath.join(self.directory, entry))


class Source(NamedTuple):
    """The source of an object: file in the tree, document number, and content."""

    file: str
    document: int
    data: Any


class Tree:
    """A compiled tree: all its files, and the content of its kustomizations.

    ``prefix`` is the tree's path below the searched directory, empty if that is the tree.
    """

    def __init__(self, top: Path, prefix: str, cache: Cache | None = None) -> None:
        self.top = top
        self.prefix = prefix
        self.statuses = dict(sorted(walk(str(top))))
        self.files = list(self.statuses)
        self.directories = {file.rpartition("/")[0] for file in self.files}
        stamps = {file: stamp(status) for file, status in self.statuses.items() if stat.S_ISREG(status.st_mode)}
        self.notes = Notes(cache or Cache(enabled=False), str(top.absolute()), stamps, self.read)
        self.kustomizations = dict(self._kustomizations())

    def roots(self) -> list[str]:
        """Return every directory that kustomize can build, sorted: components cannot be built alone."""
        return [path for path, each in self.kustomizations.items() if not each.component]

    def read(self, file: str) -> bytes:
        """Return the content of a file of the tree. Raises OSError if it is not a file, or leads out of the tree."""
        status = self.statuses.get(file)
        if status is not None and stat.S_ISREG(status.st_mode):
            return disk.read(f"{self.top}/{file}")
        path = self.top / file
        return disk.read(path.resolve() if path.is_symlink() and self.holds(file) else path)

    def holds(self, file: str) -> bool:
        """Return whether a file is inside the tree, with links resolved."""
        return disk.inside(self.top / file, self.top)

    def strange(self) -> Iterator[tuple[str, str]]:
        """Yield entries that are not files, with their type: reading them could block, or expose other files."""
        for file, status in self.statuses.items():
            mode = status.st_mode
            if stat.S_ISREG(mode):
                continue
            if stat.S_ISLNK(mode):
                if not self.holds(file):
                    yield file, "a link that leads out of the tree"
                    continue
                with suppress(OSError):
                    mode = (self.top / file).stat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode)):
                yield file, "a pipe, a socket or a device"

    def documents(self, file: str) -> list[Any]:
        """Return the YAML documents of a file of the tree; none if it is not valid YAML."""
        try:
            return parse(self.read(file))
        except (OSError, ValueError):
            return []

    @cached_property
    def sources(self) -> dict[Key, Source]:
        """Every object in the tree. Reads all of it, so only used when something is wrong."""
        found: dict[Key, Source] = {}
        for file in self.files:
            if file.endswith(YAML_SUFFIXES) and posixpath.basename(file) not in KUSTOMIZATION_FILES:
                for index, data in enumerate(self.documents(file)):
                    if is_object(data):
                        found.setdefault(key_of(data), Source(file, index, data))
        return found

    def locate(self, issue: Issue) -> Finding:
        """Return the issue as a finding at the relevant place in the tree."""
        where = None
        if issue.file is not None:
            where = Where(file=str(self.top / issue.file), path=issue.path)
        elif issue.key is not None and (source := self.sources.get(issue.key)):
            path = _existing(source.data, issue.path)
            where = Where(file=str(self.top / source.file), document=source.document, path=path)
        return issue.rule.finding(issue.message, issue.help, where=where)

    def _kustomizations(self) -> Iterator[tuple[str, Kustomization]]:
        for file in self.files:
            if file.rpartition("/")[2] not in KUSTOMIZATION_FILES:
                continue
            try:
                data = self.notes.parsed(file, _first)
            except (OSError, ValueError):
                data = {}
            component = data.get("kind") == "Component"
            yield posixpath.dirname(file), Kustomization(posixpath.dirname(file), file, data, component)


def open_tree(directory: Path, cache: Cache | None = None) -> Tree:
    """Return the tree at ``directory`` or in a folder below it, found by its folder of locks.

    Unchanged files that are in ``cache`` are not read again. Raises SpecError (VMF603) if there is none, or more than
    one.
    """
    found = sorted(trees_below(directory, _DEEPEST))
    if len(found) == 1:
        prefix = found[0].relative_to(directory).as_posix()
        return Tree(found[0], "" if prefix == "." else prefix, cache)
    if found:
        message = f"`{directory}` contains {len(found)} compiled trees: {', '.join(map(str, found))}"
        raise SpecError(INVALID_LOCK.finding(message, "Verify one at a time."))
    message = f"`{directory}` contains no compiled tree: no folder in it has {DIRECTORY}/*.lock"
    raise SpecError(INVALID_LOCK.finding(message, "Give the directory that `compile --out` wrote to."))


def trees_below(directory: Path, depth: int) -> Iterator[Path]:
    """Yield every compiled tree in a directory, or in folders below it up to a depth."""
    locks = directory / DIRECTORY
    if locks.is_dir() and any(lock_name(f"{DIRECTORY}/{path.name}") for path in locks.iterdir()):
        yield directory
    elif depth and directory.is_dir():
        for path in directory.iterdir():
            if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
                yield from trees_below(path, depth - 1)


def _first(content: bytes) -> dict[str, Any]:
    """Return the first document of YAML text if that is a mapping. Raises ValueError if it is not YAML."""
    documents = parse(content)
    return documents[0] if documents and isinstance(documents[0], dict) else {}


def walk(top: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the path of every file in the tree, and its status (of the link itself for a link).

    Hidden folders such as .git are skipped.
    """
    pending = [""]
    while pending:
        prefix = pending.pop()
        try:
            items = os.scandir(f"{top}/{prefix}")
        except OSError:
            continue
        with items:
            for item in items:
                if not item.is_dir():
                    yield prefix + item.name, item.stat(follow_symlinks=False)
                elif not item.name.startswith(".") and not item.is_symlink():
                    pending.append(f"{prefix}{item.name}/")


def _existing(data: Any, path: finding.Path) -> finding.Path:
    """Return the part of ``path`` that exists in ``data``; a patch may have added the rest."""
    for depth, step in enumerate(path):
        in_mapping = isinstance(data, dict) and step in data
        in_list = isinstance(data, list) and isinstance(step, int) and step < len(data)
        if not in_mapping and not in_list:
            return path[:depth]
        data = data[step]
    return path
