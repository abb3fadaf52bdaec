"""Finds the VM that a row of another tab belongs to: by VM ID, then by UUID, then by name and cluster."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple

from vmferry.importers.cells import uuid
from vmferry.importers.rvtools.rows import Row

_NO_SUCH_ID, _NO_SUCH_NAME = "vInfo has no VM with this VM ID", "vInfo has no VM of this name"
OF_NO_VM = frozenset((_NO_SUCH_ID, _NO_SUCH_NAME))
"""Reasons that certainly exclude all VMs; other reasons leave it open."""


class Keys(NamedTuple):
    """A row's identification of its VM."""

    center: Hashable | None
    id: str | None
    uuids: frozenset[str]
    name: str | None
    cluster: str | None
    guest: str | None

    def contradicts(self, other: "Keys") -> bool:
        """Return whether the two are about different vCenters or ids: then a common name means nothing."""
        if self.center and other.center and self.center != other.center:
            return True
        return bool(self.id and other.id and self.id != other.id)


def keys_of(row: Row, center: Hashable | None) -> Keys:
    """Return the keys of a row about a VM."""
    cells = row.cells
    one, other = uuid(cells.get("uuid")), uuid(cells.get("smbios"))
    return Keys(
        center,
        cells.get("id"),
        frozenset(each for each in (one, other) if each),
        cells.get("vm"),
        cells.get("cluster"),
        cells.get("os_config"),
    )


class Register:
    """VMs by all of their keys."""

    def __init__(self, vms: Iterable[Keys]) -> None:
        self._vms = list(vms)
        self._by_id: defaultdict[str, list[int]] = defaultdict(list)
        self._by_uuid: defaultdict[str, list[int]] = defaultdict(list)
        self._by_name: defaultdict[str, list[int]] = defaultdict(list)
        for index, keys in enumerate(self._vms):
            if keys.id:
                self._by_id[keys.id].append(index)
            for each in keys.uuids:
                self._by_uuid[each].append(index)
            if keys.name:
                self._by_name[keys.name].append(index)

    def find(self, row: Keys) -> int | str:
        """Return the index of a row's VM, or the reason why it has none.

        A weaker key is only used if no stronger one contradicts; copies of a VM may share a UUID, and several VMs a
        name.
        """
        ambiguous = ""
        for what, found in self._steps(row):
            candidates = [index for index in found if not row.contradicts(self._vms[index])]
            if what == "name" and candidates:
                return self._named(row, candidates)
            if len(candidates) == 1:
                return candidates[0]
            if candidates:
                ambiguous = ambiguous or f"{len(candidates)} VMs have this {what}"
                narrow = [index for index in candidates if self._vms[index].name == row.name]
                if len(narrow) == 1:
                    return narrow[0]
        return ambiguous or _missing(row)

    def _steps(self, row: Keys) -> Iterator[tuple[str, Sequence[int]]]:
        """Yield the VMs with a key of a row, by kind of key, most reliable first."""
        yield "VM ID", self._by_id.get(row.id or "", ())
        yield "UUID", sorted({index for each in row.uuids for index in self._by_uuid.get(each, ())})
        yield "name", self._by_name.get(row.name or "", ())

    def _named(self, row: Keys, candidates: list[int]) -> int | str:
        here = [index for index in candidates if row.cluster in (None, self._vms[index].cluster)]
        here = here or [index for index in candidates if self._vms[index].cluster is None]
        if not here:
            return "the VM of this name is in another cluster"
        if len(here) > 1:
            return f"{len(here)} VMs have this name"
        vm = self._vms[here[0]]
        if row.uuids and vm.uuids and not row.uuids & vm.uuids:
            return "the VM of this name has another UUID"
        if row.guest and vm.guest and row.guest != vm.guest:
            return "the VM of this name has another guest system, so it is about another VM or another day"
        return here[0]


def _missing(row: Keys) -> str:
    if row.id:
        return _NO_SUCH_ID
    return _NO_SUCH_NAME if row.name else "it does not name a VM"
