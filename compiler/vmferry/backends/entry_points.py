"""The roots that a GitOps engine syncs, their dependencies, and the parts that split the engine's own objects."""

import hashlib
from collections.abc import Iterable, Iterator

from msgspec import Struct

from vmferry.backends import dashboards, forklift, monitoring, performance, preflight
from vmferry.backends.places import lock
from vmferry.layout.names import file_of
from vmferry.model.blueprint import Blueprint, Group, Step
from vmferry.model.keys import namespace_of
from vmferry.model.manifest import INFRA_LOCK, KubeObject, Resource

LONGEST_NAME = 63
"""Both engines write the name of their object into a label."""

PART_SIZE = 250
"""Objects per part; kustomize's time is quadratic in the objects of a root."""


class EntryPoint(Struct, frozen=True, kw_only=True):
    """One root and its dependencies."""

    name: str  # of the Flux Kustomization or Argo CD Application
    directory: str
    after: tuple[str, ...] = ()  # names of entry points
    rank: int = 0  # order of the kinds of roots, for engines without dependencies
    namespace: str | None = None  # where most of its objects are
    group: Group | None = None
    step: Step | None = None
    lock: str = INFRA_LOCK


class Part(Struct, frozen=True, kw_only=True):
    """A directory with at most PART_SIZE objects of the engine, which is a root itself."""

    name: str
    directory: str
    points: tuple[EntryPoint, ...]
    lock: str = INFRA_LOCK


def overlay(group: Group, step: Step) -> str:
    """Return the directory of one step's root."""
    return f"overlays/{group.phase}/{group.name}/{step.name}"


def placed(part: Part, point: EntryPoint, obj: KubeObject) -> Resource:
    """Return the engine's object for a root, in its place: those of a group are in one file, owned by the group."""
    file = file_of(point.group.name) if point.group is not None else None
    return Resource(directory=part.directory, object=obj, lock=point.lock, file=file, listed=part.lock)


def entry(blueprint: Blueprint) -> str:
    """Return the directory that bootstraps the engine."""
    return f"clusters/{blueprint.cluster.name}"


def parts(blueprint: Blueprint) -> list[Part]:
    """Return the parts: first the infrastructure's, then each phase's, with groups sorted by name."""
    names = _Names(blueprint.name)
    infra = _infra(blueprint, names)
    by_directory = {point.directory: point.name for point in infra}
    result = list(_shards(blueprint, names, INFRA_LOCK, "infra", infra))
    for phase in blueprint.phases:
        points: list[EntryPoint] = []
        for group in sorted(blueprint.groups, key=lambda each: each.name):
            if group.phase == phase.name:
                points += _steps(group, names, by_directory)
        points += _watching(blueprint, names, phase.name)
        result += _shards(blueprint, names, phase.name, f"phase-{phase.name}", points)
    return result


class _Names:
    """Assigns readable names of at most 63 characters, each only once."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.taken = {prefix}

    def name(self, text: str, directory: str) -> str:
        """Return ``PREFIX-text``, ending in a hash of the directory if it is too long or taken."""
        name = f"{self.prefix}-{text}"
        if len(name) > LONGEST_NAME or name in self.taken:
            digest = hashlib.sha256(directory.encode()).hexdigest()[:8]
            name = f"{name[: LONGEST_NAME - 9].rstrip('-')}-{digest}"
        self.taken.add(name)
        return name


def _infra(blueprint: Blueprint, names: _Names) -> list[EntryPoint]:
    """Return the roots below infra/, each after those it needs."""
    cluster = EntryPoint(name=names.name("cluster", "infra/cluster"), directory="infra/cluster")
    namespaces = [
        EntryPoint(
            name=names.name(f"namespace-{plan.name}", f"infra/namespaces/{plan.name}"),
            directory=f"infra/namespaces/{plan.name}",
            after=(cluster.name,),
            rank=1,
            namespace=plan.name,
        )
        for plan in sorted(blueprint.namespaces, key=lambda each: each.name)
    ]
    spaces = {point.namespace: point.name for point in namespaces if point.namespace is not None}
    return [
        cluster,
        *namespaces,
        *_forklift(blueprint, names, cluster.name, spaces),
        *_smoke(blueprint, names, spaces),
        *_preflight(blueprint, names, spaces),
        *_alerts(blueprint, names),
    ]


def _forklift(blueprint: Blueprint, names: _Names, cluster: str, spaces: dict[str, str]) -> Iterator[EntryPoint]:
    """Yield the roots in Forklift's namespace; permissions to apply them are in its root, or in the cluster's."""
    space = blueprint.forklift.namespace
    after = (cluster, spaces[space]) if space in spaces else (cluster,)
    if forklift.has_shared(blueprint):
        name = names.name("forklift", forklift.SHARED)
        yield EntryPoint(name=name, directory=forklift.SHARED, after=after, rank=2, namespace=space)
        after = (name,)
    for source in forklift.used_sources(blueprint):
        directory = f"infra/source/{source.name}"
        name = names.name(f"source-{source.name}", directory)
        yield EntryPoint(name=name, directory=directory, after=after, rank=3, namespace=space)


def _smoke(blueprint: Blueprint, names: _Names, spaces: dict[str, str]) -> Iterator[EntryPoint]:
    """Yield the roots of smoke tests, after the namespaces of their VMs and networks."""
    for plan in sorted(blueprint.namespaces, key=lambda each: each.name):
        if not plan.smoke:
            continue
        directory = f"infra/smoke/{plan.name}"
        needed = {plan.name, *(namespace_of(pair.nad) for pair in plan.smoke)}
        yield EntryPoint(
            name=names.name(f"smoke-{plan.name}", directory),
            directory=directory,
            after=tuple(spaces[space] for space in sorted(needed) if space in spaces),
            rank=4,
            namespace=plan.name,
        )


def _preflight(blueprint: Blueprint, names: _Names, spaces: dict[str, str]) -> Iterator[EntryPoint]:
    """Yield the root of the pre-flight, after the namespaces of its Jobs and networks. Nothing waits for it."""
    plan = blueprint.preflight
    if plan is None or not plan.tests:
        return
    nads = (network.nad for test in plan.tests for network in test.networks)
    needed = {plan.namespace, *map(namespace_of, nads)}
    yield EntryPoint(
        name=names.name("preflight", preflight.ROOT),
        directory=preflight.ROOT,
        after=tuple(spaces[space] for space in sorted(needed) if space in spaces),
        rank=4,
        namespace=plan.namespace,
    )


def _alerts(blueprint: Blueprint, names: _Names) -> Iterator[EntryPoint]:
    """Yield the roots of alerts and notifications: nothing waits for them, and they wait for nothing."""
    rules = blueprint.monitoring.prometheus_rules
    if rules is not None:
        name = names.name("alerts", monitoring.ALERTS)
        yield EntryPoint(name=name, directory=monitoring.ALERTS, rank=6, namespace=rules.namespace)
    if (stated := blueprint.monitoring.dashboards) is not None and blueprint.performance is not None:
        name = names.name("dashboards", dashboards.DIRECTORY)
        yield EntryPoint(name=name, directory=dashboards.DIRECTORY, rank=6, namespace=stated.namespace)
    if monitoring.notifies(blueprint):
        name = names.name("notifications", monitoring.NOTIFICATIONS)
        space = blueprint.target.engine_namespace
        yield EntryPoint(name=name, directory=monitoring.NOTIFICATIONS, rank=6, namespace=space)


def _watching(blueprint: Blueprint, names: _Names, phase: str) -> Iterator[EntryPoint]:
    """Yield the roots with the rules of a phase's groups, if it has any that are watched."""
    rules = blueprint.monitoring.prometheus_rules
    if rules is None:
        return
    own = [group for group in blueprint.groups if group.phase == phase and monitoring.watched(group)]
    roots = {monitoring.root_of(group) for group in own}
    roots |= {performance.baselines_of(group) for group in own if performance.measured(group)}
    for directory in sorted(roots):
        name = names.name("-".join(directory.split("/")[1:]), directory)
        yield EntryPoint(name=name, directory=directory, rank=6, namespace=rules.namespace, lock=phase)


def _steps(group: Group, names: _Names, infra: dict[str, str]) -> Iterator[EntryPoint]:
    """Yield the roots of a group.

    The first ones wait for the infrastructure, never for another group or phase: a stuck group must not keep another
    from being rolled back.
    """
    needed = [f"infra/namespaces/{space}" for space in sorted(_namespaces(group))]
    if group.path == "forklift":
        needed.append(f"infra/source/{group.source}")
    ground = tuple(infra[directory] for directory in ("infra/cluster", *needed) if directory in infra)
    called: dict[str, str] = {
        step.name: names.name(f"{group.name}-{step.name}", overlay(group, step)) for step in group.steps
    }
    for step in group.steps:
        yield EntryPoint(
            name=called[step.name],
            directory=overlay(group, step),
            after=tuple(called[other] for other in step.after) or ground,
            rank=5,
            namespace=group.namespace,
            group=group,
            step=step,
            lock=lock(group),
        )


def _namespaces(group: Group) -> set[str]:
    """Return the namespaces that a group needs: its own, and those of its networks."""
    nads = [nic.nad for machine in group.machines for nic in machine.nics]
    nads += [pair.nad for pair in group.networks]
    nads.append(group.transfer_network)
    return {group.namespace, *(namespace_of(nad) for nad in nads if nad is not None)}


def _shards(
    blueprint: Blueprint, names: _Names, folder: str, text: str, points: Iterable[EntryPoint]
) -> Iterator[Part]:
    """Yield the parts of one phase, or of the infrastructure; the lock of that name owns their lists.

    A dot before the number: no phase's name has one.
    """
    points = list(points)
    for number, start in enumerate(range(0, len(points), PART_SIZE), 1):
        suffix, dotted = (f"-{number}", f".{number}") if number > 1 else ("", "")
        directory = f"{entry(blueprint)}/{folder}{dotted}"
        yield Part(
            name=names.name(f"{text}{suffix}", directory),
            directory=directory,
            points=tuple(points[start : start + PART_SIZE]),
            lock=folder,
        )
