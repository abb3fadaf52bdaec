"""What a run without errors leaves for the next one: the Blueprint, the findings before the policy, what it read."""

from collections.abc import Collection, Iterable, Mapping
from hashlib import blake2b
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from vmferry import kept_findings
from vmferry.cache import Cache
from vmferry.estate.resolution import Resolution
from vmferry.layout.names import ASSIGNMENTS
from vmferry.model.assignments import Assignments
from vmferry.model.blueprint import Blueprint, Group
from vmferry.model.finding import Finding
from vmferry.model.keys import VmKey
from vmferry.model.project import Project
from vmferry.model.review import Review, Subject
from vmferry.model.spec import Disposition, VirtualMachine
from vmferry.model.trail import Trail

_KIND = "solved 5"
_COMMIT = "solved at a commit 3"
_GROUP = "solved group 1"
_encode = msgspec.msgpack.Encoder().encode
_NOTHING_READ = Trail(files={}, folders={})  # a commit's files are never read again


class Found(Struct, frozen=True):
    """A spec without errors of its own, and the findings that neither the time nor the policy changes."""

    project: Project
    resolution: Resolution
    findings: tuple[Finding, ...]  # `by_place`
    groups: Mapping[str, bytes] = {}  # digests of its groups by name, if they are kept already


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
    """What a run without errors found. Groups, findings and cards are read and decoded on demand."""

    trail: Trail
    project: Project  # see `_without_vms`
    blueprint: Blueprint  # without groups
    groups: dict[str, bytes]  # their digests, by name and in order
    findings: bytes  # key of those in the cache
    standard: dict[str, int]
    today: dict[VmKey, VirtualMachine]
    cards: msgspec.Raw
    kinds: tuple[Finding, ...]  # one of each kind that the findings are of
    used: dict[VmKey, int]  # bytes in use on datastores, where that is known
    written: bool  # whether assignments.yaml is as a compile would write it
    records: Assignments | None = None  # if it is not: what it has of the groups that moved on since

    def findings_of_all(self, cache: Cache) -> tuple[Finding, ...] | None:
        """Return all findings `by_place`, before the policy; None if they are lost."""
        return kept_findings.recall(self.findings, cache)

    def cards_of_vms(self) -> tuple[Card, ...]:
        """Return the cards of all VMs, by key."""
        return msgspec.msgpack.decode(self.cards, type=tuple[Card, ...])


def solved(found: Found, cache: Cache) -> Solved | None:
    """Return what `remember` keeps of a run, still without its groups; None if nobody can tell what it read."""
    from vmferry.resolve.surroundings import sizes_today  # with all that decides, which `recall` does without

    project, resolution = found.project, found.resolution
    if project.trail is None:
        return None
    return Solved(
        trail=project.trail,
        project=_without_vms(project),
        blueprint=structs.replace(resolution.blueprint, groups=(), decisions={}),
        groups={},
        findings=kept_findings.keep(found.findings, cache),
        standard=dict(resolution.standard),
        today=dict(sizes_today(project, resolution.blueprint.groups)),
        cards=msgspec.Raw(_encode(tuple(map(card_of, resolution.subjects)))),
        kinds=kinds_of(found.findings),
        used={each.key: each.vm.used_storage for each in resolution.subjects if each.vm.used_storage is not None},
        written=project.assignments is not None and project.assignments == resolution.assignments,
    )


def kinds_of(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return one finding of each kind: without suppressions, the policy treats the others like it."""
    found: dict[tuple[str, str, bool, bool], Finding] = {}
    for finding in findings:
        found.setdefault((finding.code, finding.severity, finding.settled, finding.essential), finding)
    return tuple(found.values())


def remember(
    known: Solved | None, groups: Iterable[Group], spec: Path, assignments: Path | None, cache: Cache
) -> Solved | None:
    """Keep what a run found, if there is anything new, for the next one, and return it.

    Only for a run after which the next one will read the same.
    """
    if known is None:
        return None
    known = structs.replace(known, groups=digests_of(groups, cache))
    keep(known, spec, assignments, cache)
    return known


def keep(known: Solved, spec: Path, assignments: Path | None, cache: Cache) -> None:
    """Keep what a run of a spec leaves for the next one."""
    cache.put(_KIND, {_key(spec, assignments): known})


def recall(spec: Path, assignments: Path | None, cache: Cache) -> Solved | None:
    """Return what the last run of a spec left, whatever changed since."""
    key = _key(spec, assignments)
    return cache.get(_KIND, [key], Solved).get(key)


def remember_commit(was: Review, key: bytes, cache: Cache) -> None:
    """Keep what was found in a commit, under a key that says what was read: it is the same for ever."""
    if not cache.enabled:
        return
    resolution = Resolution(blueprint=was.blueprint, metadata=was.spec.metadata, subjects=was.subjects)
    known = solved(Found(structs.replace(was.project, trail=_NOTHING_READ), resolution, ()), cache)
    if known is not None:
        cache.put(_COMMIT, {key: structs.replace(known, groups=digests_of(was.blueprint.groups, cache))})


def recall_commit(key: bytes, cache: Cache) -> Solved | None:
    """Return what was found in a commit, if anyone looked."""
    return cache.get(_COMMIT, [key], Solved).get(key)


def groups_of(known: Solved, names: Collection[str], cache: Cache) -> tuple[Group, ...] | None:
    """Return some of the groups, in order; None if any is lost."""
    wanted = [digest for name, digest in known.groups.items() if name in names]
    groups = cache.get(_GROUP, wanted, Group)
    return tuple(groups[digest] for digest in wanted) if groups.keys() >= {*wanted} else None


def card_of(subject: Subject) -> Card:
    """Return the card of a VM."""
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


def digests_of(groups: Iterable[Group], cache: Cache) -> dict[str, bytes]:
    """Keep groups; return their digests by name."""
    return {group.name: digest_of(group, cache) for group in groups}


def digest_of(group: Group, cache: Cache) -> bytes:
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
