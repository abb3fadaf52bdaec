"""A review of some VMs alone, for rules that look at one VM at a time, so that their findings can be cached.

A part contains nothing of other VMs, neither facts nor results: a rule that needs more than its VM, the head of its
group, the spec's tables and vSphere's surroundings finds something different in a part than in the whole. It must not
be marked `each`; a test compares the parts with the whole for every rule.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b

import msgspec
from msgspec import structs

from vmferry.model.blueprint import Group, Machine
from vmferry.model.finding import Path, Where
from vmferry.model.project import Project
from vmferry.model.review import Review, Subject
from vmferry.model.spec import MigrationSpec

_encode = msgspec.msgpack.Encoder(order="deterministic").encode


class Parts:
    """Creates reviews of some VMs from the review of all."""

    def __init__(self, review: Review) -> None:
        self._review = review
        self._entries = {_place(entry.where): entry for entry in review.project.entries}

    def of(self, subjects: tuple[Subject, ...]) -> Review:
        """Return the review of some VMs, as if there were no others."""
        members: dict[str, tuple[Group, list[Machine]]] = {}
        for subject in subjects:
            if subject.group is not None and subject.machine is not None:
                members.setdefault(subject.group.name, (subject.group, []))[1].append(subject.machine)
        heads = {name: _head(group, tuple(machines)) for name, (group, machines) in members.items()}
        return structs.replace(
            self._review,
            project=self._project(subjects),
            blueprint=structs.replace(
                self._review.blueprint,
                namespaces=(),
                bridges=(),
                hooks=(),
                scripts=(),
                groups=tuple(heads.values()),
                left=(),
                external_nads=(),
                decisions={},
                places={subject.key: subject.where for subject in subjects},
            ),
            subjects=tuple(_alone(subject, heads) for subject in subjects),
            now=None,
            before=None,
        )

    def _project(self, subjects: tuple[Subject, ...]) -> Project:
        project = self._review.project
        own = (self._entries.get(_place(subject.where)) for subject in subjects)
        return structs.replace(
            project,
            spec=tables_of(project.spec),
            entries=tuple(entry for entry in own if entry is not None),
            inventories=tuple(structs.replace(part, vms=()) for part in project.inventories),
            assignments=None,
            evidence=None,
            attachments={},
            texts={},
        )


def _place(where: Where) -> tuple[str, int, Path]:
    return where.file, where.document, where.path


def _head(group: Group, machines: tuple[Machine, ...]) -> Group:
    own = {machine.key: group.checks[machine.key] for machine in machines if machine.key in group.checks}
    return structs.replace(
        group, machines=machines, networks=(), storage=(), origins={}, kept_on_failure=(), check_scripts={}, checks=own
    )


def _alone(subject: Subject, heads: Mapping[str, Group]) -> Subject:
    moves = subject.group is not None and subject.machine is not None
    return structs.replace(subject, group=heads[subject.group.name] if subject.group is not None and moves else None)


def tables_of(spec: MigrationSpec) -> MigrationSpec:
    """Return a spec without its VMs, bulk decisions, stages of groups, and the policy."""
    return structs.replace(spec, vms=(), assign=(), groups={}, suppress=(), rules={}, include=())


def digests(review: Review, found: Iterable[tuple[Subject, ...]]) -> list[bytes]:
    """Return a digest of all inputs of each part's review."""
    blueprint = review.blueprint
    head = blake2b(
        _encode(
            (
                review.project.where,
                tables_of(review.spec),
                (blueprint.name, blueprint.cluster, blueprint.gitops, blueprint.forklift, blueprint.sources),
                blueprint.phases,
                [structs.replace(part, vms=()) for part in review.project.inventories],
            )
        )
    )
    result = []
    # of these, the VM alone does not show what the inventory says
    overlaid = [entry for entry in review.project.entries if entry.stated]
    stated = {_place(entry.where): (entry.imported, entry.stated, entry.overrides) for entry in overlaid}
    for subjects in found:
        digest = head.copy()
        for subject in subjects:
            if (more := stated.get(_place(subject.where))) is not None:
                digest.update(_encode(more))
            group = _head(subject.group, ()) if subject.group is not None else None
            digest.update(_encode((structs.replace(subject, group=None), group)))
        result.append(digest.digest())
    return result
