"""Notices about an RVTools export as a whole: missing tabs, VMs outside vInfo, facts that RVTools lacks."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from vmferry.importers.rvtools.rows import Export

_WANTED: Mapping[str, str] = {
    "vDisk": "disks",
    "vNetwork": "NICs, MACs and networks",
    "vPartition": "file systems in the guests",
    "vSnapshot": "snapshots",
    "vTools": "VMware Tools",
    "vPort": "VLANs of standard port groups",
    "vCPU": "CPU topology and reservations",
    "vMemory": "memory reservations",
}
_MUST = ("vDisk", "vNetwork")
_SHOWN = 10  # VMs that are named

UNKNOWABLE = (
    "RVTools does not export GPUs, vGPUs, other PCI passthrough and vTPM: whether a VM has one is unknown; "
    "`vmferry import vcenter` knows, or set it in the spec"
)


def missing_tabs(exports: Iterable[Export]) -> Iterator[str]:
    """Yield a line for each export without a tab that every VM needs."""
    for export in exports:
        absent = [tab for tab in _WANTED if not export.has(tab)]
        if any(tab in _MUST for tab in absent):
            tabs = ", ".join(f"{tab} ({_WANTED[tab]})" for tab in absent)
            yield f"{export.name} has no tab {tabs}: these facts stay unknown; export all tabs of RVTools again"


def outside(found: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """Yield how many VMs occur in rows but not in vInfo, and which. ``found``: tab, name and identity of the VM."""
    tabs: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for tab, name, identity in found:
        tabs[name, identity].add(tab)
    if not tabs:
        return
    names = sorted({name for name, _ in tabs})
    listed = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    where = ", ".join(sorted({tab for some in tabs.values() for tab in some}))
    number = f"{len(tabs)} VMs are" if len(tabs) > 1 else "1 VM is"
    yield (
        f"{number} missing from vInfo and in {where} only: {listed}; they will not be migrated: "
        "export again without a filter, or account for them"
    )
