"""How far a group is, by its evidence: what is left to copy, what runs, failed or waits, what its next move lacks."""

from collections.abc import Iterator
from typing import NamedTuple

from vmferry.estate import checks, performance
from vmferry.estate.gates import BEFORE, gated, lacking
from vmferry.estate.history import History
from vmferry.estate.stages import onward, running
from vmferry.estate.wording import counted
from vmferry.model.blueprint import Group, Machine
from vmferry.model.evidence import Entry, Evidence
from vmferry.model.spec import MigrationSpec

_COPIES = ("migration", "conversion")
"""What moves a whole VM; volumes are counted one by one."""


class Trouble(NamedTuple):
    """Something that failed or waits, and the VM that it is about; None: the whole group."""

    machine: Machine | None
    entry: Entry


def bytes_left(group: Group, history: History) -> int:
    """Return what is left to copy: the disks of VMs without a recorded success, less what was seen of them."""
    if running(group.stage):
        return 0
    return sum(_left(group, machine, history) for machine in group.machines)


def _left(group: Group, machine: Machine, history: History) -> int:
    size = sum(disk.size for disk in machine.disks if disk.owner)
    latest = history.last(group, machine.key)
    if any(entry.what in _COPIES and entry.outcome == "succeeded" for entry in latest):
        return 0
    seen = sum(entry.bytes or 0 for entry in latest if entry.what == "migration" and entry.outcome == "running")
    if group.method == "image":
        seen = sum(entry.bytes or 0 for entry in latest if entry.what == "volume" and entry.outcome != "failed")
    return max(size - seen, 0)


def in_progress(group: Group, history: History) -> int:
    """Return how many VMs are being copied or started."""
    return sum(
        any(entry.outcome == "running" for entry in history.last(group, machine.key)) for machine in group.machines
    )


def troubles(group: Group, history: History) -> Iterator[Trouble]:
    """Yield what failed, was canceled or waits; of the group as a whole only what no VM of it explains."""
    of_vms = [
        Trouble(machine, entry)
        for machine in group.machines
        for entry in history.last(group, machine.key)
        if entry.cause is not None and not _is_past(group, entry)
    ]
    explained = {trouble.entry.what for trouble in of_vms}
    for entry in history.last(group):
        if entry.cause is not None and entry.what not in explained and not _is_past(group, entry):
            yield Trouble(None, entry)
    yield from of_vms


def _is_past(group: Group, entry: Entry) -> bool:
    return checks.is_past(group, entry) or performance.is_past(group, entry)


def missing(group: Group, spec: MigrationSpec, evidence: Evidence | None, history: History) -> str | None:
    """Return what a group's next move lacks, in words; None if nothing is known to be missing."""
    following, gate = onward(group.stage), gated(spec, group.phase, evidence)
    if following is None or not (gate or group.checks):
        return None
    found = [
        lack.need.words + (f" of {counted(len(lack.vms), 'VM')}" if lack.vms else "")
        for lack in lacking(group, group.stage, following, history)
        if gate or lack.need == BEFORE
    ]
    return ", ".join(found) or None
