"""One row a VM: what was decided of it, why, and which findings concern it; as CSV or Markdown."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from vmferry.model.blueprint import Decision
from vmferry.model.finding import Finding

SUBJECTS = ("disposition", "path", "method", "namespace", "phase", "group")
HEADINGS = ("vm", "key", *SUBJECTS, "why", "concerns")

_LETTERS = {"forklift": "A", "virt-v2v": "B", "rebuild": "C"}


def rows(
    chosen: Mapping[str, tuple[Decision, ...]], labels: Mapping[str, str], findings: Iterable[Finding]
) -> list[tuple[str, ...]]:
    """Return the table without its headings, a row a VM."""
    concerns: defaultdict[str, set[str]] = defaultdict(set)
    for finding in findings:
        for name in finding.vms:
            concerns[name].add(finding.code)
    result = []
    for key, decisions in chosen.items():
        found = {decision.subject: decision for decision in decisions}
        values = [found[subject].value if subject in found else "" for subject in SUBJECTS]
        values[1] = f"{values[1]} ({_LETTERS[values[1]]})" if values[1] in _LETTERS else values[1]
        reason = found.get("path") or found.get("disposition")
        codes = " ".join(sorted(concerns[labels[key]]))
        result.append((labels[key], key, *values, reason.reason if reason else "", codes))
    return result


def as_csv(table: Sequence[tuple[str, ...]]) -> str:
    """Return the table as CSV. A cell that a spreadsheet would take for a formula gets an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADINGS)
    writer.writerows([f"'{cell}" if cell[:1] in "=+-@\t\r" and cell else cell for cell in row] for row in table)
    return text.getvalue()


def as_markdown(table: Sequence[tuple[str, ...]]) -> str:
    """Return the table as Markdown; names cannot end a cell, or become a link or HTML."""
    lines = [" | ".join(HEADINGS), " | ".join("---" for _ in HEADINGS)]
    lines += [" | ".join(_escaped(cell) for cell in row) for row in table]
    return "".join(f"| {line} |\n" for line in lines)


def _escaped(cell: str) -> str:
    flat = " ".join(cell.split())
    return "".join(f"\\{char}" if char in "\\|`*_[]<>#&" else char for char in flat)
