"""Where KubeVirt keeps a guest's state outside of its disks: EFI variables and vTPM state."""

from collections.abc import Iterator

from vmferry.estate.state import keeps_state, state_class
from vmferry.kube.provisioners import claims
from vmferry.model.blueprint import Machine
from vmferry.model.review import Problem, Review
from vmferry.rules.registry import rule

_SOURCE = "kubevirt v1.6.2 pkg/storage/backend-storage/backend-storage.go getStorageClass, getAccessMode"
_PLACE = ("target", "cluster", "vmStateStorageClass")


def _stateful(review: Review) -> list[Machine]:
    return [machine for _, _, machine in review.moving if keeps_state(machine)]


@rule("VMF551", "info", "EFI or vTPM state needs a StorageClass", source=f"{_SOURCE}; kubevirt/user-guide #911")
def no_state_class(review: Review) -> Iterator[Problem]:
    """KubeVirt keeps EFI variables and vTPM state of each VM on a separate volume.

    Its StorageClass is `vmStateStorageClass` in the KubeVirt resource, or else the cluster's default class. With
    neither, the VM does not start.
    """
    machines = _stateful(review)
    if machines and review.spec.target.cluster.vm_state_storage_class is None:
        vms = "1 VM has" if len(machines) == 1 else f"{len(machines)} VMs have"
        yield Problem(
            f"{vms} EFI variables or vTPM state, whose volume needs vmStateStorageClass or a default StorageClass",
            "set configuration.vmStateStorageClass in the KubeVirt resource, and state that class in "
            "target.cluster.vmStateStorageClass",
            review.at("target", "cluster"),
            tuple(sorted({machine.name for machine in machines})),
        )


@rule("VMF552", "error", "StorageClass for EFI and vTPM state cannot hold it", source=_SOURCE)
def unfit_state_class(review: Review) -> Iterator[Problem]:
    """State volumes are file systems. A class that does not exist, or only has block volumes, leaves VMs pending."""
    cluster, storage = review.spec.target.cluster, review.spec.storage
    name = cluster.vm_state_storage_class
    if name is None:
        return
    vms = tuple(sorted({machine.name for machine in _stateful(review)}))
    found = state_class(cluster, storage)
    if found is None:
        known = ", ".join(each.name for each in storage.classes) or "none"
        yield Problem(
            f"vmStateStorageClass {name} is not defined",
            f"add it to `storage.classes`; defined: {known}",
            review.at(*_PLACE),
            vms,
        )
    elif (can := claims(found)) and not any(mode == "Filesystem" for _, mode in can):
        yield Problem(
            f"vmStateStorageClass {name} only has block volumes, and state volumes are file systems",
            "use a class with volume mode Filesystem",
            review.at(*_PLACE),
            vms,
        )
