"""`vmferry import`: what vCenter or RVTools says, as inventory files."""

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from vmferry.cli.findings import counted, printable
from vmferry.cli.lazy import Lazy
from vmferry.importers.files import split, write
from vmferry.importers.steady import steady
from vmferry.model.inventory import Inventory
from vmferry.yaml.write import dump

KINDS = {
    "rvtools": ("vmferry.cli.import_rvtools", "Read RVTools exports: .xlsx files, or folders of .csv files."),
    "vcenter": ("vmferry.cli.import_vcenter", "Read a live vCenter."),
}


@click.group("import", cls=Lazy, modules=KINDS)
def command() -> None:
    """Write what is in vSphere into inventory files: facts, no decisions.

    \b
    Examples:
      vmferry import rvtools RVTools_export.xlsx --out inventory/
      vmferry import vcenter https://vc1.acme.example --source vc1 --out inventory/
    """  # noqa: D301 - click wants the character


def keep_options(function: Callable[..., int]) -> Callable[..., int]:
    """Add the options that say which free text goes into files that are committed."""
    function = click.option(
        "--attribute",
        "attributes",
        multiple=True,
        metavar="GLOB",
        help="Take this custom attribute over, beside known harmless ones such as Owner. Repeatable.",
    )(function)
    return click.option(
        "--notes",
        is_flag=True,
        help="Take the notes of VMs over; people write passwords into them. [default: known words only]",
    )(function)


def note(text: str) -> None:
    """Say on standard error what is to be known of an import as a whole."""
    click.echo(f"note: {printable(text)}", err=True)


def save(inventories: Sequence[Inventory], out: Path) -> list[Path]:
    """Write inventories below a directory; return the files that changed. Raises NotOurs and OSError."""
    parts = {name: part for inventory in inventories for name, part in split(steady(inventory)).items()}
    return write(parts, out, dump)


def summary(inventory: Inventory) -> str:
    """Return how much of everything an inventory holds."""
    parts = (
        counted(len(inventory.vms), "VM"),
        counted(sum(len(vm.disks or ()) for vm in inventory.vms), "disk"),
        counted(sum(len(vm.nics or ()) for vm in inventory.vms), "NIC"),
        counted(len(inventory.networks), "network"),
        counted(len(inventory.datastores), "datastore"),
        counted(len(inventory.hosts), "host"),
    )
    return f"{inventory.source.name}: {', '.join(parts)}"


def tell(changed: Sequence[Path], out: Path) -> None:
    """Say how many files changed, and what comes next."""
    where = printable(str(out))
    click.echo(f"{counted(len(changed), 'file')} changed in {where}; next: vmferry init --from {where}")
