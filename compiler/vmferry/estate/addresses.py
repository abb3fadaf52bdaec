"""Which NICs of a guest keep their addresses, what a conversion needs for that, and what prevents it."""

import ipaddress
import re
from collections.abc import Sequence

from vmferry.model.blueprint import KeptNic, Machine, MachineNic
from vmferry.model.facts import Nic, OsFamily
from vmferry.model.spec import Decisions

_NO_ADDRESS_CMDLETS = re.compile(r"win(?:31|95|98|Me|NT|2000|XP|Net|Vista|Longhorn|dows7)", re.IGNORECASE)
"""Guest ids of Windows before 8 and Server 2012, which lack New-NetIPAddress."""


def preserves(decisions: Decisions) -> bool:
    """Return whether the guest keeps its addresses on NICs that get no new ones.

    It does unless the spec says otherwise: `readdress` only affects NICs on the networks that it lists.
    """
    return decisions.static_ip != "none"


def address_of(text: str) -> str | None:
    """Return an address in one form, without its prefix; None for any other text."""
    try:
        return str(ipaddress.ip_interface(text).ip)
    except ValueError:
        return None


def own(nic: Nic) -> tuple[str, ...]:
    """Return a NIC's addresses according to vSphere, without those that are only valid inside the guest."""
    return tuple(text for text in nic.addresses if _lasting(text))


def _lasting(text: str) -> bool:
    try:
        ip = ipaddress.ip_interface(text).ip
    except ValueError:
        return False
    return not (ip.is_link_local or ip.is_loopback or ip.is_unspecified)


def is_address(text: str) -> bool:
    """Return whether a text is an address, without a prefix."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def of_family(texts: Sequence[str], address: str) -> tuple[str, ...]:
    """Return the addresses of the same family as ``address``, IPv4 or IPv6."""
    return tuple(text for text in texts if (":" in text) == (":" in address))


def is_converted(machine: Machine) -> bool:
    """Return whether virt-v2v converts the machine's own system: it is not a clone, and no disk is copied unchanged."""
    if machine.path != "virt-v2v" or machine.raw or machine.golden or machine.os == "other":
        return False
    copied = machine.clone_of is not None or any(disk.source.vddk is not None for disk in machine.disks)
    return bool(machine.disks) and not copied


def sets_addresses(guest_id: str | None) -> bool:
    """Return whether virt-v2v can set a Windows guest's addresses, with cmdlets that exist since Windows 8 and 2012.

    virt-v2v convert/convert_windows.ml (configure_network_interfaces) calls Get-NetAdapter and New-NetIPAddress.
    """
    return guest_id is None or _NO_ADDRESS_CMDLETS.match(guest_id) is None


def kept(fact: Nic, made: MachineNic, decisions: Decisions, os: OsFamily) -> KeptNic | None:
    """Return what a conversion restores for a NIC; None if there is nothing, or it is unknown.

    Linux keeps the name of the interface, with DHCP too, because its configuration depends on it. With a static
    address, it keeps the name only if the address stays and the network allows it: on the pod network KubeVirt assigns
    the address.
    """
    if made.mac is None or made.readdress is not None:
        return None
    stays = preserves(decisions) and (made.nad is not None or fact.origin is None)
    if os == "windows":
        addresses = tuple(text for text in own(fact) if "/" in text)
        if fact.origin != "static" or made.nad is None or not (stays and addresses):
            return None
        return KeptNic(
            addresses=addresses,
            gateways=tuple(filter(is_address, fact.gateways)),
            nameservers=tuple(filter(is_address, fact.nameservers)),
        )
    if os != "linux" or not (stays or fact.origin == "dhcp"):
        return None
    static = fact.origin == "static"
    return KeptNic(interface=fact.interface, addresses=own(fact) if static else (), seen=() if static else own(fact))
