"""Findings as JSON: every key in every finding."""

from collections.abc import Mapping

from vmferry.cli.findings import as_data, as_json
from vmferry.model.finding import Finding


def render(findings: tuple[Finding, ...], texts: Mapping[str, str]) -> str:
    """Return one object with the list of findings."""
    return as_json({"findings": as_data(findings, texts)})
