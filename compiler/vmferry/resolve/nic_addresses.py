"""MAC and IP addresses of NICs: they must be valid and unique."""

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from vmferry.estate.statements import NOT_APPLICABLE, UNKNOWN_FACT
from vmferry.kube.mac import MAC_TWICE, plain
from vmferry.model.facts import Nic
from vmferry.model.finding import Path, Where
from vmferry.model.rule import declare
from vmferry.model.spec import VirtualMachine
from vmferry.resolve.network_rows import parses
from vmferry.resolve.notes import Noting
from vmferry.resolve.paths import Route
from vmferry.resolve.selection import Candidate

INVALID_MAC = declare(
    "VMF205",
    "error",
    "MAC address is not valid",
    why="A NIC cannot have a multicast, zero or reserved address. KubeVirt does not check, so the VM would start and "
    "never receive an answer.",
    source="kubevirt/kubevirt pkg/network/admitter (addresses are not checked for multicast)",
)


def mac_address(candidate: Candidate, nic: Nic, where: Where, route: Route) -> Noting[str | None]:
    """Return a NIC's MAC; an unknown or invalid one is a finding."""
    vm = candidate.vm
    if nic.mac is None:
        if route.path == "virt-v2v":
            yield UNKNOWN_FACT.finding(
                f"VM {vm.name}: the MAC of its NIC on {nic.network!r} is unknown",
                "add `mac`, as vCenter shows it: the guest's configuration and licences are tied to it",
                where=where,
                vms=(vm.name,),
            )
        return None
    mac = plain(nic.mac)
    if not _usable(mac):
        yield INVALID_MAC.finding(
            f"VM {vm.name}: {nic.mac} is not the address of a NIC",
            "it is a multicast, zero or reserved address; copy the address from vCenter again",
            where=where.at("mac"),
            vms=(vm.name,),
        )
    return mac


def _usable(mac: str) -> bool:
    return not int(mac[:2], 16) & 1 and mac not in ("00:00:00:00:00:00", "02:00:00:00:00:00")


class Addressed(Struct, frozen=True):
    """The MACs of a VM, each with the number of its NIC."""

    key: str
    name: str
    where: Where
    macs: tuple[tuple[int, str], ...]


def check_macs(machines: Iterable[Addressed], taken: Mapping[str, tuple[str, str]]) -> Noting[None]:
    """Report duplicate MACs. ``taken`` maps those of frozen VMs to their keys and names."""
    seen = dict(taken)
    for machine in machines:
        counts = Counter(mac for _, mac in machine.macs)
        for index, mac in machine.macs:
            if not _usable(mac):
                continue
            key, name = seen.setdefault(mac, (machine.key, machine.name))
            users = f"{name} twice"
            if key != machine.key:
                alike = name == machine.name
                users = f"{name} ({key}) and {machine.name} ({machine.key})" if alike else f"{name} and {machine.name}"
            if key != machine.key or counts[mac] > 1:
                yield MAC_TWICE.finding(
                    f"MAC {mac} is used by {users}",
                    "two NICs with the same MAC conflict once both run",
                    where=machine.where.at("nics", index, "mac"),
                    vms=tuple(sorted({name, machine.name})),
                )


def check_addresses(candidate: Candidate, route: Route) -> Noting[None]:
    """Report invalid addresses, and new ones that two NICs would get."""
    vm = candidate.vm
    if route.path == "rebuild":
        return
    for at, parse, text in _addresses(vm):
        if not parses(parse, text):
            yield NOT_APPLICABLE.finding(
                f"VM {vm.name}: {text} is not an address",
                "correct it; an IPv4 address has four numbers up to 255, and a prefix goes up to 32",
                where=candidate.where.at(*at),
                vms=(vm.name,),
            )
    nics = Counter(nic.network for nic in vm.nics or ())
    for network, new in sorted(vm.readdress.items()):
        if len({":" in gateway for gateway in new.gateways}) < len(new.gateways):
            yield NOT_APPLICABLE.finding(
                f"VM {vm.name}: two default gateways of one address family on {network!r}",
                "set at most one IPv4 and one IPv6 gateway",
                where=candidate.where.at("readdress", network, "gateway"),
                vms=(vm.name,),
            )
        if candidate.decisions.static_ip == "cloud-init" and nics[network] > 1:
            yield NOT_APPLICABLE.finding(
                f"VM {vm.name}: {nics[network]} NICs on {network!r} would get the same new addresses",
                "readdress works per network: set the addresses in the guest, and staticIP to preserve or none",
                where=candidate.where.at("readdress", network),
                vms=(vm.name,),
            )


def _addresses(vm: VirtualMachine) -> Iterable[tuple[Path, Callable[[str], object], str]]:
    for index, nic in enumerate(vm.nics or ()):
        for number, text in enumerate(nic.addresses):
            yield ("nics", index, "addresses", number), ipaddress.ip_interface, text
    for network, new in sorted(vm.readdress.items()):
        at = ("readdress", network)
        for number, text in enumerate(new.addresses):
            yield (*at, "addresses", number), ipaddress.ip_interface, text
        for number, text in enumerate(new.gateways):
            place = () if isinstance(new.gateway, str) else (number,)
            yield (*at, "gateway", *place), ipaddress.ip_address, text
        for number, text in enumerate(new.nameservers):
            yield (*at, "nameservers", number), ipaddress.ip_address, text
