"""Facts from the inventory, decisions from the spec: one entry a VM, whoever states what."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from vmferry.model.finding import Finding, Where
from vmferry.model.inventory import FACTS, Inventory
from vmferry.model.project import Entry
from vmferry.model.spec import Decisions, VirtualMachine

_BLANK = VirtualMachine(name="-")
_FIELDS = tuple(name for name in VirtualMachine.__struct_fields__ if name not in ("name", "source", "id"))
_DECISIONS = tuple(name for name in VirtualMachine.__struct_fields__ if name not in FACTS)


def merge(
    entries: Sequence[Entry], parts: Iterable[tuple[Inventory, Where]], sources: Sequence[str]
) -> tuple[list[Entry], list[Finding]]:
    """Return every VM of the spec and of the inventory once, and what does not fit together.

    What an entry states wins over the inventory, and is remembered as an override. An entry finds its VM by
    id, else by a name that only one VM of the vCenter has.
    """
    stated = _Stated(entries, sources)
    result: list[Entry] = []
    findings: list[Finding] = []
    for inventory, where in parts:
        for index, vm in enumerate(inventory.vms):
            place = where.at("vms", index)
            findings += _decided(vm, place)
            known = replace(vm, source=inventory.source.name)
            stated.offer(known)
            result.append(Entry(vm=known, where=place, imported=known))
    merged = [stated.join(entry) for entry in result]
    return [*merged, *stated.rest()], [*findings, *stated.findings]


class _Stated:
    """The entries of the spec, waiting for the VMs of the inventory that they are about."""

    def __init__(self, entries: Sequence[Entry], sources: Sequence[str]) -> None:
        self.entries = entries
        self.findings: list[Finding] = []
        self.default = sources[0] if len(sources) == 1 else None
        self.by_id: dict[tuple[str | None, str], int] = {}
        self.by_name: dict[tuple[str | None, str], int] = {}
        self.used: dict[int, int] = defaultdict(int)
        self.offers: dict[tuple[str | None, str], int] = defaultdict(int)
        for index, entry in enumerate(entries):
            source = entry.vm.source or self.default
            table = self.by_name if entry.vm.id is None else self.by_id
            first = table.setdefault((source, entry.vm.id or entry.vm.name), index)
            if first != index:
                self._double(index, first)

    def offer(self, vm: VirtualMachine) -> None:
        """Count the VMs of each name: a name that two have names none."""
        self.offers[vm.source, vm.name] += 1

    def join(self, found: Entry) -> Entry:
        """Return a VM of the inventory with what the spec states of it."""
        vm = found.vm
        index = self.by_id.get((vm.source, vm.id)) if vm.id is not None else None
        if index is None:
            index = self.by_name.get((vm.source, vm.name))
            if index is not None and self.offers[vm.source, vm.name] > 1:
                self._ambiguous(index)
                return found
        elif self.offers[vm.source, vm.name] == 1 and (vm.source, vm.name) in self.by_name:
            self._double(self.by_name[vm.source, vm.name], index)
        if index is None:
            return found
        self.used[index] += 1
        return _joined(found, self.entries[index])

    def _double(self, index: int, first: int) -> None:
        """Report an entry for a VM that another entry is about."""
        entry = self.entries[index]
        self.used[index] += 1
        self.findings.append(
            Finding(
                code="VMF101",
                message=f"VM {entry.vm.name} has a second entry; the other is in {self.entries[first].where.file}",
                help="keep one of the two; VMs of one name in one vCenter need their `id`",
                where=entry.where.at("name"),
                vms=(entry.vm.name,),
            )
        )

    def _ambiguous(self, index: int) -> None:
        entry = self.entries[index]
        if self.used[index] == 0:
            self.findings.append(
                Finding(
                    code="VMF102",
                    message=f"the inventory has several VMs called {entry.vm.name!r}",
                    help="say which: add the `id`",
                    where=entry.where.at("name"),
                    vms=(entry.vm.name,),
                )
            )
        self.used[index] += 1

    def rest(self) -> list[Entry]:
        """Return the entries that the inventory knows nothing of."""
        return [entry for index, entry in enumerate(self.entries) if not self.used[index]]


def _joined(found: Entry, entry: Entry) -> Entry:
    own = {name: value for name in _FIELDS if (value := getattr(entry.vm, name)) != getattr(_BLANK, name)}
    overrides = tuple(
        name
        for name in own
        if name in FACTS and getattr(found.vm, name) not in (getattr(_BLANK, name), getattr(entry.vm, name))
    )
    return Entry(
        vm=replace(found.vm, **own),
        where=entry.where,
        overrides=overrides,
        imported=found.vm,
        stated=(*own, "name" if entry.vm.id is None else "id"),
    )


def _decided(vm: VirtualMachine, where: Where) -> Iterable[Finding]:
    """Yield decisions in an inventory: it is generated, and the next import would drop them."""
    for name in _DECISIONS:
        if getattr(vm, name) != getattr(_BLANK, name):
            kind = "decision" if name in Decisions.__struct_fields__ else "statement"
            yield Finding(
                code="VMF116",
                message=f"VM {vm.name}: {name} is a {kind}, and stands in an inventory",
                help="put it into the spec: the next import writes the inventory anew",
                where=where,
                vms=(vm.name,),
            )
