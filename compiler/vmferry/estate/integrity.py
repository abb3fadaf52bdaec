"""Whether the data of VMs are the same after their move: what checks with `same` print at the source and in the target.

Both are in evidence: `before`, which `vmferry observe --before` records, and the `check` of the group's Job.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import structs

from vmferry.estate.causes import BY_CODE
from vmferry.estate.checks import shown_by
from vmferry.estate.cutover import cutover_of
from vmferry.estate.dual_run import is_new
from vmferry.estate.history import History, latest
from vmferry.estate.methods import METHODS
from vmferry.estate.stages import TABLE, rank
from vmferry.model.blueprint import Group, Machine, MachineCheck
from vmferry.model.evidence import Entry, Evidence
from vmferry.model.spec import Method, Stage

SHOWN = 100
"""Characters of what a script printed that are kept: the digest is what counts."""
_SAID = 300  # characters


def stops_at(method: Method) -> Stage:
    """Return the stage at which the source stops, or takes no more writes, at the latest."""
    return "cutover" if METHODS[method].source_runs else "migrating"


def compared(group: Group) -> Iterator[tuple[Machine, MachineCheck]]:
    """Yield the checks of a group that compare the target with the source."""
    return ((machine, each) for machine in group.machines for each in of_vm(group, machine))


def of_vm(group: Group, machine: Machine) -> tuple[MachineCheck, ...]:
    """Return the checks of a VM that compare the target with the source."""
    return tuple(each for each in group.checks.get(machine.key, ()) if each.check.same is not None)


def comparable(group: Group, machine: Machine) -> bool:
    """Return whether a VM gets its source's data: a clone or an application does not, unless replication fills it."""
    return not is_new(machine) or METHODS[group.method].replicates


def taken_now(group: Group) -> bool:
    """Return whether the sources of a group can be asked at its stage: the one before they stop.

    The cutover of a warm migration is at a time: until then, its sources run at `cutover` as well.
    """
    stop = stops_at(group.method)
    timed = METHODS[group.method].cutover and group.stage == stop
    return timed or TABLE[group.stage].next[:1] == (stop,)


def ends(group: Group, machine: Machine) -> datetime | None:
    """Return when the source of a VM stops, if the spec says so."""
    time = cutover_of(group, machine) if METHODS[group.method].cutover else None
    return datetime.fromisoformat(time) if time is not None else None


def before_shown_by(machine: Machine, each: MachineCheck) -> str:
    """Return what evidence of a value at the source is about. Another script prints something else."""
    return f"before {each.check.name} of {machine.namespace}/{machine.target_name}, {each.made_of}"


def recorded(group: Group, machine: Machine, history: History) -> bool:
    """Return whether the source's value of every check of a VM that compares is recorded, for this attempt."""
    known = history.objects(group, "before", machine.key)
    return all(before_shown_by(machine, each) in known for each in of_vm(group, machine))


def unchanged(group: Group, machine: Machine, each: MachineCheck, history: History) -> bool:
    """Return whether the last values of a check at the source and in the target are equal."""
    values = {
        (entry.what, entry.object): entry.value
        for entry in history.last(group, machine.key)
        if entry.what in ("before", "check")
    }
    was = values.get(("before", before_shown_by(machine, each)))
    return was is not None and was == values.get(("check", shown_by(machine, each)))


def begins_again(group: Group, before: Group) -> bool:
    """Return whether sources of a group stop, by its move from what it was, or begin another attempt after that."""
    stop = rank(stops_at(group.method))
    again = (group.attempt, group.remigrate) != (before.attempt, before.remigrate)
    return rank(group.stage) >= stop and (
        rank(before.stage) < stop or (again and group.stage == stops_at(group.method))
    )


def judged(entries: Iterable[Entry], groups: Iterable[Group], evidence: Evidence | None) -> tuple[Entry, ...]:
    """Return entries in which each value from the target is compared with the source's last one."""
    found = tuple(entries)
    if not any(entry.what == "check" and entry.value is not None for entry in found):
        return found
    known = (*(evidence.entries if evidence is not None else ()), *found)
    befores = {_about(entry, entry.object): entry for entry in latest(each for each in known if each.what == "before")}
    partners = {
        shown_by(machine, each): before_shown_by(machine, each) for group in groups for machine, each in compared(group)
    }
    return tuple(
        _judged(entry, befores.get(_about(entry, partners.get(entry.object or ""))))
        if entry.what == "check" and entry.value is not None
        else entry
        for entry in found
    )


def _about(entry: Entry, object_: str | None) -> tuple[object, ...]:
    return entry.group, entry.vm, entry.attempt, entry.remigrate, object_


def _judged(entry: Entry, before: Entry | None) -> Entry:
    if before is None:
        return _failed(entry, "nothing-to-compare", _words(entry))
    if before.value == entry.value:
        return entry
    return _failed(entry, "data-differ", f"before: {_words(before)}; after: {_words(entry)}")


def _failed(entry: Entry, code: str, words: str) -> Entry:
    cause = BY_CODE[code]
    words = words if len(words) <= _SAID else f"{words[: _SAID - 1].rstrip()}…"
    return structs.replace(
        entry, outcome="failed", cause=cause.code, problem=cause.problem, next=cause.next, said=words
    )


def _words(entry: Entry) -> str:
    return " ".join(part for part in (entry.value, entry.said) if part)
