"""Whether a disk can be read through vSphere's APIs at all; otherwise it is copied from an image."""

from vmferry.model.facts import Disk


def is_independent(disk: Disk) -> bool:
    """Return whether a disk is left out of snapshots, which VDDK reads from."""
    return (disk.mode or "").startswith("independent")


def unreadable(disk: Disk) -> str | None:
    """Return why a disk cannot be read through vSphere's APIs; None if it can."""
    if disk.rdm == "physical":
        return "vSphere cannot read a physical raw device mapping"
    return "VDDK cannot read an independent disk" if is_independent(disk) else None
