"""What changed in vCenter since the spec's inventory was taken, and what that does to compiled manifests."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from vmferry.model.assignments import Assignment
from vmferry.model.facts import Disk, Nic
from vmferry.model.inventory import Inventory
from vmferry.model.project import Project
from vmferry.model.quantity import parse_size
from vmferry.model.spec import GroupState, Method, Stage, VirtualMachine
from vmferry.resolve.stages import STAGES

Verdict = Literal["harmless", "decision", "blocks"]
"""harmless: the next compile takes it. decision: a person must decide. blocks: a compiled manifest is wrong now."""


class Change(Struct, frozen=True, kw_only=True):
    """One thing that changed about one VM."""

    vm: str
    key: str
    what: str
    verdict: Verdict
    why: str
    group: str = ""
    stage: Stage = "planned"


class _Vm(Struct, frozen=True, kw_only=True):
    """A VM before and after, with where it stands."""

    before: VirtualMachine
    after: VirtualMachine
    method: Method | None  # None while its group is planned
    stage: Stage

    @property
    def prepared(self) -> bool:
        """Whether its manifests are fixed already."""
        return self.stage != "planned"

    @property
    def over(self) -> bool:
        """Whether the target runs, so that the source is a fallback only."""
        return self.stage not in ("planned", "prepared", "migrating")


_Found = tuple[str, Verdict, str]


def drift(project: Project, newer: Iterable[Inventory]) -> tuple[Change, ...]:
    """Return what is different in ``newer``, sorted by VM. Only the sources that it covers are compared."""
    parts = tuple(newer)
    covered = {part.source.name for part in parts}
    default = project.spec.sources[0].name
    before = {_key(e.vm, e.vm.source or default): e.vm for e in project.entries if (e.vm.source or default) in covered}
    after = {_key(vm, part.source.name): vm for part in parts for vm in part.vms}
    pairs = dict(_pair(before, after))
    changes: list[Change] = []
    for key, vm in sorted(before.items()):
        assignment = _assignment(project, key, vm)
        stage = project.spec.groups.get(assignment.group, GroupState()).stage if assignment else "planned"
        group = assignment.group if assignment else ""
        method = assignment.machine.method if assignment and assignment.machine else None
        other = pairs.get(key)
        found: Iterable[_Found] = (
            _compare(_Vm(before=vm, after=after[other], method=method, stage=stage)) if other else [_vanished(stage)]
        )
        changes += [
            Change(vm=vm.name, key=key, what=what, verdict=verdict, why=why, group=group, stage=stage)
            for what, verdict, why in found
        ]
    taken = set(pairs.values())
    changes += [
        Change(vm=vm.name, key=key, what="new VM", verdict="decision", why="nobody decided on it, or a rule did unseen")
        for key, vm in sorted(after.items())
        if key not in taken
    ]
    return tuple(changes)


def _key(vm: VirtualMachine, source: str) -> str:
    return f"{source}/{vm.id or vm.name}"


def _pair(before: Mapping[str, VirtualMachine], after: Mapping[str, VirtualMachine]) -> Iterator[tuple[str, str]]:
    """Yield which VM is which: by id, else by UUID, else by a name that is there once on both sides."""
    left, right = dict(before), dict(after)
    for key in sorted(left.keys() & right.keys()):
        yield key, key
        del left[key], right[key]
    identities: tuple[Callable[[VirtualMachine], str | None], ...] = (
        lambda vm: vm.uuid.lower() if vm.uuid else None,
        lambda vm: vm.name,
    )
    for identity in identities:
        mine, theirs = _unique(left, identity), _unique(right, identity)
        for value in sorted(mine.keys() & theirs.keys()):
            yield mine[value], theirs[value]
            del left[mine[value]], right[theirs[value]]


def _unique(
    vms: Mapping[str, VirtualMachine], identity: Callable[[VirtualMachine], str | None]
) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], list[str]] = {}
    for key, vm in vms.items():
        if (value := identity(vm)) is not None:
            found.setdefault((key.partition("/")[0], value), []).append(key)
    return {value: keys[0] for value, keys in found.items() if len(keys) == 1}


def _assignment(project: Project, key: str, vm: VirtualMachine) -> Assignment | None:
    known = project.assignments.vms if project.assignments else {}
    return known.get(key) or known.get(f"{key.partition('/')[0]}/{vm.name}")


def _vanished(stage: Stage) -> _Found:
    if stage == "planned":
        return "gone from vCenter", "decision", "say what became of it, or drop its entry"
    if stage in STAGES and STAGES.index(stage) < STAGES.index("cutover"):
        return "gone from vCenter", "blocks", "its group is prepared, and there is nothing to copy any more"
    return "gone from vCenter", "decision", "the fallback of the dual run is gone"


def _compare(vm: _Vm) -> Iterator[_Found]:
    """Yield what differs between two states of one VM. What is unknown on either side is no difference."""
    if vm.over:
        yield from _after_cutover(vm)
        return
    yield from _identity(vm)
    yield from _hardware(vm)
    yield from _disks(vm)
    yield from _nics(vm)
    yield from _state(vm)


def _after_cutover(vm: _Vm) -> Iterator[_Found]:
    if vm.before.power_state != "poweredOn" and vm.after.power_state == "poweredOn":
        yield "source was powered on", "blocks", "source and target run with the same addresses"


def _differ(before: object, after: object) -> bool:
    return before is not None and after is not None and before != after


def _identity(vm: _Vm) -> Iterator[_Found]:
    if vm.before.name != vm.after.name:
        by_name = vm.method == "job" or (vm.prepared and vm.before.id is None)
        why = "virt-v2v looks for the old name" if by_name else "it is found by its id"
        yield f"renamed to {vm.after.name}", "blocks" if by_name else "harmless", why
    if _differ(vm.before.id, vm.after.id):
        verdict: Verdict = "blocks" if vm.prepared else "decision"
        yield f"id is {vm.after.id} now", verdict, "it was registered again; Plans refer to the old id"
    if _differ(vm.before.host, vm.after.host):
        job = vm.method == "job"
        why = "the conversion Job reads it from the old host" if job else "no manifest names its host"
        yield f"moved to host {vm.after.host}", "blocks" if job else "harmless", why


def _hardware(vm: _Vm) -> Iterator[_Found]:
    copied = vm.method in ("job", "image")
    verdict: Verdict = "blocks" if copied else "harmless"
    why = "the VirtualMachine in git has the old value" if copied else "the next compile, or Forklift, takes it"
    for field, name in (
        ("cpu", "CPUs"),
        ("memory", "memory"),
        ("firmware", "firmware"),
        ("secure_boot", "secure boot"),
    ):
        before, after = getattr(vm.before, field), getattr(vm.after, field)
        if _differ(before, after):
            yield f"{name}: {_short(before)} → {_short(after)}", verdict, why


def _short(value: object) -> str:
    count = getattr(value, "count", None)
    return str(count) if isinstance(count, int) else str(value)


def _disks(vm: _Vm) -> Iterator[_Found]:
    if vm.before.disks is None or vm.after.disks is None:
        return
    before, after = _by_key(vm.before.disks), _by_key(vm.after.disks)
    fixed: Verdict = "blocks" if vm.prepared else "harmless"
    for key in sorted(after.keys() - before.keys()):
        why = "no manifest has it: it would be left behind" if vm.prepared else "the next compile takes it"
        yield f"new disk of {after[key].size} ({key})", fixed, why
    for key in sorted(before.keys() - after.keys()):
        why = "its volume would stay empty" if vm.prepared else "the next compile leaves it out"
        yield f"disk {key} is gone", fixed, why
    for key in sorted(before.keys() & after.keys()):
        yield from _disk(vm, key, before[key], after[key])


def _by_key(disks: Sequence[Disk]) -> dict[str, Disk]:
    """Return disks by what stays the same: device key, else the place in the list."""
    return {str(disk.key) if disk.key is not None else f"#{index}": disk for index, disk in enumerate(disks)}


def _disk(vm: _Vm, key: str, before: Disk, after: Disk) -> Iterator[_Found]:
    if parse_size(before.size) != parse_size(after.size):
        copied = vm.method in ("job", "image")
        why = "the volume in git has the old size" if copied else "Forklift, or the next compile, takes the new size"
        yield f"disk {key}: {before.size} → {after.size}", "blocks" if copied else "harmless", why
    if _differ(before.datastore, after.datastore):
        mapped = vm.method in ("warm", "cold")
        why = "its Plan's StorageMap may lack that datastore" if mapped else "the storage map must have that datastore"
        verdict: Verdict = "blocks" if mapped else "harmless" if vm.prepared else "decision"
        yield f"disk {key} moved to {after.datastore}", verdict, why
    if after.mode != before.mode and (after.mode or "").startswith("independent"):
        yield f"disk {key} is independent now", "blocks" if vm.prepared else "decision", "VDDK cannot read it"


def _nics(vm: _Vm) -> Iterator[_Found]:
    if vm.before.nics is None or vm.after.nics is None:
        return
    before, after = list(vm.before.nics), list(vm.after.nics)
    fixed: Verdict = "blocks" if vm.prepared else "harmless"
    for nic in after[len(before) :]:
        yield f"new NIC on {nic.network}", fixed, "no manifest has it" if vm.prepared else "the next compile takes it"
    for nic in before[len(after) :]:
        yield f"NIC on {nic.network} is gone", fixed, "manifests have it still" if vm.prepared else "next compile"
    for index, (was, now) in enumerate(zip(before, after, strict=False)):
        yield from _nic(index, was, now, vm.prepared)


def _nic(index: int, was: Nic, now: Nic, prepared: bool) -> Iterator[_Found]:
    if was.network != now.network:
        verdict: Verdict = "blocks" if prepared else "decision"
        yield f"NIC {index}: {was.network} → {now.network}", verdict, "the network map must have it"
    if was.mac and now.mac and was.mac.lower() != now.mac.lower():
        verdict = "blocks" if prepared else "harmless"
        yield f"NIC {index}: MAC {was.mac} → {now.mac}", verdict, "the guest's addresses are bound to it"


def _state(vm: _Vm) -> Iterator[_Found]:
    if _differ(vm.before.power_state, vm.after.power_state):
        what = f"{vm.before.power_state} → {vm.after.power_state}"
        yield what, "harmless", "what runs after cutover was decided from its state then"
    warm = vm.method == "warm"
    if (vm.after.snapshots or 0) > (vm.before.snapshots or 0):
        why = "Forklift copies no VM with snapshots warm" if warm else "copies read the current state"
        yield f"{vm.after.snapshots} snapshots", "blocks" if warm else "harmless", why
    if vm.before.change_tracking and vm.after.change_tracking is False:
        yield "changed block tracking is off", "blocks" if warm else "harmless", "warm copies need it"
