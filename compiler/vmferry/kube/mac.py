"""MAC addresses as KubeVirt writes them."""


def plain(mac: str) -> str:
    """Return a MAC in lower case with colons, whatever its spelling."""
    return mac.lower().replace("-", ":")
