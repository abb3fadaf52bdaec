"""Parts of a spec without effect: unused entries, and decisions that are always overridden."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from vmferry.estate.dependencies import needs
from vmferry.estate.identity import Directory, of_vm
from vmferry.estate.matching import Matcher
from vmferry.estate.segments import Rows
from vmferry.estate.storage_map import StorageRows
from vmferry.model.facts import Disk
from vmferry.model.finding import Path, Where
from vmferry.model.inventory import FACTS
from vmferry.model.keys import name_of, namespace_of, reference
from vmferry.model.review import Problem, Review
from vmferry.model.spec import BridgeNetwork, Decisions, ExistingNad, ForMany, Match, NetworkSource, VirtualMachine
from vmferry.rules.registry import rule

_DECISIONS = dict(zip(Decisions.__struct_fields__, Decisions.__struct_encode_fields__, strict=True))
_FOR_MANY = dict(zip(ForMany.__struct_fields__, ForMany.__struct_encode_fields__, strict=True))
_SPELLED = dict(zip(VirtualMachine.__struct_fields__, VirtualMachine.__struct_encode_fields__, strict=True))


# --- entries that nothing uses ---------------------------------------------------------------


@rule("VMF120", "info", "network row is not used by any VM")
def unused_networks(review: Review) -> Iterator[Problem]:
    """No VM that moves has a NIC on the network, no smoke test uses it, and nothing is copied over it.

    Either its VMs stay, or the name in the row differs from the name of the VMs' network.
    """
    rows = Rows(review)
    used: set[int] = set()
    for subject, _, machine in review.moving:
        found = [rows.of(subject, nic.index, nic.network) for nic in machine.nics]
        found += [rows.of_nic(subject, nic) for nic in subject.vm.nics or ()]
        used |= {row.index for row in found if row is not None}
    carriers = _carriers(review)
    for row in rows.rows:
        target = row.network.target
        carries = row.network.source in carriers or (isinstance(target, ExistingNad) and target.name in carriers)
        if row.index not in used and row.network.smoke_test is None and not carries:
            yield Problem(f"no VM that moves is on network {row.original!r}", _FIX, row.where.at("source"))


def _carriers(review: Review) -> set[NetworkSource | str]:
    """Return the networks that disks are copied over: emitted ones by their source, the others by name."""
    used = {group.transfer_network for group in review.blueprint.groups if group.transfer_network}
    made = {
        nad.network.source
        for plan in review.blueprint.namespaces
        for nad in plan.nads
        if reference(plan.name, nad.name) in used
    }
    return made | {name_of(nad) for nad in used}


_FIX = "remove it, or correct its name if VMs should be on it"


@rule("VMF121", "info", "datastore row is not used by any disk")
def unused_datastores(review: Review) -> Iterator[Problem]:
    """No disk of a VM that moves is on the datastore.

    The name in the row may differ from the name of the disks' datastore.
    """
    rows = StorageRows(review.spec.storage.map)
    used: set[int | None] = set()
    for subject, _, machine in review.moving:
        used |= {rows.of_ref(subject.source, disk.datastore) for disk in machine.disks if disk.datastore is not None}
        facts: tuple[Disk, ...] = () if machine.path == "rebuild" else subject.vm.disks or ()
        used |= {rows.find(subject.source, disk.datastore) for disk in facts}
    for index, row in enumerate(rows.rows):
        if index not in used:
            place = review.at("storage", "map", index, "source")
            yield Problem(f"no disk that moves is on datastore {row.source.datastore!r}", _FIX, place)


@rule("VMF122", "info", "StorageClass is not used by any disk")
def unused_classes(review: Review) -> Iterator[Problem]:
    """The class is offered but never chosen: for every disk, another one fits better by its tier or by what it can do.

    `vmferry explain` shows for each disk why a class was refused.
    """
    used = {disk.storage_class for _, _, machine in review.moving for disk in machine.disks}
    used |= {volume.storage_class for _, _, machine in review.moving for volume in machine.state}
    for index, item in enumerate(review.spec.storage.classes):
        if item.name not in used:
            place = review.at("storage", "classes", index, "name")
            fix = "remove it, or use its tier for a datastore or a VM"
            yield Problem(f"no disk uses StorageClass {item.name}", fix, place)


@rule("VMF123", "info", "namespace without VMs")
def empty_namespaces(review: Review) -> Iterator[Problem]:
    """The namespace is created with its policies and permissions, and nothing moves into it."""
    used = {machine.namespace for _, _, machine in review.moving}
    used |= {net.smoke_test.namespace for net in review.spec.networks if net.smoke_test is not None}
    used |= {namespace_of(group.transfer_network) for group in review.blueprint.groups if group.transfer_network}
    used.add(review.spec.target.forklift.namespace)
    for index, namespace in enumerate(review.spec.namespaces):
        if namespace.name not in used:
            where = review.at("namespaces", index, "name")
            fix = "remove it, or correct its `source` or the VMs' `namespace`"
            yield Problem(f"no VM moves into namespace {namespace.name}", fix, where)


@rule("VMF124", "info", "phase without VMs")
def empty_phases(review: Review) -> Iterator[Problem]:
    """No VM moves in the phase, so the phases that wait for it with `after` wait for nothing."""
    used = {machine.phase for _, _, machine in review.moving}
    for index, phase in enumerate(review.spec.phases):
        if phase.name not in used:
            where = review.at("phases", index, "name")
            yield Problem(f"no VM moves in phase {phase.name}", "assign VMs to it, or remove it", where)


@rule("VMF125", "warning", "hook is not used by any VM")
def unused_hooks(review: Review) -> Iterator[Problem]:
    """A hook runs for the VMs that list it under `hooks`. No VM does, so it will never run."""
    used = {use.name for _, _, machine in review.moving for use in machine.hooks}
    for index, hook in enumerate(review.spec.hooks):
        if hook.name not in used:
            fix = f"add hooks: [{{name: {hook.name}, step: PreHook}}] to its VMs, an `assign` rule or `defaults`"
            yield Problem(f"hook {hook.name} is not used by any VM", fix, review.at("hooks", index, "name"))


@rule("VMF126", "warning", "vCenter without VMs")
def empty_sources(review: Review) -> Iterator[Problem]:
    """Neither the spec nor an inventory has a VM of this vCenter: its import, or an include, may be missing."""
    used = {subject.source for subject in review.subjects}
    for index, source in enumerate(review.spec.sources):
        if source.name not in used:
            fix = f"`vmferry import` its inventory, include it, set source: {source.name} on its VMs, or remove it"
            yield Problem(f"no VM has source {source.name}", fix, review.at("sources", index, "name"))


@rule("VMF133", "info", "no VM is copied from the ESXi host")
def unused_hosts(review: Review) -> Iterator[Problem]:
    """Forklift copies directly from a listed ESXi host, and no VM that takes this path is on it, by name or by id.

    Its name may differ from the one in vCenter; copies then go through vCenter instead.
    """
    on: defaultdict[str, set[str | None]] = defaultdict(set)
    for subject, _, machine in review.moving:
        if machine.path == "forklift":
            known = review.hosts.get((subject.source, subject.vm.host or ""))
            on[subject.source] |= {subject.vm.host, machine.host, known.id if known is not None else None}
    for number, source in enumerate(review.spec.sources):
        for index, host in enumerate(source.vcenter.hosts):
            unknown = None in on[source.name] and on[source.name] == {None}
            if not unknown and not {host.name, host.id} - {None} & on[source.name]:
                where = review.at("sources", number, "vcenter", "hosts", index, "name")
                yield Problem(f"Forklift copies no VM from host {host.name}", _FIX, where)


@rule("VMF134", "warning", "bridge is not used by any network")
def unused_bridges(review: Review) -> Iterator[Problem]:
    """A bridge takes its port away from whatever uses it on the nodes, and here no network gains anything from it."""
    used = {net.target.bridge for net in review.spec.networks if isinstance(net.target, BridgeNetwork)}
    for index, bridge in enumerate(review.spec.target.cluster.bridges):
        if bridge.name not in used:
            where = review.at("target", "cluster", "bridges", index, "name")
            fix = f"remove it, or set bridge: {bridge.name} in a network's target"
            yield Problem(f"no network uses bridge {bridge.name} with port {bridge.port}", fix, where)


# --- decisions that come to nothing ----------------------------------------------------------


@rule("VMF127", "warning", "decision of an `assign` rule is always overridden")
def overridden_rules(review: Review) -> Iterator[Problem]:
    """Later rules win over earlier ones, and a VM's entry wins over all of them.

    For every VM that this one matches, another decision wins, so the rule reads as if it decided something. Often a
    general rule stands after the specific ones.
    """
    effective = _effective(review)
    for index, assign in enumerate(review.spec.assign):
        stated = [name for field, name in _FOR_MANY.items() if getattr(assign.set, field) is not None]
        place = review.at("assign", index)
        lost = [name for name in stated if _place(place.at("set", name)) not in effective]
        if not lost or (lost == stated and not _matches_any(assign.match, review)):
            continue  # that it matches nothing is VMF109
        yield Problem(
            f"{', '.join(lost)} of this `assign` rule {'is' if len(lost) == 1 else 'are'} overridden for every VM",
            "put the rule after those that override it, or remove it",
            place.at("set", lost[0]),
        )


@rule("VMF128", "info", "default is overridden by every VM")
def overridden_defaults(review: Review) -> Iterator[Problem]:
    """No VM takes the default: an `assign` rule or an entry wins for each. A new VM would still get it."""
    effective = _effective(review)
    for field, name in _FOR_MANY.items():
        place = review.at("defaults", name)
        stated = getattr(review.spec.defaults, field) is not None
        if stated and review.subjects and _place(place) not in effective:
            yield Problem(f"default {name} applies to no VM", "remove it, or keep it for future VMs", place)


def _effective(review: Review) -> set[tuple[str, int, Path]]:
    """Return every place in the spec that a decision on any VM comes from."""
    origins = (where for subject in review.subjects for where in subject.origins.values())
    return {_place(where) for where in origins}


def _place(where: Where) -> tuple[str, int, Path]:
    return where.file, where.document, where.path


@rule("VMF129", "info", "entry repeats the inventory", each=True)
def repeated(review: Review) -> Iterator[Problem]:
    """The entry states a fact that the inventory already has.

    It wins over the inventory, so it hides the next change. State decisions in the entry, and only those facts that the
    inventory lacks or has wrong.
    """
    for entry in review.project.entries:
        if entry.imported is None:
            continue
        again = [f for f in entry.stated if f in FACTS and f not in ("name", "id", "source", *entry.overrides)]
        names = [_SPELLED[f] for f in again if getattr(entry.imported, f) == getattr(entry.vm, f)]
        if names:
            yield Problem(
                f"VM {entry.vm.name}: its entry repeats {', '.join(names)} from the inventory",
                f"remove {'it' if len(names) == 1 else 'them'} from the entry",
                entry.where.at(names[0]),
                (entry.vm.name,),
            )


@rule("VMF130", "warning", "decision on a VM that does not move", each=True)
def idle(review: Review) -> Iterator[Problem]:
    """The entry says that the VM is not moved, and also how it moves: one of the two is left over.

    Decisions from `assign` rules and `defaults`, which apply to other VMs as well, are not meant here.
    """
    for subject in review.subjects:
        if subject.disposition not in ("retire", "retain", "exclude"):
            continue
        own = [
            name
            for field, name in _DECISIONS.items()
            if field not in ("disposition", "reason") and subject.origins.get(field) == subject.where.at(name)
        ]
        if own:
            yield subject.problem(
                f"its disposition is {subject.disposition}, and its entry states {', '.join(own)}",
                f"remove {', '.join(own)}, or the disposition",
                own[0],
            )


@rule("VMF131", "warning", "depends on a VM that is retired")
def needs_retired(review: Review) -> Iterator[Problem]:
    """The VM moves, and depends on one that will be switched off for good."""
    disposition = {subject.key: subject.disposition for subject in review.subjects}
    if "retire" not in disposition.values():
        return
    known = Directory(of_vm(subject.vm, subject.source) for subject in review.subjects)
    for subject, _, _ in review.moving:
        for need in needs(subject.vm, subject.source, known):
            if {disposition[mark.key] for mark in need.meant} == {"retire"}:
                yield subject.problem(
                    f"it depends on {need.text}, which is retired",
                    f"move or retain {need.text}, or remove it from dependsOn along with what uses it",
                    "dependsOn",
                    need.number,
                )


@rule("VMF132", "warning", "anti-affinity set with one member")
def alone(review: Review) -> Iterator[Problem]:
    """VMs with the same name under `apartFrom` prefer different nodes; a set with one member separates nothing.

    Often its name is spelt differently in the other VMs, or they go to another namespace: a set does not extend beyond
    one.
    """
    sizes = Counter((machine.namespace, machine.placement.apart_from) for _, _, machine in review.moving)
    for subject, _, machine in review.moving:
        name = machine.placement.apart_from
        if name is not None and machine.path != "rebuild" and sizes[machine.namespace, name] == 1:
            yield subject.decided(
                "apart_from",
                f"it is the only one apart from {name!r} in namespace {machine.namespace}",
                "give the VMs it must be kept apart from the same name, in the same namespace, or remove it",
            )


@rule("VMF135", "warning", "application of a VM that is not rebuilt", each=True)
def ignored_application(review: Review) -> Iterator[Problem]:
    """The entry describes containers that replace the VM, but its path copies the VM: they have no effect."""
    for subject, group, _ in review.moving:
        if subject.vm.application is not None and group.path != "rebuild":
            yield subject.problem(
                f"it has an `application`, but moves by path {group.path}",
                "set path: rebuild (or disposition: rebuild, with a reason), or remove application",
                "application",
            )


# --- which VMs a rule is for -----------------------------------------------------------------


def _matches_any(match: Match, review: Review) -> bool:
    """Return whether an `assign` rule matches any VM."""
    matches = Matcher(match)
    return any(matches(subject.vm, subject.source) for subject in review.subjects)
