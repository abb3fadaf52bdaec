"""Findings as workflow commands of GitHub Actions, which shows them at their lines.

Source: GitHub docs, "Workflow commands for GitHub Actions"; escapes as in actions/toolkit packages/core/src/command.ts.
"""

from collections.abc import Mapping

from vmferry import ruleset
from vmferry.cli.findings import as_data
from vmferry.model.finding import Finding
from vmferry.render.printable import printable_lines

_LEVELS = {"error": "error", "warning": "warning", "info": "notice"}


def render(findings: tuple[Finding, ...], texts: Mapping[str, str]) -> str:
    """Return one command per finding."""
    return "\n".join(map(_command, as_data(findings, texts)))


def _command(finding: dict[str, object]) -> str:
    properties = {
        "title": f"{finding['code']} {ruleset.of(str(finding['code'])).title}",
        "file": finding["file"],
        "line": finding["line"],
        "endLine": finding["endLine"],
        "col": finding["column"],
        "endColumn": finding["endColumn"] if finding["line"] == finding["endLine"] else None,
    }
    listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items() if value is not None)
    message = "\n".join(str(finding[key]) for key in ("message", "help") if finding[key])
    return f"::{_LEVELS[str(finding['severity'])]} {listed}::{_escaped(message)}"


def _escaped(value: object) -> str:
    return printable_lines(str(value)).replace("%", "%25").replace("\n", "%0A")


def _property(value: object) -> str:
    return _escaped(value).replace(":", "%3A").replace(",", "%2C")
