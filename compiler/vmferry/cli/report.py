"""Findings for people and for programs: text with the offending line, or JSON."""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import click

from vmferry.load.positions import Wanted, line_of, locate
from vmferry.model.catalog import CATALOG
from vmferry.model.finding import Finding, Span, Where

_COLORS = {"error": "red", "warning": "yellow", "info": "blue"}
_SHOWN = 10  # findings of one code, unless all are asked for


def place(findings: Iterable[Finding], texts: Mapping[str, str]) -> dict[int, Span]:
    """Return the span of each finding, by its identity: every file is searched once."""
    wanted: defaultdict[str, dict[Wanted, list[int]]] = defaultdict(lambda: defaultdict(list))
    spans: dict[int, Span] = {}
    for finding in findings:
        where = finding.where
        if where is None:
            continue
        if where.span is not None:
            spans[id(finding)] = where.span
        else:
            wanted[where.file][where.document, where.path, where.key].append(id(finding))
    for file, paths in wanted.items():
        for path, span in locate(texts.get(file, ""), paths).items():
            spans.update(dict.fromkeys(paths[path], span))
    return spans


def spans_of(places: Iterable[Where], texts: Mapping[str, str]) -> dict[Where, Span]:
    """Return the span of each place."""
    wanted: defaultdict[str, dict[Wanted, Where]] = defaultdict(dict)
    for where in places:
        wanted[where.file][where.document, where.path, where.key] = where
    return {
        paths[path]: span for file, paths in wanted.items() for path, span in locate(texts.get(file, ""), paths).items()
    }


def show(
    findings: tuple[Finding, ...], texts: Mapping[str, str], *, style: str = "text", everything: bool = False
) -> None:
    """Print findings to standard output."""
    if style == "json":
        click.echo(json.dumps({"findings": as_data(findings, texts)}, indent=2, ensure_ascii=False))
        return
    counts: Counter[str] = Counter()
    shown = []
    for finding in findings:
        counts[finding.code] += 1
        if everything or counts[finding.code] <= _SHOWN:
            shown.append(finding)
    spans = place(shown, texts)
    for finding in shown:
        click.echo(_text(finding, spans.get(id(finding)), texts))
    for code, count in sorted(counts.items()):
        if not everything and count > _SHOWN:
            click.echo(f"… and {count - _SHOWN} more {code} ({CATALOG[code].title}); --all shows them")


def show_errors(findings: tuple[Finding, ...]) -> None:
    """Print the findings of a SpecError that no verb caught, reading the files they are in once more."""
    texts = {}
    for file in {finding.where.file for finding in findings if finding.where}:
        try:
            with open(file, encoding="utf-8-sig", errors="replace") as stream:  # noqa: PTH123
                texts[file] = stream.read(32 << 20)
        except OSError:
            continue
    show(findings, texts)
    click.echo(summary(findings), err=True)


def as_data(findings: tuple[Finding, ...], texts: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return findings as plain data, every key in every finding."""
    spans = place(findings, texts)
    result = []
    for finding in findings:
        span = spans.get(id(finding))
        result.append(
            {
                "code": finding.code,
                "severity": CATALOG[finding.code].severity,
                "message": finding.message,
                "help": finding.help,
                "file": finding.where.file if finding.where else None,
                "line": span.line if span else None,
                "column": span.column if span else None,
                "endLine": span.end_line if span else None,
                "endColumn": span.end_column if span else None,
                "vms": list(finding.vms),
            }
        )
    return result


def summary(findings: tuple[Finding, ...]) -> str:
    """Return the count of findings in words."""
    counts = Counter(CATALOG[finding.code].severity for finding in findings)
    parts = [
        f"{counts[name]} {name}{'s' if counts[name] != 1 else ''}"
        for name in ("error", "warning", "info")
        if counts[name]
    ]
    return ", ".join(parts) or "no findings"


def _text(finding: Finding, span: Span | None, texts: Mapping[str, str]) -> str:
    severity = CATALOG[finding.code].severity
    code = click.style(f"{severity}[{finding.code}]", fg=_COLORS[severity], bold=True)
    lines = [f"{_place(finding, span)}{code} {printable(finding.message)}"]
    if span is not None and finding.where is not None and not finding.secret:
        lines += _excerpt(texts.get(finding.where.file, ""), span)
    if finding.help:
        lines.append(f"  = help: {printable(finding.help)}")
    return "\n".join(lines)


def _place(finding: Finding, span: Span | None) -> str:
    if finding.where is None:
        return ""
    position = f":{span.line}:{span.column}" if span else ""
    return f"{printable(finding.where.file)}{position}: "


def _excerpt(text: str, span: Span) -> list[str]:
    """Return the offending line, underlined."""
    line = printable(line_of(text, span.line).replace("\t", " "))
    if not line.strip():
        return []
    gutter = " " * len(str(span.line))
    start = span.column - 1
    width = max(1, min(span.end_column, len(line) + 1) - span.column)
    under = " " * start + click.style("^" * width, fg="red", bold=True) if start <= len(line) else ""
    return [f"  {span.line} | {line}", f"  {gutter} | {under}"]


def printable(text: str) -> str:
    """Return text that cannot move a terminal's cursor or hide: names come from other people's vCenters."""
    return "".join(char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in text)


def interactive() -> bool:
    """Return whether somebody watches standard error."""
    return sys.stderr.isatty()
