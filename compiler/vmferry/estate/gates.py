"""Which recorded evidence a group needs before it moves to a stage: one table, and what is missing."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from vmferry.estate.checks import checkable, shown_by
from vmferry.estate.history import History, moment
from vmferry.estate.integrity import of_vm, recorded, stops_at, unchanged
from vmferry.estate.methods import METHODS
from vmferry.estate.performance import compares
from vmferry.estate.performance import shown_by as shown_by_comparison
from vmferry.estate.stages import moves, rank, way
from vmferry.estate.wording import counted
from vmferry.model.blueprint import Group, Machine
from vmferry.model.evidence import OBSERVED, Entry, Evidence, What
from vmferry.model.spec import Method, MigrationSpec, Stage


class Need(NamedTuple):
    """One kind of evidence: a success of the whole group, or of each of its VMs."""

    what: What
    words: str  # what is missing, as in `no … is recorded`
    each: Callable[[Group, Machine], bool] | None = None  # the VMs that need it; None: the group as a whole
    signed: bool = False  # a sign-off of the stage does not replace it: the sign-off is needed as well


def _moves(_: Group, machine: Machine) -> bool:
    """Return whether the machine's disks are filled: a clone's come from its golden image, when its VM starts."""
    return machine.clone_of is None and bool(machine.disks)


def _runs(_: Group, machine: Machine) -> bool:
    """Return whether there is a VM in the target: a golden image only has volumes."""
    return not machine.golden


def _snapshotted(group: Group, machine: Machine) -> bool:
    """Return whether the machine is snapshotted before it is accepted."""
    return machine.key in group.snapshots


def _checked(group: Group, machine: Machine) -> bool:
    """Return whether the machine has checks to pass."""
    return machine.key in group.checks


def _kept_same(group: Group, machine: Machine) -> bool:
    """Return whether a check compares the data of the machine with its source's."""
    return bool(of_vm(group, machine))


def _compared(group: Group, machine: Machine) -> bool:
    """Return whether the machine is compared with its baseline, and its group waits for that."""
    gate = group.performance is not None and group.performance.gate
    return gate and machine.baseline is not None and checkable(machine)


_PREFLIGHT = Need("preflight", "passed pre-flight test")
_PLAN = (_PREFLIGHT, Need("plan", "Plan that is Ready"))
_SYNC = (_PREFLIGHT, Need("sync", "successful sync"))
_MIGRATION = Need("migration", "successful migration", _moves)
_RUNNING = Need("virtualMachine", "running VM", _runs)
_SIGN_OFF = Need("signOff", "sign-off")
_SNAPSHOT = Need("snapshot", "snapshot that is ready", _snapshotted, signed=True)

_REPLICATED = Need("replication", "proof that replication caught up and the source takes no writes", signed=True)
"""The one need that no setting waives (VMF878): a replica promoted earlier loses data, or is a second primary."""
BEFORE = Need("before", "value from before the move", _kept_same, signed=True)
"""Independent of `gates` (VMF879): once the source has stopped, nobody can ask it any more."""
_CHECK = Need("check", "passed check", _checked, signed=True)
PERFORMANCE = Need("performance", "passed comparison with the baseline", _compared, signed=True)

NEEDS: Mapping[Stage, Mapping[Method, tuple[Need, ...]]] = {
    "migrating": {
        "cold": (*_PLAN, BEFORE),
        "warm": _PLAN,
        "job": (*_SYNC, BEFORE),
        "image": (*_SYNC, BEFORE),
        "replica": _SYNC,
        "rebuild": _SYNC,
    },
    "cutover": {
        "cold": (_MIGRATION,),
        "warm": (Need("copy", "finished first copy", _moves),),
        "job": (Need("conversion", "successful conversion", _moves),),
        "image": (Need("volume", "filled volume", _moves),),
        "replica": (_RUNNING, _REPLICATED, BEFORE),
    },
    "adopted": {
        "cold": (_MIGRATION, _RUNNING),
        "warm": (_MIGRATION, _RUNNING, BEFORE),
        "job": (_RUNNING,),
        "image": (_RUNNING,),
        "replica": (_RUNNING,),
    },
    "validated": dict.fromkeys(METHODS, (_CHECK, PERFORMANCE, _SNAPSHOT, _SIGN_OFF)),
    "retired": dict.fromkeys(METHODS, (_SIGN_OFF,)),
}
"""By the stage that a group moves to, and its method. A sign-off of the stage before replaces what is not `signed`."""


class Lack(NamedTuple):
    """Evidence that a move to a stage lacks: for which VMs, none of them where it concerns the whole group."""

    stage: Stage  # the stage that was not proven
    need: Need
    vms: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()  # that would show it


def gated(spec: MigrationSpec, phase: str, evidence: Evidence | None) -> bool:
    """Return whether moves of a phase's groups need evidence."""
    own = next((each.gates for each in spec.phases if each.name == phase), None)
    mode = own or spec.settings.gates
    return mode == "required" or (mode == "recorded" and evidence is not None)


def lacking(group: Group, before: Stage, after: Stage, history: History) -> Iterator[Lack]:
    """Yield what a move of a group, at its attempt, lacks on the way from one stage to another."""
    between = way(before, after)
    if between is None or before == after:
        return
    stages = (before, *between, after)
    for proven, wanted in pairwise(stages):
        needs = _needs(group, wanted, signed=history.signed(group, proven))
        yield from _lacks(group, proven, needs, history)


def _needs(group: Group, wanted: Stage, *, signed: bool) -> tuple[Need, ...]:
    """Return what a move of a group to a stage needs, if the stage before is ``signed`` off or not."""
    return tuple(need for need in NEEDS.get(wanted, {}).get(group.method, ()) if need.signed or not signed)


def _lacks(group: Group, proven: Stage, needs: Iterable[Need], history: History) -> Iterator[Lack]:
    for need in needs:
        if need.what == "preflight":
            good = {entry.object for entry in history.tests.values() if entry.outcome == "succeeded"}
            if lost := tuple(each for each in group.preflight if each not in good):
                yield Lack(proven, need, objects=lost)
        elif need.each is None:
            if not _reached(group, proven, need.what, history):
                yield Lack(proven, need)
        elif vms := tuple(
            machine.name
            for machine in group.machines
            if need.each(group, machine) and not _proven(group, machine, need.what, history)
        ):
            yield Lack(proven, need, vms)


def _reached(group: Group, stage: Stage, what: What, history: History) -> bool:
    """Return whether a group as a whole has what it needs; that nobody signed off its stage is known."""
    if what == "sync" and not _synced(group, stage):
        return True
    return what != "signOff" and history.succeeded(group, what)


def _synced(group: Group, stage: Stage) -> bool:
    """Return whether a group has anything in the cluster at a stage."""
    return any(stage in layer.stages for layer in METHODS[group.method].layers.values())


def _proven(group: Group, machine: Machine, what: What, history: History) -> bool:
    """Return whether a VM has what it needs; of its volumes, every one."""
    if what == "check":
        return despite(group, "check", history) is not None or passed(group, machine, history)
    if what == "before":
        return despite(group, "before", history) is not None or recorded(group, machine, history)
    if what == "performance":
        return despite(group, "performance", history) is not None or as_fast(group, machine, history)
    found = history.objects(group, what, machine.key)
    if what == "volume":
        claims = {disk.claim for disk in machine.disks if disk.owner}
        return claims <= {name.rpartition("/")[2] for name in found}
    return bool(found)


def passed(group: Group, machine: Machine, history: History) -> bool:
    """Return whether the last result of every check of a VM is a success, and what has to be the same is."""
    good = {entry.object for entry in history.last(group, machine.key) if entry.outcome == "succeeded"}
    return all(
        shown_by(machine, each) in good and (each.check.same is None or unchanged(group, machine, each, history))
        for each in group.checks.get(machine.key, ())
    )


def as_fast(group: Group, machine: Machine, history: History) -> bool:
    """Return whether the last comparison of a VM, by its margins of today, found that it is not slower."""
    mine = shown_by_comparison(group, machine)
    return any(entry.object == mine and entry.outcome == "succeeded" for entry in history.last(group, machine.key))


def slower_or_unknown(group: Group, history: History) -> tuple[str, ...]:
    """Return the VMs of a group for whose comparison others wait: they run, and are slower or not compared yet."""
    if not compares(group) or despite(group, "performance", history) is not None:
        return ()
    return tuple(
        machine.name for machine in group.machines if _compared(group, machine) and not as_fast(group, machine, history)
    )


def outage_begins(group: Group, before: Stage) -> bool:
    """Return whether a move of a group from a stage takes its VMs out of service: after it, waiting is an outage."""
    return rank(before) < rank(stops_at(group.method)) <= rank(group.stage) and moves(group.stage)


def despite(group: Group, what: What, history: History) -> Entry | None:
    """Return who accepts a group although not everything of a kind passed; None if nobody does."""
    found = [entry for entry in history.last(group) if entry.what == what and entry.by != OBSERVED]
    return max(found, key=moment, default=None)


def resting(group: Group, before: Stage, after: Stage, history: History) -> Iterator[str]:
    """Yield the evidence on which a move of a group rests, in words: `sign-off of cutover by ada, 2027-01-12`."""
    between = way(before, after)
    if between is None or before == after:
        return
    for proven, wanted in pairwise((before, *between, after)):
        if (signed := history.sign_off(group, proven)) is not None:
            yield f"sign-off of {proven} by {signed.by}{_on(moment(signed))}"
        if wanted == stops_at(group.method) and (going := despite(group, "before", history)) is not None:
            yield f"goes on without values from before the move, by {going.by}{_on(moment(going))}"
        if wanted == "validated":
            yield from _accepted(group, history)
        for need in _needs(group, wanted, signed=signed is not None):
            found = tuple(_shown_by(group, need, history))
            if found:
                vms = f" of {counted(len({entry.vm for entry in found}), 'VM')}" if need.each is not None else ""
                yield f"{need.words}{vms}, {found[0].by}{_on(max(map(moment, found)))}"


def _accepted(group: Group, history: History) -> Iterator[str]:
    """Yield who accepts a group although something of it did not pass."""
    kinds: tuple[tuple[What, str], ...] = (("check", "its checks"), ("performance", "its performance"))
    for what, words in kinds:
        if (accepted := despite(group, what, history)) is not None:
            yield f"accepted despite {words} by {accepted.by}{_on(moment(accepted))}"


def _shown_by(group: Group, need: Need, history: History) -> Iterator[Entry]:
    """Yield the successes that show what a move needs."""
    if need.what == "preflight":
        tests = (history.tests.get(each) for each in group.preflight)
        yield from (entry for entry in tests if entry is not None and entry.outcome == "succeeded")
        return
    keys = [None] if need.each is None else [machine.key for machine in group.machines if need.each(group, machine)]
    for key in keys:
        yield from (
            entry for entry in history.last(group, key) if entry.what == need.what and entry.outcome == "succeeded"
        )


def _on(time: str) -> str:
    """Return the day of a time in evidence, as the end of a phrase."""
    return f", {time[:10]}" if time else ""


def sentence(lack: Lack, shown: int = 5) -> str:
    """Return what is missing in words: `no successful conversion of web-01, web-02 is recorded`."""
    found: Sequence[str] = lack.vms or [each.rpartition("/")[2] for each in lack.objects]
    names = found[:shown]
    more = f" and {len(found) - shown} more" if len(found) > shown else ""
    of = f" of {', '.join(names)}{more}" if names else ""
    return f"no {lack.need.words}{of} is recorded"
