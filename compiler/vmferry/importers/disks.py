"""Facts of disks that importers derive: the datastore, and the name of a shared disk in each of its VMs."""

import hashlib
import re

_PATH = re.compile(r"\[(?P<datastore>[^\]]+)\] ?(?P<file>.*)", re.DOTALL)
_LONGEST_STEM = 40


def datastore_of(file: str | None) -> str | None:
    """Return the datastore of a path such as `[ds1] web-01/web-01.vmdk`."""
    match = _PATH.fullmatch(file or "")
    return match["datastore"] if match else None


def shared_name(file: str, source: str) -> str:
    """Return the name (a DNS label) of a shared disk.

    The same path in the same vCenter gives the same name in every VM.
    """
    stem = file.rpartition("/")[2].rpartition("] ")[2].removesuffix(".vmdk")
    words = re.sub("[^a-z0-9]+", "-", stem.lower())[:_LONGEST_STEM].strip("-")
    digest = hashlib.sha256(f"{source}\0{file}".encode()).hexdigest()[:8]
    return f"{words}-{digest}" if words else f"disk-{digest}"
