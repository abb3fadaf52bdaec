"""How long a source is kept beside its target, what both do meanwhile, and how clients move from one to the other."""

from typing import Annotated, Literal

from msgspec import Meta

from vmferry.model.base import Duration, Model

DualRunMode = Literal["fallback", "parallel", "replica"]
Weight = Annotated[int, Meta(ge=0, le=100)]


class DualRun(Model, frozen=True, kw_only=True):
    """How long the source is kept after cutover, and how."""

    mode: Annotated[
        DualRunMode,
        Meta(
            description="fallback: the source is off, and kept. parallel: both serve, and clients move step by step. "
            "replica: a new VM that replication fills, and that is promoted at the cutover."
        ),
    ] = "fallback"
    at_least: Annotated[Duration, Meta(description="For how long.")] = "14d"
    weights: Annotated[
        tuple[Weight, ...],
        Meta(
            min_length=1,
            max_length=20,
            description="parallel: percent of clients that go to the target, step by step. `weight` of a group is the "
            "step that it is at.",
        ),
    ] = (100,)
