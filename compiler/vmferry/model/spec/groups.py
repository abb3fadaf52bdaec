"""The move groups of a spec, and their stages."""

from typing import Annotated, Literal

from msgspec import Meta

from vmferry.model.base import Model, Name, Text, Timestamp
from vmferry.model.spec.contacts import Contacts
from vmferry.model.spec.dual_run import Weight

Stage = Literal[
    "planned", "prepared", "migrating", "cutover", "adopted", "validated", "retired", "rolled-back"
]  # in order; the last one leads back

DataLoss = Literal["accepted", "replayed"]


class GroupState(Model, frozen=True, kw_only=True):
    """The stage of a move group; a pull request advances it."""

    stage: Annotated[Stage, Meta(description="Its stage.")] = "planned"
    split_from: Annotated[Name, Meta(description="Group that its VMs left.")] | None = None
    vms: Annotated[
        tuple[Text, ...], Meta(description="VMs that left that group for this one, by name or id; with `splitFrom`.")
    ] = ()
    hold: (
        Annotated[Text, Meta(description="Why it stays at its stage for now; it can still be rolled back.")] | None
    ) = None
    attempt: Annotated[
        int,
        Meta(
            ge=1,
            le=99,
            description="Number of the attempt; raise it to retry a failed run before cutover, or after a roll-back.",
        ),
    ] = 1
    remigrate: Annotated[
        int,
        Meta(
            ge=0,
            le=99,
            description="Raise it to migrate again after a roll-back: it states that what the earlier migration left "
            "in the target was deleted.",
        ),
    ] = 0
    data_loss: (
        Annotated[
            DataLoss,
            Meta(
                description="What becomes of what the VMs wrote in the target, if they are rolled back after cutover: "
                "its loss is accepted, or it is replayed at the source."
            ),
        ]
        | None
    ) = None
    reason: Annotated[Text, Meta(description="Why it is rolled back.")] | None = None
    graduated: Annotated[
        bool,
        Meta(
            description="Its VMs belong to another repository (`vmferry graduate`): they are no longer synced from "
            "here, and nothing is pruned."
        ),
    ] = False
    weight: (
        Annotated[
            Weight,
            Meta(
                description="Percent of clients that go to the target, in a phase with `dualRun.mode: parallel`: one "
                "of its `dualRun.weights`. Default: 0."
            ),
        ]
        | None
    ) = None
    cutover: Annotated[Timestamp, Meta(description="When a warm migration cuts over.")] | None = None
    vm_cutover: Annotated[
        dict[Text, Timestamp],
        Meta(description="Cutover times of single VMs, by name or id. Needs Forklift main."),
    ] = {}
    contacts: Annotated[Contacts, Meta(description="Whom to reach; over those of its phase.")] = Contacts()
