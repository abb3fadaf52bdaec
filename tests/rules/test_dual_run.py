"""Rules on sources that run beside their targets."""

from typing import Any

import pytest
from tests.resolve.projects import Data, machines, project, resolved, vm
from tests.rules.ruling import app, only, ruled, silent

from vmferry.check import review
from vmferry.model.finding import Finding
from vmferry.resolve.blueprint import resolve
from vmferry.rules import check

GOLD = vm("gold", template=True, method="image", nics=[], disks=[{"size": "40Gi", "datastore": "ds1"}])
GOLD["disks"][0]["source"] = {"http": {"url": "https://images.example.com/gold.qcow2"}}
WEIGHED = {"type": "externaldns", "weights": "aws", "ownsRecords": True}


def dns(provider: Data = WEIGHED) -> Data:
    return {"zones": [{"name": "example.com", "ttl": "5m", "provider": provider}]}


def phases(mode: str = "parallel", **fields: Any) -> list[Data]:
    return [{"name": "first", "dualRun": {"mode": mode, **fields}}]


def clone(name: str = "web-01", **fields: Any) -> Data:
    """Return a VM that is made anew, with an address of its own and a record that leads to it."""
    new = {
        "method": "image",
        "cloneOf": "gold",
        "targetName": f"{name}-new",
        "staticIP": "cloud-init",
        "readdress": {"vlan-7": {"addresses": ["10.0.7.91/24"], "gateway": "10.0.7.1"}},
        "nics": [{"network": "vlan-7", "mac": "00:50:56:00:00:01", "addresses": ["10.0.7.11/24"], "origin": "static"}],
        "dns": [{"name": f"{name}.example.com"}],
    }
    return vm(name, **(new | fields))


def codes(*vms: Data, **sections: Any) -> set[str]:
    made = project(*vms, **sections)
    found = resolve(made)
    return {each.code for each in (*found.findings, *check(review(made, found))) if each.severity == "error"}


@pytest.mark.parametrize(
    ("way", "why"),
    [
        ({"path": "forklift", "method": "warm", "changeTracking": True}, "at the cutover"),
        ({"path": "forklift", "method": "cold"}, "for the copy"),
        ({"path": "virt-v2v", "method": "job"}, "converts its disks"),
        ({"path": "virt-v2v", "method": "image", "disks": GOLD["disks"]}, "images are of the source"),
    ],
)
def test_what_copies_the_source_cannot_run_beside_it(way: Data, why: str) -> None:
    finding = only("VMF160", vm("a", **way), vm("b", **way), phases=phases())
    assert finding.vms == ("a", "b")
    assert why in finding.message
    assert silent("VMF160", vm("a", **way), phases=phases("fallback"))


def test_clones_and_containers_can_run_beside_their_source() -> None:
    record = [{"name": "app.example.com", "before": ["10.0.7.12"], "after": ["10.0.9.1"]}]
    rebuilt = app("app-01") | {"dns": record}
    assert not codes(GOLD, clone(), rebuilt, phases=phases(), dns=dns())


def test_a_clone_beside_its_source_has_an_identity_of_its_own() -> None:
    made = machines(resolved(GOLD, clone(hostname="web-01.example.com"), phases=phases(), dns=dns()))["web-01"]
    kept = machines(resolved(GOLD, clone(hostname="web-01.example.com"), phases=phases("fallback"), dns=dns()))[
        "web-01"
    ]
    assert kept.nics[0].mac == "00:50:56:00:00:01"
    assert made.nics[0].mac not in (None, kept.nics[0].mac)
    assert int((made.nics[0].mac or "")[:2], 16) & 3 == 2  # locally administered, and of one NIC
    assert made.guest_uuid not in (None, kept.guest_uuid)
    assert (made.hostname, kept.hostname) == (None, "web-01.example.com")
    again = machines(resolved(GOLD, clone(hostname="web-01.example.com"), phases=phases(), dns=dns()))["web-01"]
    assert again == made


def test_two_clones_beside_their_sources_have_different_macs_and_uuids() -> None:
    made = machines(resolved(GOLD, clone("web-01"), clone("web-02"), phases=phases(), dns=dns()))
    assert made["web-01"].nics[0].mac != made["web-02"].nics[0].mac
    assert made["web-01"].guest_uuid != made["web-02"].guest_uuid


def prepared(networks: list[Data], *clones: Data) -> list[Finding]:
    """Return what is found if VMs were prepared while their sources were to be off, and now are to run beside them."""
    more: Data = {"networks": networks, "dns": dns()}
    first = resolved(GOLD, *clones, phases=phases("fallback"), **more)
    groups = {each.name: {"stage": "prepared"} for each in first.blueprint.groups}
    was = resolved(GOLD, *clones, phases=phases("fallback"), groups=groups, assignments=first.assignments, **more)
    made = project(GOLD, *clones, phases=phases(), groups=groups, assignments=was.assignments, **more)
    found = [each for each in check(review(made, resolve(made))) if each.code == "VMF141"]
    assert all(each.where is not None and each.help for each in found)
    return found


def row(vlan: int, **where: Any) -> Data:
    return {
        "source": {"portGroup": "vlan-7", "vlan": 7, **where},
        "target": {"type": "bridge", "bridge": "b", "vlan": vlan},
    }


def test_a_clone_that_was_prepared_with_the_mac_of_its_source_is_refused() -> None:
    [finding] = prepared([row(7)], clone("web-01"))
    assert finding.vms == ("web-01",)
    assert not prepared([row(8)], clone("web-01"))
    assert not prepared([{"source": {"portGroup": "vlan-7", "vlan": 7}, "target": {"type": "pod"}}], clone("web-01"))


def test_rules_look_at_the_row_of_the_datacenter_a_vm_is_in() -> None:
    networks = [row(7, datacenter="DC1"), row(8, datacenter="DC2") | {"name": "far"}]
    nic = {"network": "vlan-7", "mac": "00:50:56:00:00:02", "addresses": ["10.0.7.12/24"], "origin": "static"}
    there = clone("web-02", datacenter="DC2", nics=[nic])
    [finding] = prepared(networks, clone("web-01", datacenter="DC1"), there)
    assert finding.vms == ("web-01",)


def test_a_name_of_its_own_and_a_free_address_are_asked_for() -> None:
    assert "targetName" in only("VMF161", GOLD, clone(targetName=None), phases=phases(), dns=dns()).help
    same = {"vlan-7": {"addresses": ["10.0.7.11/24"], "gateway": "10.0.7.1"}}
    record = [{"name": "www.example.com", "before": ["10.0.7.11"], "after": ["10.0.7.91"]}]
    assert "10.0.7.11" in only("VMF161", GOLD, clone(readdress=same, dns=record), phases=phases(), dns=dns()).message
    assert silent("VMF161", GOLD, clone(), phases=phases(), dns=dns())
    assert silent("VMF161", GOLD, clone(targetName=None), phases=phases("fallback"), dns=dns())


def test_something_has_to_lead_clients_to_the_target() -> None:
    assert only("VMF162", GOLD, clone(dns=[]), phases=phases()).vms == ("web-01",)
    assert silent("VMF162", GOLD, clone(dns=[]), phases=phases("fallback"))


@pytest.mark.parametrize("weights", [[10, 50], [50, 10, 100], [10, 10, 100], [0, 100], [100, 100]])
def test_weights_rise_from_above_0_to_100(weights: list[int]) -> None:
    [finding] = [
        each for each in ruled(GOLD, clone(), phases=phases(weights=weights), dns=dns()) if each.code == "VMF163"
    ]
    assert finding.where is not None


@pytest.mark.parametrize("weights", [[100], [1, 100], [5, 25, 50, 100]])
def test_rising_weights_are_fine(weights: list[int]) -> None:
    assert not codes(GOLD, clone(), phases=phases(weights=weights), dns=dns())


def test_weights_without_a_parallel_run_have_no_effect_and_are_refused() -> None:
    assert "VMF163" in codes(vm(), phases=phases("fallback", weights=[10, 100]))
    assert "VMF164" in codes(vm(), phases=phases("fallback"), groups={"first-01": {"weight": 100}})
    assert not codes(vm(), phases=phases("fallback", weights=[100]))


def test_zones_without_weights_only_switch_a_record_as_a_whole() -> None:
    for provider in ({"type": "zonefile"}, {"type": "externaldns", "ownsRecords": True}):
        assert "VMF165" in codes(GOLD, clone(), phases=phases(weights=[10, 100]), dns=dns(provider))
        assert not codes(GOLD, clone(), phases=phases(), dns=dns(provider))


def test_pointers_need_no_weights() -> None:
    zones = [*dns()["zones"], {"name": "7.0.10.in-addr.arpa", "ttl": "5m", "provider": {"type": "zonefile"}}]
    assert not codes(GOLD, clone(), phases=phases(weights=[10, 100]), dns={"zones": zones})


def test_an_address_and_an_alias_cannot_share_a_name() -> None:
    record = [{"name": "www.example.com", "before": ["10.0.7.11"], "after": ["lb.example.com"]}]
    found = codes(GOLD, clone(dns=record), phases=phases(weights=[10, 100]), dns=dns())
    assert found == {"VMF165"}
