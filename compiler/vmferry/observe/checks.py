"""What a Job that checks VMs shows, for each VM and check, and what KubeVirt knows of the checks that ask the guest."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from msgspec import structs

from vmferry.backends.trials import FAILED
from vmferry.estate.causes import BY_CODE
from vmferry.estate.checks import jobs, of_segment, shown_by
from vmferry.estate.integrity import SHOWN
from vmferry.estate.words.secrecy import said
from vmferry.model.blueprint import CheckSegment, Group, MachineCheck
from vmferry.model.evidence import Entry
from vmferry.observe.belonging import Place
from vmferry.observe.entries import Times, cause_of, entry, moment, title, true, words
from vmferry.observe.shapes import Instance, Job, PhaseStatus
from vmferry.observe.view import View

_GRACE = 1800  # seconds that a guest and its services take at most to come up: as long as the Job waits

_VALUE = re.compile("=(?P<number>[0-9]{1,4}) (?P<value>[0-9a-f]{32})(?: (?P<shown>.*))?")
"""A line of backends/scripts/same.sh."""


class Results(NamedTuple):
    """What the pod of a Job wrote: what is wrong by VM and check, and what scripts printed by number of the check."""

    failures: Mapping[tuple[str, str], str]
    values: Mapping[int, tuple[str, str]]  # digest and beginning
    whole: bool  # nothing else failed


def of_check_job(job: Job, place: Place, view: View) -> Iterator[Entry]:
    """Yield how the checks of a group went: for all of it, and for each VM and check that the Job has a result of."""
    status, group = job.status, place.group
    if status is None:
        return
    object_, started = title("Job", job.metadata), status.start_time
    namespace, name = job.metadata.namespace or "", job.metadata.name or ""
    done, failed = true(status.conditions, "Complete"), true(status.conditions, "Failed", "FailureTarget")
    if done is not None:
        times = (started, status.completion_time or done.last_transition_time)
        yield entry(place, "check", object_, "succeeded", times=times)
        results = Results({}, _values(_message(job, view, 0)), whole=True)
        yield from _each(group, jobs(group).get(name), results, times, view)
        return
    texts = [text for pod in view.job_pods(namespace, name) for text in view.said(pod)]
    texts += view.events("Job", namespace, name)
    if failed is not None:
        times = (started, failed.last_transition_time)
        message = _message(job, view)
        if message is None:
            cause = cause_of(texts, "check-not-run")
            texts = [words(failed.reason, failed.message), *texts]
            yield entry(place, "check", object_, "failed", times=times, cause=cause, texts=texts)
            return
        yield entry(place, "check", object_, "failed", times=times, cause=BY_CODE["check-failed"])
        yield from _each(group, jobs(group).get(name), _results(message), times, view)
    elif (waits := view.waits(texts)) is not None:
        yield entry(place, "check", object_, "waiting", times=(started, None), cause=waits, texts=texts)
    elif status.active:
        yield entry(place, "check", object_, "running", times=(started, None))


def _message(job: Job, view: View, code: int = FAILED) -> str | None:
    """Return what the last pod of a Job that ended with a code wrote; None if none did so far."""
    found = [(pod.metadata.creation_timestamp or "", text) for pod, text in view.ended(job, code)]
    return max(found)[1] if found else None


def _results(message: str) -> Results:
    """Return what failed, what scripts printed, and whether that is all: a message has a limited length."""
    found: dict[tuple[str, str], str] = {}
    lines = [line for line in message.splitlines() if not line.startswith("=")]
    for line in lines:
        vm, _, rest = line.partition(" ")
        check, _, why = rest.partition(" ")
        if check:
            found[vm, check] = why
    return Results(found, _values(message), whole=bool(found) and not lines[-1].startswith("+"))


def _values(message: str | None) -> dict[int, tuple[str, str]]:
    """Return what scripts printed, by the number of the check in its Job."""
    found = (_VALUE.fullmatch(line) for line in (message or "").splitlines())
    return {int(match["number"]): (match["value"], match["shown"] or "") for match in found if match is not None}


def _each(group: Group, segment: CheckSegment | None, results: Results, times: Times, view: View) -> Iterator[Entry]:
    """Yield the result of every check of a Job; what is not among the failures has passed if those are the whole."""
    for number, (machine, each) in enumerate(of_segment(group, segment)):
        place, object_ = Place(group, machine), shown_by(machine, each)
        why, printed = results.failures.get((machine.target_name, each.check.name)), results.values.get(number)
        if why is not None:
            cause = BY_CODE["check-failed"]
            yield entry(
                place, "check", object_, "failed", times=times, cause=cause, texts=[f"{each.check.name}: {why}"]
            )
        elif each.check.same is None:
            if results.whole:
                yield entry(place, "check", object_, "succeeded", times=times)
        elif printed is not None:
            value, shown = printed
            made = entry(place, "check", object_, "succeeded", times=times)
            yield structs.replace(made, value=f"sha256:{value}", said=said(shown, SHOWN) or None)
        else:
            view.ignore("check whose pod, which has its result, is not in the dumps", object_)


def of_guest(instance: Instance, place: Place, view: View) -> Iterator[Entry]:
    """Yield what KubeVirt knows of the checks that ask the guest of a VM.

    kubevirt staging/src/kubevirt.io/api/core/v1/types.go: AgentConnected; Ready is what its readiness probe says.
    """
    status, machine = instance.status, place.machine
    if status is None or machine is None or status.phase != "Running":
        return
    for each in place.group.checks.get(machine.key, ()):
        if each.check.guest_agent is not None:
            yield from _condition(instance, status, place, each, "AgentConnected", view)
        elif each.check.service is not None and machine.probe is not None and machine.probe == each.check:
            yield from _condition(instance, status, place, each, "Ready", view)


def _condition(
    instance: Instance, status: PhaseStatus, place: Place, each: MachineCheck, wanted: str, view: View
) -> Iterator[Entry]:
    """Yield whether a condition holds; nothing while the VM is young."""
    found = next((condition for condition in status.conditions or () if condition.type == wanted), None)
    machine = place.machine
    if machine is None:
        return
    object_ = shown_by(machine, each)
    when = found.last_transition_time if found is not None else None
    if found is not None and found.status == "True":
        yield entry(place, "check", object_, "succeeded", times=(None, when or instance.metadata.creation_timestamp))
        return
    since = moment(when) or moment(instance.metadata.creation_timestamp)
    if since is not None and view.seconds_since(since) > _GRACE:
        cause = BY_CODE["agent-not-connected" if wanted == "AgentConnected" else "check-failed"]
        texts = [f"{each.check.name}: {words(found.reason, found.message)}"] if found is not None else [each.check.name]
        yield entry(place, "check", object_, "failed", times=(None, since), cause=cause, texts=texts)
