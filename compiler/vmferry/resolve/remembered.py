"""Remembers what VMs were decided to look like: an edit decides again only the block of VMs it is in.

`make` decides of each VM by itself, so any part of the estate can stand alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b

import msgspec
from msgspec import Struct

from vmferry.cache import Cache
from vmferry.estate.blocks import blocks
from vmferry.model.blueprint import Machine
from vmferry.model.finding import Finding
from vmferry.model.keys import DiskKey, VmKey, disk_key
from vmferry.resolve.deciding import Made, Ways, make
from vmferry.resolve.notes import Note, Noting, collect
from vmferry.resolve.selection import Candidate
from vmferry.resolve.tables import Tables

KIND = "made 1"

_encode = msgspec.msgpack.Encoder(order="deterministic").encode


class Kept(Struct, frozen=True, array_like=True):
    """What is remembered of a block. Reasons are not: who asks for them decides again."""

    made: Made
    findings: tuple[Finding, ...]


def make_or_remember(
    candidates: tuple[Candidate, ...],
    found: Ways,
    names: Mapping[VmKey, str],
    owners: Mapping[DiskKey, VmKey],
    golden: Mapping[tuple[str, str], Machine | None],
    tables: Tables,
    cache: Cache,
) -> Noting[Made]:
    """Return what `make` does; what is in the cache is not worked out again, and comes without its reasons."""
    parts = list(blocks(candidates)) if cache.enabled else []
    try:
        keys = _keys(parts, found, names, owners, golden, tables)
    except UnicodeEncodeError:  # a file whose name is no text
        keys = []
    if not keys:
        return (yield from make(candidates, found, names, owners, golden, tables))
    known = cache.get(KIND, keys, Kept)
    fresh: dict[bytes, Kept] = {}
    made: list[Made] = []
    for key, part in zip(keys, parts, strict=True):
        kept = known.get(key)
        if kept is None:
            value, notes = collect(make(part, found, names, owners, golden, tables))
            kept = fresh[key] = Kept(value, tuple(note for note in notes if isinstance(note, Finding)))
            yield from _others(notes)
        yield from kept.findings
        made.append(kept.made)
    cache.put(KIND, fresh)
    return Made(
        attached={key: value for each in made for key, value in each.attached.items()},
        allocated={key: value for each in made for key, value in each.allocated.items()},
        machines={key: value for each in made for key, value in each.machines.items()},
    )


def _others(notes: Iterable[Note]) -> Iterator[Note]:
    return (note for note in notes if not isinstance(note, Finding))


def _keys(
    parts: Iterable[tuple[Candidate, ...]],
    found: Ways,
    names: Mapping[VmKey, str],
    owners: Mapping[DiskKey, VmKey],
    golden: Mapping[tuple[str, str], Machine | None],
    tables: Tables,
) -> list[bytes]:
    """Return a digest of everything that `make` goes by, for each block."""
    head = blake2b(_encode((tables.where, tables.spec.target.cluster, tables.spec.networks, tables.spec.storage)))
    head.update(_encode(sorted(tables.storage.copies.items(), key=lambda row: row[0])))
    result = []
    for part in parts:
        digest = head.copy()
        for candidate in part:
            key, vm = candidate.key, candidate.vm
            shared = [owners.get(disk_key(candidate.source, disk.shared)) for disk in vm.disks or () if disk.shared]
            template = golden.get((candidate.source, vm.clone_of), "none") if vm.clone_of is not None else None
            settled = (found.routes[key], found.namespaces.get(key), names.get(key), shared, template)
            digest.update(_encode((candidate, settled)))
        result.append(digest.digest())
    return result
