"""The DNS of a spec: zones, who changes each, and the records of VMs."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, field

from vmferry.model.base import ConfigKey, Duration, Model, Name, Port, Subdomain, Text, text

HostName = Annotated[
    str, text(r"[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|[0-9A-Fa-f.:]+", "A host name or IP address.", max_length=253)
]
RecordName = Annotated[
    str,
    text(
        r"(?=[^\s]{1,254}$)[A-Za-z0-9_][-A-Za-z0-9_]{0,62}(\.[A-Za-z0-9_][-A-Za-z0-9_]{0,62})*\.?",
        "A name in DNS, in full.",
        example="www.acme.example",
    ),
]


class TsigSecret(Model, frozen=True, kw_only=True):
    """A Secret that holds a key file."""

    name: Annotated[Subdomain, Meta(description="Its name.")]
    namespace: Annotated[Name, Meta(description="Its namespace.")]
    key: Annotated[ConfigKey, Meta(description="The key of the Secret that holds the file.")] = "tsig.key"


class TsigKey(Model, frozen=True, kw_only=True):
    """Where to find the TSIG key, a file as `tsig-keygen` writes it; exactly one. Never the key itself."""

    file: Annotated[Text, Meta(description="Path of the file, on the machine of whoever runs the script.")] | None = (
        None
    )
    secret_ref: Annotated[TsigSecret, Meta(description="A Secret, which the script reads with kubectl.")] | None = None


class ExternalDns(Model, frozen=True, kw_only=True, tag_field="type", tag="externaldns"):
    """ExternalDNS in the cluster, with its source `crd`: a DNSEndpoint per VM, synced like everything else."""

    weights: (
        Annotated[
            Literal["aws"],
            Meta(
                description="For `dualRun.mode: parallel`: its records have weights. aws: the zone is in Route 53, and "
                "each record of such a VM is a weighted one already, with set identifier `source`."
            ),
        ]
        | None
    ) = None
    owns_records: Annotated[
        bool,
        Meta(
            description="ExternalDNS owns the records already: their TXT records name it, or it runs with --registry "
            "noop. It ignores every other record."
        ),
    ] = False


class Rfc2136(Model, frozen=True, kw_only=True, tag_field="type", tag="rfc2136"):
    """A name server that takes dynamic updates (BIND, Knot, PowerDNS, Windows): a script with nsupdate."""

    server: Annotated[HostName, Meta(description="The primary name server.")]
    port: Annotated[Port, Meta(description="Its port.")] = 53
    tsig: Annotated[TsigKey, Meta(description="The key that signs updates. Default: they are not signed.")] | None = (
        None
    )


class PowerShell(Model, frozen=True, kw_only=True, tag_field="type", tag="powershell"):
    """A Windows DNS server: a script with the DnsServer module, with the rights of whoever runs it."""

    server: Annotated[HostName, Meta(description="The DNS server.")]


class ZoneFile(Model, frozen=True, kw_only=True, tag_field="type", tag="zonefile"):
    """A zone whose file people edit: the lines to put into it."""


DnsProvider: TypeAlias = ExternalDns | Rfc2136 | PowerShell | ZoneFile


class DnsZone(Model, frozen=True, kw_only=True):
    """A zone with records of VMs."""

    name: Annotated[Subdomain, Meta(description="Its name, without a dot at the end.")]
    provider: Annotated[DnsProvider, Meta(description="Who changes its records, and how.")]
    ttl: Annotated[Duration, Meta(description="TTL of the records now, and again once their VMs are accepted.")]
    cutover_ttl: Annotated[
        Duration,
        Meta(description="TTL of records that change, from `prepared` until their VMs are accepted."),
    ] = field(default="60s", name="cutoverTTL")


class Dns(Model, frozen=True, kw_only=True):
    """The zones in which VMs have records. Records that do not change are left alone."""

    zones: Annotated[tuple[DnsZone, ...], Meta(description="Zones.")] = ()


DnsTarget = Annotated[
    str,
    text(
        r"[0-9A-Fa-f.:]+|[A-Za-z0-9_][-A-Za-z0-9_]{0,62}(\.[A-Za-z0-9_][-A-Za-z0-9_]{0,62})*\.?",
        "An IP address, or a host name.",
        max_length=254,
    ),
]
DnsTargets = Annotated[tuple[DnsTarget, ...], Meta(min_length=1)]


class VmRecord(Model, frozen=True, kw_only=True):
    """A record by which clients find a VM: A and AAAA for addresses, CNAME for one host name."""

    name: Annotated[RecordName, Meta(description="Its name in full; the zone is the longest one that it ends in.")]
    network: (
        Annotated[Text, Meta(description="The network whose NIC it leads to. Default: the only one possible.")] | None
    ) = None
    before: (
        Annotated[DnsTargets, Meta(description="What it holds now. Default: the NIC's address in vSphere.")] | None
    ) = None
    after: (
        Annotated[DnsTargets, Meta(description="What it holds after the cutover. Default: the NIC's new address.")]
        | None
    ) = None
    ttl: Annotated[Duration, Meta(description="Its TTL. Default: that of its zone.")] | None = None
