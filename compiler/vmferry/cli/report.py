"""`vmferry report`: reports on a migration, for people. Its commands are the registered reports."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
from msgspec import structs

if TYPE_CHECKING:
    from vmferry.check import Checked

from vmferry.cli.findings import as_json
from vmferry.cli.lazy import Lazy
from vmferry.cli.options import F, assignments_option, now_option, remember, spec_argument
from vmferry.model.finding import SpecError
from vmferry.model.report import Report
from vmferry.render import report as render
from vmferry.render.printable import printable
from vmferry.reports import REPORTS, builder
from vmferry.reports.content import Builder, Earlier, Material

FORMATS = ("text", "md", "csv", "json", "html")
"""The formats of every report; some have more (`FORMATS` of their module)."""

_PARTIAL = "most rules did not run because of errors: fix these first for the full report"


class _Reports(Lazy):
    """One command per report; its module is imported when it is called."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a report, or that of the site with all of them."""
        if cmd_name not in REPORTS:
            return super().get_command(ctx, cmd_name)
        found = builder(cmd_name)

        @click.command(cmd_name, help=found.HELP)
        @spec_argument
        @assignments_option
        @now_option
        @format_option(*getattr(found, "FORMATS", ()))
        @all_rows_option
        def command(
            spec: Path,
            assignments: Path | None,
            now: datetime,
            style: str,
            everything: bool,
            against: str | None = None,
        ) -> None:
            with checked_for_reports(spec, assignments, now) as (checked, base):
                of = compared(material(checked, now, base), spec, assignments, against)
                tell(found, cmd_name, of, style, everything)

        return against_option(command) if getattr(found, "AGAINST", False) else command


@click.group(
    "report",
    cls=_Reports,
    modules={**REPORTS, "site": ("vmferry.cli.site", "All reports as a static site, or as one file.")},
)
def command() -> None:
    """Report on a migration: results for people, outside the synced tree.

    SPEC may also be an inventory as `vmferry import` wrote it: the report is then on the spec that
    `vmferry init --from` would draft for it.

    \b
    Examples:
      vmferry report assessment inventory/
      vmferry report concerns migration/ --format md > concerns.md
      vmferry report site migration/ --out public/
    """  # noqa: D301 - click wants the character


def format_option(*more: str) -> Callable[[F], F]:
    """Return the option --format of a report, with the formats that only it has."""
    return click.option(
        "--format",
        "style",
        type=click.Choice((*FORMATS, *more)),
        default="text",
        show_default=True,
        callback=remember,
        help="csv has the rows of one table; the others have everything. html is one page for a browser.",
    )


all_rows_option = click.option(
    "--all", "everything", is_flag=True, help="With text: show every row, not only the first ten."
)


against_option = click.option(
    "--against",
    metavar="REV",
    help="Compare with what this commit, branch or tag forecast when it was made. [default: this spec, at its start]",
)


@contextmanager
def checked_for_reports(spec: Path, assignments: Path | None, now: datetime) -> "Iterator[tuple[Checked, str]]":
    """Check a spec, or the draft of one for a bare inventory; with what paths in the draft's directory begin with."""
    from vmferry.check import check  # the stages, which no list of reports needs
    from vmferry.cli.drafted import drafted, is_bare

    if not is_bare(spec):
        yield check(spec, assignments, now=now), ""
        return
    with drafted(spec) as draft:
        yield check(draft, None, now=now), f"{draft}/"


def tell(found: Builder, name: str, of: Material, style: str, everything: bool) -> None:
    """Print a report."""
    if style == "html":
        from vmferry.site import single_file

        click.echo(single_file(of, name), nl=False)
        return
    report = found.build(of)
    summary = report.summary + ("" if of.complete else f"\n{_PARTIAL}")
    click.echo(_rendered(report._replace(summary=summary), style, everything), nl=False)


def material(checked: "Checked", now: datetime, base: str = "") -> Material:
    """Return the input of reports."""
    from vmferry import ruleset
    from vmferry.check import review

    return Material(
        review=review(checked.project, checked.resolution, now=now),
        findings=checked.findings,
        title=lambda code: ruleset.of(code).title,
        standard=checked.resolution.standard,
        complete=checked.complete,
        base=base,
    )


def compared(of: Material, spec: Path, assignments: Path | None, revision: str | None) -> Material:
    """Return the input of reports with the migration at a commit, which is the plan. Raises SpecError, UsageError."""
    if revision is None:
        return of
    if str(spec) == "-" or of.base:
        raise click.UsageError("--against needs a spec in a git repository.")
    from vmferry.against import earlier
    from vmferry.load.history import repository_of

    befores, unread = earlier(of.review, spec, assignments, revision, exact=True)
    if unread:
        raise SpecError(*unread)
    if not befores:
        raise click.UsageError(f"there is no spec at {printable(revision)}: name a commit that has the plan.")
    repository = repository_of(spec)
    then = repository.time(repository.commit(revision, spec))
    return structs.replace(of, earlier=Earlier(structs.replace(befores[0], now=then), revision))


def _rendered(report: Report, style: str, everything: bool) -> str:
    if style == "json":
        return as_json(msgspec.to_builtins(report.data)) + "\n"
    if style == "csv":
        return render.as_spreadsheet(report.spreadsheet)
    if style == "md":
        return render.markdown(report)
    if style == "text":
        return render.text(report, everything=everything)
    return report.extra[style]
