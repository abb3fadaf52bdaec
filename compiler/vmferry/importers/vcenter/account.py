"""Whether the account of a session may do its work in vCenter, and what it may do beyond that."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from pyVmomi import vim

from vmferry.estate.vcenter_account import AT_ROOT, SYSTEM, Work, needed, superfluous
from vmferry.estate.wording import counted
from vmferry.importers.errors import ImporterError
from vmferry.importers.vcenter.collect import key
from vmferry.importers.vcenter.session import Session

_SHOWN = 5
_ROOT = "the root"
_datacenter: Any = vim.Datacenter  # pyvmomi's stubs do not type constructors
_RULES = "Authorization.ModifyPermissions"
"""Who has it can give themselves any other."""


def check_privileges(session: Session, works: tuple[Work, ...], datacenters: Mapping[str, str]) -> tuple[str, ...]:
    """Return what the account may do beyond ``works``, as notes; ``datacenters`` are ids by name.

    A privilege counts that the account has at the root or, unless it only counts there, in every datacenter. Raises
    ImporterError for what is missing, with the place.
    """
    user = str(session.content.sessionManager.currentSession.userName)
    inside = {f"datacenter {name}": _datacenter(id_, session.stub) for name, id_ in sorted(datacenters.items())}
    found = _privileges(session, user, {_ROOT: session.content.rootFolder, **inside})
    lacks: defaultdict[str, list[str]] = defaultdict(list)
    for privilege in sorted(needed(works) - found[_ROOT]):
        places = [_ROOT] if privilege in AT_ROOT or not inside else list(inside)
        for place in places:
            if privilege not in found[place]:
                lacks[place].append(privilege)
    if lacks:
        missing = "; ".join(f"at {place}: {', '.join(names)}" for place, names in lacks.items())
        raise ImporterError(f"user {user!r} lacks privileges for {', '.join(works)}, {missing}")
    return tuple(_more(user, frozenset().union(*found.values()), works))


def _privileges(session: Session, user: str, places: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Return the privileges of a user at each place (AuthorizationManager, since vSphere API 5.5)."""
    manager: Any = session.content.authorizationManager
    given = manager.FetchUserPrivilegeOnEntities(entities=list(places.values()), userName=user) or ()
    by_key = {key(each.entity): frozenset(each.privileges or ()) for each in given}
    return {name: by_key.get(key(entity), frozenset()) | _implied(by_key) for name, entity in places.items()}


def _implied(found: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return what vCenter gives with any other privilege, whether it lists it or not."""
    return SYSTEM if any(found.values()) else frozenset()


def _more(user: str, found: Iterable[str], works: tuple[Work, ...]) -> list[str]:
    more = superfluous(found, works)
    if not more:
        return []
    kinds = ", ".join(works)
    if _RULES in more:
        return [
            f"user {user!r} is an administrator: it has {counted(len(more), 'privilege')} that {kinds} does not need"
        ]
    shown = ", ".join(more[:_SHOWN]) + (f" and {len(more) - _SHOWN} more" if len(more) > _SHOWN else "")
    return [f"user {user!r} has {counted(len(more), 'privilege')} that {kinds} does not need: {shown}"]
