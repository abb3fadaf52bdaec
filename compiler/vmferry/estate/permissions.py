"""Who may do what with which VM in vSphere, as vCenter decides it from permissions on the objects above the VM.

VMware docs, vSphere Security, Hierarchical Inheritance of Permissions: a VM inherits from its folder and from its
resource pool, cluster or host at the same time, and has the privileges of both. On each of the two ways, the nearest
permission of a user or group replaces those further up. Who is in which group is not known here.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec import Struct

from vmferry.model.inventory import Inventory, InventoryPermission
from vmferry.model.keys import VmKey
from vmferry.model.review import Subject

_BY_FOLDER, _BY_POOL = 1, 2
_BOTH = _BY_FOLDER | _BY_POOL


class Holder(NamedTuple):
    """A user or group with permissions in a vCenter."""

    source: str
    principal: str
    group: bool
    service: bool  # one of vSphere's own, and no person

    @property
    def order(self) -> tuple[object, ...]:
        """Return what holders are sorted by: group-2 before group-10."""
        parts = [(int(part), "") if part.isdigit() else (-1, part) for part in re.split("([0-9]{1,9})", self.principal)]
        return self.service, self.source, not self.group, parts, self.principal


class Held(Struct, frozen=True, kw_only=True):
    """What one user or group has: permissions, each with how many VMs it is on, and the privileges on each VM."""

    holder: Holder
    permissions: tuple[tuple[InventoryPermission, int], ...]
    privileges: frozenset[str]  # of all their roles, wherever
    on: Mapping[VmKey, frozenset[str]]  # VMs with any privilege


def held(inventories: Iterable[Inventory], subjects: Iterable[Subject]) -> tuple[Held, ...]:
    """Return every user and group with what they have, people first."""
    roles: dict[tuple[str, str], frozenset[str]] = {}
    given: defaultdict[Holder, list[InventoryPermission]] = defaultdict(list)
    for part in inventories:
        source = part.source.name
        roles.update({(source, role.name): frozenset(role.privileges) for role in part.roles})
        for each in part.permissions:
            given[Holder(source, each.principal, each.group, each.service)].append(each)
    places = _places(subjects)
    return tuple(
        _held(holder, sorted(given[holder], key=_order), roles, places)
        for holder in sorted(given, key=lambda one: one.order)
    )


def _order(permission: InventoryPermission) -> tuple[object, ...]:
    where = permission.datacenter or "", permission.cluster or "", permission.path, permission.id or ""
    return (permission.kind != "root", permission.kind, *where, permission.role, permission.propagate)


class _Place(NamedTuple):
    """Where a VM is. Every permission that is not on a VM itself holds for all VMs of a place or for none."""

    source: str
    datacenter: str | None
    cluster: str | None
    host: str | None  # only of a VM outside of clusters
    folder: tuple[str, ...] | None
    pool: tuple[str, ...]


_Places = Mapping[_Place, list[tuple[VmKey, str | None]]]
"""The VMs of each place, with their ids in vCenter."""


def _places(subjects: Iterable[Subject]) -> _Places:
    found: defaultdict[_Place, list[tuple[VmKey, str | None]]] = defaultdict(list)
    for subject in subjects:
        vm = subject.vm
        place = _Place(
            subject.source,
            vm.datacenter,
            vm.cluster,
            None if vm.cluster else vm.host,
            None if vm.folder is None else _steps(vm.folder),
            _steps(vm.resource_pool or ""),
        )
        found[place].append((subject.key, vm.id))
    return found


def _held(
    holder: Holder,
    permissions: list[InventoryPermission],
    roles: Mapping[tuple[str, str], frozenset[str]],
    places: _Places,
) -> Held:
    on: dict[VmKey, frozenset[str]] = {}
    here = {place: vms for place, vms in places.items() if place.source == holder.source}
    own = {each.id: each for each in permissions if each.kind == "vm"}
    wide = [each for each in permissions if each.kind != "vm" and each.propagate]
    for place, vms in here.items():
        inherited = _inherited(place, wide, roles)
        for key, identity in vms:
            mine = own.get(identity) if identity is not None else None
            privileges = roles.get((holder.source, mine.role), frozenset()) if mine else inherited
            if privileges:
                on[key] = privileges
    every = (roles.get((holder.source, each.role), frozenset()) for each in permissions)
    return Held(
        holder=holder,
        permissions=tuple((each, _covered(each, here)) for each in permissions),
        privileges=frozenset().union(*every),
        on=dict(sorted(on.items())),
    )


def _covered(permission: InventoryPermission, places: _Places) -> int:
    """Return how many VMs a permission is on, whatever permissions nearer to them say."""
    if permission.kind == "vm":
        return sum(identity == permission.id for vms in places.values() for _, identity in vms)
    below = (len(vms) for place, vms in places.items() if _distance(place, permission) is not None)
    return sum(below) if permission.propagate else 0


def _inherited(
    place: _Place, permissions: Iterable[InventoryPermission], roles: Mapping[tuple[str, str], frozenset[str]]
) -> frozenset[str]:
    """Return the privileges on the VMs of a place: of the nearest permission on each of the two ways, united."""
    nearest: dict[int, tuple[tuple[int, int], frozenset[str]]] = {}
    for each in permissions:
        found = _distance(place, each)
        if found is None:
            continue
        ways, near = found
        privileges = roles.get((place.source, each.role), frozenset())
        for way in (_BY_FOLDER, _BY_POOL):
            best = nearest.get(way)
            if not ways & way or (best is not None and best[0] > near):
                continue
            nearest[way] = near, privileges | (best[1] if best is not None and best[0] == near else frozenset())
    return frozenset().union(*(privileges for _, privileges in nearest.values()))


def _distance(place: _Place, permission: InventoryPermission) -> tuple[int, tuple[int, int]] | None:
    """Return on which ways an object is above a place, and how near; None if it is not above it. Nearer is larger."""
    path = _steps(permission.path)
    same = permission.datacenter is None or place.datacenter in (None, permission.datacenter)
    match permission.kind:
        case "root":
            return _BOTH, (0, 0)
        case "datacenter-folder" if place.datacenter in permission.contains:
            return _BOTH, (1, len(path))
        case "datacenter" if place.datacenter == permission.path:
            return _BOTH, (2, 0)
        case "vm-folder" if same and place.folder is not None and place.folder[: len(path)] == path:
            return _BY_FOLDER, (3, len(path))
        case "compute-folder" if same and (place.cluster or place.host) in permission.contains:
            return _BY_POOL, (3, len(path))
        case "cluster" if same and place.cluster == permission.path:
            return _BY_POOL, (4, 0)
        case "host" if same and permission.cluster is None and place.host == permission.path:
            return _BY_POOL, (4, 0)
        case "resource-pool" if (
            same and permission.cluster == (place.cluster or place.host) and place.pool[: len(path)] == path
        ):
            return _BY_POOL, (5, len(path))
    return None


def _steps(path: str) -> tuple[str, ...]:
    return tuple(step for step in path.split("/") if step)
