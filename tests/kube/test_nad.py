"""Tests of `vmferry.kube.nad`."""

import json
from typing import Any

import pytest

from vmferry.kube.nad import check_config

BRIDGE = {"cniVersion": "0.3.1", "name": "web", "type": "bridge", "bridge": "br1", "vlan": 120}
OVN = {
    "cniVersion": "1.0.0",
    "name": "tenant",
    "type": "ovn-k8s-cni-overlay",
    "topology": "localnet",
    "netAttachDefName": "web/tenant",
}


def check(config: dict[str, Any], nad: str | None = None) -> list[str]:
    return check_config(json.dumps(config), nad)


@pytest.mark.parametrize(
    "config",
    [
        BRIDGE,
        BRIDGE | {"vlan": 0, "vlanTrunk": [{"id": 42}, {"minID": 100, "maxID": 200}], "ipam": {}},
        BRIDGE | {"macspoofchk": True, "disableContainerInterface": True, "preserveDefaultVlan": False},
        {"cniVersion": "0.3.1", "name": "fast", "type": "macvtap", "mtu": 1500},
        {
            "cniVersion": "0.3.1",
            "name": "vf",
            "type": "sriov",
            "vlan": 1000,
            "spoofchk": "on",
            "trust": "off",
        },
        OVN | {"physicalNetworkName": "physnet1", "vlanID": 33, "mtu": 1500},
        OVN | {"topology": "layer2", "subnets": "10.1.0.0/16,fd00::/64", "allowPersistentIPs": True},
        OVN | {"topology": "layer3", "subnets": "10.128.0.0/14/23"},
        {"cniVersion": "0.3.1", "name": "chain", "plugins": [{"type": "bridge", "bridge": "br1"}]},
        {"cniVersion": "0.3.1", "name": "other", "type": "whereabouts-something", "anything": [1]},
    ],
)
def test_a_config_its_plugin_takes_has_no_problem(config: dict[str, Any]) -> None:
    assert check(config) == []


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (BRIDGE | {"vlan": 4095}, "vlan"),
        (BRIDGE | {"vlan": "120"}, "vlan"),
        (BRIDGE | {"vlanId": 120}, "vlanId"),
        (BRIDGE | {"bridge": "a-bridge-name-too-long"}, "bridge"),
        (BRIDGE | {"vlanTrunk": [{"minID": 7}]}, "go together"),
        (BRIDGE | {"vlanTrunk": [{}]}, "needs id"),
        (BRIDGE | {"vlanTrunk": [{"minID": 200, "maxID": 100}]}, "not a range"),
        (BRIDGE | {"disableContainerInterface": True, "ipam": {"type": "whereabouts"}}, "ipam"),
        (BRIDGE | {"name": "no spaces"}, "name"),
        (BRIDGE | {"cniVersion": "2"}, "cniVersion"),
        ({"cniVersion": "0.3.1", "type": "bridge", "bridge": "br1"}, "`name` is missing"),
        ({"name": "web", "type": "bridge", "bridge": "br1"}, "`cniVersion` is missing"),
        ({"cniVersion": "0.3.1", "name": "web"}, "`type` is missing"),
        ({"cniVersion": "0.3.1", "name": "web", "plugins": []}, "`plugins` is empty"),
        ({"cniVersion": "0.3.1", "name": "web", "plugins": [{"type": "bridge"}]}, "plugins[0]"),
        ({"cniVersion": "0.3.1", "name": "vf", "type": "sriov", "spoofchk": True}, "spoofchk"),
        (OVN | {"topology": "layer2", "vlanID": 5}, "do not apply"),
        (OVN | {"topology": "layer4"}, "topology"),
        (OVN | {"subnets": "10.1.0.0"}, "not a subnet"),
        (OVN | {"allowPersistentIPs": True}, "needs subnets"),
        (OVN | {"role": "primary"}, "never primary"),
        (OVN | {"ipam": {"type": "host-local"}}, "refused"),
    ],
)
def test_a_config_its_plugin_refuses_is_reported_with_its_field(config: dict[str, Any], problem: str) -> None:
    problems = check(config)
    assert len(problems) == 1
    assert problem in problems[0]


def test_ovn_config_must_name_its_own_object() -> None:
    assert check(OVN, "web/tenant") == []
    assert "but the object is db/tenant" in check(OVN, "db/tenant")[0]


@pytest.mark.parametrize("text", ["", "{", "name: web", "[]", '"web"', '{"name": "a", "name": '])
def test_text_that_is_not_a_json_object_is_one_problem(text: str) -> None:
    assert len(check_config(text)) == 1
