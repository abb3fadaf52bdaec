"""`vmferry graduate`: hand the VMs of groups over to another repository, as plain manifests."""

import shlex
from datetime import datetime
from pathlib import Path

import click

from vmferry import files
from vmferry.advance import Advance, Before, Move, advance, compiled_into, look
from vmferry.cache import Cache
from vmferry.cli import FINDINGS
from vmferry.cli.findings import as_data, as_json, show, summary
from vmferry.cli.options import (
    all_option,
    assignments_option,
    cache_options,
    did_you_mean,
    format_option,
    now_option,
    spec_argument,
)
from vmferry.compile import compile_tree
from vmferry.estate.stages import OWNED
from vmferry.estate.wording import counted
from vmferry.graduation import Handover, LackingError, hand_over, taken, write
from vmferry.layout.compiled import OUT_OF_DATE
from vmferry.model.blueprint import Group
from vmferry.model.finding import SpecError
from vmferry.record import assignments_path
from vmferry.render.printable import printable
from vmferry.yaml.edit import CannotEditError


@click.command("graduate")
@spec_argument
@click.argument("groups", nargs=-1, required=True, metavar="GROUP...")
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory in the other repository; each group gets a folder in it.",
)
@click.option(
    "--tree",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory that the spec was compiled into. [default: the one around the spec in its git repository]",
)
@click.option("--dry-run", "dry", is_flag=True, help="Write nothing; show what would be handed over.")
@now_option
@assignments_option
@format_option
@all_option
@cache_options
def command(
    spec: Path,
    groups: tuple[str, ...],
    out: Path,
    tree: Path | None,
    dry: bool,
    now: datetime,
    assignments: Path | None,
    style: str,
    everything: bool,
    cache: Cache,
) -> int:
    """Hand the VMs of adopted groups over to another repository, and let go of them.

    Writes DIR/GROUP/: a manifest for each VM with its Services, as kustomize builds them now, and a
    kustomization.yaml. Sets `graduated: true` for the groups, in the file that contains the MigrationSpec; the next
    compile leaves their VMs out. Nothing is deleted in the cluster: VMs and Services are protected from pruning.

    Commit the other repository first, and let Flux or Argo CD apply it. Then compile and commit the spec.

    \b
    Examples:
      vmferry graduate migration/ first-01 --out ../web-team/vms --dry-run
      vmferry graduate migration/ first-01 --out ../web-team/vms
    """  # noqa: D301 - click wants the character
    if str(spec) == "-":
        raise click.UsageError("graduate needs files, not a spec on standard input.")
    before = look(spec, assignments, now, cache)
    chosen = [_group(before, name) for name in sorted(set(groups))]
    into = tree or compiled_into(before)
    if into is None:
        raise click.UsageError("No compiled tree is around the spec in its git repository: name it with --tree.")
    moves = [Move(each.name, each.stage, each.stage, {"graduated": True}) for each in chosen]
    try:
        found = advance(before, moves)
    except CannotEditError as error:
        click.echo(printable(f"{before.checked.project.where.file}: {error}; edit the file by hand"), err=True)
        return FINDINGS
    if found.refused:
        errors = tuple(finding for finding in found.findings if finding.is_error)
        show(errors, found.checked.project.texts, style=style, everything=everything)
        click.echo(f"{summary(errors)}; nothing was written", err=True)
        return FINDINGS
    _check_current(before, into, cache)
    after = {group.name: group for group in found.checked.resolution.blueprint.groups}
    top = into / before.checked.resolution.blueprint.gitops.path
    try:
        handovers = [hand_over(top, group, after[group.name]) for group in chosen]
    except LackingError as error:
        click.echo(printable(f"{error}; nothing was written"), err=True)
        return FINDINGS
    for folder in taken(out, handovers):
        raise click.UsageError(f"{printable(str(folder))} is not empty: move it away, or choose another --out.")
    if not dry:
        files.check_writable(found.file.resolve())
        write(out, handovers)
        files.replace(found.file.resolve(), found.content)
    if style == "json":
        click.echo(as_json(_data(found, handovers, out, written=not dry)))
    else:
        _tell(before, found, handovers, out, into, dry=dry)
    return 0


def _group(before: Before, name: str) -> Group:
    """Return a group to hand over. Raises UsageError if there is none, or if its VMs are not to be handed over."""
    known = {group.name: group for group in before.checked.resolution.blueprint.groups}
    group = known.get(name)
    if group is None:
        raise click.UsageError(f"There is no group {name!r}.{did_you_mean(name, known)}")
    if group.graduated:
        raise click.UsageError(f"Group {name} is graduated already.")
    if group.stage not in OWNED:
        raise click.UsageError(f"Group {name} is {group.stage}; only groups from stage adopted on can be handed over.")
    return group


def _check_current(before: Before, into: Path, cache: Cache) -> None:
    """Raise SpecError if the tree is not what the spec compiles to: something else would be handed over."""
    compiled = compile_tree(before.checked, into, before.assignments or assignments_path(before.spec), cache=cache)
    if compiled.changes.conflicts:
        raise SpecError(*compiled.changes.conflicts)
    if compiled.pending:
        raise SpecError(
            OUT_OF_DATE.finding(
                f"{compiled.root} is not what the spec compiles to",
                "run vmferry compile, commit it, and let it sync before the VMs are handed over",
            )
        )


def _data(found: Advance, handovers: list[Handover], out: Path, *, written: bool) -> dict[str, object]:
    return {
        "file": str(found.file),
        "written": written,
        "groups": [
            {
                "group": each.group,
                "vms": each.vms,
                "files": [str(out / each.group / name) for name in each.files],
                "others": list(each.others),
                "secrets": list(each.secrets),
            }
            for each in handovers
        ],
        "findings": as_data(found.findings, found.checked.project.texts),
    }


def _tell(before: Before, found: Advance, handovers: list[Handover], out: Path, into: Path, *, dry: bool) -> None:
    verb = "would hand over" if dry else "handed over"
    for each in handovers:
        click.echo(printable(f"{each.group}: {verb} {counted(each.vms, 'VM')} to {out / each.group}"))
        if each.others:
            click.echo(printable(f"{each.group}: with it what local/ adds: {', '.join(each.others)}"), err=True)
        for secret in each.secrets:
            click.echo(printable(f"{each.group}: {secret} is not copied: move it to the other repository"), err=True)
    if dry:
        click.echo("nothing was written", err=True)
        return
    spec, tree = shlex.quote(str(before.spec)), into / before.checked.resolution.blueprint.gitops.path
    records = before.assignments or assignments_path(before.spec)
    paths = " ".join(shlex.quote(str(path)) for path in (found.file, records, tree))
    click.echo(f"next: commit {printable(str(out))} in its repository, and let it sync; then:", err=True)
    click.echo(printable(f"  vmferry compile {spec} --out {shlex.quote(str(into))}"), err=True)
    click.echo(printable(f"  git add {paths}"), err=True)
