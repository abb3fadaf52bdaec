"""Which VMs an `assign` rule selects: the only reader of `match`."""

import fnmatch
import re
from collections.abc import Callable, Iterable
from functools import cache

from vmferry.model.spec import Match, VirtualMachine

_Test = Callable[[VirtualMachine, str], bool]
_Read = Callable[[VirtualMachine, str], Iterable[str | None]]


class Matcher:
    """A `match`, compiled for use on many VMs. A VM matches if every field does."""

    def __init__(self, match: Match) -> None:
        self._tests = tuple(_tests(match))

    def __call__(self, vm: VirtualMachine, source: str) -> bool:
        """Return whether a VM of a vCenter matches."""
        return all(test(vm, source) for test in self._tests)


_READERS: dict[str, _Read] = {
    "name": lambda vm, _: (vm.name,),
    "source": lambda _, source: (source,),
    "datacenter": lambda vm, _: (vm.datacenter,),
    # a path in the inventory: /Prod/Web/* is everything in /Prod/Web, at any depth
    "folder": lambda vm, _: (vm.folder, f"{vm.folder}/{vm.name}") if vm.folder else (),
    "cluster": lambda vm, _: (vm.cluster,),
    "host": lambda vm, _: (vm.host,),
    "resource_pool": lambda vm, _: (vm.resource_pool,),
    "network": lambda vm, _: (nic.network for nic in vm.nics or ()),
    "datastore": lambda vm, _: (disk.datastore for disk in vm.disks or ()),
    "os": lambda vm, _: (vm.os,),
    "guest_id": lambda vm, _: (vm.guest_id,),
    "power_state": lambda vm, _: (vm.power_state,),
    "tags": lambda vm, _: vm.tags,
}


def _tests(match: Match) -> Iterable[_Test]:
    for field, reader in _READERS.items():
        globs = getattr(match, field)
        if globs is not None:
            yield _any_of((globs,) if isinstance(globs, str) else globs, reader)
    if match.template is not None:
        wanted = match.template
        yield lambda vm, _: bool(vm.template) is wanted
    for name, glob in sorted(match.custom_attributes.items()):
        yield _attribute(name, glob)


def _any_of(globs: tuple[str, ...], reader: _Read) -> _Test:
    pattern = re.compile("|".join(fnmatch.translate(glob) for glob in globs))
    matches = cache(lambda value: value is not None and pattern.match(value) is not None)  # values come again and again
    return lambda vm, source: any(map(matches, reader(vm, source)))


def _attribute(name: str, glob: str) -> _Test:
    pattern = re.compile(fnmatch.translate(glob))
    return lambda vm, _: (value := vm.custom_attributes.get(name)) is not None and bool(pattern.match(value))
