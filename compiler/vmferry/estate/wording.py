"""Numbers and names in sentences."""

from collections.abc import Sequence

_GIB = 1 << 30
_TIB = 1 << 40
_NAMED = 5


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: 1 VM, 2 VMs."""
    return f"{count} {noun}" if count == 1 else f"{count} {plural or noun + 's'}"


def listing(names: Sequence[str]) -> str:
    """Return the first names and how many there are more: a, b, c, d, e and 4 more."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def size(count: int) -> str:
    """Return bytes in a readable unit: TiB with one decimal, below that whole GiB, rounded up."""
    if count >= _TIB:
        return f"{count / _TIB:.1f} TiB"
    return f"{-(-count // _GIB)} GiB"


def duration(seconds: float) -> str:
    """Return a time span in two units at most: 3 d 4 h, 2 h 5 min, 40 s, -1 d."""
    if seconds < 0:
        return f"-{duration(-seconds)}"
    left = round(seconds)
    if left < 60:
        return f"{left} s"
    minutes = round(seconds / 60)
    days, minutes = divmod(minutes, 1440)
    hours, minutes = divmod(minutes, 60)
    units = [(days, "d"), (hours, "h"), (minutes, "min")]
    while units and not units[0][0]:
        units.pop(0)
    return " ".join(f"{number} {unit}" for number, unit in units[:2] if number)
