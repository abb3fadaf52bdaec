"""`vmferry report`: reports on a migration, for people. Its commands are the registered reports."""

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

if TYPE_CHECKING:
    from vmferry.check import Checked

from vmferry.cli.findings import as_json, printable
from vmferry.cli.lazy import Lazy
from vmferry.cli.options import assignments_option, now_option, remember, spec_argument
from vmferry.cli.table import as_csv, as_markdown, as_text
from vmferry.estate.wording import counted
from vmferry.reports import REPORTS, builder
from vmferry.reports.content import Builder, Material, Report, Table

_TOP = 10  # rows of a table in the text, unless all are asked for
_PARTIAL = "most rules did not run because of errors: fix these first for the full report"


class _Reports(Lazy):
    """One command per report; its module is imported when it is called."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a report."""
        if cmd_name not in self.modules:
            return None
        found = builder(cmd_name)
        return click.Command(cmd_name, callback=partial(_report, found), params=[*_parameters.params], help=found.HELP)


@click.group("report", cls=_Reports, modules=REPORTS)
def command() -> None:
    """Report on a migration: results for people, outside the synced tree.

    \b
    Examples:
      vmferry report concerns migration/
      vmferry report concerns migration/ --format md > concerns.md
    """  # noqa: D301 - click wants the character


report_format_option = click.option(
    "--format",
    "style",
    type=click.Choice(["text", "md", "csv", "json"]),
    default="text",
    show_default=True,
    callback=remember,
    help="csv has the rows of the last table; the others have all of them.",
)
all_rows_option = click.option(
    "--all", "everything", is_flag=True, help="With text: show every row, not only the first ten."
)


@click.command()
@spec_argument
@assignments_option
@now_option
@report_format_option
@all_rows_option
def _parameters() -> None:
    """Carry what every report takes."""


def _report(found: Builder, spec: Path, assignments: Path | None, now: datetime, style: str, everything: bool) -> None:
    """Check a spec, and render a report on it."""
    from vmferry.check import check  # the stages, which no list of reports needs

    tell(found, check(spec, assignments, now=now), now, style, everything)


def tell(found: Builder, checked: "Checked", now: datetime, style: str, everything: bool) -> None:
    """Print a report on a spec."""
    from vmferry import ruleset
    from vmferry.check import review

    material = Material(
        review(checked.project, checked.resolution, now=now), checked.findings, lambda code: ruleset.of(code).title
    )
    report = found.build(material)
    summary = report.summary + ("" if checked.complete else f"\n{_PARTIAL}")
    click.echo(_rendered(report._replace(summary=summary), style, everything), nl=False)


def _rendered(report: Report, style: str, everything: bool) -> str:
    if style == "json":
        return as_json(msgspec.to_builtins(report.data)) + "\n"
    if style == "csv":
        return as_csv(report.tables[-1].headings, report.tables[-1].rows)
    if style == "md":
        parts = [f"# {report.title}\n", report.summary + "\n"]
        for table in report.tables:
            parts += [f"## {table.title}\n", as_markdown(table.headings, table.rows)]
        return "\n".join(parts)
    return report.summary + "\n" + "".join(_text(table, everything) for table in report.tables)


def _text(table: Table, everything: bool) -> str:
    """Return a table for a terminal, with a blank line above; nothing for one without rows."""
    notable = table.rows if table.notable is None else table.notable
    rows = notable if everything else notable[:_TOP]
    text = "\n" + as_text(table.headings, [tuple(map(printable, row)) for row in rows]) if rows else ""
    left = len(notable) - len(rows)
    return text + (f"… and {counted(left, table.one)} more; --all shows them\n" if left else "")
