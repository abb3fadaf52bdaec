"""The pre-flight: what its Jobs need, and what they leave out."""

from collections.abc import Iterator

from vmferry.estate.network_map import network_map
from vmferry.estate.preflight import hosts_of, nodes_of, unattachable
from vmferry.estate.urls import endpoint
from vmferry.model.blueprint import PreflightPlan
from vmferry.model.finding import Where
from vmferry.model.review import Problem, Review
from vmferry.rules.registry import rule


def _plan(review: Review) -> Iterator[tuple[PreflightPlan, Where]]:
    """Yield the plan and its place, if there is one."""
    if review.blueprint.preflight is not None:
        yield review.blueprint.preflight, review.at("target", "preflight")


@rule("VMF576", "error", "no image for the pre-flight", blueprint=True)
def no_image(review: Review) -> Iterator[Problem]:
    """Its Jobs run a script, in an image with bash, curl, coreutils and openssl."""
    for plan, where in _plan(review):
        if plan.image is None:
            yield Problem(
                "the pre-flight has no image for its Jobs",
                "set target.preflight.image, or target.cluster.checkImage, to one that the cluster can pull",
                where,
            )


@rule(
    "VMF577",
    "warning",
    "pre-flight reaches no ESXi host",
    source="kubev2v/forklift-documentation documentation/modules/ref_ports.adoc: 443 and 902 of the ESXi hosts",
    blueprint=True,
)
def no_hosts(review: Review) -> Iterator[Problem]:
    """Disks are read from ESXi hosts, not from vCenter. A firewall that blocks them stops the first copy.

    The pre-flight takes the hosts from the inventory. Without one, it does not know them, and leaves them out.
    """
    for _, where in _plan(review):
        for source in review.spec.sources:
            direct = source.vcenter.sdk_endpoint == "esxi"
            if not direct and not hosts_of(source, review.spec, review.project.inventories):
                yield Problem(
                    f"the pre-flight does not try ports 443 and 902 of the ESXi hosts of {source.name}: no inventory "
                    "lists them",
                    "import the inventory of this vCenter, or list the hosts in target.preflight.hosts",
                    where,
                )


@rule("VMF578", "info", "pre-flight does not compare the certificate", blueprint=True)
def no_thumbprint(review: Review) -> Iterator[Problem]:
    """VDDK refuses a vCenter whose certificate was renewed since its thumbprint was noted.

    Where the spec does not have the thumbprint, there is nothing to compare the certificate with.
    """
    for _, _ in _plan(review):
        for index, source in enumerate(review.spec.sources):
            if source.vcenter.thumbprint is None:
                host, port = endpoint(source.vcenter.url)
                yield Problem(
                    f"the pre-flight does not compare the certificate of {source.name}: its thumbprint is not stated",
                    f"set `thumbprint` to what `openssl s_client -connect {host}:{port} </dev/null | openssl x509 "
                    "-noout -fingerprint -sha1` prints",
                    review.at("sources", index, "vcenter"),
                )


@rule("VMF579", "error", "no label selects the nodes of a pool", blueprint=True)
def unknown_nodes(review: Review) -> Iterator[Problem]:
    """A pre-flight test runs on every node of a pool. Kubernetes only finds them by a label that other nodes lack.

    `zone` is one if no other pool is in it.
    """
    cluster = review.spec.target.cluster
    for _, _ in _plan(review):
        for index, pool in enumerate(cluster.nodes):
            if nodes_of(pool, cluster) is None:
                yield Problem(
                    f"no label selects the nodes of pool {pool.name}, on which the pre-flight runs",
                    "set `nodeSelector` of the pool to labels that its nodes have, and no others",
                    review.at("target", "cluster", "nodes", index),
                )


@rule("VMF580", "warning", "pre-flight on one node only", blueprint=True)
def one_node(review: Review) -> Iterator[Problem]:
    """Bridges, firewalls and clocks differ from node to node. A test on one of them says nothing about the others."""
    for _, _ in _plan(review):
        if not review.spec.target.cluster.nodes:
            yield Problem(
                "the pre-flight runs on one node only: target.cluster.nodes is not stated",
                "state the pools of the cluster, each with the number of its nodes",
                review.at("target", "cluster"),
            )


@rule("VMF581", "warning", "network left out of the pre-flight", blueprint=True)
def left_out(review: Review) -> Iterator[Problem]:
    """A pod attaches to a network by a NetworkAttachmentDefinition, with the node resource that this names.

    Of one that vmferry does not create, the spec has neither the resource nor, without `namespace`, the place.
    """
    for _, _ in _plan(review):
        for row in network_map(review.spec.networks, review.project.where).rows:
            why = unattachable(row.network)
            if why is not None:
                yield Problem(
                    f"the pre-flight does not attach to network {row.name}: {why}",
                    "try it with a `smokeTest` of the network, or suppress this with the reason",
                    row.where.at("target"),
                )
