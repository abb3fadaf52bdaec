"""Decisions that a path has no field for, beyond the rules' own examples."""

import pytest
from tests.resolve.projects import Data, vm
from tests.rules.ruling import app, only, silent

DISK = {"size": "40Gi", "datastore": "ds1"}
NIC = {"network": "vlan-7", "mac": "00:50:56:00:00:01"}
NEW = {"staticIP": "cloud-init", "readdress": {"vlan-7": {"addresses": ["10.0.7.11/24"]}}}


def planned(**fields: object) -> Data:
    return vm("a", path="forklift", method="cold", **fields)


@pytest.mark.parametrize(
    ("fires", "near_miss", "field"),
    [
        (planned(tolerations=[{"key": "gpu"}]), vm("a", tolerations=[{"key": "gpu"}]), "tolerations"),
        (planned(**NEW), vm("a", **NEW), "new addresses"),
        (planned(disks=[{**DISK, "bus": "sata"}]), planned(disks=[{**DISK, "bus": "virtio"}]), "bus of a disk"),
        (planned(nics=[{**NIC, "model": "e1000e"}]), planned(nics=[{**NIC, "model": "virtio"}]), "model of a NIC"),
        (planned(nics=[{**NIC, "connected": False}]), planned(nics=[NIC]), "not connected"),
        (vm("a", hooks=[{"name": "drain", "step": "PreHook"}]), vm("a"), "Forklift hooks"),
        (vm("a", method="image", luksSecret="keys"), vm("a", luksSecret="keys"), "LUKS keys"),
        (app("a") | {"ports": [{"name": "http", "port": 80}]}, app("a"), "application.ports"),
    ],
)
def test_a_decision_the_path_cannot_say_is_found_and_its_near_miss_is_not(
    fires: Data, near_miss: Data, field: str
) -> None:
    assert field in only("VMF507", fires).message
    assert silent("VMF507", near_miss)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"cpuModel": "Nehalem"}, "cpuModel"),
        ({"preference": {"name": "rhel.9"}}, "preference"),
        ({"labels": {"app": "shop"}}, "label app"),
        ({"runStrategy": "Manual"}, "runStrategy Manual"),
        ({"runStrategy": "RerunOnFailure"}, "runStrategy RerunOnFailure"),
    ],
)
def test_a_decision_that_takes_effect_later_is_told_of_a_plan_only(fields: Data, name: str) -> None:
    assert name in only("VMF508", planned(**fields)).message
    assert silent("VMF508", vm("a", **fields))
    assert silent("VMF508", planned())


def test_label_app_of_the_vms_own_name_is_what_forklift_sets() -> None:
    assert silent("VMF508", planned(labels={"app": "a", "tier": "web"}))


@pytest.mark.parametrize(("kind", "what"), [("sriov", "SR-IOV"), ("macvtap", "macvtap")])
def test_forklift_binds_every_nic_by_a_bridge(kind: str, what: str) -> None:
    target = {
        "sriov": {"type": "sriov", "resourceName": "nic.example.com/vf"},
        "macvtap": {"type": "macvtap", "resource": "dataplane"},
    }
    networks = [{"source": {"portGroup": "vlan-7"}, "target": target[kind]}]
    assert f"the {what} binding of a NIC" in only("VMF507", planned(liveMigration="none"), networks=networks).message
    assert silent("VMF507", vm("a", liveMigration="none"), networks=networks)
