"""Arguments about a guest's NICs for virt-v2v and the scripts around it, so that the guest keeps its network."""

from collections.abc import Iterator

from vmferry.estate.addresses import of_family
from vmferry.model.blueprint import KeptNic, Machine, MachineNic


def windows_addresses(machine: Machine) -> list[str]:
    """Return virt-v2v's --mac values; only Windows takes them (virt-v2v docs/virt-v2v.pod, --mac)."""
    if machine.os != "windows":
        return []
    return [value for nic in machine.nics for value in _addresses(nic)]


def _addresses(nic: MachineNic) -> Iterator[str]:
    """Yield MAC:ip:ADDRESS,GATEWAY,PREFIX,DNS... for each address of a NIC, with a gateway and servers of its family.

    Each becomes one call of New-NetIPAddress (convert/convert_windows.ml), which fails without setting an address if
    the gateway is of another family, or already set on the NIC: only the first address of a family includes it.
    """
    given = nic.readdress or nic.kept
    if given is None:
        return
    families: set[bool] = set()
    for cidr in given.addresses:
        address, _, prefix = cidr.partition("/")
        first = (":" in address) not in families
        families.add(":" in address)
        gateway = of_family(given.gateways, address)[:1] if first else ()
        servers = of_family(given.nameservers, address) if first else ()
        yield f"{nic.mac}:ip:{','.join([address, *(gateway or ('',)), prefix, *servers])}"


def linux_interfaces(machine: Machine) -> list[str]:
    """Return the NICs whose names are restored, in order, each as MAC[@NAME][=ADDRESS,...] (scripts/interfaces.sh)."""
    if machine.os != "linux":
        return []
    nics = sorted(machine.nics, key=lambda nic: nic.index)
    return [_interface(nic.mac, nic.kept) for nic in nics if nic.mac is not None and nic.kept is not None]


def _interface(mac: str, kept: KeptNic) -> str:
    name = f"@{kept.interface}" if kept.interface is not None else ""
    addresses = ",".join((*kept.addresses, *kept.seen))
    return f"{mac}{name}{'=' if addresses else ''}{addresses}"
