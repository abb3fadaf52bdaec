"""`vmferry import rvtools`: inventory files from RVTools exports."""

import re
from collections import Counter
from pathlib import Path

import click

from vmferry import __version__
from vmferry.cli import FINDINGS
from vmferry.cli.findings import counted, printable
from vmferry.cli.import_ import keep_options, note, save, summary, tell
from vmferry.estate.words.secrecy import Keep
from vmferry.importers.files import NotOurs
from vmferry.importers.rvtools.read import read_exports
from vmferry.importers.rvtools.workbook import ExportError
from vmferry.model.inventory import Inventory, Unjoined

_SHOWN = 5  # rows of one tab that tell the same


def _is_name(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", value):
        raise click.BadParameter("a name is at most 63 of a-z, 0-9 and -, and begins and ends with a letter or digit")
    return value


@click.command("rvtools")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="FILE…")
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Directory of the inventory files."
)
@click.option("--source", callback=_is_name, help="Name of the vCenter in the spec. [default: from its server's name]")
@keep_options
def command(files: tuple[Path, ...], out: Path, source: str | None, *, notes: bool, attributes: tuple[str, ...]) -> int:
    """Read RVTools exports (3.x to 4.x): .xlsx files, .csv files, or folders of .csv files.

    Several exports of several vCenters make one inventory for each. Rows that belong to no VM are listed and
    kept in the inventory; so is whatever of a VM could not be taken over. Of two exports of one vCenter the newer
    facts count.

    Inventories are committed, and people write passwords into notes and custom attributes. So notes stay in vCenter
    but for words vmferry knows, and attributes but for known harmless ones; --notes and --attribute take more over.

    \b
    Examples:
      vmferry import rvtools RVTools_export.xlsx --out inventory/
      vmferry import rvtools dc1.xlsx dc2.xlsx --out inventory/
      vmferry import rvtools csv-folder/ --out inventory/ --source vc1
    """  # noqa: D301 - click wants the character
    try:
        reading = read_exports(files, source, by=f"vmferry {__version__}", keep=Keep(notes, attributes))
        changed = save(reading.inventories, out)
    except (ExportError, NotOurs) as error:
        click.echo(f"vmferry: {printable(str(error))}", err=True)
        return FINDINGS
    for text in reading.notes:
        note(text)
    for inventory in reading.inventories:
        _report(inventory)
        left = len(inventory.unjoined)
        told = f"; {counted(left, 'row')} not taken over, listed above" if left else ""
        click.echo(f"{summary(inventory)}{told}")
    tell(changed, out)
    return 0


def _report(inventory: Inventory) -> None:
    """List what was not taken over, a few rows a reason."""
    shown: Counter[tuple[str, str]] = Counter()
    for each in inventory.unjoined:
        alike = each.tab, re.sub("[0-9]+", "…", each.reason)
        shown[alike] += 1
        if shown[alike] <= _SHOWN:
            click.echo(_told(each), err=True)
    for (tab, reason), count in shown.items():
        if count > _SHOWN:
            click.echo(f"{printable(tab)}: and {count - _SHOWN} more: {printable(reason)}", err=True)


def _told(each: Unjoined) -> str:
    name = f" ({printable(each.vm[:60])})" if each.vm else ""
    return f"{printable(each.tab)} row {each.row}{name}: {printable(each.reason)}"
