"""`vmferry schema`: the JSON Schemas with which editors and other tools complete and check a spec."""

import json
from pathlib import Path

import click

from vmferry import files
from vmferry.load.schema import KINDS, bundle, file_name, json_schema


@click.command("schema")
@click.argument("kind", required=False, type=click.Choice(list(KINDS), case_sensitive=False))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write one file per kind into this directory instead.",
)
def command(kind: str | None, out: Path | None) -> int:
    """Print the JSON Schema (draft 2020-12) of one KIND, or of any spec file.

    \b
    Examples:
      vmferry schema > vmferry.schema.json
      vmferry schema MigrationSpec
      vmferry schema --out schemas/
    """  # noqa: D301 - click wants the character
    if out is None:
        click.echo(json.dumps(json_schema(kind) if kind else bundle(), indent=2))
        return 0
    out.mkdir(parents=True, exist_ok=True)
    for name in [kind] if kind else KINDS:
        files.replace(out / file_name(name), (json.dumps(json_schema(name), indent=2) + "\n").encode())
    return 0
