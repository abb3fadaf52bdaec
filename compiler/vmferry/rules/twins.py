"""Two machines with one identity: VMs with the same UUID, and a source that runs beside its target."""

from collections import defaultdict
from collections.abc import Iterator

from vmferry.estate.wording import counted
from vmferry.kube.mac import plain
from vmferry.model.blueprint import Machine, MachineNic
from vmferry.model.project import Entry
from vmferry.model.review import Problem, Review, Subject
from vmferry.model.spec import OvnLayer2
from vmferry.rules.forklift import by_uuid, uuid_finder
from vmferry.rules.registry import rule
from vmferry.rules.segments import Rows

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


@rule("VMF141", "warning", "parallel run with the same MAC or address on both sides")
def parallel_twins(review: Review) -> Iterator[Problem]:
    """`dualRun: {mode: parallel}` promises that both sides serve, and a copy has its source's MAC and addresses.

    Two that run in the same VLAN conflict: switches and neighbours see one address in two places. With Forklift the
    source is also shut down for the copy, and whoever starts it again causes the conflict. Both can run if the copy is
    on another VLAN or on the pod network, or has its own MAC and addresses.
    """
    entries = {(entry.where.file, entry.where.document, entry.where.path): entry for entry in review.project.entries}
    rows = Rows(review)
    modes = {phase.name: phase.dual_run.mode for phase in review.spec.phases if phase.dual_run is not None}
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for subject, group, machine in review.moving:
        if modes.get(group.phase) != "parallel" or not _copied(machine):
            continue
        entry = entries.get((subject.where.file, subject.where.document, subject.where.path))
        if any(_twin(subject, nic, rows, entry) for nic in machine.nics):
            found[group.phase, machine.path].add(subject.name)
    for index, phase in enumerate(review.spec.phases):
        for (name, path), vms in sorted(found.items()):
            if name != phase.name:
                continue
            number = counted(len(vms), "VM")
            shut = "; Forklift shuts the source down for the copy" if path == "forklift" else ""
            yield Problem(
                f"phase {name}: dualRun is parallel, and {number} would have the MAC of the source on both sides, "
                f"in one VLAN{shut}",
                "set mode: fallback; or put the copies on another network, with their own MACs and addresses "
                "(`nics`, `readdress`)",
                review.at("phases", index, "dualRun", "mode"),
                tuple(sorted(vms)),
            )


def _copied(machine: Machine) -> bool:
    return machine.path != "rebuild" and not machine.golden and machine.clone_of is None


def _twin(subject: Subject, nic: MachineNic, rows: Rows, entry: Entry | None) -> bool:
    """Return whether a NIC would have its source's MAC in the VLAN of its source."""
    row = rows.of(subject, nic.index, nic.network)
    if not nic.connected or nic.nad is None or row is None or isinstance(row.network.target, OvnLayer2):
        return False
    if row.vlan is not None and row.vsphere_vlan is not None and row.vlan != row.vsphere_vlan:
        return False
    before = (entry.imported.nics or ()) if entry is not None and entry.imported is not None else ()
    was = before[nic.index].mac if nic.index < len(before) else None
    return was is None or nic.mac is None or plain(was) == nic.mac
