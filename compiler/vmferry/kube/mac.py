"""MAC addresses as KubeVirt writes them."""


def plain(mac: str) -> str:
    """Return a MAC in lower case with colons, however somebody wrote it."""
    return mac.lower().replace("-", ":")
