"""Fields of a Plan and a StorageMap for copy and conversion: copy offload, conversion pods, scripts, LUNs."""

from collections.abc import Iterator
from typing import Any

from vmferry.backends.metadata import head
from vmferry.kube import kinds
from vmferry.model.blueprint import ArrayCopy, Blueprint, Machine, PlanOptions, ScriptPlan
from vmferry.model.forklift import ConvertorPods, NodeTerm
from vmferry.model.manifest import KubeObject

_PLUGIN = "StorageMap.spec.map[].offloadPlugin"
_POD = {"forklift.app": "virt-v2v"}
"""Label of every conversion pod (kubev2v/forklift pkg/controller/plan/kubevirt.go)."""


def offload(copy: ArrayCopy | None, withheld: frozenset[str]) -> dict[str, Any]:
    """Return a StorageMap row's plug-ins that the version supports; their Secrets are in the Provider's namespace."""
    plugins: dict[str, Any] = {}
    if copy is not None and copy.xcopy is not None:
        plugins["vsphereXcopyConfig"] = {
            "secretRef": copy.xcopy.secret,
            "storageVendorProduct": copy.xcopy.product,
        }
        if copy.xcopy.hosts and f"{_PLUGIN}.vsphereXcopyConfig.dedicatedMigrationHosts" not in withheld:
            plugins["vsphereXcopyConfig"]["dedicatedMigrationHosts"] = list(copy.xcopy.hosts)
    if copy is not None and copy.csi is not None and f"{_PLUGIN}.csiVolumeImport" not in withheld:
        plugins["csiVolumeImport"] = {
            "secretRef": copy.csi.secret_ref,
            "storageVendorProduct": copy.csi.storage_vendor_product,
        }
    return {"offloadPlugin": plugins} if plugins else {}


def conversion(blueprint: Blueprint, options: PlanOptions) -> dict[str, Any]:
    """Return the fields of a Plan for its conversion pods; None and empty values stand for its defaults."""
    pods, storage = options.convertor or ConvertorPods(), options.conversion_storage
    return {
        "conversionTempStorageClass": storage.storage_class if storage else None,
        "conversionTempStorageSize": storage.size if storage else None,
        "convertorLabels": dict(sorted(pods.labels.items())),
        "convertorNodeSelector": dict(sorted(pods.node_selector.items())),
        "convertorAffinity": _affinity(pods),
        "serviceAccount": options.service_account,
        "virtV2vImage": options.virt_v2v_image,
        "xfsCompatibility": options.xfs_compatibility or None,
        "customizationScripts": _scripts(blueprint, options.scripts),
        "tagMapping": _tags(options),
        "installLegacyDrivers": options.legacy_drivers,
    }


def devices(machine: Machine) -> dict[str, Any]:
    """Return the fields of a VM in its Plan for nested virtualization and LUNs."""
    return {
        "enableNestedVirtualization": machine.nested_virtualization,
        "rdmAsLun": machine.rdm_as_lun or None,
        "scsiReservation": machine.scsi_reservation or None,
    }


def made(blueprint: Blueprint) -> Iterator[ScriptPlan]:
    """Yield the sets of scripts that vmferry turns into a ConfigMap, sorted."""
    yield from sorted(
        (each for each in blueprint.scripts if each.scripts is not None), key=lambda each: each.config_map
    )


def config_map(blueprint: Blueprint, scripts: ScriptPlan) -> KubeObject:
    """Return a set of scripts; Forklift copies it into the VMs' namespace during the conversion."""
    return {
        **head(kinds.CONFIG_MAP, blueprint, scripts.config_map, scripts.namespace),
        "data": dict(sorted((scripts.scripts or {}).items())),
    }


def _affinity(pods: ConvertorPods) -> dict[str, Any] | None:
    node: dict[str, Any] = {}
    if pods.require_nodes:
        terms = [{"matchExpressions": [_expression(term) for term in pods.require_nodes]}]
        node["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": terms}
    if pods.prefer_nodes:
        node["preferredDuringSchedulingIgnoredDuringExecution"] = [
            {"weight": 100, "preference": {"matchExpressions": [_expression(term)]}} for term in pods.prefer_nodes
        ]
    affinity: dict[str, Any] = {"nodeAffinity": node} if node else {}
    if pods.spread:
        term = {"labelSelector": {"matchLabels": dict(_POD)}, "topologyKey": "kubernetes.io/hostname"}
        preferred = [{"weight": 100, "podAffinityTerm": term}]
        affinity["podAntiAffinity"] = {"preferredDuringSchedulingIgnoredDuringExecution": preferred}
    return affinity or None


def _expression(term: NodeTerm) -> dict[str, Any]:
    values = {"values": list(term.values)} if term.values else {}
    return {"key": term.key, "operator": term.operator, **values}


def _scripts(blueprint: Blueprint, name: str | None) -> dict[str, str] | None:
    if name is None:
        return None
    found = next(each for each in blueprint.scripts if each.name == name)
    return {"namespace": found.namespace, "name": found.config_map}


def _tags(options: PlanOptions) -> dict[str, Any] | None:
    """Return the tags that become labels.

    An empty list would mean all of them (builder.go SourceVMLabelsAndAnnotations).
    """
    if options.tags == "all":
        return None
    if options.tags == "none" or not options.tags:
        return {"disabled": True}
    return {"labelTags": sorted(options.tags)}
