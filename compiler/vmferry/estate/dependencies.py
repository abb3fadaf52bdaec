"""Which VM needs which: what stands under `dependsOn`."""

from collections.abc import Iterator
from typing import NamedTuple

from vmferry.estate.identity import Directory, Mark
from vmferry.model.spec import VirtualMachine


class Need(NamedTuple):
    """Another VM that a VM says it depends on: its number in the list, as it is called there, and which it may be."""

    number: int
    text: str
    meant: tuple[Mark, ...]

    @property
    def found(self) -> Mark | None:
        """Return the VM; None where nobody or several are called that."""
        return self.meant[0] if len(self.meant) == 1 else None


def named(vm: VirtualMachine) -> tuple[tuple[int, str], ...]:
    """Return what the VMs are called that a VM depends on, each with its place in the list."""
    return tuple((index, need) for index, need in enumerate(vm.depends_on) if isinstance(need, str))


def outside(vm: VirtualMachine) -> list[str]:
    """Return a VM's dependencies outside of the migration, as HOST:PORT."""
    return [need.external for need in vm.depends_on if not isinstance(need, str)]


def needs(vm: VirtualMachine, source: str, known: Directory) -> Iterator[Need]:
    """Yield the VMs that a VM of a vCenter depends on; where several vCenters have the name, it is one of its own."""
    for index, text in named(vm):
        yield Need(index, text, tuple(known.meant(text, source)))
