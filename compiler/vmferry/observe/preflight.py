"""What the Jobs of the pre-flight show: whether every node has what the migration needs, and what one lacks."""

from collections.abc import Iterable, Iterator

from msgspec import structs

from vmferry.backends.trials import FAILED
from vmferry.estate.causes import BY_CODE, Cause
from vmferry.model.blueprint import PreflightTest
from vmferry.model.evidence import Entry, Outcome
from vmferry.observe.entries import Times, cause_of, title, told, true, words
from vmferry.observe.shapes import Job
from vmferry.observe.view import View


def of_test(job: Job, test: PreflightTest, view: View) -> Iterator[Entry]:
    """Yield how a test went, or what it waits for."""
    status, object_ = job.status, title("Job", job.metadata)
    if status is None:
        return
    namespace, name = job.metadata.namespace or "", job.metadata.name or ""
    done, failed = true(status.conditions, "Complete"), true(status.conditions, "Failed", "FailureTarget")
    if done is not None:
        times = (status.start_time, status.completion_time or done.last_transition_time)
        yield _entry(test, object_, "succeeded", times)
        return
    texts = [text for pod in view.job_pods(namespace, name) for text in view.said(pod)]
    texts += view.events("Job", namespace, name)
    if failed is not None:
        times = (status.start_time, failed.last_transition_time)
        found = _failures(job, view)
        cause = BY_CODE["preflight-failed"] if found else cause_of(texts, "preflight-not-run")
        yield _entry(test, object_, "failed", times, cause, found or [words(failed.reason, failed.message), *texts])
    elif (waits := view.waits(texts)) is not None:
        yield _entry(test, object_, "waiting", (status.start_time, None), waits, texts)
    elif status.active:
        yield _entry(test, object_, "running", (status.start_time, None))


def _failures(job: Job, view: View) -> list[str]:
    """Return what pods wrote of the tests that failed, each with its node."""
    return [
        f"{pod.spec.node_name if pod.spec is not None else 'a node'}: {line}"
        for pod, text in view.ended(job, FAILED)
        for line in text.splitlines()
    ]


def _entry(
    test: PreflightTest,
    object_: str,
    outcome: Outcome,
    times: Times,
    cause: Cause | None = None,
    texts: Iterable[str] = (),
) -> Entry:
    return structs.replace(
        told("preflight", object_, outcome, times=times, cause=cause, texts=texts), preflight=test.name
    )
