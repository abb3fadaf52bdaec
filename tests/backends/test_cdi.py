"""Tests of `vmferry.backends.cdi`."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.backends import schemas
from tests.backends.blueprints import (
    BLANK,
    THUMBPRINT,
    UPLOAD,
    VDDK,
    blueprint,
    disk,
    group,
    http,
    machine,
    registry,
    vcenter,
)

from vmferry.backends import cdi
from vmferry.model.blueprint import Machine
from vmferry.model.facts import DiskSource
from vmferry.model.manifest import KubeObject
from vmferry.model.spec import Cluster, Versions
from vmferry.resolve.conversions import conversion_now

CHECKSUM = "sha256:" + "0" * 64


def emitted(*machines: Machine, **fields: Any) -> list[KubeObject]:
    return schemas.objects(list(cdi.emit(blueprint(group(*machines), **fields))))


def volume(source: DiskSource = BLANK, **fields: Any) -> KubeObject:
    [found] = emitted(machine(disks=(disk("web-01", source=source, **fields),)))
    return found


@pytest.mark.parametrize("source", [BLANK, UPLOAD, VDDK, http("https://i/a.qcow2"), registry("docker://registry/a:1")])
def test_every_source_fits_the_schema(source: DiskSource) -> None:
    schemas.assert_fits(volume(source))


def test_nothing_is_left_to_the_storage_profile() -> None:
    assert volume(size=10 << 30, volume_mode="Filesystem")["spec"] == {
        "contentType": "kubevirt",
        "source": {"blank": {}},
        "storage": {
            "accessModes": ["ReadWriteMany"],
            "resources": {"requests": {"storage": "10Gi"}},
            "storageClassName": "ceph-block",
            "volumeMode": "Filesystem",
        },
    }


def test_volume_adopts_its_claim_and_is_never_pruned() -> None:
    annotations = volume()["metadata"]["annotations"]
    assert annotations["cdi.kubevirt.io/allowClaimAdoption"] == "true"
    assert annotations["kustomize.toolkit.fluxcd.io/prune"] == "disabled"
    assert "cdi.kubevirt.io/storage.bind.immediate.requested" not in annotations


KEEP = "cdi.kubevirt.io/storage.deleteAfterCompletion"


@pytest.mark.parametrize(("version", "collects"), [("1.54", True), ("1.57", True), ("1.61.0", True), ("1.62", False)])
def test_volume_says_that_it_stays_where_cdi_collects_complete_ones(version: str, *, collects: bool) -> None:
    [found] = emitted(machine(), cdi=version)
    assert found["metadata"]["annotations"].get(KEEP) == ("false" if collects else None)


@pytest.mark.parametrize("source", [BLANK, UPLOAD, http("https://i/a.qcow2")])
def test_volume_without_a_conversion_is_bound_at_once_where_that_was_decided(source: DiskSource) -> None:
    [found] = emitted(machine(method="image", disks=(disk("web-01", source=source, bind_immediately=True),)))
    annotations = found["metadata"]["annotations"]
    assert annotations["cdi.kubevirt.io/storage.bind.immediate.requested"] == "true"


def test_blank_volumes_of_a_conversion_wait_for_its_pod_and_bind_where_it_runs() -> None:
    annotations = volume(bind_immediately=True)["metadata"]["annotations"]
    assert "cdi.kubevirt.io/storage.bind.immediate.requested" not in annotations


def test_every_disk_comes_from_its_own_vmdk() -> None:
    files = ("[ds1] web-01/web-01.vmdk", "[ds2] web-01/web-01_1.vmdk")
    disks = tuple(disk("web-01", index, source=VDDK, file=file) for index, file in enumerate(files))
    volumes = emitted(machine(disks=disks))
    assert [each["spec"]["source"]["vddk"]["backingFile"] for each in volumes] == [*files]


def test_vddk_source_is_complete() -> None:
    assert volume(VDDK)["spec"]["source"]["vddk"] == {
        "backingFile": "[ds1] web-01/web-01_0.vmdk",
        "url": "https://vc.acme.example/sdk",
        "uuid": machine().uuid,
        "thumbprint": THUMBPRINT,
        "secretRef": "vc1-read",
        "initImageURL": "registry.acme.example/vddk:8.0.3",
    }


@pytest.mark.parametrize(("version", "by_instance"), [("1.63", False), ("1.65", False), ("1.66", True)])
def test_cdi_is_told_the_instance_uuid_where_it_goes_by_it(version: str, *, by_instance: bool) -> None:
    subject = machine(disks=(disk("web-01", source=VDDK),), instance_uuid="50301f6e-1c5d-4c6e-9d3a-000000000001")
    [found] = emitted(subject, cdi=version)
    assert found["spec"]["source"]["vddk"]["uuid"] == (subject.instance_uuid if by_instance else subject.uuid)


@pytest.mark.parametrize(("version", "checked"), [("1.63", False), ("1.64.2", False), ("1.65", True), ("1.66.0", True)])
def test_checksum_is_emitted_where_cdi_has_it(version: str, *, checked: bool) -> None:
    subject = machine(disks=(disk("web-01", source=http("https://i/a.qcow2", CHECKSUM)),))
    [found] = emitted(subject, cdi=version)
    source = found["spec"]["source"]["http"]
    assert (source.get("checksum") == CHECKSUM) is checked
    assert (source["secretRef"], source["certConfigMap"]) == ("web", "web-ca")


@pytest.mark.parametrize("source", [VDDK, http("https://i/a.qcow2", CHECKSUM)])
def test_a_volume_that_is_being_filled_is_as_it_was_whatever_the_spec_says_by_now(source: DiskSource) -> None:
    subject = machine(disks=(disk("web-01", source=source),))
    began = replace(
        subject,
        conversion=conversion_now(Cluster(name="prod-a", versions=Versions(cdi="1.63")), vcenter(), "vc1-read", 1),
    )
    now = vcenter(url="https://vc2.acme.example/sdk", vddk_image="registry.acme.example/vddk:next")
    group_now, group_then = (blueprint(group(each), source=now, cdi="1.66") for each in (subject, began))
    assert list(cdi.emit(group_then)) == list(cdi.emit(blueprint(group(subject))))
    assert list(cdi.emit(group_now)) != list(cdi.emit(group_then))


def test_shared_disk_has_one_volume() -> None:
    names = [
        obj["metadata"]["name"]
        for obj in emitted(
            machine("db-01", disks=(disk("db", shared="quorum"),)),
            machine("db-02", disks=(disk("db", shared="quorum", owner=False), disk("db-02", 1))),
        )
    ]
    assert names == ["db-disk-0", "db-02-disk-1"]


def test_golden_image_has_a_data_source_a_disk() -> None:
    objects = emitted(machine("rhel9", golden=True, disks=(disk("rhel9"), disk("rhel9", 1))))
    sources = [obj for obj in objects if obj["kind"] == "DataSource"]
    for obj in objects:
        schemas.assert_fits(obj)
    assert [obj["metadata"]["name"] for obj in sources] == ["rhel9-disk-0", "rhel9-disk-1"]
    assert sources[0]["spec"] == {"source": {"pvc": {"name": "rhel9-disk-0", "namespace": "web"}}}


def test_clone_has_no_volume_of_its_own() -> None:
    assert emitted(machine(clone_of="rhel9")) == []


def test_groups_of_other_paths_have_no_volumes() -> None:
    assert not list(cdi.emit(blueprint(group(machine(), path="forklift", method="warm"))))


def test_credential_of_the_right_vcenter_is_chosen_among_several() -> None:
    subject = machine(disks=(disk("web-01", source=VDDK),))
    [found] = emitted(subject, credentials={"vc2": "other-read", "vc1": "vc1-read"})
    assert found["spec"]["source"]["vddk"]["secretRef"] == "vc1-read"


def test_missing_credential_is_a_fault_of_the_blueprint() -> None:
    with pytest.raises(LookupError, match="conversion credential"):
        emitted(machine(disks=(disk("web-01", source=VDDK),)), credentials={})
