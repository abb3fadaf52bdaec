"""The importer of RVTools exports, as `vmferry import rvtools` calls it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click

from vmferry.importers.protocol import Reading, Request, SourceName

_HELP = """Read RVTools exports (3.x to 4.x): .xlsx files, .csv files, or folders of .csv files.

Several exports may cover several vCenters: each vCenter becomes an inventory of its own. Rows that match no VM are
listed and kept in the inventory, and so is anything about a VM that could not be imported. Where two exports cover the
same vCenter, the newer facts win.

Inventories are committed, and people put passwords into notes and custom attributes. So notes stay in vCenter except
for words vmferry knows, and custom attributes except for known harmless ones. --notes and --attribute import more.

\b
Examples:
  vmferry import rvtools RVTools_export.xlsx --out inventory/
  vmferry import rvtools dc1.xlsx dc2.xlsx --out inventory/
  vmferry import rvtools csv-folder/ --out inventory/ --source vc1
"""


class RVTools(NamedTuple):
    """Reads what RVTools exported."""

    help: str = _HELP
    parameters: Sequence[click.Parameter] = (
        click.Argument(
            ["files"], nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="FILE…"
        ),
        click.Option(
            ["--source"],
            type=SourceName(),
            metavar="NAME",
            help="Name of the vCenter in the spec. [default: from its server's name]",
        ),
    )

    def read(self, request: Request, /, *, files: tuple[Path, ...], source: str | None) -> Reading:
        """Return the inventories in some exports."""
        from vmferry.importers.rvtools.read import read_exports

        return read_exports(files, source, by=request.by, keep=request.keep)


IMPORTER = RVTools()
