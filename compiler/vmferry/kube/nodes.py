"""Facts about the nodes of each distribution: their labels, and what configures their network."""

from vmferry.model.base import Labels
from vmferry.model.spec import BridgeNetwork, Cluster, Distribution, NetworkTarget

_WORKER = {"node-role.kubernetes.io/worker": ""}
"""OpenShift sets it. kubeadm, k3s, Talos and the clouds do not, and Rancher's RKE2 gives it the value true."""

_SCHEDULABLE = {"kubevirt.io/schedulable": "true"}
"""virt-handler sets it on every node where VMs can run (kubevirt staging/src/kubevirt.io/api/core/v1/types.go)."""

NO_NMSTATE: dict[Distribution, str] = {
    "talos": "Talos has no NetworkManager: bridges and VLANs are in its machine configuration",
    "eks": "the nodes of EKS have no NetworkManager, and its network delivers no frames with other MACs or tags",
    "gke": "the nodes of GKE have no NetworkManager, and its network delivers no frames with other MACs or tags",
    "aks": "the nodes of AKS have no NetworkManager, and its network delivers no frames with other MACs or tags",
}
"""Distributions where kubernetes-nmstate, which needs NetworkManager, cannot create bridges, and why."""


def vm_nodes(distribution: Distribution) -> Labels:
    """Return labels that the nodes have where VMs run."""
    return dict(_WORKER if distribution == "openshift" else _SCHEDULABLE)


def bridge_nodes(target: NetworkTarget, cluster: Cluster) -> Labels:
    """Return labels that the nodes have which get the bridge of a network."""
    name = target.bridge if isinstance(target, BridgeNetwork) else None
    return next((bridge.node_selector for bridge in cluster.bridges if bridge.name == name), {})


def pod_user(distribution: Distribution) -> int | None:
    """Return the user of pods that have no rights: nobody; None on OpenShift, which chooses one itself."""
    return None if distribution == "openshift" else 65534
