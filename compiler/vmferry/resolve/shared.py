"""Disks that several VMs share: who creates the claim, and whether its VMs agree on it."""

from collections import defaultdict
from collections.abc import Mapping

from vmferry.model.facts import Disk
from vmferry.resolve.journal import Journal
from vmferry.resolve.selection import Candidate


def share(
    candidates: tuple[Candidate, ...], namespaces: Mapping[str, str], journal: Journal
) -> tuple[dict[str, str], tuple[frozenset[str], ...]]:
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
            same = other.size == disk.size and other.datastore == disk.datastore
            together = namespaces.get(candidate.key) == namespaces.get(first.key)
            if same and together:
                continue
            what = "size and datastore" if not same else "namespace"
            journal.find(
                "VMF306",
                f"shared disk {name.partition('/')[2]}: {candidate.vm.name} and {first.vm.name} differ in {what}",
                "the VMs mount one claim: it has one size, one class and one namespace",
                where=candidate.where.at("disks", index, "shared"),
                vms=(first.vm.name, candidate.vm.name),
            )
    owners = {name: found[0][0].key for name, found in users.items()}
    ties = tuple(frozenset(candidate.key for candidate, _, _ in found) for found in users.values() if len(found) > 1)
    return owners, ties
