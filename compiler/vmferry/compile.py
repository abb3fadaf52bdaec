"""The compiler as a library: load, resolve, emit, plan, write. The command line only renders what this returns."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from hashlib import blake2b
from itertools import chain
from pathlib import Path

import msgspec
from msgspec import structs

from vmferry import cores, files, kept_findings, policy, recheck, ruleset
from vmferry.backends.inputs import digests
from vmferry.backends.places import lock
from vmferry.cache import Cache
from vmferry.check import Checked, check
from vmferry.emission import files_of
from vmferry.layout.locks import Lock
from vmferry.model.assignments import Assignments
from vmferry.model.blueprint import Blueprint
from vmferry.model.finding import SpecError
from vmferry.output import standing, tree, writing
from vmferry.output.clone import Clone
from vmferry.output.render import check_owner
from vmferry.output.standing import Standing, look, settled
from vmferry.placed import Home, around, home_of, last_merge, left_by_merge, unfinished_merge
from vmferry.record import Outcome, Record, Run, assignments_path, remember, written_at
from vmferry.solved import Solved, digests_of
from vmferry.solved import keep as keep_solved
from vmferry.yaml.write import dump

__all__ = [
    "Checked",
    "Compiled",
    "assignments_path",
    "check",
    "compile_tree",
    "render_assignments",
    "write",
]

_KIND = "rendered assignments 1"
_MANY = 100
"""Groups whose files take so much memory that what is no longer needed is given back before."""
_WHOLLY_OURS = ("bases/", "infra/", "clusters/")
"""Folders of a tree in which users rarely have files."""

_HEADER = (
    "Written by `vmferry compile` and committed: which VM is in which move group, and what prepared VMs look like.\n"
    "Once a group is prepared, its VMs stay as they are here, whatever vCenter or the spec say later."
)


class Compiled(Outcome, frozen=True, kw_only=True):
    """The outcome of a compile with all that it takes to write it."""

    blueprint: Blueprint
    assignments_content: bytes | None  # None if it is known to be what is there
    standing: Standing  # the tree as it was
    inputs: dict[str, str]  # by the lock of each group that was emitted, the digest of all that its files are made of
    record: Record | None  # what the next run needs to see that nothing changed
    solved: Solved | None  # what it needs if little changed; None if it is kept already, or would not be the same


def compile_tree(
    checked: Checked, out: Path, assignments: Path | None, *, force: bool = False, cache: Cache | None = None
) -> Compiled:
    """Return what compiling into ``out`` would change.

    Raises SpecError for errors in the spec, and LostError if a VM, disk or NIC would be missing from the manifests.
    """
    if checked.broken:
        raise SpecError(*(finding for finding in checked.findings if finding.is_error))
    blueprint = checked.resolution.blueprint
    root = tree.root_at(out, blueprint.gitops.path)
    check_owner(root, blueprint.name, blueprint.cluster.name)
    cache = cache or Cache(enabled=False)
    content = _assignments(checked, assignments, cache)
    changed = content is not None and assignments is not None and _read(assignments) != content
    groups, solved = checked.groups, None if changed else checked.solved
    if solved is not None:
        groups = digests_of(blueprint.groups, cache)
        solved = structs.replace(solved, groups=groups)
    inputs = digests(blueprint, groups, cache)
    alone = {lock(group): inputs[lock(group)] for group in blueprint.groups}  # digests of everything they are made of
    before = look(root, cache)
    still = {} if force else settled(before, alone, cache)
    if len(blueprint.groups) - len(still) >= _MANY:
        cache.flush()
        cores.trim()
    planned = tuple(files_of(blueprint, still))
    changes = _plan(root, before, planned, inputs, still, force=force)
    # again: another process may have written while this one waited
    check_owner(root, blueprint.name, blueprint.cluster.name)
    home = home_of(blueprint)
    placed = policy.accepted(around(root, out, home, chain(planned, _standing(root, still))), checked.project)
    if any(finding.is_error for finding in placed):
        raise SpecError(*placed)
    return Compiled(
        blueprint=blueprint,
        standing=before,
        root=root,
        changes=changes,
        assignments=assignments,
        assignments_content=content,
        assignments_changed=changed,
        warnings=checked.findings,
        texts=checked.project.texts,
        findings=placed,
        record=None if changed or placed else _record(checked, home, changes, cache),
        inputs={name: digest for name, digest in alone.items() if name not in still},
        solved=solved,
    )


def _record(checked: Checked, home: Home, changes: tree.Changes, cache: Cache) -> Record | None:
    """Return what the next run needs to see that nothing changed; None where it would find something else."""
    trail = checked.project.trail
    if trail is None or not cache.enabled or changes.conflicts or changes.orphaned:
        return None
    titles = {str(code): ruleset.of(code).title for code in sorted({finding.code for finding in checked.findings})}
    kept = tuple(sorted({*changes.kept, *changes.seeds}))  # a seed is the user's once it is there
    return Record(trail, home, kept_findings.keep(checked.findings, cache), titles, kept, changes.seeds)


def _standing(root: Path, still: Mapping[str, Lock]) -> Iterator[tree.Planned]:
    """Yield the files that were not rebuilt, as they are on disk; rarely needed."""
    for name, each in still.items():
        for path in each.files:
            with suppress(OSError):
                yield tree.Planned(path, files.read(root / path), name)


def _plan(
    root: Path,
    before: Standing,
    planned: tuple[tree.Planned, ...],
    inputs: dict[str, str],
    still: Mapping[str, Lock],
    *,
    force: bool,
) -> tree.Changes:
    """Return what compiling changes. Files that git combined in a merge do not count as edited by hand."""
    unfinished = merge = None if force else unfinished_merge(root)
    seen = before.seen
    changes = tree.plan(root, planned, inputs, settled=still, seen=seen, force=force, merge=merge)
    if changes.conflicts and not force:
        places = [finding.where.file for finding in changes.conflicts if finding.where is not None]
        merge = last_merge(root, [Path(place).relative_to(root.resolve()).as_posix() for place in places])
        if merge is not None:
            changes = tree.plan(root, planned, inputs, settled=still, seen=seen, merge=merge)
    if unfinished is None and not changes.conflicts:
        left = left_by_merge(root, [path for path in changes.kept if path.startswith(_WHOLLY_OURS)])
        if left is not None:
            merge = tree.Merge({**(merge.owned if merge else {}), **left.owned}, merge.merged if merge else frozenset())
            changes = tree.plan(root, planned, inputs, settled=still, seen=seen, force=force, merge=merge)
    return changes


def write(
    compiled: Compiled,
    cache: Cache | None = None,
    run: Run | None = None,
    clone: Clone | None = None,
    then: Callable[[], None] = lambda: None,
) -> None:
    """Write what `compile_tree` planned: the new tree beside the old one, the assignments, then the tree in one step.

    A failed run changes neither. If a run is killed between the last two steps, the assignments already describe the
    new tree, and the next run produces the same tree. ``then`` is called when the new tree is in place, while the old
    one is removed.
    """

    def assign() -> None:
        if compiled.assignments is not None and compiled.assignments_changed and compiled.assignments_content:
            files.replace(written_at(compiled.assignments), compiled.assignments_content)

    def keep(written: writing.Written) -> None:
        if cache is None or not cache.enabled:
            return
        if run is not None and compiled.assignments_changed:
            recheck.remember_written(run.spec, run.assignments, cache)
        standing.remember(compiled.root, compiled.inputs, cache)
        if run is not None and compiled.record is not None:
            remember(run, compiled.record, compiled.standing, compiled.changes, written, cache)
        cache.flush()

    def finish(written: writing.Written) -> None:
        keep(written)
        then()

    if run is not None and cache is not None and compiled.solved is not None:
        keep_solved(compiled.solved, run.spec, run.assignments, cache)
    writing.apply(compiled.root, compiled.changes, before=assign, after=finish, clone=clone)


def _assignments(checked: Checked, path: Path | None, cache: Cache) -> bytes | None:
    """Return what assignments.yaml has to be, rendered unless it is known that the file has it."""
    assignments = checked.resolution.assignments
    if path is None or not cache.enabled:
        return render_assignments(assignments)
    key = blake2b(msgspec.msgpack.encode(assignments, order="deterministic")).digest()
    known = cache.get(_KIND, [key], bytes).get(key)
    if known is not None and known == _digest(_read(path)):
        return None
    content = render_assignments(assignments)
    if known is None:
        cache.put(_KIND, {key: _digest(content)})
    return content


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=20).digest()


def _read(assignments: Path) -> bytes:
    """Return assignments.yaml as it is written; line endings depend on the checkout."""
    try:
        return files.read(written_at(assignments)).replace(b"\r\n", b"\n")
    except FileNotFoundError:
        return b""


def render_assignments(assignments: Assignments) -> bytes:
    """Return assignments.yaml."""
    data = {
        "apiVersion": assignments.api_version,
        "kind": assignments.kind,
        **msgspec.to_builtins(assignments),
    }
    return dump(data, comment=_HEADER)
