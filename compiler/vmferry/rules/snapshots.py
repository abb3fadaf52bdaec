"""Snapshots before acceptance: VMs that cannot have one."""

from collections.abc import Iterator

from vmferry.estate.snapshots import has_volumes, obstacle
from vmferry.model.review import Problem, Review
from vmferry.rules.registry import rule


@rule(
    "VMF888",
    "error",
    "VM cannot be snapshotted before its acceptance",
    source="kubevirt pkg/storage/snapshot/snapshot.go createContent: leaves out volumes without a VolumeSnapshotClass",
    each=True,
)
def unsnapshotted(review: Review) -> Iterator[Problem]:
    """The phase has `acceptanceSnapshot: true`, and this VM gets no snapshot: there would be nothing to restore it to.

    KubeVirt would take one of the other disks alone and call it a success. A shared disk goes on in its other VMs. If
    the VM is backed up in another way, suppress this with that reason: it is then accepted without a snapshot.
    """
    phases = {phase.name for phase in review.spec.phases if phase.acceptance_snapshot}
    classes = {item.name: item for item in review.spec.storage.classes}
    for subject, group, machine in review.moving if phases else ():
        if group.phase not in phases or group.graduated or group.stage == "retired" or not has_volumes(machine):
            continue
        if (found := obstacle(machine, classes)) is not None:
            yield subject.problem(f"no snapshot before its acceptance: {found.what}", found.fix, "disks")
