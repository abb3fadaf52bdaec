"""Disks that several VMs share: which VM creates the claim, and whether its VMs agree on it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from vmferry.model.keys import DiskKey, VmKey, disk_key
from vmferry.model.rule import declare
from vmferry.resolve.cards import Card, SharedDisk
from vmferry.resolve.freeze import Frozen
from vmferry.resolve.notes import Noting

SHARED_DISK_DIFFERS = declare(
    "VMF306",
    "error",
    "shared disk is described differently by its VMs",
    why="The VMs of a cluster mount one claim, which has one size, one class and one namespace. If their entries "
    "disagree, or one of them stays behind, each side would get its own disk and the cluster would split.",
)


def share(
    cards: Iterable[Card], namespaces: Mapping[VmKey, str]
) -> Noting[tuple[dict[DiskKey, VmKey], tuple[frozenset[VmKey], ...]]]:
    """Return the owner of each shared disk, and the sets of VMs that share one.

    The owner is the first VM by key. VMs that describe the disk differently are findings: one claim cannot match both.
    """
    users: defaultdict[DiskKey, list[tuple[Card, SharedDisk]]] = defaultdict(list)
    for card in cards:
        for disk in card.shared:
            users[disk_key(card.source, disk.name)].append((card, disk))
    for _, found in sorted(users.items()):
        first, disk = found[0]
        for card, other in found[1:]:
            same = other.looks == disk.looks
            together = namespaces.get(card.key) == namespaces.get(first.key)
            if same and together:
                continue
            what = "size, place or source" if not same else "namespace"
            yield SHARED_DISK_DIFFERS.finding(
                f"shared disk {disk.name}: {card.name} and {first.name} differ in {what}",
                "the VMs mount the same claim, which has one size, one class and one namespace",
                where=card.where.at("disks", other.index, "shared"),
                vms=(first.name, card.name),
            )
    owners = {name: found[0][0].key for name, found in users.items()}
    ties = tuple(frozenset(card.key for card, _ in found) for found in users.values() if len(found) > 1)
    return owners, ties


def check_left(live: Iterable[Card], everyone: Iterable[Card], was: Frozen) -> Noting[None]:
    """Report disks that a moving VM shares with one that already moved, or that stays behind."""
    frozen = {
        disk_key(machine.source, disk.shared): machine.name
        for machine in was.machines.values()
        for disk in machine.disks
        if disk.shared is not None
    }
    moving = {card.key for card in live} | set(was.by_candidate)
    staying = {
        disk_key(card.source, disk.name): card.name
        for card in everyone
        if card.key not in moving
        for disk in card.shared
    }
    for card in live:
        for disk in card.shared:
            name = disk_key(card.source, disk.name)
            other = frozen.get(name) or staying.get(name)
            if other is not None:
                why = "is frozen in its group" if name in frozen else "stays behind"
                yield SHARED_DISK_DIFFERS.finding(
                    f"VM {card.name} shares disk {disk.name} with {other}, which {why}",
                    "VMs that share a disk move together, in one group",
                    where=card.where.at("disks", disk.index, "shared"),
                    vms=(card.name, other),
                )
