"""Tables of a spec that apply to all VMs, compiled for many lookups: maps, bulk rules, classes."""

from msgspec import Struct

from vmferry.estate.network_map import NetworkMap
from vmferry.model.finding import Where
from vmferry.model.project import Project
from vmferry.model.spec import MigrationSpec
from vmferry.resolve.forklift import array_copies
from vmferry.resolve.network_rows import map_networks
from vmferry.resolve.notes import Noting
from vmferry.resolve.storage import StorageMap


class Tables(Struct, frozen=True):
    """The tables of one spec. ``where`` is the spec."""

    spec: MigrationSpec
    where: Where
    networks: NetworkMap
    storage: StorageMap


def prepare(project: Project) -> Noting[Tables]:
    """Return the tables of a spec; errors in them are findings, independently of VMs."""
    spec, where = project.spec, project.where
    networks = yield from map_networks(spec.networks, where)
    storage = StorageMap(spec.storage, where, (yield from array_copies(project)))
    yield from storage.notes
    return Tables(spec, where, networks, storage)
