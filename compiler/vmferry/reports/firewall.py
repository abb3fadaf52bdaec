"""Which connections firewalls have to let through, and why: the list to hand to the network team."""

from collections.abc import Iterator

from vmferry.estate.wording import counted
from vmferry.model.report import Block, Column, Prose, Report, Row, Table
from vmferry.reports.content import Material
from vmferry.reports.openings import Opening, listed, openings

HELP = """Report which connections firewalls have to let through: from where, to where, on which port, and why.

It lists what the paths and methods that are in use need: vCenter and ESXi hosts, registries, images, the Git
repository, name servers, and what VMs depend on outside of the migration.

\b
Examples:
  vmferry report firewall migration/
  vmferry report firewall migration/ --format csv > openings.csv
  vmferry report firewall migration/ --format json | jq '.[] | select(.port == 902) | .destination'
"""

_NOTES = (
    "Connections of pods leave the cluster with the address of their node, unless the CNI is set up otherwise.",
    "Left out: what stays inside the cluster, and what operators need for themselves (the store of External Secrets).",
    "Clients of VMs need the new addresses, where they change: `vmferry report addresses`.",
)
_OPEN = "Which VMs move how is not decided yet, or the spec has errors: the list is not complete."


def build(material: Material) -> Report:
    """Return the report."""
    found = openings(material.review)
    destinations = len({each.destination for each in found})
    summary = f"{counted(len(found), 'connection')} to {counted(destinations, 'destination')}"
    return Report("Firewall openings", summary, tuple(_blocks(found, material.complete)), found)


_COLUMNS = (
    Column("direction"),
    Column("to"),
    Column("port"),
    Column("protocol"),
    Column("from"),
    Column("why"),
    Column("phases"),
    Column("VMs", "count"),
)


def _blocks(found: tuple[Opening, ...], complete: bool) -> Iterator[Block]:
    yield Prose("", _NOTES if complete else (_OPEN, *_NOTES))
    rows: list[Row] = [
        (
            each.direction,
            each.destination,
            str(each.port) if each.port is not None else "unknown" * (each.protocol != "ICMP"),
            each.protocol,
            listed(each.sources),
            each.why,
            ", ".join(each.phases) or "all",
            len(each.vms) or None,
        )
        for each in found
    ]
    yield Table("Openings", "connection", _COLUMNS, rows, covers="some")
