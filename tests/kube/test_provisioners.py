"""What CSI drivers can do, by CDI's table."""

import msgspec
import pytest
from tests.resolve.projects import finding, resolved, vm

from vmferry.kube.provisioners import claims, known_claims
from vmferry.model.spec import StorageClass

RWX_B, RWX_F = ("ReadWriteMany", "Block"), ("ReadWriteMany", "Filesystem")
RWO_B, RWO_F = ("ReadWriteOnce", "Block"), ("ReadWriteOnce", "Filesystem")


@pytest.mark.parametrize(
    ("provisioner", "parameters", "wanted"),
    [
        ("rbd.csi.ceph.com", {}, {RWX_B, RWO_B, RWO_F}),
        ("rook-ceph.rbd.csi.ceph.com", {}, {RWX_B, RWO_B, RWO_F}),
        ("openshift-storage.cephfs.csi.ceph.com", {}, {RWX_F, RWO_F}),
        ("driver.longhorn.io", {}, {RWO_B}),
        ("driver.longhorn.io", {"migratable": "true"}, {RWX_B, RWO_B}),
        ("kubevirt.io.hostpath-provisioner", {}, {RWO_F}),
        ("topolvm.io", {}, {RWO_B, RWO_F}),
        ("ebs.csi.aws.com", {"type": "gp3"}, {RWO_B}),
        ("ebs.csi.aws.com", {"type": "io2"}, {RWX_B, RWO_B, RWO_F}),
        ("pd.csi.storage.gke.io", {}, {RWO_B, RWO_F}),
        ("disk.csi.azure.com", {}, {RWO_B}),
        ("csi.vsphere.vmware.com", {}, {RWO_B, RWO_F}),
        ("csi.trident.netapp.io", {"backendType": "ontap-nas"}, {RWX_F, RWO_F}),
        ("csi.trident.netapp.io", {}, set()),
        ("pxd.portworx.com", {}, {RWX_B, RWX_F, RWO_B, RWO_F}),
        ("notrbd.csi.ceph.com.example", {}, set()),
        ("example.com/own", {}, set()),
    ],
)
def test_a_provisioner_can_do_what_cdi_says(
    provisioner: str, parameters: dict[str, str], wanted: set[tuple[str, str]]
) -> None:
    assert set(known_claims(provisioner, parameters)) == wanted


def storage_class(**fields: object) -> StorageClass:
    return msgspec.convert({"name": "own", "provisioner": "example.com/own", **fields}, StorageClass)


def test_an_unknown_provisioner_can_do_what_the_spec_says() -> None:
    own = storage_class(accessModes=["ReadWriteMany"], volumeModes=["Block", "Filesystem"])
    assert set(claims(own)) == {RWX_B, RWX_F}


def test_half_of_what_an_unknown_provisioner_can_do_is_not_enough() -> None:
    assert claims(storage_class(accessModes=["ReadWriteMany"])) == ()


def test_a_spec_may_narrow_what_a_driver_can_do() -> None:
    ceph = storage_class(provisioner="rbd.csi.ceph.com", accessModes=["ReadWriteOnce"])
    assert set(claims(ceph)) == {RWO_B, RWO_F}


def test_a_mode_the_driver_does_not_have_is_refused() -> None:
    classes = [{"name": "nfs", "provisioner": "nfs.csi.k8s.io", "tier": "gold", "volumeModes": ["Block", "Filesystem"]}]
    storage = {"classes": classes, "map": [{"source": {"datastore": "ds1"}, "tier": "gold"}]}
    assert "nfs.csi.k8s.io has no Block" in finding(resolved(vm(), storage=storage), "VMF303").message
