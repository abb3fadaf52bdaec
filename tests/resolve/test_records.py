"""What becomes of a VM's records: their names, and what they hold before and after its cutover."""

from typing import Any

import pytest
from tests.resolve.projects import resolved, vm

from vmferry.model.blueprint import DnsRecord

NIC = {"network": "vlan-7", "mac": "00:50:56:00:00:01", "addresses": ["10.0.0.5/24"], "origin": "static"}
NEW = {"staticIP": "cloud-init", "readdress": {"vlan-7": {"addresses": ["10.1.0.5/24"]}}}


def records(**fields: Any) -> tuple[DnsRecord, ...]:
    found = resolved(vm(**{"nics": [NIC], "dnsZone": "acme.example"} | fields))
    [made] = found.blueprint.groups[0].machines
    return made.records


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "web-01.acme.example"),
        ({"hostname": "WEB"}, "web.acme.example"),
        ({"hostname": "web.ad.acme.example"}, "web.ad.acme.example"),
        ({"hostname": "web.other.example."}, "web.other.example"),
        ({"name": "Web Server"}, "web server.acme.example"),  # VMF262 says that it cannot be one
    ],
)
def test_it_is_called_as_the_host_is_or_as_the_vm(fields: dict[str, Any], name: str) -> None:
    assert [record.name for record in records(**fields)] == [name]


def test_an_address_that_stays_needs_no_switch() -> None:
    assert records() == (DnsRecord(name="web-01.acme.example"),)


def test_a_new_address_switches_the_record_from_the_one_in_vsphere() -> None:
    [record] = records(**NEW)
    assert (record.switch, record.before, record.after) == (True, ("10.0.0.5",), ("10.1.0.5",))


def test_new_addresses_that_are_the_old_ones_change_nothing() -> None:
    [record] = records(staticIP="cloud-init", readdress={"vlan-7": {"addresses": ["10.0.0.5/24"]}})
    assert not record.switch


@pytest.mark.parametrize("zone", ["none", None])
def test_a_vm_without_a_zone_only_has_the_records_it_states(zone: str | None) -> None:
    assert records(dnsZone=zone) == ()
    [record] = records(dnsZone=zone, dns=[{"name": "WWW.acme.example.", "ttl": "5m"}], **NEW)
    assert (record.name, record.ttl, record.before) == ("www.acme.example", "5m", ("10.0.0.5",))


def test_what_an_entry_states_of_a_record_holds() -> None:
    stated = {"name": "web-01.acme.example", "before": ["10.0.0.99"], "after": ["LB.acme.example."]}
    [record] = records(dns=[stated], **NEW)
    assert (record.before, record.after) == (("10.0.0.99",), ("lb.acme.example",))


@pytest.mark.parametrize(
    ("addresses", "new", "before"),
    [
        (["10.0.0.5/24", "10.0.0.6/24"], ["10.1.0.5/24"], ()),  # which of the two is in DNS?
        (["10.0.0.5/24", "2001:db8::5/64"], ["10.1.0.5/24"], ()),  # is the other one?
        (["10.0.0.5/24", "2001:db8::5/64"], ["10.1.0.5/24", "2001:db8:1::5/64"], ("10.0.0.5", "2001:db8::5")),
        (["10.0.0.5/24", "fe80::1/64"], ["10.1.0.5/24"], ("10.0.0.5",)),
        ([], ["10.1.0.5/24"], ()),
    ],
)
def test_what_a_record_holds_now_is_not_guessed(addresses: list[str], new: list[str], before: tuple[str, ...]) -> None:
    nic = NIC | {"addresses": addresses}
    [record] = records(nics=[nic], staticIP="cloud-init", readdress={"vlan-7": {"addresses": new}})
    assert (record.switch, record.before) == (True, before)


def test_of_several_nics_with_new_addresses_the_record_says_which_one_it_leads_to() -> None:
    networks = [
        {"source": {"portGroup": name, "vlan": vlan}, "target": {"type": "bridge", "bridge": "br-vm"}}
        for name, vlan in (("vlan-7", 7), ("vlan-8", 8))
    ]
    other = NIC | {"network": "vlan-8", "mac": "00:50:56:00:00:02", "addresses": ["10.8.0.5/24"]}
    new = {name: {"addresses": [address]} for name, address in (("vlan-7", "10.1.0.5/24"), ("vlan-8", "10.9.0.5/24"))}
    both = vm(
        nics=[NIC, other],
        staticIP="cloud-init",
        readdress=new,
        dns=[{"name": "a.x"}, {"name": "b.x", "network": "vlan-8"}],
    )
    [made] = resolved(both, networks=networks).blueprint.groups[0].machines
    assert [(record.before, record.after) for record in made.records] == [((), ()), (("10.8.0.5",), ("10.9.0.5",))]


def test_the_pod_network_gives_a_vm_an_address_that_nobody_knows() -> None:
    networks = [{"source": {"portGroup": "vlan-7"}, "target": {"type": "pod"}}]
    [made] = resolved(vm(nics=[NIC], dnsZone="acme.example"), networks=networks).blueprint.groups[0].machines
    assert [(record.switch, record.before, record.after) for record in made.records] == [(True, ("10.0.0.5",), ())]


def test_an_address_from_dhcp_stays_as_long_as_the_server_says() -> None:
    [record] = records(nics=[NIC | {"origin": "dhcp"}])
    assert (record.switch, record.dynamic) == (False, True)


def test_a_network_on_which_the_vm_has_no_nic_is_an_error() -> None:
    found = resolved(vm(nics=[NIC], dns=[{"name": "www.acme.example", "network": "vlan-9"}])).findings
    assert [(each.code, "vlan-9" in each.message) for each in found if each.is_error] == [("VMF116", True)]
