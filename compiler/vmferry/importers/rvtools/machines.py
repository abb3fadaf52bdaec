"""From the rows about a VM to its facts; what RVTools does not contain stays absent."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from vmferry.estate.words.secrecy import NOTHING_MORE, Keep, harmless, noted, secret_text
from vmferry.importers import guests
from vmferry.importers.build import build
from vmferry.importers.cells import addresses, boolean, count, fits, mac, uuid
from vmferry.importers.disks import datastore_of, shared_name
from vmferry.importers.rvtools.rows import Row
from vmferry.kube.quantity import format_size
from vmferry.model.facts import Controller, Cpu, Disk, GuestDisk, Nic
from vmferry.model.spec import VirtualMachine

LONGEST_NAME = 400
_LONGEST_NOTE = 16_384
_LONGEST_KEY = 256
V = TypeVar("V")


class Problem(NamedTuple):
    """A part of a VM that could not be imported: the row, and why."""

    row: Row
    reason: str


class Record:
    """A row of vInfo with its rows in other tabs."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.rows: defaultdict[str, list[Row]] = defaultdict(list)
        self.problems: list[Problem] = []
        self.withheld: frozenset[str] = frozenset()  # names of attributes that stay in vCenter
        self.has_note = False

    def first(self, tab: str, field: str) -> str | None:
        """Return a cell of another tab with one row per VM."""
        return next((row.cells[field] for row in self.rows[tab] if field in row.cells), None)

    def once(self, tab: str, *fields: str) -> list[Row]:
        """Return the rows of a tab that differ in these fields; duplicates are a problem.

        Rows without any of them are all kept.
        """
        seen: dict[tuple[str | None, ...], int] = {}
        result = []
        for row in self.rows[tab]:
            key = tuple(row.cells.get(field) for field in fields)
            first = seen.setdefault(key, row.number) if any(key) else row.number
            if first == row.number:
                result.append(row)
            else:
                self.problem(row, f"it duplicates row {first} of this VM")
        return result

    def problem(self, row: Row, reason: str) -> None:
        """Record what could not be imported."""
        self.problems.append(Problem(row, reason))


class Around(NamedTuple):
    """The context in its vCenter and export that a VM's facts depend on."""

    source: str
    tabs: Collection[str]  # that were exported
    networks: Mapping[tuple[str, str | None], str]  # ids by name and switch; by name alone where it has only one
    shared_files: Collection[str]  # VMDKs that several VMs have
    doubtful: Collection[str]  # names of VMs that may have snapshots which joined to none
    keep: Keep = NOTHING_MORE


def machine(record: Record, around: Around) -> VirtualMachine | None:
    """Return a VM; None without a name that a spec can contain. Problems are noted in the record."""
    cells = record.row.cells
    name = cells.get("vm", "")
    if not 0 < len(name) <= LONGEST_NAME:
        record.problem(record.row, f"the name is longer than {LONGEST_NAME} characters" if name else "no name")
        return None
    facts = {**_texts(record), **_states(record), **_hardware(record, around), **_notes(record, around.keep)}
    return build(VirtualMachine, record.row, name=name, **facts)


# --- identity and place -------------------------------------------------------------------------------


def _texts(record: Record) -> dict[str, Any]:
    cells = record.row.cells

    def text(field: str) -> str | None:
        value = fits(cells.get(field))
        if value is None and cells.get(field):
            record.problem(record.row, f"{field} is too long for the inventory and was left out")
        return value

    smbios, instance = _uuids(cells)
    return {
        "id": text("id"),
        "uuid": smbios,
        "instance_uuid": instance,
        "datacenter": text("datacenter"),
        "cluster": text("cluster"),
        "host": text("host"),
        "folder": folder(cells.get("folder"), cells.get("datacenter")),
        "resource_pool": pool(cells.get("pool")),
        "vapp": text("vapp"),
        "hostname": text("host_name"),
        "guest_name": text("os_config"),
        "guest_tools_name": text("os_tools"),
        "os": guests.family(
            cells.get("os_tools"), cells.get("os_config"), guests.detailed_name(cells.get("guest_data"))
        ),
        "guest_detail": fits(guests.release(cells.get("guest_data"))),
        "hardware_version": _hardware_version(cells.get("hardware")),
    }


def _uuids(cells: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Return the SMBIOS and the instance UUID.

    `VM UUID` is the instance UUID if there is a column `SMBIOS UUID`. Otherwise its prefix decides: vCenter creates
    instance UUIDs with 50 and SMBIOS UUIDs with 42, ESXi creates the latter with 564d.
    """
    smbios, other = uuid(cells.get("smbios")), uuid(cells.get("uuid"))
    if smbios is not None or other is None:
        return smbios, other
    if other.startswith("50"):
        return None, other
    return (other, None) if other.startswith(("42", "564d")) else (None, None)


def folder(text: str | None, datacenter: str | None) -> str | None:
    """Return a folder as `/Prod/Web`: below the datacenter's root folder `vm`; `/` is that root itself."""
    parts = [part for part in (text or "").split("/") if part]
    if datacenter in parts:  # which may be in folders itself
        place = parts.index(datacenter)
        if place == 0 or parts[place + 1 : place + 2] == ["vm"]:
            parts = parts[place + 1 :]
    if parts and parts[0] == "vm":
        parts = parts[1:]
    return fits("/" + "/".join(parts)) if text else None


def pool(text: str | None) -> str | None:
    """Return a resource pool as `Prod/Web`: below the cluster's root pool `Resources`; None for that root itself."""
    parts = [part for part in (text or "").split("/") if part]
    if "Resources" in parts:
        parts = parts[parts.index("Resources") + 1 :]
    return fits("/".join(parts)) if parts else None


def _hardware_version(text: str | None) -> str | None:
    digits = count((text or "").lower().removeprefix("vmx-"))
    return f"vmx-{digits:02d}" if digits and digits < 1000 else None


# --- states -------------------------------------------------------------------------------------------

_POWER = {"poweredon": "poweredOn", "poweredoff": "poweredOff", "suspended": "suspended"}
_CONNECTION = {word: word for word in ("connected", "disconnected", "inaccessible", "invalid", "orphaned")}
_LATENCY = {word: word for word in ("low", "normal", "medium", "high")}
_FIRMWARE = {"bios": "bios", "efi": "efi", "uefi": "efi"}
_TOOLS = {
    "toolsok": "running",
    "toolsold": "running",
    "toolsnotrunning": "notRunning",
    "toolsnotinstalled": "notInstalled",
}
_FT = {"notconfigured": False} | dict.fromkeys(("disabled", "enabled", "running", "starting", "needsecondary"), True)


def _states(record: Record) -> dict[str, Any]:
    cells = record.row.cells
    firmware = _word(_FIRMWARE, cells.get("firmware"))
    names = tuple(dict.fromkeys(part for each in _split(cells.get("rule_names")) if (part := fits(each))))
    return {
        "power_state": _word(_POWER, cells.get("power")),
        "connection_state": _word(_CONNECTION, cells.get("connection")),
        "template": boolean(cells.get("template")),
        "srm_placeholder": boolean(cells.get("srm")),
        "consolidation_needed": boolean(cells.get("consolidation")),
        "firmware": firmware,
        "secure_boot": False if firmware == "bios" else boolean(cells.get("secure_boot")) if firmware else None,
        "change_tracking": boolean(cells.get("cbt")),
        "disk_enable_uuid": boolean(cells.get("enable_uuid")),
        "latency_sensitivity": _word(_LATENCY, cells.get("latency")),
        "fault_tolerance": _word(_FT, cells.get("ft")),
        "tools": _word(_TOOLS, record.first("vTools", "tools")),
        "rules": tuple(sorted(names)) or None,
        "host_affinity": True if "host" in cells.get("rules", "").casefold() else None,
    }


def _word(table: Mapping[str, V], text: str | None) -> V | None:
    return table.get(_bare(text)) if text else None


@lru_cache(maxsize=4096)
def _bare(text: str) -> str:
    return re.sub(r"[\s_-]", "", text).casefold()


def _split(text: str | None) -> list[str]:
    return re.split(r"[,;\n]", text) if text else []


# --- hardware -----------------------------------------------------------------------------------------


def _hardware(record: Record, around: Around) -> dict[str, Any]:
    cells = record.row.cells
    memory = count(cells.get("memory")) or count(record.first("vMemory", "memory"))
    return {
        "cpu": _cpu(record),
        "memory": format_size(memory) if memory else None,
        "cpu_reservation": count(record.first("vCPU", "cpu_reservation")),
        "cpu_limit": count(record.first("vCPU", "cpu_limit")),  # -1 means no limit, and is not a valid count
        "memory_reservation": count(record.first("vMemory", "memory_reservation")),
        "memory_limit": count(record.first("vMemory", "memory_limit")),
        "used_storage": count(cells.get("used")),
        "cpu_hot_add": boolean(record.first("vCPU", "hot_add")),
        "cpu_hot_remove": boolean(record.first("vCPU", "hot_remove")),
        "memory_hot_add": boolean(record.first("vMemory", "hot_add")),
        "disks": _disks(record, around),
        "nics": _nics(record, around),
        "guest_disks": tuple(sorted(_guest_disks(record), key=lambda each: each.path)) or None,
        "snapshots": _snapshots(record, around),
        "usb": True if record.rows["vUSB"] else None,  # without a device the controller is unknown
    }


def _snapshots(record: Record, around: Around) -> int | None:
    if "vSnapshot" not in around.tabs or record.row.cells.get("vm") in around.doubtful:
        return None
    return len(record.once("vSnapshot", "name", "description", "time", "file"))


def _cpu(record: Record) -> Cpu | None:
    total = count(record.row.cells.get("cpus")) or count(record.first("vCPU", "cpus"))
    if not total:
        return None
    if total > 1024:
        record.problem(record.row, f"{total} CPUs are more than vSphere supports")
        return None
    cores = count(record.first("vCPU", "cores")) or 1
    if total % cores:
        row = record.rows["vCPU"][0]
        record.problem(
            row, f"{total} CPUs in vInfo are not a multiple of {cores} cores per socket: cores per socket left out"
        )
        cores = 1
    return build(Cpu, record.row, count=total, cores_per_socket=cores)


_MODES = {"persistent": "persistent", "nonpersistent": "nonpersistent", "undoable": "undoable", "append": "append"}
_MODES |= {"independentpersistent": "independent_persistent", "independentnonpersistent": "independent_nonpersistent"}
_CONTROLLERS: tuple[tuple[str, Controller], ...] = (
    ("nvme", "nvme"),
    ("ahci", "sata"),
    ("sata", "sata"),
    ("scsi", "scsi"),
    ("lsi", "scsi"),
    ("buslogic", "scsi"),
    ("ide", "ide"),
)
_RDM = {"physicalmode": "physical", "virtualmode": "virtual", "physical": "physical", "virtual": "virtual"}


def _disks(record: Record, around: Around) -> tuple[Disk, ...] | None:
    wanted = count(record.row.cells.get("disks"))
    rows = record.once("vDisk", "label", "key", "file", "serial", "controller", "controller_label", "unit")
    if "vDisk" in around.tabs and wanted is not None and wanted != len(rows):
        record.problem(record.row, _miscounted("disks", wanted, "vDisk", len(rows)))
    if len(rows) < (wanted or 0):
        return None
    if not rows:
        return () if wanted == 0 else None
    places = {row.number: place for row in rows if (place := _position(row.cells)) is not None}
    if len(places) == len(rows):  # otherwise the tab's own order
        rows = sorted(rows, key=lambda row: places[row.number])
    return _whole(_disk(record, row, around) for row in rows)


def _miscounted(what: str, wanted: int, tab: str, found: int) -> str:
    left = f": its {what} stay unknown" if found < wanted else ""
    return f"vInfo says {wanted} {what}, {tab} lists {found}{left}"


def _whole(parts: Iterable[V | None]) -> tuple[V, ...] | None:
    """Return parts of a VM; None (unknown) if one of them is unknown, because a list with gaps would look complete."""
    result: list[V] = []
    gap = False
    for part in parts:  # build all of them: each part reports its own problem
        if part is None:
            gap = True
        else:
            result.append(part)
    return None if gap or not result else tuple(result)


_ORDER: Mapping[str, int] = {"sata": 0, "ide": 1, "scsi": 2, "nvme": 3}


def _position(cells: Mapping[str, str]) -> tuple[int, int, int] | None:
    """Return the sort key for the guest's order of disks: kind of controller, its number, and unit."""
    kind, unit = _controller(cells), count(cells.get("unit"))
    label = cells.get("controller_label") or cells.get("controller", "")  # before 4.0, the latter contains the label
    bus = re.search(r"([0-9]{1,4})\s*\Z", label)
    return (_ORDER[kind], int(bus[1]), unit) if kind and bus and unit is not None else None


def file_of(cells: Mapping[str, str]) -> str | None:
    """Return the VMDK of a disk, as in `[ds1] web-01/web-01.vmdk`, from the column that has it."""
    paths = (fits(cells.get("file")), fits(cells.get("mounts")))
    return next((path for path in paths if path is not None and datastore_of(path) is not None), None)


def _disk(record: Record, row: Row, around: Around) -> Disk | None:
    cells = row.cells
    size = count(cells.get("capacity"))
    if not size:
        record.problem(row, "the disk has no capacity")
        return None
    file, serial, place = file_of(cells), fits(cells.get("serial")), _position(cells)
    limit = count(cells.get("iops_limit"))
    mode = _word(_MODES, cells.get("mode"))
    facts: dict[str, Any] = {
        "datastore": fits(datastore_of(file)),
        "file": file,
        "key": count(cells.get("key")),
        "label": fits(cells.get("label")),
        "serial": serial,
        "controller": _controller(cells),
        "unit": f"{_controller(cells)}{place[1]}:{place[2]}" if place else None,
        "iops_limit": limit or None,
        "thin": boolean(cells.get("thin")),
        "mode": mode,
        "rdm": _rdm(cells),
    }
    if cells.get("mode") and mode is None:
        record.problem(row, "unknown disk mode")
    if _is_shared(cells) or file in around.shared_files:
        facts["shared"] = shared_name(_shared_thing(record, cells), around.source)
    return build(Disk, row, size=format_size(size), **facts)


def _shared_thing(record: Record, cells: Mapping[str, str]) -> str:
    """Return the identity of a shared disk: its LUN, its file, its UUID, or in the worst case the VM itself."""
    own = f"{record.row.cells.get('id', '')}/{record.row.number}/{cells.get('key', '')}"
    return fits(cells.get("lun")) or file_of(cells) or fits(cells.get("serial")) or own


def _is_shared(cells: Mapping[str, str]) -> bool:
    bus = cells.get("bus_sharing", "").casefold()
    return cells.get("sharing", "").casefold() == "sharingmultiwriter" or bus in ("virtualsharing", "physicalsharing")


def _controller(cells: Mapping[str, str]) -> Controller | None:
    return _controller_of(cells.get("controller", ""), cells.get("controller_label", ""))


@lru_cache(maxsize=1024)
def _controller_of(controller: str, label: str) -> Controller | None:
    text = f"{controller} {label}".casefold()
    return next((kind for word, kind in _CONTROLLERS if word in text), None)


def _rdm(cells: Mapping[str, str]) -> str | None:
    """Return the mode of a raw device mapping; if unknown, the more restrictive one."""
    mode = _word(_RDM, cells.get("compatibility"))
    return mode or ("physical" if boolean(cells.get("raw")) else None)


def _nics(record: Record, around: Around) -> tuple[Nic, ...] | None:
    cells = record.row.cells
    wanted = count(cells.get("nics"))
    rows = record.once("vNetwork", "label", "mac", "network", "adapter")
    if "vNetwork" in around.tabs and wanted is not None and wanted != len(rows):
        record.problem(record.row, _miscounted("NICs", wanted, "vNetwork", len(rows)))
    if rows:
        return _whole(_nic(record, row, around) for row in rows) if len(rows) >= (wanted or 0) else None
    if wanted == 0:
        return ()
    names = [name for number in range(1, 9) if (name := fits(cells.get(f"network_{number}"))) is not None]
    if names and len(names) < (wanted or 0):
        return None
    alone = addresses(cells.get("address")) if len(names) == 1 and wanted in (1, None) else ()
    return tuple(_of_network(name, record.row, around, addresses=alone) for name in names) or None


def _nic(record: Record, row: Row, around: Around) -> Nic | None:
    cells = row.cells
    network = fits(cells.get("network"))
    if network is None:
        record.problem(row, "the NIC is not on a network")
        return None
    connected, linked = boolean(cells.get("starts_connected")), boolean(cells.get("connected"))
    if connected is None:
        connected = linked
    runs = _word(_POWER, record.row.cells.get("power")) == "poweredOn"
    facts: dict[str, Any] = {
        "mac": mac(cells.get("mac", "")),
        "adapter": (fits(cells.get("adapter")) or "").lower() or None,
        "connected": connected,
        "linked": linked if runs and linked is not connected else None,
        "addresses": addresses(cells.get("ipv4"), cells.get("ipv6")),
        "switch": fits(cells.get("switch")),
    }
    return _of_network(network, row, around, **facts)


def _of_network(network: str, row: Row, around: Around, **facts: Any) -> Nic:
    """Return a NIC with the id of its network, found by switch: two switches may have a network of the same name."""
    key = (network, facts.get("switch"))
    return build(Nic, row, network=network, network_id=around.networks.get(key), **facts)


def _guest_disks(record: Record) -> Iterator[GuestDisk]:
    for row in record.once("vPartition", "path"):
        path = fits(row.cells.get("path"))
        if path is None:
            record.problem(row, "the partition has no path, or its path is too long")
        else:
            sizes = {field: count(row.cells.get(field)) for field in ("capacity", "free")}
            yield build(GuestDisk, row, path=path, **sizes)


# --- notes --------------------------------------------------------------------------------------------


def _notes(record: Record, keep: Keep) -> dict[str, Any]:
    """Return the parts of notes and custom attributes that may go into git, from vInfo or a tab that repeats them."""
    rows = [record.row, *(row for tab in ("vCPU", "vMemory", "vTools") for row in record.rows[tab])]
    found: dict[str, str] = {}
    for row in rows:
        for name, value in row.attributes.items():
            found.setdefault(name, value)
    text = next((row.cells["annotation"] for row in rows if "annotation" in row.cells), None)
    kept = harmless({name: value for name, value in found.items() if len(name) <= _LONGEST_KEY}, keep)
    record.withheld = frozenset(found) - frozenset(kept)
    record.has_note = text is not None
    return {
        "noted": noted(text or "") or None,
        "annotation": _annotation(record, text) if keep.notes else None,
        "custom_attributes": kept or None,
    }


def _annotation(record: Record, text: str | None) -> str | None:
    if text is None:
        return None
    if secret_text(text):
        record.problem(record.row, "the annotation seems to contain a secret and was left out: rotate the secret")
        return None
    if len(text) > _LONGEST_NOTE:
        record.problem(record.row, f"the annotation was cut at {_LONGEST_NOTE} characters")
    return text[:_LONGEST_NOTE]
