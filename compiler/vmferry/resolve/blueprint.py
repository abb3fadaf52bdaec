"""All passes in order: from the project to the Blueprint, with every decision made and explained."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from vmferry.estate.network_map import NetworkMap
from vmferry.estate.statements import ASSIGNMENTS_MISFIT, UNDEFINED_REFERENCE
from vmferry.model.assignments import Assignments
from vmferry.model.blueprint import Blueprint, Decision, Group, Left, Machine, NetworkPair, PhasePlan, StoragePair
from vmferry.model.finding import Finding, Where
from vmferry.model.project import Project
from vmferry.model.review import Subject
from vmferry.model.spec import GroupState, Phase
from vmferry.resolve import order, stages
from vmferry.resolve.claims import check_claims
from vmferry.resolve.corrections import correct
from vmferry.resolve.cutovers import vm_cutovers
from vmferry.resolve.declared import NO_SUCH_GROUP
from vmferry.resolve.disposition import dispose
from vmferry.resolve.forklift import array_copies
from vmferry.resolve.freeze import (
    Frozen,
    assignments_of,
    begin,
    check_recorded,
    differences,
    report_drift,
    thaw,
)
from vmferry.resolve.groups import cut
from vmferry.resolve.hooks import plan_hooks, plan_scripts
from vmferry.resolve.machines import Parts, build
from vmferry.resolve.names import fit, name_machines, sanitize
from vmferry.resolve.namespaces import place
from vmferry.resolve.network_rows import map_networks
from vmferry.resolve.networks import attach, check_attached
from vmferry.resolve.notes import Noting, Reason, collect, decide, decisions, findings
from vmferry.resolve.paths import route, standard_vms
from vmferry.resolve.selection import Candidate, select
from vmferry.resolve.shared import check_left, share
from vmferry.resolve.sources import plan_sources
from vmferry.resolve.staying import report_staying
from vmferry.resolve.storage import StorageMap, allocate, check_allocated
from vmferry.resolve.surroundings import external_nads, plan_bridges, plan_namespaces
from vmferry.resolve.turns import places as places_of
from vmferry.resolve.turns import turns


class Resolution(Struct, frozen=True, kw_only=True):
    """The Blueprint, what to write down of it, and what is wrong."""

    blueprint: Blueprint
    assignments: Assignments
    findings: tuple[Finding, ...] = ()
    subjects: tuple[Subject, ...] = ()  # every VM, for the rules


def resolve(project: Project) -> Resolution:
    """Return the Blueprint of a project. With errors among the findings it is incomplete: do not emit it."""
    resolved, notes = collect(_passes(project))
    return replace(
        resolved, findings=findings(notes), blueprint=replace(resolved.blueprint, decisions=decisions(notes))
    )


def _passes(project: Project) -> Noting[Resolution]:
    spec, where = project.spec, project.where
    phases = yield from order.order_phases(spec.phases, where)
    yield from stages.check_times(phases, where)
    candidates = yield from select(project)
    moving, left = yield from dispose(candidates)
    yield from order.check_phases(moving, phases)
    was = yield from thaw(project, moving)
    live = tuple(candidate for candidate in moving if was.key(candidate) is None)
    networks = yield from map_networks(spec.networks, where)
    storage = StorageMap(spec.storage, where, (yield from array_copies(project)))
    yield from storage.notes
    today = _decide_again(project, moving, was, networks, storage)
    was = yield from correct(project, was, today.machines)
    machines, ties = yield from _machines(live, moving, project, networks, storage, was, was.machines.values())
    yield from check_left(live, candidates, was)
    needs = yield from order.dependencies(moving, candidates)
    cycles = order.circles(needs)
    yield from order.check_order(moving, needs, cycles, phases)
    closed = frozenset(machine.group for machine in was.machines.values())
    places = {candidate.key: candidate.where for candidate in moving}
    ties = (*ties, *order.within_phases(cycles, machines))
    groups_of = yield from cut(
        machines,
        ties,
        spec,
        phases,
        project.assignments,
        closed,
        places,
    )
    decided = [replace(machine, group=groups_of[key]) for key, machine in machines.items()]
    yield from check_claims((*_of_known_sources(was, project), *decided), places)
    begun = tuple(begin(project, (*decided, *was.machines.values())))
    groups = yield from _groups(project, phases, begun, _unresolved(live, machines))
    places_now = turns(spec, begun)
    taken = places_of(groups, places_now)
    yield from check_recorded(project, groups)
    yield from order.check_running(needs, groups, {c.key: was.key(c) or c.key for c in moving}, where)
    yield from _explain_groups(groups)
    yield from _drift(project, was, today)
    yield from report_staying(project, was, candidates, left, today.candidates)
    sources = yield from plan_sources(project)
    namespaces = yield from plan_namespaces(project, phases, groups, networks)
    blueprint = Blueprint(
        name=spec.metadata.name,
        cluster=spec.target.cluster,
        gitops=spec.target.gitops,
        forklift=spec.target.forklift,
        sources=tuple(replace(source, places_at=places_now.get(source.name)) for source in sources),
        hooks=(yield from plan_hooks(project)),
        scripts=(yield from plan_scripts(project)),
        namespaces=tuple(replace(plan, places=taken[plan.name]) if plan.name in taken else plan for plan in namespaces),
        bridges=(yield from plan_bridges(spec.target.cluster, networks, where)),
        phases=tuple(PhasePlan(name=p.name, kind=p.kind, after=p.after, windows=p.windows) for p in phases),
        groups=groups,
        left=left,
        external_nads=tuple(sorted(external_nads(networks, groups))),
        places=places,
    )
    yield from _check_references(project, groups)
    return Resolution(
        blueprint=blueprint,
        assignments=assignments_of(spec, groups),
        subjects=_subjects(candidates, left, groups, was),
    )


def _subjects(
    candidates: tuple[Candidate, ...], left: tuple[Left, ...], groups: tuple[Group, ...], was: Frozen
) -> tuple[Subject, ...]:
    """Return every VM with its facts and what became of it."""
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


def _machines(
    candidates: tuple[Candidate, ...],
    everyone: tuple[Candidate, ...],
    project: Project,
    networks: NetworkMap,
    storage: StorageMap,
    was: Frozen,
    known: Iterable[Machine],
    names: dict[str, str] | None = None,
) -> Noting[tuple[dict[str, Machine], tuple[frozenset[str], ...]]]:
    """Return the machines of these VMs, and the sets of them that share disks.

    ``everyone`` is all that move; ``was`` are frozen machines whose names are taken; ``known`` may be cloned.
    ``names`` are those of the VMs in the target, where they have them already.
    """
    spec, where = project.spec, project.where
    others = _of_known_sources(was, project)
    routes = yield from route(candidates, standard_vms(everyone, spec.settings.auto), spec.settings.auto)
    namespaces = yield from place(candidates, spec.namespaces, where)
    taken = {(machine.namespace, machine.target_name) for machine in others}
    wished = {
        (was.machines[key].namespace, sanitize(candidate.vm.name))
        for candidate in everyone
        if (key := was.key(candidate)) is not None and candidate.vm.target_name is None
    }
    names = names or (yield from name_machines(candidates, namespaces, taken, wished))
    macs = {nic.mac: (machine.key, machine.name) for machine in others for nic in machine.nics if nic.mac}
    nics = yield from attach(candidates, routes, namespaces, networks, spec.target.cluster)
    yield from check_attached(candidates, routes, nics, networks, spec.target.cluster, macs)
    volumes = yield from allocate(candidates, routes, storage)
    yield from check_allocated(candidates, volumes)
    owners, ties = yield from share(candidates, namespaces)
    parts = Parts(routes=routes, names=names, namespaces=namespaces, nics=nics, volumes=volumes, owners=owners)
    return (yield from build(candidates, parts, spec.target.cluster, networks, storage, known)), ties


def _of_known_sources(was: Frozen, project: Project) -> tuple[Machine, ...]:
    """Return the frozen VMs but for those of a vCenter that is gone: that is one error."""
    sources = {source.name for source in project.spec.sources}
    return tuple(machine for machine in was.machines.values() if machine.source in sources)


class _Today(Struct, frozen=True):
    """What would be decided today of VMs that are frozen, by the key each of them is frozen under."""

    candidates: dict[str, Candidate] = {}
    machines: dict[str, Machine] = {}
    reasons: dict[str, tuple[Decision, ...]] = {}


def _decide_again(
    project: Project, moving: tuple[Candidate, ...], was: Frozen, networks: NetworkMap, storage: StorageMap
) -> _Today:
    """Return what would be decided of frozen VMs today."""
    if not was.machines:
        return _Today()
    found = {key: candidate for candidate in moving if (key := was.key(candidate)) is not None}
    again = {key: _on_its_path(candidate, was.machines[key]) for key, candidate in found.items()}
    # what is wrong with them today is no error: the output keeps what was frozen
    # a derived name depends on the rivals it had: what was made of a VM's name is its name
    names = {c.key: c.vm.target_name or was.machines[key].target_name for key, c in again.items()}
    named = (decide(key, "target name", name, "as it was when its group was prepared") for key, name in names.items())
    (now, _), notes = collect(
        _machines(tuple(again.values()), moving, project, networks, storage, Frozen(), was.machines.values(), names)
    )
    reasons = decisions((*named, *notes))
    return _Today(
        candidates=found,
        machines={key: now[c.key] for key, c in again.items() if c.key in now},
        reasons={key: _reasons(reasons.get(c.key, ()), chosen=c is not found[key]) for key, c in again.items()},
    )


def _on_its_path(candidate: Candidate, machine: Machine) -> Candidate:
    """Return a VM with the path it has: `auto` chooses once, and what other VMs do later is no change of this one."""
    if candidate.decisions.path not in (None, "auto") or candidate.decisions.disposition == "rebuild":
        return candidate
    return replace(candidate, decisions=replace(candidate.decisions, path=machine.path))


def _reasons(decisions: tuple[Decision, ...], *, chosen: bool) -> tuple[Decision, ...]:
    """Return the reasons of a VM; of one that keeps the path which `auto` once chose, that it does."""
    return tuple(
        replace(each, reason="auto chose it, and its group is prepared since")
        if chosen and each.subject == "path"
        else each
        for each in decisions
    )


def _drift(project: Project, was: Frozen, today: _Today) -> Noting[None]:
    """Report how frozen VMs differ from what would be decided today, and explain them as frozen."""
    for key, machine in was.machines.items():
        candidate, now = today.candidates.get(key), today.machines.get(key)
        stage = project.spec.groups[machine.group].stage
        if candidate is not None:
            yield from report_drift(machine, now, candidate, stage)
        if candidate is not None and now is not None and not differences(machine, now):
            yield from (Reason(key, decision) for decision in today.reasons[key])
        else:
            yield from _explain_frozen(machine)


def _unresolved(candidates: tuple[Candidate, ...], machines: Mapping[str, Machine]) -> Counter[str]:
    """Return how many VMs of each phase have errors of their own, so that they are in no group."""
    return Counter(c.decisions.phase for c in candidates if c.decisions.phase is not None and c.key not in machines)


def _is_consequence(name: str, by_group: Mapping[str, list[Machine]], unresolved: Mapping[str, int]) -> bool:
    """Return whether a group may be without VMs only because they have errors: it would be the next of its phase."""
    phase, _, number = name.rpartition("-")
    known = sum(other.rpartition("-")[0] == phase for other in by_group)
    return number.isdigit() and int(number) <= known + unresolved.get(phase, 0) and phase in unresolved


def _groups(
    project: Project,
    phases: tuple[Phase, ...],
    machines: tuple[Machine, ...],
    unresolved: Mapping[str, int],
) -> Noting[tuple[Group, ...]]:
    """Return the groups in the order of phases and names, each with what its stage brings."""
    spec, where = project.spec, project.where.at("groups")
    by_group: defaultdict[str, list[Machine]] = defaultdict(list)
    for machine in machines:
        by_group[machine.group].append(machine)
    for name in spec.groups:
        if name not in by_group and not _is_consequence(name, by_group, unresolved):
            yield NO_SUCH_GROUP.finding(
                f"group {name} does not exist",
                f"groups: {', '.join(sorted(by_group)) or 'none'}; `vmferry explain SPEC --all` shows who is where",
                where=where.at(name, key=True),
            )
    ranks = {phase.name: rank for rank, phase in enumerate(phases)}
    known = {phase.name: phase for phase in phases}
    result: list[Group] = []
    for name in sorted(by_group, key=lambda item: (ranks.get(by_group[item][0].phase, -1), item)):
        members = tuple(sorted(by_group[name], key=lambda machine: machine.key))
        phase = known.get(members[0].phase)
        if phase is None:
            if stages.frozen(spec.groups.get(name, GroupState()).stage):
                yield from _check_phase(name, members, where)
            continue  # of the others, the phase was reported where it is named
        result.append((yield from _group(project, name, members, phase)))
    return tuple(result)


def _check_phase(name: str, members: tuple[Machine, ...], where: Where) -> Noting[None]:
    """Report a frozen group whose phase is gone."""
    yield ASSIGNMENTS_MISFIT.finding(
        f"group {name} is in phase {members[0].phase}, which the spec does not define",
        "restore the phase under that name: its VMs are frozen in it",
        where=where.at(name),
        vms=tuple(machine.name for machine in members),
    )


def _group(project: Project, name: str, members: tuple[Machine, ...], phase: Phase) -> Noting[Group]:
    spec, first = project.spec, members[0]
    state = spec.groups.get(name, GroupState())
    where = project.where.at("groups", name)
    if name in spec.groups:
        yield from stages.check_state(name, state, first.method, phase, where)
    present = stages.layers(first.method, members)
    return Group(
        name=name,
        full_name=fit(f"{spec.metadata.name}-{name}", 63),
        phase=phase.name,
        phase_kind=phase.kind,
        stage=state.stage,
        attempt=state.attempt,
        cutover=state.cutover,
        vm_cutover=(yield from vm_cutovers(name, state, members, phase, where)),
        running=stages.running(state.stage),
        frozen=stages.frozen(state.stage),
        path=first.path,
        method=first.method,
        source=first.source,
        namespace=first.namespace,
        placement=first.placement,
        preserve_static_ips=first.preserve_static_ips,
        transfer_network=first.transfer_network,
        forklift=first.forklift,
        machines=members,
        networks=_network_pairs(members),
        storage=_storage_pairs(members),
        layers=present,
        steps=stages.steps(first.method, state.stage, present, spec.target.gitops.engine),
    )


def _network_pairs(machines: tuple[Machine, ...]) -> tuple[NetworkPair, ...]:
    """Return the rows of a group's NetworkMap. Several for one network are in the order in which NICs take them."""
    pairs: dict[tuple[str, str], dict[tuple[int, str], NetworkPair]] = defaultdict(dict)
    for machine in machines:
        on: Counter[tuple[str, str]] = Counter()
        for nic in machine.nics:
            source = (nic.network.name, nic.network.id or "")
            if all(nic.nad != pair.nad for pair in pairs[source].values()):
                pairs[source][on[source], nic.nad or ""] = NetworkPair(source=nic.network, nad=nic.nad)
            on[source] += 1
        for dropped in machine.dropped_nics:
            source = (dropped.network.name, dropped.network.id or "")
            pairs[source][0, ""] = NetworkPair(source=dropped.network, nad=None, ignored=True)
    return tuple(rows[order] for _, rows in sorted(pairs.items()) for order in sorted(rows))


def _storage_pairs(machines: tuple[Machine, ...]) -> tuple[StoragePair, ...]:
    pairs = {
        (disk.datastore.name, disk.datastore.id or ""): StoragePair(
            source=disk.datastore,
            storage_class=disk.storage_class,
            access_mode=disk.access_mode,
            volume_mode=disk.volume_mode,
            offload=disk.offload,
        )
        for machine in machines
        for disk in machine.disks
        if disk.datastore is not None
    }
    return tuple(pairs[name] for name in sorted(pairs))


def _explain_groups(groups: tuple[Group, ...]) -> Noting[None]:
    for group in groups:
        why = f"phase {group.phase}, path {group.path}, method {group.method}, namespace {group.namespace}"
        for machine in group.machines:
            yield decide(machine.key, "phase", group.phase, f"stage of its group: {group.stage}")
            yield decide(machine.key, "group", group.name, f"{len(group.machines)} VMs share {why}")
            if group.method == "job" and machine.conversion is not None:
                since = f"since attempt {machine.conversion.attempt} began (assignments.yaml)"
                yield decide(machine.key, "conversion", machine.conversion.image, since)


def _explain_frozen(machine: Machine) -> Noting[None]:
    why = "frozen when its group was prepared (assignments.yaml)"
    values: Mapping[str, str] = {
        "path": machine.path,
        "method": machine.method,
        "namespace": machine.namespace,
        "target name": machine.target_name,
        **{nic.name: f"{nic.network.name} → {nic.nad or 'pod network'}" for nic in machine.nics},
        **{f"NIC {nic.index + 1}": f"{nic.network.name} → not connected" for nic in machine.dropped_nics},
        **{disk.name: disk.storage_class for disk in machine.disks},
    }
    for subject, value in values.items():
        yield decide(machine.key, subject, value, why)


def _check_references(project: Project, groups: tuple[Group, ...]) -> Noting[None]:
    """Report what groups refer to and the spec does not define: hooks, and what frozen VMs need still."""
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
            message = f"group {group.name} is frozen with {' and '.join(gone)}, which the spec does not define any more"
            fix = "restore its name: what is frozen keeps it until the group is back at planned"
            yield ASSIGNMENTS_MISFIT.finding(message, fix, where=where.at("groups", group.name), vms=names)
        for name in sorted({use.name for machine in group.machines for use in machine.hooks} - hooks):
            yield UNDEFINED_REFERENCE.finding(
                f"group {group.name} uses hook {name}, which is not defined",
                f"defined hooks: {', '.join(sorted(hooks)) or 'none'}",
                where=where.at("hooks"),
                vms=names,
            )
        wanted = group.forklift.scripts if group.forklift is not None else None
        if wanted is not None and wanted not in scripts:
            yield UNDEFINED_REFERENCE.finding(
                f"group {group.name} uses scripts {wanted}, which are not defined",
                f"defined scripts: {', '.join(sorted(scripts)) or 'none'}",
                where=where.at("scripts"),
                vms=names,
            )
