"""The vCenter that a conversion or CDI reads a VM from, and the credential it has for that."""

from urllib.parse import quote, urlsplit

from vmferry.model.blueprint import Blueprint, Credential, Machine, SourcePlan
from vmferry.model.spec import VCenter


def vcenter(blueprint: Blueprint, name: str) -> VCenter:
    """Return the vCenter of the source called ``name``. Raises LookupError where there is none."""
    return _source(blueprint, name).vcenter


def conversion_credential(blueprint: Blueprint, machine: Machine) -> Credential:
    """Return the credential, in the machine's namespace, that may read the machine's disks.

    With several sources in one namespace, it is the one that the vCenter names, or whose name the source's
    name opens. Raises LookupError where the namespace has none.
    """
    candidates = [
        credential
        for plan in blueprint.namespaces
        if plan.name == machine.namespace
        for credential in plan.credentials
        if credential.purpose == "conversion"
    ]
    if not candidates:
        raise LookupError(f"namespace {machine.namespace} has no conversion credential")
    return min(candidates, key=lambda credential: _distance(blueprint, machine, credential))


def libvirt_location(blueprint: Blueprint, machine: Machine) -> tuple[str, str]:
    """Return the scheme of the libvirt URI of the machine's host, and what follows the user's ``@``.

    The path is ``[folder/]datacenter/[folder/][cluster/]host``, each part percent-encoded; a host that is
    reached directly has none (libvirt docs/drvesx.rst).
    """
    source = vcenter(blueprint, machine.source)
    server = urlsplit(source.url).netloc
    if source.sdk_endpoint == "esxi":
        return "esx", server
    parts = [part.strip("/") for part in (machine.datacenter, machine.cluster, machine.host) if part]
    return "vpx", "/".join([server, *(quote(part) for part in parts)])


def _source(blueprint: Blueprint, name: str) -> SourcePlan:
    for source in blueprint.sources:
        if source.name == name:
            return source
    raise LookupError(f"no source {name}")


def _distance(blueprint: Blueprint, machine: Machine, credential: Credential) -> tuple[bool, bool, str]:
    """Return how far a credential is from being the machine's; least is best."""
    named = vcenter(blueprint, machine.source).conversion_credentials
    referenced = named.secret_ref.name if named is not None and named.secret_ref is not None else None
    return (
        credential.name != referenced,
        not credential.name.startswith(f"{machine.source}-"),
        credential.name,
    )
