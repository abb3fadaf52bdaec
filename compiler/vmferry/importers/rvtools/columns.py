"""The names of RVTools' tabs and columns, from 3.x to 4.x, as a table.

Headers of 4.x: the 27 tabs of a recent export (shared/facts/rvtools-headers.md). Older and prefixed names: the queries
of kubev2v/migration-planner (ingest_rvtools.go.tmpl) and the sheet configuration of sbroenne/RvToolsMerge.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

_VM = {
    "vm": ("VM", "VM Name"),
    "power": ("Powerstate", "Power state"),
    "template": ("Template",),
    "srm": ("SRM Placeholder",),
    "id": ("VM ID", "VMRef", "VM MoRef"),
    "uuid": ("VM UUID", "UUID"),
    "smbios": ("SMBIOS UUID", "BIOS UUID"),
    "annotation": ("Annotation", "Notes"),
    "folder": ("Folder",),
    "os_config": ("OS according to the configuration file", "OS"),
    "os_tools": ("OS according to the VMware Tools", "OS Tools"),
}
_PLACE = {"datacenter": ("Datacenter",), "cluster": ("Cluster",), "host": ("Host",)}
_CENTER = {
    "server": ("VI SDK Server", "vCenter", "vCenter Server"),
    "center": ("VI SDK UUID", "vCenter UUID"),
}
_OF_VM = _VM | _PLACE | _CENTER
_OBJECT = {"id": ("Object ID",)}
_SECURITY = {
    "promiscuous": ("Promiscuous Mode", "Allow Promiscuous"),
    "mac_changes": ("Mac Changes",),
    "forged_transmits": ("Forged Transmits",),
}

FIELDS: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "vInfo": _OF_VM
        | {
            "id": (*_VM["id"], "Object ID"),
            "host_name": ("DNS Name", "Guest Host Name"),
            "connection": ("Connection state",),
            "consolidation": ("Consolidation Needed",),
            "cpus": ("CPUs", "Num CPU", "# CPU", "CPU"),
            "memory": ("Memory", "Memory Size"),
            "nics": ("NICs", "Num Ethernet Cards", "Num NICs"),
            "disks": ("Disks", "Num Virtual Disks"),
            "latency": ("Latency Sensitivity",),
            "enable_uuid": ("EnableUUID", "disk.EnableUUID"),
            "cbt": ("CBT", "Change Block Tracking", "Changed Block Tracking"),
            "address": ("Primary IP Address", "IP Address"),
            **{f"network_{number}": (f"Network #{number}", f"Network{number}") for number in range(1, 9)},
            "pool": ("Resource pool",),
            "vapp": ("vApp",),
            "ft": ("FT State",),
            "rules": ("Cluster rule(s)",),
            "rule_names": ("Cluster rule name(s)",),
            "secure_boot": ("EFI Secure boot",),
            "firmware": ("Firmware",),
            "hardware": ("HW version",),
            "guest_data": ("Guest Detailed Data",),
            "used": ("In Use",),
        },
        "vCPU": _OF_VM
        | {
            "cpus": ("CPUs",),
            "sockets": ("Sockets",),
            "cores": ("Cores p/s", "Cores per socket"),
            "hot_add": ("Hot Add",),
            "hot_remove": ("Hot Remove",),
            "cpu_reservation": ("Reservation",),
            "cpu_limit": ("Limit",),
        },
        "vMemory": _OF_VM
        | {
            "memory": ("Size",),
            "memory_reservation": ("Reservation",),
            "memory_limit": ("Limit",),
            "hot_add": ("Hot Add",),
        },
        "vDisk": _OF_VM
        | {
            "label": ("Disk",),
            "key": ("Disk Key",),
            "serial": ("Disk UUID",),
            "file": ("Path",),
            "mounts": ("Disk Path",),  # of the guest, in 4.x; older exports have the VMDK here
            "iops_limit": ("Limit",),
            "unit": ("Unit #",),
            "capacity": ("Capacity",),
            "raw": ("Raw",),
            "mode": ("Disk Mode",),
            "sharing": ("Sharing mode",),
            "thin": ("Thin",),
            "controller": ("Controller",),
            "controller_label": ("Label",),
            "bus_sharing": ("Shared Bus",),
            "lun": ("Raw LUN ID",),
            "compatibility": ("Raw Comp. Mode", "Raw Com. Mode", "Raw Compatibility Mode"),
        },
        "vPartition": _OF_VM | {"path": ("Disk",), "capacity": ("Capacity",), "free": ("Free",)},
        "vNetwork": _OF_VM
        | {
            "label": ("NIC label",),
            "adapter": ("Adapter",),
            "network": ("Network",),
            "switch": ("Switch",),
            "connected": ("Connected",),
            "starts_connected": ("Starts Connected",),
            "mac": ("Mac Address", "MAC"),
            "ipv4": ("IPv4 Address", "IP Address"),
            "ipv6": ("IPv6 Address",),
        },
        "vUSB": _OF_VM,
        "vSnapshot": _OF_VM
        | {"name": ("Name",), "description": ("Description",), "time": ("Date / time",), "file": ("Filename",)},
        "vTools": _OF_VM | {"tools": ("Tools",)},
        "vHost": _PLACE
        | _CENTER
        | _OBJECT
        | {
            "host": ("Host", "Name"),
            "cpu_model": ("CPU Model",),
            "cpus": ("# CPU", "Num CPU"),
            "cores": ("# Cores", "Num CPU Cores"),
            "memory": ("# Memory", "Memory", "Memory Size"),
            "nics": ("# NICs",),
            "version": ("ESX Version",),
        },
        "vCluster": _CENTER
        | _OBJECT
        | {
            "name": ("Name", "Cluster"),
            "datacenter": ("Datacenter",),
            "drs": ("DRS enabled",),
            "dpm": ("DPM enabled",),
            "ha": ("HA enabled",),
        },
        "vRP": _CENTER
        | {
            "path": ("Resource Pool path",),
            "cpu_limit": ("CPU limit",),
            "memory_limit": ("Mem limit", "Memory limit"),
        },
        "vDatastore": _CENTER
        | _OBJECT
        | {"name": ("Name",), "kind": ("Type",), "capacity": ("Capacity",), "free": ("Free",)},
        "vPort": _PLACE | _CENTER | _SECURITY | {"name": ("Port Group",), "switch": ("Switch",), "vlan": ("VLAN",)},
        "dvPort": _CENTER
        | _OBJECT
        | _SECURITY
        | {"name": ("Port", "Port Group"), "switch": ("Switch",), "kind": ("Type",), "vlan": ("VLAN",)},
        "vSwitch": _PLACE | _CENTER | {"switch": ("Switch",), "mtu": ("MTU",)},
        "dvSwitch": _CENTER | {"switch": ("Switch",), "name": ("Name",), "mtu": ("Max MTU", "MTU")},
        "vMetaData": {
            "version": ("RVTools version",),
            "server": ("Server",),
            "created": ("xlsx creation datetime", "creation datetime"),
        },
    }
)
"""The fields to read, by tab, with all their headers, without units."""

KEYS = {tab: next(iter(fields)) for tab, fields in FIELDS.items()} | {
    "vHost": "host",
    "vCluster": "name",
    "vRP": "path",
    "vDatastore": "name",
    "vPort": "name",
    "dvPort": "name",
    "vSwitch": "switch",
    "dvSwitch": "switch",
}
"""The field without which a row is useless, by tab."""

OF_A_VM = ("vCPU", "vMemory", "vDisk", "vPartition", "vNetwork", "vUSB", "vSnapshot", "vTools")
"""Tabs with rows about VMs."""

REPEATED = frozenset(("power", "template", "srm", "folder", "os_tools", "datacenter", "host"))
"""Fields that these tabs repeat from vInfo; they are only read there."""

SIZES = frozenset(("capacity", "free", "memory", "memory_reservation", "memory_limit", "used"))
"""Sizes; a header without a unit means MiB, and so does MB (RVTools before 4.0)."""

NAMES = frozenset(
    (
        "vm",
        "name",
        "host",
        "cluster",
        "datacenter",
        "network",
        "switch",
        "path",
        "file",
        "mounts",
        "pool",
        "folder",
        "vapp",
    )
) | frozenset(f"network_{number}" for number in range(1, 9))
"""Names given by people: kept unchanged, even if they look like a placeholder."""

PLACEHOLDERS = frozenset(("vm", "n/a", "#n/a", "null", "<null>", "-", "--", "<unset>", "unset", "unknown", "<unknown>"))
"""Cells that mean nothing; RVTools puts `VM` where it has no value (seen by migration-planner)."""

_IGNORED = (
    "Config status; Guest state; Heartbeat; PowerOn; Suspended To Memory; Suspend time; Suspend Interval; "
    "Creation date; Create date; Change Version; Overall Cpu Readiness; Active Memory; Total disk capacity; "
    "Fixed Passthru HotPlug; "
    "min Required EVC Mode Key; Op Notification Timeout; Num Monitors; Video Ram; Folder ID; DAS protection; "
    "FT Role; "
    "FT Latency; FT Bandwidth; FT Sec. Latency; Vm Failover In Progress; Provisioned; In Use; Unshared; "
    "HA Restart Priority; HA Isolation Response; HA VM Monitoring; Boot Required; Boot delay; Boot retry delay; "
    "Boot retry enabled; Boot BIOS setup; Reboot PowerOff; HW upgrade status; HW upgrade policy; HW target; Path; "
    "Log directory; Snapshot directory; Suspend directory; Customization Info; VI SDK Server type; VI SDK API Version; "
    "Internal Sort Column; VMware Tools; Tools; Tools Version; Sync time; Guest IP Address; Parent Folder; "
    "Num CPU Cores; Boot time; Swapped; Ballooned; Consumed; VM Version; Hot Add; Hot Remove; "
    # of vCPU, vMemory, vDisk and vTools, whose attribute columns are read where vInfo has none
    "Sockets; Max; Overall; Level; Shares; Reservation; Entitlement; DRS Entitlement; Limit; Numa Hotadd Exposed; "
    "Memory Reservation Locked To Max; Overhead; Consumed Overhead; Private; Shared; Active"
)
_UNIT = re.compile(r"(?<=.)(kib|kb|mib|mb|gib|gb|tib|tb|inbytes|bytes)$")
_FACTORS = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40, "i": 1, "b": 1}
_NOISE = re.compile(r"[^a-z0-9#%]")


class Column(NamedTuple):
    """The meaning of a column: a field and, for sizes, its unit in bytes."""

    field: str
    factor: int = 1
    rank: int = 0  # of its header among those of the field


@lru_cache(maxsize=4096)
def plain(header: str) -> str:
    """Return a normalised header, without case, blanks, punctuation and other differences between versions."""
    return _NOISE.sub("", unicodedata.normalize("NFKC", header).casefold())


def _table(tab: str) -> dict[str, tuple[str, int]]:
    return {
        plain(header): (field, rank) for field, headers in FIELDS[tab].items() for rank, header in enumerate(headers)
    }


_BY_HEADER = {tab: _table(tab) for tab in FIELDS}
_KNOWN = frozenset(plain(header) for header in _IGNORED.split(";"))


def column(tab: str, header: str) -> Column | None:
    """Return the meaning of a tab's header; None if it is not read."""
    table = _BY_HEADER[tab]
    for name in _spellings(tab, header):
        if name in table:
            field, rank = table[name]
            return Column(field, 2**20 if field in SIZES else 1, rank)
        unit = _UNIT.search(name)
        field, rank = table.get(name[: unit.start()] if unit else "", ("", 0))
        if unit is not None and field in SIZES:
            return Column(field, _FACTORS[unit[0][0]], rank)
    return None


def is_attribute(header: str) -> bool:
    """Return whether an unread header of vInfo is a custom attribute rather than a column of RVTools."""
    return bool(header.strip()) and not any(
        name in _KNOWN or _UNIT.sub("", name) in _KNOWN for name in _spellings("vInfo", header)
    )


def _spellings(tab: str, header: str) -> tuple[str, ...]:
    """Return a header as it is, and without the tab's name in front, as in vInfoVMName."""
    name, prefix = plain(header), tab.lower()
    if name.startswith(prefix) and len(name) > len(prefix):
        return name, name[len(prefix) :]
    return (name,)


_TAB_NAME = re.compile(
    "(?:^|tab|[^a-z])(" + "|".join(sorted((tab.lower() for tab in FIELDS), key=len, reverse=True)) + ")(?![a-z])"
)
_TABS = {tab.lower(): tab for tab in FIELDS}


def tab_of(name: str) -> str | None:
    """Return the tab that a sheet or a file without its ending is named after, as in RVTools_tabvInfo."""
    match = _TAB_NAME.search(name.strip().lower())
    return _TABS[match[1]] if match else None


def around_tab(name: str) -> str:
    """Return the rest of a file's name besides its tab: `berlin` of berlin_RVTools_tabvInfo, `` of RVTools_tabvInfo."""
    match = _TAB_NAME.search(name.lower())
    rest = f"{name[: match.start(1)]} {name[match.end(1) :]}" if match else name
    words = re.split(r"[\W_]+", rest.lower())
    return " ".join(word for word in words if word not in ("", "rvtools", "tab"))
