"""`vmferry check`: everything that is wrong with a spec, and nothing written."""

from pathlib import Path

import click

from vmferry.check import check
from vmferry.cli import FINDINGS
from vmferry.cli.options import all_option, assignments_option, format_option, spec_argument
from vmferry.cli.report import counted, printable, show, summary


@click.command("check")
@spec_argument
@assignments_option
@format_option
@all_option
def command(spec: Path, assignments: Path | None, style: str, everything: bool) -> int:
    """Find everything that is wrong with a spec.

    SPEC is a file, a directory, or - for standard input. Nothing is written, no cluster or vCenter is asked.

    \b
    Examples:
      vmferry check migration/
      vmferry check --format json migration/ | jq '.findings[].code'
      cat spec.yaml | vmferry check -
    """  # noqa: D301 - click wants the character
    checked = check(spec, assignments)
    show(checked.findings, checked.project.texts, style=style, everything=everything)
    for skipped in checked.project.skipped:
        click.echo(f"skipped: {printable(skipped)}", err=True)
    groups = checked.resolution.blueprint.groups
    moving = sum(len(group.machines) for group in groups)
    click.echo(f"{summary(checked.findings)}; {counted(moving, 'VM')} in {counted(len(groups), 'group')}", err=True)
    return FINDINGS if checked.broken else 0
