"""Method replica of path virt-v2v: a clone of a golden image runs beside its source, and replication fills it."""

from collections.abc import Iterator

from vmferry.estate.methods.traits import (
    ALIAS,
    ALIAS_STEP,
    CHECK_STEP,
    CHECKS,
    DNS,
    DNS_STEP,
    MOVING,
    SNAPSHOT_STEP,
    SNAPSHOTS,
    STARTED,
    Layer,
    MoveMethod,
    Trouble,
)
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
        "snapshots": SNAPSHOTS,
        "alias": ALIAS,
        "dns": DNS,
        "checks": CHECKS,
    },
    steps=(("machines", ("machines",)), SNAPSHOT_STEP, ALIAS_STEP, DNS_STEP, CHECK_STEP),
    kinds=(kinds.SERVICE, kinds.VIRTUAL_MACHINE),
    refuses=_refuses,
    from_images=True,
    source_runs=True,
    replicates=True,
)
