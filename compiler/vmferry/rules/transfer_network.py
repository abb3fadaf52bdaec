"""The network that disks are copied over: the default route in its definition, and who can reach it."""

from collections import defaultdict
from collections.abc import Iterator

from vmferry.estate.segments import Row, Rows
from vmferry.estate.stages import started
from vmferry.kube.versions import TRANSFER_NAMESPACE, possible
from vmferry.model.blueprint import Group
from vmferry.model.keys import Reference, apart, name_of, namespace_of, reference
from vmferry.model.review import Problem, Review
from vmferry.model.spec import ExistingNad
from vmferry.rules.networks import GLOBAL_NAMESPACES, unreachable_nad
from vmferry.rules.registry import also, rule

_SOURCE = "kubev2v/forklift pkg/controller/plan/kubevirt.go (setTransferNetwork, guessTransferNetworkDefaultRoute)"
_REACH = "kubev2v/forklift pkg/controller/plan/validation.go (validateTransferNetwork)"
_ROUTE = "forklift.konveyor.io/route"


@rule("VMF248", "info", "existing transfer network must state its default route", source=_SOURCE, blueprint=True)
def existing(review: Review) -> Iterator[Problem]:
    """Forklift makes a transfer network the *default* network of its pods unless the definition says otherwise.

    It does so by the annotation `forklift.konveyor.io/route` (the gateway or `none`) or by a default route in its IPAM.
    A definition that someone else created may have neither: then the pods lose the cluster's network, including DNS.
    """
    for nad, groups in _copied_over(review).items():
        if nad in review.blueprint.external_nads:
            row = _row(review, nad)
            gateway = row.network.gateway if row is not None else None
            value = gateway or "its gateway, or none if only its own subnet is needed"
            yield Problem(
                f"transfer network {nad} exists already, and without a default route it becomes the default network of "
                "Forklift's pods",
                f"make sure that it has the annotation {_ROUTE}: {value}",
                row.where.at("target") if row is not None else review.at("networks"),
                tuple(sorted({machine.name for group in groups for machine in group.machines})),
            )


@rule("VMF249", "warning", "transfer network without a gateway on an old Forklift", source=_SOURCE, blueprint=True)
def without_route(review: Review) -> Iterator[Problem]:
    """Before 2.11, a transfer network without a gateway becomes the default network of Forklift's pods.

    The pods lose the cluster's network, including DNS, and any vCenter or ESXi host that is not on the transfer
    network.
    """
    routes = {reference(plan.name, nad.name): nad.route for plan in review.blueprint.namespaces for nad in plan.nads}
    for nad, groups in _copied_over(review).items():
        if nad in routes and routes[nad] is None:
            yield Problem(
                f"transfer network {nad} has no gateway, so that Forklift {review.blueprint.cluster.versions.forklift} "
                "makes it the default network of its pods",
                "add `gateway` to the network, or update Forklift: 2.11 and later accept a network without one",
                review.at("networks"),
                tuple(sorted({machine.name for group in groups for machine in group.machines})),
            )


@rule("VMF250", "error", "transfer network out of Forklift's reach", source=_REACH, blueprint=True)
def out_of_reach(review: Review) -> Iterator[Problem]:
    """From 2.11 on, a Plan is Critical if its transfer network is neither in its target namespace nor in `default`."""
    if not possible(review.blueprint.cluster.versions, TRANSFER_NAMESPACE):
        return
    for nad, groups in _copied_over(review).items():
        for group in groups:
            if namespace_of(nad) not in (group.namespace, "default"):
                yield Problem(
                    f"group {group.name}: transfer network {nad} is not in its namespace {group.namespace}",
                    "create the definition there or in `default`, and use it in its target",
                    review.blueprint.places.get(group.machines[0].key),
                    tuple(machine.name for machine in group.machines),
                )


@also(unreachable_nad)
def isolated(review: Review) -> Iterator[Problem]:
    """Yield transfer networks that OpenShift's Multus does not let conversion Jobs use."""
    if review.spec.target.cluster.distribution != "openshift":
        return
    for group in review.blueprint.groups:
        nad = group.transfer_network if group.path == "virt-v2v" else None
        if nad is not None and namespace_of(nad) not in (group.namespace, *GLOBAL_NAMESPACES):
            yield Problem(
                f"transfer network {nad} is out of reach of namespace {group.namespace}",
                f"create {name_of(nad)} in {group.namespace} or in default, and use it in its target",
                review.blueprint.places.get(group.machines[0].key),
                tuple(machine.name for machine in group.machines),
            )


def _row(review: Review, nad: Reference) -> Row | None:
    """Return the row with an existing NAD."""
    namespace, name = apart(nad)
    for row in Rows(review).rows:
        target = row.network.target
        if isinstance(target, ExistingNad) and name == target.name and target.namespace in (None, namespace):
            return row
    return None


def _copied_over(review: Review) -> dict[Reference, list[Group]]:
    """Return by transfer network the groups that Forklift will copy over it."""
    found: defaultdict[Reference, list[Group]] = defaultdict(list)
    for group in review.blueprint.groups:
        if group.path == "forklift" and group.transfer_network and not started(group.stage):
            found[group.transfer_network].append(group)
    return dict(sorted(found.items()))
