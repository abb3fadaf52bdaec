"""Roles and permissions in vcsim, imported with and without the names of who has them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pyVmomi import vim
from tests.importers.test_validated import refused
from tests.importers.vcsim import PASSWORD, USER, Administrator, Server, administrator, running
from tests.invocation import Result, vmferry

from vmferry.estate.privileges import OTHER, beyond, role_of
from vmferry.importers.vcenter.permissions import is_service
from vmferry.importers.vcenter.read import read_vcenter
from vmferry.importers.vcenter.session import Login, Trust
from vmferry.model.inventory import Inventory, InventoryPermission

FLAGS = ("-dc=1", "-cluster=1", "-host=1", "-standalone-host=1", "-folder=1", "-pool=1", "-vm=1", "-app=1", "-pod=1")
OPERATOR = ("VirtualMachine.Interact.PowerOn", "VirtualMachine.Interact.PowerOff")
SERVICE = "VSPHERE.LOCAL\\vpxd-extension-0b2b9dd4-21d3-4a8c-8ac6-3f0c9a1d2e4f"
LONG_STAND_IN = "group-12"  # of a name that is longer than vSphere allows, which stays out with --principals, too
HOSTILE = (
    "ACME\\<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "ACME\\a\nb: c",
    "ACME\\\u202egnp",
    "x" * 1025,
    "- y",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("vcsim"), *FLAGS) as found:
        with administrator(found) as admin:
            _permit(admin)
        yield found


def _permit(admin: Administrator) -> None:
    manager = admin.content.authorizationManager
    for role, privileges in (("VM operator", OPERATOR), ("nobody's", OPERATOR)):
        manager.AddAuthorizationRole(role, list(privileges))
    ids = {role.name: role.roleId for role in manager.roleList}

    def permit(obj: Any, *who: str, role: str = "VM operator", user: bool = False, here: bool = False) -> None:
        permission: Any = vim.AuthorizationManager.Permission
        given = [
            permission(entity=obj, principal=one, group=not user, roleId=ids[role], propagate=not here) for one in who
        ]
        manager.SetEntityPermissions(obj, given)

    datacenter = admin.all(vim.Datacenter)["DC0"]
    web = datacenter.vmFolder.CreateFolder("Prod").CreateFolder("Web/Shop")
    pool = admin.all(vim.ResourcePool)["DC0_C0_RP1"].CreateResourcePool("Web", _unlimited())
    permit(datacenter.parent, "ACME\\everywhere")
    permit(datacenter, "ACME\\dc", here=True)
    permit(web, "ACME\\web", "ACME\\operators")
    permit(datacenter.hostFolder, "ACME\\compute", role="ReadOnly")
    permit(admin.all(vim.ClusterComputeResource)["DC0_C0"], "ACME\\operators")
    permit(pool, "mia@acme.example", user=True)
    permit(admin.all(vim.VirtualMachine)["DC0_C0_RP1_VM0"], *HOSTILE)
    permit(admin.all(vim.Datastore)["LocalDS_0"], "ACME\\storage")
    permit(admin.all(vim.Network)["VM Network"], SERVICE, role="Admin", user=True)


def _unlimited() -> Any:
    shares = vim.SharesInfo(level="normal", shares=4000)
    allocation = vim.ResourceAllocationInfo(reservation=0, expandableReservation=True, limit=-1, shares=shares)
    return vim.ResourceConfigSpec(cpuAllocation=allocation, memoryAllocation=allocation)


def read(server: Server, *, names: bool) -> Inventory:
    login = Login(user=USER, password=PASSWORD)
    return read_vcenter(server.url, "vc1", login, Trust(insecure=True), principals=names).inventory


@pytest.fixture(scope="module")
def anonymous(server: Server) -> Inventory:
    return read(server, names=False)


@pytest.fixture(scope="module")
def named(server: Server) -> Inventory:
    return read(server, names=True)


def on(inventory: Inventory, kind: str) -> list[InventoryPermission]:
    return [each for each in inventory.permissions if each.kind == kind]


def test_objects_are_named_as_elsewhere_in_the_inventory(named: Inventory) -> None:
    where = {each.kind: (each.path, each.datacenter, each.cluster, each.contains) for each in named.permissions}
    assert where == {
        "root": ("/", None, None, ()),
        "datacenter-folder": ("/F0", None, None, ("DC0",)),
        "datacenter": ("DC0", "DC0", None, ()),
        "vm-folder": ("/Prod/Web/Shop", "DC0", None, ()),
        "compute-folder": ("/", "DC0", None, ("DC0_C0", "DC0_H0")),
        "cluster": ("DC0_C0", "DC0", None, ()),
        "resource-pool": ("DC0_C0_RP1/Web", "DC0", "DC0_C0", ()),
        "vm": ("DC0_C0_RP1_VM0", None, None, ()),
        "datastore": ("LocalDS_0", None, None, ()),
        "network": ("VM Network", None, None, ()),
    }
    assert [each.propagate for each in on(named, "datacenter")] == [False]


def test_only_roles_that_somebody_has_are_imported(named: Inventory) -> None:
    roles = {role.name: role for role in named.roles}
    assert sorted(roles) == ["Admin", "ReadOnly", "VM operator"]
    assert [role.builtin for _, role in sorted(roles.items())] == [True, True, False]
    assert set(OPERATOR) < set(roles["VM operator"].privileges)
    assert len(roles["Admin"].privileges) > 400


def test_no_privilege_of_an_administrator_is_unknown(named: Inventory) -> None:
    [admin] = [role for role in named.roles if role.name == "Admin"]
    assert role_of(frozenset(admin.privileges)) == "admin"
    assert OTHER not in beyond(admin.privileges, "admin", migrate=True)


def test_without_being_asked_no_name_of_anybody_is_imported(anonymous: Inventory, named: Inventory) -> None:
    hidden = {each.principal for each in anonymous.permissions}
    assert hidden.isdisjoint({each.principal for each in named.permissions} - {LONG_STAND_IN})
    text = msgspec.json.encode(anonymous).decode()
    assert "ACME" not in text
    assert "mia" not in text
    assert {each.principal.partition("-")[0] for each in anonymous.permissions} == {"group", "user", "service"}


def test_a_stand_in_is_one_person_or_group_and_shows_no_order_of_names(anonymous: Inventory, named: Inventory) -> None:
    pairs = {
        (hidden.principal, shown.principal)
        for hidden, shown in zip(anonymous.permissions, named.permissions, strict=True)
    }
    real = {(each.group, each.principal) for each in named.permissions}
    assert len({hidden for hidden, _ in pairs}) == len(real)
    assert (
        len({each.principal for each in anonymous.permissions if each.role == "VM operator" and each.kind == "vm"}) == 6
    )
    where = {each.kind: each.principal for each in named.permissions}
    stand_ins = {each.kind: each.principal for each in anonymous.permissions}
    assert where["datacenter"] < where["datacenter-folder"]
    assert stand_ins["datacenter"] == "group-4"
    # numbered by place: what is on a cluster comes first, whatever it is called
    [operators] = {hidden for hidden, shown in pairs if shown == "ACME\\operators"}
    assert operators == "group-2"


def test_vsphere_s_own_services_are_told_apart(named: Inventory, anonymous: Inventory) -> None:
    [service] = on(named, "network")
    assert (service.principal, service.service, service.group) == (SERVICE, True, False)
    assert [each.principal for each in on(anonymous, "network")] == ["service-1"]
    assert [each.principal for each in named.permissions if each.service] == [SERVICE]


@pytest.mark.parametrize(
    ("principal", "service"),
    [
        ("VSPHERE.LOCAL\\SolutionUsers", True),
        ("vsphere.local\\machine-0b2b9dd4-21d3-4a8c-8ac6-3f0c9a1d2e4f", True),
        ("VSPHERE.LOCAL\\Administrators", False),
        ("ACME\\SolutionUsers", False),
        ("ACME\\vm-operators-2024", False),
        ("", False),
    ],
)
def test_a_service_is_known_by_its_name(principal: str, *, service: bool) -> None:
    assert is_service(principal) is service


def test_the_same_vcenter_gives_the_same_bytes(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMFERRY_VCENTER_USER", USER)
    monkeypatch.setenv("VMFERRY_VCENTER_PASSWORD", PASSWORD)
    first = imported(server, tmp_path)
    before = (tmp_path / "vc1/permissions.yaml").read_bytes()
    assert b"ACME" not in before
    for _ in range(3):  # the simulator lists permissions in another order each time
        assert "0 files changed" in imported(server, tmp_path).out
    assert first.code == 0
    assert refused(tmp_path) == []


def test_hostile_names_are_written_and_read_back(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VMFERRY_VCENTER_USER", USER)
    monkeypatch.setenv("VMFERRY_VCENTER_PASSWORD", PASSWORD)
    assert imported(server, tmp_path, "--principals").code == 0
    assert refused(tmp_path) == []
    text = (tmp_path / "vc1/permissions.yaml").read_text()
    assert "\u202e" not in text
    assert "<script>" in text


def imported(server: Server, out: Path, *options: str) -> Result:
    return vmferry("import", "vcenter", server.url, "--source", "vc1", "--out", out, "--insecure", *options)
