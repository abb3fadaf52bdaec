"""How many nodes VMs need, by the sum of their requests. docs/sizing.md has the arithmetic, with figures by hand.

A node allots to VMs what is left of it after a headroom for Kubernetes, KubeVirt and Ceph. Everything here only grows
with the load, and only shrinks with larger nodes; `vmferry.estate.placement` then puts each VM on a node.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from vmferry.kube.provisioners import is_ceph_on_nodes
from vmferry.kube.quantity import parse_size
from vmferry.model.spec import Cluster, Distribution, MigrationSpec

_MAX_PODS: Mapping[Distribution, int] = {"openshift": 250}
_DEFAULT_MAX_PODS = 110
"""Pods per node: kubernetes pkg/kubelet/apis/config/v1beta1/defaults.go (MaxPods); OpenShift's machine-config-operator
templates/worker/01-worker-kubelet (maxPods)."""

_OWN_PODS = 20  # of a node itself: CNI, CSI, virt-handler, monitoring

_LARGE = (1, 2, 3, 4)
"""A VM that takes more than half of a node needs one of its own, of those above a third two share one, and so on."""


class Pool(NamedTuple):
    """Nodes of one kind: millicores and bytes of each, and its devices by resource name."""

    name: str
    nodes: int
    cpu: int
    memory: int
    zone: str = ""
    devices: Mapping[str, int] = {}


class Pod(NamedTuple):
    """The requests of one pod: millicores, bytes and devices. ``name`` is that of its VM."""

    name: str
    cpu: int
    memory: int
    devices: tuple[tuple[str, int], ...] = ()


class Margins(NamedTuple):
    """What is kept free: a headroom in percent of the requests, nodes that may fail, and VMs per node."""

    headroom: int
    spare: int
    per_zone: bool
    pods: int


class Need(NamedTuple):
    """Nodes of a pool: those that carry the load, those that may fail, and what decides their number."""

    carrying: int
    spare: int
    by: str

    @property
    def nodes(self) -> int:
        """Return how many they are together."""
        return self.carrying + self.spare


def margins_of(spec: MigrationSpec) -> Margins:
    """Return the margins that a spec plans with."""
    sizing, cluster = spec.settings.sizing, spec.target.cluster
    ceph = sizing.ceph_headroom if has_ceph(spec) else 0
    pods = _MAX_PODS.get(cluster.distribution, _DEFAULT_MAX_PODS) - _OWN_PODS
    return Margins(sizing.headroom + ceph, sizing.spare_nodes, sizing.spare_per == "zone", sizing.vms_per_node or pods)


def has_ceph(spec: MigrationSpec) -> bool:
    """Return whether a class of the spec stores its data in a Ceph that runs in the cluster."""
    return any(map(is_ceph_on_nodes, spec.storage.classes))


def pools_of(cluster: Cluster) -> tuple[Pool, ...]:
    """Return the node pools of a spec."""
    return tuple(
        Pool(pool.name, pool.count, pool.cpu * 1000, parse_size(pool.memory), pool.zone or "", pool.resources)
        for pool in cluster.nodes
    )


def allotted(pool: Pool, margins: Margins) -> tuple[int, int]:
    """Return the millicores and bytes that a node of a pool has for VMs."""
    whole = 100 + margins.headroom
    return pool.cpu * 100 // whole, pool.memory * 100 // whole


def eligible(pod: Pod, pools: Sequence[Pool]) -> tuple[Pool, ...]:
    """Return the pools a pod is meant for: those with its devices; without any, those that have none, if there are."""
    if pod.devices:
        return tuple(p for p in pools if all(p.devices.get(name, 0) >= count for name, count in pod.devices))
    return tuple(pool for pool in pools if not pool.devices) or tuple(pools)


def too_large(pods: Iterable[Pod], pools: Sequence[Pool], margins: Margins) -> list[Pod]:
    """Return the pods that take more than any node meant for them allots, the largest first."""
    found = [pod for pod in pods if not any(fits(pod, pool, margins) for pool in eligible(pod, pools))]
    return sorted(found, key=lambda pod: (-pod.memory, -pod.cpu, pod.name))


def fits(pod: Pod, pool: Pool, margins: Margins) -> bool:
    """Return whether a node of a pool allots what a pod requests; its devices are not looked at."""
    cpu, memory = allotted(pool, margins)
    return pod.cpu <= cpu and pod.memory <= memory


def domains(pools: Iterable[Pool], margins: Margins) -> list[list[Pool]]:
    """Return the pools whose nodes can stand in for each other: of one zone, and with the same devices.

    In each, as many nodes may fail as the margins say. The pool with the largest nodes comes first.
    """
    found: defaultdict[tuple[str, tuple[str, ...]], list[Pool]] = defaultdict(list)
    for pool in pools:
        found[pool.zone if margins.per_zone else "", tuple(sorted(pool.devices))].append(pool)
    return [sorted(same, key=lambda pool: (-pool.memory, -pool.cpu, pool.name)) for _, same in sorted(found.items())]


def needed(pods: Sequence[Pod], pools: Sequence[Pool], margins: Margins) -> dict[str, Need]:
    """Return how many nodes of each pool the pods need, by its name.

    Pools that carry the same pods share them in proportion to their size. Pods whose devices no pool offers are left
    out.
    """
    spare = {same[0].name: margins.spare for same in domains(pools, margins)}
    found = {pool.name: Need(0, 0, "") for pool in pools}
    for some, carriers in _shared(pods, pools):
        load, by = _load(some, carriers, margins)
        for pool in carriers:
            nodes = math.ceil(pool.nodes * load)
            found[pool.name] = Need(nodes, spare.get(pool.name, 0) if nodes else 0, by if nodes else "")
    return found


def _shared(pods: Iterable[Pod], pools: Sequence[Pool]) -> list[tuple[list[Pod], tuple[Pool, ...]]]:
    """Return pods with the pools that carry them; no pool is in two of the parts."""
    parts: list[tuple[list[Pod], tuple[Pool, ...]]] = []
    by_devices: defaultdict[tuple[str, ...], list[Pod]] = defaultdict(list)
    for pod in pods:
        by_devices[tuple(f"{name} {count}" for name, count in pod.devices)].append(pod)
    for _, some in sorted(by_devices.items()):
        carriers = eligible(some[0], pools)
        if not carriers:
            continue
        names = {pool.name for pool in carriers}
        overlapping = [part for part in parts if names & {pool.name for pool in part[1]}]
        parts = [part for part in parts if part not in overlapping]
        together = {pool.name: pool for _, each in overlapping for pool in each} | {p.name: p for p in carriers}
        parts.append((some + [pod for each, _ in overlapping for pod in each], tuple(together.values())))
    return parts


def _load(pods: Sequence[Pod], pools: Sequence[Pool], margins: Margins) -> tuple[Fraction, str]:
    """Return which share of all nodes of some pools the pods take, which may be more than 1, and what decides that."""
    allots = [(pool.nodes, *allotted(pool, margins)) for pool in pools]
    widest, largest = max(cpu for _, cpu, _ in allots), max(memory for _, _, memory in allots)
    pods = [pod._replace(cpu=min(pod.cpu, widest), memory=min(pod.memory, largest)) for pod in pods]
    nodes = sum(pool.nodes for pool in pools)
    devices: Counter[str] = Counter()
    for pod in pods:
        devices.update(dict(pod.devices))
    shares = [
        (_share(sum(pod.memory for pod in pods), sum(count * memory for count, _, memory in allots)), "memory"),
        (_share(sum(pod.cpu for pod in pods), sum(count * cpu for count, cpu, _ in allots)), "CPU"),
        (Fraction(len(pods), nodes * margins.pods), "VMs per node"),
    ]
    for among in _LARGE:
        large = sum((among + 1) * pod.cpu > widest or (among + 1) * pod.memory > largest for pod in pods)
        shares.append((Fraction(large, among * nodes), "large VMs"))
    for name, count in sorted(devices.items()):
        shares.append((Fraction(count, sum(pool.nodes * pool.devices.get(name, 0) for pool in pools)), name))
    return max(shares, key=lambda share: share[0])


def _share(wanted: int, there: int) -> Fraction:
    return Fraction(wanted, max(there, 1))
