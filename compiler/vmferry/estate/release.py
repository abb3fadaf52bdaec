"""A guest's Linux distribution and release: as reported by VMware Tools, otherwise by its guest id."""

import re
from typing import NamedTuple

from vmferry.model.spec import VirtualMachine


class Release(NamedTuple):
    """A distribution, by its name in libguestfs, and its major release."""

    distribution: str
    major: int


_NAMED: tuple[tuple[str, str], ...] = (
    ("debian", r"debian gnu/linux"),
    ("ubuntu", r"ubuntu(?: linux)?"),
    ("centos", r"centos(?: linux)?(?: stream)?"),
    ("rhel", r"red hat enterprise linux(?: server)?"),
    ("oraclelinux", r"oracle linux(?: server)?"),
    ("sles", r"suse linux enterprise(?: server)?"),
)
_NAMES = tuple(
    (name, re.compile(rf"\b{pattern}(?: release)? (?P<major>[0-9]{{1,2}})\b", re.IGNORECASE))
    for name, pattern in _NAMED
)
_ID = re.compile(r"(?P<name>debian|centos|rhel|oracleLinux|sles)(?P<major>[0-9]{1,2})(?:_64)?Guest")


def release(vm: VirtualMachine) -> Release | None:
    """Return the distribution and release of a VM's guest; None if uncertain.

    VMware Tools report the running guest; the guest id was configured once, often long ago.
    """
    for text in (vm.guest_detail, vm.guest_tools_name):
        for name, pattern in _NAMES:
            if found := pattern.search(text or ""):
                return Release(name, int(found["major"]))
        if text:
            return None  # it runs something else than its guest id says
    if found := _ID.fullmatch(vm.guest_id or ""):
        return Release(found["name"].lower(), int(found["major"]))
    return None
