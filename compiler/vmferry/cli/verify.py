"""`vmferry verify`: check the compiled tree as a controller would read it."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from vmferry.cache import Cache
from vmferry.cli import FINDINGS
from vmferry.cli.findings import as_data, as_json, interactive, show, summary, texts_of
from vmferry.cli.options import all_option, cache_options, findings_option
from vmferry.verify.run import Report, verify


@click.command("verify")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--schemas",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory of JSON Schemas, GROUP/KIND_VERSION.json as for kubeconform. Repeatable.",
)
@findings_option
@all_option
@cache_options
def command(directory: Path, schemas: tuple[Path, ...], style: str, everything: bool, cache: Cache) -> int:
    """Build every root of a compiled tree with kustomize and check the result.

    A base that no engine syncs and that only lists unchanged files is read without kustomize. Each object is checked
    against its JSON Schema, references must resolve, and patches must have taken effect.

    \b
    Examples:
      vmferry verify .
      vmferry verify gitops/ --schemas ../CRDs-catalog
    """  # noqa: D301 - click wants the character
    with _progress() as progress:
        report = verify(directory, schemas, progress=progress, cache=cache)
    texts = _texts(report)
    if style == "json":
        click.echo(as_json(_data(report, texts)))
    else:
        show(report.findings, texts, style=style, everything=everything)
        if style == "text":
            _print(report)
    return FINDINGS if any(finding.is_error for finding in report.findings) else 0


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """Show a progress bar on a terminal; builds take a while."""
    if not interactive():
        yield None
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    with Progress(
        *Progress.get_default_columns(), MofNCompleteColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("verify", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _texts(report: Report) -> dict[str, str]:
    return texts_of({finding.where.file for finding in report.findings if finding.where})


def _print(report: Report) -> None:
    """Print what was checked, and what was not."""
    for (version, kind), count in sorted(report.checked.items(), key=lambda item: (item[0][1], item[0][0])):
        click.echo(f"  {count:6} {kind} ({version}) checked against its schema")
    for kind, count in sorted(report.unchecked.items()):
        click.echo(f"  {count:6} {kind} NOT checked: no schema given")
    for kind, names in sorted(report.external.items()):
        click.echo(
            f"  {len(names):6} {kind} expected to exist already: {', '.join(names[:5])}{' …' * (len(names) > 5)}"
        )
    checked, unchecked = sum(report.checked.values()), sum(report.unchecked.values())
    click.echo(
        f"{report.tree}: {report.roots} roots, {_built(report)}; "
        f"{checked} objects checked against schemas, {unchecked} without one; {summary(report.findings)}"
    )


def _built(report: Report) -> str:
    if not report.built:
        return "none needed a build"
    return f"{report.built} built, the slowest ({report.slowest}) in {report.seconds:.2f} s"


def _data(report: Report, texts: dict[str, str]) -> dict[str, Any]:
    return {
        "tree": str(report.tree),
        "roots": report.roots,
        "built": report.built,
        "slowest": {"root": report.slowest, "seconds": round(report.seconds, 3)},
        "checked": [{"apiVersion": v, "kind": k, "count": n} for (v, k), n in report.checked.items()],
        "unchecked": report.unchecked,
        "external": {kind: list(names) for kind, names in report.external.items()},
        "findings": as_data(report.findings, texts),
    }
