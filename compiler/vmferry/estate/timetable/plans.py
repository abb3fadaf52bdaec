"""What a simulation is about, and what comes out of it. Times are seconds since 1970, or seconds; sizes are bytes."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from vmferry.estate.timetable.calendars import Calendar, Caps, Opening
from vmferry.model.keys import VmKey

Gate = Literal["none", "host", "source"]
"""What a copy in the outage waits for: nothing, a slot of its ESXi host (Forklift), or a place of its vCenter (Job)."""

Why = Literal["window", "after", "needs", "copy", "full", "team", "length", "cutover"]
"""Why a group does not cut over earlier: its phase has no earlier window, an earlier phase or a group that it needs was
not done, its first copies were not, the window was full or too short, the team's limit was reached, or the spec states
another time.
"""


class Work(NamedTuple):
    """What moving one VM takes. ``rate`` is that of its copies while nothing slows them, in bytes per second.

    ``host_load`` and ``source_load`` are the parts of the limits of its ESXi host and its vCenter that it takes then.
    """

    key: VmKey
    station: int  # its ESXi host, in `Plan.stations`
    rate: float = 1.0
    host_load: float = 0.0
    source_load: float = 0.0
    ahead: float = 0.0  # bytes copied before the outage
    copy: float = 0.0  # bytes copied during it
    before: float = 0.0  # seconds: the guest shuts down
    convert: float = 0.0  # seconds: the guest is converted
    after: float = 0.0  # seconds: it starts and is checked
    gate: Gate = "none"
    at: float | None = None  # the time that the spec states for it alone: its outage does not begin before
    until: float = 0.0  # when the window of that time closes; 0: it is that of its group
    slots: int = 1  # of its ESXi host, while it is copied ahead or behind the gate `host`
    datastores: tuple[str, ...] = ()


class Batch(NamedTuple):
    """A group: VMs that cut over in the same window."""

    name: str
    phase: int
    works: tuple[int, ...]
    needs: frozenset[int] = frozenset()  # groups that cut over first
    together: bool = False  # its VMs start together, once all are converted
    cutover: float | None = None  # the time that the spec states
    running: Literal["no", "ahead", "out"] = "no"  # what goes on already: first copies, or the outage
    until: float = 0.0  # when the last window closes in which a VM of it has a time of its own


class Stretch(NamedTuple):
    """A phase. ``first`` are the phases that come before it."""

    name: str
    calendar: Calendar
    first: frozenset[int] = frozenset()
    last: bool = False  # it waits until the dual runs of those before are over (kind decommission)
    dual_run: float = 0.0  # seconds for which its sources are kept
    not_before: float = 0.0


class Plan(NamedTuple):
    """Everything that a simulation needs. Limits that are None do not exist."""

    now: float
    works: tuple[Work, ...]
    groups: tuple[Batch, ...]
    phases: tuple[Stretch, ...]
    stations: tuple[int, ...]  # the vCenter of each ESXi host
    places: tuple[int, ...]  # conversions at once, by vCenter
    vms_per_host: int = 20
    vms_per_datastore: int | None = None
    vms_per_window: int | None = None
    groups_per_window: int | None = None
    parallel_windows: int | None = None
    caps: Caps = Caps()
    copy_ahead: float = 7 * 86400.0
    apart: bool = False  # no window opens before those of earlier phases have closed


class VmTimes(NamedTuple):
    """When things happen to a VM; None for what does not. The outage is from ``down`` to ``up``."""

    ahead_from: float | None = None
    ahead_to: float | None = None
    down: float | None = None
    copy_from: float | None = None
    copy_to: float | None = None
    converted: float | None = None
    up: float | None = None


class GroupTimes(NamedTuple):
    """When a group cuts over, in which window, and why not earlier; all None for one that has no place."""

    start: float | None = None
    end: float | None = None
    opening: Opening | None = None
    why: Why = "window"
    held_by: int | None = None  # the group that ``why`` is about
    ahead_from: float | None = None
    ahead_to: float | None = None


class Timetable(NamedTuple):
    """The result: times of VMs and groups, in the order of the plan."""

    vms: tuple[VmTimes, ...]
    groups: tuple[GroupTimes, ...]
    openings: Mapping[int, tuple[Opening, ...]]  # the windows that each phase uses

    @property
    def end(self) -> float | None:
        """Return when the last group has cut over; None if none does."""
        return max((times.end for times in self.groups if times.end is not None), default=None)

    @property
    def unplaced(self) -> tuple[int, ...]:
        """Return the groups that fit into no window."""
        return tuple(number for number, times in enumerate(self.groups) if times.end is None)
