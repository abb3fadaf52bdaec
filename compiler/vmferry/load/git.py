"""Reads files from git's objects as they were committed: no configuration of a checkout is run or honoured.

No filter, no textconv, no attribute (export-ignore), no replaced object, no fetch of what a partial clone lacks.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from vmferry import files
from vmferry.estate.statements import UNREADABLE_FILE
from vmferry.model.finding import Finding, SpecError, Where

_ELSEWHERE = frozenset(("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"))
"""Variables that git sets for its hooks, relative to where it runs them."""
_ONLY_READ = {"LC_ALL": "C", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none", "GIT_OPTIONAL_LOCKS": "0"}
_NAME = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_AT_ONCE = 1000  # files that are in memory
_FETCH = "fetch it first; in CI: actions/checkout with fetch-depth: 0, and without `filter`"
_DEEPEN = "fetch the whole history: `git fetch --unshallow`; in CI: actions/checkout with fetch-depth: 0"


class Blob(NamedTuple):
    """A file or a link in a commit: its path from the root of the repository, and its object name."""

    path: bytes
    name: str
    link: bool


class Repository:
    """The git repository around a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def commit(self, revision: str, spec: Path) -> str:
        """Return the name of a commit. Raises SpecError if there is none, or several."""
        found = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        name = found.stdout.decode(errors="replace").strip()
        if found.returncode == 0 and _NAME.fullmatch(name):  # `^HEAD` yields an excluded name
            return name
        said = found.stderr.decode(errors="replace").strip().partition("\n")[0]  # nothing for missing ones
        message = f"there is no commit {revision!r} in a git repository around {self.directory}"
        remedy = "name a commit, a branch or a tag; in CI fetch it first (actions/checkout: fetch-depth: 0)"
        raise SpecError(_refused(message + (f": {said}" if said else ""), remedy, spec))

    def time(self, commit: str) -> datetime:
        """Return when a commit was made, within what a datetime can be."""
        found = self._lines("rev-list", "--max-count=1", "--timestamp", commit)
        seconds = int(found[0]) if found and found[0].isdecimal() else 0
        return datetime.fromtimestamp(min(seconds, 253_370_764_800), UTC)

    def base(self, revision: str, spec: Path, *, exact: bool = False) -> str:
        """Return the merge base of the working tree and ``revision``; with ``exact``, the revision itself.

        During a merge the working tree belongs to both sides. Raises SpecError if there is no certain merge base.
        """
        commit = self.commit(revision, spec)
        if exact:
            return commit
        sides = self.sides(spec)
        bases = self._lines("merge-base", "--all", commit, *sides)
        if not bases or self._cut_off(bases, [commit, *sides]):
            raise self._apart(revision, spec)
        if len(bases) > 1:
            message = f"{revision!r} and HEAD have {len(bases)} merge bases after a criss-cross merge"
            raise SpecError(_refused(message, f"merge {revision} into this branch", spec))
        return bases[0]

    def sides(self, spec: Path) -> list[str]:
        """Return the parents of the next commit: HEAD, and what is being merged; nothing before the first commit."""
        if self._is_empty():
            return []
        return [self.commit("HEAD", spec), *self._lines("rev-parse", "--verify", "--quiet", "MERGE_HEAD")]

    def unfinished(self) -> list[str]:
        """Return the sides of a merge, rebase or cherry-pick in progress, if any."""
        folders = (self._text("rev-parse", "--git-path", f"rebase-{kind}") for kind in ("merge", "apply"))
        rebasing = any((self.directory / folder).is_dir() for folder in folders)
        for name in ("MERGE_HEAD", "CHERRY_PICK_HEAD", *(["REBASE_HEAD"] if rebasing else [])):
            if other := self._lines("rev-parse", "--verify", "--quiet", name):
                return [*self._lines("rev-parse", "--verify", "--quiet", "HEAD"), *other]
        return []

    def last_merge(self) -> tuple[list[str], str | None]:
        """Return the sides and the commit of the last merge that changed anything below the directory."""
        found = self._lines("rev-list", "--merges", "--parents", "--max-count=1", "HEAD", "--", ".")
        return (found[1:], found[0]) if found else ([], None)

    def parents(self, commit: str, spec: Path) -> list[str]:
        """Return the parents of a commit. Raises SpecError if a shallow clone lacks them."""
        if commit in self._ends():
            raise SpecError(_refused("this clone is shallow: it ends with the commit that is checked", _DEEPEN, spec))
        return self._lines("rev-list", "--parents", "--max-count=1", commit)[1:]

    def _is_empty(self) -> bool:
        """Return whether the repository has no commits."""
        unborn = self._run("symbolic-ref", "--quiet", "HEAD").returncode == 0
        anything = self._run("rev-list", "--all", "--max-count=1")
        return unborn and anything.returncode == 0 and not anything.stdout

    def _cut_off(self, bases: list[str], tips: list[str]) -> bool:
        """Return whether a shallow clone ends before the bases, so that better ones may be beyond its end."""
        if set(bases) & set(tips):
            return False
        ends = self._ends()
        return bool(ends) and not ends.isdisjoint(self._lines("rev-list", *tips, "--not", *bases))

    def _ends(self) -> frozenset[str]:
        """Return the boundary commits of a shallow clone; none for a full one."""
        if self._lines("rev-parse", "--is-shallow-repository") != ["true"]:
            return frozenset()
        path = self._text("rev-parse", "--git-path", "shallow")
        return frozenset(files.read(self.directory / path).decode().split())

    def _apart(self, revision: str, spec: Path) -> SpecError:
        if self._ends():
            message = f"this clone is shallow: it ends before the merge base of {revision!r} and HEAD"
            return SpecError(_refused(message, _DEEPEN, spec))
        message = f"{revision!r} and HEAD have no commit in common"
        return SpecError(_refused(message, "name the branch that this one will be merged into", spec))

    @cached_property
    def top(self) -> Path:
        """Return the root of the working tree."""
        return Path(self._text("rev-parse", "--show-toplevel"))

    def prefix(self) -> str:
        """Return the directory's path below the root, with a trailing slash; empty for the root itself."""
        return self._text("rev-parse", "--show-prefix")

    def folder(self, commit: str) -> str | None:
        """Return the object name of the directory as it is in a commit; None if it is not there."""
        found = self._lines("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}:{self.prefix()}")
        return found[0] if len(found) == 1 and _NAME.fullmatch(found[0]) else None

    def files(self, commit: str) -> list[Blob]:
        """Return everything in a commit, by path from the root. Raises SpecError (unreadable)."""
        listed = self._run("ls-tree", "-r", "-z", "--full-tree", commit)
        if listed.returncode != 0:
            raise self._unreadable(commit, listed.stderr)
        result = []
        for line in listed.stdout.split(b"\0")[:-1]:
            head, _, name = line.partition(b"\t")
            mode, kind, blob = head.split(b" ")
            if kind == b"blob":
                result.append(Blob(name, blob.decode(), mode == b"120000"))
        return result

    def clean(self, without: str) -> bool:
        """Return whether all files in the directory are those of HEAD, apart from the folder ``without`` in it.

        False as well where git ignores files, or does not look at all of them (`git update-index --assume-unchanged`).
        """
        paths = ("--", ".", *((f":(exclude){without}",) if without else ()))
        changes = self._run("status", "--porcelain", "-z", "--untracked-files=all", "--ignored", *paths)
        known = self._run("ls-files", "-z", "-v", *paths)
        listed = known.stdout.split(b"\0")[:-1]
        return (
            changes.returncode == known.returncode == 0
            and not changes.stdout
            and all(line.startswith(b"H ") for line in listed)
        )

    def holding(self, name: str) -> list[Path]:
        """Return all folders of the repository in which git has a file with that path."""
        listed = self._run("-c", "core.fsmonitor=false", "ls-files", "-z", "--full-name", "--", f":(top,glob)**/{name}")
        return [self.top / os.fsdecode(path).removesuffix(name) for path in listed.stdout.split(b"\0")[:-1]]

    def remotes(self) -> list[str]:
        """Return the URLs that the repository is fetched from."""
        listed = self._run("config", "--get-regexp", "-z", r"^remote\..*\.url$").stdout
        return [os.fsdecode(entry.partition(b"\n")[2]) for entry in listed.split(b"\0")[:-1]]

    def tracked(self) -> frozenset[str] | None:
        """Return the content of the next commit below the directory, by relative path; None outside of a repository.

        In a git hook that is the index to be committed, which `git commit --all` creates separately.
        """
        index = os.environ.get("GIT_INDEX_FILE")
        here = index is not None and Repository(Path.cwd()).top == self.top
        chosen = {"GIT_INDEX_FILE": str(Path.cwd() / index)} if index is not None and here else {}
        try:
            listed = self._run("-c", "core.fsmonitor=false", "ls-files", "-z", "--cached", also=chosen)
        except SpecError:  # no git
            return None
        if listed.returncode != 0:
            return None
        return frozenset(os.fsdecode(name) for name in listed.stdout.split(b"\0")[:-1])

    def contents(self, commit: str, blobs: Sequence[Blob]) -> Iterator[tuple[Blob, bytes]]:
        """Yield each file with its content. Raises SpecError if git lacks one: nothing is left out."""
        for start in range(0, len(blobs), _AT_ONCE):
            yield from self._contents(commit, blobs[start : start + _AT_ONCE])

    def _contents(self, commit: str, blobs: Sequence[Blob]) -> Iterator[tuple[Blob, bytes]]:
        asked = "".join(f"{blob.name}\n" for blob in blobs).encode()
        answer = self._run("cat-file", "--batch", stdin=asked)
        at = 0
        for blob in blobs:
            end = answer.stdout.find(b"\n", at)
            head = answer.stdout[at : max(end, at)].split(b" ")
            if head[1:2] != [b"blob"]:
                raise self._unreadable(commit, answer.stderr or os.fsencode("it lacks ") + blob.path)
            at = end + 1 + int(head[2])
            if len(answer.stdout) < at:
                raise self._unreadable(commit, answer.stderr)
            yield blob, answer.stdout[end + 1 : at]
            at += 1

    def _text(self, *arguments: str) -> str:
        """Return git's output as one line, or nothing."""
        return os.fsdecode(self._run(*arguments).stdout.removesuffix(b"\n"))

    def _lines(self, *arguments: str) -> list[str]:
        """Return the lines of git's output; nothing if it fails."""
        done = self._run(*arguments)
        return os.fsdecode(done.stdout).split() if done.returncode == 0 else []

    def _run(
        self, *arguments: str, stdin: bytes = b"", also: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run git in the directory, independently of a git hook's directory."""
        command = ["git", "--no-replace-objects", "-C", str(self.directory), *arguments]
        env = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE} | _ONLY_READ | (also or {})
        try:
            return subprocess.run(command, input=stdin, capture_output=True, env=env, check=False)
        except FileNotFoundError:
            message = "git is not installed"
            raise SpecError(UNREADABLE_FILE.finding(message, where=Where(file=str(self.directory)))) from None

    def _unreadable(self, commit: str, said: bytes) -> SpecError:
        reason = said.decode(errors="replace").strip().partition("\n")[0]
        message = f"git cannot read {self.directory} at {commit[:12]}" + (f": {reason}" if reason else "")
        return SpecError(UNREADABLE_FILE.finding(message, _FETCH, where=Where(file=str(self.directory))))


def _refused(message: str, remedy: str, spec: Path) -> Finding:
    return UNREADABLE_FILE.finding(message, remedy, where=Where(file=str(spec)))
