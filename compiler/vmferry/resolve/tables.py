"""What a spec says once for every VM, made ready to be asked many times: maps, rules for many, classes."""

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
    """Return the tables of a spec; what is wrong with one of them is a finding, whatever VMs there are."""
    spec, where = project.spec, project.where
    networks = yield from map_networks(spec.networks, where)
    storage = StorageMap(spec.storage, where, (yield from array_copies(project)))
    yield from storage.notes
    return Tables(spec, where, networks, storage)
