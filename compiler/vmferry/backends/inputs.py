"""A digest of the inputs of each lock's files: the same inputs give the same files."""

import hashlib
from collections import defaultdict

import msgspec
from msgspec.structs import replace

from vmferry.backends.entry_points import EntryPoint, parts
from vmferry.backends.places import lock
from vmferry.model.blueprint import Blueprint, Credential, Group, HookPlan, NamespacePlan, ScriptPlan, SourcePlan
from vmferry.model.manifest import INFRA_LOCK, namespace_lock


def digests(blueprint: Blueprint) -> dict[str, str]:
    """Return for each lock the digest of the inputs of its files.

    A group's digest is complete. Those of namespaces and of the infrastructure are not: permissions and quotas also
    depend on groups, and would change with each of them.
    """
    target = (blueprint.name, blueprint.cluster, blueprint.gitops, blueprint.forklift)
    infra = (target, blueprint.sources, (*blueprint.hooks, *blueprint.scripts), blueprint.bridges)
    tests = (blueprint.preflight,) if blueprint.preflight is not None else ()
    found = {INFRA_LOCK: _digest((*infra, *tests))}
    found |= {namespace_lock(plan.name): _digest((target, plan)) for plan in blueprint.namespaces}
    found |= {phase.name: _digest((target, phase)) for phase in blueprint.phases}
    points: defaultdict[str, list[tuple[str, EntryPoint]]] = defaultdict(list)
    for part in parts(blueprint):
        for point in part.points:
            points[point.lock].append((part.directory, replace(point, group=None)))
    for group in blueprint.groups:
        found[lock(group)] = _digest((excerpt(blueprint, group), points[lock(group)]))
    return found


def excerpt(blueprint: Blueprint, group: Group) -> Blueprint:
    """Return exactly the part of a Blueprint from which the base and the overlays of one group are made."""
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
        groups=(_group(group),),
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
