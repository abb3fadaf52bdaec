"""Differences between two states of one VM, and their effect on its compiled manifests."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from vmferry.estate.dual_run import own_mac
from vmferry.estate.methods import METHODS
from vmferry.estate.readable import is_independent
from vmferry.estate.stages import moves
from vmferry.kube.mac import plain
from vmferry.kube.quantity import format_size, parse_size
from vmferry.model.blueprint import Machine
from vmferry.model.facts import Cpu, Disk, Nic
from vmferry.model.spec import Method, Stage, VirtualMachine

Verdict = Literal["harmless", "decision", "blocks"]
"""harmless: the next compile picks it up. decision: a person must decide. blocks: a compiled manifest is wrong now."""

_MIB = 1 << 20  # RVTools rounds to it
_SNAPSHOT = re.compile(r"-[0-9]{6}(?=\.vmdk$)")
_UNREADABLE = ("inaccessible", "invalid", "orphaned")


class Found(Struct, frozen=True):
    """One difference. ``field`` is the VM's fact that it is about."""

    field: str
    what: str
    verdict: Verdict
    why: str
    loses: bool = False  # data would be left behind: reported even if the spec states a different value


class Places(Struct, frozen=True, kw_only=True):
    """Targets of networks and datastores. Classes and networks of the VM's Plan are by name and by id."""

    network: Callable[[str], str] = str  # by name or id: the same text for the same network
    datastore: Callable[[str], str] = str
    mapped_network: Callable[[str], bool] = bool
    mapped_datastore: Callable[[str], bool] = bool
    plan_networks: frozenset[str] = frozenset()
    plan_classes: dict[str, str] = {}


class Pair(Struct, frozen=True, kw_only=True):
    """A VM before and after, with its stage."""

    before: VirtualMachine
    after: VirtualMachine
    machine: Machine | None = None  # as frozen; None while its group is planned
    stage: Stage = "planned"
    places: Places = Places()

    @property
    def prepared(self) -> bool:
        """Whether its manifests are already fixed."""
        return self.machine is not None

    @property
    def method(self) -> Method | None:
        """How it is frozen to move."""
        return self.machine.method if self.machine else None

    @property
    def copied(self) -> bool:
        """Whether its VirtualMachine is in git."""
        return self.machine is not None and self.machine.path == "virt-v2v"

    @property
    def wrong(self) -> Verdict:
        """The verdict on a change that the next compile cannot pick up by itself."""
        return "blocks" if self.prepared else "decision"


def as_frozen(vm: VirtualMachine, machine: Machine) -> VirtualMachine:
    """Return a VM as in its manifests: changes since its group was prepared are undone."""
    if machine.path == "rebuild":
        return replace(vm, name=machine.name, id=machine.id)
    cpu = Cpu(
        count=machine.sockets * machine.cores * machine.threads,
        cores_per_socket=machine.cores,
        threads_per_core=machine.threads,
    )
    return replace(
        vm,
        name=machine.name,
        id=machine.id,
        uuid=machine.uuid,
        datacenter=machine.datacenter,
        cluster=machine.cluster,
        host=machine.host,
        template=machine.golden,
        # an unknown fact has a default in the machine
        cpu=cpu if vm.cpu else None,
        memory=format_size(machine.memory) if machine.memory else None,
        firmware=machine.firmware if vm.firmware else None,
        secure_boot=machine.secure_boot if vm.secure_boot is not None else None,
        vtpm=machine.vtpm if vm.vtpm is not None else None,
        disks=_frozen_disks(vm, machine),
        nics=_frozen_nics(machine),
    )


def _frozen_nics(machine: Machine) -> tuple[Nic, ...]:
    """Return the NICs that a machine had in vSphere, in their order; with those that were left behind."""
    kept = [
        (
            nic.index,
            Nic(
                network=nic.network.name,
                network_id=nic.network.id,
                mac=None if nic.mac == own_mac(machine.key, nic.index) else nic.mac,
                connected=nic.connected,
            ),
        )
        for nic in machine.nics
    ]
    dropped = [
        (nic.index, Nic(network=nic.network.name, network_id=nic.network.id, mac=nic.mac))
        for nic in machine.dropped_nics
    ]
    return tuple(nic for _, nic in sorted(kept + dropped, key=lambda each: each[0]))


def _frozen_disks(vm: VirtualMachine, machine: Machine) -> tuple[Disk, ...]:
    """Return a machine's disks with values that only the facts have, such as their keys."""
    own = tuple(
        Disk(
            size=format_size(disk.size),
            datastore=disk.datastore.name if disk.datastore else None,
            file=disk.file,
            serial=disk.serial,
        )
        for disk in machine.disks
    )
    facts = {mine: known for mine, known in pair_disks(own, vm.disks or ()) if mine is not None and known is not None}
    return tuple(
        replace(facts[i], size=disk.size, datastore=disk.datastore, file=disk.file or facts[i].file)
        if i in facts
        else disk
        for i, disk in enumerate(own)
    )


def pair_disks(before: Sequence[Disk], after: Sequence[Disk]) -> list[tuple[int | None, Disk | None]]:
    """Match disks (by their index before): by serial, file, device key, otherwise by appearance and place.

    A key is reused for the next disk on that unit, and changes with the controller, so identity comes first. Appearance
    and place only count for disks without a key on one side.
    """
    left, right = dict(enumerate(before)), dict(enumerate(after))
    pairs: list[tuple[int | None, Disk | None]] = []
    for mark in (_serial, _file, _device, _looks, _any):
        free: dict[object, list[int]] = {}
        for j, disk in right.items():
            if (value := mark(disk)) is not None:
                free.setdefault(value, []).append(j)
        weak = mark in (_looks, _any)
        for i, disk in tuple(left.items()):
            for j in free.get(mark(disk), ()):
                if j in right and not _contradict(disk, right[j], weak=weak):
                    pairs.append((i, right.pop(j)))
                    del left[i]
                    break
    return sorted([*pairs, *((i, None) for i in left)], key=lambda p: p[0] or 0) + [(None, d) for d in right.values()]


def _serial(disk: Disk) -> str | None:
    return disk.serial.lower() if disk.serial else None


def _file(disk: Disk) -> str | None:
    """Return the VMDK without the number that a snapshot appends."""
    return _SNAPSHOT.sub("", disk.file) if disk.file else None


def _device(disk: Disk) -> int | None:
    return disk.key


def _looks(disk: Disk) -> tuple[int, str | None]:
    return parse_size(disk.size), disk.datastore


def _any(_: Disk) -> str:
    return ""


def _contradict(one: Disk, other: Disk, *, weak: bool) -> bool:
    return differ(_serial(one), _serial(other)) or (weak and one.key is not None and other.key is not None)


def differ(before: object, after: object) -> bool:
    """Return whether two facts differ; if either side is unknown, they do not."""
    return before is not None and after is not None and before != after


def compare(pair: Pair) -> Iterator[Found]:
    """Yield the differences of a VM whose target does not run yet."""
    yield from _identity(pair)
    if pair.machine is not None and pair.machine.path == "rebuild":  # nothing of the VM is copied
        return
    yield from _hardware(pair)
    yield from _disks(pair)
    yield from _nics(pair)
    yield from _copying(pair)


def _identity(pair: Pair) -> Iterator[Found]:
    before, after, job = pair.before, pair.after, pair.method == "job"
    if before.name != after.name:
        by_name = job or (pair.prepared and before.id is None)
        why = "virt-v2v looks for the old name" if job else "it is looked up by its old name"
        why = why if by_name else "it is found by its id"
        yield Found("name", f"renamed to {after.name}", "blocks" if by_name else "harmless", why)
    if differ(before.id, after.id):
        if _uuids_differ(before, after):
            why = "another VM now has this name: the decisions were made for the old one"
        else:
            why = "it was registered again; Plans refer to the old id"
        yield Found("id", f"id: {before.id} → {after.id}", pair.wrong, why)
    elif _uuids_differ(before, after):
        why = "the guest would get the old one, and licences are tied to it" if pair.copied else "it is copied too"
        yield Found("uuid", f"UUID: {before.uuid} → {after.uuid}", "blocks" if pair.copied else "harmless", why)
    if job:  # otherwise DRS's choice of host does not matter
        for field, name in (("datacenter", "datacenter"), ("cluster", "cluster"), ("host", "host")):
            if differ(getattr(before, field), getattr(after, field)):
                why = f"the conversion Job reads it from the old {name}"
                yield Found(field, f"moved to {name} {getattr(after, field)}", "blocks", why)
    if after.template is not None and bool(before.template) != after.template:
        what = "is a template now" if after.template else "is no longer a template"
        yield Found("template", what, pair.wrong, "a template becomes a golden image, a VM a VM: decide which")


def _uuids_differ(before: VirtualMachine, after: VirtualMachine) -> bool:
    return bool(before.uuid and after.uuid) and str(before.uuid).lower() != str(after.uuid).lower()


def _hardware(pair: Pair) -> Iterator[Found]:
    taken = "Forklift picks it up" if pair.prepared else "the next compile picks it up"
    why = "the VirtualMachine in git has the old value" if pair.copied else taken
    verdict: Verdict = "blocks" if pair.copied else "harmless"
    before, after = pair.before, pair.after
    if differ(_bytes(before.memory), _bytes(after.memory)):
        yield Found("memory", f"memory: {before.memory} → {after.memory}", verdict, why)
    if differ(before.cpu, after.cpu):
        yield Found("cpu", f"CPUs: {_cpus(before.cpu)} → {_cpus(after.cpu)}", verdict, why)
    for field, name in (("firmware", "firmware"), ("secure_boot", "secure boot"), ("vtpm", "vTPM")):
        old, new = getattr(before, field), getattr(after, field)
        if differ(old, new):
            yield Found(field, f"{name}: {_words(old)} → {_words(new)}", verdict, why)
    if differ(before.os, after.os):
        what = f"guest system: {before.os} → {after.os}"
        yield Found("os", what, "decision", "it was reinstalled, or one of the two is wrong: path and drivers differ")
    if after.encrypted and not before.encrypted and before.encrypted is not None:
        yield Found("encrypted", "is encrypted now", pair.wrong, "its disks cannot be copied without the key")
    if before.passthrough is not None and (new := sorted(set(after.passthrough or ()) - set(before.passthrough))):
        why = "it is in no manifest" if pair.copied else "Forklift refuses a VM with a passed-through device"
        yield Found("passthrough", f"new device: {', '.join(new)}", pair.wrong, why)


def _bytes(size: str | None) -> int | None:
    return parse_size(size) if size else None


def _cpus(cpu: Cpu | None) -> str:
    return f"{cpu.count} in sockets of {cpu.cores_per_socket}" if cpu else "unknown"


def _words(value: object) -> str:
    return {True: "on", False: "off"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _disks(pair: Pair) -> Iterator[Found]:
    if pair.before.disks is None or pair.after.disks is None:
        return
    pairs = pair_disks(pair.before.disks, pair.after.disks)
    for index, now in pairs:
        was = pair.before.disks[index] if index is not None else None
        if was is None and now is not None:
            yield _new_disk(pair, now)
        elif was is not None and now is None:
            why = (
                "its volume would stay empty, or the Plan fails" if pair.prepared else "the next compile leaves it out"
            )
            yield Found("disks", f"{_called(was, index)} is gone", "blocks" if pair.prepared else "harmless", why)
        elif was is not None and now is not None:
            yield from _disk(pair, _called(now, index), was, now, index or 0)
    if any(w and n and differ(w.controller, n.controller) for w, n in _both(pair.before.disks, pairs)):
        several = len(pair.after.disks) > 1
        why = "its disks are numbered by controller: volumes and disks may no longer match"
        verdict: Verdict = "blocks" if pair.prepared and several else "harmless"
        yield Found("disks", "disks are on another kind of controller", verdict, why if several else "it has one disk")


def _both(before: Sequence[Disk], pairs: list[tuple[int | None, Disk | None]]) -> Iterator[tuple[Disk, Disk]]:
    for index, now in pairs:
        if index is not None and now is not None:
            yield before[index], now


def _called(disk: Disk, index: int | None) -> str:
    """Return a disk's name for admins."""
    return disk.label or disk.unit or (f"disk {disk.key}" if disk.key is not None else f"disk {(index or 0) + 1}")


def _new_disk(pair: Pair, disk: Disk) -> Found:
    where = f" on {disk.datastore}" if disk.datastore else ""
    name = disk.label or disk.unit
    what = f"new disk of {disk.size}{where}" + (f" ({name})" if name else "")
    if pair.prepared:
        return Found(
            "disks", what, "blocks", "it is in no manifest: it would be left behind, or fail the copy", loses=True
        )
    if disk.datastore and not pair.places.mapped_datastore(disk.datastore):
        return Found("disks", what, "decision", "the storage map has no row for its datastore", loses=True)
    return Found("disks", what, "harmless", "the next compile picks it up", loses=True)


def _disk(pair: Pair, name: str, was: Disk, now: Disk, index: int) -> Iterator[Found]:
    old, new = parse_size(was.size), parse_size(now.size)
    if abs(new - old) >= _MIB:
        taken = "Forklift uses the new size" if pair.prepared else "the next compile picks it up"
        why = "the volume in git has the old size" if pair.copied else taken
        yield Found("disks", f"{name}: {was.size} → {now.size}", "blocks" if pair.copied else "harmless", why)
    if was.datastore and now.datastore:
        places = pair.places
        if places.datastore(was.datastore) != places.datastore(now.datastore):
            verdict, why = _moved_disk(pair, now.datastore, index)
            yield Found("disks", f"{name} moved from {was.datastore} to {now.datastore}", verdict, why)
    if now.mode != was.mode and is_independent(now):
        yield Found("disks", f"{name} is independent now", pair.wrong, "VDDK cannot read it")
    if now.rdm is not None and was.rdm != now.rdm:
        yield Found("disks", f"{name} is a raw device now ({now.rdm})", pair.wrong, "it is not copied like a VMDK")
    if now.shared is not None and was.shared is None:
        yield Found("disks", f"{name} is shared now", pair.wrong, "every VM that has it would get its own copy")


def _moved_disk(pair: Pair, datastore: str, index: int) -> tuple[Verdict, str]:
    machine, places = pair.machine, pair.places
    if machine is None:
        if places.mapped_datastore(datastore):
            return "harmless", "the storage map has it: the next compile picks it up"
        return "decision", "the storage map has no row for it"
    frozen = machine.disks[index] if index < len(machine.disks) else None
    if machine.path == "forklift":
        there = places.plan_classes.get(datastore)
        if there is None:
            return "blocks", "the StorageMap of its Plan has no row for it"
        if frozen is not None and frozen.storage_class != there:
            return "decision", f"its Plan would put it on {there}, not {frozen.storage_class}"
        return "harmless", "the StorageMap of its Plan has it"
    if frozen is not None and frozen.source.vddk is not None:
        return "blocks", "its DataVolume reads the old file"
    return "harmless", "its volume does not depend on it"


def _nics(pair: Pair) -> Iterator[Found]:
    if pair.before.nics is None or pair.after.nics is None:
        return
    for index, was, now in _pair_nics(pair.before.nics, pair.after.nics, pair.places.network):
        if was is None and now is not None:
            yield _new_nic(pair, now)
        elif was is not None and now is None:
            why = "the manifests still have it" if pair.prepared else "the next compile leaves it out"
            yield Found(
                "nics", f"NIC {index + 1} on {was.network} is gone", "blocks" if pair.copied else "harmless", why
            )
        elif was is not None and now is not None:
            yield from _nic(pair, index, was, now)


def _pair_nics(
    before: Sequence[Nic], after: Sequence[Nic], same: Callable[[str], str]
) -> list[tuple[int, Nic | None, Nic | None]]:
    """Match NICs: by MAC, otherwise by network, otherwise by place."""
    left, right = dict(enumerate(before)), dict(enumerate(after))
    pairs: list[tuple[int, Nic | None, Nic | None]] = []
    marks: tuple[Callable[[int, Nic], object], ...] = (
        lambda _, nic: _mac(nic),
        lambda _, nic: same(nic.network),
        lambda index, _: index,
    )
    for mark in marks:
        for i, nic in tuple(left.items()):
            wanted = mark(i, nic)
            j = next((j for j, other in right.items() if wanted is not None and mark(j, other) == wanted), None)
            if j is not None:
                pairs.append((i, left.pop(i), right.pop(j)))
    pairs += [(i, nic, None) for i, nic in left.items()]
    return sorted(pairs, key=lambda each: each[0]) + [(j, None, nic) for j, nic in right.items()]


def _mac(nic: Nic) -> str | None:
    return plain(nic.mac) if nic.mac else None


def _new_nic(pair: Pair, nic: Nic) -> Found:
    what = f"new NIC on {nic.network}"
    if pair.prepared:
        if pair.machine and pair.machine.path == "forklift" and _in_plan(pair.places, nic):
            return Found("nics", what, "harmless", "the NetworkMap of its Plan has that network: Forklift picks it up")
        return Found("nics", what, "blocks", "it is in no manifest")
    if not _is_mapped(pair.places, nic):
        return Found("nics", what, "decision", "the network map has no row for its network")
    return Found("nics", what, "harmless", "the next compile picks it up")


def _is_mapped(places: Places, nic: Nic) -> bool:
    return any(places.mapped_network(name) for name in (nic.network, nic.network_id) if name)


def _in_plan(places: Places, nic: Nic) -> bool:
    return nic.network in places.plan_networks or nic.network_id in places.plan_networks


def _nic(pair: Pair, index: int, was: Nic, now: Nic) -> Iterator[Found]:
    name = f"NIC {index + 1}"
    if not _same_network(pair.places, was, now):
        what = f"{name} moved from {was.network} to {now.network}"
        if pair.prepared and pair.machine and pair.machine.path == "forklift" and _in_plan(pair.places, now):
            yield Found("nics", what, "harmless", "the NetworkMap of its Plan has it")
        elif pair.prepared:
            yield Found("nics", what, "blocks", "the manifests attach it to the old network")
        elif _is_mapped(pair.places, now):
            yield Found("nics", what, "harmless", "the network map has it: the next compile picks it up")
        else:
            yield Found("nics", what, "decision", "the network map has no row for it")
    if differ(_mac(was), _mac(now)):
        forklift = pair.prepared and not pair.copied
        why = "Forklift picks it up" if forklift else "the guest's addresses are bound to it"
        what = f"{name}: MAC {was.mac} → {now.mac}"
        yield Found("nics", what, "blocks" if pair.copied else "harmless", why)


def _same_network(places: Places, was: Nic, now: Nic) -> bool:
    if was.network_id and now.network_id:
        return was.network_id == now.network_id or was.network == now.network
    mine = {places.network(name) for name in (was.network, was.network_id) if name}
    return not mine.isdisjoint(places.network(name) for name in (now.network, now.network_id) if name)


def _copying(pair: Pair) -> Iterator[Found]:
    """Yield changes that prevent reading it, and changes of its power state."""
    before, after, warm = pair.before, pair.after, pair.method == "warm"
    moving = moves(pair.stage)
    yield from _power(pair, moving=moving)
    if (after.snapshots or 0) > (before.snapshots or 0):
        verdict: Verdict = "blocks" if warm and not moving else "harmless"
        if warm:
            why = "Forklift makes one for each precopy" if moving else "Forklift cannot copy VMs with snapshots warm"
        else:
            why = "copies read the current state" if pair.prepared else "a VM that moves warm must have none by then"
        yield Found("snapshots", f"snapshots: {before.snapshots or 0} → {after.snapshots}", verdict, why)
    if after.change_tracking is False and (before.change_tracking or (warm and before.change_tracking is None)):
        verdict = "blocks" if warm else "harmless"
        yield Found("change_tracking", "changed block tracking is off", verdict, "warm copies need it")
    if after.connection_state != before.connection_state and after.connection_state not in (None, "connected"):
        lost = after.connection_state in _UNREADABLE and pair.prepared
        what = f"is {after.connection_state} in vCenter"
        yield Found("connection_state", what, "blocks" if lost else "decision", "it cannot be copied")


def _power(pair: Pair, *, moving: bool) -> Iterator[Found]:
    before, after = pair.before.power_state, pair.after.power_state
    if moving and pair.method is not None and not METHODS[pair.method].source_runs:
        if after == "poweredOn" and not pair.after.template:
            why = "what it writes after the copy started is lost: make sure that it is off, or restart the copy"
            yield Found("power_state", "is on while it is copied", "decision", why)
        return
    if not differ(before, after):
        return
    what, machine = f"{before} → {after}", pair.machine
    if machine is not None and after == "poweredOn" and machine.run_strategy == "Halted":
        yield Found("power_state", what, "decision", "it was off when it was frozen, and stays off after cutover")
    else:
        why = "what runs after cutover was decided when it was frozen" if machine else "the next compile picks it up"
        yield Found("power_state", what, "harmless", why)
