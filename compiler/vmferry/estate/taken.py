"""When the stages of a group began and were reached, by evidence: what a night took, beside what was planned for it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from vmferry.estate.copying import filled
from vmferry.estate.history import History
from vmferry.estate.methods import METHODS
from vmferry.estate.phases import is_time, moment
from vmferry.model.blueprint import Group
from vmferry.model.evidence import Entry, Evidence, What
from vmferry.model.spec import Method, Stage


class Taken(NamedTuple):
    """When something began and ended, in RFC 3339 (UTC); None for what is not recorded, or has not happened."""

    started: str | None = None
    finished: str | None = None

    @property
    def seconds(self) -> float | None:
        """Return how long it took, if both are known."""
        if self.started is None or self.finished is None:
            return None
        return max(moment(self.finished) - moment(self.started), 0.0)


COPIES: Mapping[Method, What] = {"cold": "migration", "warm": "copy", "job": "conversion", "image": "volume"}
"""What shows that the disks of a VM are in the target, by method; of a warm VM, for the first time."""


def taken(group: Group, stage: Stage, history: History) -> Taken:
    """Return when a group's move to a stage began and was complete, for its present attempt.

    A move is complete when all of its VMs are: until then it has no end.
    """
    if stage == "prepared":
        what: What = "plan" if group.path == "forklift" else "sync"
        return Taken(finished=_first(entry for entry in history.of(group) if entry.what == what))
    if stage == "migrating" and group.method in COPIES:
        return _of(_copies(group, COPIES[group.method], history))
    if stage == "cutover" and METHODS[group.method].replicates:
        return Taken(started=_first(entry for entry in history.of(group) if entry.what == "replication"))
    if stage == "cutover":
        found = _of(
            [entry for entry in history.of(group, machine.key) if entry.what == "virtualMachine"]
            for machine in group.machines
            if not machine.golden
        )
        # a warm VM is shut down at the time of the cutover: its outage begins then
        warm = group.cutover if group.cutover is not None and is_time(group.cutover) else None
        return found if group.method != "warm" else Taken(warm if found.finished is not None else None, found.finished)
    if stage == "adopted":
        every = ([entry for entry in history.of(group, key) if entry.what == "snapshot"] for key in group.snapshots)
        return _of(every)
    return Taken()


def _copies(group: Group, what: What, history: History) -> Iterator[list[Entry]]:
    """Yield the entries on the copy of each VM; of images, on that of each volume."""
    for machine in group.machines:
        entries = [entry for entry in history.of(group, machine.key) if entry.what == what]
        claims = [disk.claim for disk in filled(machine, group.method)]
        if what == "volume":
            for claim in claims:
                yield [entry for entry in entries if (entry.object or "").rpartition("/")[2] == claim]
        elif claims:
            yield entries


def signed(group: Group, stage: Stage, history: History) -> Taken:
    """Return when a stage was signed off."""
    entry = history.sign_off(group, stage)
    return Taken(finished=_time(entry.finished)) if entry is not None else Taken()


def before(group: Group, evidence: Evidence | None) -> Evidence | None:
    """Return the evidence that there was when the copies of a group began, which is what its plan could rest on."""
    if evidence is None:
        return None
    began = taken(group, "migrating", History(evidence)).started
    if began is None:
        return evidence
    known = [
        entry
        for entry in evidence.entries
        if entry.group != group.name and entry.finished is not None and is_time(entry.finished)
    ]
    earlier = tuple(entry for entry in known if moment(entry.finished or began) <= moment(began))
    return Evidence(metadata=evidence.metadata, entries=earlier)


def _of(found: Iterable[list[Entry]]) -> Taken:
    """Return when the first of some things began, and when the last one was done, if all are."""
    each = list(found)
    starts = [time for entries in each for entry in entries if (time := _time(entry.started)) is not None]
    ends = [_first(entries) for entries in each]
    done = [time for time in ends if time is not None]
    return Taken(
        min(starts, key=moment, default=None),
        max(done, key=moment) if done and len(done) == len(ends) else None,
    )


def _first(entries: Iterable[Entry]) -> str | None:
    """Return when something succeeded for the first time."""
    ends = [_time(entry.finished) for entry in entries if entry.outcome == "succeeded"]
    return min((time for time in ends if time is not None), key=moment, default=None)


def _time(text: str | None) -> str | None:
    return text if text is not None and is_time(text) else None
