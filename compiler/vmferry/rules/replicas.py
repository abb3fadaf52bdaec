"""Replicas of databases: whether they can be one, who promotes them and when, and how clients follow."""

import shlex
from collections import defaultdict
from collections.abc import Iterator

from vmferry.estate.addresses import address_of
from vmferry.estate.client_routes import source_service
from vmferry.estate.history import History
from vmferry.estate.methods import METHODS
from vmferry.estate.stages import running
from vmferry.estate.wording import counted
from vmferry.model.review import Problem, Review
from vmferry.model.spec import Method
from vmferry.rules.dual_run import moving_in, stated
from vmferry.rules.registry import rule


@rule("VMF166", "error", "dual run and method do not fit")
def no_replica(review: Review) -> Iterator[Problem]:
    """In a phase with `dualRun: {mode: replica}`, each VM is a new one that replication fills while its source serves.

    That is method replica: a clone of a golden image, which runs from `migrating` on and is promoted at the cutover. A
    VM whose disks are copied has the state of one moment, and would be a second database with the same name. The golden
    image itself may be in the phase. In other phases, method replica has no promotion that anything waits for.
    """
    runs = stated(review)
    found: defaultdict[tuple[str, Method], list[str]] = defaultdict(list)
    for subject, group, machine in review.moving:
        if not machine.golden and (group.dual_run == "replica") != METHODS[machine.method].replicates:
            found[group.phase, machine.method].append(subject.name)
    indices = {phase.name: index for index, phase in enumerate(review.spec.phases)}
    for (phase, method), vms in sorted(found.items()):
        run = runs[phase][1].mode if phase in runs else "fallback"
        how = "set method: replica and cloneOf, or another mode" if run == "replica" else "set dualRun.mode: replica"
        yield Problem(
            f"phase {phase}: dualRun is {run}, and {counted(len(vms), 'VM')} would move by method {method}",
            f"{how}; or put them into another phase",
            review.at("phases", indices[phase], "dualRun", "mode") if phase in runs else review.at("phases"),
            tuple(sorted(vms)),
        )


@rule("VMF167", "error", "nothing says how a replica is filled and promoted", each=True)
def unfilled(review: Review) -> Iterator[Problem]:
    """Vmferry starts a replica and waits for the proof that it has caught up. Everything between is up to its database.

    `replication` says where each step is described: a script in your repository, a job, a page. The runbook has them in
    the one order in which no row is lost and there are never two primaries. vmferry runs none of them.
    """
    for subject, _, machine in review.moving:
        if METHODS[machine.method].replicates and subject.vm.replication is None:
            yield subject.problem(
                "its method is replica, and nothing says how it is set up, proven, promoted and taken back",
                "state `replication` in its entry: setUp, stopWrites, caughtUp, promote, resumeWrites",
                "method",
            )


@rule("VMF168", "error", "no way for clients to follow a replica", groups=True)
def lost_clients(review: Review) -> Iterator[Problem]:
    """Source and replica have different addresses and names. At the promotion, clients have to go to the other one.

    For clients in the cluster that is an `alias`, a Service whose name stays; for others a record in DNS. Suppress this
    if a proxy or a driver of your database follows the primary by itself.
    """
    for subject, group, machine in moving_in(review, "replica"):
        known = machine.alias is not None or any(change.vm == machine.key for change in group.dns)
        if METHODS[machine.method].replicates and not known:
            yield subject.problem(
                "it is a replica, and nothing leads clients to it once it is promoted",
                "state an `alias`, or a record in `dns`; or suppress this if clients follow the primary by themselves",
                "name",
            )


@rule(
    "VMF169",
    "error",
    "alias does not lead to a host name",
    source="Kubernetes Service, ExternalName: it is a CNAME, and no address",
    essential=True,
    each=True,
)
def nowhere(review: Review) -> Iterator[Problem]:
    """A Service of type ExternalName answers with another name. An address there is read as a name that does not exist.

    The target's name is that of the Service of its `ports`, if it is on the pod network; otherwise state `after`.
    """
    for subject, _, machine in review.moving:
        if machine.alias is None:
            continue
        for field, value in (("before", machine.alias.before), ("after", machine.alias.after)):
            if value is None:
                yield subject.problem(
                    f"nothing says where its alias {machine.alias.name} leads once it runs in the target",
                    "state `after`, a host name of the target; or `ports`, if it is on the pod network",
                    "alias",
                )
            elif address_of(value) is not None:
                yield subject.problem(
                    f"its alias {machine.alias.name} has an address as `{field}`, and it can only lead to a host name",
                    f"give {value} a name in DNS, and state that",
                    "alias",
                    field,
                )


@rule("VMF159", "error", "name of an alias is taken", essential=True)
def taken(review: Review) -> Iterator[Problem]:
    """A namespace has one Service of a name: one of the two would overwrite the other, and clients miss one of them."""
    used: dict[tuple[str, str], str] = {}
    for subject, _, machine in review.moving:
        used.setdefault((machine.namespace, machine.target_name), f"VM {subject.name}")
    for subject, _, machine in review.moving:
        if machine.route is not None:
            name = source_service(machine)
            owner = used.setdefault((machine.namespace, name), f"the route of VM {subject.name}")
            if owner != f"the route of VM {subject.name}":
                yield subject.problem(
                    f"the Service of its source, {name}, would have the name of {owner} in namespace "
                    f"{machine.namespace}",
                    "set another targetName for one of them",
                    "route",
                )
        if machine.alias is None:
            continue
        place = (machine.namespace, machine.alias.name)
        owner = used.setdefault(place, f"the alias of VM {subject.name}")
        if owner != f"the alias of VM {subject.name}":
            yield subject.problem(
                f"its alias {machine.alias.name} would have the name of {owner} in namespace {machine.namespace}",
                "choose another name",
                "alias",
                "name",
            )


@rule("VMF878", "error", "replica would be promoted without proof", needs="comparison", progress=True, groups=True)
def unproven(review: Review) -> Iterator[Problem]:
    """Promoted too early, a replica lacks what its source committed last, and nobody notices until someone misses it.

    A source that still takes writes is a second primary, and no tool merges two histories. So a group of replicas goes
    to `cutover` once someone has recorded both: the replica has caught up, and the source is read-only or off. No
    setting of `gates` waives it, and no sign-off of the stage replaces it.
    """
    history = History(review.project.evidence)
    was = {group.name: group for group in review.before.blueprint.groups} if review.before is not None else {}
    spec = shlex.quote(review.project.given or ".")
    for group in review.blueprint.groups:
        before = was.get(group.name)
        if before is None or running(before.stage) or not running(group.stage):
            continue
        if METHODS[group.method].replicates and not history.succeeded(group, "replication"):
            yield Problem(
                f"group {group.name} goes from {before.stage} to {group.stage}, and nothing proves that its replicas "
                "have caught up and that their sources take no writes",
                f"end writes at the sources, wait, then record it: `vmferry sign {spec} {group.name} --by NAME "
                "--note TEXT --caught-up read-only`",
                review.at("groups", group.name, "stage"),
                tuple(machine.name for machine in group.machines),
            )
