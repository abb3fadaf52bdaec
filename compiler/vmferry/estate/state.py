"""Which VMs have state outside of their disks: EFI variables and vTPM content."""

from vmferry.kube.provisioners import claims
from vmferry.model.blueprint import Machine
from vmferry.model.spec import Cluster, Storage, StorageClass


def keeps_state(machine: Machine) -> bool:
    """Return whether KubeVirt keeps a state volume for the VM (pkg/storage/backend-storage).

    Path virt-v2v requests persistent EFI variables; Forklift does not (vsphere/builder.go mapFirmware, mapTpm).
    """
    if machine.golden or machine.path == "rebuild":
        return False
    return machine.vtpm or (machine.path == "virt-v2v" and machine.firmware == "efi")


def state_class(cluster: Cluster, storage: Storage) -> StorageClass | None:
    """Return the class of state volumes; None if it is not stated, or not in the spec."""
    return next((each for each in storage.classes if each.name == cluster.vm_state_storage_class), None)


def shared_state(found: StorageClass | None) -> bool:
    """Return whether a class gives state volumes ReadWriteMany: they are file systems (getAccessMode)."""
    return found is not None and ("ReadWriteMany", "Filesystem") in claims(found)
