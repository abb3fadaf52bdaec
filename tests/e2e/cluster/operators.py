"""Plays the operators of a cluster by writing statuses: Forklift, CDI, KubeVirt, and Kubernetes' own controllers.

Nothing is copied and nothing runs. What a GitOps engine waits for gets healthy, in the order that real operators would.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.e2e.cluster.crds import Object
from tests.e2e.cluster.server import Cluster

_PAUSE = 0.5  # seconds between two looks at the cluster
_THEN = "2026-01-01T00:00:00Z"  # one time for all, so that a status that is written twice is the same


@contextmanager
def playing(cluster: Cluster) -> Iterator[None]:
    """Play until the block ends; what goes wrong in the background is raised at its end."""
    done = threading.Event()
    failures: list[BaseException] = []

    def play() -> None:
        try:
            while not done.wait(_PAUSE):
                look(cluster)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=play, name="operators")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    if failures:
        raise failures[0]


def look(cluster: Cluster) -> int:
    """Write the next status of every object that has one to come; return how many there were."""
    listed = cluster.kubectl("get", ",".join(STATUSES), "--all-namespaces", "--output=json")
    written = 0
    for obj in json.loads(listed.stdout)["items"]:
        status = STATUSES[_resource(obj)](obj)
        if _differs(status, obj.get("status", {})):
            written += _write(cluster, obj, status)
    return written


def _resource(obj: Object) -> str:
    kind, group = obj["kind"].lower(), obj["apiVersion"].rpartition("/")[0]
    return f"{kind}.{group}" if group else str(kind)


def _differs(status: Object, before: Object) -> bool:
    return any(before.get(key) != value for key, value in status.items())


def _write(cluster: Cluster, obj: Object, status: Object) -> bool:
    meta = obj["metadata"]
    where = ("--namespace", meta["namespace"]) if "namespace" in meta else ()
    what = ("--subresource=status", "--type=merge", "--patch", json.dumps({"status": status}))
    done = cluster.kubectl("patch", _resource(obj), meta["name"], *where, *what, check=False)
    # Pruned in the meantime: then there is nobody to write to.
    assert done.returncode == 0 or "NotFound" in done.stderr, done.stderr
    return done.returncode == 0


def _condition(name: str, **more: str) -> Object:
    return {"type": name, "status": "True", "lastTransitionTime": _THEN, **more}


def _ready(_obj: Object) -> Object:
    """Forklift and others say so with conditions."""
    return {"conditions": [_condition("Ready", category="Required", message="It is ready.")]}


def _says_ready(_obj: Object) -> Object:
    return {"conditions": [_condition("Ready", reason="Played", message="")]}


def _data_volume(obj: Object) -> Object:
    """CDI: a volume that is filled is worked on first; an empty one waits for whoever mounts it."""
    source = obj["spec"].get("source", {})
    if "blank" in source:
        return {"phase": "WaitForFirstConsumer"}
    before = obj.get("status", {}).get("phase")
    return {"phase": "Succeeded" if before in ("ImportInProgress", "Succeeded") else "ImportInProgress"}


def _claim(obj: Object) -> Object:
    return {"phase": "Bound", "capacity": obj["spec"]["resources"]["requests"]}


def _machine(obj: Object) -> Object:
    """KubeVirt."""
    runs = obj["spec"].get("runStrategy") == "Always"
    ready = "True" if runs else "False"
    return {
        "created": runs,
        "ready": runs,
        "printableStatus": "Running" if runs else "Stopped",
        "observedGeneration": obj["metadata"]["generation"],
        "conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": _THEN}],
    }


def _job(obj: Object) -> Object:
    """A Job starts, and is complete when it is looked at next."""
    if obj["spec"].get("suspend"):
        return {"conditions": [_condition("Suspended", reason="JobSuspended", message="", lastProbeTime=_THEN)]}
    if "startTime" not in obj.get("status", {}):
        return {"startTime": _THEN, "active": 1, "ready": 0, "terminating": 0, "uncountedTerminatedPods": {}}
    named = ("SuccessCriteriaMet", "Complete")
    conditions = [_condition(name, reason="CompletionsReached", message="", lastProbeTime=_THEN) for name in named]
    return {"conditions": conditions, "completionTime": _THEN, "active": None, "ready": 0, "succeeded": 1}


def _workload(obj: Object) -> Object:
    """A Deployment or StatefulSet."""
    count = obj["spec"].get("replicas", 1)
    names = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    return {"observedGeneration": obj["metadata"]["generation"]} | dict.fromkeys(names, count or None)


def _budget(obj: Object) -> Object:
    counts = dict.fromkeys(("currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"), 0)
    return {"observedGeneration": obj["metadata"]["generation"], **counts}


def _quota(obj: Object) -> Object:
    """Nothing is used; until that is said the server refuses whatever a quota counts."""
    return {"hard": obj["spec"]["hard"], "used": dict.fromkeys(obj["spec"]["hard"], "0")}


STATUSES: dict[str, Callable[[Object], Object]] = {
    "resourcequota": _quota,  # first: others are refused without it
    "persistentvolumeclaim": _claim,
    "deployment.apps": _workload,
    "statefulset.apps": _workload,
    "job.batch": _job,
    "poddisruptionbudget.policy": _budget,
    "datavolume.cdi.kubevirt.io": _data_volume,
    "datasource.cdi.kubevirt.io": _says_ready,
    "virtualmachine.kubevirt.io": _machine,
    "provider.forklift.konveyor.io": _ready,
    "host.forklift.konveyor.io": _ready,
    "hook.forklift.konveyor.io": _ready,
    "networkmap.forklift.konveyor.io": _ready,
    "storagemap.forklift.konveyor.io": _ready,
    "plan.forklift.konveyor.io": _ready,
    "externalsecret.external-secrets.io": _says_ready,
    "sealedsecret.bitnami.com": lambda _: {"conditions": [_condition("Synced")], "observedGeneration": 1},
    "nodenetworkconfigurationpolicy.nmstate.io": lambda _: {"conditions": [_condition("Available", reason="Played")]},
}
"""What each operator writes, by resource, as kubectl names it."""
