"""How a VM is found in the vCenter that its disks are read from, and with which credential."""

from urllib.parse import quote, urlsplit

from vmferry.model.blueprint import Blueprint, Machine, Origin, SourcePlan


def conversion_secret(origin: Origin, machine: Machine) -> str:
    """Return the Secret, in the machine's namespace, whose credentials may read the machine's disks.

    Raises LookupError where there is none.
    """
    if origin.secret is None:
        raise LookupError(f"namespace {machine.namespace} has no conversion credential for {machine.source}")
    return origin.secret


def libvirt_location(origin: Origin, machine: Machine) -> tuple[str, str]:
    """Return the scheme of the libvirt URI of the machine's host, and what follows the user's ``@``.

    The path is ``[folder/]datacenter/[folder/][cluster/]host``, each part percent-encoded; a host that is
    reached directly has none (libvirt docs/drvesx.rst).
    """
    server = urlsplit(origin.conversion.url).netloc
    if origin.conversion.sdk_endpoint == "esxi":
        return "esx", server
    parts = [part.strip("/") for part in (machine.datacenter, machine.cluster, machine.host) if part]
    return "vpx", "/".join([server, *(quote(part) for part in parts)])


def source_plan(blueprint: Blueprint, name: str) -> SourcePlan:
    """Return today's source with this name. Raises LookupError if there is none."""
    for plan in blueprint.sources:
        if plan.name == name:
            return plan
    raise LookupError(f"no source {name}")
