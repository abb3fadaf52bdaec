"""Which ESXi hosts are free after each phase: those that became empty, and those that vMotion can empty."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from vmferry.model.spec import VirtualMachine

HostKey = tuple[str, str]
"""Source and name of a host, or of a cluster."""

_VCLS = re.compile(r"vCLS[- (]", re.IGNORECASE)
_STAYS = 1 << 30
_EMPTY = -1


class Esxi(NamedTuple):
    """A host: cores and bytes; None where unknown."""

    key: HostKey
    cluster: HostKey
    cores: int | None
    memory: int | None


class Resident(NamedTuple):
    """A VM on a host. ``leaves`` is the rank of the phase that moves it; None: none does."""

    host: HostKey
    cluster: HostKey
    leaves: int | None
    runs: bool
    vcpus: int | None
    memory: int | None


def is_vcls(vm: VirtualMachine) -> bool:
    """Return whether a VM is one of vSphere's own cluster VMs (vCLS), which come and go with the hosts."""
    return _VCLS.match(vm.name) is not None


def emptied(hosts: Iterable[Esxi], residents: Iterable[Resident]) -> dict[HostKey, int | None]:
    """Return after which phase the last VM of each host has moved, by its rank; -1: it has none; None: some stay.

    A VM on none of these hosts may be on any host of its cluster; without a cluster, on any of its source.
    """
    hosts = tuple(hosts)
    names = {host.key for host in hosts}
    last: dict[tuple[str, ...], int] = {}  # also by cluster, for VMs that may be on any of its hosts
    for each in residents:
        where = each.host if each.host in names else ("in", *each.cluster)
        last[where] = max(last.get(where, _EMPTY), _STAYS if each.leaves is None else each.leaves)
    found = {
        host.key: max(
            last.get(place, _EMPTY) for place in (host.key, ("in", *host.cluster), ("in", host.cluster[0], ""))
        )
        for host in hosts
    }
    return {key: None if rank == _STAYS else rank for key, rank in found.items()}


def freed(hosts: Sequence[Esxi], residents: Sequence[Resident], rank: int) -> list[Esxi]:
    """Return the hosts that are not needed after a phase, if vMotion moves what is left onto the others.

    Each cluster keeps its largest hosts: as many as hold the memory of the VMs that are left, with one host more that
    may fail, and not more vCPUs per core than today. A cluster with sizes that are unknown keeps all until it is empty.
    """
    by_cluster: defaultdict[HostKey, list[Esxi]] = defaultdict(list)
    for host in hosts:
        by_cluster[host.cluster].append(host)
    there: defaultdict[HostKey, list[Resident]] = defaultdict(list)
    for each in residents:
        there[each.cluster].append(each)
    return [host for cluster, same in sorted(by_cluster.items()) for host in _freed(same, there[cluster], rank)]


def _freed(hosts: Iterable[Esxi], residents: Iterable[Resident], rank: int) -> list[Esxi]:
    """Return the hosts of one cluster that are not needed after a phase."""
    largest = sorted(hosts, key=lambda host: (-(host.memory or 0), -(host.cores or 0), host.key))
    left = [each for each in residents if each.leaves is None or each.leaves > rank]
    if not left:
        return largest
    known = all(host.cores and host.memory for host in largest)
    if not known or any(each.runs and (each.vcpus is None or each.memory is None) for each in residents):
        return []
    vcpus, cores = _vcpus(residents), sum(host.cores or 0 for host in largest)
    memory = sum(each.memory or 0 for each in left if each.runs)
    for kept in range(1, len(largest) + 1):
        some = largest[:kept]
        spare = (some[0].memory or 0) if len(largest) > 1 and memory else 0
        enough = sum(host.memory or 0 for host in some) - spare >= memory
        if enough and _vcpus(left) * cores <= vcpus * sum(host.cores or 0 for host in some):
            return largest[kept:]
    return []


def _vcpus(residents: Iterable[Resident]) -> int:
    return sum(each.vcpus or 0 for each in residents if each.runs)


def like(hosts: Iterable[Esxi], cpu: int, memory: int) -> list[Esxi]:
    """Return the hosts that have the cores and bytes of a node: one CPU per core."""
    return [host for host in hosts if (host.cores or 0) >= cpu and (host.memory or 0) >= memory]


def common(hosts: Iterable[Esxi]) -> list[tuple[int, int]]:
    """Return the kinds of hosts as cores and bytes, the most common first; memory in whole GiB, rounded down."""
    kinds: Mapping[tuple[int, int], int]
    kinds = defaultdict(int)
    for host in hosts:
        if host.cores and host.memory:
            kinds[host.cores, host.memory >> 30 << 30] += 1
    return sorted(kinds, key=lambda kind: (-kinds[kind], -kind[1], -kind[0]))
