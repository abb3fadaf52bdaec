"""The part of a VM that other VMs depend on: decisions about all VMs together are made from these cards.

An edit that does not change a VM's card does not affect any other VM.
"""

from collections.abc import Iterable

from msgspec import Struct

from vmferry.estate.dependencies import named
from vmferry.estate.identity import Mark, of_vm
from vmferry.model.finding import Where
from vmferry.model.keys import VmKey
from vmferry.resolve.selection import Candidate


class SharedDisk(Struct, frozen=True):
    """A disk that several VMs share. ``index`` is its place among the VM's disks."""

    index: int
    name: str
    looks: tuple[object, ...]  # size, place and source: the same in each VM that has it


class Card(Struct, frozen=True, kw_only=True):
    """One VM."""

    mark: Mark
    where: Where
    phase: str | None = None
    disposed_at: Where | None = None  # where its disposition was decided
    target_name: str | None = None  # as stated
    template: bool = False
    clone_of: str | None = None
    depends_on: tuple[tuple[int, str], ...] = ()  # each with its place in the list; what is outside is left out
    shared: tuple[SharedDisk, ...] = ()

    @property
    def key(self) -> VmKey:
        """Return its key."""
        return self.mark.key

    @property
    def source(self) -> str:
        """Return the name of its vCenter."""
        return self.mark.source

    @property
    def name(self) -> str:
        """Return its name in vCenter."""
        return self.mark.name


def cards_of(candidates: Iterable[Candidate]) -> dict[VmKey, Card]:
    """Return the cards of VMs by key."""
    return {candidate.key: _card(candidate) for candidate in candidates}


def _card(candidate: Candidate) -> Card:
    vm = candidate.vm
    return Card(
        mark=of_vm(vm, candidate.source),
        where=candidate.where,
        phase=candidate.decisions.phase,
        disposed_at=candidate.origins.get("disposition"),
        target_name=vm.target_name,
        template=bool(vm.template),
        clone_of=vm.clone_of,
        depends_on=named(vm),
        shared=tuple(
            SharedDisk(index, disk.shared, (disk.size, disk.datastore, disk.storage_class, disk.tier, disk.source))
            for index, disk in enumerate(vm.disks or ())
            if disk.shared is not None
        ),
    )
