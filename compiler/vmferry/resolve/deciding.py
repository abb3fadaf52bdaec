"""Decisions on the targets of VMs, each VM by itself, after everything about all of them is settled.

`ways` and `make` are functions of single VMs and of what was settled: their result for a VM never depends on which
other VMs they get. What needs all VMs at once is in between: names, owners of shared disks, MACs.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from vmferry.estate.dual_run import beside
from vmferry.model.blueprint import Machine
from vmferry.model.keys import DiskKey, VmKey
from vmferry.resolve.machines import Parts, build
from vmferry.resolve.namespaces import place
from vmferry.resolve.networks import Attached, attach
from vmferry.resolve.notes import Noting
from vmferry.resolve.paths import Route, route
from vmferry.resolve.selection import Candidate
from vmferry.resolve.storage import Allocated, allocate
from vmferry.resolve.tables import Tables


class Ways(Struct, frozen=True):
    """Paths and namespaces of VMs, by key."""

    routes: Mapping[VmKey, Route]
    namespaces: Mapping[VmKey, str]


class Basis(Struct, frozen=True):
    """What machines are decided from, beside their VMs: everything about all of them, settled.

    ``names`` are their names in the target, ``owners`` are the VMs that create the claims of shared disks, and
    ``golden`` are the templates by vCenter and name: None for one with errors of its own.
    """

    ways: Ways
    names: Mapping[VmKey, str]
    owners: Mapping[DiskKey, VmKey]
    golden: Mapping[tuple[str, str], Machine | None]
    tables: Tables


class Made(Struct, frozen=True):
    """Machines of VMs in the target, by key."""

    attached: Mapping[VmKey, Attached]
    allocated: Mapping[VmKey, Allocated]
    machines: Mapping[VmKey, Machine]


def ways(candidates: Iterable[Candidate], standard: Mapping[str, int], tables: Tables) -> Noting[Ways]:
    """Return paths and namespaces, each VM by itself. ``standard`` counts the standard VMs of each vCenter."""
    routes = yield from route(candidates, standard, tables.spec.settings.auto)
    namespaces = yield from place(candidates, tables.spec.namespaces, tables.where)
    return Ways(routes, namespaces)


def make(candidates: tuple[Candidate, ...], basis: Basis) -> Noting[Made]:
    """Return machines, each VM by itself."""
    found, tables = basis.ways, basis.tables
    cluster = tables.spec.target.cluster
    nics = yield from attach(candidates, found.routes, found.namespaces, tables.networks, cluster)
    volumes = yield from allocate(candidates, found.routes, tables.storage)
    parts = Parts(
        routes=found.routes,
        names=basis.names,
        namespaces=found.namespaces,
        nics=nics,
        volumes=volumes,
        owners=basis.owners,
    )
    machines = yield from build(
        candidates,
        parts,
        cluster,
        tables.networks,
        tables.storage,
        basis.golden,
        tables.spec.checks,
        beside(tables.spec.phases),
    )
    return Made(nics, volumes, machines)
