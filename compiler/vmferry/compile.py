"""The compiler as a library: load, resolve, emit, plan, write. The command line only renders what this returns."""

import hashlib
from pathlib import Path

import msgspec
from msgspec import Struct

from vmferry import backends
from vmferry.check import Checked, check
from vmferry.load.project import ASSIGNMENTS
from vmferry.model.assignments import Assignments
from vmferry.model.blueprint import Blueprint
from vmferry.model.catalog import is_error
from vmferry.model.finding import SpecError
from vmferry.model.manifest import INFRA_LOCK
from vmferry.output import tree
from vmferry.output.complete import Ledger
from vmferry.output.render import check_owner, render
from vmferry.output.yaml import dump

__all__ = ["Checked", "Compiled", "assignments_path", "check", "compile_tree", "render_assignments", "write"]

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

    @property
    def pending(self) -> bool:
        """Return whether anything on disk differs from what the spec gives."""
        return self.changes.pending or self.assignments_changed


def compile_tree(checked: Checked, out: Path, assignments: Path | None, *, force: bool = False) -> Compiled:
    """Return what compiling into ``out`` would change.

    Raises SpecError for errors in the spec, LostError where a VM, a disk or a NIC would be in no manifest.
    """
    if checked.broken:
        raise SpecError(*(finding for finding in checked.findings if is_error(finding)))
    blueprint = checked.resolution.blueprint
    root = out / blueprint.gitops.path
    check_owner(root, blueprint.name)
    ledger = Ledger()
    files = render(ledger.passing(backends.emit(blueprint)), blueprint.name, blueprint.external_nads)
    changes = tree.plan(root, files, _inputs(blueprint), force=force)
    ledger.check(blueprint)
    content = render_assignments(checked.resolution.assignments)
    changed = assignments is not None and (not assignments.exists() or assignments.read_bytes() != content)
    return Compiled(
        blueprint=blueprint,
        root=root,
        changes=changes,
        assignments=assignments,
        assignments_content=content,
        assignments_changed=changed,
    )


def write(compiled: Compiled) -> None:
    """Write what `compile_tree` planned: assignments first, then the tree in one step.

    Assignments only say in other words what the tree will be: if the run ends between the two, the
    next one makes the same tree of them.
    """
    if compiled.changes.conflicts:
        raise SpecError(*compiled.changes.conflicts)
    if compiled.assignments is not None and compiled.assignments_changed:
        replace_file(compiled.assignments, compiled.assignments_content)
    tree.apply(compiled.root, compiled.changes)


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file in one step."""
    temporary = path.with_name(f".{path.name}.vmferry")
    temporary.write_bytes(content)
    temporary.replace(path)


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


def _inputs(blueprint: Blueprint) -> dict[str, str]:
    """Return the digest of what each lock's files were made from."""
    target = (blueprint.name, blueprint.cluster, blueprint.gitops, blueprint.forklift)
    inputs = {
        phase.name: _digest((target, phase, [group for group in blueprint.groups if group.phase == phase.name]))
        for phase in blueprint.phases
    }
    infra = (target, blueprint.sources, (*blueprint.hooks, *blueprint.scripts), blueprint.namespaces, blueprint.bridges)
    return inputs | {INFRA_LOCK: _digest(infra)}


def _digest(value: object) -> str:
    return "sha256:" + hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()
