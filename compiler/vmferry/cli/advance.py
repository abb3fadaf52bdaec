"""`vmferry advance`: move groups to their next stage in the spec, if no rule refuses it."""

import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import get_args

import click
from msgspec import structs

from vmferry import files
from vmferry.advance import (
    Advance,
    Before,
    Move,
    Values,
    advance,
    advance_ready,
    again,
    alone,
    chosen,
    compiled_into,
    next_of,
    remember,
)
from vmferry.cache import Cache
from vmferry.cli import FINDINGS
from vmferry.cli.findings import as_data, as_json, interactive, show, summary
from vmferry.cli.options import (
    all_option,
    assignments_option,
    cache_options,
    did_you_mean,
    format_option,
    keep,
    now_option,
    spec_argument,
)
from vmferry.estate.identity import Directory, of_machine
from vmferry.estate.stages import STAGES, rank
from vmferry.estate.wording import counted
from vmferry.model.blueprint import Group
from vmferry.model.finding import Finding
from vmferry.model.spec import DataLoss, Stage
from vmferry.record import assignments_path
from vmferry.render.printable import printable
from vmferry.yaml.edit import CannotEditError


@click.command("advance")
@spec_argument
@click.argument("groups", nargs=-1, metavar="[GROUP]...")
@click.option("--to", "stage", type=click.Choice(STAGES), help="Stage to move to. [default: the next one]")
@click.option("--phase", help="Move every group of this phase.")
@click.option("--all-ready", "ready", is_flag=True, help="Move only groups whose move brings no error and no warning.")
@click.option("--vm", "one", help="Move one VM of GROUP alone, into a group of its own: back, or to wait (--hold).")
@click.option("--hold", help="With --vm: why the VM has to wait at its stage.")
@click.option(
    "--data-loss",
    type=click.Choice(get_args(DataLoss)),
    help="With --to rolled-back, after a cutover: what becomes of what the VMs wrote in the target.",
)
@click.option("--reason", help="With --to rolled-back: why.")
@click.option(
    "--remigrate",
    "deleted",
    is_flag=True,
    help="With groups that were rolled back: states that what is left of them in the target was deleted.",
)
@click.option("--dry-run", "dry", is_flag=True, help="Write nothing; show what would be moved.")
@now_option
@assignments_option
@format_option
@all_option
@cache_options
def command(
    spec: Path,
    groups: tuple[str, ...],
    stage: Stage | None,
    phase: str | None,
    ready: bool,
    one: str | None,
    hold: str | None,
    data_loss: DataLoss | None,
    reason: str | None,
    deleted: bool,
    dry: bool,
    now: datetime,
    assignments: Path | None,
    style: str,
    everything: bool,
    cache: Cache,
) -> int:
    """Move groups to their next stage, in the file that contains the MigrationSpec.

    Comments and formatting are kept. The spec is checked as it would be after the move, against HEAD in a git
    repository: if a rule refuses the move, nothing is written. Commit the file, and Flux or Argo CD applies it.

    A group goes back to its source with --to rolled-back, and from there to prepared with another attempt. With --vm,
    one VM does, and its neighbours go on without it.

    \b
    Examples:
      vmferry advance migration/ --all-ready --dry-run
      vmferry advance migration/ --phase first --to prepared --dry-run
      vmferry advance migration/ first-01
    """  # noqa: D301 - click wants the character
    if str(spec) == "-":
        raise click.UsageError("advance needs files, not standard input.")
    if not groups and phase is None and not ready:
        raise click.UsageError("Name a GROUP, or pass --phase or --all-ready.")
    if one is not None and (len(groups) != 1 or phase is not None or ready):
        raise click.UsageError("--vm needs one GROUP, without --phase and --all-ready.")
    if one is not None and hold is None and stage is None:
        stage = "rolled-back"
    stated = _stated(stage, data_loss, reason, hold, alone=one is not None)
    before = remember(spec, assignments, now, cache)
    keep(before)
    if one is not None:
        moves = [_alone(before, groups[0], one, stage, stated)]
    else:
        every = _moves(before, groups, phase, stage, ready=ready)
        moves = [_with_more(before, move, stated, deleted=deleted) for move in every]
    many = len(before.checked.project.entries) > 1000
    if many and interactive():
        click.echo(f"checking {len(before.checked.project.entries)} VMs as they would be …", err=True)
    waiting: dict[str, Finding] = {}
    try:
        if ready:
            found, waiting = advance_ready(before, moves)
        else:
            found = advance(before, moves) if moves else None
    except CannotEditError as error:
        click.echo(printable(f"{before.checked.project.where.file}: {error}; edit the file by hand"), err=True)
        return FINDINGS
    if found is not None and found.refused:
        errors = tuple(finding for finding in found.findings if finding.is_error)
        show(errors, found.checked.project.texts, style=style, everything=everything)
        click.echo(f"{summary(errors)}; nothing was written", err=True)
        return FINDINGS
    if found is not None and not dry:
        _write(found)
    if style == "json":
        click.echo(as_json(_data(found, waiting, written=found is not None and not dry)))
    else:
        _tell(before, found, waiting, dry=dry, everything=everything)
    return 0


_NO_FURTHER: dict[Stage, str] = {
    "retired": ", the last stage",
    "rolled-back": "; state with --to where it goes: prepared, or planned to decide its VMs again",
}


def _moves(before: Before, names: Sequence[str], phase: str | None, stage: Stage | None, *, ready: bool) -> list[Move]:
    """Return the moves that were asked for. Raises UsageError for a group or phase that does not exist."""
    blueprint = before.checked.resolution.blueprint
    for name in names:
        _known(before, name)
    phases = [each.name for each in blueprint.phases]
    if phase is not None and phase not in phases:
        raise click.UsageError(f"There is no phase {phase!r}.{did_you_mean(phase, phases)}")
    found = [
        _move(group, stage, named=group.name in names, ready=ready) for group in chosen(blueprint.groups, names, phase)
    ]
    return [move for move in found if move is not None]


def _move(group: Group, stage: Stage | None, *, named: bool, ready: bool) -> Move | None:
    """Return the move of a group; None if it is not meant. Raises UsageError if it was named and cannot be meant."""
    following = next_of(group)
    if stage is None:
        if following is None and named:
            raise click.UsageError(f"Group {group.name} is at {group.stage}{_NO_FURTHER[group.stage]}.")
        return following
    if named and group.stage == stage:
        raise click.UsageError(f"Group {group.name} is already at {group.stage}.")
    if not named and (following is None or rank(group.stage) >= rank(stage)):
        return None
    if ready and (following is None or following.after != stage):
        if named:
            then = f"; its next stage is {following.after}" if following else _NO_FURTHER[group.stage]
            raise click.UsageError(f"Group {group.name} is at {group.stage}{then}.")
        return None
    return Move(group.name, group.stage, stage)


def _stated(
    stage: Stage | None, data_loss: DataLoss | None, reason: str | None, hold: str | None, *, alone: bool
) -> Values:
    """Return what is set beside the stage. Raises UsageError for what does not belong to it."""
    if stage != "rolled-back" and (data_loss is not None or reason is not None):
        raise click.UsageError("--data-loss and --reason need --to rolled-back.")
    if hold is not None and not alone:
        raise click.UsageError("--hold needs --vm; for a whole group, write `hold` into the spec.")
    values = {"hold": hold, "dataLoss": data_loss, "reason": reason}
    return {field: value for field, value in values.items() if value is not None}


def _alone(before: Before, name: str, one: str, stage: Stage | None, more: Values) -> Move:
    """Return the move of one VM. Raises UsageError for a group or VM that does not exist."""
    _known(before, name)
    [group] = [each for each in before.checked.resolution.blueprint.groups if each.name == name]
    machines = {machine.key: machine for machine in group.machines}
    marks = Directory(of_machine(machine) for machine in group.machines)
    meant = marks.meant(one)
    if len(meant) != 1:
        names = [machine.name for machine in group.machines]
        hint = f" Write its id: {', '.join(sorted(m.key for m in meant))}." if meant else did_you_mean(one, names)
        raise click.UsageError(f"Group {name} has {len(meant) or 'no'} VM{'s' * (len(meant) > 1)} {one!r}.{hint}")
    return alone(group, machines[meant[0].key], stage or group.stage, more)


def _known(before: Before, name: str) -> None:
    """Raise UsageError for a group that does not exist."""
    known = [group.name for group in before.checked.resolution.blueprint.groups]
    if name not in known:
        raise click.UsageError(f"There is no group {name!r}.{did_you_mean(name, known)}")


def _with_more(before: Before, move: Move, stated: Values, *, deleted: bool) -> Move:
    """Return a move with what else it sets."""
    if move.before != "rolled-back":
        return structs.replace(move, more=stated)
    [group] = [group for group in before.checked.resolution.blueprint.groups if group.name == move.group]
    return structs.replace(move, more=again(before.checked.project, group, move.after, deleted=deleted))


def _write(found: Advance) -> None:
    """Write the file; a link is followed, as an editor would. Raises OSError if it cannot be written."""
    files.check_writable(found.file.resolve())
    files.replace(found.file.resolve(), found.content)


def _data(found: Advance | None, waiting: dict[str, Finding], *, written: bool) -> dict[str, object]:
    moves = found.moves if found is not None else ()
    return {
        "file": str(found.file) if found is not None else None,
        "written": written,
        "moves": [{"group": move.group, "from": move.before, "to": move.after} for move in moves],
        "waiting": [
            {"group": group, "code": finding.code, "message": finding.message}
            for group, finding in sorted(waiting.items())
        ],
        "findings": as_data(found.findings, found.checked.project.texts) if found is not None else [],
    }


def _tell(before: Before, found: Advance | None, waiting: dict[str, Finding], *, dry: bool, everything: bool) -> None:
    for group, finding in sorted(waiting.items()):
        click.echo(f"{group} is not ready; after the move: {finding.code} {printable(finding.message)}", err=True)
    if found is None:
        click.echo("no group was moved", err=True)
        return
    sizes = {group.name: len(group.machines) for group in found.checked.resolution.blueprint.groups}
    for move in found.moves:
        where = f"{move.before} → {move.after}" if move.before != move.after else f"stays at {move.after}"
        click.echo(f"{move.group}: {where} ({counted(sizes[move.group], 'VM')})")
    if found.findings:
        show(found.findings, found.checked.project.texts, everything=everything, err=True)
    if dry:
        click.echo(f"{printable(str(found.file))}: nothing was written", err=True)
        return
    click.echo(f"{printable(str(found.file))}: updated {counted(len(found.moves), 'group')}; next:", err=True)
    for line in _next(before, found):
        click.echo(f"  {printable(line)}", err=True)


def _next(before: Before, found: Advance) -> Iterator[str]:
    """Yield the commands that commit the move."""
    spec, out = shlex.quote(str(before.spec)), compiled_into(before)
    named = f" --assignments {shlex.quote(str(before.assignments))}" if before.assignments is not None else ""
    yield f"vmferry compile {spec} --out {shlex.quote(str(out or 'DIR'))}{named}"
    if out is not None:
        tree = out / before.checked.resolution.blueprint.gitops.path
        project = before.checked.project
        beside = [Path(path) for path in (project.evidence_file, project.adopted_folder) if path]
        paths = [found.file, before.assignments or assignments_path(before.spec)]
        paths += [*(path for path in beside if path.exists()), tree]
        yield f"git add {' '.join(shlex.quote(str(path)) for path in paths)}"
        yield f"git commit -m {shlex.quote(_subject(found.moves))}"


def _subject(moves: Sequence[Move]) -> str:
    """Return the first line of a commit message."""
    first = moves[0]
    if len(moves) == 1 and first.before == first.after:
        return f"{first.group}: waits at {first.after}"
    if len(moves) == 1:
        return f"{first.group}: {first.before} → {first.after}"
    same = all((move.before, move.after) == (first.before, first.after) for move in moves)
    return (
        f"{len(moves)} groups: {first.before} → {first.after}" if same else f"{len(moves)} groups to their next stages"
    )
