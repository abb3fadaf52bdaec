"""What Forklift does with a Plan at one release and not at another."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.resolve.projects import Data, machines, project, resolved, vm
from tests.rules.ruling import only, ruled, silent

from vmferry.check import review
from vmferry.model.blueprint import Machine
from vmferry.model.finding import Finding
from vmferry.model.inventory import Inventory
from vmferry.resolve.blueprint import resolve
from vmferry.rules import check

HEAD = {"apiVersion": "vmferry.dev/v1alpha1", "kind": "Inventory"}
UUID = "42301f6e-1c5d-4c6e-9d3a-00000000000a"
INSTANCE = "50301f6e-1c5d-4c6e-9d3a-00000000000a"
NIC = {"network": "vlan-7", "mac": "00:50:56:00:00:01"}
BRIDGE = {"type": "bridge", "bridge": "br-vm"}
OTHER_NIC = {"network": "vlan-7", "mac": "00:50:56:00:00:02"}


def target(**releases: str) -> Data:
    return {
        "cluster": {"name": "prod-a", "versions": releases},
        "gitops": {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"},
    }


def planned(name: str = "a", **fields: object) -> Data:
    return vm(name, **{"id": f"vm-{name}", "path": "forklift", "method": "cold", **fields})


def machine(data: Data, **sections: Any) -> Machine:
    """Return what the one VM of a project becomes."""
    [made] = machines(resolved(data, **sections)).values()
    return made


def staying(name: str = "b", **fields: object) -> Data:
    return vm(name, **{"id": f"vm-{name}", "disposition": "retain", "reason": "it stays", **fields})


def raw(name: str = "a", **fields: object) -> Data:
    disk = {
        "size": "40Gi",
        "datastore": "ds1",
        "bus": "sata",
        "file": f"[ds1] {name}/{name}.vmdk",
        "source": {"vddk": {}},
    }
    return vm(name, method="image", powerState="poweredOff", **{"disks": [disk], **fields})


# --- UUIDs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("release", ["2.9", "2.10.6", "2.11", "2.11.4"])
def test_a_bios_uuid_of_two_vms_is_dangerous_where_forklift_looks_for_it(release: str) -> None:
    vms = (planned(uuid=UUID), staying(uuid=UUID.upper()))
    finding = only("VMF744", *vms, target=target(forklift=release))
    assert f"its BIOS UUID {UUID} is also that of VM b, and Forklift {release} looks up VMs by it" in finding.message
    assert finding.vms == ("a",)


@pytest.mark.parametrize("release", ["2.11.5", "2.12", "main"])
def test_a_cold_copy_goes_by_the_instance_uuid_since_2_11_5(release: str) -> None:
    assert silent("VMF744", planned(uuid=UUID), staying(uuid=UUID), target=target(forklift=release))


def test_uuids_of_their_own_and_those_of_vms_that_stay_are_fine() -> None:
    old = target(forklift="2.10")
    assert silent("VMF744", planned(), staying(), target=old)
    assert silent("VMF744", planned(), staying("b", uuid=UUID), staying("c", uuid=UUID), target=old)


@pytest.mark.parametrize(
    ("releases", "found"),
    [
        ({"forklift": "2.12.5", "cdi": "1.66"}, True),
        ({"forklift": "main", "cdi": "1.65"}, True),
        ({"forklift": "main", "cdi": "1.66"}, False),
    ],
)
def test_a_warm_copy_needs_both_forklift_and_cdi_to_go_by_instance_uuid(releases: Data, found: bool) -> None:
    vms = (planned(uuid=UUID, method="warm"), staying(uuid=UUID))
    if found:
        assert (
            f"Forklift {releases['forklift']} and CDI {releases['cdi']}"
            in only("VMF744", *vms, target=target(**releases)).message
        )
    else:
        assert silent("VMF744", *vms, target=target(**releases))


def test_a_copy_without_conversion_is_made_by_cdi_as_a_warm_one_is() -> None:
    vms = (planned(uuid=UUID, conversion="skip"), staying(uuid=UUID))
    assert "a copy without conversion by Forklift 2.12" in only("VMF744", *vms, target=target(forklift="2.12")).message
    assert silent("VMF744", *vms, target=target(forklift="main", cdi="1.66"))


def test_a_disk_of_source_vddk_is_found_by_its_vms_uuid() -> None:
    vms = (raw(uuid=UUID, instanceUuid=INSTANCE), staying(uuid=UUID))
    assert "CDI 1.63 looks up VMs by it" in only("VMF744", *vms, target=target(cdi="1.63")).message
    assert silent("VMF745", *vms, target=target(cdi="1.63"))
    assert silent("VMF744", *vms, target=target(cdi="1.66"))
    assert "CDI gets its instance UUID instead" in only("VMF745", *vms, target=target(cdi="1.66")).message


def test_without_its_instance_uuid_cdi_is_told_the_bios_uuid() -> None:
    vms = (raw(uuid=UUID), staying(uuid=UUID))
    assert "the instance UUID is unknown" in only("VMF744", *vms, target=target(cdi="1.66")).message
    assert silent("VMF745", raw(instanceUuid=INSTANCE), staying(), target=target(cdi="1.66"))


@pytest.mark.parametrize(("stage", "told"), [("prepared", True), ("migrating", False), ("cutover", False)])
def test_once_forklift_has_begun_nothing_is_said_of_how_it_finds_a_vm(stage: str, *, told: bool) -> None:
    groups = {"first-01": {"stage": stage}}
    vms = (planned(uuid=UUID, nics=[NIC, OTHER_NIC]), staying(uuid=UUID, datacenter="DC2"))
    found = {each.code for each in ruled(*vms, target=target(forklift="2.11.1"), groups=groups)}
    assert ({"VMF744", "VMF746"} <= found) is told
    assert found.isdisjoint({"VMF744", "VMF746"}) is not told


@pytest.mark.parametrize(("stage", "told"), [("planned", True), ("prepared", True), ("migrating", False)])
def test_what_a_plan_cannot_do_is_told_until_forklift_begins(stage: str, *, told: bool) -> None:
    disk = {"size": "40Gi", "datastore": "ds1"}
    wrong = {
        "VMF506": planned(disks=[{**disk, "controller": "nvme", "unit": "nvme0:0"}]),
        "VMF743": planned(disks=[disk], rootDisk="/dev/sdc1"),
        "VMF749": planned(disks=[{**disk, "controller": "scsi", "unit": f"scsi{each}:0"} for each in range(2)]),
        "VMF748": planned(nics=[NIC, OTHER_NIC]),
        "VMF766": planned(disks=[disk], forklift={"conversionStorage": {"storageClass": "none", "size": "50Gi"}}),
    }
    groups = {"first-01": {"stage": stage}}
    for code, moved in wrong.items():
        release = "2.11.1" if code == "VMF748" else "2.10"
        found = ruled(moved, target=target(forklift=release), groups=groups, networks=existing())
        assert any(each.code == code for each in found) is told, code


def test_nobody_looks_for_an_image_by_uuid() -> None:
    assert silent("VMF744", vm("a", method="image", uuid=UUID), staying(uuid=UUID), target=target(cdi="1.63"))


# --- disks ------------------------------------------------------------------------------------

DISK = {"size": "40Gi", "datastore": "ds1"}
LATE = [
    {"size": "40Gi", "datastore": "ds1", "controller": "scsi", "unit": "scsi0:0", "key": 2000},
    {"size": "50Gi", "datastore": "ds1", "controller": "scsi", "unit": "scsi1:0", "key": 2016},
    {"size": "60Gi", "datastore": "ds1", "controller": "scsi", "unit": "scsi0:16", "key": 131088},
]


def test_forklift_boots_the_disk_of_root_disk_which_must_be_there_and_the_one_marked_boot() -> None:
    finding = only("VMF743", planned(rootDisk="/dev/sdc1"))
    assert "rootDisk /dev/sdc1 is on disk 3, and the VM has 1 disk" in finding.message
    assert finding.where is not None
    assert finding.where.path[-1] == "rootDisk"
    second = planned(disks=[DISK, {**DISK, "boot": True}])
    assert "`boot` marks disk 2" in only("VMF743", {**second, "rootDisk": "/dev/sda1"}).message
    assert silent("VMF743", {**second, "rootDisk": "/dev/sdb1"})
    assert silent("VMF743", second)
    assert silent("VMF743", vm("a", disks=[DISK, {**DISK, "boot": True}], rootDisk="/dev/sda1"))


@pytest.mark.parametrize(("release", "told"), [("2.11", "/dev/sdb"), ("2.12", "/dev/sdb")])
def test_a_plan_names_the_boot_disk_that_is_not_the_first(release: str, told: str) -> None:
    second = planned(disks=[DISK, {**DISK, "boot": True}])
    assert machine(second, target=target(forklift=release)).root_disk == told
    assert machine(planned(disks=[{**DISK, "boot": True}, DISK])).root_disk is None
    assert machine(vm("a", disks=[DISK, {**DISK, "boot": True}])).root_disk is None


@pytest.mark.parametrize(("release", "sizes"), [("2.11.4", [40, 50, 60]), ("2.11.5", [40, 60, 50])])
def test_claims_have_the_numbers_that_this_forklift_counts(release: str, sizes: list[int]) -> None:
    made = machine(planned(disks=LATE), target=target(forklift=release))
    assert [disk.size >> 30 for disk in made.disks] == sizes
    assert silent("VMF749", planned(disks=LATE), target=target(forklift=release))


def test_a_release_that_may_count_either_way_and_unknown_keys_are_errors() -> None:
    assert "patch release of 2.11" in (only("VMF749", planned(disks=LATE), target=target(forklift="2.11")).help or "")
    keyless = planned(disks=[{key: value for key, value in disk.items() if key != "key"} for disk in LATE])
    assert "some are unknown" in only("VMF749", keyless, target=target(forklift="2.10")).message
    assert silent("VMF749", keyless, target=target(forklift="2.12"))
    assert silent("VMF749", planned(disks=[DISK, DISK]), target=target(forklift="2.10"))


# --- names ------------------------------------------------------------------------------------


def test_without_an_id_an_old_forklift_names_claims_itself() -> None:
    nameless = planned(id=None)
    assert "Forklift 2.11 ignores pvcNameTemplate" in only("VMF747", nameless, target=target(forklift="2.11")).message
    assert silent("VMF747", nameless, target=target(forklift="2.12"))
    assert silent("VMF747", planned(), target=target(forklift="2.11"))
    assert silent("VMF747", vm("a"), target=target(forklift="2.11"))


def test_a_name_that_another_vm_has_is_ambiguous_at_every_release() -> None:
    vms = (planned(id=None), staying("a"))
    assert "another VM of its vCenter has the same name" in only("VMF747", *vms, target=target(forklift="2.12")).message


def test_a_port_group_and_a_datastore_of_two_datacenters_are_ambiguous_by_name() -> None:
    found = [each for each in ruled(planned(), staying(datacenter="DC2")) if each.code == "VMF746"]
    assert {each.message.split(" of vc1")[0] for each in found} == {"network 'vlan-7'", "datastore 'ds1'"}
    assert all("datacenters DC1 and DC2" in each.message and each.vms == ("a",) for each in found)


def inventoried(*networks: Data) -> list[Finding]:
    """Return what is found of names where the vCenter has these networks."""
    part = {"source": {"name": "vc1", "kind": "vcenter"}, "metadata": {"name": "vc1"}, "networks": networks}
    made = replace(project(planned()), inventories=(msgspec.convert(part | HEAD, Inventory),))
    return [each for each in check(review(made, resolve(made))) if each.code == "VMF746"]


def test_two_networks_of_one_name_in_the_inventory_are_ambiguous() -> None:
    two = [{"name": "vlan-7", "id": "dvportgroup-7"}, {"name": "vlan-7", "id": "network-7"}]
    assert ["has several ids: dvportgroup-7, network-7" in each.message for each in inventoried(*two)] == [True]
    assert inventoried(two[0], {"name": "vlan-8", "id": "network-8"}) == []


def test_one_datacenter_an_id_or_another_path_is_not_ambiguous() -> None:
    assert silent("VMF746", planned(), staying())
    assert silent("VMF746", planned(), staying(datacenter=None))
    assert silent("VMF746", vm("a"), staying(datacenter="DC2"))
    ids = {
        "networks": [
            {
                "source": {"portGroup": "vlan-7", "vlan": 7, "id": "dvportgroup-7"},
                "target": {"type": "bridge", "bridge": "br-vm"},
            }
        ],
        "storage": {
            "classes": [{"name": "ceph-block", "provisioner": "rook-ceph.rbd.csi.ceph.com", "tier": "gold"}],
            "map": [{"source": {"datastore": "ds1", "id": "datastore-1"}, "tier": "gold"}],
        },
    }
    assert silent("VMF746", planned(), staying(datacenter="DC2"), **ids)


def test_a_row_with_one_id_is_not_for_vms_of_several_datacenters_that_know_only_its_name() -> None:
    rows: Data = {
        "networks": [{"source": {"portGroup": "vlan-7", "id": "dvportgroup-7", "vlan": 7}, "target": BRIDGE}],
        "storage": {
            "classes": [{"name": "fast", "provisioner": "rook-ceph.rbd.csi.ceph.com", "tier": "gold"}],
            "map": [{"source": {"datastore": "ds1", "id": "datastore-7"}, "tier": "gold"}],
        },
    }
    far = {"datacenter": "DC2", "nics": [{"network": "vlan-7", "mac": "00:50:56:00:00:09"}]}
    found = [each for each in ruled(planned(), planned("b", **far), **rows) if each.code == "VMF746"]
    assert [("its row is only for" in each.message, each.vms) for each in found] == [(True, ("a", "b"))] * 2
    assert silent("VMF746", planned(), staying(**far), **rows)
    by_id = {
        "nics": [{"network": "vlan-7", "networkId": "dvportgroup-7", "mac": "00:50:56:00:00:09"}],
        "disks": [{"size": "40Gi", "datastore": "datastore-7"}],
    }
    assert silent("VMF746", planned(), planned("b", **{**far, **by_id}), **rows)


# --- NICs and addresses -----------------------------------------------------------------------


@pytest.mark.parametrize("release", ["2.11", "2.11.1", "2.11.6"])
def test_two_nics_on_one_network_keep_a_plan_from_ready(release: str) -> None:
    found = only("VMF748", planned(nics=[NIC, OTHER_NIC]), target=target(forklift=release))
    assert f"nic-0 and nic-1 are on one network, web/vlan-7, and Forklift {release} accepts one NIC" in found.message
    assert "2.11.7 or later" in found.help


@pytest.mark.parametrize("release", ["2.10", "2.11.0", "2.11.7", "2.12", "2.12.5", "main"])
def test_other_releases_take_two_nics_on_one_network_or_a_definition_for_each(release: str) -> None:
    assert silent("VMF748", planned(nics=[NIC, OTHER_NIC]), target=target(forklift=release))


def existing(*pool: str) -> list[Data]:
    there = {"type": "nad", "name": "lan", "pool": list(pool)}
    return [{"source": {"portGroup": "vlan-7", "vlan": 7}, "target": there}]


def test_a_definition_that_exists_already_is_for_one_nic_of_a_vm() -> None:
    twins = planned(nics=[NIC, OTHER_NIC])
    found = only("VMF748", twins, networks=existing(), target=target(forklift="2.12"))
    assert "`pool`" in found.help
    assert silent("VMF748", twins, networks=existing("lan-b"), target=target(forklift="2.12"))
    assert silent("VMF748", twins, networks=existing(), target=target(forklift="main"))


def test_later_releases_drop_a_nic_for_which_a_pool_is_too_small() -> None:
    third = {**NIC, "mac": "00:50:56:00:77:03"}
    three = planned(nics=[NIC, OTHER_NIC, third])
    assert "nic-0 and nic-2" in only("VMF748", three, networks=existing("b"), target=target(forklift="main")).message
    assert silent("VMF748", three, networks=existing("b", "c"), target=target(forklift="main"))


def test_one_nic_a_network_and_another_path_are_fine() -> None:
    assert silent("VMF748", planned(nics=[NIC]))
    assert silent("VMF748", vm("a", nics=[NIC, OTHER_NIC]))


@pytest.mark.parametrize(
    "fields",
    [
        {"nics": [{**NIC, "origin": "static", "addresses": ["10.0.7.11/24"]}], "tools": "notRunning"},
        {"nics": [{**NIC, "origin": "static"}]},
        {"nics": [NIC], "staticIP": "preserve"},
    ],
)
def test_forklift_may_not_know_static_addresses_of_a_vm_that_is_off(fields: Data) -> None:
    assert "it is powered off" in only("VMF750", planned(powerState="poweredOff", **fields)).message
    assert silent("VMF750", planned(powerState="poweredOn", **fields))
    assert silent("VMF750", planned(powerState="poweredOff", conversion="skip", **fields))
    assert silent("VMF750", vm("a", powerState="poweredOff", **fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"nics": [{**NIC, "origin": "dhcp"}], "staticIP": "preserve"},
        {"nics": [{**NIC, "origin": "static"}], "staticIP": "none"},
        {"nics": [NIC]},
    ],
)
def test_addresses_that_are_not_kept_or_not_known_to_be_static_say_nothing(fields: Data) -> None:
    assert silent("VMF750", planned(powerState="poweredOff", **fields))
