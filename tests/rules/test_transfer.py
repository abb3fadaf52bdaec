"""What the copy from vSphere needs."""

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
