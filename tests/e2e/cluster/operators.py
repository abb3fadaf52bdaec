"""Plays the operators of a cluster by writing statuses: Forklift, CDI, KubeVirt, and Kubernetes' own controllers.

Nothing is copied and nothing runs. What a GitOps engine waits for gets healthy, in the order that real operators would.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache

import yaml
from tests.e2e.cluster.api import Api
from tests.e2e.cluster.crds import Object
from tests.e2e.cluster.server import Cluster
from tests.e2e.cluster.walk import EXAMPLES

from vmferry.backends.trials import FAILED
from vmferry.kube.kinds import EMITTED, Kind

_PAUSE = 0.5  # seconds between two looks at the cluster
_WAITS = {"phase": "WaitForFirstConsumer"}
FAILS = "doomed"  # in the name of a Plan
_THEN = "2026-01-01T00:00:00Z"  # one time for all, so that a status that is written twice is the same


Outcomes = dict[str, str]
"""What pods of Jobs write when they fail, by a part of the Job's name. All other Jobs complete."""


@contextmanager
def playing(cluster: Cluster, outcomes: Outcomes | None = None) -> Iterator[None]:
    """Play until the block ends; what goes wrong in the background is raised at its end."""
    done = threading.Event()
    failures: list[BaseException] = []
    api = Api(cluster.kubeconfig)

    def play() -> None:
        try:
            while not done.wait(_PAUSE):
                look(api, outcomes or {})
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


def look(api: Api, outcomes: Outcomes) -> int:
    """Write the next status of every object that has one to come; return how many there were."""
    found = [obj for resource in (*STATUSES, *_OTHERS) for obj in api.objects(resource)]
    for obj in found:
        if "foregroundDeletion" in obj["metadata"].get("finalizers", ()):
            _collect(api, obj)
    found = [obj for obj in found if _resource(obj) in STATUSES and "deletionTimestamp" not in obj["metadata"]]
    mounted = {claim for obj in found if obj["kind"] == "Job" for claim in _claims(obj)}
    written = 0
    for obj in found:
        status = STATUSES[_resource(obj)](obj)
        if status == _WAITS and _claim_of(obj) in mounted:
            status = {"phase": "Succeeded"}
        if "completionTime" in status and (message := _fails(obj, outcomes)) is not None:
            status = _failed(api, obj, message)
        if _differs(status, obj.get("status", {})):
            written += api.patch(_resource(obj), obj["metadata"], {"status": status}, "status")
    return written


def _collect(api: Api, obj: Object) -> None:
    """Finish a deletion as the garbage collector does: what Argo CD prunes waits for it, and nothing depends on it."""
    left = [each for each in obj["metadata"]["finalizers"] if each != "foregroundDeletion"]
    api.patch(_resource(obj), obj["metadata"], {"metadata": {"finalizers": left}})


def _claims(job: Object) -> Iterator[tuple[str, str]]:
    """Yield the claims that a Job's pods mount."""
    for volume in job["spec"]["template"]["spec"].get("volumes", ()):
        if "persistentVolumeClaim" in volume:
            yield job["metadata"]["namespace"], volume["persistentVolumeClaim"]["claimName"]


def _claim_of(data_volume: Object) -> tuple[str, str]:
    return data_volume["metadata"]["namespace"], data_volume["metadata"]["name"]


def _resource(obj: Object) -> str:
    kind, group = obj["kind"].lower(), obj["apiVersion"].rpartition("/")[0]
    return f"{kind}.{group}" if group else str(kind)


def _differs(status: Object, before: Object) -> bool:
    return any(before.get(key) != value for key, value in status.items())


def _condition(name: str, **more: str) -> Object:
    return {"type": name, "status": "True", "lastTransitionTime": _THEN, **more}


def _ready(_obj: Object) -> Object:
    """Forklift and others say so with conditions."""
    return {"conditions": [_condition("Ready", category="Required", message="It is ready.")]}


def _says_ready(_obj: Object) -> Object:
    return {"conditions": [_condition("Ready", reason="Played", message="")]}


@cache
def _late() -> frozenset[str]:
    """Return the StorageClasses of the examples whose volumes wait for their first consumer."""
    specs = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in EXAMPLES.glob("*/spec.yaml"))
    classes = [item for spec in specs for item in spec["storage"]["classes"]]
    return frozenset(item["name"] for item in classes if item.get("waitForFirstConsumer"))


def _data_volume(obj: Object) -> Object:
    """CDI: a volume is worked on first; one that binds to its first consumer waits for it, unless told not to."""
    at_once = "cdi.kubevirt.io/storage.bind.immediate.requested" in obj["metadata"].get("annotations", {})
    if obj["spec"]["storage"]["storageClassName"] in _late() and not at_once:
        return _WAITS
    before = obj.get("status", {}).get("phase")
    return {"phase": "Succeeded" if before in ("ImportInProgress", "Succeeded") else "ImportInProgress"}


def _claim(obj: Object) -> Object:
    return {"phase": "Bound", "capacity": obj["spec"]["resources"]["requests"]}


def _migration(obj: Object) -> Object:
    """Forklift: a migration runs first; one of a Plan that says so in its name fails, others succeed."""
    if not obj.get("status", {}).get("conditions"):
        return {"conditions": [_condition("Running", category="Advisory", message="The migration is RUNNING.")]}
    if FAILS in obj["spec"]["plan"]["name"]:
        return {"conditions": [_condition("Failed", category="Advisory", message="The migration has FAILED.")]}
    return {"conditions": [_condition("Succeeded", category="Advisory", message="The migration has SUCCEEDED.")]}


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


def _snapshot(obj: Object) -> Object:
    """KubeVirt: a snapshot is taken first, and ready when it is looked at next."""
    begun = "phase" in obj.get("status", {})
    return {"phase": "Succeeded" if begun else "InProgress", "readyToUse": begun}


def _job(obj: Object) -> Object:
    """A Job starts, and is complete when it is looked at next."""
    if obj["spec"].get("suspend"):
        return {"conditions": [_condition("Suspended", reason="JobSuspended", message="", lastProbeTime=_THEN)]}
    created = obj["metadata"]["creationTimestamp"]  # one that is created again has a later result
    if "startTime" not in obj.get("status", {}):
        return {"startTime": created, "active": 1, "ready": 0, "terminating": 0, "uncountedTerminatedPods": {}}
    named = ("SuccessCriteriaMet", "Complete")
    return _ended(created, named, "CompletionsReached", "") | {"completionTime": created, "succeeded": 1}


def _ended(when: str, named: Iterable[str], reason: str, message: str) -> Object:
    times = {"lastTransitionTime": when, "lastProbeTime": when}
    conditions = [_condition(name, reason=reason, message=message) | times for name in named]
    return {"conditions": conditions, "active": None, "ready": 0}


def _fails(job: Object, outcomes: Outcomes) -> str | None:
    """Return what the pod of a Job writes that fails; one that has ended stays as it is."""
    ended = {each["type"]: each for each in job["status"].get("conditions", ())}
    if "Complete" in ended:
        return None
    name = job["metadata"]["name"]
    message = next((message for part, message in outcomes.items() if part in name), None)
    return message if message is not None or "Failed" not in ended else ended["Failed"]["message"]


def _failed(api: Api, job: Object, message: str) -> Object:
    """Have the pod of a Job fail, as kubelet and the Job controller would, with a message; return the Job's status."""
    template, meta = job["spec"]["template"], job["metadata"]
    api.create("serviceaccount", {"metadata": {"name": "default", "namespace": meta["namespace"]}})
    labels = template["metadata"].get("labels", {}) | {"batch.kubernetes.io/job-name": meta["name"]}
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"], "controller": True}
    pod = {
        "metadata": {
            "name": f"{meta['name']}-x",
            "namespace": meta["namespace"],
            "labels": labels,
            "ownerReferences": [owner],
        },
        "spec": template["spec"] | {"nodeName": "node-1"},
    }
    container = template["spec"]["containers"][0]
    ended = {"exitCode": FAILED, "reason": "Error", "message": message, "startedAt": _THEN, "finishedAt": _THEN}
    status = {"name": container["name"], "image": container["image"], "imageID": "", "ready": False, "restartCount": 0}
    shown = {"phase": "Failed", "containerStatuses": [status | {"state": {"terminated": ended}}]}
    api.patch("pod", api.create("pod", pod)["metadata"], {"status": shown}, "status")
    why = f"Container {container['name']} for pod {pod['metadata']['name']} failed with exit code {FAILED}"
    return _ended(meta["creationTimestamp"], ("FailureTarget", "Failed"), "PodFailurePolicy", why) | {"failed": 1}


def _workload(obj: Object) -> Object:
    """A Deployment or StatefulSet."""
    count = obj["spec"].get("replicas", 1)
    names = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    return {"observedGeneration": obj["metadata"]["generation"]} | dict.fromkeys(names, count or None)


def _budget(obj: Object) -> Object:
    counts = dict.fromkeys(("currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"), 0)
    condition = {"type": "DisruptionAllowed", "status": "False", "lastTransitionTime": _THEN}
    return {
        "observedGeneration": obj["metadata"]["generation"],
        "conditions": [condition | {"reason": "InsufficientPods", "message": "There is no pod to spare."}],
        **counts,
    }


def _quota(obj: Object) -> Object:
    """Nothing is used; until that is said the server refuses whatever a quota counts."""
    return {"hard": obj["spec"]["hard"], "used": dict.fromkeys(obj["spec"]["hard"], "0")}


def _route(obj: Object) -> Object:
    """A Gateway's controller: it accepts a route, and finds the Services; Argo CD waits for that."""
    seen = {"observedGeneration": obj["metadata"]["generation"]}
    conditions = [_condition(name, reason=name, message="") | seen for name in ("Accepted", "ResolvedRefs")]
    answer = {"controllerName": "example.com/played", "conditions": conditions}
    return {"parents": [answer | {"parentRef": each} for each in obj["spec"]["parentRefs"]]}


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
    "virtualmachinesnapshot.snapshot.kubevirt.io": _snapshot,
    "provider.forklift.konveyor.io": _ready,
    "host.forklift.konveyor.io": _ready,
    "hook.forklift.konveyor.io": _ready,
    "networkmap.forklift.konveyor.io": _ready,
    "storagemap.forklift.konveyor.io": _ready,
    "plan.forklift.konveyor.io": _ready,
    "migration.forklift.konveyor.io": _migration,
    "externalsecret.external-secrets.io": _says_ready,
    "sealedsecret.bitnami.com": lambda _: {"conditions": [_condition("Synced")], "observedGeneration": 1},
    "httproute.gateway.networking.k8s.io": _route,
    "tcproute.gateway.networking.k8s.io": _route,
    "nodenetworkconfigurationpolicy.nmstate.io": lambda _: {"conditions": [_condition("Available", reason="Played")]},
}
"""What each operator writes, by resource, as kubectl names it."""


def _resources(kinds: Iterable[Kind]) -> Iterator[str]:
    """Yield the resources of kinds that nobody writes a status of."""
    for kind in kinds:
        if f"{kind.name}.{kind.group}".rstrip(".").lower() not in STATUSES:
            yield f"{kind.plural}.{kind.group}".rstrip(".")


_OTHERS = tuple(_resources(EMITTED))
"""What nobody writes a status of, and Argo CD may prune."""
