"""Decides move groups again by themselves after they moved to a later stage: the rest of the Blueprint stays.

A stage says how far a group is. What becomes of its VMs was decided when it was planned, so nothing else depends on it,
apart from what is checked here: the order in which VMs start that depend on each other, the place where conversions
take turns, and what a namespace needs. Groups are also decided as they were before: if the result is not the known one,
they depend on others, and everything has to be decided.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from msgspec import structs

from vmferry.estate.resolution import Resolution
from vmferry.model.blueprint import Blueprint, Group
from vmferry.model.project import Project
from vmferry.resolve.blueprint import Beside, resolve
from vmferry.resolve.turns import is_converted


class GroupsAgain(NamedTuple):
    """The Blueprint after some groups were decided again, and these groups alone, as they were and as they are."""

    blueprint: Blueprint
    was: Resolution
    now: Resolution


def decide_groups(
    was: Project, now: Project, names: Collection[str], blueprint: Blueprint, standard: Mapping[str, int]
) -> GroupsAgain | None:
    """Return a Blueprint in which these groups are decided again. None if everything has to be.

    Both projects have the entries and the assignments of these groups alone, before and after; ``blueprint`` is what
    was decided before. ``standard`` counts the standard VMs of each vCenter.
    """
    own = tuple(group for group in blueprint.groups if group.name in names)
    if any(state.split_from and {name, state.split_from} & {*names} for name, state in now.spec.groups.items()):
        return None  # a group and those that VMs left it for are decided together
    others = (machine for group in blueprint.groups if group.name not in names for machine in group.machines)
    beside = Beside(standard, tuple(filter(is_converted, others)))
    before, after = (resolve(each, reasons=False, beside=beside) for each in (was, now))
    if before.blueprint.groups != own or before.blueprint.sources != blueprint.sources:
        return None
    if structs.replace(before.blueprint, groups=()) != structs.replace(after.blueprint, groups=()):
        return None
    again = {group.name: group for group in after.blueprint.groups}
    if again.keys() != {group.name for group in own} or _start(own, again, after):
        return None
    groups = tuple(again.get(group.name, group) for group in blueprint.groups)
    return GroupsAgain(structs.replace(blueprint, groups=groups), before, after)


def _start(own: tuple[Group, ...], again: Mapping[str, Group], after: Resolution) -> bool:
    """Return whether VMs now run that depend on others."""
    started = {group.name for group in own if again[group.name].running and not group.running}
    return any(
        subject.group is not None and subject.group.name in started and (subject.vm.depends_on or subject.vm.clone_of)
        for subject in after.subjects
    )
