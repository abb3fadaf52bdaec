"""Whether the VMs' addresses work in the target: subnets, gateways, duplicates, DHCP, MAC addresses."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from vmferry.estate.segments import (
    Address,
    Attached,
    Domain,
    Row,
    Rows,
    address,
    attached,
    parsed,
    parsed_addresses,
    subnet,
)
from vmferry.model.finding import Where
from vmferry.model.review import Problem, Review
from vmferry.model.spec import OvnLayer2, OvnLocalnet, PodNetwork
from vmferry.rules.registry import rule


@rule("VMF229", "warning", "address outside its network's subnet", each=True)
def outside(review: Review) -> Iterator[Problem]:
    """The VM's address is not in the subnet of the network it is mapped to.

    The row of the network map is wrong, its subnet is, or the new address has a typo: in each case nothing answers. A
    NIC with several addresses is accepted if any of its current ones is in the subnet.
    """
    for item in attached(review):
        net = subnet(item.row.network)
        mine = [ip.ip for ip in item.addresses if net is not None and ip.version == net.version]
        out = [ip for ip in mine if net is not None and ip not in net]
        new = item.made.readdress is not None
        if out and (new or len(out) == len(mine)):
            yield item.subject.problem(
                f"its {'new ' if new else ''}address {out[0]} is outside {net}, the subnet of {item.row.original!r}",
                f"correct the address, or networks[{item.row.index}].subnet, or the network of the NIC",
                *_place(item),
            )


@rule("VMF231", "warning", "default gateway does not fit its network", each=True)
def gateway_differs(review: Review) -> Iterator[Problem]:
    """A guest that keeps a static address also keeps its gateway, and the network is to have a different one.

    The guest is then reachable in its own subnet and from nowhere else. A new gateway must be in the subnet of a new
    address.
    """
    for item in attached(review):
        new, network = item.made.readdress, item.row.network
        if new is not None:
            gateways = [ip for ip in map(address, new.gateways) if ip is not None]
            for gateway in gateways:
                if gateway.is_link_local or any(gateway in ip.network for ip in item.addresses):
                    continue
                yield item.subject.problem(
                    f"its new gateway {gateway} is not in the subnet of any of its new addresses",
                    "correct the gateway, or the prefix of the address",
                    "readdress",
                    item.fact.network,
                    "gateway",
                )
        elif item.static:
            theirs = address(network.gateway)
            for mine in parsed_addresses(item.fact.gateways):
                if theirs is None or mine.version != theirs.version or mine == theirs:
                    continue
                yield item.subject.problem(
                    f"its gateway is {mine}, and that of network {item.row.original!r} will be {theirs}",
                    f"give the network gateway {mine} too, readdress the VM (staticIP: cloud-init), or correct "
                    f"networks[{item.row.index}].gateway",
                    "nics",
                    item.made.index,
                )


class _Holder(NamedTuple):
    """The holder of an address on a network."""

    owner: str
    what: str
    where: Where
    vm: str | None = None
    new: bool = False  # not in use yet: this spec assigns it


@rule("VMF232", "warning", "IP address is used twice")
def twice(review: Review) -> Iterator[Problem]:
    """Two VMs of one network have the same address, or a new address, a smoke test or a check takes one that is in use.

    Whichever answers ARP last gets the traffic of both. VMs that stay in vSphere on the same network count, and so does
    the gateway. Suppress this for an address that floats between the members of a cluster.
    """
    rows = Rows(review)
    holders: defaultdict[tuple[Domain, Address], dict[str, _Holder]] = defaultdict(dict)
    for segment, ip, holder in (*_infrastructure(rows), *_pods(review, rows), *_vms(review, rows)):
        holders[segment, ip].setdefault(holder.owner, holder)
    shared = [(key, owners) for key, owners in holders.items() if len(owners) > 1]
    for (_, ip), owners in sorted(shared, key=lambda entry: str(entry[0])):
        found = sorted(owners.values(), key=lambda holder: holder.new)  # new ones last: they can be changed
        vms = [holder.vm for holder in found if holder.vm is not None]
        if len(vms) > 1 or found[-1].new:
            yield Problem(
                f"address {ip} is used by {' and '.join(sorted(holder.what for holder in found))}",
                "give one of them another address, or suppress this if the address floats between them",
                found[-1].where,
                tuple(sorted(set(vms))),
            )


def _infrastructure(rows: Rows) -> Iterator[tuple[Domain, Address, _Holder]]:
    """Yield the addresses used by the networks themselves: gateways and smoke tests."""
    for row in rows.rows:
        network, where = row.network, row.where
        if (ip := address(network.gateway)) is not None:
            yield _segment(row), ip, _Holder("gateway", "the gateway", where.at("gateway"))
        for index, text in enumerate(network.smoke_test.addresses if network.smoke_test is not None else ()):
            if (ip := address(text)) is not None:
                place = where.at("smokeTest", "addresses", index)
                what = f"smoke-test VM {index + 1} of {row.original!r}"
                yield _segment(row), ip, _Holder(what, what, place, new=True)


def _pods(review: Review, rows: Rows) -> Iterator[tuple[Domain, Address, _Holder]]:
    """Yield the addresses of pods that check VMs from their network; several checks share one."""
    for index, check in enumerate(review.spec.checks):
        row = next((row for row in rows.rows if row.name == check.network), None)
        if row is not None and (ip := address(check.from_)) is not None:
            where = review.at("checks", index, "from")
            yield _segment(row), ip, _Holder(f"checks on {row.name}", f"check {check.name}", where, new=True)


def _vms(review: Review, rows: Rows) -> Iterator[tuple[Domain, Address, _Holder]]:
    """Yield the addresses of VMs, including those that stay in vSphere."""
    segments = [_segment(row) for row in rows.rows]
    for item in attached(review):
        subject, new = item.subject, item.made.readdress is not None
        where = subject.where.at(*_place(item))
        for ip in item.addresses:
            yield segments[item.row.index], ip.ip, _Holder(subject.key, f"VM {subject.name}", where, subject.name, new)
    for subject in review.subjects:
        for index, nic in enumerate(subject.vm.nics or ()) if subject.disposition == "retain" else ():
            row = rows.of_nic(subject, nic)
            if row is None or nic.origin == "dhcp" or isinstance(row.network.target, PodNetwork):
                continue
            where = subject.where.at("nics", index)
            for ip in parsed(nic.addresses):
                yield segments[row.index], ip.ip, _Holder(subject.key, f"VM {subject.name}", where, subject.name)


def _segment(row: Row) -> Domain:
    """Return what NICs in the same broadcast domain have in common."""
    return row.domain or ("row", row.index)


@rule(
    "VMF233",
    "warning",
    "MAC address in KubeMacPool's range",
    source="k8snetworkplumbingwg/kubemacpool config/default/manager/manager.yaml: RANGE_START, RANGE_END",
    each=True,
)
def pool_mac(review: Review) -> Iterator[Problem]:
    """KubeMacPool assigns addresses from 02:00:00:00:00:00 to 02:FF:FF:FF:FF:FF unless it is configured otherwise.

    It may assign this one to another VM before this VM is created, and then its webhook refuses this VM ("failed to
    allocate requested mac address").
    """
    for subject, _, machine in review.moving:
        for nic in machine.nics if machine.path != "rebuild" and not machine.golden else ():
            if nic.mac is not None and nic.mac.startswith("02:"):
                yield subject.problem(
                    f"its MAC {nic.mac} is in the range that KubeMacPool assigns from",
                    "set RANGE_START and RANGE_END in ConfigMap kubemacpool-mac-range-config to a range that "
                    "excludes it, or "
                    "suppress this if the cluster has no KubeMacPool",
                    "nics",
                    nic.index,
                    "mac",
                )


@rule(
    "VMF234",
    "error",
    "static address where OVN assigns addresses",
    source="ovn-kubernetes docs/features/multiple-networks/multi-homing.md: subnets, port security",
    each=True,
)
def two_masters(review: Review) -> Iterator[Problem]:
    """On a network with `subnets`, OVN-Kubernetes assigns each VM an address and drops frames from any other.

    A guest that keeps or brings its own address is cut off as soon as it starts.
    """
    for item in attached(review):
        target = item.row.network.target
        if not isinstance(target, OvnLocalnet | OvnLayer2) or not target.subnets:
            continue
        if item.static or item.made.readdress is not None:
            yield item.subject.problem(
                f"it has a static address on {item.row.original!r}, where OVN assigns addresses from "
                f"{', '.join(target.subnets)}",
                f"remove networks[{item.row.index}].target.subnets, or set staticIP: none and configure the "
                "guest for DHCP",
                *_place(item),
            )


@rule("VMF235", "warning", "guest uses DHCP on a network without a DHCP server", each=True)
def no_dhcp(review: Review) -> Iterator[Problem]:
    """The guest asks for its address by DHCP, and the network says that no server answers (`dhcp: false`).

    In vSphere that was often NSX's own DHCP server, which is not migrated.
    """
    for item in attached(review):
        target = item.row.network.target
        assigned = isinstance(target, PodNetwork) or (
            isinstance(target, OvnLocalnet | OvnLayer2) and bool(target.subnets)
        )
        asks = item.fact.origin == "dhcp" and item.made.readdress is None
        if asks and item.row.network.dhcp is False and not assigned:
            yield item.subject.problem(
                f"it gets its address on {item.row.original!r} by DHCP, and no server answers there",
                "provide a DHCP server or relay and set dhcp: true, give it an address (readdress, staticIP: "
                "cloud-init), or let OVN assign them (target.subnets)",
                "nics",
                item.made.index,
            )


@rule("VMF236", "warning", "VM is the gateway of a network")
def router(review: Review) -> Iterator[Problem]:
    """The VM has the address through which the others send everything: it is a firewall or router.

    While it moves they are cut off. If it moves in a different phase, their traffic crosses between vSphere and the
    cluster until the last of them has moved.
    """
    items = list(attached(review))
    gateways: defaultdict[int, set[Address | None]] = defaultdict(set)
    for item in items:
        gateways[item.row.index] |= {address(item.row.network.gateway)}
        gateways[item.row.index] |= set(parsed_addresses(item.fact.gateways)) if item.keeps else set()
    for item in items:
        mine = [ip.ip for ip in item.addresses if ip.ip in gateways[item.row.index]]
        if mine and item.made.readdress is None:
            yield item.subject.problem(
                f"its address {mine[0]} is the gateway of network {item.row.original!r}",
                "move it in one window with the VMs behind it, or move the gateway to a physical router first; "
                "suppress this with the plan as its reason",
                "nics",
                item.made.index,
            )


def _place(item: Attached) -> tuple[str | int, ...]:
    return ("readdress", item.fact.network) if item.made.readdress is not None else ("nics", item.made.index)
