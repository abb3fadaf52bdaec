"""`vmferry cache`: show or delete the results that earlier runs kept."""

from pathlib import Path

import click

from vmferry.cache import clean, default_directory
from vmferry.cli.options import cache_dir_option


@click.group("cache")
def command() -> None:
    """Show or clear the cache, which makes the next run faster.

    It only contains results that vmferry can compute again, at most one gigabyte.

    \b
    Examples:
      vmferry cache dir
      vmferry cache clean
      vmferry cache clean --cache-dir .cache/vmferry
    """  # noqa: D301 - click wants the character


@command.command("dir")
@cache_dir_option
def dir_(cache_dir: Path | None) -> None:
    """Print the directory of the cache."""
    click.echo(cache_dir or default_directory())


@command.command("clean")
@cache_dir_option
def clean_(cache_dir: Path | None) -> None:
    """Delete everything in the cache."""
    directory = cache_dir or default_directory()
    freed = clean(directory)
    click.echo(f"{directory}: {freed / 2**20:.1f} MiB freed" if freed else f"{directory}: nothing to delete")
