"""What the VMs find in the target: namespaces with quota and NADs, bridges on the nodes."""

from collections import defaultdict
from collections.abc import Mapping

from vmferry.model.blueprint import BridgePlan, Credential, Group, Nad, NamespacePlan, SmokePair
from vmferry.model.finding import Where
from vmferry.model.project import Project
from vmferry.model.spec import BridgeNetwork, Cluster, ExistingNad, Namespace, Quota
from vmferry.resolve.journal import Journal
from vmferry.resolve.networks import MappedNetwork, NetworkMap
from vmferry.resolve.sizing import quota
from vmferry.resolve.sources import conversion_credentials

POLICY_CNIS = frozenset(("cilium", "calico", "ovn-kubernetes", "antrea", "kube-router", "weave"))
"""CNIs that enforce NetworkPolicy; the others take the object and ignore it."""


def plan_namespaces(
    project: Project, groups: tuple[Group, ...], networks: NetworkMap, journal: Journal
) -> tuple[NamespacePlan, ...]:
    """Return every namespace of the spec, sorted by name, with what its VMs need."""
    spec = project.spec
    ranks = {phase.name: rank for rank, phase in enumerate(spec.phases)}
    by_namespace: defaultdict[str, list[Group]] = defaultdict(list)
    for group in groups:
        by_namespace[group.namespace].append(group)
    nads = _nads(groups, networks, project.where, journal)
    smoke = _smoke(spec.namespaces, networks, nads, journal)
    result: dict[str, NamespacePlan] = {}
    for index, namespace in enumerate(spec.namespaces):
        here = by_namespace[namespace.name]
        where = project.where.at("namespaces", index)
        _check_policy(namespace, here, spec.target.cluster, where, journal)
        hard, basis = _quota(namespace, here, ranks, spec.target.cluster)
        result[namespace.name] = NamespacePlan(
            name=namespace.name,
            labels=namespace.labels,
            nads=tuple(Nad(name=name, network=row.network) for name, row in sorted(nads[namespace.name].items())),
            smoke=smoke.get(namespace.name, ()),
            quota=hard,
            quota_basis=basis,
            isolate=namespace.network_policy == "isolate",
            credentials=_credentials(project, namespace.name, here, journal),
            forklift=any(group.path == "forklift" for group in here),
        )
    return tuple(result[name] for name in sorted(result))


def _nads(
    groups: tuple[Group, ...], networks: NetworkMap, where: Where, journal: Journal
) -> defaultdict[str, dict[str, MappedNetwork]]:
    """Return the NADs to make in each namespace. One that a VM needs is never left out."""
    result: defaultdict[str, dict[str, MappedNetwork]] = defaultdict(dict)
    wanted = {(nic.nad, machine.name) for g in groups for machine in g.machines for nic in machine.nics if nic.nad}
    wanted |= {(g.transfer_network, g.name) for g in groups if g.transfer_network}
    existing = external_nads(networks, groups)
    for reference, user in sorted(wanted):
        namespace, _, name = reference.partition("/")
        row = networks.named(name)
        if row is not None and row.emitted():
            result[namespace][name] = row
        elif reference not in existing:
            journal.find(
                "VMF411",
                f"VM {user} is frozen with network {reference}, which the spec does not define any more",
                "restore the entry in `networks` under that name",
                where=where.at("networks"),
                vms=(user,),
            )
    return result


def external_nads(networks: NetworkMap, groups: tuple[Group, ...]) -> frozenset[str]:
    """Return the NADs that exist already, as namespace/name."""
    namespaces = {group.namespace for group in groups}
    return frozenset(
        nad
        for row in networks.rows
        if isinstance(row.network.target, ExistingNad)
        for namespace in namespaces
        if (nad := row.nad(namespace)) is not None
    )


def _smoke(
    namespaces: tuple[Namespace, ...],
    networks: NetworkMap,
    nads: defaultdict[str, dict[str, MappedNetwork]],
    journal: Journal,
) -> dict[str, tuple[SmokePair, ...]]:
    known = {namespace.name for namespace in namespaces}
    result: defaultdict[str, list[SmokePair]] = defaultdict(list)
    for row in sorted(networks.rows, key=lambda item: item.name):
        test = row.network.smoke_test
        if test is None:
            continue
        nad = row.nad(test.namespace)
        if test.namespace not in known:
            journal.find(
                "VMF102",
                f"smoke test of network {row.name}: namespace {test.namespace} is not defined",
                "add it to `namespaces`",
                where=row.where.at("smokeTest", "namespace"),
            )
        elif nad is not None:
            if row.emitted():
                nads[test.namespace][row.name] = row
            pair = SmokePair(name=f"smoke-{row.name}", nad=nad, test=test, gateway=row.network.gateway)
            result[test.namespace].append(pair)
    return {name: tuple(pairs) for name, pairs in result.items()}


def _check_policy(namespace: Namespace, groups: list[Group], cluster: Cluster, where: Where, journal: Journal) -> None:
    wants = namespace.network_policy == "isolate" or any(
        machine.application is not None and machine.application.allow_from is not None
        for group in groups
        for machine in group.machines
    )
    if wants and cluster.cni not in POLICY_CNIS:
        has = f"{cluster.cni} ignores them" if cluster.cni else "which CNI the cluster has is unknown"
        journal.find(
            "VMF207",
            f"namespace {namespace.name} asks for network policies, and {has}",
            f"state target.cluster.cni ({', '.join(sorted(POLICY_CNIS))} have them), or drop the policy",
            where=where.at("networkPolicy") if namespace.network_policy == "isolate" else where,
        )


def _quota(
    namespace: Namespace, groups: list[Group], ranks: Mapping[str, int], cluster: Cluster
) -> tuple[dict[str, str], str]:
    stated = namespace.quota
    if isinstance(stated, Quota):
        fields = {
            "requests.cpu": stated.cpu,
            "requests.memory": stated.memory,
            "requests.storage": stated.storage,
        }
        return {name: value for name, value in fields.items() if value is not None}, "stated in the spec"
    if stated == "none" or not groups:
        return {}, ""
    return quota(groups, ranks, cluster)


def _credentials(project: Project, namespace: str, groups: list[Group], journal: Journal) -> tuple[Credential, ...]:
    """Return the Secrets that vCenters' conversion Jobs and vddk imports of a namespace need."""
    users: defaultdict[str, set[str]] = defaultdict(set)
    for group in groups:
        for machine in group.machines:
            vddk = any(disk.source.vddk is not None for disk in machine.disks)
            if group.method == "job" or vddk:
                users[group.source].add(machine.name)
    found = [
        conversion_credentials(project, source, namespace, tuple(sorted(vms)), journal)
        for source, vms in sorted(users.items())
    ]
    return tuple(credential for credential in found if credential is not None)


def plan_bridges(cluster: Cluster, networks: NetworkMap, where: Where, journal: Journal) -> tuple[BridgePlan, ...]:
    """Return the bridges on the nodes, each with the VLANs of the networks that use it."""
    result: list[BridgePlan] = []
    for index, bridge in enumerate(cluster.bridges):
        if any(done.bridge.name == bridge.name for done in result):
            place = where.at("target", "cluster", "bridges", index, "name")
            journal.find("VMF211", f"bridge {bridge.name} is defined twice", where=place)
            continue
        ranges: set[tuple[int, int]] = set()
        for row in networks.rows:
            target = row.network.target
            if not isinstance(target, BridgeNetwork) or target.bridge != bridge.name:
                continue
            if target.mtu and bridge.mtu and target.mtu > bridge.mtu:
                journal.find(
                    "VMF204",
                    f"network {row.name}: MTU {target.mtu} is larger than {bridge.mtu} of bridge {bridge.name}",
                    "frames would be lost without a word; raise the bridge's MTU or lower the network's",
                    where=row.where.at("target", "mtu"),
                )
            ranges |= {(target.vlan, target.vlan)} if target.vlan else set()
            ranges |= {(int(low), int(high or low)) for low, _, high in (t.partition("-") for t in target.trunk)}
        result.append(BridgePlan(bridge=bridge, vlans=_merged(ranges)))
    return tuple(result)


def _merged(ranges: set[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return the ranges without overlap, in order: nmstate refuses a VLAN that is listed twice."""
    result: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if result and low <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(high, result[-1][1]))
        else:
            result.append((low, high))
    return tuple(result)
