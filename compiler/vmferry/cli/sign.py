"""`vmferry sign`: record that a person accepts what a stage of some groups reached."""

from datetime import datetime
from pathlib import Path
from typing import Literal

import click

from vmferry.cache import Cache
from vmferry.cli.findings import as_json
from vmferry.cli.observe import as_data, line
from vmferry.cli.options import (
    assignments_option,
    cache_options,
    did_you_mean,
    format_option,
    now_option,
    spec_argument,
)
from vmferry.estate.integrity import compared
from vmferry.estate.methods import METHODS
from vmferry.estate.performance import compares
from vmferry.estate.stages import STAGES, rank
from vmferry.estate.wording import counted
from vmferry.estate.words.secrecy import said
from vmferry.model.blueprint import Group
from vmferry.model.evidence import OBSERVED, Entry, What
from vmferry.model.spec import Stage
from vmferry.observe.entries import stamp
from vmferry.observe.evidence_file import EvidenceFile, checked_spec
from vmferry.render.printable import printable

_LONGEST = 500
"""Characters of a note: what takes longer belongs into the pull request."""


@click.command("sign")
@spec_argument
@click.argument("groups", nargs=-1, required=True, metavar="GROUP...")
@click.option("--by", "signer", required=True, metavar="NAME", help="Who accepts it.")
@click.option("--note", required=True, metavar="TEXT", help="What was checked, or where the approval is.")
@click.option("--stage", type=click.Choice(STAGES), help="Stage that is accepted. [default: each group's current one]")
@click.option(
    "--despite-checks", "despite", is_flag=True, help="Accept the groups although not all of their checks passed."
)
@click.option(
    "--without-before",
    "without",
    is_flag=True,
    help="Let the groups go on although nobody recorded what their data are at the source (checks with `same`).",
)
@click.option(
    "--caught-up",
    "source",
    type=click.Choice(["read-only", "off"]),
    help="Replication has caught up, and the sources are read-only or off: the replicas may be promoted.",
)
@click.option(
    "--despite-performance",
    "though_slower",
    is_flag=True,
    help="Accept the groups although VMs are slower than in vSphere, or were not compared.",
)
@click.option("--dry-run", "dry", is_flag=True, help="Write nothing; show what would be added.")
@now_option
@assignments_option
@format_option
@cache_options
def command(
    spec: Path,
    groups: tuple[str, ...],
    signer: str,
    note: str,
    stage: Stage | None,
    despite: bool,
    without: bool,
    source: str | None,
    though_slower: bool,
    dry: bool,
    now: datetime,
    assignments: Path | None,
    style: str,
    cache: Cache,
) -> int:
    """Record in evidence.yaml that someone accepts a stage of a group.

    A sign-off stands for everything that the next stage would need of this one (`vmferry rules VMF870`), except for
    acceptance snapshots, for checks (--despite-checks), for comparisons with vSphere (--despite-performance), for data
    that nobody recorded before the move (--without-before), and for the state of replicas (--caught-up). It counts for
    the group's current attempt. Commit the file: the commit shows who really wrote it.

    \b
    Examples:
      vmferry sign migration/ first-01 --by 'Ada Lovelace' --note 'smoke tests passed, CHG-4711' --dry-run
      vmferry sign migration/ first-01 --by ada --note CHG-4711 --format json --dry-run
    """  # noqa: D301 - click wants the character
    if str(spec) == "-":
        raise click.UsageError("sign needs files, not standard input.")
    signer, note = _plain(signer, "--by", 100), _plain(note, "--note", _LONGEST)
    if signer == OBSERVED:
        raise click.UsageError(f"--by {OBSERVED} is what vmferry observe writes; name a person.")
    checked = checked_spec(spec, assignments, cache)
    known = {group.name: group for group in checked.resolution.blueprint.groups}
    for name in groups:
        if name not in known:
            raise click.UsageError(f"There is no group {name!r}.{did_you_mean(name, known)}")
    file = EvidenceFile(checked)
    signed = tuple(_signed(known[name], stage, signer, note, now) for name in dict.fromkeys(groups))
    if despite:
        signed += tuple(_despite("check", known[name], signer, note, now) for name in dict.fromkeys(groups))
    if without:
        signed += tuple(_without(known[name], signer, note, now) for name in dict.fromkeys(groups))
    if though_slower:
        signed += tuple(_despite("performance", known[name], signer, note, now) for name in dict.fromkeys(groups))
    if source is not None:
        signed += tuple(_caught_up(known[name], signer, note, source, now) for name in dict.fromkeys(groups))
    news = file.add(signed, dry=dry)
    path = printable(str(file.path))
    if style == "json":
        click.echo(as_json({"file": str(file.path), "written": not dry, "entries": as_data(news)}))
    else:
        for entry in news:
            click.echo(line(entry))
    count = counted(len(news), "entry", "entries")
    click.echo(f"{path}: would add {count}; nothing was written" if dry else f"{path}: added {count}", err=True)
    return 0


def _plain(text: str, option: str, most: int) -> str:
    """Return a text as it goes into git. Raises UsageError for an empty or long one, or one with a credential."""
    line_ = " ".join(text.split())
    if not line_:
        raise click.UsageError(f"{option} is empty.")
    if len(line_) > most:
        raise click.UsageError(f"{option} is longer than {most} characters.")
    if said(line_, most) != line_:
        raise click.UsageError(f"{option} contains what looks like a credential, or characters that cannot be shown.")
    return line_


def _entry(what: What, group: Group, signer: str, note: str, now: datetime, stage: Stage | None = None) -> Entry:
    """Return what a person says of a group, in its current attempt."""
    return Entry(
        group=group.name,
        what=what,
        attempt=group.attempt,
        remigrate=group.remigrate,
        stage=stage,
        outcome="succeeded",
        finished=stamp(now),
        by=signer,
        note=note,
    )


def _signed(group: Group, stage: Stage | None, signer: str, note: str, now: datetime) -> Entry:
    """Return the sign-off of a stage. Raises UsageError for one that the group has not reached."""
    at = stage or group.stage
    if rank(at) > rank(group.stage):
        raise click.UsageError(f"Group {group.name} is at {group.stage}, so nobody can accept {at} yet.")
    return _entry("signOff", group, signer, note, now, stage=at)


def _despite(what: Literal["check", "performance"], group: Group, signer: str, note: str, now: datetime) -> Entry:
    """Return that a group is accepted although something failed. Raises UsageError for one that has nothing of it."""
    if what == "check" and not group.checks:
        raise click.UsageError(f"Group {group.name} has no checks: leave out --despite-checks.")
    if what == "performance" and not compares(group):
        raise click.UsageError(f"No VM of group {group.name} is compared: leave out --despite-performance.")
    return _entry(what, group, signer, note, now)


def _without(group: Group, signer: str, note: str, now: datetime) -> Entry:
    """Return that a group goes on without values from before. Raises UsageError for one that compares nothing."""
    if not any(True for _ in compared(group)):
        raise click.UsageError(f"No check of group {group.name} compares data (`same`): leave out --without-before.")
    return _entry("before", group, signer, note, now)


def _caught_up(group: Group, signer: str, note: str, source: str, now: datetime) -> Entry:
    """Return that replicas may be promoted. Raises UsageError for a group without replicas, or not at `migrating`."""
    if not METHODS[group.method].replicates:
        raise click.UsageError(f"Group {group.name} moves by method {group.method}: leave out --caught-up.")
    if group.stage != "migrating":
        raise click.UsageError(f"Group {group.name} is at {group.stage}; its replicas are promoted from migrating.")
    return _entry("replication", group, signer, f"sources are {source}: {note}", now)
