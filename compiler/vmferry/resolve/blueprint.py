"""All passes in order: from the project to the Blueprint, with all decisions made and explained."""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from vmferry.cache import Cache
from vmferry.estate.decommission.takes import whole_sources
from vmferry.estate.resolution import Resolution
from vmferry.estate.statements import ASSIGNMENTS_MISFIT, UNDEFINED_REFERENCE
from vmferry.model.blueprint import Blueprint, Group, Left, Machine, PhasePlan
from vmferry.model.project import Project
from vmferry.model.review import Subject
from vmferry.resolve import order
from vmferry.resolve.assembly import assemble, explain_groups, unresolved
from vmferry.resolve.cards import cards_of
from vmferry.resolve.checks import plan_checks
from vmferry.resolve.claims import check_claims
from vmferry.resolve.conversions import Conversions, begin
from vmferry.resolve.corrections import correct
from vmferry.resolve.disposition import dispose
from vmferry.resolve.freeze import Frozen, check_recorded, thaw
from vmferry.resolve.groups import cut
from vmferry.resolve.hooks import plan_hooks, plan_scripts
from vmferry.resolve.notes import Noting, collect, collect_findings, decisions, findings
from vmferry.resolve.paths import standard_vms
from vmferry.resolve.preflight import plan_preflight
from vmferry.resolve.remembered import Memory
from vmferry.resolve.selection import Candidate, select
from vmferry.resolve.settling import decide_machines
from vmferry.resolve.shared import check_left
from vmferry.resolve.sources import plan_sources
from vmferry.resolve.splits import split
from vmferry.resolve.staying import report_staying
from vmferry.resolve.surroundings import external_nads, plan_bridges, plan_namespaces
from vmferry.resolve.tables import prepare
from vmferry.resolve.target import PRIORITIES, plan_target
from vmferry.resolve.today import decide_again, explain_frozen
from vmferry.resolve.turns import places as places_of
from vmferry.resolve.turns import turns
from vmferry.resolve.windows import check_schedule, check_times


class Beside(Struct, frozen=True):
    """What VMs that are decided by themselves take from the rest of the estate."""

    standard: Mapping[str, int]  # standard VMs of each vCenter, in the whole estate
    converted: tuple[Machine, ...]  # those that Jobs convert


def resolve(
    project: Project, cache: Cache | None = None, *, reasons: bool = True, beside: Beside | None = None
) -> Resolution:
    """Return the Blueprint of a project. With errors among the findings it is incomplete: do not emit it.

    Without ``reasons`` the Blueprint has no decisions, which only `explain` needs. ``beside`` is what there is, if the
    project only has some of its VMs.
    """
    memory = Memory(cache or Cache(enabled=False), reasons)
    if not reasons:
        resolved, found = collect_findings(_passes(project, memory, beside))
        return replace(resolved, findings=found)
    resolved, notes = collect(_passes(project, memory, beside))
    return replace(
        resolved, findings=findings(notes), blueprint=replace(resolved.blueprint, decisions=decisions(notes))
    )


def _passes(project: Project, memory: Memory, beside: Beside | None) -> Noting[Resolution]:
    spec, where = project.spec, project.where
    phases = yield from order.order_phases(spec.phases, where)
    yield from check_times(spec, where)
    yield from check_schedule(spec.settings.schedule, where)
    candidates = yield from select(project)
    moving, left = yield from dispose(candidates)
    yield from order.check_phases(moving, phases)
    every = cards_of(candidates)
    cards = {candidate.key: every[candidate.key] for candidate in moving}
    standard = standard_vms(moving, spec.settings.auto) if beside is None else beside.standard
    others = beside.converted if beside is not None else ()
    own = yield from split(project, cards.values())
    was = yield from thaw(project, tuple(cards.values()), own)
    live = tuple(candidate for candidate in moving if was.key(candidate) is None)
    fresh = tuple(cards[candidate.key] for candidate in live)
    tables = yield from prepare(project)
    today = decide_again(moving, cards, standard, was, tables, memory)
    was = yield from correct(project, was, today.machines)
    decided = yield from decide_machines(live, cards, standard, tables, was, was.machines.values(), memory=memory)
    yield from check_left(fresh, every.values(), was)
    needs = yield from order.dependencies(tuple(cards.values()), every.values())
    cycles = order.cycles(needs)
    yield from order.check_order(tuple(cards.values()), needs, cycles, phases)
    closed = frozenset(machine.group for machine in was.machines.values())
    places = {key: card.where for key, card in cards.items()}
    ties = (*decided.ties, *order.within_phases(cycles, decided.machines))
    groups_of = yield from cut(
        decided.machines,
        ties,
        spec,
        phases,
        project.assignments,
        closed,
        places,
        own,
    )
    machines = [replace(machine, group=groups_of[key]) for key, machine in decided.machines.items()]
    yield from check_claims((*was.of_sources(source.name for source in spec.sources), *machines), places)
    all_of = (*machines, *was.machines.values())
    begun = tuple(begin(project, all_of, Conversions(project, turns(spec, (*all_of, *others)))))
    places_now = turns(spec, (*begun, *others))
    origins = Conversions(project, places_now).origins(begun)
    by_key = {was.key(candidate) or candidate.key: candidate for candidate in moving}
    checks = yield from plan_checks(project, tables.networks, begun, by_key)
    gone = whole_sources(spec)
    preflight = yield from plan_preflight(project, tables.networks, gone)
    lost = unresolved(fresh, decided.machines)
    groups = yield from assemble(project, phases, begun, origins, lost, checks, preflight)
    taken = places_of((group for group in groups if group.source not in gone), places_now)
    yield from check_recorded(project, groups)
    yield from order.check_running(needs, groups, {key: was.key(card) or key for key, card in cards.items()}, where)
    yield from explain_groups(groups)
    yield from explain_frozen(project, was, today)
    yield from report_staying(project, was, every.values(), left, today.candidates)
    sources = yield from plan_sources(project)
    namespaces = yield from plan_namespaces(project, phases, groups, tables.networks)
    blueprint = Blueprint(
        name=spec.metadata.name,
        cluster=spec.target.cluster,
        gitops=spec.target.gitops,
        forklift=spec.target.forklift,
        monitoring=spec.target.monitoring,
        performance=spec.settings.performance if any(phase.performance for phase in phases) else None,
        target=plan_target(spec.metadata.name, spec.target, begun),
        sources=tuple(replace(source, places_at=places_now.get(source.name)) for source in sources),
        hooks=(yield from plan_hooks(project)),
        scripts=(yield from plan_scripts(project)),
        namespaces=tuple(replace(plan, places=taken[plan.name]) if plan.name in taken else plan for plan in namespaces),
        bridges=(yield from plan_bridges(spec.target.cluster, tables.networks, namespaces, where)),
        preflight=preflight,
        phases=tuple(
            PhasePlan(
                name=p.name,
                kind=p.kind,
                priority=PRIORITIES[p.kind],
                after=p.after,
                windows=p.windows,
                compared=p.performance is not None,
            )
            for p in phases
        ),
        groups=groups,
        left=left,
        external_nads=tuple(sorted(external_nads(tables.networks, groups))),
        places=places,
    )
    yield from _check_references(project, groups)
    return Resolution(
        blueprint=blueprint,
        metadata=spec.metadata,
        subjects=subjects_of(candidates, left, groups, was),
        standard=standard,
    )


def subjects_of(
    candidates: tuple[Candidate, ...], left: tuple[Left, ...], groups: tuple[Group, ...], was: Frozen
) -> tuple[Subject, ...]:
    """Return every VM with its facts and its result."""
    moving = {machine.key: (group, machine) for group in groups for machine in group.machines}
    stays = {item.key: item.disposition for item in left}
    result = []
    for candidate in candidates:
        group, machine = moving.get(was.key(candidate) or candidate.key, (None, None))
        disposition = stays.get(candidate.key) or candidate.decisions.disposition
        result.append(
            Subject(
                key=candidate.key,
                source=candidate.source,
                vm=candidate.vm,
                decisions=candidate.decisions,
                where=candidate.where,
                origins=candidate.origins,
                disposition=disposition or ("migrate" if machine is not None else None),
                group=group,
                machine=machine,
            )
        )
    return tuple(result)


def _check_references(project: Project, groups: tuple[Group, ...]) -> Noting[None]:
    """Report undefined references of groups: hooks, and what frozen VMs still need."""
    spec, where = project.spec, project.where
    hooks = {hook.name for hook in spec.hooks}
    scripts = {each.name for each in spec.scripts}
    sources = {source.name for source in spec.sources}
    namespaces = {namespace.name for namespace in spec.namespaces}
    for group in groups:
        names = tuple(machine.name for machine in group.machines)
        gone = [f"source {group.source}"] * (group.source not in sources)
        gone += [f"namespace {group.namespace}"] * (group.namespace not in namespaces)
        if gone and group.frozen:
            message = f"group {group.name} is frozen with {' and '.join(gone)}, which the spec no longer defines"
            fix = "restore it under that name: a frozen group needs it until it is back at planned"
            yield ASSIGNMENTS_MISFIT.finding(message, fix, where=where.at("groups", group.name), vms=names)
        for name in sorted({use.name for machine in group.machines for use in machine.hooks} - hooks):
            yield UNDEFINED_REFERENCE.finding(
                f"group {group.name} uses hook {name}, which is not defined",
                f"defined hooks: {', '.join(sorted(hooks)) or 'none'}",
                where=where.at("hooks"),
                vms=names,
            )
        wanted = group.forklift.scripts
        if wanted is not None and wanted not in scripts:
            yield UNDEFINED_REFERENCE.finding(
                f"group {group.name} uses scripts {wanted}, which are not defined",
                f"defined scripts: {', '.join(sorted(scripts)) or 'none'}",
                where=where.at("scripts"),
                vms=names,
            )
