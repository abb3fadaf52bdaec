"""Sources that run beside their targets: whether they can, whether they differ, and how clients move between them."""

from collections import defaultdict
from collections.abc import Iterator

from vmferry.estate.addresses import address_of, own
from vmferry.estate.dns import mixed, weighs, zone_of
from vmferry.estate.dual_run import is_new, own_mac
from vmferry.estate.segments import Rows
from vmferry.estate.stages import begun, running
from vmferry.estate.wording import counted
from vmferry.kube.mac import plain
from vmferry.model.blueprint import Group, Machine, MachineNic
from vmferry.model.project import Entry
from vmferry.model.review import Problem, Review, Subject
from vmferry.model.spec import DualRun, Method, OvnLayer2, Stage
from vmferry.rules.registry import rule

_STOPS: dict[Method, str] = {
    "warm": "Forklift shuts the source down at the cutover",
    "cold": "Forklift shuts the source down for the copy",
    "job": "the source must be off while a Job converts its disks",
    "image": "the images are of the source's disks, and the source must be off while they are taken",
}


def moving_in(review: Review, mode: str) -> Iterator[tuple[Subject, Group, Machine]]:
    """Yield the VMs in phases of a mode, without golden images, which never run."""
    return (each for each in review.moving if each[1].dual_run == mode and not each[2].golden)


def stated(review: Review) -> dict[str, tuple[int, DualRun]]:
    """Return the dual runs that phases state, with the index of the phase, by its name."""
    phases = enumerate(review.spec.phases)
    return {phase.name: (index, phase.dual_run) for index, phase in phases if phase.dual_run is not None}


# --- parallel: whether both can run -----------------------------------------------------------


@rule(
    "VMF160",
    "error",
    "VM cannot run parallel to its source",
    source="kubev2v/forklift pkg/controller/plan/migration.go (PowerOffSource); libguestfs virt-v2v(1), "
    "--in-place and live sources",
)
def stopped(review: Review) -> Iterator[Problem]:
    """`dualRun: {mode: parallel}` promises that source and target both serve, so that clients can move step by step.

    A VM whose disks are copied is the same machine twice: the copy needs the source to be off, and has its host name,
    its SID, its machine account in the domain and its SSH host keys. Only a new VM can run beside its source: a
    clone of a golden image (`cloneOf`), or containers (path rebuild).
    """
    found: defaultdict[tuple[str, Method], list[str]] = defaultdict(list)
    for subject, group, machine in moving_in(review, "parallel"):
        if not is_new(machine):
            found[group.phase, machine.method].append(subject.name)
    runs = stated(review)
    for (phase, method), vms in sorted(found.items()):
        yield Problem(
            f"phase {phase}: dualRun is parallel, and {counted(len(vms), 'VM')} would move by method {method}: "
            f"{_STOPS[method]}, and both would have one identity",
            "set mode: fallback; or build new VMs: `cloneOf` a golden image, or path rebuild",
            review.at("phases", runs[phase][0], "dualRun", "mode"),
            tuple(sorted(vms)),
        )


@rule("VMF141", "error", "parallel run with the same MAC on both sides")
def parallel_twins(review: Review) -> Iterator[Problem]:
    """Two NICs with one MAC that run in the same VLAN conflict: switches see one address in two places.

    Both can run if the target is on another VLAN or on the pod network, or has MACs of its own, as clones get them in a
    phase with `dualRun: {mode: parallel}`. A clone that was prepared before its phase had this mode keeps the MACs that
    it was prepared with: set its group to `planned` and prepare it again.
    """
    entries = {(entry.where.file, entry.where.document, entry.where.path): entry for entry in review.project.entries}
    rows = Rows(review)
    found: defaultdict[str, set[str]] = defaultdict(set)
    for subject, group, machine in moving_in(review, "parallel"):
        entry = entries.get((subject.where.file, subject.where.document, subject.where.path))
        if machine.clone_of is not None and any(_twin(subject, machine, nic, rows, entry) for nic in machine.nics):
            found[group.phase].add(subject.name)
    runs = stated(review)
    for phase, vms in sorted(found.items()):
        yield Problem(
            f"phase {phase}: dualRun is parallel, and {counted(len(vms), 'VM')} would have the MAC of the source on "
            "both sides, in one VLAN",
            "set mode: fallback; or set its group to planned, and prepare it again, so that it gets MACs of its own",
            review.at("phases", runs[phase][0], "dualRun", "mode"),
            tuple(sorted(vms)),
        )


def _twin(subject: Subject, machine: Machine, nic: MachineNic, rows: Rows, entry: Entry | None) -> bool:
    """Return whether a NIC would have its source's MAC in the VLAN of its source."""
    row = rows.of(subject, nic.index, nic.network)
    if not nic.connected or nic.nad is None or row is None or isinstance(row.network.target, OvnLayer2):
        return False
    if row.vlan is not None and row.vsphere_vlan is not None and row.vlan != row.vsphere_vlan:
        return False
    if nic.mac == own_mac(machine.key, nic.index):
        return False
    before = (entry.imported.nics or ()) if entry is not None and entry.imported is not None else ()
    was = before[nic.index].mac if nic.index < len(before) else None
    return was is None or nic.mac is None or plain(was) == nic.mac


@rule("VMF161", "error", "VM has the address or the name of the source that runs beside it", each=True)
def namesakes(review: Review) -> Iterator[Problem]:
    """Both run at the same time. With one address, neighbours reach one or the other by chance.

    With one host name, Active Directory, monitoring and backup take them for one machine, and dynamic DNS overwrites
    the record of the other. A VM beside its source gets its name in the target as host name.
    """
    for subject, group, machine in review.moving:
        if group.dual_run == "fallback" or machine.golden or machine.path == "rebuild" or not is_new(machine):
            continue
        before = {address_of(text) for nic in subject.vm.nics or () for text in own(nic)}
        for nic in machine.nics:
            kept = [text for text in nic.readdress.addresses if address_of(text) in before] if nic.readdress else []
            if kept:
                yield subject.problem(
                    f"its source has {', '.join(kept)} too, and both run at the same time (dualRun: {group.dual_run})",
                    "state another address, which is free",
                    "readdress",
                )
        host = (subject.vm.hostname or subject.vm.name).split(".")[0].lower()
        if machine.target_name == host:
            yield subject.problem(
                f"its host name would be {host}, like that of its source, and both run at the same time (dualRun: "
                f"{group.dual_run})",
                f"set a targetName, such as {host}-new: it gets that as host name",
                "name",
            )


# --- parallel: how clients move ---------------------------------------------------------------


@rule("VMF162", "error", "no way for clients to move to the target", groups=True)
def unreachable(review: Review) -> Iterator[Problem]:
    """Source and target have different addresses, and something has to lead clients from one to the other.

    That is a record in DNS that changes (`dns`), a `route` of a Gateway, or for clients in the cluster an `alias`.
    Suppress this if a load balancer of your own does it.
    """
    for subject, group, machine in moving_in(review, "parallel"):
        led = machine.alias is not None or machine.route is not None
        if not led and not any(change.vm == machine.key for change in group.dns):
            yield subject.problem(
                "source and target will both run (dualRun: parallel), and neither a record, a route nor an alias leads "
                "clients to it",
                "state its record in `dns`, a `dnsZone`, a `route` or an `alias`; or suppress this if your load "
                "balancer moves clients",
                "name",
            )


@rule("VMF163", "error", "weights of a phase are no way from 0 to 100", essential=True, blueprint=True)
def weights(review: Review) -> Iterator[Problem]:
    """`dualRun.weights` are the steps in which clients move to the target: each sends more of them, the last one all.

    Only in mode parallel do source and target serve at the same time. In the other modes, clients move at the cutover.
    """
    for index, phase in enumerate(review.spec.phases):
        run = phase.dual_run
        if run is None:
            continue
        where = review.at("phases", index, "dualRun", "weights")
        shown = ", ".join(map(str, run.weights))
        if run.mode != "parallel" and run.weights != DualRun().weights:
            yield Problem(
                f"phase {phase.name}: weights {shown} have no effect, because its dualRun is {run.mode}",
                "remove them, or set mode: parallel",
                where,
            )
        elif run.weights[0] == 0 or run.weights[-1] != 100 or list(run.weights) != sorted({*run.weights}):
            yield Problem(
                f"phase {phase.name}: weights {shown} do not rise from above 0 to 100",
                "list rising steps, and 100 last, such as [5, 25, 100]",
                where,
            )


@rule("VMF164", "error", "weight does not fit the group", essential=True, blueprint=True)
def weight(review: Review) -> Iterator[Problem]:
    """`weight` of a group says how many clients go to its target: one of the steps in `dualRun.weights` of its phase.

    Clients can only go to VMs that run, so it is stated from `cutover` on. A group is only accepted (`validated`) once
    all clients have gone there. At `rolled-back`, all go to the source, whatever `weight` says.
    """
    runs = stated(review)
    for group in review.blueprint.groups:
        given = review.spec.groups[group.name].weight if group.name in review.spec.groups else None
        if (why := _misfit(group, given, runs.get(group.phase, (0, DualRun()))[1])) is not None:
            field = "stage" if given is None else "weight"
            yield Problem(f"group {group.name}: {why[0]}", why[1], review.at("groups", group.name, field))


def _misfit(group: Group, given: int | None, run: DualRun) -> tuple[str, str] | None:
    """Return what is wrong with the weight of a group, and how to fix it."""
    if group.stage == "rolled-back":
        return None
    if run.mode != "parallel":
        why = f"weight {given} has no effect, because dualRun of phase {group.phase} is {run.mode}"
        return (why, "remove it, or set dualRun.mode: parallel") if given is not None else None
    if not running(group.stage):
        why = f"weight {given} sends clients to a VM that does not run at {group.stage}"
        return (why, "remove it until the group is at cutover") if given else None
    if given and given not in run.weights:
        steps = ", ".join(map(str, run.weights))
        return f"weight {given} is none of the steps of phase {group.phase}", f"set one of {steps}, or 0"
    if group.stage in _ACCEPTED and given != 100:
        return (
            f"it is {group.stage}, and only {given or 0} % of clients go to the target",
            "set weight: 100 before that",
        )
    return None


_ACCEPTED: tuple[Stage, ...] = ("validated", "retired")


@rule("VMF165", "error", "record cannot be shifted in steps", source="external-dns docs/tutorials/aws.md", groups=True)
def unweighted(review: Review) -> Iterator[Problem]:
    """A record in most zones holds one value for all clients: it can only be switched as a whole.

    ExternalDNS gives weights to records in Route 53 (`weights: aws` of the zone's provider). They need the same type of
    record on both sides: a name cannot hold an address for some clients and an alias for others.
    """
    runs = stated(review)
    for _, group, machine in moving_in(review, "parallel"):
        steps = runs[group.phase][1].weights if group.phase in runs else ()
        for change in group.dns:
            pointer = not (change.before and change.after)  # a PTR record leads nobody to the target
            if change.vm != machine.key or steps == (100,) or pointer:
                continue
            zone = zone_of(change.name, review.spec.dns)
            where = review.at("phases", runs[group.phase][0], "dualRun", "weights")
            if zone is not None and not weighs(zone):
                yield Problem(
                    f"VM {machine.name}: record {change.name} cannot follow the weights of phase {group.phase}: zone "
                    f"{zone.name} has none",
                    "set weights: [100], so that it is switched as a whole; or `weights: aws` in the zone's provider "
                    "if that is Route 53",
                    where,
                    (machine.name,),
                )
            elif mixed(change):
                yield Problem(
                    f"VM {machine.name}: record {change.name} cannot hold {', '.join(change.before)} for some clients "
                    f"and {', '.join(change.after)} for others",
                    "state records of one type in `before` and `after`, or set weights: [100]",
                    where,
                    (machine.name,),
                )


@rule("VMF876", "error", "step of a parallel run was skipped", needs="comparison", progress=True, groups=True)
def skipped(review: Review) -> Iterator[Problem]:
    """Each step shows on a few more clients whether the target works. A larger one finds out on all at once.

    Back goes any number of steps in one commit.
    """
    was = {group.name: group for group in review.before.blueprint.groups} if review.before is not None else {}
    runs = stated(review)
    for group in review.blueprint.groups:
        if group.dual_run != "parallel" or group.name not in was or group.phase not in runs:
            continue
        before, steps = was[group.name].weight, runs[group.phase][1].weights
        between = [step for step in steps if before < step < group.weight]
        if between and group.stage != "retired":
            yield Problem(
                f"group {group.name} goes from {before} to {group.weight} % of clients and skips "
                f"{', '.join(map(str, between))}",
                f"set weight: {between[0]}, and continue in another commit",
                review.at("groups", group.name, "weight"),
                tuple(machine.name for machine in group.machines),
            )


@rule("VMF877", "error", "dual run was changed while a group moves", needs="comparison", groups=True)
def changed(review: Review) -> Iterator[Problem]:
    """The mode says whether the source is off, and which identity and addresses its target has.

    A group that has begun to move was made for one mode. In another one, two machines would have one address, or two
    databases would both take writes.
    """
    was = {group.name: group for group in review.before.blueprint.groups} if review.before is not None else {}
    for group in review.blueprint.groups:
        before = was.get(group.name)
        if before is None or before.dual_run == group.dual_run:
            continue
        if not begun(before.stage) or before.stage == "rolled-back":
            continue
        yield Problem(
            f"group {group.name} is at {group.stage}, and its dual run was {before.dual_run} and is {group.dual_run}",
            f"restore mode: {before.dual_run} of phase {group.phase} until the group is retired or rolled back",
            review.at("groups", group.name),
            tuple(machine.name for machine in group.machines),
        )
