"""The importer of a live vCenter: one session, two traversals, read-only; imported only when it is used."""

from vmferry.importers.vcenter.read import read_vcenter
from vmferry.importers.vcenter.session import Login, Trust, VCenterError

__all__ = ["Login", "Trust", "VCenterError", "read_vcenter"]
