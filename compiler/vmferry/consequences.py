"""What a change of the spec means: the decisions that differ from another commit, and what they bring about."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from difflib import SequenceMatcher

import msgspec
from msgspec import Struct

from vmferry.estate import identity
from vmferry.estate.matching import Matcher
from vmferry.estate.methods import METHODS
from vmferry.estate.stages import rank
from vmferry.kube.quantity import format_size, parse_size
from vmferry.model.blueprint import Group, Machine, MachineDisk, MachineNic, NamespacePlan
from vmferry.model.keys import VmKey
from vmferry.model.review import Review, Subject
from vmferry.model.spec import Assign, Stage

_GI = 1 << 30
NOTHING = "none"
"""Stands for a value that there is not, or was not."""


class Value(Struct, frozen=True):
    """One decision, before and after."""

    subject: str
    before: str
    after: str


class StageChange(Struct, frozen=True, kw_only=True):
    """A group at another stage. ``size`` is the capacity of its disks in bytes."""

    group: str
    phase: str
    before: Stage
    after: Stage
    vms: int
    size: int
    what: str  # what happens then
    when: str = ""  # its cutover, or the windows of its phase


class VmChange(Struct, frozen=True):
    """A VM with decisions that differ."""

    vm: str
    key: VmKey
    group: str
    values: tuple[Value, ...]


class NamespaceChange(Struct, frozen=True):
    """A namespace with a quota or networks that differ."""

    namespace: str
    values: tuple[Value, ...]


class RuleChange(Struct, frozen=True):
    """A row of `assign` that differs: its place in the newer list, or in the older one if it was removed."""

    index: int
    how: str  # added, removed, changed or moved
    before: int  # VMs that it matched
    after: int  # VMs that it matches
    vms: tuple[str, ...]  # those that it matched or matches
    decided: int  # of those, how many are decided differently; frozen ones are not


class Consequences(Struct, frozen=True, kw_only=True):
    """All differences."""

    stages: tuple[StageChange, ...] = ()
    added: tuple[str, ...] = ()  # VMs that did not move before
    removed: tuple[str, ...] = ()  # VMs that no longer move
    vms: tuple[VmChange, ...] = ()
    namespaces: tuple[NamespaceChange, ...] = ()
    rules: tuple[RuleChange, ...] = ()

    @property
    def empty(self) -> bool:
        """Return whether nothing is decided differently."""
        return self == Consequences()


def consequences(before: Review, after: Review) -> Consequences:
    """Return what is decided differently ``after`` a change. VMs are matched as they are between two runs."""
    was, now = _by_key(before), _by_key(after)
    keys = identity.match(
        (identity.of_vm(each.vm, each.source) for each in was.values()),
        (identity.of_vm(each.vm, each.source) for each in now.values()),
    )
    pairs = {key: (was[old], now[key]) for key, old in keys.items()}
    stayed = {key for key, (old, _) in pairs.items() if old.machine is not None}
    staying = {keys[key] for key, (_, new) in pairs.items() if new.machine is not None}
    added = {key for key, subject in now.items() if subject.machine is not None} - stayed
    removed = {key for key, subject in was.items() if subject.machine is not None} - staying
    vms = tuple(_changed(pairs))
    return Consequences(
        stages=tuple(_stages(before, after)),
        added=_names(now, added),
        removed=_names(was, removed),
        vms=vms,
        namespaces=tuple(_namespaces(before, after)),
        rules=tuple(_rules(before, after, {change.key for change in vms} | added | removed)),
    )


def of_new(after: Review) -> Consequences:
    """Return what a spec decides that was not there before."""
    nothing = msgspec.structs.replace(
        after,
        subjects=(),
        blueprint=msgspec.structs.replace(after.blueprint, groups=(), namespaces=()),
        project=msgspec.structs.replace(
            after.project, spec=msgspec.structs.replace(after.project.spec, assign=()), entries=()
        ),
    )
    return consequences(nothing, after)


def _by_key(review: Review) -> dict[VmKey, Subject]:
    return {subject.key: subject for subject in review.subjects}


def _names(subjects: Mapping[VmKey, Subject], keys: Iterable[VmKey]) -> tuple[str, ...]:
    return tuple(subjects[key].name for key in sorted(keys))


# --- stages -----------------------------------------------------------------------------------


def _stages(before: Review, after: Review) -> Iterator[StageChange]:
    """Yield groups whose stage differs; a group that there was not before was planned."""
    was = {group.name: group.stage for group in before.blueprint.groups}
    windows = {
        phase.name: ", ".join(f"{window.start} for {window.duration}" for window in phase.windows)
        for phase in after.blueprint.phases
    }
    for group in after.blueprint.groups:
        stage = was.get(group.name, "planned")
        if stage != group.stage:
            yield StageChange(
                group=group.name,
                phase=group.phase,
                before=stage,
                after=group.stage,
                vms=len(group.machines),
                size=sum(disk.size for disk in _copied(group)),
                what=_what(group, stage),
                when=_when(group, windows[group.phase]) if rank(group.stage) > rank(stage) else "",
            )


def _copied(group: Group) -> Iterator[MachineDisk]:
    """Yield the disks of a group whose bytes are copied."""
    machines = (machine for machine in group.machines if machine.clone_of is None)
    return (disk for machine in machines for disk in machine.disks if disk.owner and disk.source.blank is None)


def _what(group: Group, before: Stage) -> str:
    """Return what happens when a group comes to its stage from another."""
    count = len(group.machines)
    vms = "1 VM" if count == 1 else f"{count} VMs"
    if rank(group.stage) < rank(before):
        return f"what stage {before} put into the cluster is pruned, apart from what holds data"
    return {
        "planned": f"{vms} are compiled, and nothing is synced",
        "prepared": f"{vms} are frozen as decided; their surroundings are created, and nothing is copied",
        "migrating": _copy(group, vms),
        "cutover": _cutover(group, vms),
    }[group.stage]


def _copy(group: Group, vms: str) -> str:
    method = METHODS[group.method]
    size = _size(sum(disk.size for disk in _copied(group)))
    if group.path == "rebuild":
        return f"{vms} are created as workloads without replicas"
    if method.source_runs:
        return f"{vms} with disks of {size} are copied while they run, again and again until the cutover"
    if method.from_images:
        return f"images are imported into {size} of volumes for {vms}"
    if method.converts:
        return f"{vms} with disks of {size} are copied and converted; they must be off"
    return f"{vms} are shut down, and their disks of {size} are copied: the downtime starts"


def _cutover(group: Group, vms: str) -> str:
    if group.path == "rebuild":
        return f"the workloads of {vms} get their replicas"
    if METHODS[group.method].cutover:
        return f"{vms} are shut down at the cutover, the rest is copied, and they start in the target"
    return f"{vms} start in the target"


def _when(group: Group, windows: str) -> str:
    if group.cutover is not None:
        return f"cutover {group.cutover}"
    return f"window {windows}" if windows else ""


def _size(size: int) -> str:
    """Return bytes in whole GiB, rounded up."""
    return format_size(-(-size // _GI) * _GI) if size else "0"


# --- VMs --------------------------------------------------------------------------------------


def _changed(pairs: Mapping[VmKey, tuple[Subject, Subject]]) -> Iterator[VmChange]:
    """Yield VMs with decisions that differ, by key. Of VMs that begin or stop to move, only that."""
    for key, (was, now) in sorted(pairs.items()):
        values = tuple(_differing(_of_subject(was), _of_subject(now)))
        if was.machine is not None and now.machine is not None:
            values += tuple(_differing(_of_machine(was.machine), _of_machine(now.machine)))
        if values:
            yield VmChange(now.name, key, now.group.name if now.group is not None else "", values)


def _differing(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Value]:
    for subject in dict.fromkeys((*before, *after)):
        was, now = before.get(subject, NOTHING), after.get(subject, NOTHING)
        if was != now:
            yield Value(subject, was, now)


def _of_subject(subject: Subject) -> dict[str, str]:
    values = {"name": subject.name, "disposition": subject.disposition or NOTHING}
    if subject.group is not None:
        values |= {"phase": subject.group.phase, "group": subject.group.name}
    return values


def _of_machine(machine: Machine) -> dict[str, str]:
    """Return what was decided about a VM, in words that a reviewer knows, by subject."""
    values = {
        "path": machine.path,
        "method": machine.method,
        "conversion": "skipped" if machine.raw else "as usual",
        "namespace": machine.namespace,
        "target name": machine.target_name,
        "CPUs": str(machine.sockets * machine.cores * machine.threads),
        "memory": format_size(machine.memory),
        "firmware": machine.firmware,
        "run strategy": machine.run_strategy,
        "live migration": machine.eviction_strategy,
        "static addresses": "kept" if machine.preserve_static_ips else "not kept",
        "priority class": machine.priority_class or NOTHING,
        "CPU model": machine.cpu_model or NOTHING,
        "instance type": machine.instancetype.name if machine.instancetype is not None else NOTHING,
        "labels": _pairs(machine.placement.labels),
        "node selector": _pairs(machine.placement.node_selector),
        "transfer network": machine.transfer_network or NOTHING,
        "clone of": machine.clone_of or NOTHING,
        "GPUs": ", ".join(machine.gpus) or NOTHING,
        "host devices": ", ".join(machine.host_devices) or NOTHING,
        "hooks": ", ".join(use.name for use in machine.hooks) or NOTHING,
    }
    for disk in machine.disks:
        values |= {f"{name} of disk {disk.index + 1}": value for name, value in _disk(disk).items()}
    for nic in machine.nics:
        values |= {f"{name} of NIC {nic.index + 1}": value for name, value in _nic(nic).items()}
    values |= {f"network of NIC {nic.index + 1}": "not connected" for nic in machine.dropped_nics}
    values |= {f"volume {volume.name}": f"{_size(volume.size)} of {volume.storage_class}" for volume in machine.state}
    return values


def _pairs(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items())) or NOTHING


def _disk(disk: MachineDisk) -> dict[str, str]:
    return {
        "size": _size(disk.size),
        "StorageClass": f"{disk.storage_class} ({disk.access_mode}, {disk.volume_mode})",
        "bus": disk.bus,
        "claim": disk.claim,
    }


def _nic(nic: MachineNic) -> dict[str, str]:
    return {
        "network": nic.nad or "pod network",
        "MAC": nic.mac or NOTHING,
        "model": nic.model,
        "binding": nic.binding,
        "new addresses": ", ".join(nic.readdress.addresses) if nic.readdress is not None else NOTHING,
        "link": "up" if nic.connected else "down",
    }


# --- namespaces -------------------------------------------------------------------------------


def _namespaces(before: Review, after: Review) -> Iterator[NamespaceChange]:
    was = {plan.name: plan for plan in before.blueprint.namespaces}
    now = {plan.name: plan for plan in after.blueprint.namespaces}
    for name in sorted({*was, *now}):
        values = tuple(_differing(_of_namespace(was.get(name)), _of_namespace(now.get(name))))
        if values:
            yield NamespaceChange(name, tuple(map(_with_sum, values)))


def _of_namespace(plan: NamespacePlan | None) -> dict[str, str]:
    if plan is None:
        return {}
    values = {f"quota {name}": value for name, value in plan.quota.items()}
    values |= {"networks": ", ".join(nad.name for nad in plan.nads) or NOTHING}
    return values | {"network policy": "isolate" if plan.isolate else "none"}


def _with_sum(value: Value) -> Value:
    """Return a value of a quota with the difference, if both are numbers."""
    if not value.subject.startswith("quota ") or NOTHING in (value.before, value.after):
        return value
    difference = parse_size(value.after) - parse_size(value.before)
    sign = "+" if difference > 0 else "-"
    return msgspec.structs.replace(value, after=f"{value.after} ({sign}{format_size(abs(difference))})")


# --- assign -----------------------------------------------------------------------------------


def _rules(before: Review, after: Review, differing: Set[VmKey]) -> Iterator[RuleChange]:
    """Yield the rows of `assign` that differ, each with how many VMs it concerns, and how many of the ``differing``."""
    was, now = before.spec.assign, after.spec.assign
    written = [[msgspec.json.encode(row, order="sorted").decode() for row in rows] for rows in (was, now)]
    kept = Counter(written[0]) & Counter(written[1])
    for how, first, last, start, end in SequenceMatcher(None, written[0], written[1], autojunk=False).get_opcodes():
        if how == "equal":
            continue
        old, new = range(first, last), range(start, end)
        for number in range(max(len(old), len(new))):
            one = was[old[number]] if number < len(old) else None
            other = now[new[number]] if number < len(new) else None
            index = new[number] if other is not None else old[number]
            raw = written[1][index] if other is not None else written[0][index]
            yield _rule(index, (one, other), (before, after), differing, moved=raw in kept)


def _rule(
    index: int,
    rows: tuple[Assign | None, Assign | None],
    reviews: tuple[Review, Review],
    differing: Set[VmKey],
    *,
    moved: bool,
) -> RuleChange:
    was, now = (_matched(row, each) if row is not None else {} for row, each in zip(rows, reviews, strict=True))
    one, other = rows
    how = "moved" if moved else "added" if one is None else "removed" if other is None else "changed"
    everyone = was | now
    names = tuple(everyone[key] for key in sorted(everyone))
    return RuleChange(index, how, len(was), len(now), names, len(everyone.keys() & differing))


def _matched(rule: Assign, review: Review) -> dict[VmKey, str]:
    """Return the VMs that a row selects, by key."""
    matches = Matcher(rule.match)
    return {each.key: each.name for each in review.subjects if matches(each.vm, each.source)}


# --- the same of many -------------------------------------------------------------------------


class Alike(Struct, frozen=True):
    """A decision that differs in the same way for several VMs."""

    value: Value
    vms: tuple[str, ...]


def alike(changes: Iterable[VmChange]) -> tuple[Alike, ...]:
    """Return the differences of VMs, each once with its VMs: most VMs first, then by subject."""
    found: defaultdict[Value, list[str]] = defaultdict(list)
    for change in changes:
        for value in change.values:
            found[value].append(change.vm)
    rows = [Alike(value, tuple(vms)) for value, vms in found.items()]
    return tuple(sorted(rows, key=lambda row: (-len(row.vms), row.value.subject, row.value.before, row.vms)))
