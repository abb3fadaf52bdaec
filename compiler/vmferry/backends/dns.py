"""Records in DNS that change with VMs: DNSEndpoints of ExternalDNS, and what owners of zones run or paste themselves.

The base has a DNSEndpoint as it is before the cutover, with the lowered TTL; patches of the overlay say what the stage
makes of it. Scripts are written for the stage of the group. The compiler never runs them.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from shlex import quote
from typing import Any

from vmferry.backends.metadata import VM_LABEL, head, patch
from vmferry.backends.places import lock, of_machine
from vmferry.backends.sources_back import folder, literal
from vmferry.estate.dns import act_of, file_name, is_reverse, type_at, type_of
from vmferry.kube import kinds
from vmferry.model.blueprint import Blueprint, DnsChange, Group, Machine
from vmferry.model.manifest import File, Item, KubeObject, Patch
from vmferry.model.spec import ExternalDns, PowerShell, Rfc2136, TsigKey, ZoneFile

LAYER = "dns"


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield the DNSEndpoints of every group, and the scripts and lines for the stage of each."""
    for group in blueprint.groups:
        for machine, changes in _by_machine(group):
            yield of_machine(group, LAYER, machine, _endpoint(blueprint, group, machine, changes))
        for path, text in scripts(group):
            yield File(path=path, content=text.encode(), lock=lock(group))


# --- ExternalDNS -----------------------------------------------------------------------------


def _by_machine(group: Group) -> Iterator[tuple[Machine, list[DnsChange]]]:
    """Yield the machines with records that ExternalDNS changes."""
    for machine in group.machines:
        found = [each for each in group.dns if each.vm == machine.key and isinstance(each.provider, ExternalDns)]
        if found:
            yield machine, found


def _endpoint(blueprint: Blueprint, group: Group, machine: Machine, changes: Iterable[DnsChange]) -> KubeObject:
    """Return a DNSEndpoint (kubernetes-sigs/external-dns apis/v1alpha1/dnsendpoint.go)."""
    labels = {VM_LABEL: machine.target_name}
    name, namespace = machine.target_name, machine.namespace
    return {
        **head(kinds.DNS_ENDPOINT, blueprint, name, namespace, group=group, layer=LAYER, labels=labels),
        "spec": {"endpoints": [each for change in changes for each in _held_at(change, 0, change.lowered_ttl)]},
    }


def _share(change: DnsChange) -> int:
    """Return the percent of clients that get a record's new value."""
    return change.weight if change.weight is not None else 100 * change.switched


def _held_at(change: DnsChange, weight: int, ttl: int) -> Iterator[dict[str, Any]]:
    """Yield the endpoints of a record if this percent of clients go to the target.

    Endpoints of one name with weights differ in their set identifiers; Route 53 takes weights from 0 to 255
    (external-dns docs/tutorials/aws.md; provider/aws/aws.go has the property's name). They keep their weights for good:
    ExternalDNS cannot make a plain record of a weighted one, nor the other way (external-dns #1411).
    """
    if change.weight is None:
        yield from _records(change, change.after if weight == 100 else change.before, ttl)
        return
    sides = [("source", change.before, 100 - weight), ("target", change.after, weight)]
    for side, values, share in sides[change.ended :]:
        for record in _records(change, values, ttl):
            yield record | {
                "setIdentifier": side,
                "providerSpecific": [{"name": "aws/weight", "value": str(share)}],
            }


def _records(change: DnsChange, values: tuple[str, ...], ttl: int) -> Iterator[dict[str, Any]]:
    """Yield one endpoint for each type of record that a name holds."""
    for kind in sorted({type_of(value) for value in values}):
        targets = [value for value in values if type_of(value) == kind]
        yield {"dnsName": change.name, "recordTTL": ttl, "recordType": kind, "targets": targets}


def patches(group: Group) -> Iterator[Patch]:
    """Yield the patches that make of each DNSEndpoint what the stage of its group says."""
    for machine, changes in _by_machine(group):
        if all(change.lowered and not (change.switched or change.weight) for change in changes):
            continue  # as in the base
        held = [each for change in changes for each in _held_at(change, _share(change), change.ttl)]
        yield patch(kinds.DNS_ENDPOINT, machine.target_name, machine.namespace, "/spec/endpoints", held)


# --- for owners of zones ---------------------------------------------------------------------


def scripts(group: Group) -> Iterator[tuple[str, str]]:
    """Yield path and text of what the owners of zones run or paste at the stage of a group."""
    act = act_of(group.stage, group.weight)
    if act is None:
        return
    for provider, write in _WRITERS.items():
        changes = [change for change in group.dns if isinstance(change.provider, provider)]
        if changes:
            yield f"{folder(group)}/{file_name(act, provider)}", write(changes)


def _shell(changes: list[DnsChange]) -> str:
    """Return the Bash script, which uses nsupdate."""
    lines = ["#!/usr/bin/env bash\nset -euo pipefail\n\n", _script("dns.sh")]
    at = None
    for change in sorted(changes, key=lambda each: (each.zone, each.name)):
        provider = change.provider
        if isinstance(provider, Rfc2136) and (change.zone, provider) != at:
            at = (change.zone, provider)
            lines.append(f"\nserver={quote(provider.server)} port={provider.port} zone={quote(change.zone)}.\n")
            lines.append(_key(provider.tsig))
        words = [change.name, str(change.ttl), *(_data(change, value) for value in change.values)]
        for known in dict.fromkeys((change.before, change.after)):
            words += [":::", *_held(change, known)]
        lines.append(f"record {' '.join(map(quote, words))}\n")
    return "".join((*lines, "\nexit $failed\n"))


def _key(tsig: TsigKey | None) -> str:
    """Return the line that finds the TSIG key."""
    if tsig is not None and tsig.secret_ref is not None:
        ref = tsig.secret_ref
        return f"key_secret {' '.join(map(quote, (ref.namespace, ref.name, ref.key)))}\n"
    if tsig is not None and tsig.file is not None:
        return f"key_file {quote(tsig.file)}\n"
    return 'key=()\n[[ -z ${VMFERRY_TSIG_FILE:-} ]] || key_file "$VMFERRY_TSIG_FILE"\n'


def _data(change: DnsChange, value: str) -> str:
    """Return type and data of a record, a host name with the dot that ends it."""
    kind = type_at(change.name, value)
    return f"{kind} {value}{'.' if kind in ('CNAME', 'PTR') else ''}"


def _held(change: DnsChange, values: tuple[str, ...]) -> list[str]:
    """Return what a name holds of each type, as `record` takes it: of a type without data there is nothing.

    The name of an address may be an alias in another zone (RFC 2317): then it is left alone.
    """
    held = [_data(change, value) for value in values]
    kinds = ("PTR", "CNAME") if is_reverse(change.name) else ("A", "AAAA", "CNAME")
    return [
        " ".join((kind, *(data.partition(" ")[2] for data in held if data.startswith(f"{kind} ")))) for kind in kinds
    ]


def _powershell(changes: list[DnsChange]) -> str:
    """Return the script for PowerShell, which uses the module DnsServer."""
    lines = [_script("dns.ps1"), "\n"]
    for change in sorted(changes, key=lambda each: (each.zone, each.name)):
        if isinstance(change.provider, PowerShell):
            host = "@" if change.name == change.zone else change.name.removesuffix(f".{change.zone}")
            words = [*map(literal, (change.provider.server, change.zone, host)), str(change.ttl)]
            words += [_list(change, values) for values in (change.values, change.before, change.after)]
            lines.append(f"Set-Record {' '.join(words)}\n")
    return "".join((*lines, "\nif ($failed) { exit 1 }\n"))


def _list(change: DnsChange, values: tuple[str, ...]) -> str:
    return f"@({', '.join(literal(f'{type_at(change.name, value)} {value}') for value in values)})"


def _zone_file(changes: list[DnsChange]) -> str:
    """Return the lines for zone files: what to remove, and what to put in its place."""
    lines = [_ZONE_HEAD]
    zone = None
    for change in sorted(changes, key=lambda each: (each.zone, each.name)):
        if change.zone != zone:
            zone = change.zone
            lines.append(f"\n$ORIGIN {zone}.\n")
        old = [value for value in (*change.before, *change.after) if value not in change.values]
        lines += [f"; remove: {change.name}. IN {_data(change, value)}\n" for value in old]
        lines += [f"{change.name}. {change.ttl} IN {_data(change, value)}\n" for value in change.values]
    return "".join(lines)


_ZONE_HEAD = """\
; Lines for zone files. Written by vmferry: the owner of each zone puts them in by hand.
; Remove the lines in comments, raise the serial number of the zone's SOA record, and reload the zone.
"""

_WRITERS: dict[type, Callable[[list[DnsChange]], str]] = {
    Rfc2136: _shell,
    PowerShell: _powershell,
    ZoneFile: _zone_file,
}


def _script(name: str) -> str:
    return (Path(__file__).with_name("scripts") / name).read_text(encoding="utf-8")
