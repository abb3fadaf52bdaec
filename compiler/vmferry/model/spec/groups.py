"""The move groups of a spec, and their stages."""

from typing import Annotated, Literal

from msgspec import Meta

from vmferry.model.base import Model, Text, Timestamp

Stage = Literal["planned", "prepared", "migrating", "cutover"]  # in order


class GroupState(Model, frozen=True, kw_only=True):
    """The stage of a move group; a pull request advances it."""

    stage: Annotated[Stage, Meta(description="Its stage.")] = "planned"
    attempt: Annotated[
        int, Meta(ge=1, le=99, description="Number of the attempt; raise it to retry a failed run, before cutover.")
    ] = 1
    cutover: Annotated[Timestamp, Meta(description="When a warm migration cuts over.")] | None = None
    vm_cutover: Annotated[
        dict[Text, Timestamp],
        Meta(description="Cutover times of single VMs, by name or id. Needs Forklift main."),
    ] = {}
