"""Decides a VM again after a change of facts that concern nobody else: the rest of the Blueprint stays.

What a VM has in common with others (its network, its names, its vCenter) decides on them as well. Its memory, or the
version of its VMware Tools, does not: no pass over all VMs and no rule about several reads such a fact, except the sum
of CPU and memory in a namespace's quota.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar

from msgspec import Struct, structs

from vmferry.estate.decommission.takes import begun
from vmferry.estate.identity import key_of, only_source
from vmferry.model.blueprint import Blueprint, Group, Machine
from vmferry.model.keys import VmKey
from vmferry.model.project import Entry, Project
from vmferry.model.review import Subject
from vmferry.resolve.blueprint import subjects_of
from vmferry.resolve.deciding import Basis, Made, make, ways
from vmferry.resolve.disposition import dispose
from vmferry.resolve.freeze import Frozen
from vmferry.resolve.notes import Noting, collect_findings, value_of
from vmferry.resolve.paths import standard_vms
from vmferry.resolve.selection import Candidate, Chooser
from vmferry.resolve.surroundings import Today, as_large, sized_again
from vmferry.resolve.tables import Tables, prepare

OWN_FACTS = frozenset(
    (
        "annotation",
        "baseline",
        "connection_state",
        "consolidation_needed",
        "cpu",
        "cpu_affinity",
        "cpu_hot_add",
        "cpu_hot_remove",
        "cpu_limit",
        "cpu_reservation",
        "disk_enable_uuid",
        "fault_tolerance",
        "guest_detail",
        "guest_disks",
        "guest_name",
        "guest_tools_name",
        "hardware_version",
        "host_affinity",
        "hostname",
        "latency_sensitivity",
        "managed_by",
        "memory",
        "memory_hot_add",
        "memory_limit",
        "memory_reservation",
        "nested_hv",
        "noted",
        "numa",
        "numa_node_affinity",
        "snapshots",
        "sriov",
        "tools",
        "usb",
        "vapp",
    )
)
"""Fields of a VirtualMachine that only rules on single VMs read, and the passes that decide each VM by itself."""

OWN_RESULTS = frozenset(("memory", "sockets", "cores", "threads", "hostname", "baseline"))
"""Fields of a Machine that only its manifest, rules on single VMs and on the Blueprint, and quotas read."""

S = TypeVar("S", bound=Struct)


class DecidedAgain(Struct, frozen=True):
    """A VM with its results, before and after its facts changed."""

    was: Subject
    now: Subject


class Again(NamedTuple):
    """The Blueprint after some VMs were decided again, and the VMs that Forklift copies with another size today."""

    blueprint: Blueprint
    vms: tuple[DecidedAgain, ...]
    today: Today


def decide_own(
    changed: Iterable[tuple[Entry, Entry]],
    project: Project,
    blueprint: Blueprint,
    standard: Mapping[str, int],
    today: Today,
) -> Again | None:
    """Return a Blueprint in which these VMs, each as it was and as it is now, are decided again.

    None if that might affect another VM or a pass over all of them: then everything has to be decided again.
    ``standard`` counts the standard VMs of each vCenter. ``project`` may lack its entries.
    """
    if any(begun(project.spec)):
        return None  # VMF454 adds up the memory of VMs whose hosts are taken
    tables = value_of(prepare(project))
    homes = {machine.key: (group, machine) for group in blueprint.groups for machine in group.machines}
    only = only_source(source.name for source in project.spec.sources) or ""
    vms: list[DecidedAgain] = []
    sizes = dict(today)
    for was, now in changed:
        key = key_of(was.vm, was.vm.source or only)
        home = homes.get(key)
        if home is None or home[0].frozen:
            return None
        found = _decide(project, (was, now), home, standard, tables)
        if found is None:
            return None
        vms.append(found)
        if found.now.machine is None or as_large(found.now.machine, found.now.vm):
            sizes.pop(key, None)
        else:
            sizes[key] = found.now.vm
    groups = _replaced(blueprint.groups, {each.now.key: each.now.machine for each in vms if each.now.machine})
    decided = structs.replace(blueprint, groups=groups)
    touched = {each.now.machine.namespace for each in vms if each.now.machine is not None}
    namespaces, findings = collect_findings(sized_again(project, decided, touched, tables.networks, sizes))
    return None if findings else Again(structs.replace(decided, namespaces=namespaces), tuple(vms), sizes)


def _replaced(groups: tuple[Group, ...], machines: Mapping[VmKey, Machine]) -> tuple[Group, ...]:
    """Return the groups with some machines in place of those with their keys."""
    names = {machine.group for machine in machines.values()}
    return tuple(
        structs.replace(group, machines=tuple(machines.get(each.key, each) for each in group.machines))
        if group.name in names
        else group
        for group in groups
    )


class _Decided(NamedTuple):
    """What is decided about one VM by itself."""

    candidate: Candidate
    settled: tuple[object, ...]  # what must not change, or others would be affected
    made: Made


def _decide(
    project: Project,
    entries: tuple[Entry, Entry],
    home: tuple[Group, Machine],
    standard: Mapping[str, int],
    tables: Tables,
) -> DecidedAgain | None:
    group, machine = home
    noted = [collect_findings(_by_itself(project, entry, machine, standard, tables)) for entry in entries]
    (was, said), (now, says) = noted
    if was is None or now is None or (was.settled, said) != (now.settled, says) or not _as_imported(*entries):
        return None
    if not _alike(was.candidate.vm, now.candidate.vm, OWN_FACTS):
        return None
    if structs.replace(was.candidate, vm=now.candidate.vm) != now.candidate:
        return None
    before, after = (_in_group(each.made, machine) for each in (was, now))
    if before != machine or after is None or not _alike(machine, after, OWN_RESULTS):
        return None
    subjects = [
        subjects_of((each.candidate,), (), (structs.replace(group, machines=(made,)),), Frozen())
        for each, made in ((was, machine), (now, after))
    ]
    return DecidedAgain(subjects[0][0], subjects[1][0])


def _by_itself(
    project: Project, entry: Entry, machine: Machine, standard: Mapping[str, int], tables: Tables
) -> Noting[_Decided | None]:
    """Return what is decided about a VM with the names that it has; None if it depends on other VMs."""
    chosen = yield from Chooser(project.spec, project.where).choose((entry,))
    if len(chosen.candidates) != 1:
        return None
    candidate = chosen.candidates[0]
    vm = candidate.vm
    if vm.template or vm.clone_of is not None or any(disk.shared is not None for disk in vm.disks or ()):
        return None
    _, left = yield from dispose(chosen.candidates)
    found = yield from ways(chosen.candidates, standard, tables)
    made = yield from make(chosen.candidates, Basis(found, {candidate.key: machine.target_name}, {}, {}, tables))
    counted = dict(standard_vms(chosen.candidates, project.spec.settings.auto))
    return _Decided(candidate, (chosen.used, left, found, counted, made.attached, made.allocated), made)


def _as_imported(was: Entry, now: Entry) -> bool:
    """Return whether what the inventory says, also under what the spec overrides, differs only in own facts."""
    if (was.overrides, was.stated) != (now.overrides, now.stated):
        return False
    if was.imported is None or now.imported is None:
        return was.imported is now.imported
    return _alike(was.imported, now.imported, OWN_FACTS)


def _in_group(made: Made, machine: Machine) -> Machine | None:
    """Return what was made of a VM, in the group that it is in."""
    found = made.machines.get(machine.key)
    return None if found is None else structs.replace(found, group=machine.group, conversion=machine.conversion)


def _alike(one: S, other: S, but: frozenset[str]) -> bool:
    """Return whether two structs are equal, apart from some fields."""
    return all(name in but or getattr(one, name) == getattr(other, name) for name in one.__struct_fields__)
