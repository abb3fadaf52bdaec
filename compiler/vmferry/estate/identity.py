"""Which VM is which, for every stage that meets a VM again.

An id may appear, disappear or change (a VM registered again, a rebuilt vCenter), and a name may move to another VM: it
is still the same VM, and must not be mistaken for a new one.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from vmferry.model.assignments import Assignment
from vmferry.model.blueprint import Machine
from vmferry.model.keys import VmKey, own_of, source_of, vm_key
from vmferry.model.rule import declare
from vmferry.model.spec import VirtualMachine

TARGET_NAME_TWICE = declare(
    "VMF110",
    "error",
    "two VMs have the same target name",
    why="vCenter distinguishes VMs in different folders, but a namespace has each name only once: one VM's manifest "
    "would overwrite the other's, and its disks with it.",
    source="https://kubernetes.io/docs/concepts/overview/working-with-objects/names/",
)


class Mark(Struct, frozen=True):
    """What a VM is known by."""

    key: VmKey
    source: str
    name: str
    uuid: str | None = None  # config.uuid, in lower case
    instance_uuid: str | None = None  # config.instanceUuid, in lower case


def key_of(vm: VirtualMachine, source: str) -> VmKey:
    """Return the key of a VM of a vCenter."""
    return vm_key(source, vm.id or vm.name)


def only_source(names: Iterable[str]) -> str | None:
    """Return the vCenter of VMs that name none: the only one; None where there are several."""
    found = tuple(names)
    return found[0] if len(found) == 1 else None


def of_vm(vm: VirtualMachine, source: str) -> Mark:
    """Return the identity of a VM of a vCenter."""
    return Mark(key_of(vm, source), source, vm.name, _lower(vm.uuid), _lower(vm.instance_uuid))


def of_machine(machine: Machine, key: VmKey | None = None) -> Mark:
    """Return the identity of a VM from an earlier run; ``key`` if it was recorded under another."""
    instance = _lower(machine.instance_uuid)
    return Mark(key or machine.key, machine.source, machine.name, _lower(machine.uuid), instance)


def of_record(key: VmKey, record: Assignment) -> Mark:
    """Return the identity of a VM in assignments.yaml: only the key if it is not frozen."""
    if record.machine is not None:
        return of_machine(record.machine, key)
    return Mark(key, source_of(key), "")


def match(known: Iterable[Mark], found: Iterable[Mark], *, elsewhere: bool = False) -> dict[VmKey, VmKey]:
    """Return for each VM of ``found`` that is in ``known`` its key there, by its key in ``found``.

    Matched by key, unless it certainly belongs to another VM now; otherwise by UUID, then by name, each only if unique
    on both sides. With ``elsewhere``, the rest is searched in other vCenters too, only by UUID.
    """
    left, right = {mark.key: mark for mark in known}, {mark.key: mark for mark in found}
    result: dict[VmKey, VmKey] = {}
    for key in sorted(left.keys() & right.keys()):
        if not differ(left[key], right[key]):
            result[key] = key
            del left[key], right[key]
    for sign in (_uuid, _name, *([_uuid_anywhere] if elsewhere else [])):
        mine, theirs = _unique(left.values(), sign), _unique(right.values(), sign)
        for value in sorted(mine.keys() & theirs.keys()):
            result[theirs[value]] = mine[value]
            del left[mine[value]], right[theirs[value]]
    return result


def differ(one: Mark, other: Mark) -> bool:
    """Return whether two VMs are certainly not the same: both name and UUID differ.

    A rebuilt vCenter assigns ids from the start again.
    """
    if one.name == other.name:
        return False
    for mine, theirs in ((one.instance_uuid, other.instance_uuid), (one.uuid, other.uuid)):
        if mine and theirs:
            return mine != theirs
    return False


class Likes:
    """VMs by everything that another VM may share with one of them: key, name, UUID."""

    def __init__(self, marks: Iterable[Mark]) -> None:
        self._by: dict[tuple[str, ...], Mark] = {}
        for mark in marks:
            for sign in _signs(mark):
                self._by.setdefault(sign, mark)

    def of(self, mark: Mark) -> Mark | None:
        """Return the VM that a VM may be identical to, by key, UUID or name, in this order."""
        return next((found for sign in _signs(mark) if (found := self._by.get(sign)) is not None), None)


def _signs(mark: Mark) -> Iterator[tuple[str, ...]]:
    yield "key", mark.key
    if mark.uuid:
        yield "uuid", mark.source, mark.uuid
    yield "name", mark.source, mark.name


class Directory:
    """VMs by the forms that people use: id, name, SOURCE/ID or SOURCE/NAME."""

    def __init__(self, marks: Iterable[Mark]) -> None:
        self._ids: defaultdict[str, list[Mark]] = defaultdict(list)
        self._names: defaultdict[str, list[Mark]] = defaultdict(list)
        for mark in marks:
            for text in (mark.key, own_of(mark.key)):
                self._ids[text].append(mark)
            for text in (mark.name, vm_key(mark.source, mark.name)):
                self._names[text].append(mark)

    def meant(self, text: str, source: str | None = None) -> list[Mark]:
        """Return the VMs that a text may refer to: those with the id, otherwise those with the name.

        VMs of ``source`` win over those of other vCenters.
        """
        found = self._ids.get(text) or self._names.get(text) or []
        return [mark for mark in found if mark.source == source] or list(found)

    def names(self) -> list[str]:
        """Return every text that refers to a VM, for suggestions."""
        return [*self._ids, *self._names]


_Sign = Callable[[Mark], tuple[str, ...] | None]


def _uuid(mark: Mark) -> tuple[str, ...] | None:
    return (mark.source, mark.uuid) if mark.uuid else None


def _name(mark: Mark) -> tuple[str, ...] | None:
    return mark.source, mark.name


def _uuid_anywhere(mark: Mark) -> tuple[str, ...] | None:
    return (mark.uuid,) if mark.uuid else None


def _unique(marks: Iterable[Mark], sign: _Sign) -> dict[tuple[str, ...], VmKey]:
    """Return the key of the VM for each mark that only one VM has."""
    found: defaultdict[tuple[str, ...], list[VmKey]] = defaultdict(list)
    for mark in marks:
        if (value := sign(mark)) is not None:
            found[value].append(mark.key)
    return {value: keys[0] for value, keys in found.items() if len(keys) == 1}


def _lower(text: str | None) -> str | None:
    return text.lower() if text else None
