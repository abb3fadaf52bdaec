import os
import re
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.importers.exports import CENTER, SERVER, disk, estate, folder, info, nic, rewrite, vm, workbook

from vmferry.estate.words.secrecy import Keep, noted
from vmferry.importers.errors import ImporterError
from vmferry.importers.rvtools.read import read_exports, read_rvtools
from vmferry.model.facts import Cpu, Disk, GuestDisk, Nic
from vmferry.model.inventory import Inventory, InventoryRule, ResourcePool
from vmferry.model.spec import VirtualMachine

EXAMPLE = Path(__file__).parents[4] / "shared/rvtools/example1.xlsx"


def read(path: Path, *more: Path, name: str | None = None) -> Inventory:
    [inventory] = read_rvtools([path, *more], name)
    return inventory


def only_vm(tabs: dict[str, Any], tmp_path: Path) -> VirtualMachine:
    [found] = read(workbook(tmp_path / "x.xlsx", tabs)).vms
    return found


def test_every_fact_of_a_vm_comes_over(tmp_path: Path) -> None:
    found = only_vm(estate(), tmp_path)
    assert found == VirtualMachine(
        name="web-01",
        id="vm-1",
        uuid="4200000a-0000-4000-8000-000000000001",
        instance_uuid="5000000a-0000-4000-8000-000000000001",
        datacenter="DC1",
        cluster="Prod",
        host="esx1",
        folder="/Prod/Web",
        resource_pool="Prod/Web",
        vapp="shop",
        hostname="web-01.acme.example",
        custom_attributes={"Owner": "team-a"},
        power_state="poweredOn",
        template=False,
        srm_placeholder=False,
        connection_state="connected",
        consolidation_needed=False,
        os="linux",
        guest_name="Red Hat Enterprise Linux 9 (64-bit)",
        firmware="efi",
        secure_boot=True,
        hardware_version="vmx-19",
        cpu=Cpu(count=4, cores_per_socket=2),
        memory="8Gi",
        memory_reservation=2**30,
        cpu_hot_add=True,
        cpu_hot_remove=False,
        memory_hot_add=False,
        change_tracking=True,
        disk_enable_uuid=True,
        latency_sensitivity="normal",
        fault_tolerance=False,
        rules=("web-apart",),
        snapshots=1,
        tools="running",
        usb=True,
        disks=(
            Disk(
                size="40Gi",
                datastore="ds1",
                file="[ds1] web-01/web-01.vmdk",
                key=2000,
                label="Hard disk 1",
                serial="6000C29a-0000-0000-0000-000000000001",
                controller="scsi",
                unit="scsi0:0",
                thin=True,
                mode="persistent",
            ),
        ),
        nics=(
            Nic(
                network="web-prod",
                network_id="dvportgroup-42",
                switch="dvs1",
                mac="00:50:56:9a:00:01",
                adapter="vmxnet3",
                addresses=("10.0.2.14",),
            ),
        ),
        guest_disks=(GuestDisk(path="/", capacity=1000 * 2**20, free=600 * 2**20),),
    )


def test_what_surrounds_the_vms_comes_over(tmp_path: Path) -> None:
    found = read(workbook(tmp_path / "x.xlsx", estate()))
    assert (found.source.name, found.source.url, found.source.version) == ("vc1", f"https://{SERVER}/sdk", "4.7.1.4")
    assert (found.source.kind, found.source.instance_uuid) == ("rvtools", CENTER)
    networks = {network.name: network for network in found.networks}
    assert (networks["web-prod"].vlan, networks["web-prod"].mtu, networks["web-prod"].kind) == (
        120,
        9000,
        "distributed",
    )
    assert networks["trunk"].trunk == ("100-200", "300")
    assert networks["dvs1-DVUplinks-41"].uplink
    assert (networks["VM Network"].vlan, networks["VM Network"].kind) == (None, "standard")
    assert [name for name, network in networks.items() if network.untagged] == ["VM Network"]
    assert [(each.name, each.kind, each.capacity) for each in found.datastores] == [("ds1", "VMFS", 1000 * 2**20)]
    assert [(each.name, each.cores, each.memory, each.id) for each in found.hosts] == [("esx1", 32, 2**38, "host-1")]
    assert found.resource_pools == (ResourcePool(path="Prod", cluster="Prod", memory_limit="4Gi"),)
    [cluster] = found.clusters
    assert (cluster.drs, cluster.ha, cluster.dpm, cluster.datacenter) == (True, True, None, "DC1")
    assert cluster.rules == (InventoryRule(name="web-apart", kind="anti-affinity", vms=("vm-1",)),)
    assert found.unjoined == ()


def test_what_rvtools_cannot_know_stays_absent(tmp_path: Path) -> None:
    found = only_vm(estate(), tmp_path)
    assert (found.vtpm, found.passthrough, found.encrypted, found.nested_hv, found.guest_id) == (None,) * 5
    assert found.nics is not None
    assert (found.nics[0].origin, found.nics[0].gateway) == (None, None)


def test_facts_of_tabs_that_were_not_exported_stay_absent(tmp_path: Path) -> None:
    found = only_vm({"vInfo": [{"VM": "web-01", "VM ID": "vm-1"}]}, tmp_path)
    assert found == VirtualMachine(name="web-01", id="vm-1")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_csv_says_the_same_as_a_workbook(delimiter: str, encoding: str, tmp_path: Path) -> None:
    tabs = estate()
    tabs["vInfo"] = [{**tabs["vInfo"][0], "Annotation": "Büro, 2. OG;\nlinks"}]
    book, csv = read(workbook(tmp_path / "x.xlsx", tabs)), read(folder(tmp_path / "x", tabs, delimiter, encoding))
    assert csv.vms == book.vms
    assert (csv.networks, csv.hosts, csv.datastores) == (book.networks, book.hosts, book.datastores)


OLD = {
    "Size MiB": "Size MB",
    "Capacity MiB": "Capacity MB",
    "Free MiB": "Free MB ",
    "EnableUUID": "disk.EnableUUID",
    "VI SDK UUID": "vCenter UUID",
    "Raw Comp. Mode": "Raw Com. Mode",
    "VM": "vm ",
    "OS according to the configuration file": "OS  according to the Configuration File",
}


def test_old_headers_in_mb_and_in_other_case_mean_the_same(tmp_path: Path) -> None:
    old = {
        tab: [{OLD.get(header, header): value for header, value in row.items()} for row in rows]
        for tab, rows in estate().items()
    }
    assert only_vm(old, tmp_path) == only_vm(estate(), tmp_path)


def test_prefixed_headers_mean_the_same(tmp_path: Path) -> None:
    row = {
        "vInfoVMName": "web-01",
        "vInfoPowerstate": "poweredOff",
        "vInfoCPUs": 2,
        "vInfoMemory": 2048,
        "vInfoGuestHostName": "web-01.acme.example",
        "vInfoOSTools": "Ubuntu Linux (64-bit)",
        "vInfoOS": "Other (64-bit)",
        "vInfoDataCenter": "DC1",
        "vInfoNumVirtualDisks": 1,
        "vInfoNetwork1": "web-prod",
        "vInfoUUID": "4200000a-0000-4000-8000-000000000001",
        "vInfoProvisioned": 1,
    }
    partition = {"vPartitionVMName": "web-01", "vPartitionDisk": "/", "vPartitionCapacityMiB": 10}
    found = only_vm(
        {"vInfo": [row], "vMemory": [{"VM": "web-01", "vMemorySizeMiB": 4096}], "vPartition": [partition]}, tmp_path
    )
    assert found == VirtualMachine(
        name="web-01",
        power_state="poweredOff",
        cpu=Cpu(count=2),
        memory="2Gi",
        hostname="web-01.acme.example",
        guest_name="Other (64-bit)",
        guest_tools_name="Ubuntu Linux (64-bit)",
        os="linux",
        datacenter="DC1",
        uuid="4200000a-0000-4000-8000-000000000001",
        nics=(Nic(network="web-prod"),),
        guest_disks=(GuestDisk(path="/", capacity=10 * 2**20),),
    )


def test_real_booleans_and_placeholders_are_understood(tmp_path: Path) -> None:
    row = info(
        "web-01", 1, **{"CBT": True, "EnableUUID": "VM", "Host": "VM", "Firmware": "n/a", "Consolidation Needed": False}
    )
    found = only_vm({"vInfo": [row]}, tmp_path)
    assert (found.change_tracking, found.consolidation_needed) == (True, False)
    assert (found.disk_enable_uuid, found.firmware, found.secure_boot) == (None, None, None)


def test_decimal_commas_and_grouped_digits_are_numbers(tmp_path: Path) -> None:
    row = info("web-01", 1, Memory="8192,0")
    tabs = {"vInfo": [row], "vDisk": [disk("web-01", 1, **{"Capacity MiB": "40.960"})]}
    found = read(folder(tmp_path / "x", tabs, ";")).vms[0]
    assert (found.memory, found.disks and found.disks[0].size) == ("8Gi", "40Gi")


def test_rows_join_by_id_before_uuid_before_name(tmp_path: Path) -> None:
    tabs = {
        "vInfo": [info("a", 1), info("b", 2), info("c", 3)],
        "vTools": [
            {**vm("renamed", 1, Tools="toolsOk")},
            {**vm("renamed", 2, Tools="toolsNotRunning"), "VM ID": ""},
            {**vm("c", 9, Tools="toolsNotInstalled"), "VM ID": "", "VM UUID": ""},
        ],
    }
    found = read(workbook(tmp_path / "x.xlsx", tabs))
    assert [each.tools for each in found.vms] == ["running", "notRunning", "notInstalled"]
    assert found.unjoined == ()


def test_rows_that_join_to_nothing_are_kept_with_their_reason(tmp_path: Path) -> None:
    bare = {"VM ID": "", "VM UUID": ""}
    tabs = {
        "vInfo": [info("a", 1), {**info("twin", 2), **bare}, {**info("twin", 3), **bare}],
        "vTools": [
            {**vm("a", 99, Tools="toolsOk")},
            {**vm("twin", 0, Tools="toolsOk"), **bare},
            {**vm("a", 0, Tools="toolsOk"), **bare, "Cluster": "Other"},
            {**vm("nobody", 0, Tools="toolsOk"), **bare},
            {**vm("a", 0, Tools="toolsOk"), **bare, "OS according to the configuration file": "Windows"},
        ],
    }
    found = read(workbook(tmp_path / "x.xlsx", tabs))
    assert {(each.tab, each.row, each.vm): each.reason for each in found.unjoined} == {
        ("vTools", 2, "a"): "vInfo has no VM with this VM ID",
        ("vTools", 3, "twin"): "2 VMs have this name",
        ("vTools", 4, "a"): "the VM of this name is in another cluster",
        ("vTools", 5, "nobody"): "vInfo has no VM of this name",
        ("vTools", 6, "a"): "the VM of this name has another guest system, so it is about another VM or another day",
    }
    assert [each.tools for each in found.vms] == [None, None, None]


def test_a_tab_without_header_is_reported(tmp_path: Path) -> None:
    found = read(workbook(tmp_path / "x.xlsx", {"vInfo": [{"VM": "a"}], "vDisk": [{"Foo": 1}, {"Foo": 2}]}))
    assert [(each.tab, each.reason[:25]) for each in found.unjoined] == [("vDisk", "the tab has no header row")]


def test_two_vcenters_with_equal_ids_are_kept_apart(tmp_path: Path) -> None:
    other = {"VI SDK Server": "vc2.acme.example", "VI SDK UUID": CENTER[:-1] + "2"}
    first = workbook(tmp_path / "1.xlsx", {"vInfo": [info("a", 1)], "vTools": [vm("a", 1, Tools="toolsOk")]})
    second = workbook(tmp_path / "2.xlsx", {"vInfo": [{**info("b", 1), **other}]})
    both = workbook(
        tmp_path / "3.xlsx",
        {"vInfo": [info("a", 1), {**info("b", 1), **other}], "vTools": [vm("a", 1, Tools="toolsOk")]},
    )
    for paths in ([first, second], [second, first], [both]):
        found = read_rvtools(paths)
        assert [(each.source.name, [(v.name, v.tools) for v in each.vms]) for each in found] == [
            ("vc1", [("a", "running")]),
            ("vc2", [("b", None)]),
        ]


def test_exports_that_name_no_vcenter_are_kept_apart(tmp_path: Path) -> None:
    row = {"VM": "a", "VM ID": "vm-1"}
    paths = [workbook(tmp_path / f"{name}.xlsx", {"vInfo": [row]}) for name in ("Berlin", "Paris")]
    assert [(each.source.name, len(each.vms)) for each in read_rvtools(paths)] == [("berlin", 1), ("paris", 1)]


def test_of_two_exports_of_one_vcenter_the_newer_facts_win_and_it_is_said(tmp_path: Path) -> None:
    rows = [info("a", 1, CPUs=1), info("gone", 2, CPUs=1), {**info("other", 3, CPUs=1), "Cluster": "Lab"}]
    old = folder(tmp_path / "old", {"vInfo": rows, "vDisk": [disk("a", 1)]})
    new = folder(tmp_path / "new", {"vInfo": [info("a", 1, CPUs=2)], "vDisk": [disk("a", 1)]})
    for path in old.iterdir():
        os.utime(path, (1, 1))
    for paths in ([old, new], [new, old]):
        found = read_exports(paths)
        [inventory] = found.inventories
        assert [(each.name, each.cpu and each.cpu.count, len(each.disks or ())) for each in inventory.vms] == [
            ("a", 2, 1),
            ("other", 1, 0),  # the newer export may be of some clusters only
        ]
        assert any("both cover vc1" in note and note.endswith("left out: gone") for note in found.notes), found.notes


@pytest.mark.parametrize("spelling", ["2026-10-05 08:15:00", "46300.34375"])
def test_an_export_is_as_old_as_it_says_and_not_as_its_file(spelling: str, tmp_path: Path) -> None:
    meta = [{"RVTools version": "4.6.1", "xlsx creation datetime": spelling, "Server": SERVER}]
    found = read(workbook(tmp_path / "x.xlsx", {"vInfo": [info("a", 1)], "vMetaData": meta}))
    assert found.source.taken == "2026-10-05T08:15:00Z"


def test_tabs_in_several_files_make_one_export(tmp_path: Path) -> None:
    first = workbook(tmp_path / "disks.xlsx", {"vDisk": [disk("a", 1)]})
    second = workbook(tmp_path / "vms.xlsx", {"vInfo": [info("a", 1)]})
    [found] = read(first, second).vms
    assert len(found.disks or ()) == 1


def test_one_name_for_two_vcenters_is_refused(tmp_path: Path) -> None:
    row = {"VM": "a", "VM ID": "vm-1"}
    paths = [workbook(tmp_path / f"{name}.xlsx", {"vInfo": [row]}) for name in ("Berlin", "Paris")]
    with pytest.raises(ImporterError, match="2 vCenters"):
        read_rvtools(paths, "vc1")
    assert read_rvtools(paths[:1], "vc1")[0].source.name == "vc1"


def test_two_vms_on_one_vmdk_share_a_disk_of_one_name(tmp_path: Path) -> None:
    quorum = {"Sharing mode": "sharingMultiWriter", "Path": "[ds1] quorum/q.vmdk", "Disk Key": 2001, "Unit #": 1}
    tabs = {
        "vInfo": [info("a", 1, Disks=2), info("b", 2, Disks=2), info("c", 3)],
        "vDisk": [
            *[disk(name, number) for number, name in enumerate("ab", 1)],
            *[disk(name, number, **quorum) for number, name in enumerate("ab", 1)],
            disk("c", 3, **{"Shared Bus": "physicalSharing"}),
        ],
    }
    a, b, c = read(workbook(tmp_path / "x.xlsx", tabs)).vms
    assert None not in (a.disks, b.disks, c.disks)
    assert (a.disks or ())[0].shared is None
    assert (a.disks or ())[1].shared == (b.disks or ())[1].shared
    assert (c.disks or ())[0].shared
    assert re.fullmatch("q-[0-9a-f]{8}", (a.disks or ())[1].shared or "")


def test_raw_device_mappings_and_controllers_are_told_apart(tmp_path: Path) -> None:
    rows = [
        disk("a", 1, **{"Raw": "True", "Raw Comp. Mode": "physicalMode"}),
        disk("a", 1, **{"Raw": "True", "Raw Comp. Mode": "virtualMode", "Unit #": 1}),
        disk(
            "a",
            1,
            **{"Controller": "NVMe controller", "Label": "NVME controller 0", "Disk Mode": "independent_persistent"},
        ),
        disk("a", 1, Controller="AHCI", Label="SATA controller 0", Limit=500),
        disk("a", 1, Controller="IDE", Label="IDE 0"),
        disk("a", 1, **{"Controller": "LSI Logic SAS", "Label": "SCSI controller 1", "Capacity MiB": 1.5}),
    ]
    found = only_vm({"vInfo": [info("a", 1, Disks=6)], "vDisk": rows}, tmp_path)
    assert [(each.unit, each.rdm, each.size) for each in found.disks or ()] == [
        ("sata0:0", None, "40Gi"),
        ("ide0:0", None, "40Gi"),
        ("scsi0:0", "physical", "40Gi"),
        ("scsi0:1", "virtual", "40Gi"),
        ("scsi1:0", None, "1536Ki"),
        ("nvme0:0", None, "40Gi"),
    ]
    assert found.disks is not None
    assert (found.disks[0].iops_limit, found.disks[5].mode) == (500, "independent_persistent")


def test_disks_that_vdisk_lacks_are_reported_and_not_taken_for_none(tmp_path: Path) -> None:
    found = read(
        workbook(tmp_path / "x.xlsx", {"vInfo": [info("a", 1), info("b", 2, Disks=0)], "vDisk": [disk("z", 9)]})
    )
    assert [each.disks for each in found.vms] == [None, ()]
    assert [each.reason for each in found.unjoined] == [
        "vInfo has no VM with this VM ID",
        "vInfo says 1 disks, vDisk lists 0: its disks stay unknown",
    ]


def test_a_nic_on_no_network_is_reported(tmp_path: Path) -> None:
    found = read(workbook(tmp_path / "x.xlsx", {"vInfo": [info("a", 1)], "vNetwork": [nic("a", 1, Network="")]}))
    assert found.vms[0].nics is None
    assert [each.reason for each in found.unjoined] == ["the NIC is not on a network"]


def test_notes_and_unknown_attributes_stay_in_vcenter_and_it_is_said(tmp_path: Path) -> None:
    more = {"Root PW": "hunter2", "Owner": "team-a", "Owner PW": "hunter2", "Remarks": "hunter2", "Klasse": "TEST"}
    more |= {"Owner Zettel": "hunter2"}  # one known word makes no name harmless
    row = info("a", 1, Annotation="nginx reverse proxy; Zugang ist hunter2", **more)
    path = workbook(tmp_path / "x.xlsx", {"vInfo": [row]})
    found = read_exports([path])
    [vm] = found.inventories[0].vms
    assert vm.custom_attributes == {"Owner": "team-a", "Klasse": "TEST"}
    assert (vm.annotation, vm.noted) == (None, ("nginx", "reverse proxy"))
    assert b"hunter2" not in msgspec.json.encode(found)
    told = " ".join(found.notes)
    assert "the notes of 1 VM " in told
    assert all(name in told for name in ("Root PW", "Owner PW", "Remarks")), told
    assert "Klasse" not in told


def test_notes_and_attributes_that_are_asked_for_come_over_without_what_tells_a_secret(tmp_path: Path) -> None:
    rows = [info("a", 1, Annotation="ask Gail", Rack="7", Link="https://bob:hunter2@acme.example/")]
    rows += [info("b", 2, Annotation="senha: hunter2")]
    found = read_exports([workbook(tmp_path / "x.xlsx", {"vInfo": rows})], keep=Keep(notes=True, attributes=("*",)))
    first, second = found.inventories[0].vms
    assert (first.annotation, first.custom_attributes) == ("ask Gail", {"Rack": "7"})
    assert second.annotation is None
    assert "rotate the secret" in found.inventories[0].unjoined[0].reason
    assert b"hunter2" not in msgspec.json.encode(found)


@pytest.mark.parametrize("text", ["pw tomcat", "password is tomcat", "Kennwort lautet tomcat", "root:tomcat"])
def test_a_secret_never_passes_for_a_known_word(text: str) -> None:
    assert noted(f"nginx. {text}") == ("nginx",)


def test_missing_tabs_are_said_once_and_by_what_they_would_tell(tmp_path: Path) -> None:
    part = {"vInfo": [info("a", 1), info("b", 2)], "vTools": [{"VM": "a", "Tools": "toolsOk"}]}
    told = [note for note in read_exports([workbook(tmp_path / "x.xlsx", part)]).notes if "vDisk" in note]
    assert len(told) == 1
    assert "vDisk (disks), vNetwork (NICs, MACs and networks)" in told[0]
    assert not [note for note in read_exports([workbook(tmp_path / "y.xlsx", estate())]).notes if "vDisk" in note]


def test_vms_that_only_other_tabs_know_are_counted_as_vms(tmp_path: Path) -> None:
    tools = [{"VM": name, "Tools": "toolsOk", "VM ID": f"vm-{n}"} for n, name in enumerate(("a", "b", "b2"), start=1)]
    parts = [{"VM": "b", "Disk": path, "Capacity MiB": 9, "VM ID": "vm-2"} for path in ("/", "/var", "/opt")]
    tabs = {"vInfo": [info("a", 1)], "vTools": tools, "vPartition": parts}
    told = [note for note in read_exports([workbook(tmp_path / "x.xlsx", tabs)]).notes if "vInfo" in note]
    assert [note.partition(":")[0] for note in told] == ["2 VMs are missing from vInfo and in vPartition, vTools only"]


def test_vms_of_no_known_vcenter_are_refused_for_that_reason(tmp_path: Path) -> None:
    tabs = {
        "vInfo": [{"VM": "a"}],
        "vMetaData": [{"RVTools version": "4.6", "Server": name} for name in ("vc1", "vc2")],
    }
    with pytest.raises(ImporterError, match="which of several vCenters"):
        read_exports([workbook(tmp_path / "x.xlsx", tabs)])


def test_no_column_of_rvtools_is_taken_for_a_custom_attribute(tmp_path: Path) -> None:
    reference = Path(__file__).parents[4] / "shared/facts/rvtools-headers.md"
    if not reference.exists():
        pytest.skip("the list of headers is not part of the repository")
    text = reference.read_text().partition("## vInfo")[2].splitlines()[1]
    row = {header.strip(): "x" for header in text.split(";")} | {"CPUs": 1}
    [vm] = (
        read_exports([workbook(tmp_path / "x.xlsx", {"vInfo": [row]})], keep=Keep(attributes=("*",))).inventories[0].vms
    )
    assert set(vm.custom_attributes) == {"Backup status", "ClusterInvariantVMMId", "Last backup"}


def test_custom_attributes_and_notes_come_from_other_tabs_if_vinfo_has_none(tmp_path: Path) -> None:
    memory = {"VM": "a", "Size MiB": 1024, "Annotation": "note", "owner": "me", "Datacenter": "DC1", "VM ID": "vm-1"}
    path = workbook(tmp_path / "x.xlsx", {"vInfo": [{"VM": "a", "VM ID": "vm-1"}], "vMemory": [memory]})
    [found] = read_exports([path], keep=Keep(notes=True)).inventories[0].vms
    assert (found.annotation, found.custom_attributes, found.memory) == ("note", {"owner": "me"}, "1Gi")


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("Microsoft Windows Server 2022 (64-bit)", "windows"),
        ("Oracle Linux 9 (64-bit)", "linux"),
        ("Oracle Solaris 11 (64-bit)", "other"),
        ("Other 3.x or later Linux (64-bit)", "linux"),
        ("FreeBSD 13 (64-bit)", "other"),
        ("VMware Photon OS (64-bit)", "linux"),
        ("Other (64-bit)", None),
    ],
)
def test_family_of_the_guest_system(name: str, family: str | None, tmp_path: Path) -> None:
    row = {**info("a", 1), "OS according to the configuration file": name}
    assert only_vm({"vInfo": [row]}, tmp_path).os == family


@pytest.mark.skipif(not EXAMPLE.exists(), reason="shared/rvtools/example1.xlsx is not part of the repository")
def test_the_real_export_is_read_and_says_what_did_not_join() -> None:
    found = read(EXAMPLE)
    assert (found.source.name, found.source.taken) == ("example1", "2025-10-23T13:14:57Z")
    assert [each.name for each in found.vms] == [f"vm-{number}" for number in range(1, 10)]
    assert [each.os for each in found.vms][:3] == ["linux"] * 3
    assert len(found.hosts) == 7
    assert {network.name for network in found.networks} >= {"VM Network"}
    by_id = {each.id: each for each in found.vms}
    assert [disk.size for disk in by_id["vm-105889"].disks or ()] == ["512Gi"]  # `vm-2` in vDisk, `vm-3` in vInfo
    assert any(each.tab == "vPartition" and "another guest system" in each.reason for each in found.unjoined)
    assert not any("mounts" in (disk.file or "") or disk.file == "/" for each in found.vms for disk in each.disks or ())


# --- vCenters that look alike -----------------------------------------------------------------------------------


def test_two_exports_that_reach_one_vcenter_by_different_names_are_one(tmp_path: Path) -> None:
    first = workbook(tmp_path / "1.xlsx", {"vInfo": [info("a", 1)]})
    second = workbook(tmp_path / "2.xlsx", {"vInfo": [{**info("b", 2), "VI SDK Server": "10.0.0.1"}]})
    found = read_rvtools([first, second])
    assert [[each.name for each in inventory.vms] for inventory in found] == [["a", "b"]]
    assert found == read_rvtools([second, first])


def test_the_server_of_vmetadata_names_a_vcenter_that_no_row_names(tmp_path: Path) -> None:
    tabs = {"vInfo": [{"VM": "a"}], "vMetaData": [{"RVTools version": "4.7.1.4", "Server": "vc7.acme.example"}]}
    assert read(workbook(tmp_path / "x.xlsx", tabs)).source.url == "https://vc7.acme.example/sdk"


def test_surroundings_that_do_not_say_their_vcenter_belong_to_none_of_several(tmp_path: Path) -> None:
    other = {"VI SDK Server": "vc2.acme.example", "VI SDK UUID": CENTER[:-1] + "2"}
    tabs = {"vInfo": [info("a", 1), {**info("b", 1), **other}], "vHost": [{"Host": "esx9", "# Cores": 32}]}
    first, second = read_rvtools([workbook(tmp_path / "x.xlsx", tabs)])
    assert (first.hosts, second.hosts) == ((), ())
    assert [(each.tab, each.row, each.reason) for each in first.unjoined] == [
        ("vHost", 2, "it does not say which of several vCenters it is in")
    ]


def test_csv_exports_side_by_side_do_not_mix(tmp_path: Path) -> None:
    tabs = {"vInfo": [{"VM": "a", "VM ID": "vm-1"}], "vTools": [{"VM": "a", "VM ID": "vm-1", "Tools": "toolsOk"}]}
    other = {"vInfo": [{"VM": "b", "VM ID": "vm-1"}], "vTools": [{"VM": "b", "VM ID": "vm-1", "Tools": "toolsOld"}]}
    single = [*folder(tmp_path / "berlin", tabs).iterdir(), *folder(tmp_path / "paris", other).iterdir()]
    (tmp_path / "both").mkdir()
    for path in single:
        (tmp_path / "both" / f"{path.parent.name}_{path.name}").write_bytes(path.read_bytes())
    for paths in (single, [tmp_path / "both"]):
        found = read_rvtools(paths)
        assert [[(vm.name, vm.tools) for vm in each.vms] for each in found] == [
            [("a", "running")],
            [("b", "running")],
        ]
        assert [each.source.name for each in found] == ["berlin", "paris"]
        assert [each.unjoined for each in found] == [(), ()]


def test_of_exports_with_and_without_ids_a_vm_is_taken_once(tmp_path: Path) -> None:
    with_ids = {"vInfo": [info("a", 1), info("b", 2)]}
    bare = {"vInfo": [{**row, "VM ID": "", "VM UUID": "", "SMBIOS UUID": ""} for row in with_ids["vInfo"]]}
    paths = [folder(tmp_path / "old", with_ids), folder(tmp_path / "new", bare)]
    for old in paths:
        for path in paths:
            os.utime(path / "RVTools_tabvInfo.csv", (1, 1) if path is old else (2, 2))
        assert [each.name for each in read_rvtools(paths)[0].vms] == ["a", "b"]


def test_pools_of_one_path_in_two_clusters_are_both_kept(tmp_path: Path) -> None:
    paths = []
    for number, cluster in enumerate(("A", "B")):
        pool = {"Resource Pool path": f"/DC1/{cluster}/Resources/Prod", "VI SDK Server": SERVER, "VI SDK UUID": CENTER}
        paths.append(workbook(tmp_path / f"{number}.xlsx", {"vInfo": [info(cluster, number)], "vRP": [pool]}))
    assert [(each.path, each.cluster) for each in read_rvtools(paths)[0].resource_pools] == [
        ("Prod", "A"),
        ("Prod", "B"),
    ]


def test_a_name_made_from_a_number_is_a_name_that_a_spec_can_hold(tmp_path: Path) -> None:
    path = workbook(tmp_path / f"{'1' * 59}-{'2' * 20}.xlsx", {"vInfo": [{"VM": "a"}]})
    assert re.fullmatch("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", read(path).source.name)


def test_the_newest_of_two_exports_is_told_by_the_time_and_not_by_its_spelling(tmp_path: Path) -> None:
    paths = []
    for cpus, created in ((1, "2026-01-01T23:30:00+02:00"), (2, "2026-01-01T22:00:00.5Z")):
        path = workbook(tmp_path / f"{cpus}.xlsx", {"vInfo": [info("a", 1, CPUs=cpus)]})
        when = rf"\g<1>{created}"
        rewrite(path, "docProps/core.xml", partial(re.sub, r"(<dcterms:created[^>]*>)[^<]*", when))
        paths.append(path)
    [found] = read_rvtools(paths)
    assert found.vms[0].cpu == Cpu(count=2)
    assert found.source.taken == "2026-01-01T22:00:00Z"


# --- what is not whole ------------------------------------------------------------------------------------------


def test_disks_of_which_some_are_missing_stay_unknown(tmp_path: Path) -> None:
    tabs = {
        "vInfo": [info("a", 1, Disks=2), info("b", 2, Disks=2)],
        "vDisk": [
            disk("a", 1),
            disk("b", 2),
            disk("b", 2, **{"Disk Key": 2001, "Unit #": 1, "Path": "[ds1] b/b_1.vmdk", "Capacity MiB": ""}),
        ],
    }
    found = read(workbook(tmp_path / "x.xlsx", tabs))
    assert [each.disks for each in found.vms] == [None, None]
    assert [(each.tab, each.row) for each in found.unjoined] == [("vDisk", 4), ("vInfo", 2)]


def test_nics_of_which_some_are_missing_stay_unknown(tmp_path: Path) -> None:
    second = {"NIC label": "Network adapter 2", "Mac Address": "00:50:56:9a:00:99"}
    tabs = {
        "vInfo": [info("a", 1, NICs=2), info("b", 2, NICs=2), info("c", 3, NICs=9, **{"Network #1": "web"})],
        "vNetwork": [nic("a", 1), nic("b", 2), nic("b", 2, **second, Network="")],
    }
    found = read(workbook(tmp_path / "x.xlsx", tabs))
    assert [each.nics for each in found.vms] == [None, None, None]
    assert [(each.tab, each.row) for each in found.unjoined] == [("vInfo", 2), ("vInfo", 4), ("vNetwork", 4)]


def test_rows_that_stand_there_twice_count_once(tmp_path: Path) -> None:
    tabs = estate()
    twice = {tab: [*rows, *rows] for tab, rows in tabs.items() if tab != "vMetaData"}
    found = read(workbook(tmp_path / "x.xlsx", twice))
    assert found.vms == read(workbook(tmp_path / "y.xlsx", tabs)).vms
    assert {each.tab for each in found.unjoined} == {"vInfo", "vDisk", "vNetwork", "vPartition", "vSnapshot"}


def test_snapshots_stay_unknown_where_a_row_may_belong_to_the_vm(tmp_path: Path) -> None:
    bare = {"VM ID": "", "VM UUID": "", "SMBIOS UUID": ""}
    tabs = {
        "vInfo": [{**info("twin", 2), **bare}, {**info("twin", 3), **bare}, info("sure", 4)],
        "vSnapshot": [{**vm("twin", 0, Name="s"), **bare}],
    }
    assert [each.snapshots for each in read(workbook(tmp_path / "x.xlsx", tabs)).vms] == [0, None, None]


def test_a_tab_that_could_not_be_read_says_nothing_of_snapshots(tmp_path: Path) -> None:
    found = read(workbook(tmp_path / "x.xlsx", {"vInfo": [info("a", 1)], "vSnapshot": [{"Foo": 1}, {"Foo": 2}]}))
    assert found.vms[0].snapshots is None


def test_thousands_of_rows_that_join_to_nothing_are_counted_and_not_all_listed(tmp_path: Path) -> None:
    rows = [{"VM": f"z{number}", "Disk": "/"} for number in range(5000)]
    found = read(folder(tmp_path / "x", {"vInfo": [{"VM": "a"}], "vPartition": rows}))
    assert len(found.unjoined) == 1001
    assert found.unjoined[-1].row == 1002
    assert found.unjoined[-1].reason == "and 4000 more rows from here on: vInfo has no VM of this name"


# --- headers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_title_above_the_header_hides_no_delimiter(delimiter: str, tmp_path: Path) -> None:
    path = folder(tmp_path / "x", estate(), delimiter) / "RVTools_tabvInfo.csv"
    path.write_text("Export of vCenter vc1, made by Bob\n\n" + path.read_text())
    assert read(tmp_path / "x").vms == only_vm_of_estate(tmp_path)


def only_vm_of_estate(tmp_path: Path) -> tuple[VirtualMachine, ...]:
    return read(workbook(tmp_path / "y.xlsx", estate())).vms


def test_the_line_that_names_the_delimiter_counts_as_a_row(tmp_path: Path) -> None:
    path = folder(tmp_path / "x", {"vInfo": [info("a", 1), {**info("", 2)}]}, ";") / "RVTools_tabvInfo.csv"
    path.write_text("sep=;\n" + path.read_text())
    assert [(each.row, each.reason) for each in read(tmp_path / "x").unjoined] == [(4, "it has no name")]


def test_the_first_name_of_a_column_wins_over_its_other_names(tmp_path: Path) -> None:
    tabs = {
        "vInfo": [info("a", 1)],
        "vTools": [{"VM": "a", "VMRef": "VirtualMachine-vm-1", **vm("a", 1, Tools="toolsOk")}],
    }
    assert only_vm(tabs, tmp_path).tools == "running"


def test_a_tab_that_names_its_vms_by_id_alone_is_read(tmp_path: Path) -> None:
    tabs = {"vInfo": [info("a", 1)], "vTools": [{"VM ID": "vm-1", "Tools": "toolsOk"}]}
    assert only_vm(tabs, tmp_path).tools == "running"


def test_a_folder_below_a_datacenter_that_is_in_a_folder_is_found(tmp_path: Path) -> None:
    row = info("a", 1, Folder="/Europe/DC1/vm/Prod/Web")
    assert only_vm({"vInfo": [row]}, tmp_path).folder == "/Prod/Web"


def test_the_controller_of_exports_before_4_0_tells_the_unit(tmp_path: Path) -> None:
    row = disk("a", 1, Controller="SCSI controller 1", Label="", **{"Unit #": 3})
    found = only_vm({"vInfo": [info("a", 1)], "vDisk": [row]}, tmp_path)
    assert [(each.controller, each.unit) for each in found.disks or ()] == [("scsi", "scsi1:3")]


def test_a_snapshot_of_a_vm_that_is_not_listed_casts_no_doubt_on_others(tmp_path: Path) -> None:
    rows = [vm("a", 99, Name="s"), {"VM ID": "vm-98", "Name": "s"}]
    found = read(workbook(tmp_path / "x.xlsx", {"vInfo": [info("a", 1), info("b", 2)], "vSnapshot": rows}))
    assert [each.snapshots for each in found.vms] == [0, 0]
    assert len(found.unjoined) == 2


def test_a_snapshot_that_names_no_vm_may_be_of_any(tmp_path: Path) -> None:
    tabs = {"vInfo": [info("a", 1), info("b", 2)], "vSnapshot": [vm("a", 1, Name="s"), {"VM": "", "Name": "s"}]}
    assert [each.snapshots for each in read(workbook(tmp_path / "x.xlsx", tabs)).vms] == [None, None]


# --- one name, several networks ---------------------------------------------------------------------------------


def test_a_nic_is_on_the_port_group_of_its_own_switch(tmp_path: Path) -> None:
    ports = [
        {"Port": "prod", "Switch": switch, "VLAN": vlan, "Object ID": f"dvportgroup-{vlan}", "VI SDK Server": SERVER}
        for switch, vlan in (("dvs-a", 10), ("dvs-b", 20))
    ]
    nics = [nic("a", 1, Network="prod", Switch="dvs-a"), nic("b", 2, Network="prod", Switch="dvs-b")]
    tabs = {"vInfo": [info("a", 1), info("b", 2)], "vNetwork": nics, "dvPort": ports}
    found = read(workbook(tmp_path / "x.xlsx", tabs)).vms
    assert [each.network_id for vm in found for each in vm.nics or ()] == ["dvportgroup-10", "dvportgroup-20"]


def test_a_standard_port_group_of_two_datacenters_is_two_networks_and_of_one_it_is_one(tmp_path: Path) -> None:
    ports = [
        {
            "Port Group": "lan",
            "Switch": "vSwitch0",
            "Host": host,
            "Datacenter": place,
            "VLAN": vlan,
            "VI SDK Server": SERVER,
        }
        for host, place, vlan in (("e1", "Bremen", 10), ("e2", "Bremen", 10), ("e3", "Osaka", 20))
    ]
    found = read(workbook(tmp_path / "x.xlsx", {"vInfo": [info("a", 1)], "vPort": ports})).networks
    assert [(each.datacenter, each.vlan) for each in found if each.name == "lan"] == [("Bremen", 10), ("Osaka", 20)]
    found = read(workbook(tmp_path / "y.xlsx", {"vInfo": [info("a", 1)], "vPort": ports[:2]})).networks
    assert [(each.datacenter, each.vlan) for each in found if each.name == "lan"] == [(None, 10)]


def test_port_groups_say_what_their_security_policies_accept(tmp_path: Path) -> None:
    ports = [
        {
            "Port": "pair",
            "Switch": "dvs",
            "Allow Promiscuous": "False",
            "Mac Changes": "Wahr",
            "Forged Transmits": True,
        },
        {"Port": "plain", "Switch": "dvs", "Allow Promiscuous": "False", "Mac Changes": "", "Forged Transmits": False},
    ]
    hosts = [
        {"Port Group": "sniffed", "Switch": "vSwitch0", "Host": host, "Promiscuous Mode": accepted}
        for host, accepted in (("e1", "False"), ("e2", "True"))
    ]
    tabs = {"vInfo": [info("a", 1)], "dvPort": ports, "vPort": hosts}
    found = {each.name: each.accepts for each in read(workbook(tmp_path / "x.xlsx", tabs)).networks}
    assert {name: found[name] for name in ("pair", "plain", "sniffed")} == {
        "pair": ("macChanges", "forgedTransmits"),
        "plain": (),
        "sniffed": ("promiscuous",),
    }
