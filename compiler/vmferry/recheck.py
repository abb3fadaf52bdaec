"""Checks a spec again after facts about a few VMs changed, from what the last run left: see `resolve.own_facts`.

Each run without errors leaves what it found: the Blueprint, the findings before the policy, and which files it read. If
since then only the inventory differs, in facts that concern nobody but their VMs, these VMs are decided again, and
nothing else. In any other case there is no answer, and the spec is checked as if for the first time.
"""

from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from vmferry import rules
from vmferry.cache import Cache
from vmferry.load.changed_vms import ChangedVm, changed_vms, texts_of
from vmferry.model.blueprint import Blueprint, Group
from vmferry.model.finding import Finding
from vmferry.model.keys import VmKey
from vmferry.model.project import Entry, Project
from vmferry.model.review import Subject, review_of
from vmferry.model.spec import VirtualMachine
from vmferry.model.trail import Trail
from vmferry.resolve.blueprint import Resolution
from vmferry.resolve.freeze import assignments_of
from vmferry.resolve.own_facts import Again, decide_own
from vmferry.resolve.surroundings import sizes_today
from vmferry.rules.parts import Parts

_KIND = "solved 1"
_GROUP = "solved group 1"
MOST = 64
"""VMs that may have changed: to decide more of them one by one takes as long as to decide all."""


class Found(Struct, frozen=True):
    """A spec without errors of its own, and the findings that neither the time nor the policy changes."""

    project: Project
    resolution: Resolution
    findings: tuple[Finding, ...]


class Solved(Struct, frozen=True, array_like=True):
    """What a run without errors found."""

    trail: Trail
    project: Project  # see `_without_vms`
    blueprint: Blueprint  # without groups
    groups: tuple[bytes, ...]  # their digests
    findings: tuple[Finding, ...]
    standard: dict[str, int]
    today: dict[VmKey, VirtualMachine]


def solved(found: Found) -> Solved | None:
    """Return what `remember` keeps of a run, still without its groups; None if nobody can tell what it read."""
    if found.project.trail is None:
        return None
    return _solved(found, found.project.trail, dict(sizes_today(found.project, found.resolution.blueprint.groups)))


def remember(known: Solved | None, groups: Iterable[Group], spec: Path, assignments: Path | None, cache: Cache) -> None:
    """Keep what a run found, if there is anything new, for the next one. Only for one that will read the same."""
    if known is None:
        return
    digests = tuple(_digest(group, cache) for group in groups)
    cache.put(_KIND, {_key(spec, assignments): structs.replace(known, groups=digests)})


def recall(spec: Path, assignments: Path | None, cache: Cache) -> Found | None:
    """Return what a run finds after facts about a few VMs changed since the last one; None if it is uncertain."""
    key = _key(spec, assignments)
    known = cache.get(_KIND, [key], Solved).get(key)
    if known is None:
        return None
    changed = changed_vms(known.trail, known.project, known.blueprint.places, cache)
    if changed is None or len(changed.vms) > MOST:
        return None
    groups = cache.get(_GROUP, known.groups, Group)
    if not groups.keys() >= {*known.groups}:
        return None
    blueprint = structs.replace(known.blueprint, groups=tuple(groups[digest] for digest in known.groups))
    project = structs.replace(known.project, spec=changed.spec)
    again = decide_own(changed.vms, project, blueprint, known.standard, known.today)
    findings = again and _findings(known.findings, project, again, changed.vms)
    if again is None or findings is None:
        return None
    project = structs.replace(project, texts=texts_of(project, changed.contents), trail=changed.trail)
    resolution = Resolution(
        blueprint=again.blueprint,
        assignments=assignments_of(project.spec, again.blueprint.groups),
        standard=known.standard,
    )
    found = Found(project, resolution, findings)
    same = {id(group): digest for group, digest in zip(blueprint.groups, known.groups, strict=True)}
    digests = tuple(same.get(id(group)) or _digest(group, cache) for group in again.blueprint.groups)
    now = structs.replace(_solved(found, changed.trail, dict(again.today)), groups=digests)
    cache.put(_KIND, {key: now})
    return found


def _findings(
    known: Iterable[Finding], project: Project, again: Again, changed: Iterable[ChangedVm]
) -> tuple[Finding, ...] | None:
    """Return the findings with what the rules now say about the VMs that changed; None if it is uncertain."""
    left = list(known)
    for vm, entries in zip(again.vms, changed, strict=True):
        before = _of_vm(project, again.blueprint, vm.was, entries.was)
        now = _of_vm(project, again.blueprint, vm.now, entries.now)
        if before == now:
            continue
        for finding in before:
            if finding not in left:
                return None
            left.remove(finding)
        left += now
    return tuple(left)


def _of_vm(project: Project, blueprint: Blueprint, subject: Subject, entry: Entry) -> tuple[Finding, ...]:
    """Return the findings of rules that look at one VM at a time."""
    groups = () if subject.group is None else (subject.group,)
    review = review_of(
        structs.replace(project, entries=(entry,)), structs.replace(blueprint, groups=groups), (subject,)
    )
    return rules.of_each(Parts(review).of((subject,)))


def _solved(found: Found, trail: Trail, today: dict[VmKey, VirtualMachine]) -> Solved:
    return Solved(
        trail,
        _without_vms(found.project),
        structs.replace(found.resolution.blueprint, groups=()),
        (),
        found.findings,
        dict(found.resolution.standard),
        today,
    )


def _without_vms(project: Project) -> Project:
    """Return a project as the policy and rules on the Blueprint need it: of the VMs only suppressions."""
    names = {entry.vm.name for entry in project.entries if entry.vm.suppress}
    return structs.replace(
        project,
        entries=tuple(entry for entry in project.entries if entry.vm.name in names),
        inventories=tuple(structs.replace(part, vms=()) for part in project.inventories),
        assignments=None,
        attachments={},
        texts=dict.fromkeys(project.texts, ""),
        trail=None,
    )


def _digest(group: Group, cache: Cache) -> bytes:
    """Keep a group; return its digest."""
    raw = msgspec.msgpack.encode(group, order="deterministic")
    digest = blake2b(raw, digest_size=20).digest()
    cache.put(_GROUP, {digest: msgspec.Raw(raw)})
    return digest


def _key(spec: Path, assignments: Path | None) -> bytes:
    """Return what identifies a spec: relative paths mean something only in one working directory."""
    return "\0".join((str(spec), str(assignments), str(Path.cwd()))).encode(errors="surrogateescape")
