"""Caches parsed files: an unchanged file is neither parsed nor validated again."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from vmferry.cache import Cache
from vmferry.load.trail import content
from vmferry.model.inventory import Inventory
from vmferry.model.spec import MigrationSpec, VirtualMachineSet

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


def remember(raw: bytes, documents: Iterable[tuple[int, Value]], cache: Cache) -> None:
    """Keep the documents of a file that has no findings."""
    if len(raw) >= LEAST and cache.enabled:
        encode = msgspec.msgpack.Encoder().encode
        kept = tuple(_Document(index, type(each).__name__, msgspec.Raw(encode(each))) for index, each in documents)
        cache.put(KIND, {content(raw): kept})
