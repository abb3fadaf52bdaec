"""Features of each release of the target's components: the table behind every gate, floor and version finding.

A spec names a release (``2.12.5``), a release line (``2.12``, all its patches), or Forklift's ``main``. A field may
only be emitted if *every* possible patch has it (`certain`); a defect is reported if *any* possible patch has it
(`possible`).
"""

from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from vmferry.model.spec import Versions

Release = tuple[int, int, int]
MAIN = "main"
_MAIN: Release = (9999, 0, 0)
"""Sorts after every release: the next one contains what is on the branch."""


class Component(StrEnum):
    """A program in the target whose release a spec may state, by its field in ``target.cluster.versions``."""

    KUBERNETES = "kubernetes"
    KUBEVIRT = "kubevirt"
    CDI = "cdi"
    FORKLIFT = "forklift"
    FLUX = "flux"
    ARGOCD = "argocd"

    @property
    def title(self) -> str:  # type: ignore[override]  # str.title() is of no use here
        """Return the component's name in its project's spelling."""
        return _TITLES[self]


_TITLES = {
    Component.KUBERNETES: "Kubernetes",
    Component.KUBEVIRT: "KubeVirt",
    Component.CDI: "CDI",
    Component.FORKLIFT: "Forklift",
    Component.FLUX: "Flux",
    Component.ARGOCD: "Argo CD",
}


class Span(NamedTuple):
    """The possible releases of a version in a spec: from ``first`` to before ``end``."""

    first: Release
    end: Release


class Feature(NamedTuple):
    """A feature of a component's releases from ``since`` to before ``until``; None: from the floor, or still.

    ``backports`` are patches of earlier lines that also have it, and so do all later patches of those lines. ``fields``
    are its fields of custom resources, as in ``Plan.spec.vms[].nbdeClevis``: a test compares them with the definitions
    of each release. If a release has the field before it works, mention that in ``what``.
    """

    component: Component
    what: str
    since: str | None = None
    until: str | None = None
    source: str = ""
    fields: tuple[str, ...] = ()
    backports: tuple[str, ...] = ()

    @property
    def releases(self) -> str:
        """Return the releases with this feature, for a message: ``2.10 and later``, ``2.11.1 to before main``."""
        if self.until is None:
            return f"{', '.join((*self.backports, self.since))} and later" if self.since else "every release"
        return f"{self.since} to before {self.until}" if self.since else f"before {self.until}"


class Support(NamedTuple):
    """The supported releases of a component.

    ``oldest`` is the floor: manifests do not fit older ones. ``newest`` is the newest release whose definitions or
    servers the tests use, and the default of a spec. ``maintained`` is the number of minor releases that upstream
    maintains at a time. ``tested`` are the releases that tests run or compare the output with.
    """

    component: Component
    oldest: str
    newest: str
    maintained: int
    tested: tuple[str, ...]
    source: str


@lru_cache(maxsize=256)
def span(text: str) -> Span:
    """Return the releases a version stands for. ``text`` has a form that `model.spec` allows: 2.12, 2.12.5 or main."""
    if text == MAIN:
        return Span(_MAIN, (_MAIN[0] + 1, 0, 0))
    major, minor, *patch = (int(part) for part in text.split("."))
    if patch:
        return Span((major, minor, patch[0]), (major, minor, patch[0] + 1))
    return Span((major, minor, 0), (major, minor + 1, 0))


def stated(versions: Versions, component: Component) -> str:
    """Return the version of a component in the spec."""
    text: str = getattr(versions, component.value)
    return text


def certain(versions: Versions, feature: Feature) -> bool:
    """Return whether every possible release of the spec's version has the feature."""
    return certain_in(stated(versions, feature.component), feature)


def certain_in(version: str, feature: Feature) -> bool:
    """Return the same for one version of the feature's component."""
    here = span(version)
    return any(first <= here.first and here.end <= end for first, end in _spans(feature))


def possible(versions: Versions, feature: Feature) -> bool:
    """Return whether any possible release of the spec's version has the feature."""
    return possible_in(stated(versions, feature.component), feature)


def possible_in(version: str, feature: Feature) -> bool:
    """Return the same for one version of the feature's component."""
    here = span(version)
    return any(first < here.end and here.first < end for first, end in _spans(feature))


def _spans(feature: Feature) -> Iterator[Span]:
    """Yield the releases that have a feature: the patches it was backported to, and all from ``since`` on."""
    for backport in feature.backports:
        first = span(backport).first
        yield Span(first, (first[0], first[1] + 1, 0))
    yield Span(
        span(feature.since).first if feature.since is not None else (0, 0, 0),
        span(feature.until).first if feature.until is not None else (_MAIN[0] + 1, 0, 0),
    )


def too_old(version: str, support: Support) -> bool:
    """Return whether a version is below the floor."""
    return span(version).end <= span(support.oldest).first


def unknown(version: str, support: Support) -> bool:
    """Return whether a version is newer than all that this vmferry knows; main counts as known."""
    return version != MAIN and span(version).first[:2] > span(support.newest).first[:2]


def ended(version: str, support: Support) -> bool:
    """Return whether upstream only maintains newer minor releases."""
    newest, here = span(support.newest).first, span(version).first
    return here[0] < newest[0] or (here[0] == newest[0] and here[1] <= newest[1] - support.maintained)


# --- supported releases -----------------------------------------------------------------------

SUPPORT = (
    Support(
        Component.KUBERNETES,
        oldest="1.29",
        newest="1.37",
        maintained=3,
        tested=("1.34", "1.37"),
        source="kubernetes.io/releases/version-skew-policy: the three most recent minor releases; podReplacementPolicy "
        "of conversion Jobs is on by default from 1.29",
    ),
    Support(
        Component.KUBEVIRT,
        oldest="1.3",
        newest="1.9",
        maintained=3,
        tested=("1.3", "1.4", "1.5", "1.6", "1.7", "1.8", "1.9"),
        source="github.com/kubevirt/kubevirt docs/release-branch-backporting.md: the three most recent minor releases",
    ),
    Support(
        Component.CDI,
        oldest="1.57",
        newest="1.66",
        maintained=3,
        tested=("1.57", "1.58", "1.59", "1.60", "1.61", "1.62", "1.63", "1.64", "1.65", "1.66"),
        source="the definitions of each release; KubeVirt is tested with the newest",
    ),
    Support(
        Component.FORKLIFT,
        oldest="2.9",
        newest="2.12",
        maintained=2,
        tested=("2.9", "2.10", "2.11", "2.12", MAIN),
        source="kubev2v/forklift operator/config/crd/bases: v2.7.0 has no name templates in a Plan",
    ),
    Support(
        Component.FLUX,
        oldest="2.5",
        newest="2.10",
        maintained=3,
        tested=("2.7", "2.9"),
        source="fluxcd.io/flux/releases: the three most recent minor releases; healthCheckExprs and deletionPolicy of "
        "a Kustomization are from 2.5",
    ),
    Support(
        Component.ARGOCD,
        oldest="2.13",
        newest="3.6",
        maintained=3,
        tested=("3.2",),
        source="argo-cd.readthedocs.io, release process: the three most recent minor releases",
    ),
)

BY_COMPONENT = {support.component: support for support in SUPPORT}

# --- Kubernetes -------------------------------------------------------------------------------

STRICT_SERVICE_NAMES = Feature(
    Component.KUBERNETES,
    "names of Services that have to begin with a letter",
    until="1.36",
    source="kubernetes pkg/features/kube_features.go RelaxedServiceNameValidation: on by default from 1.36",
)

# --- Forklift ---------------------------------------------------------------------------------

_CRDS = "kubev2v/forklift operator/config/crd/bases, tags v2.9.0 to v2.12.5"

COMPATIBILITY_MODE = Feature(
    Component.FORKLIFT, "useCompatibilityMode", "2.9.1", source=_CRDS, fields=("Plan.spec.useCompatibilityMode",)
)
PLAN_TYPE = Feature(
    Component.FORKLIFT,
    "a Plan's type and its preflight inspection",
    "2.10",
    source=_CRDS,
    fields=("Plan.spec.type", "Plan.spec.runPreflightInspection"),
)
DELETE_FAILED_VM = Feature(
    Component.FORKLIFT,
    "deleteVmOnFailMigration",
    "2.10",
    source=_CRDS,
    fields=("Plan.spec.deleteVmOnFailMigration", "Plan.spec.vms[].deleteVmOnFailMigration"),
)
TARGET_PLACEMENT = Feature(
    Component.FORKLIFT,
    "labels and placement of the VMs",
    "2.10",
    source=f"{_CRDS}; issue 2053",
    fields=("Plan.spec.targetLabels", "Plan.spec.targetNodeSelector", "Plan.spec.targetAffinity"),
)
TARGET_POWER_STATE = Feature(
    Component.FORKLIFT,
    "targetPowerState",
    "2.10",
    source=_CRDS,
    fields=("Plan.spec.targetPowerState", "Plan.spec.vms[].targetPowerState"),
)
PLAN_ALERTS = Feature(
    Component.FORKLIFT,
    "a metric of failed Plans by name",
    "2.11",
    source="kubev2v/forklift pkg/monitoring/metrics/forklift-controller/metrics.go, tags v2.10.6 and v2.11.0",
)
NBDE_CLEVIS = Feature(Component.FORKLIFT, "nbdeClevis", "2.10", source=_CRDS, fields=("Plan.spec.vms[].nbdeClevis",))
CONVERTOR_PODS = Feature(
    Component.FORKLIFT,
    "labels and placement of conversion pods",
    "2.10",
    source=_CRDS,
    fields=("Plan.spec.convertorLabels", "Plan.spec.convertorNodeSelector", "Plan.spec.convertorAffinity"),
)
CONVERSION_STORAGE = Feature(
    Component.FORKLIFT,
    "scratch volumes of conversion pods",
    "2.11",
    source=_CRDS,
    fields=("Plan.spec.conversionTempStorageClass", "Plan.spec.conversionTempStorageSize"),
)
CUSTOMIZATION_SCRIPTS = Feature(
    Component.FORKLIFT, "customization scripts", "2.11", source=_CRDS, fields=("Plan.spec.customizationScripts",)
)
# 2.10.6 has these three, and 2.11.0 does not.
VIRT_V2V_IMAGE = Feature(
    Component.FORKLIFT,
    "a Plan's own virt-v2v image",
    "2.11.1",
    source=_CRDS,
    fields=("Plan.spec.virtV2vImage",),
    backports=("2.10.6",),
)
XFS_COMPATIBILITY = Feature(
    Component.FORKLIFT,
    "xfsCompatibility",
    "2.11.1",
    source=_CRDS,
    fields=("Plan.spec.xfsCompatibility",),
    backports=("2.10.6",),
)
NESTED_VIRTUALIZATION = Feature(
    Component.FORKLIFT,
    "enableNestedVirtualization",
    "2.11.1",
    source=_CRDS,
    fields=("Plan.spec.enableNestedVirtualization", "Plan.spec.vms[].enableNestedVirtualization"),
    backports=("2.10.6",),
)
SERVICE_ACCOUNT = Feature(
    Component.FORKLIFT, "a Plan's own ServiceAccount", "2.11.3", source=_CRDS, fields=("Plan.spec.serviceAccount",)
)
RDM_AS_LUN = Feature(
    Component.FORKLIFT,
    "rdmAsLun",
    "2.11.3",
    source=_CRDS,
    fields=("Plan.spec.rdmAsLun", "Plan.spec.vms[].rdmAsLun"),
)
TAG_MAPPING = Feature(Component.FORKLIFT, "tagMapping", "2.12", source=_CRDS, fields=("Plan.spec.tagMapping",))
AAP_HOOKS = Feature(Component.FORKLIFT, "hooks that start AAP jobs", "2.12", source=_CRDS, fields=("Hook.spec.aap",))
SCSI_RESERVATION = Feature(
    Component.FORKLIFT,
    "scsiReservation",
    "2.12.2",
    source=_CRDS,
    fields=("Plan.spec.scsiReservation", "Plan.spec.vms[].scsiReservation"),
)
VM_CUTOVER = Feature(
    Component.FORKLIFT,
    "a cutover time for each VM",
    MAIN,
    source="kubev2v/forklift #7973",
    fields=("Migration.spec.vmCutover",),
)
CSI_VOLUME_IMPORT = Feature(
    Component.FORKLIFT,
    "copy offload by csiVolumeImport",
    "2.12.2",
    source=_CRDS,
    fields=("StorageMap.spec.map[].offloadPlugin.csiVolumeImport",),
)
CSI_ONTAP = Feature(Component.FORKLIFT, "csiVolumeImport from ontap", MAIN, source=_CRDS)
MIGRATION_HOSTS = Feature(
    Component.FORKLIFT,
    "dedicatedMigrationHosts",
    MAIN,
    source=_CRDS,
    fields=("StorageMap.spec.map[].offloadPlugin.vsphereXcopyConfig.dedicatedMigrationHosts",),
)
OFFLOAD_WARM = Feature(
    Component.FORKLIFT,
    "warm migration by copy offload",
    "2.10",
    source="kubev2v/forklift pkg/controller/plan/adapter/vsphere/builder.go (xcopy-initial-offload), tags",
)
OFFLOAD_RDM = Feature(
    Component.FORKLIFT,
    "copy offload of raw device mappings",
    "2.12",
    source="kubev2v/forklift cmd/vsphere-copy-offload-populator/internal, tags",
)
OFFLOAD_SWITCHED_OFF = Feature(
    Component.FORKLIFT,
    "copy offload, which has to be switched on",
    until="2.11",
    source="kubev2v/forklift operator/roles/forkliftcontroller/defaults/main.yml (feature_copy_offload), tags",
)
XCOPY_PURE_POWERFLEX = Feature(
    Component.FORKLIFT, "copy offload of pureFlashArray and powerflex", "2.9.1", source=_CRDS
)
XCOPY_MORE_ARRAYS = Feature(
    Component.FORKLIFT, "copy offload of flashsystem, infinibox, powermax and powerstore", "2.10", source=_CRDS
)

# --- Forklift: behaviour of releases, besides fields ------------------------------------------
# Read at the tags v2.9.0 to v2.12.5 and main d42511bb; of 2.10 there are no tags before v2.10.4.

NVME_DISKS = Feature(
    Component.FORKLIFT,
    "disks on NVMe controllers",
    "2.10.4",
    source="kubev2v/forklift pkg/controller/plan/adapter/vsphere/builder.go sortedDisksAsVmware; pull request 2245",
)
DISKS_BY_CONTROLLER = Feature(
    Component.FORKLIFT,
    "disks numbered by controller and unit, no longer by device key",
    "2.11.5",
    source="kubev2v/forklift pkg/controller/provider/web/vsphere/vm.go sortedDisksByBusses; MTV-4872",
)
FINDS_BY_INSTANCE_UUID = Feature(
    Component.FORKLIFT,
    "source VMs found by instance UUID",
    "2.11.5",
    source="kubev2v/forklift pkg/controller/plan/adapter/vsphere/client.go getVM; MTV-5251",
)
COPIES_BY_INSTANCE_UUID = Feature(
    Component.FORKLIFT,
    "the instance UUID in the DataVolumes of a warm copy",
    MAIN,
    source="kubev2v/forklift pkg/controller/plan/adapter/vsphere/builder.go canUseInstanceUUID; MTV-5263",
)
NAMES_WITHOUT_ID = Feature(
    Component.FORKLIFT,
    "name templates for a VM that a Plan names without an id",
    "2.12",
    source="kubev2v/forklift pull request 4757 (MTV-3481)",
)
STANDARD_CA_KEY = Feature(
    Component.FORKLIFT,
    "the key ca.crt in a Provider's Secret, beside cacert",
    "2.12",
    source="kubev2v/forklift pull request 5549 (MTV-4647)",
)
WAITS_FOR_WINDOWS = Feature(
    Component.FORKLIFT,
    "a pod that waits until a converted Windows has rebooted",
    "2.12",
    source="kubev2v/forklift pkg/controller/plan/kubevirt.go EnsureWaitForRebootPod; MTV-5345",
)
REFUSES_TWO_NICS_ON_ONE_NAD = Feature(
    Component.FORKLIFT,
    "a Plan refused for two NICs of a VM on one NetworkAttachmentDefinition",
    "2.11.1",
    MAIN,
    source="kubev2v/forklift pkg/controller/plan/validation.go VMDuplicateNADMappings; pull requests 4862, 8087",
)
FINDS_BOOT_DISK = Feature(
    Component.FORKLIFT,
    "the boot disk that virt-v2v found",
    "2.12",
    source="kubev2v/forklift pkg/controller/plan/adapter/vsphere/builder.go mapDisks (DetectedBootDisk)",
)
NAD_POOL = Feature(
    Component.FORKLIFT,
    "several rows of a NetworkMap for one network, each NIC of a VM using another",
    "2.11.7",
    source="kubev2v/forklift pkg/controller/plan/adapter/base/network.go, NADPool (pull request 6252)",
)
TRANSFER_NAMESPACE = Feature(
    Component.FORKLIFT,
    "a Plan is refused whose transfer network is neither in its target namespace nor in default",
    "2.11.0",
    source="kubev2v/forklift pkg/controller/plan/validation.go, validateTransferNetwork",
)
NO_TRANSFER_ROUTE = Feature(
    Component.FORKLIFT,
    "a transfer network without a gateway (route: none)",
    "2.11.0",
    source="kubev2v/forklift pkg/controller/plan/kubevirt.go, AnnForkliftRouteValueNone",
)

# --- KubeVirt ---------------------------------------------------------------------------------

LINK_STATE = Feature(
    Component.KUBEVIRT,
    "link state of an interface",
    "1.5",
    source="kubevirt VEP 3; pkg/network/admitter/admit.go",
)
MIGRATE_ROLE = Feature(
    Component.KUBEVIRT,
    "ClusterRole kubevirt.io:migrate; before, kubevirt.io:edit may migrate",
    "1.5",
    source="kubevirt v1.4.0 and v1.5.0 pkg/virt-operator/resource/generate/rbac/cluster.go",
)
MANY_VCPUS = Feature(
    Component.KUBEVIRT,
    "more than 255 vCPUs",
    "1.5",
    source="kubevirt issue 13971; libvirt NEWS 10.10.0; kubevirt hack/rpm-deps.sh",
)
PERSISTENT_RESERVATION_GATED = Feature(
    Component.KUBEVIRT,
    "feature gate PersistentReservation, which has to be switched on",
    until="1.9",
    source="kubevirt pkg/virt-config/featuregate/inactive.go",
)
PERSISTENT_STATE_GATED = Feature(
    Component.KUBEVIRT,
    "feature gate VMPersistentState, which has to be switched on",
    until="1.6",
    source="kubevirt pkg/virt-config/featuregate/inactive.go",
)

NUMA_GATED = Feature(
    Component.KUBEVIRT,
    "feature gate NUMA, which has to be switched on",
    until="1.4",
    source="kubevirt v1.3.0 pkg/virt-config/feature-gates.go, v1.4.0 pkg/virt-config/deprecation/feature-gates.go",
)
SNAPSHOT_GATED = Feature(
    Component.KUBEVIRT,
    "feature gate Snapshot, which has to be switched on",
    until="1.9",
    source="kubevirt v1.8.4 pkg/virt-config/feature-gates.go isFeatureGateEnabled, v1.9.0 "
    "pkg/virt-config/featuregate/feature-gates.go IsEnabled: gates in Beta are on",
)
STATE_VOLUME_PINS = Feature(
    Component.KUBEVIRT,
    "VMs that cannot live-migrate because their EFI or vTPM state is on a ReadWriteOnce volume",
    until="1.4",
    source="kubevirt v1.3.0 pkg/virt-handler/vm.go checkVolumesForMigration; #11773",
)

# --- CDI --------------------------------------------------------------------------------------

HTTP_CHECKSUM = Feature(
    Component.CDI,
    "checksum of an image by HTTP",
    "1.65",
    source="CDI staging/src/kubevirt.io/containerized-data-importer-api/pkg/apis/core/v1beta1/types.go",
    fields=("DataVolume.spec.source.http.checksum",),
)
_CDI = "kubevirt/containerized-data-importer, read at tags v1.54.0 to v1.66.0:"
GARBAGE_COLLECTION = Feature(
    Component.CDI,
    "garbage collection of completed DataVolumes",
    until="1.62",
    source=f"{_CDI} pkg/controller/datavolume/garbagecollect.go; by default until 1.57 (issue 2754), later where "
    "dataVolumeTTLSeconds is set",
)
CLAIM_ADOPTION = Feature(
    Component.CDI,
    "adoption of a claim that is there before its DataVolume",
    "1.58.2",
    source=f"{_CDI} AnnAllowClaimAdoption in pkg/controller/common/util.go",
)
VDDK_INSTANCE_UUID = Feature(
    Component.CDI,
    "a vddk source that finds its VM by instance UUID, before the BIOS UUID",
    "1.66",
    source=f"{_CDI} FindVM in pkg/importer/vddk-datasource_amd64.go (issue 4127)",
)
VDDK_CERTIFICATE = Feature(
    Component.CDI,
    "a CA for the vCenter of a vddk source",
    "1.66",
    source=f"{_CDI} DataVolumeSourceVDDK in staging/.../v1beta1/types.go",
    fields=("DataVolume.spec.source.vddk.certConfigMap",),
)


def features() -> tuple[Feature, ...]:
    """Return every feature of this table, in its order."""
    return tuple(value for value in globals().values() if isinstance(value, Feature))


def withheld(versions: Versions) -> frozenset[str]:
    """Return the fields that some release which the spec's versions may stand for lacks: none of them is emitted.

    Server-side apply refuses a whole object for one field that its CRD does not have.
    """
    return frozenset(field for each in features() if not certain(versions, each) for field in each.fields)
