"""Method warm of path forklift: precopies while the source runs, and a short stop at the cutover."""

from collections.abc import Iterator

from vmferry.estate.methods.traits import PLAN_LAYERS, PLAN_STEPS, MoveMethod, Trouble
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
    layers=PLAN_LAYERS,
    steps=PLAN_STEPS,
    kinds=(kinds.SERVICE, kinds.VIRTUAL_MACHINE),
    usual=_usual,
    refuses=_refuses,
    reads=True,
    independent_disks=False,
    source_runs=True,
    cutover=True,
)
