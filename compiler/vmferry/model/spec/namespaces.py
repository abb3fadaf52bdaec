"""The namespaces of a spec: their VMs, quotas and network policies."""

from typing import Annotated, Literal

from msgspec import Meta

from vmferry.model.application import CpuQuantity
from vmferry.model.base import Labels, Model, Name, Size, Text


class Quota(Model, frozen=True, kw_only=True):
    """A ResourceQuota stated by hand, instead of `auto`."""

    cpu: Annotated[CpuQuantity, Meta(description="requests.cpu.")] | None = None
    memory: Annotated[Size, Meta(description="requests.memory.")] | None = None
    storage: Annotated[Size, Meta(description="requests.storage.")] | None = None


class NamespaceSource(Model, frozen=True, kw_only=True):
    """The resource pool or folder whose VMs go to a namespace; exactly one."""

    resource_pool: Annotated[Text, Meta(description="Resource pool path; includes pools below it.")] | None = None
    folder: Annotated[Text, Meta(description="Folder path; includes folders below it.")] | None = None
    source: Annotated[Name, Meta(description="Its vCenter. Default: any.")] | None = None


class Namespace(Model, frozen=True, kw_only=True):
    """A namespace of the target."""

    name: Annotated[Name, Meta(description="Its name.")]
    source: (
        Annotated[NamespaceSource, Meta(description="VMs that go there unless their entry says otherwise.")] | None
    ) = None
    quota: Annotated[Literal["auto", "none"] | Quota, Meta(description="ResourceQuota: computed, none, or stated.")] = (
        "auto"
    )
    network_policy: Annotated[
        Literal["none", "isolate"],
        Meta(description="isolate: other namespaces only reach declared ports."),
    ] = "none"
    labels: Annotated[Labels, Meta(description="Labels.")] = {}
