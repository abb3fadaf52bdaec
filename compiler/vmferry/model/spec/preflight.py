"""Pre-flight tests: what Jobs in the cluster try before anything moves."""

from typing import Annotated

from msgspec import Meta

from vmferry.model.base import Duration, Image, Model, Name, text
from vmferry.model.spec.decisions import Toleration

HostName = Annotated[
    str, text("[A-Za-z0-9:]([-A-Za-z0-9_.:]*[A-Za-z0-9:])?", "A host's DNS name or IP address.", max_length=253)
]


class PreflightHosts(Model, frozen=True, kw_only=True):
    """ESXi hosts of a vCenter that no inventory lists."""

    source: Annotated[Name, Meta(description="The vCenter, by the name of its source.")]
    names: Annotated[tuple[HostName, ...], Meta(min_length=1, description="The hosts, as they are named in vCenter.")]


class Preflight(Model, frozen=True, kw_only=True):
    """Jobs that test the way from the nodes to vSphere, networks and storage before anything moves."""

    namespace: Annotated[Name, Meta(description="Namespace of the Jobs, one of `namespaces`; best one of their own.")]
    image: (
        Annotated[
            Image,
            Meta(description="Image of the Jobs: with bash, curl, coreutils and openssl. Default: cluster.checkImage."),
        ]
        | None
    ) = None
    max_clock_skew: Annotated[
        Duration, Meta(description="How far the clocks of nodes may be from those of the vCenters.")
    ] = "30s"
    hosts: Annotated[
        tuple[PreflightHosts, ...], Meta(description="ESXi hosts to reach, besides those of the inventory.")
    ] = ()
    tolerations: Annotated[tuple[Toleration, ...], Meta(description="Taints of nodes that the Jobs tolerate.")] = ()
