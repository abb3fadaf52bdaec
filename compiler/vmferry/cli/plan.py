"""`vmferry plan`: proposes what a plan lacks."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click

from vmferry import files
from vmferry.advance import look
from vmferry.cache import Cache
from vmferry.cli import FINDINGS
from vmferry.cli.findings import as_data, as_json, show, summary
from vmferry.cli.options import all_option, assignments_option, cache_options, format_option, now_option, spec_argument
from vmferry.estate.phases import time_text
from vmferry.estate.timetable.proposal import Proposal
from vmferry.estate.wording import counted
from vmferry.planning import Planned, planned
from vmferry.render.printable import printable
from vmferry.yaml.edit import CannotEditError


@click.group("plan")
def command() -> None:
    """Propose what a plan lacks.

    \b
    Examples:
      vmferry plan schedule migration/
      vmferry plan schedule migration/ --write
    """  # noqa: D301 - click wants the character


@command.command("schedule")
@spec_argument
@click.option("--write", is_flag=True, help="Put the proposal into the file that contains the MigrationSpec.")
@now_option
@assignments_option
@format_option
@all_option
@cache_options
def schedule(
    spec: Path, write: bool, now: datetime, assignments: Path | None, style: str, everything: bool, cache: Cache
) -> int:
    """Propose windows in which every group fits, and cutover times of warm groups that are prepared.

    Windows that there are stay as they are and are used first; what does not fit gets further ones, at the times that
    `settings.schedule.windows` says (Saturday 20:00 UTC for 8h), outside of freezes, and longer where a group takes
    longer. Phases without windows get some. The simulation is that of `vmferry report schedule`; docs/schedule.md says
    what it assumes. With --write, comments and formatting are kept, and nothing is written that a rule refuses.

    \b
    Examples:
      vmferry plan schedule migration/
      vmferry plan schedule migration/ --write --now 2027-01-01T00:00:00Z
    """  # noqa: D301 - click wants the character
    if str(spec) == "-":
        raise click.UsageError("plan needs files, not standard input.")
    before = look(spec, assignments, now, cache)
    try:
        found = planned(before)
    except CannotEditError as error:
        click.echo(printable(f"{before.checked.project.where.file}: {error}; edit the file by hand"), err=True)
        return FINDINGS
    if found.refused and write:
        errors = tuple(finding for finding in found.findings if finding.is_error)
        show(errors, found.checked.project.texts, style=style, everything=everything)
        click.echo(f"{summary(errors)}; nothing was written", err=True)
        return FINDINGS
    written = write and not found.proposal.empty
    if written:
        target = found.edit.file.resolve()  # a link is followed, as an editor would
        files.check_writable(target)
        files.replace(target, found.edit.content)
    if style == "json":
        click.echo(as_json(_data(found, written=written)))
        return 0
    for line in _lines(found.proposal):
        click.echo(printable(line))
    if found.findings:
        show(found.findings, found.checked.project.texts, everything=everything, err=True)
    name = printable(str(found.edit.file))
    if not found.proposal.empty:
        click.echo(f"{name}: updated" if written else f"{name}: nothing was written; --write does", err=True)
    return 0


def _lines(found: Proposal) -> Iterator[str]:
    """Yield the proposal in words."""
    for name, windows in found.windows.items():
        for window in windows:
            longer = ", longer than settings.schedule.windows: a group takes that long"
            yield f"phase {name}: window {window.start} for {window.duration}{longer * (window.start in found.longer)}"
    for group, time in found.cutovers.items():
        yield f"group {group}: cutover {time}"
    if found.empty:
        yield "every group that can be scheduled fits; nothing to propose"
    left = found.after.unplaced
    for number in left:
        yield f"group {found.prepared.groups[number].name}: no place in any window; see `vmferry report schedule`"
    end = time_text(found.after.end)
    if end is not None:
        groups = counted(len(found.prepared.groups) - len(left), "group")
        was = len(found.before.unplaced)
        before = f"; {counted(was, 'group')} had no place before" if was else ""
        yield f"{groups} cut over by {end}, a forecast{before}"


def _data(found: Planned, *, written: bool) -> dict[str, object]:
    proposal = found.proposal
    return {
        "windows": {
            name: [
                {"start": each.start, "duration": each.duration, "longer": each.start in proposal.longer}
                for each in new
            ]
            for name, new in proposal.windows.items()
        },
        "cutovers": dict(proposal.cutovers),
        "unplaced": [proposal.prepared.groups[number].name for number in proposal.after.unplaced],
        "findings": as_data(found.findings, found.checked.project.texts),
        "written": written,
    }
