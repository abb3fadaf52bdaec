"""Names in the target: what Kubernetes, KubeVirt, CDI and Forklift all accept, and unique."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Mapping

from vmferry.estate.identity import TARGET_NAME_TWICE
from vmferry.resolve.declared import NAME_CHANGED
from vmferry.resolve.notes import Noting, decide
from vmferry.resolve.selection import Candidate

MAX_NAME = 63
MAX_CLAIM = 46
"""Forklift and CDI derive names such as scratch-dv-CLAIM-xxxxx from a claim's (forklift plan.go)."""


def sanitize(name: str, limit: int = MAX_NAME) -> str:
    """Return a DNS-1123 label close to ``name``; empty when nothing of it is left."""
    label = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return label[:limit].rstrip("-")


def digest(text: str, length: int = 6) -> str:
    """Return a few stable hex digits for a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


def fit(name: str, limit: int) -> str:
    """Return ``name`` within ``limit`` characters; what is cut off is kept apart by a digest."""
    if len(name) <= limit:
        return name
    return f"{name[: limit - 7].rstrip('-')}-{digest(name)}"


def name_machines(
    candidates: tuple[Candidate, ...],
    namespaces: Mapping[str, str],
    taken: Collection[tuple[str, str]],
    wished: Collection[tuple[str, str]],
) -> Noting[dict[str, str]]:
    """Return the target name of each VM by key.

    ``taken`` holds (namespace, name) of frozen VMs, and ``wished`` the names they would have had: a rival that
    is frozen is a rival still, or VMs would change their names when it is. A name that somebody stated is never
    changed: if it is taken, that is a finding. Derived names that collide get a digest of the VM's key.
    """
    wishes: defaultdict[tuple[str, str], list[Candidate]] = defaultdict(list)
    names: dict[str, str] = {}
    used = set(taken)
    for candidate in candidates:
        stated = candidate.vm.target_name
        namespace = namespaces.get(candidate.key, "")
        if stated is None:
            wishes[namespace, sanitize(candidate.vm.name)].append(candidate)
        elif (namespace, stated) in used:
            yield TARGET_NAME_TWICE.finding(
                f"target name {stated} in namespace {namespace} is used by another VM",
                "give one of the two another targetName",
                where=candidate.where.at("targetName"),
                vms=(candidate.vm.name,),
            )
        else:
            used.add((namespace, stated))
            names[candidate.key] = stated
    for (namespace, wish), rivals in sorted(wishes.items()):
        unchanged = [candidate for candidate in rivals if candidate.vm.name == wish]
        alone = len(rivals) == 1 and (namespace, wish) not in wished
        for candidate in rivals:
            keeps = wish and (namespace, wish) not in used and (alone or [candidate] == unchanged)
            name = wish if keeps else _apart(namespace, wish, candidate.key, used)
            names[candidate.key] = name
            used.add((namespace, name))
    for candidate in candidates:
        yield from _record(candidate, names.get(candidate.key))
    yield from _report_lower([c for c in candidates if _only_lower(c, names.get(c.key))], names)
    return names


def _only_lower(candidate: Candidate, name: str | None) -> bool:
    """Return whether a name changes to lower case and in nothing else: there is no other way to write it."""
    own = candidate.vm.name
    return candidate.vm.target_name is None and name != own and name == own.lower()


def _report_lower(candidates: list[Candidate], names: Mapping[str, str]) -> Noting[None]:
    if not candidates:
        return
    first = candidates[0]
    many = f"{len(candidates)} names change" if len(candidates) > 1 else "1 name changes"
    yield NAME_CHANGED.finding(
        f"{many} to lower case and in nothing else, as {first.vm.name!r} becomes {names[first.key]}",
        "nothing to do: Kubernetes has no capitals in names; state targetName to choose another",
        where=first.where.at("name"),
        vms=tuple(candidate.vm.name for candidate in candidates),
        severity="info",
    )


def _apart(namespace: str, wish: str, key: str, used: Collection[tuple[str, str]]) -> str:
    """Return a name with as much of the key's digest as it takes: six digits meet again among some thousand."""
    for length in (6, 12, 24):
        name = f"{(wish or 'vm')[: MAX_NAME - 1 - length].rstrip('-')}-{digest(key, length)}"
        if (namespace, name) not in used:
            return name
    raise AssertionError(key)  # pragma: no cover: 96 bits of a digest do not meet


def _record(candidate: Candidate, name: str | None) -> Noting[None]:
    if name is None:
        return
    stated, own = candidate.vm.target_name, candidate.vm.name
    if stated is not None:
        yield decide(candidate.key, "target name", name, "the spec says so", where=candidate.where.at("targetName"))
    elif name == own:
        yield decide(candidate.key, "target name", name, "its own name", where=candidate.where.at("name"))
    else:
        yield decide(candidate.key, "target name", name, f"made from {own!r}", where=candidate.where.at("name"))
        if _only_lower(candidate, name):
            return
        yield NAME_CHANGED.finding(
            f"VM {own!r} becomes {name}",
            "names are lower-case letters, digits and dashes, and unique; state targetName to choose",
            where=candidate.where.at("name"),
            vms=(own,),
        )
