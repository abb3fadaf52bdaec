"""Why a step of a migration fails or waits: each cause with the words that show it, and what to do about it.

The words are those of Forklift, CDI, KubeVirt and Kubernetes; the file upstream stands beside them. A failure that
matches none of them is `unknown`, and is shown in the cluster's own words.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple


class Cause(NamedTuple):
    """A cause: its code, what it means, what to do next, and a pattern of what the cluster says."""

    code: str
    problem: str
    next: str
    pattern: str = r"(?!)"  # nothing: the observer recognizes it by a condition's type or an exit code
    source: str = ""


_RETRY = "then raise `attempt` of the group"

CAUSES: tuple[Cause, ...] = (
    Cause(
        "volume-holds-data",
        "A volume already holds data, and the conversion Job does not overwrite it (exit code 42).",
        f"Read the Job's log: it names the volumes and the kubectl commands that keep or release them; {_RETRY}.",
        source="vmferry: backends/scripts/convert.sh",
    ),
    Cause(
        "source-not-off",
        "The VM is not shut off in vSphere, so the conversion Job did not start to copy it (exit code 43).",
        f"Shut the VM down in vSphere, {_RETRY}.",
        source="vmferry: backends/scripts/convert.sh",
    ),
    Cause(
        "volume-taken",
        "Another attempt still writes to the VM's volumes (exit code 44).",
        f"Wait for the other Job to end. If none runs, release the volumes as the Job's log says, {_RETRY}.",
        source="vmferry: backends/scripts/convert.sh",
    ),
    Cause(
        "canceled",
        "The migration was canceled: by `cancel` in its Migration, or because its Migration was deleted.",
        "Find out who canceled it. To run it again, raise `attempt` of the group.",
        source="kubev2v/forklift: pkg/controller/plan/migration.go (Canceled, UserRequested)",
    ),
    Cause(
        "cutover-overdue",
        "The cutover time has passed, but Forklift still waits between two copies.",
        "Check that the overlay with the cutover is synced, and that the Migration has `spec.cutover`; if the window "
        "is over, set `cutover` to a time in the next one.",
        source="kubev2v/forklift: pkg/controller/plan/migration.go (PhaseCopyingPaused)",
    ),
    Cause(
        "plan-not-valid",
        "Forklift refuses the Migration, because its Plan does not exist or is not Ready.",
        "Look at the Plan's conditions and fix those of category Critical; then the Migration starts by itself.",
        source="kubev2v/forklift: pkg/controller/migration/validation.go (PlanNotValid, PlanNotReady)",
    ),
    Cause(
        "vm-not-found",
        "Forklift cannot find a VM of the Plan in vCenter.",
        "Check that the VM still exists and that its id did not change (a VM that is registered again gets another "
        "one); import the inventory again.",
        source="kubev2v/forklift: pkg/controller/plan/validation.go (VMNotFound)",
    ),
    Cause(
        "vm-already-exists",
        "A VM with the target name already exists in the namespace.",
        "If an earlier attempt left it, delete it after you checked that nobody uses it; otherwise set another "
        "`targetName`.",
        source="kubev2v/forklift: pkg/controller/plan/validation.go (VMAlreadyExists)",
        pattern=r"already exists in the target namespace|target VM already exists",
    ),
    Cause(
        "vddk-image",
        "The VDDK image is missing, cannot be pulled, or is not valid.",
        "Check `vddkImage` of the source, and that the cluster's nodes can pull it; build it again for this vSphere "
        "release if it is not valid.",
        source="kubev2v/forklift: pkg/controller/plan/validation.go (VDDKInitImageUnavailable, VDDKInvalid)",
        pattern=r"\bvddk\b.{0,60}(?:image|invalid|not found|required)|(?:image|pull).{0,60}\bvddk\b|libvixDiskLib",
    ),
    Cause(
        "reboot-wait-quota",
        "The quota of the namespace refuses the pod that waits until Windows has rebooted after its conversion.",
        f"Raise the quota by one small pod, or set `quota: auto` and compile again; {_RETRY}.",
        source="kubev2v/forklift: pkg/controller/plan/kubevirt.go (EnsureWaitForRebootPod)",
        pattern=r"(?:wait-for-reboot|waitforguestreboots).{0,300}exceeded quota",
    ),
    Cause(
        "quota-exceeded",
        "The ResourceQuota of the namespace refuses a volume or a pod.",
        f"Raise the namespace's `quota`, or set it to `auto`, and compile again; {_RETRY} if the run has failed.",
        source="kubernetes: plugin/pkg/admission/resourcequota/controller.go; CDI: pkg/controller/common/util.go "
        "(ErrExceededQuota)",
        pattern=r"exceeded quota|ErrExceededQuota",
    ),
    Cause(
        "vcenter-login",
        "vCenter or the ESXi host refuses the login, or cannot be reached.",
        f"Check the credentials' Secret, the thumbprint, and the way from the cluster to port 443 and 902; {_RETRY}.",
        source="vmware/govmomi: vim25/soap (InvalidLogin)",
        pattern=r"incorrect user name or password|cannot complete login|InvalidLogin"
        r"|unable to connect to (?:vcenter|vddk|imageio)",
    ),
    Cause(
        "snapshot-failed",
        "vSphere could not create or remove a snapshot of the VM: too many snapshots, no space, or a busy disk.",
        "Look at the VM's tasks in vCenter. Consolidate or remove its snapshots and check the datastore's free space; "
        f"{_RETRY}.",
        source="kubev2v/forklift: pkg/controller/plan/adapter/vsphere/client.go (CreateSnapshot, CheckSnapshotReady); "
        "the words are vSphere's",
        pattern=r"snapshot.{0,160}(?:fail|error|limit|maximum|unable|cannot|too many|exceed|quiesc)"
        r"|(?:fail|error|unable|cannot|exceed|maximum|too many).{0,160}snapshot",
    ),
    Cause(
        "vm-snapshot-failed",
        "KubeVirt could not snapshot the VM before its acceptance, or its snapshot was lost.",
        "Look at the VolumeSnapshots of the namespace and at the CSI driver. Then delete the failed "
        "VirtualMachineSnapshot; the GitOps engine creates it again.",
        source="kubevirt: pkg/storage/snapshot/snapshot.go (updateSnapshotStatus; snapshot deadline exceeded)",
    ),
    Cause(
        "vm-snapshot-partial",
        "The snapshot of the VM does not contain all of its disks.",
        "Its StorageClass has no VolumeSnapshotClass: create one, or set `snapshots: false` of the class. Then delete "
        "the VirtualMachineSnapshot; the GitOps engine creates it again.",
        source="kubevirt: pkg/storage/snapshot/snapshot.go (updateSnapshotSnapshotableVolumes)",
    ),
    Cause(
        "checksum-mismatch",
        "The image that CDI downloaded does not have the stated checksum.",
        "Upload the image again, or correct `checksum` of the disk. Then delete the failed DataVolume; the GitOps "
        "engine creates it again.",
        source="kubevirt/containerized-data-importer: pkg/importer/checksum.go (ErrChecksumMismatch)",
        pattern=r"checksum mismatch",
    ),
    Cause(
        "image-not-found",
        "The web server does not have the disk's image (HTTP 404).",
        "Check the disk's `url`, and that the bastion uploaded the image; CDI tries again by itself.",
        source="kubevirt/containerized-data-importer: pkg/importer/http-datasource.go (expected status code)",
        pattern=r"expected status code \d+, got 404|\b404 Not Found",
    ),
    Cause(
        "image-pull",
        "A node cannot pull a container image.",
        "Check the image's name and tag, the registry's certificate, and the pull secret of the namespace.",
        source="kubernetes: pkg/kubelet/images/types.go (ErrImagePull, ImagePullBackOff, InvalidImageName)",
        pattern=r"ErrImagePull|ImagePullBackOff|InvalidImageName|failed to pull image",
    ),
    Cause(
        "node-lost",
        "The node was lost, drained or short of memory, and the pod was evicted.",
        "Check the node. A conversion Job starts its pod again by itself; if the run has failed, raise `attempt` of "
        "the group.",
        source="kubernetes: pkg/controller/podgc, pkg/kubelet/eviction (Evicted, NodeLost, DisruptionTarget); "
        "KubeVirt: pkg/virt-controller/watch/node/node.go (NodeUnresponsive)",
        pattern=r"\bEvicted\b|NodeLost|NodeUnresponsive|DeletionByTaintManager|DeletionByPodGC|TerminationByKubelet"
        r"|EvictionByEvictionAPI|node was low on resource|node is not ready|virt-handler is not responsive",
    ),
    Cause(
        "no-node",
        "No node can run the pod: not enough CPU or memory, taints, or a volume on another node.",
        "Compare the VM's size, `nodeSelector` and `tolerations` with the nodes; free capacity or correct them.",
        source="kubernetes: pkg/scheduler/schedule_one.go (FailedScheduling); KubeVirt: ErrorUnschedulable",
        pattern=r"FailedScheduling|Unschedulable|\d+/\d+ nodes are available",
    ),
    Cause(
        "volume-not-provisioned",
        "The storage does not provide the volume: the class or its provisioner is missing, or it refuses the request.",
        "Read the events of the PersistentVolumeClaim. Correct the class in `storage`, or repair its CSI driver; the "
        "rest follows by itself.",
        source="kubernetes: pkg/controller/volume/persistentvolume/pv_controller.go (ProvisioningFailed, "
        "FailedBinding)",
        pattern=r"ProvisioningFailed|FailedBinding|storageclass\S* .{0,80}not found|no persistent volumes available"
        r"|failed to provision volume",
    ),
    Cause(
        "volume-lost",
        "A volume that was bound has lost its storage.",
        "Restore the PersistentVolume, or delete the claim to copy the disk again.",
        source="kubernetes: pkg/controller/volume/persistentvolume/pv_controller.go (ClaimLost)",
        pattern=r"ClaimLost|ErrClaimLost|\bpvc lost\b",
    ),
    Cause(
        "out-of-memory",
        "A pod ran out of memory and was killed.",
        f"Raise the memory of the conversion or of the namespace's limits, {_RETRY}.",
        source="kubernetes: pkg/kubelet/kuberuntime (OOMKilled)",
        pattern=r"OOMKilled|out of memory",
    ),
    Cause(
        "disk-full",
        "There is no space left: in the guest's file systems, on the node, or in the volume.",
        f"Free space in the guest (virt-v2v needs 100 MiB on / and C:), or add scratch space; {_RETRY}.",
        source="libguestfs/virt-v2v: docs/virt-v2v.pod (FREE SPACE IN THE GUEST)",
        pattern=r"no space left on device|not enough free space",
    ),
    Cause(
        "hook-failed",
        "A hook of the Plan failed.",
        f"Read the log of the hook's Job in the Plan's namespace, correct its playbook, {_RETRY}.",
        source="kubev2v/forklift: pkg/controller/plan/hook.go",
        pattern=r"PreHook|PostHook|Retry limit exceeded",
    ),
    Cause(
        "conversion-failed",
        "The guest could not be copied or converted by virt-v2v.",
        "Read the end of the conversion pod's log: it names the step. Correct the guest in vSphere (free space, file "
        f"system, boot loader), {_RETRY}.",
        source="kubev2v/forklift: pkg/controller/plan/migration.go (Guest conversion failed); vmferry's convert.sh",
        pattern=r"guest conversion|virt-v2v",
    ),
    Cause(
        "import-failed",
        "CDI could not fill a volume.",
        "Read the log of the importer pod in the namespace; correct the source of the disk.",
        source="kubevirt/containerized-data-importer: pkg/controller/datavolume/import-controller.go (ImportFailed)",
        pattern=r"unable to process data|unable to connect to .{0,40}data source|failed to import into PVC"
        r"|disk transfer",
    ),
    Cause(
        "vm-crashes",
        "The VM starts and crashes again and again.",
        "Look at its console (`virtctl vnc`) and at the events of its VirtualMachineInstance.",
        source="kubevirt: staging/src/kubevirt.io/api/core/v1/types.go (CrashLoopBackOff)",
        pattern=r"CrashLoopBackOff",
    ),
    Cause(
        "volume-missing",
        "The VM refers to a volume that does not exist or failed.",
        "Check the DataVolumes and PersistentVolumeClaims of the VM, and that its overlay is synced.",
        source="kubevirt: staging/src/kubevirt.io/api/core/v1/types.go (ErrorPvcNotFound, DataVolumeError)",
        pattern=r"ErrorPvcNotFound|DataVolumeError|PVC is missing",
    ),
    Cause(
        "smoke-test-failed",
        "A VM of a smoke test runs, but does not reach its peer or the gateway over the network.",
        "Look at its console (`virtctl console`): it says who does not answer. Check the VLAN on the switch ports of "
        "the nodes, the bridge or bridge mapping on both nodes, and that nothing else has the test's addresses.",
        source="vmferry: backends/networks.py",
    ),
    Cause(
        "preflight-failed",
        "A node lacks something that the migration needs.",
        "Fix what the test says: docs/preflight.md names the cause of each message. Then delete the test's Job: the "
        "GitOps engine creates it again. To move a group nevertheless: `vmferry sign --stage prepared`.",
        source="vmferry: backends/scripts/preflight.sh (exit code 45)",
    ),
    Cause(
        "preflight-not-run",
        "The Job of a pre-flight test ended before it had results.",
        "Look at the Job's pods: their image needs bash, curl, coreutils and openssl, and has to run as any user. Then "
        "delete the Job: the GitOps engine creates it again.",
        source="vmferry: backends/preflight.py",
    ),
    Cause(
        "network-not-attached",
        "A pod cannot be attached to a network: its node lacks the bridge, the device or the CNI plugin.",
        "Look at the event: it names the network and what its plugin says. Fix it on that node, and the pod starts by "
        "itself.",
        source="kubernetes: pkg/kubelet/kuberuntime/kuberuntime_manager.go (FailedCreatePodSandBox); "
        "k8snetworkplumbingwg/multus-cni: pkg/multus/multus.go (error adding container to network)",
        pattern=r"FailedCreatePodSandBox.*(error adding (container|pod)|multus|cannot find a network-attachment)",
    ),
    Cause(
        "check-failed",
        "The VM runs, and does not pass a check of the spec.",
        "Fix what the check says, in the guest or on the way to it, or correct the check in the spec. Then delete the "
        "group's check Job: the GitOps engine creates it again. To accept the group as it is: `vmferry sign "
        "--despite-checks`.",
        source="vmferry: backends/scripts/check.sh (exit code 45)",
    ),
    Cause(
        "check-not-run",
        "The Job that checks the VMs of the group ended before it had results.",
        "Look at the Job's pod: its image needs bash, curl and coreutils, and has to run as any user. Then delete the "
        "Job: the GitOps engine creates it again.",
        source="vmferry: backends/checks.py",
    ),
    Cause(
        "data-differ",
        "What a check printed in the target is not what it printed at the source before the move.",
        "Run the check's script against the target, and compare. If someone wrote in between, accept the group: "
        "`vmferry sign --despite-checks`. If data are missing, roll it back.",
        source="vmferry: estate/integrity.py",
    ),
    Cause(
        "nothing-to-compare",
        "Nobody recorded what the check printed at the source in this attempt, so that nothing can be compared.",
        "Compare by hand, and accept the group: `vmferry sign --despite-checks`. A source is only asked while it runs: "
        "docs/checks.md.",
        source="vmferry: estate/integrity.py",
    ),
    Cause(
        "slower-than-before",
        "The VM is slower than it was in vSphere, beyond its margin.",
        "docs/performance.md says what to look at. Once it is faster, compare again: `vmferry observe --queries`. To "
        "accept the group as it is: `vmferry sign --despite-performance`.",
        source="vmferry: estate/performance.py",
    ),
    Cause(
        "not-compared",
        "Prometheus has too little of the VM to compare it with its baseline.",
        "Wait until the VM has run for the whole `period`, and ask again: `vmferry observe --queries`. If something "
        "stays missing, Prometheus has to scrape virt-handler of every node.",
        source="vmferry: observe/prometheus.py",
    ),
    Cause(
        "agent-not-connected",
        "The VM runs, but its guest agent is not connected.",
        "Log in to the guest: qemu-guest-agent has to be installed, enabled and running. On Windows it comes with "
        "virtio-win's guest tools.",
        source="kubevirt: staging/src/kubevirt.io/api/core/v1/types.go (AgentConnected)",
    ),
    Cause(
        "plan-not-ready",
        "Forklift's checks found something in the Plan that has to be fixed first.",
        "Fix what the condition names, in the spec or in vSphere; the Plan becomes Ready by itself.",
        source="kubev2v/forklift: pkg/controller/plan/validation.go (category Critical)",
    ),
    Cause(
        "sync-failed",
        "Flux or Argo CD could not apply the group's files, or what they applied is not healthy.",
        "Read the message, correct the cause, and let it sync again.",
        source="fluxcd/kustomize-controller: Ready condition; argoproj/argo-cd: status.operationState",
    ),
    Cause(
        "unknown",
        "It failed for a reason that vmferry does not know.",
        "Read what the cluster said, and the log of the pod.",
    ),
)
"""Every cause, the most specific first: the first whose pattern matches counts."""

BY_CODE = {cause.code: cause for cause in CAUSES}


def recognized(texts: Iterable[str]) -> Cause | None:
    """Return the cause that reasons and messages of the cluster name; None if it is not known."""
    words = "\n".join(texts)
    return next((cause for cause, pattern in _patterns() if pattern.search(words)), None)


@cache  # only what reads the cluster's words needs them
def _patterns() -> tuple[tuple[Cause, re.Pattern[str]], ...]:
    return tuple((cause, re.compile(cause.pattern, re.IGNORECASE)) for cause in CAUSES)
