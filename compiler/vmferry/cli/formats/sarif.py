"""Findings as SARIF 2.1.0, for code scanning.

Source: OASIS, Static Analysis Results Interchange Format Version 2.1.0. A result keeps its fingerprint when lines move.
"""

import os
import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from vmferry import __version__, ruleset
from vmferry.cli.findings import as_data, as_json
from vmferry.cli.formats import fingerprints, relative
from vmferry.model.finding import Finding
from vmferry.model.rule import Rule

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def render(findings: tuple[Finding, ...], texts: Mapping[str, str]) -> str:
    """Return one run with every finding."""
    data = as_data(findings, texts)
    codes = sorted({finding["code"] for finding in data})
    results = [
        _result(finding, codes.index(finding["code"]), fingerprint)
        for finding, fingerprint in zip(data, fingerprints(data), strict=True)
    ]
    driver = {
        "name": "vmferry",
        "version": __version__,
        "informationUri": _home(),
        "rules": [_rule(ruleset.of(code)) for code in codes],
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return as_json({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})


@cache
def _home() -> str:
    """Return the URL of the repository, from [project.urls] of pyproject.toml."""
    urls = metadata("vmferry").get_all("Project-URL") or ()
    return str(dict(url.split(", ", 1) for url in urls)["Source"])


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why or rule.title},
        "helpUri": f"{_home()}/blob/main/docs/rules/{rule.code}.md",
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": [rule.family]},
    }


def _result(finding: dict[str, Any], index: int, fingerprint: str) -> dict[str, Any]:
    text = _plain("\n".join(finding[key] for key in ("message", "help") if finding[key]))
    result: dict[str, Any] = {
        "ruleId": finding["code"],
        "ruleIndex": index,
        "level": _LEVELS[finding["severity"]],
        "message": {"text": text},
        "partialFingerprints": {"vmferry/v1": fingerprint},
    }
    if finding["file"] is not None:
        result["locations"] = [{"physicalLocation": _location(finding)}]
    return result


def _plain(text: str) -> str:
    """Return text without links (section 3.11.6): names come from other people's vCenters."""
    return re.sub(r"[\\\[\]]", r"\\\g<0>", text) if "](" in text else text


def _location(finding: dict[str, Any]) -> dict[str, Any]:
    location: dict[str, Any] = {"artifactLocation": {"uri": _uri(finding["file"])}}
    if finding["line"] is not None:
        location["region"] = {
            "startLine": finding["line"],
            "startColumn": finding["column"],
            "endLine": finding["endLine"],
            "endColumn": finding["endColumn"],
        }
    return location


def _uri(file: str) -> str:
    """Return the path that code scanning expects: relative to the working directory if below it."""
    path = relative(file)
    return ("file://" if Path(path).is_absolute() else "") + quote(os.fsencode(path))
