"""Where a URL leads to, and how its host is written."""

from urllib.parse import urlsplit

_PORTS = {"http": 80, "ssh": 22}


def endpoint(url: str) -> tuple[str, int]:
    """Return host and port that a URL leads to; the host is empty if it has none that can be read."""
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443)
    except ValueError:  # brackets around what is not an IPv6 address, or a port that is not a number
        return "", 443


def bracketed(host: str) -> str:
    """Return a host as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host
