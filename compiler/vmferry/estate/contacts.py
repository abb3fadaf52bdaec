"""Whom to reach while a group moves: what the nearest place of the spec says, from a VM up to the settings."""

from collections.abc import Iterable, Mapping
from typing import Literal

from vmferry.model.blueprint import Group
from vmferry.model.spec import Contacts, GroupState, MigrationSpec, Phase

Role = Literal["platform", "vSphere", "application", "network"]
"""Who does a step: who owns the GitOps repository, vCenter, the applications, or the network and DNS."""


def contacts_of(group: Group, spec: MigrationSpec, own: Iterable[str | None]) -> Mapping[Role, tuple[str, ...]]:
    """Return whom to reach for each role, without roles for which nobody is named.

    ``own`` has the contact of each VM of the group, None for one that states none. Such a VM has that of its group;
    where the group has none, that of its phase, and in the end that of the settings.
    """
    phase = next((each for each in spec.phases if each.name == group.phase), None)
    places = (
        spec.groups.get(group.name, GroupState()).contacts,
        phase.contacts if phase is not None else Contacts(),
        spec.settings.contacts,
    )
    return _found(places, [each or _nearest(place.application for place in places) for each in own])


def contacts_of_phase(phase: Phase, spec: MigrationSpec) -> Mapping[Role, tuple[str, ...]]:
    """Return whom to reach for each role in a phase that has no groups."""
    places = (phase.contacts, spec.settings.contacts)
    return _found(places, [_nearest(place.application for place in places)])


def _found(places: Iterable[Contacts], applications: Iterable[str | None]) -> Mapping[Role, tuple[str, ...]]:
    places = tuple(places)
    found: dict[Role, tuple[str | None, ...]] = {
        "platform": (_nearest(place.platform for place in places),),
        "vSphere": (_nearest(place.v_sphere for place in places),),
        "application": tuple(applications),
        "network": (_nearest(place.network for place in places),),
    }
    named = {role: tuple(dict.fromkeys(each for each in contacts if each)) for role, contacts in found.items()}
    return {role: contacts for role, contacts in named.items() if contacts}


def _nearest(contacts: Iterable[str | None]) -> str | None:
    return next((each for each in contacts if each is not None), None)
