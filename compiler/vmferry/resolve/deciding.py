"""What becomes of VMs in the target: of each by itself, once what concerns all of them is settled.

`ways` and `make` are functions of single VMs and of what was settled: what they return of a VM never depends on which
others they are given. What needs all of them at once stands between: names, owners of shared disks, MACs.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from vmferry.model.blueprint import Machine
from vmferry.resolve.cards import Card
from vmferry.resolve.freeze import Frozen
from vmferry.resolve.machines import Parts, build
from vmferry.resolve.names import name_machines, sanitize
from vmferry.resolve.namespaces import check_namespaces, place
from vmferry.resolve.networks import Attached, attach, check_attached
from vmferry.resolve.notes import Noting
from vmferry.resolve.paths import Route, route
from vmferry.resolve.selection import Candidate
from vmferry.resolve.shared import share
from vmferry.resolve.storage import Allocated, allocate, check_allocated
from vmferry.resolve.tables import Tables


class Ways(Struct, frozen=True):
    """By which path and into which namespace VMs go, by key."""

    routes: Mapping[str, Route]
    namespaces: Mapping[str, str]


class Made(Struct, frozen=True):
    """What VMs look like in the target, by key."""

    attached: Mapping[str, Attached]
    allocated: Mapping[str, Allocated]
    machines: Mapping[str, Machine]


class Decided(Struct, frozen=True):
    """The machines by key, and the sets of VMs that share disks."""

    machines: Mapping[str, Machine]
    ties: tuple[frozenset[str], ...]


def ways(candidates: Iterable[Candidate], standard: Mapping[str, int], tables: Tables) -> Noting[Ways]:
    """Return where VMs go, of each by itself. ``standard`` counts the standard VMs of each vCenter."""
    routes = yield from route(candidates, standard, tables.spec.settings.auto)
    namespaces = yield from place(candidates, tables.spec.namespaces, tables.where)
    return Ways(routes, namespaces)


def make(
    candidates: tuple[Candidate, ...],
    found: Ways,
    names: Mapping[str, str],
    owners: Mapping[str, str],
    golden: Mapping[tuple[str, str], Machine | None],
    tables: Tables,
) -> Noting[Made]:
    """Return what VMs look like, of each by itself.

    ``names`` are their names in the target, ``owners`` of each shared disk the VM that makes its claim, ``golden`` the
    templates by vCenter and name: None for one with errors of its own.
    """
    cluster = tables.spec.target.cluster
    nics = yield from attach(candidates, found.routes, found.namespaces, tables.networks, cluster)
    volumes = yield from allocate(candidates, found.routes, tables.storage)
    parts = Parts(
        routes=found.routes, names=names, namespaces=found.namespaces, nics=nics, volumes=volumes, owners=owners
    )
    machines = yield from build(candidates, parts, cluster, tables.networks, tables.storage, golden)
    return Made(nics, volumes, machines)


def decide_machines(
    candidates: tuple[Candidate, ...],
    cards: Mapping[str, Card],
    standard: Mapping[str, int],
    tables: Tables,
    was: Frozen,
    known: Iterable[Machine],
    names: Mapping[str, str] | None = None,
) -> Noting[Decided]:
    """Return the machines of these VMs.

    ``cards`` are those of all VMs that move, ``standard`` counts the standard ones of each vCenter. ``was`` are frozen
    machines whose names are taken, ``known`` may be cloned. ``names`` are those in the target, where VMs have them.
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
    first = yield from make(templates, found, names, owners, golden, tables)
    golden |= {(machine.source, machine.name): machine for machine in first.machines.values() if machine.golden}
    rest = tuple(candidate for candidate in candidates if not candidate.vm.template)
    second = yield from make(rest, found, names, owners, golden, tables)
    macs = {nic.mac: (machine.key, machine.name) for machine in others for nic in machine.nics if nic.mac}
    attached = {**first.attached, **second.attached}
    yield from check_attached(candidates, found.routes, attached, tables.networks, tables.spec.target.cluster, macs)
    yield from check_allocated(candidates, {**first.allocated, **second.allocated})
    machines = {**first.machines, **second.machines}
    return Decided({key: machines[key] for key in sorted(machines)}, ties)


def _wished(everyone: Iterable[Card], was: Frozen) -> set[tuple[str, str]]:
    """Return the namespaces and names that frozen VMs would have had: rivals of those that are named now."""
    return {
        (was.machines[key].namespace, sanitize(card.name))
        for card in everyone
        if (key := was.key(card)) is not None and card.target_name is None
    }
