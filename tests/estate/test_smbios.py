"""The UUID and serial number that a guest reads."""

import pytest

from vmferry.estate.smbios import guest_serial, guest_uuid, hardware_number

UUID = "4216f299-1667-6d3e-d18a-03e18afffd01"


@pytest.mark.parametrize(
    ("version", "number"),
    [("vmx-19", 19), ("vmx-07", 7), ("VMX-13", 13), ("13", 13), ("vmx-", None), ("ESXi 6.5", None), (None, None)],
)
def test_hardware_versions_are_numbers(version: str | None, number: int | None) -> None:
    assert hardware_number(version) == number


@pytest.mark.parametrize("version", ["vmx-13", "vmx-19", "vmx-21", None])
def test_new_hardware_shows_the_first_three_fields_swapped(version: str | None) -> None:
    assert guest_uuid(UUID.upper(), version) == "99f21642-6716-3e6d-d18a-03e18afffd01"


@pytest.mark.parametrize("version", ["vmx-12", "vmx-10", "vmx-04"])
def test_old_hardware_shows_the_uuid_as_vcenter_has_it(version: str) -> None:
    assert guest_uuid(UUID.upper(), version) == UUID


def test_the_serial_number_has_the_bytes_as_vcenter_has_them() -> None:
    assert guest_serial(UUID.upper()) == "VMware-42 16 f2 99 16 67 6d 3e-d1 8a 03 e1 8a ff fd 01"
