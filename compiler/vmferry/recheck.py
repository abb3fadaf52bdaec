"""Checks a spec again after little changed, from what the last run left (`solved`).

If only facts changed that concern nobody but their VMs (`resolve.own_facts`), or only groups moved to a later stage
(`resolve.own_groups`), these VMs or groups are decided again, and nothing else. In any other case there is no answer,
and the spec is checked as if for the first time.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from vmferry import kept_findings, rules, solved
from vmferry.cache import Cache
from vmferry.estate.resolution import Resolution, assignments_of
from vmferry.layout.names import ASSIGNMENTS
from vmferry.load.changed_vms import Changed, changed_vms, texts_of
from vmferry.load.trail import look
from vmferry.model.assignments import Assignments
from vmferry.model.blueprint import Blueprint, Group
from vmferry.model.finding import Finding, inserted
from vmferry.model.project import Entry, Project
from vmferry.model.review import Review, Subject, review_of
from vmferry.rules import Change
from vmferry.rules.parts import Parts
from vmferry.solved import Found, Solved

if TYPE_CHECKING:  # what decides is only loaded where something changed
    from vmferry.resolve.own_groups import GroupsAgain
    from vmferry.resolve.surroundings import Today

MOST = 64
"""VMs whose facts may have changed: to decide more of them one by one takes as long as to decide all."""
MOST_MOVED = 512
"""VMs whose groups may have moved on."""


def state(spec: Path, assignments: Path | None, cache: Cache) -> Solved | None:
    """Return what a run leaves, as `recall` finds it, without decoding groups if nothing changed."""
    known = solved.recall(spec, assignments, cache) if cache.enabled else None
    changed = _changed(known, cache) if known is not None else None
    if known is None or changed is None:
        return None
    if changed.trail == known.trail:
        return known
    found = _recalled(known, changed, spec, assignments, cache, judged=False)
    return found[1] if found is not None else None


def recall(spec: Path, assignments: Path | None, cache: Cache, *, judged: bool = True) -> Found | None:
    """Return what a run finds after little changed since the last one; None if it is uncertain.

    Unless it is to be ``judged``, it may lack its findings.
    """
    known = solved.recall(spec, assignments, cache)
    changed = _changed(known, cache) if known is not None else None
    if known is None or changed is None:
        return None
    found = _recalled(known, changed, spec, assignments, cache, judged=judged)
    return found[0] if found is not None else None


def _changed(known: Solved, cache: Cache, instead: Mapping[str, bytes] | None = None) -> Changed | None:
    """Return what changed since a run; None if it is too much."""
    changed = changed_vms(known.trail, known.project, known.blueprint.places, cache, instead)
    return changed if changed is not None and len(changed.vms) <= MOST else None


class _Step(NamedTuple):
    """What deciding a part again comes to: the Blueprint, and what is found more and no longer."""

    blueprint: Blueprint
    gone: tuple[Finding, ...]
    new: tuple[Finding, ...]
    today: "Today"
    written: bool  # see `Solved`
    records: Assignments | None


def _recalled(
    known: Solved, changed: Changed, spec: Path, assignments: Path | None, cache: Cache, *, judged: bool
) -> tuple[Found, Solved] | None:
    """Return what a run finds, and what it leaves: the ``known`` again if nothing changed."""
    groups = solved.groups_of(known, known.groups, cache)
    if groups is None:
        return None
    blueprint = structs.replace(known.blueprint, groups=groups)
    left = known
    if changed.trail != known.trail:
        step = _of_groups(known, changed, blueprint, cache) if changed.moved else _of_vms(known, changed, blueprint)
        again = _left(known, groups, changed, step, cache) if step is not None else None
        if step is None or again is None:
            return None
        blueprint, left = step.blueprint, again
        solved.keep(left, spec, assignments, cache)
    project = structs.replace(left.project, texts=texts_of(left.project, changed.contents), trail=left.trail)
    resolution = Resolution(
        blueprint=blueprint,
        metadata=project.spec.metadata,
        standard=left.standard,
    )
    findings = left.findings_of_all(cache) if judged else ()
    return (Found(project, resolution, findings, left.groups), left) if findings is not None else None


def _left(known: Solved, groups: tuple[Group, ...], changed: Changed, step: _Step, cache: Cache) -> Solved | None:
    """Return what a step leaves for the next run; None if it takes back what nobody found. ``groups`` are the known."""
    changes = step.gone or step.new
    others = without(known, step.gone, cache) if changes else []  # nothing is decoded if nothing differs
    if others is None:
        return None
    same = {id(group): digest for group, digest in zip(groups, known.groups.values(), strict=True)}
    left = structs.replace(
        known,
        trail=changed.trail,
        project=structs.replace(known.project, spec=changed.spec),
        blueprint=structs.replace(step.blueprint, groups=()),
        groups={group.name: same.get(id(group)) or solved.digest_of(group, cache) for group in step.blueprint.groups},
        today=dict(step.today),
        written=step.written,
        records=step.records,
    )
    findings = inserted(others, step.new)
    if changes:
        return structs.replace(left, findings=kept_findings.keep(findings, cache), kinds=solved.kinds_of(findings))
    return left


def without(known: Solved, gone: Iterable[Finding], cache: Cache) -> list[Finding] | None:
    """Return what was found, without what is gone; None if nobody found that, or if it is lost."""
    found = known.findings_of_all(cache)
    if found is None:
        return None
    left = list(found)
    for finding in gone:
        if finding not in left:
            return None
        left.remove(finding)
    return left


def _of_vms(known: Solved, changed: Changed, blueprint: Blueprint) -> _Step | None:
    """Return what comes of facts about VMs that changed; None if it is uncertain."""
    from vmferry.resolve.own_facts import decide_own

    project = structs.replace(known.project, spec=changed.spec)
    again = decide_own(changed.vms, project, blueprint, known.standard, known.today)
    if again is None:
        return None
    gone: list[Finding] = []
    new: list[Finding] = []
    for vm, entries in zip(again.vms, changed.vms, strict=True):
        before = _of_vm(project, again.blueprint, vm.was, entries.was)
        now = _of_vm(project, again.blueprint, vm.now, entries.now)
        if before != now:
            gone += before
            new += now
    return _Step(again.blueprint, tuple(gone), tuple(new), again.today, known.written, known.records)


def _of_vm(project: Project, blueprint: Blueprint, subject: Subject, entry: Entry) -> tuple[Finding, ...]:
    """Return the findings of rules that look at one VM at a time."""
    groups = () if subject.group is None else (subject.group,)
    review = review_of(
        structs.replace(project, entries=(entry,)), structs.replace(blueprint, groups=groups), (subject,)
    )
    return rules.of_each(Parts(review).of((subject,)))


# --- groups -----------------------------------------------------------------------------------------


class Moved(NamedTuple):
    """Groups that were decided again by themselves, and the project with their VMs alone, before and after."""

    again: "GroupsAgain"
    was: Project
    now: Project
    contents: Mapping[str, bytes]  # of all files

    @property
    def decided(self) -> Change:
        """Return how the findings of deciding them differ."""
        gone, new = list(self.again.was.findings), list(self.again.now.findings)
        for finding in tuple(gone):
            if finding in new:
                gone.remove(finding)
                new.remove(finding)
        return Change(tuple(gone), tuple(new))

    @property
    def failed(self) -> bool:
        """Return whether they cannot be at their new stage."""
        return any(finding.is_error for finding in self.decided.new)

    def reviews(self, time: datetime | None = None) -> tuple[Review, Review]:
        """Return the reviews of the groups alone, before and after."""
        was, now = (
            review_of(
                project,
                structs.replace(self.again.blueprint, groups=each.blueprint.groups),
                each.subjects,
                now=time,
            )
            for project, each in ((self.was, self.again.was), (self.now, self.again.now))
        )
        return was, now


def moved(known: Solved, blueprint: Blueprint, instead: Mapping[str, bytes], cache: Cache) -> Moved | None:
    """Return what comes of groups that move on, if files had the content ``instead``; None if it is uncertain.

    ``blueprint`` is the known one, with its groups.
    """
    changed = _changed(known, cache, instead)
    return _moved(known, changed, blueprint, cache) if changed is not None else None


def _moved(known: Solved, changed: Changed, blueprint: Blueprint, cache: Cache) -> Moved | None:
    if not changed.moved or changed.vms or not known.written:
        return None
    own = tuple(group for group in blueprint.groups if group.name in changed.moved)
    if len(own) != len(changed.moved):
        return None  # there is no such group, which is an error
    was = structs.replace(known.project, assignments=assignments_of(known.project.spec.metadata, own))
    return _decided(known, (was, structs.replace(was, spec=changed.spec)), own, changed.contents, blueprint, cache)


def _decided(
    known: Solved,
    projects: tuple[Project, Project],
    own: tuple[Group, ...],
    contents: Mapping[str, bytes],
    blueprint: Blueprint,
    cache: Cache,
) -> Moved | None:
    """Return groups decided again, of two projects that differ in nothing that others could see."""
    from vmferry.load.project import attachments_of
    from vmferry.load.some_vms import entries_of
    from vmferry.resolve.own_groups import decide_groups

    keys = {machine.key for group in own for machine in group.machines}
    vms = [card.key for card in known.cards_of_vms() if card.machine in keys]
    entries = entries_of(vms, projects[1], blueprint.places, contents, cache) if len(vms) <= MOST_MOVED else None
    if entries is None:
        return None
    attachments = attachments_of(projects[1], contents)
    was, now = (structs.replace(each, entries=entries, attachments=attachments) for each in projects)
    again = decide_groups(was, now, {group.name for group in own}, blueprint, known.standard)
    return Moved(again, was, now, contents) if again is not None else None


def _of_groups(known: Solved, changed: Changed, blueprint: Blueprint, cache: Cache) -> _Step | None:
    """Return what comes of groups that moved on; None if it is uncertain."""
    found = _moved(known, changed, blueprint, cache)
    return _step(known, found, written=False, records=found.was.assignments) if found is not None else None


def _step(known: Solved, found: Moved, *, written: bool, records: Assignments | None) -> _Step | None:
    from vmferry.resolve.surroundings import sizes_today

    change = difference(known, found)
    if change is None:
        return None
    again = found.again
    keys = {machine.key for group in again.now.blueprint.groups for machine in group.machines}
    today = {key: vm for key, vm in known.today.items() if key not in keys}
    today |= sizes_today(found.now, again.now.blueprint.groups)
    return _Step(again.blueprint, change.gone, change.new, today, written, records)


def difference(known: Solved, found: Moved, time: datetime | None = None, *, compared: bool = False) -> Change | None:
    """Return how findings differ after groups were decided again; None if it is uncertain, or if that failed.

    Rules on the Blueprint are left out. Those on transitions only find something if the two states are ``compared``.
    """
    if found.failed:
        return None  # then no rule is asked
    was, now = found.reviews(time)
    now = structs.replace(now, before=was if compared else None)
    by_rules = rules.of_moved(was, now, {each.code for each in known.kinds})
    if by_rules is None:
        return None
    decided = found.decided
    return Change((*decided.gone, *by_rules.gone), (*decided.new, *by_rules.new))


def remember_written(spec: Path, assignments: Path | None, cache: Cache) -> None:
    """Keep what a run leaves after its assignments were written, for groups that moved on: others read no records."""
    known = solved.recall(spec, assignments, cache)
    if known is None or known.records is None:
        return
    found = look(known.trail)
    groups = solved.groups_of(known, known.groups, cache)
    path = assignments or (spec if spec.is_dir() else spec.parent) / ASSIGNMENTS
    if found is None or groups is None or found.changed.keys() != {str(path)}:
        return
    names = {item.group for item in known.records.vms.values()}
    own = tuple(group for group in groups if group.name in names)
    was = structs.replace(known.project, assignments=known.records)
    now = structs.replace(was, assignments=assignments_of(was.spec.metadata, own))
    blueprint = structs.replace(known.blueprint, groups=groups)
    decided = _decided(known, (was, now), own, found.contents, blueprint, cache)
    step = _step(known, decided, written=True, records=None) if decided is not None else None
    changed = Changed((), was.spec, found.contents, found.trail(known.trail))
    left = _left(known, groups, changed, step, cache) if step is not None else None
    if left is not None:
        solved.keep(left, spec, assignments, cache)
