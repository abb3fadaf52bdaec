"""`vmferry explain`: every decision on a VM, with its reason and the line of the spec behind it."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from vmferry.check import Checked, check
from vmferry.cli import FINDINGS, overview
from vmferry.cli.options import assignments_option, spec_argument
from vmferry.cli.report import as_json, printable, show, spans_of, summary
from vmferry.model.blueprint import Decision
from vmferry.model.finding import Span, Where


@click.command("explain")
@spec_argument
@click.argument("vm", required=False)
@click.option("--all", "everything", is_flag=True, help="Explain every VM.")
@click.option("--path", "paths", multiple=True, help="With --all: only VMs of this path; forklift, virt-v2v, rebuild.")
@click.option("--phase", "phases", multiple=True, help="With --all: only VMs of this phase.")
@click.option("--group", "groups", multiple=True, help="With --all: only VMs of this move group.")
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json", "csv", "md"]),
    default="text",
    show_default=True,
    help="text and json have every decision; csv and md are a table, one row a VM.",
)
@assignments_option
def command(
    spec: Path,
    vm: str | None,
    everything: bool,
    paths: tuple[str, ...],
    phases: tuple[str, ...],
    groups: tuple[str, ...],
    style: str,
    assignments: Path | None,
) -> int:
    """Say why a VM goes where it goes: path, method, names, storage, networks, phase, group.

    VM is a name, an id, or SOURCE/NAME.

    \b
    Examples:
      vmferry explain migration/ web-01
      vmferry explain migration/ --all
      vmferry explain migration/ --all --format csv > vms.csv
      vmferry explain migration/ --all --phase first --format md
      vmferry explain migration/ --all --format json | jq '.[] | select(.path.value == "forklift")'
    """  # noqa: D301 - click wants the character
    if (vm is None) is not everything:
        raise click.UsageError("Name a VM, or say --all.")
    checked = check(spec, assignments)
    decisions = checked.resolution.blueprint.decisions
    labels = _labels(checked)
    keys = (
        list(decisions) if vm is None else [key for key in decisions if vm in (key, labels[key], key.partition("/")[2])]
    )
    if vm is not None and not keys:
        close = difflib.get_close_matches(vm, [*labels.values()], n=1)
        hint = f" Did you mean {close[0]!r}?" if close else " --all shows every VM."
        raise click.UsageError(f"No VM {vm!r} in the spec.{hint}")
    filters = {"path": paths, "phase": phases, "group": groups}
    chosen = {key: decisions[key] for key in keys if _wanted(decisions[key], filters)}
    if style in ("csv", "md"):
        table = overview.rows(chosen, labels, checked.findings)
        click.echo(overview.as_csv(table) if style == "csv" else overview.as_markdown(table), nl=False)
        return FINDINGS if checked.broken else 0
    spans = spans_of((d.where for found in chosen.values() for d in found if d.where), checked.project.texts)
    if style == "json":
        click.echo(as_json([_data(key, labels[key], found, spans) for key, found in chosen.items()]))
    else:
        _print(chosen, labels, spans)
    if checked.broken:
        click.echo(f"{summary(checked.findings)}: the decisions may be incomplete", err=True)
        concerned = {labels[key] for key in keys}
        findings = tuple(f for f in checked.findings if vm is None or concerned.intersection(f.vms))
        show(findings, checked.project.texts, err=True)
        return FINDINGS
    return 0


def _wanted(decisions: tuple[Decision, ...], filters: Mapping[str, tuple[str, ...]]) -> bool:
    """Return whether a VM passes every filter that was given."""
    values = {decision.subject: decision.value for decision in decisions}
    return all(not wanted or values.get(subject) in wanted for subject, wanted in filters.items())


def _labels(checked: Checked) -> dict[str, str]:
    """Return the name of the VM behind each key (which has its id where that is known), frozen ones included."""
    blueprint, spec = checked.resolution.blueprint, checked.project.spec
    names = {key: key.partition("/")[2] for key in blueprint.decisions}
    vms = [entry.vm for entry in checked.project.entries]
    names |= {f"{vm.source or spec.sources[0].name}/{vm.id or vm.name}": vm.name for vm in vms}
    return names | {machine.key: machine.name for group in blueprint.groups for machine in group.machines}


def _place(decision: Decision, spans: Mapping[Where, Span]) -> str:
    if decision.where is None:
        return ""
    span = spans.get(decision.where)
    return f"{decision.where.file}:{span.line}" if span else decision.where.file


def _data(key: str, name: str, decisions: tuple[Decision, ...], spans: Mapping[Where, Span]) -> dict[str, Any]:
    result: dict[str, Any] = {"vm": name, "key": key}
    for decision in decisions:
        result[decision.subject] = {
            "value": decision.value,
            "reason": decision.reason,
            "where": _place(decision, spans),
            "refused": list(decision.refused),
        }
    return result


def _print(chosen: Mapping[str, tuple[Decision, ...]], labels: Mapping[str, str], spans: Mapping[Where, Span]) -> None:
    from rich.box import SIMPLE_HEAD  # slow to import, and only tables need it
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        console = Console(width=10_000)  # a file or pipe has no edge to wrap at
    for key, decisions in chosen.items():
        table = Table(box=SIMPLE_HEAD, title=Text(f"{printable(labels[key])} ({printable(key)})"), title_justify="left")
        for heading in ("decision", "value", "reason", "spec"):
            table.add_column(heading, overflow="fold")
        for decision in decisions:
            refused = "".join(f"\nrefused {printable(item)}" for item in decision.refused)
            cells = [printable(text) for text in (decision.subject, decision.value, decision.reason)]
            table.add_row(*map(Text, (*cells[:2], cells[2] + refused, printable(_place(decision, spans)))))
        console.print(table)
