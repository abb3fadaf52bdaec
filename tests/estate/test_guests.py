"""Which guest systems virt-v2v converts, and which Red Hat supports."""

import pytest

from vmferry.estate.guests import supported, unconverted


@pytest.mark.parametrize(
    ("guest_id", "tools", "name", "system"),
    [
        ("freebsd13_64Guest", None, "FreeBSD 13 (64-bit)", "FreeBSD"),
        ("vmwarePhoton64Guest", None, None, "Photon OS"),
        ("other3xLinux64Guest", None, "VMware Photon OS (64-bit)", "Photon OS"),
        ("other5xLinux64Guest", "Alpine Linux v3.18", None, "Alpine Linux"),
        ("solaris11_64Guest", None, None, "Solaris"),
        ("darwin21_64Guest", None, None, "macOS"),
        ("vmkernel7Guest", None, None, "ESXi"),
        ("otherGuest64", None, "OpenBSD 7", "BSD"),
        ("netware6Guest", None, None, "NetWare"),
    ],
)
def test_what_is_neither_windows_nor_a_linux_it_knows_is_not_converted(
    guest_id: str | None, tools: str | None, name: str | None, system: str
) -> None:
    assert unconverted(guest_id, tools, name) == system


@pytest.mark.parametrize(
    ("guest_id", "tools", "name"),
    [
        ("ubuntu64Guest", None, "Ubuntu Linux (64-bit)"),
        ("debian12_64Guest", None, None),
        ("sles15_64Guest", None, None),
        ("oracleLinux8_64Guest", None, "Oracle Linux 8 (64-bit)"),
        ("rockylinux_64Guest", None, None),
        ("winXPProGuest", None, None),
        ("windows7Server64Guest", None, None),
        ("otherLinux64Guest", None, "Other Linux (64-bit)"),
        ("otherGuest64", None, "Other (64-bit)"),
        (None, None, None),
    ],
)
def test_what_it_converts_and_what_nobody_knows_is_not_called_unconverted(
    guest_id: str | None, tools: str | None, name: str | None
) -> None:
    assert unconverted(guest_id, tools, name) is None


def test_what_tools_report_comes_before_what_somebody_once_chose() -> None:
    assert unconverted("freebsd64Guest", "Ubuntu Linux (64-bit)", "FreeBSD (64-bit)") is None
    assert unconverted("ubuntu64Guest", "FreeBSD 13 (64-bit)", "Ubuntu Linux (64-bit)") == "BSD"


@pytest.mark.parametrize(
    "guest_id",
    ["windows9Guest", "windows9_64Guest", "windows9Server64Guest", "windows2019srvNext_64Guest", "windows11_64Guest"],
)
def test_vsphere_calls_windows_10_and_server_2016_windows_9(guest_id: str) -> None:
    assert supported(guest_id)


@pytest.mark.parametrize("guest_id", ["windows8Server64Guest", "windows7_64Guest", "rhel6_64Guest", "centos9_64Guest"])
def test_older_systems_and_relatives_are_on_no_list(guest_id: str) -> None:
    assert not supported(guest_id)
