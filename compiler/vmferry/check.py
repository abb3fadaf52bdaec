"""The first half of the compiler: load, resolve, apply the rules. Nothing that writes is imported here."""

from datetime import datetime
from pathlib import Path

from msgspec import Struct

from vmferry import policy, rules
from vmferry.load.project import load
from vmferry.model.catalog import is_error
from vmferry.model.finding import Finding, SpecError, Where
from vmferry.model.project import Project
from vmferry.model.review import Review
from vmferry.resolve.blueprint import Resolution, resolve


class Checked(Struct, frozen=True, kw_only=True):
    """A spec that was read and decided, with everything that is wrong about it, errors first."""

    project: Project
    resolution: Resolution
    findings: tuple[Finding, ...]
    complete: bool = True  # whether the rules could be asked: not while the spec has errors of its own

    @property
    def broken(self) -> bool:
        """Return whether any finding is an error."""
        return any(is_error(finding) for finding in self.findings)


def ordered(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return findings in an order that does not depend on how they were found."""

    def rank(finding: Finding) -> tuple[bool, str, list[str], str, str]:
        where = finding.where
        path = [f"{part:09d}" if isinstance(part, int) else part for part in where.path] if where else []
        return (not is_error(finding), where.file if where else "", path, finding.code, finding.message)

    return tuple(sorted(dict.fromkeys(findings), key=rank))


def check(
    spec: Path, assignments: Path | None = None, *, now: datetime | None = None, against: str | None = None
) -> Checked:
    """Read a spec and decide everything in it. Raises SpecError where it cannot be read.

    ``now`` is for rules on time, and ``against`` (a commit to compare with) for rules on transitions; without
    them those say nothing.
    """
    project = load(spec, assignments, undecided=True)
    resolution = resolve(project)
    found = (*project.findings, *resolution.findings)
    before: Review | None = None
    if against is not None:
        before, unread = _earlier(spec, assignments, against, project)
        found = (*found, *unread)
    complete = not any(is_error(finding) for finding in found)
    if complete:  # else the Blueprint is not: rules would guess
        found = (*found, *rules.check(review(project, resolution, now=now, before=before)))
    applied = policy.apply(found, project, now, compared=before is not None)
    return Checked(project=project, resolution=resolution, findings=ordered(applied), complete=complete)


def _earlier(
    spec: Path, assignments: Path | None, revision: str, project: Project
) -> tuple[Review | None, tuple[Finding, ...]]:
    """Return the migration at another commit; None where it was not there, or does not compile, which is a finding."""
    from vmferry.load.history import at_revision  # few runs compare

    with at_revision(spec, revision, project.spec.target.gitops.path, assignments) as earlier:
        if earlier is None:
            return None, ()
        try:
            was = load(earlier.spec, earlier.assignments)
            resolution = resolve(was)
            errors = [finding for finding in resolution.findings if is_error(finding)]
        except SpecError as error:
            errors = list(error.findings)
    if not errors:
        return review(was, resolution), ()
    if [error.code for error in errors] == ["VMF012"] and errors[0].where == Where(file=str(earlier.spec)):
        return None, ()  # the directory was there, and no spec in it
    count = "an error" if len(errors) == 1 else f"{len(errors)} errors"
    said = errors[0].message.replace(str(earlier.spec), str(spec))
    finding = Finding(
        code="VMF861",
        message=f"the spec at {revision} has {count} (as {said}); it is not compared",
        help="compare with a commit that compiles: what is in the cluster was made of one",
        where=project.where,
    )
    return None, (finding,)


def review(
    project: Project, resolution: Resolution, *, now: datetime | None = None, before: Review | None = None
) -> Review:
    """Return what the rules look at."""
    parts = project.inventories
    return Review(
        project=project,
        blueprint=resolution.blueprint,
        subjects=resolution.subjects,
        now=now,
        before=before,
        networks={
            (part.source.name, key): network
            for part in parts
            for network in part.networks
            for key in (network.name, network.id)
            if key is not None
        },
        clusters={(part.source.name, cluster.name): cluster for part in parts for cluster in part.clusters},
        hosts={(part.source.name, host.name): host for part in parts for host in part.hosts},
    )
