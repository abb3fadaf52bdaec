"""Facts from the inventory and decisions from the spec, merged into one entry per VM."""

from collections.abc import Iterable, Sequence
from operator import attrgetter

from msgspec.structs import replace

from vmferry.estate import identity
from vmferry.estate.statements import DEFINED_TWICE, NOT_APPLICABLE, UNDEFINED_REFERENCE
from vmferry.model.finding import Finding, Where
from vmferry.model.inventory import FACTS, Inventory
from vmferry.model.project import Entry
from vmferry.model.spec import Decisions, VirtualMachine

_BLANK = VirtualMachine(name="-")
_FIELDS = tuple(name for name in VirtualMachine.__struct_fields__ if name not in ("name", "source", "id"))
_DECISIONS = tuple(name for name in VirtualMachine.__struct_fields__ if name not in FACTS)
_decisions = attrgetter(*_DECISIONS)
_UNDECIDED = _decisions(_BLANK)


def merge(
    entries: Sequence[Entry], parts: Iterable[tuple[Inventory, Where]], sources: Sequence[str]
) -> tuple[list[Entry], list[Finding]]:
    """Return every VM of the spec and of the inventory once, and what does not fit together.

    Values in an entry win over the inventory, and are recorded as overrides.
    """
    findings: list[Finding] = []
    imported: list[Entry] = []
    for inventory, where in parts:
        for index, vm in enumerate(inventory.vms):
            place = where.at("vms", index)
            findings += decided(vm, place)
            imported.append(entry_of(vm, inventory.source.name, place))
    stated = _Stated(entries, imported, sources)
    return [*map(stated.join, imported), *stated.rest], [*findings, *stated.findings]


class _Stated:
    """The entries of the spec, each with its VM in the inventory."""

    def __init__(self, entries: Sequence[Entry], imported: Sequence[Entry], sources: Sequence[str]) -> None:
        self.findings: list[Finding] = []
        self.rest: list[Entry] = []  # VMs that are not in the inventory
        self._default = identity.only_source(sources) or ""
        self._first: dict[str, Entry] = {}
        for entry in entries:
            first = self._first.setdefault(self._mark(entry).key, entry)
            if first is not entry:
                self._double(entry, first)
        self._of: dict[str, Entry] = {}
        known = identity.Directory(map(self._mark, imported))
        # an id is stronger than a name: if two entries refer to one VM, the one with the id wins
        for entry in sorted(self._first.values(), key=lambda each: each.vm.id is None):
            self._find(entry, known)

    def join(self, found: Entry) -> Entry:
        """Return a VM of the inventory with the values from the spec."""
        entry = self._of.get(identity.key_of(found.vm, found.vm.source or self._default))
        return found if entry is None else joined(found, entry)

    def _mark(self, entry: Entry) -> identity.Mark:
        return identity.of_vm(entry.vm, entry.vm.source or self._default)

    def _find(self, entry: Entry, known: identity.Directory) -> None:
        """Find the VM of the inventory for an entry: by id, otherwise by a unique name."""
        own = self._mark(entry)
        meant = [mark for mark in known.meant(entry.vm.id or entry.vm.name, own.source) if mark.source == own.source]
        if entry.vm.id is not None:
            meant = [mark for mark in meant if mark.key == own.key]
        if not meant:
            self.rest.append(entry)
        elif len(meant) > 1:
            self._ambiguous(entry)
        elif (first := self._of.setdefault(meant[0].key, entry)) is not entry:
            self._double(entry, first)

    def _double(self, entry: Entry, first: Entry) -> None:
        """Report an entry for a VM that already has one."""
        self.findings.append(
            DEFINED_TWICE.finding(
                f"VM {entry.vm.name} has a second entry; the other is in {first.where.file}",
                "keep one of the two; VMs with the same name in a vCenter need an `id`",
                where=entry.where.at("name"),
                vms=(entry.vm.name,),
            )
        )

    def _ambiguous(self, entry: Entry) -> None:
        self.findings.append(
            UNDEFINED_REFERENCE.finding(
                f"the inventory has several VMs called {entry.vm.name!r}",
                "add the `id` to say which one",
                where=entry.where.at("name"),
                vms=(entry.vm.name,),
            )
        )


def entry_of(vm: VirtualMachine, source: str, place: Where) -> Entry:
    """Return a VM of the inventory of a vCenter, about which the spec says nothing."""
    known = replace(vm, source=source)
    return Entry(vm=known, where=place, imported=known)


def joined(found: Entry, entry: Entry) -> Entry:
    """Return a VM of an inventory with what an entry of the spec says about it."""
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


def decided(vm: VirtualMachine, where: Where) -> Iterable[Finding]:
    """Yield decisions in an inventory: it is generated, and the next import would drop them."""
    if _decisions(vm) == _UNDECIDED:  # as almost all are
        return
    for name in _DECISIONS:
        if getattr(vm, name) != getattr(_BLANK, name):
            kind = "decision" if name in Decisions.__struct_fields__ else "statement"
            yield NOT_APPLICABLE.finding(
                f"VM {vm.name}: {name} is a {kind}, and does not belong in an inventory",
                "put it into the spec: the next import overwrites the inventory",
                where=where,
                vms=(vm.name,),
            )
