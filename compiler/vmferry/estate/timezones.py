"""Whether the C library of a virt-launcher pod knows a time zone: it must be in the tz database."""

import re
from functools import cache

_AREAS = "Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Brazil|Canada|Chile|Etc|Europe|Indian|Mexico|Pacific"
_ZONE = re.compile(rf"(?:{_AREAS}|US)(?:/[A-Za-z0-9_+-]+)+|[A-Z][A-Za-z0-9+-]*")
_CLOSE = 0.9  # a typo; a less similar name may just be newer or older than tzdata


def is_zone(name: str) -> bool:
    """Return whether ``name`` can be a time zone: `W. Europe Standard Time` only exists in Windows.

    A plausible name is compared with the tz database of the package tzdata, because the machines' own databases differ.
    Only typos are rejected: old names are in some databases and not in others.
    """
    return _ZONE.fullmatch(name) is not None and meant(name) is None


def exists(name: str) -> bool:
    """Return whether a time zone is in the tz database of the package tzdata."""
    return name in _known()


@cache  # hundreds of VMs have the same few
def meant(name: str) -> str | None:
    """Return the time zone that ``name`` is a typo of; None if it is correct or unknown."""
    if "/" not in name or name in _known():
        return None
    import difflib  # seldom needed, as are the files of a package

    return next(iter(difflib.get_close_matches(name, _known(), n=1, cutoff=_CLOSE)), None)


@cache
def _known() -> tuple[str, ...]:
    from importlib.resources import files

    return tuple(sorted((files("tzdata") / "zones").read_text(encoding="utf-8").split()))
