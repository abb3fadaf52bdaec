"""What happens to a VM: it moves, is rebuilt, or stays, and why."""

from vmferry.model.blueprint import Left
from vmferry.model.rule import declare
from vmferry.model.spec import Disposition
from vmferry.resolve.notes import Noting, decide
from vmferry.resolve.selection import Candidate

_NEEDS_REASON = ("retire", "retain", "exclude")


def dispose(candidates: tuple[Candidate, ...]) -> Noting[tuple[tuple[Candidate, ...], tuple[Left, ...]]]:
    """Return the VMs that move (or are rebuilt), and those that stay with the reason."""
    moving: list[Candidate] = []
    left: list[Left] = []
    for candidate in candidates:
        disposition = yield from _disposition(candidate)
        if disposition in ("migrate", "rebuild"):
            moving.append(candidate)
        elif disposition is not None:
            left.append((yield from _left(candidate, disposition)))
    return tuple(moving), tuple(left)


NO_DISPOSITION = declare(
    "VMF103",
    "error",
    "VM without a disposition",
    why="A VM that is in the inventory and that nobody decides on would stay in vSphere by accident, and be noticed "
    "when the hosts are switched off. Keeping or retiring it is a decision too.",
)


def _disposition(candidate: Candidate) -> Noting[Disposition | None]:
    decisions = candidate.decisions
    if decisions.disposition is not None:
        where = candidate.origin("disposition")
        reason = decisions.reason or "the spec says so"
        yield decide(candidate.key, "disposition", decisions.disposition, reason, where=where)
        return decisions.disposition
    if decisions.phase is not None:
        where = candidate.origin("phase")
        yield decide(candidate.key, "disposition", "migrate", f"it is in phase {decisions.phase}", where=where)
        return "migrate"
    yield NO_DISPOSITION.finding(
        f"VM {candidate.vm.name} has no disposition and no phase",
        "give it a phase, or a disposition: migrate, rebuild, retire, retain or exclude",
        where=candidate.where.at("name"),
        vms=(candidate.vm.name,),
    )
    return None


NO_REASON = declare(
    "VMF106",
    "error",
    "a reason is required",
    why="A year from now someone will look for this VM, and only git remembers. Without a reason, it looks like one "
    "that was forgotten.",
)


def _left(candidate: Candidate, disposition: Disposition) -> Noting[Left]:
    reason = candidate.decisions.reason
    if reason is None:
        yield NO_REASON.finding(
            f"VM {candidate.vm.name}: disposition {disposition} needs a reason",
            "add `reason:`, for whoever looks for this VM a year from now",
            where=candidate.origin("disposition"),
            vms=(candidate.vm.name,),
        )
    return Left(key=candidate.key, name=candidate.vm.name, disposition=disposition, reason=reason or "")
