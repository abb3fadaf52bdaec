"""Rules on what would be taken for another: one UUID for several VMs, a NIC that is not as it was."""

from tests.resolve.projects import Data, vm
from tests.rules.ruling import only, silent

UUID = "42301f6e-1c5d-4c6e-9d3a-0000000000aa"


def test_vms_with_one_uuid_are_one_finding_that_names_them() -> None:
    finding = only("VMF140", vm("app-1", uuid=UUID), vm("app-2", uuid=UUID.upper()), vm("app-3"))
    assert finding.vms == ("app-1", "app-2")
    assert "app-3" not in finding.message


def test_vms_with_uuids_of_their_own_are_no_finding() -> None:
    assert silent("VMF140", vm("app-1"), vm("app-2"))


def linked(connected: bool, now: bool | None) -> Data:
    nic = {"network": "vlan-7", "mac": "00:50:56:00:00:01", "connected": connected, "linked": now}
    return vm("a", nics=[{name: value for name, value in nic.items() if value is not None}])


def test_a_nic_that_somebody_changed_by_hand_is_reported() -> None:
    assert "will be down" in only("VMF251", linked(connected=False, now=True)).message
    assert "will be connected" in only("VMF251", linked(connected=True, now=False)).message


def test_a_nic_that_starts_as_it_is_now_is_no_finding() -> None:
    for connected in (True, False):
        assert silent("VMF251", linked(connected, None))
        assert silent("VMF251", linked(connected, connected))
