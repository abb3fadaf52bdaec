"""The spec as it was at another commit, read from git."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from vmferry.load.git import Blob, Repository
from vmferry.model.finding import SpecError


class Earlier(NamedTuple):
    """A spec as it was, and its assignments where they are not beside it."""

    spec: Path
    assignments: Path | None


@contextmanager
def at_revision(spec: Path, revision: str, without: str, assignments: Path | None = None) -> Iterator[Earlier | None]:
    """Yield the spec as it was at a commit, in a directory that is gone afterwards; None where there was none.

    ``without`` is the folder of the compiled tree beside the spec, which is left out. ``assignments`` is where they
    are if not beside the spec. Raises SpecError where the spec is in no git repository, the repository has no such
    commit, or git cannot read all of it.
    """
    root = spec if spec.is_dir() else spec.parent
    repository = Repository(root)
    commit = repository.commit(revision, spec)
    left_out = PurePosixPath(os.path.normpath(without))
    blobs = [
        blob for blob in repository.files(commit) if not PurePosixPath(os.fsdecode(blob.path)).is_relative_to(left_out)
    ]
    if not blobs:  # the directory was not there
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="vmferry-") as directory:
        then = Path(directory, "spec")
        _extract(repository, commit, blobs, then)
        found = then if spec.is_dir() else then / spec.name
        written = None
        if assignments is not None:
            written = Path(directory, "assignments.yaml")
            _write_assignments(assignments.resolve(), commit, written)
        yield Earlier(found, written) if found.exists() else None


def _write_assignments(path: Path, commit: str, target: Path) -> None:
    """Write the assignments of a commit, if it has them."""
    elsewhere = Repository(path.parent)
    try:
        blobs = elsewhere.files(commit, path.name)
    except SpecError:  # in no repository, or in another one
        return
    for _, content in elsewhere.contents(commit, [blob for blob in blobs if not blob.link]):
        target.write_bytes(content)


def _extract(repository: Repository, commit: str, blobs: list[Blob], directory: Path) -> None:
    """Write the files of a commit; of its links those that lead to one of them.

    Links come last, so that nothing is written through one.
    """
    links = []
    directory.mkdir()
    for blob, content in repository.contents(commit, blobs):
        path = directory / os.fsdecode(blob.path)
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
        if path.is_symlink() and not _leads_below(path, directory.resolve()):
            path.unlink()


def _leads_below(link: Path, directory: Path) -> bool:
    try:
        return link.resolve(strict=True).is_relative_to(directory)
    except (OSError, RuntimeError):  # to nothing, or in a circle
        return False
