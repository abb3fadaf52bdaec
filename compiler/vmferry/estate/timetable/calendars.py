"""Windows, freezes, recurring windows and bandwidth over time. Moments are seconds since 1970."""

import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

DAY = 86400.0
YEARS = 10  # after which recurring windows end: a migration that takes longer has another problem

Span = tuple[float, float]


class Opening(NamedTuple):
    """A window of a phase. ``end`` is infinite for a phase without windows."""

    start: float
    end: float
    elastic: bool = False  # a proposed one, which may be longer where a group takes longer

    @property
    def lasts(self) -> float:
        """Return how long it is open, in seconds."""
        return self.end - self.start


class Recurring(NamedTuple):
    """A window of every week: on days (0 is Monday) at a time of the day, in a time zone."""

    days: tuple[int, ...]
    at: time
    lasts: float
    zone: str = "UTC"

    def spans(self, since: float) -> Iterator[Span]:
        """Yield the windows that open from a moment on, in order, for `YEARS`."""
        zone = _zone(self.zone)
        with suppress(OverflowError, ValueError):  # after the year 9999
            first = datetime.fromtimestamp(since, UTC).date() - timedelta(days=1)
            for number in range(YEARS * 366):
                day = first + timedelta(days=number)
                if day.weekday() in self.days:
                    start = datetime.combine(day, self.at, zone).timestamp()
                    if start >= since:
                        yield start, start + self.lasts


class Calendar(NamedTuple):
    """When a phase may cut over: in its windows, at any time without any (``endless``), and in recurring windows.

    ``daily`` splits an endless one into days, for limits that count by window. Nothing cuts over in a freeze. Recurring
    windows come after the others.
    """

    windows: tuple[Span, ...] = ()
    endless: bool = True
    daily: bool = False
    freezes: tuple[Span, ...] = ()
    recurring: Recurring | None = None
    taken: tuple[Span, ...] = ()  # recurring windows must not overlap these

    def opening(self, moment: float) -> Opening | None:
        """Return the window that is open at a moment, or opens next; None if all are over."""
        return min((each for each in self._openings(moment) if each.end > moment), default=None)

    def following(self, opening: Opening, moment: float) -> Opening | None:
        """Return the window that opens after another and is not over at a moment."""
        since = opening.end if opening.elastic else opening.start
        found = (each for each in self._openings(since) if each.start > opening.start and each.end > moment)
        return min(found, default=None)

    def room(self, opening: Opening) -> float:
        """Return until when a recurring window could be extended: the next freeze or window."""
        starts = (start for start, _ in (*self.freezes, *self.taken) if start >= opening.start)
        return min(starts, default=math.inf)

    def _openings(self, moment: float) -> Iterator[Opening]:
        """Yield windows that may matter at a moment; endless ones and recurring ones only as far as the next."""
        for span in self.windows:
            yield from (Opening(*part) for part in without(span, self.freezes))
        if self.recurring is not None:
            yield from self._next_recurring(moment)
        elif self.endless and not self.windows:
            yield from self._next_endless(moment)

    def _next_recurring(self, moment: float) -> Iterator[Opening]:
        found = 0
        since = max([moment, *(end for _, end in self.windows)])
        for start, end in self.recurring.spans(since) if self.recurring is not None else ():
            if not any(start < until and since < end for since, until in (*self.freezes, *self.taken)):
                yield Opening(start, end, elastic=True)
                found += 1
                if found == 2:
                    return

    def _next_endless(self, moment: float) -> Iterator[Opening]:
        day = math.floor(moment / DAY) * DAY
        spans = [(day + number * DAY, math.inf) for number in range(3)] if self.daily else [(-math.inf, math.inf)]
        for span in spans:
            parts = list(without(span, self.freezes))
            yield from (Opening(max(start, moment) if start == -math.inf else start, end) for start, end in parts)


def without(span: Span, freezes: Iterable[Span]) -> Iterator[Span]:
    """Yield what is left of a span outside of some others."""
    start, end = span
    for since, until in sorted(freezes):
        if until <= start or since >= end:
            continue
        if since > start:
            yield start, since
        start = until
    if start < end:
        yield start, end


class Cap(NamedTuple):
    """A limit of bandwidth in bytes per second: always, or on days (0 is Monday) between two times of the day."""

    rate: float
    days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    since: time | None = None
    until: time | None = None
    zone: str = "UTC"

    @property
    def always(self) -> bool:
        """Return whether it holds at any time."""
        return self.since is None and self.until is None and len(self.days) == 7


class Caps(NamedTuple):
    """All limits of bandwidth. The lowest that holds counts."""

    caps: tuple[Cap, ...] = ()

    @property
    def always(self) -> "Caps":
        """Return those that hold at any time."""
        return Caps(tuple(cap for cap in self.caps if cap.always))

    def at(self, moment: float) -> tuple[float, float]:
        """Return the bytes per second that may be copied at a moment, and until when that holds."""
        rate, ends = math.inf, math.inf
        for cap in self.caps:
            holds, until = _holds(cap, moment)
            rate, ends = min(rate, cap.rate) if holds else rate, min(ends, until)
        return rate, ends


def _holds(cap: Cap, moment: float) -> tuple[bool, float]:
    """Return whether a limit holds at a moment, and when that changes or may change."""
    if cap.always:
        return True, math.inf
    zone = _zone(cap.zone)
    with suppress(OverflowError, ValueError):  # after the year 9999
        today = datetime.fromtimestamp(moment, zone).date()
        for number in range(-1, 9):
            start, end = _on(cap, today + timedelta(days=number), zone)
            if end is not None and end > moment:
                return start <= moment, end if start <= moment else start
    return False, math.inf


def _zone(name: str) -> "ZoneInfo":
    """Return a time zone; UTC for one that does not exist, which is a finding of its own."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def _on(cap: Cap, day: date, zone: "ZoneInfo") -> tuple[float, float | None]:
    """Return from when to when a limit holds on a day; it may end on the next. No end: it does not hold."""
    start = datetime.combine(day, cap.since or time(), zone)
    if day.weekday() not in cap.days:
        return start.timestamp(), None
    later = cap.until is None or cap.until <= (cap.since or time())
    end = datetime.combine(day + timedelta(days=1) if later else day, cap.until or time(), zone)
    return start.timestamp(), end.timestamp()
