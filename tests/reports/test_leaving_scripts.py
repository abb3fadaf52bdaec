"""The script that takes hosts out of vSphere: against vcsim by govc."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.importers.vcsim import PASSWORD, USER, Server, running

from vmferry.reports.leaving_scripts import leaving, shell

_BUILT = Path(__file__).parents[2] / ".tools" / "bin" / "govc"
HOSTS = ("DC0_C0_H0", "DC0_C0_H1", "DC0_C0_H2")


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("vcsim"), "-vm", "1") as found:
        yield found


class Vsphere:
    """A cluster of three hosts with one VM that runs."""

    def __init__(self, server: Server, folder: Path) -> None:
        program = str(_BUILT) if _BUILT.is_file() else shutil.which("govc")
        if program is None:
            pytest.skip("needs govc: make testtools")
        self._script = folder / "hosts.sh"
        self._env = os.environ | {
            "PATH": f"{Path(program).parent}:{os.environ['PATH']}",
            "GOVC_URL": server.url,
            "GOVC_USERNAME": USER,
            "GOVC_PASSWORD": PASSWORD,
            "GOVC_INSECURE": "1",
            "HOME": str(folder),
        }
        found = (self.run(["govc", "find", "-i", "/", "-type", "h", "-name", name]).stdout for name in HOSTS)
        self.ids = {name: each.strip().removeprefix("HostSystem:") for name, each in zip(HOSTS, found, strict=True)}
        at = self.run(["govc", "object.collect", "-s", "/DC0/vm/DC0_C0_RP0_VM0", "runtime.host"]).stdout.strip()
        self.busy = next(name for name, identity in self.ids.items() if at == f"HostSystem:{identity}")
        self.idle = next(name for name in HOSTS if name != self.busy)

    def take(self, *arguments: str, date: str = "", ids: dict[str, str] | None = None) -> tuple[int, list[str]]:
        known = self.ids | (ids or {})
        going = [leaving("vc1", name, known[name], emptied=True, at_once=not date, date=date or None) for name in HOSTS]
        self._script.write_text(shell(going))
        found = self.run(["bash", str(self._script), *arguments])
        return found.returncode, found.stderr.splitlines()

    def maintained(self, name: str) -> bool:
        host = f"HostSystem:{self.ids[name]}"
        return self.run(["govc", "object.collect", "-s", host, "runtime.inMaintenanceMode"]).stdout.strip() == "true"

    def there(self, name: str) -> bool:
        return bool(self.run(["govc", "find", "/", "-type", "h", "-name", name]).stdout.strip())

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=self._env, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def vsphere(server: Server, tmp_path: Path) -> Vsphere:
    return Vsphere(server, tmp_path)


def test_only_the_hosts_that_are_named_go(vsphere: Vsphere) -> None:
    assert vsphere.take("vc1", vsphere.idle) == (0, [f"{vsphere.idle}: in maintenance mode"])
    assert [vsphere.maintained(name) for name in HOSTS].count(True) == 1
    assert vsphere.take("--remove", "vc1", vsphere.idle) == (0, [f"{vsphere.idle}: removed"])
    assert [name for name in HOSTS if vsphere.there(name)] == [name for name in HOSTS if name != vsphere.idle]


def test_without_names_nothing_happens(vsphere: Vsphere) -> None:
    assert vsphere.take()[0] == 2
    assert vsphere.take("vc1")[0] == 2
    assert vsphere.take("vc2", vsphere.idle) == (1, ["some of these hosts are not in the report"])
    assert not any(map(vsphere.maintained, HOSTS))


def test_a_host_on_which_a_vm_runs_is_left_alone(vsphere: Vsphere) -> None:
    code, said = vsphere.take("--remove", "vc1", vsphere.busy)
    assert (code, len(said)) == (1, 1)
    assert "left alone: VMs run on it: " in said[0]
    assert "DC0_C0_RP0_VM0" in said[0]
    assert not vsphere.maintained(vsphere.busy)


def test_a_host_is_left_alone_before_its_date_or_if_its_id_is_another_host(vsphere: Vsphere) -> None:
    code, said = vsphere.take("vc1", vsphere.idle, date="9000-01-01T00:00Z")
    assert (code, said) == (1, [f"{vsphere.idle}: left alone: it may go from 9000-01-01T00:00Z on"])
    code, said = vsphere.take("vc1", vsphere.idle, ids={vsphere.idle: vsphere.ids[vsphere.busy]})
    assert code == 1
    assert said[0].endswith("is not this host in this vCenter")
    assert not any(map(vsphere.maintained, HOSTS))
    assert vsphere.take("vc1", vsphere.idle, date="2020-01-01T00:00Z")[0] == 0
