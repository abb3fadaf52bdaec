"""Every kind that vmferry emits or refers to: its API names, the applier's verbs, and whether it holds data.

Everything that depends on an object's kind is derived from this table: the applier's permissions, the annotations that
protect it from deletion and their check, what is counted before a tree is written, and the meaning of references. A
backend that emits a kind outside of EMITTED fails immediately.
"""

from typing import NamedTuple

from vmferry.model.manifest import KubeObject, api_group

APPLY = ("get", "list", "watch", "create", "patch")
PRUNE = (*APPLY, "delete")

Verbs = tuple[str, ...]


class Kind(NamedTuple):
    """A kind of object.

    ``verbs`` are what the applier needs to sync such objects; none if an administrator applies them. ``keeps``: it
    holds data or a running migration, or something that does would be lost with it, so neither engine may ever delete
    it. ``counted``: `output.complete` counts it.
    """

    group: str  # empty: the core group
    version: str
    name: str
    plural: str
    verbs: Verbs = PRUNE
    namespaced: bool = True
    keeps: bool = False
    counted: bool = False

    @property
    def api_version(self) -> str:
        """The `apiVersion` that is written."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def key(self) -> tuple[str, str]:
        """API group and name, which identify a kind."""
        return self.group, self.name


class Right(NamedTuple):
    """Permissions on a kind: those needed to apply it (`Kind.verbs`), or other verbs."""

    kind: Kind
    verbs: Verbs | None = None
    names: tuple[str, ...] = ()  # empty: any


_ARGOCD = "argoproj.io"
_CDI = "cdi.kubevirt.io"
_FLUX = "kustomize.toolkit.fluxcd.io"
_FLUX_SOURCE = "source.toolkit.fluxcd.io"
_FORKLIFT = "forklift.konveyor.io"
_GATEWAY = "gateway.networking.k8s.io"
_MONITORING = "monitoring.coreos.com"
_NOTIFICATION = "notification.toolkit.fluxcd.io"
_RBAC = "rbac.authorization.k8s.io"

# --- Kubernetes ------------------------------------------------------------------------------

NAMESPACE = Kind("", "v1", "Namespace", "namespaces", APPLY, namespaced=False, keeps=True)
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps")
SECRET = Kind("", "v1", "Secret", "secrets", APPLY)
SERVICE = Kind("", "v1", "Service", "services")
SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts")
CLAIM = Kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", APPLY, keeps=True, counted=True)
QUOTA = Kind("", "v1", "ResourceQuota", "resourcequotas")
LIMIT_RANGE = Kind("", "v1", "LimitRange", "limitranges")
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments", counted=True)
STATEFUL_SET = Kind("apps", "v1", "StatefulSet", "statefulsets", counted=True)
JOB = Kind("batch", "v1", "Job", "jobs", keeps=True, counted=True)
ENDPOINT_SLICE = Kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices")
NETWORK_POLICY = Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies")
DISRUPTION_BUDGET = Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
ROLE = Kind(_RBAC, "v1", "Role", "roles")
ROLE_BINDING = Kind(_RBAC, "v1", "RoleBinding", "rolebindings")
CLUSTER_ROLE = Kind(_RBAC, "v1", "ClusterRole", "clusterroles", (), namespaced=False)
CLUSTER_ROLE_BINDING = Kind(_RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", (), namespaced=False)
PRIORITY_CLASS = Kind("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", namespaced=False, keeps=True)

# --- KubeVirt and CDI ------------------------------------------------------------------------

VIRTUAL_MACHINE = Kind("kubevirt.io", "v1", "VirtualMachine", "virtualmachines", APPLY, keeps=True, counted=True)
SNAPSHOT = Kind(
    "snapshot.kubevirt.io", "v1beta1", "VirtualMachineSnapshot", "virtualmachinesnapshots", APPLY, keeps=True
)
DATA_VOLUME = Kind(_CDI, "v1beta1", "DataVolume", "datavolumes", APPLY, keeps=True, counted=True)
DATA_SOURCE = Kind(_CDI, "v1beta1", "DataSource", "datasources", counted=True)

# --- Forklift: deleting a Provider or a map cancels the migrations that use it ----------------

PROVIDER = Kind(_FORKLIFT, "v1beta1", "Provider", "providers", APPLY, keeps=True)
HOST = Kind(_FORKLIFT, "v1beta1", "Host", "hosts")
HOOK = Kind(_FORKLIFT, "v1beta1", "Hook", "hooks")
NETWORK_MAP = Kind(_FORKLIFT, "v1beta1", "NetworkMap", "networkmaps", APPLY, keeps=True, counted=True)
STORAGE_MAP = Kind(_FORKLIFT, "v1beta1", "StorageMap", "storagemaps", APPLY, keeps=True, counted=True)
PLAN = Kind(_FORKLIFT, "v1beta1", "Plan", "plans", APPLY, keeps=True, counted=True)
MIGRATION = Kind(_FORKLIFT, "v1beta1", "Migration", "migrations", APPLY, keeps=True)

# --- networks and credentials ----------------------------------------------------------------

NAD = Kind(
    "k8s.cni.cncf.io",
    "v1",
    "NetworkAttachmentDefinition",
    "network-attachment-definitions",
    APPLY,
    keeps=True,  # without it, VMs on the network cannot be restarted or migrated
)
NODE_NETWORK = Kind(
    "nmstate.io", "v1", "NodeNetworkConfigurationPolicy", "nodenetworkconfigurationpolicies", namespaced=False
)
EXTERNAL_SECRET = Kind("external-secrets.io", "v1", "ExternalSecret", "externalsecrets")
SEALED_SECRET = Kind("bitnami.com", "v1alpha1", "SealedSecret", "sealedsecrets")

DNS_ENDPOINT = Kind(
    "externaldns.k8s.io",
    "v1alpha1",
    "DNSEndpoint",
    "dnsendpoints",
    APPLY,
    keeps=True,  # ExternalDNS deletes the records of one that is gone
    counted=True,
)

# --- Gateway API: without a route, clients get no answer --------------------------------------

HTTP_ROUTE = Kind(_GATEWAY, "v1", "HTTPRoute", "httproutes", APPLY, keeps=True, counted=True)
# In the experimental channel; later releases also serve it as v1.
TCP_ROUTE = Kind(_GATEWAY, "v1alpha2", "TCPRoute", "tcproutes", APPLY, keeps=True, counted=True)

# --- GitOps engines --------------------------------------------------------------------------

KUSTOMIZATION = Kind(_FLUX, "v1", "Kustomization", "kustomizations")
GIT_REPOSITORY = Kind(_FLUX_SOURCE, "v1", "GitRepository", "gitrepositories", keeps=True)
APPLICATION = Kind(_ARGOCD, "v1alpha1", "Application", "applications")
APP_PROJECT = Kind(_ARGOCD, "v1alpha1", "AppProject", "appprojects", keeps=True)

# --- monitoring ------------------------------------------------------------------------------

PROMETHEUS_RULE = Kind(_MONITORING, "v1", "PrometheusRule", "prometheusrules")
ALERT = Kind(_NOTIFICATION, "v1beta3", "Alert", "alerts")

EMITTED = (
    *(NAMESPACE, CONFIG_MAP, SECRET, SERVICE, SERVICE_ACCOUNT, CLAIM, QUOTA, LIMIT_RANGE, DEPLOYMENT, STATEFUL_SET),
    *(JOB, NETWORK_POLICY, DISRUPTION_BUDGET, ROLE, ROLE_BINDING, CLUSTER_ROLE, CLUSTER_ROLE_BINDING, PRIORITY_CLASS),
    *(VIRTUAL_MACHINE, SNAPSHOT, DATA_VOLUME, DATA_SOURCE, PROVIDER, HOST, HOOK, NETWORK_MAP, STORAGE_MAP, PLAN),
    *(MIGRATION, NAD, NODE_NETWORK, EXTERNAL_SECRET, SEALED_SECRET, KUSTOMIZATION, GIT_REPOSITORY, APPLICATION),
    *(APP_PROJECT, PROMETHEUS_RULE, ALERT, DNS_ENDPOINT, ENDPOINT_SLICE, HTTP_ROUTE, TCP_ROUTE),
)

# --- created by others, or written into local/ by users --------------------------------------

POD = Kind("", "v1", "Pod", "pods", ())
DAEMON_SET = Kind("apps", "v1", "DaemonSet", "daemonsets", ())
CRON_JOB = Kind("batch", "v1", "CronJob", "cronjobs", ())
VOLUME_SNAPSHOT = Kind("snapshot.storage.k8s.io", "v1", "VolumeSnapshot", "volumesnapshots", ())
SECURITY_CONSTRAINT = Kind(
    "security.openshift.io", "v1", "SecurityContextConstraints", "securitycontextconstraints", (), namespaced=False
)
OCI_REPOSITORY = Kind(_FLUX_SOURCE, "v1", "OCIRepository", "ocirepositories", ())
BUCKET = Kind(_FLUX_SOURCE, "v1", "Bucket", "buckets", ())

REFERRED = (POD, DAEMON_SET, CRON_JOB, VOLUME_SNAPSHOT, SECURITY_CONSTRAINT, OCI_REPOSITORY, BUCKET)

CONTROLLER_GROUPS = (_FORKLIFT, _FLUX, _FLUX_SOURCE, _NOTIFICATION, _ARGOCD, _MONITORING)
"""Groups whose objects are in namespaces of the controller's owner."""

_BY_KEY = {kind.key: kind for kind in EMITTED}


class UnlistedKindError(RuntimeError):
    """A backend emits a kind that is not listed: a bug in vmferry, not in the spec."""


def emitted(obj: KubeObject) -> Kind:
    """Return the kind of an object that a backend emits.

    Raises UnlistedKindError if it is not listed here, or if it has a namespace and its kind has none, or vice versa.
    """
    key = api_group(obj), obj["kind"]
    kind, called = _BY_KEY.get(key), "/".join(filter(None, key))
    if kind is None:
        raise UnlistedKindError(f"{called} is emitted and not in vmferry.kube.kinds.EMITTED")
    if kind.namespaced != ("namespace" in obj["metadata"]):
        scope = "in a namespace" if kind.namespaced else "of the cluster"
        raise UnlistedKindError(f"{called} {obj['metadata']['name']}: vmferry.kube.kinds says that it is {scope}")
    return kind
