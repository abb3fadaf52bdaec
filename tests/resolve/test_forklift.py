"""How Forklift copies and converts VMs: what becomes of the decisions, and which VMs share a Plan."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.resolve.projects import (
    Data,
    codes,
    decision,
    defaults,
    finding,
    group,
    groups,
    machines,
    project,
    resolved,
    vm,
)

from vmferry.estate.resolution import Resolution
from vmferry.model.blueprint import ArrayCopy, PlanOptions, XcopyCopy
from vmferry.model.inventory import Inventory, InventoryHost, InventoryMetadata, Origin
from vmferry.resolve.blueprint import resolve

COLD = defaults(path="forklift", method="cold")
XCOPY = {"secretRef": "ontap", "storageVendorProduct": "ontap"}


def storage(**offload: Any) -> Data:
    """Return a storage map whose ds1 is copied as ``offload`` says, and whose ds2 by VDDK."""
    return {
        "classes": [{"name": "ceph-block", "provisioner": "rook-ceph.rbd.csi.ceph.com", "tier": "gold"}],
        "map": [
            {"source": {"datastore": "ds1"}, "tier": "gold", "offload": offload or {"xcopy": XCOPY}},
            {"source": {"datastore": "ds2"}, "tier": "gold"},
        ],
    }


def planned(*vms: Data, **sections: Any) -> Resolution:
    return resolved(*vms, **({"defaults": COLD} | sections))


def on(*datastores: str, **fields: Any) -> list[Data]:
    return [{"size": "40Gi", "datastore": name, **fields} for name in datastores]


# --- groups ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "unlike",
    [
        {"conversion": "skip"},
        {"forklift": {"conversionStorage": {"storageClass": "ceph-block", "size": "100Gi"}}},
        {"forklift": {"convertor": {"nodeSelector": {"disk": "fast"}}}},
        {"forklift": {"convertor": {"spread": True}}},
        {"forklift": {"serviceAccount": "mover"}},
        {"forklift": {"virtV2vImage": "registry.example.com/v2v:1"}},
        {"forklift": {"xfsCompatibility": True}},
        {"forklift": {"tags": "none"}},
        {"forklift": {"legacyDrivers": True}},
    ],
)
def test_what_a_plan_says_once_takes_vms_apart(unlike: Data) -> None:
    assert len(groups(planned(vm("a"), vm("b", **unlike)))) == 2
    assert len(groups(planned(vm("a", **unlike), vm("b", **unlike)))) == 1


@pytest.mark.parametrize(
    "unlike", [{"forklift": {"nestedVirtualization": True}}, {"forklift": {"rdmAsLun": True}}, {"forklift": {}}]
)
def test_what_a_plan_says_of_each_vm_does_not(unlike: Data) -> None:
    assert len(groups(planned(vm("a"), vm("b", **unlike)))) == 1


def test_vms_copied_by_the_array_and_vms_copied_by_vddk_are_in_different_plans() -> None:
    found = planned(vm("a"), vm("b", disks=on("ds2")), vm("c"), storage=storage())
    assert groups(found) == {"first-01": ["b"], "first-02": ["a", "c"]}
    assert [pair.offload is not None for name in ("first-01", "first-02") for pair in group(found, name).storage] == [
        False,
        True,
    ]


def test_a_vm_may_be_kept_from_the_array() -> None:
    found = planned(vm("a"), vm("b", forklift={"offload": False}), storage=storage())
    assert groups(found) == {"first-01": ["b"], "first-02": ["a"]}
    assert machines(found)["b"].disks[0].offload is None


def test_another_path_does_not_care_for_the_array() -> None:
    found = resolved(vm("a"), vm("b", disks=on("ds2")), storage=storage())
    assert groups(found) == {"first-01": ["a", "b"]}
    assert machines(found)["a"].disks[0].offload is None


def test_vms_that_must_move_together_must_be_converted_alike() -> None:
    vms = (vm("a", dependsOn=["b"]), vm("b", dependsOn=["a"], conversion="skip"))
    assert "forklift" in finding(planned(*vms), "VMF408").message


def test_without_any_such_decision_a_machine_is_written_down_as_before() -> None:
    machine = machines(planned(vm("a")))["a"]
    assert (machine.forklift, machine.raw, machine.disks[0].offload) == (None, False, None)


# --- the storage map -------------------------------------------------------------------------


def test_a_row_says_how_the_array_copies() -> None:
    found = planned(vm("a"), storage=storage(xcopy={**XCOPY, "dedicatedMigrationHosts": ["host-21"]}))
    copy = ArrayCopy(xcopy=XcopyCopy(secret="ontap", product="ontap", hosts=("host-21",)))
    assert machines(found)["a"].disks[0].offload == copy


def test_a_row_that_names_no_plug_in_is_an_error() -> None:
    table = storage()
    table["map"][0]["offload"] = {}
    assert "no plug-in" in finding(planned(vm("a"), storage=table), "VMF116").message


def hosted(*hosts: InventoryHost, name: str = "esx1.example.com") -> Resolution:
    made = project(vm("a"), defaults=COLD, storage=storage(xcopy={**XCOPY, "dedicatedMigrationHosts": [name]}))
    origin = Origin(name="vc1", kind="vcenter")
    part = Inventory(metadata=InventoryMetadata(name="vc1"), source=origin, hosts=hosts)
    return resolve(replace(made, inventories=(part,)))


def test_a_host_that_copies_is_found_by_its_name() -> None:
    found = hosted(InventoryHost(name="esx1.example.com", id="host-7"))
    offload = machines(found)["a"].disks[0].offload
    assert offload is not None
    assert offload.xcopy is not None
    assert offload.xcopy.hosts == ("host-7",)


@pytest.mark.parametrize(
    "hosts",
    [
        (),
        (InventoryHost(name="esx1.example.com"),),
        (InventoryHost(name="esx1.example.com", id="host-7"), InventoryHost(name="esx1.example.com", id="host-8")),
    ],
)
def test_a_host_whose_id_is_not_known_or_not_one_is_an_error(hosts: tuple[InventoryHost, ...]) -> None:
    assert "use its id" in finding(hosted(*hosts), "VMF102").help


# --- raw copies ------------------------------------------------------------------------------


def test_an_unconverted_guest_gets_devices_that_any_guest_boots_from() -> None:
    machine = machines(planned(vm("a", conversion="skip", os="other")))["a"]
    assert (machine.raw, machine.disks[0].bus, machine.nics[0].model) == (True, "sata", "e1000e")
    assert machine.forklift == PlanOptions(raw=True, emulated=True)


def test_an_unconverted_guest_with_drivers_gets_virtio() -> None:
    machine = machines(planned(vm("a", conversion="skip", devices="virtio", os="other")))["a"]
    assert (machine.disks[0].bus, machine.nics[0].model) == ("virtio", "virtio")
    assert machine.forklift == PlanOptions(raw=True, emulated=False)


def test_what_a_disk_and_a_nic_say_themselves_holds() -> None:
    disks = [{"size": "1Gi", "datastore": "ds1", "bus": "scsi"}, {"size": "2Gi", "datastore": "ds1"}]
    nics = [
        {"network": "vlan-7", "mac": "00:50:56:00:00:01", "model": "e1000"},
        {"network": "vlan-7", "mac": "00:50:56:00:00:02"},
    ]
    raw = vm("a", path="virt-v2v", method="image", conversion="skip", disks=disks, nics=nics)
    machine = machines(resolved(raw))["a"]
    assert [disk.bus for disk in machine.disks] == ["scsi", "sata"]
    assert [nic.model for nic in machine.nics] == ["e1000", "e1000e"]


def test_disks_are_told_apart_whatever_order_the_path_gives_them() -> None:
    disks = [
        {"size": "1Gi", "datastore": "ds1", "controller": "scsi", "bus": "virtio"},
        {"size": "2Gi", "datastore": "ds1", "controller": "ide"},
    ]
    machine = machines(planned(vm("a", conversion="skip", disks=disks)))["a"]
    assert {disk.size >> 30: disk.bus for disk in machine.disks} == {1: "virtio", 2: "sata"}


# --- decisions in layers ---------------------------------------------------------------------


def test_decisions_on_forklift_are_laid_over_each_other_field_by_field() -> None:
    found = planned(
        vm("a", forklift={"serviceAccount": "own"}),
        vm("b"),
        defaults=COLD | {"forklift": {"serviceAccount": "mover", "tags": "none"}},
        assign=[{"match": {"name": "*"}, "set": {"forklift": {"xfsCompatibility": True}}}],
    )
    options = machines(found)["a"].forklift
    assert options == PlanOptions(service_account="own", tags="none", xfs_compatibility=True)
    assert machines(found)["b"].forklift == PlanOptions(service_account="mover", tags="none", xfs_compatibility=True)


# --- raw device mappings ---------------------------------------------------------------------


def test_the_array_copies_a_physical_raw_device_mapping_cold() -> None:
    found = planned(vm("a", disks=on("ds1", rdm="physical"), forklift={"rdmAsLun": True}), storage=storage())
    assert "VMF503" not in codes(found)
    assert machines(found)["a"].rdm_as_lun


@pytest.mark.parametrize(
    "fields",
    [
        {"disks": on("ds2", rdm="physical")},
        {"disks": on("ds1", rdm="physical"), "forklift": {"offload": False}},
        {"disks": on("ds1", rdm="physical"), "method": "warm", "changeTracking": True},
        {"disks": on("ds1", rdm="physical"), "path": "virt-v2v", "method": "job"},
    ],
)
def test_nothing_else_reads_a_physical_raw_device_mapping(fields: Data) -> None:
    assert "VMF503" in codes(planned(vm("a", **fields), storage=storage()))


# --- raw copies on path B --------------------------------------------------------------------


def test_cdi_copies_the_disks_of_a_raw_copy_on_path_b() -> None:
    machine = machines(resolved(vm("a", method="image", conversion="skip")))["a"]
    assert machine.disks[0].source.vddk is not None
    assert machine.forklift is None


@pytest.mark.parametrize(
    "disk",
    [{"source": {"upload": {}}}, {"rdm": "physical"}, {"mode": "independent_persistent"}],
    ids=["an image that is there", "what CDI cannot read", "what VDDK cannot read"],
)
def test_an_image_of_a_raw_copy_may_come_from_elsewhere(disk: Data) -> None:
    raw = vm("a", method="image", conversion="skip", disks=on("ds1", **disk))
    assert machines(resolved(raw))["a"].disks[0].source.upload is not None


def test_a_job_converts_whatever_it_gets() -> None:
    assert "method image" in finding(resolved(vm("a", conversion="skip", method="job")), "VMF503").help


def test_the_usual_method_of_many_is_not_that_of_a_raw_copy_among_them() -> None:
    found = resolved(vm("a", conversion="skip"), vm("b"), defaults=defaults(method="job"))
    assert {name: machine.method for name, machine in machines(found).items()} == {"a": "image", "b": "job"}
    assert "VMF503" not in codes(found)


def test_a_guest_that_nobody_converts_is_nothing_special_to_forklift() -> None:
    settings: Data = {"auto": {"threshold": 1}}
    vms = (vm("a", os="other", conversion="skip"), vm("b", os="other"))
    found = machines(resolved(*vms, defaults=defaults(path="auto", method=None), settings=settings))
    assert (found["a"].path, found["b"].path) == ("forklift", "virt-v2v")


# --- explain ---------------------------------------------------------------------------------


def test_it_is_explained_who_copies_a_disk_and_who_converts_nothing() -> None:
    both = storage(xcopy=XCOPY, csiVolumeImport=XCOPY)
    found = planned(vm("a", conversion="skip"), storage=both)
    assert decision(found, "a", "copy of disk-0").value == "xcopy (ontap) or csiVolumeImport (ontap)"
    assert "SATA and e1000e" in decision(found, "a", "conversion").reason
    usual = {each.subject for each in planned(vm("a")).blueprint.decisions["vc1/a"]}
    assert not {"copy of disk-0", "conversion"} & usual
