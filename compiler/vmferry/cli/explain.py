"""`vmferry explain`: every decision on a VM, with its reason and the line of the spec behind it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import click

from vmferry.cache import Cache
from vmferry.check import Checked, check
from vmferry.cli import FINDINGS, overview
from vmferry.cli.findings import as_json, show, summary
from vmferry.cli.options import assignments_option, cache_options, did_you_mean, remember, spec_argument
from vmferry.cli.rollback import show_rollback
from vmferry.estate.dependencies import outside
from vmferry.estate.identity import Directory, Mark, key_of, only_source
from vmferry.estate.wording import counted
from vmferry.model.blueprint import Decision
from vmferry.model.finding import Span, Where
from vmferry.model.keys import VmKey, own_of, source_of
from vmferry.model.spec import Disposition, Method, VirtualMachine
from vmferry.render.printable import printable
from vmferry.render.table import as_csv, as_markdown, as_text
from vmferry.yaml.positions import spans_of

Option = Callable[[Callable[..., int]], Callable[..., int]]


def _only(subject: str, words: str = "", *, choices: Sequence[str] = (), metavar: str | None = None) -> Option:
    """Return a repeatable filter."""
    kind = click.Choice(choices, case_sensitive=False) if choices else None
    return click.option(
        f"--{subject}", multiple=True, type=kind, metavar=metavar, help=f"With --all: only this {words or subject}."
    )


@click.command("explain")
@spec_argument
@click.argument("vm", required=False)
@click.option("--all", "everything", is_flag=True, help="Show a table of all VMs.")
@_only("disposition", choices=get_args(Disposition))
@_only("path", choices=(*overview.LETTERS, *overview.LETTERS.values()), metavar="forklift|A|virt-v2v|B|rebuild|C")
@_only("method", choices=get_args(Method))
@_only("namespace")
@_only("phase")
@_only("group", "move group")
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json", "csv", "md"]),
    default="text",
    show_default=True,
    callback=remember,
    help="text for one VM and json have every decision; the other formats are a table with one row per VM.",
)
@click.option("--rollback", is_flag=True, help="Show how to take a move group back to its source. VM is the group.")
@assignments_option
@cache_options
def command(
    spec: Path,
    vm: str | None,
    everything: bool,
    style: str,
    rollback: bool,
    assignments: Path | None,
    cache: Cache,
    **only: tuple[str, ...],
) -> int:
    """Show why a VM goes where it goes: path, method, names, storage, networks, phase, group.

    VM is a name, an id, or SOURCE/NAME. Filters need --all; a filter given twice matches either value. With --rollback,
    show how a move group is taken back from its stage: the edit, the outage, the data that is lost, and each step.

    \b
    Examples:
      vmferry explain migration/ web-01
      vmferry explain migration/ first-01 --rollback
      vmferry explain migration/ --all
      vmferry explain migration/ --all --format csv > vms.csv
      vmferry explain migration/ --all --phase first --path A --format md
      vmferry explain migration/ --all --format json | jq '.[] | select(.path.value == "forklift")'
    """  # noqa: D301 - click wants the character
    if rollback and (vm is None or everything):
        raise click.UsageError("--rollback needs a move group.")
    if (vm is None) is not everything:
        raise click.UsageError("Name a VM, or use --all.")
    if rollback and vm is not None:
        return show_rollback(spec, vm, style, assignments, cache)
    checked = check(spec, assignments, cache=cache)
    decisions: Mapping[VmKey, tuple[Decision, ...]] = checked.resolution.blueprint.decisions
    labels = _labels(checked)
    keys = list(decisions) if vm is None else _meant(vm, labels)
    if vm is not None and not keys:
        hint = did_you_mean(vm, labels.values()) or " --all shows every VM."
        raise click.UsageError(f"No VM {vm!r} in the spec.{hint}")
    filters = _filters(only, checked)
    outside = _outside(checked)
    decisions = {key: (*found, *outside.get(key, ())) for key, found in decisions.items()}
    chosen = {key: decisions[key] for key in keys if _wanted(decisions[key], filters)}
    table = overview.rows(chosen, labels, checked.findings)
    if style in ("csv", "md"):
        render = as_csv if style == "csv" else as_markdown
        click.echo(render(overview.HEADINGS, table), nl=False)
        return FINDINGS if checked.broken else 0
    spans = spans_of((d.where for found in chosen.values() for d in found if d.where), checked.project.texts)
    if style == "json":
        hints = _hints(checked, chosen)
        click.echo(as_json([_data(key, labels[key], d, spans) | hints.get(key, {}) for key, d in chosen.items()]))
    elif everything:
        click.echo(_columns(table), nl=False)
        hint = "`vmferry explain SPEC NAME` shows every decision for one VM"
        click.echo(f"{counted(len(table), 'VM')}; {hint}", err=True)
    else:
        _print(chosen, labels, spans)
    if checked.broken:
        click.echo(f"{summary(checked.findings)}: the decisions may be incomplete", err=True)
        concerned = {labels[key] for key in keys}
        findings = tuple(f for f in checked.findings if vm is None or concerned.intersection(f.vms))
        show(findings, checked.project.texts, err=True)
        return FINDINGS
    return 0


def _filters(only: Mapping[str, tuple[str, ...]], checked: Checked) -> dict[str, tuple[str, ...]]:
    """Return the filters by what they filter. Raises UsageError for an unknown name."""
    blueprint = checked.resolution.blueprint
    known: dict[str, set[str]] = {
        "namespace": {namespace.name for namespace in checked.project.spec.namespaces},
        "phase": {phase.name for phase in checked.project.spec.phases},
        "group": {group.name for group in blueprint.groups},
    }
    for subject, names in known.items():
        for name in only[subject]:
            if name not in names:
                hint = did_you_mean(name, names) or f" There is: {', '.join(sorted(names)) or 'none'}."
                raise click.UsageError(f"No {subject} {name!r} in the spec.{hint}")
    paths = {letter: path for path, letter in overview.LETTERS.items()}
    return {**only, "path": tuple(paths.get(path, path) for path in only["path"])}


def _wanted(decisions: tuple[Decision, ...], filters: Mapping[str, tuple[str, ...]]) -> bool:
    """Return whether a VM passes every given filter."""
    values = {decision.subject: decision.value for decision in decisions}
    return all(not wanted or values.get(subject) in wanted for subject, wanted in filters.items())


def _meant(vm: str, labels: Mapping[VmKey, str]) -> list[VmKey]:
    """Return the keys of the VMs that a name refers to."""
    marks = (Mark(key, source_of(key), name) for key, name in labels.items())
    return [mark.key for mark in Directory(marks).meant(vm)]


def _labels(checked: Checked) -> dict[VmKey, str]:
    """Return each VM's name by its key (which contains the id if known), including frozen ones."""
    blueprint = checked.resolution.blueprint
    names = {key: own_of(key) for key in blueprint.decisions}
    names |= {_key(checked, entry.vm): entry.vm.name for entry in checked.project.entries}
    return names | {machine.key: machine.name for group in blueprint.groups for machine in group.machines}


def _place(decision: Decision, spans: Mapping[Where, Span]) -> str:
    if decision.where is None:
        return ""
    span = spans.get(decision.where)
    return f"{decision.where.file}:{span.line}" if span else decision.where.file


def _data(key: VmKey, name: str, decisions: tuple[Decision, ...], spans: Mapping[Where, Span]) -> dict[str, Any]:
    result: dict[str, Any] = {"vm": name, "key": key}
    for decision in decisions:
        result[decision.subject] = {
            "value": decision.value,
            "reason": decision.reason,
            "where": _place(decision, spans),
            "refused": list(decision.refused),
        }
    return result


def _outside(checked: Checked) -> dict[VmKey, tuple[Decision, ...]]:
    """Return by key what a VM depends on outside the migration, which matters for planning its cutover."""
    result: dict[VmKey, tuple[Decision, ...]] = {}
    for entry in checked.project.entries:
        services = outside(entry.vm)
        if services:
            said = Decision(
                subject="outside",
                value=", ".join(services),
                reason="it depends on this, which is not part of the migration",
                where=entry.where.at("dependsOn"),
            )
            result[_key(checked, entry.vm)] = (said,)
    return result


def _key(checked: Checked, vm: VirtualMachine) -> VmKey:
    only = only_source(source.name for source in checked.project.spec.sources)
    return key_of(vm, vm.source or only or "")


def _hints(checked: Checked, chosen: Collection[VmKey]) -> dict[VmKey, dict[str, Any]]:
    """Return by key the environment and kind that each selected VM's facts hint at, with the evidence: no decisions."""
    from vmferry.draft.guesses import leave
    from vmferry.draft.systems import environment, kind, learn

    vms = [entry.vm for entry in checked.project.entries]
    conventions = learn([vm for vm in vms if leave(vm) is None])
    result: dict[VmKey, dict[str, Any]] = {}
    for vm in vms:
        key = _key(checked, vm)
        if key not in chosen:
            continue
        found = {"environment": environment(vm, conventions), "kind": kind(vm, conventions)}
        result[key] = {
            name: {"value": each.value, "reason": each.why, "where": "", "refused": []}
            for name, each in found.items()
            if each.value
        }
    return result


def _columns(table: list[tuple[str, ...]]) -> str:
    """Return the table for a terminal, without the keys, which are for programs."""
    key = overview.HEADINGS.index("key")
    rows = [tuple(map(printable, (*row[:key], *row[key + 1 :]))) for row in table]
    return as_text([*overview.HEADINGS[:key], *overview.HEADINGS[key + 1 :]], rows)


def _print(
    chosen: Mapping[VmKey, tuple[Decision, ...]], labels: Mapping[VmKey, str], spans: Mapping[Where, Span]
) -> None:
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
