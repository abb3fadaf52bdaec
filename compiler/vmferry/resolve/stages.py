"""What each stage of a move group puts into the cluster: the state machine as a table."""

from datetime import UTC, datetime, timedelta

from vmferry.estate.stages import STAGES
from vmferry.estate.statements import NOT_APPLICABLE, SCHEMA_MISFIT
from vmferry.kube.quantity import parse_duration
from vmferry.model.blueprint import Machine, Step
from vmferry.model.finding import Where
from vmferry.model.spec import GroupState, Method, Phase, Stage
from vmferry.resolve.declared import CUTOVER_OUTSIDE_WINDOW
from vmferry.resolve.notes import Noting

# method -> layer -> the stage from which on it is in the cluster. What fills volumes is in one layer with them: a stage
# that leaves out one leaves out both. Golden images stay when the volumes they were made of are no longer synced.
_LAYERS: dict[Method, dict[str, Stage]] = {
    "warm": {"plan": "prepared", "migration": "migrating"},
    "cold": {"plan": "prepared", "migration": "migrating"},
    "job": {"access": "prepared", "conversion": "migrating", "machines": "cutover"},
    "image": {"volumes": "migrating", "images": "migrating", "machines": "cutover"},
    "rebuild": {"config": "prepared", "workload": "migrating"},
}

# Layers that Flux applies as one root, in order: a later step waits for the earlier one. Flux dry-runs
# all of a root before it applies any of it, and Forklift's webhook refuses a Migration without its Plan.
_STEPS: dict[Method, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "warm": (("plan", ("plan",)), ("migration", ("migration",))),
    "cold": (("plan", ("plan",)), ("migration", ("migration",))),
    "job": (("convert", ("access", "conversion")), ("machines", ("machines",))),
    "image": (("import", ("volumes", "images")), ("machines", ("machines",))),
    "rebuild": (("workload", ("config", "workload")),),
}

_LONGEST = 10 * 365 * 86400  # seconds; a window of more is not meant

ALL = "all"
"""The one step of a group under Argo CD, where sync waves order what is in it."""


def layers(method: Method, machines: tuple[Machine, ...]) -> tuple[str, ...]:
    """Return the layers of a group that hold anything."""
    holds = {
        "volumes": any(machine.clone_of is None for machine in machines),
        "images": any(machine.golden for machine in machines),
        "machines": any(not machine.golden for machine in machines),
        "config": any(machine.state or (machine.application and machine.application.config) for machine in machines),
    }
    return tuple(layer for layer in _LAYERS[method] if holds.get(layer, True))


def steps(method: Method, stage: Stage, present: tuple[str, ...], engine: str) -> tuple[Step, ...]:
    """Return the roots that a group has at a stage."""
    reached = STAGES[: STAGES.index(stage) + 1]
    selected = [layer for layer in present if _LAYERS[method][layer] in reached]
    if engine == "argocd":
        return (Step(name=ALL, layers=tuple(selected)),) if selected else ()
    result: list[Step] = []
    for name, wanted in _STEPS[method]:
        chosen = tuple(layer for layer in wanted if layer in selected)
        if chosen:
            result.append(Step(name=name, layers=chosen, after=tuple(step.name for step in result[-1:])))
    return tuple(result)


def running(stage: Stage) -> bool:
    """Return whether the target runs at a stage."""
    return stage == "cutover"


def frozen(stage: Stage) -> bool:
    """Return whether the VMs of a group at this stage stay as they are."""
    return stage != "planned"


def check_state(name: str, state: GroupState, method: Method, phase: Phase, where: Where) -> Noting[None]:
    """Report a cutover outside the phase's windows."""
    if state.cutover is not None:
        yield from check_cutover(name, state.cutover, method, phase, where.at("cutover"))
    elif method == "warm" and state.stage == "cutover":
        yield CUTOVER_OUTSIDE_WINDOW.finding(
            f"group {name} migrates warm and has no cutover time",
            "add `cutover`, a time inside one of the phase's windows",
            where=where,
        )


def check_cutover(
    name: str, time: str, method: Method, phase: Phase, where: Where, vm: str | None = None
) -> Noting[bool]:
    """Return whether a group, or one ``vm`` of it, can cut over at a time; what is wrong with it is a finding."""
    who = f"group {name}" if vm is None else f"group {name}, VM {vm}"
    starts = [window.start for window in phase.windows]
    if not is_time(time):
        fix = "there is no such day or hour; correct it"
        yield CUTOVER_OUTSIDE_WINDOW.finding(f"{who}: cutover {time} is no time", fix, where=where)
    elif method != "warm":
        field = "cutover" if vm is None else "vmCutover"
        yield NOT_APPLICABLE.finding(f"{who}: `{field}` is for method warm, this one is {method}", where=where)
    elif (
        all(is_time(start) for start in starts)
        and starts
        and not any(_inside(time, w.start, w.duration) for w in phase.windows)
    ):
        windows = "; ".join(f"{window.start} for {window.duration}" for window in phase.windows)
        message = f"{who}: cutover {time} is outside the windows of phase {phase.name}"
        yield CUTOVER_OUTSIDE_WINDOW.finding(message, f"windows: {windows}", where=where)
    else:
        return True
    return False


def _inside(moment: str, start: str, duration: str) -> bool:
    late = datetime.fromisoformat(moment) - datetime.fromisoformat(start)
    return timedelta(0) <= late <= timedelta(seconds=min(parse_duration(duration), _LONGEST))


def check_times(phases: tuple[Phase, ...], where: Where) -> Noting[None]:
    """Report windows whose start is no time (2027-02-30)."""
    for index, phase in enumerate(phases):
        for number, window in enumerate(phase.windows):
            if not is_time(window.start):
                yield SCHEMA_MISFIT.finding(
                    f"phase {phase.name}: {window.start} is no time",
                    where=where.at("phases", index, "windows", number, "start"),
                )


def is_time(text: str) -> bool:
    """Return whether a timestamp exists in the calendar."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.tzinfo is not None and moment.astimezone(UTC).year > 1
    except (ValueError, OverflowError):
        return False
