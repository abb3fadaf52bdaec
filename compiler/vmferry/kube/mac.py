"""MAC addresses in KubeVirt's form."""


def plain(mac: str) -> str:
    """Return a MAC in lower case with colons, whatever its spelling."""
    return mac.lower().replace("-", ":")
