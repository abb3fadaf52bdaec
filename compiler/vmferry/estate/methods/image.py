"""Method image of path virt-v2v: disks come from images that a bastion created, or CDI copies them unchanged."""

from vmferry.estate.methods.traits import MOVING, STARTED, VM_LAYERS, VM_STEPS, Layer, MoveMethod
from vmferry.estate.stages import OWNED
from vmferry.kube import kinds
from vmferry.model.spec import VirtualMachine


def _usual(vm: VirtualMachine) -> str | None:
    if vm.template or vm.clone_of is not None:
        return "templates and their clones come from images"
    shared = any(disk.shared for disk in vm.disks or ())
    return "a conversion Job would write its shared disk twice" if shared else None


METHOD = MoveMethod(
    path="virt-v2v",
    # Golden images stay when the volumes they were created from are no longer synced.
    layers={
        "volumes": Layer(MOVING, wave=1),
        "images": Layer((*MOVING, *OWNED), wave=1, kept=("migrating", *STARTED)),
        "machines": Layer(("cutover", *OWNED), wave=3, kept=STARTED),
        **VM_LAYERS,
    },
    steps=(
        ("import", ("volumes", "images")),
        ("machines", ("machines",)),
        *VM_STEPS,
    ),
    kinds=(kinds.SERVICE, kinds.DATA_VOLUME, kinds.DATA_SOURCE, kinds.VIRTUAL_MACHINE),
    usual=_usual,
    volumes="volumes",
    from_images=True,
)
