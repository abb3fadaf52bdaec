"""A few VMs of a spec, read without the others: of a file in the cache, only what is wanted is decoded."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from vmferry.cache import Cache
from vmferry.estate.identity import key_of
from vmferry.layout.names import GENERATED
from vmferry.load import parsed
from vmferry.load.inventory import entry_of, joined
from vmferry.load.parsed import Named, Part
from vmferry.load.project import by_content, documents_of
from vmferry.model.finding import Where
from vmferry.model.inventory import Inventory
from vmferry.model.keys import VmKey, vm_key
from vmferry.model.project import Entry, Project
from vmferry.model.spec import VirtualMachine


def entries_of(
    keys: Collection[VmKey],
    project: Project,
    places: Mapping[VmKey, Where],
    contents: Mapping[str, bytes],
    cache: Cache,
) -> tuple[Entry, ...] | None:
    """Return the entries of these VMs, as `load` does; None if any is not where it was.

    ``project`` may lack its entries; ``places`` are those of all VMs, and ``contents`` those of the project's files.
    """
    wanted, stated = frozenset(keys), frozenset(places[key] for key in keys if key in places)
    known: dict[VmKey, Entry] = {}
    own: dict[Where, VirtualMachine] = {}
    for path in project.texts:
        if Path(path).name in GENERATED:
            continue
        for part in _parts(path, contents[path], _Wanted(path, wanted, stated), cache):
            place = Where(file=path, document=part.document)
            for number, vm in part.vms.items():
                where = place.at("vms", number)
                if part.source is None:
                    own[where] = vm
                else:
                    known[key_of(vm, part.source)] = entry_of(vm, part.source, where)
    found = [_entry(known.get(key), places.get(key), own) for key in keys]
    entries = [entry for entry in found if entry is not None]
    return tuple(sorted(entries, key=by_content)) if len(entries) == len(found) else None


class _Wanted(Struct, frozen=True):
    """Chooses VMs of a file: of an inventory those with a key, of other documents those at a place."""

    path: str
    keys: frozenset[VmKey]
    places: frozenset[Where]

    def __call__(self, index: int, source: str | None, vms: Iterable[Named | VirtualMachine]) -> Iterator[int]:
        place = Where(file=self.path, document=index)
        for number, vm in enumerate(vms):
            if source is None:
                wanted = place.at("vms", number) in self.places
            else:
                wanted = vm_key(source, vm.id or vm.name) in self.keys
            if wanted:
                yield number


def _parts(path: str, content: bytes, chosen: _Wanted, cache: Cache) -> Iterable[Part]:
    """Return what is wanted of a file; nothing of other tools' files."""
    found = parsed.recall_some(content, chosen, cache)
    return found if found is not None else _read(path, content, chosen, cache)


def _read(path: str, content: bytes, chosen: _Wanted, cache: Cache) -> Iterator[Part]:
    for index, value in documents_of(path, content, cache) or ():
        source = value.source.name if isinstance(value, Inventory) else None
        yield Part(index, source, {number: value.vms[number] for number in chosen(index, source, value.vms)})


def _entry(found: Entry | None, place: Where | None, own: Mapping[Where, VirtualMachine]) -> Entry | None:
    """Return the entry of a VM: as in the inventory, as the spec has it, or both together."""
    if place is None:
        return None
    if found is not None and found.where == place:
        return found
    if place not in own:
        return None
    stated = Entry(vm=own[place], where=place)
    return stated if found is None else joined(found, stated)
