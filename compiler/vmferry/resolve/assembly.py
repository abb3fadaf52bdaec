"""From machines and the names of their groups to move groups: what each one shares, and what its stage adds."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from vmferry.estate.adoption import applies, recorded
from vmferry.estate.decommission.takes import whole_sources
from vmferry.estate.dns import changes, pointers
from vmferry.estate.dual_run import MEANS, dual_run_of, weight_of
from vmferry.estate.methods import METHODS
from vmferry.estate.performance import comparison
from vmferry.estate.preflight import needed
from vmferry.estate.snapshots import has_volumes, obstacle
from vmferry.estate.stages import begun, frozen, running
from vmferry.estate.statements import ASSIGNMENTS_MISFIT
from vmferry.kube.dns import fit
from vmferry.kube.nodes import pod_user
from vmferry.model.adopted import AdoptedMachine
from vmferry.model.assignments import Assignment, Assignments
from vmferry.model.blueprint import (
    Departed,
    DnsChange,
    Group,
    Machine,
    NetworkPair,
    Origin,
    PlanOptions,
    PreflightPlan,
    StoragePair,
)
from vmferry.model.finding import Where
from vmferry.model.keys import VmKey
from vmferry.model.project import Project
from vmferry.model.rule import declare
from vmferry.model.spec import DualRun, ExternalDns, GroupState, MigrationSpec, Phase
from vmferry.resolve.cards import Card
from vmferry.resolve.checks import PlannedChecks
from vmferry.resolve.cutovers import vm_cutovers
from vmferry.resolve.forklift import kept_on_failure
from vmferry.resolve.notes import Noting, decide
from vmferry.resolve.past import check_history, histories, reached_by
from vmferry.resolve.steps import layers, steps
from vmferry.resolve.turns import is_converted
from vmferry.resolve.windows import check_state


def unresolved(cards: Iterable[Card], machines: Mapping[VmKey, Machine]) -> Counter[str]:
    """Return how many VMs of each phase are in no group because of their own errors."""
    return Counter(card.phase for card in cards if card.phase is not None and card.key not in machines)


def _is_consequence(name: str, by_group: Mapping[str, list[Machine]], unresolved: Mapping[str, int]) -> bool:
    """Return whether a group may only be empty because its VMs have errors: it would be the next of its phase."""
    phase, _, number = name.rpartition("-")
    known = sum(other.rpartition("-")[0] == phase for other in by_group)
    return number.isdigit() and int(number) <= known + unresolved.get(phase, 0) and phase in unresolved


NO_SUCH_GROUP = declare(
    "VMF404",
    "error",
    "group does not exist",
    why="A stage for a group without VMs would do nothing: the pull request is merged, everyone waits, and the "
    "intended group stays where it is.",
)


def assemble(
    project: Project,
    phases: tuple[Phase, ...],
    machines: tuple[Machine, ...],
    origins: Mapping[VmKey, Origin],
    unresolved: Mapping[str, int],
    checks: PlannedChecks = ({}, {}),
    preflight: PreflightPlan | None = None,
) -> Noting[tuple[Group, ...]]:
    """Return the groups in the order of phases and names, each with what its stage adds."""
    spec, where = project.spec, project.where.at("groups")
    by_group: defaultdict[str, list[Machine]] = defaultdict(list)
    for machine in machines:
        by_group[machine.group].append(machine)
    for name, state in spec.groups.items():
        own = state.split_from or state.vms  # what is wrong with them is reported as that
        if name not in by_group and not own and not _is_consequence(name, by_group, unresolved):
            yield NO_SUCH_GROUP.finding(
                f"group {name} does not exist",
                f"remove it, or correct its name; groups: {', '.join(sorted(by_group)) or 'none'}",
                where=where.at(name, key=True),
            )
    ranks = {phase.name: rank for rank, phase in enumerate(phases)}
    known = {phase.name: phase for phase in phases}
    past = _pasts(project.assignments, by_group)
    departed = _departed(project.assignments, by_group)
    adopted = recorded(project.adopted.values())
    result: list[Group] = []
    for name in sorted(by_group, key=lambda item: (ranks.get(by_group[item][0].phase, -1), item)):
        members = tuple(sorted(by_group[name], key=lambda machine: machine.key))
        phase = known.get(members[0].phase)
        if phase is None:
            if frozen(spec.groups.get(name, GroupState()).stage):
                yield from _check_phase(name, members, where)
            continue  # for the others, the phase was reported where it is named
        result.append(
            (
                yield from _group(
                    project, name, members, origins, phase, past.get(name), departed, adopted, checks, preflight
                )
            )
        )
    return tuple(result)


def _check_phase(name: str, members: tuple[Machine, ...], where: Where) -> Noting[None]:
    """Report a frozen group whose phase is gone."""
    yield ASSIGNMENTS_MISFIT.finding(
        f"group {name} is in phase {members[0].phase}, which the spec does not define",
        "restore the phase under that name: its VMs are frozen in it",
        where=where.at(name),
        vms=tuple(machine.name for machine in members),
    )


def _group(
    project: Project,
    name: str,
    members: tuple[Machine, ...],
    origins: Mapping[VmKey, Origin],
    phase: Phase,
    past: Assignment | None,
    departed: Mapping[str, tuple[Departed, ...]],
    adopted: Mapping[VmKey, AdoptedMachine],
    checks: PlannedChecks,
    preflight: PreflightPlan | None,
) -> Noting[Group]:
    spec, first = project.spec, members[0]
    state = spec.groups.get(name, GroupState())
    where = project.where.at("groups", name)
    if name in spec.groups:
        yield from check_state(name, state, first.method, phase, where)
        yield from check_history(name, state, first.method, past, where)
    reached = reached_by(state, past)
    snapshots = _snapshots(project, members, state, phase)
    gone = first.source in whole_sources(spec)
    dual_run = dual_run_of((phase,), phase.name)
    weight = weight_of(dual_run, state.stage, state.weight)
    dns = _dns(members, state, spec, dual_run, weight)
    checked, scripts = _checks(members, state, checks)
    present = layers(
        first.method,
        members,
        state.stage,
        reached,
        graduated=state.graduated,
        snapshots=bool(snapshots),
        dns=any(isinstance(change.provider, ExternalDns) for change in dns),
        checks=any(each.address is not None for its in checked.values() for each in its),
        gone=gone,
    )
    left = departed.get(name, ())
    planned = (*members, *(each.machine for each in left))  # what a Plan names: it never loses a VM that it moved
    again = f"-r{state.remigrate}" if state.remigrate else ""  # Forklift does not rerun a Plan that has succeeded
    return Group(
        name=name,
        full_name=fit(f"{spec.metadata.name}-{name}{again}"),
        phase=phase.name,
        phase_kind=phase.kind,
        stage=state.stage,
        dual_run=dual_run.mode,
        weight=weight,
        reached=reached,
        split_from=state.split_from,
        departed=left,
        hold=state.hold,
        attempt=state.attempt,
        remigrate=state.remigrate,
        data_loss=state.data_loss,
        cutover=state.cutover,
        vm_cutover=(yield from vm_cutovers(name, state, members, phase, where)),
        running=running(state.stage),
        graduated=state.graduated,
        frozen=frozen(state.stage),
        path=first.path,
        method=first.method,
        source=first.source,
        source_gone=gone,
        namespace=first.namespace,
        placement=first.placement,
        preserve_static_ips=first.preserve_static_ips,
        transfer_network=first.transfer_network,
        forklift=first.forklift or PlanOptions(),
        machines=members,
        origins={member.key: origins[member.key] for member in members if member.key in origins},
        adopted={member.key: adopted[member.key].spec for member in members if applies(adopted.get(member.key), state)},
        snapshots=snapshots,
        checks=checked,
        check_image=spec.target.cluster.check_image if checked else None,
        check_user=pod_user(spec.target.cluster.distribution) if checked else None,
        check_scripts=scripts,
        performance=comparison(spec.settings.performance, phase.performance) if not state.graduated else None,
        kept_on_failure=kept_on_failure(planned, spec.target.cluster.versions) if first.path == "forklift" else (),
        networks=_network_pairs(planned),
        storage=_storage_pairs(planned),
        dns=dns,
        preflight=needed(spec.metadata.name, preflight, members, first.transfer_network),
        layers=present,
        steps=steps(
            first.method,
            state.stage,
            tuple(layer for layer in present if layer != "migration" or not _moved_elsewhere(members, state, departed)),
            spec.target.gitops.engine,
            reached,
        ),
    )


def _snapshots(project: Project, members: tuple[Machine, ...], state: GroupState, phase: Phase) -> tuple[VmKey, ...]:
    """Return the VMs of a group that get a snapshot before they are accepted; VMF888 reports those that cannot."""
    if not phase.acceptance_snapshot or state.graduated:
        return ()  # the VMs of a graduated group are up to their team
    classes = {item.name: item for item in project.spec.storage.classes}
    return tuple(machine.key for machine in members if has_volumes(machine) and obstacle(machine, classes) is None)


def _dns(
    members: tuple[Machine, ...], state: GroupState, spec: MigrationSpec, dual_run: DualRun, weight: int
) -> tuple[DnsChange, ...]:
    """Return the records that change with a group's VMs, as they are at its stage, by name."""
    parallel = dual_run.mode == "parallel"
    found: list[DnsChange] = []
    for machine in members:
        made = (
            changes(record, machine.key, state.stage, spec.dns, weight, parallel=parallel) for record in machine.records
        )
        changed = [each for each in made if each is not None]
        found += (*changed, *pointers(machine, changed, spec.dns))
    return tuple(sorted(found, key=lambda each: each.name))


def _checks(members: tuple[Machine, ...], state: GroupState, checks: PlannedChecks) -> PlannedChecks:
    """Return the checks of a group's VMs, and the scripts among them."""
    if state.graduated:
        return {}, {}
    its = {member.key: checks[0][member.key] for member in members if member.key in checks[0]}
    names = {each.check.name for found in its.values() for each in found}
    return its, {name: text for name, text in sorted(checks[1].items()) if name in names}


def _pasts(assignments: Assignments | None, by_group: Mapping[str, list[Machine]]) -> dict[str, Assignment]:
    """Return a record of each group's past; one that VMs leave another for begins with that one's."""
    known = histories(assignments)
    records = assignments.vms if assignments else {}
    return {
        name: known[name] if name in known else records[members[0].key]
        for name, members in by_group.items()
        if name in known or members[0].key in records
    }


def _departed(
    assignments: Assignments | None, by_group: Mapping[str, list[Machine]]
) -> dict[str, tuple[Departed, ...]]:
    """Return the VMs that left each group when it had begun to move, now and before, by key."""
    if assignments is None:
        return {}
    result: defaultdict[str, dict[VmKey, Departed]] = defaultdict(dict)
    for group, earlier in assignments.departed.items():
        result[group] |= earlier
    for name, members in by_group.items():
        for machine in members:
            was = assignments.vms.get(machine.key)
            if was is not None and was.group != name and begun(was.stage) and was.machine is not None:
                result[was.group][machine.key] = Departed(machine=was.machine, attempt=was.attempt or 1)
    return {group: tuple(each for _, each in sorted(found.items())) for group, found in result.items()}


def _moved_elsewhere(
    members: tuple[Machine, ...], state: GroupState, departed: Mapping[str, tuple[Departed, ...]]
) -> bool:
    """Return whether a Plan of another group moved the VMs, and no attempt of their own has begun since."""
    return any(
        each.machine.key == members[0].key and state.attempt <= each.attempt
        for group in departed.values()
        for each in group
    )


def _network_pairs(machines: tuple[Machine, ...]) -> tuple[NetworkPair, ...]:
    """Return the rows of a group's NetworkMap. Several rows for one network are in the order in which NICs use them."""
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


def explain_groups(groups: tuple[Group, ...]) -> Noting[None]:
    """Note each VM's phase and group, and what it shares with the group."""
    for group in groups:
        why = f"phase {group.phase}, path {group.path}, method {group.method}, namespace {group.namespace}"
        for machine in group.machines:
            yield decide(machine.key, "phase", group.phase, f"stage of its group: {group.stage}")
            if group.dual_run != "fallback":
                yield decide(machine.key, "dual run", group.dual_run, MEANS[group.dual_run])
            yield decide(machine.key, "group", group.name, f"{len(group.machines)} VMs share {why}")
            origin = group.origins.get(machine.key) if METHODS[group.method].converts else None
            if origin is None or not (machine.conversion is not None or is_converted(machine)):
                continue
            since = "target.cluster.v2vImage; an attempt that has begun keeps what it began with"
            if machine.conversion is not None:
                since = f"since attempt {machine.conversion.attempt} began (assignments.yaml)"
            yield decide(machine.key, "conversion", origin.conversion.image, since)
