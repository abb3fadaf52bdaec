"""Findings for people and for programs: text with the offending line, or JSON."""

import contextlib
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from msgspec import structs

from vmferry import files, ruleset
from vmferry.cli.options import FINDINGS_FORMATS
from vmferry.estate.wording import counted
from vmferry.model.finding import Finding, Span, SpecError, UnreadableError, ordered
from vmferry.render.printable import printable, printable_lines
from vmferry.yaml.positions import MAX_SHOWN, Wanted, line_text, locate
from vmferry.yaml.text import MAX_BYTES

_COLORS = {"error": "red", "warning": "yellow", "info": "blue"}
_SHOWN = 10  # findings of one code, unless all are asked for
_NAMED = 5  # VMs of a group of findings


def place(findings: Iterable[Finding], texts: Mapping[str, str]) -> dict[int, Span]:
    """Return the span of each finding by identity; each file is searched once."""
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


def show(
    findings: tuple[Finding, ...],
    texts: Mapping[str, str],
    *,
    style: str = "text",
    everything: bool = False,
    err: bool = False,
    titles: Mapping[str, str] | None = None,
) -> None:
    """Print findings to standard output; with ``err``, to standard error.

    ``titles`` has those of rules whose modules need not be imported for that.
    """
    if style != "text":
        from vmferry.cli.formats import render

        if text := render(style, findings, texts):
            click.echo(text)
        return
    grouped = findings if everything else tuple(_grouped(findings))
    counts: Counter[str] = Counter()
    shown = []
    for finding in grouped:
        counts[finding.code] += 1
        if everything or counts[finding.code] <= _SHOWN:
            shown.append(finding)
    spans = place(shown, texts)
    for finding in shown:
        click.echo(_text(finding, spans.get(id(finding)), texts), err=err)
    for code, count in sorted(counts.items()):
        if not everything and count > _SHOWN:
            title = (titles or {}).get(code) or ruleset.of(code).title
            click.echo(f"… and {count - _SHOWN} more {code} ({title}); --all shows them", err=err)


def _grouped(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield findings, with identical ones about many VMs merged into one at the first place."""
    alike: defaultdict[tuple[str, str, str, str | None], list[Finding]] = defaultdict(list)
    for number, finding in enumerate(findings):
        gist = _gist(finding)
        key = (finding.code, gist or str(number), finding.help, finding.severity)
        alike[key].append(finding)
    for (_, gist, _, _), group in alike.items():
        vms = tuple(sorted({vm for finding in group for vm in finding.vms}))
        if len(vms) < 2 or len(group) < 2:
            yield from group
            continue
        listed = ", ".join(vms[:_NAMED]) + (", …" if len(vms) > _NAMED else "")
        yield structs.replace(group[0], message=f"{len(vms)} VMs: {gist} ({listed})", vms=vms)


def _gist(finding: Finding) -> str:
    """Return what a finding says about its VM; nothing if it is not about exactly one."""
    prefix = f"VM {finding.vms[0]}: " if len(finding.vms) == 1 else "\0"
    return finding.message.removeprefix(prefix) if finding.message.startswith(prefix) else ""


def show_errors(error: SpecError, *, style: str = "text", everything: bool = False) -> None:
    """Print the findings of a SpecError that no verb caught.

    They go to standard error if the output was to be in a format that findings do not have, such as a table or a page.
    """
    findings = ordered(error.findings)
    texts = error.texts if isinstance(error, UnreadableError) else texts_of({f.where.file for f in findings if f.where})
    foreign = style not in ("text", *FINDINGS_FORMATS)
    show(findings, texts, style="text" if foreign else style, everything=everything, err=foreign)
    click.echo(summary(findings), err=True)


def texts_of(names: Iterable[str]) -> dict[str, str]:
    """Return the texts of files in the compiled tree, such as its locks; links are not followed."""
    texts = {}
    for name in names:
        with contextlib.suppress(OSError):
            texts[name] = files.read(Path(name), MAX_BYTES).decode("utf-8-sig", errors="replace")
    return texts


_UNPRINTABLE_IN_JSON = re.compile(r"[^\n -~]")


def as_json(data: Any) -> str:
    """Return JSON without terminal control characters: they are escaped, letters of any script are not."""
    text = json.dumps(data, indent=2, ensure_ascii=False)
    return _UNPRINTABLE_IN_JSON.sub(
        lambda match: match[0] if match[0].isprintable() else json.dumps(match[0])[1:-1], text
    )


def as_data(findings: tuple[Finding, ...], texts: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return findings as plain data, every key in every finding."""
    spans = place(findings, texts)
    result = []
    for finding in findings:
        span = spans.get(id(finding))
        result.append(
            {
                "code": finding.code,
                "severity": finding.severity,
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
    """Return the number of findings in words."""
    counts = Counter(finding.severity for finding in findings)
    parts = [counted(counts[name], name) for name in ("error", "warning", "info") if counts[name]]
    return ", ".join(parts) or "no findings"


def _text(finding: Finding, span: Span | None, texts: Mapping[str, str]) -> str:
    level = finding.severity
    code = click.style(f"{level}[{finding.code}]", fg=_COLORS[level], bold=True)
    lines = [f"{_place(finding, span)}{code} {_indented(finding.message)}"]
    if span is not None and finding.where is not None and not finding.secret:
        lines += _excerpt(line_text(texts.get(finding.where.file, ""), span.line), span)
    if finding.help:
        lines.append(f"  = help: {_indented(finding.help)}")
    return "\n".join(lines)


def _place(finding: Finding, span: Span | None) -> str:
    if finding.where is None:
        return ""
    position = f":{span.line}:{span.column}" if span else ""
    return f"{printable(finding.where.file)}{position}: "


def _excerpt(whole: str, span: Span) -> list[str]:
    """Return the offending line, or the part of a long line around the place, underlined.

    Never shows a line that may contain a secret, whatever the finding is about.
    """
    from vmferry.load.validate import may_be_secret  # with the spec's types, which a command may not need

    if not whole.strip() or may_be_secret(whole, span.column):
        return []
    first = max(0, span.column - 1 - MAX_SHOWN // 2) if len(whole) > MAX_SHOWN else 0
    cut = whole[first : first + MAX_SHOWN].replace("\t", " ")
    start, end = span.column - 1 - first, span.end_column - 1 - first
    before = ("…" if first else "") + printable(cut[:start])
    marked, after = printable(cut[start:end]), printable(cut[end:]) + ("…" if first + MAX_SHOWN < len(whole) else "")
    gutter = " " * len(str(span.line))
    under = " " * len(before) + click.style("^" * max(1, len(marked)), fg="red", bold=True)
    return [f"  {span.line} | {before}{marked}{after}", f"  {gutter} | {under}"]


def _indented(text: str) -> str:
    """Return a text of several lines, indented so that none looks like a separate finding."""
    return printable_lines(text.rstrip("\n")).replace("\n", "\n      ")


def interactive() -> bool:
    """Return whether standard error is a terminal."""
    return sys.stderr.isatty()
