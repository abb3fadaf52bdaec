"""Capabilities of CSI drivers: access and volume modes by provisioner, best first.

Source: CDI pkg/storagecapabilities/storagecapabilities.go (v1.66); the driver refuses a claim outside these sets, so
the pairs matter, not just the two lists (Ceph RBD has ReadWriteMany as Block only).
"""

import re
from collections.abc import Mapping

from vmferry.model.spec import AccessMode, StorageClass, VolumeMode

Claim = tuple[AccessMode, VolumeMode]

_RWX_B: Claim = ("ReadWriteMany", "Block")
_RWX_F: Claim = ("ReadWriteMany", "Filesystem")
_RWO_B: Claim = ("ReadWriteOnce", "Block")
_RWO_F: Claim = ("ReadWriteOnce", "Filesystem")

_RBD = (_RWX_B, _RWO_B, _RWO_F)
_FILE = (_RWX_F, _RWO_F)
_LOCAL = (_RWO_B, _RWO_F)
_SHARED_BLOCK = (_RWX_B, _RWO_B, _RWO_F)

_CLAIMS: dict[str, tuple[Claim, ...]] = {
    "rbd.csi.ceph.com": _RBD,
    "kubernetes.io/rbd": _RBD,
    "cephfs.csi.ceph.com": _FILE,
    "driver.longhorn.io": (_RWO_B,),
    "topolvm.io": _LOCAL,
    "topolvm.cybozu.com": _LOCAL,
    "kubevirt.io.hostpath-provisioner": (_RWO_F,),
    "kubevirt.io/hostpath-provisioner": (_RWO_F,),
    "k8s.io/minikube-hostpath": (_RWO_F,),
    "nfs.csi.k8s.io": (_RWX_F,),
    "k8s-sigs.io/nfs-subdir-external-provisioner": (_RWX_F,),
    "rancher.io/local-path": (_RWO_F,),
    "kubernetes.io/aws-ebs": (_RWO_B,),
    "kubernetes.io/azure-disk": (_RWO_B,),
    "kubernetes.io/azure-file": (_RWX_F,),
    "kubernetes.io/gce-pd": _LOCAL,
    "ebs.csi.aws.com": (_RWO_B,),
    "efs.csi.aws.com": (_RWX_F,),
    "pd.csi.storage.gke.io": _LOCAL,
    "disk.csi.azure.com": (_RWO_B,),
    "file.csi.azure.com": (_RWX_F,),
    "csi.vsphere.vmware.com": _LOCAL,
    "pxd.portworx.com": (_RWX_B, _RWX_F, _RWO_B, _RWO_F),
    "kubernetes.io/portworx-volume": (_RWX_B, _RWX_F, _RWO_B, _RWO_F),
    "cinder.csi.openstack.org": _LOCAL,
    "csi.ovirt.org": _LOCAL,
    "manila.csi.openstack.org": (_RWX_F,),
    "linstor.csi.linbit.com": _SHARED_BLOCK,
    "csi-unity.dellemc.com": _SHARED_BLOCK,
    "csi-vxflexos.dellemc.com": _SHARED_BLOCK,
    "csi-powermax.dellemc.com": (_RWX_B, _RWO_B, _RWO_F),
    "csi-powerstore.dellemc.com": (_RWX_B, _RWO_B, _RWO_F),
    "csi-isilon.dellemc.com": _FILE,
    "csi.hpe.com": _SHARED_BLOCK,
    "hspc.csi.hitachi.com": _SHARED_BLOCK,
    "block.csi.ibm.com": _SHARED_BLOCK,
    "infinibox-csi-driver": _SHARED_BLOCK,
    "csi.san.synology.com": _SHARED_BLOCK,
    "blockvolume.csi.oraclecloud.com": _SHARED_BLOCK,
    "spectrumscale.csi.ibm.com": _FILE,
    "directpv-min-io": (_RWO_F,),
    "kubesan.gitlab.io": (_RWX_B, _RWO_B, _RWO_F),
}

# Additional capabilities of a provisioner that was configured for them; a class states them in `accessModes`.
# rancher/local-path-provisioner issue 463 (no Block), pull 183 (sharedFileSystemPath).
_WHERE_STATED: dict[str, tuple[Claim, ...]] = {"rancher.io/local-path": (_RWX_F, _RWO_F)}

# A parameter of the class that changes its capabilities: (provisioner, parameter, value prefix) -> claims.
_BY_PARAMETER: tuple[tuple[str, str, str, tuple[Claim, ...]], ...] = (
    ("driver.longhorn.io", "migratable", "true", (_RWX_B, _RWO_B)),
    ("driver.longhorn.io", "nfsOptions", "", _FILE),
    ("driver.longhorn.io", "fsType", "", (_RWO_F,)),
    ("kubevirt.io.hostpath-provisioner", "overlayCSI", "", (_RWX_F,)),
    ("ebs.csi.aws.com", "type", "io2", _SHARED_BLOCK),
    ("pd.csi.storage.gke.io", "type", "hyperdisk-balanced", _SHARED_BLOCK),
    ("csi.vsphere.vmware.com", "csi.storage.k8s.io/fstype", "nfs", (_RWX_F, _RWO_B, _RWO_F)),
    ("pxd.portworx.com", "backend", "pure_block", _SHARED_BLOCK),
    ("pxd.portworx.com", "backend", "pure_fa_file", _FILE),
    ("csi.trident.netapp.io", "backendType", "ontap-nas", _FILE),
    ("csi.trident.netapp.io", "backendType", "ontap-san", (_RWX_B,)),
)


_ON_ONE_NODE = frozenset(
    (
        "topolvm.io",
        "topolvm.cybozu.com",
        "kubevirt.io.hostpath-provisioner",
        "kubevirt.io/hostpath-provisioner",
        "k8s.io/minikube-hostpath",
        "directpv-min-io",
        "rancher.io/local-path",
        "kubernetes.io/no-provisioner",
        "local.csi.openebs.io",
        "openebs.io/local",
        "zfs.csi.openebs.io",
    )
)


# Cloud disks that are created in one zone and can only be attached there, unless a parameter of the class says
# otherwise: provisioner -> (parameters, pattern of values that replicate across zones).
_IN_ONE_ZONE: dict[str, tuple[tuple[str, ...], str]] = {
    "ebs.csi.aws.com": ((), ""),
    "kubernetes.io/aws-ebs": ((), ""),
    "pd.csi.storage.gke.io": (("replication-type", "type"), "regional|high-availability"),
    "kubernetes.io/gce-pd": (("replication-type",), "regional"),
    "disk.csi.azure.com": (("skuName", "skuname", "storageAccountType", "storageaccounttype"), "_ZRS$"),
    "kubernetes.io/azure-disk": (("skuName", "skuname", "storageAccountType", "storageaccounttype"), "_ZRS$"),
    "blockvolume.csi.oraclecloud.com": ((), ""),
    "diskplugin.csi.alibabacloud.com": (("type",), "regional"),
    "vpc.block.csi.ibm.io": ((), ""),
}


def is_zonal(storage_class: StorageClass) -> bool:
    """Return whether each volume of a class is known to be in one zone: by stated zones, or as a cloud disk."""
    if storage_class.zones:
        return True
    if storage_class.provisioner not in _IN_ONE_ZONE:
        return False
    names, replicated = _IN_ONE_ZONE[storage_class.provisioner]
    values = (storage_class.parameters.get(name, "") for name in names)
    return not any(re.search(replicated, value) for value in values)


def is_ceph_on_nodes(storage_class: StorageClass) -> bool:
    """Return whether the Ceph of a class runs in the cluster (Rook, OpenShift Data Foundation)."""
    return storage_class.provisioner.endswith((".rbd.csi.ceph.com", ".cephfs.csi.ceph.com"))


def is_local(storage_class: StorageClass) -> bool:
    """Return whether a class is known to keep each volume on the disks of one node."""
    if storage_class.provisioner not in _ON_ONE_NODE:
        return False
    return all(access == "ReadWriteOnce" for access, _ in claims(storage_class))


def known_claims(provisioner: str, parameters: Mapping[str, str]) -> tuple[Claim, ...]:
    """Return a provisioner's capabilities; empty for an unknown one."""
    for name, parameter, prefix, claims in _BY_PARAMETER:
        value = parameters.get(parameter, "")  # an empty one counts as absent, for CDI too
        if provisioner == name and value and value.startswith(prefix):
            return claims
    if provisioner in _CLAIMS:
        return _CLAIMS[provisioner]
    # Ceph's drivers have the operator's namespace as a prefix: rook-ceph.rbd.csi.ceph.com
    for suffix in ("rbd.csi.ceph.com", "cephfs.csi.ceph.com"):
        if provisioner.endswith("." + suffix):
            return _CLAIMS[suffix]
    return ()


def _known_claims_of(storage_class: StorageClass) -> tuple[Claim, ...]:
    if storage_class.access_modes and storage_class.provisioner in _WHERE_STATED:
        return _WHERE_STATED[storage_class.provisioner]
    return known_claims(storage_class.provisioner, storage_class.parameters)


def claims(storage_class: StorageClass) -> tuple[Claim, ...]:
    """Return the claims that a class supports: the known ones, limited to those in the spec; empty if unknown."""
    access, modes = storage_class.access_modes, storage_class.volume_modes
    known = _known_claims_of(storage_class)
    if not known and access and modes:
        known = tuple((a, m) for a in access for m in modes)
    return tuple(claim for claim in known if claim[0] in (access or (claim[0],)) and claim[1] in (modes or (claim[1],)))


def takes_files(storage_class: StorageClass) -> bool:
    """Return whether a class has Filesystem volumes; assumed for an unknown provisioner."""
    sets = claims(storage_class)
    return not sets or any(mode == "Filesystem" for _, mode in sets)


def needs_modes(storage_class: StorageClass) -> tuple[AccessMode | VolumeMode, ...]:
    """Return the modes in the spec that the provisioner is known not to support."""
    known = _known_claims_of(storage_class)
    if not known:
        return ()
    stated = (*(storage_class.access_modes or ()), *(storage_class.volume_modes or ()))
    return tuple(mode for mode in stated if all(mode not in claim for claim in known))
