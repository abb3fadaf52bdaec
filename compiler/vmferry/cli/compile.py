"""`vmferry compile`: write the tree, show what would change, or fail if it is not up to date."""

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click

from vmferry.cache import Cache
from vmferry.cli import FINDINGS
from vmferry.cli.findings import as_data, as_json, interactive, show, summary
from vmferry.cli.options import all_option, assignments_option, cache_options, format_option, keep, spec_argument
from vmferry.layout.compiled import OUT_OF_DATE
from vmferry.model.finding import Finding
from vmferry.model.rule import declare
from vmferry.output.clone import Clone, cloned
from vmferry.output.tree_diff import unified
from vmferry.record import Outcome, Run, assignments_path, repeated, tree_to_clone, untracked
from vmferry.render.printable import printable


@click.command("compile")
@spec_argument
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory to write the tree to, usually the root of the GitOps repository.",
)
@click.option("--check", "compare", is_flag=True, help="Write nothing; fail if the tree is not up to date.")
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

    The tree is replaced in one step: a run that fails or is killed leaves the old tree in place. Files that vmferry
    does not own are left alone; files that it owns and someone edited are conflicts.

    \b
    Examples:
      vmferry compile migration/ --out .
      vmferry compile migration/ --out . --diff | less
      vmferry compile migration/ --out . --check    # in CI: is gitops/ up to date?
    """  # noqa: D301 - click wants the character
    run = Run(spec, out, assignments or assignments_path(spec))
    mode = _Mode(style, everything, compare=compare, difference=difference)
    known = None if force else repeated(run, cache)
    if known is not None:
        return _tell(known, mode)
    with cloned(tree_to_clone(run, cache) if mode.writes else None) as clone:
        return _compile(run, mode, cache, clone, force=force)


def _compile(run: Run, mode: "_Mode", cache: Cache, clone: Clone | None, *, force: bool) -> int:
    """Check the spec and compile it; ``clone`` is a copy of the tree as it is."""
    from vmferry.compile import check, compile_tree, write  # nobody needs them where nothing has changed
    from vmferry.solved import remember

    checked = check(run.spec, run.assignments, cache=cache, reasons=False, brief=True)
    if checked.broken:
        remember(checked.solved, checked.resolution.blueprint.groups, run.spec, run.assignments, cache)
        show(checked.findings, checked.project.texts, style=mode.style, everything=mode.everything)
        click.echo(f"{summary(checked.findings)}; nothing was written", err=True)
        return FINDINGS
    if len(checked.project.entries) > 1000 and interactive():
        click.echo(f"compiling {len(checked.project.entries)} VMs …", err=True)
    checked = checked.to_emit()
    compiled = compile_tree(checked, run.out, run.assignments, force=force, cache=cache)
    keep(checked, compiled)
    if compiled.changes.conflicts:
        show(compiled.changes.conflicts, {}, style=mode.style, everything=mode.everything)
        return FINDINGS
    return _tell(compiled, mode, lambda tell: write(compiled, cache, run, clone, tell))


class _Mode(NamedTuple):
    """How to tell of an outcome, and whether it is only looked at."""

    style: str
    everything: bool
    compare: bool
    difference: bool

    @property
    def writes(self) -> bool:
        """Return whether the tree is written."""
        return not self.compare and not self.difference


def _tell(outcome: Outcome, mode: _Mode, write: Callable[[Callable[[], None]], None] = lambda tell: tell()) -> int:
    """Print what an outcome is, written or not; return the exit code. ``write`` is given what prints it afterwards."""
    missing = tuple(_missing(outcome)) if mode.compare else ()
    lines = list(unified(outcome.root, outcome.changes)) if mode.difference else []

    def tell() -> None:
        _print(outcome, mode, missing, lines)

    if mode.writes:
        write(tell)
    else:
        tell()
    return FINDINGS if mode.compare and (outcome.pending or missing) else 0


def _print(outcome: Outcome, mode: _Mode, missing: tuple[Finding, ...], lines: list[str]) -> None:
    if mode.style == "json":
        data = _data(outcome, lines, written=mode.writes)
        data["findings"] += as_data((*outcome.findings, *missing), {})
        click.echo(as_json(data))
    else:
        click.echo("".join(lines), nl=False)
        show(missing, {}, everything=mode.everything)
        _report(outcome, mode)


def _data(outcome: Outcome, diff: list[str], *, written: bool) -> dict[str, Any]:
    changes = outcome.changes
    return {
        "root": str(outcome.root),
        "written": written,
        **{name: list(getattr(changes, name)) for name in ("created", "updated", "deleted", "orphaned")},
        "unchanged": len(changes.unchanged),
        "assignmentsChanged": outcome.assignments_changed,
        "diff": "".join(diff),
        "findings": as_data(outcome.warnings, outcome.texts),
    }


def _report(outcome: Outcome, mode: _Mode) -> None:
    changes = outcome.changes
    counts = {
        "created": len(changes.created),
        "updated": len(changes.updated),
        "deleted": len(changes.deleted),
        "unchanged": len(changes.unchanged),
    }
    _warn(outcome, mode)
    if mode.compare and outcome.pending:
        show(tuple(_stale(outcome)), {}, everything=mode.everything)
    for orphan in changes.orphaned:
        click.echo(
            f"kept: {printable(str(outcome.root / orphan))} is yours, but nothing refers to it any more", err=True
        )
    verb = "" if mode.writes else "would be "
    listed = ", ".join(f"{count} {verb}{name}" for name, count in counts.items())
    click.echo(f"{printable(str(outcome.root))}: {listed}", err=not mode.writes)


def _warn(outcome: Outcome, mode: _Mode) -> None:
    findings = (*outcome.warnings, *outcome.findings)
    grave = tuple(finding for finding in findings if finding.severity != "info")
    show(grave, outcome.texts, everything=mode.everything, err=True, titles=outcome.titles)
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


def _missing(outcome: Outcome) -> Iterator[Finding]:
    """Yield a finding for each file that exists but would not be in the commit."""
    for path in untracked(outcome):
        fix = f"run `git add {shlex.quote(str(outcome.root))}`; if .gitignore matches it, remove that pattern"
        if path == outcome.assignments:
            fix = f"run `git add {shlex.quote(str(path))}`"
        yield NOT_IN_GIT.finding(f"{path} is not in git", fix)


def _stale(outcome: Outcome) -> list[Finding]:
    """Return one finding per file that is not up to date."""
    changes, fix = outcome.changes, "run vmferry compile and commit what it writes"
    found = [
        OUT_OF_DATE.finding(f"{outcome.root / path} would be {word}", fix)
        for word, paths in (("created", changes.created), ("updated", changes.updated), ("deleted", changes.deleted))
        for path in paths
    ]
    if outcome.assignments_changed:
        found.append(OUT_OF_DATE.finding(f"{outcome.assignments} would be updated", fix))
    return found
