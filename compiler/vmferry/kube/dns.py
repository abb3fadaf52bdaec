"""Kubernetes names (DNS-1123): made from any text, and truncated without collisions."""

import hashlib
import re

LONGEST = 63  # of a label


def sanitize(name: str, limit: int = LONGEST) -> str:
    """Return a DNS-1123 label close to ``name``; empty if no character is usable."""
    label = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return label[:limit].rstrip("-")


def digest(text: str, length: int = 6) -> str:
    """Return a few stable hex digits for a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


def fit(name: str, limit: int = LONGEST) -> str:
    """Return ``name`` within ``limit`` characters; a digest distinguishes truncated names."""
    if len(name) <= limit:
        return name
    return f"{name[: limit - 7].rstrip('-')}-{digest(name)}"


def suffixed(name: str, suffix: str) -> str:
    """Return ``name-suffix``; if that exceeds 63 characters, ``name`` is truncated and followed by its digest."""
    if len(name) + 1 + len(suffix) <= LONGEST:
        return f"{name}-{suffix}"
    return f"{_cut(name, LONGEST - 1 - len(suffix))}-{suffix}"


def fitted(name: str, longest: int = LONGEST) -> str:
    """Return the name of an object within ``longest`` characters.

    Like `fit`, but for names with dots, and with a longer digest. Both must stay: existing objects have names from
    either, and a name never changes.
    """
    return name if len(name) <= longest else _cut(name, longest)


def _cut(name: str, longest: int) -> str:
    return f"{name[: longest - 9].rstrip('-.')}-{digest(name, 8)}"
