"""Which decisions apply to a VM: defaults, then `assign` rules in order, then its own entry."""

import fnmatch
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from vmferry.estate.identity import key_of
from vmferry.estate.statements import DEFINED_TWICE, UNDEFINED_REFERENCE
from vmferry.model.finding import Where
from vmferry.model.forklift import ForkliftDecisions
from vmferry.model.project import Entry, Project
from vmferry.model.spec import Assign, Decisions, ForMany, Match, VirtualMachine
from vmferry.resolve.declared import MATCHES_NO_VM
from vmferry.resolve.notes import Noting, decide

_FIELDS = tuple(Decisions.__struct_fields__)
_EVERY = tuple(ForMany.__struct_fields__)
_FACTS = tuple(field for field in ("firmware", "secure_boot", "vtpm") if field in _EVERY)
_OF_EFI = ("secure_boot", "vtpm")  # BIOS has neither


class Candidate(Struct, frozen=True, kw_only=True):
    """A VM with the decisions that apply to it and where each was made."""

    key: str  # SOURCE/ID, or SOURCE/NAME
    source: str
    vm: VirtualMachine
    decisions: Decisions
    origins: dict[str, Where]  # by field of Decisions
    where: Where

    def origin(self, field: str) -> Where:
        """Return where a field was decided; the VM's entry where nobody did."""
        return self.origins.get(field, self.where)


def is_raw(candidate: Candidate) -> bool:
    """Return whether a VM's disks are copied as they are, and nobody converts the guest."""
    return candidate.decisions.conversion == "skip"


def select(project: Project) -> Noting[tuple[Candidate, ...]]:
    """Return every VM once, sorted by key. Duplicates and unknown vCenters are findings."""
    spec = project.spec
    names = [source.name for source in spec.sources]
    rules = [_Rule(rule, project.where.at("assign", i)) for i, rule in enumerate(spec.assign)]
    defaults = [(field, value) for field in _EVERY if (value := getattr(spec.defaults, field)) is not None]
    default_place = project.where.at("defaults")
    found: dict[str, Candidate] = {}
    for entry in project.entries:
        source = entry.vm.source or (names[0] if len(names) == 1 else None)
        if source is None or source not in names:
            yield from _unknown_source(entry, names)
            continue
        candidate = _decide(entry, source, defaults, default_place, rules)
        yield from _tell_facts(candidate, entry)
        if entry.overrides:
            own = ", ".join(entry.overrides)
            yield decide(candidate.key, "facts", own, "stated in the spec, over the inventory", where=entry.where)
        known = found.setdefault(candidate.key, candidate)
        if known is not candidate:
            yield DEFINED_TWICE.finding(
                f"VM {candidate.key} has a second entry; the other is in {known.where.file}",
                "keep one of the two; VMs of one name in one vCenter need their `id`",
                where=entry.where.at("name"),
                vms=(candidate.vm.name,),
            )
    for rule in rules:
        if not rule.used:
            yield MATCHES_NO_VM.finding(
                "this `assign` rule matches no VM",
                "correct its `match`, or remove it",
                where=rule.where,
            )
    return tuple(found[key] for key in sorted(found))


def _unknown_source(entry: Entry, names: list[str]) -> Noting[None]:
    vm = entry.vm
    if vm.source is None:
        yield UNDEFINED_REFERENCE.finding(
            f"VM {vm.name} does not say its `source`, and there are several",
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


def _decide(
    entry: Entry, source: str, defaults: list[tuple[str, Any]], default_place: Where, rules: "list[_Rule]"
) -> Candidate:
    vm = entry.vm
    values = dict(defaults)
    origins = {field: default_place.at(_yaml_name(field)) for field, _ in defaults}
    for rule in rules:
        if rule.matches(vm, source):
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


def _with_facts(vm: VirtualMachine, facts: dict[str, Any]) -> VirtualMachine:
    """Return a VM with facts that are stated for many, where nobody knows its own."""
    if vm.firmware is None and "firmware" in facts:
        vm = replace(vm, firmware=facts["firmware"])
    known = {field: facts[field] for field in _OF_EFI if field in facts and getattr(vm, field) is None}
    return replace(vm, **known) if known and vm.firmware == "efi" else vm


def _tell_facts(candidate: Candidate, entry: Entry) -> Noting[None]:
    """Record which facts of a VM are those stated for many."""
    for field in _FACTS:
        value = getattr(candidate.vm, field)
        if value is not getattr(entry.vm, field):
            text = str(value).lower() if isinstance(value, bool) else str(value)
            reason = "stated for many VMs; neither the inventory nor its entry says it"
            yield decide(candidate.key, _yaml_name(field), text, reason, where=candidate.origin(field))


def _lay(over: dict[str, Any], values: dict[str, Any]) -> None:
    """Lay decisions over earlier ones: the whole value, but what concerns Forklift field by field."""
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
    """An `assign` rule, made ready to be asked for many VMs."""

    def __init__(self, rule: Assign, where: Where) -> None:
        self.where = where
        self.used = False
        self.values = {field: value for field in _EVERY if (value := getattr(rule.set, field)) is not None}
        self.origins = {field: where.at("set", _yaml_name(field)) for field in self.values}
        self._tests = tuple(_tests(rule.match))

    def matches(self, vm: VirtualMachine, source: str) -> bool:
        """Return whether every test holds, and remember that the rule is of use."""
        if all(test(vm, source) for test in self._tests):
            self.used = True
            return True
        return False


_Test = Callable[[VirtualMachine, str], bool]

_READERS: dict[str, Callable[[VirtualMachine, str], Iterable[str | None]]] = {
    "name": lambda vm, _: (vm.name,),
    "source": lambda _, source: (source,),
    "datacenter": lambda vm, _: (vm.datacenter,),
    # as a path in the inventory: /Prod/Web/* is whatever lies in /Prod/Web, at any depth
    "folder": lambda vm, _: (vm.folder, f"{vm.folder}/{vm.name}") if vm.folder else (),
    "cluster": lambda vm, _: (vm.cluster,),
    "host": lambda vm, _: (vm.host,),
    "resource_pool": lambda vm, _: (vm.resource_pool,),
    "network": lambda vm, _: (nic.network for nic in vm.nics or ()),
    "datastore": lambda vm, _: (disk.datastore for disk in vm.disks or ()),
    "os": lambda vm, _: (vm.os,),
    "guest_id": lambda vm, _: (vm.guest_id,),
    "power_state": lambda vm, _: (vm.power_state,),
    "tags": lambda vm, _: vm.tags,
}


def _tests(match: Match) -> Iterable[_Test]:
    for field, reader in _READERS.items():
        globs = getattr(match, field)
        if globs is not None:
            yield _any_of((globs,) if isinstance(globs, str) else globs, reader)
    if match.template is not None:
        wanted = match.template
        yield lambda vm, _: bool(vm.template) is wanted
    for name, glob in sorted(match.custom_attributes.items()):
        yield _attribute(name, glob)


def _any_of(globs: tuple[str, ...], reader: Callable[[VirtualMachine, str], Iterable[str | None]]) -> _Test:
    pattern = re.compile("|".join(fnmatch.translate(glob) for glob in globs))
    matches = cache(lambda value: value is not None and pattern.match(value) is not None)  # values come again and again
    return lambda vm, source: any(map(matches, reader(vm, source)))


def _attribute(name: str, glob: str) -> _Test:
    pattern = re.compile(fnmatch.translate(glob))
    return lambda vm, _: (value := vm.custom_attributes.get(name)) is not None and bool(pattern.match(value))
