"""What the VMs of a smoke test show: each is Ready only while it reaches the other one and the gateway."""

from collections.abc import Iterator

from vmferry.estate.causes import BY_CODE, Cause
from vmferry.estate.words.secrecy import said
from vmferry.model.evidence import Entry
from vmferry.observe.entries import cause_of, moment, title, words
from vmferry.observe.shapes import VirtualMachine
from vmferry.observe.view import View

_GRACE = 900  # seconds that a guest takes at most to boot and to reach its peer, which boots as well
_BROKEN = ("CrashLoopBackOff", "ErrorUnschedulable", "ErrImagePull", "ImagePullBackOff")


def of_smoke_test(vm: VirtualMachine, network: str, view: View) -> Iterator[Entry]:
    """Yield whether a VM reaches its peer; nothing while it is young, or off.

    KubeVirt copies the readiness of the pod, which probes the guest, to the condition Ready of the VM
    (kubevirt pkg/virt-controller/watch/vm/vm.go: syncReadyConditionFromVMI).
    """
    status, object_ = vm.status, title("VirtualMachine", vm.metadata)
    ready = next((each for each in (status.conditions if status else None) or () if each.type == "Ready"), None)
    if status is None or ready is None:
        return
    since = moment(ready.last_transition_time)
    if ready.status == "True":
        yield Entry(network=network, what="smokeTest", object=object_, outcome="succeeded", finished=since)
    elif status.printable_status in _BROKEN:
        events = view.events("VirtualMachine", vm.metadata.namespace or "", vm.metadata.name or "")
        texts = [status.printable_status, *events]
        yield _failed(network, object_, since, cause_of(texts), texts)
    elif status.printable_status == "Running" and since is not None and view.seconds_since(since) > _GRACE:
        yield _failed(network, object_, since, BY_CODE["smoke-test-failed"], [words(ready.reason, ready.message)])


def _failed(network: str, object_: str, since: str | None, cause: Cause, texts: list[str]) -> Entry:
    return Entry(
        network=network,
        what="smokeTest",
        object=object_,
        outcome="failed",
        finished=since,
        cause=cause.code,
        problem=cause.problem,
        next=cause.next,
        said=said("; ".join(texts)) or None,
    )
