"""Freezes, windows of every week and limits of bandwidth, as a spec states them."""

from datetime import time

from vmferry.estate.phases import is_time, moment
from vmferry.estate.timetable.calendars import Cap, Caps, Recurring, Span
from vmferry.kube.quantity import parse_duration, parse_size
from vmferry.model.spec import ScheduleSettings, WeeklyWindow
from vmferry.model.spec.schedule import WEEK


def freezes_of(settings: ScheduleSettings) -> tuple[Span, ...]:
    """Return the change freezes of a spec."""
    starts = [(moment(each.start), each.duration) for each in settings.freezes if is_time(each.start)]
    return tuple(sorted((start, start + parse_duration(duration)) for start, duration in starts))


def recurring_of(window: WeeklyWindow) -> Recurring:
    """Return when windows may be proposed."""
    days = tuple(WEEK.index(day) for day in window.days)
    return Recurring(days, time.fromisoformat(window.at), float(parse_duration(window.duration)), window.timezone)


def caps_of(settings: ScheduleSettings) -> Caps:
    """Return the limits of bandwidth of a spec."""
    return Caps(
        tuple(
            Cap(
                float(parse_size(each.rate)),
                tuple(WEEK.index(day) for day in each.days),
                time.fromisoformat(each.since) if each.since is not None else None,
                time.fromisoformat(each.until) if each.until is not None else None,
                each.timezone,
            )
            for each in settings.bandwidth
        )
    )
