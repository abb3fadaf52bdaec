"""From vSphere's name of a guest system to its family."""

import re

from vmferry.model.facts import OsFamily

_WORDS: tuple[tuple[OsFamily, tuple[str, ...]], ...] = (
    ("windows", (r"\bwindows\b", r"^win(?:net|xp|vista|longhorn|\d)", r"^win(?:dows\w*|me|nt)guest$")),
    (
        "other",
        (
            r"bsd(?:\b|\w*guest$)|solaris|mac ?os|os x\b|darwin|netware|os/2|ms-?dos|\besxi?\b",
            r"unixware|openserver|ecomstation|^(?:os2|dos|vmkernel|crx)\w*guest$",
        ),
    ),
    (
        "linux",
        (
            r"linux|red ?hat|\brhel|centos|debian|ubuntu|suse\b|\bsles|fedora|rocky|\balma|photon|coreos|flatcar",
            r"asianux|mandriva|mandrake|pardus|^(?:opensuse|suse|nld9|oes|sjds)\w*guest$",
        ),
    ),
)
"""Names and guest ids; the first match wins: `Oracle Solaris 11` comes before `Oracle Linux 9`."""

_FAMILIES = tuple((family, re.compile("|".join(patterns), re.IGNORECASE)) for family, patterns in _WORDS)
_DETAILED = re.compile(r"familyName='([^']*)'")
_PRETTY = re.compile(r"prettyName='([^']+)'")


def family(*names: str | None) -> OsFamily | None:
    """Return the family by the first conclusive name; None for `Other (64-bit)`."""
    for name in names:
        for result, pattern in _FAMILIES:
            if name and pattern.search(name):
                return result
    return None


def detailed_name(text: str | None) -> str | None:
    """Return the family that VMware Tools reports in `Guest Detailed Data`."""
    match = _DETAILED.search(text or "")
    return match[1] if match else None


def release(text: str | None) -> str | None:
    """Return the release in `Guest Detailed Data`, which is `key='value'` pairs."""
    match = _PRETTY.search(text or "")
    return match[1] if match else None
