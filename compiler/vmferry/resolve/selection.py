"""Which decisions apply to a VM: defaults, then `assign` rules in order, then its own entry."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from vmferry.estate.identity import key_of, only_source
from vmferry.estate.matching import Matcher
from vmferry.estate.statements import DEFINED_TWICE, UNDEFINED_REFERENCE
from vmferry.model.finding import Where
from vmferry.model.forklift import ForkliftDecisions
from vmferry.model.keys import VmKey
from vmferry.model.project import Entry, Project
from vmferry.model.rule import declare
from vmferry.model.spec import Assign, Decisions, ForMany, MigrationSpec, VirtualMachine
from vmferry.resolve.notes import Noting, decide

_FIELDS = tuple(Decisions.__struct_fields__)
_EVERY = tuple(ForMany.__struct_fields__)
_FACTS = tuple(field for field in ("firmware", "secure_boot", "vtpm") if field in _EVERY)
_OF_EFI = ("secure_boot", "vtpm")  # BIOS has neither


class Candidate(Struct, frozen=True, kw_only=True):
    """A VM with the decisions that apply to it, and where each was made."""

    key: VmKey
    source: str
    vm: VirtualMachine
    decisions: Decisions
    origins: dict[str, Where]  # by field of Decisions
    where: Where

    def origin(self, field: str) -> Where:
        """Return where a field was decided; the VM's entry by default."""
        return self.origins.get(field, self.where)


class Chosen(Struct, frozen=True):
    """The VMs of a part of the estate with the decisions that apply, and the indices of the rules that matched."""

    candidates: tuple[Candidate, ...]
    used: frozenset[int]


def is_raw(candidate: Candidate) -> bool:
    """Return whether a VM's disks are copied unchanged, without a conversion."""
    return candidate.decisions.conversion == "skip"


class Chooser:
    """The defaults and `assign` rules of a spec, compiled for many VMs."""

    def __init__(self, spec: MigrationSpec, where: Where) -> None:
        self.sources = [source.name for source in spec.sources]
        self.rules = [_Rule(rule, where.at("assign", i)) for i, rule in enumerate(spec.assign)]
        self.defaults = [(field, value) for field in _EVERY if (value := getattr(spec.defaults, field)) is not None]
        self.default_place = where.at("defaults")

    def choose(self, entries: Iterable[Entry]) -> Noting[Chosen]:
        """Return what applies to each VM. VMs do not affect each other; a VM of an unknown vCenter is a finding."""
        candidates: list[Candidate] = []
        used: set[int] = set()
        only = only_source(self.sources)
        for entry in entries:
            source = entry.vm.source or only
            if source is None or source not in self.sources:
                yield from _unknown_source(entry, self.sources)
                continue
            rules = [index for index, rule in enumerate(self.rules) if rule.matches(entry.vm, source)]
            used.update(rules)
            candidate = self._decide(entry, source, [self.rules[index] for index in rules])
            yield from _note_facts(candidate, entry)
            if entry.overrides:
                own = ", ".join(entry.overrides)
                yield decide(candidate.key, "facts", own, "stated in the spec, over the inventory", where=entry.where)
            candidates.append(candidate)
        return Chosen(tuple(candidates), frozenset(used))

    def _decide(self, entry: Entry, source: str, rules: list["_Rule"]) -> Candidate:
        vm = entry.vm
        values = dict(self.defaults)
        origins = {field: self.default_place.at(_yaml_name(field)) for field, _ in self.defaults}
        for rule in rules:
            _lay(rule.values, values)
            origins.update(rule.origins)
        own = {field: value for field in _FIELDS if (value := getattr(vm, field)) is not None}
        _lay(own, values)
        for field in own:
            origins[field] = entry.where.at(_yaml_name(field))
        facts: dict[str, Any] = {field: values.pop(field) for field in _FACTS if field in values}
        vm = _with_facts(vm, facts)
        for field in facts:
            if getattr(vm, field) is getattr(entry.vm, field):
                del origins[field]
        return Candidate(
            key=key_of(vm, source),
            source=source,
            vm=vm,
            decisions=Decisions(**values),
            origins=origins,
            where=entry.where,
        )


def select(project: Project) -> Noting[tuple[Candidate, ...]]:
    """Return every VM once, sorted by key. Duplicates, unknown vCenters and rules without VMs are findings."""
    chooser = Chooser(project.spec, project.where)
    chosen = yield from chooser.choose(project.entries)
    return (yield from unite(chooser, [chosen]))


MATCHES_NO_VM = declare(
    "VMF109",
    "warning",
    "match selects no VM",
    why="The VMs it was meant for were renamed or moved to another folder, or the glob is misspelt. Its decisions do "
    "not take effect: defaults apply, which may mean another phase or path.",
)


def unite(chooser: Chooser, parts: Iterable[Chosen]) -> Noting[tuple[Candidate, ...]]:
    """Return the VMs of all parts of an estate, sorted by key. A second entry of a VM is a finding."""
    found: dict[str, Candidate] = {}
    used: set[int] = set()
    for part in parts:
        used |= part.used
        for candidate in part.candidates:
            known = found.setdefault(candidate.key, candidate)
            if known is not candidate:
                yield DEFINED_TWICE.finding(
                    f"VM {candidate.key} has a second entry; the other is in {known.where.file}",
                    "keep one of the two; VMs with the same name in a vCenter need an `id`",
                    where=candidate.where.at("name"),
                    vms=(candidate.vm.name,),
                )
    for index, rule in enumerate(chooser.rules):
        if index not in used:
            yield MATCHES_NO_VM.finding(
                "this `assign` rule matches no VM", "correct its `match`, or remove it", where=rule.where
            )
    return tuple(found[key] for key in sorted(found))


def _unknown_source(entry: Entry, names: list[str]) -> Noting[None]:
    vm = entry.vm
    if vm.source is None:
        yield UNDEFINED_REFERENCE.finding(
            f"VM {vm.name} has no `source`, and there are several",
            f"add source: {' or '.join(names)}",
            where=entry.where,
            vms=(vm.name,),
        )
    else:
        yield UNDEFINED_REFERENCE.finding(
            f"VM {vm.name} names source {vm.source!r}, which is not defined",
            f"defined sources: {', '.join(names)}",
            where=entry.where.at("source"),
            vms=(vm.name,),
        )


def _with_facts(vm: VirtualMachine, facts: dict[str, Any]) -> VirtualMachine:
    """Return a VM with facts that are stated for many VMs, if its own are unknown."""
    if vm.firmware is None and "firmware" in facts:
        vm = replace(vm, firmware=facts["firmware"])
    known = {field: facts[field] for field in _OF_EFI if field in facts and getattr(vm, field) is None}
    return replace(vm, **known) if known and vm.firmware == "efi" else vm


def _note_facts(candidate: Candidate, entry: Entry) -> Noting[None]:
    """Record which facts of a VM are stated for many VMs."""
    for field in _FACTS:
        value = getattr(candidate.vm, field)
        if value is not getattr(entry.vm, field):
            text = str(value).lower() if isinstance(value, bool) else str(value)
            reason = "stated for many VMs; neither the inventory nor its entry says it"
            yield decide(candidate.key, _yaml_name(field), text, reason, where=candidate.origin(field))


def _lay(over: dict[str, Any], values: dict[str, Any]) -> None:
    """Apply decisions over earlier ones: whole values, but Forklift's options field by field."""
    for field, value in over.items():
        before = values.get(field)
        if isinstance(value, ForkliftDecisions) and isinstance(before, ForkliftDecisions):
            stated = {name: item for name in value.__struct_fields__ if (item := getattr(value, name)) is not None}
            values[field] = replace(before, **stated)
        else:
            values[field] = value


@cache
def _yaml_name(field: str) -> str:
    return ForMany.__struct_encode_fields__[_EVERY.index(field)]


class _Rule:
    """An `assign` rule, compiled for many VMs."""

    def __init__(self, rule: Assign, where: Where) -> None:
        self.where = where
        self.matches = Matcher(rule.match)
        self.values = {field: value for field in _EVERY if (value := getattr(rule.set, field)) is not None}
        self.origins = {field: where.at("set", _yaml_name(field)) for field in self.values}
