"""The compiler as a library: load, resolve, emit, plan, write. The command line only renders what this returns."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path

import msgspec
from msgspec import Struct

from vmferry import backends, files, policy
from vmferry.backends.inputs import digests
from vmferry.backends.places import lock
from vmferry.cache import Cache
from vmferry.check import Checked, check
from vmferry.load.project import ASSIGNMENTS
from vmferry.model.assignments import Assignments
from vmferry.model.blueprint import Blueprint
from vmferry.model.finding import Finding, SpecError
from vmferry.output import tree
from vmferry.output.complete import Ledger
from vmferry.output.render import check_owner, render
from vmferry.output.standing import remember, settled
from vmferry.placed import around, last_merge, left_by_merge, not_in_git, unfinished_merge
from vmferry.yaml.write import dump

__all__ = [
    "Checked",
    "Compiled",
    "assignments_path",
    "check",
    "compile_tree",
    "render_assignments",
    "untracked",
    "write",
]

_WHOLLY_OURS = ("bases/", "infra/", "clusters/")
"""Folders of a tree in which hardly a user has files."""

_HEADER = (
    "Written by `vmferry compile` and committed: which VM is in which move group, and what prepared VMs look like.\n"
    "Once a group is prepared its VMs stay as they are here, whatever vCenter or the spec says of them later."
)


class Compiled(Struct, frozen=True, kw_only=True):
    """What a compile would change on disk."""

    blueprint: Blueprint
    root: Path  # of the tree
    changes: tree.Changes
    assignments: Path | None
    assignments_content: bytes
    assignments_changed: bool
    findings: tuple[Finding, ...]  # about the place of the tree
    inputs: dict[str, str]  # by the lock of each group that was emitted, the digest of all that its files are made of

    @property
    def pending(self) -> bool:
        """Return whether anything on disk differs from what the spec gives."""
        return self.changes.pending or self.assignments_changed


def compile_tree(
    checked: Checked, out: Path, assignments: Path | None, *, force: bool = False, cache: Cache | None = None
) -> Compiled:
    """Return what compiling into ``out`` would change.

    Raises SpecError for errors in the spec, LostError where a VM, a disk or a NIC would be in no manifest.
    """
    if checked.broken:
        raise SpecError(*(finding for finding in checked.findings if finding.is_error))
    blueprint = checked.resolution.blueprint
    root = tree.root_at(out, blueprint.gitops.path)
    check_owner(root, blueprint.name, blueprint.cluster.name)
    inputs = digests(blueprint)
    alone = {lock(group): inputs[lock(group)] for group in blueprint.groups}  # digests of everything they are made of
    still = {} if force else settled(root, alone, cache or Cache(enabled=False))
    ledger = Ledger()
    emitted = ledger.passing(backends.emit(blueprint, still))
    planned = tuple(render(emitted, blueprint.name, blueprint.cluster.name, blueprint.external_nads))
    changes = _plan(root, planned, inputs, still, force=force)
    # again: another one's may have come while this one waited for its turn
    check_owner(root, blueprint.name, blueprint.cluster.name)
    ledger.check(blueprint, [group for group in blueprint.groups if lock(group) not in still])
    placed = policy.accepted(around(root, out, blueprint, chain(planned, _standing(root, still))), checked.project)
    if any(finding.is_error for finding in placed):
        raise SpecError(*placed)
    content = render_assignments(checked.resolution.assignments)
    changed = assignments is not None and _differs(assignments, content)
    return Compiled(
        blueprint=blueprint,
        root=root,
        changes=changes,
        assignments=assignments,
        assignments_content=content,
        assignments_changed=changed,
        findings=placed,
        inputs={name: digest for name, digest in alone.items() if name not in still},
    )


def _standing(root: Path, still: Mapping[str, tree.Settled]) -> Iterator[tree.Planned]:
    """Yield the files that were not made again, as they are on disk; few ask for them."""
    for name, each in still.items():
        for path in each.lock.files:
            with suppress(OSError):
                yield tree.Planned(path, files.read(root / path), name)


def _plan(
    root: Path,
    planned: tuple[tree.Planned, ...],
    inputs: dict[str, str],
    still: Mapping[str, tree.Settled],
    *,
    force: bool,
) -> tree.Changes:
    """Return what compiling changes. Git may have put files together in a merge: nobody edited those by hand."""
    unfinished = merge = None if force else unfinished_merge(root)
    changes = tree.plan(root, planned, inputs, settled=still, force=force, merge=merge)
    if changes.conflicts and not force:
        places = [finding.where.file for finding in changes.conflicts if finding.where is not None]
        merge = last_merge(root, [Path(place).relative_to(root.resolve()).as_posix() for place in places])
        if merge is not None:
            changes = tree.plan(root, planned, inputs, settled=still, merge=merge)
    if unfinished is None and not changes.conflicts:
        left = left_by_merge(root, [path for path in changes.kept if path.startswith(_WHOLLY_OURS)])
        if left is not None:
            merge = tree.Merge({**(merge.owned if merge else {}), **left.owned}, merge.merged if merge else frozenset())
            changes = tree.plan(root, planned, inputs, settled=still, force=force, merge=merge)
    return changes


def write(compiled: Compiled, cache: Cache | None = None) -> None:
    """Write what `compile_tree` planned: the new tree beside the old one, the assignments, then the tree in one step.

    A run that fails has changed neither. One that is killed between the last two has said in the assignments what the
    tree will be: the next one makes the same tree of them.
    """

    def record() -> None:
        if compiled.assignments is not None and compiled.assignments_changed:
            files.replace(_written(compiled.assignments), compiled.assignments_content)

    tree.apply(compiled.root, compiled.changes, before=record)
    if cache is not None and cache.enabled:
        remember(compiled.root, compiled.inputs, cache)


def untracked(compiled: Compiled) -> tuple[Path, ...]:
    """Return what is on disk of the output and not in the next commit; nothing where no git repository is around it."""
    changes, found = compiled.changes, []
    if compiled.root.is_dir():
        ours = {*changes.unchanged, *changes.updated, *changes.seeds} - {*changes.created}
        found += [compiled.root / path for path in not_in_git(compiled.root, ours)]
    if compiled.assignments is not None and compiled.assignments.exists():
        path = _written(compiled.assignments)
        found += [compiled.assignments] if not_in_git(path.parent, (path.name,)) else []
    return tuple(sorted(found))


def _differs(assignments: Path, content: bytes) -> bool:
    try:
        return files.read(_written(assignments)).replace(b"\r\n", b"\n") != content  # line ends are the checkout's
    except FileNotFoundError:
        return True


def _written(assignments: Path) -> Path:
    """Return the file itself where its place is a link; `load` has seen that it does not lead elsewhere."""
    return assignments.resolve() if assignments.is_symlink() else assignments


def render_assignments(assignments: Assignments) -> bytes:
    """Return assignments.yaml."""
    data = {
        "apiVersion": assignments.api_version,
        "kind": assignments.kind,
        **msgspec.to_builtins(assignments),
    }
    return dump(data, comment=_HEADER)


def assignments_path(spec: Path) -> Path | None:
    """Return where the assignments of a spec lie: beside it; none for standard input."""
    if str(spec) == "-":
        return None
    return (spec if spec.is_dir() else spec.parent) / ASSIGNMENTS
