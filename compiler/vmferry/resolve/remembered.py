"""Caches the decisions on VMs: after an edit, only its block of VMs is decided again.

`make` decides each VM by itself, so any part of the estate can be decided separately.
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
    """The cached result of a block, without reasons: a command that needs reasons decides again."""

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
    """Return the result of `make`; cached results are not computed again, and have no reasons."""
    parts = list(blocks(candidates)) if cache.enabled else []
    try:
        keys = _keys(parts, found, names, owners, golden, tables)
    except UnicodeEncodeError:  # a file whose name is not valid text
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
    """Return a digest of all inputs of `make`, for each block."""
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
