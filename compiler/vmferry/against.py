"""What a migration was at another commit, for the rules on transitions; what cannot be compared is an error."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from vmferry.check import review
from vmferry.estate.stages import begun
from vmferry.load.history import Identity, Unclear, at_revision, repository_of
from vmferry.load.project import NOT_ONE_SPEC, load
from vmferry.model.finding import Finding, SpecError, Where
from vmferry.model.review import Review
from vmferry.model.rule import declare
from vmferry.resolve.blueprint import resolve

PARENT = "parent"
"""Stands for the parent of the next commit: HEAD, or HEAD's parent if nothing changed since."""

_FROM = "PRE_COMMIT_FROM_REF"
"""Start of a pre-commit run over several commits: `--from-ref`, or the start of a push."""

_Earlier = tuple[tuple[Review, ...], tuple[Finding, ...]]


def earlier(here: Review, spec: Path, assignments: Path | None, revision: str, *, exact: bool) -> _Earlier:
    """Return the migration as it was where its branch left a revision, and findings that prevent a comparison.

    A parent that is a merge gives several, one per side. Raises SpecError if git cannot tell.
    """
    repository = repository_of(spec)
    if revision == PARENT:
        if beginning := os.environ.get(_FROM):
            return earlier(here, spec, assignments, beginning, exact=False)
        sides = repository.sides(spec)
        found = _since(sides, here, spec, assignments, revision)
        if len(sides) > 1 or not found[0] or not _same(here, found[0][0]):
            return found
        return _since(repository.parents(sides[0], spec), here, spec, assignments, revision)
    if revision == "HEAD" and not repository.sides(spec):
        return _since([], here, spec, assignments, revision)
    return _since([repository.base(revision, spec, exact=exact)], here, spec, assignments, revision)


def _since(commits: Iterable[str], here: Review, spec: Path, assignments: Path | None, revision: str) -> _Earlier:
    befores: list[Review] = []
    findings: list[Finding] = []
    for commit in commits:
        before, unread = _at(commit, here, spec, assignments, revision)
        befores += [before] if before is not None else []
        findings += unread
    if not befores and not findings:
        findings += _new(here, revision)
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


def _at(
    commit: str, here: Review, spec: Path, assignments: Path | None, revision: str
) -> tuple[Review | None, tuple[Finding, ...]]:
    """Return the migration at a commit; None if it did not exist there, or does not compile, which is a finding."""
    sought = Identity(here.spec.metadata.name, here.spec.target.cluster.name)
    with at_revision(spec, commit, here.spec.target.gitops.path, assignments, sought=sought) as earlier:
        if earlier is None:
            return None, ()
        if isinstance(earlier, Unclear):
            return None, (_unclear(earlier, here, revision),)
        try:
            was = load(earlier.spec, earlier.assignments)
            resolution = resolve(was)
            errors = [finding for finding in resolution.findings if finding.is_error]
        except SpecError as error:
            errors = list(error.findings)
    if not errors:
        return review(was, resolution), ()
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
