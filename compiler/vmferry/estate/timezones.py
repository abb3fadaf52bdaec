"""Whether a time zone is one that the C library of a virt-launcher pod knows: a name of the tz database."""

import difflib
import re
import zoneinfo
from functools import lru_cache

_AREAS = "Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Brazil|Canada|Chile|Etc|Europe|Indian|Mexico|Pacific"
_ZONE = re.compile(rf"(?:{_AREAS}|US)(?:/[A-Za-z0-9_+-]+)+|[A-Z][A-Za-z0-9+-]*")
_CLOSE = 0.9  # a slip of the pen; further away it may be a name that is only newer or older than this machine's


def is_zone(name: str) -> bool:
    """Return whether ``name`` can be a time zone: `W. Europe Standard Time` is one of Windows only.

    What looks like one is held against this machine's tz database, if it has one, and only a slip of the pen is none:
    old names are in some databases and not in others.
    """
    return _ZONE.fullmatch(name) is not None and meant(name) is None


@lru_cache  # the database is read anew each time
def meant(name: str) -> str | None:
    """Return the time zone that ``name`` is a misspelling of; None where it is right, or nobody knows."""
    known = zoneinfo.available_timezones()
    if "/" not in name or name in known:
        return None
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1, cutoff=_CLOSE)), None)
