"""The machines of VMs, with everything settled between them: names, owners of shared disks, MACs."""

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from vmferry.kube.dns import sanitize
from vmferry.model.blueprint import Machine
from vmferry.model.keys import VmKey
from vmferry.resolve.cards import Card
from vmferry.resolve.deciding import Basis, ways
from vmferry.resolve.freeze import Frozen
from vmferry.resolve.namespaces import check_namespaces
from vmferry.resolve.networks import check_attached
from vmferry.resolve.notes import Noting
from vmferry.resolve.remembered import Memory, make_or_remember
from vmferry.resolve.selection import Candidate
from vmferry.resolve.shared import share
from vmferry.resolve.storage import check_allocated
from vmferry.resolve.tables import Tables
from vmferry.resolve.target_names import name_machines


class Decided(Struct, frozen=True):
    """The machines by key, and the sets of VMs that share disks."""

    machines: Mapping[VmKey, Machine]
    ties: tuple[frozenset[VmKey], ...]


def decide_machines(
    candidates: tuple[Candidate, ...],
    cards: Mapping[VmKey, Card],
    standard: Mapping[str, int],
    tables: Tables,
    was: Frozen,
    known: Iterable[Machine],
    names: Mapping[VmKey, str] | None = None,
    *,
    memory: Memory,
) -> Noting[Decided]:
    """Return the machines of these VMs.

    ``cards`` are those of all moving VMs, ``standard`` counts the standard ones of each vCenter. ``was`` are frozen
    machines whose names are taken, ``known`` may be cloned. ``names`` are existing names in the target.
    """
    others = was.of_sources(source.name for source in tables.spec.sources)
    yield from check_namespaces(tables.spec.namespaces, tables.where)
    found = yield from ways(candidates, standard, tables)
    own = tuple(cards[candidate.key] for candidate in candidates)
    if names is None:
        taken = {(machine.namespace, machine.target_name) for machine in others}
        names = yield from name_machines(own, found.namespaces, taken, _wished(cards.values(), was))
    owners, ties = yield from share(own, found.namespaces)
    templates = tuple(candidate for candidate in candidates if candidate.vm.template)
    golden: dict[tuple[str, str], Machine | None] = {(m.source, m.name): m for m in known if m.golden}
    golden |= {(candidate.source, candidate.vm.name): None for candidate in templates}
    basis = Basis(found, names, owners, golden, tables)
    first = yield from make_or_remember(templates, basis, memory)
    made = {(machine.source, machine.name): machine for machine in first.machines.values() if machine.golden}
    rest = tuple(candidate for candidate in candidates if not candidate.vm.template)
    second = yield from make_or_remember(rest, replace(basis, golden=golden | made), memory)
    macs = {nic.mac: (machine.key, machine.name) for machine in others for nic in machine.nics if nic.mac}
    attached = {**first.attached, **second.attached}
    yield from check_attached(candidates, found.routes, attached, tables.networks, tables.spec.target.cluster, macs)
    yield from check_allocated(candidates, {**first.allocated, **second.allocated})
    machines = {**first.machines, **second.machines}
    return Decided({key: machines[key] for key in sorted(machines)}, ties)


def _wished(everyone: Iterable[Card], was: Frozen) -> set[tuple[str, str]]:
    """Return the namespaces and names that frozen VMs would have had, which still compete with new names."""
    return {
        (was.machines[key].namespace, sanitize(card.name))
        for card in everyone
        if (key := was.key(card)) is not None and card.target_name is None
    }
