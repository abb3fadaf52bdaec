"""The compiler as a library: load, resolve, emit, plan, write. The command line only renders what this returns."""

import hashlib
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from vmferry import backends, rules
from vmferry.load.project import ASSIGNMENTS, load
from vmferry.model.assignments import Assignments
from vmferry.model.blueprint import Blueprint
from vmferry.model.catalog import CATALOG
from vmferry.model.finding import Finding, SpecError
from vmferry.model.manifest import INFRA_LOCK
from vmferry.model.project import Project
from vmferry.output import tree
from vmferry.output.render import render
from vmferry.output.yaml import dump
from vmferry.resolve.blueprint import Resolution, resolve

_HEADER = (
    "Written by `vmferry compile` and committed: which VM is in which move group, and what prepared VMs look like.\n"
    "Once a group is prepared its VMs stay as they are here, whatever vCenter or the spec says of them later."
)


class Checked(Struct, frozen=True, kw_only=True):
    """A spec that was read and decided, with everything that is wrong about it."""

    project: Project
    resolution: Resolution

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return the findings, errors first."""
        return ordered(self.resolution.findings)

    @property
    def broken(self) -> bool:
        """Return whether any finding is an error."""
        return any(is_error(finding) for finding in self.resolution.findings)


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


def is_error(finding: Finding) -> bool:
    """Return whether a finding stops the compiler."""
    return CATALOG[finding.code].severity == "error"


def ordered(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return findings in an order that does not depend on how they were found."""

    def rank(finding: Finding) -> tuple[bool, str, list[str], str, str]:
        where = finding.where
        path = [f"{part:09d}" if isinstance(part, int) else part for part in where.path] if where else []
        return (not is_error(finding), where.file if where else "", path, finding.code, finding.message)

    return tuple(sorted(dict.fromkeys(findings), key=rank))


def check(spec: Path, assignments: Path | None = None) -> Checked:
    """Read a spec and decide everything in it. Raises SpecError where it cannot be read."""
    project = load(spec, assignments)
    resolution = resolve(project)
    if any(is_error(finding) for finding in resolution.findings):
        return Checked(project=project, resolution=resolution)  # the Blueprint is incomplete: rules would guess
    findings = (*resolution.findings, *rules.check(resolution.blueprint))
    return Checked(project=project, resolution=structs.replace(resolution, findings=findings))


def compile_tree(checked: Checked, out: Path, assignments: Path | None, *, force: bool = False) -> Compiled:
    """Return what compiling into ``out`` would change. Raises SpecError for errors in the spec."""
    if checked.broken:
        raise SpecError(*(finding for finding in checked.findings if is_error(finding)))
    blueprint = checked.resolution.blueprint
    root = out / blueprint.gitops.path
    files = render(backends.emit(blueprint), blueprint.external_nads)
    changes = tree.plan(root, files, _inputs(blueprint), force=force)
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
    infra = (target, blueprint.sources, blueprint.hooks, blueprint.namespaces, blueprint.bridges)
    return inputs | {INFRA_LOCK: _digest(infra)}


def _digest(value: object) -> str:
    return "sha256:" + hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()
