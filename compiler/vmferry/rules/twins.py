"""Two machines with one identity: VMs with the same UUID."""

from collections.abc import Iterator

from vmferry.model.review import Problem, Review, Subject
from vmferry.rules.forklift import by_uuid, uuid_finder
from vmferry.rules.registry import rule

_SHOWN = 5  # VMs that a message names


@rule("VMF140", "warning", "several VMs have the same SMBIOS UUID")
def one_uuid(review: Review) -> Iterator[Problem]:
    """Clones often keep the UUID of the VM they were cloned from, and the guests keep it in the target.

    Licences, backup, monitoring and configuration management identify machines by it and treat these as one. (Where a
    migration tool looks a VM up by it, see VMF744 and VMF745.)
    """
    several = {key: alike for key, alike in by_uuid(review).items() if len(alike) > 1}
    for (_, uuid), alike in sorted(several.items()):
        concerned = [each for each in alike if _moves(each) and not _covered_elsewhere(review, each)]
        if not concerned:
            continue
        yield Problem(
            f"{_names(alike)} have the same SMBIOS UUID, {uuid}",
            "give each a unique UUID in vSphere (uuid.bios, while it is off) and import again, or state `uuid` in "
            "its entry; a new UUID may invalidate a licence in the guest",
            concerned[0].where.at("uuid"),
            tuple(sorted({each.name for each in concerned})),
        )


def _moves(subject: Subject) -> bool:
    return subject.group is not None and subject.machine is not None and not subject.machine.golden


def _covered_elsewhere(review: Review, subject: Subject) -> bool:
    """Return whether VMF744 or VMF745 already covers the VM's UUID."""
    if subject.group is None or subject.machine is None:
        return False
    raw = any(disk.source.vddk is not None for disk in subject.machine.disks)
    return raw or uuid_finder(review, subject.group, subject.machine) is not None


def _names(subjects: list[Subject]) -> str:
    names = sorted(subject.name for subject in subjects)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"VMs {', '.join(names[:_SHOWN])}{more}"
