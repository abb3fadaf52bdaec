"""Guests of path B keep their network, or it is said."""

import pytest
from tests.resolve.projects import Data, resolved, vm
from tests.resolve.test_freeze import as_written_before
from tests.rules.ruling import only, silent

POD = [{"source": {"portGroup": "vlan-7"}, "target": {"type": "pod"}}]
STATIC: Data = {"origin": "static", "addresses": ["10.0.7.5/24"], "gateway": "10.0.7.1"}


def nic(number: int = 1, **fields: object) -> Data:
    return {"network": "vlan-7", "mac": f"00:50:56:9a:10:{number:02x}"} | fields


def windows(**fields: object) -> Data:
    return vm("w", os="windows", guestId="windows2019srv_64Guest", **fields)


def copied(**fields: object) -> Data:
    disk = {"size": "40Gi", "datastore": "ds1", "file": "[ds1] a/a.vmdk", "source": {"vddk": {}}}
    return vm("a", method="image", disks=[disk], **fields)


# --- static addresses


def test_a_converted_guest_keeps_its_static_address() -> None:
    assert silent("VMF570", vm("a", nics=[nic(**STATIC)]))
    assert silent("VMF570", windows(nics=[nic(**STATIC)]))


def test_what_is_copied_unconverted_loses_its_static_address() -> None:
    assert "copied without conversion" in only("VMF570", copied(nics=[nic(**STATIC)])).message
    assert silent("VMF570", copied(nics=[nic(origin="dhcp")]))
    assert silent("VMF570", copied(nics=[nic(**STATIC)], staticIP="none"))
    assert silent("VMF570", copied(nics=[nic(addresses=["10.0.7.5/24"])]))


def test_a_system_that_virt_v2v_does_not_know_loses_its_static_address() -> None:
    assert "does not convert" in only("VMF570", vm("a", os="other", nics=[nic(**STATIC)])).message


def test_a_clone_has_no_address_of_its_own() -> None:
    source = {"http": {"url": "https://images.example.com/t.qcow2"}}
    template = vm("t", template=True, method="image", disks=[{"size": "40Gi", "datastore": "ds1", "source": source}])
    clone = vm("c", cloneOf="t", method="image", disks=[], nics=[nic(2, **STATIC)])
    assert "a clone has the template's" in only("VMF570", template, clone).message
    assert silent("VMF570", template, clone | {"nics": [nic(2, origin="dhcp")]})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"addresses": []}, "the address is unknown"),
        ({"addresses": ["10.0.7.5"]}, "as in 10.0.7.5/24"),
        ({"addresses": ["fe80::5/64"]}, "the address is unknown"),
        ({"addresses": ["2001:db8::5"]}, "as in 2001:db8::5/64"),
    ],
)
def test_windows_needs_the_whole_address(fields: Data, said: str) -> None:
    found = only("VMF570", windows(nics=[nic(**STATIC | fields)]))
    assert said in f"{found.message}; {found.help}"


@pytest.mark.parametrize("guest", ["windows7Server64Guest", "winNetStandardGuest", "winLonghornGuest", "winXPProGuest"])
def test_windows_before_8_has_no_way_to_set_it(guest: str) -> None:
    assert (
        "only sets addresses in Windows 8, Server 2012 and later"
        in only("VMF570", windows(nics=[nic(**STATIC)]) | {"guestId": guest}).message
    )


@pytest.mark.parametrize("guest", ["windows8Server64Guest", "windows9_64Guest", "windows2022srvNext_64Guest"])
def test_windows_since_8_has_one(guest: str) -> None:
    assert silent("VMF570", windows(nics=[nic(**STATIC)]) | {"guestId": guest})


def test_the_pod_network_and_forklift_are_for_others_to_judge() -> None:
    assert silent("VMF570", copied(nics=[nic(**STATIC)]), networks=POD)
    assert silent("VMF570", windows(nics=[nic(**STATIC)]) | {"path": "forklift", "method": "cold"})


def test_a_vm_frozen_by_a_vmferry_that_kept_nothing_loses_its_address() -> None:
    static = vm("a", nics=[nic(**STATIC)])
    prepared = {"groups": {"first-01": {"stage": "prepared"}}}
    record = as_written_before(resolved(static, **prepared).assignments)
    found = only("VMF570", static, assignments=record, **prepared)
    assert "frozen by an earlier vmferry" in found.message


# --- addresses of which nobody knows whether they are static


def test_windows_wants_to_know_whether_an_address_is_static() -> None:
    assert "10.0.7.5/24" in only("VMF571", windows(nics=[nic(addresses=["10.0.7.5/24"])])).message
    assert "its address" in only("VMF571", windows(nics=[nic()], tools="notRunning")).message
    assert "its address" in only("VMF571", windows(nics=[nic()], staticIP="preserve")).message


def test_what_nobody_knows_and_nobody_asks_for_is_no_finding() -> None:
    assert silent("VMF571", windows(nics=[nic()]))
    assert silent("VMF571", windows(nics=[nic(addresses=["10.0.7.5/24"])], staticIP="none"))
    assert silent("VMF571", windows(nics=[nic(origin="dhcp", addresses=["10.0.7.5/24"])]))
    assert silent("VMF571", vm("a", nics=[nic(addresses=["10.0.7.5/24"])]))
    assert silent("VMF571", copied(nics=[nic()], tools="notRunning"))


def test_an_unconverted_guest_with_an_address_wants_it_too() -> None:
    assert only("VMF571", copied(nics=[nic(addresses=["10.0.7.5/24"])]))


# --- names of interfaces


def test_several_nics_that_nothing_tells_apart_are_a_finding() -> None:
    both = [nic(), nic(2)]
    assert "2 of its NICs" in only("VMF572", vm("a", nics=both, tools="notRunning")).message
    assert "2 of its NICs" in only("VMF572", vm("a", nics=both, staticIP="preserve")).message


def test_a_vm_that_was_off_and_shows_no_address_is_a_finding() -> None:
    assert "its address is unknown" in only("VMF572", vm("a", nics=[nic()], tools="notRunning")).message
    assert "its address is unknown" in only("VMF572", vm("a", nics=[nic(origin="static")])).message
    assert silent("VMF572", vm("a", nics=[nic()]))
    assert silent("VMF572", vm("a", nics=[nic(origin="dhcp")], tools="notRunning"))


def test_nics_that_something_tells_apart_are_none() -> None:
    off = {"tools": "notRunning"}
    assert silent("VMF572", vm("a", nics=[nic(), nic(2)]))
    assert silent("VMF572", vm("a", nics=[nic(), nic(2, addresses=["10.0.7.6/24"])], **off))
    assert silent("VMF572", vm("a", nics=[nic(interface="ens192"), nic(2)], **off))
    assert silent("VMF572", vm("a", nics=[nic(), nic(2, origin="dhcp")], **off))
    assert silent("VMF572", vm("a", nics=[nic(), nic(2)], staticIP="none", **off))
    assert silent("VMF572", vm("a", os="windows", nics=[nic(), nic(2)], **off))


# --- new addresses on some of the NICs

NEW: Data = {"staticIP": "cloud-init", "readdress": {"vlan-7": {"addresses": ["10.0.8.5/24"], "gateway": "10.0.8.1"}}}
TWO_NETWORKS = [
    {"source": {"portGroup": name, "vlan": vlan}, "target": {"type": "bridge", "bridge": "br-vm"}}
    for name, vlan in (("vlan-7", 7), ("vlan-9", 9))
]


def other_nic(**fields: object) -> Data:
    return {"network": "vlan-9", "mac": "00:50:56:9a:10:09"} | fields


@pytest.mark.parametrize("system", ["linux", "windows"])
def test_a_nic_without_a_new_address_keeps_its_own(system: str) -> None:
    static = other_nic(origin="static", addresses=["10.0.9.5/24"], gateway="10.0.9.1")
    machine = vm("a", os=system, nics=[nic(origin="dhcp"), static], **NEW)
    first, second = resolved(machine, networks=TWO_NETWORKS).blueprint.groups[0].machines[0].nics
    assert first.kept is None
    assert second.kept is not None
    assert second.kept.addresses == ("10.0.9.5/24",)


def test_a_nic_without_a_new_address_that_cannot_keep_its_own_is_a_warning() -> None:
    static = other_nic(origin="static", addresses=["10.0.9.5/24"])
    fields = {"nics": [nic(origin="static", addresses=["10.0.7.5/24"]), static], **NEW}
    assert "on 'vlan-9' is not kept" in only("VMF570", copied(**fields), networks=TWO_NETWORKS).message
    assert silent("VMF570", vm("a", **fields), networks=TWO_NETWORKS)
    assert silent("VMF570", copied(nics=[nic(**STATIC)], **NEW))


def test_windows_that_nobody_converts_gets_no_new_address() -> None:
    assert "copied without conversion" in only("VMF573", copied(os="windows", nics=[nic(origin="dhcp")], **NEW)).message
    assert silent("VMF573", copied(nics=[nic(origin="dhcp")], **NEW))
    assert silent("VMF573", windows(nics=[nic(origin="dhcp")], **NEW))
    assert silent("VMF573", copied(os="windows", nics=[nic(origin="dhcp")]))


def test_a_clone_of_windows_gets_no_new_address() -> None:
    source = {"http": {"url": "https://images.example.com/t.qcow2"}}
    disks = [{"size": "40Gi", "datastore": "ds1", "source": source}]
    template = vm("t", os="windows", template=True, method="image", disks=disks)
    clone = vm("c", os="windows", cloneOf="t", method="image", disks=[], nics=[nic(2, origin="dhcp")])
    assert "a clone is not converted" in only("VMF573", template, clone | NEW).message
    assert silent("VMF573", template, clone)


def test_windows_without_the_cmdlets_gets_no_new_address() -> None:
    old = windows(nics=[nic(origin="dhcp")], **NEW) | {"guestId": "windows7Server64Guest"}
    assert "Windows 8, Server 2012 and later" in only("VMF573", old).message
