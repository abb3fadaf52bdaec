"""A bare inventory as the spec that `vmferry init --from` would draft for it, for reports before there is a spec."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from vmferry.cli.init import no_vm, quoted
from vmferry.draft.propose import propose
from vmferry.load.project import read_inventories

_INVENTORY = "inventory"


def is_bare(path: Path) -> bool:
    """Return whether a directory, or a file, has an inventory and no spec: what `vmferry import` wrote."""
    if str(path) == "-":
        return False
    files = [path] if path.is_file() else [*path.glob("*.yaml"), *path.glob("*.yml")]
    if any(_kind(file) == "MigrationSpec" for file in files):
        return False
    below = path.rglob("*.yaml") if path.is_dir() else files
    return any(_kind(file) == "Inventory" for file in below)


def _kind(file: Path) -> str:
    """Return the kind that the first lines of a file state; "" if they state none."""
    with file.open(errors="replace") as lines:
        for line, _ in zip(lines, range(20), strict=False):
            if line.startswith("kind:"):
                return line.removeprefix("kind:").strip()
    return ""


@contextmanager
def drafted(inventory: Path) -> Iterator[Path]:
    """Draft a spec for an inventory in a directory of its own; the caller uses it before it is removed.

    Raises SpecError for what is not an inventory, and a usage error if it has no VM.
    """
    parts = read_inventories(inventory)
    if not any(part.vms for part in parts):
        raise click.UsageError(f"{no_vm(inventory)}.")
    name = inventory.resolve().name if inventory.is_dir() else inventory.stem
    with tempfile.TemporaryDirectory(prefix="vmferry-") as folder:
        top = Path(folder)
        if inventory.is_dir():
            shutil.copytree(inventory, top / _INVENTORY, ignore=_only_yaml)
        else:
            (top / _INVENTORY).mkdir()
            shutil.copy(inventory, top / _INVENTORY)
        for file, text in propose(parts, name, quoted, inventory=_INVENTORY).files.items():
            (top / file).parent.mkdir(parents=True, exist_ok=True)
            (top / file).write_text(text, encoding="utf-8")
        yield top


def _only_yaml(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not name.endswith(".yaml") and not (Path(folder) / name).is_dir()]
