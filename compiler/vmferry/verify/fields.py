"""Which fields of which kinds refer to which kinds: the table that references are found with."""

from typing import NamedTuple

_FORKLIFT = "forklift.konveyor.io"
_FLUX = "kustomize.toolkit.fluxcd.io"
_FLUX_SOURCE = "source.toolkit.fluxcd.io"
_ARGO = "argoproj.io"
_RBAC = "rbac.authorization.k8s.io"

Kind = tuple[str, str]  # API group and kind

VM: Kind = ("kubevirt.io", "VirtualMachine")
DATA_VOLUME: Kind = ("cdi.kubevirt.io", "DataVolume")
_DATA_SOURCE: Kind = ("cdi.kubevirt.io", "DataSource")
PVC: Kind = ("", "PersistentVolumeClaim")
_SNAPSHOT: Kind = ("snapshot.storage.k8s.io", "VolumeSnapshot")
NAD: Kind = ("k8s.cni.cncf.io", "NetworkAttachmentDefinition")
SECRET: Kind = ("", "Secret")
_CONFIG_MAP: Kind = ("", "ConfigMap")
_SERVICE_ACCOUNT: Kind = ("", "ServiceAccount")
SERVICE: Kind = ("", "Service")
NAMESPACE: Kind = ("", "Namespace")
_PRIORITY_CLASS: Kind = ("scheduling.k8s.io", "PriorityClass")
PLAN: Kind = (_FORKLIFT, "Plan")
_PROVIDER: Kind = (_FORKLIFT, "Provider")

_CLAIM = (PVC, DATA_VOLUME)  # a DataVolume makes a claim of its own name
CLUSTER_SCOPED = (NAMESPACE, _PRIORITY_CLASS, (_RBAC, "ClusterRole"))
# Their namespaces belong to whoever installed the controller.
CONTROLLERS = (_FORKLIFT, _FLUX, _FLUX_SOURCE, "notification.toolkit.fluxcd.io", _ARGO)
# What every cluster has.
ALWAYS = {
    ("", "ServiceAccount", "default"),
    (_ARGO, "AppProject", "default"),
    (*_PRIORITY_CLASS, "system-cluster-critical"),
    (*_PRIORITY_CLASS, "system-node-critical"),
}


TEXT = ""


class Rule(NamedTuple):
    """A field that refers: where it is, what it may point at, and whether that may come from elsewhere.

    The value is a mapping with the name under ``field``, and perhaps a namespace; ``when`` is a condition on it.
    Where ``field`` is TEXT, it is a string instead: a name, or ``namespace/name``.
    """

    at: str
    to: tuple[Kind, ...]
    field: str = "name"
    external: bool = False
    when: tuple[str, str] | None = None


def _secret(at: str, field: str = "name") -> Rule:
    return Rule(at, (SECRET,), field, external=True)


def _pod(spec: str) -> tuple[Rule, ...]:
    """Return what a pod's spec refers to; a container's environment may come from ConfigMaps of its team."""
    containers = [f"{spec}.{each}[]" for each in ("containers", "initContainers")]
    return (
        Rule(f"{spec}.serviceAccountName", (_SERVICE_ACCOUNT,), TEXT),
        Rule(f"{spec}.priorityClassName", (_PRIORITY_CLASS,), TEXT, external=True),
        Rule(f"{spec}.volumes[].configMap", (_CONFIG_MAP,)),
        Rule(f"{spec}.volumes[].persistentVolumeClaim", _CLAIM, "claimName"),
        _secret(f"{spec}.volumes[].secret", "secretName"),
        Rule(f"{spec}.volumes[].projected.sources[].configMap", (_CONFIG_MAP,)),
        _secret(f"{spec}.volumes[].projected.sources[].secret"),
        _secret(f"{spec}.imagePullSecrets[]"),
        *(Rule(f"{each}.env[].valueFrom.configMapKeyRef", (_CONFIG_MAP,), external=True) for each in containers),
        *(Rule(f"{each}.envFrom[].configMapRef", (_CONFIG_MAP,), external=True) for each in containers),
        *(_secret(f"{each}.env[].valueFrom.secretKeyRef") for each in containers),
        *(_secret(f"{each}.envFrom[].secretRef") for each in containers),
    )


def _import(spec: str) -> tuple[Rule, ...]:
    """Return what the spec of a DataVolume refers to."""
    remote = ("vddk", "http", "registry", "s3", "gcs", "imageio")
    return (
        Rule(f"{spec}.sourceRef", (_DATA_SOURCE,)),
        Rule(f"{spec}.source.pvc", _CLAIM),
        Rule(f"{spec}.source.snapshot", (_SNAPSHOT,), external=True),
        *(_secret(f"{spec}.source.{each}.secretRef", TEXT) for each in remote),
        *(
            Rule(f"{spec}.source.{each}.certConfigMap", (_CONFIG_MAP,), TEXT, external=True)
            for each in ("http", "registry", "s3", "imageio")
        ),
    )


def _providers() -> tuple[Rule, ...]:
    return (Rule("spec.provider.source", (_PROVIDER,)), Rule("spec.provider.destination", (_PROVIDER,)))


VMI = "spec.template.spec"
_CLOUD_INIT = [f"{VMI}.volumes[].{each}" for each in ("cloudInitNoCloud", "cloudInitConfigDrive")]

RULES: dict[Kind, tuple[Rule, ...]] = {
    VM: (
        Rule(f"{VMI}.volumes[].persistentVolumeClaim", _CLAIM, "claimName"),
        Rule(f"{VMI}.volumes[].ephemeral.persistentVolumeClaim", _CLAIM, "claimName"),
        Rule(f"{VMI}.volumes[].dataVolume", _CLAIM),
        Rule(f"{VMI}.volumes[].configMap", (_CONFIG_MAP,)),
        Rule(f"{VMI}.volumes[].sysprep.configMap", (_CONFIG_MAP,)),
        Rule(f"{VMI}.volumes[].serviceAccount", (_SERVICE_ACCOUNT,), "serviceAccountName"),
        Rule(f"{VMI}.networks[].multus.networkName", (NAD,), TEXT),
        Rule(f"{VMI}.priorityClassName", (_PRIORITY_CLASS,), TEXT, external=True),
        _secret(f"{VMI}.volumes[].secret", "secretName"),
        _secret(f"{VMI}.volumes[].sysprep.secret"),
        *(_secret(f"{each}.secretRef") for each in _CLOUD_INIT),
        *(_secret(f"{each}.networkDataSecretRef") for each in _CLOUD_INIT),
        _secret(f"{VMI}.accessCredentials[].sshPublicKey.source.secret", "secretName"),
        *_import("spec.dataVolumeTemplates[].spec"),
    ),
    DATA_VOLUME: _import("spec"),
    _DATA_SOURCE: (
        Rule("spec.source.pvc", _CLAIM),
        Rule("spec.source.snapshot", (_SNAPSHOT,), external=True),
        Rule("spec.source.dataSource", (_DATA_SOURCE,)),
    ),
    _PROVIDER: (_secret("spec.secret"),),
    (_FORKLIFT, "Host"): (Rule("spec.provider", (_PROVIDER,)), _secret("spec.secret")),
    (_FORKLIFT, "Hook"): (
        Rule("spec.serviceAccount", (_SERVICE_ACCOUNT,), TEXT, external=True),
        _secret("spec.aap.tokenSecret"),
    ),
    (_FORKLIFT, "NetworkMap"): (
        *_providers(),
        Rule("spec.map[].destination", (NAD,), when=("type", "multus")),
    ),
    (_FORKLIFT, "StorageMap"): (
        *_providers(),
        _secret("spec.map[].offloadPlugin.vsphereXcopyConfig.secretRef", TEXT),
        _secret("spec.map[].offloadPlugin.csiVolumeImport.secretRef", TEXT),
    ),
    PLAN: (
        *_providers(),
        Rule("spec.map.network", ((_FORKLIFT, "NetworkMap"),)),
        Rule("spec.map.storage", ((_FORKLIFT, "StorageMap"),)),
        Rule("spec.transferNetwork", (NAD,)),
        Rule("spec.vms[].hooks[].hook", ((_FORKLIFT, "Hook"),)),
        _secret("spec.vms[].luks"),
        Rule("spec.customizationScripts", (_CONFIG_MAP,), external=True),
        Rule("spec.targetNamespace", (NAMESPACE,), TEXT),
    ),
    (_FORKLIFT, "Migration"): (Rule("spec.plan", (PLAN,)),),
    ("", "Pod"): _pod("spec"),
    ("apps", "Deployment"): _pod("spec.template.spec"),
    ("apps", "DaemonSet"): _pod("spec.template.spec"),
    ("apps", "StatefulSet"): (*_pod("spec.template.spec"), Rule("spec.serviceName", (SERVICE,), TEXT)),
    ("batch", "Job"): _pod("spec.template.spec"),
    ("batch", "CronJob"): _pod("spec.jobTemplate.spec.template.spec"),
    (_RBAC, "RoleBinding"): (
        Rule("roleRef", ((_RBAC, "Role"),), when=("kind", "Role")),
        Rule("roleRef", ((_RBAC, "ClusterRole"),), external=True, when=("kind", "ClusterRole")),
        Rule("subjects[]", (_SERVICE_ACCOUNT,), external=True, when=("kind", "ServiceAccount")),
    ),
    (_RBAC, "ClusterRoleBinding"): (
        Rule("roleRef", ((_RBAC, "ClusterRole"),), external=True),
        Rule("subjects[]", (_SERVICE_ACCOUNT,), external=True, when=("kind", "ServiceAccount")),
    ),
    (_FLUX, "Kustomization"): (
        *(
            Rule("spec.sourceRef", ((_FLUX_SOURCE, kind),), when=("kind", kind))
            for kind in ("GitRepository", "OCIRepository", "Bucket")
        ),
        Rule("spec.dependsOn[]", ((_FLUX, "Kustomization"),)),
        Rule("spec.serviceAccountName", (_SERVICE_ACCOUNT,), TEXT, external=True),
        _secret("spec.decryption.secretRef"),
        _secret("spec.kubeConfig.secretRef"),
    ),
    (_FLUX_SOURCE, "GitRepository"): (_secret("spec.secretRef"),),
    (_ARGO, "Application"): (Rule("spec.project", ((_ARGO, "AppProject"),), TEXT),),
}

# Where the labels of pods are, and the annotation that asks Multus for networks.
TEMPLATES: dict[Kind, str] = {
    VM: "spec.template",
    ("", "Pod"): "",
    ("apps", "Deployment"): "spec.template",
    ("apps", "DaemonSet"): "spec.template",
    ("apps", "StatefulSet"): "spec.template",
    ("batch", "Job"): "spec.template",
    ("batch", "CronJob"): "spec.jobTemplate.spec.template",
    DATA_VOLUME: "",  # its annotations go to the importer's pod
}
NETWORKS = "k8s.v1.cni.cncf.io/networks"
