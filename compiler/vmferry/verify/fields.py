"""The table of references: which fields of which kinds refer to which kinds."""

from typing import NamedTuple

from vmferry.kube import kinds

KindKey = tuple[str, str]  # API group and kind

VM = kinds.VIRTUAL_MACHINE.key
DATA_VOLUME = kinds.DATA_VOLUME.key
PVC = kinds.CLAIM.key
NAD = kinds.NAD.key
SECRET = kinds.SECRET.key
SERVICE = kinds.SERVICE.key
NAMESPACE = kinds.NAMESPACE.key
PLAN = kinds.PLAN.key
_DATA_SOURCE = kinds.DATA_SOURCE.key
_SNAPSHOT = kinds.VOLUME_SNAPSHOT.key
_CONFIG_MAP = kinds.CONFIG_MAP.key
_SERVICE_ACCOUNT = kinds.SERVICE_ACCOUNT.key
_PRIORITY_CLASS = kinds.PRIORITY_CLASS.key
_PROVIDER = kinds.PROVIDER.key
_APP_PROJECT = kinds.APP_PROJECT.key

_CLAIM = (PVC, DATA_VOLUME)  # a DataVolume creates a claim with its own name
CLUSTER_SCOPED = frozenset(kind.key for kind in (*kinds.EMITTED, *kinds.REFERRED) if not kind.namespaced)
# Objects that every cluster has.
ALWAYS = {
    (*_SERVICE_ACCOUNT, "default"),
    (*_APP_PROJECT, "default"),
    (*_PRIORITY_CLASS, "system-cluster-critical"),
    (*_PRIORITY_CLASS, "system-node-critical"),
}


TEXT = ""


class Rule(NamedTuple):
    """A reference field: its place, its possible targets, and whether these may be external.

    The value is a mapping with the name under ``field``, and optionally a namespace; ``when`` is a condition on it. If
    ``field`` is TEXT, it is a string instead: a name, or ``namespace/name``.
    """

    at: str
    to: tuple[KindKey, ...]
    field: str = "name"
    external: bool = False
    when: tuple[str, str] | None = None


def _secret(at: str, field: str = "name") -> Rule:
    return Rule(at, (SECRET,), field, external=True)


def _pod(spec: str) -> tuple[Rule, ...]:
    """Return the references of a pod's spec; a container's environment may come from its team's ConfigMaps."""
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
    """Return the references of a DataVolume's spec."""
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

RULES: dict[KindKey, tuple[Rule, ...]] = {
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
    kinds.SNAPSHOT.key: (Rule("spec.source", (VM,)),),
    DATA_VOLUME: _import("spec"),
    _DATA_SOURCE: (
        Rule("spec.source.pvc", _CLAIM),
        Rule("spec.source.snapshot", (_SNAPSHOT,), external=True),
        Rule("spec.source.dataSource", (_DATA_SOURCE,)),
    ),
    _PROVIDER: (_secret("spec.secret"),),
    kinds.HOST.key: (Rule("spec.provider", (_PROVIDER,)), _secret("spec.secret")),
    kinds.HOOK.key: (
        Rule("spec.serviceAccount", (_SERVICE_ACCOUNT,), TEXT, external=True),
        _secret("spec.aap.tokenSecret"),
    ),
    kinds.NETWORK_MAP.key: (
        *_providers(),
        Rule("spec.map[].destination", (NAD,), when=("type", "multus")),
    ),
    kinds.STORAGE_MAP.key: (
        *_providers(),
        _secret("spec.map[].offloadPlugin.vsphereXcopyConfig.secretRef", TEXT),
        _secret("spec.map[].offloadPlugin.csiVolumeImport.secretRef", TEXT),
    ),
    PLAN: (
        *_providers(),
        Rule("spec.map.network", (kinds.NETWORK_MAP.key,)),
        Rule("spec.map.storage", (kinds.STORAGE_MAP.key,)),
        Rule("spec.transferNetwork", (NAD,)),
        Rule("spec.vms[].hooks[].hook", (kinds.HOOK.key,)),
        _secret("spec.vms[].luks"),
        Rule("spec.customizationScripts", (_CONFIG_MAP,), external=True),
        Rule("spec.targetNamespace", (NAMESPACE,), TEXT),
    ),
    kinds.MIGRATION.key: (Rule("spec.plan", (PLAN,)),),
    kinds.POD.key: _pod("spec"),
    kinds.DEPLOYMENT.key: _pod("spec.template.spec"),
    kinds.DAEMON_SET.key: _pod("spec.template.spec"),
    kinds.STATEFUL_SET.key: (*_pod("spec.template.spec"), Rule("spec.serviceName", (SERVICE,), TEXT)),
    kinds.JOB.key: _pod("spec.template.spec"),
    kinds.CRON_JOB.key: _pod("spec.jobTemplate.spec.template.spec"),
    kinds.ROLE_BINDING.key: (
        Rule("roleRef", (kinds.ROLE.key,), when=("kind", "Role")),
        Rule("roleRef", (kinds.CLUSTER_ROLE.key,), external=True, when=("kind", "ClusterRole")),
        Rule("subjects[]", (_SERVICE_ACCOUNT,), external=True, when=("kind", "ServiceAccount")),
    ),
    kinds.CLUSTER_ROLE_BINDING.key: (
        Rule("roleRef", (kinds.CLUSTER_ROLE.key,), external=True),
        Rule("subjects[]", (_SERVICE_ACCOUNT,), external=True, when=("kind", "ServiceAccount")),
    ),
    kinds.KUSTOMIZATION.key: (
        *(
            Rule("spec.sourceRef", (kind.key,), when=("kind", kind.name))
            for kind in (kinds.GIT_REPOSITORY, kinds.OCI_REPOSITORY, kinds.BUCKET)
        ),
        Rule("spec.dependsOn[]", (kinds.KUSTOMIZATION.key,)),
        Rule("spec.serviceAccountName", (_SERVICE_ACCOUNT,), TEXT, external=True),
        _secret("spec.decryption.secretRef"),
        _secret("spec.kubeConfig.secretRef"),
    ),
    kinds.GIT_REPOSITORY.key: (_secret("spec.secretRef"),),
    **{
        kind.key: (Rule("spec.rules[].backendRefs[]", (SERVICE,), when=("kind", "Service")),)
        for kind in (kinds.HTTP_ROUTE, kinds.TCP_ROUTE)
    },
    kinds.APPLICATION.key: (Rule("spec.project", (_APP_PROJECT,), TEXT),),
}

# Places of pod labels, and Multus' annotation for networks.
TEMPLATES: dict[KindKey, str] = {
    VM: "spec.template",
    kinds.POD.key: "",
    kinds.DEPLOYMENT.key: "spec.template",
    kinds.DAEMON_SET.key: "spec.template",
    kinds.STATEFUL_SET.key: "spec.template",
    kinds.JOB.key: "spec.template",
    kinds.CRON_JOB.key: "spec.jobTemplate.spec.template",
    DATA_VOLUME: "",  # its annotations go to the importer's pod
}
