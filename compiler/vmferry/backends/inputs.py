"""A digest of the inputs of each lock's files: the same inputs give the same files."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from hashlib import blake2b

import msgspec
from msgspec.structs import replace

from vmferry.backends.entry_points import EntryPoint, parts
from vmferry.backends.places import lock
from vmferry.cache import Cache
from vmferry.model.blueprint import Blueprint, Credential, Group, HookPlan, NamespacePlan, ScriptPlan, SourcePlan
from vmferry.model.manifest import INFRA_LOCK, namespace_lock

_KIND = "digest of inputs 1"
_Points = list[tuple[str, EntryPoint]]


def digests(
    blueprint: Blueprint, known: Mapping[str, bytes] | None = None, cache: Cache | None = None
) -> dict[str, str]:
    """Return for each lock the digest of the inputs of its files.

    A group's digest is complete. Those of namespaces and of the infrastructure are not: permissions and quotas also
    depend on groups, and would change with each of them. ``known`` are digests of whole groups, by name, if the
    ``cache`` may have the answers.
    """
    target = (blueprint.name, blueprint.cluster, blueprint.gitops, blueprint.forklift)
    infra = (target, blueprint.sources, (*blueprint.hooks, *blueprint.scripts), blueprint.bridges)
    tests = (blueprint.preflight,) if blueprint.preflight is not None else ()
    found = {INFRA_LOCK: _digest((*infra, *tests))}
    found |= {namespace_lock(plan.name): _digest((target, plan)) for plan in blueprint.namespaces}
    found |= {phase.name: _digest((target, phase)) for phase in blueprint.phases}
    points: defaultdict[str, _Points] = defaultdict(list)
    for part in parts(blueprint):
        for point in part.points:
            points[point.lock].append((part.directory, replace(point, group=None)))
    if known is None or cache is None or not known.keys() >= {group.name for group in blueprint.groups}:
        return found | {lock(group): _of_group(blueprint, group, points[lock(group)]) for group in blueprint.groups}
    keys = {group.name: _key(blueprint, group, points[lock(group)], known[group.name]) for group in blueprint.groups}
    told = cache.get(_KIND, keys.values(), str)
    fresh = {
        keys[group.name]: _of_group(blueprint, group, points[lock(group)])
        for group in blueprint.groups
        if keys[group.name] not in told
    }
    cache.put(_KIND, fresh)
    told |= fresh
    return found | {lock(group): told[keys[group.name]] for group in blueprint.groups}


def _of_group(blueprint: Blueprint, group: Group, points: _Points) -> str:
    return _digest((excerpt(blueprint, group), points))


def _key(blueprint: Blueprint, group: Group, points: _Points, known: bytes) -> bytes:
    rest = msgspec.msgpack.encode((_around(blueprint, group), points), order="deterministic")
    return blake2b(known + rest, digest_size=20).digest()


def excerpt(blueprint: Blueprint, group: Group) -> Blueprint:
    """Return exactly the part of a Blueprint from which the base and the overlays of one group are made."""
    return replace(_around(blueprint, group), groups=(_group(group),))


def _around(blueprint: Blueprint, group: Group) -> Blueprint:
    """Return what there is in the excerpt beside the group itself."""
    sources = {group.source, *(machine.source for machine in group.machines)}
    hooks = {use.name for machine in group.machines for use in machine.hooks}
    return replace(
        blueprint,
        gitops=replace(blueprint.gitops, notifications=None),
        performance=None,
        sources=tuple(_source(source) for source in blueprint.sources if source.name in sources),
        hooks=tuple(_hook(hook) for hook in blueprint.hooks if hook.name in hooks),
        scripts=tuple(map(_scripts, blueprint.scripts)),
        namespaces=tuple(_namespace(plan, sources) for plan in blueprint.namespaces if plan.name == group.namespace),
        bridges=(),
        phases=(),
        groups=(),
        preflight=None,
        left=(),
        external_nads=(),
        decisions={},
        places={},
    )


def _group(group: Group) -> Group:
    """Return a group as its files need it, without the baselines of today: they change with every import."""
    found = replace(group, preflight=())
    if group.frozen:
        return found
    return replace(found, machines=tuple(replace(machine, baseline=None) for machine in group.machines))


def _source(source: SourcePlan) -> SourcePlan:
    return replace(source, credential=_named(source.credential), hosts=())


def _hook(hook: HookPlan) -> HookPlan:
    return HookPlan(name=hook.name, full_name=hook.full_name, image=None)


def _scripts(scripts: ScriptPlan) -> ScriptPlan:
    return replace(scripts, scripts=None)


def _namespace(plan: NamespacePlan, sources: set[str]) -> NamespacePlan:
    credentials = tuple(_named(credential) for credential in plan.credentials if credential.source in sources)
    return NamespacePlan(name=plan.name, credentials=credentials)


def _named(credential: Credential) -> Credential:
    return replace(credential, content=None, external=None)


def _digest(value: object) -> str:
    return "sha256:" + hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()
