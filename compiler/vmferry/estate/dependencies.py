"""Dependencies between VMs, from `dependsOn`."""

from collections.abc import Iterator
from typing import NamedTuple

from vmferry.estate.identity import Directory, Mark
from vmferry.model.spec import VirtualMachine


class Need(NamedTuple):
    """A dependency of a VM: its index in the list, its name there, and the VMs that it may refer to."""

    number: int
    text: str
    meant: tuple[Mark, ...]

    @property
    def found(self) -> Mark | None:
        """Return the VM; None if the name is unknown or ambiguous."""
        return self.meant[0] if len(self.meant) == 1 else None


def named(vm: VirtualMachine) -> tuple[tuple[int, str], ...]:
    """Return the names in a VM's dependencies, each with its index in the list."""
    return tuple((index, need) for index, need in enumerate(vm.depends_on) if isinstance(need, str))


def outside(vm: VirtualMachine) -> list[str]:
    """Return a VM's dependencies outside of the migration, as HOST:PORT."""
    return [need.external for need in vm.depends_on if not isinstance(need, str)]


def needs(vm: VirtualMachine, source: str, known: Directory) -> Iterator[Need]:
    """Yield the VMs that a VM of a vCenter depends on; if several vCenters have the name, its own vCenter wins."""
    for index, text in named(vm):
        yield Need(index, text, tuple(known.meant(text, source)))
