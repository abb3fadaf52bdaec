"""`vmferry check --fix`: corrects what has exactly one correct value, and changes nothing else in the file."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from vmferry import files as disk
from vmferry.cli.findings import place
from vmferry.model.finding import Finding, Span, SpecError, UnreadableError
from vmferry.yaml.text import encoded

Found = tuple[Iterable[Finding], Mapping[str, str]]
"""Findings, and the texts they were found in."""

_ROUNDS = 10  # one fix may reveal the next finding
_LINE_END = re.compile("(\r\n|\r|\n)")
_SCALAR = re.compile(r"""[^&*!|>?"'\[\]{}\s].*|"[^"\\]*"|'[^']*'""")
"""A scalar that ends on its line, without anchor or tag; an alias stands for a value elsewhere."""


def fix(findings: Callable[[], Found]) -> tuple[int, int]:
    """Fix files until nothing fixable is left; return the number of findings and of files.

    ``findings`` reads everything again and returns the findings with the texts they were found in. Raises OSError if a
    file cannot be written; then no file of that round is.
    """
    corrected = 0
    files: set[Path] = set()
    for _ in range(_ROUNDS):
        found, texts = findings()
        done = {
            path: new
            for file, edits in _edits(found, texts).items()
            if (new := _applied(path := Path(file).resolve(), texts[file], edits))
        }
        if not done:
            break
        for path in done:
            disk.check_writable(path)
        for path, (content, count) in done.items():
            disk.replace(path, content)
            corrected += count
        files.update(done)
    return corrected, len(files)


def findings_of(check: Callable[[], Found]) -> Found:
    """Return what a check finds, even if it cannot read the spec."""
    try:
        return check()
    except UnreadableError as error:
        return error.findings, error.texts
    except SpecError as error:
        return error.findings, {}


def _edits(findings: Iterable[Finding], texts: Mapping[str, str]) -> dict[str, dict[Span, str]]:
    """Return the new texts by file and place."""
    wanted = [finding for finding in findings if finding.fix is not None and finding.where is not None]
    names = Counter(map(_name, wanted))
    spans = place(wanted, texts)
    result: defaultdict[str, dict[Span, str]] = defaultdict(dict)
    for finding in wanted:
        span = spans.get(id(finding))
        if span is not None and finding.where is not None and finding.fix is not None and names[_name(finding)] == 1:
            result[finding.where.file][span] = finding.fix
    return result


def _name(finding: Finding) -> object:
    """Return what must be unique: a key, by its mapping and its correct name."""
    where = finding.where
    if where is None or not where.key:
        return id(finding)
    return where.file, where.document, where.path[:-1], finding.fix


def _applied(path: Path, text: str, edits: Mapping[Span, str]) -> tuple[bytes, int] | None:
    """Return a file with the correct value at each place, and the number of places; None if nothing changes.

    ``text`` is the text in which the places were found. Places without a plain scalar are left alone.
    """
    raw = disk.read(path)
    if raw.decode("utf-8-sig", errors="replace") != text:
        return None  # someone is writing it right now
    parts = _LINE_END.split(text)  # lines, and between them their ends
    count = 0
    for span, new in sorted(edits.items(), reverse=True):  # from the end on: columns before it stay
        line = parts[2 * span.line - 2]
        old = line[span.column - 1 : span.end_column - 1]
        right = new.replace("{}", old)
        if _SCALAR.fullmatch(old) and right != old:
            parts[2 * span.line - 2] = line[: span.column - 1] + right + line[span.end_column - 1 :]
            count += 1
    return (encoded("".join(parts), raw), count) if count else None
