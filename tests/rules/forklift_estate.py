"""Generated VMs, each twice: as vmferry's inventory has it, and as Forklift's does."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from vmferry.kube.quantity import format_size
from vmferry.model.facts import Disk, GuestDisk, Nic
from vmferry.model.inventory import InventoryCluster
from vmferry.model.spec import VirtualMachine
from vmferry.rules.source_concern import Seen

MIB = 1 << 20


class Twin(NamedTuple):
    """One VM in both inventories."""

    seen: Seen
    inventory: Mapping[str, Any]


NAMES = (
    "web-01",
    "WEB-01",
    "a",
    "a.b",
    "web_01",
    "web 01",
    "-web",
    "web-",
    ".web",
    "web.",
    "wéb",
    "web-01\n",
    "x" * 63,
    "x" * 64,
    "ü" * 63,
)
HOSTNAMES = ("web-01", "localhost", "localhost.localdomain", "")
SYSTEMS = (  # guestId, as VMware Tools report it, as the configuration has it
    ("rhel9_64Guest", "Red Hat Enterprise Linux 9 (64-bit)", "Red Hat Enterprise Linux 9 (64-bit)"),
    ("rhel7Guest", "", ""),
    ("rhel6_64Guest", "", "Red Hat Enterprise Linux 6 (64-bit)"),
    ("rhel10_64Guest", "", ""),
    ("centos64Guest", "Red Hat Enterprise Linux 8.4", "CentOS 7 (64-bit)"),
    ("centos8_64Guest", "CentOS 8 (64-bit)", "Red Hat Enterprise Linux 8 (64-bit)"),
    ("otherLinux64Guest", "", "RED HAT ENTERPRISE LINUX 10"),
    ("ubuntu64Guest", "Ubuntu Linux (64-bit)", "Ubuntu Linux (64-bit)"),
    ("windows2019srvNext_64Guest", "Microsoft Windows Server 2022 (64-bit)", ""),
    ("windows2019srv_64Guest", "", ""),
    ("windows9Server64Guest", "Microsoft Windows Server 2016 (64-bit)", "Microsoft Windows Server 2016 (64-bit)"),
    ("windows9Server64Guest", "", "Microsoft Windows Server 2012 (64-bit)"),
    ("windows8Server64Guest", "Microsoft Windows Server 2012 (64-bit)", "Microsoft Windows Server 2025 (64-bit)"),
    ("windows11_64Guest", "", ""),
    ("windows9_64Guest", "", ""),
    ("freebsd13_64Guest", "", "FreeBSD 13 (64-bit)"),
    ("", "", ""),
    ("", "SUSE Linux Enterprise 15 (64-bit)", ""),
)
FILE_SYSTEMS = ("/", "/boot", "/Boot", "C:\\", "c:", "C:/", "/var", "D:\\", "/snap/core/1")
ROOMS = (*(base * MIB + step for base in (10, 50, 100) for step in (-1, 0, 1)), 0, 1, 40960 * MIB)
MODES = ("persistent", "nonpersistent", "independent_persistent", "independent_nonpersistent", "append", "")
CAPACITIES = (40960 * MIB, MIB, 512, 0, -1)
CONTROLLERS = ("scsi", "sata", "ide", "nvme", "")


def estate(seed: int, count: int) -> Iterator[Twin]:
    """Yield VMs: every other one is plain but for one of its facts, so that each fact is met by itself."""
    rng = random.Random(seed)
    for number in range(count):
        yield _twin(rng, f"vm-{number}", rarely=0.06 if number % 2 else 0.35)


def _twin(rng: random.Random, identity: str, rarely: float) -> Twin:
    def pick(usual: Any, others: Sequence[Any]) -> Any:
        return rng.choice(others) if rng.random() < rarely else usual

    def flag(usual: bool = False) -> bool:
        return bool(pick(usual, (not usual,)))

    facts: dict[str, Any] = {"name": pick("web-01", NAMES), "id": identity}
    inventory: dict[str, Any] = {"name": facts["name"], "id": identity}

    def both(field: str, key: str, value: Any, theirs: Any = None) -> None:
        facts[field], inventory[key] = value, value if theirs is None else theirs

    for field, key in _FLAGS.items():
        both(field, key, flag(usual=field == "change_tracking"))
    affinity = pick((), ((0,), (0, 1)))
    both("cpu_affinity", "cpuAffinity", affinity or None, list(affinity))
    nodes, bound = pick(([], None), ((["0"], (0,)), (["0", "2"], (0, 2)), ([""], None), ([], (1,))))
    both("numa_node_affinity", "numaNodeAffinity", bound, nodes)
    kind, number = pick(("", 0), (("VirtualMachineSnapshot", 1), ("VirtualMachineSnapshot", 3), ("", 2)))
    both("snapshots", "snapshot", number, {"kind": kind, "id": ""})
    hostname = pick("web-01", HOSTNAMES)
    both("hostname", "hostName", hostname or None, hostname)
    system = rng.choice((SYSTEMS[0], rng.choice(SYSTEMS)))
    for field, key, name in zip(
        ("guest_id", "guest_tools_name", "guest_name"),
        ("guestId", "guestNameFromVmwareTools", "guestName"),
        system,
        strict=True,
    ):
        both(field, key, name or None, name)
    facts |= _devices(pick, inventory)
    facts["nics"] = _nics(pick, inventory)
    facts["disks"] = _disks(pick, inventory)
    facts["guest_disks"] = _guest_disks(rng, rarely, inventory)
    cluster = _cluster(rng, flag, facts, inventory)
    return Twin(_forgetful(rng, Seen(VirtualMachine(**facts), cluster)), inventory)


_FLAGS = {
    "change_tracking": "changeTrackingEnabled",
    "consolidation_needed": "consolidationNeeded",
    "cpu_hot_add": "cpuHotAddEnabled",
    "cpu_hot_remove": "cpuHotRemoveEnabled",
    "memory_hot_add": "memoryHotAddEnabled",
    "fault_tolerance": "faultToleranceEnabled",
    "vtpm": "tpmEnabled",
    "disk_enable_uuid": "diskEnableUuid",
}


def _devices(pick: Any, inventory: dict[str, Any]) -> dict[str, Any]:
    usb = pick("", ("VirtualUSBController", "VirtualUSBXHCIController"))
    sriov = pick("", ("VirtualSriovEthernetCard",))
    passthrough = pick("", ("VirtualPCIPassthrough",))
    kinds = [kind for kind in ("VirtualVmxnet3", usb, sriov, passthrough) if kind]
    inventory["devices"] = [{"kind": kind, "key": 0} for kind in kinds]
    return {"usb": bool(usb), "sriov": bool(sriov), "passthrough": ("pci 10de:1eb8",) if passthrough else ()}


def _nics(pick: Any, inventory: dict[str, Any]) -> tuple[Nic, ...]:
    """Return the adapters; importers keep no link-local address."""
    addresses = pick(("10.0.7.11",), ((), ("fe80::250:56ff:fe9a:1001",), ("10.0.7.11", "fe80::250:56ff:fe9a:1001")))
    inventory["guestNetworks"] = [{"ip": address, "device": "0"} for address in addresses]
    kept = tuple(f"{address}/24" for address in addresses if not address.startswith("fe80:"))
    return (Nic(network="vlan-7", addresses=kept), Nic(network="vlan-8"))


def _disks(pick: Any, inventory: dict[str, Any]) -> tuple[Disk, ...]:
    """Return the disks; importers write a capacity that cannot be as 1."""
    ours, theirs = [], []
    for index in range(pick(1, (0, 2, 3, 165, 166))):
        tracked, capacity, mode = pick(True, (False,)), pick(CAPACITIES[0], CAPACITIES), pick("persistent", MODES)
        rdm, controller = pick(None, ("virtual", "physical")), pick("scsi", CONTROLLERS)
        datastore, shared, by_bus = pick("datastore-1", ("",)), pick(False, (True,)), pick(False, (True,))
        theirs.append(
            {
                "key": 2000 + index,
                "unitNumber": index,
                "controllerKey": 1000,
                "file": f"[ds1] web-01/web-01_{index}.vmdk",
                "datastore": {"kind": "Datastore", "id": datastore},
                "capacity": capacity,
                "shared": shared,
                "rdm": rdm is not None,
                "bus": controller,
                "changeTrackingEnabled": tracked,
                **({"mode": mode} if mode else {}),
            }
        )
        ours.append(
            Disk(
                size=format_size(max(capacity, 1)),
                datastore=datastore or None,
                controller=controller or None,
                mode=mode or None,
                rdm=rdm,
                shared="quorum" if shared or by_bus else None,
                change_tracking=tracked,
            )
        )
    inventory["disks"] = theirs
    return tuple(ours)


def _guest_disks(rng: random.Random, rarely: float, inventory: dict[str, Any]) -> tuple[GuestDisk, ...]:
    """Return the file systems; Go's omitempty drops a free space of 0."""
    ours, theirs = [], []
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        path, key = rng.choice(FILE_SYSTEMS), 0 if rng.random() < rarely else 2000
        free = rng.choice(ROOMS) if rng.random() < rarely + 0.2 else ROOMS[-1]
        theirs.append({"key": key, "diskPath": path, **({"freeSpace": free} if free else {})})
        ours.append(GuestDisk(path=path, key=key, free=free))
    inventory["guestDisks"] = theirs
    return tuple(ours)


def _cluster(rng: random.Random, flag: Any, facts: dict[str, Any], inventory: dict[str, Any]) -> InventoryCluster:
    drs, dpm, bound = flag(), flag(), flag()
    others = [{"kind": "VM", "id": f"other-{number}"} for number in range(rng.choice((0, 2)))]
    members = [*others, {"kind": "VM", "id": facts["id"]}] if bound else others
    inventory["host"] = {"cluster": {"drsEnabled": drs, "dpmEnabled": dpm, "hostAffinityVms": members}}
    facts["host_affinity"] = bound
    return InventoryCluster(name="C1", drs=drs, dpm=dpm)


_MAY_BE_UNKNOWN = (
    *_FLAGS,
    *("cpu_affinity", "numa_node_affinity", "snapshots", "hostname", "guest_id", "guest_tools_name", "guest_name"),
    *("usb", "sriov", "passthrough", "nics", "disks", "guest_disks", "host_affinity"),
)
_OF_DISKS = ("datastore", "controller", "mode", "change_tracking")
_OF_FILE_SYSTEMS = ("key", "free")


def _forgetful(rng: random.Random, seen: Seen) -> Seen:
    """Return what an inventory with gaps knows of a VM: in every third VM, some facts are unknown."""
    if rng.random() > 1 / 3:
        return seen
    vm, cluster = seen
    if vm.disks is not None:
        vm = replace(vm, disks=tuple(replace(disk, **_gaps(rng, _OF_DISKS)) for disk in vm.disks))
    systems = tuple(replace(each, **_gaps(rng, _OF_FILE_SYSTEMS)) for each in vm.guest_disks or ())
    nics = tuple(replace(nic, addresses=()) if rng.random() < 0.1 else nic for nic in vm.nics or ())
    vm = replace(vm, guest_disks=systems, nics=nics)
    vm = replace(vm, **_gaps(rng, _MAY_BE_UNKNOWN))
    clusters = (cluster, cluster, InventoryCluster(name="C1"), None)
    return Seen(vm, rng.choice(clusters))


def _gaps(rng: random.Random, fields: Sequence[str]) -> dict[str, None]:
    return {field: None for field in fields if rng.random() < 0.15}
