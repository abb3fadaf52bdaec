"""What the cluster needs for its networks, and what becomes of NICs: each case says which codes it gets."""

from typing import Any

import pytest
from tests.resolve.projects import Data, defaults, resolved, vm
from tests.resolve.projects import codes as decided
from tests.rules.ruling import ruled, silent

from vmferry.model.finding import Finding

GITOPS: Data = {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"}
BRIDGE: Data = {"type": "bridge", "bridge": "br-vm"}
MADE: Data = {"name": "br-vm", "port": "bond1"}
LOCALNET: Data = {"type": "ovn-localnet", "physicalNetwork": "physnet1", "vlan": 7}
LAYER2: Data = {"type": "ovn-layer2"}
IGNORED: Data = {"type": "ignored", "reason": "backups are taken from the storage now"}
FORKLIFT: Data = {"path": "forklift", "method": "cold"}
MINE = ("VMF209", "VMF214", "VMF215", "VMF216", "VMF225", *(f"VMF{number}" for number in range(240, 260)))


def target(**cluster: Any) -> Data:
    return {"cluster": {"name": "prod-a", **cluster}, "gitops": GITOPS}


def row(to: Data, network: str = "vlan-7", **fields: Any) -> Data:
    source = {"portGroup": network, **fields.pop("source", {})}
    return {"source": source, "target": to, **fields}


def found(*rows: Data, vms: tuple[Data, ...] = (), **sections: Any) -> list[Finding]:
    return [each for each in ruled(*(vms or (vm(),)), networks=list(rows), **sections) if each.code in MINE]


def codes(*rows: Data, without: str = "VMF243", **sections: Any) -> list[str]:
    return sorted({each.code for each in found(*rows, **sections)} - {without})


def on(*networks: str) -> list[Data]:
    return [{"network": name, "mac": f"00:50:56:00:71:{number:02x}"} for number, name in enumerate(networks)]


# --- VLAN filtering ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "cluster", "expected"),
    [
        (BRIDGE | {"vlan": 7}, {}, ["VMF240"]),
        (BRIDGE | {"trunk": ["7", "9-20"]}, {}, ["VMF240"]),
        (BRIDGE | {"vlan": 7, "bridgeType": "cnv-bridge"}, {"distribution": "openshift"}, ["VMF240"]),
        (BRIDGE | {"untagged": True}, {}, []),
        (BRIDGE | {"vlan": 7}, {"bridges": [MADE]}, []),
        (BRIDGE | {"trunk": ["7"]}, {"bridges": [MADE]}, []),
        (BRIDGE | {"vlan": 7}, {"existingBridges": [{"name": "br-vm"}]}, ["VMF240"]),
        (BRIDGE | {"vlan": 7}, {"existingBridges": [{"name": "br-vm", "vlanFiltering": True}]}, []),
        (BRIDGE | {"vlan": 7}, {"existingBridges": [{"name": "br-vm", "vlanFiltering": False}]}, ["VMF241"]),
        (BRIDGE | {"trunk": ["7"]}, {"existingBridges": [{"name": "br-vm", "vlanFiltering": False}]}, ["VMF241"]),
        (BRIDGE | {"untagged": True}, {"existingBridges": [{"name": "br-vm", "vlanFiltering": False}]}, []),
        (BRIDGE | {"vlan": 7}, {"existingBridges": [{"name": "br-other", "vlanFiltering": True}]}, ["VMF240"]),
        ({"type": "nad", "name": "lan"}, {}, []),
        (LOCALNET, {"cni": "ovn-kubernetes"}, []),
    ],
)
def test_a_vlan_needs_a_bridge_that_filters(to: Data, cluster: Data, expected: list[str]) -> None:
    assert codes(row(to), target=target(**cluster)) == expected


def test_the_vlan_of_the_port_group_counts_where_the_target_leaves_it_out() -> None:
    assert codes(row(BRIDGE, source={"vlan": 7})) == ["VMF240"]
    assert codes(row(BRIDGE | {"untagged": True}, source={"vlan": 7})) == []


def test_a_bridge_is_told_of_once_with_its_networks_and_the_line_that_states_it() -> None:
    rows = [row(BRIDGE | {"vlan": number}, f"vlan-{number}") for number in range(1, 7)]
    [each] = [one for one in found(*rows, vms=(vm(nics=on("vlan-1")),)) if one.code == "VMF240"]
    assert "networks 'vlan-1', 'vlan-2', 'vlan-3' and 3 more" in each.message
    assert "existingBridges: [{name: br-vm, vlanFiltering: true}]" in each.help


def test_a_bridge_that_is_made_and_exists_already_is_defined_twice() -> None:
    both = target(bridges=[MADE], existingBridges=[{"name": "br-vm", "vlanFiltering": True}])
    assert "VMF211" in decided(resolved(vm(), networks=[row(BRIDGE | {"vlan": 7})], target=both))
    twice = target(existingBridges=[{"name": "br-vm"}, {"name": "br-vm"}])
    assert "VMF211" in decided(resolved(vm(), networks=[row(BRIDGE | {"vlan": 7})], target=twice))


def test_a_bridge_that_exists_already_is_none_that_nobody_knows() -> None:
    lists = target(bridges=[MADE | {"name": "br-one"}], existingBridges=[{"name": "br-vm", "vlanFiltering": True}])
    assert silent("VMF224", vm(), networks=[row(BRIDGE | {"vlan": 7})], target=lists)


# --- who makes bridges ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("distribution", "expected"),
    [("talos", ["VMF242"]), ("eks", ["VMF242"]), ("kubernetes", ["VMF243"]), ("openshift", ["VMF243"])],
)
def test_bridges_are_made_where_networkmanager_runs(distribution: str, expected: list[str]) -> None:
    made = target(distribution=distribution, bridges=[MADE])
    assert codes(row(BRIDGE | {"vlan": 7}), without="", target=made) == expected
    there = target(distribution=distribution, existingBridges=[{"name": "br-vm", "vlanFiltering": True}])
    assert codes(row(BRIDGE | {"vlan": 7}), without="", target=there) == []


@pytest.mark.parametrize(
    ("to", "cluster", "told"),
    [
        ({"type": "macvtap", "resource": "eth1"}, {}, "register `macvtap` in the KubeVirt CR"),
        ({"type": "sriov", "resourceName": "intel.com/nic", "vlan": 7}, {}, "deviceType: vfio-pci"),
        (LOCALNET, {"cni": "ovn-kubernetes"}, "localnet: physnet1"),
        (BRIDGE | {"untagged": True, "bridgeType": "cnv-bridge"}, {}, "linuxBridge component"),
    ],
)
def test_what_a_network_needs_is_named(to: Data, cluster: Data, told: str) -> None:
    [each] = [one for one in found(row(to), target=target(**cluster)) if one.code == "VMF243"]
    assert told in each.help


@pytest.mark.parametrize(
    ("to", "cluster"),
    [
        (BRIDGE | {"untagged": True}, {}),
        (BRIDGE | {"untagged": True, "bridgeType": "cnv-bridge"}, {"distribution": "openshift"}),
        (LOCALNET, {"cni": "ovn-kubernetes", "physicalNetworks": [{"name": "physnet1"}]}),
        ({"type": "pod"}, {}),
        ({"type": "nad", "name": "lan"}, {}),
    ],
)
def test_what_a_cluster_brings_along_is_not(to: Data, cluster: Data) -> None:
    assert codes(row(to), without="", target=target(**cluster)) == []


def test_a_bridge_mapping_that_the_cluster_lacks_is_named_with_the_one_that_was_meant() -> None:
    cluster = target(cni="ovn-kubernetes", physicalNetworks=[{"name": "physnet"}])
    [each] = found(row(LOCALNET), target=cluster)
    assert (each.code, "did you mean physnet?" in each.message) == ("VMF247", True)
    assert codes(row(LOCALNET), target=target(cni="ovn-kubernetes", physicalNetworks=[])) == ["VMF247"]


# --- MTU -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "cluster", "expected"),
    [
        (LAYER2, {}, ["VMF245"]),
        (LAYER2, {"mtu": 1500}, ["VMF245"]),
        (LAYER2, {"mtu": 1557}, ["VMF245"]),
        (LAYER2, {"mtu": 1558}, []),
        (LAYER2 | {"mtu": 1400}, {}, []),
        (LAYER2 | {"mtu": 1500}, {}, []),  # the network between the nodes may carry it
        (LAYER2 | {"mtu": 1443}, {"mtu": 1500}, ["VMF246"]),
        (LAYER2 | {"mtu": 8900}, {"mtu": 9000}, []),
        (LOCALNET, {}, []),
        (LOCALNET | {"mtu": 9000}, {"physicalNetworks": [{"name": "physnet1", "mtu": 1500}]}, ["VMF246"]),
        (LOCALNET | {"mtu": 9000}, {"physicalNetworks": [{"name": "physnet1"}]}, []),
        (LOCALNET | {"mtu": 9000}, {"physicalNetworks": [{"name": "physnet1", "mtu": 9000}]}, []),
    ],
)
def test_frames_fit_through_what_carries_them(to: Data, cluster: Data, expected: list[str]) -> None:
    assert codes(row(to), target=target(cni="ovn-kubernetes", **cluster)) == expected


def test_a_bridge_that_exists_carries_what_it_says() -> None:
    def of(mtu: int) -> list[str]:
        there = {"name": "br-vm", "vlanFiltering": True, "mtu": 1500}
        return codes(row(BRIDGE | {"vlan": 7, "mtu": mtu}), target=target(existingBridges=[there]))

    assert (of(1500), of(9000)) == ([], ["VMF246"])


def test_the_advice_for_an_overlay_follows_the_mtu_between_the_nodes() -> None:
    def advice(**cluster: Any) -> str:
        [each] = found(row(LAYER2), target=target(cni="ovn-kubernetes", **cluster))
        return each.help

    assert advice().startswith("set mtu: 1400 in its target, for a network of 1500")
    assert advice(mtu=1450) == "set mtu: 1350 in its target"


# --- networks that are not connected -------------------------------------------------------------


def test_nics_that_stay_behind_are_counted_with_their_reason_on_each_path() -> None:
    rows = [row(BRIDGE | {"untagged": True}), row(IGNORED, "backup")]
    vms = (
        vm("a", nics=on("vlan-7", "backup", "backup")),
        vm("b", nics=[{"network": "backup", "mac": "00:50:56:00:72:01"}], **FORKLIFT),
        vm("c", nics=[{"network": "vlan-7", "mac": "00:50:56:00:72:02"}]),
    )
    told = {each.code: each for each in found(*rows, vms=vms)}
    assert sorted(told) == ["VMF214", "VMF215"]
    assert "3 NICs of 2 VMs stay behind (backups are taken from the storage now)" in told["VMF214"].message
    assert told["VMF214"].vms == ("a", "b")
    assert told["VMF215"].vms == ("b",)


def test_a_golden_image_has_no_nics_to_lose() -> None:
    image = vm("golden", template=True, method="image", nics=on("backup"))
    assert codes(row(IGNORED, "backup"), vms=(image,)) == []


def test_new_addresses_go_to_a_nic_that_the_vm_will_have() -> None:
    rows = [row(BRIDGE | {"untagged": True}), row(IGNORED, "backup")]

    def of(network: str) -> list[str]:
        new = {network: {"addresses": ["10.0.9.11/24"]}}
        machine = vm(nics=on("vlan-7", "backup"), staticIP="cloud-init", readdress=new)
        return codes(*rows, vms=(machine,), without="VMF214")

    assert (of("vlan-7"), of("backup")) == ([], ["VMF209"])


# --- one name, two networks ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "source", "nic", "expected"),
    [
        (BRIDGE | {"untagged": True}, {}, {}, ["VMF216"]),
        (BRIDGE | {"untagged": True}, {"id": "dvportgroup-7"}, {}, []),
        (BRIDGE | {"untagged": True}, {}, {"networkId": "dvportgroup-7"}, []),
        (BRIDGE | {"untagged": True}, {"kind": "nsx-t"}, {}, []),
        ({"type": "pod"}, {}, {}, []),
        (IGNORED, {}, {}, ["VMF214", "VMF215"]),
    ],
)
def test_a_name_in_two_datacenters_may_be_two_networks(to: Data, source: Data, nic: Data, expected: list[str]) -> None:
    nics = [{"network": "vlan-7", "mac": f"00:50:56:00:73:{number:02x}", **nic} for number in (1, 2)]
    vms = (vm("a", datacenter="DC1", nics=nics[:1]), vm("b", datacenter="DC2", nics=nics[1:]))
    assert codes(row(to, source=source), vms=vms) == expected


def test_one_datacenter_has_one_network_of_a_name() -> None:
    nics = on("vlan-7", "vlan-7")
    vms = (vm("a", datacenter="DC1", nics=nics[:1]), vm("b", datacenter="DC1", nics=nics[1:]))
    assert codes(row(BRIDGE | {"untagged": True}), vms=vms) == []


# --- the network that disks are copied over ------------------------------------------------------


def over(nad: Data, path: Data = FORKLIFT, gateway: str | None = None, **cluster: Any) -> list[Finding]:
    """Return what is found of copying over a network."""
    xfer = row(nad, "vmotion", name="xfer") | ({"gateway": gateway} if gateway else {})
    rows = [row({"type": "pod"}), xfer]
    sections = {"target": target(**cluster), "defaults": defaults(transferNetwork="xfer")}
    return [each for each in found(*rows, vms=(vm(**path),), **sections) if each.code != "VMF243"]


HERE: Data = {"type": "nad", "name": "vmotion", "namespace": "default"}
SUBNET: Data = LOCALNET | {"mtu": 1500, "subnets": ["10.40.50.0/24"]}
JOB: Data = {"path": "virt-v2v", "method": "job"}


def test_a_definition_that_exists_has_to_say_its_route() -> None:
    [each] = over(HERE)
    assert (each.code, "its gateway, or none" in each.help) == ("VMF248", True)
    [each] = over(HERE, gateway="10.40.50.1")
    assert "forklift.konveyor.io/route: 10.40.50.1" in each.help
    assert over(HERE, JOB) == []


@pytest.mark.parametrize(
    ("version", "expected"), [("2.9", ["VMF249"]), ("2.10", ["VMF249"]), ("2.11", []), ("main", [])]
)
def test_an_old_forklift_needs_a_gateway(version: str, expected: list[str]) -> None:
    ovn = {"cni": "ovn-kubernetes", "versions": {"forklift": version}}
    assert [each.code for each in over(SUBNET, **ovn)] == expected
    assert over(SUBNET, gateway="10.40.50.1", **ovn) == []


@pytest.mark.parametrize(
    ("version", "namespace", "expected"),
    [("2.12", "storage", True), ("2.11", "storage", True), ("2.10", "storage", False), ("2.12", "web", False)],
)
def test_forklift_takes_a_transfer_network_of_the_namespace_or_of_default(
    version: str, namespace: str, expected: bool
) -> None:
    there = HERE | {"namespace": namespace}
    told = {each.code for each in over(there, versions={"forklift": version})}
    assert ("VMF250" in told) is expected


@pytest.mark.parametrize(
    ("distribution", "namespace", "expected"),
    [("openshift", "storage", ["VMF225"]), ("openshift", "default", []), ("kubernetes", "storage", [])],
)
def test_conversion_jobs_reach_definitions_as_other_pods_do(
    distribution: str, namespace: str, expected: list[str]
) -> None:
    there = HERE | {"namespace": namespace}
    assert [each.code for each in over(there, JOB, distribution=distribution)] == expected
