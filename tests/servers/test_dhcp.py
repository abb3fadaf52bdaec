"""Reservations as real DHCP servers read them: the configuration check of Debian's Kea, ISC dhcpd and dnsmasq."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.invocation import vmferry
from tests.reports.hostile import HOSTILE
from tests.reports.test_addresses import NETWORKS, asks, estate
from tests.servers.programs import program

CHECKS: dict[str, Callable[[Path], list[str]]] = {
    "kea": lambda file: [program("kea-dhcp4"), "-t", str(file)],
    "dhcpd": lambda file: [program("dhcpd"), "-t", "-cf", str(file)],
    "dnsmasq": lambda file: [program("dnsmasq"), "--test", "-C", str(file)],
}
OTHER: dict[str, Any] = {
    "source": {"portGroup": "wan", "vlan": 8},
    "target": {"type": "bridge", "bridge": "br-vm", "vlan": 8},
    "subnet": "10.0.8.0/22",
}


def accepted(style: str, spec: Path, folder: Path) -> str:
    """Return the configuration for a server, once the server has accepted it."""
    result = vmferry("report", "addresses", spec, "--format", style)
    assert result.code == 0, result.err
    file = folder / f"{style}.conf"
    file.write_text(result.out, encoding="utf-8")
    found = subprocess.run(CHECKS[style](file), capture_output=True, text=True, check=False, timeout=60)
    assert found.returncode == 0, f"{found.stdout}{found.stderr}\n{result.out}"
    return result.out


@pytest.mark.parametrize("style", CHECKS)
def test_a_server_accepts_the_reservations_of_two_subnets(style: str, tmp_path: Path) -> None:
    spec = estate(
        tmp_path,
        {"nics": [asks(12, nameservers=["10.0.0.53", "10.0.0.54"])], "hostname": "web-12.acme.example"},
        [asks(13, network="wan", addresses=["10.0.9.13/22"]), asks(14)],
        networks=[*NETWORKS, OTHER],
    )
    text = accepted(style, spec, tmp_path)
    assert all(each in text for each in ("10.0.7.12", "10.0.9.13", "10.0.7.14", "00:50:56:9a:00:0d"))


@pytest.mark.parametrize("style", CHECKS)
def test_a_server_accepts_reservations_of_guests_with_hostile_names(style: str, tmp_path: Path) -> None:
    words = ("ignore", "45m", "set:x", "option router 1.2.3.4;", *HOSTILE)
    vms = [{"nics": [asks(number)], "hostname": text} for number, text in enumerate(words, 2)]
    accepted(style, estate(tmp_path, *vms), tmp_path)


@pytest.mark.parametrize("style", CHECKS)
def test_a_server_accepts_a_configuration_without_reservations(style: str, tmp_path: Path) -> None:
    accepted(style, estate(tmp_path, [asks(12, addresses=[])]), tmp_path)


@pytest.mark.parametrize(
    ("style", "right", "wrong"),
    [
        ("kea", "10.0.7.12", "10.0.7.1200"),
        ("dhcpd", "10.0.7.12", "10.0.7.1200"),
        ("dnsmasq", "255.255.255.0", "255.255.255.300"),  # it takes a wrong address for a name
    ],
)
def test_the_check_of_a_server_does_refuse_what_is_wrong(style: str, right: str, wrong: str, tmp_path: Path) -> None:
    result = vmferry("report", "addresses", estate(tmp_path, [asks(12)]), "--format", style)
    file = tmp_path / "wrong.conf"
    file.write_text(result.out.replace(right, wrong), encoding="utf-8")
    found = subprocess.run(CHECKS[style](file), capture_output=True, text=True, check=False, timeout=60)
    assert found.returncode != 0
