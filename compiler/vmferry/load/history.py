"""The spec at another commit, read from git; a spec that moved since is found by name."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from vmferry import files
from vmferry.layout.names import ASSIGNMENTS, EVIDENCE
from vmferry.load.git import Repository
from vmferry.model.finding import SpecError
from vmferry.yaml.read import read

_SUFFIXES = (".yaml", ".yml")
_KIND = "MigrationSpec"


class Earlier(NamedTuple):
    """A spec at a commit, and its assignments if they are not beside it."""

    spec: Path
    assignments: Path | None
    moved: bool  # whether it was at another place in the repository


class Identity(NamedTuple):
    """The identity of a migration, wherever its spec is; both fields are unknown if it cannot be read."""

    name: str | None  # metadata.name
    cluster: str | None  # target.cluster.name


class Unclear(NamedTuple):
    """Candidates in a commit for the wanted spec: those with its name, and those gone since."""

    paths: tuple[str, ...]
    named: bool


def repository_of(spec: Path) -> Repository:
    """Return the git repository of a spec."""
    return Repository(spec if spec.is_dir() else spec.parent)


@contextmanager
def at_revision(
    spec: Path, commit: str, without: str, assignments: Path | None = None, *, sought: Identity | None = None
) -> Iterator[Earlier | Unclear | None]:
    """Yield the spec at a commit, in a temporary directory; None if there was none.

    ``sought`` is the migration to find wherever its spec was; without it, the spec was at its current place.
    ``without`` is the folder of the compiled tree beside the spec, which is left out. ``assignments`` is their path if
    they are not beside the spec. Raises SpecError if the repository has no such commit, or git cannot read all of it.
    """
    repository = repository_of(spec)
    commit = repository.commit(commit, spec)
    history = _History(repository, commit)
    place = os.fsdecode(repository.prefix()) + ("" if spec.is_dir() else spec.name)
    found: str | Unclear | None = place
    if sought is not None:
        found = history.find(place, sought, directory=spec.is_dir())
    if not isinstance(found, str):
        yield found
        return
    with tempfile.TemporaryDirectory(prefix="vmferry-") as directory:
        then = Path(directory, "spec")
        folder = _parent(found)
        if not history.extract(folder, folder + without, then):
            yield None
            return
        written = None
        if assignments is not None:
            written = Path(directory, ASSIGNMENTS)
            path = assignments.resolve()
            _write_as_it_was(path, commit, written)
            _write_as_it_was(path.with_name(EVIDENCE), commit, written.with_name(EVIDENCE))
        was = then / found.removeprefix(folder)
        yield Earlier(was, written, found != place) if was.exists() else None


class _History:
    """The content of a commit, and its specs. Paths are relative to the repository's root; folders end with a slash."""

    def __init__(self, repository: Repository, commit: str) -> None:
        self.repository = repository
        self.commit = commit
        self.blobs = repository.files(commit)

    def find(self, place: str, sought: Identity, *, directory: bool) -> str | Unclear | None:
        """Return where a migration's spec was: the file, or its folder if ``place`` is one.

        That is the spec in the same place if it has the name, otherwise one with the name that is no longer in its
        place, otherwise a copied one with the same name and cluster. None if the commit had none and no spec has gone
        since.
        """
        here = self.specs(place, directory=directory)
        if any(identity.name == sought.name for identity in here.values()):
            return place
        everywhere = self.specs("", directory=None)
        gone = {path: identity for path, identity in everywhere.items() if not self._remains(path, identity)}
        named = [path for path, identity in gone.items() if identity.name == sought.name]
        named = named or [path for path, identity in everywhere.items() if identity == sought]
        if len(named) == 1:
            beside = [path for path in everywhere if _parent(path) == _parent(named[0])]
            return _parent(named[0]) if directory and len(beside) == 1 else named[0]
        if not named and here:
            return place  # it had another name
        return Unclear(tuple(sorted(named or gone)), bool(named)) if named or gone else None

    def specs(self, place: str, *, directory: bool | None) -> dict[str, Identity]:
        """Return the specs that are the file ``place``, are directly in its directory, or (None) anywhere below."""
        trees = self._trees()
        blobs = []
        for blob in self.blobs:
            path = os.fsdecode(blob.path)
            if directory is False:
                wanted = path == place
            else:
                rest = path.removeprefix(place)
                wanted = path.startswith(place) and rest.endswith(_SUFFIXES) and not (directory and "/" in rest)
            if wanted and not blob.link and trees.isdisjoint(_above(path)):
                blobs.append(blob)
        return {
            os.fsdecode(blob.path): identity
            for blob, content in self.repository.contents(self.commit, blobs)
            for identity in _identities(content)
        }

    def _trees(self) -> set[str]:
        """Return the folders of compiled trees: they contain many files, but no spec."""
        locks = (os.fsdecode(blob.path) for blob in self.blobs if blob.path.endswith(b".lock"))
        folders = {_parent(path) for path in locks}
        return {folder[: -len("locks/")] for folder in folders if f"/{folder}".endswith("/locks/")} - {""}

    def _remains(self, path: str, identity: Identity) -> bool:
        """Return whether the spec of a path still exists there."""
        try:
            content = files.read(self.repository.top / path)
        except OSError:
            return False
        return any(identity.name in (None, now.name) for now in _identities(content))

    def extract(self, folder: str, without: str, directory: Path) -> bool:
        """Write the files of a folder, and its links to any of them.

        Return whether there are any. Links come last, so that nothing is written through them.
        """
        left_out = PurePosixPath(os.path.normpath(without))
        paths = {blob: os.fsdecode(blob.path) for blob in self.blobs}
        blobs = [
            blob
            for blob, path in paths.items()
            if path.startswith(folder) and not PurePosixPath(path).is_relative_to(left_out)
        ]
        links = []
        directory.mkdir()
        for blob, content in self.repository.contents(self.commit, blobs):
            path = directory / paths[blob].removeprefix(folder)
            if ".." in path.parts or not path.is_relative_to(directory):
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            if blob.link:
                links.append((path, os.fsdecode(content)))
            else:
                path.write_bytes(content)
        for path, target in links:
            if target and "\0" not in target:
                path.symlink_to(target)
        for path, _ in links:
            if path.is_symlink() and not (path.exists() and files.inside(path, directory)):
                path.unlink()
        return bool(blobs)


def _parent(path: str) -> str:
    """Return the folder of a path, or the path itself if it is one, with its slash; empty for the root."""
    return path[: path.rfind("/") + 1]


def _above(path: str) -> Iterator[str]:
    """Yield the folders above a path."""
    end = path.find("/")
    while end >= 0:
        yield path[: end + 1]
        end = path.find("/", end + 1)


def _identities(content: bytes) -> Iterator[Identity]:
    """Yield the identities of a file's specs."""
    if _KIND.encode() not in content:
        return
    try:
        documents = [document.data for document in read(content, "")]
    except SpecError:
        yield Identity(None, None)
        return
    for data in documents:
        if isinstance(data, dict) and data.get("kind") == _KIND:
            yield Identity(_text(data, "metadata", "name"), _text(data, "target", "cluster", "name"))


def _text(data: dict[str, Any], *path: str) -> str | None:
    value: Any = data
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None


def _write_as_it_was(path: Path, commit: str, target: Path) -> None:
    """Write a file of a commit, if it was there."""
    elsewhere = Repository(path.parent)
    try:
        name = os.fsencode(f"{elsewhere.prefix()}{path.name}")
        blobs = [blob for blob in elsewhere.files(commit) if blob.path == name and not blob.link]
    except SpecError:  # outside of a repository, or in another one
        return
    for _, content in elsewhere.contents(commit, blobs):
        target.write_bytes(content)
