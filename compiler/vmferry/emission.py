"""From a Blueprint to the files of its tree: shared parts in this process, the groups on all cores."""

from collections.abc import Container, Iterator

from vmferry import backends, cores
from vmferry.backends.places import lock
from vmferry.model.blueprint import Blueprint
from vmferry.output.complete import Ledger
from vmferry.output.render import about, render
from vmferry.output.tree import Planned

MANY = 24
"""Number of groups from which separate processes pay off."""


def files_of(blueprint: Blueprint, settled: Container[str] = ()) -> Iterator[Planned]:
    """Yield every file of a tree, except those of groups whose locks are ``settled``.

    Raises LostError if a VM, disk or NIC would be in no manifest.
    """
    yield from render(backends.emit_shared(blueprint))
    yield from about(blueprint.name, blueprint.cluster.name, blueprint.external_nads, backends.left_behind(blueprint))
    moving = [index for index, group in enumerate(blueprint.groups) if lock(group) not in settled]
    for files in cores.spread(_of_group, moving, blueprint, least=MANY):
        yield from files


def _of_group(blueprint: Blueprint, index: int) -> tuple[Planned, ...]:
    group, ledger = blueprint.groups[index], Ledger()
    files = tuple(render(ledger.passing(backends.emit_groups(blueprint, (group,)))))
    ledger.check(blueprint, [group])
    return files
