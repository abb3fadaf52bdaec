"""The stages of a move group as one table: what is the case at each, and where it leads.

Which layers a stage puts into the cluster is up to the method (`vmferry.estate.methods`).
"""

from typing import Literal, NamedTuple, get_args

from vmferry.model.spec import Stage

STAGES: tuple[Stage, ...] = get_args(Stage)
"""Every stage in order, and last the one that leads back."""

OWNED: tuple[Stage, ...] = ("adopted", "validated", "retired")
"""The stages at which git owns the VMs: what copied them is no longer synced."""


class Row(NamedTuple):
    """What is the case with a group's VMs at a stage."""

    frozen: bool  # they stay as they were written down, whatever is decided later
    target: Literal["nothing", "copies", "runs", "stopped"]  # what is there of them, at most
    source: Literal["serves", "off", "gone"]  # off: a fallback; gone: its owner may delete it
    ttl: Literal["usual", "lowered"]  # of the records in DNS that change
    next: tuple[Stage, ...]  # where a pull request may take the group: onward first
    means: str  # what the documentation says of it


TABLE: dict[Stage, Row] = {
    "planned": Row(
        frozen=False,
        target="nothing",
        source="serves",
        ttl="usual",
        next=("prepared",),
        means="Nothing of the group is in the cluster. Its VMs are decided again by every compile.",
    ),
    "prepared": Row(
        frozen=True,
        target="nothing",
        source="serves",
        ttl="lowered",
        next=("migrating", "rolled-back"),
        means="The surroundings of the VMs are in the cluster, and nothing is copied. The VMs are frozen.",
    ),
    "migrating": Row(
        frozen=True,
        target="copies",
        source="serves",
        ttl="lowered",
        next=("cutover", "rolled-back"),
        means="Disks are copied and converted.",
    ),
    "cutover": Row(
        frozen=True,
        target="runs",
        source="off",
        ttl="lowered",
        next=("adopted", "rolled-back"),
        means="The VMs run in the target, or do so from the time of the cutover on. The source is off, and kept.",
    ),
    "adopted": Row(
        frozen=True,
        target="runs",
        source="off",
        ttl="lowered",
        next=("validated", "rolled-back"),
        means="Git owns the VMs: their complete manifests are synced. What copied them is no longer synced, and kept.",
    ),
    "validated": Row(
        frozen=True,
        target="runs",
        source="off",
        ttl="usual",
        next=("retired", "rolled-back"),
        means="The VMs are accepted. The source is kept for as long as the phase's `dualRun` says.",
    ),
    "retired": Row(
        frozen=True,
        target="runs",
        source="gone",
        ttl="usual",
        next=(),
        means="The migration is over: there is no way back, and the owner of the source may delete it.",
    ),
    "rolled-back": Row(
        frozen=True,
        target="stopped",
        source="serves",
        ttl="usual",
        next=("prepared", "planned"),
        means="The source serves again. What is in the target is stopped and kept.",
    ),
}
"""Every stage, in order. To find out what a stage means, use the functions below, which read this."""


def rank(stage: Stage) -> int:
    """Return how far a stage is: 0 is `planned`, and a group that is rolled back is as far as a planned one."""
    return 0 if stage == "rolled-back" else STAGES.index(stage)


def way(before: Stage, after: Stage) -> tuple[Stage, ...] | None:
    """Return the stages that lie between two, the shortest way; None where no pull requests lead from one to the other.

    Nothing lies between a stage and itself, or the next. No way leads over `rolled-back`: whoever rolls back says so.
    """
    if before == after or after in TABLE[before].next:
        return ()
    if after == "rolled-back":
        return None
    ways: list[tuple[Stage, ...]] = [(stage,) for stage in TABLE[before].next]
    seen: set[Stage] = {before, "rolled-back"}
    for steps in ways:  # grows meanwhile
        if steps[-1] == after:
            return steps[:-1]
        if steps[-1] not in seen:
            seen.add(steps[-1])
            ways += [(*steps, stage) for stage in TABLE[steps[-1]].next]
    return None


def keeping(stage: Stage) -> str:
    """Return what to do with a group instead of moving it back from a stage."""
    if TABLE[stage].next == ():
        return f"keep stage: {stage}; a group that is {stage} has no way back"
    again = "; to start over, raise `attempt`" if TABLE[stage].target == "copies" else ""
    later = ", and stage: planned in a later commit" if TABLE[stage].target == "nothing" else ""
    return f"keep stage: {stage}{again}; to take it back, set stage: rolled-back{later}"


def onward(stage: Stage) -> Stage | None:
    """Return the stage that follows; None after the last one, and where a group is rolled back."""
    following = TABLE[stage].next
    return following[0] if following and stage != "rolled-back" else None


def in_order(stage: Stage) -> bool:
    """Return whether each part of a group is applied once the one before is healthy: only while it moves.

    Later, a Plan or a Migration that is no longer healthy must not keep its VMs from being synced, or stopped.
    """
    return stage not in (*OWNED, "rolled-back")


def frozen(stage: Stage) -> bool:
    """Return whether the VMs of a group at this stage stay as they were written down."""
    return TABLE[stage].frozen


def begun(stage: Stage) -> bool:
    """Return whether the VMs are being moved or were: before that, what is wrong with a Plan can be put right."""
    return TABLE[stage].target != "nothing"


def moves(stage: Stage) -> bool:
    """Return whether the VMs are being moved, or have moved and were not rolled back."""
    return TABLE[stage].target in ("copies", "runs")


def started(stage: Stage) -> bool:
    """Return whether the VMs may have run in the target, so that their copies are done."""
    return TABLE[stage].target not in ("nothing", "copies")


def running(stage: Stage) -> bool:
    """Return whether the target runs."""
    return TABLE[stage].target == "runs"


def serves(stage: Stage) -> bool:
    """Return whether the source is what serves, if it is not off for its copy; otherwise it is a fallback, or gone."""
    return TABLE[stage].source == "serves"
