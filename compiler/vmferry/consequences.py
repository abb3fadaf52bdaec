"""What a change of the spec means: which decisions differ from another commit, and their effect."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from decimal import Decimal, InvalidOperation
from difflib import SequenceMatcher
from typing import Any

import msgspec
from msgspec import Struct

from vmferry.estate import identity
from vmferry.estate.matching import Matcher
from vmferry.estate.methods import METHODS
from vmferry.estate.stages import begun, rank, running
from vmferry.estate.wording import counted
from vmferry.kube.quantity import format_size, parse_size
from vmferry.model.blueprint import Blueprint, Group, MachineDisk
from vmferry.model.keys import VmKey
from vmferry.model.review import Review, Subject
from vmferry.model.spec import Assign, Stage

_GI = 1 << 30
NOTHING = "none"
"""Stands for a value that there is not, or was not."""


class Value(Struct, frozen=True):
    """One decision, before and after."""

    subject: str
    before: str
    after: str


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


class VmChange(Struct, frozen=True):
    """A VM with decisions that differ."""

    vm: str
    key: VmKey
    group: str
    values: tuple[Value, ...]


class Settings(Struct, frozen=True):
    """Something that several VMs share, with settings that differ: a group, a namespace, or the target."""

    name: str
    values: tuple[Value, ...]


class RuleChange(Struct, frozen=True):
    """A row of `assign` that differs: its place in the newer list, or in the older one if it was removed."""

    index: int
    how: str  # added, removed, changed or moved
    before: int  # VMs that it matched
    after: int  # VMs that it matches
    vms: tuple[str, ...]  # those that it matched or matches
    decided: int  # of those, how many are decided differently; frozen ones are not


class Consequences(Struct, frozen=True, kw_only=True):
    """All differences."""

    stages: tuple[StageChange, ...] = ()
    added: tuple[str, ...] = ()  # VMs that did not move before
    removed: tuple[str, ...] = ()  # VMs that no longer move
    vms: tuple[VmChange, ...] = ()
    groups: tuple[Settings, ...] = ()
    namespaces: tuple[Settings, ...] = ()
    target: tuple[Value, ...] = ()  # settings of the cluster, sources, hooks, bridges …
    rules: tuple[RuleChange, ...] = ()

    @property
    def empty(self) -> bool:
        """Return whether nothing is decided differently."""
        return self == Consequences()


def consequences(before: Review, after: Review) -> Consequences:
    """Return what is decided differently ``after`` a change. VMs are matched as they are between two runs."""
    was, now = _by_key(before), _by_key(after)
    keys = identity.match(
        (identity.of_vm(each.vm, each.source) for each in was.values()),
        (identity.of_vm(each.vm, each.source) for each in now.values()),
    )
    pairs = {key: (was[old], now[key]) for key, old in keys.items()}
    moved_before = {key for key, (old, _) in pairs.items() if old.machine is not None}
    moves_still = {keys[key] for key, (_, new) in pairs.items() if new.machine is not None}
    added = {key for key, subject in now.items() if subject.machine is not None} - moved_before
    removed = {key for key, subject in was.items() if subject.machine is not None} - moves_still
    vms = tuple(_changed(pairs))
    return Consequences(
        stages=tuple(_stages(before, after)),
        added=_names(now, added),
        removed=_names(was, removed),
        vms=vms,
        groups=tuple(_groups(before, after)),
        namespaces=tuple(_namespaces(before, after)),
        target=tuple(_differences(_plain(_shared(before.blueprint)), _plain(_shared(after.blueprint)))),
        rules=tuple(_rules(before, after, {change.key for change in vms} | added | removed)),
    )


def of_new(after: Review) -> Consequences:
    """Return what a spec decides that was not there before."""
    nothing = msgspec.structs.replace(
        after,
        subjects=(),
        blueprint=msgspec.structs.replace(after.blueprint, groups=(), namespaces=()),
        project=msgspec.structs.replace(
            after.project, spec=msgspec.structs.replace(after.project.spec, assign=()), entries=()
        ),
    )
    return consequences(nothing, after)


def _by_key(review: Review) -> dict[VmKey, Subject]:
    return {subject.key: subject for subject in review.subjects}


def _names(subjects: Mapping[VmKey, Subject], keys: Iterable[VmKey]) -> tuple[str, ...]:
    return tuple(subjects[key].name for key in sorted(keys))


# --- stages -----------------------------------------------------------------------------------


def _stages(before: Review, after: Review) -> Iterator[StageChange]:
    """Yield groups whose stage differs; a group that there was not before was planned."""
    was = {group.name: group.stage for group in before.blueprint.groups}
    windows = {
        phase.name: ", ".join(f"{window.start} for {window.duration}" for window in phase.windows)
        for phase in after.blueprint.phases
    }
    for group in after.blueprint.groups:
        stage = was.get(group.name) or was.get(group.split_from or "", "planned")
        if stage != group.stage:
            yield StageChange(
                group=group.name,
                phase=group.phase,
                before=stage,
                after=group.stage,
                vms=len(group.machines),
                size=sum(disk.size for disk in _filled(group)),
                what=_what(group, stage),
                when=_when(group, windows[group.phase]) if rank(group.stage) > rank(stage) else "",
            )


def _filled(group: Group) -> list[MachineDisk]:
    """Return the disks of a group whose volumes are filled, from vSphere or from images."""
    machines = [machine for machine in group.machines if machine.clone_of is None]
    disks = [disk for machine in machines for disk in machine.disks if disk.owner and not disk.lun]
    # a Job fills volumes that CDI creates empty
    return [disk for disk in disks if METHODS[group.method].reads or disk.source.blank is None]


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
    return f"{vms_are} stopped in the target and kept{stated}; start the source by hand"


def _after(group: Group, vms_are: str) -> str:
    if group.stage == "adopted":
        return f"{vms_are} synced from complete manifests; what copied them is no longer synced, and kept"
    if group.stage == "validated":
        return f"{vms_are} accepted; nothing changes in the cluster"
    archived = "its Plan is archived; " if group.path == "forklift" else ""
    return f"{vms_are} retired: {archived}there is no way back, and the source may be deleted"


def _copy(group: Group, vms_are: str) -> str:
    method = METHODS[group.method]
    size = f"{_size(sum(disk.size for disk in _filled(group)))} of disks"
    if group.path == "rebuild":
        return f"{vms_are} created as workloads with 0 replicas"
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


def _size(size: int) -> str:
    """Return bytes in whole GiB, rounded up."""
    return f"{-(-size // _GI)} GiB"


# --- VMs --------------------------------------------------------------------------------------

_OF_MACHINE = frozenset(("key", "name", "group", "phase", "revision", "conversion"))
"""Fields of a Machine that a Subject has, that are in no manifest, or that an attempt begins with."""
_BYTES = ("memory", "size")


def _changed(pairs: Mapping[VmKey, tuple[Subject, Subject]]) -> Iterator[VmChange]:
    """Yield VMs with decisions that differ, by key. Of VMs that begin or cease to move, only the disposition."""
    for key, (was, now) in sorted(pairs.items()):
        values = tuple(_differences(_of_subject(was), _of_subject(now)))
        if was.machine is None or now.machine is None:
            values = tuple(value for value in values if value.subject == "disposition")
        elif was.machine != now.machine:
            values += tuple(_differences(_plain(was.machine, _OF_MACHINE), _plain(now.machine, _OF_MACHINE)))
        if values:
            yield VmChange(now.name, key, now.group.name if now.group is not None else "", values)


def _of_subject(subject: Subject) -> dict[str, Any]:
    group = subject.group
    values = {"name": subject.name, "disposition": subject.disposition}
    return values | {"phase": group.phase if group else None, "group": group.name if group else None}


# --- what VMs share ---------------------------------------------------------------------------

_OF_GROUP = frozenset(
    (
        "machines",
        "name",
        "fullName",
        "stage",
        "reached",
        "departed",
        "running",
        "frozen",
        "layers",
        "steps",
        "networks",
        "storage",
        "origins",
        "keptOnFailure",
    )
)
"""Fields of a Group that have a place of their own here, or follow from VMs, stages and sources."""
_OF_NAMESPACE = frozenset(("quotaBasis", "places"))


def _groups(before: Review, after: Review) -> Iterator[Settings]:
    """Yield groups that there were before with other settings, such as the time of their cutover."""
    was = {group.name: group for group in before.blueprint.groups}
    for group in after.blueprint.groups:
        if group.name in was:
            values = tuple(_differences(_plain(was[group.name], _OF_GROUP), _plain(group, _OF_GROUP)))
            if values:
                yield Settings(group.name, values)


def _namespaces(before: Review, after: Review) -> Iterator[Settings]:
    was = {plan.name: _plain(plan, _OF_NAMESPACE) for plan in before.blueprint.namespaces}
    now = {plan.name: _plain(plan, _OF_NAMESPACE) for plan in after.blueprint.namespaces}
    for name in sorted({*was, *now}):
        values = tuple(_differences(was.get(name, {}), now.get(name, {})))
        if values:
            yield Settings(name, tuple(map(_with_sum, values)))


def _with_sum(value: Value) -> Value:
    """Return a limit of a quota with its difference, if both are numbers."""
    if not value.subject.startswith("quota."):
        return value
    bytes_ = value.subject.endswith((".memory", ".storage"))
    try:
        before, after = (Decimal(parse_size(text) if bytes_ else text) for text in (value.before, value.after))
    except (ValueError, InvalidOperation):  # there was none, or it is in millicores
        return value
    difference = abs(after - before)
    shown = format_size(int(difference)) if bytes_ else str(difference)
    return msgspec.structs.replace(value, after=f"{value.after} ({'+' if after > before else '-'}{shown})")


def _shared(blueprint: Blueprint) -> dict[str, Any]:
    """Return what the manifests of all VMs depend on."""
    fields = ("cluster", "gitops", "forklift", "target", "sources", "hooks", "scripts", "bridges", "phases")
    return {field: getattr(blueprint, field) for field in fields}


# --- any two values ---------------------------------------------------------------------------

_LONGEST = 60


class _Hidden(Struct, frozen=True):
    """A file or a long text: it only matters whether it is the same."""

    value: bytes | str


def _plain(value: Any, but: Set[str] = frozenset()) -> Any:
    """Return a value as dicts and lists, with every field of a struct by its name in YAML, ``but`` some."""
    if isinstance(value, Struct):
        fields = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        return {shown: _of_field(shown, getattr(value, name)) for name, shown in fields if shown not in but}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return [_plain(item) for item in sorted(value)]
    if isinstance(value, tuple | list):
        items = [_plain(item) for item in value]
        names = [item.get("name") if isinstance(item, dict) else None for item in items]
        named = all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
        return dict(zip(names, items, strict=True)) if items and named else items
    if isinstance(value, bytes) or (isinstance(value, str) and (len(value) > _LONGEST or "\n" in value)):
        return _Hidden(value)
    return value


def _of_field(name: str, value: Any) -> Any:
    return format_size(value) if name in _BYTES and type(value) is int and value else _plain(value)


def _differences(before: Any, after: Any, path: str = "") -> Iterator[Value]:
    """Yield what differs between two values, by path."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*before, *after)):
            below = f"{path}.{key}" if path else key
            yield from _differences(before.get(key), after.get(key), below)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differences(one, other, f"{path}[{index}]")
    elif before != after:
        yield Value(path, _shown(before), _shown(after))


def _shown(value: Any) -> str:
    """Return a value on one short line; texts and files only by their length."""
    if value is None or value in ({}, []):
        return NOTHING
    if isinstance(value, _Hidden):
        unit = "bytes" if isinstance(value.value, bytes) else "characters"
        return f"another text of {len(value.value)} {unit}"
    if isinstance(value, str):
        return value
    text = json.dumps(value, ensure_ascii=False, default=_shown)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


# --- assign -----------------------------------------------------------------------------------


def _rules(before: Review, after: Review, differing: Set[VmKey]) -> Iterator[RuleChange]:
    """Yield the rows of `assign` that differ, each with how many VMs it concerns, and how many of the ``differing``."""
    was, now = before.spec.assign, after.spec.assign
    written = [[msgspec.json.encode(row, order="sorted").decode() for row in rows] for rows in (was, now)]
    kept = Counter(written[0]) & Counter(written[1])
    for how, first, last, start, end in SequenceMatcher(None, written[0], written[1], autojunk=False).get_opcodes():
        if how == "equal":
            continue
        old, new = range(first, last), range(start, end)
        for number in range(max(len(old), len(new))):
            one = was[old[number]] if number < len(old) else None
            other = now[new[number]] if number < len(new) else None
            index = new[number] if other is not None else old[number]
            raw = written[1][index] if other is not None else written[0][index]
            if other is None and raw in kept:  # its new place follows
                continue
            yield _rule(index, (one, other), (before, after), differing, moved=raw in kept)


def _rule(
    index: int,
    rows: tuple[Assign | None, Assign | None],
    reviews: tuple[Review, Review],
    differing: Set[VmKey],
    *,
    moved: bool,
) -> RuleChange:
    was, now = (_matched(row, each) if row is not None else {} for row, each in zip(rows, reviews, strict=True))
    one, other = rows
    how = "moved" if moved else "added" if one is None else "removed" if other is None else "changed"
    everyone = was | now
    names = tuple(everyone[key] for key in sorted(everyone))
    return RuleChange(index, how, len(was), len(now), names, len(everyone.keys() & differing))


def _matched(rule: Assign, review: Review) -> dict[VmKey, str]:
    """Return the VMs that a row selects, by key."""
    matches = Matcher(rule.match)
    return {each.key: each.name for each in review.subjects if matches(each.vm, each.source)}


# --- the same of many -------------------------------------------------------------------------


class Alike(Struct, frozen=True):
    """A decision that differs in the same way for several VMs."""

    value: Value
    vms: tuple[str, ...]


def alike(changes: Iterable[VmChange]) -> tuple[Alike, ...]:
    """Return the differences of VMs, each once with its VMs: most VMs first, then by subject."""
    found: defaultdict[Value, list[str]] = defaultdict(list)
    for change in changes:
        for value in change.values:
            found[value].append(change.vm)
    rows = [Alike(value, tuple(vms)) for value, vms in found.items()]
    return tuple(sorted(rows, key=lambda row: (-len(row.vms), row.value.subject, row.value.before, row.vms)))
