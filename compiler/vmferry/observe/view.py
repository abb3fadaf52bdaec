"""All objects of the dumps together: what pods and events say about other objects."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from vmferry.backends.forklift import migration_name
from vmferry.estate.causes import Cause, recognized
from vmferry.observe.belonging import Belonging, Place
from vmferry.observe.dumps import Dump
from vmferry.observe.entries import words
from vmferry.observe.shapes import Event, Job, Migration, Pod

_WAITS = frozenset(
    (
        *("quota-exceeded", "reboot-wait-quota", "image-pull", "vddk-image", "no-node", "volume-not-provisioned"),
        *("network-not-attached", "volume-lost", "node-lost", "volume-missing"),
    )
)
"""Causes that something which has not failed yet can wait for."""


class View:
    """The dumps, a migration, and the time."""

    def __init__(self, dump: Dump, belonging: Belonging, now: datetime | None) -> None:
        self._dump = dump
        self.belonging = belonging
        self.now = now
        self._events: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
        self._jobs: defaultdict[tuple[str, str], list[Pod]] = defaultdict(list)
        self._guests: defaultdict[tuple[str, str], list[Pod]] = defaultdict(list)
        self._runs: dict[tuple[str, str], str] = {}
        for _, obj in dump.objects:
            self._index(obj)

    def _index(self, obj: object) -> None:
        if isinstance(obj, Event) and obj.type != "Normal" and obj.involved_object is not None:
            about = obj.involved_object
            key = (about.kind or "", about.namespace or "", about.name or "")
            self._events[key].append(words(obj.reason, obj.message))
        elif isinstance(obj, Pod):
            labels = obj.metadata.labels or {}
            # kubernetes: staging/src/k8s.io/api/batch/v1/types.go; the label without a prefix is the older one
            job = labels.get("batch.kubernetes.io/job-name") or labels.get("job-name")
            if job is not None:
                self._jobs[obj.metadata.namespace or "", job].append(obj)
            # kubev2v/forklift: pkg/controller/plan/kubevirt.go (kMigration, kVM)
            if "migration" in labels and "vmID" in labels:
                self._guests[labels["migration"], labels["vmID"]].append(obj)
        elif isinstance(obj, Migration) and obj.metadata.uid:
            self._runs[obj.metadata.namespace or "", obj.metadata.name or ""] = obj.metadata.uid

    def ignore(self, reason: str, example: str = "") -> None:
        """Count something that belongs to nothing."""
        self._dump.ignore(reason, "".join(char if char.isprintable() else "?" for char in example[:80]))

    def events(self, kind: str, namespace: str, name: str) -> list[str]:
        """Return what warnings say about an object."""
        return self._events.get((kind, namespace, name), [])

    def job_pods(self, namespace: str, job: str) -> list[Pod]:
        """Return the pods of a Job, as far as they are in the dumps."""
        return self._jobs.get((namespace, job), [])

    def ended(self, job: Job, code: int) -> Iterator[tuple[Pod, str]]:
        """Yield each container of a Job that ended with an exit code: its pod, and the message that it left."""
        for pod in self.job_pods(job.metadata.namespace or "", job.metadata.name or ""):
            for container in (pod.status.container_statuses if pod.status else None) or ():
                ended = container.state.terminated if container.state else None
                if ended is not None and ended.exit_code == code:
                    yield pod, ended.message or ""

    def pods_of(self, vm: str | None, place: Place) -> Iterator[list[str]]:
        """Yield what the conversion pods of a VM in a run of Forklift say."""
        name = migration_name(place.group, place.attempt)
        uid = next((uid for (_, run), uid in self._runs.items() if run == name), None)
        for pod in self._guests.get((uid or "", vm or ""), []):
            yield self.said(pod)

    def said(self, pod: Pod) -> list[str]:
        """Return what a pod and its events say about why it does not run or has failed."""
        status = pod.status
        found = list(self.events("Pod", pod.metadata.namespace or "", pod.metadata.name or ""))
        if status is None:
            return found
        if status.phase in ("Failed", "Pending") or status.reason:
            found.append(words(status.reason, status.message))
        for condition in status.conditions or ():
            disrupted = condition.type == "DisruptionTarget" and condition.status == "True"
            unplaced = condition.type == "PodScheduled" and condition.status == "False"
            if disrupted or unplaced:
                found.append(words(condition.reason, condition.message))
        for container in (*(status.init_container_statuses or ()), *(status.container_statuses or ())):
            state = container.state
            if state is not None and state.waiting is not None:
                found.append(words(state.waiting.reason, state.waiting.message))
            if state is not None and state.terminated is not None and state.terminated.exit_code:
                found.append(words(state.terminated.reason, state.terminated.message))
        return [text for text in found if text]

    def waits(self, texts: Iterable[str]) -> Cause | None:
        """Return what something waits for, if texts name it."""
        found = recognized(texts)
        return found if found is not None and found.code in _WAITS else None

    def seconds_since(self, time: str) -> float:
        """Return the seconds from a time until now."""
        return (self.now - datetime.fromisoformat(time)).total_seconds() if self.now is not None else 0.0
