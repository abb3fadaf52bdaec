"""`vmferry check`: find everything that is wrong with a spec, and write nothing."""

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from vmferry import ruleset
from vmferry.cache import Cache
from vmferry.check import Checked, check
from vmferry.cli import FINDINGS
from vmferry.cli.findings import show, summary
from vmferry.cli.options import (
    all_option,
    assignments_option,
    cache_options,
    findings_option,
    keep,
    now_option,
    spec_argument,
)
from vmferry.estate.wording import counted
from vmferry.model.finding import Finding
from vmferry.render.printable import printable
from vmferry.solved import remember


class Prefix(click.ParamType[str]):
    """A prefix of rule codes."""

    name = "code"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the prefix as written in codes. Fails with a usage error if no code starts with it."""
        prefix = str(value).upper()
        if not prefix or not ruleset.starting(prefix):
            close = difflib.get_close_matches(prefix, ruleset.every(), n=1)
            hint = f"Did you mean {close[0]}?" if close else "`vmferry rules` lists them."
            self.fail(f"no rule's code starts with {value!r}. {hint}", param, ctx)
        return prefix


@click.command("check")
@spec_argument
@assignments_option
@click.option(
    "--select", multiple=True, type=Prefix(), help="Only rules whose code starts with this prefix. Repeatable."
)
@click.option(
    "--ignore", multiple=True, type=Prefix(), help="Skip rules whose code starts with this prefix. Repeatable."
)
@click.option("--max-warnings", type=click.IntRange(min=0), help="Fail if there are more warnings than this.")
@click.option(
    "--against",
    metavar="REV",
    help="Also report changes that are unsafe while groups move, compared with the commit where this branch left REV. "
    "`parent` means the parent of the commit being made, or of the last commit.",
)
@click.option("--exact", is_flag=True, help="Compare with REV itself, for example on a push to the synced branch.")
@click.option(
    "--fix", "correct", is_flag=True, help="Fix findings that have exactly one correct value; report the rest."
)
@now_option
@findings_option
@all_option
@cache_options
def command(
    spec: Path,
    assignments: Path | None,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    max_warnings: int | None,
    against: str | None,
    exact: bool,
    correct: bool,
    now: datetime,
    style: str,
    everything: bool,
    cache: Cache,
) -> int:
    """Find everything that is wrong with a spec.

    SPEC is a file, a directory, or - for standard input. Writes nothing and contacts no cluster or vCenter.
    `vmferry rules CODE` explains a rule. The spec itself sets severities (`rules`) and accepts findings (`suppress`).

    \b
    Examples:
      vmferry check migration/
      vmferry check migration/ --select VMF2 --select VMF3     # networks and storage only
      vmferry check migration/ --format sarif > vmferry.sarif  # for code scanning
      vmferry check --format json migration/ | jq '.findings[].code'
      vmferry check migration/ --fix
      vmferry check migration/ --against origin/main           # in a pull request
      cat spec.yaml | vmferry check -
    """  # noqa: D301 - click wants the character
    if against is not None and str(spec) == "-":
        raise click.UsageError("--against needs a spec in a git repository, not standard input.")
    if exact and against is None:
        raise click.UsageError("--exact needs --against REV.")
    if correct:
        if str(spec) == "-":
            raise click.UsageError("--fix needs files, not standard input.")
        _correct(
            lambda: check(spec, assignments, now=now, against=against, exact=exact, cache=cache, reasons=False),
            lambda finding: _chosen(finding, select, ignore),
        )
    checked = check(spec, assignments, now=now, against=against, exact=exact, cache=cache, reasons=False, brief=True)
    keep(checked)
    remember(checked.solved, checked.resolution.blueprint.groups, spec, assignments, cache)
    findings = tuple(finding for finding in checked.findings if _chosen(finding, select, ignore))
    show(findings, checked.project.texts, style=style, everything=everything)
    _summarize(checked, findings)
    counts = Counter(finding.severity for finding in findings)
    too_many = max_warnings is not None and counts["warning"] > max_warnings
    if too_many:
        click.echo(f"{counted(counts['warning'], 'warning')}, at most {max_warnings} allowed", err=True)
    return FINDINGS if counts["error"] or too_many else 0


def _correct(run: Callable[[], Checked], chosen: Callable[[Finding], bool]) -> None:
    from vmferry.cli.fix import findings_of, fix  # few runs fix

    def read() -> tuple[Iterable[Finding], Mapping[str, str]]:
        checked = run()
        return checked.findings, checked.project.texts

    def read_chosen() -> tuple[Iterable[Finding], Mapping[str, str]]:
        found, texts = findings_of(read)
        return filter(chosen, found), texts

    findings, files = fix(read_chosen)
    click.echo(f"fixed {counted(findings, 'finding')} in {counted(files, 'file')}", err=True)


def _chosen(finding: Finding, select: tuple[str, ...], ignore: tuple[str, ...]) -> bool:
    return (not select or finding.code.startswith(select)) and not finding.code.startswith(ignore)


def _summarize(checked: Checked, findings: tuple[Finding, ...]) -> None:
    for skipped in checked.project.skipped:
        click.echo(f"skipped: {printable(skipped)}", err=True)
    groups = checked.resolution.blueprint.groups
    moving = sum(len(group.machines) for group in groups)
    click.echo(f"{summary(findings)}; {counted(moving, 'VM')} in {counted(len(groups), 'group')}", err=True)
    if hidden := len(checked.findings) - len(findings):
        errors = _errors(checked.findings) - _errors(findings)
        note = f", {counted(errors, 'error')} among them; until they are fixed, some rules do not run"
        partial = errors and not checked.complete
        click.echo(f"{counted(hidden, 'finding')} from rules that were not selected{note if partial else ''}", err=True)


def _errors(findings: tuple[Finding, ...]) -> int:
    return sum(finding.is_error for finding in findings)
