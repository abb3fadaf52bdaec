"""What people do for each group, in order: preconditions, steps with owner and command, decisions, and the way back."""

from collections.abc import Iterator, Mapping, Sequence
from shlex import quote
from typing import Literal, NamedTuple

from msgspec import Struct, structs

from vmferry.estate.copying import Figure as Rate
from vmferry.estate.copying import about, at_rate, copies_of, estimate, measured, rates_of
from vmferry.estate.gates import NEEDS, lacking
from vmferry.estate.history import History
from vmferry.estate.methods import METHODS
from vmferry.estate.progress import troubles
from vmferry.estate.stages import STAGES, TABLE, rank
from vmferry.estate.way_back import data_lost, outage
from vmferry.estate.wording import counted, size
from vmferry.model.blueprint import Group
from vmferry.model.keys import VmKey
from vmferry.model.report import Block, Cell, Column, Prose, Report, Row, Table
from vmferry.model.spec import Method, PhaseKind, Stage
from vmferry.reports.content import Material

HELP = """Write the execution plan of each group: preconditions, steps, decisions and the way back, to follow at night.

The last chapter is the playbook: what went wrong so far, what was accepted and why, for the phases that follow.

\b
Examples:
  vmferry report runbook migration/
  vmferry report runbook migration/ --format md > runbook.md
  vmferry report runbook migration/ --format json | jq '.groups[0].steps'
"""

Owner = Literal["platform", "vSphere", "application", "network"]
"""Who does a step: who owns the GitOps repository, vCenter, the application, or the network and DNS."""


class Step(Struct, frozen=True, kw_only=True):
    """Something to do. ``outage`` and ``data`` are what going back from there costs."""

    number: int
    stage: Stage  # the one that it leads to, or belongs to
    owner: Owner
    what: str
    command: str | None
    expected: str
    planned: str  # how long, where anything is known
    state: Literal["done", "next", "later"]
    outage: str
    data: str


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
    """All plans, in the order of the phases, and the playbook."""

    groups: tuple[GroupPlan, ...]
    playbook: tuple[Lesson, ...]


def build(material: Material) -> Report:
    """Return the report."""
    review = material.review
    history = History(review.project.evidence)
    copies = _Copies(
        used={subject.key: subject.vm.used_storage for subject in review.subjects},
        measured=measured(review.blueprint.groups, review.project.evidence),
    )
    phases = [phase.name for phase in review.blueprint.phases]
    groups = sorted(review.blueprint.groups, key=lambda group: (phases.index(group.phase), group.name))
    found = Runbook(
        groups=tuple(_plan(material, group, history, copies) for group in groups if not group.graduated),
        playbook=tuple(_playbook(material, history)),
    )
    ahead = sum(each.stage != "retired" for each in found.groups)
    summary = f"{counted(ahead, 'group')} to move or to finish; {counted(len(found.playbook), 'lesson')} so far"
    return Report(
        "Runbook", summary, tuple(_blocks(found)), found, whole=Table("Steps", "step", _WHOLE, [*_rows(found)])
    )


class _Copies(NamedTuple):
    """What the times of copies rest on: bytes in use by VM, where known, and rates by method, where measured."""

    used: Mapping[VmKey, int | None]
    measured: Mapping[Method, Rate]


# --- the plan of a group ----------------------------------------------------------------------


def _plan(material: Material, group: Group, history: History, copies: _Copies) -> GroupPlan:
    review = material.review
    phase = next(each for each in review.blueprint.phases if each.name == group.phase)
    following = next((stage for stage in _STEPS if rank(stage) > rank(group.stage)), None)
    lacks = lacking(group, group.stage, following, history) if following is not None else ()
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
        steps=tuple(_steps(material, group, copies)),
    )


def _announcement(group: Group, windows: Sequence[str]) -> str:
    when = (
        f"at {group.cutover}" if group.cutover else f"in the window {windows[0]}" if windows else "at a time to follow"
    )
    down = "is short" if METHODS[group.method].source_runs else "lasts as long as the copy"
    if group.path == "rebuild":
        down = "is none if the new workload is tested first"
    return (
        f"{counted(len(group.machines), 'server')} of {group.phase} will move to the new platform {when}. The outage "
        f"{down}. Afterwards, check your application and report problems to the migration team."
    )


_STEPS: tuple[Stage, ...] = tuple(stage for stage in STAGES if stage not in ("planned", "rolled-back"))


def _steps(material: Material, group: Group, copies: _Copies) -> Iterator[Step]:
    spec = quote(material.review.project.given or "migration/")
    number = 0
    now = rank(group.stage)
    for stage in _STEPS:
        there = structs.replace(group, stage=stage)
        state: Literal["done", "next", "later"] = (
            "done"
            if rank(stage) <= now and group.stage != "rolled-back"
            else "next"
            if rank(stage) == now + 1
            else "later"
        )
        for owner, what, command, expected in _actions(group, stage, spec):
            number += 1
            moves = command is not None and command.startswith("vmferry advance")
            yield Step(
                number=number,
                stage=stage,
                owner=owner,
                what=what,
                command=command,
                expected=expected,
                planned=_planned(material, group, copies) if moves and stage == "migrating" else "",
                state=state,
                outage=outage(there) if stage != "retired" else "there is no way back",
                data=data_lost(there) if stage != "retired" else "there is no way back",
            )


_Action = tuple[Owner, str, str | None, str]


def _actions(group: Group, stage: Stage, spec: str) -> Iterator[_Action]:
    """Yield what people do for a stage: before the pull request, the pull request itself, and after it."""
    yield from _before(group, stage)
    needs = [need.words for need in NEEDS.get(_after(stage), {}).get(group.method, ()) if need.what != "signOff"]
    expected = ", ".join(f"{words} in `vmferry status`" for words in needs) or "`vmferry verify` and the sync succeed"
    merge = f"Pull request: {stage}. {TABLE[stage].means} Merge it, then record what happened (`vmferry observe`)."
    yield "platform", merge, f"vmferry advance {spec} {group.name} --to {stage}", expected
    back = f"`vmferry explain {spec} {group.name} --rollback` has the way back"
    if stage == "cutover":
        yield "application", f"Go or no-go: test the application. No-go: {back}.", None, "the application works"
    if any(need.what == "signOff" for need in NEEDS.get(_after(stage), {}).get(group.method, ())):
        what = f"Go or no-go: sign off that it is {stage}. No-go: {back}."
        command = f"vmferry sign {spec} {group.name} --by NAME --note WHAT-WAS-TESTED"
        yield "application", what, command, f"sign-off of {stage} in evidence.yaml"


def _after(stage: Stage) -> Stage:
    index = STAGES.index(stage)
    return STAGES[min(index + 1, len(STAGES) - 1)]


def _before(group: Group, stage: Stage) -> Iterator[_Action]:
    method = METHODS[group.method]
    if stage == "prepared":
        yield "vSphere", "Freeze changes to these VMs: no new disks, NICs or names.", None, "agreed"
    elif stage == "migrating":
        yield "application", "Announce the move, and confirm a backup that was restored once.", None, "confirmed"
        if not method.source_runs and group.path == "virt-v2v":
            yield "vSphere", "Shut down the VMs: the downtime begins.", None, "all are powered off in vCenter"
        elif not method.source_runs and group.path == "forklift":
            what = "Go or no-go: the next pull request shuts the VMs down, and the downtime begins."
            yield "platform", what, None, "all agree, and the window is open"
    elif stage == "cutover":
        if method.cutover:
            what = "Go or no-go: at the time of the cutover, Forklift shuts the VMs down and starts them in the target."
            yield "platform", what, None, "all agree, and the cutover lies in a window"
        yield (
            "network",
            "Prepare what clients reach the VMs by: DNS, load balancers, firewall.",
            None,
            "ready to switch",
        )
    elif stage == "retired":
        yield (
            "application",
            "Go or no-go: after this, there is no way back.",
            None,
            "the dual run is over, all sign off",
        )


def _planned(material: Material, group: Group, copies: _Copies) -> str:
    """Return how long the copies take, and on which rate that rests."""
    found = copies_of(group, copies.used.get)
    if not found:
        return ""
    time = estimate(found, rates_of(material.review.spec, group.source, group.method, copies.measured))
    return f"{about(time.seconds)} {at_rate(time)}" if time is not None else ""


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
    Column("takes"),
    Column("way back: outage"),
    Column("way back: data"),
)
_WHOLE = (Column("group"), Column("phase"), *_COLUMNS)
_BOX = {"done": "☑", "next": "☐ next", "later": "☐"}


def _blocks(found: Runbook) -> Iterator[Block]:
    for plan in found.groups:
        if plan.stage == "retired":
            continue
        yield Prose(f"{plan.group}: {counted(len(plan.vms), 'VM')}, {plan.method}, {plan.phase}", tuple(_about(plan)))
        yield Table(f"Steps of {plan.group}", "step", _COLUMNS, [_row(step) for step in plan.steps])
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
    yield f"To announce: {plan.announcement}"


def _row(step: Step) -> Row:
    values = (step.stage, step.owner, step.what, step.command, step.expected, step.planned or None)
    return (Cell(step.number), _BOX[step.state], *values, step.outage, step.data)


def _rows(found: Runbook) -> Iterator[Row]:
    for plan in found.groups:
        for step in plan.steps:
            yield (plan.group, plan.phase, *_row(step))
