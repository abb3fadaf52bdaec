"""Method cold of path forklift: the source is shut down, then Forklift copies it."""

from vmferry.estate.methods.traits import MOVING, STARTED, Layer, MoveMethod
from vmferry.estate.stages import OWNED
from vmferry.kube import kinds

METHOD = MoveMethod(
    path="forklift",
    layers={
        "plan": Layer(("prepared", *MOVING, *OWNED)),
        # Rolled back, the Migration is cancelled: VMs that have not cut over end there, the others are left alone.
        "migration": Layer(MOVING, wave=2, kept=MOVING),
        # Forklift creates the VMs; before that, manifests of theirs would be in its way (VMAlreadyExists).
        "machines": Layer(OWNED, wave=3, kept=STARTED, late=True),
    },
    steps=(("plan", ("plan",)), ("migration", ("migration",)), ("machines", ("machines",))),  # see `warm`
    kinds=(kinds.SERVICE, kinds.VIRTUAL_MACHINE),
    usual=lambda _: "it is off, or changed block tracking is not known to be on",
    reads=True,
)
