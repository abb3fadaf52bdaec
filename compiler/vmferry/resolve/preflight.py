"""The pre-flight: which Jobs test the way from which nodes to vSphere, which networks and which StorageClasses.

It follows from the spec and from the hosts of the inventory alone, not from VMs: no VM that is added, and no group that
moves on, makes a test run again.
"""

from collections.abc import Container, Iterator
from typing import NamedTuple

from vmferry.estate.network_map import MappedNetwork, NetworkMap, resource_name
from vmferry.estate.preflight import ZONE, hosts_of, nodes_of, unattachable
from vmferry.estate.statements import UNDEFINED_REFERENCE
from vmferry.estate.urls import endpoint
from vmferry.kube.dns import fit, sanitize
from vmferry.kube.nodes import bridge_nodes, pod_user, vm_nodes
from vmferry.kube.provisioners import claims
from vmferry.kube.quantity import parse_duration
from vmferry.model.base import Labels
from vmferry.model.blueprint import PreflightClaim, PreflightNetwork, PreflightPlan, PreflightTest, PreflightVCenter
from vmferry.model.project import Project
from vmferry.model.spec import Cluster, MigrationSpec, Source, StorageClass
from vmferry.resolve.notes import Noting

_AT_ONCE = 16
"""Networks that a pod attaches to: a failure names only one of them, and each adds seconds to its start."""


class _Nodes(NamedTuple):
    """Nodes on which a test runs: a pool, or some node that has what it needs."""

    name: str
    number: int
    labels: Labels
    resources: frozenset[str] = frozenset()  # that each of them has


def plan_preflight(project: Project, networks: NetworkMap, gone: Container[str] = ()) -> Noting[PreflightPlan | None]:
    """Return what is tested before anything moves; None if the spec asks for nothing. ``gone``: sources taken off."""
    spec = project.spec
    wish = spec.target.preflight
    if wish is None:
        return None
    where = project.where.at("target", "preflight")
    known = {namespace.name for namespace in spec.namespaces}
    if wish.namespace not in known:
        yield UNDEFINED_REFERENCE.finding(
            f"target.preflight: namespace {wish.namespace} is not defined",
            "add it to `namespaces`, with quota: none",
            where=where.at("namespace"),
        )
    sources = {source.name for source in spec.sources}
    for index, hosts in enumerate(wish.hosts):
        if hosts.source not in sources:
            yield UNDEFINED_REFERENCE.finding(
                f"target.preflight: source {hosts.source} is not defined",
                f"defined sources: {', '.join(sorted(sources)) or 'none'}",
                where=where.at("hosts", index, "source"),
            )
    pools = tuple(_pools(spec.target.cluster))
    return PreflightPlan(
        namespace=wish.namespace,
        image=wish.image or spec.target.cluster.check_image,
        max_clock_skew=parse_duration(wish.max_clock_skew),
        user=pod_user(spec.target.cluster.distribution),
        tolerations=wish.tolerations,
        tests=(
            *(
                test
                for source in spec.sources
                if source.name not in gone
                for test in _of_source(project, source, pools)
            ),
            *_of_networks(spec, networks, pools),
            *_of_storage(spec),
        ),
    )


def _pools(cluster: Cluster) -> Iterator[_Nodes]:
    """Yield the pools whose nodes have labels of their own; where none is stated, one node that runs VMs."""
    if not cluster.nodes:
        yield _Nodes("any", 1, vm_nodes(cluster.distribution))
    for pool in cluster.nodes:
        labels = nodes_of(pool, cluster)
        if labels is not None:
            yield _Nodes(pool.name, pool.count, labels, frozenset(pool.resources))


def _of_source(project: Project, source: Source, pools: tuple[_Nodes, ...]) -> Iterator[PreflightTest]:
    """Yield a test of a vCenter and its ESXi hosts from each pool: firewalls and clocks differ from node to node."""
    vcenter = source.vcenter
    host, port = endpoint(vcenter.url)
    esxi = hosts_of(source, project.spec, project.inventories)
    reached = PreflightVCenter(
        host=host,
        port=port,
        esxi=tuple(sorted({*esxi, host})) if vcenter.sdk_endpoint == "esxi" else esxi,
        thumbprint=vcenter.thumbprint,
        vddk_image=vcenter.vddk_image,
    )
    for pool in pools:
        yield PreflightTest(
            name=_named("source", source.name, pool.name),
            source=source.name,
            nodes=pool.number,
            node_selector=pool.labels,
            vcenter=reached,
        )


def _of_networks(spec: MigrationSpec, networks: NetworkMap, pools: tuple[_Nodes, ...]) -> Iterator[PreflightTest]:
    """Yield tests that attach pods to networks, on every node of the pools where all nodes should have them.

    A network that only some nodes have, by a label or a resource that no pool states, is tested on one of those.
    """
    preflight = spec.target.preflight
    rows = [row for row in networks.rows if preflight is not None and row.nad(preflight.namespace) is not None]
    rows = sorted((row for row in rows if unattachable(row.network) is None), key=lambda row: row.name)
    cluster = spec.target.cluster
    for pool in pools:
        yield from _attaching(spec, pool, [row for row in rows if _has(pool, *_needs(row, cluster))])
    for row in rows:
        labels, resource = _needs(row, cluster)
        if not any(_has(pool, labels, resource) for pool in pools):
            yield from _attaching(spec, _Nodes(row.name, 1, vm_nodes(cluster.distribution) | labels), [row])


def _has(pool: _Nodes, labels: Labels, resource: str | None) -> bool:
    """Return whether every node of a pool is known to have what a network needs."""
    return labels.items() <= pool.labels.items() and (resource is None or resource in pool.resources)


def _needs(row: MappedNetwork, cluster: Cluster) -> tuple[Labels, str | None]:
    """Return the labels of the nodes that get a network's bridge, and the node resource that its pods need."""
    target = row.network.target
    return bridge_nodes(target, cluster), resource_name(target)


def _attaching(spec: MigrationSpec, nodes: _Nodes, rows: list[MappedNetwork]) -> Iterator[PreflightTest]:
    """Yield tests that attach pods to some networks, _AT_ONCE at a time."""
    preflight = spec.target.preflight
    found = [
        PreflightNetwork(name=row.name, nad=nad, resource=resource_name(row.network.target))
        for row in rows
        if preflight is not None and (nad := row.nad(preflight.namespace)) is not None
    ]
    for start in range(0, len(found), _AT_ONCE):
        yield PreflightTest(
            name=_named("networks", nodes.name, *([str(start // _AT_ONCE + 1)] if start else [])),
            nodes=nodes.number,
            node_selector=nodes.labels,
            networks=tuple(found[start : start + _AT_ONCE]),
        )


def _of_storage(spec: MigrationSpec) -> Iterator[PreflightTest]:
    """Yield a test of each class with ReadWriteMany, from two nodes where there are as many, and of the default class.

    KubeVirt takes the default class for EFI and vTPM state where vmStateStorageClass is not set.
    """
    cluster = spec.target.cluster
    nodes, labels = min(2, sum(pool.count for pool in cluster.nodes) or 1), vm_nodes(cluster.distribution)
    for found in spec.storage.classes:
        modes = sorted(mode for access, mode in claims(found) if access == "ReadWriteMany")
        if modes:  # Block goes first, as it does for disks
            claim = PreflightClaim(storage_class=found.name, access_mode="ReadWriteMany", volume_mode=modes[0])
            name = _named("storage", found.name)
            yield PreflightTest(name=name, nodes=nodes, node_selector=labels | _zone(found), claim=claim)
    if cluster.vm_state_storage_class is None:
        yield PreflightTest(name=_named("storage", "default"), node_selector=labels, claim=PreflightClaim())


def _zone(found: StorageClass) -> Labels:
    """Return the zone that volumes of a class are bound to, if it is only one."""
    return {ZONE: found.zones[0]} if len(found.zones) == 1 else {}


def _named(*parts: str) -> str:
    """Return the name of a test."""
    return fit("-".join(filter(None, map(sanitize, parts))))
