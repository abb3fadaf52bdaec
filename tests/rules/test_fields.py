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
        ({"runStrategy": "Manual"}, "runStrategy Manual"),
        ({"runStrategy": "RerunOnFailure"}, "runStrategy RerunOnFailure"),
    ],
)
def test_a_decision_that_takes_effect_later_is_told_of_a_plan_only(fields: Data, name: str) -> None:
    assert name in only("VMF508", planned(**fields)).message
    assert silent("VMF508", vm("a", **fields))
    assert silent("VMF508", planned())
