"""Which firewall rules of NSX touch a segment, and by which way: what has to be replaced before its VMs move."""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from vmferry.estate.nsx.members import Directory
from vmferry.model.nsx import ANY, Nsx, NsxPolicy, NsxRule, NsxSegment

Way = Literal["segment", "group", "vm", "address", "any", "unknown"]
"""Why a rule touches a segment: it names the segment, or a group that has it, a group that has a VM on it, addresses of
it, or anything at all. `unknown`: it may, and nobody can say.
"""

WAYS: tuple[Way, ...] = ("segment", "group", "vm", "address", "any", "unknown")
_NAMED = 3


class Touch(NamedTuple):
    """A rule that touches a segment. ``enforced``: at the segment itself; None: nobody can say."""

    policy: NsxPolicy
    rule: NsxRule
    way: Way
    side: Literal["source", "destination", "both"]
    what: str
    enforced: bool | None


class _Match(NamedTuple):
    way: Way
    what: str


def touches(segment: NsxSegment, nsx: Nsx, directory: Directory) -> Iterator[Touch]:
    """Yield the rules that touch a segment, in the order in which NSX applies them."""
    for policy in nsx.policies:
        for rule in policy.rules:
            enforced = _enforced(policy, rule, segment, directory)
            if policy.kind == "gateway" and enforced is False:
                continue  # its traffic does not pass there
            source = _side(rule.sources, rule.sources_excluded, segment.path, directory)
            target = _side(rule.destinations, rule.destinations_excluded, segment.path, directory)
            found = [match for match in (source, target) if match is not None]
            if not found:
                continue
            best = min(found, key=lambda match: WAYS.index(match.way))
            if policy.kind == "gateway" and enforced is None:
                best = _Match("unknown", f"{best.what}; whether its gateway is one of the rule's is unknown")
            sides = [side for side, match in (("source", source), ("destination", target)) if match == best]
            yield Touch(
                policy,
                rule,
                best.way,
                "both" if len(sides) != 1 else "source" if sides == ["source"] else "destination",
                best.what,
                enforced,
            )


def _side(references: Iterable[str], excluded: bool, segment: str, directory: Directory) -> _Match | None:
    """Return why one side of a rule has a segment, or VMs on it; None if it has not."""
    texts = tuple(references)
    if ANY in texts:
        return None if excluded else _Match("any", ANY)
    found = [match for text in texts if (match := _reference(text, segment, directory)) is not None]
    if not excluded:
        return min(found, key=lambda match: WAYS.index(match.way), default=None)
    if any(match.way in ("segment", "group") for match in found):
        return None
    names = ", ".join(directory.name(text) for text in texts[:_NAMED]) + (" and more" if len(texts) > _NAMED else "")
    unknown = next((match.what for match in found if match.way == "unknown"), None)
    return _Match(
        "any" if unknown is None else "unknown", f"everyone but {names}" + (f" ({unknown})" if unknown else "")
    )


def _reference(reference: str, segment: str, directory: Directory) -> _Match | None:
    members, name = directory.members(reference), directory.name(reference)
    if reference == segment:
        return _Match("segment", "the segment itself")
    if segment in members.segments:
        return _Match("group", f"group {name} has the segment")
    ports = directory.on(segment)
    if inside := ports & members.ports:
        vms = sorted({directory.ports[number].name for number in inside})
        more = f" and {len(vms) - _NAMED} more" if len(vms) > _NAMED else ""
        who = f"group {name}" if reference.startswith("/") else name
        return _Match("vm", f"{who} has {', '.join(vms[:_NAMED])}{more}")
    parts = sorted(what for path, what in members.parts if path == segment)
    if parts:
        who = f"group {name}" if reference.startswith("/") else name
        return _Match("address", f"{who} has {parts[-1]} of it")
    if segment in members.maybe_segments or ports & members.maybe:
        return _Match("unknown", f"group {name}: {'; '.join(sorted(members.why)[:_NAMED])}")
    return None


def _enforced(policy: NsxPolicy, rule: NsxRule, segment: NsxSegment, directory: Directory) -> bool | None:
    """Return whether a rule is enforced at a segment; the scope of its policy wins (schema SecurityPolicy)."""
    scope = rule.applied_to if policy.applied_to == (ANY,) else policy.applied_to
    if policy.kind == "gateway":
        return _behind(scope, segment)
    if ANY in scope:
        return True
    matches = [match for text in scope if (match := _reference(text, segment.path, directory)) is not None]
    if any(match.way != "unknown" for match in matches):
        return True
    return None if matches else False


def _behind(scope: tuple[str, ...], segment: NsxSegment) -> bool | None:
    """Return whether a segment's traffic passes one of some gateways, or one of their interfaces."""
    if ANY in scope or segment.gateway is None:
        return None  # VLAN segments may hang on an interface of a gateway, which the segment does not say
    if any(text == segment.gateway or text.startswith(f"{segment.gateway}/") for text in scope):
        return True
    return None if any("/tier-0s/" in text for text in scope) else False  # a tier-1 gateway hangs on some tier-0
