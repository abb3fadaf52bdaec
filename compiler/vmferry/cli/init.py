"""`vmferry init`: write a starter spec that compiles, or a draft from an inventory, and schemas for editors."""

import json
import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import click

from vmferry import files as disk
from vmferry.cli import FINDINGS
from vmferry.load.schema import KINDS, file_name, json_schema

SPEC, TEAM = "spec.yaml", "vms/team-a.yaml"
_SCHEMAS = ".vmferry/schemas"
_INVENTORY = "inventory"
_SHOWN = 20  # decisions on standard output; the files mark all of them


@click.command("init")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), required=False)
@click.option(
    "--from",
    "inventory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Draft the spec from this inventory, as `vmferry import` wrote it.",
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Same as DIRECTORY.")
def command(directory: Path | None, inventory: Path | None, out: Path | None) -> int:
    """Write a starter spec into DIRECTORY: two VMs, commented, ready to edit.

    With --from, a draft for the VMs of an inventory: every decision proposed, with its reason as a comment.
    What only you can decide is marked TODO in the files, and listed. The inventory is copied to DIRECTORY/inventory
    unless it is already below DIRECTORY.

    Schemas go to .vmferry/schemas; a comment at the top of each file points editors there (VS Code needs the
    YAML extension). Files that exist are never overwritten.

    \b
    Examples:
      vmferry init migration/
      vmferry init --from inventory/ --out migration/
      vmferry check migration/
    """  # noqa: D301 - click wants the character
    if directory is not None and out is not None:
        raise click.UsageError("DIRECTORY and --out mean the same: give only one")
    directory = directory or out or Path()
    wanted = {f"{_SCHEMAS}/{file_name(kind)}": _schema(kind) for kind in KINDS}
    if inventory is not None:
        return _draft(directory, inventory, wanted)
    template = files("vmferry.cli") / "template"
    wanted = {SPEC: (template / "spec.yaml").read_bytes(), TEAM: (template / "team-a.yaml").read_bytes()} | wanted
    if not _write(directory, wanted):
        return FINDINGS
    click.echo(f"wrote {directory / SPEC} and {directory / TEAM}; next: vmferry check {directory}")
    return 0


def _write(directory: Path, wanted: Mapping[str, bytes]) -> bool:
    """Write files unless one of them exists; report which."""
    present = [name for name in wanted if os.path.lexists(directory / name)]
    if present:
        click.echo(f"vmferry: {directory / present[0]} exists; init does not overwrite files", err=True)
        return False
    for name, content in wanted.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        disk.create(path, content)
    return True


def _schema(kind: str) -> bytes:
    return (json.dumps(json_schema(kind), indent=2) + "\n").encode()


def _draft(directory: Path, inventory: Path, wanted: dict[str, bytes]) -> int:
    """Write the draft of a spec, and list the open decisions."""
    from vmferry.draft.propose import propose
    from vmferry.load.project import read_inventories

    if inventory.resolve() == directory.resolve():
        raise click.UsageError(f"the spec cannot be inside its inventory directory; try --out {directory / 'spec'}")
    place, copies = _placed(directory, inventory)
    found = read_inventories(inventory) if _files(inventory) else ()
    if not any(part.vms for part in found):
        click.echo(f"vmferry: {no_vm(inventory)}", err=True)
        return FINDINGS
    name = directory.resolve().name
    result = propose(found, name, quoted, schemas=_SCHEMAS, inventory=place)
    texts = {name: text.encode() for name, text in result.files.items()}
    if not _write(directory, texts | copies | wanted):
        return FINDINGS
    for line in result.summary:
        click.echo(line)
    decisions = result.decisions
    if decisions:
        click.echo(f"\n{len(decisions)} to decide, marked TODO:")
    for decision in decisions[:_SHOWN]:
        click.echo(f"  {decision}")
    if len(decisions) > _SHOWN:
        click.echo(f"  … and {len(decisions) - _SHOWN} more: grep -rn TODO {directory}")
    if copies:
        click.echo(f"\nthe inventory was copied to {directory / place}: use that as --out for later imports")
    click.echo(f"\nwrote {', '.join(str(directory / each) for each in texts)}; next: vmferry check {directory}")
    return 0


def _placed(directory: Path, inventory: Path) -> tuple[str, dict[str, bytes]]:
    """Return the inventory's path below the spec's directory, and the files to copy there."""
    own = inventory.resolve()
    if own.is_relative_to(directory.resolve()):
        return own.relative_to(directory.resolve()).as_posix(), {}
    copies = {f"{_INVENTORY}/{path.relative_to(inventory).as_posix()}": disk.read(path) for path in _files(inventory)}
    return _INVENTORY, copies


def _files(inventory: Path) -> list[Path]:
    return sorted(path for path in inventory.rglob("*.yaml") if path.is_file())


def no_vm(inventory: Path) -> str:
    """Return what is wrong with an inventory without VMs, such as one of NSX alone, and what to do."""
    return f"no VM in {inventory}; write an inventory with `vmferry import`"


def quoted(text: str) -> str:
    """Return a text as a YAML scalar on one line, whatever characters it has."""
    from vmferry.yaml.write import dump

    if "\n" not in text:
        return dump([text]).decode()[2:-1]
    # a control character prevents a block literal; it is removed again here
    return dump([f"{text}\0"]).decode()[2:-1].removesuffix('\\x00"') + '"'
