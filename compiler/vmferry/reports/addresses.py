"""Which address each VM has today and in the target, how its guest gets it, and what DHCP servers have to reserve."""

from collections import Counter
from collections.abc import Iterator

from vmferry.estate.wording import counted
from vmferry.model.report import Block, Cell, Column, Figure, Figures, Report, Row, Table
from vmferry.reports.address_plan import AddressPlan, How, PlannedAddress, address_plan
from vmferry.reports.content import Material
from vmferry.reports.dhcp_files import dhcpd, dnsmasq, host_name, kea

HELP = """Report the address plan: old and new address, MAC, names and network of every NIC, and how its guest gets it.

The formats kea, dhcpd and dnsmasq are DHCP reservations for guests that ask for their address and keep their MAC, for
these servers. An address that is not clear is not reserved; the report says why. SPEC may be an inventory as
`vmferry import` wrote it.

\b
Examples:
  vmferry report addresses migration/
  vmferry report addresses migration/ --format csv > addresses.csv
  vmferry report addresses migration/ --format kea > kea-dhcp4.conf
"""

FORMATS = ("kea", "dhcpd", "dnsmasq")

_MEANS: dict[How, str] = {
    "kept": "static: the guest keeps its address",
    "DHCP": "the guest asks a DHCP server",
    "readdress": "cloud-init sets the new address",
    "OVN": "OVN-Kubernetes assigns it from the network's `subnets`",
    "pod network": "the cluster assigns it; clients come through a Service",
    "by hand": "static today, and not preserved: set in the guest by hand",
    "rebuilt": "there is no VM: clients come through a Service or route",
    "left behind": "the network is not connected in the target",
    "open": "nothing is decided yet",
}


def build(material: Material) -> Report:
    """Return the report."""
    found = address_plan(material)
    extra = {"kea": kea(found.subnets), "dhcpd": dhcpd(found.subnets), "dnsmasq": dnsmasq(found.subnets)}
    plan = _plan(found)
    return Report("Addresses", _summary(found), tuple(_blocks(found, plan)), found, extra, whole=plan)


def _nics(found: AddressPlan) -> Counter[How]:
    return Counter({(row.key, row.nic): row.how for row in found.addresses}.values())


def _summary(found: AddressPlan) -> str:
    nics = _nics(found)
    listed = ", ".join(f"{nics[how]} {how}" for how in _MEANS if nics[how])
    reserved = sum(len(each.reservations) for each in found.subnets)
    text = f"{counted(sum(nics.values()), 'NIC')} of VMs that move" + (f": {listed}" if listed else "")
    return f"{text}; {counted(reserved, 'address', 'addresses')} to reserve" + (
        f", {len(found.unreserved)} not clear" if found.unreserved else ""
    )


def _blocks(found: AddressPlan, plan: Table) -> Iterator[Block]:
    nics = _nics(found)
    figures = tuple(Figure(how, nics[how], "count", means) for how, means in _MEANS.items() if nics[how])
    yield Figures("NICs", figures)
    yield _changes(found)
    yield plan
    yield _reserved(found)
    if found.unreserved:
        rows: list[Row] = [(Cell(each.vm, vm=each.key), each.network, each.mac, each.why) for each in found.unreserved]
        columns = tuple(map(Column, ("VM", "network", "MAC", "why")))
        note = "These guests ask for an address by DHCP. Make their reservations by hand, or they may get another one."
        yield Table("Not reserved", "NIC", columns, rows, note=note, covers="some")


_COLUMNS = (
    Column("VM"),
    Column("phase"),
    Column("group"),
    Column("NIC", "count"),
    Column("network"),
    Column("target network"),
    Column("segment"),
    Column("subnet"),
    Column("MAC"),
    Column("new MAC"),
    Column("address today"),
    Column("new address"),
    Column("how"),
    Column("gateway"),
    Column("DNS names"),
)


def _plan(found: AddressPlan) -> Table:
    rows = [_row(each) for each in found.addresses]
    note = (
        "A new address is empty where it is not known before the VM runs. DNS names are those that lead to the VM. "
        "With several NICs, only records that change say which one they lead to."
    )
    return Table("Address plan", "row", _COLUMNS, rows, note=note, covers="some")


def _row(each: PlannedAddress) -> Row:
    place = (Cell(each.vm, vm=each.key), each.phase, each.group, each.nic, each.network, each.target, each.segment)
    macs = (each.mac, each.new_mac if each.new_mac != each.mac else None)
    return (*place, each.subnet, *macs, each.old, each.new, each.how, each.gateway, ", ".join(each.names) or None)


def _changes(found: AddressPlan) -> Table:
    """Return the addresses that change: what firewalls, load balancers and configuration have to learn."""
    changing = [each for each in found.addresses if each.old != each.new and each.how in ("readdress", "pod network")]
    rows: list[Row] = [
        (Cell(each.vm, vm=each.key), each.phase, each.old, each.new, each.how, ", ".join(each.names) or None)
        for each in changing
    ]
    columns = tuple(map(Column, ("VM", "phase", "address today", "new address", "how", "DNS names")))
    note = "Firewall rules, load balancers, licences and configuration that name the old address need the new one."
    return Table("Addresses that change", "row", columns, rows, note=note if rows else "", covers="some")


def _reserved(found: AddressPlan) -> Table:
    rows: list[Row] = [
        (served.subnet, each.address, each.mac, host_name(each), Cell(each.vm, vm=each.key), each.network)
        for served in found.subnets
        for each in served.reservations
    ]
    columns = tuple(map(Column, ("subnet", "address", "MAC", "host name", "VM", "target network")))
    return Table("DHCP reservations", "reservation", columns, rows, covers="some")
