"""A route of the Gateway API: clients come through a Gateway, which sends a share of them to source and target."""

from typing import Annotated, Literal

from msgspec import Meta

from vmferry.model.base import Address, Model, Name, Port, Subdomain, text

RouteKind = Literal["http", "tcp"]
# gateway-api apis/v1/shared_types.go, Hostname
RouteHostname = Annotated[
    str,
    text(
        r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*",
        "A host name that clients ask for, or `*.` and a domain.",
        max_length=253,
        example="shop.example.com",
    ),
]


class RouteGateway(Model, frozen=True, kw_only=True):
    """The Gateway that clients come through. It exists already, and lets in routes of the VM's namespace."""

    name: Annotated[Subdomain, Meta(description="Its name.")]
    namespace: Annotated[Name, Meta(description="Its namespace.")]
    section_name: Annotated[Subdomain, Meta(description="Its listener. Default: all that fit.")] | None = None


class RouteBefore(Model, frozen=True, kw_only=True):
    """Where the Gateway reaches the source."""

    address: Annotated[Address, Meta(description="Its address. Default: the one of its NIC in vSphere.")] | None = None
    port: Annotated[Port, Meta(description="Its port. Default: that of the Service.")] | None = None


class ClientRoute(Model, frozen=True, kw_only=True):
    """An HTTPRoute or TCPRoute with weights, for `dualRun.mode: parallel`: `weight` of the group moves its clients."""

    kind: Annotated[RouteKind, Meta(description="http: an HTTPRoute. tcp: a TCPRoute.")] = "http"
    gateway: Annotated[RouteGateway, Meta(description="The Gateway that clients come through.")]
    hostnames: Annotated[
        tuple[RouteHostname, ...], Meta(max_length=16, description="http: the host names that clients ask for.")
    ] = ()
    port: (
        Annotated[
            str,
            Meta(
                pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$(?!\n)",
                max_length=15,
                description="One of `ports` by name. Default: the only TCP port.",
            ),
        ]
        | None
    ) = None
    before: Annotated[RouteBefore, Meta(description="Where the Gateway reaches the source.")] = RouteBefore()
