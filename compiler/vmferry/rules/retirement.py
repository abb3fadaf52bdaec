"""The way back: a source is kept for as long as it is promised, and who goes back takes along what depends on it."""

from collections import defaultdict
from collections.abc import Iterator

from vmferry.estate.cutover import cutover_of
from vmferry.estate.history import History
from vmferry.estate.methods import METHODS
from vmferry.estate.phases import moment
from vmferry.estate.stages import running
from vmferry.kube.quantity import parse_duration
from vmferry.model.blueprint import Group
from vmferry.model.review import Problem, Review
from vmferry.rules.phases import dependencies, time_text
from vmferry.rules.registry import rule

_SHOWN = 5  # pairs a message names


@rule("VMF868", "error", "group is retired before its dual run is over", needs="comparison", progress=True, groups=True)
def retired_early(review: Review) -> Iterator[Problem]:
    """`dualRun.atLeast` promises that the source is kept for that long after the cutover. At `retired` it may be gone.

    A cutover is at the time that the group states; if it states none, when evidence.yaml first has the VM running in
    the target. Where nobody knows the time, this rule finds nothing.
    """
    if review.before is None or review.now is None:
        return
    promises = {phase.name: phase.dual_run for phase in review.spec.phases}
    was = {group.name: group.stage for group in review.before.blueprint.groups}
    history = History(review.project.evidence)
    for group in review.blueprint.groups:
        before, promise = was.get(group.name, "planned"), promises.get(group.phase)
        if group.stage != "retired" or before == "retired" or promise is None:
            continue
        cutover = _cutover(group, history)
        if cutover is None:
            continue
        end = cutover + parse_duration(promise.at_least)
        if review.now.timestamp() < end:
            yield Problem(
                f"group {group.name} goes to retired, and its dual run of {promise.at_least} is not over before "
                f"{time_text(end)}",
                f"keep stage: {before} until then, or set a shorter dualRun.atLeast for phase {group.phase}",
                review.at("groups", group.name, "stage"),
                tuple(machine.name for machine in group.machines),
            )


def _cutover(group: Group, history: History) -> float | None:
    """Return when the last VM of a group cut over, as seconds since 1970; None if nobody knows of any."""
    if METHODS[group.method].replicates:  # its VMs ran before they were promoted
        proofs = (entry for entry in history.of(group) if entry.what == "replication")
        return max((moment(entry.finished) for entry in proofs if entry.finished), default=None)
    times = [
        cutover_of(group, machine) or history.first(group, "virtualMachine", machine.key) for machine in group.machines
    ]
    return max((moment(time) for time in times if time), default=None)


@rule("VMF869", "warning", "group was rolled back while VMs in the target depend on it", groups=True)
def left_behind(review: Review) -> Iterator[Problem]:
    """They run in the target, and what they need runs in vSphere again: behind another network, and with older data.

    A roll-back must always be possible, so it is not refused. Whoever does it should know who else is affected.
    """
    affected: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for subject, _, other in dependencies(review):
        if subject.group is None or other.group is None or not running(subject.group.stage):
            continue
        if other.group.stage == "rolled-back":
            affected[other.group.name].append((subject.name, other.name))
    for group, pairs in affected.items():
        shown = ", ".join(f"{vm} needs {needed}" for vm, needed in pairs[:_SHOWN])
        more = f", and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else ""
        yield Problem(
            f"group {group} is rolled back, and VMs that run in the target depend on it: {shown}{more}",
            "check that they reach it in vSphere, or roll them back too",
            review.at("groups", group, "stage"),
            tuple(sorted({name for pair in pairs for name in pair})),
        )
