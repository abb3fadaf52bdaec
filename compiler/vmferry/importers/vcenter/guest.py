"""What VMware Tools reports from inside: addresses and where they come from, gateways, DNS, file systems."""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from msgspec.structs import replace

from vmferry.importers.cells import fits
from vmferry.model.facts import GuestDisk, Nic

_TOOLS: Mapping[str, Literal["running", "notRunning", "notInstalled"]] = {
    "guestToolsRunning": "running",
    "guestToolsExecutingScripts": "running",
    "guestToolsNotRunning": "notRunning",
}


_ASSIGNED = ("dhcp", "linklayer", "random")
"""Origins (NetIpConfigInfo) of dynamic addresses; they are not kept beside a manually configured one."""


def tools(running: str | None, version: str | None) -> Literal["running", "notRunning", "notInstalled"] | None:
    """Return the state of VMware Tools from toolsRunningStatus and toolsVersionStatus2."""
    return "notInstalled" if version == "guestToolsNotInstalled" else _TOOLS.get(running or "")


def guest_disks(disks: Iterable[Any] | None) -> tuple[GuestDisk, ...] | None:
    """Return the file systems, sorted by path; None if the guest reports none."""
    if not disks:
        return None
    found = (
        GuestDisk(path=path, capacity=_natural(disk.capacity), free=_natural(disk.freeSpace))
        for disk in disks
        if (path := fits(disk.diskPath))
    )
    return tuple(sorted(found, key=lambda each: each.path))


def with_addresses(
    nics: Iterable[tuple[int, Nic]], reported: Sequence[Any] | None, stacks: Sequence[Any] | None
) -> tuple[Nic, ...]:
    """Return the adapters with their data in guest.net and guest.ipStack, joined by device key."""
    ways = _gateways(stacks)
    by_key = {net.deviceConfigId: (index, net) for index, net in enumerate(reported or ())}
    return tuple(_addressed(nic, *by_key[key], ways, stacks) if key in by_key else nic for key, nic in nics)


def _addressed(
    nic: Nic, index: int, net: Any, ways: Mapping[str, tuple[str, ...]], stacks: Sequence[Any] | None
) -> Nic:
    found = list(_addresses(net))
    origins = {origin for _, origin in found}
    gateways = ways.get(str(index), ())
    servers = list(_servers(net.dnsConfig))
    if not servers and gateways:
        servers = [server for stack in stacks or () for server in _servers(stack.dnsConfig)]
    return replace(
        nic,
        addresses=tuple(address for address, origin in found if "manual" not in origins or origin not in _ASSIGNED),
        origin="static" if "manual" in origins else "dhcp" if "dhcp" in origins else None,
        gateway=gateways[0] if len(gateways) == 1 else gateways or None,
        nameservers=tuple(dict.fromkeys(servers)),
    )


def _addresses(net: Any) -> Iterator[tuple[str, str | None]]:
    """Yield addresses with their prefix, and NetIpConfigInfo's origin, without link-local ones."""
    config = net.ipConfig
    for item in (config.ipAddress if config else None) or ():
        address = _address(item.ipAddress)
        if address is None or address.is_link_local or item.prefixLength is None:
            continue
        yield f"{address}/{item.prefixLength}", item.origin


def _address(value: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address((value or "").partition("%")[0])
    except ValueError:
        return None


def _servers(config: Any) -> Iterator[str]:
    for value in getattr(config, "ipAddress", None) or ():
        if address := _address(value):
            yield str(address)


def _gateways(stacks: Sequence[Any] | None) -> Mapping[str, tuple[str, ...]]:
    """Return the default gateways (IPv4, then IPv6) by index into guest.net, which is how routes refer to devices."""
    ways: dict[str, dict[int, str]] = {}
    for stack in stacks or ():
        for route in (stack.ipRouteConfig.ipRoute if stack.ipRouteConfig else None) or ():
            address = _address(route.gateway.ipAddress)
            device = route.gateway.device
            if route.prefixLength or address is None or address.is_unspecified or device is None:
                continue
            ways.setdefault(device, {}).setdefault(address.version, str(address))
    return {device: tuple(found[version] for version in sorted(found)) for device, found in ways.items()}


def _natural(value: int | None) -> int | None:
    return int(value) if value is not None and value >= 0 else None
