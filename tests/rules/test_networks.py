"""The network rules, where their examples do not reach: each case says which codes it gets."""

from typing import Any

import msgspec
import pytest
from tests.resolve.projects import Data, defaults, project, vm

from vmferry import rules
from vmferry.check import review
from vmferry.model.finding import Finding
from vmferry.model.inventory import Inventory
from vmferry.resolve.blueprint import resolve

GITOPS: Data = {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"}


def found(*vms: Data, inventory: list[Data] | None = None, **sections: Any) -> list[Finding]:
    """Return what the network rules find; the spec itself has no error."""
    made = project(*vms, **sections)
    if inventory is not None:
        part = {"metadata": {"name": "vc1"}, "source": {"name": "vc1", "kind": "vcenter"}, "networks": inventory}
        made = msgspec.structs.replace(made, inventories=(msgspec.convert(part, Inventory),))
    resolution = resolve(made)
    assert [finding.message for finding in resolution.findings if finding.is_error] == []
    return [
        each
        for each in rules.check(review(made, resolution))
        if "VMF220" <= each.code <= "VMF239" or each.code == "VMF253"
    ]


def codes(*vms: Data, **arguments: Any) -> list[str]:
    return sorted({finding.code for finding in found(*vms, **arguments)})


def target(**cluster: Any) -> Data:
    return {"cluster": {"name": "prod-a", **cluster}, "gitops": GITOPS}


OVN = target(cni="ovn-kubernetes")


def row(name: str = "vlan-7", **fields: Any) -> Data:
    """Return a row of the network map; `to` is its target, `source` further fields of its source."""
    source = {"portGroup": name} | fields.pop("source", {})
    return {"source": source, "target": fields.pop("to", {"type": "bridge", "bridge": "br-vm"}), **fields}


def segment(named: str, **fields: Any) -> Data:
    return row(**fields) | {"source": {"segment": named, "transportZone": "overlay"}}


def on(network: str, mac: str = "00:50:56:00:99:01", **fields: Any) -> list[Data]:
    return [{"network": network, "mac": mac, **fields}]


def static(address: str, network: str = "vlan-7", **fields: Any) -> list[Data]:
    mac = f"00:50:56:00:88:{int(address.partition('/')[0].rpartition('.')[2]):02x}"
    return [{"network": network, "mac": mac, "addresses": [address], "origin": "static", **fields}]


BRIDGE: Data = {"type": "bridge", "bridge": "br-vm", "vlan": 7}
LAYER2: Data = {"type": "ovn-layer2"}
LOCALNET: Data = {"type": "ovn-localnet", "physicalNetwork": "physnet1", "vlan": 7}


# --- MTU, VLANs, bridges


@pytest.mark.parametrize(
    ("to", "known", "expected"),
    [
        (BRIDGE, {"mtu": 1500}, []),
        (BRIDGE, {}, []),
        (BRIDGE | {"mtu": 9000}, {"mtu": 1500}, ["VMF220"]),
        (BRIDGE, {"mtu": 9000, "kind": "nsx-t"}, []),
        (LOCALNET, {"mtu": 9000}, ["VMF220"]),
        (LOCALNET, {"mtu": 1500}, []),
        (LOCALNET | {"mtu": 1500}, {"mtu": 9000}, ["VMF220"]),
        ({"type": "nad", "name": "here"}, {"mtu": 9000}, []),
    ],
)
def test_an_mtu_is_compared_only_where_both_are_known_and_are_the_guests(
    to: Data, known: Data, expected: list[str]
) -> None:
    networks = [row(source={"vlan": 7}, to=to)]
    inventory = [{"name": "vlan-7", "vlan": 7, **known}]
    assert codes(vm(), networks=networks, inventory=inventory, target=OVN) == expected


def test_a_smaller_mtu_says_what_to_add_and_a_larger_one_what_to_set() -> None:
    def fix(own: int) -> str:
        networks = [row(to=BRIDGE | {"mtu": own})]
        [finding] = found(vm(), networks=networks, inventory=[{"name": "vlan-7", "mtu": 4000}])
        return finding.help

    assert fix(1500).startswith("add mtu: 4000")
    assert fix(9000).startswith("set mtu: 4000")


@pytest.mark.parametrize(
    ("source", "to", "inventory", "expected"),
    [
        ({"vlan": 7}, {"type": "bridge", "bridge": "br-vm"}, {"vlan": 8}, ["VMF222"]),
        ({"vlan": 7}, {"type": "bridge", "bridge": "br-vm"}, {}, []),
        ({"vlan": 7}, {"type": "bridge", "bridge": "br-vm", "untagged": True}, {"vlan": 7}, []),
        ({"vlan": 7}, {"type": "bridge", "bridge": "br-vm", "trunk": ["1-20"]}, {}, ["VMF222"]),
        ({}, LOCALNET | {"vlan": 9}, {"vlan": 7}, ["VMF222"]),
        ({"vlan": 7}, {"type": "sriov", "resourceName": "intel.com/sriov", "vlan": 8}, {}, ["VMF222"]),
        ({"trunk": ["5-9"]}, BRIDGE, {}, ["VMF223"]),
        ({"trunk": ["5-9"]}, LOCALNET, {}, ["VMF223"]),
        ({"trunk": ["0-4094"]}, {"type": "bridge", "bridge": "br-vm", "trunk": ["7"]}, {}, []),
        ({}, {"type": "bridge", "bridge": "br-vm", "trunk": ["7", "9"]}, {"trunk": ["7-8", "9", "30"]}, ["VMF223"]),
        ({"trunk": ["5-9"]}, {"type": "bridge", "bridge": "br-vm"}, {}, []),
        ({"trunk": ["5-9"]}, {"type": "bridge", "bridge": "br-vm", "untagged": True}, {}, []),
    ],
)
def test_vlans_of_the_target_are_held_against_those_in_vsphere(
    source: Data, to: Data, inventory: Data, expected: list[str]
) -> None:
    networks = [row(source=source, to=to)]
    assert codes(vm(), networks=networks, inventory=[{"name": "vlan-7", **inventory}], target=OVN) == expected


SRIOV: Data = {"type": "sriov", "resourceName": "intel.com/sriov", "vlan": 7}


@pytest.mark.parametrize(
    ("to", "kind", "accepts", "expected"),
    [
        (BRIDGE, "distributed", ["macChanges"], ["VMF253"]),
        (BRIDGE, "distributed", ["macLearning"], ["VMF253"]),
        (BRIDGE, "distributed", [], []),
        (BRIDGE | {"macspoofchk": False}, "distributed", ["forgedTransmits"], []),
        (SRIOV, "distributed", ["forgedTransmits"], ["VMF253"]),
        (SRIOV | {"spoofchk": False}, "distributed", ["forgedTransmits"], []),
        (LOCALNET, "distributed", ["forgedTransmits"], ["VMF253"]),
        (LAYER2, "standard", ["promiscuous"], ["VMF253"]),
        (BRIDGE, "standard", ["macChanges", "forgedTransmits"], []),
        (BRIDGE, "nsx-t", ["forgedTransmits"], []),
        ({"type": "nad", "name": "here"}, "distributed", ["forgedTransmits"], []),
        ({"type": "macvtap", "resource": "lan", "untagged": True}, "distributed", ["forgedTransmits"], []),
    ],
)
def test_a_port_group_that_accepts_other_macs_is_held_against_a_target_that_drops_them(
    to: Data, kind: str, accepts: list[str], expected: list[str]
) -> None:
    """A standard port group accepts all but promiscuous mode unless somebody changed it, so that says nothing."""
    inventory = [{"name": "vlan-7", "kind": kind, "accepts": accepts}]
    assert codes(vm(), networks=[row(to=to)], inventory=inventory, target=OVN) == expected


def test_a_port_group_that_accepts_other_macs_is_no_matter_where_no_vm_of_it_moves() -> None:
    inventory = [{"name": "vlan-8", "kind": "distributed", "accepts": ["forgedTransmits"]}]
    assert codes(vm(), networks=[row(to=BRIDGE), row("vlan-8", to=BRIDGE | {"vlan": 8})], inventory=inventory) == []


def test_what_a_port_group_accepts_is_said_in_the_words_of_vsphere_with_the_vms_on_it() -> None:
    inventory = [{"name": "vlan-7", "kind": "distributed", "accepts": ["promiscuous", "macChanges", "forgedTransmits"]}]
    vms = [vm(f"fw-{number}", nics=on("vlan-7", f"00:50:56:00:99:0{number}")) for number in range(7)]
    [finding] = found(*vms, networks=[row(to=BRIDGE)], inventory=inventory)
    assert "accepts promiscuous mode, MAC address changes and forged transmits in vSphere" in finding.message
    assert "(fw-0, fw-1, fw-2, fw-3, fw-4 and 2 more)" in finding.message
    assert len(finding.vms) == 7
    assert finding.help.startswith("set macspoofchk: false")


def test_missing_vlans_of_a_trunk_are_named_as_ranges() -> None:
    networks = [row(source={"trunk": ["1-3", "9", "40-50"]}, to={"type": "bridge", "bridge": "br-vm", "trunk": ["9"]})]
    [finding] = found(vm(), networks=networks)
    assert "VLANs 1-3, 40-50 of the trunk" in finding.message


def test_a_network_of_the_inventory_is_found_by_the_id_that_the_row_states() -> None:
    networks = [row(source={"vlan": 7, "id": "dvportgroup-1", "source": "vc1"})]
    inventory = [{"name": "renamed", "id": "dvportgroup-1", "vlan": 8}]
    assert codes(vm(), networks=networks, inventory=inventory) == ["VMF222"]


def test_a_vlan_moved_on_purpose_off_an_overlay_is_no_difference() -> None:
    networks = [segment("vlan-7", to=BRIDGE | {"vlan": 120})]
    assert codes(vm(), networks=networks, inventory=[{"name": "vlan-7", "vlan": 7, "kind": "nsx-t"}]) == []


def test_a_bridge_without_a_close_name_is_reported_without_a_guess() -> None:
    [finding] = found(vm(), target=target(bridges=[{"name": "storage0", "port": "bond1"}]))
    assert finding.code == "VMF224"
    assert "did you mean" not in finding.message


def test_a_jumbo_network_on_a_bridge_that_exists_already_is_nobodys_business() -> None:
    assert codes(vm(), networks=[row(to=BRIDGE | {"mtu": 9000})]) == []


# --- segments


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (row(to=BRIDGE), row("b", to={"type": "pod"}), []),
        (row(to=BRIDGE, subnet="10.0.7.0/24"), row("b", to={"type": "pod"}, subnet="10.0.7.0/24"), ["VMF226"]),
        (
            row(to=BRIDGE, subnet="10.0.7.0/24"),
            row("b", to={"type": "macvtap", "resource": "b"}, subnet="10.0.7.0/24"),
            [],
        ),
        (segment("vlan-7", to=BRIDGE), segment("b", to=BRIDGE, name="b"), ["VMF227"]),
        (segment("vlan-7", to=BRIDGE), row("b", to=BRIDGE), []),
        (row(to=BRIDGE, subnet="10.0.7.0/24"), row("b", to=BRIDGE, subnet="10.0.8.0/24"), ["VMF227"]),
        (row(to=LOCALNET, subnet="10.0.7.0/24"), row("b", to=LOCALNET, subnet="10.0.7.0/24"), ["VMF228"]),
        (
            row(to={"type": "nad", "name": "x"}, source={"vlan": 7}),
            row("b", to={"type": "nad", "name": "x"}, source={"vlan": 8}),
            ["VMF227"],
        ),
        (row(to={"type": "nad", "name": "x"}), row("b", to={"type": "nad", "name": "x"}), []),
        (
            row(to={"type": "sriov", "resourceName": "intel.com/a", "vlan": 7}, source={"vlan": 7}),
            row("b", to={"type": "sriov", "resourceName": "intel.com/a", "vlan": 7}, source={"vlan": 7}),
            ["VMF228"],
        ),
        (
            row(to={"type": "bridge", "bridge": "br-vm", "trunk": ["7"]}, subnet="10.0.7.0/24"),
            row("b", to={"type": "bridge", "bridge": "br-vm", "trunk": ["7"]}, subnet="10.0.8.0/24"),
            [],
        ),
    ],
)
def test_segments_are_told_apart_by_what_is_known_of_them(first: Data, second: Data, expected: list[str]) -> None:
    assert codes(vm(), networks=[first, second], target=OVN) == expected


def test_port_groups_of_one_vlan_and_switch_are_one_segment() -> None:
    networks = [row(to=BRIDGE), row("b", to={"type": "pod"})]
    inventory = [{"name": name, "switch": "dvs-1", "vlan": 7} for name in ("vlan-7", "b")]
    [finding] = found(vm(), networks=networks, inventory=inventory)
    assert finding.message.startswith("VLAN 7 of switch dvs-1 in vc1 is split: 'vlan-7' to VLAN 7")


def test_a_segment_is_the_same_by_its_id_and_told_of_once() -> None:
    networks = [row(to=BRIDGE, subnet="10.0.7.0/24"), row("b", to={"type": "pod"}, subnet="10.0.7.0/24")]
    inventory = [{"name": name, "segmentId": "s-1"} for name in ("vlan-7", "b")]
    [finding] = found(vm(), networks=networks, inventory=inventory)
    assert finding.code == "VMF226"


def test_each_address_of_a_network_outside_of_its_subnet_is_found_where_it_stands() -> None:
    test = {"addresses": ["10.0.7.250/24", "10.0.9.251/24"], "namespace": "web"}
    to = LOCALNET | {"subnets": ["10.0.9.0/24", "fd00::/64"]}
    networks = [row(to=to, subnet="10.0.7.0/24", gateway="fd00::1", smokeTest=test)]
    paths = {finding.where.path[2:] for finding in found(vm(), networks=networks, target=OVN) if finding.where}
    assert paths == {("smokeTest", "addresses", 1), ("target", "subnets", 0)}


# --- addresses of VMs


def readdressed(address: str, **fields: Any) -> Data:
    new = {"addresses": [address], **fields}
    return vm(staticIP="cloud-init", readdress={"vlan-7": new}, nics=static("192.0.2.9/24"))


SUBNET = [row(source={"vlan": 7}, subnet="10.0.7.0/24")]


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        (vm(nics=static("10.0.9.5/24")), ["VMF229"]),
        (vm(nics=on("vlan-7", addresses=["10.0.9.5/24", "10.0.7.5/24"])), []),
        (vm(nics=on("vlan-7", addresses=["fd00::5/64", "169.254.1.1/16"])), []),
        (vm(nics=on("vlan-7", addresses=["10.0.9.5/24"], origin="dhcp")), []),
        (vm(staticIP="none", nics=static("10.0.9.5/24")), []),
        (readdressed("10.0.9.5/24"), ["VMF229"]),
        (readdressed("10.0.7.5/24", gateway="10.0.7.1"), []),
        (readdressed("10.0.7.5/24", gateway="10.0.8.1"), ["VMF231"]),
        (readdressed("10.0.7.5/24", gateway=["10.0.7.1", "10.0.8.1"][:1]), []),
        (readdressed("10.0.7.5/24", gateway=["10.0.7.1", "fe80::1"]), []),
        (readdressed("10.0.7.5/24", gateway=["10.0.7.1", "fd00::1"]), ["VMF231"]),
        (vm(path="rebuild", method=None, application={"image": "r/app:1"}, nics=static("10.0.9.5/24")), []),
    ],
)
def test_addresses_are_held_against_the_subnet_where_they_are_kept_or_new(machine: Data, expected: list[str]) -> None:
    assert codes(machine, networks=SUBNET) == expected


@pytest.mark.parametrize(
    ("nic", "gateway", "expected"),
    [
        (static("10.0.7.5/24", gateway="10.0.7.254"), "10.0.7.1", ["VMF231"]),
        (static("10.0.7.5/24", gateway="fd00::1"), "10.0.7.1", []),
        (static("10.0.7.5/24"), "10.0.7.1", []),
        (static("10.0.7.5/24", gateway="10.0.7.254"), None, []),
        (on("vlan-7", gateway="10.0.7.254", origin="dhcp"), "10.0.7.1", []),
        (static("10.0.7.5/24", gateway="1.2.3"), "10.0.7.1", []),
    ],
)
def test_a_gateway_differs_only_for_a_guest_that_keeps_it(
    nic: list[Data], gateway: str | None, expected: list[str]
) -> None:
    networks = [SUBNET[0] | ({"gateway": gateway} if gateway else {})]
    assert codes(vm(nics=nic), networks=networks) == expected


def test_an_address_is_used_twice_by_a_vm_that_stays_and_one_that_moves() -> None:
    stays = vm("old-01", disposition="retain", reason="its licence", nics=static("10.0.7.5/24"))
    [finding] = found(vm(nics=static("10.0.7.5/24", mac="00:50:56:00:99:01")), stays)
    assert finding.message == "address 10.0.7.5 is used by VM old-01 and VM web-01"
    assert finding.vms == ("old-01", "web-01")


@pytest.mark.parametrize(
    "stays",
    [
        vm("old-01", disposition="retire", reason="replaced", nics=static("10.0.7.5/24")),
        vm("old-01", disposition="retain", reason="licence", nics=on("vlan-7", addresses=["10.0.7.5"], origin="dhcp")),
        vm("old-01", disposition="retain", reason="licence", nics=static("10.0.7.5/24", network="not mapped")),
        vm("old-01", disposition="retain", reason="licence", nics=None),
    ],
)
def test_an_address_that_is_gone_or_elsewhere_is_free(stays: Data) -> None:
    assert codes(vm(nics=static("10.0.7.5/24", mac="00:50:56:00:99:01")), stays) == []


def test_a_smoke_test_may_take_neither_a_vms_address_nor_the_gateways() -> None:
    test = {"addresses": ["10.0.7.5/24", "10.0.7.1/24"], "namespace": "web"}
    networks = [SUBNET[0] | {"smokeTest": test, "gateway": "10.0.7.1"}]
    messages = [finding.message for finding in found(vm(nics=static("10.0.7.5/24")), networks=networks)]
    assert messages == [
        "address 10.0.7.1 is used by smoke-test VM 2 of 'vlan-7' and the gateway",
        "address 10.0.7.5 is used by VM web-01 and smoke-test VM 1 of 'vlan-7'",
    ]


def test_a_new_address_that_is_the_gateways_is_found_where_it_is_given() -> None:
    networks = [SUBNET[0] | {"gateway": "10.0.7.1"}]
    [finding] = found(readdressed("10.0.7.1/24"), networks=networks)
    assert finding.code == "VMF232"
    assert finding.where is not None
    assert finding.where.path[-2:] == ("readdress", "vlan-7")


def test_equal_addresses_on_two_networks_do_not_meet() -> None:
    networks = [row(to=BRIDGE), row("b", to=BRIDGE | {"vlan": 8})]
    vms = (vm(nics=static("10.0.7.5/24")), vm("b-01", nics=static("10.0.7.5/24", "b", mac="00:50:56:00:99:01")))
    assert codes(*vms, networks=networks) == []


def test_on_a_trunk_and_on_the_pod_network_addresses_are_not_mixed_up() -> None:
    trunk = row(to={"type": "bridge", "bridge": "br-vm", "trunk": ["7"]})
    pod = row("b", to={"type": "pod"})
    vms = (
        vm(nics=static("10.0.7.5/24")),
        vm("b-01", nics=on("b", addresses=["10.0.7.5/24"])),
        vm("b-02", disposition="retain", reason="licence", nics=static("10.0.7.5/24", "b")),
    )
    assert codes(*vms, networks=[trunk, pod]) == []


def test_a_mac_of_the_pool_matters_for_what_stays_a_vm() -> None:
    nics = on("vlan-7", mac="02:00:00:00:00:01")
    assert codes(vm(nics=nics)) == ["VMF233"]
    assert codes(vm(nics=nics, path="rebuild", method=None, application={"image": "r/app:1"})) == []


@pytest.mark.parametrize(
    ("to", "machine", "expected"),
    [
        (LAYER2 | {"subnets": ["10.0.7.0/24"]}, vm(nics=static("10.0.7.5/24")), ["VMF234"]),
        (LOCALNET | {"subnets": ["10.0.7.0/24"]}, readdressed("10.0.7.5/24"), ["VMF234"]),
        (LOCALNET | {"subnets": ["10.0.7.0/24"]}, vm(nics=on("vlan-7", origin="dhcp")), []),
        (LOCALNET, vm(nics=on("vlan-7", origin="dhcp")), ["VMF235"]),
        ({"type": "pod"}, vm(nics=on("vlan-7", origin="dhcp")), []),
    ],
)
def test_who_assigns_addresses_must_fit_where_the_guest_has_its_own_from(
    to: Data, machine: Data, expected: list[str]
) -> None:
    assert codes(machine, networks=[row(to=to, dhcp=False)], target=OVN) == expected


def test_a_vm_is_the_gateway_by_what_the_network_says_too() -> None:
    networks = [SUBNET[0] | {"gateway": "10.0.7.1"}]
    assert codes(vm(nics=static("10.0.7.1/24")), networks=networks) == ["VMF236"]


# --- reach

EXTERNAL = [{"external": "ntp.example.com:123"}]


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        (vm(nics=static("10.0.7.5/24"), dependsOn=EXTERNAL), ["VMF237"]),
        (vm(nics=static("10.0.7.5/24")), []),
        (vm(nics=static("10.0.7.5/24", gateway="10.0.7.1")), ["VMF237"]),
        (vm(nics=on("vlan-7", gateway="10.0.7.1", origin="dhcp")), []),
        (readdressed("10.0.7.5/24", gateway="10.0.7.1"), ["VMF237"]),
        (vm(nics=[*static("10.0.7.5/24"), *on("b")], dependsOn=EXTERNAL), []),
        (vm(nics=[], dependsOn=EXTERNAL), []),
    ],
)
def test_an_overlay_is_left_only_through_another_nic(machine: Data, expected: list[str]) -> None:
    assert codes(machine, networks=[row(to=LAYER2), row("b", to=BRIDGE)], target=OVN) == expected


def test_a_router_vm_leads_out_of_an_overlay() -> None:
    guest = vm(nics=static("10.0.7.5/24", gateway="10.0.7.1"), dependsOn=EXTERNAL)
    router = vm("fw-01", nics=static("10.0.7.1/24"))
    assert codes(guest, router, networks=[row(to=LAYER2)], target=OVN) == ["VMF236"]


ISOLATED = [{"name": "web"}, {"name": "db", "networkPolicy": "isolate"}]
POD = [row(to={"type": "pod"}), row("b", to=BRIDGE)]


@pytest.mark.parametrize(
    ("needed", "wanted", "expected"),
    [
        (vm("db-02", namespace="db"), "db-02", ["VMF239"]),
        (vm("db-02", namespace="db", id="vm-9"), "vm-9", ["VMF239"]),
        (vm("db-02", namespace="db", ports=[{"name": "psql", "port": 5432}]), "db-02", []),
        (vm("db-02", namespace="web"), "db-02", []),
        (vm("db-02", disposition="retain", reason="licence"), "db-02", []),
        (vm("db-02", namespace="db"), {"external": "db.example.com:5432"}, []),
        (
            vm("db-02", namespace="db", path="rebuild", method=None, application={"image": "r/db:1"}),
            "db-02",
            ["VMF239"],
        ),
    ],
)
def test_a_vm_in_an_isolated_namespace_must_offer_what_others_need(
    needed: Data, wanted: Any, expected: list[str]
) -> None:
    needs = vm(dependsOn=[wanted])
    assert codes(needs, needed, networks=POD, namespaces=ISOLATED, target=target(cni="cilium")) == expected


def test_a_vm_with_a_secondary_network_is_reached_there_and_not_guarded() -> None:
    needs = vm(dependsOn=["db-02"])
    needed = vm("db-02", namespace="db", nics=on("b"))
    arguments = {"networks": POD, "namespaces": ISOLATED, "target": target(cni="cilium")}
    assert codes(needs, needed, **arguments) == ["VMF238"]


def test_many_unguarded_vms_are_counted() -> None:
    many = [vm(f"b-{n:02d}", namespace="db", nics=on("b", mac=f"00:50:56:00:99:{n:02x}")) for n in range(7)]
    [finding] = found(*many, networks=POD, namespaces=ISOLATED, target=target(cni="cilium"))
    assert finding.message.endswith("b-00, b-01, b-02, b-03, b-04 and 2 more")
    assert len(finding.vms) == 7


def test_on_openshift_a_plan_reaches_less_and_its_own_rule_says_so() -> None:
    networks = [row(to={"type": "nad", "name": "x", "namespace": "openshift-cnv"})]
    assert codes(vm(), networks=networks, target=target(distribution="openshift")) == []
    networks = [row(to={"type": "nad", "name": "x", "namespace": "default"})]
    forklift = vm(path="forklift", method="cold")
    assert codes(forklift, networks=networks, target=target(distribution="openshift")) == []
    assert codes(vm(), networks=POD, target=target(distribution="openshift")) == []


def test_a_template_has_no_address_to_lose() -> None:
    template = vm("gold", template=True, powerState="poweredOff", nics=static("10.0.9.5/24"))
    assert codes(template, networks=SUBNET, defaults=defaults(method="image")) == []
