"""Conversions by Forklift and raw copies, beyond the rules' own examples."""

from typing import Any

import pytest
from tests.resolve.projects import Data, defaults, vm
from tests.rules.ruling import app, only, silent
from tests.rules.test_offload import XCOPY, source, storage, target

COLD = defaults(path="forklift", method="cold")
ISO = {"size": "40Gi", "datastore": "ds1"}


def planned(**fields: Any) -> Data:
    return vm("a", path="forklift", method="cold", **fields)


def forklift(**fields: Any) -> Data:
    return planned(forklift=fields)


# --- raw copies --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"forklift": {"legacyDrivers": True}}, "forklift.legacyDrivers"),
        ({"forklift": {"xfsCompatibility": True}}, "forklift.xfsCompatibility"),
        ({"luksSecret": "keys"}, "luksSecret"),
        ({"nbdeClevis": True}, "nbdeClevis"),
    ],
)
def test_nothing_is_done_in_a_guest_that_nobody_converts(fields: Data, words: str) -> None:
    assert words in only("VMF507", planned(conversion="skip", **fields)).message
    assert silent("VMF507", planned(**fields))


def test_devices_are_for_guests_that_nobody_converts() -> None:
    assert "`devices`" in only("VMF507", planned(devices="virtio")).message
    assert silent("VMF507", planned(conversion="skip", devices="virtio"))


def test_a_plan_has_one_bus_for_all_disks_of_a_raw_copy() -> None:
    assert "one for all" in only("VMF507", planned(conversion="skip", disks=[{**ISO, "bus": "virtio"}])).message
    assert silent("VMF507", planned(conversion="skip", disks=[{**ISO, "bus": "sata"}]))
    assert silent("VMF507", planned(conversion="skip", devices="virtio", disks=[{**ISO, "bus": "virtio"}]))


def test_a_raw_copy_on_virtio_needs_the_guests_own_drivers() -> None:
    assert "devices: emulated" in only("VMF520", planned(conversion="skip", devices="virtio")).help
    assert silent("VMF520", planned(conversion="skip"))
    assert silent("VMF520", planned())


def test_nobody_asks_whether_virt_v2v_knows_a_guest_that_it_never_sees() -> None:
    strange = {"guestId": "freebsd13_64Guest", "guestDisks": [{"path": "/", "free": 1000}]}
    assert silent("VMF729", planned(conversion="skip", **strange))
    assert silent("VMF714", planned(conversion="skip", **strange))
    assert not silent("VMF714", planned(**strange))


def test_a_raw_copy_needs_vddk_unless_the_array_copies() -> None:
    assert "copied without conversion" in only("VMF742", planned(conversion="skip")).message
    assert silent("VMF742", planned())
    assert silent("VMF742", planned(conversion="skip"), storage=storage(XCOPY))
    with_image = source()
    with_image[0]["vcenter"]["vddkImage"] = "registry.example.com/vddk:8"
    assert silent("VMF742", planned(conversion="skip"), sources=with_image)


# --- other paths -------------------------------------------------------------------------------

OTHERS = [vm("a"), vm("a", method="image"), app("a")]


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"nestedVirtualization": True}, "forklift.nestedVirtualization"),
        ({"rdmAsLun": True}, "forklift.rdmAsLun"),
        ({"conversionStorage": {"storageClass": "ceph-block", "size": "1Ti"}}, "forklift.conversionStorage"),
        ({"offload": False}, "forklift.offload"),
    ],
)
def test_other_paths_have_no_use_for_what_a_vm_asks_of_forklift(other: Data, fields: Data, words: str) -> None:
    assert words in only("VMF507", other | {"forklift": fields}).message
    assert silent("VMF507", other)


def test_a_default_for_the_way_is_meant_for_those_that_go_it() -> None:
    assert silent("VMF507", vm("a"), defaults=defaults(forklift={"serviceAccount": "mover", "tags": "none"}))
    assert not silent("VMF507", vm("a"), defaults=defaults(forklift={"nestedVirtualization": True}))


def test_a_pinned_image_wins_over_the_switch_for_another() -> None:
    both = {"virtV2vImage": "registry.example.com/v2v:1", "xfsCompatibility": True}
    assert "overrides xfsCompatibility" in only("VMF507", forklift(**both)).message
    assert silent("VMF507", forklift(xfsCompatibility=True))


# --- versions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "old", "new"),
    [
        ({"forklift": {"convertor": {"labels": {"team": "move"}}}}, "2.9", "2.10"),
        ({"forklift": {"conversionStorage": {"storageClass": "ceph-block", "size": "1Ti"}}}, "2.10", "2.11"),
        ({"forklift": {"serviceAccount": "mover"}}, "2.11", "2.12"),
        ({"forklift": {"serviceAccount": "mover"}}, "2.11.2", "2.11.3"),
        ({"forklift": {"virtV2vImage": "registry.example.com/v2v:1"}}, "2.11.0", "2.11.1"),
        ({"forklift": {"xfsCompatibility": True}}, "2.10", "2.12"),
        ({"forklift": {"nestedVirtualization": False}}, "2.11", "2.12"),
        ({"forklift": {"tags": ["prod"]}}, "2.11.7", "2.12"),
        ({"forklift": {"rdmAsLun": True}}, "2.11.2", "2.11.3"),
        ({"conversion": "skip"}, "2.9", "2.9.1"),
    ],
)
def test_what_the_forklift_lacks_is_an_error(fields: Data, old: str, new: str) -> None:
    assert old in only("VMF506", planned(**fields), target=target(old)).message
    assert silent("VMF506", planned(**fields), target=target(new))


def test_an_aap_job_needs_a_forklift_that_starts_it() -> None:
    hooks = [{"name": "tell", "aap": {"jobTemplateId": 7}}]
    user = planned(hooks=[{"name": "tell", "step": "PostHook"}])
    assert "2.12 and later" in only("VMF506", user, hooks=hooks, target=target("2.11")).message
    assert silent("VMF506", user, hooks=hooks, target=target("2.12"))
    assert silent("VMF506", planned(), hooks=hooks, target=target("2.11"))


# --- conversion pods ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pods", "words"),
    [
        ({"requireNodes": [{"key": "zone", "operator": "NotIn"}]}, "needs values"),
        ({"preferNodes": [{"key": "zone", "values": ["a"]}]}, "takes no values"),
        ({"labels": {"forklift.app": "mine"}}, "label forklift.app"),
        ({"labels": {"plan-name": "mine", "team": "web"}}, "label plan-name"),
    ],
)
def test_conversion_pods_that_no_server_takes_are_an_error(pods: Data, words: str) -> None:
    assert words in only("VMF765", forklift(convertor=pods)).message


def test_a_scratch_volume_needs_a_class_that_is_there() -> None:
    storage_ = {"storageClass": "fast", "size": "1Ti"}
    assert "fast" in only("VMF766", forklift(conversionStorage=storage_)).message


def test_a_scratch_volume_needs_a_class_with_file_systems() -> None:
    def on(*modes: str) -> Data:
        row = {"name": "array", "provisioner": "rook-ceph.rbd.csi.ceph.com", "tier": "gold", "volumeModes": [*modes]}
        return {"classes": [row], "map": [{"source": {"datastore": "ds1"}, "tier": "gold"}]}

    moved = forklift(conversionStorage={"storageClass": "array", "size": "1Ti"})
    assert "no Filesystem volumes" in only("VMF766", moved, storage=on("Block")).message
    assert silent("VMF766", moved, storage=on("Block", "Filesystem"))


def test_reservations_need_a_raw_device_mapping_that_is_a_lun() -> None:
    mapped = [{**ISO, "rdm": "virtual"}]
    assert "no rdmAsLun" in only("VMF770", planned(disks=mapped, forklift={"scsiReservation": True})).message
    assert silent("VMF770", planned(disks=mapped, forklift={"scsiReservation": True, "rdmAsLun": True}))


def test_a_cutover_for_each_vm_needs_a_forklift_that_keeps_it() -> None:
    warm = vm("a", id="vm-1", path="forklift", method="warm", changeTracking=True)
    state = {"stage": "prepared", "vmCutover": {"a": "2027-01-11T20:30:00Z"}}
    given: Data = {"groups": {"first-01": state}}
    assert "vmCutover needs Forklift main" in only("VMF506", warm, target=target("2.12.5"), **given).message
    assert silent("VMF506", warm, target=target("main"), **given)


def test_a_raw_copy_keeps_no_address_that_is_known_to_be_static() -> None:
    nic = {"network": "vlan-7", "mac": "00:50:56:00:00:01"}
    static = [{**nic, "addresses": ["10.0.7.2/24"], "origin": "static"}]
    assert "vlan-7" in only("VMF771", planned(conversion="skip", nics=static)).message
    assert silent("VMF771", planned(nics=static))
    assert silent("VMF771", planned(conversion="skip", nics=[{**nic, "origin": "dhcp"}]))
    assert silent("VMF771", planned(conversion="skip", nics=[nic]))


def test_a_mount_without_any_capacity_needs_no_room() -> None:
    assert silent("VMF714", planned(guestDisks=[{"path": "/.addons", "capacity": 0, "free": 0}]))
    assert not silent("VMF714", planned(guestDisks=[{"path": "/var", "capacity": 1 << 30, "free": 0}]))
