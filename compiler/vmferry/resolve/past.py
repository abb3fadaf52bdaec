"""What the record says of a group's past: from where it was rolled back, and what going on takes."""

from collections.abc import Iterator

from vmferry.estate.again import MIGRATED_AGAIN, Run, misfits
from vmferry.estate.stages import begun, running
from vmferry.model.assignments import Assignment, Assignments
from vmferry.model.finding import Where
from vmferry.model.rule import declare
from vmferry.model.spec import GroupState, Method, Stage
from vmferry.resolve.notes import Noting


def histories(assignments: Assignments | None) -> dict[str, Assignment]:
    """Return a record of each group, by name: what it says of the group is the same for all its VMs."""
    found: dict[str, Assignment] = {}
    for _, item in sorted(assignments.vms.items()) if assignments else ():
        found.setdefault(item.group, item)
    return found


def reached_by(state: GroupState, past: Assignment | None) -> Stage | None:
    """Return the stage from which a group was rolled back; None if it is not."""
    if state.stage != "rolled-back" or past is None:
        return None
    return past.reached if past.stage == "rolled-back" else past.stage


def check_history(name: str, state: GroupState, method: Method, past: Assignment | None, where: Where) -> Noting[None]:
    """Report what does not follow from a group's past. ``where`` is the group in the spec."""
    past = past or Assignment(group=name)
    if state.hold is not None and (change := _moved(state, past)):
        yield ON_HOLD.finding(
            f"group {name} is on hold ({state.hold}), and {change}",
            "remove `hold` to let it move; a group on hold can only be rolled back",
            where=where.at("hold"),
        )
    yield from _check_data_loss(name, state, past, where)
    before = Run(stage=past.stage, attempt=past.attempt or 1, remigrate=past.remigrate, reached=past.reached)
    for misfit in misfits(
        name, method, before, Run(stage=state.stage, attempt=state.attempt, remigrate=state.remigrate)
    ):
        yield MIGRATED_AGAIN.finding(misfit.message, misfit.fix, where=where)


ON_HOLD = declare(
    "VMF865",
    "error",
    "group on hold moves",
    why="`hold` says why a group must stay where it is: an owner who is away, a supplier who has to be asked. Whoever "
    "advances many groups at once would not see that.",
)


def _moved(state: GroupState, past: Assignment) -> str | None:
    """Return how a group moves; None if it does not, or is rolled back."""
    if state.stage == "rolled-back":
        return None
    if state.stage != past.stage:
        return f"goes from {past.stage} to {state.stage}"
    if begun(past.stage) and state.attempt > (past.attempt or state.attempt):
        return f"begins attempt {state.attempt}"
    return None


DATA_LOSS = declare(
    "VMF863",
    "error",
    "roll-back does not say what becomes of the data",
    why="From its cutover on, a VM writes in the target. Its source knows nothing of that: who goes back to the source "
    "loses what was written since, unless it is replayed there. Someone has to have decided that, and why.",
)


def _check_data_loss(name: str, state: GroupState, past: Assignment, where: Where) -> Noting[None]:
    reached = reached_by(state, past)
    if state.stage != "rolled-back":
        if state.data_loss is not None:
            yield DATA_LOSS.finding(
                f"group {name} is at {state.stage} and states `dataLoss`",
                "remove `dataLoss` and `reason`: they are about a roll-back, and another one needs its own",
                where=where.at("dataLoss"),
            )
    elif reached is not None and running(reached) and reached != "retired":
        missing = [f"`{field}`" for field, value in _stated(state) if value is None]
        if missing:
            yield DATA_LOSS.finding(
                f"group {name} is rolled back from {reached} without {' and '.join(missing)}",
                _add(state),
                where=where.at("stage"),
            )
    elif reached in (None, "planned"):
        yield NOTHING_TO_ROLL_BACK.finding(
            f"group {name} is set to rolled-back and was never prepared",
            "remove its `stage`: there is nothing to roll back",
            where=where.at("stage"),
        )


def _add(state: GroupState) -> str:
    """Return what a roll-back has to state yet."""
    reason = "`reason`: why it is rolled back" if state.reason is None else ""
    if state.data_loss is not None:
        return f"add {reason}"
    replayed = "`dataLoss: replayed` if what was written in the target since the cutover is brought back to the source"
    return f"add `dataLoss: accepted`, or {replayed}{'; and add ' * bool(reason)}{reason}"


def _stated(state: GroupState) -> Iterator[tuple[str, str | None]]:
    yield "dataLoss", state.data_loss
    yield "reason", state.reason


NOTHING_TO_ROLL_BACK = declare(
    "VMF866",
    "error",
    "nothing to roll back",
    why="Only a group that was prepared has something in the cluster. The stage tells everyone that the group was "
    "moved, and the next compile would freeze VMs that nobody decided on.",
)
