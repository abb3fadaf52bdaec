"""What cloud-init is told of a guest that was moved, and of a clone."""

from typing import Any

import yaml
from tests.backends.blueprints import machine, nic

from vmferry.estate.cloud_init import interface_name, seed
from vmferry.estate.smbios import CURRENT
from vmferry.model.blueprint import Machine, MachineNic
from vmferry.model.facts import Nic
from vmferry.model.spec import Readdressing

NEW = Readdressing(addresses=("10.0.2.14/24",), gateway="10.0.2.1")


def made(target: str = "web-01", **fields: Any) -> Machine:
    return machine(target, **{"revision": CURRENT} | fields)


def readdressed(index: int = 0, **fields: Any) -> MachineNic:
    return nic(index, **{"readdress": NEW, "set_name": f"net{index}"} | fields)


def user_data(subject: Machine) -> dict[str, Any]:
    told = seed(subject)
    assert told is not None
    assert told.user_data.startswith("#cloud-config\n")
    found = yaml.safe_load(told.user_data)
    assert isinstance(found, dict)
    return found


def test_a_moved_guest_keeps_its_name_keys_users_and_package_sources() -> None:
    assert user_data(made(nics=(readdressed(),))) == {
        "apt": {"preserve_sources_list": True},
        "preserve_hostname": True,
        "ssh_deletekeys": False,
        "ssh_pwauth": "unchanged",
        "users": [],
    }


def test_a_clone_gets_keys_and_a_name_of_its_own() -> None:
    found = user_data(made(clone_of="rhel9", hostname="CI-a.granary.example", nics=(readdressed(),)))
    assert (found["ssh_deletekeys"], found["preserve_hostname"]) == (True, False)
    assert (found["hostname"], found["fqdn"]) == ("ci-a", "ci-a.granary.example")
    assert found["users"] == []


def test_a_clone_whose_host_name_is_unknown_or_no_name_is_called_as_the_vm() -> None:
    for hostname in (None, "not a name", "-x"):
        found = user_data(made("web-02", clone_of="rhel9", hostname=hostname))
        assert found["hostname"] == "web-02"
        assert "fqdn" not in found


def test_a_clone_without_new_addresses_gets_keys_of_its_own_too() -> None:
    told = seed(made(clone_of="rhel9"))
    assert told is not None
    assert told.network_data is None


def test_a_clone_of_any_system_with_new_addresses_is_a_machine_of_its_own() -> None:
    found = user_data(made("bsd-02", os="other", clone_of="bsd", nics=(readdressed(),)))
    assert (found["ssh_deletekeys"], found["preserve_hostname"], found["hostname"]) == (True, False, "bsd-02")
    assert seed(made("bsd-02", os="other", clone_of="bsd")) is None  # it may well have no cloud-init


def test_a_guest_that_keeps_its_addresses_needs_no_cloud_init() -> None:
    assert seed(made()) is None
    assert seed(made(golden=True, nics=(readdressed(),))) is None


def test_windows_has_none() -> None:
    assert seed(made(os="windows", clone_of="w2k22", nics=(readdressed(),))) is None


def test_interfaces_are_named_for_releases_that_go_by_the_name_alone() -> None:
    told = seed(made(nics=(readdressed(1, set_name="ens224"), readdressed(0))))
    assert told is not None
    assert told.network_data is not None
    ethernets = yaml.safe_load(told.network_data)["ethernets"]
    assert {key: found["set-name"] for key, found in ethernets.items()} == {"nic-0": "net0", "nic-1": "ens224"}
    assert list(ethernets) == ["nic-0", "nic-1"]


def test_an_interface_keeps_its_name_where_it_is_known() -> None:
    assert interface_name(Nic(network="lan", interface="ens192"), 0) == "ens192"
    assert interface_name(Nic(network="lan"), 1) == "net1"


def test_what_an_earlier_vmferry_told_a_guest_stays() -> None:
    told = seed(made(revision=0, nics=(readdressed(set_name=None),)))
    assert told is not None
    assert "apt" not in told.user_data
    assert told.network_data is not None
    assert "set-name" not in told.network_data
    assert seed(made(revision=0, clone_of="rhel9")) is None
