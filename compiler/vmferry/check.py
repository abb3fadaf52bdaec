"""The first half of the compiler: load, resolve, apply the rules. Nothing that writes is imported here."""

from pathlib import Path

from msgspec import Struct, structs

from vmferry import rules
from vmferry.load.project import load
from vmferry.model.catalog import CATALOG
from vmferry.model.finding import Finding
from vmferry.model.project import Project
from vmferry.resolve.blueprint import Resolution, resolve


class Checked(Struct, frozen=True, kw_only=True):
    """A spec that was read and decided, with everything that is wrong about it."""

    project: Project
    resolution: Resolution

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return the findings, errors first."""
        return ordered(self.resolution.findings)

    @property
    def broken(self) -> bool:
        """Return whether any finding is an error."""
        return any(is_error(finding) for finding in self.resolution.findings)


def is_error(finding: Finding) -> bool:
    """Return whether a finding stops the compiler."""
    return CATALOG[finding.code].severity == "error"


def ordered(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return findings in an order that does not depend on how they were found."""

    def rank(finding: Finding) -> tuple[bool, str, list[str], str, str]:
        where = finding.where
        path = [f"{part:09d}" if isinstance(part, int) else part for part in where.path] if where else []
        return (not is_error(finding), where.file if where else "", path, finding.code, finding.message)

    return tuple(sorted(dict.fromkeys(findings), key=rank))


def check(spec: Path, assignments: Path | None = None) -> Checked:
    """Read a spec and decide everything in it. Raises SpecError where it cannot be read."""
    project = load(spec, assignments)
    resolution = resolve(project)
    if any(is_error(finding) for finding in resolution.findings):
        return Checked(project=project, resolution=resolution)  # the Blueprint is incomplete: rules would guess
    findings = (*resolution.findings, *rules.check(resolution.blueprint))
    return Checked(project=project, resolution=structs.replace(resolution, findings=findings))
