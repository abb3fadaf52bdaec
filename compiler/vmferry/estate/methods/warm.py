"""Method warm of path forklift: precopies while the source runs, and a short stop at the cutover."""

from collections.abc import Iterator

from vmferry.estate.methods.traits import MOVING, STARTED, Layer, MoveMethod, Trouble
from vmferry.estate.stages import OWNED
from vmferry.kube import kinds
from vmferry.model.spec import VirtualMachine


def _usual(vm: VirtualMachine) -> str | None:
    tracked = vm.power_state == "poweredOn" and vm.change_tracking
    return "it runs and its changed blocks are tracked" if tracked else None


def _refuses(vm: VirtualMachine) -> Iterator[Trouble]:
    if vm.change_tracking is False:
        yield "changed block tracking is off, and warm copies need it", "turn it on, or use cold", ("changeTracking",)
    if vm.snapshots:
        yield "Forklift copies no VM with snapshots warm", "remove them, or use method cold", ("snapshots",)


METHOD = MoveMethod(
    path="forklift",
    layers={
        "plan": Layer(("prepared", *MOVING, *OWNED)),
        # Rolled back, the Migration is cancelled: VMs that have not cut over end there, the others are left alone.
        "migration": Layer(MOVING, wave=2, kept=MOVING),
        # Forklift creates the VMs; before that, manifests of theirs would be in its way (VMAlreadyExists).
        "machines": Layer(OWNED, wave=3, kept=STARTED, late=True),
    },
    # Flux dry-runs a whole root before it applies any of it, and Forklift's webhook refuses a Migration without a Plan.
    steps=(("plan", ("plan",)), ("migration", ("migration",)), ("machines", ("machines",))),
    kinds=(kinds.SERVICE, kinds.VIRTUAL_MACHINE),
    usual=_usual,
    refuses=_refuses,
    reads=True,
    independent_disks=False,
    source_runs=True,
    cutover=True,
)
