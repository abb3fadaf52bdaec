"""Phases: which come before which, and when their windows are open."""

import math
from collections.abc import Iterable
from datetime import UTC, date, datetime

from vmferry.kube.quantity import parse_duration
from vmferry.model.blueprint import PhasePlan
from vmferry.model.spec import Phase, Window


def ancestors(phases: Iterable[Phase | PhasePlan]) -> dict[str, tuple[str, ...]]:
    """Return the phases that come before each phase, directly or not, in their order. ``phases`` are in order."""
    ranks: dict[str, int] = {}
    result: dict[str, tuple[str, ...]] = {}
    for rank, phase in enumerate(phases):
        ranks[phase.name] = rank
        found = {name for name in phase.after if name in ranks}
        found |= {name for other in phase.after for name in result.get(other, ())}
        result[phase.name] = tuple(sorted(found, key=ranks.__getitem__))
    return result


def bounds(window: Window) -> tuple[float, float]:
    """Return when a window opens and closes, as seconds since 1970: at the end of time a datetime would overflow."""
    start = moment(window.start)
    return start, start + parse_duration(window.duration)


def next_window(windows: Iterable[Window], now: float) -> Window | None:
    """Return the window that is open, or opens next; None if all are over. ``now`` is in seconds since 1970."""
    left = [window for window in windows if bounds(window)[1] > now]
    return min(left, key=bounds, default=None)


def moment(time: str) -> float:
    """Return a time (RFC 3339) as seconds since 1970."""
    return datetime.fromisoformat(time).timestamp()


def is_day(text: str) -> bool:
    """Return whether a day (2027-02-28) exists in the calendar."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_time(text: str) -> bool:
    """Return whether a timestamp exists in the calendar."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.tzinfo is not None and moment.astimezone(UTC).year > 1
    except (ValueError, OverflowError):
        return False


LAST = 253_370_764_800.0
"""The year 9999, in seconds since 1970: later moments cannot be written down."""


def time_text(moment: float | None) -> str | None:
    """Return a moment in RFC 3339, to the minute, rounded up; None for one that is unknown or out of range."""
    if moment is None or not 0 <= moment <= LAST:
        return None
    return datetime.fromtimestamp(math.ceil(moment / 60 - 1e-6) * 60, UTC).strftime("%Y-%m-%dT%H:%MZ")
