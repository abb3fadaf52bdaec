"""`vmferry observe`: record what really happened, from dumps of the cluster or through kubectl."""

import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from vmferry.cache import Cache
from vmferry.cli.findings import as_json
from vmferry.cli.options import F, assignments_option, cache_options, format_option, now_option, spec_argument
from vmferry.estate.wording import counted
from vmferry.estate.words.secrecy import said
from vmferry.model.blueprint import Blueprint
from vmferry.model.evidence import OBSERVED, Entry
from vmferry.observe.before import Befores
from vmferry.observe.dumps import MOST, Dump, DumpError, Taker, read
from vmferry.observe.evidence_file import EvidenceFile, checked_spec
from vmferry.observe.observe import observed
from vmferry.observe.poll import ask, kubectl
from vmferry.observe.prometheus import Answers, queries
from vmferry.observe.prometheus import observed as compared_entries
from vmferry.render.printable import printable


def _files(flag: str, name: str, text: str) -> Callable[[F], F]:
    """Add an option for files, directories or standard input, as often as wanted."""
    kind = click.Path(exists=True, allow_dash=True, path_type=Path)
    return click.option(flag, name, multiple=True, type=kind, metavar="DIR|FILE|-", help=text)


@click.command("observe")
@spec_argument
@_files(
    "--from",
    "sources",
    "A dump of `kubectl get … -o json`: a file, a directory of .json files, or - for standard input. Repeatable.",
)
@_files(
    "--prometheus",
    "answers",
    "What Prometheus' HTTP API answered to --queries: files, directories of .json files, or -. Repeatable.",
)
@_files(
    "--before", "befores", "What before.sh of a group printed: files, directories of .json files, or -. Repeatable."
)
@click.option("--queries", "ask_for", is_flag=True, help="Print what to ask Prometheus for --prometheus, and stop.")
@click.option("--watch", is_flag=True, help="Ask the cluster with your own kubectl again and again, until Ctrl-C.")
@click.option(
    "--interval",
    type=click.IntRange(min=5, max=86400),
    default=60,
    show_default=True,
    help="With --watch: seconds between two looks.",
)
@click.option("--context", help="With --watch: the context of your kubeconfig. [default: the current one]")
@click.option("--dry-run", "dry", is_flag=True, help="Write nothing; show what would be added.")
@now_option
@assignments_option
@format_option
@cache_options
def command(
    spec: Path,
    sources: tuple[Path, ...],
    answers: tuple[Path, ...],
    befores: tuple[Path, ...],
    ask_for: bool,
    watch: bool,
    interval: int,
    context: str | None,
    dry: bool,
    now: datetime,
    assignments: Path | None,
    style: str,
    cache: Cache,
) -> int:
    """Record what happened in the cluster, in evidence.yaml beside the assignments.

    It reads Plans, Migrations, Jobs, Pods, DataVolumes, PersistentVolumeClaims, VirtualMachines, their instances,
    events, and Kustomizations or Applications; of each only names, times, states and messages. It never asks for
    Secrets. Only news are added; commit the file with the next pull request.

    For checks with `same`, --before records what their scripts printed at the sources (docs/checks.md); what they print
    in the target is compared with it.

    In phases with `performance`, --prometheus compares VMs with what they were in vSphere (docs/performance.md):
    --queries prints one query of PromQL per line, to be sent to /api/v1/query.

    \b
    Examples:
      vmferry observe migration/ --from dumps/ --dry-run
      kubectl get plans,migrations -A -o json | vmferry observe migration/ --from -
      vmferry observe migration/ --watch --interval 120
      bash gitops/bases/first/first-01/before.sh | vmferry observe migration/ --before -
      vmferry observe migration/ --queries
    """  # noqa: D301 - click wants the character
    if str(spec) == "-":
        raise click.UsageError("observe needs files, not a spec on standard input.")
    if sum((bool(sources or answers or befores), watch, ask_for)) != 1:
        raise click.UsageError("Pass one of --from (or --prometheus, --before), --watch and --queries.")
    if not watch and context is not None:
        raise click.UsageError("--context needs --watch.")
    if [str(each) for each in (*sources, *answers, *befores)].count("-") > 1:
        raise click.UsageError("Standard input can only be read once.")
    checked = checked_spec(spec, assignments, cache)
    file, blueprint = EvidenceFile(checked), checked.resolution.blueprint
    if ask_for:
        return _ask_for(blueprint)
    tell = _Teller(file.path, style, dry=dry)
    if watch:
        return _watch(file, blueprint, context, interval, tell)
    dump, measured, printed = Dump(), Answers(), Befores()
    _read(sources, dump)
    _read(answers, measured)
    _read(befores, printed)
    entries = (
        *observed(dump, blueprint, now),
        *compared_entries(measured, blueprint),
        *_recorded(printed, blueprint, now),
    )
    news = file.add(entries, dry=dry)
    notices = [*(dump.notices() if sources else ()), *(measured.notices(blueprint) if answers else ())]
    for notice in notices:
        click.echo(printable(notice), err=True)
    tell(news)
    return 0


def _read(sources: tuple[Path, ...], taker: Taker) -> None:
    """Read files, directories, or standard input. Raises UsageError."""
    try:
        for source in sources:
            read(source, _stdin() if str(source) == "-" else None, taker)
    except DumpError as error:
        raise click.UsageError(printable(str(error))) from None


def _recorded(printed: Befores, blueprint: Blueprint, now: datetime) -> tuple[Entry, ...]:
    """Return what sources printed. Raises UsageError."""
    try:
        return printed.entries(blueprint, now)
    except DumpError as error:
        raise click.UsageError(printable(str(error))) from None


def _ask_for(blueprint: Blueprint) -> int:
    found = queries(blueprint)
    if not found:
        click.echo("no VM that runs is compared: set `performance` in a phase, and import baselines first", err=True)
    for each in found:
        click.echo(each)
    return 0


def _stdin() -> bytes:
    return sys.stdin.buffer.read(MOST + 1)


class _Teller:
    """Prints new entries."""

    def __init__(self, path: Path, style: str, *, dry: bool) -> None:
        self._path, self._style, self.dry = path, style, dry

    def __call__(self, news: tuple[Entry, ...]) -> None:
        if self._style == "json":
            click.echo(as_json({"file": str(self._path), "written": not self.dry, "entries": as_data(news)}))
        else:
            for entry in news:
                click.echo(line(entry))
        path = printable(str(self._path))
        if self.dry:
            click.echo(f"{path}: would add {counted(len(news), 'entry', 'entries')}; nothing was written", err=True)
        else:
            added = f"added {counted(len(news), 'entry', 'entries')}" if news else "nothing new"
            click.echo(f"{path}: {added}", err=True)


def _watch(file: EvidenceFile, blueprint: Blueprint, context: str | None, interval: int, tell: "_Teller") -> int:
    """Look again and again. Each look is written at once, so that Ctrl-C loses nothing."""
    program = kubectl()
    if program is None:
        raise click.UsageError("There is no kubectl on the PATH; --from reads dumps that were made elsewhere.")
    looks = 0
    try:
        while True:
            dump = Dump()
            troubles = list(ask(program, context, blueprint, dump))
            news = file.add(observed(dump, blueprint, datetime.now(UTC)), dry=tell.dry)
            looks += 1
            _say([*dump.notices(), *(f"not read: {said(trouble)}" for trouble in troubles)] if looks == 1 else troubles)
            if news or looks == 1:
                tell(news)
            time.sleep(interval)
    except KeyboardInterrupt:
        click.echo(f"stopped after {counted(looks, 'look')}", err=True)
        return 0


def _say(lines: Iterable[str]) -> None:
    for each in lines:
        click.echo(printable(said(each)), err=True)


def as_data(entries: tuple[Entry, ...]) -> list[Any]:
    """Return entries as they are in the file."""
    found: list[Any] = msgspec.to_builtins(entries)
    return found


def line(entry: Entry) -> str:
    """Return an entry for a terminal; a problem has further lines."""
    about = f"{entry.about} {entry.name}" if entry.name is not None else entry.about
    attempt = f" (attempt {entry.attempt})" if (entry.attempt or 1) > 1 else ""
    stage = f" of {entry.stage}" if entry.stage is not None else ""
    by = f" by {entry.by}" if entry.by != OBSERVED else ""
    named = entry.what in ("check", "before") and entry.vm is not None
    what = (entry.object or "").partition(" of ")[0] if named else entry.what
    text = printable(f"{about}: {what}{stage} {entry.outcome}{attempt}{by}")
    if entry.cause is not None:
        text += f" [{entry.cause}]\n  {printable(entry.problem or '')}\n  next: {printable(entry.next or '')}"
        text += f"\n  the cluster said: {printable(entry.said)}" if entry.said else ""
    return text
