"""From a set of VMs to the `match` of a rule: name patterns that select these VMs and no others."""

import bisect
import fnmatch
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import msgspec

from vmferry.estate.matching import Matcher
from vmferry.estate.ties import Member
from vmferry.model.spec import Match

MAX_GLOB = 1000
_SPECIAL = re.compile(r"[*?[]")
UNCARRIED = re.compile(r"\$\{|[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What a value in a spec must not contain: `${` (Flux), control characters, characters that kustomize cannot read."""


def literal(text: str) -> str:
    """Return the pattern that only matches this text; `?` replaces characters that a spec cannot contain."""
    return UNCARRIED.sub(lambda found: "?" * len(found[0]), _SPECIAL.sub(r"[\g<0>]", text))


def below(path: str) -> str:
    """Return the pattern for everything in a folder or resource pool, at any depth."""
    return f"{literal(path.rstrip('/'))}/*"


class Names:
    """All names, to determine what a pattern would select."""

    def __init__(self, members: Iterable[Member]) -> None:
        self._holders: defaultdict[str, set[str]] = defaultdict(set)
        for member in members:
            self._holders[member.vm.name].add(member.key)
        self._sorted = sorted(self._holders)

    def cover(self, members: Collection[Member], others: Collection[str] = ()) -> tuple[list[str], list[Member]]:
        """Return patterns that select these VMs and at most ``others`` more, and the VMs that no pattern can select.

        Names that only differ in their trailing number become one pattern if nothing else matches it.
        """
        wanted = {member.key for member in members}
        allowed = wanted | set(others)
        stems: defaultdict[str, list[Member]] = defaultdict(list)
        for member in members:
            stems[member.vm.name.rstrip("0123456789")].append(member)
        patterns: set[str] = set()
        rest: list[Member] = []
        for stem, found in stems.items():
            if len(found) > 1 and stem and self._numbered(stem) <= allowed:
                patterns.add(f"{literal(stem)}[0-9]*")
                rest += [
                    member for member in found if member.vm.name == stem and not self._add(member, patterns, allowed)
                ]
            else:
                rest += [member for member in found if not self._add(member, patterns, allowed)]
        return sorted(patterns), sorted(rest)

    def _add(self, member: Member, patterns: set[str], allowed: Collection[str]) -> bool:
        pattern, name = literal(member.vm.name), member.vm.name
        alone = "?" not in pattern or len(list(self._like(pattern))) == 1
        if not alone or len(pattern) > MAX_GLOB or not self._holders[name] <= set(allowed):
            return False
        patterns.add(pattern)
        return True

    def _like(self, pattern: str) -> Iterator[str]:
        matches = re.compile(fnmatch.translate(pattern)).match
        return (name for name in self._sorted if matches(name))

    def _numbered(self, stem: str) -> set[str]:
        """Return the VMs whose name is the stem, a digit, and anything after it."""
        found: set[str] = set()
        for index in range(bisect.bisect_left(self._sorted, stem), len(self._sorted)):
            name = self._sorted[index]
            if not name.startswith(stem):
                break
            if name[len(stem) :][:1] in tuple("0123456789"):
                found |= self._holders[name]
        return found


def selects(match: Mapping[str, Any], member: Member) -> bool:
    """Return whether the `match` of a drafted rule selects a VM."""
    return matcher(match)(member.vm, member.source)


def matcher(match: Mapping[str, Any]) -> Matcher:
    """Return the `match` of a drafted rule, compiled for use on many VMs."""
    return _matcher(msgspec.json.encode(match, order="sorted"))


@cache
def _matcher(match: bytes) -> Matcher:
    return Matcher(msgspec.json.decode(match, type=Match))
