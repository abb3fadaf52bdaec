"""Scripts that start sources again: against vcsim by govc, with what kubectl says of the target."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs
from tests.backends.estate import blueprint, group, machine
from tests.importers.vcsim import PASSWORD, USER, Server, running

from vmferry.backends import sources_back
from vmferry.model.blueprint import Group, Machine
from vmferry.model.manifest import File

_BUILT = Path(__file__).parents[2] / ".tools" / "bin" / "govc"


def rolled_back(*machines: Machine) -> Group:
    return group("first-01", "job", *machines, stage="rolled-back", reached="cutover")


def test_only_a_group_that_is_rolled_back_has_them() -> None:
    [shell, powershell] = sources_back.emit(blueprint(rolled_back(machine("db-01", id="vm-1"))))
    assert isinstance(shell, File)
    assert isinstance(powershell, File)
    assert (shell.path, shell.lock) == ("bases/first/first-01/start-sources.sh", "first/first-01")
    assert powershell.path.endswith("/start-sources.ps1")
    assert not list(sources_back.emit(blueprint(group("first-01", "job", machine("db-01"), stage="cutover"))))


def test_sources_that_serve_beside_their_targets_are_on() -> None:
    assert not list(sources_back.emit(blueprint(structs.replace(rolled_back(machine("db-01")), dual_run="parallel"))))


def test_names_from_vcenter_are_data_in_both() -> None:
    name = "it's $(reboot) \u2019; Stop-VM\n`id`"
    found = rolled_back(structs.replace(machine("db-01", id="vm-1"), name=name))
    assert "\nstart 'it'\"'\"'s $(reboot) \u2019; Stop-VM\n`id`' web db-01 VirtualMachine:vm-1\n" in sources_back.shell(
        found
    )
    assert "\nStart-Source 'it''s $(reboot) \u2019\u2019; Stop-VM\n`id`' 'web' 'db-01' 'VirtualMachine-vm-1'\n" in (
        sources_back.powershell(found)
    )


def test_golden_images_have_no_source_to_start_and_what_was_off_is_left_to_people() -> None:
    found = rolled_back(
        machine("golden", id="vm-1", golden=True),
        machine("off", id="vm-2", run_strategy="Halted"),
        machine("unknown", id=None),
    )
    for text in (sources_back.shell(found), sources_back.powershell(found)):
        assert "golden" not in text
        assert "vm-2" not in text
        assert text.count("start it by hand") == 2


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("vcsim"), "-vm", "2") as found:
        yield found


class Vsphere:
    """A vSphere whose VMs are off, and a kubectl that says which VMs run in the target."""

    def __init__(self, server: Server, folder: Path) -> None:
        program = str(_BUILT) if _BUILT.is_file() else shutil.which("govc")
        if program is None:
            pytest.skip("needs govc: make testtools")
        self._folder = folder
        programs = folder / "bin"
        programs.mkdir()
        (programs / "govc").symlink_to(program)
        self._kubectl = programs / "kubectl"
        self.say("exit 0")
        self._env = os.environ | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "GOVC_URL": server.url,
            "GOVC_USERNAME": USER,
            "GOVC_PASSWORD": PASSWORD,
            "GOVC_INSECURE": "1",
            "HOME": str(folder),
        }
        self.ids = dict(zip(("a", "b"), map(self._id, ("DC0_H0_VM0", "DC0_H0_VM1")), strict=True))
        for each in ("DC0_H0_VM0", "DC0_H0_VM1"):
            self._run(["govc", "vm.power", "-off", "-force", each])

    def say(self, text: str) -> None:
        self._kubectl.write_text(f"#!/bin/bash\n{text}\n")
        self._kubectl.chmod(0o755)

    def on(self, name: str) -> bool:
        found = self._run(["govc", "object.collect", "-s", f"VirtualMachine:{self.ids[name]}", "runtime.powerState"])
        return found.stdout.strip() == "poweredOn"

    def start(self, *names: str) -> subprocess.CompletedProcess[str]:
        found = rolled_back(*(machine(name, id=self.ids[name]) for name in self.ids))
        script = self._folder / "start-sources.sh"
        script.write_text(sources_back.shell(found))
        return self._run(["bash", str(script), *names])

    def _id(self, name: str) -> str:
        found = self._run(["govc", "find", "-i", "vm", "-name", name]).stdout.split()
        return found[0].removeprefix("VirtualMachine:")

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=self._env, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def vsphere(server: Server, tmp_path: Path) -> Vsphere:
    return Vsphere(server, tmp_path)


def test_sources_whose_vms_are_stopped_in_the_target_are_started_once(vsphere: Vsphere) -> None:
    first = vsphere.start()
    assert (first.returncode, first.stderr.splitlines()) == (0, ["A: started", "B: started"])
    assert vsphere.on("a")
    again = vsphere.start()
    assert (again.returncode, again.stderr.splitlines()) == (0, ["A: is on", "B: is on"])


def test_a_source_whose_vm_runs_in_the_target_stays_off(vsphere: Vsphere) -> None:
    vsphere.say('[[ $3 != a ]] || echo "virtualmachineinstance/a"')
    found = vsphere.start()
    assert found.returncode == 1
    assert "A: not started: web/a still runs in the target" in found.stderr
    assert (vsphere.on("a"), vsphere.on("b")) == (False, True)


def test_without_an_answer_of_the_cluster_nothing_is_started(vsphere: Vsphere) -> None:
    vsphere.say("exit 1")
    assert vsphere.start().returncode == 1
    assert not vsphere.on("a")
    assert not vsphere.on("b")


def test_some_of_them_can_be_named(vsphere: Vsphere) -> None:
    assert vsphere.start("b").stderr.splitlines() == ["B: started"]
    assert not vsphere.on("a")
