"""Who may do what with which VM: permissions are inherited on two ways, and the nearest one counts on each."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.resolve.projects import resolved, vm

from vmferry.estate.permissions import Held, held
from vmferry.estate.privileges import AREAS, OTHER, RANK, ROLES, area_of, beyond, role_of
from vmferry.model.inventory import Inventory, InventoryMetadata, InventoryPermission, InventoryRole, Origin

SEE = ("System.Anonymous", "System.Read", "System.View")
ROLE_PRIVILEGES = {
    "see": SEE,
    "run": (*SEE, "VirtualMachine.Interact.PowerOn", "VirtualMachine.Interact.PowerOff"),
    "console": (*SEE, "VirtualMachine.Interact.ConsoleInteract"),
    "NoAccess": (),
}
VMS = (
    vm("web-01", id="vm-1", datacenter="DC1", cluster="C1", folder="/Prod/Web", resourcePool="Prod/Web", host="e1"),
    vm("db-01", id="vm-2", datacenter="DC1", cluster="C1", folder="/Prod/Data", resourcePool="Prod/Data", host="e1"),
    vm("alone", id="vm-3", datacenter="DC1", folder="/Prodigal", host="e9"),
    vm("far", id="vm-4", datacenter="DC2", cluster="C1", folder="/Prod/Web", resourcePool="Prod/Web", host="e2"),
)
EVERY = {"vm-1", "vm-2", "vm-3", "vm-4"}


def permission(kind: str, path: str, role: str = "see", who: str = "g", **fields: Any) -> InventoryPermission:
    given: Any = {"kind": kind, "path": path, "role": role, "principal": who, "group": True}
    return InventoryPermission(**given | fields)


def found(*permissions: InventoryPermission) -> tuple[Held, ...]:
    part = Inventory(
        metadata=InventoryMetadata(name="vc1/permissions"),
        source=Origin(name="vc1", kind="vcenter"),
        roles=tuple(InventoryRole(name=name, privileges=given) for name, given in ROLE_PRIVILEGES.items()),
        permissions=permissions,
    )
    return held([part], resolved(*VMS).subjects)


def on(*permissions: InventoryPermission) -> dict[str, frozenset[str]]:
    """Return the privileges of the one holder by the ids of VMs."""
    [only] = found(*permissions)
    return {key.rpartition("/")[2]: given for key, given in only.on.items()}


@pytest.mark.parametrize(
    ("where", "vms"),
    [
        (permission("root", "/"), EVERY),
        (permission("datacenter-folder", "/EMEA", contains=("DC1",)), {"vm-1", "vm-2", "vm-3"}),
        (permission("datacenter", "DC2", datacenter="DC2"), {"vm-4"}),
        (permission("vm-folder", "/Prod", datacenter="DC1"), {"vm-1", "vm-2"}),
        (permission("vm-folder", "/", datacenter="DC1"), {"vm-1", "vm-2", "vm-3"}),
        (permission("compute-folder", "/", datacenter="DC1", contains=("C1", "e9")), {"vm-1", "vm-2", "vm-3"}),
        (permission("cluster", "C1", datacenter="DC1"), {"vm-1", "vm-2"}),
        (permission("host", "e9", datacenter="DC1"), {"vm-3"}),
        (permission("host", "e1", datacenter="DC1", cluster="C1"), set()),
        (permission("resource-pool", "Prod", datacenter="DC1", cluster="C1"), {"vm-1", "vm-2"}),
        (permission("vm", "db-01", id="vm-2"), {"vm-2"}),
        (permission("vm", "db-01", id="vm-2", propagate=False), {"vm-2"}),
        (permission("datacenter", "DC1", propagate=False), set()),
        (permission("datastore", "ds1"), set()),
        (permission("network", "lan"), set()),
        (permission("other", "x"), set()),
    ],
    ids=lambda value: value.kind if isinstance(value, InventoryPermission) else "",
)
def test_a_permission_is_on_the_vms_below_its_object(where: InventoryPermission, vms: set[str]) -> None:
    assert set(on(where)) == vms
    [[(_, count)]] = [each.permissions for each in found(where)]
    assert count == len(vms)


def test_the_nearest_permission_replaces_those_further_up() -> None:
    given = on(permission("root", "/", "run"), permission("vm-folder", "/Prod/Web", "NoAccess", datacenter="DC1"))
    assert role_of(given["vm-2"]) == "view"
    assert "VirtualMachine.Interact.PowerOn" in given["vm-1"]  # still by its resource pool
    closed = (
        permission("vm-folder", "/Prod/Web", "NoAccess", datacenter="DC1"),
        permission("cluster", "C1", "NoAccess", datacenter="DC1"),
    )
    assert set(on(permission("root", "/", "run"), *closed)) == {"vm-2", "vm-3", "vm-4"}


def test_a_permission_on_the_vm_replaces_all_others() -> None:
    given = on(permission("root", "/", "run"), permission("vm", "web-01", "NoAccess", id="vm-1"))
    assert set(given) == EVERY - {"vm-1"}


def test_privileges_by_folder_and_by_pool_add_up() -> None:
    given = on(
        permission("vm-folder", "/Prod", "run", datacenter="DC1"),
        permission("resource-pool", "Prod", "console", datacenter="DC1", cluster="C1"),
    )
    assert role_of(given["vm-1"]) == "operate"
    assert role_of(frozenset(ROLE_PRIVILEGES["run"])) == "view"


def test_groups_are_in_the_order_of_their_numbers() -> None:
    names = [each.holder.principal for each in found(*(permission("root", "/", who=f"group-{n}") for n in (10, 2, 1)))]
    assert names == ["group-1", "group-2", "group-10"]


# --- privileges -------------------------------------------------------------------------------

PRIVILEGES = sorted({*(name for needs in ROLES.values() for name in needs), "Host.Config.Network", "Global.Licenses"})


@given(st.sets(st.sampled_from(PRIVILEGES)), st.sets(st.sampled_from(PRIVILEGES)))
def test_more_privileges_never_give_a_weaker_role(some: set[str], more: set[str]) -> None:
    fewer, all_ = role_of(frozenset(some)), role_of(frozenset(some | more))
    assert fewer is None or (all_ is not None and RANK[all_] >= RANK[fewer])
    assert fewer is None or ROLES[fewer] <= some


@given(st.sets(st.sampled_from(PRIVILEGES) | st.text(min_size=1, max_size=20)), st.booleans())
def test_every_privilege_is_covered_by_the_role_or_named(some: set[str], migrate: bool) -> None:
    role = role_of(frozenset(some))
    named = {name for names in beyond(some, role, migrate=migrate).values() for name in names}
    assert named <= some
    covered = some - named
    assert not {name for name in covered if area_of(name) is OTHER and not name.startswith("System.")}
    if role is None:
        assert {name for name in covered if name.startswith("VirtualMachine.")} == set()


def test_who_administers_hosts_gets_no_role_for_it() -> None:
    hosts = frozenset((*SEE, "Host.Config.Maintenance", "Datastore.Config", "Authorization.ModifyPermissions"))
    assert role_of(hosts) == "view"
    areas = {area.name: names for area, names in beyond(hosts, "view", migrate=False).items()}
    assert areas == {
        "hosts and clusters": ("Host.Config.Maintenance",),
        "storage": ("Datastore.Config",),
        "permissions and roles": ("Authorization.ModifyPermissions",),
    }


def test_the_longest_name_decides_the_area() -> None:
    assert area_of("Datastore.AllocateSpace").name == "configuration of VMs"
    assert area_of("Datastore.Config").name == "storage"
    assert area_of("VirtualMachine.State.CreateSnapshot").name == "snapshots"
    assert len({name for area in AREAS for name in area.names}) == sum(len(area.names) for area in AREAS)
