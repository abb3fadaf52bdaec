"""Arguments and options that several verbs share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def spec_argument(function: F) -> F:
    """Add the SPEC argument: a file, a directory, or - for standard input."""
    kind = click.Path(exists=True, allow_dash=True, path_type=Path)
    return click.argument("spec", type=kind)(function)


def format_option(function: F) -> F:
    """Add --format."""
    return click.option(
        "--format",
        "style",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="Output format.",
        callback=_remember,
    )(function)


def _remember(context: click.Context, option: click.Parameter, value: Any) -> Any:
    """Keep a value where it is still known when the verb has failed."""
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
    text = "Show every finding, however many are alike."
    return click.option("--all", "everything", is_flag=True, help=text, callback=_remember)(function)
