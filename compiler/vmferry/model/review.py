"""The input of rules: the Blueprint, the spec as written, and the facts from vSphere."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cached_property, wraps
from typing import NamedTuple, TypeVar

from msgspec import Struct

from vmferry.model.blueprint import Blueprint, Group, Machine
from vmferry.model.finding import Severity, Where
from vmferry.model.inventory import InventoryCluster, InventoryHost, InventoryNetwork
from vmferry.model.keys import VmKey
from vmferry.model.project import Project
from vmferry.model.spec import Decisions, Disposition, MigrationSpec, VirtualMachine


class Problem(NamedTuple):
    """A rule's result: what is wrong, how to fix it, where, and on which VMs.

    ``right`` is the correct replacement of the text at ``where``, if there is exactly one.
    """

    message: str
    help: str
    where: Where | None = None
    vms: tuple[str, ...] = ()
    right: str | None = None
    secret: bool = False  # the place holds secret material, which nobody may be shown
    severity: Severity | None = None  # where it is not the rule's own


class Subject(Struct, frozen=True, kw_only=True):
    """A VM under review: its facts, and the decisions about it."""

    key: VmKey
    source: str
    vm: VirtualMachine  # facts, as the inventory and its entry have them
    decisions: Decisions  # defaults, `assign` rules and its entry together
    where: Where  # its entry; in the inventory, where the spec has none
    origins: Mapping[str, Where]  # where each decision was made, by field
    disposition: Disposition | None
    group: Group | None = None  # None where it does not move
    machine: Machine | None = None  # what it becomes; None where it does not move

    @property
    def name(self) -> str:
        """Return its name in vCenter."""
        return self.vm.name

    def problem(self, message: str, help_: str, *path: str | int, right: str | None = None) -> Problem:
        """Return a problem of this VM, at ``path`` below its entry."""
        return Problem(f"VM {self.name}: {message}", help_, self.where.at(*path), (self.name,), right)

    def decided(self, field: str, message: str, help_: str) -> Problem:
        """Return a problem with a decision on this VM, at the place of the decision."""
        return Problem(f"VM {self.name}: {message}", help_, self.origins.get(field, self.where), (self.name,))


class Review(Struct, frozen=True, kw_only=True, eq=False, dict=True):
    """A migration under review; only equal to itself, so that derived values can be cached."""

    project: Project
    blueprint: Blueprint
    subjects: tuple[Subject, ...]  # every VM, sorted by key
    now: datetime | None = None  # for rules on time; without it they say nothing
    before: "Review | None" = None  # as it was at another commit; without it transitions say nothing
    networks: Mapping[tuple[str, str], InventoryNetwork] = {}  # by source and name, and by source and id
    clusters: Mapping[tuple[str, str], InventoryCluster] = {}  # by source and name
    hosts: Mapping[tuple[str, str], InventoryHost] = {}  # by source and name

    @property
    def spec(self) -> MigrationSpec:
        """Return the spec."""
        return self.project.spec

    def at(self, *path: str | int) -> Where:
        """Return a place in the MigrationSpec."""
        return self.project.where.at(*path)

    @property
    def machines(self) -> Iterator[tuple[Group, Machine]]:
        """Yield what moves, with its group; unlike `moving`, without its VM in vSphere, which may be gone."""
        return ((group, machine) for group in self.blueprint.groups for machine in group.machines)

    @cached_property
    def moving(self) -> tuple[tuple[Subject, Group, Machine], ...]:
        """Return the VMs that move, with their group and machine."""
        return tuple(
            (subject, subject.group, subject.machine)
            for subject in self.subjects
            if subject.group is not None and subject.machine is not None
        )


def review_of(
    project: Project, blueprint: Blueprint, subjects: tuple[Subject, ...], *, now: datetime | None = None
) -> Review:
    """Return the review of a migration."""
    parts = project.inventories
    return Review(
        project=project,
        blueprint=blueprint,
        subjects=subjects,
        now=now,
        networks={
            (part.source.name, key): network
            for part in parts
            for network in part.networks
            for key in (network.name, network.id)
            if key is not None
        },
        clusters={(part.source.name, cluster.name): cluster for part in parts for cluster in part.clusters},
        hosts={(part.source.name, host.name): host for part in parts for host in part.hosts},
    )


T = TypeVar("T")


def once(answer: Callable[[Review], T]) -> Callable[[Review], T]:
    """Answer a question about a review once, however many rules ask; the answer is freed with the review."""
    name = f"{answer.__module__}.{answer.__qualname__}"

    @wraps(answer)
    def asked(review: Review) -> T:
        known = review.__dict__
        if name not in known:
            known[name] = answer(review)
        found: T = known[name]
        return found

    return asked
