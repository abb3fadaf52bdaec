"""Addresses inside a site: between its pages, from numbers to the VMs behind them, and from VMs to their decisions."""

from typing import NamedTuple
from urllib.parse import urlencode

from vmferry.model.keys import VmKey
from vmferry.model.report import Facets

VMS = "vms"
"""The page with the table of all VMs."""


class Links(NamedTuple):
    """Addresses in a site of several files, or in one that is a ``single`` file."""

    single: bool

    def page(self, name: str) -> str:
        """Return the address of a page."""
        return f"#{name}" if self.single else f"{name}.html"

    def vms(self, facets: Facets) -> str:
        """Return the address of the table of VMs, filtered."""
        return f"{self._vms}#{VMS}?{urlencode(facets)}"

    def vm(self, key: VmKey) -> str:
        """Return the address of one VM with its decisions."""
        return f"{self._vms}#vm?{urlencode({'key': key})}"

    @property
    def _vms(self) -> str:
        return "" if self.single else f"{VMS}.html"
