"""What vCenter's privileges are worth in the target: a role of `access`, or work that other people do there.

Names of privileges: AuthorizationManager.privilegeList (vSphere API); VMware docs, Defined Privileges.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from vmferry.model.spec import AccessRole

_SEE = frozenset(("System.View", "System.Read"))
_CONSOLE = _SEE | {"VirtualMachine.Interact.ConsoleInteract"}
_OPERATE = _CONSOLE | {"VirtualMachine.Interact.PowerOn", "VirtualMachine.Interact.PowerOff"}
_EDIT = _OPERATE | {
    "VirtualMachine.Inventory.Create",
    "VirtualMachine.Inventory.Delete",
    "VirtualMachine.Config.AddNewDisk",
    "VirtualMachine.Config.CPUCount",
    "VirtualMachine.Config.Memory",
}
_ADMIN = _EDIT | {"Authorization.ModifyPermissions"}

ROLES: Mapping[AccessRole, frozenset[str]] = {
    "view": _SEE,
    "console": _CONSOLE,
    "operate": _OPERATE,
    "edit": _EDIT,
    "admin": _ADMIN,
}
"""What a role takes, weakest first: who lacks one of its privileges on a VM today is not proposed for it."""

MIGRATE = "Resource.HotMigrate"
"""vMotion: role migrate."""

RANK: Mapping[AccessRole, int] = {role: rank for rank, role in enumerate(ROLES)}
"""How strong a role is."""


class Area(NamedTuple):
    """Work that no role of `access` covers: its privileges, by what their names begin with, and who does it then."""

    name: str
    instead: str
    names: tuple[str, ...]


AREAS: Sequence[Area] = (
    Area(
        "configuration of VMs",
        "a pull request changes CPU, memory, disks and networks",
        (
            *("VirtualMachine.", "Resource.AssignVM", "Resource.AssignVApp", "Network.Assign", "OvfManager."),
            *("Datastore.AllocateSpace", "Datastore.Browse", "Datastore.FileManagement", "Datastore.DeleteFile"),
            *("Datastore.UpdateVirtualMachine", "VApp.", "VirtualMachineClasses."),
        ),
    ),
    Area("snapshots", "role edit, or the acceptance snapshots of a phase", ("VirtualMachine.State.",)),
    Area("inside guests", "SSH, RDP or WinRM: KubeVirt runs nothing in a guest", ("VirtualMachine.GuestOperations.",)),
    Area(
        "replication and backup",
        "the platform team: replication and backup of the storage",
        ("VirtualMachine.Hbr.", "ReplicationService.", "DrProxy.", "HLM.", "VcDr", "vSphereDataProtection."),
    ),
    Area("vMotion", "role migrate", (MIGRATE, "Resource.QueryVMotion", "Resource.ColdMigrate")),
    Area(
        "hosts and clusters",
        "the platform team: nodes",
        (
            *("Host.", "AutoDeploy.", "EAM.", "VcIntegrity.", "VcLifecycle.", "Infraprofile.", "Profile."),
            *("DirectPathProfileManager.", "ComputePolicy.", "Zone.", "Resource.ApplyRecommendation"),
        ),
    ),
    Area(
        "storage",
        "the platform team: StorageClasses",
        ("Datastore.", "StoragePod.", "StorageProfile.", "StorageViews.", "Vsan.", "Cns."),
    ),
    Area(
        "networks",
        "the platform team: NetworkAttachmentDefinitions come from the spec",
        ("Network.", "DVSwitch.", "DVPortgroup.", "Nsx.", "DVPortSetting."),
    ),
    Area("resource pools", "a pull request: quotas of namespaces", ("Resource.", "VmResourceProfiles.")),
    Area("folders and datacenters", "a pull request: `namespaces` of the spec", ("Folder.", "Datacenter.")),
    Area("permissions and roles", "a pull request: `access` of the spec", ("Authorization.",)),
    Area("tags", "a pull request: labels", ("InventoryService.",)),
    Area("templates and images", "DataSources, and images in a registry", ("ContentLibrary.", "TransferService.")),
    Area(
        "alarms and monitoring",
        "the monitoring of the cluster",
        (
            *("Alarm.", "Performance.", "HealthUpdateProvider.", "ExternalStatsProvider.", "Observability."),
            *("GuestDataPublisher.", "VmCam.", "vStats.", "vSANStats."),
        ),
    ),
    Area(
        "encryption and certificates",
        "the platform team: KMS of the storage, cert-manager",
        ("Cryptographer.", "Certificate", "Trust", "VcIdentityProviders.", "TokenService."),
    ),
    Area(
        "Kubernetes in vSphere",
        "the platform team",
        ("Namespaces.", "SupervisorServices.", "FoundationLoadBalancers.", "ServiceAccount.", "TenantManager."),
    ),
    Area(
        "vCenter itself",
        "nobody: there is none",
        (
            *("Global.", "Sessions.", "Extension.", "Plugin.", "Task.", "ScheduledTask.", "SettingsStore."),
            *("IntercomNamespace.", "PartnerRestDaemon.", "Hcx", "vService.", "vSphereClient."),
        ),
    ),
)
OTHER = Area("other privileges", "to be decided: vmferry does not know them", ())

_COVERED: Mapping[AccessRole, tuple[str, ...]] = {
    "view": ("System.",),
    "console": ("VirtualMachine.Interact.ConsoleInteract", "VirtualMachine.Interact.PutUsbScanCodes"),
    "operate": (
        *("VirtualMachine.Interact.Power", "VirtualMachine.Interact.Reset", "VirtualMachine.Interact.Pause"),
        "VirtualMachine.Interact.Suspend",
    ),
    "edit": (*AREAS[0].names, "VirtualMachine.State."),
    "admin": (),
}
"""Privileges that a role covers besides those of weaker ones."""
_ELSEWHERE = ("VirtualMachine.GuestOperations.", "VirtualMachine.Hbr.")  # no role covers them, whatever their names


@cache
def role_of(privileges: frozenset[str]) -> AccessRole | None:
    """Return the strongest role that takes no other privileges; None for who does not even see the VM."""
    return max((role for role, needs in ROLES.items() if needs <= privileges), key=RANK.__getitem__, default=None)


def beyond(privileges: Iterable[str], role: AccessRole | None, *, migrate: bool) -> Mapping[Area, tuple[str, ...]]:
    """Return the privileges that a role, and role migrate if they have it too, do not cover, by area and sorted."""
    rank = -1 if role is None else RANK[role]
    covered = ("System.", *(name for each in ROLES if RANK[each] <= rank for name in _COVERED[each]))
    found: defaultdict[Area, list[str]] = defaultdict(list)
    for privilege in sorted(privileges):
        area = area_of(privilege)
        if privilege.startswith(_ELSEWHERE) or not (
            privilege.startswith(covered) or (migrate and MIGRATE in area.names)
        ):
            found[area].append(privilege)
    return {area: tuple(found[area]) for area in (*AREAS, OTHER) if area in found}


@cache
def area_of(privilege: str) -> Area:
    """Return the area of a privilege: the one with the longest beginning of its name."""
    fits = [(len(name), area) for area in AREAS for name in area.names if privilege.startswith(name)]
    return max(fits, key=lambda fit: fit[0])[1] if fits else OTHER
