"""The vCenter that a conversion or CDI reads a VM from, and the credential it has for that."""

from urllib.parse import quote, urlsplit

from vmferry.model.blueprint import Blueprint, Conversion, Machine, SourcePlan, conversion_now


def conversion(blueprint: Blueprint, machine: Machine) -> Conversion:
    """Return what a machine is converted with: as it was when that began, or as of now.

    Raises LookupError where its source is unknown.
    """
    if machine.conversion is not None:
        return machine.conversion
    source = source_plan(blueprint, machine.source)
    return conversion_now(blueprint.cluster, source.vcenter, None, places_at=source.places_at)


def conversion_secret(blueprint: Blueprint, machine: Machine) -> str:
    """Return the Secret, in the machine's namespace, whose credentials may read the machine's disks.

    Raises LookupError where the namespace has none for the machine's vCenter.
    """
    if machine.conversion is not None and machine.conversion.secret is not None:
        return machine.conversion.secret
    for plan in blueprint.namespaces:
        for credential in plan.credentials:
            if (plan.name, credential.source, credential.purpose) == (machine.namespace, machine.source, "conversion"):
                return credential.name
    raise LookupError(f"namespace {machine.namespace} has no conversion credential for {machine.source}")


def libvirt_location(blueprint: Blueprint, machine: Machine) -> tuple[str, str]:
    """Return the scheme of the libvirt URI of the machine's host, and what follows the user's ``@``.

    The path is ``[folder/]datacenter/[folder/][cluster/]host``, each part percent-encoded; a host that is
    reached directly has none (libvirt docs/drvesx.rst).
    """
    origin = conversion(blueprint, machine)
    server = urlsplit(origin.url).netloc
    if origin.sdk_endpoint == "esxi":
        return "esx", server
    parts = [part.strip("/") for part in (machine.datacenter, machine.cluster, machine.host) if part]
    return "vpx", "/".join([server, *(quote(part) for part in parts)])


def source_plan(blueprint: Blueprint, name: str) -> SourcePlan:
    """Return the source called ``name``, as it is now. Raises LookupError where there is none."""
    for plan in blueprint.sources:
        if plan.name == name:
            return plan
    raise LookupError(f"no source {name}")
