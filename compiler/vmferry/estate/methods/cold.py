"""Method cold of path forklift: the source is shut down, then Forklift copies it."""

from vmferry.estate.methods.traits import PLAN_LAYERS, PLAN_STEPS, MoveMethod
from vmferry.kube import kinds

METHOD = MoveMethod(
    path="forklift",
    layers=PLAN_LAYERS,
    steps=PLAN_STEPS,
    kinds=(kinds.SERVICE, kinds.VIRTUAL_MACHINE),
    usual=lambda _: "it is off, or changed block tracking is not known to be on",
    reads=True,
)
