"""`vmferry import`: write the facts of a source as inventory files. Its commands are the registered importers."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from vmferry import __version__
from vmferry.cli import FINDINGS
from vmferry.cli.findings import interactive
from vmferry.cli.lazy import Lazy
from vmferry.estate.wording import counted
from vmferry.estate.words.secrecy import Keep
from vmferry.importers import IMPORTERS, importer
from vmferry.importers.errors import ImporterError
from vmferry.importers.inventory_files import split, write
from vmferry.importers.protocol import Importer, Request
from vmferry.importers.steady import steady
from vmferry.model.inventory import Inventory, Unjoined
from vmferry.render.printable import printable
from vmferry.yaml.write import dump

_SHOWN = 5  # rows of one tab with the same problem


class _Importers(Lazy):
    """One command per importer; its module is imported when it is called."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of an importer."""
        if cmd_name not in self.modules:
            return None
        found = importer(cmd_name)
        return click.Command(
            cmd_name,
            callback=partial(_import, found),
            params=[_OUT, *found.parameters, _NOTES, _ATTRIBUTE],
            help=found.help,
        )


@click.group("import", cls=_Importers, modules=IMPORTERS)
def command() -> None:
    """Import VMs and their surroundings from vSphere, and NSX's firewall, into inventory files: facts, no decisions.

    \b
    Examples:
      vmferry import rvtools RVTools_export.xlsx --out inventory/
      vmferry import vcenter https://vc1.acme.example --source vc1 --out inventory/
      vmferry import nsx --from nsx/ --source vc1 --out inventory/
    """  # noqa: D301 - click wants the character


_OUT = click.Option(
    ["--out"],
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory to write the inventory files to.",
)
_NOTES = click.Option(
    ["--notes"],
    is_flag=True,
    help="Import the notes of VMs, which often contain passwords. [default: known words only]",
)
_ATTRIBUTE = click.Option(
    ["--attribute", "attributes"],
    multiple=True,
    metavar="GLOB",
    help="Also import custom attributes with this name. Known harmless ones, such as Owner, are always imported. "
    "Repeatable.",
)


def _import(found: Importer, out: Path, *, notes: bool, attributes: tuple[str, ...], **given: Any) -> int:
    """Run an importer and report what it found. Turns an ImporterError into a message and an exit code."""
    request = Request(by=f"vmferry {__version__}", keep=Keep(notes, attributes), progress=_progress, ask=_ask)
    try:
        reading = found.read(request, **given)
        changed = _save(reading.inventories, out)
    except ImporterError as error:
        click.echo(f"vmferry: {printable(str(error))}", err=True)
        return FINDINGS
    for text in reading.notes:
        click.echo(f"note: {printable(text)}", err=True)
    for inventory in reading.inventories:
        _report(inventory)
        left = len(inventory.unjoined)
        more = [f"{counted(left, 'row')} not imported, listed above"] if left else []
        click.echo("; ".join((_summary(inventory), *more, *filter(None, (reading.effort,)))))
    where = printable(str(out))
    vms = any(inventory.nsx is None for inventory in reading.inventories)
    following = f"vmferry init --from {where}" if vms else "vmferry report networks, on the spec or the inventory"
    click.echo(f"{counted(len(changed), 'file')} changed in {where}; next: {following}")
    return 0


def _save(inventories: Sequence[Inventory], out: Path) -> list[Path]:
    """Write inventories below a directory; return the files that changed. Raises ImporterError and OSError."""
    parts = {name: part for inventory in inventories for name, part in split(steady(inventory)).items()}
    return write(parts, out, dump)


def _summary(inventory: Inventory) -> str:
    """Return how many objects of each kind an inventory has."""
    nsx = inventory.nsx
    parts: tuple[str, ...] = (
        counted(len(inventory.vms), "VM"),
        counted(sum(len(vm.disks or ()) for vm in inventory.vms), "disk"),
        counted(sum(len(vm.nics or ()) for vm in inventory.vms), "NIC"),
        counted(len(inventory.networks), "network"),
        counted(len(inventory.datastores), "datastore"),
        counted(len(inventory.hosts), "host"),
        *([counted(len(inventory.permissions), "permission")] if inventory.permissions else []),
    )
    if nsx is not None:
        parts = (
            counted(len(nsx.segments), "segment"),
            counted(len(nsx.groups), "group"),
            counted(len(nsx.policies), "policy", "policies"),
            counted(sum(len(policy.rules) for policy in nsx.policies), "rule"),
            counted(len(nsx.vms), "VM") + " with tags",
        )
    return f"{inventory.source.name}: {', '.join(parts)}"


def _report(inventory: Inventory) -> None:
    """List what was not imported, a few rows per reason."""
    shown: Counter[tuple[str, str]] = Counter()
    for each in inventory.unjoined:
        alike = each.tab, re.sub("[0-9]+", "…", each.reason)
        shown[alike] += 1
        if shown[alike] <= _SHOWN:
            click.echo(_line(each), err=True)
    for (tab, reason), count in shown.items():
        if count > _SHOWN:
            click.echo(f"{printable(tab)}: and {count - _SHOWN} more: {printable(reason)}", err=True)


def _line(each: Unjoined) -> str:
    name = f" ({printable(each.vm[:60])})" if each.vm else ""
    return f"{printable(each.tab)} row {each.row}{name}: {printable(each.reason)}"


def _progress(what: str) -> None:
    if interactive():
        click.echo(f"{printable(what)} …", err=True)


def _ask(what: str, hidden: bool) -> str:
    return str(click.prompt(what, hide_input=hidden, err=True))
