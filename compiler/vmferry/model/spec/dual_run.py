"""How long a source is kept beside its target, what both do meanwhile, and how clients move from one to the other."""

from typing import Annotated, Literal

from msgspec import Meta

from vmferry.model.base import Duration, Model, Name, Subdomain, Text

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


class Replication(Model, frozen=True, kw_only=True):
    """How a replica is filled and promoted, each by reference: a path, a link, or a job. vmferry runs none of them."""

    set_up: Annotated[Text, Meta(description="Makes the target a replica of the source.")]
    stop_writes: Annotated[Text, Meta(description="Makes the source read-only, or stops it.")]
    caught_up: Annotated[Text, Meta(description="Proves that the target has everything that the source committed.")]
    promote: Annotated[Text, Meta(description="Makes the target the primary.")]
    resume_writes: Annotated[Text, Meta(description="Lets the source take writes again, after a roll-back.")]


class ServiceAlias(Model, frozen=True, kw_only=True):
    """A Service of type ExternalName: a name in the cluster that leads to the source, and then to the target."""

    name: Annotated[Name, Meta(description="Name of the Service, in the namespace of the VM.")]
    before: Annotated[Subdomain, Meta(description="Host name of the source, as pods resolve it.")]
    after: (
        Annotated[Subdomain, Meta(description="Host name of the target. Default: the Service of its `ports`.")] | None
    ) = None
