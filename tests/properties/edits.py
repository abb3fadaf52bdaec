"""Edits of a spec, as people make them between two runs."""

import random
from collections.abc import Callable
from typing import Any

from tests.properties.estates import DATASTORES, Data, Estate


def _memory(estate: Estate, dice: random.Random) -> None:
    dice.choice(estate.vms)["memory"] = f"{dice.randint(1, 64)}Gi"


def _rename(estate: Estate, dice: random.Random) -> None:
    vm = dice.choice(estate.vms)
    if not any(vm["name"] in (other.get("cloneOf"), *other.get("dependsOn", ())) for other in estate.vms):
        vm["name"] += "x"


def _remove(estate: Estate, dice: random.Random) -> None:
    vm = dice.choice(estate.vms)
    if len(estate.vms) > 1 and not any(
        vm["name"] in (other.get("cloneOf"), *other.get("dependsOn", ())) for other in estate.vms
    ):
        estate.vms.remove(vm)


def _map_row(estate: Estate, dice: random.Random) -> None:
    row: Data = dice.choice(estate.spec["storage"]["map"])
    row["tier"] = dice.choice(sorted(DATASTORES.values()))


def _default(estate: Estate, dice: random.Random) -> None:
    estate.spec.setdefault("defaults", {})["liveMigration"] = dice.choice(("preferred", "none"))


def _network(estate: Estate, dice: random.Random) -> None:
    dice.choice(estate.spec["networks"])["name"] = dice.choice(("lan-a", "lan-b"))


def _order(estate: Estate, dice: random.Random) -> None:
    dice.shuffle(estate.vms)


OWN_FACTS: dict[str, tuple[Any, ...]] = {
    "annotation": ("root: secret", "nothing of note"),
    "baseline": (
        {"days": 30, "samples": 360, "coverage": 1.0, "cpu": {"average": 3.5, "peak": 90}},
        {
            "days": 30,
            "samples": 360,
            "coverage": 0.5,
            "disks": [{"label": "scsi0:0", "writeIops": {"average": 900, "peak": 9000}}],
        },
    ),
    "connectionState": ("connected", "disconnected", "inaccessible"),
    "consolidationNeeded": (True, False),
    "cpu": ({"count": 4, "coresPerSocket": 2}, {"count": 96, "coresPerSocket": 4}),
    "cpuAffinity": ([1, 2], [3]),
    "cpuHotAdd": (True, False),
    "cpuHotRemove": (True, False),
    "cpuLimit": (1000, 2000),
    "cpuReservation": (1000, 2000),
    "diskEnableUUID": (True, False),
    "faultTolerance": (True, False),
    "guestDetail": ("Red Hat Enterprise Linux 9.4", "Ubuntu 16.04.7 LTS"),
    "guestDisks": ([{"path": "/", "capacity": 100, "free": 1}], [{"path": "/", "capacity": 10**12, "free": 10**11}]),
    "guestName": ("Red Hat Enterprise Linux 5 (64-bit)", "Microsoft Windows Server 2003 (32-bit)", "FreeBSD"),
    "guestToolsName": ("Red Hat Enterprise Linux 9 (64-bit)", "Microsoft Windows Server 2008 (64-bit)"),
    "hardwareVersion": ("vmx-08", "vmx-21"),
    "hostAffinity": (True, False),
    "hostname": ("localhost", "db-01.example.com"),
    "latencySensitivity": ("high", "normal"),
    "managedBy": ("com.vmware.vcDr", "com.example.backup"),
    "memory": ("1Gi", "16Gi", "1Ti"),
    "memoryHotAdd": (True, False),
    "memoryLimit": (1 << 30, 1 << 33),
    "memoryReservation": (1 << 30, 1 << 33),
    "nestedHV": (True, False),
    "noted": (["nginx"], ["oracle"]),
    "numa": ({"numa.vcpu.maxPerVirtualNode": "8"}, {"numa.autosize": "TRUE"}),
    "numaNodeAffinity": ([0], [1]),
    "snapshots": (0, 3),
    "sriov": (True, False),
    "tools": ("running", "notInstalled"),
    "usb": (True, False),
    "vapp": ("shop", "billing"),
}
"""Values of facts that concern nobody but their VM, as specs spell them."""


def _own_facts(estate: Estate, dice: random.Random) -> None:
    for vm in dice.choices(estate.vms, k=dice.randint(1, 3)):
        for name in dice.sample(sorted(OWN_FACTS), k=3):
            vm[name] = dice.choice(OWN_FACTS[name])


EDITS: tuple[Callable[[Estate, random.Random], None], ...] = (
    _memory, _own_facts, _own_facts, _rename, _remove, _map_row, _default, _network, _order
)  # fmt: skip
