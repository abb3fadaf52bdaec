"""Jobs that try something from the cluster, in pods without rights: checks of VMs, and the pre-flight."""

from typing import Any

from vmferry.model.manifest import KubeObject

FAILED = 45
"""Exit code of the script after a check failed: no retry of the pod changes that."""
AS_WRITTEN = {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}


def job(container: str, pods: int, metadata: dict[str, Any], pod: KubeObject) -> KubeObject:
    """Return the spec of a Job that runs ``pods`` pods at once, where ``container`` does the trying.

    The Job has no TTL: GitOps would create it again after it was removed.
    """
    return {
        "backoffLimit": 2,
        "completionMode": "NonIndexed",
        "completions": pods,
        "parallelism": pods,
        "podFailurePolicy": {
            "rules": [
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                {
                    "action": "FailJob",
                    "onExitCodes": {"containerName": container, "operator": "In", "values": [FAILED]},
                },
            ]
        },
        "podReplacementPolicy": "Failed",
        "suspend": False,
        "template": {"metadata": metadata, "spec": pod},
    }


def pod(
    containers: list[KubeObject],
    volumes: list[KubeObject],
    user: int | None,
    node_selector: dict[str, str] | None = None,
) -> KubeObject:
    """Return a pod that Pod Security `restricted` admits, and OpenShift, which chooses the ``user`` itself (None)."""
    placed = {} if node_selector is None else {"nodeSelector": node_selector}
    as_user = {} if user is None else {"runAsUser": user}
    return {
        "automountServiceAccountToken": False,
        "containers": containers,
        "dnsPolicy": "ClusterFirst",
        "enableServiceLinks": False,
        **placed,
        "restartPolicy": "Never",
        "schedulerName": "default-scheduler",
        "securityContext": {"runAsNonRoot": True, **as_user, "seccompProfile": {"type": "RuntimeDefault"}},
        "terminationGracePeriodSeconds": 5,
        "volumes": volumes,
    }


LAST = {
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    },
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
"""Fields of every container, before its volumes."""
