"""Who may do what in each namespace: exactly what `access` confirms, merged by namespace and role."""

import difflib
from collections import defaultdict
from collections.abc import Mapping

from vmferry.estate.statements import DEFINED_TWICE, UNDEFINED_REFERENCE
from vmferry.model.finding import Finding, Where
from vmferry.model.rule import declare
from vmferry.model.spec import Access, AccessRole, Namespace
from vmferry.resolve.notes import Noting

Granted = Mapping[AccessRole, tuple[str, ...]]
"""Groups of people by role; both are sorted."""

NO_GROUP = declare(
    "VMF142",
    "error",
    "access for no group",
    why="`vmferry report people` leaves the group of each proposal empty, because only you know what the cluster calls "
    "it: Kubernetes takes any text for a group, and access for one that nobody is in helps nobody. A name with blanks "
    "around it is a different group from the one without them.",
    source="kubernetes/website content/en/docs/reference/access-authn-authz/rbac.md (Referring to subjects)",
)


def plan_access(
    access: tuple[Access, ...], namespaces: tuple[Namespace, ...], where: Where
) -> Noting[Mapping[str, Granted]]:
    """Return what is granted in each namespace. ``where`` is the spec."""
    known = [namespace.name for namespace in namespaces]
    granted: defaultdict[str, defaultdict[AccessRole, set[str]]] = defaultdict(lambda: defaultdict(set))
    for index, entry in enumerate(access):
        place = where.at("access", index)
        if not entry.group or entry.group != entry.group.strip():
            yield _no_group(entry.group, place)
        for position, name in enumerate(entry.namespaces):
            here = place.at("namespaces", position)
            if name not in known:
                yield _unknown(name, known, here)
            if entry.group in granted[name][entry.role]:
                message = f"group {entry.group!r} has role {entry.role} in namespace {name} twice"
                yield DEFINED_TWICE.finding(message, "remove one of the two", where=here)
            granted[name][entry.role].add(entry.group)
    return {
        name: {role: tuple(sorted(groups)) for role, groups in sorted(roles.items())} for name, roles in granted.items()
    }


def _no_group(group: str, place: Where) -> Finding:
    return NO_GROUP.finding(
        f"the group is {group!r}",
        "name the group as the cluster knows it, with the prefix of its OIDC settings, or remove the entry",
        where=place.at("group"),
    )


def _unknown(name: str, known: list[str], place: Where) -> Finding:
    close = difflib.get_close_matches(name, known, n=1)
    return UNDEFINED_REFERENCE.finding(
        f"namespace {name} of `access` is not defined" + (f"; did you mean {close[0]}?" if close else ""),
        f"add it to `namespaces`, or use one of: {', '.join(sorted(known)) or 'none yet'}",
        where=place,
    )
