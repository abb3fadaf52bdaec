"""Boots a VirtualMachine in QEMU as KubeVirt would define it: firmware, disks and their order, NICs, SMBIOS."""

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from tests.guests.cache import sh

_OVMF = Path("/usr/share/OVMF")
_TIMEOUT = 900  # seconds; a boot takes 40 on an idle machine, without KVM


class Report(NamedTuple):
    """What a guest said of itself."""

    hostname: str
    uuid: str
    serial: str
    nics: dict[str, str]  # MAC by interface
    addresses: dict[str, set[str]]  # by interface
    keys: frozenset[str]
    console: str


def boot(vm: dict[str, Any], disks: list[Path]) -> Report:
    """Return the report of a VirtualMachine that boots from these disks; they stay as they are."""
    with tempfile.TemporaryDirectory() as scratch:
        command = _qemu(vm, disks, Path(scratch))
        console = Path(scratch) / "console"
        try:
            subprocess.run(command, timeout=_TIMEOUT, check=True, capture_output=True, text=True)
        except subprocess.TimeoutExpired:
            text = console.read_text(errors="replace") if console.exists() else ""
            raise AssertionError(f"it did not report in {_TIMEOUT} s: {text[-3000:]}") from None
        except subprocess.CalledProcessError as failure:
            raise AssertionError(f"QEMU: {failure.stderr}") from None
        return _read(console.read_text(errors="replace"))


def _qemu(vm: dict[str, Any], disks: list[Path], scratch: Path) -> list[str]:
    spec = vm["spec"]["template"]["spec"]
    domain = spec["domain"]
    command = ["qemu-system-x86_64", "-machine", f"{domain['machine']['type']},accel=tcg", "-cpu", "max"]
    command += ["-m", str(int(domain["memory"]["guest"].removesuffix("Gi")) * 1024), "-no-reboot", "-nodefaults"]
    command += ["-display", "none", "-vga", "std", "-serial", f"file:{scratch}/console", "-boot", "strict=on"]
    cpu = domain["cpu"]
    command += ["-smp", f"sockets={cpu['sockets']},cores={cpu['cores']},threads={cpu['threads']}"]
    command += _firmware(domain["firmware"], scratch)
    ports = _Ports()
    for number, interface in enumerate(domain["devices"]["interfaces"]):
        assert interface["model"] == "virtio"
        command += ["-netdev", f"user,id=net{number},ipv6=off"]
        command += ports.device(f"virtio-net-pci,netdev=net{number},mac={interface['macAddress']},romfile=")
    command += _drives(spec, disks, scratch, ports)
    return command + ports.device("virtio-rng-pci")


class _Ports:
    """PCIe root ports, one for each device, as libvirt makes them for a q35."""

    def __init__(self) -> None:
        self.number = 0

    def device(self, text: str) -> list[str]:
        self.number += 1
        port = f"pcie-root-port,id=port{self.number},chassis={self.number},slot={self.number}"
        return ["-device", port, "-device", f"{text},bus=port{self.number}"]


def _firmware(firmware: dict[str, Any], scratch: Path) -> list[str]:
    """Return the identity, as libvirt hands `sysinfo` on, and for EFI flash with no boot entries in it."""
    options = ["-uuid", firmware["uuid"]]
    options += ["-smbios", f"type=1,uuid={firmware['uuid']},serial={firmware['serial']},manufacturer=KubeVirt"]
    if "efi" not in firmware["bootloader"]:
        return options
    assert firmware["bootloader"]["efi"]["secureBoot"] is False
    variables = scratch / "vars.fd"
    variables.write_bytes((_OVMF / "OVMF_VARS_4M.fd").read_bytes())
    options += ["-drive", f"if=pflash,format=raw,readonly=on,file={_OVMF / 'OVMF_CODE_4M.fd'}"]
    return [*options, "-drive", f"if=pflash,format=raw,file={variables}"]


def _drives(spec: dict[str, Any], disks: list[Path], scratch: Path, ports: _Ports) -> list[str]:
    command: list[str] = []
    left = list(disks)
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    for number, disk in enumerate(spec["domain"]["devices"]["disks"]):
        order = f",bootindex={disk['bootOrder']}" if "bootOrder" in disk else ""
        if "cloudInitNoCloud" in volumes[disk["name"]]:
            path = _seed(spec, volumes[disk["name"]]["cloudInitNoCloud"], scratch)
            assert disk["disk"] == {"bus": "virtio"}
            command += ["-drive", f"if=none,id=drive{number},format=raw,readonly=on,file={path}"]
            command += ports.device(f"virtio-blk-pci,drive=drive{number}{order}")
            continue
        path = left.pop(0)
        kind = "qcow2" if path.suffix == ".qcow2" else "raw"
        command += ["-drive", f"if=none,id=drive{number},format={kind},snapshot=on,file={path}"]
        assert disk["disk"]["bus"] == "virtio"
        serial = f",serial={disk['serial']}" if "serial" in disk else ""
        command += ports.device(f"virtio-blk-pci,drive=drive{number}{serial}{order}")
    assert not left, f"{len(left)} disks are in no manifest"
    return command


def _seed(spec: dict[str, Any], data: dict[str, str], scratch: Path) -> Path:
    """Return the disk that cloud-init reads; KubeVirt adds the host name (pkg/cloud-init, NoCloud metadata)."""
    folder, image = scratch / "seed", scratch / "seed.iso"
    folder.mkdir()
    name = spec.get("hostname", "")
    (folder / "meta-data").write_text(f"instance-id: {name}.guests\nlocal-hostname: {name}\n")
    (folder / "user-data").write_text(data["userData"])
    if "networkData" in data:
        (folder / "network-config").write_text(data["networkData"])
    sh("genisoimage", "-quiet", "-output", image, "-volid", "cidata", "-joliet", "-rock", folder)
    return image


def _read(console: str) -> Report:
    found = re.search(r"=== report\r?\n(.*?)=== end", console, re.DOTALL)
    assert found, f"there is no report on the console: {console[-3000:]}"
    said: dict[str, list[str]] = {}
    for line in found[1].splitlines():
        kind, _, rest = line.strip().partition(" ")
        said.setdefault(kind, []).append(rest)
    addresses: dict[str, set[str]] = {}
    for line in said.get("address", []):
        interface, _, address = line.partition(" ")
        addresses.setdefault(interface, set()).add(address)
    return Report(
        hostname=said["hostname"][0],
        uuid=said["uuid"][0].lower(),
        serial=said["serial"][0],
        nics=dict(line.split(" ") for line in said.get("nic", [])),
        addresses=addresses,
        keys=frozenset(line.split(" ")[1] for line in said.get("key", [])),
        console=console,
    )
