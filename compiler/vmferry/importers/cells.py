"""Turns the text of a cell into a value, whatever the machine's language; None for other texts."""

import ipaddress
import math
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_TRUE = frozenset(("true", "1", "yes", "wahr", "ja", "vrai", "oui", "verdadero", "vero", "waar", "sand", "sant"))
_FALSE = frozenset(("false", "0", "no", "falsch", "nein", "faux", "non", "falso", "onwaar", "falsk", "falskt"))
_BLANKS = re.compile("[\\s'\u2019]")
_NUMBER = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_GROUPS = re.compile(r"-?[1-9][0-9]{0,2}(?:[.,][0-9]{3})+")
_LONGEST_NUMBER = 40
_EXACT = 15  # digits that a float represents exactly


@lru_cache(maxsize=1024)
def boolean(text: str | None) -> bool | None:
    """Return a truth value; Excel writes it in its own language into .csv files."""
    word = (text or "").strip().casefold()
    return True if word in _TRUE else False if word in _FALSE else None


def number(text: str | None) -> float | None:
    """Return a number with decimal point or comma, with or without groups of three digits.

    A single separator before exactly three digits is a thousands separator: RVTools counts MiB and CPUs in whole
    numbers.
    """
    if text and text.isdecimal() and text.isascii() and len(text) <= _EXACT:
        return float(text)
    digits = _BLANKS.sub("", text or "").removesuffix("%")
    if not digits or len(digits) > _LONGEST_NUMBER:
        return None
    comma, point = digits.rfind(","), digits.rfind(".")
    if comma >= 0 and point >= 0:  # the last one is the decimal separator
        digits = digits.replace("." if comma > point else ",", "").replace(",", ".")
    elif _GROUPS.fullmatch(digits):
        digits = digits.replace(",", "").replace(".", "")
    else:
        digits = digits.replace(",", ".")
    if not _NUMBER.fullmatch(digits):
        return None
    value = float(digits)
    return value if math.isfinite(value) else None


@lru_cache(maxsize=2**16)  # most numbers of an export occur in many rows
def count(text: str | None, factor: int = 1) -> int | None:
    """Return a whole number, not negative and below 2**63; multiplied by ``factor``."""
    value = number(text)
    if value is None or value < 0 or value * factor >= 2**63:
        return None
    return int(value) * factor if value == int(value) else round(value * factor)


_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")


@lru_cache(maxsize=2**16)  # a VM's UUID occurs in each of its rows, a vCenter's in all rows
def uuid(text: str | None) -> str | None:
    """Return a UUID in lower case with its dashes."""
    value = (text or "").strip().lower().strip("{}")
    if not _UUID.fullmatch(value):
        return None
    digits = value.replace("-", "")
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


@lru_cache(maxsize=4096)
def mac(text: str) -> str | None:
    """Return a MAC address in lower case with colons."""
    digits = re.sub(r"[:.\-\s]", "", text).lower()
    return ":".join(re.findall("..", digits)) if re.fullmatch("[0-9a-f]{12}", digits) else None


def addresses(*texts: str | None) -> tuple[str, ...]:
    """Return the IP addresses in cells that list any number of them; each once, without link-local ones."""
    found: dict[str, None] = {}
    for word in re.split(r"[\s,;|]+", " ".join(text for text in texts if text)):
        if (address := _address(word)) is not None:
            found[address] = None
    return tuple(found)


@lru_cache(maxsize=2**14)
def _address(word: str) -> str | None:
    """Return an IP address, with its prefix if it has one; None for a link-local one."""
    text = word.partition("%")[0]
    try:
        address = ipaddress.ip_address(text.partition("/")[0])  # five times as fast as ip_interface
        if address.is_link_local:
            return None
        return str(ipaddress.ip_interface(text)) if "/" in word else str(address)
    except ValueError:
        return None


def fits(text: str | None, longest: int = 1024) -> str | None:
    """Return stripped text, if not empty and valid for a field of the model."""
    value = (text or "").strip()
    return value if 0 < len(value) <= longest else None


def moment(text: str | None) -> str | None:
    """Return a date and time, from Excel's day count or ISO 8601, as RFC 3339; None for other formats."""
    if text is None:
        return None
    try:
        if re.fullmatch(r"[0-9]{5}(\.[0-9]{1,15})?", text):
            found = datetime(1899, 12, 30, tzinfo=UTC) + timedelta(days=float(text))
        else:
            found = datetime.fromisoformat(text.strip())
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found.strftime("%Y-%m-%dT%H:%M:%SZ")
