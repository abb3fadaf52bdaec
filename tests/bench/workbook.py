"""An RVTools workbook of as many VMs as wanted, with the columns of a real export that nobody reads among them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
from tests.importers import exports

# A real vInfo has some ninety columns; what a migration asks of a VM is in about forty of them.
_IDLE = {
    "Guest state": "running",
    "Heartbeat": "green",
    "PowerOn": "2026/03/01 08:00:00",
    "Creation date": "2021/11/30 10:12:13",
    "Change Version": "2026-03-01T07:59:58.123456Z",
    "Active Memory": 1024,
    "Unshared MiB": 20480,
    "In Use MiB": 22528,
    "Total disk capacity MiB": 61440,
    "Overall Cpu Readiness": 0.12,
    "Boot Required": "False",
    "Boot delay": 0,
    "Boot retry delay": 10000,
    "Boot retry enabled": "False",
    "Reboot PowerOff": "False",
    "Video Ram KiB": 4096,
    "Num Monitors": 1,
    "Log directory": "[ds1] vm/",
    "Snapshot directory": "[ds1] vm/",
    "Suspend directory": "[ds1] vm/",
    "Work directory": "[ds1] vm/",
    "HA Restart Priority": "medium",
    "HA Isolation Response": "none",
    "HA VM Monitoring": "vmMonitoringDisabled",
    "VI SDK API Version": "8.0.3.0",
}


def write(path: Path, count: int) -> None:
    """Write the workbook of an estate of ``count`` VMs."""
    book = openpyxl.Workbook(write_only=True)
    surroundings = exports.estate()
    for name in surroundings:
        sheet = book.create_sheet(name)
        rows = _ROWS[name](count) if name in _ROWS else iter(surroundings[name])
        for number, row in enumerate(rows):
            if number == 0:
                sheet.append(list(row))
            sheet.append(list(row.values()))
    book.save(path)


def _vms(count: int) -> Iterator[tuple[str, int]]:
    return ((f"vm-{number:05d}", number) for number in range(1, count + 1))


def _info(count: int) -> Iterator[dict[str, Any]]:
    placed = {"Resource pool": "/DC1/Prod/Resources/Prod/Web", "HW version": 19, "CBT": "True", "Owner": "team-a"}
    for name, number in _vms(count):
        folder = f"/DC1/vm/Prod/Team{number % 8}"
        yield exports.info(name, number, **{"DNS Name": f"{name}.acme.example", "Folder": folder, **placed, **_IDLE})


def _disks(count: int) -> Iterator[dict[str, Any]]:
    for name, number in _vms(count):
        for index in range(number % 3 + 1):
            more = {"Disk": f"Hard disk {index + 1}", "Disk Key": 2000 + index, "Unit #": index}
            uuid = f"6000C29a-0000-0000-{index:04d}-{number:012d}"
            path = f"[ds1] {name}/{name}_{index}.vmdk"
            yield exports.disk(name, number, **more, **{"Disk UUID": uuid, "Path": path})


def _nics(count: int) -> Iterator[dict[str, Any]]:
    for name, number in _vms(count):
        mac = f"00:50:56:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
        yield exports.nic(name, number, **{"Mac Address": mac})


def _cpus(count: int) -> Iterator[dict[str, Any]]:
    more = {"CPUs": 4, "Cores p/s": 2, "Limit": -1, "Hot Add": "True", "Hot Remove": "False"}
    return (exports.vm(name, number, **more) for name, number in _vms(count))


def _memory(count: int) -> Iterator[dict[str, Any]]:
    more = {"Size MiB": 8192, "Reservation": 0, "Limit": -1, "Hot Add": "False"}
    return (exports.vm(name, number, **more) for name, number in _vms(count))


def _partitions(count: int) -> Iterator[dict[str, Any]]:
    more = {"Disk": "/", "Capacity MiB": 40000, "Consumed MiB": 16000, "Free MiB": 24000}
    return (exports.vm(name, number, **more) for name, number in _vms(count))


def _tools(count: int) -> Iterator[dict[str, Any]]:
    return (exports.vm(name, number, Tools="toolsOk") for name, number in _vms(count))


_ROWS = {
    "vInfo": _info,
    "vCPU": _cpus,
    "vMemory": _memory,
    "vDisk": _disks,
    "vNetwork": _nics,
    "vPartition": _partitions,
    "vTools": _tools,
}


def read_cells(path: Path) -> int:
    """Read every cell as openpyxl's fastest way does, and return how many there were."""
    book = openpyxl.load_workbook(path, read_only=True)
    return sum(len(row) for sheet in book.worksheets for row in sheet.iter_rows(values_only=True))
