"""The steps of each group in the runbook: who does what, whom to reach, and the time planned and taken."""

from collections.abc import Iterator, Mapping
from shlex import quote
from typing import Literal, NamedTuple

from msgspec import Struct, structs

from vmferry.estate import integrity
from vmferry.estate.contacts import Role, contacts_of
from vmferry.estate.copying import Estimate, Figure, Way, about, at_rate, copies_of, estimate, measured, rates_of
from vmferry.estate.dns import Act, hands, wait
from vmferry.estate.dual_run import dual_run_of, means
from vmferry.estate.gates import NEEDS, Need
from vmferry.estate.history import History
from vmferry.estate.methods import METHODS
from vmferry.estate.performance import compared
from vmferry.estate.stages import STAGES, rank
from vmferry.estate.taken import Taken, before, signed, taken
from vmferry.estate.timetable.forecast import outages
from vmferry.estate.way_back import data_lost, outage
from vmferry.estate.wording import counted, duration
from vmferry.model.blueprint import Group
from vmferry.model.evidence import Evidence
from vmferry.model.keys import VmKey
from vmferry.model.spec import MigrationSpec, Replication, Stage, TakingState
from vmferry.reports.content import Material

STEPS: tuple[Stage, ...] = tuple(stage for stage in STAGES if stage not in ("planned", "rolled-back"))
"""The stages that a group is taken to, in order."""


When = Literal["done", "next", "later"]


class Step(Struct, frozen=True, kw_only=True):
    """Something to do. ``outage`` and ``data`` are what going back from there costs.

    Times are in RFC 3339, durations in seconds; None is unknown, or has not happened. ``planned`` is in words, with
    what it rests on.
    """

    number: int
    stage: Stage | TakingState  # the one that it leads to, or belongs to
    owner: Role
    decision: bool  # a go or no-go
    contacts: tuple[str, ...]  # whom to reach, as the spec names them; () if it names nobody
    what: str
    command: str | None
    expected: str
    planned: str = ""
    planned_seconds: float | None = None
    started: str | None = None
    finished: str | None = None
    taken_seconds: float | None = None
    state: When
    outage: str
    data: str


class Planning(NamedTuple):
    """What the steps rest on, of all groups."""

    spec: MigrationSpec
    given: str  # the spec, as it stands in commands
    tree: str  # the compiled tree, as a path in its repository
    evidence: Evidence | None
    history: History
    used: Mapping[VmKey, int | None]  # bytes in use by VM, where known
    contacts: Mapping[VmKey, str | None]  # that VMs name themselves
    replications: Mapping[VmKey, Replication | None]
    groups: tuple[Group, ...]
    measured: Mapping[Way, Figure]  # rates by method
    outages: Mapping[str, float]  # in seconds, of warm groups


def planning(material: Material) -> Planning:
    """Return what the steps of all groups rest on."""
    review = material.review
    evidence, groups = review.project.evidence, review.blueprint.groups
    return Planning(
        review.spec,
        quote(review.project.given or "migration/"),
        review.blueprint.gitops.path,
        evidence,
        History(evidence),
        {subject.key: subject.vm.used_storage for subject in review.subjects},
        {subject.key: subject.decisions.contact for subject in review.subjects},
        {subject.key: subject.vm.replication for subject in review.subjects},
        groups,
        measured(groups, evidence),
        outages(review),
    )


def steps(group: Group, of: Planning) -> Iterator[Step]:
    """Yield the steps of a group, in order."""
    number = 0
    now = rank(group.stage)
    reach = contacts_of(group, of.spec, (of.contacts.get(machine.key) for machine in group.machines))
    for stage in STEPS:
        there = structs.replace(group, stage=stage)
        state: When = (
            "done"
            if rank(stage) <= now and group.stage != "rolled-back"
            else "next"
            if rank(stage) == now + 1
            else "later"
        )
        for owner, what, command, expected in _actions(group, stage, of):
            number += 1
            planned, seconds = _planned(group, stage, command, of)
            took = _taken(group, stage, command, of.history)
            yield Step(
                number=number,
                stage=stage,
                owner=owner,
                decision=what.startswith(DECISION),
                contacts=reach.get(owner, ()),
                what=what,
                command=command,
                expected=expected,
                planned=planned,
                planned_seconds=seconds,
                started=took.started,
                finished=took.finished,
                taken_seconds=took.seconds,
                state=state,
                outage=outage(there) if stage != "retired" else "there is no way back",
                data=data_lost(there) if stage != "retired" else "there is no way back",
            )


DECISION = "Go or no-go: "

_Action = tuple[Role, str, str | None, str]


def _actions(group: Group, stage: Stage, of: Planning) -> Iterator[_Action]:
    """Yield what people do for a stage: before the pull request, the pull request itself, and after it."""
    spec, tree = of.given, of.tree
    if stage == "prepared" and group.preflight:
        what = "Pre-flight: see that every node has what these VMs need, and record it (`vmferry observe`)."
        tests = counted(len(group.preflight), "test")
        yield "platform", what, f"vmferry status {spec}", f"no problem; {tests} of the pre-flight passed"
    yield from _before(group, stage, of)
    if METHODS[group.method].replicates and stage == "cutover":
        yield from _promote(group, of)
    needs = [need.words for need in NEEDS.get(_after(stage), {}).get(group.method, ()) if _needed(need, group)]
    expected = ", ".join(f"{words} in `vmferry status`" for words in needs) or "`vmferry verify` and the sync succeed"
    meant = means(group.dual_run, stage)
    merge = f"Pull request: {stage}. {meant} Merge it, then record what happened (`vmferry observe`)."
    yield "platform", merge, f"vmferry advance {spec} {group.name} --to {stage}", expected
    if METHODS[group.method].cutover and stage == "cutover":
        yield from _record(group, of, "shortly before the cutover, end writes at the sources, then record")
    if METHODS[group.method].replicates and stage == "migrating":
        yield from _each(group, of, "set_up", "make it a replica of its source.", "it follows its source")
    if group.dual_run == "parallel" and stage == "cutover":
        yield from _shift(group, dual_run_of(of.spec.phases, group.phase).weights)
    if stage == "prepared":
        yield from _to_gateways(group)
    yield from _dns(group, stage, tree)
    back = f"`vmferry explain {spec} {group.name} --rollback` has the way back"
    if stage == "cutover":
        checks = " A Job carries out its checks; `vmferry observe` records them." if group.checks else ""
        yield "application", f"{DECISION}test the application.{checks} No-go: {back}.", None, "the application works"
        if group.performance is not None and group.performance.gate and any(True for _ in compared(group)):
            what = f"After {group.performance.settings.period}: compare its VMs with what they were in vSphere."
            command = f"vmferry observe {spec} --queries"
            yield "platform", f"{what} The answers go into `vmferry observe --prometheus`.", command, "no VM is slower"
    if any(need.what == "signOff" for need in NEEDS.get(_after(stage), {}).get(group.method, ())):
        what = f"{DECISION}sign off that it is {stage}. No-go: {back}."
        command = f"vmferry sign {spec} {group.name} --by NAME --note WHAT-WAS-TESTED"
        yield "application", what, command, f"sign-off of {stage} in evidence.yaml"


def _promote(group: Group, of: Planning) -> Iterator[_Action]:
    """Yield what makes replicas primaries, in the one order in which nothing is lost and there are never two."""
    yield from _each(
        group, of, "stop_writes", "end writes at the source: the outage begins.", "it is read-only, or off"
    )
    yield from _record(group, of, "record")
    yield from _each(group, of, "caught_up", "wait until it has everything.", "nothing is left to replicate")
    sign = f"vmferry sign {of.given} {group.name} --by NAME --note WHAT-WAS-COMPARED --caught-up read-only"
    what = f"{DECISION}record that replication has caught up and that no source takes writes. No-go: `resumeWrites`."
    yield "application", what, sign, "replication in evidence.yaml"
    yield from _each(group, of, "promote", "make it the primary.", "it takes writes")


def _record(group: Group, of: Planning, what: str) -> Iterator[_Action]:
    """Yield what records the data of sources before they stop, if checks compare them afterwards."""
    count = len({machine.key for machine, _ in integrity.compared(group)})
    if count:
        command = f"bash {of.tree}/bases/{group.phase}/{group.name}/before.sh | vmferry observe {of.given} --before -"
        whose = f"the data of {counted(count, 'VM')} are at the source"
        yield (
            "application",
            f"Data: {what} what {whose}.",
            command,
            f"before of {counted(count, 'VM')} in evidence.yaml",
        )


def _each(group: Group, of: Planning, field: str, what: str, expected: str) -> Iterator[_Action]:
    """Yield a step of each replica, with the reference that its entry has for it."""
    for machine in group.machines:
        stated = of.replications.get(machine.key)
        yield "application", f"{machine.name}: {what}", getattr(stated, field) if stated is not None else None, expected


def _shift(group: Group, weights: tuple[int, ...]) -> Iterator[_Action]:
    """Yield the steps in which clients move to the target."""
    for weight in weights:
        what = (
            f"{DECISION}{weight} % of clients to the target: set weight: {weight} for {group.name} in a pull request. "
            "No-go: set it back to the step before, or to 0."
        )
        yield "application", what, None, "no more errors and no longer response times than at the source"


def _to_gateways(group: Group) -> Iterator[_Action]:
    """Yield how clients come to the Gateways that will move them; these send all of them to the sources until then."""
    for machine in group.machines:
        if machine.route is not None:
            gateway = f"{machine.route.gateway.namespace}/{machine.route.gateway.name}"
            names = ", ".join(machine.route.hostnames) or f"the clients of {machine.name}"
            what = f"Try Gateway {gateway}: it sends everything to the source. Then lead {names} to it, in DNS."
            yield "network", what, None, "the source answers through the Gateway, with no more errors than before"


_RECORDS: Mapping[Stage, tuple[Act, str]] = {
    "prepared": ("lower", "dig shows the same addresses, with the lowered TTL"),
    "cutover": ("switch", "dig shows the new addresses"),
    "validated": ("raise", "dig shows the usual TTL"),
}


def _dns(group: Group, stage: Stage, tree: str) -> Iterator[_Action]:
    """Yield what is done about records once a move is merged, and how long caches then take."""
    if stage not in _RECORDS:
        return
    act, expected = _RECORDS[stage]
    for hand in hands(group, act):
        command = f"{tree}/bases/{group.phase}/{group.name}/{hand.file}" if hand.file is not None else None
        when = "once the VMs run in the target, " if act == "switch" and METHODS[group.method].cutover else ""
        yield "network", f"DNS: {when}{hand.what}.", command, expected
    if act == "lower" and group.dns:
        what = (
            f"Wait {duration(wait(group))} before the cutover: until then, resolvers may keep the old address (VMF874)."
        )
        yield "network", what, None, "the old TTL has run out"


def _needed(need: Need, group: Group) -> bool:
    """Return whether a need applies to any VM of the group; sign-offs and the pre-flight are steps of their own."""
    return need.what not in ("signOff", "preflight") and (
        need.each is None or any(need.each(group, each) for each in group.machines)
    )


def _after(stage: Stage) -> Stage:
    index = STAGES.index(stage)
    return STAGES[min(index + 1, len(STAGES) - 1)]


def _before(group: Group, stage: Stage, of: Planning) -> Iterator[_Action]:
    method = METHODS[group.method]
    if stage == "prepared":
        yield "vSphere", "Freeze changes to these VMs: no new disks, NICs or names.", None, "agreed"
    elif stage == "migrating":
        yield "application", "Announce the move, and confirm a backup that was restored once.", None, "confirmed"
        if not method.source_runs:
            yield from _record(group, of, "end writes at the sources: the outage begins. Then record")
        if group.dual_run == "fallback" and not method.source_runs and group.path == "virt-v2v":
            yield "vSphere", "Shut down the VMs: the downtime begins.", None, "all are powered off in vCenter"
        elif not method.source_runs and group.path == "forklift":
            what = f"{DECISION}the next pull request shuts the VMs down, and the downtime begins."
            yield "platform", what, None, "all agree, and the window is open"
    elif stage == "cutover":
        if method.cutover:
            what = "at the time of the cutover, Forklift shuts the VMs down and starts them in the target."
            yield "platform", DECISION + what, None, "all agree, and the cutover lies in a window"
        yield (
            "network",
            "Prepare what clients reach the VMs by: DNS, load balancers, firewall.",
            None,
            "ready to switch",
        )
    elif stage == "retired":
        yield (
            "application",
            f"{DECISION}after this, there is no way back.",
            None,
            "the dual run is over, all sign off",
        )


# --- time planned and taken -------------------------------------------------------------------


def _planned(group: Group, stage: Stage, command: str | None, of: Planning) -> tuple[str, float | None]:
    """Return how long a step should take, in words and in seconds."""
    if not _moves(command):
        return "", None
    if stage == "migrating" and (time := _copies(group, of)) is not None:
        return f"{about(time.seconds)} {at_rate(time)}", time.seconds
    if stage == "cutover" and group.name in of.outages:
        start = of.spec.settings.schedule.start
        return f"{about(of.outages[group.name])} of outage, {start} of them to start and check", of.outages[group.name]
    return "", None


def _copies(group: Group, of: Planning) -> Estimate | None:
    """Return how long the copies of a group take, by what was known before they began."""
    found = copies_of(group, of.used.get)
    if not found:
        return None
    known = of.measured
    if taken(group, "migrating", of.history).started is not None:
        known = measured(of.groups, before(group, of.evidence))
    return estimate(found, rates_of(of.spec, group.source, group.method, known))


def _taken(group: Group, stage: Stage, command: str | None, history: History) -> Taken:
    """Return when a step began and ended; only pull requests and sign-offs leave evidence."""
    if _moves(command):
        return taken(group, stage, history)
    return signed(group, stage, history) if command is not None and command.startswith("vmferry sign") else Taken()


def _moves(command: str | None) -> bool:
    return command is not None and command.startswith("vmferry advance")
