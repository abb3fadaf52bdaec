"""Changes in vCenter since the spec's inventory was taken or VMs were frozen, and their effect on manifests."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from vmferry.estate import identity
from vmferry.estate.cutover import stated_cutover
from vmferry.estate.methods import METHODS
from vmferry.estate.network_map import MappedNetwork, NetworkMap, network_map
from vmferry.estate.phases import is_time
from vmferry.estate.stages import frozen, running, serves
from vmferry.estate.storage_map import StorageRows
from vmferry.kube.vlans import span
from vmferry.model.blueprint import Machine
from vmferry.model.inventory import Inventory
from vmferry.model.keys import VmKey, name_of, source_of
from vmferry.model.project import Entry, Project
from vmferry.model.spec import GroupState, Stage, VirtualMachine
from vmferry.resolve.changes import Found, Pair, Places, Verdict, as_frozen, compare
from vmferry.resolve.namespaces import place
from vmferry.resolve.notes import collect, decisions, value_of
from vmferry.resolve.paths import Route, route, standard_vms
from vmferry.resolve.selection import Candidate, select

_SEVERITY: dict[Verdict, int] = {"blocks": 0, "decision": 1, "harmless": 2}
_LEFT = ("exclude", "retain", "retire")
_CORRECTED = frozenset(("cpu", "memory", "firmware", "secure_boot", "vtpm", "disks", "nics", "template", "uuid", "os"))
"""Facts in manifests: if the spec states them, the next compile ignores vCenter's."""


class Change(Struct, frozen=True, kw_only=True):
    """One change."""

    vm: str  # its name in vCenter, or that of a network, datastore or vCenter, depending on ``kind``
    key: str  # of the VM; of others SOURCE/NAME
    what: str
    verdict: Verdict
    why: str
    group: str = ""
    stage: Stage = "planned"
    kind: Literal["vm", "network", "datastore", "vcenter"] = "vm"


class _Known(Struct, frozen=True, kw_only=True):
    """A VM in the spec, or in the record of frozen VMs."""

    key: VmKey
    vm: VirtualMachine  # as compiled
    entry: Entry | None  # None: frozen, and no longer in the spec
    group: str = ""
    stage: Stage = "planned"
    machine: Machine | None = None  # only where it is frozen
    left: bool = False  # it does not move

    def change(self, found: Found) -> Change:
        """Return a difference as a change of this VM."""
        return Change(
            vm=self.vm.name,
            key=self.key,
            what=found.what,
            verdict=found.verdict,
            why=found.why,
            group=self.group,
            stage=self.stage,
        )


def drift(project: Project, newer: Iterable[Inventory]) -> tuple[Change, ...]:
    """Return the changes in ``newer``, worst first, then by VM. Only its vCenters are compared.

    A frozen VM is compared with its record, any other with the spec's inventory. A fact that the spec overrides has not
    changed as long as vCenter's value is the same as then.
    """
    comparison = _Comparison(project, tuple(part for part in newer if part.nsx is None))
    changes = [*comparison.vcenters(), *comparison.maps(), *comparison.vms()]
    return tuple(sorted(changes, key=lambda change: (_SEVERITY[change.verdict], change.kind == "vm", change.key)))


def uncovered(project: Project, newer: Iterable[Inventory]) -> tuple[str, ...]:
    """Return the vCenters of the spec that the newer inventory lacks: they are not compared."""
    covered = {part.source.name for part in newer}
    return tuple(source.name for source in project.spec.sources if source.name not in covered)


class _Comparison:
    """Cached lookups."""

    def __init__(self, project: Project, parts: tuple[Inventory, ...]) -> None:
        spec = project.spec
        self.project, self.parts = project, parts
        self.sources = {source.name for source in spec.sources}
        self.default = identity.only_source(source.name for source in spec.sources)
        self.covered = {part.source.name for part in parts} & self.sources
        self.partial = _partial(parts)
        self.taken = {part.source.name: part.source.taken for part in parts if part.source.taken}
        self.networks = network_map(spec.networks, project.where)
        self.storage = StorageRows(spec.storage.map)
        self.names = _Names(self.networks, project, parts)
        self.after = {
            identity.key_of(vm, part.source.name): replace(vm, source=part.source.name)
            for part in parts
            if part.source.name in self.sources
            for vm in part.vms
        }
        self.decided = _decided(project, [entry.vm for entry in project.entries])
        self.before = {known.key: known for known in self._known() if source_of(known.key) in self.covered}
        self.attached = {
            name_of(nic.nad)
            for known in self.before.values()
            if known.machine is not None
            for nic in known.machine.nics
            if nic.nad is not None
        }
        self.plans = _plans(known.machine for known in self.before.values() if known.machine)
        self.parallel = {
            phase.name for phase in spec.phases if phase.dual_run and phase.dual_run.mode in ("parallel", "replica")
        }

    def vcenters(self) -> Iterator[Change]:
        """Yield vCenters that the spec does not have."""
        counts: Counter[str] = Counter()
        for part in self.parts:
            counts[part.source.name] += len(part.vms)
        for name, count in sorted(counts.items()):
            if name not in self.sources:
                why = f"the spec has {', '.join(sorted(self.sources))}: add it, or import again with --name"
                what = f"new vCenter with {count} VMs"
                yield Change(vm=name, key=name, what=what, verdict="decision", why=why, kind="vcenter")

    # --- networks and datastores ----------------------------------------------------------------

    def maps(self) -> Iterator[Change]:
        """Yield changes of networks and datastores that the spec maps."""
        for part in self.parts:
            if part.source.name not in self.sources:
                continue
            for network in part.networks:
                name = network.name
                row = self.networks.of_network(part.source.name, network)
                if row is not None:
                    key = f"{part.source.name}/{name}"
                    for found in self._network(row, network.vlan, network.trunk):
                        yield _of("network", name, key, found)
                    if network.id is not None and row.network.source.id == network.id and name != row.original:
                        yield _of("network", name, key, _renamed(row.original))
            for datastore in part.datastores:
                index = self.storage.find(part.source.name, datastore.id or datastore.name)
                if index is None:
                    continue
                ref = self.storage.rows[index].source
                if ref.id is not None and ref.id == datastore.id and ref.datastore != datastore.name:
                    key = f"{part.source.name}/{datastore.name}"
                    yield _of("datastore", datastore.name, key, _renamed(ref.datastore))

    def _network(self, row: MappedNetwork, vlan: int | None, trunk: tuple[str, ...]) -> Iterator[Found]:
        source = row.network.source
        verdict: Verdict = "blocks" if row.name in self.attached and row.emitted() else "decision"
        why = "VMs would be on the old VLAN: correct its row in `networks`"
        if source.vlan is not None and (trunk or (vlan is not None and vlan != source.vlan)):
            yield Found("", f"VLAN {source.vlan} → {'trunk ' + ', '.join(trunk) if trunk else vlan}", verdict, why)
        if source.trunk and ((trunk and _ids(trunk) != _ids(source.trunk)) or (vlan is not None and not trunk)):
            now = f"trunk {', '.join(trunk)}" if trunk else f"VLAN {vlan}"
            yield Found("", f"trunk {', '.join(source.trunk)} → {now}", verdict, why)

    # --- VMs ------------------------------------------------------------------------------------

    def vms(self) -> Iterator[Change]:
        """Yield changes of VMs."""
        before = [_mark(key, known.vm) for key, known in self.before.items()]
        found = identity.match(before, [_mark(key, vm) for key, vm in self.after.items()], elsewhere=True)
        pairs = {known: other for other, known in found.items()}
        again = self._decided_again(pairs)
        for key, known in sorted(self.before.items()):
            other = pairs.get(key)
            if other is None:
                yield from self._vanished(known)
            elif source_of(other) != source_of(key):
                yield known.change(self._other_vcenter(known, other))
            else:
                yield from self._both(known, self.after[other], again.get(other))
        taken = set(pairs.values())
        for key, vm in sorted(self.after.items()):
            if key not in taken:
                yield self._new(key, vm, again.get(key))

    def _known(self) -> Iterator[_Known]:
        vms = self.project.assignments.vms if self.project.assignments else {}
        groups = self.project.spec.groups
        entries = [
            (entry, source) for entry in self.project.entries if (source := entry.vm.source or self.default) is not None
        ]
        records = [identity.of_record(key, item) for key, item in vms.items()]
        frozen_as = identity.match(records, (identity.of_vm(entry.vm, source) for entry, source in entries))
        for entry, source in entries:
            key = identity.key_of(entry.vm, source)
            record = frozen_as.get(key)
            item = vms[record] if record is not None else None
            stage = groups.get(item.group, GroupState()).stage if item else "planned"
            machine = item.machine if item and frozen(stage) else None
            decisions = self.decided.get(key)
            yield _Known(
                key=key,
                vm=as_frozen(entry.vm, machine) if machine else entry.vm,
                entry=entry,
                group=item.group if item else "",
                stage=stage,
                machine=machine,
                left=machine is None and decisions is not None and decisions.get("disposition") in _LEFT,
            )
        used = set(frozen_as.values())
        for key, item in vms.items():
            stage = groups.get(item.group, GroupState()).stage
            if key not in used and item.machine is not None and frozen(stage):
                vm = as_frozen(VirtualMachine(name=item.machine.name, source=item.machine.source), item.machine)
                yield _Known(key=key, vm=vm, entry=None, group=item.group, stage=stage, machine=item.machine)

    def _decided_again(self, pairs: Mapping[VmKey, VmKey]) -> dict[VmKey, dict[str, str]]:
        """Return the decisions on each VM in its current state, by its current key."""
        before = {other: self.before[key] for key, other in pairs.items()}
        vms = []
        for key, vm in self.after.items():
            known = before.get(key)
            vms.append(_restated(vm, known.entry) if known is not None and known.entry is not None else vm)
        # if only a part of an estate is compared, the rest counts as unchanged
        vms += [known.vm for key, known in self.before.items() if key not in pairs and self._elsewhere(known)]
        return _decided(self.project, vms)

    def _elsewhere(self, known: _Known) -> bool:
        """Return whether a VM was not covered: the newer inventory does not include its cluster."""
        source = source_of(known.key)
        return source in self.partial and known.vm.cluster not in self.partial[source]

    def _both(self, known: _Known, after: VirtualMachine, again: dict[str, str] | None) -> Iterator[Change]:
        was = self.decided.get(known.key)
        moved = () if known.machine is not None or was is None or again is None else _redecided(was, again)
        if known.left:
            yield from map(known.change, (found for found in moved if found.field == "disposition"))
            return
        if self._over(known):
            yield from map(known.change, self._after_cutover(known, after))
            return
        pair = Pair(
            before=known.vm,
            after=after,
            machine=known.machine,
            stage=known.stage,
            places=self._places(known, after.source or ""),
        )
        old = self._overridden(pair, known)
        for found in compare(pair):
            if found.loses or found.what not in old:
                yield known.change(_stated(found, known))
        yield from map(known.change, moved)

    def _overridden(self, pair: Pair, known: _Known) -> frozenset[str]:
        """Return the differences that already existed because the spec overrides its inventory."""
        entry = known.entry
        if entry is None or entry.imported is None or not entry.overrides:
            return frozenset()
        as_imported = {name: getattr(entry.imported, name) for name in entry.overrides}
        return frozenset(found.what for found in compare(replace(pair, after=replace(pair.before, **as_imported))))

    def _places(self, known: _Known, source: str) -> Places:
        networks, classes = self.plans.get(known.group, (frozenset(), {}))
        return Places(
            network=lambda name: self.names.network(source, name),
            datastore=lambda name: self.names.datastore(source, name),
            mapped_network=lambda name: self.networks.find(source, name) is not None,
            mapped_datastore=lambda name: self.storage.find(source, name) is not None,
            plan_networks=networks,
            plan_classes=classes,
        )

    def _over(self, known: _Known) -> bool:
        """Return whether the target runs, so that the source is only a fallback."""
        if known.machine is None or serves(known.stage):
            return False
        return self._appointment(known) != "ahead"

    def _appointment(self, known: _Known) -> Literal["ahead", "unknown", "past"]:
        """Return whether a warm group had cut over when the newer inventory was taken."""
        if not running(known.stage) or known.machine is None or not METHODS[known.machine.method].cutover:
            return "past"
        cutover = stated_cutover(self.project.spec.groups.get(known.group, GroupState()), known.machine)
        if cutover is None:
            return "past"
        taken = self.taken.get(source_of(known.key))
        if taken is None or not is_time(taken) or not is_time(cutover):
            return "unknown"
        return "ahead" if datetime.fromisoformat(taken) < datetime.fromisoformat(cutover) else "past"

    def _after_cutover(self, known: _Known, after: VirtualMachine) -> Iterator[Found]:
        machine = known.machine
        if machine is None or after.power_state != "poweredOn":
            return
        if machine.path == "rebuild" or machine.phase in self.parallel or machine.golden:
            return
        why = "source and target would run with the same addresses, and what it writes is not in the target"
        if self._appointment(known) == "unknown":
            cutover = stated_cutover(self.project.spec.groups[known.group], machine)
            yield Found("power_state", "the source is on", "decision", f"right until {cutover}; from then on {why}")
        else:
            yield Found("power_state", "the source is on after cutover", "blocks", why)

    def _vanished(self, known: _Known) -> Iterator[Change]:
        if self._elsewhere(known):
            return  # another part of the inventory has it, or it was not covered
        what = "gone from vCenter"
        if known.left:
            found = Found("", what, "harmless", "it was not going to move")
        elif known.machine is None:
            found = Found("", what, "decision", "state its disposition, or remove its entry")
        elif not self._over(known) and known.machine.path != "rebuild":
            found = Found("", what, "blocks", f"its group is at {known.stage}, and there is nothing left to copy")
        else:
            found = Found("", what, "decision", "there is nothing left to fall back to")
        yield known.change(found)

    def _other_vcenter(self, known: _Known, other: VmKey) -> Found:
        vm = self.after[other]
        what = f"moved to vCenter {vm.source}" + (f", as {vm.id}" if vm.id else "")
        if known.left:
            return Found("source", what, "harmless", "it was not going to move")
        if known.machine is None:
            return Found("source", what, "decision", "correct the `source` in its entry, and the rules that match it")
        if self._over(known) or known.machine.path == "rebuild":
            return Found("source", what, "harmless", "it has moved; its source is a fallback only")
        return Found("source", what, "blocks", "its manifests read it from the old vCenter")

    def _new(self, key: VmKey, vm: VirtualMachine, decisions: dict[str, str] | None) -> Change:
        verdict: Verdict = "decision"
        disposition, phase = (decisions or {}).get("disposition"), (decisions or {}).get("phase")
        if disposition in _LEFT:
            verdict, why = "harmless", f"a rule says {disposition}"
        elif phase is not None:
            why = f"rules put it into phase {phase}: check that this is right"
        else:
            why = "it has no disposition and no phase"
        return Change(vm=vm.name, key=key, what="new VM", verdict=verdict, why=why)


def _of(kind: Literal["network", "datastore"], name: str, key: str, found: Found) -> Change:
    return Change(vm=name, key=key, what=found.what, verdict=found.verdict, why=found.why, kind=kind)


def _renamed(old: str) -> Found:
    return Found("", f"was named {old}", "decision", "the maps find it by its id; correct the name in its row")


def _stated(found: Found, known: _Known) -> Found:
    """Return the verdict on a difference if the spec states the fact itself: compiling does not pick it up."""
    entry = known.entry
    if found.verdict != "harmless" or known.machine is not None or entry is None:
        return found
    if entry.imported is None:
        stated: Iterable[str] = ("name" if entry.vm.id is None else "id", *_CORRECTED)
    else:
        stated = entry.stated
    if found.field == "name" and "name" in stated:
        why = f"its entry is for {entry.vm.name}: correct the name there, or add the id"
        return Found(found.field, found.what, "decision", why)
    if found.field in _CORRECTED and found.field in stated:
        return Found(found.field, found.what, "decision", "the spec states this itself: correct it there")
    return found


def _mark(key: VmKey, vm: VirtualMachine) -> identity.Mark:
    return replace(identity.of_vm(vm, source_of(key)), key=key)


def _ids(trunk: tuple[str, ...]) -> frozenset[int]:
    return frozenset(vlan for first, last in map(span, trunk) for vlan in range(first, last + 1))


def _partial(parts: Iterable[Inventory]) -> dict[str, set[str]]:
    """Return the clusters of partially imported vCenters: the name of a full import shows that it is complete."""
    names: defaultdict[str, list[Inventory]] = defaultdict(list)
    for part in parts:
        names[part.source.name].append(part)
    return {
        source: {vm.cluster for part in found for vm in part.vms if vm.cluster is not None}
        for source, found in names.items()
        if all(part.metadata.name.startswith(f"{source}/") for part in found)
    }


class _Names:
    """Networks and datastores by their id, if known, which survives a renaming."""

    def __init__(self, networks: NetworkMap, project: Project, parts: Iterable[Inventory]) -> None:
        self._networks: dict[tuple[str | None, str], str] = {}
        self._datastores: dict[tuple[str | None, str], str] = {}
        for row in networks.rows:
            source = row.network.source
            if source.id is not None:
                self._networks[source.source, row.original] = source.id
        for item in project.spec.storage.map:
            if item.source.id is not None:
                self._datastores[item.source.source, item.source.datastore] = item.source.id
        for part in parts:
            for network in part.networks:
                if network.id is not None:
                    self._networks.setdefault((part.source.name, network.name), network.id)
            for datastore in part.datastores:
                if datastore.id is not None:
                    self._datastores.setdefault((part.source.name, datastore.name), datastore.id)

    def network(self, source: str, name: str) -> str:
        """Return the id of a network, or its name."""
        return self._networks.get((source, name)) or self._networks.get((None, name)) or name

    def datastore(self, source: str, name: str) -> str:
        """Return the id of a datastore, or its name."""
        return self._datastores.get((source, name)) or self._datastores.get((None, name)) or name


def _plans(machines: Iterable[Machine]) -> dict[str, tuple[frozenset[str], dict[str, str]]]:
    """Return the content of each group's Plan maps: networks, and the class of each datastore."""
    networks: defaultdict[str, set[str]] = defaultdict(set)
    classes: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for machine in machines:
        for network in (*(nic.network for nic in machine.nics), *(nic.network for nic in machine.dropped_nics)):
            networks[machine.group] |= {network.name} | ({network.id} if network.id else set())
        for disk in machine.disks:
            if disk.datastore is not None:
                for name in (disk.datastore.name, disk.datastore.id):
                    if name:
                        classes[machine.group][name] = disk.storage_class
    return {group: (frozenset(networks[group]), classes[group]) for group in networks.keys() | classes.keys()}


def _restated(vm: VirtualMachine, entry: Entry) -> VirtualMachine:
    """Return a VM in its current state, with the values from the spec."""
    if entry.imported is None:
        own = {name: value for name in VirtualMachine.__struct_fields__ if (value := getattr(entry.vm, name))}
        return replace(vm, **{name: value for name, value in own.items() if name not in ("id", "source")})
    return replace(vm, **{name: getattr(entry.vm, name) for name in entry.stated if name not in ("name", "id")})


_DECIDED = ("disposition", "phase", "path", "method")
_WHY = "why path"


def _decided(project: Project, vms: Iterable[VirtualMachine]) -> dict[VmKey, dict[str, str]]:
    """Return by key the decisions on VMs: disposition, phase, path (chosen by `auto`), method, namespace."""
    entries = tuple(Entry(vm=vm, where=project.where) for vm in vms)
    candidates = value_of(select(replace(project, entries=entries)))
    moving = tuple(each for each in candidates if each.decisions.disposition not in _LEFT)
    namespaces = value_of(place(moving, project.spec.namespaces, project.where))
    auto = project.spec.settings.auto
    routes, notes = collect(route(moving, standard_vms(moving, auto), auto))
    reasons = {
        key: decision.reason
        for key, made in decisions(notes).items()
        for decision in made
        if decision.subject == "path"
    }
    return {
        each.key: _summary(each, namespaces.get(each.key), routes.get(each.key), reasons.get(each.key))
        for each in candidates
    }


def _summary(candidate: Candidate, namespace: str | None, chosen: Route | None, reason: str | None) -> dict[str, str]:
    found = {name: getattr(candidate.decisions, name) for name in _DECIDED} | {"namespace": namespace}
    if chosen is not None:
        found |= {"path": chosen.path, _WHY: reason}
    return {name: str(value) for name, value in found.items() if value is not None}


def _redecided(was: dict[str, str], now: dict[str, str]) -> Iterator[Found]:
    # a VM that stays has neither phase nor namespace
    for name in ("disposition",) if now.get("disposition") in _LEFT else (*_DECIDED, "namespace"):
        if was.get(name) != now.get(name):
            what = f"{name}: {was.get(name, 'none')} → {now.get(name, 'none')}"
            why = "at its new place, rules decide differently"
            if name == "path":
                why = f"all its manifests change: {now.get(_WHY, why)}; `path` in its entry or a rule keeps it"
            yield Found(name, what, "decision", why)
