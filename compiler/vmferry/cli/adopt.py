"""`vmferry adopt`: record VMs as the cluster has them, so that git can own them without changing them."""

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from vmferry.adoption.adopt import Adopted, Adoption, adopt, adoptable, write
from vmferry.adoption.live import LiveObjects
from vmferry.cache import Cache
from vmferry.check import Checked, check
from vmferry.cli import FINDINGS
from vmferry.cli.findings import as_json
from vmferry.cli.options import (
    assignments_option,
    cache_options,
    did_you_mean,
    format_option,
    spec_argument,
)
from vmferry.estate.wording import counted
from vmferry.model.blueprint import Group
from vmferry.model.finding import SpecError
from vmferry.observe.dumps import MOST, DumpError, read
from vmferry.render.printable import printable


@click.command("adopt")
@spec_argument
@click.argument("groups", nargs=-1, metavar="[GROUP]...")
@click.option(
    "--from",
    "sources",
    multiple=True,
    required=True,
    type=click.Path(exists=True, allow_dash=True, path_type=Path),
    metavar="DIR|FILE|-",
    help="A dump of `kubectl get vm,pvc -o json`: a file, a directory of .json files, or - for standard input. "
    "Repeatable.",
)
@click.option("--dry-run", "dry", is_flag=True, help="Write nothing; show what would be recorded.")
@assignments_option
@format_option
@cache_options
def command(
    spec: Path,
    groups: tuple[str, ...],
    sources: tuple[Path, ...],
    dry: bool,
    assignments: Path | None,
    style: str,
    cache: Cache,
) -> int:
    """Record VMs as they are in the cluster, in adopted/GROUP.yaml beside the spec.

    From then on, compile emits the recorded VMs, so that syncing them changes nothing. Groups that Forklift moved need
    this before stage adopted. After a restore, record again: the restored VMs have other claims. It shows where a
    VM differs from the decisions. If one has fewer disks or NICs, a claim that is not bound, or cloud-init data that
    is not in a Secret, nothing is written. It records every group from stage cutover on, or the ones named.

    \b
    Examples:
      kubectl get vm,pvc -A -o json | vmferry adopt migration/ --from - --dry-run
      vmferry adopt migration/ first-01 --from dumps/
    """  # noqa: D301 - click wants the character
    if str(spec) == "-":
        raise click.UsageError("adopt needs files, not a spec on standard input.")
    checked = check(spec, assignments, cache=cache, reasons=False)
    if not checked.complete:
        raise SpecError(*(finding for finding in checked.findings if finding.is_error))
    chosen = _chosen(checked, groups)
    objects = LiveObjects()
    try:
        for source in sources:
            read(source, sys.stdin.buffer.read(MOST + 1) if str(source) == "-" else None, objects)
    except DumpError as error:
        raise click.UsageError(printable(str(error))) from None
    adoption = adopt(checked, chosen, objects)
    if not dry:
        write(adoption)
    if style == "json":
        click.echo(as_json(_data(adoption, objects, written=not dry and not adoption.refused)))
    else:
        _tell(adoption, objects, spec, dry=dry)
    return FINDINGS if adoption.refused else 0


def _chosen(checked: Checked, names: tuple[str, ...]) -> list[Group]:
    """Return the groups to record: the named ones, or all from cutover on."""
    known = {group.name: group for group in checked.resolution.blueprint.groups}
    for name in names:
        if name not in known:
            raise click.UsageError(f"There is no group {name!r}.{did_you_mean(name, known)}")
        if not adoptable(known[name]):
            raise click.UsageError(
                f"Group {name} is {known[name].stage}, on path {known[name].path}: only VMs that run in the target "
                "are recorded, from stage cutover on."
            )
    return [group for group in known.values() if adoptable(group) and (not names or group.name in names)]


def _data(adoption: Adoption, objects: LiveObjects, *, written: bool) -> dict[str, Any]:
    return {
        "written": written,
        "files": [str(path) for path in adoption.content],
        "adopted": [
            {
                "group": vm.group,
                "key": vm.key,
                "name": vm.name,
                "namespace": vm.namespace,
                "targetName": vm.target_name,
                "changed": vm.news,
                "differences": [
                    {"field": each.field, "decided": each.decided, "live": each.live} for each in vm.differences
                ],
            }
            for vm in adoption.adopted
        ],
        "refused": [
            {"group": each.group, "vm": each.vm, "problem": each.what, "help": each.fix} for each in adoption.refused
        ],
        "absent": [{"group": group, "vm": vm} for group, vm in adoption.absent],
        "unread": objects.unread,
    }


def _tell(adoption: Adoption, objects: LiveObjects, spec: Path, *, dry: bool) -> None:
    for vm in adoption.adopted:
        _tell_vm(vm)
    for name in objects.unread:
        click.echo(printable(f"not read: {name} has another form than its kind"), err=True)
    for group, name in adoption.absent:
        click.echo(printable(f"{group} {name}: not in the dump"), err=True)
    for each in adoption.refused:
        click.echo(printable(f"{each.group} {each.vm}: {each.what}"), err=True)
        click.echo(printable(f"  help: {each.fix}"), err=True)
    if adoption.refused:
        click.echo(f"{counted(len(adoption.refused), 'problem')}; nothing was written", err=True)
    elif not adoption.content:
        click.echo("nothing new to record", err=True)
    elif dry:
        click.echo(f"would write {counted(len(adoption.content), 'file')}; nothing was written", err=True)
    else:
        for path in adoption.content:
            click.echo(printable(f"{path}: updated"), err=True)
        click.echo("next: compile, look at the diff, and commit it with these files:", err=True)
        paths = " ".join(shlex.quote(str(path)) for path in adoption.content)
        click.echo(printable(f"  vmferry compile {shlex.quote(str(spec))} --out DIR"), err=True)
        click.echo(printable(f"  git add {paths}"), err=True)


def _tell_vm(vm: Adopted) -> None:
    state = "recorded" if vm.news else "recorded before"
    count = len(vm.differences)
    differing = f", {counted(count, 'difference')} from the decisions" if count else ", as decided"
    click.echo(printable(f"{vm.group} {vm.name} ({vm.namespace}/{vm.target_name}): {state}{differing}"))
    for each in vm.differences:
        decided = each.decided if each.decided is not None else "none"
        click.echo(printable(f"  {each.field}: {decided} → {each.live if each.live is not None else 'none'}"))
