"""Real guests, moved by what vmferry emits and booted as KubeVirt would: each is as it was. See docs/guests.md."""

import os
import shutil
import uuid
from pathlib import Path
from typing import Any

import pytest
from tests.guests import conversion, images, machine
from tests.guests.estate import GUESTS, Guest, spec
from tests.invocation import vmferry

WANTED = os.environ.get("VMFERRY_GUESTS", "")
CHOSEN = [
    guest
    for guest in GUESTS
    if WANTED == "all" or (WANTED == "cheap" and guest.cheap) or guest.name in WANTED.split(",")
]
PROGRAMS = (
    "debootstrap",
    "virt-v2v",
    "guestfish",
    "nbdcopy",
    "qemu-system-x86_64",
    "grub-mkimage",
    "mformat",
    "genisoimage",
)

pytestmark = pytest.mark.skipif(not WANTED, reason="make guests runs it: real guests, many minutes")


@pytest.fixture(scope="module", autouse=True)
def _prepared() -> None:
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"needs root, and {', '.join(missing) or 'all programs are here'}: see docs/guests.md")


@pytest.fixture(scope="module", name="output")
def _output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what vmferry compiles of the guests' migration."""
    folder = tmp_path_factory.mktemp("output")
    (folder / "spec").mkdir()
    for name, content in spec().items():
        (folder / "spec" / name).write_bytes(content)
    run = vmferry("compile", folder / "spec", "--out", folder)
    assert run.code == 0, run.text
    return folder


def virtual_machine(output: Path, name: str) -> dict[str, Any]:
    [found] = [each for each in conversion.objects(output, "VirtualMachine") if each["metadata"]["name"] == name]
    return found


def volumes(guest: Guest, output: Path) -> tuple[list[Path], str]:
    """Return the volumes that a guest's conversion wrote, and its log."""
    folder, log = conversion.converted(guest, images.disks(guest), output)
    return conversion.volumes(guest, folder), log


def as_the_guest_saw_it(text: str) -> str:
    """Return a UUID of vCenter as SMBIOS shows it on hardware version 13 and later: three fields little-endian."""
    return str(uuid.UUID(bytes_le=uuid.UUID(text).bytes))


@pytest.mark.parametrize("guest", [each for each in CHOSEN if not each.clones], ids=lambda guest: guest.name)
def test_a_guest_comes_up_as_it_was(guest: Guest, output: Path) -> None:
    disks, log = volumes(guest, output)
    assert "WARNING" not in log, log
    report = machine.boot(virtual_machine(output, guest.name), disks)
    assert report.nics == {nic.interface: nic.mac for nic in guest.nics}, report.console[-2000:]
    for nic in guest.nics:
        wanted = set(nic.addresses) or {"10.0.2.15/24"}  # QEMU's DHCP server
        assert report.addresses.get(nic.interface) == wanted, report.console[-2000:]
    assert report.hostname == guest.name
    assert report.uuid == as_the_guest_saw_it(guest.uuid)


@pytest.mark.parametrize("guest", [each for each in CHOSEN if each.clones], ids=lambda guest: guest.name)
def test_clones_are_machines_of_their_own(guest: Guest, output: Path) -> None:
    disks, _ = volumes(guest, output)
    reports = {name: machine.boot(virtual_machine(output, name), disks) for name in guest.clones}
    assert {name: report.hostname for name, report in reports.items()} == {name: name for name in guest.clones}
    keys = [report.keys for report in reports.values()]
    assert all(keys)
    assert not keys[0] & keys[1]
