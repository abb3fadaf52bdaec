"""`vmferry diff`: show what changed in vCenter since the inventory was taken, and what it breaks."""

import json
from pathlib import Path

import click
import msgspec

from vmferry.cli import FINDINGS
from vmferry.cli.findings import printable
from vmferry.cli.options import assignments_option, format_option, spec_argument
from vmferry.load.project import load, read_inventories
from vmferry.resolve.drift import Change, drift, uncovered

_COLORS = {"harmless": "green", "decision": "yellow", "blocks": "red"}


@click.command("diff")
@spec_argument
@click.option(
    "--inventory",
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="The newer inventory: a file, or a directory that `vmferry import` wrote.",
)
@click.option("--only", type=click.Choice(list(_COLORS)), multiple=True, help="Only show changes with this verdict.")
@format_option
@assignments_option
def command(spec: Path, inventory: Path, only: tuple[str, ...], style: str, assignments: Path | None) -> int:
    """Show what changed in vCenter since the inventory of SPEC was taken, and since VMs were frozen.

    Each change is harmless (the next compile or Forklift picks it up), needs a decision, or blocks: a compiled manifest
    is now wrong. Exits with 1 if any change blocks. If a VM changed after its group was prepared, move the group back
    to planned and prepare it again. The newer inventory must cover whole vCenters.

    \b
    Examples:
      vmferry diff migration/ --inventory today/
      vmferry diff migration/ --inventory today/ --only blocks --format json
    """  # noqa: D301 - click wants the character
    project, newer = load(spec, assignments), read_inventories(inventory)
    changes = drift(project, newer)
    shown = [change for change in changes if not only or change.verdict in only]
    if style == "json":
        click.echo(json.dumps(msgspec.to_builtins(shown), indent=2, ensure_ascii=False))
    else:
        for change in shown:
            click.echo(_line(change))
    if missing := uncovered(project, newer):
        click.echo(f"not compared: {', '.join(missing)}, which {inventory} does not contain", err=True)
    counts = [f"{sum(c.verdict == verdict for c in changes)} {verdict}" for verdict in _COLORS]
    if any(change.verdict == "blocks" and change.stage == "prepared" for change in changes):
        click.echo(
            "to accept changes that block a prepared group: move it back to planned, import, and prepare it again",
            err=True,
        )
    noun = "change" if len(changes) == 1 else "changes"
    click.echo(f"{len(changes)} {noun}: {', '.join(counts)}", err=True)
    return FINDINGS if any(change.verdict == "blocks" for change in changes) else 0


def _line(change: Change) -> str:
    verdict = click.style(f"{change.verdict:8}", fg=_COLORS[change.verdict], bold=change.verdict == "blocks")
    place = f" [{change.group}, {change.stage}]" if change.group else ""
    kind = "" if change.kind == "vm" else f"{change.kind} "
    return f"{verdict} {kind}{printable(change.vm)}{place}: {printable(change.what)} ({printable(change.why)})"
