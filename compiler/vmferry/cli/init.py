"""`vmferry init`: a first spec that compiles, and schemas that make an editor complete it."""

import json
import os
from importlib.resources import files
from pathlib import Path

import click

from vmferry.cli import FINDINGS
from vmferry.model.schema import KINDS, file_name, json_schema

SPEC, TEAM = "spec.yaml", "vms/team-a.yaml"
_SCHEMAS = ".vmferry/schemas"


@click.command("init")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), default=".")
def command(directory: Path) -> int:
    """Write a first spec into DIRECTORY: two VMs, commented, ready to be edited.

    Schemas go to .vmferry/schemas; a comment on top of each file points editors there (VS Code needs the
    YAML extension). Files that exist are never overwritten.

    \b
    Examples:
      vmferry init migration/
      vmferry check migration/
    """  # noqa: D301 - click wants the character
    template = files("vmferry.cli") / "template"
    wanted = {SPEC: (template / "spec.yaml").read_bytes(), TEAM: (template / "team-a.yaml").read_bytes()}
    wanted |= {f"{_SCHEMAS}/{file_name(kind)}": _schema(kind) for kind in KINDS}
    present = [name for name in wanted if os.path.lexists(directory / name)]
    if present:
        click.echo(f"vmferry: {directory / present[0]} exists; init overwrites nothing", err=True)
        return FINDINGS
    for name, content in wanted.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    click.echo(f"wrote {directory / SPEC} and {directory / TEAM}; next: vmferry check {directory}")
    return 0


def _schema(kind: str) -> bytes:
    return (json.dumps(json_schema(kind), indent=2) + "\n").encode()
