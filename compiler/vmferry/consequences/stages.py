"""What a change of stages means: what happens to each group then, how long its copy takes, and what it rests on."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from vmferry.estate.copying import (
    Basis,
    Copy,
    Estimate,
    Per,
    about,
    at_rate,
    copies_of,
    estimate,
    filled,
    measured,
    rates_of,
)
from vmferry.estate.gates import gated, lacking, resting, sentence
from vmferry.estate.history import History
from vmferry.estate.methods import METHODS
from vmferry.estate.phases import bounds, next_window
from vmferry.estate.stages import begun, rank, running
from vmferry.estate.wording import counted
from vmferry.model.blueprint import Group, MachineDisk
from vmferry.model.review import Review
from vmferry.model.spec import Method, Stage, Window

_GI = 1 << 30


class CopyTime(Struct, frozen=True, kw_only=True):
    """How long the copy of a group takes, estimated. Sizes are in bytes, ``rate`` in bytes per second."""

    seconds: int
    size: int  # what is read: bytes in use where they are known, otherwise the capacity of disks
    known: int  # VMs whose bytes in use are known
    beside: int  # other groups that start to copy from the same vCenter with this change
    rate: int  # the rate that decides
    per: Per  # what the rate is that of
    basis: Basis  # where the rate comes from
    window: str | None = None  # the phase's window that is open or opens next, where the VMs are off meanwhile
    fits: bool | None = None  # whether what is left of that window is long enough
    words: str


class StageChange(Struct, frozen=True, kw_only=True):
    """A group at another stage. ``size`` is the capacity of its disks in bytes."""

    group: str
    phase: str
    before: Stage
    after: Stage
    vms: int
    size: int
    what: str  # what happens then
    when: str = ""  # its cutover, or the windows of its phase
    copy: CopyTime | None = None  # None: nothing is copied, or nobody knows how fast
    rests: tuple[str, ...] = ()  # the evidence that the move rests on
    lacks: tuple[str, ...] = ()  # the evidence that it needs and does not have


def stage_changes(before: Review, after: Review, now: datetime | None) -> Iterator[StageChange]:
    """Yield groups whose stage differs; a group that there was not before was planned."""
    was = {group.name: group.stage for group in before.blueprint.groups}
    came: dict[str, Stage] = {
        group.name: was.get(group.name) or was.get(group.split_from or "", "planned")
        for group in after.blueprint.groups
    }
    moved = [group for group in after.blueprint.groups if came[group.name] != group.stage]
    windows = {phase.name: phase.windows for phase in after.blueprint.phases}
    copies = _copy_times(after, [group for group in moved if _starts(group, came[group.name])], windows, now)
    evidence, history = after.project.evidence, History(after.project.evidence)
    for group in moved:
        stage = came[group.name]
        onward = rank(group.stage) > rank(stage) and group.stage != "rolled-back"
        gate = onward and gated(after.spec, group.phase, evidence)
        yield StageChange(
            group=group.name,
            phase=group.phase,
            before=stage,
            after=group.stage,
            vms=len(group.machines),
            size=sum(disk.size for disk in _filled(group)),
            what=_what(group, stage),
            when=_when(group, ", ".join(map(_shown, windows[group.phase]))) if rank(group.stage) > rank(stage) else "",
            copy=copies.get(group.name),
            rests=tuple(resting(group, stage, group.stage, history)) if onward else (),
            lacks=tuple(map(sentence, lacking(group, stage, group.stage, history))) if gate else (),
        )


def _shown(window: Window) -> str:
    return f"{window.start} for {window.duration}"


def _filled(group: Group) -> list[MachineDisk]:
    return [disk for machine in group.machines for disk in filled(machine, group.method)]


# --- how long copies take ---------------------------------------------------------------------


def _starts(group: Group, before: Stage) -> bool:
    """Return whether the copy of a group starts when it comes to its stage from another."""
    return begun(group.stage) and not begun(before) and group.stage != "rolled-back"


def _copy_times(
    review: Review, groups: list[Group], windows: dict[str, tuple[Window, ...]], now: datetime | None
) -> dict[str, CopyTime]:
    """Return how long the copies of these groups take, by name. Those from one vCenter share its rates."""
    wanted = {machine.key for group in groups for machine in group.machines}
    subjects = (each for each in review.subjects if each.machine is not None and each.machine.key in wanted)
    used = {each.machine.key: each.vm.used_storage for each in subjects if each.machine is not None}
    together: defaultdict[tuple[str, Method], list[tuple[Group, tuple[Copy, ...]]]] = defaultdict(list)
    for group in groups:
        if copies := copies_of(group, used.get):
            together[group.source, group.method].append((group, copies))
    known = measured(review.blueprint.groups, review.project.evidence) if together else {}
    moment = now.timestamp() if now is not None else 0.0
    found: dict[str, CopyTime] = {}
    for (source, method), members in together.items():
        every = [copy for _, copies in members for copy in copies]
        time = estimate(every, rates_of(review.spec, source, method, known))
        if time is None:
            continue
        for group, copies in members:
            coming = () if METHODS[method].source_runs else windows[group.phase]
            found[group.name] = _copy_time(copies, time, len(members) - 1, next_window(coming, moment), moment)
    return found


def _copy_time(copies: tuple[Copy, ...], time: Estimate, beside: int, window: Window | None, moment: float) -> CopyTime:
    size, known = sum(copy.size for copy in copies), sum(copy.used is not None for copy in copies)
    fits = None
    if window is not None:
        opens, closes = bounds(window)
        fits = time.seconds <= closes - max(opens, moment)
    return CopyTime(
        seconds=round(time.seconds),
        size=size,
        known=known,
        beside=beside,
        rate=round(time.figure.value),
        per=time.per,
        basis=time.figure.basis,
        window=_shown(window) if window is not None else None,
        fits=fits,
        words=_time_in_words(copies, time, beside, window, fits=fits),
    )


def _time_in_words(
    copies: tuple[Copy, ...], time: Estimate, beside: int, window: Window | None, *, fits: bool | None
) -> str:
    """Return a copy's time as part of a sentence, with all that it is made of."""
    size, known = whole_gib(sum(copy.size for copy in copies)), sum(copy.used is not None for copy in copies)
    amount = f"{size} in use" if known == len(copies) else f"{size} of disks, as what is in use is not known"
    if 0 < known < len(copies):
        amount = f"{size}: in use of {counted(known, 'VM')}, capacity of {len(copies) - known}"
    others = f", together with {counted(beside, 'other group')}" if beside else ""
    words = f"{about(time.seconds)}{others} ({amount}, {at_rate(time)})"
    if window is None:
        return words
    return f"{words}, which {'fits' if fits else 'does not fit'} the window {_shown(window)}"


# --- what happens -----------------------------------------------------------------------------


def _what(group: Group, before: Stage) -> str:
    """Return what happens when a group comes to its stage from another."""
    vms, are = counted(len(group.machines), "VM"), "is" if len(group.machines) == 1 else "are"
    if group.stage == "rolled-back":
        return _back(group, f"{vms} {are}")
    if rank(group.stage) < rank(before):
        return f"resources created at stage {before} are pruned, except those that hold data"
    if group.stage == "prepared":
        return f"{vms} {are} frozen; what surrounds them is created, and nothing is copied yet"
    if group.stage == "migrating":
        return _copy(group, f"{vms} {are}")
    if group.stage == "cutover":
        return _cutover(group)
    return _after(group, f"{vms} {are}")


def _back(group: Group, vms_are: str) -> str:
    """Return what a roll-back does, from the stage that the group had reached."""
    if group.reached is None or not begun(group.reached):
        return f"{vms_are} no longer prepared; nothing of them had moved"
    if not running(group.reached):
        cancelled = "the Migration is cancelled" if group.path == "forklift" else "nothing is copied any more"
        return f"{cancelled}; what was copied is kept, and the source serves"
    lost = {"accepted": "what they wrote there is lost", "replayed": "what they wrote there is replayed at the source"}
    stated = f"; {lost[group.data_loss]}" if group.data_loss is not None else ""
    source = "every client goes to the source" if group.dual_run == "parallel" else "start the source by hand"
    return f"{vms_are} stopped in the target and kept{stated}; {source}"


def _after(group: Group, vms_are: str) -> str:
    count = len(group.snapshots)
    snapshots = f"the {counted(count, 'snapshot')} from before {'its' if count == 1 else 'their'} acceptance"
    if group.stage == "adopted":
        taken = f"; {counted(count, 'VM')} {'is' if count == 1 else 'are'} snapshotted" * bool(count)
        return f"{vms_are} synced from complete manifests; what copied them is no longer synced, and kept{taken}"
    if group.stage == "validated":
        kept = f"{snapshots} {'is' if count == 1 else 'are'} kept, and no longer synced"
        return f"{vms_are} accepted; {kept if count else 'nothing changes in the cluster'}"
    archived = "its Plan is archived; " if group.path == "forklift" else ""
    unneeded = f"; {snapshots} can be deleted" * bool(count)
    return f"{vms_are} retired: {archived}there is no way back, and the source may be deleted{unneeded}"


def _copy(group: Group, vms_are: str) -> str:
    method = METHODS[group.method]
    size = f"{whole_gib(sum(disk.size for disk in _filled(group)))} of disks"
    if group.path == "rebuild":
        return f"{vms_are} created as workloads with 0 replicas"
    if method.replicates:
        return f"{vms_are} created as clones and started, for replication to fill them; the sources go on serving"
    if method.source_runs:
        return f"{vms_are} copied while running, with repeated incremental copies until cutover ({size})"
    if method.from_images:
        return f"{size} are filled: {_origins(group)}"
    if method.converts:
        return f"{vms_are} copied and converted, and must be off for that ({size})"
    return f"{vms_are} shut down and copied, then started in the target: the downtime begins ({size})"


def _origins(group: Group) -> str:
    """Return where the disks of a group come from, counted."""
    kinds = {
        "http": "imported from a web server",
        "registry": "imported from a registry",
        "upload": "uploaded by hand",
        "vddk": "read from vSphere, whose VM must be off",
    }
    counts = Counter(
        words for disk in _filled(group) for field, words in kinds.items() if getattr(disk.source, field) is not None
    )
    return ", ".join(f"{counts[words]} {words}" for words in kinds.values() if counts[words]) or "none"


def _cutover(group: Group) -> str:
    count = sum(not machine.golden and machine.run_strategy != "Halted" for machine in group.machines)
    vms, start = counted(count, "VM"), "starts" if count == 1 else "start"
    if group.dual_run == "parallel":
        run = "runs" if len(group.machines) == 1 else "run"
        vms = counted(len(group.machines), "VM")
        return f"{vms} {run} beside the source; {group.weight} % of clients go to the target"
    if METHODS[group.method].replicates:
        return f"{vms} {'takes' if count == 1 else 'take'} writes in the target, and clients go there"
    if group.path == "rebuild":
        return f"workloads are scaled up for {counted(len(group.machines), 'VM')}"
    if METHODS[group.method].cutover:
        return f"the sources are shut down, the remaining changes are copied, and {vms} {start} in the target"
    if group.path == "forklift":
        return "nothing changes in the cluster: Forklift started the VMs after their copy"
    return f"{vms} {start} in the target"


def _when(group: Group, windows: str) -> str:
    method = METHODS[group.method]
    if group.cutover is not None and method.cutover:
        return f"cutover {group.cutover}"
    if group.stage == "migrating" and method.reads and not method.source_runs:
        return "as soon as it is synced" + (f"; windows of the phase: {windows}" if windows else "")
    return f"windows of the phase: {windows}" if windows and group.stage == "cutover" else ""


def whole_gib(size: int) -> str:
    """Return bytes in whole GiB, rounded up."""
    return f"{-(-size // _GI)} GiB"
