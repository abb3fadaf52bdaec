"""What a migration was at another commit, for the rules on transitions; what cannot be compared is an error."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from msgspec import structs

from vmferry import solved
from vmferry.cache import Cache
from vmferry.check import review
from vmferry.estate.stages import begun
from vmferry.load.git import Repository
from vmferry.load.history import Earlier, Identity, Unclear, at_revision, repository_of
from vmferry.load.project import NOT_ONE_SPEC, load
from vmferry.load.trail import same_below
from vmferry.model.finding import Finding, SpecError, Where
from vmferry.model.project import Project
from vmferry.model.review import Review
from vmferry.model.rule import declare
from vmferry.model.spec import MigrationSpec
from vmferry.resolve.blueprint import resolve

PARENT = "parent"
"""Stands for the parent of the next commit: HEAD, or HEAD's parent if nothing changed since."""

_FROM = "PRE_COMMIT_FROM_REF"
"""Start of a pre-commit run over several commits: `--from-ref`, or the start of a push."""

_Earlier = tuple[tuple[Review, ...], tuple[Finding, ...]]


def remembered(
    here: Project, spec: Path, assignments: Path | None, revision: str, cache: Cache, *, exact: bool
) -> solved.Solved | None:
    """Return what `earlier` found in an earlier run; None if only looking again can tell."""
    repository = repository_of(spec)
    if not cache.enabled or revision == PARENT or (revision == "HEAD" and not repository.sides(spec)):
        return None
    commit = repository.base(revision, spec, exact=exact)
    key = _key(repository, commit, here.spec, spec, assignments)
    return solved.recall_commit(key, cache) if key is not None else None


def as_at_head(here: Project, spec: Path, assignments: Path | None) -> bool:
    """Return whether the spec and all that belongs to it is as in HEAD; False if that is uncertain."""
    repository = repository_of(spec)
    if assignments is not None or not repository.sides(spec):
        return False
    return repository.clean(here.spec.target.gitops.path)


def _key(
    repository: Repository, commit: str, here: MigrationSpec, spec: Path, assignments: Path | None
) -> bytes | None:
    """Return what identifies all that is read of a commit if the spec was at its place; None if that is uncertain."""
    folder = repository.folder(commit) if assignments is None else None
    if folder is None:
        return None
    sought = (here.metadata.name, here.target.cluster.name, here.target.gitops.path)
    return "\0".join((folder, "" if spec.is_dir() else spec.name, *sought)).encode(errors="surrogateescape")


class _Here(NamedTuple):
    """The migration as it is here, and what it is compared with."""

    review: Review
    spec: Path
    assignments: Path | None
    revision: str
    cache: Cache
    complete: bool  # whether it has no errors of its own


def earlier(
    here: Review,
    spec: Path,
    assignments: Path | None,
    revision: str,
    *,
    exact: bool,
    complete: bool = True,
    cache: Cache | None = None,
) -> _Earlier:
    """Return the migration as it was where its branch left a revision, and findings that prevent a comparison.

    A parent that is a merge gives several, one per side. What a commit contained is kept in the ``cache`` for
    `remembered`; if ``here`` is ``complete``, a commit with the same bytes is not resolved again. Raises SpecError if
    git cannot tell.
    """
    repository = repository_of(spec)
    asked = _Here(here, spec, assignments, revision, cache or Cache(enabled=False), complete)
    if revision == PARENT:
        if beginning := os.environ.get(_FROM):
            return earlier(here, spec, assignments, beginning, exact=False, complete=complete, cache=cache)
        sides = repository.sides(spec)
        found = _since(sides, asked)
        if len(sides) > 1 or not found[0] or not _same(here, found[0][0]):
            return found
        return _since(repository.parents(sides[0], spec), asked)
    if revision == "HEAD" and not repository.sides(spec):
        return _since([], asked)
    return _since([repository.base(revision, spec, exact=exact)], asked)


def _since(commits: Iterable[str], asked: _Here) -> _Earlier:
    befores: list[Review] = []
    findings: list[Finding] = []
    for commit in commits:
        before, unread = _at(commit, asked)
        befores += [before] if before is not None else []
        findings += unread
    if not befores and not findings:
        findings += _new(asked.review, asked.revision)
    return tuple(befores), tuple(findings)


def _same(here: Review, before: Review) -> bool:
    """Return whether nothing was written since; line endings changed by a checkout do not count."""
    now, then = (sorted(text.replace("\r\n", "\n") for text in each.project.texts.values()) for each in (here, before))
    return now == then


EARLIER_DOES_NOT_COMPILE = declare(
    "VMF861",
    "error",
    "the other commit does not compile",
    why="The rules on transitions need the earlier state: without it nobody notices that a stage was skipped, a disk "
    "shrank or a VM was removed while it was being copied. What was synced did compile, so compare with that "
    "commit.",
    essential=False,
    needs="comparison",
)


def _at(commit: str, asked: _Here) -> tuple[Review | None, tuple[Finding, ...]]:
    """Return the migration at a commit; None if it did not exist there, or does not compile, which is a finding."""
    here, spec, assignments, revision, cache, _ = asked
    sought = Identity(here.spec.metadata.name, here.spec.target.cluster.name)
    with at_revision(spec, commit, here.spec.target.gitops.path, assignments, sought=sought) as earlier:
        if earlier is None:
            return None, ()
        if isinstance(earlier, Unclear):
            return None, (_unclear(earlier, here, revision),)
        try:
            if _unchanged(asked, earlier):
                before, errors = structs.replace(here, now=None, before=None), []
            else:
                project = load(earlier.spec, earlier.assignments, cache=cache)
                resolution = resolve(project, reasons=False)
                before = review(project, resolution)
                errors = [finding for finding in resolution.findings if finding.is_error]
        except SpecError as error:
            errors = list(error.findings)
    if not errors:
        key = _key(repository_of(spec), commit, here.spec, spec, assignments) if cache.enabled else None
        if key is not None and not earlier.moved and solved.recall_commit(key, cache) is None:
            solved.remember_commit(before, key, cache)
        return before, ()
    if [error.code for error in errors] == [NOT_ONE_SPEC.code] and errors[0].where == Where(file=str(earlier.spec)):
        return None, ()  # the directory was there, but without a spec
    count = "an error" if len(errors) == 1 else f"{len(errors)} errors"
    said = errors[0].message.replace(str(earlier.spec), str(spec))
    finding = EARLIER_DOES_NOT_COMPILE.finding(
        f"the spec at {_called(revision)} has {count}, such as {said}, and is not compared",
        "compare with a commit that compiles: the cluster was built from one; to repair a spec that never "
        "did, suppress this until it is merged",
        where=here.project.where,
    )
    return None, (finding,)


NOTHING_TO_COMPARE = declare(
    "VMF812",
    "error",
    "nothing to compare the spec with",
    why="`check --against` follows a spec that was moved by its metadata.name. If that is not possible, or a new spec "
    "starts with groups that have already moved, the rules on transitions would find nothing, and renaming a "
    "folder would bypass them.",
    essential=False,
    needs="comparison",
)


def _unchanged(asked: _Here, earlier: Earlier) -> bool:
    """Return whether a commit has the very bytes that were read here, so that nothing has to be resolved again."""
    trail, spec = asked.review.project.trail, asked.spec
    if trail is None or asked.assignments is not None or earlier.moved or not asked.complete:
        return False
    if spec.is_dir() != earlier.spec.is_dir():
        return False
    root, other = (spec, earlier.spec) if spec.is_dir() else (spec.parent, earlier.spec.parent)
    return same_below(trail, root, other)


def _unclear(found: Unclear, here: Review, revision: str) -> Finding:
    """Return the finding for a spec that may have been somewhere else: it must not pass for a new one."""
    name, paths = here.spec.metadata.name, ", ".join(found.paths)
    if found.named:
        message = f"nothing is compared: several specs at {_called(revision)} are named {name} ({paths})"
        remedy = "give each migration its own metadata.name"
    else:
        message = (
            f"nothing is compared: no spec at {_called(revision)} is named {name}, and {paths} has been removed since"
        )
        remedy = "keep metadata.name when a spec moves; remove a finished migration's spec in a separate commit"
    return NOTHING_TO_COMPARE.finding(message, remedy, where=here.at("metadata", "name"))


def _new(here: Review, revision: str) -> Iterator[Finding]:
    """Yield a finding for a new spec whose groups have already started to move."""
    moved = [group.name for group in here.blueprint.groups if begun(group.stage)]
    if moved:
        names = ", ".join(moved[:5]) + (", …" if len(moved) > 5 else "")
        message = (
            f"nothing is compared: the spec is not at {_called(revision)}, and some of its groups have moved ({names})"
        )
        remedy = "start with every group at planned; for a spec from another repository, suppress this for one commit"
        yield NOTHING_TO_COMPARE.finding(message, remedy, where=here.at("groups"))


def _called(revision: str) -> str:
    return "its parent" if revision == PARENT else revision
