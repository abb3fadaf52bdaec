"""Cloud disks are in one zone even where their class does not say so; local-path volumes are on one node."""

from typing import Any

import pytest
from tests.resolve.projects import Data, codes, defaults, resolved, vm
from tests.rules.test_storage import STATEFUL, TWO_DISKS, cluster, found, reviewed, storage

TWO_ZONES = cluster({"zone": "a"}, {"zone": "b"})
ONE_ZONE = cluster({"zone": "a"}, {"zone": "a"})
NONE = defaults(liveMigration="none")


def told(code: str, provisioner: str, nodes: Data = TWO_ZONES, machine: Data | None = None, **fields: Any) -> int:
    item = {"name": "cloud", "provisioner": provisioner, "tier": "gold", "waitForFirstConsumer": True, **fields}
    if provisioner in ("diskplugin.csi.alibabacloud.com", "vpc.block.csi.ibm.io"):
        item |= {"accessModes": ["ReadWriteOnce"], "volumeModes": ["Block"]}
    sections: Data = {"storage": storage(item), "target": nodes, "phases": STATEFUL, "defaults": NONE}
    return len(found(code, reviewed(machine or vm("a"), **sections)))


@pytest.mark.parametrize(
    "provisioner",
    [
        "ebs.csi.aws.com",
        "pd.csi.storage.gke.io",
        "disk.csi.azure.com",
        "blockvolume.csi.oraclecloud.com",
        "diskplugin.csi.alibabacloud.com",
        "vpc.block.csi.ibm.io",
    ],
)
def test_cloud_disks_are_in_one_zone(provisioner: str) -> None:
    assert told("VMF323", provisioner) == 1
    assert told("VMF323", provisioner, ONE_ZONE) == 0


@pytest.mark.parametrize(
    ("provisioner", "parameters"),
    [
        ("pd.csi.storage.gke.io", {"type": "pd-balanced", "replication-type": "regional-pd"}),
        ("pd.csi.storage.gke.io", {"type": "hyperdisk-balanced-high-availability"}),
        ("disk.csi.azure.com", {"skuName": "Premium_ZRS"}),
        ("efs.csi.aws.com", {}),
        ("rook-ceph.rbd.csi.ceph.com", {}),
    ],
)
def test_what_is_replicated_over_zones_is_not(provisioner: str, parameters: Data) -> None:
    assert told("VMF323", provisioner, parameters=parameters) == 0


def test_a_sku_of_one_zone_is() -> None:
    assert told("VMF323", "disk.csi.azure.com", parameters={"skuName": "Premium_LRS"}) == 1


def test_two_cloud_disks_of_one_vm_may_be_made_in_two_zones() -> None:
    image = vm("a", disks=TWO_DISKS, method="image")
    assert told("VMF321", "ebs.csi.aws.com", machine=image) == 1
    assert told("VMF321", "ebs.csi.aws.com", ONE_ZONE, machine=image) == 0
    assert told("VMF321", "ebs.csi.aws.com", machine=vm("a", disks=TWO_DISKS)) == 0  # a Job mounts both


LOCAL = {"name": "local-path", "provisioner": "rancher.io/local-path", "tier": "gold", "waitForFirstConsumer": True}


def test_local_path_is_known() -> None:
    assert codes(resolved(vm(), storage=storage(LOCAL), defaults=NONE)) == []
    assert "VMF301" in codes(resolved(vm(), storage=storage(LOCAL), defaults=defaults(liveMigration="required")))
    assert "VMF303" in codes(resolved(vm(), storage=storage(LOCAL | {"volumeModes": ["Block"]}), defaults=NONE))


def test_local_path_on_a_shared_file_system_is_what_its_class_says() -> None:
    shared = storage(LOCAL | {"accessModes": ["ReadWriteMany"], "volumeModes": ["Filesystem"]})
    assert codes(resolved(vm(), storage=shared, defaults=defaults(liveMigration="required"))) == []
