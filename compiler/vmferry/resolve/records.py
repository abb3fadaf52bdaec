"""The records of a VM in DNS: their names, and what they hold before and after its cutover."""

from collections.abc import Iterable

from vmferry.estate.addresses import address_of, own
from vmferry.estate.dns import NONE, fqdn, type_of
from vmferry.estate.statements import NOT_APPLICABLE
from vmferry.model.blueprint import DnsRecord, Machine, MachineNic
from vmferry.model.spec import VmRecord
from vmferry.resolve.notes import Noting, decide
from vmferry.resolve.selection import Candidate


def records(candidate: Candidate, machine: Machine) -> Noting[tuple[DnsRecord, ...]]:
    """Return the records of a VM by name; of a template, none. What is unknown about them is left empty (VMF263)."""
    if machine.golden:
        return ()
    stated = {fqdn(each.name): each for each in candidate.vm.dns}
    name = _own_name(candidate)
    wanted = stated if name is None else {name: VmRecord(name=name)} | stated
    result = []
    for name, record in sorted(wanted.items()):
        made = yield from _record(candidate, machine, name, record)
        if made is not None:
            yield decide(candidate.key, f"record {made.name}", said(made), _why(made))
            result.append(made)
    return tuple(result)


def _own_name(candidate: Candidate) -> str | None:
    """Return the name of the record that `dnsZone` asks for: that of the host, in full if it has a domain."""
    zone = candidate.decisions.dns_zone
    if zone is None or zone == NONE:
        return None
    host = fqdn(candidate.vm.hostname or candidate.vm.name)
    return host if "." in host else f"{host}.{zone}"


def _record(candidate: Candidate, machine: Machine, name: str, stated: VmRecord) -> Noting[DnsRecord | None]:
    nics = [nic for nic in machine.nics if stated.network in (None, _called(candidate, nic))]
    if stated.network is not None and stated.network not in {nic.network for nic in candidate.vm.nics or ()}:
        on = ", ".join(sorted({nic.network for nic in candidate.vm.nics or ()}))
        yield NOT_APPLICABLE.finding(
            f"VM {candidate.vm.name}: record {name} names network {stated.network!r}, on which it has no NIC",
            f"it is on {on}" if on else "remove `network`, and state what the record holds before and after",
            where=candidate.where.at("dns"),
            vms=(candidate.vm.name,),
        )
        return None
    changed = [nic for nic in nics if nic.readdress is not None]
    lost = [nic for nic in nics if nic.readdress is None and nic.nad is None]  # the pod network assigns another one
    after = _canonical(stated.after or ())
    if not after and len(changed) == 1:
        new = changed[0].readdress
        after = _single(new.addresses if new is not None else ())
    switch = bool(stated.after or changed or lost) or machine.path == "rebuild"
    before = _canonical(stated.before or ())
    if not before and switch:
        before = _alike(_now(candidate, changed if len(changed) == 1 else nics, stated.network), after)
    return DnsRecord(
        name=name,
        switch=switch and (not after or not before or before != after),
        before=before if switch else (),
        after=after if switch else (),
        dynamic=not switch and any(_facts(candidate, nic) == "dhcp" for nic in nics),
        ttl=stated.ttl,
    )


def _called(candidate: Candidate, nic: MachineNic) -> str:
    """Return the name of a NIC's network in vSphere."""
    return (candidate.vm.nics or ())[nic.index].network


def _facts(candidate: Candidate, nic: MachineNic) -> str | None:
    return (candidate.vm.nics or ())[nic.index].origin


def _now(candidate: Candidate, nics: Iterable[MachineNic], network: str | None) -> tuple[str, ...]:
    """Return the addresses in vSphere of the NICs that a record may lead to; of a rebuilt VM, of all of its own."""
    facts = candidate.vm.nics or ()
    indices = {nic.index for nic in nics}
    chosen = [
        nic for index, nic in enumerate(facts) if (index in indices or not indices) and network in (None, nic.network)
    ]
    return _single(text for nic in chosen for text in own(nic))


def _single(texts: Iterable[str]) -> tuple[str, ...]:
    """Return addresses without prefixes if there is at most one of each family; nothing if it is not clear which."""
    found = _canonical(texts)
    return found if len({type_of(each) for each in found}) == len(found) else ()


def _alike(before: tuple[str, ...], after: tuple[str, ...]) -> tuple[str, ...]:
    """Return what a record holds now, if that is clear: nobody knows whether it has every address of the NIC.

    It does if there is only one, or if the new value has the same families.
    """
    families = {type_of(each) for each in after} - {"CNAME"}
    return before if len(before) == 1 or {type_of(each) for each in before} <= families else ()


def _canonical(texts: Iterable[str]) -> tuple[str, ...]:
    """Return values in one form and order: addresses without prefixes, names in lower case."""
    return tuple(sorted({address_of(text) or fqdn(text) for text in texts}))


def said(record: DnsRecord) -> str:
    """Return in words what becomes of a record."""
    if not record.switch:
        return "stays"
    return f"{', '.join(record.before) or 'unknown'} → {', '.join(record.after) or 'unknown'}"


def _why(record: DnsRecord) -> str:
    return "its VM gets another address" if record.switch else "its VM keeps its address"
