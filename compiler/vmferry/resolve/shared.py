"""Disks that several VMs share: who creates the claim, and whether its VMs agree on it."""

from collections import defaultdict
from collections.abc import Mapping

from vmferry.model.facts import Disk
from vmferry.resolve.declared import SHARED_DISK_DIFFERS
from vmferry.resolve.freeze import Frozen
from vmferry.resolve.notes import Noting
from vmferry.resolve.selection import Candidate


def share(
    candidates: tuple[Candidate, ...], namespaces: Mapping[str, str]
) -> Noting[tuple[dict[str, str], tuple[frozenset[str], ...]]]:
    """Return the owner of each shared disk (by SOURCE/NAME), and the sets of VMs that share one.

    The owner is the first VM by key. VMs that describe the disk differently are findings: one claim
    cannot be both.
    """
    users: defaultdict[str, list[tuple[Candidate, int, Disk]]] = defaultdict(list)
    for candidate in candidates:
        for index, disk in enumerate(candidate.vm.disks or ()):
            if disk.shared is not None:
                users[f"{candidate.source}/{disk.shared}"].append((candidate, index, disk))
    for name, found in sorted(users.items()):
        first, _, disk = found[0]
        for candidate, index, other in found[1:]:
            same = all(
                getattr(other, field) == getattr(disk, field)
                for field in ("size", "datastore", "storage_class", "tier", "source")
            )
            together = namespaces.get(candidate.key) == namespaces.get(first.key)
            if same and together:
                continue
            what = "size, place or source" if not same else "namespace"
            yield SHARED_DISK_DIFFERS.finding(
                f"shared disk {name.partition('/')[2]}: {candidate.vm.name} and {first.vm.name} differ in {what}",
                "the VMs mount one claim: it has one size, one class and one namespace",
                where=candidate.where.at("disks", index, "shared"),
                vms=(first.vm.name, candidate.vm.name),
            )
    owners = {name: found[0][0].key for name, found in users.items()}
    ties = tuple(frozenset(candidate.key for candidate, _, _ in found) for found in users.values() if len(found) > 1)
    return owners, ties


def check_left(live: tuple[Candidate, ...], everyone: tuple[Candidate, ...], was: Frozen) -> Noting[None]:
    """Report disks that a moving VM shares with one that moved already, or that stays behind."""
    frozen = {
        f"{machine.source}/{disk.shared}": machine.name
        for machine in was.machines.values()
        for disk in machine.disks
        if disk.shared is not None
    }
    moving = {candidate.key for candidate in live} | set(was.by_candidate)
    staying = {
        f"{candidate.source}/{disk.shared}": candidate.vm.name
        for candidate in everyone
        if candidate.key not in moving
        for disk in candidate.vm.disks or ()
        if disk.shared is not None
    }
    for candidate in live:
        for index, disk in enumerate(candidate.vm.disks or ()):
            name = f"{candidate.source}/{disk.shared}"
            other = frozen.get(name) or staying.get(name)
            if disk.shared is not None and other is not None:
                why = "is frozen in its group" if name in frozen else "stays behind"
                yield SHARED_DISK_DIFFERS.finding(
                    f"VM {candidate.vm.name} shares disk {disk.shared} with {other}, which {why}",
                    "VMs that share a disk move together, in one group",
                    where=candidate.where.at("disks", index, "shared"),
                    vms=(candidate.vm.name, other),
                )
