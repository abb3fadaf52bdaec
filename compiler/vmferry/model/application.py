"""The description of an application that is rebuilt as containers (path C)."""

from typing import Annotated, Literal

from msgspec import Meta

from vmferry.model.base import ConfigKey, Duration, Image, Model, Name, Port, Size, Text

CONFIG_VOLUME, SCRATCH_VOLUME = "vmferry-config", "vmferry-tmp"
"""Volumes that vmferry adds to an application; its state must use other names."""

EnvName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$(?!\n)", max_length=253)]
CpuQuantity = Annotated[
    str, Meta(pattern=r"^([0-9]{1,9}m|[0-9]{1,6}(\.[0-9]{1,3})?)$(?!\n)", description="CPU, as in 500m or 2.")
]


class KeyRef(Model, frozen=True, kw_only=True):
    """A key of a Secret or ConfigMap in the application's namespace."""

    name: Annotated[Name, Meta(description="Secret or ConfigMap.")]
    key: Annotated[ConfigKey, Meta(description="The key.")]


class EnvVar(Model, frozen=True, kw_only=True):
    """An environment variable; exactly one of value, secretKeyRef and configMapKeyRef."""

    name: Annotated[EnvName, Meta(description="Its name.")]
    value: Annotated[str, Meta(description="Its value; never a secret.")] | None = None
    secret_key_ref: Annotated[KeyRef, Meta(description="Key of a Secret.")] | None = None
    config_map_key_ref: Annotated[KeyRef, Meta(description="Key of a ConfigMap.")] | None = None


class NamedPort(Model, frozen=True, kw_only=True):
    """A served port."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$(?!\n)", max_length=15, description="Its name.")]
    port: Annotated[Port, Meta(description="The port the service listens on.")]
    target_port: Annotated[Port, Meta(description="The port in the guest or container. Default: the same.")] | None = (
        None
    )
    protocol: Annotated[Literal["TCP", "UDP"], Meta(description="Protocol.")] = "TCP"


class Probe(Model, frozen=True, kw_only=True):
    """How to check whether the application works: an HTTP path or an open port."""

    port: Annotated[Port, Meta(description="The container's port.")]
    path: Annotated[str, Meta(pattern="^/", description="HTTP path; without it, a TCP connect is enough.")] | None = (
        None
    )
    period: Annotated[Duration, Meta(description="Interval between checks.")] = "10s"
    delay: Annotated[Duration, Meta(description="Delay after the start.")] = "5s"


class State(Model, frozen=True, kw_only=True):
    """Data that the application keeps, on a separate volume."""

    name: Annotated[Name, Meta(description="Name of the volume.")]
    mount_path: Annotated[str, Meta(pattern="^/", description="Where it is mounted.")]
    size: Annotated[Size, Meta(description="Its size.")]
    tier: Annotated[Text, Meta(description="Storage tier.")] | None = None
    storage_class: Annotated[Name, Meta(description="StorageClass, over any rule.")] | None = None
    shared: Annotated[bool, Meta(description="All replicas mount the same volume (ReadWriteMany).")] = False


class Resources(Model, frozen=True, kw_only=True):
    """Resource requests of a container."""

    cpu: Annotated[CpuQuantity, Meta(description="CPU request.")] = "100m"
    memory: Annotated[Size, Meta(description="Memory request and limit.")] = "256Mi"


class Application(Model, frozen=True, kw_only=True):
    """The containers that replace the VM."""

    image: Annotated[Image, Meta(description="Image, pinned by tag or digest.")] | None = None
    kind: Annotated[Literal["Deployment", "StatefulSet"], Meta(description="Workload.")] = "Deployment"
    replicas: Annotated[int, Meta(ge=1, le=1000, description="Replicas after cutover.")] = 1
    command: Annotated[tuple[str, ...], Meta(description="Command over the image's.")] = ()
    args: Annotated[tuple[str, ...], Meta(description="Arguments over the image's.")] = ()
    ports: Annotated[tuple[NamedPort, ...], Meta(description="Ports it serves.")] = ()
    env: Annotated[tuple[EnvVar, ...], Meta(description="Environment.")] = ()
    env_from_secrets: Annotated[tuple[Name, ...], Meta(description="Secrets whose keys become variables.")] = ()
    config: Annotated[dict[ConfigKey, str], Meta(description="Files mounted at configPath, name to content.")] = {}
    config_path: Annotated[str, Meta(pattern="^/", description="Where the files appear.")] = "/etc/config"
    state: Annotated[tuple[State, ...], Meta(description="Volumes that keep data.")] = ()
    resources: Annotated[Resources, Meta(description="Requests.")] = Resources()
    readiness: Annotated[Probe, Meta(description="Ready to serve.")] | None = None
    liveness: Annotated[Probe, Meta(description="Alive.")] | None = None
    user: Annotated[int, Meta(ge=1, le=2147483647, description="User id it runs as; never root.")] = 10001
    read_only_root: Annotated[bool, Meta(description="Root file system read-only.")] = True
    allow_from: (
        Annotated[
            tuple[Name, ...],
            Meta(description="Namespaces that may connect; a NetworkPolicy refuses the rest."),
        ]
        | None
    ) = None
