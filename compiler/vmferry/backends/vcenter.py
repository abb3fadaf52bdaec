"""The vCenter that a conversion or CDI reads a VM from, and the credential it has for that."""

from urllib.parse import quote, urlsplit

from vmferry.model.blueprint import Blueprint, Credential, Machine, SourcePlan
from vmferry.model.spec import VCenter


def vcenter(blueprint: Blueprint, name: str) -> VCenter:
    """Return the vCenter of the source called ``name``. Raises LookupError where there is none."""
    return _source(blueprint, name).vcenter


def conversion_credential(blueprint: Blueprint, machine: Machine) -> Credential:
    """Return the credential, in the machine's namespace, that may read the machine's disks.

    Raises LookupError where the namespace has none for the machine's vCenter.
    """
    for plan in blueprint.namespaces:
        for credential in plan.credentials:
            if (plan.name, credential.source, credential.purpose) == (machine.namespace, machine.source, "conversion"):
                return credential
    raise LookupError(f"namespace {machine.namespace} has no conversion credential for {machine.source}")


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
