"""Kubernetes quantities and durations, to and from numbers."""

import re
from functools import lru_cache

_UNITS = {"": 0, "Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5}
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


@lru_cache(maxsize=4096)  # an estate has many disks, but few sizes
def parse_size(text: str) -> int:
    """Return the bytes of a size such as ``40Gi``. Raises ValueError for anything else."""
    match = re.fullmatch(r"([0-9]+)(Ki|Mi|Gi|Ti|Pi)?", text)
    if match is None:
        raise ValueError(f"not a size: {text!r}")
    return int(match[1]) << (10 * _UNITS[match[2] or ""])


def format_size(size: int) -> str:
    """Return bytes as the shortest exact binary quantity, in the API server's form: ``40Gi``."""
    for unit in ("Pi", "Ti", "Gi", "Mi", "Ki"):
        shift = 10 * _UNITS[unit]
        if size and size % (1 << shift) == 0:
            return f"{size >> shift}{unit}"
    return str(size)


def parse_duration(text: str) -> int:
    """Return the seconds of a duration such as ``1h30m``. Raises ValueError for anything else."""
    if re.fullmatch(r"([0-9]+[dhms])+", text) is None:
        raise ValueError(f"not a duration: {text!r}")
    return sum(int(number) * _SECONDS[unit] for number, unit in re.findall(r"([0-9]+)([dhms])", text))
