"""`vmferry compile`: write the tree, show what would change, or fail when it is not up to date."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from vmferry.cache import Cache
from vmferry.cli import FINDINGS
from vmferry.cli.findings import as_data, as_json, interactive, printable, show, summary
from vmferry.cli.options import all_option, assignments_option, cache_options, format_option, spec_argument
from vmferry.compile import Checked, Compiled, assignments_path, check, compile_tree, untracked, write
from vmferry.layout.compiled import OUT_OF_DATE
from vmferry.model.finding import Finding
from vmferry.model.rule import declare
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
@cache_options
def command(
    spec: Path,
    out: Path,
    compare: bool,
    difference: bool,
    force: bool,
    assignments: Path | None,
    style: str,
    everything: bool,
    cache: Cache,
) -> int:
    """Compile a spec into Kustomize bases and overlays.

    The tree is replaced in one step: a run that fails or is killed leaves the old one. Files that vmferry
    does not own are left alone; owned files that somebody edited are conflicts.

    \b
    Examples:
      vmferry compile migration/ --out .
      vmferry compile migration/ --out . --diff | less
      vmferry compile migration/ --out . --check    # in CI: is gitops/ up to date?
    """  # noqa: D301 - click wants the character
    assignments = assignments or assignments_path(spec)
    checked = check(spec, assignments, cache=cache)
    if checked.broken:
        _fail(checked, style, everything)
        return FINDINGS
    if interactive() and len(checked.project.entries) > 1000:
        click.echo(f"compiling {len(checked.project.entries)} VMs …", err=True)
    compiled = compile_tree(checked, out, assignments, force=force, cache=cache)
    if compiled.changes.conflicts:
        show(compiled.changes.conflicts, {}, style=style, everything=everything)
        return FINDINGS
    missing = tuple(_missing(compiled)) if compare else ()
    lines = list(unified(compiled.root, compiled.changes)) if difference else []
    if not compare and not difference:
        write(compiled, cache)
    if style == "json":
        data = _data(checked, compiled, lines, written=not compare and not difference)
        data["findings"] += as_data((*compiled.findings, *missing), {})
        click.echo(as_json(data))
    else:
        click.echo("".join(lines), nl=False)
        show(missing, {}, everything=everything)
        _report(checked, compiled, everything, compare=compare, written=not compare and not difference)
    return FINDINGS if compare and (compiled.pending or missing) else 0


def _fail(checked: Checked, style: str, everything: bool) -> None:
    show(checked.findings, checked.project.texts, style=style, everything=everything)
    click.echo(f"{summary(checked.findings)}; nothing was written", err=True)


def _data(checked: Checked, compiled: Compiled, diff: list[str], *, written: bool) -> dict[str, Any]:
    changes = compiled.changes
    return {
        "root": str(compiled.root),
        "written": written,
        **{name: list(getattr(changes, name)) for name in ("created", "updated", "deleted", "orphaned")},
        "unchanged": len(changes.unchanged),
        "assignmentsChanged": compiled.assignments_changed,
        "diff": "".join(diff),
        "findings": as_data(checked.findings, checked.project.texts),
    }


def _report(checked: Checked, compiled: Compiled, everything: bool, *, compare: bool, written: bool) -> None:
    changes = compiled.changes
    counts = {
        "created": len(changes.created),
        "updated": len(changes.updated),
        "deleted": len(changes.deleted),
        "unchanged": len(changes.unchanged),
    }
    _warn((*checked.findings, *compiled.findings), checked, everything)
    if compare and compiled.pending:
        show(tuple(_stale(compiled)), {}, everything=everything)
    for orphan in changes.orphaned:
        click.echo(
            f"kept: {printable(str(compiled.root / orphan))} is yours, and nothing refers to it any more", err=True
        )
    verb = "" if written else "would be "
    listed = ", ".join(f"{count} {verb}{name}" for name, count in counts.items())
    click.echo(f"{printable(str(compiled.root))}: {listed}", err=not written)


def _warn(findings: tuple[Finding, ...], checked: Checked, everything: bool) -> None:
    grave = tuple(finding for finding in findings if finding.severity != "info")
    show(grave, checked.project.texts, everything=everything, err=True)
    if grave:
        click.echo(summary(grave), err=True)


NOT_IN_GIT = declare(
    "VMF630",
    "error",
    "generated file is not in git",
    why="`git commit --all` leaves out new files, and .gitignore may have a pattern that matches some of the tree, "
    "such as *.lock. A kustomization that lists a file which is not in the commit builds here and nowhere else: "
    "Flux stops for the whole root.",
    source="fluxcd/kustomize-controller docs/spec/v1/kustomizations.md (Ready, BuildFailed)",
)


def _missing(compiled: Compiled) -> Iterator[Finding]:
    """Yield a finding for each file that lies there and would not be in the commit."""
    for path in untracked(compiled):
        fix = f"run `git add {shlex.quote(str(compiled.root))}`; if .gitignore names it, take it out there"
        if path == compiled.assignments:
            fix = f"run `git add {shlex.quote(str(path))}`"
        yield NOT_IN_GIT.finding(f"{path} is not in git", fix)


def _stale(compiled: Compiled) -> list[Finding]:
    """Return one finding a file that differs from what the spec gives."""
    changes, fix = compiled.changes, "run vmferry compile and commit what it writes"
    found = [
        OUT_OF_DATE.finding(f"{compiled.root / path} would be {word}", fix)
        for word, paths in (("created", changes.created), ("updated", changes.updated), ("deleted", changes.deleted))
        for path in paths
    ]
    if compiled.assignments_changed:
        found.append(OUT_OF_DATE.finding(f"{compiled.assignments} would be updated", fix))
    return found
