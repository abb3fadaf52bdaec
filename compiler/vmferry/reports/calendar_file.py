"""A calendar file (RFC 5545) of windows, for the calendars of people. No name can add a line or a property to it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

_MOST = 75  # octets of a line, without its end (section 3.1)
_ESCAPED = {"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"}  # section 3.3.11


class Appointment(NamedTuple):
    """An event. ``uid`` stays the same from one file to the next, so that calendars move it, not add another."""

    uid: str
    start: float  # seconds since 1970
    end: float
    title: str
    text: str


def ics(name: str, appointments: Iterable[Appointment], now: float) -> str:
    """Return a calendar file; ``now`` is when it was made."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//vmferry//schedule//EN", f"X-WR-CALNAME:{_text(name)}"]
    for each in appointments:
        lines += [
            "BEGIN:VEVENT",
            f"UID:{_text(each.uid)}",
            f"DTSTAMP:{_moment(now)}",
            f"DTSTART:{_moment(each.start)}",
            f"DTEND:{_moment(each.end)}",
            f"SUMMARY:{_text(each.title)}",
            f"DESCRIPTION:{_text(each.text)}",
            "TRANSP:OPAQUE",
            "END:VEVENT",
        ]
    return "".join(f"{_folded(line)}\r\n" for line in [*lines, "END:VCALENDAR"])


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y%m%dT%H%M%SZ")


def _text(text: str) -> str:
    """Return an escaped value, without characters that control a terminal or turn text around."""
    plain = "".join(each if each.isprintable() or each == "\n" else " " for each in text)
    return "".join(_ESCAPED.get(each, each) for each in plain)


def _folded(line: str) -> str:
    """Return a line in parts of at most 75 octets, never in the middle of a character."""
    parts, size = [""], 0
    for each in line:
        octets = len(each.encode())
        if size + octets > _MOST:
            parts.append(" ")
            size = 1
        parts[-1] += each
        size += octets
    return "\r\n".join(parts)
