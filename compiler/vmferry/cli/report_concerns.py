"""`vmferry report concerns`: what stands in the way of a migration, counted by rule and by VM."""

from datetime import datetime
from pathlib import Path

import click
import msgspec

from vmferry import ruleset
from vmferry.check import check
from vmferry.cli.findings import as_json, counted, printable
from vmferry.cli.options import assignments_option, now_option, remember, spec_argument
from vmferry.cli.table import Rows, as_csv, as_markdown, as_text
from vmferry.reports.concerns import Concerns, concerns

_TOP = 10  # rules in the text, unless all are asked for
_PARTIAL = "errors keep most rules from running: correct them for the whole picture"
_RULES = ("code", "severity", "VMs", "title")
_VMS = ("vm", "key", "disposition", "path", "method", "group", "errors", "warnings", "infos")


@click.command("concerns")
@spec_argument
@assignments_option
@now_option
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "md", "csv", "json"]),
    default="text",
    show_default=True,
    callback=remember,
    help="csv has one row per VM; the others also list the rules.",
)
@click.option("--all", "everything", is_flag=True, help="In text: every rule and every VM, not only the worst.")
def command(spec: Path, assignments: Path | None, now: datetime, style: str, everything: bool) -> None:
    """Count what stands in the way of a migration: the top blockers, and what concerns each VM.

    The findings are those of `vmferry check`; `vmferry rules CODE` explains one. Exits with 0 whatever is found.

    \b
    Examples:
      vmferry report concerns migration/
      vmferry report concerns migration/ --format csv > concerns.csv
      vmferry report concerns migration/ --format json | jq '.rules[:5]'
    """  # noqa: D301 - click wants the character
    checked = check(spec, assignments, now=now)
    found = concerns(checked.findings, checked.resolution.subjects, lambda code: ruleset.of(code).title)
    summary = _summary(found) + ("" if checked.complete else f"\n{_PARTIAL}")
    if style == "json":
        click.echo(as_json(msgspec.to_builtins(found)))
    elif style == "csv":
        click.echo(as_csv(_VMS, _vms(found)), nl=False)
    elif style == "md":
        click.echo(_markdown(found, summary), nl=False)
    else:
        _print(found, summary, everything)


def _rules(found: Concerns) -> Rows:
    return [(rule.code, rule.severity, str(len(rule.vms) or ""), rule.title) for rule in found.rules]


def _vms(found: Concerns) -> Rows:
    return [
        (
            vm.name,
            vm.key,
            vm.disposition,
            vm.path,
            vm.method,
            vm.group,
            *map(" ".join, (vm.errors, vm.warnings, vm.infos)),
        )
        for vm in found.vms
    ]


def _summary(found: Concerns) -> str:
    return (
        f"{counted(len(found.vms), 'VM')}: {found.blocked} blocked by errors, "
        f"{len(found.vms) - found.blocked - found.clean} with concerns, {found.clean} clean"
    )


def _markdown(found: Concerns, summary: str) -> str:
    parts = ["# Concerns\n", summary + "\n", "## Top blockers\n", as_markdown(_RULES, _rules(found))]
    return "\n".join([*parts, "## By VM\n", as_markdown(_VMS, _vms(found))])


def _print(found: Concerns, summary: str, everything: bool) -> None:
    click.echo(summary)
    rules = _rules(found)
    shown = rules if everything else rules[:_TOP]
    if shown:
        click.echo("\n" + as_text(_RULES, shown), nl=False)
    if len(rules) > len(shown):
        click.echo(f"… and {counted(len(rules) - len(shown), 'rule')} more; --all shows them")
    concerned = [row for row in _vms(found) if any(row[6:])]
    rows = concerned if everything else concerned[:_TOP]
    if rows:
        click.echo("\n" + as_text(_VMS, [tuple(map(printable, row)) for row in rows]), nl=False)
    if len(concerned) > len(rows):
        click.echo(f"… and {counted(len(concerned) - len(rows), 'VM')} more; --all shows them")
