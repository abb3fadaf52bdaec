"""Names that are made of other names and still have to fit into a label."""

import hashlib

LONGEST = 63


def suffixed(name: str, suffix: str) -> str:
    """Return ``name-suffix``; if that is over 63 characters, ``name`` is cut and followed by its digest."""
    if len(name) + 1 + len(suffix) <= LONGEST:
        return f"{name}-{suffix}"
    return f"{fitted(name, LONGEST - 1 - len(suffix), always=True)}-{suffix}"


def fitted(name: str, longest: int = LONGEST, *, always: bool = False) -> str:
    """Return ``name``, cut and with its digest at the end where it is too long, or ``always``."""
    if len(name) <= longest and not always:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: longest - 9].rstrip('-.')}-{digest}"
