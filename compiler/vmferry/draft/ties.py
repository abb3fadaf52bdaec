"""Rebuilds and retirements to propose, from facts and names."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from vmferry.draft.guesses import container_hint, leftover
from vmferry.estate.ties import Member, Tie, names_of


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
        result.append(Tie({"disposition": "rebuild"}, names_of(found), f"{why}{equals}"))
    return result


def retirements(members: Sequence[Member]) -> list[Tie]:
    """Return leftover VMs that could be retired, grouped by reason."""
    found: defaultdict[str, list[Member]] = defaultdict(list)
    for member in sorted(members):
        if (why := leftover(member.vm)) is not None:
            found[why].append(member)
    return [Tie({"disposition": "retire"}, names_of(some), why) for why, some in sorted(found.items())]
