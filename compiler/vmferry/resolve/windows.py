"""Times of a cutover, windows of a phase, freezes: each is a time, and a cutover lies inside a window."""

from vmferry.estate.methods import METHODS
from vmferry.estate.phases import bounds, is_day, is_time, moment
from vmferry.estate.statements import NOT_APPLICABLE, SCHEMA_MISFIT
from vmferry.estate.timezones import exists, meant
from vmferry.model.finding import Where
from vmferry.model.rule import declare
from vmferry.model.spec import GroupState, Method, MigrationSpec, Phase, ScheduleSettings
from vmferry.resolve.notes import Noting

CUTOVER_OUTSIDE_WINDOW = declare(
    "VMF406",
    "error",
    "cutover is missing, not valid or outside the phase's windows",
    why="A warm migration switches over at the time that is written in git. Outside the maintenance window it would "
    "stop the VM while people work with it, and without a time Forklift keeps copying deltas.",
    source="kubev2v/forklift operator/config/crd/bases (Migration, spec.cutover)",
)


def check_state(name: str, state: GroupState, method: Method, phase: Phase, where: Where) -> Noting[None]:
    """Report a cutover outside the phase's windows."""
    if state.cutover is not None:
        yield from check_cutover(name, state.cutover, method, phase, where.at("cutover"))
    elif METHODS[method].cutover and state.stage == "cutover":
        yield CUTOVER_OUTSIDE_WINDOW.finding(
            f"group {name} migrates warm and has no cutover time",
            f"add `cutover`, a time inside one of the phase's windows{_windows(phase)}",
            where=where,
        )


def check_cutover(
    name: str, time: str, method: Method, phase: Phase, where: Where, vm: str | None = None
) -> Noting[bool]:
    """Return whether a group, or one ``vm`` of it, can cut over at a time; what is wrong with it is a finding."""
    who = f"group {name}" if vm is None else f"group {name}, VM {vm}"
    starts = [window.start for window in phase.windows]
    if not is_time(time):
        fix = f"set a time that exists, inside one of the phase's windows{_windows(phase)}"
        yield CUTOVER_OUTSIDE_WINDOW.finding(f"{who}: cutover {time} is not a valid time", fix, where=where)
    elif not METHODS[method].cutover:
        field = "cutover" if vm is None else "vmCutover"
        yield NOT_APPLICABLE.finding(
            f"{who}: `{field}` is for method warm, but this one is {method}", f"remove `{field}`", where=where
        )
    elif (
        all(is_time(start) for start in starts)
        and starts
        and not any(opens <= moment(time) <= closes for opens, closes in map(bounds, phase.windows))
    ):
        message = f"{who}: cutover {time} is outside the windows of phase {phase.name}"
        yield CUTOVER_OUTSIDE_WINDOW.finding(
            message, f"set a time inside one of the phase's windows{_windows(phase)}", where=where
        )
    else:
        return True
    return False


def _windows(phase: Phase) -> str:
    """Return the windows of a phase, as the end of a sentence."""
    windows = "; ".join(f"{window.start} for {window.duration}" for window in phase.windows)
    return f": {windows}" if windows else ", if it has any"


def check_times(spec: MigrationSpec, where: Where) -> Noting[None]:
    """Report windows and licences whose start or end does not exist (2027-02-30)."""
    for index, licence in enumerate(spec.costs.licences if spec.costs is not None else ()):
        if licence.ends is not None and not is_day(licence.ends):
            yield SCHEMA_MISFIT.finding(
                f"licence {licence.name}: {licence.ends} is not a valid day",
                where=where.at("costs", "licences", index, "ends"),
            )
    for index, phase in enumerate(spec.phases):
        for number, window in enumerate(phase.windows):
            if not is_time(window.start):
                yield SCHEMA_MISFIT.finding(
                    f"phase {phase.name}: {window.start} is not a valid time",
                    where=where.at("phases", index, "windows", number, "start"),
                )


def check_schedule(settings: ScheduleSettings, where: Where) -> Noting[None]:
    """Report freezes whose start is not a valid time, and time zones that do not exist. ``where`` is the spec."""
    here = where.at("settings", "schedule")
    for index, freeze in enumerate(settings.freezes):
        if not is_time(freeze.start):
            yield SCHEMA_MISFIT.finding(
                f"settings.schedule.freezes: {freeze.start} is not a valid time",
                where=here.at("freezes", index, "start"),
            )
    zones = [(each.timezone, here.at("bandwidth", index, "timezone")) for index, each in enumerate(settings.bandwidth)]
    zones.append((settings.windows.timezone, here.at("windows", "timezone")))
    for name, place in zones:
        if name != "UTC" and not exists(name):
            close = meant(name)
            yield SCHEMA_MISFIT.finding(
                f"settings.schedule: {name} is not a time zone" + (f"; did you mean {close}?" if close else ""),
                "set a name of the tz database, such as Europe/Berlin",
                where=place,
            )
