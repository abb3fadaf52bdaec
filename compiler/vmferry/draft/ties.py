"""Dependencies and rebuilds to propose, from shared disks, vApps, cluster rules, notes and names."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from vmferry.draft.assign import shared_sets
from vmferry.draft.cover import Member
from vmferry.draft.guesses import container_hint, leftover
from vmferry.model.inventory import Inventory


class Tie(NamedTuple):
    """A proposal about one or more VMs; ``entry`` is what the VM's entry would contain if accepted."""

    entry: dict[str, Any] | None
    members: tuple[str, ...]
    why: str


_NOTE = re.compile(
    r"(?:depends[ _-]?on|dependson|requires|needs|braucht|abhängig von)\s*[:=]\s*([^\n\r]{1,300})", re.IGNORECASE
)
_ATTRIBUTE = re.compile(r"depends|dependenc|requires", re.IGNORECASE)
_EXTERNAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*:[0-9]{1,5}")


def ties(parts: Sequence[Inventory], members: Sequence[Member]) -> list[Tie]:
    """Return the VMs that belong together or need each other according to the inventory, sorted by kind and name."""
    return [*_shared(members), *_vapps(members), *_cluster_rules(parts, members), *_notes(members)]


def _shared(members: Sequence[Member]) -> Iterable[Tie]:
    for found in shared_sets(members):
        disks = sorted({disk.shared for member in found for disk in member.vm.disks or () if disk.shared})
        why = (
            f"they share {'disk' if len(disks) == 1 else 'disks'} {', '.join(disks)} and move in one group in any case"
        )
        yield Tie(None, _names(found), why)


def _vapps(members: Sequence[Member]) -> Iterable[Tie]:
    apps: defaultdict[tuple[str, str], list[Member]] = defaultdict(list)
    for member in members:
        if member.vm.vapp:
            apps[member.source, member.vm.vapp].append(member)
    for (_, name), found in sorted(apps.items()):
        if len(found) > 1:
            yield Tie(None, _names(found), f"they are in vApp {name}: if they start in a certain order, set dependsOn")


def _cluster_rules(parts: Sequence[Inventory], members: Sequence[Member]) -> Iterable[Tie]:
    known = {(m.source, name): m.vm.name for m in sorted(members) for name in (m.vm.id, m.vm.name) if name is not None}
    kinds = {
        "affinity": "keeps them on one host: do they depend on each other?",
        "dependency": "starts them in a certain order: set dependsOn",
        "anti-affinity": "keeps them on different hosts: give them the same apartFrom",
    }
    for part in parts:
        for cluster in sorted(part.clusters, key=lambda each: each.name):
            for rule in sorted(cluster.rules, key=lambda each: each.name):
                found = tuple(known[part.source.name, vm] for vm in rule.vms if (part.source.name, vm) in known)
                if rule.kind in kinds and len(found) > 1:
                    off = "" if rule.enabled else " (disabled)"
                    yield Tie(None, found, f"rule {rule.name} of cluster {cluster.name}{off} {kinds[rule.kind]}")


def _notes(members: Sequence[Member]) -> Iterable[Tie]:
    names = Counter((member.source, member.vm.name) for member in members)
    for member in sorted(members):
        said: list[tuple[str, str]] = []
        for name, text in sorted(member.vm.custom_attributes.items()):
            if _ATTRIBUTE.search(name) and text.strip():
                said.append((f"custom attribute {name}", text))
        notes = [(found[0], found[1]) for found in _NOTE.finditer(member.vm.annotation or "")]
        for place, quote, text in [*((place, text, text) for place, text in said), *(("a note", *n) for n in notes)]:
            wanted = [part.strip().strip("\"'[]") for part in re.split(r"[,;]|\s+and\s+", text)]
            wanted = [part for part in wanted if part]
            entry: list[Any] = [part for part in wanted if names[member.source, part] == 1 and part != member.vm.name]
            entry += [{"external": p} for p in wanted if p not in entry and _EXTERNAL.fullmatch(p)]
            missing = [p for p in wanted if p not in entry and {"external": p} not in entry]
            why = f"{place} says {quote.strip()[:200]!r}"
            why += f"; no VM is called {', '.join(map(repr, missing[:5]))}" if missing else ""
            yield Tie({"dependsOn": entry} if entry else None, (member.vm.name,), why)


def _names(members: Iterable[Member]) -> tuple[str, ...]:
    return tuple(member.vm.name for member in members)


def rebuilds(members: Sequence[Member]) -> list[Tie]:
    """Return VMs that could be rebuilt as containers, similar ones together, with the evidence."""
    pools: defaultdict[tuple[Any, ...], list[Member]] = defaultdict(list)
    for member in sorted(members):
        why = container_hint(member.vm)
        if why is not None:
            stem = member.vm.name.rstrip("0123456789")
            size = (member.vm.cpu.count if member.vm.cpu else 0, member.vm.memory or "")
            pools[why, member.source, stem, *size].append(member)
    result = []
    for (why, *_), found in sorted(pools.items(), key=lambda item: item[1][0]):
        equals = f"; {len(found)} such VMs" if len(found) > 1 else ""
        result.append(Tie({"disposition": "rebuild"}, _names(found), f"{why}{equals}"))
    return result


def retirements(members: Sequence[Member]) -> list[Tie]:
    """Return leftover VMs that could be retired, grouped by reason."""
    found: defaultdict[str, list[Member]] = defaultdict(list)
    for member in sorted(members):
        if (why := leftover(member.vm)) is not None:
            found[why].append(member)
    return [Tie({"disposition": "retire"}, _names(some), why) for why, some in sorted(found.items())]
