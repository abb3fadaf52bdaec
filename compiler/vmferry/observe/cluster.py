"""What Jobs, volumes, VMs and the objects of the GitOps engine show."""

import re
from collections.abc import Iterator

from vmferry.backends.virt_v2v import HOLDS_DATA, NOT_SHUT_OFF, TAKEN
from vmferry.estate.adoption import disks as recorded_disks
from vmferry.estate.causes import BY_CODE, Cause
from vmferry.model.evidence import Entry, Outcome
from vmferry.observe.belonging import Place
from vmferry.observe.checks import of_check_job, of_guest
from vmferry.observe.entries import cause_of, entry, tenths, title, true, words
from vmferry.observe.shapes import (
    Application,
    Claim,
    Condition,
    DataVolume,
    Instance,
    Job,
    Kustomization,
    Metadata,
    Snapshot,
    VirtualMachine,
)
from vmferry.observe.view import View

_EXITS = {HOLDS_DATA: "volume-holds-data", NOT_SHUT_OFF: "source-not-off", TAKEN: "volume-taken"}
# kubernetes: pkg/controller/job/pod_failure_policy.go, the message of condition Failed
_EXIT = re.compile(r"failed with exit code ([0-9]{1,3})\b")
# kubevirt: staging/src/kubevirt.io/api/core/v1/types.go, VirtualMachinePrintableStatus
_BROKEN = (
    *("CrashLoopBackOff", "ErrorUnschedulable", "ErrImagePull", "ImagePullBackOff", "ErrorPvcNotFound"),
    "DataVolumeError",
)
_STARTING = ("Provisioning", "Starting", "WaitingForVolumeBinding")
_NOT_STARTED = ("Halted", "Manual")
# CDI goes on trying for ever after these
_IMPORT_FAILED = frozenset(("import-failed", "image-not-found", "checksum-mismatch", "vcenter-login"))


def of_job(job: Job, place: Place, view: View) -> Iterator[Entry]:
    """Yield how the conversion Job of a VM goes, or the Job that checks a group."""
    if place.machine is None:
        yield from of_check_job(job, place, view)
        return
    status = job.status
    if status is None:
        return
    object_, started = title("Job", job.metadata), status.start_time
    namespace, name = job.metadata.namespace or "", job.metadata.name or ""
    pods = view.job_pods(namespace, name)
    done, failed = true(status.conditions, "Complete"), true(status.conditions, "Failed", "FailureTarget")
    if done is not None:
        finished = status.completion_time or done.last_transition_time
        yield entry(place, "conversion", object_, "succeeded", times=(started, finished))
        return
    texts = [text for pod in pods for text in view.said(pod)] + view.events("Job", namespace, name)
    if failed is not None:
        last = words(failed.reason, failed.message)
        cause = _exit(job, failed, view) or cause_of(texts, "conversion-failed")
        finished = failed.last_transition_time
        times = (started, finished)
        yield entry(place, "conversion", object_, "failed", times=times, cause=cause, texts=[last, *texts])
    elif (waits := view.waits(texts)) is not None:
        yield entry(place, "conversion", object_, "waiting", times=(started, None), cause=waits, texts=texts)
    elif status.active:
        yield entry(place, "conversion", object_, "running", times=(started, None))


def _exit(job: Job, failed: Condition, view: View) -> Cause | None:
    """Return the cause that vmferry's own exit code names."""
    found = _EXIT.search(failed.message or "")
    codes = [int(found[1])] if found else []
    for pod in view.job_pods(job.metadata.namespace or "", job.metadata.name or ""):
        for container in (pod.status.container_statuses if pod.status else None) or ():
            ended = container.state.terminated if container.state else None
            codes += [ended.exit_code] if ended is not None and ended.exit_code is not None else []
    return next((BY_CODE[_EXITS[code]] for code in codes if code in _EXITS), None)


def of_data_volume(volume: DataVolume, place: Place, view: View) -> Iterator[Entry]:
    """Yield how far a volume is filled (CDI pkg/controller/datavolume: phases and conditions)."""
    status = volume.status
    if status is None or place.machine is None:
        return
    object_ = _volume(volume.metadata)
    started = volume.metadata.creation_timestamp
    size = next((disk.size for disk in place.machine.disks if disk.claim == volume.metadata.name), 0)
    if status.phase == "Succeeded":
        ready = true(status.conditions, "Ready")
        finished = ready.last_transition_time if ready else None
        yield entry(place, "volume", object_, "succeeded", times=(started, finished), size=size)
        return
    conditions = [each for each in status.conditions or () if each.status != "True"]
    texts = [words(each.reason, each.message) for each in conditions]
    for kind in ("DataVolume", "PersistentVolumeClaim"):
        texts += view.events(kind, volume.metadata.namespace or "", volume.metadata.name or "")
    cause = cause_of(texts)
    when = max((each.last_transition_time or "" for each in conditions), default="")
    if status.phase == "Failed" or cause.code in _IMPORT_FAILED:
        cause = cause if cause.code != "unknown" else cause_of(texts, "import-failed" if not any(texts) else "unknown")
        times = (started, when)
        yield entry(place, "volume", object_, "failed", times=times, cause=cause, texts=texts)
    elif (waits := view.waits(texts)) is not None:
        yield entry(place, "volume", object_, "waiting", times=(started, None), cause=waits, texts=texts)
    elif (status.phase or "").endswith("InProgress"):
        done = tenths(int(size * _share(status.progress)), size)
        yield entry(place, "volume", object_, "running", times=(started, None), size=done)


def _share(progress: str | None) -> float:
    """Return a progress such as 37.50% as a part of one."""
    found = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%", progress or "")
    return min(float(found[1]) / 100, 1.0) if found else 0.0


def of_claim(claim: Claim, place: Place, view: View) -> Iterator[Entry]:
    """Yield why a volume is not there; a bound claim shows nothing."""
    phase = claim.status.phase if claim.status is not None else None
    texts = view.events("PersistentVolumeClaim", claim.metadata.namespace or "", claim.metadata.name or "")
    started = claim.metadata.creation_timestamp
    object_ = _volume(claim.metadata)
    if phase == "Lost":
        yield entry(
            place, "volume", object_, "failed", times=(started, None), cause=BY_CODE["volume-lost"], texts=texts
        )
    elif phase == "Pending" and (waits := view.waits(texts)) is not None:
        yield entry(place, "volume", object_, "waiting", times=(started, None), cause=waits, texts=texts)


def _volume(metadata: Metadata) -> str:
    """Return one name for a DataVolume and its claim, so that a success of one ends the waiting of the other."""
    return title("volume", metadata)


def of_virtual_machine(vm: VirtualMachine, place: Place, _view: View) -> Iterator[Entry]:
    """Yield whether a VM runs."""
    status = vm.status
    state = status.printable_status if status is not None else None
    if status is None or state is None or place.machine is None:
        return
    ready = next((each for each in status.conditions or () if each.type == "Ready"), None)
    when = ready.last_transition_time if ready is not None else None
    stays_off = state == "Stopped" and place.machine.run_strategy in _NOT_STARTED
    if state in ("Running", "Migrating") or stays_off:
        yield _machine(place, vm.metadata, "succeeded", when)
    elif state in _BROKEN:
        texts = [words(state)] + [words(each.reason, each.message) for each in status.conditions or ()]
        yield _machine(place, vm.metadata, "failed", when, cause_of([state]), tuple(texts))
    elif state in _STARTING:
        yield _machine(place, vm.metadata, "running", when)


def of_instance(instance: Instance, place: Place, view: View) -> Iterator[Entry]:
    """Yield whether a VM runs, or why it ended."""
    status = instance.status
    if status is None:
        return
    ready = next((each for each in status.conditions or () if each.type == "Ready"), None)
    when = ready.last_transition_time if ready is not None else None
    texts = [words(status.reason), *(words(each.reason, each.message) for each in status.conditions or ())]
    namespace, name = instance.metadata.namespace or "", instance.metadata.name or ""
    texts += view.events("VirtualMachineInstance", namespace, name)
    lost = view.waits([words(status.reason)])
    if status.phase == "Failed" or (lost is not None and lost.code == "node-lost"):
        yield _machine(place, instance.metadata, "failed", when, lost or cause_of(texts), tuple(texts))
    elif status.phase == "Running":
        yield _machine(place, instance.metadata, "succeeded", when)
        yield from of_guest(instance, place, view)


def _machine(
    place: Place,
    metadata: Metadata,
    outcome: Outcome,
    when: str | None,
    cause: Cause | None = None,
    texts: tuple[str, ...] = (),
) -> Entry:
    object_ = title("VirtualMachine", metadata)
    if outcome == "running":
        return entry(place, "virtualMachine", object_, outcome, times=(when, None))
    return entry(place, "virtualMachine", object_, outcome, times=(None, when), cause=cause, texts=texts)


def of_snapshot(snapshot: Snapshot, place: Place, _view: View) -> Iterator[Entry]:
    """Yield whether a VM's snapshot is ready, with all of its disks (kubevirt pkg/storage/snapshot/snapshot.go)."""
    status, machine = snapshot.status, place.machine
    if status is None or machine is None:
        return
    object_ = title("VirtualMachineSnapshot", snapshot.metadata)
    times = (snapshot.metadata.creation_timestamp, status.creation_time)
    spec = place.group.adopted.get(machine.key)
    disks = set(recorded_disks(spec)) if spec is not None else {disk.name for disk in machine.disks}
    taken = set(status.snapshot_volumes.included_volumes or ()) if status.snapshot_volumes is not None else set()
    lost = (status.error.message or "") if status.error is not None else ""
    failure = true(status.conditions, "Failure")
    if status.phase == "Failed" or (status.phase == "Succeeded" and not status.ready_to_use and lost):
        texts = [words(failure.reason, failure.message) if failure is not None else "", lost]
        when = failure.last_transition_time if failure is not None else None
        times = (times[0], when or times[1])
        yield entry(place, "snapshot", object_, "failed", times=times, cause=BY_CODE["vm-snapshot-failed"], texts=texts)
    elif status.phase == "Succeeded" and not disks <= taken:
        texts = [f"not in it: {', '.join(sorted(disks - taken))}"]
        yield entry(
            place, "snapshot", object_, "failed", times=times, cause=BY_CODE["vm-snapshot-partial"], texts=texts
        )
    elif status.phase == "Succeeded" and status.ready_to_use:
        yield entry(place, "snapshot", object_, "succeeded", times=times)
    else:
        yield entry(place, "snapshot", object_, "running", times=(times[0], None))


def of_kustomization(root: Kustomization, place: Place, _view: View) -> Iterator[Entry]:
    """Yield whether Flux applied a root (fluxcd/kustomize-controller api/v1, condition Ready)."""
    object_ = title("Kustomization", root.metadata)
    conditions = root.status.conditions if root.status is not None else None
    ready = next((each for each in conditions or () if each.type == "Ready"), None)
    if ready is None:
        return
    when = ready.last_transition_time
    if ready.status == "True":
        yield entry(place, "sync", object_, "succeeded", times=(None, when))
    elif ready.status == "False" and ready.reason not in ("Progressing", "DependencyNotReady"):
        texts = [words(ready.reason, ready.message)]
        yield entry(place, "sync", object_, "failed", times=(None, when), cause=BY_CODE["sync-failed"], texts=texts)


def of_application(root: Application, place: Place, _view: View) -> Iterator[Entry]:
    """Yield whether Argo CD applied a root (argoproj/argo-cd pkg/apis/application/v1alpha1/types.go)."""
    status, object_ = root.status, title("Application", root.metadata)
    if status is None:
        return
    operation = status.operation_state
    when = operation.finished_at if operation is not None else None
    health = status.health.status if status.health is not None else None
    synced = status.sync is not None and status.sync.status == "Synced"
    failed = operation is not None and operation.phase in ("Failed", "Error")
    if synced and health in ("Healthy", "Suspended"):
        yield entry(place, "sync", object_, "succeeded", times=(None, when))
    elif failed or health == "Degraded":
        texts = [operation.message or "" if operation is not None else ""]
        texts += [status.health.message or "" if status.health is not None else ""]
        yield entry(place, "sync", object_, "failed", times=(None, when), cause=BY_CODE["sync-failed"], texts=texts)
