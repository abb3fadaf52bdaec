"""How `vmferry explain --rollback` shows what taking a group back means."""

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from vmferry.cache import Cache
from vmferry.check import check
from vmferry.cli import FINDINGS
from vmferry.cli.findings import as_json, show, summary
from vmferry.cli.options import did_you_mean
from vmferry.estate.wording import counted
from vmferry.render.printable import printable
from vmferry.restore import Step
from vmferry.rollback import RollBack, roll_back
from vmferry.yaml.edit import CannotEditError

_INSTEAD = "instead, to restore VMs in the target to their snapshots"


def show_rollback(spec: Path, name: str, style: str, assignments: Path | None, cache: Cache) -> int:
    """Print how a group is rolled back, and return the exit code. Raises UsageError if there is no such group."""
    if str(spec) == "-":
        raise click.UsageError("--rollback needs files, not standard input.")
    if style == "csv":
        raise click.UsageError("--rollback has the formats text, json and md.")
    checked = check(spec, assignments, cache=cache, reasons=False)
    blueprint = checked.resolution.blueprint
    groups = {group.name: group for group in blueprint.groups}
    if name not in groups:
        raise click.UsageError(f"There is no group {name!r}.{did_you_mean(name, groups)}")
    try:
        found = roll_back(checked.project, str(spec), groups[name], blueprint)
    except CannotEditError as error:
        click.echo(printable(f"{checked.project.where.file}: {error}; edit the file by hand"), err=True)
        return FINDINGS
    if style == "json":
        click.echo(as_json(msgspec.to_builtins(found)))
    else:
        click.echo("\n".join(_markdown(found) if style == "md" else _text(found)))
    if checked.broken:
        click.echo(f"{summary(checked.findings)}: what is shown may be incomplete", err=True)
        show(checked.findings, checked.project.texts, err=True)
        return FINDINGS
    return 0


def _text(found: RollBack) -> Iterator[str]:
    yield f"{found.group} is at {found.stage} ({counted(found.vms, 'VM')})"
    if not found.possible:
        yield f"It cannot be rolled back: {found.data}"
        return
    yield f"outage:  {found.outage}"
    yield f"data:    {printable(found.data)}"
    yield f"edit:    {found.command}"
    yield from (f"    {printable(line)}" for line in found.edit.splitlines())
    yield "steps:"
    yield from _text_steps(found.steps)
    yield f"to move it again: {found.again}"
    if found.restore:
        yield f"{_INSTEAD}:"
        yield from _text_steps(found.restore)


def _text_steps(steps: tuple[Step, ...]) -> Iterator[str]:
    for number, step in enumerate(steps, 1):
        yield f"{number:3}. [{step.kind}] {printable(step.what)}"
        yield from (f"       {printable(line)}" for line in (step.command or "").splitlines())


def _markdown(found: RollBack) -> Iterator[str]:
    yield f"# Rolling back {found.group}\n"
    if not found.possible:
        yield f"It cannot be rolled back: {found.data}."
        return
    yield f"- Stage: {found.stage}, {counted(found.vms, 'VM')}"
    yield f"- Outage: {found.outage}"
    yield f"- Data: {printable(found.data)}\n"
    yield f"```console\n$ {found.command}\n```\n"
    yield f"```diff\n{found.edit.rstrip()}\n```\n"
    yield from _markdown_steps(found.steps)
    yield f"\nTo move it again: {found.again}."
    if found.restore:
        yield f"\n## {_INSTEAD[0].upper()}{_INSTEAD[1:]}\n"
        yield from _markdown_steps(found.restore)


def _markdown_steps(steps: tuple[Step, ...]) -> Iterator[str]:
    for number, step in enumerate(steps, 1):
        yield f"{number}. {step.kind}: {printable(step.what)}"
        lines = [printable(line) for line in (step.command or "").splitlines()]
        if len(lines) == 1:
            yield f"   `{lines[0]}`"
        elif lines:
            yield from ("", "   ```sh", *(f"   {line}" for line in lines), "   ```", "")
