"""Routes of the Gateway API by which clients move: whether they lead to both sides, and no record leads past them."""

from collections.abc import Iterator

from vmferry.estate.addresses import is_address
from vmferry.estate.client_routes import reachable, tcp_ports
from vmferry.estate.services import has_service
from vmferry.model.blueprint import Group, Machine, MachineRoute
from vmferry.model.review import Problem, Review, Subject
from vmferry.rules.registry import rule


def _routed(review: Review) -> Iterator[tuple[Subject, Group, Machine, MachineRoute]]:
    return ((*each, each[2].route) for each in review.moving if each[2].route is not None)


@rule("VMF145", "error", "route of a VM whose source does not run beside it", essential=True, each=True)
def not_parallel(review: Review) -> Iterator[Problem]:
    """A route with weights sends some clients to the source and the others to the target, so both have to serve.

    They only do in a phase with `dualRun: {mode: parallel}`. In mode fallback the source is off, and clients follow the
    address or a record; a replica is promoted at once, and clients follow a record or an `alias`.
    """
    for subject, group, _, _ in _routed(review):
        if group.dual_run != "parallel":
            yield subject.problem(
                f"it has a route, and dualRun of phase {group.phase} is {group.dual_run}",
                "remove the route, and put one of your own in front; or set dualRun.mode: parallel",
                "route",
            )


@rule(
    "VMF146",
    "error",
    "route leads to no port of the target",
    source="gateway-api apis/v1/shared_types.go (BackendObjectReference)",
    essential=True,
    each=True,
)
def portless(review: Review) -> Iterator[Problem]:
    """A route leads to a TCP port of a Service.

    A VM has a Service if it states `ports` and has a NIC on the pod network: no Service reaches a VM on any other
    network. An application has one for its own `ports`.
    """
    for subject, _, machine, route in _routed(review):
        if route.port is not None or subject.vm.route is None:
            continue
        wanted, ports = subject.vm.route.port, tcp_ports(machine)
        listed = ", ".join(port.name for port in ports)
        if machine.ports and machine.application is None and not has_service(machine):
            why = "none of its NICs is on the pod network, and no Service reaches it on another one"
            fix = "map its network to the pod network; or move clients by weighted records in `dns`"
        elif not ports:
            field = "application.ports" if machine.path == "rebuild" else "ports"
            why, fix = "it states no TCP port", f"state it in `{field}`"
        elif wanted is None:
            why, fix = f"it has several: {listed}", "name one of them in route.port"
        else:
            why, fix = f"it has no TCP port {wanted}", f"name one of {listed}"
        yield subject.problem(f"its route leads to no port: {why}", fix, "route")


@rule(
    "VMF147",
    "error",
    "route leads to an unknown source",
    source="kubernetes pkg/apis/discovery/validation/validation.go",
    essential=True,
    each=True,
)
def sourceless(review: Review) -> Iterator[Problem]:
    """Until clients move, the Gateway sends all of them to the source: it needs its address and its port.

    The address follows from the VM's NIC in vSphere, if it has exactly one address there, and not from DHCP. The port
    is that of the Service, unless a `targetPort` says that the target listens on another one.
    """
    for subject, _, _, route in _routed(review):
        if route.address is None:
            yield subject.problem(
                "its route sends clients to the source, and it is not clear at which address that is",
                "state `address` in route.before",
                "route",
            )
        elif not reachable(route.address):
            yield subject.problem(
                f"its route sends clients to {route.address}, where no Gateway reaches anything",
                "state the address of the source in route.before",
                "route",
                "before",
            )
        if route.port is not None and route.source_port is None:
            yield subject.problem(
                f"its port {route.port} has a targetPort, and it is not clear on which of the two its source listens",
                "state `port` in route.before",
                "route",
            )


@rule("VMF148", "error", "record leads clients past the Gateway", essential=True, groups=True)
def past(review: Review) -> Iterator[Problem]:
    """Clients come to the Gateway by a record that leads there, and that stays as it is while the route moves them.

    A record that changes leads them from the source to the target instead, and a second set of weights would move
    other clients than the first: nobody could tell how many are where.
    """
    for subject, group, machine, route in _routed(review):
        for change in group.dns:
            if change.vm == machine.key and (change.weight is not None or change.name in route.hostnames):
                yield subject.problem(
                    f"record {change.name} goes from {', '.join(change.before)} to {', '.join(change.after)}, while "
                    "its route moves clients",
                    "remove the record from `dns`, set dnsZone: none, and lead it to the Gateway by hand; or remove "
                    "the route",
                    "route",
                )


@rule(
    "VMF149",
    "error",
    "two VMs have the same route",
    source="gateway-api apis/v1/httproute_types.go: the oldest route wins",
    essential=True,
)
def twice(review: Review) -> Iterator[Problem]:
    """If two routes match a request, the older one gets it, and the VMs of the other one get nothing.

    A listener serves one TCPRoute; HTTPRoutes share it if their host names differ. For servers that share a host name,
    write one route of your own with all their Services.
    """
    seen: dict[tuple[str, str, str, str], list[tuple[str | None, str]]] = {}
    for subject, _, _, route in _routed(review):
        place = (route.kind, route.gateway.namespace, route.gateway.name)
        listener = route.gateway.section_name
        for host in route.hostnames or ("",):
            known = seen.setdefault((*place, host), [])
            others = [name for section, name in known if None in (section, listener) or section == listener]
            if others:
                yield subject.problem(
                    f"its route of {host or 'that listener'} at Gateway {route.gateway.namespace}/{route.gateway.name} "
                    f"is also that of VM {others[0]}",
                    "use another host name or listener, or write one route with both yourself",
                    "route",
                )
            known.append((listener, subject.name))


@rule(
    "VMF154",
    "error",
    "route does not say which clients",
    source="gateway-api apis/v1/httproute_types.go (Hostname), apis/v1alpha2/tcproute_types.go",
    essential=True,
    each=True,
)
def matchless(review: Review) -> Iterator[Problem]:
    """An HTTPRoute without host names takes every request of the Gateway that no other route takes.

    A TCPRoute has none: all connections of its listener are its clients, so it has to name the listener.
    """
    for subject, _, _, route in _routed(review):
        addresses = [host for host in route.hostnames if is_address(host)]
        if route.kind == "http" and not route.hostnames:
            yield subject.problem(
                "its route takes every request of the Gateway", "state `hostnames` of its clients", "route"
            )
        elif addresses:
            yield subject.problem(
                f"its route has {addresses[0]} as host name, and no route matches an address",
                "state the name that clients ask for",
                "route",
                "hostnames",
            )
        elif route.kind == "tcp" and route.hostnames:
            yield subject.problem(
                "its route has host names, and a TCPRoute matches none",
                "remove `hostnames`, or set kind: http",
                "route",
            )
        if route.kind == "tcp" and route.gateway.section_name is None:
            yield subject.problem(
                "its route would take the connections of every listener of the Gateway",
                "state `sectionName` in route.gateway: the listener of its port",
                "route",
                "gateway",
            )


@rule(
    "VMF155",
    "error",
    "Argo CD leaves out what leads to the source",
    source="argo-cd manifests/base/config/argocd-cm.yaml (resource.exclusions), since 3.0",
    each=True,
)
def left_out(review: Review) -> Iterator[Problem]:
    """Argo CD is installed with `resource.exclusions`, and from release 3.0 on EndpointSlices are among them.

    It then syncs the route and the Service of the source, but not the EndpointSlice: every client of the route gets an
    error. Take `EndpointSlice` out of the exclusions in argocd-cm, and suppress this finding with that reason.
    """
    for subject, _, _, _ in _routed(review):
        if review.spec.target.gitops.engine == "argocd":
            yield subject.problem(
                "its route needs an EndpointSlice, which Argo CD does not sync as it is installed",
                "take EndpointSlice out of resource.exclusions in argocd-cm, and suppress this",
                "route",
            )


@rule("VMF156", "warning", "NetworkPolicy may keep the Gateway out", each=True)
def shut_out(review: Review) -> Iterator[Problem]:
    """`allowFrom` of an application lets in pods of the namespaces that it lists, and no others.

    Clients come from the proxies of the Gateway. They run in the Gateway's namespace, or in that of its controller,
    which depends on the implementation: suppress this if that one is listed.
    """
    for subject, _, machine, route in _routed(review):
        allowed = machine.application.allow_from if machine.application is not None else None
        if allowed is not None and route.gateway.namespace not in allowed:
            yield subject.problem(
                f"its application lets in {', '.join(allowed) or 'no other namespace'}, and clients come from Gateway "
                f"{route.gateway.namespace}/{route.gateway.name}",
                "add the namespace of the Gateway's proxies to application.allowFrom",
                "route",
                "gateway",
            )


@rule("VMF157", "error", "VM is graduated before all is over for its route", essential=True, groups=True)
def graduated(review: Review) -> Iterator[Problem]:
    """Until `retired`, vmferry keeps the weights of the route and the Service of the source: there is a way back.

    The other repository gets the route with the VM, as it is then: with the target alone.
    """
    for subject, group, _, _ in _routed(review):
        if group.graduated and group.stage != "retired":
            yield subject.problem(
                f"its group is graduated at {group.stage}, and its route still has both sides",
                "remove `graduated`, and hand it over at stage retired",
                "route",
            )
