"""One VMDK for two disks, and two images under one name: each loses what a VM has."""

from typing import Any

import pytest
from tests.resolve.projects import Data, vm
from tests.rules.ruling import only, silent

TWO_PHASES = [{"name": "first"}, {"name": "second"}]


def on(
    name: str, *, datastore: str = "ds1", file: str = "[ds1] web/web.vmdk", shared: str | None = None, **more: Any
) -> Data:
    disk = {"size": "1Gi", "datastore": datastore, "file": file} | ({"shared": shared} if shared else {})
    return vm(name, disks=[disk], **more)


def test_two_vms_of_one_vmdk_are_an_error_that_names_both() -> None:
    found = only("VMF333", on("web-01"), on("web-02"))
    assert found.vms == ("web-01", "web-02")
    assert "[ds1] web/web.vmdk" in found.message


def test_two_disks_of_one_vm_are_not_one_vmdk_either() -> None:
    disk = {"size": "1Gi", "datastore": "ds1", "file": "[ds1] web/web.vmdk"}
    assert only("VMF333", vm("web-01", disks=[disk, disk])).vms == ("web-01",)


@pytest.mark.parametrize(
    "other",
    [
        {"file": "[ds1] web/web_1.vmdk"},
        {"file": "[ds1] Web/web.vmdk"},
        {"datacenter": "Other"},
    ],
)
def test_another_file_is_another_disk(other: dict[str, str]) -> None:
    assert silent("VMF333", on("web-01"), on("web-02", **other))


def image(name: str, url: str, device: str = "a", checksum: str | None = None) -> Data:
    source = {"http": {"url": url} | ({"checksum": checksum} if checksum else {})}
    disks = [{"size": "1Gi", "datastore": "ds1", "source": source}]
    return vm(name, path="virt-v2v", method="image", disks=disks)


@pytest.mark.parametrize(
    "url",
    ["https://i.example/b/disk.qcow2", "https://other.example/a/disk.qcow2?x=1", "https://i.example/b/d%69sk.qcow2"],
)
def test_images_whose_urls_end_alike_overwrite_each_other(url: str) -> None:
    found = only("VMF591", image("web-01", "https://i.example/a/disk.qcow2"), image("web-02", url))
    assert found.vms == ("web-01", "web-02")


def test_two_disks_of_one_vm_overwrite_each_other() -> None:
    disks = [
        {"size": "1Gi", "datastore": "ds1", "source": {"http": {"url": f"https://i.example/{part}/web.qcow2"}}}
        for part in ("system", "data")
    ]
    assert only("VMF591", vm("web-01", path="virt-v2v", method="image", disks=disks)).vms == ("web-01",)


def test_two_groups_whose_images_have_one_url_overwrite_each_other() -> None:
    one = image("web-01", "https://i.example/disk.qcow2")
    other = image("db-01", "https://i.example/disk.qcow2?for=db") | {"phase": "second"}
    assert only("VMF591", one, other, phases=TWO_PHASES).vms == ("db-01", "web-01")


def test_two_groups_may_have_folders_of_their_own() -> None:
    one = image("web-01", "https://i.example/web/disk.qcow2")
    other = image("db-01", "https://i.example/db/disk.qcow2") | {"phase": "second"}
    assert silent("VMF591", one, other, phases=TWO_PHASES)


def test_the_clones_of_a_golden_image_are_not_published() -> None:
    golden = image("golden", "https://i.example/golden.qcow2") | {"template": True, "nics": []}
    clones = [vm(name, path="virt-v2v", method="image", cloneOf="golden", disks=None) for name in ("ci-a", "ci-b")]
    assert silent("VMF591", golden, *clones)


def test_names_of_their_own_and_one_image_for_two_are_fine() -> None:
    same = "https://i.example/golden.qcow2"
    digest = f"sha256:{'ab' * 32}"
    assert silent("VMF591", image("web-01", "https://i.example/1.qcow2"), image("web-02", "https://i.example/2.qcow2"))
    assert silent("VMF591", image("web-01", same, checksum=digest), image("web-02", same, checksum=digest))
