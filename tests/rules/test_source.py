"""What the source rules detect at their boundaries, and where it matters; Forklift's policies are not needed."""

from typing import Any

import msgspec
import pytest
from tests.resolve.projects import Data, project, vm

from vmferry import rules
from vmferry.check import review
from vmferry.model.finding import Finding
from vmferry.model.inventory import Inventory, InventoryCluster
from vmferry.model.spec import VirtualMachine
from vmferry.policy import apply
from vmferry.resolve.blueprint import resolve
from vmferry.rules.source_concern import CONCERNS, Seen
from vmferry.ruleset import of

MIB = 1 << 20
CLUSTERS = {"name": "vc1", "kind": "vcenter"}


def detected(code: str, cluster: InventoryCluster | None = None, **facts: Any) -> int:
    """Return how often a rule's concern is met in a VM with these facts."""
    seen = Seen(msgspec.convert({"name": "web-01"} | facts, VirtualMachine), cluster)
    return len(list(CONCERNS[code].detect(seen)))


def found(code: str, *vms: Data, inventories: tuple[Inventory, ...] = (), **sections: Any) -> list[Finding]:
    """Return what one rule says of a migration that has no errors before the rules."""
    spec = msgspec.structs.replace(project(*vms, **sections), inventories=inventories)
    resolution = resolve(spec)
    assert [finding for finding in resolution.findings if finding.is_error] == []
    return [finding for finding in rules.check(review(spec, resolution)) if finding.code == code]


def forklift(name: str = "web-01", **fields: Any) -> Data:
    return vm(name, **{"path": "forklift", "method": "cold"} | fields)


def rebuilt(**fields: Any) -> Data:
    return vm(path="rebuild", method=None, application={"image": "registry.example.com/app:1.4.2"}, **fields)


def disk(**fields: Any) -> Data:
    return {"disks": [{"size": "40Gi", "datastore": "ds1"} | fields]}


@pytest.mark.parametrize("code", [code for code in sorted(CONCERNS) if code not in ("VMF706", "VMF717")])
def test_an_unknown_fact_is_no_concern(code: str) -> None:
    assert detected(code) == 0
    assert detected(code, **disk(), guestDisks=[{"path": "/"}], nics=[]) == (code == "VMF719")


@pytest.mark.parametrize(
    ("path", "room"),
    [("/", 100), ("/boot", 50), ("/Boot", 10), ("C:\\", 100), ("c:", 100), ("C:/", 100), ("/var", 10), ("D:\\", 10)],
)
def test_a_file_system_needs_room_to_the_byte(path: str, room: int) -> None:
    assert detected("VMF714", guestDisks=[{"path": path, "free": room * MIB - 1}]) == 1
    assert detected("VMF714", guestDisks=[{"path": path, "free": room * MIB}]) == 0


def test_a_full_file_system_has_no_room_and_the_image_of_a_snap_needs_none() -> None:
    assert detected("VMF714", guestDisks=[{"path": "/var", "free": 0}, {"path": "/snap/core/1", "free": 0}]) == 1


def test_165_disks_are_as_many_as_there_may_be() -> None:
    assert detected("VMF707", disks=disk()["disks"] * 165) == 0
    assert detected("VMF707", disks=disk()["disks"] * 166) == 1


def test_a_disk_has_a_sector_at_least() -> None:
    assert detected("VMF710", **disk(size="511")) == 1
    assert detected("VMF710", **disk(size="512")) == 0


def test_a_disk_is_on_the_datastore_that_is_known() -> None:
    assert detected("VMF706", **disk(datastore="ds1")) == 0
    assert detected("VMF706", **disk(datastore=None)) == 1


@pytest.mark.parametrize("mode", ["independent_persistent", "independent_nonpersistent"])
def test_both_independent_modes_are_met(mode: str) -> None:
    assert detected("VMF708", **disk(mode=mode)) == 1


def test_only_disks_that_forget_are_nonpersistent() -> None:
    met = {mode: detected("VMF731", **disk(mode=mode)) for mode in ("nonpersistent", "undoable", "persistent")}
    assert met == {"nonpersistent": 1, "undoable": 1, "persistent": 0}


@pytest.mark.parametrize("name", ["a", "A.b-c", "x" * 63, "1"])
def test_a_name_that_dns_takes_is_no_odd_name(name: str) -> None:
    assert detected("VMF720", name=name) == 0


@pytest.mark.parametrize("name", ["x" * 64, "a_b", "a b", "-a", "a-", ".a", "a.", "é", "a\n"])
def test_a_name_that_dns_refuses_is_an_odd_name(name: str) -> None:
    assert detected("VMF720", name=name) == 1


@pytest.mark.parametrize(
    ("facts", "unsupported"),
    [
        ({"guestId": "rhel7Guest"}, False),
        ({"guestId": "rhel10_64Guest"}, False),
        ({"guestId": "rhel6_64Guest"}, True),
        ({"guestId": "windows2019srvNext_64Guest"}, False),
        ({"guestId": "windows9Server64Guest"}, False),
        ({"guestId": "windows9_64Guest"}, False),
        ({"guestId": "windows8Server64Guest"}, True),
        ({"guestId": "centos64Guest", "guestToolsName": "Red Hat Enterprise Linux 8.4"}, False),
        ({"guestToolsName": "CentOS 8", "guestName": "Red Hat Enterprise Linux 8"}, True),
        ({"guestName": "Microsoft Windows Server 2016 (64-bit)"}, False),
        ({"guestName": "Microsoft Windows Server 2012 (64-bit)"}, True),
    ],
)
def test_a_guest_system_is_known_by_its_id_or_by_what_tools_report_first(facts: Data, unsupported: bool) -> None:
    assert detected("VMF729", **facts) == unsupported


@pytest.mark.parametrize("fact", ["cpuHotAdd", "cpuHotRemove", "memoryHotAdd"])
def test_any_of_three_hot_changes_is_one_concern(fact: str) -> None:
    assert detected("VMF705", **{fact: True}) == 1
    assert detected("VMF705", **{fact: False}) == 0


def test_serial_numbers_are_of_scsi_disks_that_the_guest_sees() -> None:
    assert detected("VMF709", **disk(controller="scsi"), diskEnableUUID=True) == 1
    assert detected("VMF709", **disk(controller="nvme"), diskEnableUUID=True) == 0
    assert detected("VMF709", **disk(controller="scsi"), diskEnableUUID=False) == 0


def test_drives_are_for_windows_only() -> None:
    assert detected("VMF715", guestId="windows2019srv_64Guest", guestDisks=[{"path": "D:\\", "key": 0}]) == 1
    assert detected("VMF715", guestId="rhel9_64Guest", guestDisks=[{"path": "/srv", "key": 0}]) == 0


def test_a_cluster_reports_once_for_all_its_vms_and_is_found_by_their_host() -> None:
    part = msgspec.convert(
        {
            "metadata": {"name": "vc1"},
            "source": CLUSTERS,
            "clusters": [{"name": "C1", "drs": True, "dpm": True}, {"name": "C2", "drs": False}],
            "hosts": [{"name": "esx1.example.com", "cluster": "C1"}],
        },
        Inventory,
    )
    for code in ("VMF711", "VMF712"):
        [finding] = found(code, vm("a"), vm("b", cluster="C1"), vm("c", cluster="C2"), inventories=(part,))
        assert finding.vms == ("a", "b")
        assert finding.message.startswith("cluster C1 of vc1: ")
    assert found("VMF712", vm("a"), rebuilt(cluster="C2"), inventories=()) == []


@pytest.mark.parametrize(
    ("code", "facts"),
    [
        ("VMF548", {"guestId": "debian11_64Guest", "firmware": "efi", "secureBoot": False, "vtpm": False}),
        ("VMF704", {"cpuAffinity": [0]}),
        ("VMF713", {"faultTolerance": True}),
        ("VMF725", {"snapshots": 1}),
        ("VMF727", {"vtpm": True, "firmware": "efi", "secureBoot": False}),
        ("VMF728", {"usb": True}),
        ("VMF730", {"encrypted": True}),
        ("VMF732", {"connectionState": "orphaned"}),
    ],
)
def test_what_stays_behind_with_a_rebuilt_vm_is_no_finding(code: str, facts: Data) -> None:
    assert len(found(code, vm(**facts))) == 1
    assert found(code, rebuilt(**facts)) == []


@pytest.mark.parametrize(("stage", "count"), [("planned", 1), ("prepared", 1), ("migrating", 1), ("cutover", 0)])
def test_after_its_cutover_the_source_matters_no_more(stage: str, count: int) -> None:
    assert len(at_stage("VMF733", stage, connectionState="disconnected")) == count


@pytest.mark.parametrize(
    ("stage", "settled"), [("planned", False), ("prepared", False), ("migrating", False), ("cutover", True)]
)
@pytest.mark.parametrize(
    ("code", "facts"),
    [
        ("VMF548", {"guestId": "debian11_64Guest", "firmware": "efi", "secureBoot": False, "vtpm": False}),
        ("VMF704", {"cpuAffinity": [0]}),
        ("VMF713", {"faultTolerance": True}),
        ("VMF727", {"vtpm": True, "firmware": "efi", "secureBoot": False}),
        ("VMF728", {"usb": True}),
    ],
)
def test_a_loss_is_told_after_the_cutover_too_as_an_information(
    code: str, facts: Data, stage: str, settled: bool
) -> None:
    [finding] = at_stage(code, stage, **facts)
    assert (finding.severity, finding.settled) == ("info" if settled else of(code).severity, settled)


def test_the_severity_of_a_loss_is_not_raised_after_the_cutover() -> None:
    made = project(vm(usb=True), rules={"VMF728": "error"})
    finding = of("VMF728").finding("", severity="info")
    [kept] = [each for each in apply([finding], made, None) if each.code == "VMF728"]
    assert kept.severity == "info"
    off = project(vm(usb=True), rules={"VMF728": "off"})
    assert [each for each in apply([finding], off, None) if each.code == "VMF728"] == []


def at_stage(code: str, stage: str, **facts: Any) -> list[Finding]:
    """Return what a rule finds in a VM with these facts whose group is at a stage."""
    planned = resolve(project(vm(**facts)))
    groups = {planned.blueprint.groups[0].name: {"stage": stage}}
    prepared = resolve(project(vm(**facts), groups={name: {"stage": "prepared"} for name in groups}))
    recorded = prepared.assignments if stage != "planned" else None
    return found(code, vm(**facts), assignments=recorded, groups=groups)


@pytest.mark.parametrize(
    ("code", "facts"),
    [
        ("VMF721", {"numaNodeAffinity": [0]}),
        ("VMF731", disk(mode="nonpersistent")),
        ("VMF733", {"connectionState": "disconnected"}),
        ("VMF734", {"powerState": "suspended"}),
        ("VMF737", {"managedBy": "com.vmware.vim.eam"}),
        ("VMF738", {"latencySensitivity": "high"}),
        ("VMF739", {"nestedHV": True}),
    ],
)
def test_the_finding_is_at_the_vm_and_says_how_to_fix_it(code: str, facts: Data) -> None:
    [finding] = found(code, vm(**facts))
    assert finding.message.startswith("VM web-01: ")
    assert finding.where is not None
    assert finding.where.path[:2] == ("vms", 0)
    assert len(finding.help) > 15


def test_change_tracking_is_news_only_where_it_made_the_copy_cold() -> None:
    off = {"changeTracking": False, "guestId": "rhel9_64Guest"}
    assert len(found("VMF701", forklift(**off, method=None))) == 1
    assert found("VMF701", forklift(**off)) == []
    assert found("VMF701", forklift(**off, method=None, powerState="poweredOff")) == []
    assert found("VMF701", vm(**off)) == []


def test_a_warm_copy_asks_for_the_tracking_of_each_disk_and_for_consolidated_disks() -> None:
    facts = {"changeTracking": True, "consolidationNeeded": True, **disk(changeTracking=False)}
    for code in ("VMF702", "VMF703"):
        assert len(found(code, forklift(**facts, method="warm"))) == 1
        assert found(code, forklift(**facts)) == []


def test_addresses_are_missed_only_where_forklift_keeps_them() -> None:
    assert len(found("VMF719", forklift(tools="running"))) == 1
    assert found("VMF719", forklift()) == []  # nobody asked VMware Tools
    assert found("VMF719", forklift(tools="running", staticIP="none")) == []
    assert found("VMF719", forklift(tools="running", nics=[])) == []
    assert found("VMF719", vm(tools="running")) == []
    addressed = [{"network": "vlan-7", "mac": "00:50:56:00:00:01", "addresses": ["10.0.7.11/24"]}]
    assert found("VMF719", forklift(tools="running", nics=addressed)) == []
    leased = {"network": "vlan-7", "mac": "00:50:56:00:00:01", "origin": "dhcp"}
    assert found("VMF719", forklift(tools="running", nics=[leased])) == []
    static = {"network": "vlan-7", "mac": "00:50:56:00:00:02", "origin": "static"}
    assert len(found("VMF719", forklift(tools="running", nics=[leased, static]))) == 1


def test_a_name_matters_where_forklift_has_no_id() -> None:
    assert len(found("VMF720", forklift("Web 01", targetName="web-01"))) == 1
    assert found("VMF720", forklift("Web 01", targetName="web-01", id="vm-11")) == []
    assert found("VMF720", vm("Web 01", targetName="web-01")) == []


def test_vmware_tools_matter_to_forklift_and_while_the_vm_runs() -> None:
    for tools, count in (("notInstalled", 1), ("notRunning", 1), ("running", 0)):
        assert len(found("VMF735", forklift(tools=tools))) == count
    assert found("VMF735", forklift(tools="notRunning", powerState="poweredOff")) == []
    assert found("VMF735", vm(tools="notRunning")) == []


def test_host_affinity_is_answered_by_a_node_selector() -> None:
    assert len(found("VMF716", vm(hostAffinity=True))) == 1
    assert found("VMF716", vm(hostAffinity=True, nodeSelector={"rack": "a"})) == []


def test_a_host_name_matters_on_the_pod_network_only() -> None:
    pod = [{"source": {"portGroup": "vlan-7", "vlan": 7}, "target": {"type": "pod"}, "layer": 3}]
    assert len(found("VMF717", vm(tools="notRunning"), networks=pod)) == 1
    assert found("VMF717", vm(), networks=pod) == []  # nobody asked VMware Tools
    assert found("VMF717", vm(tools="notRunning")) == []
    assert len(found("VMF718", vm(hostname="localhost.localdomain"), networks=pod)) == 1
    assert found("VMF718", vm(hostname="localhost"), networks=pod) == []


def test_every_device_is_to_be_named_for_the_target() -> None:
    gpu = {"passthrough": ["pci 10de:1eb8", "pci 8086:1521"], "gpus": [{"deviceName": "nvidia.com/T4"}]}
    assert len(found("VMF722", vm(**gpu))) == 1
    assert found("VMF722", vm(**gpu, hostDevices=[{"deviceName": "intel.com/i350"}])) == []
    assert found("VMF722", rebuilt(**gpu)) == []


def test_an_sriov_adapter_is_kept_by_virt_v2v_alone() -> None:
    target = {"type": "sriov", "resourceName": "intel.com/sriov", "vlan": 7}
    networks = [{"source": {"portGroup": "vlan-7", "vlan": 7}, "target": target}]
    assert len(found("VMF726", vm(sriov=True))) == 1
    assert found("VMF726", vm(sriov=True), networks=networks) == []
    assert found("VMF726", rebuilt(sriov=True), networks=networks) == []


def test_a_raw_device_mapping_matters_where_vmware_reads_it() -> None:
    image = disk(rdm="virtual", source={"upload": {}})
    assert len(found("VMF723", vm(**disk(rdm="virtual")))) == 1
    assert found("VMF723", vm(**image, method="image")) == []


def test_a_shared_disk_matters_without_reservations() -> None:
    shared = disk(shared="quorum", source={"upload": {}})
    assert len(found("VMF724", vm(**shared, method="image"))) == 1
    lun = disk(shared="quorum", rdm="virtual", source={"upload": {}})
    assert found("VMF724", vm(**lun, method="image")) == []


def test_a_drive_is_unknown_only_among_several_disks() -> None:
    facts = {"os": "windows", "guestId": "windows2019srv_64Guest", "guestDisks": [{"path": "C:\\", "key": 0}]}
    two = {"disks": [{"size": "40Gi", "datastore": "ds1"}, {"size": "9Gi", "datastore": "ds1"}]}
    assert len(found("VMF715", vm(**facts, **two))) == 1
    assert found("VMF715", vm(**facts)) == []
    assert found("VMF715", rebuilt(**facts, **two)) == []


def test_a_placeholder_is_reported_once_and_not_as_managed_too() -> None:
    facts = {"srmPlaceholder": True, "managedBy": "com.vmware.vcDr"}
    assert len(found("VMF736", vm(**facts))) == 1
    assert found("VMF737", vm(**facts)) == []


def test_two_vms_of_one_name_matter_on_one_host_and_where_virt_v2v_reads_the_disks() -> None:
    twin = {"id": "vm-2", "disposition": "retain", "reason": "the lab's copy of it"}
    one = vm(id="vm-1")
    assert [each.vms for each in found("VMF740", one, vm(**twin))] == [("web-01",)]
    assert found("VMF740", one, vm(**twin, host="esx2.example.com")) == []
    assert found("VMF740", one, vm(**twin, host=None)) == []
    assert [each.vms for each in found("VMF740", forklift(id="vm-1"), vm(**twin))] == [("web-01",)]
    assert found("VMF740", forklift(id="vm-1", method="warm"), vm(**twin)) == []
    assert found("VMF740", forklift(id="vm-1", conversion="skip"), vm(**twin)) == []
    assert found("VMF740", rebuilt(id="vm-1"), vm(**twin)) == []
