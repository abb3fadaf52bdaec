"""What `vmferry import vcenter` writes is what govc, another client, says of the same VMs."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from tests.importers.vcsim import PASSWORD, USER, Server, running
from tests.invocation import vmferry
from tests.ran import module_version, ran

_BUILT = Path(__file__).parents[2] / ".tools" / "bin" / "govc"


class Seen(NamedTuple):
    """What both clients tell of a VM."""

    cpus: int
    memory: str
    guest: str
    disks: frozenset[str]  # file names
    macs: frozenset[str]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("vcsim"), "-vm", "5", "-cluster", "2") as found:
        yield found


def test_no_vm_no_disk_and_no_nic_is_lost_or_made_up(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    govc = Govc(server, tmp_path)
    govc("vm.change", "-vm", "DC0_H0_VM0", "-c", "6", "-m", "3072")
    govc("vm.disk.create", "-vm", "DC0_H0_VM1", "-name", "DC0_H0_VM1/second", "-size", "7G")
    govc("vm.network.add", "-vm", "DC0_H0_VM2", "-net", "VM Network", "-net.adapter", "vmxnet3")
    monkeypatch.setenv("VMFERRY_VCENTER_USER", USER)
    monkeypatch.setenv("VMFERRY_VCENTER_PASSWORD", PASSWORD)
    result = vmferry("import", "vcenter", server.url, "--source", "vc1", "--out", tmp_path / "out", "--insecure")
    assert result.code == 0, result.text
    imported = _imported(tmp_path / "out")
    ran("vSphere", govc.version, "`vmferry import vcenter` against vcsim; govc sees the same VMs, disks and NICs")
    assert imported == govc.machines()
    assert len(imported) == 15
    assert imported["DC0_H0_VM0"][:2] == (6, "3Gi")
    assert len(imported["DC0_H0_VM1"].disks) == len(imported["DC0_H0_VM2"].macs) == 2


class Govc:
    """Runs govc; skips without it, unless VMFERRY_REQUIRE_VCSIM=1."""

    def __init__(self, server: Server, home: Path) -> None:
        program = str(_BUILT) if _BUILT.is_file() else shutil.which("govc")
        if program is None:
            if os.environ.get("VMFERRY_REQUIRE_VCSIM") == "1":
                pytest.fail("govc is neither in .tools/bin nor on PATH: make testtools")
            pytest.skip("govc is neither in .tools/bin nor on PATH: make testtools")
        self.program = program
        login = {"GOVC_URL": server.url, "GOVC_USERNAME": USER, "GOVC_PASSWORD": PASSWORD, "GOVC_INSECURE": "true"}
        self.environment = {**os.environ, **login, "HOME": str(home), "GOVMOMI_HOME": str(home)}

    def __call__(self, *arguments: str) -> str:
        command = [self.program, *arguments]
        done = subprocess.run(command, env=self.environment, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def version(self) -> str:
        """Return the version of the API that is claimed, and what the simulator is built from."""
        claimed = json.loads(self("about", "-json"))["about"]["apiVersion"]
        return f"{claimed} (govmomi {module_version(Path(self.program), 'github.com/vmware/govmomi')})"

    def machines(self) -> dict[str, Seen]:
        """Return every VM by name."""
        names = [line.rpartition("/")[2] for line in self("find", "/", "-type", "m").splitlines()]
        listed = json.loads(self("vm.info", "-json", *names))
        return {each["name"]: _seen(each["config"]) for each in listed["virtualMachines"]}


def _seen(config: Any) -> Seen:
    devices = config["hardware"]["device"]
    mebibytes = config["hardware"]["memoryMB"]
    return Seen(
        cpus=config["hardware"]["numCPU"],
        memory=f"{mebibytes // 1024}Gi" if mebibytes % 1024 == 0 else f"{mebibytes}Mi",
        guest=config["guestId"],
        disks=frozenset(each["backing"]["fileName"] for each in devices if "capacityInBytes" in each),
        macs=frozenset(each["macAddress"].lower() for each in devices if "macAddress" in each),
    )


def _imported(out: Path) -> dict[str, Seen]:
    parts = [yaml.safe_load(path.read_text()) for path in sorted(out.rglob("*.yaml"))]
    return {vm["name"]: _fact(vm) for part in parts for vm in part.get("vms", ())}


def _fact(vm: Any) -> Seen:
    return Seen(
        cpus=vm["cpu"]["count"],
        memory=vm["memory"],
        guest=vm["guestId"],
        disks=frozenset(disk["file"] for disk in vm["disks"]),
        macs=frozenset(nic["mac"].lower() for nic in vm["nics"]),
    )
