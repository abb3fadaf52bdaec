"""What evidence says about groups and VMs: the questions that gates and the status ask."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from vmferry.model.blueprint import Group
from vmferry.model.evidence import Entry, Evidence, What
from vmferry.model.keys import VmKey
from vmferry.model.spec import Stage

Subject = tuple[str | None, VmKey | None, What, str | None, int | None, int, Stage | None]
"""What an entry is about: group, VM, what, object, attempt, remigrate, stage. Later entries replace earlier ones.

Those on networks have no group; their objects tell them apart.
"""


def subject_of(entry: Entry) -> Subject:
    """Return what an entry is about."""
    return entry.group, entry.vm, entry.what, entry.object, entry.attempt, entry.remigrate, entry.stage


def moment(entry: Entry) -> str:
    """Return when an entry became true, or was seen to be; empty where nobody knows. All times are UTC, in one form."""
    return entry.finished or entry.seen or entry.started or ""


def latest(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return the last entry on each subject."""
    last: dict[Subject, Entry] = {}
    for entry in entries:
        known = last.get(subject_of(entry))
        if known is None or moment(entry) >= moment(known):
            last[subject_of(entry)] = entry
    return tuple(last.values())


class History:
    """The entries of a migration, found by group and VM."""

    def __init__(self, evidence: Evidence | None) -> None:
        tests = (entry for entry in (evidence.entries if evidence is not None else ()) if entry.what == "preflight")
        self.tests = {entry.object or "": entry for entry in latest(tests)}
        """The last result of each pre-flight test, by object."""
        self._found: defaultdict[str, defaultdict[VmKey | None, list[Entry]]] = defaultdict(lambda: defaultdict(list))
        for entry in evidence.entries if evidence is not None else ():
            if entry.group is not None:
                self._found[entry.group][entry.vm].append(entry)

    def of(self, group: Group, vm: VmKey | None = None) -> Iterator[Entry]:
        """Yield the entries on a VM of a group, or on the group as a whole, that are about its present attempt.

        Forklift moves with another attempt only what failed: a VM whose migration succeeded before is not moved again.
        """
        for entry in self._found[group.name][vm] if group.name in self._found else ():
            done = entry.what == "migration" and entry.outcome == "succeeded" and (entry.attempt or 1) < group.attempt
            same = entry.attempt in (None, group.attempt) or (vm is not None and done)
            if same and entry.remigrate == group.remigrate:
                yield entry

    def succeeded(self, group: Group, what: What) -> bool:
        """Return whether a success of the whole group is recorded; what has several objects, for each that it has."""
        last = [entry for entry in self.last(group) if entry.what == what]
        return bool(last) and all(entry.outcome == "succeeded" for entry in last)

    def objects(self, group: Group, what: What, vm: VmKey) -> frozenset[str]:
        """Return the objects that show a success of a VM."""
        entries = self.of(group, vm)
        return frozenset(entry.object or "" for entry in entries if entry.what == what and entry.outcome == "succeeded")

    def first(self, group: Group, what: What, vm: VmKey) -> str | None:
        """Return when a success of a VM was seen first, if anyone knows."""
        entries = (entry for entry in self.of(group, vm) if entry.what == what and entry.outcome == "succeeded")
        return min(filter(None, map(moment, entries)), default=None)

    def signed(self, group: Group, stage: Stage) -> bool:
        """Return whether someone signed off a stage of a group."""
        return self.sign_off(group, stage) is not None

    def sign_off(self, group: Group, stage: Stage) -> Entry | None:
        """Return the last sign-off of a stage of a group."""
        found = [entry for entry in self.last(group) if entry.what == "signOff" and entry.stage == stage]
        return max(found, key=moment, default=None)

    def last(self, group: Group, vm: VmKey | None = None) -> tuple[Entry, ...]:
        """Return the last entry on each subject of a VM, or of the group as a whole."""
        return latest(self.of(group, vm))
