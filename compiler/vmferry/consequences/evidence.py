"""What evidence came or went with a change: what was observed, and who signed what, counted by group."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from vmferry.model.evidence import Entry, Evidence, Outcome, What
from vmferry.model.spec import Stage


class EvidenceChange(Struct, frozen=True, kw_only=True):
    """Entries about one group that say the same."""

    group: str
    how: Literal["added", "removed"]
    what: What
    outcome: Outcome
    stage: Stage | None = None  # that was signed off
    by: str
    cause: str | None = None
    vms: int  # VMs that they are about; 0: the group as a whole


def evidence_changes(before: Evidence | None, after: Evidence | None) -> Iterator[EvidenceChange]:
    """Yield the entries that were added, and those that were removed, which nobody should do."""
    was, now = (dict.fromkeys(each.entries) if each is not None else {} for each in (before, after))
    yield from _counted("added", [entry for entry in now if entry not in was])
    yield from _counted("removed", [entry for entry in was if entry not in now])


def _counted(how: Literal["added", "removed"], entries: list[Entry]) -> Iterator[EvidenceChange]:
    found: defaultdict[tuple[str, What, Outcome, Stage | None, str, str | None], set[str]] = defaultdict(set)
    for entry in entries:
        about = (entry.group, entry.what, entry.outcome, entry.stage, entry.by, entry.cause)
        found[about] |= {entry.vm} if entry.vm is not None else set()
    for (group, what, outcome, stage, by, cause), vms in found.items():
        yield EvidenceChange(
            group=group, how=how, what=what, outcome=outcome, stage=stage, by=by, cause=cause, vms=len(vms)
        )
