"""Whether the VMs reach what they need: out of an overlay, and through network policies."""

from collections import defaultdict
from collections.abc import Iterator

from vmferry.estate.dependencies import needs, outside
from vmferry.estate.identity import Directory, of_vm
from vmferry.estate.segments import Address, Attached, attached, parsed_addresses
from vmferry.estate.wording import listing
from vmferry.model.blueprint import Machine
from vmferry.model.review import Problem, Review
from vmferry.model.spec import OvnLayer2
from vmferry.rules.registry import rule


@rule(
    "VMF237",
    "warning",
    "overlay without a way out",
    source="ovn-kubernetes docs/features/multiple-networks/multi-homing.md: layer2 is for east-west traffic only",
)
def no_way_out(review: Review) -> Iterator[Problem]:
    """An OVN layer 2 network carries traffic between its VMs and nowhere else: NSX's router stays behind.

    Everything beyond it (other subnets, DNS, the internet) is out of reach, unless a VM on it is the router, or the VM
    has another NIC that leads there.
    """
    by_vm: defaultdict[str, list[Attached]] = defaultdict(list)
    for item in attached(review):
        by_vm[item.subject.key].append(item)
    holders = {(item.row.index, ip.ip) for items in by_vm.values() for item in items for ip in item.addresses}
    for items in by_vm.values():
        if all(isinstance(item.row.network.target, OvnLayer2) for item in items):
            yield from _cut_off(items, holders)


def _cut_off(items: list[Attached], holders: set[tuple[int, Address]]) -> Iterator[Problem]:
    subject = items[0].subject
    gateways = [(item, ip) for item in items for ip in _gateways(item)]
    if any((item.row.index, ip) in holders for item, ip in gateways):
        return
    external = outside(subject.vm)
    if external:
        yield subject.problem(
            f"it depends on {', '.join(external)}, and all its networks are overlays without a way out",
            "map one of its networks to a bridge or localnet, or add a router VM to the overlay",
            "dependsOn",
        )
    elif gateways:
        item, ip = gateways[0]
        yield subject.problem(
            f"its gateway {ip} is not a VM on {item.row.original!r}, an overlay without a way out",
            "map the network to a bridge or localnet that has the gateway, or move the router along",
            "nics",
            item.made.index,
        )


def _gateways(item: Attached) -> tuple[Address, ...]:
    if item.made.readdress is not None:
        return parsed_addresses(item.made.readdress.gateways)
    return parsed_addresses(item.fact.gateways) if item.keeps else ()


@rule(
    "VMF238",
    "warning",
    "network policy does not apply to secondary networks",
    source="Kubernetes NetworkPolicy is for the pod network; what Multus attaches passes it by",
)
def unguarded(review: Review) -> Iterator[Problem]:
    """`networkPolicy: isolate` protects the pod network; a VM on a bridge, on OVN or on SR-IOV is open there.

    Whoever reads the spec believes that the namespace is isolated, and the VMs are as reachable as in vSphere.
    """
    isolated = _isolated(review)
    bare: defaultdict[str, set[str]] = defaultdict(set)
    for _, _, machine in review.moving:
        if machine.namespace in isolated and machine.path != "rebuild" and any(nic.nad for nic in machine.nics):
            bare[machine.namespace].add(machine.name)
    for index, namespace in enumerate(review.spec.namespaces):
        if names := tuple(sorted(bare[namespace.name])):
            yield Problem(
                f"namespace {namespace.name} is isolated, and some of its VMs are on secondary networks: "
                f"{listing(names)}",
                "filter there with the VLAN's firewall or in the guests, and suppress this with where that is done; or "
                "map the network to type: pod",
                review.at("namespaces", index, "networkPolicy"),
                names,
            )


@rule("VMF239", "warning", "depends on a VM in an isolated namespace that offers no port")
def closed(review: Review) -> Iterator[Problem]:
    """In an isolated namespace only declared ports are open to other namespaces.

    A VM that others outside it depend on, and that declares no port, is out of their reach on the pod network.
    """
    isolated = _isolated(review)
    if not isolated:
        return
    machines = {subject.key: machine for subject, _, machine in review.moving}
    known = Directory(of_vm(subject.vm, subject.source) for subject in review.subjects)
    for subject, _, machine in review.moving:
        for need in needs(subject.vm, subject.source, known):
            needed = machines.get(need.found.key) if need.found is not None else None
            if needed is None or needed.namespace == machine.namespace or needed.namespace not in isolated:
                continue
            if _hidden(needed):
                ports = "application.ports" if needed.path == "rebuild" else "ports"
                yield subject.problem(
                    f"it depends on {needed.name}, which offers no port outside the isolated namespace "
                    f"{needed.namespace}",
                    f"add {ports} to VM {needed.name}, as in [{{name: http, port: 80}}]",
                    "dependsOn",
                    need.number,
                )


def _isolated(review: Review) -> frozenset[str]:
    return frozenset(plan.name for plan in review.blueprint.namespaces if plan.isolate)


def _hidden(machine: Machine) -> bool:
    """Return whether a machine is only reachable through the pod network, and offers no port there."""
    if machine.application is not None:
        return not machine.application.ports
    return not machine.ports and all(nic.nad is None for nic in machine.nics)
