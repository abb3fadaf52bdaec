"""Tests of `vmferry.backends.networks`."""

import json
from typing import Any

import pytest
from msgspec.structs import replace
from tests.backends import schemas
from tests.backends.decided import decided

from vmferry.backends import networks
from vmferry.kube.nad import check_config
from vmferry.model.blueprint import Binding, Blueprint, BridgePlan, Nad, NamespacePlan, SmokePair
from vmferry.model.manifest import Item, Resource
from vmferry.model.spec import (
    BridgeNetwork,
    Cluster,
    ExistingNad,
    Forklift,
    GitOps,
    IgnoredNetwork,
    MacvtapNetwork,
    Network,
    NetworkSource,
    NetworkTarget,
    NodeBridge,
    OvnLayer2,
    OvnLocalnet,
    PodNetwork,
    SmokeTest,
    SriovNetwork,
)

TARGETS: dict[str, NetworkTarget] = {
    "vlan": BridgeNetwork(bridge="br1", vlan=120, mtu=1500),
    "trunk": BridgeNetwork(bridge="br1", trunk=("42", "100-200"), marker=True),
    "native": BridgeNetwork(bridge="br1", untagged=True, macspoofchk=False, bridge_type="cnv-bridge"),
    "macvtap": MacvtapNetwork(resource="dataplane", mtu=9000),
    "localnet": OvnLocalnet(
        physical_network="physnet1", vlan=33, subnets=("10.9.0.0/24",), exclude_subnets=("10.9.0.1/32", "10.9.0.128/25")
    ),
    "layer2": OvnLayer2(mtu=1400),
    "sriov": SriovNetwork(resource_name="openshift.io/fast", vlan=1000, trust=True),
}

BINDINGS: dict[str, Binding] = {"macvtap": "macvtap", "sriov": "sriov"}


def nad(name: str) -> Nad:
    return Nad(name=name, network=Network(source=NetworkSource(segment=name), target=TARGETS[name]))


def blueprint(*namespaces: NamespacePlan, bridges: tuple[BridgePlan, ...] = ()) -> Blueprint:
    return decided(
        name="acme",
        cluster=Cluster(name="prod-a"),
        gitops=GitOps(engine="flux", repo_url="https://git.acme.example/gitops"),
        forklift=Forklift(),
        sources=(),
        namespaces=namespaces,
        bridges=bridges,
    )


def compile_(*namespaces: NamespacePlan, bridges: tuple[BridgePlan, ...] = ()) -> list[Item]:
    return list(networks.emit(blueprint(*namespaces, bridges=bridges)))


def config(name: str, namespace: str = "web") -> dict[str, Any]:
    items = compile_(NamespacePlan(name=namespace, nads=(nad(name),)))
    text: str = schemas.named(items, "NetworkAttachmentDefinition", name)["spec"]["config"]
    assert "\n" not in text
    result: dict[str, Any] = json.loads(text)
    return result


@pytest.mark.parametrize("name", TARGETS)
def test_every_kind_of_network_has_a_config_its_plugin_takes(name: str) -> None:
    items = compile_(NamespacePlan(name="web", nads=(nad(name),)))
    definition = schemas.named(items, "NetworkAttachmentDefinition", name)
    schemas.assert_fits(definition)
    assert check_config(definition["spec"]["config"], f"web/{name}") == []


def test_a_definition_is_kept_when_it_leaves_the_repository() -> None:
    items = compile_(NamespacePlan(name="web", nads=(nad("vlan"),)))
    [item] = [item for item in items if isinstance(item, Resource)]
    assert item.directory == "infra/namespaces/web"
    assert item.object["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/prune"] == "disabled"


def test_bridge_port_carries_its_vlan_and_no_other() -> None:
    assert config("vlan")["vlan"] == 120
    assert config("vlan")["preserveDefaultVlan"] is False
    assert config("trunk")["vlanTrunk"] == [{"id": 42}, {"minID": 100, "maxID": 200}]
    assert "vlan" not in config("trunk")
    assert not {"vlan", "vlanTrunk", "preserveDefaultVlan"} & config("native").keys()


def test_guests_keep_their_addresses_so_no_network_assigns_any_unasked() -> None:
    for name in TARGETS:
        assert not config(name).get("ipam")
    assert config("localnet")["allowPersistentIPs"] is True
    assert config("localnet")["excludeSubnets"] == "10.9.0.1/32,10.9.0.128/25"


def test_copies_of_an_ovn_network_differ_only_in_the_object_they_name() -> None:
    for name in ("localnet", "layer2"):
        one, other = config(name, "web"), config(name, "db")
        assert one.pop("netAttachDefName") == f"web/{name}"
        assert other.pop("netAttachDefName") == f"db/{name}"
        assert one == other


def test_ovn_networks_of_two_migrations_are_not_the_same_network() -> None:
    names = {networks.nad_config(nad("layer2"), "web", migration)["name"] for migration in ("acme-dc1", "acme-dc2")}
    assert len(names) == 2


@pytest.mark.parametrize(
    ("name", "resource"),
    [
        ("trunk", "bridge.network.kubevirt.io/br1"),
        ("macvtap", "macvtap.network.kubevirt.io/dataplane"),
        ("sriov", "openshift.io/fast"),
    ],
)
def test_pods_go_where_the_network_is(name: str, resource: str) -> None:
    items = compile_(NamespacePlan(name="web", nads=(nad(name),)))
    annotations = schemas.named(items, "NetworkAttachmentDefinition", name)["metadata"]["annotations"]
    assert annotations["k8s.v1.cni.cncf.io/resourceName"] == resource


@pytest.mark.parametrize("name", ["layer2", "localnet"])
def test_further_definitions_of_an_overlay_are_the_same_network(name: str) -> None:
    first, second = nad(name), replace(nad(name), name=f"{name}-2", first=name)
    configs = [networks.nad_config(each, "web", "acme") for each in (first, second)]
    assert [config["name"] for config in configs] == [f"acme_{name}"] * 2
    assert [config["netAttachDefName"] for config in configs] == [f"web/{name}", f"web/{name}-2"]


@pytest.mark.parametrize("target", [PodNetwork(), ExistingNad(name="there"), IgnoredNetwork(reason="nobody needs it")])
def test_networks_that_exist_already_are_not_made_again(target: NetworkTarget) -> None:
    network = Network(source=NetworkSource(segment="a"), target=target)
    assert compile_(NamespacePlan(name="web", nads=(Nad(name="a", network=network),))) == []
    with pytest.raises(TypeError, match="no NetworkAttachmentDefinition"):
        networks.nad_config(Nad(name="a", network=network), "web", "acme")


def test_the_network_that_disks_are_copied_over_says_its_default_route() -> None:
    both = NamespacePlan(name="web", nads=(replace(nad("localnet"), route="10.9.0.1"), nad("macvtap")))
    notes = [obj["metadata"]["annotations"] for obj in schemas.objects(compile_(both))]
    assert [each.get("forklift.konveyor.io/route") for each in notes] == ["10.9.0.1", None]
    assert "k8s.v1.cni.cncf.io/resourceName" in notes[1]


# --- bridges ---------------------------------------------------------------------------------

BRIDGE = NodeBridge(name="br1", port="bond1", mtu=9000)
NODES = {"pool": "vms"}


def policy(plan: BridgePlan, *namespaces: NamespacePlan) -> dict[str, Any]:
    [item] = [item for item in compile_(*namespaces, bridges=(plan,)) if "cluster" in item.directory]  # type: ignore[union-attr]
    assert isinstance(item, Resource)
    schemas.assert_fits(item.object)
    return item.object


def test_bridge_is_made_on_the_nodes_decided_on_with_the_vlans_in_use() -> None:
    obj = policy(BridgePlan(bridge=BRIDGE, node_selector=NODES, vlans=((120, 120), (200, 210))))
    [interface] = obj["spec"]["desiredState"]["interfaces"]
    assert obj["metadata"]["name"] == "acme-br1"
    assert obj["spec"]["nodeSelector"] == NODES
    assert interface["mtu"] == 9000
    assert interface["bridge"]["port"] == [
        {
            "name": "bond1",
            "vlan": {"mode": "trunk", "trunk-tags": [{"id": 120}, {"id-range": {"min": 200, "max": 210}}]},
        }
    ]


def test_bridge_that_also_has_untagged_guests_keeps_its_native_network() -> None:
    plan = BridgePlan(bridge=BRIDGE, node_selector=NODES, vlans=((120, 120),), untagged=True)
    [interface] = policy(plan, NamespacePlan(name="web", nads=(nad("native"),)))["spec"]["desiredState"]["interfaces"]
    vlan = interface["bridge"]["port"][0]["vlan"]
    assert (vlan["tag"], vlan["enable-native"]) == (1, True)


def test_bridge_without_vlans_does_not_filter() -> None:
    [interface] = policy(BridgePlan(bridge=BRIDGE, node_selector=NODES, vlans=()))["spec"]["desiredState"]["interfaces"]
    assert interface["bridge"]["port"] == [{"name": "bond1"}]


def test_bridges_of_one_name_on_different_nodes_have_policies_of_different_names() -> None:
    plans = tuple(
        BridgePlan(
            bridge=NodeBridge(name=name, port="bond1", node_selector={"pool": pool}), node_selector=NODES, vlans=()
        )
        for name, pool in (("br_1", "a"), ("br_1", "b"), ("br2", "a"))
    )
    names = [obj["metadata"]["name"] for obj in schemas.objects(compile_(bridges=plans))]
    assert len(set(names)) == 3
    assert names[2] == "acme-br2"
    assert all(name.startswith("acme-br-1-") for name in names[:2])


# --- smoke tests -----------------------------------------------------------------------------


def smoke(name: str = "vlan", *, namespaces: tuple[NamespacePlan, ...] = ()) -> list[dict[str, Any]]:
    pair = SmokePair(
        name="smoke-vlan",
        nad=f"web/{name}",
        test=SmokeTest(addresses=("10.0.2.250/24", "10.0.2.251/24"), namespace="probe"),
        gateway="10.0.2.1",
        binding=BINDINGS.get(name, "bridge"),
    )
    items = compile_(
        NamespacePlan(name="web", nads=(nad(name),)), NamespacePlan(name="probe", smoke=(pair,)), *namespaces
    )
    found = [item for item in items if isinstance(item, Resource) and item.directory == "infra/smoke/probe"]
    return [item.object for item in found]


def interfaces(machine: dict[str, Any]) -> list[dict[str, Any]]:
    devices = machine["spec"]["template"]["spec"]["domain"]["devices"]
    result: list[dict[str, Any]] = devices["interfaces"]
    return result


def cloud_init(machine: dict[str, Any]) -> dict[str, str]:
    volumes = machine["spec"]["template"]["spec"]["volumes"]
    result: dict[str, str] = volumes[1]["cloudInitNoCloud"]
    return result


@pytest.mark.parametrize("name", TARGETS)
def test_smoke_machines_fit_the_schema_on_every_kind_of_network(name: str) -> None:
    machines = smoke(name)
    assert [machine["metadata"]["name"] for machine in machines] == ["smoke-vlan-a", "smoke-vlan-b"]
    for machine in machines:
        schemas.assert_fits(machine)


def test_each_machine_of_a_pair_asks_the_other_and_the_gateway() -> None:
    one, other = smoke()
    assert "for peer in 10.0.2.251 10.0.2.1;" in cloud_init(one)["userData"]
    assert "-I 10.0.2.250" in cloud_init(one)["userData"]
    assert "for peer in 10.0.2.250 10.0.2.1;" in cloud_init(other)["userData"]
    assert '["10.0.2.250/24"]' in cloud_init(one)["networkData"]


def test_cloud_init_is_yaml_within_the_limit_of_inline_data() -> None:
    yaml = pytest.importorskip("yaml")
    for machine in smoke():
        for text in cloud_init(machine).values():
            assert len(text) <= 2048
        user = yaml.safe_load(cloud_init(machine)["userData"])
        network = yaml.safe_load(cloud_init(machine)["networkData"])
        assert user["write_files"][0]["content"].startswith("#!/bin/sh\n")
        macs = [each["match"]["macaddress"] for each in network["ethernets"].values()]
        assert macs == [interface["macAddress"] for interface in interfaces(machine)]


def test_made_up_macs_are_unicast_and_local_and_never_the_same() -> None:
    macs = [interface["macAddress"] for machine in smoke() for interface in interfaces(machine)]
    assert len(set(macs)) == 4
    assert all(int(mac[:2], 16) & 0b11 == 0b10 for mac in macs)
    assert macs == [interface["macAddress"] for machine in smoke() for interface in interfaces(machine)]


def test_pair_runs_on_two_nodes_and_is_ready_only_while_it_answers() -> None:
    for machine in smoke():
        spec = machine["spec"]["template"]["spec"]
        [term] = spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        labels = machine["spec"]["template"]["metadata"]["labels"]
        assert term["labelSelector"]["matchLabels"].items() <= labels.items()
        assert spec["readinessProbe"]["httpGet"] == {"path": "/ok", "port": 8080, "scheme": "HTTP"}
        assert machine["spec"]["runStrategy"] == "Always"


def test_long_network_names_make_valid_names_of_machines() -> None:
    pair = SmokePair(
        name="smoke-" + "n" * 63,
        nad="web/n",
        test=SmokeTest(addresses=("10.0.2.250/24", "10.0.2.251/24"), namespace="probe"),
        binding="bridge",
    )
    machines = schemas.objects(compile_(NamespacePlan(name="probe", smoke=(pair,))))
    names = {machine["metadata"]["name"] for machine in machines}
    labels = {value for machine in machines for value in machine["metadata"]["labels"].values()}
    assert len(names) == 2
    assert all(len(text) <= 63 for text in names | labels)


def test_pair_may_be_pruned_since_nothing_of_it_is_worth_keeping() -> None:
    assert all("annotations" not in machine["metadata"] for machine in smoke())


@pytest.mark.parametrize(
    ("name", "binding"),
    [
        ("vlan", {"bridge": {}}),
        ("layer2", {"bridge": {}}),
        ("sriov", {"sriov": {}}),
        ("macvtap", {"binding": {"name": "macvtap"}}),
    ],
)
def test_test_interface_is_bound_as_its_network_wants(name: str, binding: dict[str, Any]) -> None:
    for machine in smoke(name):
        assert binding.items() <= interfaces(machine)[1].items()
