"""What people do for each group, in order: preconditions, steps with owner and command, decisions, and the way back."""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from vmferry.estate.gates import lacking
from vmferry.estate.history import History
from vmferry.estate.methods import METHODS
from vmferry.estate.progress import troubles
from vmferry.estate.stages import rank
from vmferry.estate.wording import counted, size
from vmferry.model.blueprint import Group
from vmferry.model.report import Block, Cell, Column, Prose, Report, Row, Table
from vmferry.model.spec import Method, PhaseKind, Stage
from vmferry.reports.content import Material
from vmferry.reports.runbook_leaving import LeavingPlan, leaving_plans
from vmferry.reports.runbook_steps import STEPS, Planning, Step, planning, steps

HELP = """Write the execution plan of each group: preconditions, steps, decisions and the way back, to follow at night.

Phases of kind decommission follow: how their hosts leave vSphere. The last chapter is the playbook: what went wrong so
far, what was accepted and why, for the phases that follow.

\b
Examples:
  vmferry report runbook migration/
  vmferry report runbook migration/ --format md > runbook.md
  vmferry report runbook migration/ --format json | jq '.groups[0].steps'
"""


class GroupPlan(Struct, frozen=True, kw_only=True):
    """The execution plan of one group."""

    group: str
    phase: str
    kind: PhaseKind
    stage: Stage
    method: Method
    vms: tuple[str, ...]
    size: int  # bytes
    windows: tuple[str, ...]
    cutover: str | None
    missing: tuple[str, ...]  # evidence that the next move lacks
    hold: str | None
    announcement: str
    steps: tuple[Step, ...]


class Lesson(Struct, frozen=True, kw_only=True):
    """Something that went wrong, or was accepted, with what is known about it."""

    group: str
    about: str
    what: str
    answer: str


class Runbook(Struct, frozen=True, kw_only=True):
    """All plans, in the order of the phases; how hosts leave vSphere; and the playbook."""

    groups: tuple[GroupPlan, ...]
    decommission: tuple[LeavingPlan, ...]
    playbook: tuple[Lesson, ...]


def build(material: Material) -> Report:
    """Return the report."""
    review, of = material.review, planning(material)
    phases = [phase.name for phase in review.blueprint.phases]
    groups = sorted(review.blueprint.groups, key=lambda group: (phases.index(group.phase), group.name))
    found = Runbook(
        groups=tuple(_plan(material, group, of) for group in groups if not group.graduated),
        decommission=tuple(leaving_plans(review)),
        playbook=tuple(_playbook(material, of.history)),
    )
    ahead = sum(each.stage != "retired" for each in found.groups)
    summary = f"{counted(ahead, 'group')} to move or to finish; {counted(len(found.playbook), 'lesson')} so far"
    return Report(
        "Runbook", summary, tuple(_blocks(found)), found, whole=Table("Steps", "step", _WHOLE, [*_rows(found)])
    )


# --- the plan of a group ----------------------------------------------------------------------


def _plan(material: Material, group: Group, of: Planning) -> GroupPlan:
    review = material.review
    phase = next(each for each in review.blueprint.phases if each.name == group.phase)
    following = next((stage for stage in STEPS if rank(stage) > rank(group.stage)), None)
    lacks = lacking(group, group.stage, following, of.history) if following is not None else ()
    names = tuple(machine.name for machine in group.machines)
    windows = tuple(f"{window.start} for {window.duration}" for window in phase.windows)
    return GroupPlan(
        group=group.name,
        phase=group.phase,
        kind=group.phase_kind,
        stage=group.stage,
        method=group.method,
        vms=names,
        size=sum(disk.size for machine in group.machines for disk in machine.disks if disk.owner),
        windows=windows,
        cutover=group.cutover,
        missing=tuple(lack.need.words + (f" of {', '.join(lack.vms)}" if lack.vms else "") for lack in lacks),
        hold=group.hold,
        announcement=_announcement(group, windows),
        steps=tuple(steps(group, of)),
    )


def _announcement(group: Group, windows: Sequence[str]) -> str:
    when = (
        f"at {group.cutover}" if group.cutover else f"in the window {windows[0]}" if windows else "at a time to follow"
    )
    down = "is short" if METHODS[group.method].source_runs else "lasts as long as the copy"
    if group.dual_run == "parallel":
        down = "is none: both platforms serve while clients move"
    elif group.path == "rebuild":
        down = "is none if the new workload is tested first"
    return (
        f"{counted(len(group.machines), 'server')} of {group.phase} will move to the new platform {when}. The outage "
        f"{down}. Afterwards, check your application and report problems to the migration team."
    )


# --- the playbook -----------------------------------------------------------------------------


def _playbook(material: Material, history: History) -> Iterator[Lesson]:
    """Yield what went wrong, what people wrote down, and what was accepted with a reason."""
    for group in material.review.blueprint.groups:
        for trouble in troubles(group, history):
            entry = trouble.entry
            about_vm = trouble.machine.name if trouble.machine is not None else "the whole group"
            yield Lesson(
                group=group.name,
                about=about_vm,
                what=f"{entry.what} {entry.outcome}: {entry.problem or entry.cause or 'unknown'}",
                answer=entry.next or "",
            )
        if group.hold is not None:
            yield Lesson(group=group.name, about="the whole group", what="on hold", answer=group.hold)
        if group.stage == "rolled-back" or group.attempt > 1:
            reason = _reason(material, group)
            yield Lesson(
                group=group.name, about="the whole group", what=f"attempt {group.attempt}, {group.stage}", answer=reason
            )
    for entry in material.review.project.evidence.entries if material.review.project.evidence else ():
        if entry.what == "signOff" and entry.note:
            yield Lesson(
                group=entry.about, about=f"sign-off of {entry.stage}", what=entry.note, answer=f"by {entry.by}"
            )
    for suppression in material.review.spec.suppress:
        names = ", ".join(suppression.vms or ()) or "the whole spec"
        yield Lesson(group="", about=names, what=f"{suppression.rule} is accepted", answer=suppression.reason)


def _reason(material: Material, group: Group) -> str:
    state = material.review.spec.groups.get(group.name)
    return (state.reason or "") if state is not None else ""


# --- blocks -----------------------------------------------------------------------------------

_COLUMNS = (
    Column("#", "count"),
    Column("done"),
    Column("stage"),
    Column("who"),
    Column("what"),
    Column("command"),
    Column("expected"),
    Column("decides"),
    Column("planned"),
    Column("began", "time"),
    Column("ended", "time"),
    Column("took", "seconds"),
    Column("way back: outage"),
    Column("way back: data"),
)
_WHOLE = (Column("group"), Column("phase"), *_COLUMNS)
_NOBODY = "nobody is named"
_BOX = {"done": "☑", "next": "☐ next", "later": "☐"}


_OF_NIGHT = (
    Column("group"),
    Column("phase"),
    Column("move to"),
    Column("planned", "seconds"),
    Column("took", "seconds"),
    Column("longer than planned", "seconds"),
    Column("began", "time"),
    Column("ended", "time"),
)


def _nights(found: Runbook) -> Iterator[Row]:
    """Yield the moves that have begun, with the time planned and the time taken."""
    for plan in found.groups:
        for step in plan.steps:
            if (step.started or step.finished) and (step.command or "").startswith("vmferry advance"):
                planned, took = step.planned_seconds, step.taken_seconds
                longer = took - planned if took is not None and planned is not None else None
                yield (plan.group, plan.phase, step.stage, planned, took, longer, step.started, step.finished)


_NO_GROUPS = (
    "There are no groups yet: no VM moves, or the spec has errors, which `vmferry check` lists. Each group gets its "
    "steps here once it is formed."
)


def _blocks(found: Runbook) -> Iterator[Block]:
    if not found.groups:
        yield Prose("", (_NO_GROUPS,))
    if nights := [*_nights(found)]:
        yield Table("Planned and taken so far", "move", _OF_NIGHT, nights)
    for plan in found.groups:
        if plan.stage == "retired":
            continue
        yield Prose(f"{plan.group}: {counted(len(plan.vms), 'VM')}, {plan.method}, {plan.phase}", tuple(_about(plan)))
        yield Table(f"Steps of {plan.group}", "step", _COLUMNS, [_row(step) for step in plan.steps])
    for leaving in found.decommission:
        yield Prose(f"{leaving.phase}: hosts leave vSphere, {leaving.state}", tuple(_leaving(leaving)))
        yield Table(f"Steps of {leaving.phase}", "step", _COLUMNS, [_row(step) for step in leaving.steps])
    rows: list[Row] = [(each.group, each.about, each.what, each.answer) for each in found.playbook]
    columns = (Column("group"), Column("about"), Column("what"), Column("answer"))
    yield Table("Playbook: what was learned so far", "lesson", columns, rows)


def _about(plan: GroupPlan) -> Iterator[str]:
    yield f"VMs: {', '.join(plan.vms)}; {size(plan.size)} of disks."
    if plan.windows:
        yield f"Windows: {'; '.join(plan.windows)}." + (f" Cutover: {plan.cutover}." if plan.cutover else "")
    if plan.hold is not None:
        yield f"On hold: {plan.hold}."
    if plan.missing:
        yield f"Preconditions of the next step that are not recorded yet: {'; '.join(plan.missing)}."
    yield from _reach(plan.steps)
    yield f"Go or no-go: steps {', '.join(str(step.number) for step in plan.steps if step.decision)}."
    yield f"To announce: {plan.announcement}"


def _leaving(plan: LeavingPlan) -> Iterator[str]:
    yield f"It takes {', '.join(plan.takes)}."
    if plan.windows:
        yield f"Windows: {'; '.join(plan.windows)}."
    yield from _reach(plan.steps)


def _reach(steps: Iterable[Step]) -> Iterator[str]:
    reach = {step.owner: ", ".join(step.contacts) for step in steps if step.contacts}
    yield f"Contacts: {'; '.join(f'{owner}: {who}' for owner, who in reach.items()) or _NOBODY}."


def _row(step: Step) -> Row:
    who = (", ".join(step.contacts) or _NOBODY) if step.decision else None
    values = (step.stage, step.owner, step.what, step.command, step.expected, who, step.planned or None)
    times = (step.started, step.finished, step.taken_seconds)
    return (Cell(step.number), _BOX[step.state], *values, *times, step.outage, step.data)


def _rows(found: Runbook) -> Iterator[Row]:
    for plan in found.groups:
        for step in plan.steps:
            yield (plan.group, plan.phase, *_row(step))
    for leaving in found.decommission:
        for step in leaving.steps:
            yield (None, leaving.phase, *_row(step))
