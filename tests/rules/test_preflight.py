"""What the pre-flight needs, and what it leaves out."""

from typing import Any

from tests.resolve.projects import Data, vm
from tests.rules.ruling import ruled


def target(cluster: Data | None = None, **preflight: Any) -> Data:
    return {
        "cluster": {"name": "prod-a", "checkImage": "registry.example.com/check:1"} | (cluster or {}),
        "gitops": {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"},
        "preflight": {"namespace": "web"} | preflight,
    }


def said(code: str, wanted: Data, **sections: Any) -> list[str]:
    return [each.message for each in ruled(vm(), target=wanted, **sections) if each.code == code]


def test_a_listed_host_inside_the_services_of_the_cluster_is_found() -> None:
    hosts = [{"source": "vc1", "names": ["esx1.example.com", "10.96.0.21", "fd00::21"]}]
    assert said("VMF275", target({"serviceCIDR": ["10.96.0.0/12"]}, hosts=hosts)) == [
        "ESXi host 10.96.0.21 has the address 10.96.0.21, which is inside serviceCIDR 10.96.0.0/12 of cluster prod-a"
    ]


def test_a_source_without_known_hosts_is_named_and_an_esxi_host_is_one_itself() -> None:
    assert "ESXi hosts of vc1" in said("VMF577", target())[0]
    direct = {
        "name": "esx",
        "vcenter": {
            "url": "https://esx1.example.com/sdk",
            "credentials": {"secretRef": {"name": "a"}},
            "conversionCredentials": {"secretRef": {"name": "b"}},
            "sdkEndpoint": "esxi",
        },
    }
    assert said("VMF577", target(), sources=[direct]) == []


def test_a_network_in_the_namespaces_of_vms_is_left_out() -> None:
    network = {"source": {"portGroup": "vlan-7", "vlan": 7}, "target": {"type": "nad", "name": "vlan-7"}}
    [message] = said("VMF581", target(), networks=[network])
    assert message.endswith("NetworkAttachmentDefinition vlan-7 is in the namespaces of VMs")
