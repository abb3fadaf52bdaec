"""The registry of importers: each reads one kind of source into inventories."""

import importlib
from collections.abc import Mapping

from vmferry.importers.protocol import Importer

IMPORTERS: Mapping[str, tuple[str, str]] = {
    "nsx": ("vmferry.importers.nsx.importer", "Read saved answers of NSX: segments, groups and firewall rules."),
    "rvtools": ("vmferry.importers.rvtools.importer", "Read RVTools exports: .xlsx files, or folders of .csv files."),
    "vcenter": ("vmferry.importers.vcenter.importer", "Read a live vCenter."),
}
"""The module of each importer, with its constant IMPORTER, and a summary: both are known without importing it."""


def importer(name: str) -> Importer:
    """Return an importer; its module is imported now. Raises KeyError for one that is not registered."""
    found: Importer = importlib.import_module(IMPORTERS[name][0]).IMPORTER
    return found
