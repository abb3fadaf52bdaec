"""VMs that belong together or need each other: by shared disks, vApps, cluster rules, notes and custom attributes."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from vmferry.model.inventory import Inventory
from vmferry.model.keys import VmKey, disk_key
from vmferry.model.spec import VirtualMachine


class Member(NamedTuple):
    """A VM of the inventory and its vCenter."""

    key: VmKey
    source: str
    vm: VirtualMachine


class Tie(NamedTuple):
    """A proposal about one or more VMs; ``entry`` is what the VM's entry would contain if accepted."""

    entry: dict[str, Any] | None
    members: tuple[str, ...]
    why: str
    keys: tuple[VmKey, ...] = ()  # of the members
    apart: bool = False  # they only keep away from each other


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
        yield Tie(None, names_of(found), why, _keys(found))


def _vapps(members: Sequence[Member]) -> Iterable[Tie]:
    apps: defaultdict[tuple[str, str], list[Member]] = defaultdict(list)
    for member in members:
        if member.vm.vapp:
            apps[member.source, member.vm.vapp].append(member)
    for (_, name), found in sorted(apps.items()):
        if len(found) > 1:
            yield Tie(
                None,
                names_of(found),
                f"they are in vApp {name}: if they start in a certain order, set dependsOn",
                _keys(found),
            )


def _cluster_rules(parts: Sequence[Inventory], members: Sequence[Member]) -> Iterable[Tie]:
    known = {(m.source, name): m for m in sorted(members) for name in (m.vm.id, m.vm.name) if name is not None}
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
                    why = f"rule {rule.name} of cluster {cluster.name}{off} {kinds[rule.kind]}"
                    yield Tie(None, names_of(found), why, _keys(found), rule.kind == "anti-affinity")


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
            yield Tie({"dependsOn": entry} if entry else None, (member.vm.name,), why, (member.key,))


def names_of(members: Iterable[Member]) -> tuple[str, ...]:
    """Return the names of VMs."""
    return tuple(member.vm.name for member in members)


def _keys(members: Iterable[Member]) -> tuple[VmKey, ...]:
    return tuple(member.key for member in members)


def shared_sets(members: Sequence[Member]) -> list[list[Member]]:
    """Return the sets of VMs that share disks, each sorted, in order."""
    home: dict[str, int] = {}
    sets: dict[int, list[Member]] = {}
    for index, member in enumerate(sorted(members)):
        disks = {disk_key(member.source, disk.shared) for disk in member.vm.disks or () if disk.shared}
        joined = [member]
        for other in sorted({home[disk] for disk in disks if disk in home}):
            joined = sets.pop(other) + joined
        if disks:
            sets[index] = joined
            for tied in joined:
                home |= {disk_key(tied.source, d.shared): index for d in tied.vm.disks or () if d.shared}
    return [found for _, found in sorted(sets.items()) if len(found) > 1]
