"""Method cold of path forklift: the source is shut down, then Forklift copies it."""

from vmferry.estate.methods.traits import Layer, MoveMethod
from vmferry.kube import kinds

METHOD = MoveMethod(
    path="forklift",
    layers={"plan": Layer(("prepared", "migrating", "cutover")), "migration": Layer(("migrating", "cutover"), wave=2)},
    steps=(("plan", ("plan",)), ("migration", ("migration",))),  # see `warm`
    kinds=(kinds.SERVICE,),
    usual=lambda _: "it is off, or changed block tracking is not known to be on",
    reads=True,
)
