"""The inputs and the result of a compile, so that the next one immediately sees that nothing changed.

A record is valid for one spec and one tree, and only while every file and folder that was read, and every file of the
tree, is unchanged. Everything else that a compile reads (git, other trees) is read again.
"""

import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from vmferry import files, kept_findings
from vmferry.cache import Cache
from vmferry.layout.compiled import walk
from vmferry.layout.names import ASSIGNMENTS
from vmferry.layout.seen_files import Notes, stamp
from vmferry.load.trail import follow
from vmferry.model.finding import Finding, SpecError
from vmferry.model.trail import Trail
from vmferry.output import swap
from vmferry.output.standing import Standing
from vmferry.output.tree import Changes, Planned, root_at
from vmferry.output.writing import Written
from vmferry.placed import Home, around, not_in_git, unfinished_merge
from vmferry.yaml.text import readable

_KIND = "compile 3"


class Outcome(Struct, frozen=True, kw_only=True):
    """What a compile would change on disk, and what it reports."""

    root: Path  # of the tree
    changes: Changes
    assignments: Path | None
    assignments_changed: bool = False
    warnings: tuple[Finding, ...]  # about the spec
    texts: Mapping[str, str]  # of the spec's files, for showing places in them
    titles: Mapping[str, str] = {}  # of rules whose modules were not needed
    findings: tuple[Finding, ...] = ()  # about the place of the tree

    @property
    def pending(self) -> bool:
        """Return whether anything on disk is not up to date."""
        return self.changes.pending or self.assignments_changed


class Record(Struct, frozen=True, array_like=True):
    """A compile after which the tree was up to date. All paths except the trail's are below the tree's root."""

    trail: Trail
    home: Home
    findings: bytes  # key of those of the spec: many, which a run that finds something changed need not read
    titles: dict[str, str]  # of their rules
    kept: tuple[str, ...]
    seeds: tuple[str, ...]
    tree: bytes = b""  # digest of its files


class _Place(Struct, frozen=True, array_like=True):
    """The beginning of a record: where its tree was."""

    trail: msgspec.Raw
    home: Home


class _Known(Struct, frozen=True):
    """A valid record, its findings with the texts that they are about, and the current tree."""

    record: Record
    findings: tuple[Finding, ...]
    texts: Mapping[str, str]
    root: Path
    paths: tuple[str, ...]

    @property
    def changes(self) -> Changes:
        """Return an outcome without changes."""
        return Changes(
            created=(),
            updated=(),
            deleted=(),
            unchanged=tuple(sorted({*self.paths} - {*self.record.kept})),
            kept=self.record.kept,
            orphaned=(),
            seeds=self.record.seeds,
            conflicts=(),
            total=len(self.paths) - len(self.record.kept),
            contents={},
            directories=(),
            seen={},
        )


class Run(Struct, frozen=True):
    """The arguments of a compile: a spec, its assignments, and a directory."""

    spec: Path
    out: Path
    assignments: Path | None

    @property
    def key(self) -> bytes:
        """Return what identifies it: relative paths mean something only in one working directory."""
        parts = (str(self.spec), str(self.out), str(self.assignments), str(Path.cwd()))
        return "\0".join(parts).encode(errors="surrogateescape")


def repeated(run: Run, cache: Cache) -> Outcome | None:
    """Return the outcome of an earlier compile if nothing has changed since."""
    known = _recall(run, cache)
    if known is None or unfinished_merge(known.root) is not None:
        return None
    try:
        if any(around(known.root, run.out, known.record.home, _unknown())):
            return None
    except LookupError:
        return None
    return Outcome(
        root=known.root,
        changes=known.changes,
        assignments=run.assignments,
        warnings=known.findings,
        texts=known.texts,
        titles=known.record.titles,
    )


def tree_to_clone(run: Run, cache: Cache) -> Path | None:
    """Return the tree of the last compile, if a copy of it may be made beside it while the spec is read.

    Where the spec's own folder reaches there, that would be read as well.
    """
    known = cache.get(_KIND, [run.key], _Place).get(run.key) if cache.enabled else None
    if known is None:
        return None
    with suppress(SpecError):
        root = root_at(run.out, known.home.path)
        return root if not files.inside(root.parent, run.spec if run.spec.is_dir() else run.spec.parent) else None
    return None


def _unknown() -> Iterator[Planned]:
    """Stand in for files that were not compiled: few trees have neighbours that need them."""
    raise LookupError
    yield


def _recall(run: Run, cache: Cache) -> _Known | None:
    """Return the record of a compile if it is still valid. Raises the same SpecError as `root_at`."""
    if not cache.enabled:
        return None
    record = cache.get(_KIND, [run.key], Record).get(run.key)
    read = follow(record.trail) if record is not None else None
    if record is None or read is None:
        return None
    root = root_at(run.out, record.home.path)
    if not root.is_dir() or swap.leftovers(root):  # of a compile that was killed: the next one clears up
        return None
    statuses = dict(walk(str(root)))
    if not all(stat.S_ISREG(status.st_mode) for status in statuses.values()):
        return None
    stamps = {path: stamp(status) for path, status in statuses.items()}
    notes = Notes(cache, str(root.absolute()), stamps, lambda path: files.read(f"{root}/{path}"))
    digest = _digest(notes)
    notes.keep()
    if digest != record.tree:
        return None
    findings = kept_findings.recall(record.findings, cache)
    if findings is None:
        return None
    about = {finding.where.file for finding in findings if finding.where is not None}
    texts = {path: readable(raw) for path, raw in read.items() if path in about}
    return _Known(record, findings, texts, root, tuple(stamps))


def remember(run: Run, record: Record, standing: Standing, changes: Changes, written: Written, cache: Cache) -> None:
    """Record a compile that has just written its tree. ``standing`` is the tree as it was."""
    notes = standing.notes
    if not standing.plain:
        return
    notes.learn(written.stamps, changes.contents, changes.deleted, written.sealed)
    digest = _digest(notes)
    notes.keep()
    cache.put(_KIND, {run.key: structs.replace(record, tree=digest)})


def _digest(notes: Notes) -> bytes:
    digest = blake2b(digest_size=20)
    for path in sorted(notes.stamps):
        digest.update(path.encode(errors="surrogateescape") + b"\0" + notes.digest(path))
    return digest.digest()


def untracked(outcome: Outcome) -> tuple[Path, ...]:
    """Return output files that would not be in the next commit; nothing outside of a git repository."""
    changes, found = outcome.changes, []
    if outcome.root.is_dir():
        ours = {*changes.unchanged, *changes.updated, *changes.seeds} - {*changes.created}
        found += [outcome.root / path for path in not_in_git(outcome.root, ours)]
    if outcome.assignments is not None and outcome.assignments.exists():
        path = written_at(outcome.assignments)
        found += [outcome.assignments] if not_in_git(path.parent, (path.name,)) else []
    return tuple(sorted(found))


def written_at(assignments: Path) -> Path:
    """Return the file itself if its place is a link; `load` has checked where it leads."""
    return assignments.resolve() if assignments.is_symlink() else assignments


def assignments_path(spec: Path) -> Path | None:
    """Return the path of a spec's assignments, beside it; none for standard input."""
    if str(spec) == "-":
        return None
    return (spec if spec.is_dir() else spec.parent) / ASSIGNMENTS
