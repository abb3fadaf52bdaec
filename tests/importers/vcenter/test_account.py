"""`--check-privileges` compares what the account may do with what its work needs, before anything is imported."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.importers.vcsim import PASSWORD, USER, Administrator, Server, administrator, running
from tests.invocation import Result, vmferry

from vmferry.estate.vcenter_account import TASKS, granted


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running(tmp_path, "-dc", "2") as found:
        yield found


@pytest.fixture(autouse=True)
def login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMFERRY_VCENTER_USER", USER)
    monkeypatch.setenv("VMFERRY_VCENTER_PASSWORD", PASSWORD)


def check(server: Server, out: Path, *works: str) -> Result:
    wanted = [word for work in works for word in ("--check-privileges", work)]
    return vmferry("import", "vcenter", server.url, "--source", "vc1", "--out", out, "--insecure", *wanted)


def limit(who: Administrator, *privileges: str) -> None:
    """Take every other privilege from the only role that the simulator compares with."""
    manager = who.content.authorizationManager
    [role] = [each for each in manager.roleList if each.name == "Admin"]
    manager.UpdateAuthorizationRole(roleId=role.roleId, newName="Admin", privIds=list(privileges))


def test_without_the_option_nothing_is_checked(server: Server, tmp_path: Path) -> None:
    result = check(server, tmp_path / "out")
    assert (result.code, "privilege" in result.text) == (0, False)


def test_an_administrator_may_do_it_and_that_is_a_note(server: Server, tmp_path: Path) -> None:
    result = check(server, tmp_path / "out", "warm")
    assert result.code == 0, result.text
    assert f"note: user '{USER}' is an administrator: it has " in result.err
    assert " privileges that warm does not need\n" in result.err


@pytest.mark.parametrize("work", [work for work in TASKS if work != "read"])
def test_the_least_privileges_of_each_kind_of_work_are_enough_and_none_is_too_many(
    server: Server, tmp_path: Path, work: str
) -> None:
    with administrator(server) as who:
        limit(who, *granted((work,)))  # type: ignore[arg-type]
    result = check(server, tmp_path / "out", work)
    assert result.code == 0, result.text
    assert "does not need" not in result.err


def test_what_is_missing_is_named_with_its_place_and_nothing_is_imported(server: Server, tmp_path: Path) -> None:
    with administrator(server) as who:
        limit(who, *(set(granted(("convert",))) - {"Sessions.ValidateSession"}))
    result = check(server, tmp_path / "out", "convert", "warm")
    assert result.code == 1
    assert f"vmferry: user '{USER}' lacks privileges for convert, warm, at the root: " in result.err
    assert "at the root: Sessions.ValidateSession; " in result.err
    lost = (
        "VirtualMachine.Interact.PowerOff, VirtualMachine.Interact.PowerOn, VirtualMachine.Provisioning."
        "FileRandomAccess, VirtualMachine.Provisioning.GetVmFiles, VirtualMachine.Provisioning.PutVmFiles, "
        "VirtualMachine.State.CreateSnapshot, VirtualMachine.State.RemoveSnapshot"
    )
    assert f"at datacenter DC0: {lost}; at datacenter DC1: {lost}" in result.err
    assert not (tmp_path / "out").exists()


def test_a_few_superfluous_privileges_are_named(server: Server, tmp_path: Path) -> None:
    with administrator(server) as who:
        limit(who, *granted(("cold",)), "VirtualMachine.Inventory.Delete")
    result = check(server, tmp_path / "out", "cold")
    assert (
        f"note: user '{USER}' has 1 privilege that cold does not need: VirtualMachine.Inventory.Delete\n" in result.err
    )


def test_an_unknown_kind_of_work_is_a_usage_error(server: Server, tmp_path: Path) -> None:
    assert check(server, tmp_path / "out", "everything").code == 2
