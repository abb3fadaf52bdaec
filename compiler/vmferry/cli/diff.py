"""`vmferry diff`: show what a change of the spec decides differently, or what changed in vCenter and what it breaks."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

from vmferry import consequences
from vmferry.against import earlier, remembered
from vmferry.cache import Cache
from vmferry.check import Checked, check, review
from vmferry.cli import FINDINGS
from vmferry.cli.findings import show, summary
from vmferry.cli.options import assignments_option, cache_options, keep, now_option, remember, spec_argument
from vmferry.consequences import Consequences, Value
from vmferry.consequences.evidence import EvidenceChange
from vmferry.consequences.graph import graph_of
from vmferry.consequences.known import of_known
from vmferry.consequences.stages import StageChange
from vmferry.estate.wording import counted
from vmferry.load.project import load, read_inventories
from vmferry.model.evidence import OBSERVED
from vmferry.model.finding import Finding, SpecError
from vmferry.recheck import state
from vmferry.render.mermaid import flowchart
from vmferry.render.printable import printable
from vmferry.render.table import as_markdown, escaped
from vmferry.resolve.drift import Change, drift, uncovered
from vmferry.solved import remember as remember_state

_COLORS = {"harmless": "green", "decision": "yellow", "blocks": "red"}
_NAMED = 5  # VMs of a line


@click.command("diff")
@spec_argument
@click.argument("rev", required=False)
@click.option("--exact", is_flag=True, help="Compare with REV itself, not with the merge base.")
@click.option(
    "--inventory",
    type=click.Path(exists=True, path_type=Path),
    help="Compare with vCenter instead: a newer inventory, a file or a directory that `vmferry import` wrote.",
)
@click.option("--only", type=click.Choice(list(_COLORS)), multiple=True, help="Only show changes with this verdict.")
@click.option(
    "--format",
    "style",
    type=click.Choice(("text", "json", "md")),
    default="text",
    show_default=True,
    help="Output format; md for a comment on a pull request.",
    callback=remember,
)
@now_option
@assignments_option
@cache_options
def command(
    spec: Path,
    rev: str | None,
    exact: bool,
    inventory: Path | None,
    only: tuple[str, ...],
    style: str,
    now: datetime,
    assignments: Path | None,
    cache: Cache,
) -> int:
    """Show which decisions changed between REV (a commit, branch or tag; HEAD by default) and SPEC, and their effect.

    Groups at another stage with what happens then, how long the copy takes and which evidence the move rests on, VMs
    with changed decisions, settings of groups, namespaces and the target, new evidence, and how many VMs each changed
    `assign` row matches. Both states must be free of errors of their own; `check --against` has the rules. Durations
    are estimates: docs/copy-time.md says how they come about, and `settings.copy` states the rates you know.

    With --inventory, show what changed in vCenter since the inventory of SPEC was taken, and since VMs were frozen.
    Each change is harmless (the next compile or Forklift picks it up), needs a decision, or blocks: a compiled manifest
    is now wrong. Exits with 1 if any change blocks. If a VM changed after its group was prepared, set the group to
    rolled-back, in the next commit to planned, and prepare it again. The newer inventory must cover whole vCenters.

    \b
    Examples:
      vmferry diff migration/
      vmferry diff migration/ origin/main --format md > comment.md
      vmferry diff migration/ --inventory today/
      vmferry diff migration/ --inventory today/ --only blocks --format json
    """  # noqa: D301 - click wants the character
    if inventory is None:
        if only:
            raise click.UsageError("--only needs --inventory.")
        return _with_commit(spec, rev or "HEAD", assignments, style, now, cache, exact=exact)
    if rev is not None or exact:
        raise click.UsageError("REV and --exact compare commits; leave out --inventory.")
    if style == "md":
        raise click.UsageError("--inventory has the formats text and json.")
    return _with_inventory(spec, inventory, only, assignments, style)


def _with_commit(
    spec: Path, revision: str, assignments: Path | None, style: str, now: datetime, cache: Cache, *, exact: bool
) -> int:
    if str(spec) == "-":
        raise click.UsageError("diff needs a spec in a git repository, not standard input.")
    compared = _compared(spec, revision, assignments, now, cache, exact=exact)
    keep(compared)
    if isinstance(compared, _Incomparable):
        show(compared.findings, compared.texts, style="text" if style == "md" else style, err=style == "md")
        click.echo(summary(compared.findings), err=True)
        return FINDINGS
    if style == "json":
        click.echo(json.dumps(msgspec.to_builtins(compared), indent=2, ensure_ascii=False))
    else:
        click.echo("".join(_markdown(compared, revision) if style == "md" else _text(compared)), nl=False)
    if compared.empty:
        click.echo(f"no decisions changed since {printable(revision)}", err=True)
    return 0


class _Incomparable(NamedTuple):
    """Why two states cannot be compared, with the files that the findings are about."""

    findings: tuple[Finding, ...]
    texts: Mapping[str, str]


def _compared(
    spec: Path, revision: str, assignments: Path | None, now: datetime, cache: Cache, *, exact: bool
) -> Consequences | _Incomparable:
    """Return what a spec decides differently than at a revision, from what earlier runs left of both if they did."""
    checked, here = None, state(spec, assignments, cache)
    if here is None:
        checked = _checked(spec, assignments, cache)
        here = remember_state(checked.solved, checked.resolution.blueprint.groups, spec, assignments, cache)
    if here is not None:
        before = remembered(here.project, spec, assignments, revision, cache, exact=exact)
        found = of_known(before, here, now, cache) if before is not None else None
        if found is not None:
            return found
    if checked is None or not checked.whole:
        checked = _checked(spec, assignments, cache, whole=True)
    reviewed = review(checked.project, checked.resolution)
    befores, unread = earlier(reviewed, spec, assignments, revision, exact=exact, cache=cache)
    if unread:
        return _Incomparable(unread, checked.project.texts)
    if not befores:
        click.echo(f"there is no spec at {printable(revision)}: everything is new", err=True)
        return consequences.of_new(reviewed, now)
    return consequences.consequences(befores[0], reviewed, now)


def _checked(spec: Path, assignments: Path | None, cache: Cache, *, whole: bool = False) -> Checked:
    """Return a spec without errors of its own; unless ``whole``, what is remembered of it is enough."""
    checked = check(spec, assignments, cache=cache, reasons=False, brief=not whole)
    if not checked.complete:
        raise SpecError(*(finding for finding in checked.findings if finding.is_error))
    return checked


def _text(found: Consequences) -> Iterator[str]:
    for stage in found.stages:
        parts = (stage.what, *_takes(stage), *_when(stage), *_evidence_of(stage))
        yield f"group {stage.group}: {stage.before} → {stage.after}: {'; '.join(map(printable, parts))}\n"
    for verb, names in (("will now be migrated", found.added), ("will no longer be migrated", found.removed)):
        yield from (f"VM {printable(name)} {verb}\n" for name in names)
    for row in consequences.alike(found.vms):
        yield f"{_of_vms(row)}\n"
    for what, several in (("group", found.groups), ("namespace", found.namespaces)):
        for each in several:
            yield from (f"{what} {each.name}: {_difference(value)}\n" for value in each.values)
    yield from (f"target: {_difference(value)}\n" for value in found.target)
    yield from (f"evidence of {printable(_entries(each))}\n" for each in found.evidence)
    for rule in found.rules:
        yield f"assign[{rule.index}] {rule.how}: {_matches(rule)}{_sample(rule.vms)}\n"


def _takes(stage: StageChange) -> tuple[str, ...]:
    """Return how long the copy of a group takes, if anyone can tell."""
    return (stage.copy.words,) if stage.copy is not None else ()


def _when(stage: StageChange) -> tuple[str, ...]:
    return (stage.when,) if stage.when else ()


def _evidence_of(stage: StageChange) -> Iterator[str]:
    """Yield what a move rests on, and what it lacks."""
    if stage.rests:
        yield f"rests on: {', '.join(stage.rests)}"
    if stage.lacks:
        yield f"lacks evidence: {', '.join(stage.lacks)}"


def _entries(change: EvidenceChange) -> str:
    """Return entries of evidence in words: `web-01: 3 VMs: migration succeeded, observed`."""
    vms = f"{counted(change.vms, 'VM')}: " if change.vms else ""
    stage = f" of {change.stage}" if change.stage is not None else ""
    cause = f" ({change.cause})" if change.cause is not None else ""
    removed = "removed: " if change.how == "removed" else ""
    outcome = "" if change.what == "signOff" else f" {change.outcome}"
    by = f" by {change.by}" if change.by != OBSERVED else ""
    test = f"pre-flight {change.preflight}" if change.preflight is not None else None
    about = test or change.group or f"network {change.network}"
    return f"{about}: {removed}{vms}{change.what}{stage}{outcome}{cause}{by}"


def _of_vms(row: consequences.Alike) -> str:
    """Return a difference with its VMs: what it means, if it has a name, otherwise the decision."""
    value = row.value
    if value.means is None:
        return f"{_who(row.vms)}: {_difference(value)}"
    means = value.means if len(row.vms) == 1 else _plural(value.means)
    return printable(f"{_who(row.vms)} {means}: {value.before} → {value.after}")


def _plural(means: str) -> str:
    """Return what a decision means, of several VMs: `lose live migration`."""
    verb, _, rest = means.partition(" ")
    return f"{'are' if verb == 'is' else verb.removesuffix('s')} {rest}"


def _difference(value: Value) -> str:
    return printable(f"{value.subject} {value.before} → {value.after}")


def _who(vms: tuple[str, ...]) -> str:
    return f"VM {printable(vms[0])}" if len(vms) == 1 else f"{len(vms)} VMs{_sample(vms)}"


def _sample(vms: tuple[str, ...]) -> str:
    names = ", ".join(map(printable, vms[:_NAMED])) + (", …" if len(vms) > _NAMED else "")
    return f" ({names})" if names else ""


def _matches(rule: consequences.RuleChange) -> str:
    changed = f"decisions changed for {rule.decided} of them"
    if rule.how == "removed":
        return f"matched {counted(rule.before, 'VM')}, {changed}"
    was = f" ({rule.before} before)" if rule.how == "changed" and rule.before != rule.after else ""
    return f"matches {counted(rule.after, 'VM')}{was}, {changed}"


def _markdown(found: Consequences, revision: str) -> Iterator[str]:
    """Yield what changes as a comment on a pull request: stages first, the details of VMs folded."""
    yield f"### What this changes, compared with {escaped(revision)}\n\n"
    if found.empty:
        yield "No decisions changed.\n"
        return
    if found.stages:
        if (graph := graph_of(found.stages)) is not None:
            yield flowchart(graph) + "\n"  # first: it is small, and whoever shortens the comment does not cut it
        rows = [
            (
                each.group,
                f"{each.before} → {each.after}",
                each.what,
                "; ".join((*_takes(each), *_when(each))),
                "; ".join(_evidence_of(each)),
            )
            for each in found.stages
        ]
        yield as_markdown(("group", "stage", "what happens", "when", "evidence"), rows) + "\n"
    for title, names in (("VMs that will now be migrated", found.added), ("VMs that will no longer be", found.removed)):
        if names:
            yield f"**{title}:** {len(names)}: {', '.join(map(escaped, names[:_NAMED]))}"
            yield ", …\n\n" if len(names) > _NAMED else "\n\n"
    shared = [(f"group {each.name}", value) for each in found.groups for value in each.values]
    shared += [(f"namespace {each.name}", value) for each in found.namespaces for value in each.values]
    shared += [("target", value) for value in found.target]
    if shared:
        settings = [(name, value.subject, value.before, value.after) for name, value in shared]
        yield as_markdown(("where", "setting", "before", "after"), settings) + "\n"
    if found.evidence:
        yield f"<details><summary>Evidence: {counted(len(found.evidence), 'change')}</summary>\n\n"
        yield as_markdown(("entries",), [(_entries(each),) for each in found.evidence]) + "\n</details>\n\n"
    if found.rules:
        rules = [(f"assign[{rule.index}]", rule.how, _matches(rule), _listed(rule.vms)) for rule in found.rules]
        yield as_markdown(("row", "change", "VMs matched", "VMs"), rules) + "\n"
    if found.vms:
        alike = consequences.alike(found.vms)
        yield f"<details><summary>{counted(len(found.vms), 'VM')} with changed decisions</summary>\n\n"
        decided = [
            (_listed(row.vms), row.value.means or row.value.subject, row.value.before, row.value.after) for row in alike
        ]
        yield as_markdown(("VMs", "decision", "before", "after"), decided) + "\n</details>\n"


def _listed(vms: tuple[str, ...]) -> str:
    more = f" and {len(vms) - _NAMED} more" if len(vms) > _NAMED else ""
    return ", ".join(vms[:_NAMED]) + more


def _with_inventory(spec: Path, inventory: Path, only: tuple[str, ...], assignments: Path | None, style: str) -> int:
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
            "to accept changes that block a prepared group: set it to rolled-back, in the next commit to planned, "
            "import, and prepare it again",
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
