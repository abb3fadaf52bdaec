"""Caches parsed files: an unchanged file is neither parsed nor validated again."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec
from msgspec import Struct

from vmferry.cache import Cache
from vmferry.load.trail import content
from vmferry.model.inventory import Inventory
from vmferry.model.spec import MigrationSpec, VirtualMachine, VirtualMachineSet

KIND = "file 1"
LEAST = 16_384
"""Size in bytes from which parsing a file takes longer than caching it."""

Value = MigrationSpec | VirtualMachineSet | Inventory

_TYPES: dict[str, type[Value]] = {kind.__name__: kind for kind in (MigrationSpec, VirtualMachineSet, Inventory)}


class _Document(Struct, frozen=True, array_like=True):
    index: int  # in its file
    kind: str
    value: msgspec.Raw


def recall(raw: bytes, cache: Cache) -> list[tuple[int, Value]] | None:
    """Return the documents of a file without findings by their place in it; None if they are not cached."""
    if len(raw) < LEAST or not cache.enabled:
        return None
    return recall_content(content(raw), cache)


def recall_content(key: bytes, cache: Cache) -> list[tuple[int, Value]] | None:
    """Return the documents of a file with this digest of its content."""
    found = cache.get(KIND, [key], tuple[_Document, ...]).get(key)
    if found is None:
        return None
    try:
        return [(each.index, msgspec.msgpack.decode(each.value, type=_TYPES[each.kind])) for each in found]
    except (msgspec.MsgspecError, KeyError):
        return None


class Named(Struct, frozen=True):
    """What identifies a VM in a file; everything else is not decoded."""

    name: str
    id: str | None = None


class Part(NamedTuple):
    """Some VMs of a document by their number; with the vCenter, if it is an inventory."""

    document: int
    source: str | None
    vms: Mapping[int, VirtualMachine]


Choose = Callable[[int, str | None, Iterable[Named | VirtualMachine]], Iterable[int]]
"""Chooses VMs of a document: by its place in the file, its vCenter and its VMs."""


class _Origin(Struct):
    name: str


class _Named(Struct):
    vms: tuple[Named, ...] = ()


class _NamedOfSource(_Named):
    source: _Origin | None = None


class _Undecoded(Struct):
    vms: tuple[msgspec.Raw, ...] = ()


def recall_some(raw: bytes, chosen: Choose, cache: Cache) -> list[Part] | None:
    """Return some VMs of a file without findings; None if it is not cached."""
    if len(raw) < LEAST or not cache.enabled:
        return None
    key = content(raw)
    found = cache.get(KIND, [key], tuple[_Document, ...]).get(key)
    try:
        return None if found is None else [_some(each, chosen) for each in found]
    except msgspec.MsgspecError:
        return None


def _some(document: _Document, chosen: Choose) -> Part:
    decode = msgspec.msgpack.decode
    if document.kind == Inventory.__name__:
        part = decode(document.value, type=_NamedOfSource)
        names, source = part.vms, part.source.name if part.source is not None else None
    else:
        names, source = decode(document.value, type=_Named).vms, None
    numbers = tuple(chosen(document.index, source, names))
    vms = decode(document.value, type=_Undecoded).vms if numbers else ()
    return Part(document.index, source, {number: decode(vms[number], type=VirtualMachine) for number in numbers})


def remember(raw: bytes, documents: Iterable[tuple[int, Value]], cache: Cache) -> None:
    """Keep the documents of a file that has no findings."""
    if len(raw) >= LEAST and cache.enabled:
        encode = msgspec.msgpack.Encoder().encode
        kept = tuple(_Document(index, type(each).__name__, msgspec.Raw(encode(each))) for index, each in documents)
        cache.put(KIND, {content(raw): kept})
