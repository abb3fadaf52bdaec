"""One row per VM: the decisions, their reasons, and the findings about it; as text, CSV or Markdown."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from vmferry.model.blueprint import Decision
from vmferry.model.finding import Finding
from vmferry.model.keys import VmKey

SUBJECTS = ("disposition", "path", "method", "namespace", "phase", "group")
HEADINGS = ("vm", "key", *SUBJECTS, "why", "concerns")

LETTERS = {"forklift": "A", "virt-v2v": "B", "rebuild": "C"}


def rows(
    chosen: Mapping[VmKey, tuple[Decision, ...]], labels: Mapping[VmKey, str], findings: Iterable[Finding]
) -> list[tuple[str, ...]]:
    """Return the table without headings, one row per VM, sorted by name and key."""
    concerns: defaultdict[str, set[str]] = defaultdict(set)
    for finding in findings:
        for name in finding.vms:
            concerns[name].add(finding.code)
    result = []
    for key, decisions in chosen.items():
        found = {decision.subject: decision for decision in decisions}
        values = [found[subject].value if subject in found else "" for subject in SUBJECTS]
        values[1] = f"{values[1]} ({LETTERS[values[1]]})" if values[1] in LETTERS else values[1]
        reasons = [found[subject].reason for subject in ("path", "method") if subject in found]
        if not reasons and "disposition" in found:
            reasons = [found["disposition"].reason]
        codes = " ".join(sorted(concerns[labels[key]]))
        result.append((labels[key], key, *values, "; ".join(dict.fromkeys(reasons)), codes))
    return sorted(result)
