"""Rules on checks that run from a network, and what their pods are attached to."""

from typing import Any

import pytest
from tests.resolve.projects import Data, group, resolved, vm
from tests.rules.ruling import only, ruled, silent

from vmferry.estate.checks import jobs
from vmferry.model.blueprint import CheckSegment
from vmferry.model.finding import Finding

TARGET: Data = {
    "cluster": {"name": "prod-a", "checkImage": "registry.example.com/check:1"},
    "gitops": {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"},
}
BRIDGE = {"type": "bridge", "bridge": "br-vm", "vlan": 7}


def network(target: Data = BRIDGE, **fields: Any) -> list[Data]:
    return [{"name": "front", "source": {"portGroup": "vlan-7", "vlan": 7}, "target": target} | fields]


def check(address: str = "10.0.7.250/24", name: str = "neighbour", **fields: Any) -> Data:
    made = {"name": name, "ping": True, "network": "front", "from": address} | fields
    return {key: value for key, value in made.items() if value is not None}


def server(name: str = "web-01", address: str = "10.0.7.11/24", **fields: Any) -> Data:
    nics = [{"network": "vlan-7", "mac": "00:50:56:00:00:01", "addresses": [address], "origin": "static"}]
    return vm(name, **({"nics": nics, "staticIP": "preserve", "checks": ["neighbour"]} | fields))


def said(code: str, *checks: Data, vms: tuple[Data, ...] = (), **sections: Any) -> list[Finding]:
    made = {"target": TARGET, "networks": network(), "checks": [*checks]} | sections
    return [each for each in ruled(*(vms or (server(),)), **made) if each.code == code]


def segments(*checks: Data, **sections: Any) -> list[CheckSegment | None]:
    made = {"target": TARGET, "networks": network(), "checks": [*checks]} | sections
    names = [each["name"] for each in checks]
    return [*jobs(group(resolved(server(checks=names), **made), "first-01")).values()]


def test_each_network_and_address_is_a_job_beside_that_from_the_pod_network() -> None:
    ssh = {"name": "ssh", "tcp": 22}
    found = segments(ssh, check(), check(name="web", ping=None, tcp=443), check("10.0.7.251/24", "other"))
    assert [each.address if each is not None else None for each in found] == [None, "10.0.7.250/24", "10.0.7.251/24"]
    assert segments(ssh) == [None]
    assert [each.network for each in segments(check()) if each is not None] == ["front"]


def test_the_pod_goes_where_the_bridge_is_and_where_vms_may_run() -> None:
    bridges = [{"name": "br-vm", "port": "bond0", "nodeSelector": {"rack": "a"}}]
    target = TARGET | {"cluster": TARGET["cluster"] | {"bridges": bridges}}
    [found] = segments(check(), target=target)
    assert found is not None
    assert found.node_selector == {"kubevirt.io/schedulable": "true", "rack": "a"}
    assert (found.nad, found.resource) == (None, None)
    [found] = segments(check(), networks=network(BRIDGE | {"marker": True}))
    assert found is not None
    assert found.resource == "bridge.network.kubevirt.io/br-vm"


def test_ovn_assigns_the_address_on_the_network_of_the_vms() -> None:
    [found] = segments(check(), networks=network({"type": "ovn-localnet", "physicalNetwork": "phys", "vlan": 7}))
    assert found is not None
    assert found.nad == "web/front"
    assert not said("VMF582", check(), networks=network({"type": "ovn-layer2"}))


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ({"type": "pod"}, "it is the pod network"),
        ({"type": "bridge", "bridge": "br-vm", "trunk": ["7", "8"]}, "several VLANs"),
        ({"type": "sriov", "resourceName": "intel.com/vf", "vlan": 7}, "devices for VMs"),
        ({"type": "macvtap", "resource": "front"}, "devices for VMs"),
        ({"type": "nad", "name": "front"}, "vmferry does not know"),
        ({"type": "ignored", "reason": "not needed"}, "not connected"),
        ({"type": "ovn-layer2", "subnets": ["10.0.7.0/24"]}, "OVN-Kubernetes assigns its addresses"),
    ],
)
def test_not_every_network_takes_a_pod_with_an_address_of_its_own(target: Data, why: str) -> None:
    [found] = said("VMF582", check(), networks=network(target))
    assert why in found.message
    assert found.where is not None
    assert found.where.path == ("checks", 0, "from")
    assert segments(check(), networks=network(target)) in ([None], [])


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (check(network=None), "it names none"),
        (check(ping=None, guestAgent=True), "guestAgent asks KubeVirt"),
        (check("10.0.7.0/24"), "not the address of a host"),
        (check("10.0.7.255/24"), "not the address of a host"),
        (check("10.0.7.250/32"), "not the address of a host"),
        (check("10.0.7.999/24"), "not the address of a host"),
        (check("127.0.0.1/8"), "not the address of a host"),
        (check("fe80::1/64"), "not the address of a host"),
        (check("10.0.8.250/24"), "not an address of 10.0.7.0/24"),
        (check("10.0.7.250/25"), "not an address of 10.0.7.0/24"),
    ],
)
def test_the_address_is_one_of_a_host_in_the_subnet_of_the_network(wrong: Data, why: str) -> None:
    [found] = said("VMF582", wrong, networks=network(subnet="10.0.7.0/24"))
    assert why in found.message


def test_a_check_from_a_network_is_no_probe() -> None:
    probe = check(ping=None, tcp=22, probe=True)
    [found] = said("VMF562", probe)
    assert "not from a network" in found.message


def test_a_vm_in_another_subnet_is_no_neighbour() -> None:
    sections = {"target": TARGET, "networks": network(), "checks": [check()]}
    assert "10.0.8.11 is not in 10.0.7.0/24" in only("VMF583", server(address="10.0.8.11/24"), **sections).message
    assert silent("VMF583", server(), **sections)


def test_the_address_of_the_vm_is_of_the_family_of_the_pods() -> None:
    both = server()
    both["nics"][0]["addresses"] = ["10.0.7.11/24", "2001:db8::b/64"]
    for address, its in (("10.0.7.250/24", "10.0.7.11"), ("2001:db8::fa/64", "2001:db8::b")):
        found = group(resolved(both, target=TARGET, networks=network(), checks=[check(address)]), "first-01")
        [[made]] = found.checks.values()
        assert made.address == its
    assert said("VMF560", check("2001:db8::fa/64"))


def test_an_address_that_something_has_is_not_free() -> None:
    [found] = said("VMF232", check("10.0.7.11/24"))
    assert "check neighbour" in found.message
    assert "VM web-01" in found.message
    [found] = said("VMF232", check(), networks=network(gateway="10.0.7.250"))
    assert "the gateway" in found.message
    stays = server("old", "10.0.7.250/24", disposition="retain", reason="stays", checks=[])
    assert said("VMF232", check(), vms=(server(), stays))
    assert not said("VMF232", check(), check(name="web", ping=None, tcp=443))


def test_two_groups_at_once_share_no_address() -> None:
    phases = [{"name": "first"}, {"name": "second"}]
    vms = (server(), server("db-01", "10.0.7.12/24", phase="second"))
    stages = {"first-01": {"stage": "cutover"}, "second-01": {"stage": "cutover"}}
    [found] = said("VMF584", check(), vms=vms, phases=phases, groups=stages)
    assert "first-01 and second-01" in found.message
    stages = {"first-01": {"stage": "adopted"}, "second-01": {"stage": "cutover"}}
    assert not said("VMF584", check(), vms=vms, phases=phases, groups=stages)
