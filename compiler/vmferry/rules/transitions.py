"""Unsafe changes between two commits: a pull request advances groups, and must not rewrite what has run."""

from collections.abc import Iterable, Iterator
from itertools import zip_longest

from vmferry.estate import identity
from vmferry.estate.smbios import only_corrected
from vmferry.estate.stages import begun, frozen, keeping, started, way
from vmferry.kube.quantity import format_size
from vmferry.model.assignments import Assignment
from vmferry.model.blueprint import Group, Machine, NamespacePlan
from vmferry.model.keys import Reference, VmKey, reference
from vmferry.model.review import Problem, Review
from vmferry.model.spec import Stage
from vmferry.rules.registry import also, rule

_RESTORE = "restore it, as it was at the other commit"


@rule("VMF850", "error", "stage was skipped", needs="comparison", progress=True, groups=True)
def skipped(review: Review) -> Iterator[Problem]:
    """Each stage creates something in the cluster that the next one needs, and shows in time what is wrong.

    A group that goes from `planned` to `migrating` in one commit starts a Migration whose Plan nobody saw Ready; one
    that goes to `cutover` in the commit that starts the copy has its downtime before anyone looked.
    """
    for before, after in _stages(review):
        if missed := way(before, after.stage):
            yield _skips(review, before, after, missed)


@also(skipped, groups=True)
def unprepared(review: Review) -> Iterator[Problem]:
    """Yield groups that begin to move without having been prepared when they were compiled last.

    Without another commit to compare with, the record still says that nobody has seen their Plan or Jobs.
    """
    records = review.project.assignments.vms if review.project.assignments is not None else {}
    was = {item.group: item.stage for item in records.values()}
    for group in review.blueprint.groups if review.before is None else ():
        if was.get(group.name) == "planned" and begun(group.stage) and (missed := way("planned", group.stage)):
            yield _skips(review, "planned", group, missed)


def _skips(review: Review, before: Stage, after: Group, missed: tuple[Stage, ...]) -> Problem:
    what = f"goes from {before} to {after.stage} and skips {' and '.join(missed)}"
    return _problem(
        review, after, what, f"set stage: {missed[0]}, let it sync, and continue in another commit", "stage"
    )


@also(skipped, groups=True)
def joined(review: Review) -> Iterator[Problem]:
    """Yield VMs that come into a group which is further on than theirs was, as after a revert of several commits."""
    groups = {group.name: group for group in review.blueprint.groups}
    for before, _, now in _pairs(review):
        after = groups[now.group]
        if after.name == before.name or after.split_from == before.name or way(before.stage, after.stage) == ():
            continue
        if before.stage == "planned" and after.path == "forklift" and started(after.stage):
            continue  # its Plan ran: VMF857
        yield _of_vm(
            review,
            now,
            f"comes from group {before.name} ({before.stage}) into {after.name} ({after.stage})",
            "restore assignments.yaml and the groups as they were at the other commit",
        )


@rule("VMF851", "error", "stage was moved back", needs="comparison", groups=True)
def moved_back(review: Review) -> Iterator[Problem]:
    """What the later stage created would be pruned or stay behind without an owner, and the source may be off by now.

    The way back is a stage of its own: at `rolled-back`, VMs in the target are stopped and kept, and nothing is copied
    any more. `vmferry explain SPEC GROUP --rollback` says what it takes.
    """
    for before, after in _stages(review):
        if way(before, after.stage) is None:
            yield _problem(
                review,
                after,
                f"goes back from {before} to {after.stage}",
                f"keep stage: {before}" if before in ("planned", "rolled-back") else keeping(before),
                "stage",
            )


@rule("VMF852", "error", "VM was removed while its group moves", needs="comparison", groups=True)
def removed(review: Review) -> Iterator[Problem]:
    """The VM runs in the target, or is being copied; its manifests would lose their owner unnoticed.

    A VM that moves stays in the spec.
    """
    if review.before is None:
        return
    staying = [subject for subject in review.subjects if subject.disposition in ("migrate", "rebuild")]
    marks = [identity.of_vm(subject.vm, subject.source) for subject in staying]
    before = {mark.key: mark for _, machine in _machines(review.before) if (mark := identity.of_machine(machine))}
    found, likes = set(identity.match(before.values(), marks).values()), identity.Likes(marks)
    stages = {group.name: group.stage for group in review.blueprint.groups}
    for group, machine in _machines(review.before):
        lost = machine.key not in found and likes.of(before[machine.key]) is None
        if lost and _has_moved(group) and not _let_go(group.stage, stages.get(group.name, "planned")):
            yield Problem(
                f"VM {machine.name} was removed while its group {group.name} is at {group.stage}",
                f"restore its entry ({machine.key})",
                review.project.where,
                (machine.name,),
            )


@rule("VMF853", "error", "volume was shrunk, renamed or given another class", needs="comparison", groups=True)
def volumes(review: Review) -> Iterator[Problem]:
    """A PersistentVolumeClaim cannot shrink or change its class; under another name it is a different, empty disk."""
    for group, before, after in _pairs(review):
        changes = [
            change
            for old, new in zip_longest(_volumes(before), _volumes(after))
            if old is not None
            for change in _volume(old, new)
        ]
        if group.frozen and changes and not _let_go(group.stage, _stage_of(review, after)):
            yield _of_vm(review, after, f"{'; '.join(changes)}, while group {group.name} is at {group.stage}", _RESTORE)


_Volume = tuple[str, int, str]  # claim, bytes, StorageClass


def _volumes(machine: Machine) -> list[_Volume]:
    disks = [(disk.claim, disk.size, disk.storage_class) for disk in machine.disks]
    return disks + [(volume.claim, volume.size, volume.storage_class) for volume in machine.state]


def _volume(before: _Volume, after: _Volume | None) -> Iterator[str]:
    if after is None:
        yield f"volume {before[0]} is gone"
    elif after[0] != before[0]:
        yield f"volume {before[0]} became {after[0]}"
    elif after[1] < before[1]:
        yield f"volume {before[0]} shrank from {format_size(before[1])} to {format_size(after[1])}"
    elif after[2] != before[2]:
        yield f"volume {before[0]} changed from class {before[2]} to {after[2]}"


@rule("VMF854", "error", "identity changed after the VM moved", needs="comparison", groups=True)
def guest_identity(review: Review) -> Iterator[Problem]:
    """With another MAC address a guest loses its network configuration, with another UUID its licences."""
    for group, before, after in _pairs(review):
        if not _has_moved(group) or (group.stage == "migrating" and only_corrected(before, after)):
            continue
        if _let_go(group.stage, _stage_of(review, after)):
            continue
        values = [
            ("firmware.uuid", before.guest_uuid or before.uuid, after.guest_uuid or after.uuid),
            ("the serial number", before.serial, after.serial),
            ("the name in the target", before.target_name, after.target_name),
            ("the namespace", before.namespace, after.namespace),
        ]
        nics = zip(before.nics, after.nics, strict=False)
        values += [(f"the MAC address of {old.name}", old.mac, new.mac) for old, new in nics]
        changes = [f"{name} from {old} to {new}" for name, old, new in values if old is not None and old != new]
        if changes:
            yield _of_vm(review, after, f"changes {', '.join(changes)}, while group {group.name} has moved", _RESTORE)


@rule(
    "VMF855",
    "error",
    "running Migration or Job was renamed",
    source="kubev2v/forklift pkg/controller/plan, pendingMigrations",
    needs="comparison",
    groups=True,
)
def renamed(review: Review) -> Iterator[Problem]:
    """Forklift treats a Migration with another name as another run, and the deletion of the old one as a cancellation.

    To retry a run that failed, raise `attempt`; lowering it names a run that is over.
    """
    for before, after in _groups(review):
        if before.stage == "migrating" and after.attempt < before.attempt:
            what = f"goes back from attempt {before.attempt} to {after.attempt}"
            yield _problem(review, after, what, f"keep attempt: {before.attempt}, or raise it to retry", "attempt")


@rule("VMF856", "warning", "run is retried", needs="comparison", progress=True, groups=True)
def retried(review: Review) -> Iterator[Problem]:
    """A higher `attempt` is another Migration, or another Job that converts into the same volumes.

    That is right after a failure. While the first still runs, both write, or Forklift cancels it.
    """
    for before, after in _groups(review):
        if before.stage == "migrating" and after.attempt > before.attempt:
            what = f"starts attempt {after.attempt}, after attempt {before.attempt}"
            yield _problem(review, after, what, "merge it only if the previous attempt failed", "attempt")


_PLAN = ("namespace", "networks", "storage", "transfer_network", "preserve_static_ips", "placement", "source")


@rule(
    "VMF857",
    "error",
    "Plan was edited after it ran",
    source="kubev2v/forklift pkg/controller/plan: a Plan that succeeded is only reconciled to be archived",
    needs="comparison",
    groups=True,
)
def edited(review: Review) -> Iterator[Problem]:
    """A Plan that succeeded is never reconciled again: a VM or a setting added to it silently does nothing."""
    for before, after in _groups(review):
        if after.path != "forklift" or not started(before.stage) or after.remigrate > before.remigrate:
            continue
        changed = [field for field in _PLAN if getattr(before, field) != getattr(after, field)]
        if _planned(before) != _planned(after):
            changed.append("vms")
        if changed:
            what = f"has a Plan that ran, and {', '.join(changed)} changed"
            yield _problem(review, after, what, "restore it; additions go into a group of their own")


def _planned(group: Group) -> set[VmKey]:
    """Return the VMs that a group's Plan names."""
    return {machine.key for machine in (*group.machines, *(each.machine for each in group.departed))}


@rule("VMF858", "error", "assignment changed after it was frozen", needs="comparison", groups=True)
def assignments(review: Review) -> Iterator[Problem]:
    """assignments.yaml says what is in the cluster. Without its record a prepared VM would be decided again.

    `vmferry compile` writes it and only adds to it; a merge that drops a line drops what is known about a VM.
    """
    before = review.before.project.assignments if review.before else None
    after = review.project.assignments.vms if review.project.assignments else {}
    own = {name: state.split_from for name, state in review.spec.groups.items() if state.split_from}
    for key, was in before.vms.items() if before else ():
        now = after.get(key)
        same = now is not None and now.group == was.group and (now.facts == was.facts or _corrected(was, now))
        if was.machine is None or _let_go(was.stage, now.stage if now else "planned"):
            continue
        if now is not None and now.group != was.group and own.get(now.group) == was.group:
            continue  # it left for a group of its own (VMF867)
        if same and not _started_differently(was.machine, now.machine if now else None):
            continue
        what = "is gone" if now is None else "changed"
        yield Problem(
            f"VM {was.machine.name}: its frozen assignment {what}",
            "restore assignments.yaml from the other commit, and compile",
            review.at("groups", was.group),
            (was.machine.name,),
        )


def _corrected(was: Assignment, now: Assignment) -> bool:
    """Return whether only values that an earlier vmferry derived differently changed, for a VM that did not start."""
    if was.machine is None or now.machine is None or not frozen(was.stage) or started(was.stage):
        return False
    return only_corrected(was.machine, now.machine)


def _started_differently(was: Machine, now: Machine | None) -> bool:
    """Return whether the recorded settings of a running attempt changed."""
    before, after = was.conversion, now.conversion if now else None
    return before is not None and after is not None and before.attempt == after.attempt and before != after


@rule("VMF859", "error", "network changed under VMs that run on it", needs="comparison", groups=True)
def networks(review: Review) -> Iterator[Problem]:
    """The NetworkAttachmentDefinition is applied at once, and each VM is on the new network at its next start."""
    users: dict[Reference, set[str]] = {}
    for group, machine in _machines(review):
        if group.path != "rebuild" and _has_moved(group):
            for nic in machine.nics:
                if nic.nad is not None:
                    users.setdefault(nic.nad, set()).add(machine.name)
    was = _nads(review.before.blueprint.namespaces) if review.before else {}
    for name, target in _nads(review.blueprint.namespaces).items():
        if name in users and was.get(name, target) != target:
            vms = tuple(sorted(users[name]))
            more = ", …" if len(vms) > 5 else ""
            yield Problem(
                f"network {name} changed under VMs that have moved: {', '.join(vms[:5])}{more}",
                "restore its target; to move VMs to another network, map it under another name",
                review.at("networks"),
                vms,
            )


def _nads(namespaces: Iterable[NamespacePlan]) -> dict[Reference, object]:
    return {reference(plan.name, nad.name): nad.network.target for plan in namespaces for nad in plan.nads}


@rule("VMF860", "error", "synced tree moved while VMs depend on it", needs="comparison", groups=True)
def moved_away(review: Review) -> Iterator[Problem]:
    """Flux and Argo CD prune what they no longer find: under another path, entry point or engine that is everything.

    Objects that hold data are kept, but have no owner any more, and the new entry point applies them a second time.
    """
    if review.before is None or not any(group.frozen for group in review.before.blueprint.groups):
        return
    before, after = review.before.blueprint, review.blueprint
    for path, old, new in (
        (("metadata", "name"), before.name, after.name),
        (("target", "gitops", "path"), before.gitops.path, after.gitops.path),
        (("target", "gitops", "engine"), before.gitops.engine, after.gitops.engine),
        (("target", "cluster", "name"), before.cluster.name, after.cluster.name),
    ):
        if old != new:
            yield Problem(
                f"{'.'.join(path)} changed from {old} to {new} while groups are past `planned`",
                "restore it; a migration keeps its place",
                review.at(*path),
            )


def _let_go(before: Stage, after: Stage) -> bool:
    """Return whether VMs that were rolled back are decided again: nothing of them is left in the target (VMF864)."""
    return before == "rolled-back" and after == "planned"


def _stage_of(review: Review, machine: Machine) -> Stage:
    """Return the stage of a VM's group."""
    return next((group.stage for group in review.blueprint.groups if group.name == machine.group), "planned")


def _has_moved(group: Group) -> bool:
    """Return whether anything of the group is in the target: copied, being copied, or running."""
    return begun(group.stage)


def _stages(review: Review) -> Iterator[tuple[Stage, Group]]:
    """Yield each group with its earlier stage; a new one was planned."""
    if review.before is None:
        return
    was = {group.name: group.stage for group in review.before.blueprint.groups}
    for group in review.blueprint.groups:
        yield was.get(group.name) or was.get(group.split_from or "", "planned"), group


def _groups(review: Review) -> Iterator[tuple[Group, Group]]:
    """Yield each existing group, before and after."""
    was = {group.name: group for group in review.before.blueprint.groups} if review.before else {}
    for group in review.blueprint.groups:
        if group.name in was:
            yield was[group.name], group


def _machines(review: Review | None) -> Iterator[tuple[Group, Machine]]:
    for group in review.blueprint.groups if review else ():
        for machine in group.machines:
            yield group, machine


def _pairs(review: Review) -> Iterator[tuple[Group, Machine, Machine]]:
    """Yield each existing VM with its earlier group, before and after."""
    if review.before is None:
        return
    now = {machine.key: machine for _, machine in _machines(review)}
    was = {machine.key: (group, machine) for group, machine in _machines(review.before)}
    marks = (map(identity.of_machine, now.values()), (identity.of_machine(machine) for _, machine in was.values()))
    found = {before: after for after, before in identity.match(marks[1], marks[0]).items()}
    for key, (group, before) in was.items():
        if key in found:
            yield group, before, now[found[key]]


def _problem(review: Review, group: Group, what: str, fix: str, *path: str) -> Problem:
    names = tuple(machine.name for machine in group.machines)
    return Problem(f"group {group.name} {what}", fix, review.at("groups", group.name, *path), names)


def _of_vm(review: Review, machine: Machine, what: str, fix: str) -> Problem:
    where = review.blueprint.places.get(machine.key, review.project.where)
    return Problem(f"VM {machine.name}: {what}", fix, where, (machine.name,))
