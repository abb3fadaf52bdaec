"""The sources of a spec: vCenters, and where their credentials are."""

from typing import Annotated, Literal

from msgspec import Meta

from vmferry.model.base import Address, Duration, Image, Model, Name, Subdomain, Text


class SecretRef(Model, frozen=True, kw_only=True):
    """A Secret that exists already."""

    name: Annotated[Subdomain, Meta(description="Its name.")]


class StoreRef(Model, frozen=True, kw_only=True):
    """A SecretStore of the External Secrets operator."""

    name: Annotated[Subdomain, Meta(description="Its name.")]
    kind: Annotated[Literal["SecretStore", "ClusterSecretStore"], Meta(description="Its kind.")] = "ClusterSecretStore"


class ExternalSecret(Model, frozen=True, kw_only=True):
    """An ExternalSecret that vmferry emits."""

    store_ref: Annotated[StoreRef, Meta(description="The store.")]
    key: Annotated[Text, Meta(description="Key in the store, with properties user, password and cacert.")]
    refresh_interval: Annotated[Duration, Meta(description="How often it is read.")] = "1h"
    api_version: Annotated[
        Literal["external-secrets.io/v1", "external-secrets.io/v1beta1"],
        Meta(description="Version of the operator's API."),
    ] = "external-secrets.io/v1"


class Credentials(Model, frozen=True, kw_only=True):
    """Where to find the user and password of a vCenter or ESXi host; exactly one. Never the values."""

    secret_ref: Annotated[SecretRef, Meta(description="An existing Secret.")] | None = None
    external_secret: Annotated[ExternalSecret, Meta(description="An ExternalSecret to emit.")] | None = None
    file: (
        Annotated[Text, Meta(description="A SealedSecret or SOPS file beside the spec, copied byte for byte.")] | None
    ) = None


class EsxiHost(Model, frozen=True, kw_only=True):
    """An ESXi host that Forklift copies from directly."""

    name: Annotated[Text, Meta(description="Its name in vCenter.")]
    id: Annotated[Text, Meta(description="Its managed object id, as in host-21.")] | None = None
    ip_address: Annotated[Address, Meta(description="The address to copy from.")]
    credentials: Annotated[Credentials, Meta(description="Credentials of the host.")]


class VCenter(Model, frozen=True, kw_only=True):
    """A vCenter server."""

    url: Annotated[
        str,
        Meta(
            pattern=r"^https://[^/@\s]+(:[0-9]+)?/sdk$(?!\n)",
            description="Its SDK address, https://HOST/sdk, without credentials.",
        ),
    ]
    credentials: Annotated[Credentials, Meta(description="Credentials Forklift uses, in its namespace.")]
    conversion_credentials: (
        Annotated[
            Credentials,
            Meta(description="Read-only credentials of virt-v2v Jobs, in each namespace they run in."),
        ]
        | None
    ) = None
    thumbprint: (
        Annotated[
            str,
            Meta(pattern=r"^[0-9A-F]{2}(:[0-9A-F]{2}){19}$(?!\n)", description="SHA-1 thumbprint of its certificate."),
        ]
        | None
    ) = None
    insecure_skip_verify: Annotated[bool, Meta(description="Do not verify its certificate.")] = False
    vddk_image: Annotated[Image, Meta(description="Image that contains VMware's VDDK.")] | None = None
    sdk_endpoint: Annotated[Literal["vcenter", "esxi"], Meta(description="What the URL leads to.")] = "vcenter"
    parallel_conversions: Annotated[
        int,
        Meta(
            ge=1,
            le=500,
            description="Maximum number of conversion Jobs that read from it at once, across all namespaces; the "
            "others wait.",
        ),
    ] = 10
    settings: Annotated[
        dict[Literal["useVddkAioOptimization", "vddkConfig", "esxiCloneMethod"], str],
        Meta(description="Further settings of the Forklift Provider."),
    ] = {}
    hosts: Annotated[tuple[EsxiHost, ...], Meta(description="ESXi hosts to copy from directly.")] = ()


class Source(Model, frozen=True, kw_only=True):
    """Where VMs come from."""

    name: Annotated[Name, Meta(description="Name that VMs refer to.")]
    vcenter: Annotated[VCenter, Meta(description="The vCenter.")]
