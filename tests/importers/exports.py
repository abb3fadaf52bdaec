"""Writes exports as RVTools would: workbooks, and folders of .csv files."""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import openpyxl

Tab = Sequence[Mapping[str, Any]]
"""Rows by header; the headers are those of all rows."""

_NS = "http://schemas.openxmlformats.org"
_RELATIONS = f"{_NS}/officeDocument/2006/relationships"


def headers(rows: Tab) -> list[str]:
    return list(dict.fromkeys(header for row in rows for header in row))


def workbook(path: Path, tabs: Mapping[str, Tab]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in tabs.items():
        sheet = book.create_sheet(name)
        names = headers(rows)
        sheet.append(names)
        for row in rows:
            sheet.append([row.get(header) for header in names])
    book.save(path)
    return path


def folder(path: Path, tabs: Mapping[str, Tab], delimiter: str = ",", encoding: str = "utf-8") -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for name, rows in tabs.items():
        with (path / f"RVTools_tab{name}.csv").open("w", encoding=encoding, newline="") as stream:
            writer = csv.writer(stream, delimiter=delimiter)
            columns = headers(rows)
            writer.writerow(columns)
            writer.writerows([row.get(header, "") for header in columns] for row in rows)
    return path


def raw(path: Path, sheet: Iterable[str], doctype: str = "", strings: str | None = None) -> Path:
    """Write a workbook whose only sheet, vInfo, is this XML."""
    parts = {
        "_rels/.rels": f'<Relationship Id="r" Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/>',
        "xl/_rels/workbook.xml.rels": (
            f'<Relationship Id="s" Type="{_RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/>'
            f'<Relationship Id="t" Type="{_RELATIONS}/sharedStrings" Target="sharedStrings.xml"/>'
        ),
    }
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, f'<Relationships xmlns="{_NS}/package/2006/relationships">{content}</Relationships>')
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{_NS}/spreadsheetml/2006/main" xmlns:r="{_RELATIONS}">'
            '<sheets><sheet name="vInfo" sheetId="1" r:id="s"/></sheets></workbook>',
        )
        if strings is not None:
            archive.writestr("xl/sharedStrings.xml", strings)
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as stream:
            stream.write(f'<?xml version="1.0"?>{doctype}<worksheet xmlns="{_NS}/spreadsheetml/2006/main">'.encode())
            stream.write(b"<sheetData>")
            for part in sheet:
                stream.write(part.encode())
            stream.write(b"</sheetData></worksheet>")
    return path


def rewrite(path: Path, part: str, change: Callable[[str], str]) -> None:
    """Change one part of a workbook."""
    with ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts[part] = change(parts[part].decode()).encode()
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def line(number: int, *texts: str) -> str:
    """Return a row of inline strings as XML."""
    cells = "".join(
        f'<c r="{chr(65 + index)}{number}" t="inlineStr"><is><t>{text}</t></is></c>' for index, text in enumerate(texts)
    )
    return f'<row r="{number}">{cells}</row>'


SERVER, CENTER = "vc1.acme.example", "5f1e8a34-0000-4000-8000-000000000001"


def vm(name: str, number: int, **more: Any) -> dict[str, Any]:
    """Return the cells that every tab of a VM has."""
    return {
        "VM": name,
        "Powerstate": "poweredOn",
        "Template": "False",
        "SRM Placeholder": "False",
        **more,
        "Datacenter": "DC1",
        "Cluster": "Prod",
        "Host": "esx1",
        "OS according to the configuration file": "Red Hat Enterprise Linux 9 (64-bit)",
        "VM ID": f"vm-{number}",
        "VM UUID": f"5000000a-0000-4000-8000-{number:012d}",
        "VI SDK Server": SERVER,
        "VI SDK UUID": CENTER,
    }


def info(name: str, number: int, **more: Any) -> dict[str, Any]:
    """Return a row of vInfo."""
    facts = {"CPUs": 4, "Memory": 8192, "NICs": 1, "Disks": 1, "Firmware": "efi", "EFI Secure boot": "True"}
    return vm(name, number, **(facts | {"SMBIOS UUID": f"4200000a-0000-4000-8000-{number:012d}"} | more))


def disk(name: str, number: int, **more: Any) -> dict[str, Any]:
    """Return a row of vDisk."""
    facts = {
        "Disk": "Hard disk 1",
        "Disk Key": 2000,
        "Disk UUID": f"6000C29a-0000-0000-0000-{number:012d}",
        "Disk Path": "/, /boot",
        "Capacity MiB": 40960,
        "Raw": "False",
        "Disk Mode": "persistent",
        "Sharing mode": "sharingNone",
        "Thin": "True",
        "Limit": -1,
        "Controller": "VMware paravirtual SCSI",
        "Label": "SCSI controller 0",
        "Unit #": 0,
        "Shared Bus": "noSharing",
        "Path": f"[ds1] {name}/{name}.vmdk",
    }
    return vm(name, number, **(facts | more))


def nic(name: str, number: int, **more: Any) -> dict[str, Any]:
    """Return a row of vNetwork."""
    facts = {
        "NIC label": "Network adapter 1",
        "Adapter": "Vmxnet3",
        "Network": "web-prod",
        "Switch": "dvs1",
        "Connected": "True",
        "Starts Connected": "True",
        "Mac Address": f"00:50:56:9A:00:{number % 256:02x}",
        "IPv4 Address": "10.0.2.14",
        "IPv6 Address": "fe80::1",
    }
    return vm(name, number, **(facts | more))


def estate() -> dict[str, Tab]:
    """Return the tabs of an export with one VM and all that surrounds it."""
    center = {"VI SDK Server": SERVER, "VI SDK UUID": CENTER}
    return {
        "vInfo": [
            info(
                "web-01",
                1,
                **{
                    "DNS Name": "web-01.acme.example",
                    "Connection state": "connected",
                    "Consolidation Needed": "False",
                    "Latency Sensitivity": "normal",
                    "EnableUUID": "True",
                    "CBT": "True",
                    "Resource pool": "/DC1/Prod/Resources/Prod/Web",
                    "Folder": "/DC1/vm/Prod/Web",
                    "vApp": "shop",
                    "FT State": "notConfigured",
                    "Cluster rule(s)": "VMs anti-affinity",
                    "Cluster rule name(s)": "web-apart",
                    "HW version": 19,
                    "Annotation": "front end",
                    "Owner": "team-a",
                },
            )
        ],
        "vCPU": [vm("web-01", 1, **{"CPUs": 4, "Cores p/s": 2, "Limit": -1, "Hot Add": "True", "Hot Remove": "False"})],
        "vMemory": [vm("web-01", 1, **{"Size MiB": 8192, "Reservation": 1024, "Limit": -1, "Hot Add": "False"})],
        "vDisk": [disk("web-01", 1)],
        "vNetwork": [nic("web-01", 1)],
        "vPartition": [vm("web-01", 1, **{"Disk": "/", "Capacity MiB": 1000, "Consumed MiB": 400, "Free MiB": 600})],
        "vSnapshot": [vm("web-01", 1, Name="before patch")],
        "vTools": [vm("web-01", 1, Tools="toolsOk")],
        "vUSB": [vm("web-01", 1, **{"Device Type": "Mouse"})],
        "vHost": [
            {"Host": "esx1", "Datacenter": "DC1", "Cluster": "Prod", "CPU Model": "Xeon", "# Cores": 32}
            | {"# Memory": 262144, "ESX Version": "VMware ESXi 8.0.3", "Object ID": "host-1", **center}
        ],
        "vCluster": [{"Name": "Prod", "HA enabled": "True", "DRS enabled": "True", "Object ID": "domain-c1", **center}],
        "vDatastore": [
            {"Name": "ds1", "Type": "VMFS", "Capacity MiB": 1000, "Free MiB": 10, "Object ID": "datastore-1", **center}
        ],
        "vRP": [{"Resource Pool path": "/DC1/Prod/Resources/Prod", "CPU limit": -1, "Mem limit": 4096, **center}],
        "vPort": [{"Host": "esx1", "Port Group": "VM Network", "Switch": "vSwitch0", "VLAN": 0, **center}],
        "dvPort": [
            {"Port": "web-prod", "Switch": "dvs1", "VLAN": "120", "Object ID": "dvportgroup-42", **center},
            {"Port": "trunk", "Switch": "dvs1", "VLAN": "100-200, 300", "Object ID": "dvportgroup-43", **center},
            {"Port": "dvs1-DVUplinks-41", "Switch": "dvs1", "VLAN": "0-4094", "Object ID": "dvportgroup-41", **center},
        ],
        "dvSwitch": [{"Switch": "dvs1", "Name": "dvs1", "Max MTU": 9000, **center}],
        "vMetaData": [{"RVTools major version": "4.7", "RVTools version": "4.7.1.4"}],
    }
