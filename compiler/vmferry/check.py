"""The first half of the compiler: load, resolve, apply the rules. Nothing that writes is imported here."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from msgspec import Struct, structs

from vmferry import policy, recheck, rules
from vmferry.cache import Cache
from vmferry.estate.resolution import Resolution
from vmferry.model.finding import Finding, by_place, errors_first, inserted
from vmferry.model.project import Project
from vmferry.model.review import Review, review_of
from vmferry.model.rule import declared
from vmferry.solved import Found, Solved, solved


class Checked(Struct, frozen=True, kw_only=True):
    """A spec that was read and resolved, with everything that is wrong with it, errors first."""

    project: Project
    resolution: Resolution
    findings: tuple[Finding, ...]
    complete: bool = True  # whether the rules ran: not while the spec has errors of its own
    befores: tuple[Review, ...] = ()  # what rules on transitions compared it with
    whole: bool = True  # whether all VMs are in it; what `recheck` recalls has only the Blueprint
    solved: Solved | None = None  # what `solved.remember` would keep; None if there is nothing new
    groups: Mapping[str, bytes] = {}  # digests of its groups by name, if they are kept already

    @property
    def broken(self) -> bool:
        """Return whether any finding is an error."""
        return any(finding.is_error for finding in self.findings)

    def to_emit(self) -> "Checked":
        """Return it without what only the rules need, which is most of what a large estate takes in memory."""
        project = structs.replace(
            self.project,
            entries=(),
            inventories=tuple(structs.replace(part, vms=()) for part in self.project.inventories),
        )
        return structs.replace(self, project=project, resolution=structs.replace(self.resolution, subjects=()))


def check(
    spec: Path,
    assignments: Path | None = None,
    *,
    now: datetime | None = None,
    against: str | tuple[Review, ...] | None = None,
    exact: bool = False,
    cache: Cache | None = None,
    reasons: bool = True,
    brief: bool = False,
    instead: Mapping[str, bytes] | None = None,
) -> Checked:
    """Read a spec and resolve it. Raises SpecError if it cannot be read.

    ``now`` is for rules on time, and ``against`` for rules on transitions; without them these rules find nothing. They
    compare with reviews, or with the commit where the branch left ``against``, or with that itself (``exact``).
    Without ``reasons`` the Blueprint has no decisions, which only `explain` needs. With ``brief``, the project may lack
    its entries, and the resolution its subjects, where few VMs had to be decided (`recheck`). ``instead``: see `load`.
    """
    memory = cache if brief and cache is not None and cache.enabled and against is None and not instead else None
    if memory is not None:
        known = recheck.recall(spec, assignments, memory)
        if known is not None:
            return structs.replace(_judged(known, now), whole=False)
    from vmferry.load.project import load  # half of what there is to load, and not needed where little changed
    from vmferry.resolve.blueprint import resolve

    project = load(spec, assignments, undecided=True, cache=cache, instead=instead)
    resolution = resolve(project, cache, reasons=reasons)
    found = (*project.findings, *resolution.findings)
    # with errors the Blueprint is incomplete, and rules would guess
    complete = not any(finding.is_error for finding in found)
    here = review(project, resolution, now=now)
    befores: tuple[Review, ...] = ()
    if isinstance(against, tuple):
        befores = against
    elif against is not None:
        from vmferry.against import earlier  # few runs compare

        befores, unread = earlier(here, spec, assignments, against, exact=exact, complete=complete, cache=cache)
        found = (*found, *unread)
    if complete and memory is not None:
        known = Found(project, resolution, by_place((*found, *rules.of_estate(here, memory))))
        return structs.replace(_judged(known, now), solved=solved(known, memory))
    if complete:
        found = (*found, *_by_rules(here, befores, cache))
    applied = errors_first(policy.apply(by_place(found), project, now, compared=bool(befores)))
    return Checked(project=project, resolution=resolution, findings=applied, complete=complete, befores=befores)


def known(spec: Path, assignments: Path | None, cache: Cache) -> Checked | None:
    """Return a spec as `check` does with ``brief``, if it is remembered, and without findings."""
    found = recheck.recall(spec, assignments, cache, judged=False) if cache.enabled else None
    if found is None:
        return None
    return Checked(project=found.project, resolution=found.resolution, findings=(), whole=False)


def _judged(found: Found, now: datetime | None) -> Checked:
    """Return a spec without errors of its own, with what rules on the Blueprint find and the policy says."""
    of_blueprint = rules.of_blueprint(review(found.project, found.resolution, now=now))
    applied = policy.apply(inserted(found.findings, of_blueprint), found.project, now)
    return Checked(
        project=found.project, resolution=found.resolution, findings=errors_first(applied), groups=found.groups
    )


def _by_rules(here: Review, befores: tuple[Review, ...], cache: Cache | None) -> Iterator[Finding]:
    """Yield what the rules find since any side of a merge; for rules on progress, what they find since every side.

    A group that moved too fast since one side may have been moved step by step on the other.
    """
    sides = [structs.replace(here, before=before) for before in befores] or [here]
    runs = [rules.check(side, cache) for side in sides]
    common = set.intersection(*({(finding.code, finding.where) for finding in run} for run in runs))
    for finding in (finding for run in runs for finding in run):
        if not declared()[finding.code].progress or (finding.code, finding.where) in common:
            yield finding


def review(project: Project, resolution: Resolution, *, now: datetime | None = None) -> Review:
    """Return the input of the rules."""
    return review_of(project, resolution.blueprint, resolution.subjects, now=now)
