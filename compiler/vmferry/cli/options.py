"""Arguments and options that several verbs share."""

import contextlib
import functools
import os
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from vmferry.cache import Cache

F = TypeVar("F", bound=Callable[..., Any])
FINDINGS_FORMATS = ("json", "sarif", "github", "gitlab", "junit")
"""Formats of findings for programs: the modules of `vmferry.cli.formats`."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a sentence with the name that is most like a mistyped one; nothing if none is."""
    import difflib  # only for what goes wrong

    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def spec_argument(function: F) -> F:
    """Add the SPEC argument: a file, a directory, or - for standard input."""
    kind = click.Path(exists=True, allow_dash=True, path_type=Path)
    return click.argument("spec", type=kind)(function)


def findings_option(function: F) -> F:
    """Add --format with every format of findings."""
    return _format(("text", *FINDINGS_FORMATS))(function)


def format_option(function: F) -> F:
    """Add --format, for results other than findings."""
    return _format(("text", "json"))(function)


def _format(choices: tuple[str, ...]) -> Callable[[F], F]:
    return click.option(
        "--format",
        "style",
        type=click.Choice(choices),
        default="text",
        show_default=True,
        help="Output format.",
        callback=remember,
    )


def remember(context: click.Context, option: click.Parameter, value: Any) -> Any:
    """Remember a value so that it is still known after the verb has failed."""
    context.meta[f"vmferry.{option.name}"] = value
    return value


def assignments_option(function: F) -> F:
    """Add --assignments."""
    return click.option(
        "--assignments",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Assignments file. [default: assignments.yaml beside the spec]",
    )(function)


def all_option(function: F) -> F:
    """Add --all, for findings."""
    text = "Show every finding, even if many are similar."
    return click.option("--all", "everything", is_flag=True, help=text, callback=remember)(function)


def cache_dir_option(function: F) -> F:
    """Add --cache-dir."""
    return click.option(
        "--cache-dir",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="VMFERRY_CACHE_DIR",
        help="Cache directory. [env: VMFERRY_CACHE_DIR; default: the user's cache directory]",
    )(function)


def cache_options(function: F) -> F:
    """Add --cache-dir and --no-cache; the command gets a `Cache` as ``cache``, which is closed afterwards."""

    @functools.wraps(function)
    def wrapped(*arguments: Any, cache_dir: Path | None, no_cache: bool, **options: Any) -> Any:
        with contextlib.closing(Cache(cache_dir, enabled=not no_cache)) as cache:
            return function(*arguments, cache=cache, **options)

    text = "Do not read or write the cache. [env: VMFERRY_NO_CACHE]"
    option = click.option("--no-cache", is_flag=True, envvar="VMFERRY_NO_CACHE", help=text)
    return cast("F", cache_dir_option(option(wrapped)))


_kept: list[object] = []


def keep(*values: object) -> None:
    """Keep what a verb worked on until the program ends, which frees nothing, or another verb runs in its process."""
    _kept[:] = values


class Moment(click.ParamType[datetime]):
    """A time with its zone (RFC 3339)."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the time. Fails with a usage error for an invalid one."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time such as 2027-01-11T20:00:00Z", param, ctx)
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            self.fail(f"{value!r} is out of range", param, ctx)


def now_option(function: F) -> F:
    """Add --now, for rules on time."""
    text = (
        "Current time, for rules that depend on it. In CI, pass the commit's time, so that a commit always gets "
        "the same result."
    )
    return click.option("--now", type=Moment(), default=_now, help=f"{text} [default: SOURCE_DATE_EPOCH, or now]")(
        function
    )


def _now() -> datetime:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if not epoch:
        return datetime.now(UTC)
    if re.fullmatch("[0-9]{1,12}", epoch):
        with contextlib.suppress(ValueError, OverflowError):
            return datetime.fromtimestamp(int(epoch), UTC)
    raise click.UsageError(f"SOURCE_DATE_EPOCH is {epoch[:40]!r}, which is not a number of seconds since 1970.")
