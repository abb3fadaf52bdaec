"""Proposed `assign` rules: decisions on many VMs at once, each with its reason and checked to select them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from vmferry.draft.cover import MAX_GLOB, Names, below, literal, matcher, selects
from vmferry.draft.guesses import Guess, guess
from vmferry.draft.hints import PhaseName
from vmferry.draft.maps import GOLDEN, NamespacePlan
from vmferry.draft.systems import learn
from vmferry.draft.unknown import Way, unreadable_disk, without_datastore
from vmferry.estate.hardware import is_vcls
from vmferry.estate.ties import Member, shared_sets
from vmferry.estate.wording import counted
from vmferry.model.keys import VmKey

PHASES: tuple[PhaseName, ...] = ("dev-test", "stateless", "stateful", "management")
CAREFUL: PhaseName = "stateful"
"""Phase of VMs without hints: the one with the least damage if the guess is wrong."""

_WRITTEN: tuple[PhaseName, ...] = ("stateless", "stateful", "management", "dev-test")  # later rules win
_TIER = "silver"


class Rule(NamedTuple):
    """A rule with its evidence."""

    why: tuple[str, ...]
    match: dict[str, Any]
    set: dict[str, Any]


class Proposal(NamedTuple):
    """The rules in order, and per VM what no rule can express: field and value with the reason."""

    rules: tuple[Rule, ...]
    entries: dict[str, dict[str, tuple[str, str]]]  # key -> field -> (value, reason)
    phases: dict[str, tuple[str, str]]  # key -> (phase, reason)


class _Claim(NamedTuple):
    """One decision for some VMs."""

    field: str
    value: str
    why: str
    members: list[Member]


def propose_rules(
    moving: Sequence[Member], left: Sequence[Member], namespaces: NamespacePlan, ways: Mapping[VmKey, Way]
) -> Proposal:
    """Return rules that decide the phase, the namespace and, if clear, the method and tier of every VM that moves."""
    names = Names((*moving, *left))
    spare = frozenset(member.key for member in left)
    plain = [member for member in moving if not member.vm.template]
    conventions = learn([member.vm for member in moving])
    guesses = {member.key: guess(member.vm, conventions) for member in plain}
    phases: dict[str, tuple[str, str]] = {
        key: (found.phase, found.why) if found else (CAREFUL, "nothing else known") for key, found in guesses.items()
    }
    wanted = {("namespace", key): (namespaces.of[key], "its namespace") for key in phases}
    _together(plain, phases, wanted)
    rules = [*_excluded(left, moving), *_phase_rules(plain, guesses, names, spare)]
    claims = [*_namespace_claims(plain, namespaces, wanted), *_copy_claims(moving, ways)]
    for claim in claims:
        patterns, _ = names.cover(claim.members, spare)
        if patterns:
            rules.append(
                Rule(
                    (f"{claim.why}: {counted(len(claim.members), 'VM')}",),
                    {"name": patterns},
                    {claim.field: claim.value},
                )
            )
        for member in claim.members:
            wanted[claim.field, member.key] = (claim.value, claim.why)
    rules += _source_rules(plain, namespaces)
    rules += _templates(moving)
    for key, phase in phases.items():
        wanted["phase", key] = phase
    entries = _missed(moving, rules, wanted, namespaces)
    return Proposal(tuple(rules), entries, phases)


def _excluded(left: Sequence[Member], moving: Sequence[Member]) -> Iterable[Rule]:
    for pattern in ("vCLS-*", "vCLS (*"):
        match = {"name": pattern}
        found = [member for member in left if is_vcls(member.vm) and selects(match, member)]
        if found and not any(selects(match, member) for member in moving):
            decisions = {
                "disposition": "exclude",
                "reason": "vSphere Cluster Services: vSphere creates and removes it itself",
            }
            yield Rule((f"{counted(len(found), 'VM')}",), match, decisions)


# --- phases -----------------------------------------------------------------------------------------


def _phase_rules(
    members: Sequence[Member], guesses: Mapping[VmKey, Guess | None], names: Names, spare: Collection[str]
) -> Iterable[Rule]:
    unknown = [member for member in members if guesses[member.key] is None]
    if unknown:
        vms = counted(len(unknown), "VM")
        why = f"{vms} without a hint below go to the careful phase. Without this rule, check lists them"
        yield Rule((why,), {"name": "*"}, {"phase": CAREFUL})
    by_place: defaultdict[tuple[str, str, str], list[Member]] = defaultdict(list)
    by_name: defaultdict[tuple[str, str], list[Member]] = defaultdict(list)
    whys: dict[tuple[str, str, str], str] = {}
    for member in members:
        found = guesses[member.key]
        if found is None:
            continue
        if found.dimension is None or found.dimension == "name":
            by_name[found.phase, found.why].append(member)
        else:
            key = (found.phase, found.dimension, found.value)
            by_place[key].append(member)
            whys.setdefault(key, found.why)
    for phase in _WRITTEN:
        for (_, why), claimed in sorted(item for item in by_name.items() if item[0][0] == phase):
            patterns, _ = names.cover(claimed, spare)
            if patterns:
                yield Rule((f"{why}: {counted(len(claimed), 'VM')}",), {"name": patterns}, {"phase": phase})
        yield from _place_rules(phase, by_place, whys)


def _place_rules(
    phase: str, by_place: Mapping[tuple[str, str, str], list[Member]], whys: Mapping[tuple[str, str, str], str]
) -> Iterable[Rule]:
    """Yield one rule for all such folders, one for all pools, one for all tags."""
    for dimension in ("cluster", "resourcePool", "folder", "customAttributes", "tags"):
        globs: list[str] = []
        lines: list[str] = []
        for key in sorted(key for key in by_place if key[:2] == (phase, dimension)):
            value, line = key[2], f"{whys[key]}: {counted(len(by_place[key]), 'VM')}"
            if dimension == "customAttributes":
                name, _, text = value.partition("\0")
                yield Rule((line,), {dimension: {name: literal(text)}}, {"phase": phase})
                continue
            new = [below(value)] if dimension == "folder" else [literal(value)]
            new += [below(value)] * (dimension == "resourcePool")
            if all(len(glob) <= MAX_GLOB for glob in new):
                globs += new
                lines.append(f"{value}: {line}")
        if globs:
            yield Rule(tuple(lines), {dimension: globs}, {"phase": phase})


def _together(
    members: Sequence[Member],
    phases: dict[str, tuple[str, str]],
    wanted: dict[tuple[str, str], tuple[str, str]],
) -> None:
    """Give VMs that share a disk the same phase and namespace: they mount the same claim, and move in one group."""
    for found in shared_sets(members):
        first = found[0]
        last = max((phases[member.key][0] for member in found), key=lambda name: PHASES.index(_phase(name)))
        namespace = wanted["namespace", first.key][0]
        for member in found:
            if phases[member.key][0] != last:
                phases[member.key] = (last, "it shares a disk with a VM of that phase")
            if wanted["namespace", member.key][0] != namespace:
                wanted["namespace", member.key] = (namespace, "it shares a disk with a VM of that namespace")


def _phase(name: str) -> PhaseName:
    return next(phase for phase in PHASES if phase == name)


# --- namespaces, method, tier -----------------------------------------------------------------------


def _whole_sources(members: Sequence[Member], namespaces: NamespacePlan) -> dict[str, str]:
    """Return the vCenters whose VMs all go to one namespace that no pool or folder determines."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for member in members:
        place = member.key in namespaces.by_place
        found[member.source].add("" if place else namespaces.of[member.key])
    return {source: min(names) for source, names in found.items() if len(names) == 1 and "" not in names}


def _source_rules(members: Sequence[Member], namespaces: NamespacePlan) -> Iterable[Rule]:
    for source, name in sorted(_whole_sources(members, namespaces).items()):
        why = f"no VM of {source} is in a resource pool or folder that hints at a namespace"
        yield Rule((why,), {"source": source}, {"namespace": name})


def _namespace_claims(
    members: Sequence[Member], namespaces: NamespacePlan, wanted: Mapping[tuple[str, str], tuple[str, str]]
) -> Iterable[_Claim]:
    whole = _whole_sources(members, namespaces)
    claims: defaultdict[tuple[str, str], list[Member]] = defaultdict(list)
    for member in members:
        own = namespaces.of[member.key]
        if (
            member.key not in namespaces.by_place
            and member.source not in whole
            and wanted["namespace", member.key][0] == own
        ):
            claims[own, namespaces.whys[member.key]].append(member)
    for (name, why), found in sorted(claims.items()):
        yield _Claim("namespace", name, why, found)


def _copy_claims(members: Sequence[Member], ways: Mapping[VmKey, Way]) -> Iterable[_Claim]:
    claims: defaultdict[tuple[str, str, str], list[Member]] = defaultdict(list)
    for member in members:
        vm, way = member.vm, ways[member.key]
        if not vm.template and (why := unreadable_disk(vm)) is not None:
            claims["method", "image", why].append(member)
        if way == "forklift" and vm.snapshots and vm.change_tracking and vm.power_state == "poweredOn":
            claims[
                "method", "cold", "Forklift cannot copy VMs with snapshots warm; remove them for a warm migration"
            ].append(member)
        if without_datastore(member, way):
            claims["tier", _TIER, "their datastores are not in the inventory, so a tier is set instead"].append(member)
    for (field, value, why), found in sorted(claims.items()):
        yield _Claim(field, value, why, found)


def _templates(members: Sequence[Member]) -> Iterable[Rule]:
    templates = [member for member in members if member.vm.template]
    if templates:
        vms = counted(len(templates), "VM")
        why = f"{vms}: templates become golden images, early, so that VMs can be cloned from them"
        decisions = {"phase": "dev-test", "namespace": GOLDEN, "path": "virt-v2v", "method": "image"}
        yield Rule((why,), {"template": True}, decisions)


# --- what rules cannot say --------------------------------------------------------------------------


def _missed(
    members: Sequence[Member],
    rules: Sequence[Rule],
    wanted: Mapping[tuple[str, str], tuple[str, str]],
    namespaces: NamespacePlan,
) -> dict[str, dict[str, tuple[str, str]]]:
    """Return decisions that differ from the rules, or that no rule makes: they go into the VM's own entry."""
    result: defaultdict[str, dict[str, tuple[str, str]]] = defaultdict(dict)
    for field in ("phase", "namespace", "method", "tier"):
        deciding = [(matcher(rule.match), rule.set[field]) for rule in reversed(rules) if field in rule.set]
        for member in members:
            said = next((value for selected, value in deciding if selected(member.vm, member.source)), None)
            if said is None and field == "namespace" and member.key in namespaces.by_place:
                said = namespaces.of[member.key]
            want = wanted.get((field, member.key))
            if want is not None and said != want[0]:
                result[member.key][field] = want
    return dict(result)
