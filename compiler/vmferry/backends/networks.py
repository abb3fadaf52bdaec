"""Networks: NetworkAttachmentDefinitions, bridges on the nodes, and pairs of VMs that test a network."""

import hashlib
import json
import uuid
from collections.abc import Iterator
from typing import Any

import msgspec

from vmferry.backends.metadata import head
from vmferry.backends.places import of_namespace
from vmferry.estate.network_map import resource_name
from vmferry.estate.sizing import SMOKE_MEMORY
from vmferry.kube import kinds
from vmferry.kube.dns import fitted, suffixed
from vmferry.kube.quantity import format_size
from vmferry.kube.vlans import span
from vmferry.model.base import LABEL_DOMAIN
from vmferry.model.blueprint import Blueprint, BridgePlan, Nad, NamespacePlan, SmokePair
from vmferry.model.keys import reference
from vmferry.model.manifest import Item, KubeObject, Resource, namespace_lock
from vmferry.model.spec import (
    BridgeNetwork,
    ExistingNad,
    IgnoredNetwork,
    MacvtapNetwork,
    OvnLayer2,
    OvnLocalnet,
    PodNetwork,
    SriovNetwork,
)

RESOURCE_NAME = "k8s.v1.cni.cncf.io/resourceName"
TRANSFER_ROUTE = "forklift.konveyor.io/route"
SMOKE_LABEL = f"{LABEL_DOMAIN}/smoke-test"
SMOKE_PORT = 8080


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield the NADs of each namespace, the node policies of the bridges, and the smoke-test VMs."""
    for plan in blueprint.namespaces:
        for nad in plan.nads:
            if not isinstance(nad.network.target, PodNetwork | ExistingNad | IgnoredNetwork):
                yield of_namespace(plan.name, _definition(blueprint, plan.name, nad))
        for pair in plan.smoke:
            for machine in _pair(blueprint, plan, pair):
                yield Resource(directory=f"infra/smoke/{plan.name}", object=machine, lock=namespace_lock(plan.name))
    for bridge in blueprint.bridges:
        yield Resource(directory="infra/cluster", object=_node_policy(blueprint, bridge))


# --- NetworkAttachmentDefinitions ------------------------------------------------------------


def nad_config(nad: Nad, namespace: str, migration: str) -> dict[str, Any]:
    """Return the CNI configuration of a NAD in ``namespace``.

    There is never an ipam: guests keep their own addresses. ``migration`` is part of the name by which OVN-Kubernetes
    identifies a network in the whole cluster: NADs with the same name are one network, so the copies in all namespaces
    have the same name, and two migrations never collide. Raises TypeError for a network that has no NAD of its own.
    """
    target = nad.network.target
    match target:
        case BridgeNetwork():
            return _bridge(target, nad.name)
        case MacvtapNetwork():
            return {"cniVersion": "0.3.1", "name": nad.name, "type": "macvtap"} | _mtu(target.mtu)
        case SriovNetwork():
            return {
                "cniVersion": "0.3.1",
                "name": nad.name,
                "type": "sriov",
                **({"vlan": target.vlan} if target.vlan else {}),
                "spoofchk": "on" if target.spoofchk else "off",
                "trust": "on" if target.trust else "off",
                "ipam": {},
            }
        case OvnLocalnet() | OvnLayer2():
            return _ovn(target, nad, namespace, migration)
    raise TypeError(f"{nad.name}: no NetworkAttachmentDefinition is made for type {type(target).__name__}")


def _bridge(target: BridgeNetwork, name: str) -> dict[str, Any]:
    vlan: dict[str, Any] = {}
    if target.trunk:
        vlan["vlanTrunk"] = [_trunk_entry(text) for text in target.trunk]
    elif target.vlan:
        vlan["vlan"] = target.vlan
    if vlan:
        vlan["preserveDefaultVlan"] = False  # the plugin's default leaks untagged frames of VLAN 1
    return {
        "cniVersion": "0.3.1",
        "name": name,
        "type": target.bridge_type,
        "bridge": target.bridge,
        **vlan,
        "macspoofchk": target.macspoofchk,
        "disableContainerInterface": True,
        **_mtu(target.mtu),
        "ipam": {},
    }


def pod_config(target: BridgeNetwork, name: str, address: str) -> dict[str, Any]:
    """Return the CNI configuration by which a pod gets an address on a bridge, as a neighbour of the VMs there.

    containernetworking/plugins plugins/ipam/static: without a gateway, the pod's default route stays as it is.
    """
    config = {key: value for key, value in _bridge(target, name).items() if key != "disableContainerInterface"}
    return config | {"ipam": {"type": "static", "addresses": [{"address": address}]}}


def _trunk_entry(text: str) -> dict[str, int]:
    first, last = span(text)
    return {"minID": first, "maxID": last} if "-" in text else {"id": first}


def _ovn(target: OvnLocalnet | OvnLayer2, nad: Nad, namespace: str, migration: str) -> dict[str, Any]:
    localnet: dict[str, Any] = {}
    if isinstance(target, OvnLocalnet):
        localnet["physicalNetworkName"] = target.physical_network
        if target.vlan:
            localnet["vlanID"] = target.vlan
    subnets = {"subnets": ",".join(target.subnets), "allowPersistentIPs": True} if target.subnets else {}
    if target.subnets and target.exclude_subnets:
        subnets["excludeSubnets"] = ",".join(target.exclude_subnets)
    return {
        "cniVersion": "1.0.0",
        # "_" is in neither name, and is not among the characters that OVN-Kubernetes folds into ".".
        "name": f"{migration}_{nad.first or nad.name}",
        "type": "ovn-k8s-cni-overlay",
        "topology": "localnet" if localnet else "layer2",
        **localnet,
        **_mtu(target.mtu),
        **subnets,
        "netAttachDefName": reference(namespace, nad.name),
    }


def _mtu(mtu: int | None) -> dict[str, int]:
    return {} if mtu is None else {"mtu": mtu}


def _definition(blueprint: Blueprint, namespace: str, nad: Nad) -> KubeObject:
    resource = resource_name(nad.network.target)
    annotations = {RESOURCE_NAME: resource} if resource else {}
    if nad.route is not None:
        annotations[TRANSFER_ROUTE] = nad.route
    return {
        **head(
            kinds.NAD,
            blueprint,
            nad.name,
            namespace,
            annotations=annotations or None,
        ),
        "spec": {"config": json.dumps(nad_config(nad, namespace, blueprint.name))},
    }


# --- bridges on the nodes --------------------------------------------------------------------


def _node_policy(blueprint: Blueprint, plan: BridgePlan) -> KubeObject:
    bridge = plan.bridge
    interface = {
        "name": bridge.name,
        "type": "linux-bridge",
        "state": "up",
        **_mtu(bridge.mtu),
        "ipv4": {"enabled": False},
        "ipv6": {"enabled": False},
        "bridge": {"options": {"stp": {"enabled": False}}, "port": [_port(plan)]},
    }
    return {
        **head(kinds.NODE_NETWORK, blueprint, _policy_name(blueprint, plan)),
        "spec": {
            "nodeSelector": dict(sorted(plan.node_selector.items())),
            "desiredState": {"interfaces": [interface]},
        },
    }


def _port(plan: BridgePlan) -> dict[str, Any]:
    if not plan.vlans:
        return {"name": plan.bridge.port}
    tags = [{"id": first} if first == last else {"id-range": {"min": first, "max": last}} for first, last in plan.vlans]
    vlan: dict[str, Any] = {"mode": "trunk", "trunk-tags": tags}
    if plan.untagged:
        vlan |= {"tag": 1, "enable-native": True}  # 1 is a bridge's default for its ports
    return {"name": plan.bridge.port, "vlan": vlan}


def _policy_name(blueprint: Blueprint, plan: BridgePlan) -> str:
    """Return the policy's name; policies for bridges with the same name, on different nodes, get a digest each."""
    name = _object_name(plan.bridge.name)
    if sum(_object_name(other.bridge.name) == name for other in blueprint.bridges) > 1:
        digest = hashlib.sha256(msgspec.json.encode(plan.bridge, order="deterministic")).hexdigest()[:6]
        name = f"{name}-{digest}"
    return f"{blueprint.name}-{name}"


def _object_name(interface: str) -> str:
    return interface.lower().replace("_", "-").rstrip("-.")


# --- smoke tests -----------------------------------------------------------------------------

_USER_DATA = """\
#cloud-config
write_files:
  - path: /usr/local/bin/vmferry-smoke
    permissions: "0755"
    content: |
      #!/bin/sh
      mkdir -p /run/smoke
      python3 -m http.server {port} --directory /run/smoke >/dev/null 2>&1 &
      while sleep 5; do
        result=ok
        for peer in {peers}; do
          ping -c 2 -W 2 -I {own} "$peer" >/dev/null 2>&1 || result="no answer from $peer"
        done
        if [ "$result" = ok ]; then touch /run/smoke/ok; else rm -f /run/smoke/ok; fi
        echo "vmferry smoke test {name}: $result" >/dev/console
      done
runcmd:
  - [systemd-run, --unit=vmferry-smoke, /usr/local/bin/vmferry-smoke]
"""

_NETWORK_DATA = """\
version: 2
ethernets:
  pod:
    match: {{macaddress: "{pod_mac}"}}
    dhcp4: true
  test:
    match: {{macaddress: "{test_mac}"}}
    dhcp4: false
    addresses: ["{own}"]
"""


def _pair(blueprint: Blueprint, plan: NamespacePlan, pair: SmokePair) -> Iterator[KubeObject]:
    """Yield two VMs on different nodes, each Ready only while it reaches the other over the network.

    The readiness probe uses the pod network, so it needs no guest agent; the result is on the serial console too. Their
    MACs are generated and locally administered: no vSphere VM has such a MAC.
    """
    one, other = pair.test.addresses
    for name, (own, peer) in zip(smoke_names(pair), ((one, other), (other, one)), strict=True):
        yield _smoke_machine(blueprint, plan, pair, name, own, peer)


def smoke_names(pair: SmokePair) -> tuple[str, str]:
    """Return the names of the two VMs."""
    return suffixed(pair.name, "a"), suffixed(pair.name, "b")


def _smoke_machine(
    blueprint: Blueprint, plan: NamespacePlan, pair: SmokePair, name: str, own: str, peer: str
) -> KubeObject:
    identity = f"{blueprint.name}/{plan.name}/{name}"
    pod_mac, test_mac = _mac(f"{identity}/pod"), _mac(f"{identity}/test")
    # nothing of it is worth keeping
    own_head = head(
        kinds.VIRTUAL_MACHINE, blueprint, name, plan.name, labels={SMOKE_LABEL: fitted(pair.name)}, keep=False
    )
    unique = str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://{LABEL_DOMAIN}/smoke-test/{identity}"))
    domain = {
        "machine": {"type": blueprint.cluster.machine_type},
        "cpu": {"sockets": 1, "cores": 1, "threads": 1},
        "memory": {"guest": format_size(SMOKE_MEMORY)},
        "resources": {},
        "firmware": {"uuid": unique, "serial": unique, "bootloader": {"bios": {}}},
        "features": {"acpi": {}},
        "devices": {
            "logSerialConsole": True,
            "rng": {},
            "disks": [
                {"name": "root", "bootOrder": 1, "disk": {"bus": "virtio"}},
                {"name": "cloud-init", "disk": {"bus": "virtio"}},
            ],
            "interfaces": [
                {"name": "pod", "model": "virtio", "macAddress": pod_mac, "masquerade": {}},
                {"name": "test", "macAddress": test_mac, **_binding(pair)},
            ],
        },
    }
    return {
        **own_head,
        "spec": {
            "runStrategy": "Always",
            "template": {
                "metadata": {"labels": own_head["metadata"]["labels"]},
                "spec": {
                    "architecture": "amd64",
                    "hostname": name,
                    "terminationGracePeriodSeconds": 10,
                    "evictionStrategy": "None",
                    "affinity": _on_different_nodes(pair),
                    "domain": domain,
                    "networks": [
                        {"name": "pod", "pod": {}},
                        {"name": "test", "multus": {"networkName": pair.nad}},
                    ],
                    "readinessProbe": {
                        "httpGet": {"path": "/ok", "port": SMOKE_PORT, "scheme": "HTTP"},
                        "initialDelaySeconds": 30,
                        "periodSeconds": 10,
                        "timeoutSeconds": 2,
                        "successThreshold": 1,
                        "failureThreshold": 3,
                    },
                    "volumes": [
                        {
                            "name": "root",
                            "containerDisk": {
                                "image": blueprint.cluster.smoke_image,
                                "imagePullPolicy": "IfNotPresent",
                            },
                        },
                        {
                            "name": "cloud-init",
                            "cloudInitNoCloud": {
                                "userData": _user_data(pair, name, own, peer),
                                "networkData": _NETWORK_DATA.format(pod_mac=pod_mac, test_mac=test_mac, own=own),
                            },
                        },
                    ],
                },
            },
        },
    }


def _on_different_nodes(pair: SmokePair) -> dict[str, Any]:
    """Return the anti-affinity; without it, the frames might never leave a node, and the test would prove nothing."""
    term = {
        "labelSelector": {"matchLabels": {SMOKE_LABEL: fitted(pair.name)}},
        "topologyKey": "kubernetes.io/hostname",
    }
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def _binding(pair: SmokePair) -> dict[str, Any]:
    """Return how the test interface is bound: as a migrated VM on the network is."""
    if pair.binding == "macvtap":  # a plugin since KubeVirt 1.3, no longer a binding of its own
        return {"model": "virtio", "binding": {"name": "macvtap"}}
    return {"sriov": {}} if pair.binding == "sriov" else {"model": "virtio", "bridge": {}}


def _mac(seed: str) -> str:
    """Return a unicast, locally administered MAC address, the same for the same ``seed``."""
    digest = hashlib.sha256(f"{LABEL_DOMAIN}/{seed}".encode()).digest()
    return ":".join(f"{byte:02x}" for byte in (0x02, *digest[:5]))


def _user_data(pair: SmokePair, name: str, own: str, peer: str) -> str:
    peers = [_address(peer), *([pair.gateway] if pair.gateway else [])]
    return _USER_DATA.format(port=SMOKE_PORT, own=_address(own), peers=" ".join(peers), name=name)


def _address(cidr: str) -> str:
    return cidr.partition("/")[0]
