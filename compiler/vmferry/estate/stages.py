"""The stages of a move group as one table: what is the case at each, and where it leads.

Which layers a stage puts into the cluster is up to the method (`vmferry.estate.methods`).
"""

from typing import Literal, NamedTuple, get_args

from vmferry.model.spec import Stage

STAGES: tuple[Stage, ...] = get_args(Stage)
"""Every stage that compiles, in order: none other is in the schemas, in messages or in help."""


class Row(NamedTuple):
    """What is the case with a group's VMs at a stage."""

    frozen: bool  # they stay as they were written down, whatever is decided later
    target: Literal["nothing", "copies", "runs"]  # what is there of them
    source: Literal["serves", "off"]  # off: a fallback
    next: tuple[Stage, ...]  # where a pull request may take the group


TABLE: dict[Stage, Row] = {
    "planned": Row(frozen=False, target="nothing", source="serves", next=("prepared",)),
    "prepared": Row(frozen=True, target="nothing", source="serves", next=("migrating",)),
    "migrating": Row(frozen=True, target="copies", source="serves", next=("cutover",)),
    "cutover": Row(frozen=True, target="runs", source="off", next=()),
}
"""Every stage, in order. To find out what a stage means, use the functions below, which read this."""


def rank(stage: Stage) -> int:
    """Return how far a stage is: 0 is `planned`."""
    return STAGES.index(stage)


def way(before: Stage, after: Stage) -> tuple[Stage, ...] | None:
    """Return the stages that lie between two, the shortest way; None where no pull requests lead from one to the other.

    Nothing lies between a stage and itself, or the next.
    """
    if before == after:
        return ()
    ways: list[tuple[Stage, ...]] = [(stage,) for stage in TABLE[before].next]
    seen = {before}
    for steps in ways:  # grows meanwhile
        if steps[-1] == after:
            return steps[:-1]
        if steps[-1] not in seen:
            seen.add(steps[-1])
            ways += [(*steps, stage) for stage in TABLE[steps[-1]].next]
    return None


def frozen(stage: Stage) -> bool:
    """Return whether the VMs of a group at this stage stay as they were written down."""
    return TABLE[stage].frozen


def begun(stage: Stage) -> bool:
    """Return whether the VMs are being moved or were: before that, what is wrong with a Plan can be put right."""
    return TABLE[stage].target != "nothing"


def started(stage: Stage) -> bool:
    """Return whether the VMs have run in the target, so that their copies are done."""
    return TABLE[stage].target not in ("nothing", "copies")


def running(stage: Stage) -> bool:
    """Return whether the target runs."""
    return TABLE[stage].target == "runs"


def serves(stage: Stage) -> bool:
    """Return whether the source is what serves, if it is not off for its copy; otherwise it is a fallback."""
    return TABLE[stage].source == "serves"
