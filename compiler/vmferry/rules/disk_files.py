"""Files of disks: one VMDK that two disks would be copied from, one image file that two disks would be published as."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from vmferry.model.blueprint import Machine, MachineDisk
from vmferry.model.review import Problem, Review, Subject
from vmferry.rules.registry import rule

_Holder = tuple[Subject, Machine, MachineDisk]


@rule("VMF333", "error", "same VMDK is a disk of two VMs", source="VMware KB 1034165 (multi-writer)")
def one_vmdk(review: Review) -> Iterator[Problem]:
    """In vSphere a file is the disk of one VM, unless both declare that they share it (`shared`, the same name).

    Both would be copied. The copies diverge from then on, and nobody knows which of the two wrote last. Usually one
    entry was copied from the other. The same path on another datastore, in another datacenter or in another vCenter is
    a different file.
    """
    holders: defaultdict[tuple[str, ...], list[_Holder]] = defaultdict(list)
    for subject, group, machine in review.moving:
        for disk in machine.disks if group.path != "rebuild" else ():
            if disk.file and not disk.clones:
                datastore = disk.datastore.name or disk.datastore.id or "" if disk.datastore else ""
                place = (subject.source, subject.vm.datacenter or "", datastore, disk.file.strip())
                holders[place].append((subject, machine, disk))
    for key, several in sorted(holders.items()):
        shared = {disk.shared for _, _, disk in several}
        if len(several) > 1 and (len(shared) > 1 or shared == {None}):
            yield _problem(
                several,
                f"{key[-1]} is the disk of {_named(several)}: both would be copied",
                "correct the `file` of one of them; for a disk that both use, state the same `shared` name in both",
                "file",
            )


@rule("VMF591", "error", "two disks would be published as the same file")
def one_image(review: Review) -> Iterator[Problem]:
    """bastion.sh publishes each disk's image under the last part of its URL, all of a group in one PUBLISH_DIR.

    If the URLs of two disks have the same ending in a group, or are the same in two groups, one VM would start from the
    other's disk. The same URL with the same checksum is one image that both are to have.
    """
    in_group: defaultdict[tuple[str, str], list[_Holder]] = defaultdict(list)
    anywhere: defaultdict[str, dict[str, _Holder]] = defaultdict(dict)
    for subject, group, machine in review.moving:
        converted = group.path == "virt-v2v" and machine.clone_of is None
        for disk in machine.disks if converted else ():
            if disk.owner and (name := _file_name(disk)):
                in_group[group.name, name].append((subject, machine, disk))
                anywhere[_address(disk)].setdefault(group.name, (subject, machine, disk))
    found = [(name, several) for (_, name), several in sorted(in_group.items())]
    found += [(address, [*first.values()]) for address, first in sorted(anywhere.items())]
    for name, several in found:
        images = {(_address(disk), _checksum(disk)) for _, _, disk in several}
        if len(several) > 1 and (len(images) > 1 or None in {checksum for _, checksum in images}):
            yield _problem(
                several,
                f"bastion.sh would publish the images of {_named(several)} as {name}, one overwriting the other",
                "end each URL with a unique file name, such as VM-sda.qcow2",
                "source",
            )


def _file_name(disk: MachineDisk) -> str:
    """Return bastion.sh's name for the image of a disk, from its URL."""
    return PurePosixPath(unquote(urlsplit(disk.source.http.url).path)).name if disk.source.http is not None else ""


def _address(disk: MachineDisk) -> str:
    """Return the file in the URL of a disk's image, ignoring the query."""
    return urlsplit(disk.source.http.url)._replace(query="", fragment="").geturl() if disk.source.http else ""


def _checksum(disk: MachineDisk) -> str | None:
    return disk.source.http.checksum if disk.source.http else None


def _named(several: list[_Holder]) -> str:
    return " and ".join(f"{machine.name} ({disk.name})" for _, machine, disk in several)


def _problem(several: list[_Holder], message: str, fix: str, field: str) -> Problem:
    subject, _, disk = several[-1]
    where = subject.problem("", "", "disks", disk.index, field).where
    return Problem(message, fix, where, tuple(sorted({machine.name for _, machine, _ in several})))
