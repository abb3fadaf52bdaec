"""The spec as it was at another commit, read from git."""

import io
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from vmferry.model.finding import Finding, SpecError, Where

_ELSEWHERE = frozenset(("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"))
"""What git tells its hooks, relative to where it runs them."""


class Earlier(NamedTuple):
    """A spec as it was, and its assignments where they are not beside it."""

    spec: Path
    assignments: Path | None


@contextmanager
def at_revision(spec: Path, revision: str, without: str, assignments: Path | None = None) -> Iterator[Earlier | None]:
    """Yield the spec as it was at a commit, in a directory that is gone afterwards; None where there was none.

    ``without`` is the folder of the compiled tree beside the spec, which is left out. ``assignments`` is where they
    are if not beside the spec. Raises SpecError where the spec is in no git repository, or the repository has no
    such commit.
    """
    root = spec if spec.is_dir() else spec.parent
    commit = _commit(root, revision, spec)
    archive = _git(root, "archive", "--format=tar", commit, "--", ".", f":(exclude,literal){without}")
    if archive.returncode != 0:  # the directory was not there
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="vmferry-") as directory:
        then = Path(directory, "spec")
        _extract(archive.stdout, then)
        found = then if spec.is_dir() else then / spec.name
        written = None
        if assignments is not None:
            written = Path(directory, "assignments.yaml")
            path = assignments.resolve()
            shown = _git(path.parent, "show", f"{commit}:./{path.name}")
            if shown.returncode == 0:
                written.write_bytes(shown.stdout)
        yield Earlier(found, written) if found.exists() else None


def _commit(root: Path, revision: str, spec: Path) -> str:
    """Return the name of a commit. Raises SpecError where there is none."""
    found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if found.returncode == 0:
        return found.stdout.decode().strip()
    said = found.stderr.decode(errors="replace").strip().partition("\n")[0]  # nothing of a commit that is not there
    raise SpecError(
        Finding(
            code="VMF009",
            message=f"there is no commit {revision!r} in a git repository around {root}"
            + (f": {said}" if said else ""),
            help="name a commit, a branch or a tag; in CI fetch it first (actions/checkout: fetch-depth: 0)",
            where=Where(file=str(spec)),
        )
    )


def _git(directory: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run git in a directory, whatever directory a hook of git runs in."""
    command = ["git", "-C", str(directory), *arguments]
    env = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE} | {"LC_ALL": "C"}
    try:
        return subprocess.run(command, capture_output=True, env=env, check=False)
    except FileNotFoundError:
        message = "git is not installed"
        raise SpecError(Finding(code="VMF009", message=message, where=Where(file=str(directory)))) from None


def _extract(archive: bytes, directory: Path) -> None:
    """Write the files of an archive; of its links those that lead to one of them.

    Links come last, so that nothing is written through one.
    """
    links = []
    directory.mkdir()
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            path = directory / member.name
            if ".." in path.parts or not path.is_relative_to(directory):
                continue
            if member.isreg() and (content := tar.extractfile(member)) is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.read())
            elif member.issym():
                links.append((path, member.linkname))
    for path, target in links:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
    for path, _ in links:
        if not _leads_below(path, directory.resolve()):
            path.unlink()


def _leads_below(link: Path, directory: Path) -> bool:
    try:
        return link.resolve(strict=True).is_relative_to(directory)
    except (OSError, RuntimeError):  # to nothing, or in a circle
        return False
