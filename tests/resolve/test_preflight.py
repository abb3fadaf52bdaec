"""What the pre-flight tests, from which nodes, and which groups need it."""

from typing import Any

from tests.resolve.projects import codes, finding, resolved, vm

from vmferry.estate.resolution import Resolution
from vmferry.model.blueprint import PreflightTest

NODES = {"cpu": 64, "memory": "512Gi"}
POOLS = [
    {"name": "a", "count": 3, "nodeSelector": {"pool": "a", "vms": "yes"}, **NODES},
    {"name": "b", "count": 2, "nodeSelector": {"pool": "b"}, "resources": {"example.com/vf": 8}, **NODES},
]
BRIDGE = {"source": {"portGroup": "vlan-7", "vlan": 7}, "name": "web", "target": {"type": "bridge", "bridge": "br-vm"}}

JOBS = {"namespace": "jobs"}


def planned(*vms: dict[str, Any], cluster: dict[str, Any] | None = None, **sections: Any) -> Resolution:
    target = {
        "cluster": {"name": "prod-a", "nodes": POOLS, "checkImage": "registry.example.com/check:1"} | (cluster or {}),
        "gitops": {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"},
        "preflight": {"namespace": "web"} | sections.pop("preflight", {}),
    }
    return resolved(*(vms or (vm(),)), **{"target": target, "networks": [BRIDGE]} | sections)


def by_name(found: Resolution) -> dict[str, PreflightTest]:
    assert found.blueprint.preflight is not None
    return {test.name: test for test in found.blueprint.preflight.tests}


def attached(found: Resolution) -> dict[str, tuple[int, list[str]]]:
    """Return for each test of networks on how many nodes it runs, and the networks."""
    names = {name: [each.name for each in test.networks] for name, test in by_name(found).items()}
    return {name: (by_name(found)[name].nodes, networks) for name, networks in names.items() if networks}


def test_without_preflight_in_the_spec_nothing_is_tested() -> None:
    found = resolved(vm())
    assert found.blueprint.preflight is None
    assert found.blueprint.groups[0].preflight == ()


def test_each_vcenter_is_tried_from_every_node_of_each_pool() -> None:
    found = by_name(planned())
    assert {name: test.nodes for name, test in found.items() if test.vcenter} == {"source-vc1-a": 3, "source-vc1-b": 2}
    assert found["source-vc1-a"].node_selector == {"pool": "a", "vms": "yes"}


def test_hosts_are_those_of_the_spec_as_well() -> None:
    hosts = [{"source": "vc1", "names": ["esx2.example.com", "10.0.0.12"]}]
    found = by_name(planned(preflight={"hosts": hosts}))["source-vc1-a"].vcenter
    assert found is not None
    assert (found.host, found.port, found.esxi) == ("vc1.example.com", 443, ("10.0.0.12", "esx2.example.com"))


def test_a_bridge_is_tried_on_every_node_unless_only_some_have_it() -> None:
    assert attached(planned()) == {"networks-a": (3, ["web"]), "networks-b": (2, ["web"])}
    some = {"bridges": [{"name": "br-vm", "port": "bond1", "nodeSelector": {"vms": "yes"}}]}
    assert attached(planned(cluster=some)) == {"networks-a": (3, ["web"])}


def test_a_device_is_tried_where_the_pool_has_it_and_on_one_node_if_no_pool_says_so() -> None:
    network = {"source": {"portGroup": "vlan-7", "vlan": 7}, "name": "feed"}
    known = network | {"target": {"type": "sriov", "resourceName": "example.com/vf"}}
    assert attached(planned(networks=[known])) == {"networks-b": (2, ["feed"])}
    unknown = network | {"target": {"type": "sriov", "resourceName": "example.com/other"}}
    assert attached(planned(networks=[unknown])) == {"networks-feed": (1, ["feed"])}


def test_many_networks_are_several_tests_and_their_definitions_are_in_the_namespace_of_the_jobs() -> None:
    rows = [{"source": {"portGroup": f"p{n}"}, "name": f"n{n:02}", "target": BRIDGE["target"]} for n in range(20)]
    found = planned(
        networks=[BRIDGE, *rows], namespaces=[{"name": "web"}, {"name": "jobs"}], preflight={"namespace": "jobs"}
    )
    assert {name: len(networks) for name, (_, networks) in attached(found).items()} == {
        "networks-a": 16,
        "networks-a-2": 5,
        "networks-b": 16,
        "networks-b-2": 5,
    }
    [plan] = [plan for plan in found.blueprint.namespaces if plan.name == "jobs"]
    assert [nad.name for nad in plan.nads] == [f"n{n:02}" for n in range(20)] + ["web"]


def test_a_class_with_readwritemany_is_mounted_on_two_nodes_and_the_default_class_where_it_is_needed() -> None:
    found = {name: test for name, test in by_name(planned()).items() if test.claim is not None}
    assert {name: test.nodes for name, test in found.items()} == {"storage-ceph-block": 2, "storage-default": 1}
    claim = found["storage-ceph-block"].claim
    assert claim is not None
    assert (claim.access_mode, claim.volume_mode) == ("ReadWriteMany", "Block")
    stated = planned(cluster={"vmStateStorageClass": "ceph-block"})
    assert "storage-default" not in by_name(stated)


def test_without_pools_one_node_is_tried() -> None:
    found = by_name(planned(cluster={"nodes": []}))
    assert {test.nodes for test in found.values()} == {1}
    assert found["source-vc1-any"].node_selector == {"kubevirt.io/schedulable": "true"}


def test_a_group_needs_the_tests_of_what_its_vms_use_and_no_other() -> None:
    other = {
        "source": {"portGroup": "other"},
        "name": "other",
        "target": {"type": "sriov", "resourceName": "a.example/b"},
    }
    found = planned(vm(firmware="bios"), networks=[BRIDGE, other])
    needed = {each.rpartition("/")[2] for each in found.blueprint.groups[0].preflight}
    assert {name.rpartition("-")[0] for name in needed} == {
        *("acme-preflight-source-vc1-a", "acme-preflight-source-vc1-b"),
        *("acme-preflight-networks-a", "acme-preflight-networks-b", "acme-preflight-storage-ceph-block"),
    }


def test_a_group_that_moves_on_changes_no_test() -> None:
    first = planned()
    moved = planned(assignments=first.assignments, groups={"first-01": {"stage": "prepared"}})
    assert moved.blueprint.preflight == first.blueprint.preflight
    assert planned(vm(), vm("web-02")).blueprint.preflight == first.blueprint.preflight


def test_an_unknown_namespace_or_source_is_an_error() -> None:
    found = planned(preflight={"namespace": "nowhere", "hosts": [{"source": "vc9", "names": ["a"]}]})
    assert codes(found) == ["VMF102", "VMF102"]
    assert "namespace nowhere" in finding(planned(preflight={"namespace": "nowhere"}), "VMF102").message
