"""Splits an estate into blocks of VMs, so that results per block can be cached.

The checksum of a VM's key decides where a block ends: adding or removing a VM only changes its own block.
"""

import zlib
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

SIZE = 192  # VMs of a block, on average


class _Keyed(Protocol):
    @property
    def key(self) -> str: ...


K = TypeVar("K", bound=_Keyed)


def blocks(vms: Iterable[K]) -> Iterator[tuple[K, ...]]:
    """Yield the VMs in blocks, in their order."""
    block: list[K] = []
    for vm in vms:
        block.append(vm)
        if zlib.crc32(vm.key.encode("utf-8", "surrogatepass")) % SIZE == 0:
            yield tuple(block)
            block = []
    if block:
        yield tuple(block)
