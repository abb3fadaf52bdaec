"""What is said of guests whose firmware, drivers, clock or identity would not be what they were."""

from typing import Any

import pytest
from tests.resolve.projects import Data, defaults, vm
from tests.rules.ruling import only, silent

EFI: Data = {"firmware": "efi", "secureBoot": False, "vtpm": False}
GITOPS = {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"}
COLD = {"defaults": defaults(path="forklift", method="cold")}
WINDOWS: Data = {"os": "windows", "timezone": "Europe/Vienna"}


@pytest.mark.parametrize(
    "facts",
    [
        {"guestId": "debian11_64Guest"},
        {"guestId": "debian8_64Guest"},
        {"guestId": "debian12_64Guest", "guestDetail": "Debian GNU/Linux 11 (bullseye)"},
        {"guestId": "otherLinux64Guest", "guestToolsName": "Debian GNU/Linux 10 (64-bit)"},
        {"guestId": "rhel6_64Guest"},
    ],
)
def test_an_efi_guest_without_a_fallback_loader_is_a_warning_on_every_path(facts: Data) -> None:
    assert "boot entry" in only("VMF548", vm(**EFI, **facts)).message
    assert "boot entry" in only("VMF548", vm(**EFI, **facts), **COLD).message


@pytest.mark.parametrize(
    "facts",
    [
        {"guestId": "debian12_64Guest"},
        {"guestId": "debian11_64Guest", "guestDetail": "Ubuntu 22.04.4 LTS"},
        {"guestId": "rhel9_64Guest"},
        {"guestId": "centos6_64Guest"},
        {"guestId": "sles15_64Guest"},
        {"guestId": "otherLinux64Guest"},
        {},
        {"guestId": "debian11_64Guest", "firmware": "bios"},
        {"guestId": "debian11_64Guest"} | WINDOWS,
    ],
)
def test_other_guests_boot_by_themselves_or_virt_v2v_helps(facts: Data) -> None:
    assert silent("VMF548", vm(**EFI | facts))


def test_virt_v2v_helps_nobody_whose_disk_is_copied_as_it_is() -> None:
    disks = [{"size": "40Gi", "datastore": "ds1", "source": {"vddk": {}}, "file": "[ds1] a/a.vmdk"}]
    raw = vm(**EFI, guestId="debian12_64Guest", method="image", disks=disks, powerState="poweredOff")
    assert "Debian 12" in only("VMF548", raw).message


@pytest.mark.parametrize(
    "facts",
    [
        {"guestId": "windows7Server64Guest"},
        {"guestId": "windows7_64Guest"},
        {"guestId": "otherGuest64", "guestToolsName": "Microsoft Windows Server 2008 R2 (64-bit)"},
    ],
)
def test_windows_without_sha_2_accepts_no_current_drivers(facts: Data) -> None:
    assert "virtio" in only("VMF550", vm(**WINDOWS, **facts)).message
    assert "legacy" in only("VMF550", vm(**WINDOWS, **facts), **COLD).help


@pytest.mark.parametrize(
    "facts",
    [
        {"guestId": "windows2019srv_64Guest"},
        {"guestId": "windows8Server64Guest"},
        {"guestId": "windows7Server64Guest", "disks": [{"size": "40Gi", "datastore": "ds1", "bus": "sata"}]},
        {},
    ],
)
def test_newer_windows_and_sata_need_no_old_drivers(facts: Data) -> None:
    assert silent("VMF550", vm(**WINDOWS, **facts))


def test_older_windows_needs_them_by_forklift_and_has_a_rule_of_its_own_by_virt_v2v() -> None:
    old = vm(**WINDOWS, guestId="winNetEnterprise64Guest")
    assert "virtio" in only("VMF550", old, **COLD).message
    assert silent("VMF550", old)
    assert "virtio" in only("VMF522", old).message


def test_red_hats_image_has_the_old_drivers() -> None:
    openshift: dict[str, Any] = {"target": {"cluster": {"name": "a", "distribution": "openshift"}, "gitops": GITOPS}}
    assert silent("VMF550", vm(**WINDOWS, guestId="windows7Server64Guest"), **COLD, **openshift)


@pytest.mark.parametrize(
    ("code", "facts", "near_miss"),
    [
        ("VMF545", {"hardwareVersion": None}, {"hardwareVersion": "vmx-10"}),
        ("VMF546", {"rootDisk": "/dev/sdb1"}, {"rootDisk": "/dev/sda1"}),
        ("VMF546", {"rootDisk": "/dev/nvme0n1p2"}, {"rootDisk": "/dev/mapper/vg-root"}),
        ("VMF546", {"rootDisk": "/dev/disk/by-uuid/4f6a"}, {"rootDisk": "/dev/md127"}),
        ("VMF549", {"os": "windows"}, WINDOWS),
        ("VMF549", {"os": "windows"}, {"os": "windows", "windowsTimezone": "Europe/Vienna"}),
    ],
)
def test_what_path_virt_v2v_needs_is_no_matter_of_forklifts(code: str, facts: Data, near_miss: Data) -> None:
    assert only(code, vm(**facts)).vms == ("web-01",)
    assert silent(code, vm(**near_miss))
    assert silent(code, vm(**{key: facts[key] for key in facts if key != "rootDisk"}), **COLD)


def test_a_default_time_zone_is_for_windows_only() -> None:
    from tests.resolve.projects import machines, resolved

    zone = {"defaults": defaults(windowsTimezone="Europe/Vienna")}
    found = machines(resolved(vm("web-01"), vm("win-01", os="windows"), **zone))
    assert (found["web-01"].timezone, found["win-01"].timezone) == (None, "Europe/Vienna")


@pytest.mark.parametrize(
    "zone", ["W. Europe Standard Time", "Europe/Berln", "(UTC+01:00) Vienna", "UTC+01:00", "Wien/Europe"]
)
def test_what_is_no_time_zone_would_be_utc(zone: str) -> None:
    assert "not in the tz database" in only("VMF549", vm(**WINDOWS | {"timezone": zone})).message
    assert "not in the tz database" in only("VMF549", vm(timezone=zone)).message
    by_default = {"defaults": defaults(windowsTimezone=zone)}
    assert "not in the tz database" in only("VMF549", vm(os="windows"), **by_default).message


@pytest.mark.parametrize(
    "zone",
    ["Europe/Vienna", "UTC", "Etc/GMT-1", "America/Argentina/Buenos_Aires", "US/Pacific", "Asia/Calcutta"],
)
def test_a_time_zone_has_a_name_of_the_tz_database(zone: str) -> None:
    assert silent("VMF549", vm(**WINDOWS | {"timezone": zone}))


def test_forklift_sets_the_clock_of_windows_to_utc() -> None:
    assert not only("VMF556", vm(**WINDOWS), **COLD).settled
    assert silent("VMF556", vm(**WINDOWS | {"timezone": "Etc/UTC"}), **COLD)
    assert silent("VMF556", vm(), **COLD)
    assert silent("VMF556", vm(**WINDOWS))


def test_virt_v2v_helps_no_boot_loader_of_a_guest_that_it_does_not_convert() -> None:
    raw = vm(**EFI, guestId="debian12_64Guest", conversion="skip")
    assert "Debian 12" in only("VMF548", raw, **COLD).message
    assert silent("VMF548", vm(**EFI, guestId="debian12_64Guest"), **COLD)
