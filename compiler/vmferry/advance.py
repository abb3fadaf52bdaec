"""Moves groups to their next stage in the user's own file, if every rule accepts that."""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path

from msgspec import Struct, structs

from vmferry import files, policy, recheck, rules
from vmferry.against import as_at_head
from vmferry.cache import Cache
from vmferry.check import Checked, check, review
from vmferry.estate.resolution import Resolution
from vmferry.estate.stages import begun, onward
from vmferry.kube.dns import fit
from vmferry.layout.locks import DIRECTORY
from vmferry.model.blueprint import Group, Machine
from vmferry.model.finding import Finding, SpecError, Where, by_place, ordered
from vmferry.model.project import Project
from vmferry.model.review import Review
from vmferry.model.spec import Stage
from vmferry.solved import Solved, groups_of
from vmferry.yaml.edit import Value, with_values
from vmferry.yaml.text import MAX_BYTES, encoded, readable

Values = Mapping[str, Value]


class Move(Struct, frozen=True):
    """A group with the stage that it is at, and the one that it goes to.

    ``more`` are other fields of the group that are set with it, or removed if they are None.
    """

    group: str
    before: Stage
    after: Stage
    more: Values = {}


class Edit(Struct, frozen=True):
    """The file of the spec, with its new content."""

    file: Path
    content: bytes


class Advance(Struct, frozen=True):
    """What advancing would do: the moves, the file with its new content, and what the rules say about them."""

    moves: tuple[Move, ...]
    file: Path
    content: bytes
    findings: tuple[Finding, ...]  # those that the moves bring
    checked: Checked  # the spec after them

    @property
    def refused(self) -> bool:
        """Return whether any rule refuses it."""
        return any(finding.is_error for finding in self.findings)


class Remembered(Struct, frozen=True):
    """What the last run of a spec left, with the findings on its Blueprint, which depend on the time."""

    known: Solved
    of_blueprint: tuple[Finding, ...]


class Before(Struct, frozen=True, dict=True):
    """A spec without errors, and the state that rules on transitions compare with."""

    spec: Path
    assignments: Path | None
    now: datetime
    cache: Cache
    checked: Checked
    against: tuple[Review, ...]  # as at HEAD; outside of git, and for a new spec, as it was compiled
    remembered: Remembered | None = None  # if that is all that was looked at: ``checked`` then has no VMs or findings

    @cached_property
    def whole(self) -> "Before":
        """Return it with everything."""
        return self if self.remembered is None else look(self.spec, self.assignments, self.now, self.cache)


def look(spec: Path, assignments: Path | None, now: datetime, cache: Cache) -> Before:
    """Return a spec before any move. Raises SpecError with its errors, or if git cannot tell what HEAD is."""
    against = "HEAD" if _in_repository(spec) else None
    checked = check(spec, assignments, now=now, against=against, exact=True, cache=cache, reasons=False)
    if checked.broken:
        raise SpecError(*(finding for finding in checked.findings if finding.is_error))
    return Before(spec, assignments, now, cache, checked, checked.befores or (_as_compiled(checked, now),))


def remember(spec: Path, assignments: Path | None, now: datetime, cache: Cache) -> Before:
    """Return the same as `look`, from what the last run left if nothing has changed since, here and at HEAD."""
    known = recheck.state(spec, assignments, cache)
    groups = groups_of(known, known.groups, cache) if known is not None and known.written else None
    if known is None or groups is None:
        return look(spec, assignments, now, cache)
    if _in_repository(spec) and not as_at_head(known.project, spec, assignments):
        return look(spec, assignments, now, cache)
    blueprint = structs.replace(known.blueprint, groups=groups)
    resolution = Resolution(blueprint=blueprint, metadata=known.project.spec.metadata)
    of_blueprint = rules.of_blueprint(review(known.project, resolution, now=now))
    findings = known.findings_of_all(cache) if policy.suppresses(known.project) else known.kinds
    if findings is None:
        return look(spec, assignments, now, cache)
    applied = policy.apply(by_place((*findings, *of_blueprint)), known.project, now, compared=True)
    if any(finding.is_error for finding in applied):
        return look(spec, assignments, now, cache)
    checked = Checked(project=known.project, resolution=resolution, findings=(), whole=False)
    return Before(spec, assignments, now, cache, checked, (), Remembered(known, of_blueprint))


def _in_repository(spec: Path) -> bool:
    path = spec.resolve()
    return any((folder / ".git").exists() for folder in (path, *path.parents))


def _as_compiled(checked: Checked, now: datetime) -> Review:
    """Return a spec with each group at the stage at which it was compiled last, as its assignments say."""
    known = checked.project.assignments.vms if checked.project.assignments is not None else {}
    stages = {each.group: each.stage for each in known.values()}
    blueprint = checked.resolution.blueprint
    groups = tuple(structs.replace(group, stage=stages.get(group.name, group.stage)) for group in blueprint.groups)
    resolution = structs.replace(checked.resolution, blueprint=structs.replace(blueprint, groups=groups))
    return review(checked.project, resolution, now=now)


def next_of(group: Group) -> Move | None:
    """Return the next move of a group; None at the last stage, and where it is rolled back."""
    following = onward(group.stage)
    return Move(group.name, group.stage, following) if following is not None else None


def advance(before: Before, moves: Sequence[Move]) -> Advance:
    """Return what these moves would do. Raises CannotEditError if the file has to be edited by hand."""
    edit = edited(before.checked.project, moves)
    findings, after = rechecked(before, edit)
    return Advance(tuple(moves), edit.file, edit.content, findings, after)


def rechecked(before: Before, edit: Edit) -> tuple[tuple[Finding, ...], Checked]:
    """Return what the rules say about an edit that they did not say before, and the spec after it."""
    if before.remembered is not None:
        return _moved(before, before.remembered, edit) or rechecked(before.whole, edit)
    after = check(
        before.spec,
        before.assignments,
        now=before.now,
        against=before.against,
        cache=before.cache,
        reasons=False,
        instead={before.checked.project.where.file: edit.content},
    )
    return _new(before.checked.findings, after.findings), after


def _new(before: Iterable[Finding], after: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings that were not there before."""
    known: set[tuple[str, str]] = set()
    places: set[tuple[str, Where | None]] = set()  # a message may count groups
    for finding in before:
        known.add((finding.code, finding.message))
        places.add((finding.code, finding.where))
    return tuple(
        finding
        for finding in after
        if (finding.code, finding.message) not in known
        and (finding.is_error or (finding.code, finding.where) not in places)
    )


def _moved(before: Before, remembered: Remembered, edit: Edit) -> tuple[tuple[Finding, ...], Checked] | None:
    """Return what `rechecked` does, if nothing but the groups that move has to be decided again."""
    known, checked = remembered.known, before.checked
    file = checked.project.where.file
    moved = recheck.moved(known, checked.resolution.blueprint, {file: edit.content}, before.cache)
    if moved is None:
        return None
    project = structs.replace(known.project, spec=moved.now.spec)
    resolution = structs.replace(checked.resolution, blueprint=moved.again.blueprint)
    if moved.failed:
        return _told(policy.apply(by_place(moved.decided.new), project, before.now), project, resolution, moved)
    change = recheck.difference(known, moved, before.now, compared=True)
    if change is None:
        return None
    here = structs.replace(
        review(project, resolution, now=before.now), before=review(known.project, checked.resolution, now=before.now)
    )
    was, now = [*change.gone, *remembered.of_blueprint], [*change.new, *rules.of_blueprint(here)]
    if policy.suppresses(project):  # then it has to be known which suppressions are used
        others = recheck.without(known, change.gone, before.cache)
        if others is None:
            return None
        was, now = [*others, *was], [*others, *now]
    applied = [
        policy.apply(by_place(findings), each, before.now, compared=True)
        for findings, each in ((was, known.project), (now, project))
    ]
    return _told(_new(*applied), project, resolution, moved)


def _told(
    findings: tuple[Finding, ...], project: Project, resolution: Resolution, moved: recheck.Moved
) -> tuple[tuple[Finding, ...], Checked]:
    """Return findings in order, and the spec after the move with the text of the files that they are about."""
    about = {finding.where.file for finding in findings if finding.where is not None} & moved.contents.keys()
    project = structs.replace(project, texts={path: readable(moved.contents[path]) for path in about})
    return ordered(findings), Checked(project=project, resolution=resolution, findings=(), whole=False)


def edited(project: Project, moves: Iterable[Move]) -> Edit:
    """Return the spec's file after these moves. Raises CannotEditError if it has to be edited by hand, and OSError."""
    path = Path(project.where.file)
    raw = files.read_named(path, MAX_BYTES + 1)
    values: dict[tuple[str, ...], Value] = {
        ("groups", move.group, field): value
        for move in moves
        for field, value in {"stage": move.after, **move.more}.items()
    }
    return Edit(path, encoded(with_values(raw.decode("utf-8-sig"), project.where.document, values), raw))


def again(project: Project, group: Group, stage: Stage, *, deleted: bool) -> Values:
    """Return the fields with which a group leaves `rolled-back`: new numbers, nothing about the roll-back, no clients.

    ``deleted`` states that what the earlier run left in the target was deleted.
    """
    state = project.spec.groups[group.name]
    found: dict[str, Value] = {}
    if group.reached is not None and begun(group.reached) and stage == "prepared":
        found["attempt"] = state.attempt + 1
    if deleted:
        found["remigrate"] = state.remigrate + 1
    stated = (("dataLoss", state.data_loss), ("reason", state.reason), ("weight", state.weight))
    return found | {field: None for field, value in stated if value is not None}


def alone(group: Group, machine: Machine, stage: Stage, more: Values) -> Move:
    """Return the move of one VM out of its group, into one of its own at a stage."""
    found: dict[str, Value] = {"splitFrom": group.name, "vms": (machine.id or machine.name,)}
    numbers = (("attempt", group.attempt, 1), ("remigrate", group.remigrate, 0))
    found |= {field: value for field, value, default in numbers if value != default}
    return Move(fit(f"{group.name}-{machine.target_name}"), group.stage, stage, found | dict(more))


def advance_ready(before: Before, moves: Sequence[Move]) -> tuple[Advance | None, dict[str, Finding]]:
    """Return what those of the moves would do that bring neither errors nor warnings, and what the others wait for."""
    waiting: dict[str, Finding] = {}
    groups = {group.name: group for group in before.checked.resolution.blueprint.groups}
    left = list(moves)
    while left:
        found = advance(before, left)
        grave = [finding for finding in found.findings if finding.severity != "info"]
        if not grave:
            return found, waiting
        blamed = {move.group: finding for finding in grave for move in left if _concerns(finding, groups[move.group])}
        if not blamed:  # nobody can tell which of them
            blamed = dict.fromkeys((move.group for move in left), grave[0])
        waiting |= blamed
        left = [move for move in left if move.group not in blamed]
    return None, waiting


def _concerns(finding: Finding, group: Group) -> bool:
    """Return whether a finding is about a group or its VMs."""
    path = finding.where.path if finding.where is not None else ()
    if path[:1] == ("groups",):
        return path[1:2] == (group.name,)
    return not {machine.name for machine in group.machines}.isdisjoint(finding.vms)


def chosen(groups: Iterable[Group], names: Sequence[str], phase: str | None) -> list[Group]:
    """Return the groups with these names and those of a phase; all of them if neither is given."""
    everything = not names and phase is None
    return [group for group in groups if everything or group.name in names or group.phase == phase]


def compiled_into(before: Before) -> Path | None:
    """Return the directory that the spec was compiled into, if it is around the spec in its git repository."""
    path = before.checked.resolution.blueprint.gitops.path
    spec = before.spec.resolve()
    for top in (spec, *spec.parents):
        if (top / path / DIRECTORY).is_dir():
            return Path(os.path.relpath(top))
        if (top / ".git").exists():
            break
    return None
