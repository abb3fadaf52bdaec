"""From what vSphere calls a guest system to its family."""

import re

from vmferry.model.facts import OsFamily

_WORDS: tuple[tuple[OsFamily, str], ...] = (
    ("windows", r"\bwindows\b|^win(?:net|xp|vista|longhorn|\d)"),
    (
        "other",
        r"bsd\b|solaris|mac ?os|os x\b|darwin|netware|os/2|ms-?dos|\besxi?\b|unixware|openserver|ecomstation",
    ),
    (
        "linux",
        r"linux|red ?hat|\brhel|centos|debian|ubuntu|suse\b|\bsles|fedora|rocky|\balma|photon|coreos|flatcar|asianux",
    ),
)
"""First match wins: `Oracle Solaris 11` comes before `Oracle Linux 9`."""

_FAMILIES = tuple((family, re.compile(pattern, re.IGNORECASE)) for family, pattern in _WORDS)
_DETAILED = re.compile(r"familyName='([^']*)'")
_PRETTY = re.compile(r"prettyName='([^']+)'")


def family(*names: str | None) -> OsFamily | None:
    """Return the family by the first name that tells; None for `Other (64-bit)`, which says nothing."""
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
