"""Rules on what would be taken for another: one UUID for several VMs, one MAC on both sides of a parallel run."""

from tests.resolve.projects import Data, vm
from tests.rules.ruling import only, silent

UUID = "42301f6e-1c5d-4c6e-9d3a-0000000000aa"
PARALLEL = [{"name": "first", "dualRun": {"mode": "parallel"}}]
OWN_VLAN = [{"source": {"portGroup": "vlan-7", "vlan": 7}, "target": {"type": "bridge", "bridge": "br-vm", "vlan": 8}}]
POD = [{"source": {"portGroup": "vlan-7", "vlan": 7}, "target": {"type": "pod"}}]


def test_vms_with_one_uuid_are_one_finding_that_names_them() -> None:
    finding = only("VMF140", vm("app-1", uuid=UUID), vm("app-2", uuid=UUID.upper()), vm("app-3"))
    assert finding.vms == ("app-1", "app-2")
    assert "app-3" not in finding.message


def test_vms_with_uuids_of_their_own_are_no_finding() -> None:
    assert silent("VMF140", vm("app-1"), vm("app-2"))


def test_a_parallel_run_with_one_mac_in_one_vlan_is_one_finding_for_the_phase() -> None:
    for way in ({"path": "forklift", "method": "cold"}, {"path": "virt-v2v", "method": "job"}):
        finding = only("VMF141", vm("a", **way), vm("b", **way), phases=PARALLEL)
        assert finding.vms == ("a", "b")


def test_a_parallel_run_with_addresses_of_its_own_is_no_conflict() -> None:
    fallback = [{"name": "first", "dualRun": {"mode": "fallback"}}]
    assert silent("VMF141", vm("a"), phases=fallback)
    for networks in (OWN_VLAN, POD):
        assert silent("VMF141", vm("a"), phases=PARALLEL, networks=networks)


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


def test_rules_look_at_the_row_of_the_datacenter_and_switch_a_vm_is_in() -> None:
    def row(where: Data, vlan: int) -> Data:
        target = {"type": "bridge", "bridge": "br-vm", "vlan": vlan}
        return {"source": {"portGroup": "vlan-7", "vlan": 7, **where}, "target": target}

    networks = [row({"datacenter": "DC1"}, 7), row({"datacenter": "DC2"}, 8) | {"name": "far"}]
    here, there = vm("here"), vm("there", datacenter="DC2")
    assert only("VMF141", here, there, phases=PARALLEL, networks=networks).vms == ("here",)
    networks = [row({"switch": "dvs1"}, 7), row({"switch": "dvs2"}, 8) | {"name": "far"}]
    nics = [{"network": "vlan-7", "mac": "00:50:56:00:00:0a", "switch": "dvs2"}]
    assert silent("VMF141", vm("there", nics=nics), phases=PARALLEL, networks=networks)
