"""Records in DNS: which zone they are in, which are valid, and what they hold at each stage of their group."""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from msgspec import structs

from vmferry.estate.stages import TABLE, begun
from vmferry.estate.wording import counted
from vmferry.kube.quantity import parse_duration
from vmferry.model.blueprint import DnsChange, DnsRecord, Group, Machine
from vmferry.model.keys import VmKey
from vmferry.model.spec import Dns, DnsZone, ExternalDns, PowerShell, Rfc2136, Stage, ZoneFile

RecordType = Literal["A", "AAAA", "CNAME", "PTR"]

NONE = "none"
"""A `dnsZone` for VMs that have no record by their host name."""

Act = Literal["lower", "switch", "raise", "back"]
"""What a stage does to records: lower their TTL, switch them, raise the TTL again, take all of it back."""

_LABEL = re.compile(r"[A-Za-z0-9_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?")
_NOBODY = frozenset(("localhost", "localhost.localdomain"))


def fqdn(name: str) -> str:
    """Return a name in one form: lower case, without the dot at its end."""
    return name.lower().removesuffix(".")


def is_valid(name: str) -> bool:
    """Return whether a name may be one of a host (RFC 1123), or with underscores, which Windows also uses."""
    labels = name.split(".")
    return len(name) <= 253 and name not in _NOBODY and all(_LABEL.fullmatch(label) for label in labels)


def zone_of(name: str, dns: Dns | None) -> DnsZone | None:
    """Return the zone of a record: the longest one that its name ends in."""
    zones = dns.zones if dns is not None else ()
    found = [zone for zone in zones if name == zone.name or name.endswith(f".{zone.name}")]
    return max(found, key=lambda zone: len(zone.name), default=None)


def type_of(value: str) -> RecordType:
    """Return the type of the record that holds a value."""
    try:
        return "A" if ipaddress.ip_address(value).version == 4 else "AAAA"
    except ValueError:
        return "CNAME"


def mixed(change: DnsChange) -> bool:
    """Return whether a record holds addresses on one side, and a host name on the other."""
    before, after = ({type_of(value) for value in values} for values in (change.before, change.after))
    return ("CNAME" in before) != ("CNAME" in after)


def is_reverse(name: str) -> bool:
    """Return whether a name, or a zone, is one of addresses: it holds PTR records (RFC 1035, 3.5; RFC 3596, 2.5)."""
    return name.endswith((".in-addr.arpa", ".ip6.arpa"))


def type_at(name: str, value: str) -> RecordType:
    """Return the type of the record of a name that holds a value."""
    return "PTR" if is_reverse(name) else type_of(value)


def sound(values: Iterable[str]) -> bool:
    """Return whether values may stand in one name: addresses, or exactly one valid host name."""
    found = [*values]
    names = [value for value in found if type_of(value) == "CNAME"]
    numeric = any(re.fullmatch(r"[0-9A-Fa-f:]*:[0-9A-Fa-f.:]*|[0-9.]+", name) for name in names)  # a broken address
    return not names or (len(found) == 1 and is_valid(fqdn(names[0])) and not numeric)


def act_of(stage: Stage, weight: int) -> Act | None:
    """Return what a stage does to the records that change; nothing at `planned`.

    ``weight`` is the percent of clients that go to the target.
    """
    if stage == "rolled-back":
        return "back"
    if TABLE[stage].ttl == "lowered":
        return "switch" if weight == 100 else "lower"
    return "raise" if begun(stage) else None


_WRITTEN: Mapping[type, tuple[str, str]] = {
    Rfc2136: ("sh", "run the script (nsupdate)"),
    PowerShell: ("ps1", "run the script (PowerShell, module DnsServer)"),
    ZoneFile: ("zone", "put these lines into the zone file, raise its serial number and reload it"),
}
"""Suffix of what is written for the owner of a zone, and what to do with it."""


def file_name(act: Act, provider: type) -> str:
    """Return the name of the file for the owners of zones with a provider."""
    return f"dns-{act}.{_WRITTEN[provider][0]}"


class Hand(NamedTuple):
    """What is to be done about the records of a group: in words, and with which file, if a person does it."""

    what: str
    file: str | None


_DOES: Mapping[Act, str] = {
    "lower": "lower the TTL of",
    "switch": "switch",
    "raise": "raise the TTL again of",
    "back": "take back",
}


def hands(group: Group, act: Act) -> Iterator[Hand]:
    """Yield what is to be done about the records that change with a group's VMs."""
    for provider in (ExternalDns, *_WRITTEN):
        names = [change.name for change in group.dns if isinstance(change.provider, provider)]
        if not names:
            continue
        shown = ", ".join(names[:3]) + (f" and {counted(len(names) - 3, 'other')}" if len(names) > 3 else "")
        if provider in _WRITTEN:
            yield Hand(f"{_DOES[act]} {shown}: {_WRITTEN[provider][1]}", file_name(act, provider))
        else:
            yield Hand(f"{_DOES[act]} {shown}: ExternalDNS does it once this is synced", None)


def wait(group: Group) -> int:
    """Return how long clients may keep an old answer after the TTLs of a group are lowered, in seconds."""
    return max((change.usual_ttl for change in group.dns), default=0)


def changes(
    record: DnsRecord, vm: VmKey, stage: Stage, dns: Dns | None, weight: int, *, parallel: bool = False
) -> DnsChange | None:
    """Return what a stage makes of a record; None for one that stays, or that is not fully known.

    ``weight`` is the percent of clients that go to the target, ``parallel`` whether its source serves as well.
    """
    zone = zone_of(record.name, dns)
    if zone is None or not record.switch or not record.before or not record.after:
        return None
    usual, lowered = parse_duration(record.ttl or zone.ttl), parse_duration(zone.cutover_ttl)
    return DnsChange(
        vm=vm,
        name=record.name,
        zone=zone.name,
        provider=zone.provider,
        before=record.before,
        after=record.after,
        usual_ttl=usual,
        lowered_ttl=lowered,
        switched=weight == 100,
        lowered=TABLE[stage].ttl == "lowered",
        weight=weight if parallel and weighs(zone) else None,
        ended=TABLE[stage].source == "gone",
    )


def pointers(machine: Machine, changed: Iterable[DnsChange], dns: Dns | None) -> Iterator[DnsChange]:
    """Yield what becomes of the PTR records of a VM's addresses when its records change: one goes, another one comes.

    They lead to the VM's own name; without a record of that, to its only one. ExternalDNS changes none.
    """
    own = _own(machine)
    for change in changed:
        leaves = [(text, (own,), ()) for text in change.before if text not in change.after]
        comes = [(text, (), (own,)) for text in change.after if text not in change.before]
        for text, before, after in (*leaves, *comes) if change.name == own else ():
            name = _reverse(text)
            zone = zone_of(name, dns) if name is not None else None
            if name is not None and zone is not None and not isinstance(zone.provider, ExternalDns):
                yield structs.replace(
                    change,
                    name=name,
                    zone=zone.name,
                    provider=zone.provider,
                    before=before,
                    after=after,
                    usual_ttl=parse_duration(zone.ttl),
                    lowered_ttl=parse_duration(zone.cutover_ttl),
                    weight=None,
                )


def _own(machine: Machine) -> str | None:
    """Return the name that the addresses of a VM lead back to."""
    names = [record.name for record in machine.records]
    host = fqdn(machine.hostname or machine.name)
    own = [name for name in names if host in (name, name.partition(".")[0])]
    return own[0] if len(own) == 1 else names[0] if len(names) == 1 else None


def _reverse(text: str) -> str | None:
    """Return the name of an address; None for a host name."""
    return ipaddress.ip_address(text).reverse_pointer if type_of(text) != "CNAME" else None


def weighs(zone: DnsZone) -> bool:
    """Return whether records of a zone can have weights."""
    return isinstance(zone.provider, ExternalDns) and zone.provider.weights is not None
