"""Cuts an estate into blocks of VMs, so that what is worked out of one block can be remembered.

A block ends where the checksum of a VM's key says so: a VM that is added or removed changes the block it is in, and no
other.
"""

import zlib
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

_SIZE = 64  # VMs of a block, on average


class _Keyed(Protocol):
    @property
    def key(self) -> str: ...


K = TypeVar("K", bound=_Keyed)


def blocks(vms: Iterable[K]) -> Iterator[tuple[K, ...]]:
    """Yield the VMs, in the order they have, in blocks."""
    block: list[K] = []
    for vm in vms:
        block.append(vm)
        if zlib.crc32(vm.key.encode("utf-8", "surrogatepass")) % _SIZE == 0:
            yield tuple(block)
            block = []
    if block:
        yield tuple(block)
