"""What the passes write down beside their results: findings, and the reason of every decision."""

from collections import defaultdict

from vmferry.model.blueprint import Decision
from vmferry.model.finding import Finding, Severity, Where
from vmferry.model.rule import Rule


class Journal:
    """Append-only record of one run."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._decisions: defaultdict[str, list[Decision]] = defaultdict(list)

    def find(
        self,
        rule: Rule,
        message: str,
        fix: str = "",
        *,
        where: Where | None = None,
        vms: tuple[str, ...] = (),
        severity: Severity | None = None,
    ) -> None:
        """Record that something is wrong; ``severity`` where it is not the rule's own."""
        found = rule.finding(message, fix, where=where, vms=vms, severity=severity)
        self.findings.append(found)

    def decide(
        self,
        key: str,
        subject: str,
        value: str,
        reason: str,
        *,
        where: Where | None = None,
        refused: tuple[str, ...] = (),
    ) -> None:
        """Record a decision on the VM ``key``, with what was refused on the way."""
        self._decisions[key].append(Decision(subject=subject, value=value, reason=reason, where=where, refused=refused))

    def adopt(self, key: str, decisions: tuple[Decision, ...]) -> None:
        """Record decisions that were made before, with their reasons."""
        self._decisions[key] += decisions

    def decisions(self) -> dict[str, tuple[Decision, ...]]:
        """Return every decision, by VM in sorted order."""
        return {key: tuple(found) for key, found in sorted(self._decisions.items())}
