"""Addresses outside of the cluster that the cluster takes for its own."""

import ipaddress
from collections.abc import Iterator
from typing import NamedTuple

from vmferry.estate.segments import Address, address, attached
from vmferry.estate.urls import endpoint
from vmferry.model.finding import Where
from vmferry.model.review import Problem, Review
from vmferry.model.spec import ExternalDependency
from vmferry.rules.registry import rule

Range = ipaddress.IPv4Network | ipaddress.IPv6Network


class _User(NamedTuple):
    """What has an address, and where that is stated."""

    what: str
    ip: Address
    where: Where
    vms: tuple[str, ...] = ()


@rule(
    "VMF275",
    "error",
    "address is inside the cluster's own ranges",
    source="https://github.com/cozystack/website/pull/673: an ESXi address in the service CIDR",
)
def swallowed(review: Review) -> Iterator[Problem]:
    """Nodes and pods send packets for `podCIDR` and `serviceCIDR` into the cluster, never to the network outside.

    Pods that copy from an ESXi host with such an address never reach it, nor do clients in the cluster reach such a
    VM. Nothing says why: connections time out. Addresses that the inventory or the spec knows are compared, of
    hosts and vCenters those that are not given by name.
    """
    cluster = review.spec.target.cluster
    ranges = [("podCIDR", each) for text in cluster.pod_cidrs if (each := _range(text)) is not None]
    ranges += [("serviceCIDR", each) for text in cluster.service_cidrs if (each := _range(text)) is not None]
    for user in _users(review) if ranges else ():
        inside = next(((field, net) for field, net in ranges if user.ip in net), None)
        if inside is not None:
            field, net = inside
            yield Problem(
                f"{user.what} has the address {user.ip}, which is inside {field} {net} of cluster {cluster.name}",
                f"give it another address, build the cluster with another range, or correct target.cluster.{field}",
                user.where,
                user.vms,
            )


def _users(review: Review) -> Iterator[_User]:
    """Yield vCenters, ESXi hosts, NICs in the target and external dependencies, with their addresses."""
    for number, source in enumerate(review.spec.sources):
        where = review.at("sources", number, "vcenter")
        if (ip := address(endpoint(source.vcenter.url)[0])) is not None:
            yield _User(f"vCenter {source.name}", ip, where.at("url"))
        for index, host in enumerate(source.vcenter.hosts):
            if (ip := address(host.ip_address)) is not None:
                yield _User(f"ESXi host {host.name}", ip, where.at("hosts", index, "ipAddress"))
    yield from _listed_hosts(review)
    for item in attached(review):
        for found in item.addresses:
            where = item.subject.where.at("nics", item.made.index)
            yield _User(f"VM {item.subject.name}", found.ip, where, (item.subject.name,))
    for subject, _, _ in review.moving:
        for index, need in enumerate(subject.vm.depends_on):
            if not isinstance(need, ExternalDependency):
                continue
            if (ip := address(need.external.rpartition(":")[0] or need.external)) is not None:
                what = f"{ip}, which VM {subject.name} depends on,"
                yield _User(what, ip, subject.where.at("dependsOn", index), (subject.name,))


def _listed_hosts(review: Review) -> Iterator[_User]:
    """Yield ESXi hosts that the pre-flight reaches by their addresses."""
    wish = review.spec.target.preflight
    for index, hosts in enumerate(wish.hosts if wish is not None else ()):
        for number, name in enumerate(hosts.names):
            if (ip := address(name)) is not None:
                where = review.at("target", "preflight", "hosts", index, "names", number)
                yield _User(f"ESXi host {name}", ip, where)


def _range(text: str) -> Range | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
