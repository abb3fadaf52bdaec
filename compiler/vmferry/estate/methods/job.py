"""Method job of path virt-v2v: a Job in the cluster copies and converts the VM."""

from vmferry.estate.methods.traits import MOVING, STARTED, VM_LAYERS, VM_STEPS, Layer, MoveMethod
from vmferry.estate.stages import OWNED
from vmferry.kube import kinds
from vmferry.kube.kinds import Right
from vmferry.model.spec import VirtualMachine


def _usual(vm: VirtualMachine) -> str | None:
    from_images = vm.template or vm.clone_of is not None or any(disk.shared for disk in vm.disks or ())
    return None if from_images else "the usual method of virt-v2v"


METHOD = MoveMethod(
    path="virt-v2v",
    # The Job is in the same layer as the volumes it fills, because a stage that leaves out one leaves out both. That is
    # also one wave: a volume that waits for its first consumer, the Job's pod, stays Progressing and blocks the next
    # wave.
    layers={
        "access": Layer(("prepared", *MOVING)),
        "conversion": Layer(MOVING, wave=1),
        "machines": Layer(("cutover", *OWNED), wave=3, kept=STARTED),
        **VM_LAYERS,
    },
    steps=(
        ("convert", ("access", "conversion")),
        ("machines", ("machines",)),
        *VM_STEPS,
    ),
    kinds=(
        *(kinds.SERVICE, kinds.CONFIG_MAP, kinds.SERVICE_ACCOUNT, kinds.JOB, kinds.DATA_VOLUME, kinds.VIRTUAL_MACHINE),
        Right(kinds.CLAIM, ("get", "patch")),  # the Jobs' own permissions: only who has them can grant them
    ),
    usual=_usual,
    facts=(
        ("datacenter", "its datacenter", "add `datacenter`: virt-v2v finds the VM by it"),
        ("host", "its ESXi host", "add `host`: virt-v2v finds the VM by it"),
    ),
    volumes="conversion",
    reads=True,
    converts=True,
    independent_disks=False,
)
