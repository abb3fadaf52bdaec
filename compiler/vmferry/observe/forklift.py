"""What Forklift's Plans and Migrations show.

Conditions: pkg/controller/plan/validation.go, pkg/controller/migration/validation.go; the state of each VM:
pkg/apis/forklift/v1beta1/plan/vm.go; all of kubev2v/forklift main (2026-08) and v2.9 to v2.12.
"""

import re
from collections.abc import Iterator

from vmferry.estate.causes import BY_CODE, CAUSES, Cause
from vmferry.estate.stages import running
from vmferry.model.blueprint import Group, Machine
from vmferry.model.evidence import Entry
from vmferry.observe.belonging import Place
from vmferry.observe.entries import cause_of, entry, moment, tenths, title, true, words
from vmferry.observe.shapes import Condition, Migration, Plan, VmStatus
from vmferry.observe.view import View

_BLOCKING = ("Critical", "Error")
_CAUSES = {
    "VMNotFound": "vm-not-found",
    "VMAlreadyExists": "vm-already-exists",
    "VDDKInitImageUnavailable": "vddk-image",
    "VDDKInvalid": "vddk-image",
    "PlanNotValid": "plan-not-valid",
    "PlanNotReady": "plan-not-valid",
}
_RANKS = {cause.code: rank for rank, cause in enumerate(CAUSES)}
_MIB = 1 << 20  # the unit of disk transfers: adapter/vsphere/builder.go, where it is called MB
_GRACE = 900  # seconds after the cutover time before it counts as missed: Forklift may still be copying


def of_plan(plan: Plan, place: Place, view: View) -> Iterator[Entry]:
    """Yield whether a Plan is Ready, and what its last run shows."""
    status = plan.status
    if status is None:
        return
    object_ = title("Plan", plan.metadata)
    blocking = _blocking(status.conditions)
    if blocking:
        yield _refused(place, "plan", object_, blocking, "plan-not-ready")
    elif (ready := true(status.conditions, "Ready")) is not None:
        yield entry(place, "plan", object_, "succeeded", times=(None, ready.last_transition_time))
    runs = status.migration
    names = [run.migration.name for run in (runs.history if runs else None) or () if run.migration is not None]
    attempt = _attempt(place.group, names[-1] if names else None)
    if runs is None or not runs.vms:
        return
    if attempt is None:
        view.ignore("a run of a Plan that is not one of this migration's attempts", plan.metadata.name or "")
        return
    for vm in runs.vms:
        yield from _vm(vm, Place(place.group, attempt=attempt), plan.metadata.namespace or "", view)


def of_migration(migration: Migration, place: Place, view: View) -> Iterator[Entry]:
    """Yield how a run went, as a whole and for each VM."""
    status = migration.status
    if status is None:
        return
    object_ = title("Migration", migration.metadata)
    times = (status.started, status.completed)
    if blocking := _blocking(status.conditions):
        yield _refused(place, "migration", object_, blocking, "plan-not-valid")
    elif true(status.conditions, "Failed"):
        # the VMs say why; this is the run as a whole
        texts = [words(each.reason, each.message) for each in status.conditions or () if each.type == "Failed"]
        reasons = [text for vm in status.vms or () for text in _reasons(vm)]
        yield entry(place, "migration", object_, "failed", times=times, cause=cause_of(reasons), texts=reasons or texts)
    elif (canceled := true(status.conditions, "Canceled")) is not None:
        cause = BY_CODE["canceled"]
        times = (status.started, status.completed or canceled.last_transition_time)
        yield entry(place, "migration", object_, "canceled", times=times, cause=cause, texts=[words(canceled.message)])
    elif (done := true(status.conditions, "Succeeded")) is not None:
        times = (status.started, status.completed or done.last_transition_time)
        yield entry(place, "migration", object_, "succeeded", times=times)
    elif status.started:
        yield entry(place, "migration", object_, "running", times=(status.started, None))
    for vm in status.vms or ():
        yield from _vm(vm, place, migration.metadata.namespace or "", view)


def _blocking(conditions: tuple[Condition, ...] | None) -> list[Condition]:
    found = [each for each in conditions or () if each.status == "True" and each.category in _BLOCKING]
    return sorted(found, key=lambda each: (_rank(each), each.type or ""))


def _rank(condition: Condition) -> int:
    return _RANKS[_CAUSES.get(condition.type or "", "plan-not-ready")]


def _refused(place: Place, what: str, object_: str, blocking: list[Condition], otherwise: str) -> Entry:
    """Return the entry for an object that Forklift does not accept; its first condition is the most telling."""
    first = blocking[0]
    texts = [words(each.type, each.message, *(each.items or ())) for each in blocking]
    return entry(
        place,
        "plan" if what == "plan" else "migration",
        object_,
        "failed",
        times=(None, first.last_transition_time),
        cause=BY_CODE[_CAUSES.get(first.type or "", otherwise)],
        texts=texts,
    )


def _attempt(group: Group, name: str | None) -> int | None:
    """Return the attempt of a Migration by its name."""
    found = re.fullmatch(re.escape(group.full_name) + r"-([1-9][0-9]?)", name or "")
    return int(found[1]) if found and int(found[1]) <= group.attempt else None


def _vm(vm: VmStatus, place: Place, namespace: str, view: View) -> Iterator[Entry]:
    """Yield the first copy and the state of a VM."""
    machine = view.belonging.machine(place.group, vm.id, vm.name)
    if machine is None:
        view.ignore("a VM in a Plan or Migration that is not in its group", vm.name or vm.id or "")
        return
    own = Place(place.group, machine, place.attempt)
    object_ = f"Migration {namespace}/{place.group.full_name}-{place.attempt}"
    first = next((each for each in (vm.warm.precopies if vm.warm else None) or () if each.end), None)
    if first is not None:
        yield entry(own, "copy", object_, "succeeded", times=(first.start, first.end))
    pods = [text for pod in view.pods_of(vm.id, place) for text in pod]
    if true(vm.conditions, "Canceled"):
        cause = BY_CODE["canceled"]
        canceled = true(vm.conditions, "Canceled")
        finished = vm.completed or (canceled.last_transition_time if canceled else None)
        yield entry(own, "migration", object_, "canceled", times=(vm.started, finished), cause=cause)
    elif true(vm.conditions, "Succeeded"):
        size = _transferred(vm, machine)
        yield entry(own, "migration", object_, "succeeded", times=(vm.started, vm.completed), size=size)
    elif vm.error is not None or true(vm.conditions, "Failed"):
        reasons = _reasons(vm)
        found, times = cause_of([*reasons, *pods]), (vm.started, vm.completed)
        yield entry(own, "migration", object_, "failed", times=times, cause=found, texts=reasons or pods)
    elif vm.started:
        yield _unfinished(vm, own, object_, pods, view)


def _unfinished(vm: VmStatus, own: Place, object_: str, pods: list[str], view: View) -> Entry:
    """Return the state of a VM that is being migrated: it runs, or waits for something."""
    machine = own.machine
    cutover = _cutover(own.group, vm.id)
    late = cutover is not None and view.now is not None and view.seconds_since(cutover) > _GRACE
    if vm.phase == "CopyingPaused" and running(own.group.stage) and late:
        return entry(own, "migration", object_, "waiting", times=(cutover, None), cause=BY_CODE["cutover-overdue"])
    steps = [words(step.name, step.reason) for step in vm.pipeline or () if step.reason]
    cause: Cause | None = view.waits([*steps, *pods])
    if cause is not None:
        return entry(own, "migration", object_, "waiting", times=(vm.started, None), cause=cause, texts=[*steps, *pods])
    size = _transferred(vm, machine) if machine is not None else None
    total = _capacity(machine) if machine is not None else 0
    return entry(own, "migration", object_, "running", times=(vm.started, None), size=tenths(size or 0, total))


def _reasons(vm: VmStatus) -> list[str]:
    """Return why a VM failed, each reason with the phase or step in which it did."""
    errors = [(vm.error.phase, vm.error)] if vm.error is not None else []
    errors += [(step.name, step.error) for step in vm.pipeline or () if step.error is not None]
    found: dict[str, str] = {}
    for where, error in errors:
        for reason in error.reasons or ():
            found.setdefault(reason, words(where, reason))
    return list(found.values())


def _transferred(vm: VmStatus, machine: Machine) -> int:
    """Return the bytes that were copied, at most what its disks hold."""
    steps = [step for step in vm.pipeline or () if (step.name or "").startswith("DiskTransfer")]
    done = sum(max(step.progress.completed or 0, 0) for step in steps if step.progress is not None)
    return min(done * _MIB, _capacity(machine))


def _capacity(machine: Machine) -> int:
    return sum(disk.size for disk in machine.disks if disk.owner)


def _cutover(group: Group, id_: str | None) -> str | None:
    """Return when a VM is to cut over."""
    own = next((each.time for each in group.vm_cutover if each.id == id_), None)
    return moment(own or group.cutover)
