"""Copies by the storage array, beyond the rules' own examples."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.resolve.projects import Data, defaults, project, vm
from tests.rules.ruling import only, ruled, silent

from vmferry.check import review
from vmferry.model.finding import Finding
from vmferry.model.inventory import Inventory, InventoryDatastore, InventoryMetadata, Origin
from vmferry.resolve.blueprint import resolve
from vmferry.rules import check

COLD = defaults(path="forklift", method="cold")
XCOPY = {"xcopy": {"secretRef": "ontap", "storageVendorProduct": "ontap"}}
CSI = {"csiVolumeImport": {"secretRef": "primera", "storageVendorProduct": "primera3par"}}
FILE = "[ds1] a/a.vmdk"


def storage(offload: Data, provisioner: str = "rook-ceph.rbd.csi.ceph.com") -> Data:
    return {
        "classes": [{"name": "array", "provisioner": provisioner, "tier": "gold"}],
        "map": [
            {"source": {"datastore": "ds1"}, "tier": "gold", "offload": offload},
            {"source": {"datastore": "ds2"}, "tier": "gold"},
        ],
    }


def target(forklift: str) -> Data:
    return {
        "cluster": {"name": "prod-a", "versions": {"forklift": forklift}},
        "gitops": {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"},
    }


def sections(offload: Data, forklift: str = "main", **more: Any) -> Data:
    return {"defaults": COLD, "storage": storage(offload), "target": target(forklift)} | more


def of(code: str, *vms: Data, **given: Any) -> list[Finding]:
    return [each for each in ruled(*vms, **given) if each.code == code]


# --- what cannot be copied so ------------------------------------------------------------------


def test_a_vm_of_two_ways_may_opt_out() -> None:
    disks = [{"size": "1Gi", "datastore": "ds1"}, {"size": "1Gi", "datastore": "ds2"}]
    assert "those on ds2" in only("VMF761", vm("a", disks=disks), **sections(XCOPY)).message
    assert silent("VMF761", vm("a", disks=disks, forklift={"offload": False}), **sections(XCOPY))
    assert silent("VMF761", vm("a", disks=disks, path="virt-v2v", method="job"), **sections(XCOPY))


def test_copy_offload_fills_block_volumes_only() -> None:
    files = sections(XCOPY) | {"storage": storage(XCOPY, provisioner="rook-ceph.cephfs.csi.ceph.com")}
    assert "only fills Block volumes" in only("VMF762", vm("a"), **files).message
    assert silent("VMF762", vm("a"), **sections(XCOPY))


def imported(kind: str | None, **fields: Any) -> list[str]:
    """Return what is found of a disk that the CSI driver is to import from a datastore of some kind."""
    disks = [{"size": "1Gi", "datastore": "ds1", "file": FILE, **fields}]
    made = project(vm("a", disks=disks), **sections(CSI))
    part = Inventory(
        metadata=InventoryMetadata(name="vc1"),
        source=Origin(name="vc1", kind="vcenter"),
        datastores=(InventoryDatastore(name="ds1", kind=kind),),
    )
    made = replace(made, inventories=(part,))
    return [each.message for each in check(review(made, resolve(made))) if each.code == "VMF762"]


def test_the_csi_driver_imports_no_vmdk() -> None:
    [message] = imported("VMFS")
    assert "is a VMDK" in message


@pytest.mark.parametrize(("kind", "fields"), [("VVOL", {}), (None, {}), ("VMFS", {"rdm": "virtual"})])
def test_the_csi_driver_imports_vvols_and_mappings_and_what_nobody_knows(kind: str | None, fields: Data) -> None:
    assert imported(kind, **fields) == []


# --- versions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offload", "fields", "old", "new", "words"),
    [
        (XCOPY, {"method": "warm", "changeTracking": True}, "2.9", "2.10", "xcopy with method warm"),
        (CSI, {}, "2.12.1", "2.12.2", "csiVolumeImport"),
        (CSI, {}, "2.12", "main", "csiVolumeImport"),
        (
            {"csiVolumeImport": {"secretRef": "s", "storageVendorProduct": "ontap"}},
            {},
            "2.12.5",
            "main",
            "from ontap",
        ),
        ({"xcopy": {"secretRef": "s", "storageVendorProduct": "powerflex"}}, {}, "2.9", "2.9.1", "powerflex"),
        ({"xcopy": {"secretRef": "s", "storageVendorProduct": "infinibox"}}, {}, "2.9.2", "2.10", "infinibox"),
        (
            {"xcopy": {**XCOPY["xcopy"], "dedicatedMigrationHosts": ["host-7"]}},
            {},
            "2.12.5",
            "main",
            "dedicatedMigrationHosts",
        ),
        (
            XCOPY,
            {"disks": [{"size": "1Gi", "datastore": "ds1", "rdm": "physical"}]},
            "2.11",
            "2.12",
            "raw device mapping",
        ),
    ],
)
def test_an_older_forklift_copies_less(offload: Data, fields: Data, old: str, new: str, words: str) -> None:
    assert words in only("VMF506", vm("a", **fields), **sections(offload, old)).message
    assert silent("VMF506", vm("a", **fields), **sections(offload, new))


# --- what has to be prepared -------------------------------------------------------------------


def source(**settings: str) -> list[Data]:
    vcenter = {
        "url": "https://vc1.example.com/sdk",
        "credentials": {"secretRef": {"name": "vc1-vcenter"}},
        "settings": settings,
    }
    return [{"name": "vc1", "vcenter": vcenter}]


def test_the_esxi_hosts_have_to_take_the_order() -> None:
    assert "VIB" in only("VMF763", vm("a"), **sections(XCOPY)).help
    assert "SSH" in only("VMF763", vm("a"), **sections(XCOPY, sources=source(esxiCloneMethod="ssh"))).help
    assert "ESXi" not in only("VMF763", vm("a"), **sections(CSI)).help


def test_an_older_forklift_has_to_be_told_to_use_the_array() -> None:
    assert "feature_copy_offload" in only("VMF763", vm("a"), **sections(XCOPY, "2.10")).help
    assert "feature_copy_offload" not in only("VMF763", vm("a"), **sections(XCOPY, "2.11")).help


def test_a_row_is_used_by_the_vcenter_it_names() -> None:
    table = storage(XCOPY)
    table["map"][0]["source"]["source"] = "vc1"
    assert silent("VMF769", vm("a"), **(sections(XCOPY) | {"storage": table}))
    assert len(of("VMF769", vm("a", disks=[{"size": "1Gi", "datastore": "ds2"}]), **sections(XCOPY))) == 1
