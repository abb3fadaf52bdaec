"""Rules on routes of the Gateway API, and what is worked out about a route from ports and facts."""

from typing import Any

import pytest
from tests.resolve.projects import Data, decision, group, machines, resolved
from tests.rules.ruling import app, only, silent
from tests.rules.test_dual_run import GOLD, WEIGHED, codes, dns, phases
from tests.rules.test_dual_run import clone as cloned

NETWORKS = [{"source": {"portGroup": "vlan-7"}, "target": {"type": "pod"}}]
GATEWAY = {"name": "public", "namespace": "gateways", "sectionName": "https"}
HTTP = {"gateway": GATEWAY, "hostnames": ["shop.example.com"]}
WHERE: Data = {"phases": phases(), "networks": NETWORKS}


def clone(name: str = "web-01", **fields: Any) -> Data:
    """Return a clone on the pod network, with one port and a route."""
    made = cloned(name, ports=[{"name": "http", "port": 80}], route=HTTP, staticIP="none") | fields
    return {key: value for key, value in made.items() if key not in ("readdress", "dns") or key in fields}


def route(vm: Data) -> Any:
    return machines(resolved(GOLD, vm, **WHERE))[vm["name"]].route


def test_a_clone_on_the_pod_network_can_have_a_route_and_needs_no_record() -> None:
    assert not codes(GOLD, clone(), **WHERE)
    found = group(resolved(GOLD, clone(), **WHERE), "first-01")
    assert {"route", "route-source"} <= {*found.layers}


def test_a_vm_without_a_route_has_no_layer_of_it() -> None:
    without = clone(dns=[{"name": "web-01.example.com", "after": ["10.9.9.9"]}])
    del without["route"]
    found = group(resolved(GOLD, without, dns=dns(), **WHERE), "first-01")
    assert not {"route", "route-source"} & {*found.layers}


def test_the_source_is_reached_at_its_address_and_at_the_port_of_the_service() -> None:
    made = route(clone())
    assert (made.port, made.number, made.address, made.source_port) == ("http", 80, "10.0.7.11", 80)
    said = decision(resolved(GOLD, clone(), **WHERE), "web-01", "HTTPRoute of gateways/public")
    assert said.value == "10.0.7.11 → Service web-01-new"


def test_what_the_spec_says_about_the_source_counts() -> None:
    made = route(clone(route=HTTP | {"before": {"address": "10.0.7.99", "port": 8080}}))
    assert (made.address, made.source_port, made.number) == ("10.0.7.99", 8080, 80)


def nics(*addresses: str, origin: str | None = "static") -> list[Data]:
    return [{"network": "vlan-7", "mac": "00:50:56:00:00:01", "addresses": [*addresses], "origin": origin}]


@pytest.mark.parametrize(
    "facts",
    [nics("10.0.7.11/24", origin="dhcp"), nics("10.0.7.11/24", "10.0.7.12/24"), nics("fe80::1/64"), nics()],
)
def test_an_address_that_is_not_clear_has_to_be_stated(facts: list[Data]) -> None:
    assert only("VMF147", GOLD, clone(nics=facts), **WHERE).vms == ("web-01",)
    stated = clone(nics=facts, route=HTTP | {"before": {"address": "10.0.7.11"}})
    assert silent("VMF147", GOLD, stated, **WHERE)


def test_of_both_families_ipv4_is_taken() -> None:
    assert route(clone(nics=nics("2001:db8::b/64", "10.0.7.11/24"))).address == "10.0.7.11"
    assert route(clone(nics=nics("2001:db8::b/64"))).address == "2001:db8::b"


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.1.1", "::", "224.0.0.1", "::1", "fe80::1"])
def test_an_endpoint_cannot_have_every_address(address: str) -> None:
    vm = clone(route=HTTP | {"before": {"address": address}})
    assert "where no Gateway reaches anything" in only("VMF147", GOLD, vm, **WHERE).message


def test_a_target_port_leaves_open_where_the_source_listens() -> None:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    assert "on which of the two" in only("VMF147", GOLD, clone(ports=ports), **WHERE).message
    assert silent("VMF147", GOLD, clone(ports=ports, route=HTTP | {"before": {"port": 8080}}), **WHERE)
    assert silent("VMF147", GOLD, clone(ports=[{"name": "http", "port": 80, "targetPort": 80}]), **WHERE)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"ports": []}, "it states no TCP port"),
        ({"ports": [{"name": "dns", "port": 53, "protocol": "UDP"}]}, "it states no TCP port"),
        ({"route": HTTP | {"port": "smtp"}}, "it has no TCP port smtp"),
        ({"ports": [{"name": "http", "port": 80}, {"name": "ws", "port": 81}]}, "it has several: http, ws"),
    ],
)
def test_a_route_leads_to_one_port_of_the_service(fields: Data, why: str) -> None:
    assert why in only("VMF146", GOLD, clone(**fields), **WHERE).message


def test_a_port_is_chosen_by_its_name_and_udp_does_not_count() -> None:
    ports = [{"name": "http", "port": 80}, {"name": "ws", "port": 81}, {"name": "dns", "port": 53, "protocol": "UDP"}]
    assert route(clone(ports=ports, route=HTTP | {"port": "ws"})).number == 81
    assert route(clone(ports=[ports[0], ports[2]])).number == 80


def test_no_service_reaches_a_vm_on_a_vlan() -> None:
    vm = cloned(ports=[{"name": "http", "port": 80}], route=HTTP, dns=[])
    finding = only("VMF146", GOLD, vm, phases=phases())
    assert "none of its NICs is on the pod network" in finding.message


def test_containers_can_have_a_route_to_their_own_port() -> None:
    ports = [{"name": "http", "port": 8080}]
    made = app("app-01", ports=ports) | {"route": HTTP, "nics": nics("10.0.7.11/24")}
    found = machines(resolved(made, **WHERE))["app-01"].route
    assert found.number == ports[0]["port"]
    made["application"] = made["application"] | {"allowFrom": ["portal"]}
    assert "lets in portal" in only("VMF156", made, **WHERE).message
    made["application"] = made["application"] | {"allowFrom": ["gateways"]}
    assert silent("VMF156", made, **WHERE)


@pytest.mark.parametrize("mode", ["fallback", "replica"])
def test_only_in_mode_parallel_do_both_sides_serve(mode: str) -> None:
    assert mode in only("VMF145", GOLD, clone(), networks=NETWORKS, phases=phases(mode)).message


def test_a_template_has_no_route() -> None:
    found = resolved(GOLD | {"route": HTTP}, clone(), **WHERE)
    assert machines(found)["gold"].route is None


def test_a_record_with_weights_or_of_the_same_name_moves_clients_a_second_time() -> None:
    other = clone(dns=[{"name": "web.example.com", "after": ["10.9.9.9"]}])
    assert "web.example.com" in only("VMF148", GOLD, other, dns=dns(WEIGHED), **WHERE).message
    same = clone(dns=[{"name": "shop.example.com", "after": ["10.9.9.9"]}])
    plain = dns({"type": "zonefile"})
    assert "shop.example.com" in only("VMF148", GOLD, same, dns=plain, **WHERE).message
    assert silent("VMF148", GOLD, other, dns=plain, **WHERE)


def other(**fields: Any) -> Data:
    return clone("web-02", id="vm-99", uuid="42301f6e-1c5d-4c6e-9d3a-000000000099", **fields)


@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        (HTTP, HTTP, True),
        (HTTP, HTTP | {"gateway": {"name": "public", "namespace": "gateways"}}, True),
        (HTTP, HTTP | {"gateway": GATEWAY | {"sectionName": "http"}}, False),
        (HTTP, HTTP | {"gateway": GATEWAY | {"name": "internal"}}, False),
        (HTTP, HTTP | {"hostnames": ["crm.example.com", "shop.example.com"]}, True),
        (HTTP, HTTP | {"hostnames": ["crm.example.com"]}, False),
        ({"kind": "tcp", "gateway": GATEWAY}, {"kind": "tcp", "gateway": GATEWAY}, True),
        (HTTP, {"kind": "tcp", "gateway": GATEWAY}, False),
    ],
)
def test_two_vms_cannot_have_the_same_clients(first: Data, second: Data, clash: bool) -> None:
    vms = (GOLD, clone(route=first), other(route=second))
    assert silent("VMF149", *vms, **WHERE) is not clash


def test_the_service_of_a_source_needs_a_name_of_its_own() -> None:
    vms = (GOLD, clone(), other(targetName="web-01-new-source", route=HTTP | {"hostnames": ["crm.example.com"]}))
    assert "web-01-new-source" in only("VMF159", *vms, **WHERE).message


def test_a_route_says_which_clients_it_takes() -> None:
    assert "every request" in only("VMF154", GOLD, clone(route={"gateway": GATEWAY}), **WHERE).message
    assert "10.1.2.3" in only("VMF154", GOLD, clone(route=HTTP | {"hostnames": ["10.1.2.3"]}), **WHERE).message
    assert "matches none" in only("VMF154", GOLD, clone(route=HTTP | {"kind": "tcp"}), **WHERE).message
    every = {"kind": "tcp", "gateway": {"name": "public", "namespace": "gateways"}}
    assert "every listener" in only("VMF154", GOLD, clone(route=every), **WHERE).message


@pytest.mark.parametrize("hostname", ["Shop.example.com", "shop_1.example.com", "-a.example.com", "*", "a.*.com", ""])
def test_a_host_name_that_no_route_takes_is_refused_when_it_is_read(hostname: str) -> None:
    with pytest.raises(Exception, match="hostnames"):
        resolved(GOLD, clone(route=HTTP | {"hostnames": [hostname]}), **WHERE)


def test_argo_cd_leaves_out_endpoint_slices() -> None:
    target = {"cluster": {"name": "prod-a"}, "gitops": {"engine": "argocd", "repoURL": "https://git.example.com/a"}}
    assert "argocd-cm" in only("VMF155", GOLD, clone(), target=target, **WHERE).help


def test_a_group_is_handed_over_once_its_route_has_the_target_alone() -> None:
    def at(stage: str) -> Data:
        return WHERE | {"groups": {"first-01": {"stage": stage, "weight": 100, "graduated": True}}}

    assert "still has both sides" in only("VMF157", GOLD, clone(), **at("validated")).message
    assert silent("VMF157", GOLD, clone(), **at("retired"))
    assert "route" not in group(resolved(GOLD, clone(), **at("retired")), "first-01").layers
