"""Checks a spec again after facts about a few VMs changed, from what the last run left: see `resolve.own_facts`.

Each run without errors leaves what it found: the Blueprint, the findings before the policy, and which files it read. If
since then only the inventory differs, in facts that concern nobody but their VMs, these VMs are decided again, and
nothing else. In any other case there is no answer, and the spec is checked as if for the first time.
"""

from collections.abc import Collection, Iterable
from hashlib import blake2b
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from vmferry import rules
from vmferry.cache import Cache
from vmferry.layout.names import ASSIGNMENTS
from vmferry.load.changed_vms import Changed, ChangedVm, changed_vms, texts_of
from vmferry.model.blueprint import Blueprint, Group
from vmferry.model.finding import Finding
from vmferry.model.keys import VmKey
from vmferry.model.project import Entry, Project
from vmferry.model.review import Review, Subject, review_of
from vmferry.model.spec import Disposition, VirtualMachine
from vmferry.model.trail import Trail
from vmferry.resolve.blueprint import Resolution
from vmferry.resolve.freeze import assignments_of
from vmferry.resolve.own_facts import Again, decide_own
from vmferry.resolve.surroundings import sizes_today
from vmferry.rules.parts import Parts

_KIND = "solved 2"
_COMMIT = "solved at a commit 1"
_GROUP = "solved group 1"
_encode = msgspec.msgpack.Encoder().encode
_NOTHING_READ = Trail(files={}, folders={})  # a commit's files are never read again
MOST = 64
"""VMs that may have changed: to decide more of them one by one takes as long as to decide all."""


class Found(Struct, frozen=True):
    """A spec without errors of its own, and the findings that neither the time nor the policy changes."""

    project: Project
    resolution: Resolution
    findings: tuple[Finding, ...]


class Card(Struct, frozen=True, array_like=True):
    """What a comparison of two states needs of a VM beside its machine: its identity, and what becomes of it."""

    key: VmKey
    source: str
    name: str
    id: str | None
    uuid: str | None
    instance_uuid: str | None
    disposition: Disposition | None
    machine: VmKey | None  # the key of its machine, which may be an earlier one of the VM


class Solved(Struct, frozen=True, array_like=True):
    """What a run without errors found. Findings and cards are decoded on demand."""

    trail: Trail
    project: Project  # see `_without_vms`
    blueprint: Blueprint  # without groups
    groups: dict[str, bytes]  # their digests, by name and in order
    findings: msgspec.Raw
    standard: dict[str, int]
    today: dict[VmKey, VirtualMachine]
    cards: msgspec.Raw
    used: dict[VmKey, int]  # bytes in use on datastores, where that is known

    def cards_of_vms(self) -> tuple[Card, ...]:
        """Return the cards of all VMs, by key."""
        return msgspec.msgpack.decode(self.cards, type=tuple[Card, ...])


def solved(found: Found) -> Solved | None:
    """Return what `remember` keeps of a run, still without its groups; None if nobody can tell what it read."""
    if found.project.trail is None:
        return None
    return _solved(
        found,
        found.project.trail,
        dict(sizes_today(found.project, found.resolution.blueprint.groups)),
        msgspec.Raw(_encode(tuple(map(_card, found.resolution.subjects)))),
        {each.key: each.vm.used_storage for each in found.resolution.subjects if each.vm.used_storage is not None},
    )


def remember(
    known: Solved | None, groups: Iterable[Group], spec: Path, assignments: Path | None, cache: Cache
) -> Solved | None:
    """Keep what a run found, if there is anything new, for the next one, and return it.

    Only for a run after which the next one will read the same.
    """
    if known is None:
        return None
    known = structs.replace(known, groups=_kept(groups, cache))
    cache.put(_KIND, {_key(spec, assignments): known})
    return known


def remember_commit(was: Review, key: bytes, cache: Cache) -> None:
    """Keep what was found in a commit, under a key that says what was read: it is the same for ever."""
    if not cache.enabled:
        return
    resolution = Resolution(
        blueprint=was.blueprint, assignments=assignments_of(was.spec, was.blueprint.groups), subjects=was.subjects
    )
    known = solved(Found(structs.replace(was.project, trail=_NOTHING_READ), resolution, ()))
    if known is not None:
        cache.put(_COMMIT, {key: structs.replace(known, groups=_kept(was.blueprint.groups, cache))})


def recall_commit(key: bytes, cache: Cache) -> Solved | None:
    """Return what was found in a commit, if anyone looked."""
    return cache.get(_COMMIT, [key], Solved).get(key)


def groups_of(known: Solved, names: Collection[str], cache: Cache) -> tuple[Group, ...] | None:
    """Return some of the groups, in order; None if any is lost."""
    wanted = [digest for name, digest in known.groups.items() if name in names]
    groups = cache.get(_GROUP, wanted, Group)
    return tuple(groups[digest] for digest in wanted) if groups.keys() >= {*wanted} else None


def state(spec: Path, assignments: Path | None, cache: Cache) -> Solved | None:
    """Return what a run leaves, as `recall` finds it, without decoding groups if nothing changed."""
    if not cache.enabled:
        return None
    key = _key(spec, assignments)
    known = cache.get(_KIND, [key], Solved).get(key)
    changed = _changed(known, cache) if known is not None else None
    if known is None or changed is None:
        return None
    if changed.trail == known.trail:
        return known
    found = _recalled(key, known, changed, cache, judged=False)
    return found[1] if found is not None else None


def recall(spec: Path, assignments: Path | None, cache: Cache, *, judged: bool = True) -> Found | None:
    """Return what a run finds after facts about a few VMs changed since the last one; None if it is uncertain.

    Unless it is to be ``judged``, it may lack its findings.
    """
    key = _key(spec, assignments)
    known = cache.get(_KIND, [key], Solved).get(key)
    changed = _changed(known, cache) if known is not None else None
    if known is None or changed is None:
        return None
    found = _recalled(key, known, changed, cache, judged=judged)
    return found[0] if found is not None else None


def _changed(known: Solved, cache: Cache) -> Changed | None:
    """Return the VMs that changed since a run; None if too much did."""
    changed = changed_vms(known.trail, known.project, known.blueprint.places, cache)
    return changed if changed is not None and len(changed.vms) <= MOST else None


def _recalled(
    key: bytes, known: Solved, changed: Changed, cache: Cache, *, judged: bool
) -> tuple[Found, Solved] | None:
    """Return what a run finds, and what it leaves: the ``known`` again if nothing changed."""
    groups = groups_of(known, known.groups, cache)
    if groups is None:
        return None
    blueprint = structs.replace(known.blueprint, groups=groups)
    project = structs.replace(known.project, spec=changed.spec)
    again = decide_own(changed.vms, project, blueprint, known.standard, known.today)
    raw = _findings(known, project, again, changed.vms) if again is not None else None
    if again is None or raw is None:
        return None
    project = structs.replace(project, texts=texts_of(project, changed.contents), trail=changed.trail)
    resolution = Resolution(
        blueprint=again.blueprint,
        assignments=assignments_of(project.spec, again.blueprint.groups),
        standard=known.standard,
    )
    found = Found(project, resolution, _decoded(raw) if judged else ())
    if changed.trail == known.trail:
        return found, known
    same = {id(group): digest for group, digest in zip(groups, known.groups.values(), strict=True)}
    digests = {group.name: same.get(id(group)) or _digest(group, cache) for group in again.blueprint.groups}
    now = structs.replace(
        _solved(found, changed.trail, dict(again.today), known.cards, known.used), groups=digests, findings=raw
    )
    cache.put(_KIND, {key: now})
    return found, now


def _findings(known: Solved, project: Project, again: Again, changed: Iterable[ChangedVm]) -> msgspec.Raw | None:
    """Return the findings with what the rules now say about the VMs that changed; None if it is uncertain.

    They are only decoded if a rule now says something else.
    """
    left: list[Finding] | None = None
    for vm, entries in zip(again.vms, changed, strict=True):
        before = _of_vm(project, again.blueprint, vm.was, entries.was)
        now = _of_vm(project, again.blueprint, vm.now, entries.now)
        if before == now:
            continue
        left = list(_decoded(known.findings)) if left is None else left
        for finding in before:
            if finding not in left:
                return None
            left.remove(finding)
        left += now
    return known.findings if left is None else msgspec.Raw(_encode(tuple(left)))


def _decoded(findings: msgspec.Raw) -> tuple[Finding, ...]:
    return msgspec.msgpack.decode(findings, type=tuple[Finding, ...])


def _of_vm(project: Project, blueprint: Blueprint, subject: Subject, entry: Entry) -> tuple[Finding, ...]:
    """Return the findings of rules that look at one VM at a time."""
    groups = () if subject.group is None else (subject.group,)
    review = review_of(
        structs.replace(project, entries=(entry,)), structs.replace(blueprint, groups=groups), (subject,)
    )
    return rules.of_each(Parts(review).of((subject,)))


def _solved(
    found: Found, trail: Trail, today: dict[VmKey, VirtualMachine], cards: msgspec.Raw, used: dict[VmKey, int]
) -> Solved:
    return Solved(
        trail,
        _without_vms(found.project),
        structs.replace(found.resolution.blueprint, groups=(), decisions={}),
        {},
        msgspec.Raw(_encode(found.findings)),
        dict(found.resolution.standard),
        today,
        cards,
        used,
    )


def _card(subject: Subject) -> Card:
    vm, machine = subject.vm, subject.machine
    return Card(
        subject.key,
        subject.source,
        vm.name,
        vm.id,
        vm.uuid,
        vm.instance_uuid,
        subject.disposition,
        machine.key if machine is not None else None,
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


def _kept(groups: Iterable[Group], cache: Cache) -> dict[str, bytes]:
    """Keep groups; return their digests by name."""
    return {group.name: _digest(group, cache) for group in groups}


def _digest(group: Group, cache: Cache) -> bytes:
    """Keep a group; return its digest."""
    raw = msgspec.msgpack.encode(group, order="deterministic")
    digest = blake2b(raw, digest_size=20).digest()
    cache.put(_GROUP, {digest: msgspec.Raw(raw)})
    return digest


def _key(spec: Path, assignments: Path | None) -> bytes:
    """Return what identifies a spec: relative paths mean something only in one working directory.

    Assignments that are named and in their default place are read as if they were not named, unless they are a link.
    """
    beside = (spec if spec.is_dir() else spec.parent) / ASSIGNMENTS
    named = None if assignments == beside and not beside.is_symlink() else assignments
    return "\0".join((str(spec), str(named), str(Path.cwd()))).encode(errors="surrogateescape")
