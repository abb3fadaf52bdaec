"""What each NIC is attached to, and what is wrong with the network map."""

from typing import Any

import pytest
from msgspec import convert
from msgspec.structs import replace

from vmferry.estate.network_map import NetworkMap
from vmferry.model.blueprint import MachineNic
from vmferry.model.finding import Finding, Where
from vmferry.model.spec import BridgeNetwork, Cluster, Decisions, MacvtapNetwork, Network, SriovNetwork, VirtualMachine
from vmferry.resolve.network_rows import check_networks, map_networks
from vmferry.resolve.networks import attach, check_attached
from vmferry.resolve.notes import collect, findings
from vmferry.resolve.paths import Route
from vmferry.resolve.selection import Candidate

SPEC = Where(file="spec.yaml")
BRIDGE = {"type": "bridge", "bridge": "br-vm"}
POD = {"type": "pod"}
SRIOV = {"type": "sriov", "resourceName": "intel.com/nic"}
MACVTAP = {"type": "macvtap", "resource": "eth1"}
ROUTE = Route("forklift", "cold")

Data = dict[str, Any]


def row(source: Data, target: Data = POD, **fields: Any) -> Network:
    return convert({"source": source, "target": target} | fields, Network)


def mapped(*rows: Network) -> tuple[NetworkMap, list[Finding]]:
    """Return the network map with everything that is found of it."""
    table, notes = collect(map_networks(rows, SPEC))
    _, more = collect(check_networks(table.rows, {}, Cluster(name="prod-a")))
    return table, [*findings(notes), *findings(more)]


def found(*rows: Network) -> list[tuple[str, tuple[str | int, ...]]]:
    """Return code and place below `networks` of what is found."""
    return [(item.code, place(item)[1:]) for item in mapped(*rows)[1]]


def place(finding: Finding) -> tuple[str | int, ...]:
    assert finding.where is not None
    return finding.where.path


def vm(name: str, *nics: Data, source: str = "vc1", static_ip: str | None = None, **fields: Any) -> Candidate:
    machine = convert({"name": name, "nics": list(nics)} | fields, VirtualMachine)
    return Candidate(
        key=f"{source}/{machine.id or name}",
        source=source,
        vm=machine,
        decisions=convert({"staticIP": static_ip} if static_ip else {}, Decisions),
        origins={},
        where=Where(file="vms.yaml", path=("vms", name)),
    )


def attached(
    table: NetworkMap,
    *candidates: Candidate,
    taken: dict[str, tuple[str, str]] | None = None,
    route: Route = ROUTE,
) -> tuple[dict[str, tuple[MachineNic, ...]], list[Finding]]:
    routes = {candidate.key: route for candidate in candidates}
    namespaces = {candidate.key: "web" for candidate in candidates}
    cluster = Cluster(name="prod-a")
    found, notes = collect(attach(candidates, routes, namespaces, table, cluster))
    _, more = collect(check_attached(candidates, routes, found, table, cluster, taken or {}))
    return {key: each.nics for key, each in found.items()}, [*findings(notes), *findings(more)]


LAN, _ = mapped(row({"portGroup": "lan"}, BRIDGE | {"vlan": 7}))


# --- names -----------------------------------------------------------------------------------


def test_a_network_whose_name_leaves_nothing_needs_a_name() -> None:
    assert found(row({"portGroup": "生产"}, BRIDGE | {"vlan": 7})) == [("VMF204", (0, "source"))]
    assert found(row({"portGroup": "生产"}, BRIDGE | {"vlan": 7}, name="production")) == []


def test_two_networks_without_a_name_are_not_two_of_one_name() -> None:
    rows = [row({"portGroup": name}, BRIDGE | {"vlan": 7}) for name in ("生产", "测试")]
    assert found(*rows) == [("VMF204", (0, "source")), ("VMF204", (1, "source"))]


def test_a_network_that_makes_nothing_needs_no_name() -> None:
    assert found(row({"portGroup": "生产"})) == []
    assert found(row({"portGroup": "测试"}, {"type": "nad", "name": "there"})) == []


def test_a_smoke_test_needs_a_name_on_a_network_that_exists() -> None:
    smoke = {"addresses": ["10.0.0.2/24", "10.0.0.3/24"], "namespace": "web"}
    assert found(row({"portGroup": "生产"}, {"type": "nad", "name": "there"}, smokeTest=smoke)) == [
        ("VMF204", (0, "source"))
    ]


# --- VLANs -----------------------------------------------------------------------------------


def test_sriov_takes_the_vlan_of_the_port_group() -> None:
    table, findings = mapped(row({"portGroup": "fast", "vlan": 310}, SRIOV))
    target = table.rows[0].network.target
    assert isinstance(target, SriovNetwork)
    assert (target.vlan, findings) == (310, [])


def test_a_vlan_said_for_sriov_wins() -> None:
    table, _ = mapped(row({"portGroup": "fast", "vlan": 310}, SRIOV | {"vlan": 7}))
    target = table.rows[0].network.target
    assert isinstance(target, SriovNetwork)
    assert target.vlan == 7


def test_sriov_that_is_deliberately_untagged_stays_so() -> None:
    table, findings = mapped(row({"portGroup": "fast", "vlan": 310}, SRIOV | {"untagged": True}))
    target = table.rows[0].network.target
    assert isinstance(target, SriovNetwork)
    assert (target.vlan, findings) == (None, [])


def test_sriov_with_a_vlan_and_untagged_is_refused() -> None:
    assert found(row({"portGroup": "fast"}, SRIOV | {"vlan": 7, "untagged": True})) == [("VMF204", (0, "target"))]


@pytest.mark.parametrize("target", [SRIOV, MACVTAP])
@pytest.mark.parametrize("source", [{"segment": "web"}, {"segment": "web", "transportZone": "overlay"}])
def test_an_overlay_segment_needs_a_decision(source: Data, target: Data) -> None:
    assert found(row(source, target)) == [("VMF202", (0, "target"))]
    assert found(row(source, target | {"untagged": True})) == []


def test_a_port_group_of_which_no_vlan_is_known_needs_a_decision_on_sriov() -> None:
    assert found(row({"portGroup": "fast"}, SRIOV)) == [("VMF204", (0, "target"))]


@pytest.mark.parametrize(
    "source",
    [
        {"portGroup": "lab", "vlan": 66},
        {"portGroup": "lab", "trunk": ["10-20"]},
        {"segment": "lab", "transportZone": "vlan", "vlan": 66},
        {"segment": "lab", "vlan": 66},
    ],
)
def test_macvtap_has_no_vlan_so_its_parent_must_carry_it(source: Data) -> None:
    table, findings = mapped(row(source, MACVTAP))
    assert [item.code for item in findings] == ["VMF204"]
    assert "parent interface of eth1" in findings[0].help
    table, findings = mapped(row(source, MACVTAP | {"untagged": True}))
    assert isinstance(table.rows[0].network.target, MacvtapNetwork)
    assert findings == []


def test_a_port_group_without_a_vlan_may_go_to_macvtap() -> None:
    assert found(row({"portGroup": "lab"}, MACVTAP)) == []


def test_a_bridge_takes_vlan_or_trunk_of_the_port_group() -> None:
    table, findings = mapped(
        row({"portGroup": "a", "vlan": 7}, BRIDGE), row({"portGroup": "b", "trunk": ["1-9"]}, BRIDGE)
    )
    one, other = (item.network.target for item in table.rows)
    assert isinstance(one, BridgeNetwork)
    assert isinstance(other, BridgeNetwork)
    assert (one.vlan, other.trunk, findings) == (7, ("1-9",), [])


# --- one row a network -----------------------------------------------------------------------


def test_one_id_in_two_rows_is_one_network_mapped_twice() -> None:
    rows = [row({"portGroup": name, "id": "dvportgroup-42"}) for name in ("a", "b")]
    assert found(*rows) == [("VMF210", (1, "source", "id"))]


def test_one_id_in_a_row_of_any_vcenter_and_in_one_of_a_vcenter_is_mapped_twice() -> None:
    rows = [
        row({"portGroup": "a", "id": "dvportgroup-42"}),
        row({"portGroup": "b", "id": "dvportgroup-42", "source": "vc1"}),
    ]
    assert found(*rows) == [("VMF210", (1, "source", "id"))]
    assert found(*reversed(rows)) == [("VMF210", (1, "source", "id"))]


def test_vcenters_count_their_ids_each_for_itself() -> None:
    rows = [row({"portGroup": name, "id": "dvportgroup-42", "source": name}) for name in ("vc1", "vc2")]
    assert found(*rows) == []


def test_an_id_that_is_the_name_of_another_row_is_mapped_twice() -> None:
    rows = [row({"portGroup": "network-7"}), row({"portGroup": "lan", "id": "network-7"})]
    assert found(*rows) == [("VMF210", (1, "source", "id"))]


def test_a_name_mapped_twice_is_reported_once() -> None:
    rows = [row({"portGroup": "lan", "id": "network-7"})] * 2
    assert found(*rows) == [("VMF210", (1, "source"))]


def test_a_row_of_a_vcenter_wins_by_name_and_by_id() -> None:
    table, findings = mapped(
        row({"portGroup": "lan", "id": "network-7"}),
        row({"portGroup": "lan", "source": "vc1"}, BRIDGE | {"vlan": 7}),
    )
    assert findings == []
    assert table.find("vc1", "network-7") is table.find("vc1", "lan") is table.rows[1]
    assert table.find("vc2", "network-7") is table.find("vc2", "lan") is table.rows[0]


def test_networks_of_one_name_and_two_ids_are_two() -> None:
    table, findings = mapped(
        row({"portGroup": "lan", "id": "network-7"}),
        row({"portGroup": "lan", "id": "network-8", "source": "vc1"}, BRIDGE | {"vlan": 7}),
    )
    assert findings == []
    assert table.find("vc1", "network-7") is table.rows[0]
    assert table.find("vc1", "network-8") is table.find("vc1", "lan") is table.rows[1]


def test_a_nic_whose_name_and_id_lead_to_two_rows_is_refused() -> None:
    table, _ = mapped(row({"portGroup": "a", "id": "network-1"}), row({"portGroup": "b", "id": "network-2"}))
    _, findings = attached(table, vm("web-01", {"network": "a", "networkId": "network-2"}))
    assert [(item.code, place(item)[2:], item.vms) for item in findings] == [
        ("VMF210", ("nics", 0, "networkId"), ("web-01",))
    ]


def test_a_nic_is_found_by_its_id_where_its_name_is_not_mapped() -> None:
    table, _ = mapped(row({"portGroup": "new name", "id": "network-1"}, BRIDGE | {"vlan": 7}))
    nics, findings = attached(table, vm("web-01", {"network": "old name", "networkId": "network-1"}))
    assert (nics["vc1/web-01"][0].nad, findings) == ("web/new-name", [])


def test_a_nic_on_a_network_of_the_same_name_and_another_id_is_refused() -> None:
    table, _ = mapped(row({"portGroup": "lan", "id": "network-1"}, BRIDGE | {"vlan": 7}))
    _, findings = attached(table, vm("web-01", {"network": "lan", "networkId": "network-2"}))
    assert [(item.code, place(item)[2:], item.vms) for item in findings] == [
        ("VMF212", ("nics", 0, "networkId"), ("web-01",))
    ]
    assert "{portGroup: network-2, id: network-2}" in (findings[0].help or "")
    # an id of NSX is no id of vCenter: that they differ says nothing
    for known in ("network-1", "4b1d7a6e-0000-0000-0000-000000000000"):
        assert attached(table, vm("web-01", {"network": "lan", "networkId": known}))[1] == []


def test_a_row_for_several_networks_of_one_name_is_refused() -> None:
    twins = [vm(name, {"network": "lan", "networkId": f"network-{name}"}) for name in "12"]
    _, findings = attached(LAN, *twins)
    assert [(item.code, place(item), item.vms) for item in findings] == [
        ("VMF212", ("networks", 0, "source"), ("1", "2"))
    ]
    assert "network-1, network-2" in findings[0].message
    assert attached(LAN, twins[0], vm("3", {"network": "lan", "networkId": "network-1"}))[1] == []
    assert attached(LAN, twins[0], vm("3", {"network": "lan"}))[1] == []


def test_a_row_for_any_vcenter_may_stand_for_one_network_in_each() -> None:
    one, other = (vm(name, {"network": "lan", "networkId": f"network-{name}"}) for name in "12")
    assert attached(LAN, one, replace(other, source="vc2", key="vc2/2"))[1] == []


def test_a_row_found_by_its_id_goes_before_one_that_has_the_name() -> None:
    """That is how VMF212 says it should be written."""
    table, findings = mapped(
        row({"portGroup": "lan", "id": "network-1"}, BRIDGE | {"vlan": 7}),
        row({"portGroup": "network-2", "id": "network-2"}, BRIDGE | {"vlan": 8}),
    )
    assert findings == []
    nics, findings = attached(
        table,
        vm("a", {"network": "lan", "networkId": "network-1", "mac": "00:50:56:00:00:01"}),
        vm("b", {"network": "lan", "networkId": "network-2", "mac": "00:50:56:00:00:02"}),
    )
    assert findings == []
    assert [nics[f"vc1/{name}"][0].nad for name in "ab"] == ["web/lan", "web/network-2"]


def test_an_nsx_segment_on_two_switches_is_one_network_but_for_forklift() -> None:
    table, _ = mapped(row({"segment": "web", "transportZone": "overlay"}, BRIDGE | {"vlan": 7}))
    twins = [vm(n, {"network": "web", "networkId": f"dvportgroup-{n}", "mac": f"00:50:56:00:00:0{n}"}) for n in "12"]
    assert [item.code for item in attached(table, *twins)[1]] == ["VMF212"]
    assert attached(table, *twins, route=Route("virt-v2v", "job"))[1] == []


# --- MAC addresses ---------------------------------------------------------------------------

MAC = "00:50:56:9a:10:01"
NIC = {"network": "lan", "mac": MAC}


def test_one_mac_in_two_vms_is_refused() -> None:
    _, findings = attached(LAN, vm("a", NIC), vm("b", NIC))
    assert [(item.code, item.message, item.vms) for item in findings] == [
        ("VMF206", f"MAC {MAC} is used by a and b", ("a", "b"))
    ]


def test_one_mac_in_two_vms_of_one_name_is_refused() -> None:
    _, findings = attached(LAN, vm("db", NIC), vm("db", NIC, source="vc2"))
    assert [(item.code, item.message, item.vms) for item in findings] == [
        ("VMF206", f"MAC {MAC} is used by db (vc1/db) and db (vc2/db)", ("db",))
    ]


def test_one_mac_twice_in_one_vm_is_refused() -> None:
    _, findings = attached(LAN, vm("a", NIC, NIC | {"mac": MAC.upper()}))
    assert {(item.code, item.message) for item in findings} == {("VMF206", f"MAC {MAC} is used by a twice")}


def test_the_mac_of_a_frozen_vm_is_taken() -> None:
    _, findings = attached(LAN, vm("b", NIC, id="vm-2"), taken={MAC: ("vc1/vm-1", "a")})
    assert [item.message for item in findings] == [f"MAC {MAC} is used by a and b"]


def test_the_mac_of_a_frozen_vm_of_the_same_name_is_taken() -> None:
    _, findings = attached(LAN, vm("db", NIC, source="vc2"), taken={MAC: ("vc1/vm-1", "db")})
    assert [item.message for item in findings] == [f"MAC {MAC} is used by db (vc1/vm-1) and db (vc2/db)"]


# --- layer -----------------------------------------------------------------------------------


def test_the_pod_network_is_no_layer_2() -> None:
    assert found(row({"portGroup": "lan"}, POD, layer=2)) == [("VMF204", (0, "layer"))]


@pytest.mark.parametrize("fields", [{}, {"layer": 3}])
def test_the_pod_network_is_layer_3(fields: Data) -> None:
    assert found(row({"portGroup": "lan"}, POD, **fields)) == []


def test_a_bridge_is_layer_2() -> None:
    assert found(row({"portGroup": "lan"}, BRIDGE | {"vlan": 7}, layer=2)) == []


# --- addresses -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"subnet": "10.1.2.300/24"}, ("subnet",)),
        ({"subnet": "10.1.2.7/24"}, ("subnet",)),
        ({"gateway": "10.1.2.300"}, ("gateway",)),
        ({"gateway": "1:2:3"}, ("gateway",)),
    ],
)
def test_addresses_of_a_network_must_be_addresses(fields: Data, at: tuple[str, ...]) -> None:
    assert found(row({"portGroup": "lan"}, **fields)) == [("VMF204", (0, *at))]


def test_addresses_of_a_smoke_test_must_be_addresses() -> None:
    smoke = {"addresses": ["10.0.0.2/24", "10.0.0.3/33"], "namespace": "web"}
    assert found(row({"portGroup": "lan"}, BRIDGE | {"vlan": 7}, smokeTest=smoke)) == [
        ("VMF204", (0, "smokeTest", "addresses", 1))
    ]


def test_subnets_of_a_target_must_be_networks() -> None:
    assert found(row({"segment": "lan"}, {"type": "ovn-layer2", "subnets": ["10.0.0.0/24", "10.0.0.1/24"]})) == [
        ("VMF204", (0, "target", "subnets", 1))
    ]


def test_addresses_of_a_nic_must_be_addresses() -> None:
    _, findings = attached(LAN, vm("a", {"network": "lan", "addresses": ["10.0.0.2/24", "10.0.0.256/24"]}))
    assert [(item.code, place(item)[2:]) for item in findings] == [("VMF116", ("nics", 0, "addresses", 1))]


@pytest.mark.parametrize(
    ("new", "at"),
    [
        ({"addresses": ["10.0.0.1/33"]}, ("addresses", 0)),
        ({"addresses": ["10.0.0.1/24"], "gateway": "10.0.0"}, ("gateway",)),
        ({"addresses": ["fd00::1/64"], "nameservers": ["10.0.0.1", "10.0.0.1.2"]}, ("nameservers", 1)),
        ({"addresses": ["10.0.0.1/24"], "gateway": ["10.0.0.254", "fd00:"]}, ("gateway", 1)),
        ({"addresses": ["10.0.0.1/24"], "gateway": ["10.0.0.254", "10.0.0.253"]}, ("gateway",)),
    ],
)
def test_new_addresses_must_be_addresses(new: Data, at: tuple[str | int, ...]) -> None:
    candidate = vm("a", {"network": "lan"}, static_ip="cloud-init", readdress={"lan": new})
    _, findings = attached(LAN, candidate)
    assert [(item.code, place(item)[2:]) for item in findings] == [("VMF116", ("readdress", "lan", *at))]


def test_two_families_have_a_gateway_each() -> None:
    new = {"addresses": ["10.0.0.1/24", "fd00::1/64"], "gateway": ["10.0.0.254", "fd00::ff"]}
    nics, findings = attached(LAN, vm("a", {"network": "lan"}, static_ip="cloud-init", readdress={"lan": new}))
    assert findings == []
    given = nics["vc1/a"][0].readdress
    assert given is not None
    assert given.gateways == ("10.0.0.254", "fd00::ff")
    assert (given.gateway_of("10.0.0.1/24"), given.gateway_of("fd00::1/64")) == given.gateways


def test_new_addresses_for_two_nics_on_one_network_are_refused() -> None:
    candidate = vm(
        "a",
        {"network": "lan"},
        {"network": "lan"},
        static_ip="cloud-init",
        readdress={"lan": {"addresses": ["10.0.0.5/24"]}},
    )
    _, findings = attached(LAN, candidate)
    assert [(item.code, place(item)[2:], item.vms) for item in findings] == [("VMF116", ("readdress", "lan"), ("a",))]


def test_a_nic_gets_the_new_addresses_of_its_network() -> None:
    candidate = vm("a", {"network": "lan"}, static_ip="cloud-init", readdress={"lan": {"addresses": ["10.0.0.5/24"]}})
    nics, findings = attached(LAN, candidate)
    assert findings == []
    assert nics["vc1/a"][0].readdress is not None
    assert nics["vc1/a"][0].readdress.addresses == ("10.0.0.5/24",)


def test_a_rebuilt_vm_keeps_no_addresses_so_they_do_not_matter() -> None:
    candidate = vm("a", {"network": "lan", "addresses": ["10.0.0.256/24"]})
    assert attached(LAN, candidate, route=Route("rebuild", "rebuild"))[1] == []


# --- messages --------------------------------------------------------------------------------


def test_a_message_names_twenty_vms_and_the_finding_all() -> None:
    _, findings = attached(LAN, *(vm(f"vm-{number:02}", {"network": "other"}) for number in range(25)))
    assert [item.code for item in findings] == ["VMF201"]
    assert "(25 VMs: vm-00, vm-01," in findings[0].message
    assert "vm-19 and 5 more)" in findings[0].message
    assert len(findings[0].vms) == 25


# --- one name in several places -------------------------------------------------------------------------------


def lan(name: str, **place: str) -> Network:
    return row({"portGroup": "lan", **place}, {**BRIDGE, "untagged": True}, name=name)


def test_rows_of_one_name_are_told_apart_by_datacenter_and_switch() -> None:
    table, findings = mapped(lan("bremen", datacenter="Bremen"), lan("osaka", datacenter="Osaka"), lan("b", switch="b"))
    assert findings == []
    found = [table.find("vc1", "lan", *place) for place in (("Bremen", "a"), ("Osaka", "a"), ("Oslo", "b"))]
    assert [each and each.name for each in found] == ["bremen", "osaka", "b"]


def test_a_network_in_a_datacenter_that_no_row_names_is_on_none_of_the_others() -> None:
    table, _ = mapped(lan("bremen", datacenter="Bremen"))
    assert table.find("vc1", "lan", "Osaka") is None
    assert table.find("vc1", "lan") is None


def test_a_row_that_names_no_place_is_for_the_rest() -> None:
    table, findings = mapped(lan("any"), lan("osaka", datacenter="Osaka"))
    assert findings == []
    found = [table.find("vc1", "lan", place) for place in ("Bremen", "Osaka")]
    assert [each and each.name for each in found] == ["any", "osaka"]


def test_two_rows_for_one_place_are_reported() -> None:
    _, findings = mapped(lan("one", datacenter="Osaka"), lan("two", datacenter="Osaka"))
    assert [finding.code for finding in findings] == ["VMF210"]
