"""Addresses that two would have although no two VMs of the migration share one: with hosts, OVN, leases, and MACs."""

import ipaddress
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from vmferry.estate.segments import Address, Domain, Row, Rows, address, attached, parsed
from vmferry.estate.urls import endpoint
from vmferry.model.finding import Where
from vmferry.model.review import Problem, Review, Subject
from vmferry.model.spec import OvnLayer2, OvnLocalnet, PodNetwork, Rfc2136
from vmferry.rules.registry import rule

_SHOWN = 5


@rule("VMF276", "error", "a new address is that of a host the migration needs")
def of_infrastructure(review: Review) -> Iterator[Problem]:
    """A VM or smoke test would get the address of a vCenter, an ESXi host or a name server.

    Whichever answers ARP last gets the traffic of both, so copies fail at random. Hosts that are given by name are not
    compared. A VM that has such an address today may be that host, and is only a warning: if it is, nothing can be
    copied through it once it has moved.
    """
    hosts = dict(_infrastructure(review))
    if not hosts:
        return
    for row in Rows(review).rows:
        test = row.network.smoke_test
        for index, text in enumerate(test.addresses if test is not None else ()):
            if (ip := address(text)) is not None and ip in hosts:
                yield Problem(
                    f"smoke-test VM {index + 1} of {row.original!r} would get the address {ip} of {hosts[ip]}",
                    "state a free address",
                    row.where.at("smokeTest", "addresses", index),
                )
    for item in attached(review):
        new = item.made.readdress is not None
        path = ("readdress", item.fact.network) if new else ("nics", item.made.index)
        for found in item.addresses:
            if found.ip in hosts:
                its = "its new address" if new else "its address"
                yield Problem(
                    f"VM {item.subject.name}: {its} {found.ip} is that of {hosts[found.ip]}",
                    "give it another address" if new else "let it stay (disposition: retain) if it is this host",
                    item.subject.where.at(*path),
                    (item.subject.name,),
                    severity=None if new else "warning",
                )


def _infrastructure(review: Review) -> Iterator[tuple[Address, str]]:
    """Yield the addresses of what the migration itself talks to, and what has them."""
    for zone in review.spec.dns.zones if review.spec.dns is not None else ():
        if isinstance(zone.provider, Rfc2136) and (ip := address(zone.provider.server)) is not None:
            yield ip, f"the name server of {zone.name}"
    for source in review.spec.sources:
        for host in source.vcenter.hosts:
            if (ip := address(host.ip_address)) is not None:
                yield ip, f"ESXi host {host.name}"
        if (ip := address(endpoint(source.vcenter.url)[0])) is not None:
            yield ip, f"vCenter {source.name}"


@rule(
    "VMF277",
    "warning",
    "OVN would assign addresses that are in use",
    source="ovn-kubernetes go-controller/pkg/ovn/logical_switch_manager/logical_switch_manager.go (NewL2SwitchManager)",
)
def assigned(review: Review) -> Iterator[Problem]:
    """OVN-Kubernetes assigns addresses from `subnets`, the lowest first, and does not know which of them are taken.

    On a physical network it is the user's part to exclude some: it would give the first VM the gateway's address.
    Gateways, smoke tests, VMs that stay in vSphere on this network, those on another row of the same VLAN, and
    vCenters, ESXi hosts and name servers are compared.
    """
    rows = Rows(review)
    users: defaultdict[int, dict[Address, str]] = defaultdict(dict)
    of = {row.index: row for row in rows.rows if _pools(row)}
    if not of:
        return
    for index, ip, what in _in_use(review, rows, of):
        users[index].setdefault(ip, what)
    for index, row in sorted(of.items()):
        free, taken = _excluded(row), users[index]
        clashes = sorted(
            (ip for ip in taken if any(ip in net for net in _pools(row)) and not any(ip in net for net in free)),
            key=lambda ip: (ip.version, int(ip)),
        )
        if clashes:
            said = ", ".join(f"{ip} ({taken[ip]})" for ip in clashes[:_SHOWN])
            more = f" and {len(clashes) - _SHOWN} more" if len(clashes) > _SHOWN else ""
            listed = ", ".join(f'"{ip}/{ip.max_prefixlen}"' for ip in clashes)
            yield Problem(
                f"OVN assigns addresses of {row.original!r} that are in use: {said}{more}",
                f"add them to networks[{index}].target: `excludeSubnets: [{listed}]`",
                row.where.at("target", "subnets"),
            )


_Range = ipaddress.IPv4Network | ipaddress.IPv6Network


def _pools(row: Row) -> list[_Range]:
    target = row.network.target
    return _ranges(target.subnets) if isinstance(target, OvnLocalnet | OvnLayer2) else []


def _excluded(row: Row) -> list[_Range]:
    target = row.network.target
    return _ranges(target.exclude_subnets) if isinstance(target, OvnLocalnet | OvnLayer2) else []


def _ranges(texts: tuple[str, ...]) -> list[_Range]:
    found = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text, strict=False))
        except ValueError:  # VMF204
            continue
    return found


def _in_use(review: Review, rows: Rows, of: dict[int, Row]) -> Iterator[tuple[int, Address, str]]:
    """Yield the addresses in use on the networks of rows with a pool, each with what has it."""
    same: defaultdict[Domain, list[int]] = defaultdict(list)
    for row in of.values():
        same[row.domain or ("row", row.index)].append(row.index)
    for row in rows.rows:
        shared = same[row.domain or ("row", row.index)]
        test = row.network.smoke_test
        stated = [("the gateway", row.network.gateway)]
        stated += [("a smoke test", text) for text in (test.addresses if test is not None else ())]
        for what, text in stated:
            if (ip := address(text)) is not None:
                yield from ((index, ip, what) for index in shared)
    for item in attached(review):  # those on the row itself: VMF234
        shared = [index for index in same[item.row.domain or ("row", item.row.index)] if index != item.row.index]
        for found in item.addresses if shared else ():
            yield from ((index, found.ip, f"VM {item.subject.name}") for index in shared)
    for ip, what in _infrastructure(review):  # an overlay is apart from them
        yield from ((index, ip, what) for index, row in of.items() if isinstance(row.network.target, OvnLocalnet))
    for subject, index, ip in _staying(review, rows):
        if index in of:
            yield index, ip, f"VM {subject.name}, which stays"


def _staying(review: Review, rows: Rows) -> Iterator[tuple[Subject, int, Address]]:
    """Yield the addresses of VMs that stay in vSphere, each with the row of its network."""
    for subject in review.subjects:
        for nic in subject.vm.nics or () if subject.disposition == "retain" else ():
            row = rows.of_nic(subject, nic)
            for found in parsed(nic.addresses) if row is not None else ():
                yield subject, row.index if row is not None else -1, found.ip


class _Lease(NamedTuple):
    """An address that a guest got by DHCP."""

    vm: str
    key: str


@rule("VMF278", "warning", "a new address is one that another guest got by DHCP")
def leased(review: Review) -> Iterator[Problem]:
    """A VM or smoke test gets an address that another VM of the network has from a DHCP server today.

    For the server the address is still free or leased: it may give it to the next guest that asks.
    """
    rows = Rows(review)
    leases: defaultdict[tuple[Domain, Address], list[_Lease]] = defaultdict(list)
    for subject in review.subjects:
        for nic in subject.vm.nics or () if subject.disposition in (None, "migrate", "retain") else ():
            row = rows.of_nic(subject, nic)
            if row is not None and nic.origin == "dhcp" and not isinstance(row.network.target, PodNetwork):
                for found in parsed(nic.addresses):
                    leases[_segment(row), found.ip].append(_Lease(subject.name, subject.key))
    for segment, ip, what, where, key in _new(review, rows) if leases else ():
        others = sorted({lease.vm for lease in leases.get((segment, ip), ()) if lease.key != key})
        if others:
            yield Problem(
                f"{what} gets the address {ip}, which VM {others[0]} got by DHCP",
                f"give it an address outside of the DHCP server's pool, or VM {others[0]} a reservation of another one",
                where,
                tuple(others),
            )


def _new(review: Review, rows: Rows) -> Iterator[tuple[Domain, Address, str, Where, str]]:
    """Yield the addresses that this spec assigns, with who gets them."""
    for item in attached(review):
        if item.made.readdress is not None:
            where = item.subject.where.at("readdress", item.fact.network)
            for found in item.addresses:
                yield _segment(item.row), found.ip, f"VM {item.subject.name}", where, item.subject.key
    for row in rows.rows:
        test = row.network.smoke_test
        for index, text in enumerate(test.addresses if test is not None else ()):
            if (ip := address(text)) is not None:
                where = row.where.at("smokeTest", "addresses", index)
                yield _segment(row), ip, f"smoke-test VM {index + 1} of {row.original!r}", where, ""


def _segment(row: Row) -> Domain:
    return row.domain or ("row", row.index)


@rule("VMF279", "warning", "a VM that stays has the MAC address of one that moves")
def staying_mac(review: Review) -> Iterator[Problem]:
    """A copy of the VM, such as a replica of a backup product, is in vSphere with the same MAC address.

    Once the moved VM and the copy run, on networks that meet, switches send their frames now here and now there. VMF206
    compares the VMs that move.
    """
    staying: defaultdict[str, list[Subject]] = defaultdict(list)
    for subject in review.subjects:
        for nic in subject.vm.nics or () if subject.disposition == "retain" else ():
            if nic.mac is not None:
                staying[nic.mac.lower().replace("-", ":")].append(subject)
    for subject, _, machine in review.moving if staying else ():
        for made in machine.nics if machine.path != "rebuild" and not machine.golden else ():
            for other in staying.get(made.mac or "", ()):
                yield subject.problem(
                    f"its MAC {made.mac} is also that of VM {other.name} ({other.key}), which stays in vSphere",
                    f"give one of them another MAC, or set `disposition: retire` for {other.name} and delete it",
                    "nics",
                    made.index,
                )
