"""Findings as JUnit XML: one test case per finding, which fails if the finding is an error.

XML 1.0 can represent all printable text.

Source: the schema that Jenkins' JUnit plugin publishes (jenkins-junit.xsd).
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

from vmferry import ruleset
from vmferry.cli.findings import as_data
from vmferry.model.finding import Finding
from vmferry.render.printable import printable, printable_lines


def render(findings: tuple[Finding, ...], texts: Mapping[str, str]) -> str:
    """Return one test suite per file; without findings, one test that passes."""
    by_file: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for finding in as_data(findings, texts):
        by_file[finding["file"] or "vmferry"].append(finding)
    root = ET.Element("testsuites", name="vmferry")
    for file, found in by_file.items():
        _suite(root, file, found)
    if not by_file:
        suite = ET.SubElement(root, "testsuite", name="vmferry", tests="1", failures="0", errors="0")
        ET.SubElement(suite, "testcase", classname="vmferry", name="no findings")
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode")


def _suite(root: ET.Element, file: str, findings: list[dict[str, Any]]) -> None:
    failures = sum(finding["severity"] == "error" for finding in findings)
    counts = {"tests": str(len(findings)), "failures": str(failures), "errors": "0"}
    suite = ET.SubElement(root, "testsuite", {"name": printable(file), **counts})
    for finding in findings:
        place = f":{finding['line']}:{finding['column']}" if finding["line"] else ""
        name = f"{finding['code']} {ruleset.of(finding['code']).title}{f' ({file}{place})' if place else ''}"
        case = ET.SubElement(suite, "testcase", classname=printable(file), name=printable(name))
        text = f"{file}{place}: {finding['message']}\n{finding['help']}"
        if finding["severity"] == "error":
            failure = ET.SubElement(case, "failure", message=printable(finding["message"]), type=finding["code"])
            failure.text = printable_lines(text)
        else:
            ET.SubElement(case, "system-out").text = printable_lines(f"{finding['severity']}: {text}")
