"""Where a migration is: phases and groups by stage, with how much of them is left."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from vmferry.estate.history import History
from vmferry.estate.phases import next_window
from vmferry.estate.preflight import failed
from vmferry.estate.progress import bytes_left, in_progress, missing, troubles
from vmferry.estate.stages import STAGES, onward
from vmferry.estate.wording import counted, size
from vmferry.model.blueprint import Group, PhasePlan
from vmferry.model.evidence import Entry
from vmferry.model.report import Cell, Column, Report, Row, Table
from vmferry.model.review import Review
from vmferry.model.spec import DualRunMode, Stage
from vmferry.reports.census import NONE, Picked
from vmferry.reports.content import Material

HELP = """Report where a migration is: the VMs of each phase by stage, and each group with its next stage.

It says what the spec says, and what evidence.yaml records (`vmferry observe`): what is left to copy, what runs, what
failed and why, and what the next stage still needs. `vmferry advance SPEC --all-ready --dry-run` says which groups may
move now. Always exits with 0.

\b
Examples:
  vmferry report status migration/
  vmferry report status migration/ --format csv > groups.csv
  vmferry report status migration/ --format json | jq '.groups[] | select(.stage == "migrating")'
"""

_OF_PHASE = (
    Column("phase"),
    Column("groups", "count"),
    Column("VMs", "count"),
    Column("in no group yet", "count"),
    *(Column(stage, "count") for stage in STAGES),
    Column("disks that move", "bytes"),
    Column("left", "bytes"),
    Column("window"),
)
_OF_GROUP = (
    Column("group"),
    Column("phase"),
    Column("stage"),
    Column("method"),
    Column("VMs", "count"),
    Column("disks that move", "bytes"),
    Column("left", "bytes"),
    Column("running", "count"),
    Column("cutover", "time"),
    Column("next"),
    Column("next needs"),
)
_OF_PROBLEM = tuple(map(Column, ("group", "VM", "what", "cause", "next step")))


class PhaseStatus(Struct, frozen=True, kw_only=True):
    """One phase. ``size`` is the capacity of its disks in bytes, ``left`` of those that have not moved.

    ``undecided``: VMs without a group, because of errors in the spec; they are at no stage.
    """

    phase: str
    kind: str
    groups: int
    vms: int
    undecided: int
    stages: dict[Stage, int]  # VMs at each
    size: int
    left: int
    window: str | None  # the one that is open, or opens next


class GroupStatus(Struct, frozen=True, kw_only=True):
    """One group."""

    group: str
    phase: str
    stage: Stage
    graduated: bool  # its VMs belong to another repository
    dual_run: DualRunMode
    weight: int  # percent of clients that go to the target
    attempt: int
    path: str
    method: str
    vms: int
    size: int
    left: int
    running: int  # VMs that are being copied or started, as recorded
    cutover: str | None
    waits: str | None  # the evidence that its next move lacks
    next: Stage | None  # None: it is at the last stage, or rolled back


class Problem(Struct, frozen=True, kw_only=True):
    """Something that failed or waits, as recorded."""

    group: str
    vm: str | None
    what: str
    outcome: str
    cause: str
    problem: str
    next: str
    said: str | None


class Status(Struct, frozen=True, kw_only=True):
    """The whole migration; phases in their order, groups by phase and name."""

    name: str
    phases: tuple[PhaseStatus, ...]
    groups: tuple[GroupStatus, ...]
    problems: tuple[Problem, ...]
    staying: dict[str, int]  # VMs that do not move, by disposition

    @property
    def vms(self) -> int:
        """Return how many VMs move."""
        return sum(phase.vms for phase in self.phases)


def build(material: Material) -> Report:
    """Return the report. It needs the Blueprint, the spec and the evidence; VMs only for those without a group."""
    blueprint, now = material.review.blueprint, material.review.now
    history = History(material.review.project.evidence)
    ranks = {phase.name: rank for rank, phase in enumerate(blueprint.phases)}
    groups = sorted(blueprint.groups, key=lambda group: (ranks.get(group.phase, len(ranks)), group.name))
    statuses = tuple(_group(group, material.review, history) for group in groups)
    whole = material.vms.where("moves", "yes").facets
    found = Status(
        name=blueprint.name,
        phases=tuple(_phases(material, statuses, now)),
        groups=statuses,
        problems=(
            *(_problem(entry.about, entry) for entry in failed(blueprint.name, blueprint.preflight, history)),
            *(
                _problem(group.name, each.entry, each.machine.name if each.machine is not None else None)
                for group in groups
                for each in troubles(group, history)
            ),
        ),
        staying=dict(sorted(Counter(left.disposition for left in blueprint.left).items())),
    )
    return Report(
        title=f"Status of {found.name}",
        summary=_summary(found),
        blocks=(
            Table("Phases", "phase", _OF_PHASE, [*_phase_rows(found)], covers=whole),
            Table("Problems", "problem", _OF_PROBLEM, _problem_rows(found)),
            Table("Groups", "group", _OF_GROUP, [*_group_rows(found)], covers=whole if material.complete else "some"),
        ),
        data=found,
    )


def _phases(material: Material, groups: tuple[GroupStatus, ...], now: datetime | None) -> Iterator[PhaseStatus]:
    """Yield the phases in their order, and at last what is in none because of errors."""
    without = material.vms.where("moves", "yes").where("group", NONE)
    for phase in material.review.blueprint.phases:
        its = [each for each in groups if each.phase == phase.name]
        yield _phase(phase, its, without.where("phase", phase.name), now)
    homeless = without.where("phase", NONE)
    if homeless.vms:
        yield _phase(PhasePlan(name=NONE, kind="migrate", priority=0), [], homeless, now)


def _phase(phase: PhasePlan, groups: list[GroupStatus], without: Picked, now: datetime | None) -> PhaseStatus:
    size = sum(vm.moving for vm in without.vms)
    stages: Counter[Stage] = Counter()
    for group in groups:
        stages[group.stage] += group.vms
    return PhaseStatus(
        phase=phase.name,
        kind=phase.kind,
        groups=len(groups),
        vms=sum(group.vms for group in groups) + len(without.vms),
        undecided=len(without.vms),
        stages={stage: stages[stage] for stage in STAGES},
        size=sum(group.size for group in groups) + size,
        left=sum(group.left for group in groups) + size,
        window=_window(phase, now),
    )


def _group(group: Group, review: Review, history: History) -> GroupStatus:
    return GroupStatus(
        group=group.name,
        phase=group.phase,
        stage=group.stage,
        graduated=group.graduated,
        dual_run=group.dual_run,
        weight=group.weight,
        attempt=group.attempt,
        path=group.path,
        method=group.method,
        vms=len(group.machines),
        size=_size(group),
        left=bytes_left(group, history),
        running=in_progress(group, history),
        cutover=group.cutover,
        waits=missing(group, review.spec, review.project.evidence, history),
        next=onward(group.stage),
    )


def _problem(about: str, entry: Entry, vm: str | None = None) -> Problem:
    return Problem(
        group=about,
        vm=vm,
        what=entry.what,
        outcome=entry.outcome,
        cause=entry.cause or "unknown",
        problem=entry.problem or "",
        next=entry.next or "",
        said=entry.said,
    )


def _size(group: Group) -> int:
    """Return the capacity of the disks that belong to VMs of a group; a shared disk counts once."""
    return sum(disk.size for machine in group.machines for disk in machine.disks if disk.owner)


def _window(phase: PhasePlan, now: datetime | None) -> str | None:
    """Return the window of a phase that is open or opens next; without a time, its first."""
    window = next_window(phase.windows, now.timestamp() if now is not None else 0.0)
    return f"{window.start} for {window.duration}" if window is not None else None


def _summary(found: Status) -> str:
    stages: Counter[Stage] = Counter()
    for phase in found.phases:
        stages.update(phase.stages)
    counts = ", ".join(f"{stages[stage]} {stage}" for stage in STAGES if stages[stage])
    whole, left = sum(phase.size for phase in found.phases), sum(phase.left for phase in found.phases)
    vms, groups = counted(found.vms, "VM"), counted(len(found.groups), "group")
    stay = ", ".join(f"{disposition} {count}" for disposition, count in found.staying.items())
    staying = counted(sum(found.staying.values()), "VM")
    text = f"{found.name}: {vms} in {groups}" + (f": {counts}; {size(left)} of {size(whole)} left" if counts else "")
    return text + (f"; {staying} not moved ({stay})" if stay else "")


def _phase_rows(found: Status) -> Iterator[Row]:
    for phase in found.phases:
        of = (("moves", "yes"), ("phase", phase.phase))
        undecided = Cell(phase.undecided, of=(*of, ("group", NONE))) if phase.undecided else None
        stages = (
            Cell(phase.stages[stage], of=(*of, ("stage", stage))) if phase.stages[stage] else None for stage in STAGES
        )
        size = Cell(phase.size, of=of, counts="moving")
        yield (phase.phase, phase.groups, Cell(phase.vms, of=of), undecided, *stages, size, phase.left, phase.window)


def _problem_rows(found: Status) -> list[Row]:
    return [(each.group, each.vm, f"{each.what} {each.outcome}", each.cause, each.next) for each in found.problems]


def _group_rows(found: Status) -> Iterator[Row]:
    for group in found.groups:
        stage = f"{group.stage} (attempt {group.attempt})" if group.attempt > 1 else group.stage
        stage += ", graduated" if group.graduated else ""
        stage += f", {group.dual_run}" if group.dual_run != "fallback" else ""
        stage += f" {group.weight} %" if group.dual_run == "parallel" else ""
        method = group.method if group.path == group.method else f"{group.path} {group.method}"
        of = (("group", group.group),)
        sizes = (Cell(group.vms, of=of), Cell(group.size, of=of, counts="moving"), group.left, group.running or None)
        yield (group.group, group.phase, stage, method, *sizes, group.cutover, group.next, group.waits)
