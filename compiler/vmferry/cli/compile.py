"""`vmferry compile`: write the tree, show what would change, or fail when it is not up to date."""

import json
from pathlib import Path

import click

from vmferry.cli import FINDINGS
from vmferry.cli.options import all_option, assignments_option, format_option, spec_argument
from vmferry.cli.report import as_data, interactive, show, summary
from vmferry.compile import Checked, Compiled, assignments_path, check, compile_tree, write
from vmferry.model.finding import Finding
from vmferry.output.diff import unified


@click.command("compile")
@spec_argument
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory that gets the tree, usually the top of the GitOps repository.",
)
@click.option("--check", "compare", is_flag=True, help="Write nothing; fail if the tree is not what the spec gives.")
@click.option("--diff", "difference", is_flag=True, help="Show what changes, as a unified diff; write nothing.")
@click.option("--force", is_flag=True, help="Overwrite files that were edited by hand.")
@assignments_option
@format_option
@all_option
def command(
    spec: Path,
    out: Path,
    compare: bool,
    difference: bool,
    force: bool,
    assignments: Path | None,
    style: str,
    everything: bool,
) -> int:
    r"""Compile a spec into Kustomize bases and overlays.

    The tree is replaced in one step: a run that fails or is killed leaves the old one. Files that vmferry
    does not own are left alone; owned files that somebody edited are conflicts.

    \b
    Examples:
      vmferry compile migration/ --out .
      vmferry compile migration/ --out . --diff | less
      vmferry compile migration/ --out . --check        in CI: is gitops/ up to date?
    """
    assignments = assignments or assignments_path(spec)
    checked = check(spec, assignments)
    if checked.broken:
        _fail(checked, style, everything)
        return FINDINGS
    if interactive() and len(checked.project.entries) > 1000:
        click.echo(f"compiling {len(checked.project.entries)} VMs …", err=True)
    compiled = compile_tree(checked, out, assignments, force=force)
    if compiled.changes.conflicts:
        show(compiled.changes.conflicts, {}, style=style, everything=everything)
        return FINDINGS
    if difference:
        for line in unified(compiled.root, compiled.changes):
            click.echo(line, nl=False)
    if not compare and not difference:
        write(compiled)
    _report(checked, compiled, style, everything, written=not compare and not difference)
    return FINDINGS if compare and compiled.pending else 0


def _fail(checked: Checked, style: str, everything: bool) -> None:
    show(checked.findings, checked.project.texts, style=style, everything=everything)
    click.echo(f"{summary(checked.findings)}; nothing was written", err=True)


def _report(checked: Checked, compiled: Compiled, style: str, everything: bool, *, written: bool) -> None:
    changes = compiled.changes
    counts = {
        "created": len(changes.created),
        "updated": len(changes.updated),
        "deleted": len(changes.deleted),
        "unchanged": len(changes.unchanged),
    }
    if style == "json":
        data = {
            "root": str(compiled.root),
            "written": written,
            **{name: list(getattr(changes, name)) for name in ("created", "updated", "deleted")},
            "unchanged": counts["unchanged"],
            "assignmentsChanged": compiled.assignments_changed,
            "findings": as_data(checked.findings, checked.project.texts),
        }
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
        return
    _warn(checked, everything)
    if not written and compiled.pending:
        show(tuple(_stale(compiled)), {}, everything=everything)
    for orphan in changes.orphaned:
        click.echo(f"kept: {compiled.root / orphan} is yours, and nothing refers to it any more", err=True)
    verb = "" if written else "would be "
    click.echo(
        f"{compiled.root}: {', '.join(f'{count} {verb}{name}' for name, count in counts.items())}", err=not written
    )


def _warn(checked: Checked, everything: bool) -> None:
    if not checked.findings:
        return
    show(checked.findings, checked.project.texts, everything=everything)
    click.echo(summary(checked.findings), err=True)


def _stale(compiled: Compiled) -> list[Finding]:
    """Return one finding a file that differs from what the spec gives."""
    changes, fix = compiled.changes, "run vmferry compile and commit what it writes"
    found = [
        Finding(code="VMF604", message=f"{compiled.root / path} would be {word}", help=fix)
        for word, paths in (("created", changes.created), ("updated", changes.updated), ("deleted", changes.deleted))
        for path in paths
    ]
    if compiled.assignments_changed:
        found.append(Finding(code="VMF604", message=f"{compiled.assignments} would be updated", help=fix))
    return found
