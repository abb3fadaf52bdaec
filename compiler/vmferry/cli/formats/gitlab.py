"""Findings as a Code Quality report, which GitLab shows in merge requests, at their lines.

Source: GitLab docs, ci/testing/code_quality, "Code Quality report format": every field here is required.
"""

from collections.abc import Mapping
from typing import Any

from vmferry.cli.findings import as_data, as_json
from vmferry.cli.formats import fingerprints, relative
from vmferry.model.finding import Finding

_SEVERITIES = {"error": "critical", "warning": "minor", "info": "info"}


def render(findings: tuple[Finding, ...], texts: Mapping[str, str]) -> str:
    """Return one entry per finding; one that has no place is at the first line of the working directory."""
    data = as_data(findings, texts)
    return as_json([_entry(*each) for each in zip(data, fingerprints(data), strict=True)])


def _entry(finding: dict[str, Any], fingerprint: str) -> dict[str, Any]:
    return {
        "description": "; ".join(finding[key] for key in ("message", "help") if finding[key]),
        "check_name": finding["code"],
        "fingerprint": fingerprint,
        "severity": _SEVERITIES[finding["severity"]],
        "location": {"path": relative(finding["file"] or "."), "lines": {"begin": finding["line"] or 1}},
    }
