"""The order of the migration: phases, and VMs that depend on each other."""

import difflib
import graphlib
from collections import defaultdict
from collections.abc import Iterable, Mapping

from vmferry.estate import identity
from vmferry.estate.phases import ancestors
from vmferry.estate.statements import DEFINED_TWICE, UNDEFINED_REFERENCE
from vmferry.model.blueprint import Group, Machine
from vmferry.model.finding import Where
from vmferry.model.keys import VmKey
from vmferry.model.rule import declare
from vmferry.model.spec import Phase
from vmferry.resolve.cards import Card
from vmferry.resolve.notes import Noting
from vmferry.resolve.selection import Candidate

PHASE_CYCLE = declare(
    "VMF403",
    "error",
    "phases form a cycle",
    why="Each phase would wait for the other, so none could start. Flux would only report that a dependency is not "
    "ready.",
    source="fluxcd/kustomize-controller docs/spec/v1/kustomizations.md (dependsOn)",
)


def order_phases(phases: tuple[Phase, ...], where: Where) -> Noting[tuple[Phase, ...]]:
    """Return the phases, each after those in its `after`; ties keep the spec's order. ``where`` is the spec."""
    known: dict[str, int] = {}
    for index, phase in enumerate(phases):
        if known.setdefault(phase.name, index) != index:
            yield DEFINED_TWICE.finding(f"phase {phase.name} is defined twice", where=where.at("phases", index, "name"))
    for index, phase in enumerate(phases):
        for number, name in enumerate(phase.after):
            if name not in known:
                close = difflib.get_close_matches(name, list(known), n=1)
                yield UNDEFINED_REFERENCE.finding(
                    f"phase {name} is not defined" + (f"; did you mean {close[0]}?" if close else ""),
                    f"defined phases: {', '.join(known)}",
                    where=where.at("phases", index, "after", number),
                )
    sorter = graphlib.TopologicalSorter(
        {phase.name: [name for name in phase.after if name in known] for phase in phases}
    )
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        cycle = " → ".join(error.args[1])
        first = known[error.args[1][0]]
        yield PHASE_CYCLE.finding(
            f"phases form a cycle: {cycle}",
            "remove one of these from `after`",
            where=where.at("phases", first, "after"),
        )
        return phases
    return _stable(phases)


def _stable(phases: tuple[Phase, ...]) -> tuple[Phase, ...]:
    done: dict[str, Phase] = {}
    names = {phase.name for phase in phases}
    waiting = list(phases)
    while waiting:
        ready = next(p for p in waiting if all(a in done or a not in names for a in p.after))
        waiting.remove(ready)
        done[ready.name] = ready
    return tuple(done.values())


def check_phases(candidates: tuple[Candidate, ...], phases: tuple[Phase, ...]) -> Noting[None]:
    """Report VMs in an undefined phase."""
    known = [phase.name for phase in phases]
    for candidate in candidates:
        phase = candidate.decisions.phase
        if phase is not None and phase not in known:
            close = difflib.get_close_matches(phase, known, n=1)
            yield UNDEFINED_REFERENCE.finding(
                f"phase {phase} of VM {candidate.vm.name} is not defined"
                + (f"; did you mean {close[0]}?" if close else ""),
                f"defined phases: {', '.join(known)}",
                where=candidate.origin("phase"),
                vms=(candidate.vm.name,),
            )


def dependencies(cards: tuple[Card, ...], everyone: Iterable[Card]) -> Noting[dict[VmKey, frozenset[VmKey]]]:
    """Return the dependencies of each moving VM, by key; unknown names are findings."""
    known = identity.Directory(card.mark for card in everyone)
    moving = {card.key for card in cards}
    templates: dict[tuple[str, str | None], VmKey] = {
        (card.source, card.name): card.key for card in cards if card.template
    }
    result: dict[VmKey, frozenset[VmKey]] = {}
    for card in cards:
        found: set[VmKey] = set()
        if template := templates.get((card.source, card.clone_of)):
            found.add(template)
        for index, wanted in card.depends_on:
            key = yield from _resolve(card, wanted, index, known)
            if key is not None and key in moving:
                found.add(key)
        result[card.key] = frozenset(found - {card.key})
    return result


def _resolve(card: Card, wanted: str, index: int, known: identity.Directory) -> Noting[VmKey | None]:
    meant = known.meant(wanted, card.source)
    if len(meant) == 1:
        return meant[0].key
    where = card.where.at("dependsOn", index)
    close = difflib.get_close_matches(wanted, known.names(), n=1)
    if meant:
        message, fix = (
            f"depends on {wanted!r}, but {len(meant)} VMs have that name",
            "use the id, or SOURCE/NAME",
        )
    else:
        guess = f"; did you mean {close[0]}?" if close else ""
        message, fix = (
            f"depends on {wanted!r}, which is not a VM{guess}",
            "for anything else, write {external: HOST:PORT}",
        )
    yield UNDEFINED_REFERENCE.finding(f"VM {card.name} {message}", fix, where=where, vms=(card.name,))
    return None


DEPENDENCY_CYCLE = declare(
    "VMF401",
    "error",
    "dependency cycle across phases",
    why="Each of these VMs would have to move before the other, and their phases are weeks apart: whichever goes "
    "first runs without what it depends on.",
)


MOVES_TOO_EARLY = declare(
    "VMF402",
    "error",
    "VM would move before what it depends on",
    why="The VM would run in the cluster while its database, for example, is still in vSphere, on another network and "
    "behind another firewall. It may work, but cutover is the wrong time to find out.",
)


def check_order(
    cards: tuple[Card, ...],
    needs: dict[VmKey, frozenset[VmKey]],
    cycles: tuple[frozenset[VmKey], ...],
    phases: tuple[Phase, ...],
) -> Noting[None]:
    """Report cycles across phases, and VMs whose phase comes before that of a dependency."""
    by_key = {card.key: card for card in cards}
    before = ancestors(phases)
    in_cycle = {key: cycle for cycle in cycles for key in cycle}
    for cycle in cycles:
        members = [by_key[key] for key in sorted(cycle)]
        if len({member.phase for member in members}) > 1:
            names = ", ".join(f"{member.name} ({member.phase})" for member in members)
            yield DEPENDENCY_CYCLE.finding(
                f"VMs in different phases form a dependency cycle: {names}",
                "put them in one phase, or remove a dependency",
                where=members[0].where.at("dependsOn"),
                vms=tuple(member.name for member in members),
            )
    for card in cards:
        for key in sorted(needs[card.key]):
            phase, other = card.phase, by_key[key].phase
            if (
                phase
                and other
                and phase in before.get(other, ())
                and in_cycle.get(key) is not in_cycle.get(card.key, ())
            ):
                yield MOVES_TOO_EARLY.finding(
                    f"VM {card.name} moves in {phase}, before {by_key[key].name} ({other}), which it needs",
                    f"move {by_key[key].name} earlier, or {card.name} later",
                    where=card.where.at("dependsOn"),
                    vms=(card.name, by_key[key].name),
                )


def within_phases(
    cycles: tuple[frozenset[VmKey], ...], machines: Mapping[VmKey, Machine]
) -> tuple[frozenset[VmKey], ...]:
    """Return the cycles within one phase; those across phases are separate errors."""
    return tuple(c for c in cycles if len({machines[key].phase for key in c if key in machines}) <= 1)


def cycles(needs: dict[VmKey, frozenset[VmKey]]) -> tuple[frozenset[VmKey], ...]:
    """Return the sets of VMs that form a dependency cycle."""
    if not any(needs.values()):
        return ()
    import networkx as nx  # slow to import, and most specs have no dependencies

    graph: nx.DiGraph[VmKey] = nx.DiGraph(
        [(key, other) for key, others in sorted(needs.items()) for other in sorted(others)]
    )
    return tuple(frozenset(found) for found in nx.strongly_connected_components(graph) if len(found) > 1)


def check_running(
    needs: dict[VmKey, frozenset[VmKey]],
    groups: tuple[Group, ...],
    keys: dict[VmKey, VmKey],
    where: Where,
) -> Noting[None]:
    """Report groups that run before a group that they depend on. ``keys``: candidate to machine."""
    homes = {machine.key: (group, machine) for group in groups for machine in group.machines}
    late: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for key, others in sorted(needs.items()):
        if (home := homes.get(keys[key])) is None or not home[0].running:
            continue
        for other in sorted(others):
            needed = homes.get(keys[other])
            if needed is not None and not needed[0].running and needed[0].stage != "rolled-back":
                late[home[0].name, needed[0].name].append((home[1].name, needed[1].name))
    for (group, needed_group), pairs in late.items():
        first, second = pairs[0]
        yield MOVES_TOO_EARLY.finding(
            f"group {group} is at cutover before {needed_group}: {first} needs {second}",
            f"move {needed_group} to cutover first, or in the same change",
            where=where.at("groups", group),
            vms=tuple(sorted({name for pair in pairs for name in pair})),
        )
