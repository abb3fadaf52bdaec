"""The surroundings of VMs in the target: namespaces with quota and NADs, bridges on the nodes."""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple, TypeAlias

from msgspec.structs import replace

from vmferry.estate.decommission.takes import whole_sources
from vmferry.estate.identity import key_of, only_source
from vmferry.estate.methods import METHODS
from vmferry.estate.network_map import MappedNetwork, NetworkMap
from vmferry.estate.sizing import Load, quota, smoke_load, total
from vmferry.estate.statements import ASSIGNMENTS_MISFIT, UNDEFINED_REFERENCE, UNKNOWN_FACT
from vmferry.kube.nad import INVALID_NETWORK
from vmferry.kube.nodes import vm_nodes
from vmferry.kube.quantity import parse_size
from vmferry.kube.versions import NO_TRANSFER_ROUTE, certain
from vmferry.kube.vlans import span
from vmferry.model.blueprint import (
    QUOTA_STATED,
    Blueprint,
    BridgePlan,
    Credential,
    Group,
    Machine,
    Nad,
    NamespacePlan,
    SmokePair,
)
from vmferry.model.finding import Where
from vmferry.model.keys import Reference, VmKey, apart, name_of, reference, vm_key
from vmferry.model.project import Project
from vmferry.model.rule import declare
from vmferry.model.spec import BridgeNetwork, Cluster, ExistingNad, Namespace, Phase, Quota, VirtualMachine
from vmferry.resolve.access import plan_access
from vmferry.resolve.forklift import default_requests
from vmferry.resolve.network_rows import stranded
from vmferry.resolve.notes import Noting
from vmferry.resolve.sources import conversion_credentials

POLICY_CNIS = frozenset(("cilium", "calico", "ovn-kubernetes", "antrea", "kube-router", "weave"))
"""CNIs that enforce NetworkPolicy; others accept the object and ignore it."""


Today: TypeAlias = Mapping[VmKey, VirtualMachine]
"""Machines that Forklift copies with another size than their own: that of their VMs in vSphere today."""


def plan_namespaces(
    project: Project, phases: tuple[Phase, ...], groups: tuple[Group, ...], networks: NetworkMap
) -> Noting[tuple[NamespacePlan, ...]]:
    """Return every namespace of the spec, sorted by name, with what its VMs need. ``phases`` are in order."""
    spec = project.spec
    sizing = _Sizing(spec.target.cluster, [phase.name for phase in phases], networks, sizes_today(project, groups))
    by_namespace: defaultdict[str, list[Group]] = defaultdict(list)
    for group in groups:
        by_namespace[group.namespace].append(group)
    nads = yield from _nads(groups, networks, project.where)
    routes = _transfer_routes(groups, networks, spec.target.cluster)
    smoke = yield from _smoke(spec.namespaces, networks, nads)
    if spec.target.preflight is not None:
        nads[spec.target.preflight.namespace] |= {row.name: row for row in networks.rows if row.emitted()}
    access = yield from plan_access(spec.access, spec.namespaces, project.where)
    result: dict[str, NamespacePlan] = {}
    for index, namespace in enumerate(spec.namespaces):
        here = by_namespace[namespace.name]
        where = project.where.at("namespaces", index)
        yield from _check_policy(namespace, here, spec.target.cluster, where)
        sized = yield from sizing.requests(namespace, here, where)
        result[namespace.name] = NamespacePlan(
            name=namespace.name,
            labels=namespace.labels,
            nads=tuple(
                Nad(
                    name=name,
                    network=row.network,
                    first=row.name if name != row.name else None,
                    route=routes.get(reference(namespace.name, name)),
                )
                for name, row in sorted(nads[namespace.name].items())
            ),
            smoke=smoke.get(namespace.name, ()),
            quota=sized.hard,
            quota_basis=sized.basis,
            default_requests=sized.defaults,
            isolate=namespace.network_policy == "isolate",
            access=dict(access.get(namespace.name, {})),
            credentials=(yield from _credentials(project, namespace.name, here)),
            forklift=any(group.path == "forklift" for group in here),
        )
    return tuple(result[name] for name in sorted(result))


def sized_again(
    project: Project, blueprint: Blueprint, names: Container[str], networks: NetworkMap, today: Today
) -> Noting[tuple[NamespacePlan, ...]]:
    """Return the namespaces of a Blueprint, after the CPU and memory of VMs in the ones of these ``names`` changed."""
    sizing = _Sizing(blueprint.cluster, [phase.name for phase in blueprint.phases], networks, today)
    result = list(blueprint.namespaces)
    numbers = {plan.name: number for number, plan in enumerate(result)}
    for index, namespace in enumerate(project.spec.namespaces):
        if namespace.name in names:
            here = [group for group in blueprint.groups if group.namespace == namespace.name]
            sized = yield from sizing.requests(namespace, here, project.where.at("namespaces", index))
            number = numbers[namespace.name]
            result[number] = replace(
                result[number], quota=sized.hard, quota_basis=sized.basis, default_requests=sized.defaults
            )
    return tuple(result)


def _nads(
    groups: tuple[Group, ...], networks: NetworkMap, where: Where
) -> Noting[defaultdict[str, dict[str, MappedNetwork]]]:
    """Return the NADs to create in each namespace. One that a VM needs is never left out."""
    result: defaultdict[str, dict[str, MappedNetwork]] = defaultdict(dict)
    wanted = {(nic.nad, machine.name) for g in groups for machine in g.machines for nic in machine.nics if nic.nad}
    wanted |= {(g.transfer_network, g.name) for g in groups if g.transfer_network}
    existing = external_nads(networks, groups)
    for nad, user in sorted(wanted):
        namespace, name = apart(nad)
        row = networks.making(name)
        if row is not None:
            result[namespace][name] = row
        elif nad not in existing:
            yield ASSIGNMENTS_MISFIT.finding(
                f"VM {user} is frozen with network {nad}, which the spec no longer defines",
                "restore the entry in `networks` under that name",
                where=where.at("networks"),
                vms=(user,),
            )
    return result


def _transfer_routes(groups: tuple[Group, ...], networks: NetworkMap, cluster: Cluster) -> dict[Reference, str]:
    """Return the default route of Forklift's copy pods on a NAD: its gateway, or none.

    A NAD without one becomes the default network of these pods, which then cannot reach the cluster's own.
    """
    routes: dict[Reference, str] = {}
    carriers = (group.transfer_network for group in groups if group.path == "forklift")
    for nad in {nad for nad in carriers if nad is not None}:
        row = networks.making(name_of(nad))
        if row is None:
            continue
        if row.network.gateway is not None:
            routes[nad] = row.network.gateway
        elif certain(cluster.versions, NO_TRANSFER_ROUTE):
            routes[nad] = "none"
    return routes


def external_nads(networks: NetworkMap, groups: tuple[Group, ...]) -> frozenset[Reference]:
    """Return the NADs that exist already."""
    namespaces = {group.namespace for group in groups}
    return frozenset(
        nad
        for row in networks.rows
        if isinstance(target := row.network.target, ExistingNad)
        for namespace in namespaces
        for copy in range(1 + len(target.pool))
        if (nad := row.nad(namespace, copy)) is not None
    )


def _smoke(
    namespaces: tuple[Namespace, ...],
    networks: NetworkMap,
    nads: defaultdict[str, dict[str, MappedNetwork]],
) -> Noting[dict[str, tuple[SmokePair, ...]]]:
    known = {namespace.name for namespace in namespaces}
    result: defaultdict[str, list[SmokePair]] = defaultdict(list)
    for row in sorted(networks.rows, key=lambda item: item.name):
        test = row.network.smoke_test
        if test is None:
            continue
        nad = row.nad(test.namespace)
        if test.namespace not in known:
            yield UNDEFINED_REFERENCE.finding(
                f"smoke test of network {row.name}: namespace {test.namespace} is not defined",
                "add it to `namespaces`",
                where=row.where.at("smokeTest", "namespace"),
            )
        elif nad is not None:
            if row.emitted():
                nads[test.namespace][row.name] = row
            pair = SmokePair(
                name=f"smoke-{row.name}", nad=nad, test=test, gateway=row.network.gateway, binding=row.binding()
            )
            result[test.namespace].append(pair)
    return {name: tuple(pairs) for name, pairs in result.items()}


NO_NETWORK_POLICIES = declare(
    "VMF207",
    "error",
    "CNI does not enforce network policies",
    why="Kubernetes accepts a NetworkPolicy on any cluster, but only the CNI enforces it. With a CNI that ignores "
    "policies, the namespace looks as isolated as it was behind the NSX firewall, and is open.",
    source="kubernetes/website concepts/services-networking/network-policies.md (Prerequisites)",
)


def _check_policy(namespace: Namespace, groups: list[Group], cluster: Cluster, where: Where) -> Noting[None]:
    wants = namespace.network_policy == "isolate" or any(
        machine.application is not None and machine.application.allow_from is not None
        for group in groups
        for machine in group.machines
    )
    if wants and cluster.cni not in POLICY_CNIS:
        has = f"{cluster.cni} ignores them" if cluster.cni else "which CNI the cluster has is unknown"
        yield NO_NETWORK_POLICIES.finding(
            f"namespace {namespace.name} needs network policies, but {has}",
            f"set target.cluster.cni ({', '.join(sorted(POLICY_CNIS))} enforce them), or remove the policy",
            where=where.at("networkPolicy") if namespace.network_policy == "isolate" else where,
        )


class _Requests(NamedTuple):
    """What the pods of a namespace may request."""

    hard: dict[str, str]  # limits of its quota
    basis: str  # how they are composed
    defaults: dict[str, str]  # of pods that ask for nothing


class _Sizing:
    """The inputs of computed quotas, besides the groups. ``phases`` are in order."""

    def __init__(self, cluster: Cluster, phases: Iterable[str], networks: NetworkMap, today: Today) -> None:
        self._cluster = cluster
        self._ranks = {phase: rank for rank, phase in enumerate(phases)}
        self._networks = networks
        self._vms = today

    def requests(self, namespace: Namespace, groups: list[Group], where: Where) -> Noting[_Requests]:
        """Return what the pods of a namespace may request."""
        hard, basis = yield from self._quota(namespace, groups, where)
        machines = (machine for group in groups for machine in group.machines)
        return _Requests(hard, basis, default_requests(machines, hard, self._cluster.versions))

    def _quota(self, namespace: Namespace, groups: list[Group], where: Where) -> Noting[tuple[dict[str, str], str]]:
        """Return the hard limits of a namespace, and how they are composed."""
        stated = namespace.quota
        if isinstance(stated, Quota):
            fields = {
                "requests.cpu": stated.cpu,
                "requests.memory": stated.memory,
                "requests.storage": stated.storage,
            }
            return {name: value for name, value in fields.items() if value is not None}, QUOTA_STATED
        if stated == "none" or not groups:
            return {}, ""
        yield from self._check_known(namespace, groups, where)
        sized = [replace(group, machines=tuple(map(self._today, group.machines))) for group in groups]
        return quota(sized, self._ranks, self._cluster, smoke=self._smoke(namespace))

    def _check_known(self, namespace: Namespace, groups: list[Group], where: Where) -> Noting[None]:
        """Report VMs that Forklift copies with their size in vSphere, if that is unknown."""
        names = {machine.name for group in groups for machine in group.machines if not self._known(machine)}
        if names:
            vms = tuple(sorted(names))
            yield UNKNOWN_FACT.finding(
                f"namespace {namespace.name}: for its quota, CPU and memory of every VM must be known{stranded(vms)}",
                "add `cpu` and `memory` to them, or state the namespace's quota, or set quota: none",
                where=where,
                vms=vms,
            )

    def _known(self, machine: Machine) -> bool:
        vm = self._vms.get(machine.key)
        if machine.path != "forklift":
            return True
        return machine.memory > 0 if vm is None else vm.cpu is not None and vm.memory is not None

    def _today(self, machine: Machine) -> Machine:
        """Return the machine with the current size of its VM: Forklift reads vSphere, not the frozen record."""
        vm = self._vms.get(machine.key)
        if machine.path != "forklift" or vm is None or vm.cpu is None or vm.memory is None:
            return machine
        return replace(machine, sockets=vm.cpu.count, cores=1, threads=1, memory=parse_size(vm.memory))

    def _smoke(self, namespace: Namespace) -> Load | None:
        """Return the requests of the smoke tests in a namespace, if any."""
        loads = [
            smoke_load(self._cluster, passthrough=row.binding() == "sriov")
            for row in self._networks.rows
            if (test := row.network.smoke_test) is not None
            if test.namespace == namespace.name and row.nad(namespace.name) is not None
        ]
        return total(loads) if loads else None


def sizes_today(project: Project, groups: Iterable[Group]) -> Today:
    """Return the VMs whose size is not that of their machines.

    They are known by all possible keys: SOURCE/ID, and SOURCE/NAME from when the id was unknown.
    """
    only = only_source(source.name for source in project.spec.sources) or ""
    ids = {key_of(entry.vm, entry.vm.source or only): entry.vm for entry in project.entries}
    names = {vm_key(vm.source or only, vm.name): vm for vm in ids.values()}
    known = names | ids
    moving = (machine for group in groups for machine in group.machines)
    return {each.key: vm for each in moving if (vm := known.get(each.key)) is not None and not as_large(each, vm)}


def as_large(machine: Machine, vm: VirtualMachine) -> bool:
    """Return whether a machine has the CPUs and the memory of its VM, or never gets them."""
    if machine.path != "forklift":
        return True
    if vm.cpu is None or vm.memory is None:
        return False
    same = machine.sockets * machine.cores * machine.threads == vm.cpu.count
    return same and 0 < machine.memory == parse_size(vm.memory)


def _credentials(project: Project, namespace: str, groups: list[Group]) -> Noting[tuple[Credential, ...]]:
    """Return the Secrets that vCenters' conversion Jobs and vddk imports of a namespace need."""
    users: defaultdict[str, set[str]] = defaultdict(set)
    gone = whole_sources(project.spec)
    for group in groups:
        for machine in group.machines:
            vddk = any(disk.source.vddk is not None for disk in machine.disks)
            if METHODS[group.method].converts or vddk:
                users[group.source].add(machine.name)
    found = []
    for source, vms in sorted(users.items()):
        made = yield from conversion_credentials(project, source, namespace, tuple(sorted(vms)))
        found.append(replace(made, gone=source in gone) if made is not None else None)
    return tuple(credential for credential in found if credential is not None)


BRIDGES_DISAGREE = declare(
    "VMF211",
    "error",
    "node policies disagree about a bridge",
    why="nmstate creates each policy's bridge on the nodes it selects. Two policies with the same bridge take its "
    "port from each other, and with it the network of every VM on the node.",
    source="kubernetes-nmstate docs/examples; test/e2e/handler/states.go",
)


def plan_bridges(
    cluster: Cluster, networks: NetworkMap, namespaces: tuple[NamespacePlan, ...], where: Where
) -> Noting[tuple[BridgePlan, ...]]:
    """Return the bridges on the nodes, each with the VLANs of the networks that use it."""
    untagged = _untagged(namespaces)
    result: list[BridgePlan] = []
    anywhere = vm_nodes(cluster.distribution)
    taken: set[str] = set()
    listed = [("bridges", index, bridge.name) for index, bridge in enumerate(cluster.bridges)]
    listed += [("existingBridges", index, bridge.name) for index, bridge in enumerate(cluster.existing_bridges)]
    for section, index, name in listed:
        if name in taken:
            place = where.at("target", "cluster", section, index, "name")
            fix = "keep one of the two, or give the other another name"
            yield BRIDGES_DISAGREE.finding(f"bridge {name} is defined twice", fix, where=place)
        taken.add(name)
    for bridge in cluster.bridges:
        if any(done.bridge.name == bridge.name for done in result):
            continue
        ranges: set[tuple[int, int]] = set()
        for row in networks.rows:
            target = row.network.target
            if not isinstance(target, BridgeNetwork) or target.bridge != bridge.name:
                continue
            if target.mtu and bridge.mtu and target.mtu > bridge.mtu:
                yield INVALID_NETWORK.finding(
                    f"network {row.name}: MTU {target.mtu} is larger than {bridge.mtu} of bridge {bridge.name}",
                    "larger frames would be dropped silently; raise the bridge's MTU or lower the network's",
                    where=row.where.at("target", "mtu"),
                )
            ranges |= {(target.vlan, target.vlan)} if target.vlan else set()
            ranges |= set(map(span, target.trunk))
        selector = bridge.node_selector or anywhere
        vlans, native = _merged(ranges), bridge.name in untagged
        result.append(BridgePlan(bridge=bridge, node_selector=selector, vlans=vlans, untagged=native))
    return tuple(result)


def _untagged(namespaces: tuple[NamespacePlan, ...]) -> frozenset[str]:
    """Return the bridges with a network that has no VLAN."""
    targets = (nad.network.target for plan in namespaces for nad in plan.nads)
    return frozenset(
        target.bridge
        for target in targets
        if isinstance(target, BridgeNetwork) and target.vlan is None and not target.trunk
    )


def _merged(ranges: set[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return the ranges without overlap, in order: nmstate refuses a VLAN that is listed twice."""
    result: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if result and low <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(high, result[-1][1]))
        else:
            result.append((low, high))
    return tuple(result)
