"""The chapter on NSX of the networks document: which firewall rules touch each network, and what replaces them."""

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

from vmferry.estate.nsx.members import Address, Directory, Place, Port
from vmferry.estate.nsx.segments import Segment, Segments
from vmferry.estate.nsx.touching import Touch, Way, touches
from vmferry.estate.wording import counted
from vmferry.model.facts import Nic
from vmferry.model.nsx import ANY, NsxSegment
from vmferry.model.report import Column, Prose, Row, Table
from vmferry.model.review import Subject
from vmferry.model.spec import (
    IgnoredNetwork,
    NetworkTarget,
    OvnLayer2,
    OvnLocalnet,
    PodNetwork,
)

Enforced = Literal["yes", "no", "unknown", "in part"]


class NsxUse(Struct, frozen=True, kw_only=True):
    """What NSX says of a network: its segment, and how many rules touch it. Disabled rules count apart.

    ``candidates`` are the segments that it may be: none, one, or several, which is ambiguous.
    """

    manager: str | None
    segment: str | None
    candidates: tuple[str, ...]
    touching: int = 0
    by_any: int = 0
    unknown: int = 0
    disabled: int = 0


class RuleUse(Struct, frozen=True, kw_only=True):
    """A rule that touches a network, and why. ``network`` is None for a rule that touches networks by ANY alone."""

    network: str | None
    source: str | None  # the vCenter
    networks: int  # that it touches this way
    manager: str
    policy: str
    kind: str
    category: str | None
    rule: str
    action: str
    direction: str
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    services: tuple[str, ...]
    applied_to: tuple[str, ...]
    enforced: Enforced  # at the network itself; `in part`: not at all of them
    way: Way
    what: str
    disabled: bool


class On(NamedTuple):
    """A NIC on a network, with its VM."""

    subject: Subject
    nic: Nic


class Network(NamedTuple):
    """A network of the document, as NSX is asked about it."""

    source: str
    name: str
    ids: tuple[str, ...]
    kind: str | None
    subnet: str | None
    nics: Sequence[On]


class Firewall(NamedTuple):
    """What NSX says of all networks, in their order, the rules that touch them, and segments that none of them is."""

    uses: tuple[NsxUse, ...]
    rules: tuple[RuleUse, ...]
    unmatched: tuple[str, ...]


def firewall_of(segments: Segments, networks: Sequence[Network]) -> Firewall:
    """Return what NSX says of networks."""
    found = [segments.of(each.source, each.name, each.ids, each.kind) for each in networks]
    matched = [each[0] if len(each) == 1 else None for each in found]
    touched: list[tuple[Touch, ...]] = [()] * len(networks)
    names: dict[str, Directory] = {}
    for manager in segments.managers:
        names[manager], own = _touched(manager, segments, networks, matched)
        for number, touching in own.items():
            touched[number] = touching
    uses = tuple(_use(each, segment, touching) for each, segment, touching in zip(found, matched, touched, strict=True))
    known = {segment.key for each in found for segment in each}
    unmatched = (
        facts.name
        for manager, nsx in sorted(segments.managers.items())
        for facts in nsx.segments
        if (manager, facts.path) not in known
    )
    return Firewall(uses, tuple(_rules(networks, matched, touched, names)), tuple(sorted(unmatched)))


def _touched(
    manager: str, segments: Segments, networks: Sequence[Network], matched: Sequence[Segment | None]
) -> tuple[Directory, Mapping[int, tuple[Touch, ...]]]:
    """Return the rules of one NSX that touch each of its networks, by number, and who is in its groups."""
    nsx = segments.managers[manager]
    own = {number: each.facts for number, each in enumerate(matched) if each is not None and each.manager == manager}
    subnets = defaultdict(list)
    ports = []
    for number, facts in own.items():
        subnets[facts.path].append(networks[number].subnet)
        ports += [_port(on, facts.path) for on in networks[number].nics]
    places = [_place(facts, subnets.get(facts.path, ())) for facts in nsx.segments]
    directory = Directory(nsx, places, sorted(set(ports), key=lambda port: (port.vm, port.segment, port.mac or "")))
    found = {path: tuple(touches(facts, nsx, directory)) for path, facts in {f.path: f for f in own.values()}.items()}
    return directory, {number: found[facts.path] for number, facts in own.items()}


def _place(facts: NsxSegment, stated: Iterable[str | None]) -> Place:
    texts = [text for subnet in facts.subnets for text in (subnet.network, subnet.gateway)]
    nets = {net for text in (*texts, *stated) if (net := _subnet(text)) is not None}
    return Place(facts.path, facts.name, facts.tags, tuple(sorted(nets, key=str)))


def _subnet(text: str | None) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False) if text is not None else None
    except ValueError:
        return None


def _port(on: On, segment: str) -> Port:
    vm = on.subject.vm
    found = tuple(address for text in on.nic.addresses if (address := _address(text)) is not None)
    return Port(on.subject.key, vm.name, segment, vm.hostname, vm.instance_uuid, found or None, on.nic.mac)


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_interface(text).ip
    except ValueError:
        return None


def _use(found: tuple[Segment, ...], segment: Segment | None, touching: Iterable[Touch]) -> NsxUse:
    active = [touch.way for touch in touching if not touch.rule.disabled]
    return NsxUse(
        manager=segment.manager if segment is not None else None,
        segment=segment.facts.path if segment is not None else None,
        candidates=tuple(each.facts.path for each in found),
        touching=sum(way not in ("any", "unknown") for way in active),
        by_any=active.count("any"),
        unknown=active.count("unknown"),
        disabled=sum(touch.rule.disabled for touch in touching),
    )


def _rules(
    networks: Sequence[Network],
    matched: Sequence[Segment | None],
    touched: Sequence[Sequence[Touch]],
    names: Mapping[str, Directory],
) -> Iterator[RuleUse]:
    """Yield the rules that touch each network, and in the end those that touch networks by ANY alone, once each."""
    wide: dict[tuple[str, str, str], list[Touch]] = {}
    for network, segment, found in zip(networks, matched, touched, strict=True):
        if segment is None:
            continue
        for touch in found:
            if touch.way == "any":
                wide.setdefault((segment.manager, touch.policy.path, touch.rule.id), []).append(touch)
            else:
                yield _rule_use(touch, segment.manager, names[segment.manager], network, [touch])
    for (manager, _, _), same in wide.items():
        yield _rule_use(same[0], manager, names[manager], None, same)


def _rule_use(
    touch: Touch, manager: str, directory: Directory, network: Network | None, same: Sequence[Touch]
) -> RuleUse:
    policy, rule = touch.policy, touch.rule
    scope = rule.applied_to if policy.applied_to == (ANY,) else policy.applied_to
    enforced = {each.enforced for each in same}
    return RuleUse(
        network=network.name if network is not None else None,
        source=network.source if network is not None else None,
        networks=len(same),
        manager=manager,
        policy=policy.name,
        kind=policy.kind,
        category=policy.category,
        rule=rule.name,
        action=rule.action,
        direction=rule.direction,
        sources=_named(rule.sources, directory, excluded=rule.sources_excluded),
        destinations=_named(rule.destinations, directory, excluded=rule.destinations_excluded),
        services=tuple(_last(text) for text in (*rule.services, *rule.profiles)),
        applied_to=tuple(directory.name(text) for text in scope),
        enforced=_ENFORCED[enforced.pop()] if len(enforced) == 1 else "in part",
        way=touch.way,
        what=touch.what,
        disabled=rule.disabled,
    )


def _named(references: Iterable[str], directory: Directory, *, excluded: bool) -> tuple[str, ...]:
    return tuple(("not " if excluded else "") + directory.name(text) for text in references)


def _last(path: str) -> str:
    return path.rpartition("/")[2] or path


# --- blocks -----------------------------------------------------------------------------------

NOT_IMPORTED = "none imported"


def in_words(use: NsxUse | None) -> str:
    """Return what NSX says of a network, for a cell. None: no NSX was imported."""
    if use is None:
        return NOT_IMPORTED
    if use.segment is None:
        return f"unclear: {', '.join(use.candidates)}" if use.candidates else "no segment"
    parts = [f"{use.touching} touch it", f"{use.by_any} by ANY", f"{use.unknown} unknown", f"{use.disabled} disabled"]
    shown = [part for part in parts if not part.startswith("0 ")]
    return ", ".join(shown) or "none"


def replacement(target: NetworkTarget | None) -> str:
    """Return what can filter traffic of a network in the target.

    NetworkPolicy covers the pod network alone (kubernetes/website concepts/services-networking/network-policies.md).
    OVN-Kubernetes enforces MultiNetworkPolicy on its own secondary networks (ovn-kubernetes docs/multi-homing.md).
    """
    match target:
        case None:
            return ""
        case PodNetwork():
            return "NetworkPolicy in the namespaces of its VMs"
        case OvnLocalnet() | OvnLayer2():
            return "MultiNetworkPolicy, where OVN-Kubernetes has it enabled, or a firewall on the physical network"
        case IgnoredNetwork():
            return "nothing: it is not connected"
    return "a firewall on the physical network, or in the guests"


_OF_RULE = (
    Column("network"),
    Column("source"),
    Column("rule"),
    Column("action"),
    Column("from"),
    Column("to"),
    Column("services"),
    Column("touches it by"),
    Column("applied to"),
    Column("enforced there"),
    Column("direction"),
    Column("policy"),
    Column("firewall"),
    Column("state"),
)
_ENFORCED: Mapping[bool | None, Enforced] = {True: "yes", False: "no", None: "unknown"}


def blocks(found: Firewall | None) -> Iterator[Prose | Table]:
    """Yield the chapter."""
    if found is None:
        return
    yield Prose("What replaces NSX's firewall", _NO_COPY)
    rows = [*map(_row, found.rules)]
    yield Table("NSX rules", "rule", _OF_RULE, rows, note=_NOTE if rows else "")
    if found.unmatched:
        many = counted(len(found.unmatched), "segment")
        yield Prose("Segments of NSX without a network here", (f"{many}: {', '.join(found.unmatched)}.",))


def _row(use: RuleUse) -> Row:
    network = use.network if use.network is not None else f"each of {counted(use.networks, 'network')}"
    lists = (use.sources, use.destinations, use.services)
    way = "ANY" if use.network is None and use.what == ANY else use.what
    return (
        network,
        use.source or None,
        use.rule,
        use.action,
        *(", ".join(texts) for texts in lists),
        f"unknown: {way}" if use.way == "unknown" else way,
        ", ".join(use.applied_to),
        use.enforced,
        use.direction,
        use.policy + (f" ({use.category})" if use.category else ""),
        use.kind,
        "disabled" if use.disabled else "enabled",
    )


_NOTE = (
    "A rule touches a network if its source or destination has the segment, a VM on it, an address of it, or is ANY. "
    "`unknown` needs facts that are not imported, such as the tags of VMs in NSX."
)
_NO_COPY = (
    (
        "NSX's distributed firewall filters at the virtual NIC in vSphere. It does not come along: from its cutover "
        "on, a VM is reached by whatever the target network lets through. Rules that stay in NSX lose the VM from "
        "their groups, so that traffic between it and what stays is no longer what they allow or deny."
    ),
    (
        "On the pod network, write NetworkPolicies; `networkPolicy: isolate` of a namespace starts with one that lets "
        "in its own namespace alone. On secondary networks, NetworkPolicies have no effect: OVN-Kubernetes enforces "
        "MultiNetworkPolicies on its own (localnet, layer 2). For bridges, macvtap and SR-IOV, filter on the physical "
        "network, at the gateway, or in the guests."
    ),
    "Decide rule by rule before a group moves: keep it (where), replace it (by what), or drop it (why).",
)
