"""Names in the target: unique, and accepted by Kubernetes, KubeVirt, CDI and Forklift."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from vmferry.estate.identity import TARGET_NAME_TWICE
from vmferry.kube.dns import LONGEST, digest, sanitize
from vmferry.model.keys import VmKey
from vmferry.model.rule import declare
from vmferry.resolve.cards import Card
from vmferry.resolve.notes import Noting, decide

MAX_CLAIM = 46
"""Forklift and CDI derive names such as scratch-dv-CLAIM-xxxxx from a claim's (forklift plan.go)."""


def name_machines(
    cards: tuple[Card, ...],
    namespaces: Mapping[VmKey, str],
    taken: Collection[tuple[str, str]],
    wished: Collection[tuple[str, str]],
) -> Noting[dict[VmKey, str]]:
    """Return the target name of each VM by key.

    ``taken`` contains (namespace, name) of frozen VMs, and ``wished`` the names they would have had: frozen VMs still
    compete for names, or other VMs would change theirs when a VM is frozen. A stated name never changes: if it is
    taken, that is a finding. Derived names that collide get a digest of the VM's key.
    """
    wishes: defaultdict[tuple[str, str], list[Card]] = defaultdict(list)
    names: dict[VmKey, str] = {}
    used = set(taken)
    for card in cards:
        stated = card.target_name
        namespace = namespaces.get(card.key, "")
        if stated is None:
            wishes[namespace, sanitize(card.name)].append(card)
        elif (namespace, stated) in used:
            yield TARGET_NAME_TWICE.finding(
                f"target name {stated} in namespace {namespace} is used by another VM",
                "give one of the two another targetName",
                where=card.where.at("targetName"),
                vms=(card.name,),
            )
        else:
            used.add((namespace, stated))
            names[card.key] = stated
    for (namespace, wish), rivals in sorted(wishes.items()):
        unchanged = [card for card in rivals if card.name == wish]
        alone = len(rivals) == 1 and (namespace, wish) not in wished
        for card in rivals:
            keeps = wish and (namespace, wish) not in used and (alone or [card] == unchanged)
            name = wish if keeps else _apart(namespace, wish, card.key, used)
            names[card.key] = name
            used.add((namespace, name))
    for card in cards:
        yield from _record(card, names.get(card.key))
    yield from _report_lower([card for card in cards if _only_lower(card, names.get(card.key))], names)
    return names


def _only_lower(card: Card, name: str | None) -> bool:
    """Return whether a name only changes to lower case, so that there is no other choice."""
    own = card.name
    return card.target_name is None and name != own and name == own.lower()


NAME_CHANGED = declare(
    "VMF111",
    "warning",
    "name was changed for Kubernetes",
    why="People, scripts, monitoring and backup know the VM by its name in vCenter, which Kubernetes does not allow "
    "or another VM also has. Review the new name in time: once the VM has moved it cannot be changed.",
    source="https://kubernetes.io/docs/concepts/overview/working-with-objects/names/",
)


def _report_lower(cards: list[Card], names: Mapping[VmKey, str]) -> Noting[None]:
    if not cards:
        return
    first = cards[0]
    many = f"{len(cards)} names change" if len(cards) > 1 else "1 name changes"
    yield NAME_CHANGED.finding(
        f"{many} to lower case only, such as {first.name!r} to {names[first.key]}",
        "nothing to do: Kubernetes names are lower case; set targetName to choose another name",
        where=first.where.at("name"),
        vms=tuple(card.name for card in cards),
        severity="info",
    )


def _apart(namespace: str, wish: str, key: str, used: Collection[tuple[str, str]]) -> str:
    """Return a name with a long enough digest of the key: six digits collide among some thousand names."""
    for length in (6, 12, 24):
        name = f"{(wish or 'vm')[: LONGEST - 1 - length].rstrip('-')}-{digest(key, length)}"
        if (namespace, name) not in used:
            return name
    raise AssertionError(key)  # pragma: no cover: 96 bits of a digest do not meet


def _record(card: Card, name: str | None) -> Noting[None]:
    if name is None:
        return
    stated, own = card.target_name, card.name
    if stated is not None:
        yield decide(card.key, "target name", name, "the spec says so", where=card.where.at("targetName"))
    elif name == own:
        yield decide(card.key, "target name", name, "its own name", where=card.where.at("name"))
    else:
        yield decide(card.key, "target name", name, f"made from {own!r}", where=card.where.at("name"))
        if _only_lower(card, name):
            return
        yield NAME_CHANGED.finding(
            f"VM {own!r} becomes {name}",
            "names are lower-case letters, digits and dashes, and unique; set targetName to choose another name",
            where=card.where.at("name"),
            vms=(own,),
        )
