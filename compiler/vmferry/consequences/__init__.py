"""What a change of the spec means: which decisions differ from another commit, and their effect."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from datetime import datetime
from decimal import Decimal, InvalidOperation
from difflib import SequenceMatcher
from typing import Any

import msgspec
from msgspec import Struct

from vmferry.consequences.evidence import EvidenceChange, evidence_changes
from vmferry.consequences.stages import StageChange, stage_changes
from vmferry.estate import identity
from vmferry.estate.matching import Matcher
from vmferry.kube.quantity import format_size, parse_size
from vmferry.model.blueprint import Blueprint
from vmferry.model.keys import VmKey
from vmferry.model.review import Review, Subject
from vmferry.model.spec import Assign

NOTHING = "none"
"""Stands for a value that there is not, or was not."""


class Value(Struct, frozen=True):
    """One decision, before and after; for a VM perhaps with what it means, as in `loses live migration`."""

    subject: str
    before: str
    after: str
    means: str | None = None


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
    evidence: tuple[EvidenceChange, ...] = ()
    rules: tuple[RuleChange, ...] = ()

    @property
    def empty(self) -> bool:
        """Return whether nothing is decided differently."""
        return self == Consequences()


def consequences(before: Review, after: Review, now: datetime | None = None) -> Consequences:
    """Return what is decided differently ``after`` a change. VMs are matched as they are between two runs.

    ``now`` says which window is open or opens next.
    """
    then, here = _by_key(before), _by_key(after)
    keys = identity.match(
        (identity.of_vm(each.vm, each.source) for each in then.values()),
        (identity.of_vm(each.vm, each.source) for each in here.values()),
    )
    pairs = {key: (then[old], here[key]) for key, old in keys.items()}
    moved_before = {key for key, (old, _) in pairs.items() if old.machine is not None}
    moves_still = {keys[key] for key, (_, new) in pairs.items() if new.machine is not None}
    added = {key for key, subject in here.items() if subject.machine is not None} - moved_before
    removed = {key for key, subject in then.items() if subject.machine is not None} - moves_still
    vms = tuple(_changed(pairs))
    return Consequences(
        stages=tuple(stage_changes(before, after, now)),
        added=_names(here, added),
        removed=_names(then, removed),
        vms=vms,
        groups=tuple(_groups(before, after)),
        namespaces=tuple(_namespaces(before, after)),
        target=tuple(_differences(_plain(_shared(before.blueprint)), _plain(_shared(after.blueprint)))),
        evidence=tuple(evidence_changes(before.project.evidence, after.project.evidence)),
        rules=tuple(_rules(before, after, {change.key for change in vms} | added | removed)),
    )


def of_new(after: Review, now: datetime | None = None) -> Consequences:
    """Return what a spec decides that was not there before."""
    nothing = msgspec.structs.replace(
        after,
        subjects=(),
        blueprint=msgspec.structs.replace(after.blueprint, groups=(), namespaces=()),
        project=msgspec.structs.replace(
            after.project, spec=msgspec.structs.replace(after.project.spec, assign=()), entries=(), evidence=None
        ),
    )
    return consequences(nothing, after, now)


def _by_key(review: Review) -> dict[VmKey, Subject]:
    return {subject.key: subject for subject in review.subjects}


def _names(subjects: Mapping[VmKey, Subject], keys: Iterable[VmKey]) -> tuple[str, ...]:
    return tuple(subjects[key].name for key in sorted(keys))


# --- VMs --------------------------------------------------------------------------------------

_OF_MACHINE = frozenset(("key", "name", "group", "phase", "revision", "conversion"))
"""Fields of a Machine that a Subject has, that are in no manifest, or that an attempt begins with."""
_BYTES = ("memory", "size")
_MEANINGS = {
    "path": "changes path",
    "namespace": "changes namespace",
    "phase": "changes phase",
    "targetName": "is renamed in the target",
    "mac": "gets another MAC",
}
"""What a decision on a VM means, by its field."""


def _changed(pairs: Mapping[VmKey, tuple[Subject, Subject]]) -> Iterator[VmChange]:
    """Yield VMs with decisions that differ, by key. Of VMs that begin or cease to move, only the disposition."""
    for key, (was, now) in sorted(pairs.items()):
        values = tuple(_differences(_of_subject(was), _of_subject(now)))
        if was.machine is None or now.machine is None:
            values = tuple(value for value in values if value.subject == "disposition")
        elif was.machine != now.machine:
            values += tuple(_differences(_plain(was.machine, _OF_MACHINE), _plain(now.machine, _OF_MACHINE)))
        if values:
            meant = tuple(msgspec.structs.replace(value, means=_meaning(value)) for value in values)
            yield VmChange(now.name, key, now.group.name if now.group is not None else "", meant)


def _meaning(value: Value) -> str | None:
    """Return what a decision on a VM means to whoever runs it; None where the decision says it by itself."""
    if value.subject == "evictionStrategy":
        migrates = (value.before.startswith("LiveMigrate"), value.after.startswith("LiveMigrate"))
        return {(True, False): "loses live migration", (False, True): "gains live migration"}.get(migrates)
    last = value.subject.rpartition(".")[2] if value.subject.startswith("nics.") else value.subject
    return _MEANINGS.get(last)


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
        "weight",
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
            if group.dual_run == "parallel" and group.weight != was[group.name].weight:
                values += (Value("clients at the target", f"{was[group.name].weight} %", f"{group.weight} %"),)
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
