"""Method replica of path virt-v2v: a clone of a golden image runs beside its source, and replication fills it."""

from collections.abc import Iterator

from vmferry.estate.methods.traits import MOVING, STARTED, VM_LAYERS, VM_STEPS, Layer, MoveMethod, Trouble
from vmferry.estate.stages import OWNED
from vmferry.kube import kinds
from vmferry.model.spec import VirtualMachine


def _refuses(vm: VirtualMachine) -> Iterator[Trouble]:
    if vm.clone_of is None:
        yield "method replica fills a new VM", "set cloneOf to a golden image, or use method image or job", ("method",)


METHOD = MoveMethod(
    path="virt-v2v",
    layers={
        "machines": Layer((*MOVING, *OWNED), wave=3, kept=("migrating", *STARTED)),
        **VM_LAYERS,
    },
    steps=(("machines", ("machines",)), *VM_STEPS),
    kinds=(kinds.SERVICE, kinds.VIRTUAL_MACHINE),
    refuses=_refuses,
    from_images=True,
    source_runs=True,
    replicates=True,
)
