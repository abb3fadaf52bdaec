"""Roles and permissions: who may do what, without the names of users and groups unless they are asked for.

AuthorizationManager.roleList and RetrieveAllPermissions (vSphere API) return what the user of the import may see.
Global permissions, which are set above the root, are in neither.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace
from pyVmomi import vmodl

from vmferry.importers.build import build
from vmferry.importers.cells import fits
from vmferry.importers.vcenter.collect import Collector, key
from vmferry.importers.vcenter.session import Session
from vmferry.importers.vcenter.surroundings import Surroundings
from vmferry.model.inventory import EntityKind, InventoryPermission, InventoryRole

_TREES: Mapping[str, EntityKind] = {
    "vm": "vm-folder",
    "host": "compute-folder",
    "datastore": "datastore",
    "network": "network",
}
"""The four folders of every datacenter (vim.Datacenter)."""

_KINDS: Mapping[str, EntityKind] = {
    "Datacenter": "datacenter",
    "ClusterComputeResource": "cluster",
    "VirtualMachine": "vm",
    "Datastore": "datastore",
    "StoragePod": "datastore",
    "Network": "network",
    "OpaqueNetwork": "network",
    "DistributedVirtualPortgroup": "network",
    "DistributedVirtualSwitch": "network",
    "VmwareDistributedVirtualSwitch": "network",
}

_SOLUTION_USER = re.compile(r".+-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
"""vpxd-extension-3f0c…, machine-…, vsphere-webclient-…: services log in as these, with the id of the appliance."""

_SERVICE_GROUPS = frozenset(
    (
        *("solutionusers", "actasusers", "externalidpusers", "dcclients", "dcadmins", "caadmins", "trustedadmins"),
        *("componentmanager.administrators", "licenseservice.administrators", "systemconfiguration.administrators"),
        *("systemconfiguration.bashshelladministrators", "systemconfiguration.supportusers", "syncusers"),
        *(
            "systemconfiguration.readonly",
            "vsphereclientsolutionusers",
            "serviceproviderusers",
            "registryadministrators",
        ),
        *("nsxadministrators", "nsxauditors", "nsxviadministrators", "workloadstorage", "autoupdate", "vstatsgroup"),
    )
)
"""Groups that every vCenter has in its own domain for services and their administration, but for Administrators.

VMware docs, vSphere Authentication: Groups in the vCenter Single Sign-On Domain
"""


class Permissions(NamedTuple):
    """Roles in use, and who has which where, both sorted. ``note``: why there are none."""

    roles: tuple[InventoryRole, ...] = ()
    permissions: tuple[InventoryPermission, ...] = ()
    note: str = ""


class _Found(NamedTuple):
    """A permission before it is known what its principal is called in the inventory."""

    place: InventoryPermission  # with the real principal
    principal: str

    @property
    def order(self) -> tuple[Any, ...]:
        """Return what permissions are sorted by: where, what, and only then who."""
        where = self.place
        scope = (where.kind, where.datacenter or "", where.cluster or "", where.path, where.id or "")
        return (where.kind != "root", *scope, where.role, where.group, where.propagate, self.principal)


def read_permissions(
    session: Session, collector: Collector, around: Surroundings, vms: Mapping[str, str], *, names: bool
) -> Permissions:
    """Return the roles and permissions; ``vms`` are names by id. Without ``names``, principals are numbered.

    The numbers follow the objects that permissions are set on, not the names, so they tell nothing of these.
    """
    manager: Any = session.content.authorizationManager
    try:
        given = list(manager.RetrieveAllPermissions() or ())
        known = {role.roleId: role for role in collector.one(manager, "roleList").get("roleList") or ()}
    except vmodl.MethodFault as fault:
        return Permissions(note=f"no permissions: vCenter returned {type(fault).__name__.rpartition('.')[2]}")
    root = key(session.content.rootFolder)
    found = sorted(_found(given, known, around, vms, root), key=lambda each: each.order)
    called = _called(found, names=names)
    return Permissions(
        tuple(_roles(known.values(), {each.place.role for each in found})),
        tuple(replace(each.place, principal=called[each.place.group, each.principal]) for each in found),
    )


def _found(
    given: Iterable[Any], roles: Mapping[int, Any], around: Surroundings, vms: Mapping[str, str], root: str
) -> Iterator[_Found]:
    for each in given:
        role = roles.get(each.roleId)
        if each.entity is None or role is None:
            continue
        principal = str(each.principal or "")
        place = build(
            InventoryPermission,
            f"permission on {key(each.entity)}",
            principal="?",
            group=bool(each.group),
            service=is_service(principal),
            role=_role_name(role),
            propagate=bool(each.propagate),
            id=key(each.entity),
            **_place(each.entity, around, vms, root),
        )
        yield _Found(place, principal)


def is_service(principal: str) -> bool:
    r"""Return whether DOMAIN\NAME is one of vSphere's own services or their groups, which no person is."""
    domain, _, name = principal.rpartition("\\")
    if _SOLUTION_USER.fullmatch(name):
        return True
    return domain.lower() == "vsphere.local" and name.lower() in _SERVICE_GROUPS


def _called(found: Iterable[_Found], *, names: bool) -> Mapping[tuple[bool, str], str]:
    """Return what each principal is called in the inventory, by whether it is a group, and name."""
    numbers: dict[str, int] = {}
    called: dict[tuple[bool, str], str] = {}
    for each in found:
        who = each.place.group, each.principal
        if who in called:
            continue
        kind = "service" if each.place.service else "group" if each.place.group else "user"
        numbers[kind] = numbers.get(kind, 0) + 1
        stand_in = f"{kind}-{numbers[kind]}"
        called[who] = (fits(each.principal) if names else None) or stand_in
    return called


def _roles(roles: Iterable[Any], used: set[str]) -> Iterator[InventoryRole]:
    """Yield the roles in use, sorted by name."""
    for role in sorted(roles, key=_role_name):
        if _role_name(role) in used:
            yield build(
                InventoryRole,
                f"role {role.roleId}",
                name=_role_name(role),
                builtin=bool(role.system),
                privileges=tuple(sorted({fits(each) or "?" for each in role.privilege or ()})),
            )


def _role_name(role: Any) -> str:
    return fits(role.name) or f"role {role.roleId}"


def _place(entity: Any, around: Surroundings, vms: Mapping[str, str], root: str) -> dict[str, Any]:
    """Return what and where an object is: the fields of a permission about it."""
    identity = key(entity)
    kind = around.kind(identity) or type(entity).__name__.rpartition(".")[2]
    datacenter = around.datacenter(entity)
    if identity == root:
        place: dict[str, Any] = {"kind": "root", "path": "/"}
    elif kind == "Folder":
        place = _folder(entity, around, datacenter)
    elif kind in ("ComputeResource", "HostSystem"):
        place = {"kind": "host", "cluster": around.cluster(entity, None)}
    elif kind in ("ResourcePool", "VirtualApp"):
        place = _pool(entity, around)
    else:
        place = {"kind": _KINDS.get(kind, "other")}
    name = vms.get(identity) if kind == "VirtualMachine" else around.name(entity)
    path = fits(place.pop("path", None)) or name or identity
    return {"path": path, "datacenter": datacenter, **place}


def _folder(entity: Any, around: Surroundings, datacenter: str | None) -> dict[str, Any]:
    """Return what a folder holds; one without a datacenter above it holds datacenters."""
    names = around.names_above(entity)
    if datacenter is None:
        path, contains = f"/{'/'.join(names)}", around.below(entity, "Datacenter")
        return {"kind": "datacenter-folder", "path": path, "contains": contains} if names else {"kind": "other"}
    tree = _TREES.get(names[0], "other")
    contains = around.below(entity, "ClusterComputeResource", "ComputeResource") if tree == "compute-folder" else ()
    return {"kind": tree, "path": f"/{'/'.join(names[1:])}", "contains": contains}


def _pool(entity: Any, around: Surroundings) -> dict[str, Any]:
    """Return where a resource pool is; the one that each cluster and host has stands for that cluster or host."""
    path, owner = around.pool(entity), around.owner(entity)
    if path is not None:
        return {"kind": "resource-pool", "path": path, "cluster": owner}
    return {"kind": "cluster" if around.cluster(None, entity) else "host", "path": owner}
