"""Caches the decisions on VMs: after an edit, only its block of VMs is decided again.

`make` decides each VM by itself, so any part of the estate can be decided separately.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from vmferry import cores
from vmferry.cache import Cache
from vmferry.estate.blocks import blocks
from vmferry.estate.dual_run import beside
from vmferry.model.finding import Finding
from vmferry.model.keys import disk_key
from vmferry.resolve.deciding import Basis, Made, make
from vmferry.resolve.notes import Noting, Reason, collect, collect_findings, findings
from vmferry.resolve.selection import Candidate

KIND = "made 4"
MANY = 8
"""Blocks that are worth processes of their own."""

_encode = msgspec.msgpack.Encoder(order="deterministic").encode


class Memory(NamedTuple):
    """Where results are remembered, and whether with their reasons: there are many, and few ask for them."""

    cache: Cache
    reasons: bool = False

    @property
    def kind(self) -> str:
        """Return the kind of the entries."""
        return f"{KIND}, with reasons" if self.reasons else KIND


class Kept(cores.Portable, frozen=True, array_like=True):
    """What is remembered of a block."""

    made: Made
    findings: tuple[Finding, ...]
    reasons: tuple[Reason, ...] = ()


class _Work(NamedTuple):
    """What a block is made from."""

    parts: list[tuple[Candidate, ...]]
    basis: Basis
    reasons: bool


def make_or_remember(candidates: tuple[Candidate, ...], basis: Basis, memory: Memory) -> Noting[Made]:
    """Return the result of `make`; cached results are not computed again."""
    parts = list(blocks(candidates)) if memory.cache.enabled else []
    try:
        keys = _keys(parts, basis)
    except UnicodeEncodeError:  # a file whose name is not valid text
        keys = []
    if not keys:
        return (yield from make(candidates, basis))
    known = memory.cache.get(memory.kind, keys, Kept)
    missed = [index for index, key in enumerate(keys) if key not in known]
    work = _Work(parts, basis, memory.reasons)
    fresh = dict(zip((keys[index] for index in missed), cores.spread(_made, missed, work, least=MANY), strict=True))
    memory.cache.put(memory.kind, fresh)
    known |= fresh
    made = [known[key].made for key in keys]
    for key in keys:
        yield from known[key].findings
        yield from known[key].reasons
    return Made(
        attached={key: value for each in made for key, value in each.attached.items()},
        allocated={key: value for each in made for key, value in each.allocated.items()},
        machines={key: value for each in made for key, value in each.machines.items()},
    )


def _made(work: _Work, index: int) -> Kept:
    """Return what is made of a block, as it is remembered."""
    if not work.reasons:
        return Kept(*collect_findings(make(work.parts[index], work.basis)))
    made, notes = collect(make(work.parts[index], work.basis))
    return Kept(made, findings(notes), tuple(note for note in notes if isinstance(note, Reason)))


def _keys(parts: Iterable[tuple[Candidate, ...]], basis: Basis) -> list[bytes]:
    """Return a digest of all inputs of `make`, for each block."""
    found, tables = basis.ways, basis.tables
    head = blake2b(
        _encode(
            (
                *(tables.where, tables.spec.target.cluster, tables.spec.networks, tables.spec.storage),
                *(tables.spec.checks, sorted(beside(tables.spec.phases))),
            )
        )
    )
    head.update(_encode(sorted(tables.storage.copies.items(), key=lambda row: row[0])))
    result = []
    for part in parts:
        digest = head.copy()
        for candidate in part:
            key, vm = candidate.key, candidate.vm
            shared = [
                basis.owners.get(disk_key(candidate.source, disk.shared)) for disk in vm.disks or () if disk.shared
            ]
            template = basis.golden.get((candidate.source, vm.clone_of), "none") if vm.clone_of is not None else None
            settled = (found.routes[key], found.namespaces.get(key), basis.names.get(key), shared, template)
            digest.update(_encode((candidate, settled)))
        result.append(digest.digest())
    return result
