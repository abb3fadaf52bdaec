"""The script that creates roles in vCenter, run with the real govc against a vSphere API server."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.test_govc import Govc
from tests.importers.vcsim import Server, running

from vmferry.backends.vcenter_roles import script
from vmferry.estate.vcenter_account import TASKS, granted, needed

SCRIPT = script("first", {"forklift": ("warm",), "convert": ("convert",)})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running(tmp_path) as found:
        yield found


def run(govc: Govc, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(govc.program).parent}:{os.environ['PATH']}"
    command = ["bash", "-c", SCRIPT, "vcenter-roles-vc1.sh", *arguments]
    return subprocess.run(
        command, env={**govc.environment, "PATH": path}, check=False, capture_output=True, text=True, timeout=60
    )


def test_roles_get_exactly_their_privileges_also_the_second_time(server: Server, tmp_path: Path) -> None:
    govc = Govc(server, tmp_path)
    done = run(govc)
    assert done.returncode == 0, done.stderr
    govc("role.update", "-a", "vmferry-first-convert", "VirtualMachine.Inventory.Delete")
    assert run(govc).returncode == 0
    for role, work in (("forklift", "warm"), ("convert", "convert")):
        names = {name for name in govc("role.ls", f"vmferry-first-{role}").split() if not name.startswith("System.")}
        assert names == TASKS[work].privileges


def test_an_account_gets_its_role_at_the_root(server: Server, tmp_path: Path) -> None:
    govc = Govc(server, tmp_path)
    done = run(govc, "forklift=svc-forklift@vsphere.local")
    assert done.returncode == 0, done.stderr
    found = json.loads(govc("permissions.ls", "-json", "/"))
    given = {each["principal"]: each for each in found["Permissions"]}["svc-forklift@vsphere.local"]
    roles = {role["roleId"]: role["name"] for role in found["Roles"]}
    assert (roles[given["roleId"]], given["propagate"], given["group"]) == ("vmferry-first-forklift", True, False)


@pytest.mark.parametrize("wrong", ["forklift", "admin=svc", "forklift=", "$(id)=svc"])
def test_an_unknown_role_is_refused_before_anything_is_created(server: Server, tmp_path: Path, wrong: str) -> None:
    govc = Govc(server, tmp_path)
    done = run(govc, wrong)
    assert (done.returncode, "roles: forklift convert" in done.stderr) == (2, True)
    assert "vmferry-first" not in govc("role.ls")


def test_what_vcenter_refuses_is_not_reported_as_done(server: Server, tmp_path: Path) -> None:
    govc = Govc(server, tmp_path)
    govc.environment["GOVC_PASSWORD"] = "wrong"
    done = run(govc)
    assert done.returncode == 1
    assert "has" not in done.stderr


def test_every_privilege_exists_in_vcenter(server: Server, tmp_path: Path) -> None:
    every = set(Govc(server, tmp_path)("role.ls", "Admin").split())
    assert needed(TASKS) <= every
    assert set(granted(TASKS)) <= every
