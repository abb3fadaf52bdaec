"""Routes of the Gateway API: which side gets how many clients at each stage, and how the source is reached."""

from typing import Any

import pytest
from msgspec import structs
from tests.backends.estate import blueprint, group, machine
from tests.backends.schemas import assert_fits, named, objects

from vmferry.backends import client_routes, namespaces
from vmferry.estate.dual_run import weight_of
from vmferry.estate.methods import METHODS
from vmferry.estate.stages import STAGES, running
from vmferry.kube import kinds
from vmferry.model.blueprint import Group, MachineRoute
from vmferry.model.manifest import KubeObject, Resource
from vmferry.model.spec import DualRun, RouteGateway, Stage
from vmferry.output.complete import Ledger, LostError

ROUTE = MachineRoute(
    kind="http",
    gateway=RouteGateway(name="public", namespace="gateways", section_name="https"),
    hostnames=("shop.example.com",),
    port="http",
    number=80,
    address="10.0.7.11",
    source_port=8080,
)
TCP = structs.replace(ROUTE, kind="tcp", hostnames=(), port="amqp", number=5672, source_port=5672)


def at(stage: Stage, weight: int | None = None, *, route: MachineRoute = ROUTE, reached: Stage | None = None) -> Group:
    run = DualRun(mode="parallel", weights=(25, 100))
    made = group("first-01", "image", machine("shop-new", route=route), stage=stage, running=running(stage))
    layers = (*made.layers, "route-source", "route")
    share = weight_of(run, stage, weight)
    return structs.replace(made, dual_run="parallel", weight=share, layers=layers, reached=reached)


def sides(found: list[dict[str, Any]]) -> dict[str, int]:
    """Return the weights of backends by the name of their Service."""
    return {each["name"]: each["weight"] for each in found}


def shown(made: Group) -> list[dict[str, Any]]:
    """Return the backends of the route as it is synced: those of the base, or of the patch."""
    [route] = [obj for obj in objects([*client_routes.emit(blueprint(made))]) if obj["kind"].endswith("Route")]
    backends: list[dict[str, Any]] = route["spec"]["rules"][0]["backendRefs"]
    for patch in client_routes.patches(made):
        assert (patch.group, patch.kind, patch.name, patch.namespace) == (
            kinds.HTTP_ROUTE.group,
            route["kind"],
            "shop-new",
            "web",
        )
        assert (patch.op, patch.path) == ("replace", "/spec/rules/0/backendRefs")
        backends = patch.value
        rule = route["spec"]["rules"][0] | {"backendRefs": backends}
        assert_fits(route | {"spec": route["spec"] | {"rules": [rule]}})
    return backends


@pytest.mark.parametrize("stage", ["planned", "prepared", "migrating"])
def test_before_the_cutover_all_clients_go_to_the_source_and_the_target_is_not_named(stage: Stage) -> None:
    assert sides(shown(at(stage, 25))) == {"shop-new-source": 100}


@pytest.mark.parametrize("stage", ["cutover", "adopted"])
@pytest.mark.parametrize(("weight", "source", "target"), [(None, 100, 0), (25, 75, 25), (100, 0, 100)])
def test_the_weight_of_the_group_moves_clients(stage: Stage, weight: int | None, source: int, target: int) -> None:
    assert sides(shown(at(stage, weight))) == {"shop-new-source": source, "shop-new": target}


def test_accepted_all_clients_are_at_the_target_and_in_the_end_only_it_is_left() -> None:
    assert sides(shown(at("validated", 100))) == {"shop-new-source": 0, "shop-new": 100}
    assert sides(shown(at("retired", 100))) == {"shop-new": 100}


def test_rolled_back_all_clients_go_to_the_source() -> None:
    assert sides(shown(at("rolled-back", 25, reached="cutover"))) == {"shop-new-source": 100, "shop-new": 0}
    assert sides(shown(at("rolled-back", reached="migrating"))) == {"shop-new-source": 100}


@pytest.mark.parametrize("route", [ROUTE, TCP])
@pytest.mark.parametrize("stage", STAGES)
def test_what_is_emitted_fits_its_schema(stage: Stage, route: MachineRoute) -> None:
    made = objects([*client_routes.emit(blueprint(at(stage, 100, route=route)))])
    for obj in made:
        assert_fits(obj)
    assert [obj["kind"] for obj in made] == ["Service", "EndpointSlice", "HTTPRoute" if route is ROUTE else "TCPRoute"]


def test_an_http_route_names_its_gateway_and_its_clients() -> None:
    route = named([*client_routes.emit(blueprint(at("cutover")))], "HTTPRoute", "shop-new")
    [parent] = route["spec"]["parentRefs"]
    assert (parent["namespace"], parent["name"], parent["sectionName"]) == ("gateways", "public", "https")
    assert route["spec"]["hostnames"] == ["shop.example.com"]
    assert route["spec"]["rules"][0]["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]
    anywhere = structs.replace(ROUTE, gateway=RouteGateway(name="public", namespace="gateways"))
    route = named([*client_routes.emit(blueprint(at("cutover", route=anywhere)))], "HTTPRoute", "shop-new")
    assert "sectionName" not in route["spec"]["parentRefs"][0]


def test_a_tcp_route_has_nothing_to_match() -> None:
    route = named([*client_routes.emit(blueprint(at("cutover", route=TCP)))], "TCPRoute", "shop-new")
    assert route["spec"].keys() == {"parentRefs", "rules"}
    assert [each.keys() for each in route["spec"]["rules"]] == [{"backendRefs"}]
    assert [each["port"] for each in shown(at("cutover", 25, route=TCP))] == [5672, 5672]


def leading(made: Group) -> tuple[KubeObject, KubeObject]:
    """Return the Service and the EndpointSlice of the source."""
    found = [*client_routes.emit(blueprint(made))]
    return named(found, "Service", "shop-new-source"), named(found, "EndpointSlice", "shop-new-source")


def test_the_source_is_reached_by_a_service_without_a_selector() -> None:
    service, endpoints = leading(at("cutover"))
    assert "selector" not in service["spec"]
    assert [(port["name"], port["port"], port["targetPort"]) for port in service["spec"]["ports"]] == [
        ("http", 8080, 8080)
    ]
    assert endpoints["metadata"]["labels"]["kubernetes.io/service-name"] == service["metadata"]["name"]
    assert endpoints["metadata"]["namespace"] == service["metadata"]["namespace"]
    assert (endpoints["addressType"], endpoints["endpoints"][0]["addresses"]) == ("IPv4", ["10.0.7.11"])
    assert [(port["name"], port["port"]) for port in endpoints["ports"]] == [("http", 8080)]
    assert [each["port"] for each in shown(at("cutover", 25))] == [8080, 80]


def test_a_source_with_ipv6_has_an_endpoint_of_that_family() -> None:
    _, endpoints = leading(at("cutover", route=structs.replace(ROUTE, address="2001:db8::b")))
    assert (endpoints["addressType"], endpoints["endpoints"][0]["addresses"]) == ("IPv6", ["2001:db8::b"])
    assert_fits(endpoints)


@pytest.mark.parametrize("stage", STAGES)
def test_nothing_prunes_a_route_nor_its_way_to_the_source_before_all_clients_have_left_it(stage: Stage) -> None:
    made = [*client_routes.emit(blueprint(at(stage, 100)))]
    kept = {
        obj["kind"]: "kustomize.toolkit.fluxcd.io/prune" in obj["metadata"].get("annotations", {})
        for obj in objects(made)
    }
    assert kept["HTTPRoute"]
    assert kept["Service"] == kept["EndpointSlice"] == (stage != "validated")


def test_the_way_to_the_source_is_synced_until_the_source_is_gone() -> None:
    layer = METHODS["image"].layers["route-source"]
    assert {stage for stage in STAGES if stage in layer.stages} == {*STAGES} - {"planned", "retired", "rolled-back"}
    assert {*layer.kept} == {*layer.stages}
    assert {*METHODS["image"].layers["route"].stages} == {*layer.stages, "retired"}


def test_a_route_that_is_not_fully_known_is_not_emitted() -> None:
    for lacking in ({"address": None}, {"source_port": None}, {"port": None, "number": None}):
        made = at("cutover", route=structs.replace(ROUTE, **lacking))
        assert not [*client_routes.emit(blueprint(made)), *client_routes.patches(made)]
        assert client_routes.kinds_of(made) == ()


def test_a_route_that_is_in_no_manifest_stops_the_compile() -> None:
    made = at("cutover")
    ledger = Ledger()
    with pytest.raises(LostError, match="SHOP-NEW: its route"):
        ledger.check(blueprint(made), [structs.replace(made, path="other")])
    list(ledger.passing(client_routes.emit(blueprint(made))))
    ledger.check(blueprint(made), [structs.replace(made, path="other")])


def test_who_applies_the_tree_may_apply_routes_and_endpoints_where_there_are_some() -> None:
    made = blueprint(at("cutover"), group("second-01", "image", machine("db-new", namespace="db"), namespace="db"))
    rules = {
        (item.object["metadata"]["namespace"], resource): rule["verbs"]
        for item in namespaces.emit(made)
        if isinstance(item, Resource) and item.object["kind"] == "Role"
        for rule in item.object["rules"]
        for resource in rule["resources"]
    }
    assert {"create", "patch"} <= {*rules["web", "httproutes"]}
    assert "delete" not in rules["web", "httproutes"]
    assert {"create", "patch", "delete"} <= {*rules["web", "endpointslices"]}
    assert not {("web", "tcproutes"), ("db", "httproutes"), ("db", "endpointslices")} & rules.keys()


def test_the_kinds_of_a_group_are_those_of_its_routes() -> None:
    assert client_routes.kinds_of(at("cutover")) == (kinds.HTTP_ROUTE,)
    assert client_routes.kinds_of(at("cutover", route=TCP)) == (kinds.TCP_ROUTE,)
