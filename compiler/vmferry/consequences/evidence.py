"""What evidence came or went with a change: what was observed, and who signed what, by what it is about."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct, structs

from vmferry.model.evidence import Entry, Evidence, Outcome, What
from vmferry.model.spec import Stage


class EvidenceChange(Struct, frozen=True, kw_only=True):
    """Entries about one group, network or pre-flight test that say the same."""

    group: str | None
    network: str | None = None
    preflight: str | None = None
    how: Literal["added", "removed"]
    what: What
    outcome: Outcome
    stage: Stage | None = None  # that was signed off
    by: str
    cause: str | None = None
    vms: int  # VMs that they are about; 0: the group as a whole, a network, or a test


def evidence_changes(before: Evidence | None, after: Evidence | None) -> Iterator[EvidenceChange]:
    """Yield the entries that were added, and those that were removed, which nobody should do."""
    was, now = (dict.fromkeys(each.entries) if each is not None else {} for each in (before, after))
    yield from _counted("added", [entry for entry in now if entry not in was])
    yield from _counted("removed", [entry for entry in was if entry not in now])


def _counted(how: Literal["added", "removed"], entries: list[Entry]) -> Iterator[EvidenceChange]:
    found: defaultdict[EvidenceChange, set[str]] = defaultdict(set)
    for entry in entries:
        alike = EvidenceChange(
            group=entry.group,
            network=entry.network,
            preflight=entry.preflight,
            how=how,
            what=entry.what,
            outcome=entry.outcome,
            stage=entry.stage,
            by=entry.by,
            cause=entry.cause,
            vms=0,
        )
        found[alike] |= {entry.vm} if entry.vm is not None else set()
    for alike, vms in found.items():
        yield structs.replace(alike, vms=len(vms))
