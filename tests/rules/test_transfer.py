"""What the copy from vSphere needs."""

import pytest
from tests.resolve.projects import Data, vm
from tests.rules.ruling import only, silent

LAN = {"source": {"portGroup": "vlan-7", "vlan": 7}, "target": {"type": "bridge", "bridge": "br-vm"}}
VCENTER = {
    "url": "https://vc1.example.com/sdk",
    "credentials": {"secretRef": {"name": "vc1-vcenter"}},
    "conversionCredentials": {"secretRef": {"name": "vc1-conversion"}},
}
VDDK = {"vddkImage": "registry.example.com/vddk:8.0.3"}
THUMBPRINT = {"thumbprint": ":".join(["5A"] * 20)}


def sources(**fields: object) -> list[Data]:
    return [{"name": "vc1", "vcenter": VCENTER | fields}]


def copy_network(target: Data) -> list[Data]:
    return [LAN, {"name": "copy", "source": {"portGroup": "vmotion"}, "target": target}]


def test_vddk_needs_the_thumbprint_of_the_vcenter() -> None:
    assert "thumbprint of vCenter vc1 is unknown" in only("VMF108", vm("a"), sources=sources(**VDDK)).message
    assert silent("VMF108", vm("a"), sources=sources(**VDDK, **THUMBPRINT))
    assert silent("VMF108", vm("a"), sources=sources())


def test_vddk_needs_the_name_of_the_vmdk_it_imports() -> None:
    disk: Data = {"size": "40Gi", "datastore": "ds1", "source": {"vddk": {}}}
    known = sources(**VDDK, **THUMBPRINT)
    assert "its VMDK is unknown" in only("VMF108", vm("a", method="image", disks=[disk]), sources=known).message
    disk["file"] = "[ds1] a/a.vmdk"
    assert silent("VMF108", vm("a", method="image", disks=[disk]), sources=known)


def test_a_transfer_network_gives_pods_an_address() -> None:
    moved = vm("a", transferNetwork="copy")
    bare: Data = {"type": "ovn-layer2"}
    assert "pods get no address" in only("VMF204", moved, networks=copy_network(bare)).message
    assert silent("VMF204", moved, networks=copy_network(bare | {"subnets": ["10.9.0.0/24"]}))
    assert silent("VMF204", vm("a"), networks=copy_network(bare))
    assert silent("VMF204", moved, networks=copy_network({"type": "nad", "name": "copy"}))


# --- what Forklift finds ---------------------------------------------------------------------


def by_forklift(name: str = "a", **fields: object) -> Data:
    return vm(name, **{"path": "forklift", "method": "cold"} | fields)


def test_forklift_is_told_the_id_of_a_vm_whose_name_is_a_path() -> None:
    assert "would look for 'web'" in only("VMF741", by_forklift("team/web")).message
    assert "would look for 'web'" in only("VMF741", by_forklift("team%2Fweb", targetName="web")).message
    assert silent("VMF741", by_forklift("team/web", id="vm-7"))
    assert silent("VMF741", by_forklift("50% web"))
    assert silent("VMF741", vm("team/web"))


def test_forklift_is_told_the_id_of_a_network_whose_name_is_a_path() -> None:
    def networks(**source: object) -> list[Data]:
        return [{"source": {"portGroup": "Web/Prod", "vlan": 7} | source, "target": {"type": "bridge", "bridge": "br"}}]

    moved = by_forklift(nics=[{"network": "Web/Prod", "mac": "00:50:56:00:00:01"}])
    found = only("VMF741", moved, networks=networks())
    assert "network 'Web/Prod' of vc1: Forklift would look for 'Prod'" in found.message
    assert found.where is not None
    assert found.where.path == ("networks", 0, "source")
    assert silent("VMF741", moved, networks=networks(id="dvportgroup-7"))
    assert silent("VMF741", moved | {"path": "virt-v2v", "method": "job"}, networks=networks())


def test_forklift_is_told_the_id_of_a_datastore_whose_name_is_a_path() -> None:
    def storage(**source: object) -> Data:
        classes = [{"name": "ceph-block", "provisioner": "rook-ceph.rbd.csi.ceph.com", "tier": "gold"}]
        return {"classes": classes, "map": [{"source": {"datastore": "san/gold"} | source, "tier": "gold"}]}

    moved = by_forklift(disks=[{"size": "1Gi", "datastore": "san/gold"}])
    found = only("VMF741", moved, storage=storage())
    assert found.where is not None
    assert found.where.path == ("storage", "map", 0, "source")
    assert silent("VMF741", moved, storage=storage(id="datastore-7"))


@pytest.mark.parametrize(("stage", "told"), [("planned", True), ("prepared", True), ("migrating", False)])
def test_a_plan_that_has_not_begun_is_told_what_it_will_not_find(stage: str, *, told: bool) -> None:
    groups: Data = {"groups": {"first-01": {"stage": stage}}}
    assert silent("VMF741", by_forklift("team/web"), **groups) is not told
    assert silent("VMF742", by_forklift(method="warm", changeTracking=True), **groups) is not told


def test_a_warm_copy_wants_the_vddk() -> None:
    warm = by_forklift(method="warm", changeTracking=True)
    assert "1 VM is copied warm" in only("VMF742", warm).message
    assert silent("VMF742", warm, sources=sources(**VDDK))
    assert silent("VMF742", by_forklift())
