"""Who is in a group of NSX: segments, VMs on them, and what cannot be decided with the facts at hand.

NSX evaluates conditions by the member: a group has whole segments, or the ports of VMs. Comparisons ignore case
(NSX-T Data Center REST API, schema Condition). What needs facts that nobody imported is undecided, never a guess.
"""

import ipaddress
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from vmferry.model.keys import VmKey
from vmferry.model.nsx import Nsx, NsxCondition, NsxGroup, NsxVm

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Span = tuple[Address, Address]

_DEEPEST = 50  # groups in groups
_ELSEWHERE = ("Pod", "Service", "Namespace", "TransportNode", "Kubernetes", "Antrea", "BareMetal", "CloudNative")
"""What kinds of members begin with that are no VMs on segments (schema Condition, member_type)."""
_COMPARE: Mapping[str, Callable[[str, str], bool]] = {
    "EQUALS": lambda text, value: text == value,
    "NOTEQUALS": lambda text, value: text != value,
    "CONTAINS": lambda text, value: value in text,
    "STARTSWITH": lambda text, value: text.startswith(value),
    "ENDSWITH": lambda text, value: text.endswith(value),
}


class Port(NamedTuple):
    """A NIC of a VM on a segment. ``addresses`` is None if nobody knows them."""

    vm: VmKey
    name: str
    segment: str  # the path of its segment
    hostname: str | None = None
    instance_uuid: str | None = None
    addresses: tuple[Address, ...] | None = None
    mac: str | None = None


class Place(NamedTuple):
    """A segment on which VMs are, or could be, with its subnets as far as they are known."""

    path: str
    name: str
    tags: tuple[str, ...] = ()
    subnets: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()


class Members(NamedTuple):
    """Who is a member: segments by path, ports by number. ``parts`` are of segments that are members in part.

    ``maybe`` and ``maybe_segments`` are undecided, for the reasons in ``why``.
    """

    segments: frozenset[str] = frozenset()
    parts: frozenset[tuple[str, str]] = frozenset()  # with what of them is: `addresses`, or `a port`
    ports: frozenset[int] = frozenset()
    maybe: frozenset[int] = frozenset()
    maybe_segments: frozenset[str] = frozenset()
    why: frozenset[str] = frozenset()


NOBODY = Members()


def either(one: Members, other: Members) -> Members:
    """Return who is in one group or the other."""
    ports, segments = one.ports | other.ports, one.segments | other.segments
    return Members(
        segments,
        one.parts | other.parts,
        ports,
        (one.maybe | other.maybe) - ports,
        (one.maybe_segments | other.maybe_segments) - segments,
        one.why | other.why,
    )


def both(one: Members, other: Members) -> Members:
    """Return who is in both."""
    ports, segments = one.ports & other.ports, one.segments & other.segments
    return Members(
        segments,
        one.parts & other.parts,
        ports,
        ((one.ports | one.maybe) & (other.ports | other.maybe)) - ports,
        ((one.segments | one.maybe_segments) & (other.segments | other.maybe_segments)) - segments,
        one.why | other.why,
    )


class Directory:
    """The groups of one NSX, with the segments and ports that may be in them."""

    def __init__(self, nsx: Nsx, places: Iterable[Place], ports: Sequence[Port]) -> None:
        self.places = {place.path: place for place in places}
        self.ports = ports
        self.groups = {group.path: group for group in nsx.groups}
        self._known: dict[str, Members] = {}
        self._open: set[str] = set()  # groups that are being worked out; NSX itself refuses rings
        on: defaultdict[str, set[int]] = defaultdict(set)
        for number, port in enumerate(ports):
            on[port.segment].add(number)
        self._on = {segment: frozenset(numbers) for segment, numbers in on.items()}
        self._vms = _Vms(nsx.vms, ports)

    def on(self, segment: str) -> frozenset[int]:
        """Return the ports of a segment."""
        return self._on.get(segment, frozenset())

    def members(self, reference: str) -> Members:
        """Return who a path, or an address, stands for."""
        if reference not in self._known:
            if reference in self._open or len(self._open) > _DEEPEST:
                return self.undecided("groups contain each other")
            self._open.add(reference)
            self._known[reference] = self._reference(reference)
            self._open.discard(reference)
        return self._known[reference]

    def name(self, reference: str) -> str:
        """Return a path as people know it."""
        group = self.groups.get(reference)
        return group.name if group is not None else reference.rpartition("/")[2] or reference

    def undecided(self, why: str, *, segments: bool = True) -> Members:
        """Return that nobody can say who it is."""
        every = frozenset(self.places) if segments else frozenset()
        return Members(maybe=frozenset(range(len(self.ports))), maybe_segments=every, why=frozenset((why,)))

    def _reference(self, reference: str) -> Members:
        if not reference.startswith("/"):
            return self._addresses((reference,))
        if (group := self.groups.get(reference)) is not None:
            return self._group(group)
        if reference in self.places:
            return Members(segments=frozenset((reference,)), ports=self.on(reference))
        segment = reference.partition("/ports/")[0]
        if segment in self.places:
            return Members(parts=frozenset(((segment, "a port"),)))
        if "/segments/" in reference:
            return NOBODY  # one without VMs
        return self.undecided(f"{reference} is not in the import")

    def _group(self, group: NsxGroup) -> Members:
        found = NOBODY
        for criterion in group.any_of:
            every = [self._condition(condition) for condition in criterion.all_of]
            together = every[0]
            for one in every[1:]:
                together = both(together, one)
            found = either(found, together)
        if not group.users:
            return found
        return Members(
            maybe=found.ports | found.maybe,
            maybe_segments=found.segments | found.maybe_segments | {segment for segment, _ in found.parts},
            why=found.why | {"it is limited to users of a directory"},
        )

    def _condition(self, condition: NsxCondition) -> Members:
        of = condition.of or "VirtualMachine"
        if condition.what == "path":
            found = NOBODY
            for path in condition.values:
                found = either(found, self.members(path))
            return found
        if condition.what == "address":
            return self._addresses(condition.values)
        if condition.what == "mac":
            return self._macs(condition.values)
        if of.startswith(_ELSEWHERE):
            return NOBODY
        compare = _COMPARE.get(condition.operator or "EQUALS")
        if compare is None or condition.what == "other":
            return self.undecided(f"{_said(condition)} cannot be decided", segments=of != "VirtualMachine")
        if of == "Segment" and condition.what in ("tag", "name"):
            return self._segments(condition, compare)
        if of == "VirtualMachine":
            return self._machines(condition, compare)
        return self.undecided(f"{_said(condition)} needs facts that are not imported")

    def _segments(self, condition: NsxCondition, compare: Callable[[str, str], bool]) -> Members:
        found: set[str] = set()
        for place in self.places.values():
            if condition.what == "name":
                holds: bool | None = compare(place.name.casefold(), condition.values[0].casefold())
            else:
                holds = _tagged(place.tags, condition, compare)
            if holds is None:
                return self.undecided(f"{_said(condition)} cannot be decided")
            if holds:
                found.add(place.path)
        return Members(segments=frozenset(found), ports=frozenset(number for path in found for number in self.on(path)))

    def _machines(self, condition: NsxCondition, compare: Callable[[str, str], bool]) -> Members:
        """Return the ports of VMs that fulfil a condition."""
        yes: set[int] = set()
        maybe: set[int] = set()
        for number, port in enumerate(self.ports):
            holds = self._holds(port, condition, compare)
            (yes if holds else maybe).update(() if holds is False else (number,))
        why = {f"{_said(condition)}: {_LACKING.get(condition.what, 'unknown')}"} if maybe else set()
        return Members(ports=frozenset(yes), maybe=frozenset(maybe), why=frozenset(why))

    def _holds(self, port: Port, condition: NsxCondition, compare: Callable[[str, str], bool]) -> bool | None:
        if condition.what == "name":
            return compare(port.name.casefold(), condition.values[0].casefold())
        if condition.what == "hostname":
            return compare(port.hostname.casefold(), condition.values[0].casefold()) if port.hostname else None
        known = self._vms.of(port)
        if condition.what == "tag":
            return _tagged(known.tags, condition, compare) if known is not None else None
        wanted = {value.casefold() for value in condition.values}
        if known is not None:
            return known.id.casefold() in wanted
        return True if port.instance_uuid is not None and port.instance_uuid.casefold() in wanted else None

    def _addresses(self, texts: Iterable[str]) -> Members:
        spans = []
        for text in texts:
            span = span_of(text)
            if span is None:
                return self.undecided(f"{text!r} is not an address")
            spans.append(span)
        parts = frozenset(
            (place.path, "addresses")
            for place in self.places.values()
            if any(_overlap(span, (net[0], net[-1])) for span in spans for net in place.subnets)
        )
        near = {path for path, _ in parts}
        yes: set[int] = set()
        maybe: set[int] = set()
        for number, port in enumerate(self.ports):
            if port.addresses is None:
                subnets = self.places[port.segment].subnets if port.segment in self.places else ()
                maybe.update((number,) if port.segment in near or not subnets else ())
            elif any(_overlap(span, (address, address)) for span in spans for address in port.addresses):
                yes.add(number)
        why = {"addresses of VMs are unknown"} if maybe else set()
        return Members(parts=parts, ports=frozenset(yes), maybe=frozenset(maybe), why=frozenset(why))

    def _macs(self, texts: Iterable[str]) -> Members:
        wanted = {_mac(text) for text in texts}
        yes = frozenset(number for number, port in enumerate(self.ports) if port.mac and _mac(port.mac) in wanted)
        maybe = frozenset(number for number, port in enumerate(self.ports) if not port.mac)
        return Members(ports=yes, maybe=maybe, why=frozenset(("MAC addresses of VMs are unknown",) if maybe else ()))


_LACKING = {
    "tag": "the tags of VMs in NSX are not in the import",
    "hostname": "host names of VMs are unknown",
    "id": "NSX's ids of VMs are not in the import",
}


class _Vms:
    """Finds the VM of NSX that a port belongs to: by vCenter's UUID of it, otherwise by a unique name."""

    def __init__(self, vms: Iterable[NsxVm], ports: Iterable[Port]) -> None:
        self._by_uuid: dict[str, NsxVm] = {}
        self._by_name: defaultdict[str, list[NsxVm]] = defaultdict(list)
        for vm in vms:
            self._by_name[vm.name].append(vm)
            if vm.instance_uuid is not None:
                self._by_uuid[vm.instance_uuid.lower()] = vm
        self._names: defaultdict[str, set[VmKey]] = defaultdict(set)
        for port in ports:
            self._names[port.name].add(port.vm)

    def of(self, port: Port) -> NsxVm | None:
        """Return the VM; None if NSX does not have it, or several could be meant."""
        if port.instance_uuid is not None and (found := self._by_uuid.get(port.instance_uuid.lower())) is not None:
            return found
        named = self._by_name.get(port.name, ())
        return named[0] if len(named) == 1 and len(self._names[port.name]) == 1 else None


def _said(condition: NsxCondition) -> str:
    """Return a condition in NSX's words."""
    if condition.what == "other":
        return condition.values[0]
    words = (condition.of or "VirtualMachine", condition.what, condition.operator or "", condition.values[0])
    return " ".join(word for word in words if word)


def _tagged(tags: Iterable[str], condition: NsxCondition, compare: Callable[[str, str], bool]) -> bool | None:
    """Return whether any tag fits `scope|tag`; an empty part fits any. None if that is not clear."""
    scope, bar, tag = condition.values[0].casefold().partition("|")
    if not bar or condition.operator == "NOTEQUALS" or not (scope or tag):
        return None
    for text in tags:
        its_scope, _, its_tag = text.casefold().partition("|")
        if (not scope or its_scope == scope) and (not tag or compare(its_tag, tag)):
            return True
    return False


def span_of(text: str) -> Span | None:
    """Return the first and the last address of an address, a subnet, or a range with a dash; None for other texts."""
    first, dash, last = text.partition("-")
    try:
        if dash:
            start, end = ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip())
            return (start, end) if start.version == end.version and int(start) <= int(end) else None
        net = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None
    return net[0], net[-1]


def _overlap(one: Span, other: Span) -> bool:
    if one[0].version != other[0].version:
        return False
    return int(one[0]) <= int(other[1]) and int(other[0]) <= int(one[1])


def _mac(text: str) -> str:
    return text.lower().replace("-", ":")
