"""The consequences of a change between two remembered states: what is equal on both sides is not even decoded."""

from collections.abc import Set
from datetime import datetime

from msgspec import structs

from vmferry.cache import Cache
from vmferry.consequences import Consequences, consequences
from vmferry.model.blueprint import Group
from vmferry.model.finding import Where
from vmferry.model.keys import VmKey
from vmferry.model.review import Review, Subject, review_of
from vmferry.model.spec import Decisions, VirtualMachine
from vmferry.solved import Card, Solved, groups_of


def of_known(before: Solved, after: Solved, now: datetime | None, cache: Cache) -> Consequences | None:
    """Return what `consequences` does; None if something it needs is not remembered.

    Groups with the same digest and VMs with the same card differ in nothing, and are left out on both sides: a VM like
    that is matched with itself before any other could be. Rows of `assign` that differ need the facts of all VMs.
    """
    if before.project.spec.assign != after.project.spec.assign:
        return None
    names = {name for name, _ in before.groups.items() ^ after.groups.items()}
    names |= {state.split_from for state in after.project.spec.groups.values() if state.split_from is not None}
    if after.project.evidence is not None:  # measured rates
        names |= {entry.group for entry in after.project.evidence.entries if entry.group is not None}
    was, here = groups_of(before, names, cache), groups_of(after, names, cache)
    if was is None or here is None:
        return None
    moved = {machine.key for group in (*was, *here) for machine in group.machines}
    then, today = frozenset(before.cards_of_vms()), frozenset(after.cards_of_vms())
    one = _review(before, was, _concerned(then, today, moved))
    other = _review(after, here, _concerned(today, then, moved))
    return consequences(one, other, now) if one is not None and other is not None else None


def _concerned(own: Set[Card], other: Set[Card], moved: Set[VmKey]) -> list[Card]:
    """Return the VMs that a comparison is about: others on the other side, or in a group that is compared."""
    return sorted((card for card in own if card not in other or card.machine in moved), key=lambda card: card.key)


def _review(state: Solved, groups: tuple[Group, ...], cards: list[Card]) -> Review | None:
    """Return the review of some groups and VMs; None if a VM is in another group."""
    homes = {machine.key: (group, machine) for group in groups for machine in group.machines}
    subjects = []
    for card in cards:
        if card.machine is not None and card.machine not in homes:
            return None
        group, machine = homes[card.machine] if card.machine is not None else (None, None)
        subjects.append(
            Subject(
                key=card.key,
                source=card.source,
                vm=VirtualMachine(
                    name=card.name,
                    id=card.id,
                    uuid=card.uuid,
                    instance_uuid=card.instance_uuid,
                    used_storage=state.used.get(card.key),
                ),
                decisions=Decisions(),
                where=Where(file=""),
                origins={},
                disposition=card.disposition,
                group=group,
                machine=machine,
            )
        )
    return review_of(state.project, structs.replace(state.blueprint, groups=groups), tuple(subjects))
