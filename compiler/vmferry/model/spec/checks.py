"""What proves that a VM works in the target: a port answers, its own script says so, its data are the same."""

from typing import Annotated, Literal

from msgspec import Meta, field

from vmferry.model.base import Cidr, Model, Name, Port, Text, text
from vmferry.model.spec.sources import SecretRef

ServiceName = Annotated[
    str,
    text(
        r"[A-Za-z0-9_][A-Za-z0-9_.@$-]*",
        "A service of the guest, as systemd or Windows names it.",
        max_length=200,
        example="postgresql",
    ),
]
# What follows the host in a request line: printable, without blanks, so that nothing can be added to the request.
_PATH = text(r"/[!-~]*", "A path, with its query.", max_length=1024, example="/health")
_LINE = text(r"[^\r\n]+", "Text that must be in the page, on one line.", max_length=500)
_HOST = text(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", "A host name.", max_length=253, example="shop.example.com")


class HttpCheck(Model, frozen=True, kw_only=True):
    """A page that the VM serves. Redirects are not followed."""

    port: Annotated[Port, Meta(description="Port.")]
    scheme: Annotated[Literal["http", "https"], Meta(description="http or https.")] = "http"
    path: Annotated[str, _PATH] = "/"
    host: Annotated[str, _HOST, Meta(description="Name that is asked for, and that the certificate is for.")] | None = (
        None
    )
    status: (
        Annotated[
            tuple[Annotated[int, Meta(ge=100, le=599)], ...],
            Meta(min_length=1, description="Accepted status codes. Default: 200 to 399."),
        ]
        | None
    ) = None
    contains: Annotated[str, _LINE] | None = None
    insecure_skip_verify: Annotated[bool, Meta(description="Accept any certificate (https).")] = False


class Check(Model, frozen=True, kw_only=True):
    """One check. It has exactly one of tcp, http, ping, guestAgent, service, script and same."""

    name: Annotated[Name, Meta(description="Its name.")]
    tcp: Annotated[Port, Meta(description="Port that must accept connections.")] | None = None
    http: Annotated[HttpCheck, Meta(description="Page that must answer.")] | None = None
    ping: Annotated[Literal[True], Meta(description="It must answer to ping.")] | None = None
    guest_agent: Annotated[Literal[True], Meta(description="The guest agent must be connected.")] | None = None
    service: Annotated[ServiceName, Meta(description="Service that must run in the guest; always a probe.")] | None = (
        None
    )
    script: (
        Annotated[
            Text,
            Meta(
                description="File beside the spec, run with the VM's name and address. 0 is success; its last line "
                "says what is wrong."
            ),
        ]
        | None
    ) = None
    same: (
        Annotated[
            Text,
            Meta(
                description="File beside the spec, run with the VM's name and address, before the source stops and "
                "again in the target: what it prints has to be the same. 0 is success."
            ),
        ]
        | None
    ) = None
    secret_ref: (
        Annotated[
            SecretRef,
            Meta(
                description="Secret in the VM's namespace that script or same needs; its keys are files in the "
                "directory CREDENTIALS."
            ),
        ]
        | None
    ) = None
    network: (
        Annotated[Name, Meta(description="One of `networks` by name, over which the VM is reached. Default: its own.")]
        | None
    ) = None
    from_: (
        Annotated[
            Cidr,
            Meta(
                description="A free address of `network`: the pod is attached to that network with it, and reaches the "
                "VM from there, as its neighbours do. Default: through the pod's node."
            ),
        ]
        | None
    ) = field(default=None, name="from")
    probe: Annotated[
        bool,
        Meta(
            description="KubeVirt checks it as long as the VM runs (readinessProbe): Services only lead to it while "
            "it passes. Path virt-v2v only, and one for each VM."
        ),
    ] = False

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return what it checks, as its fields are called in YAML; one that is right has one."""
        stated = {
            "tcp": self.tcp,
            "http": self.http,
            "ping": self.ping,
            "guestAgent": self.guest_agent,
            "service": self.service,
            "script": self.script,
            "same": self.same,
        }
        return tuple(name for name, value in stated.items() if value is not None)

    @property
    def file(self) -> str | None:
        """Return the user's script that carries it out, if one does."""
        return self.script or self.same

    @property
    def probed(self) -> bool:
        """Return whether KubeVirt is to check it: only KubeVirt can ask the guest for a service."""
        return self.probe or self.service is not None

    @property
    def connects(self) -> bool:
        """Return whether it needs a way to the VM; the others ask KubeVirt."""
        return self.guest_agent is None and self.service is None
