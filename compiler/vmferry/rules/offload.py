"""Copies by the storage array (path A): disks that it cannot copy, and the required preparation."""

from collections import defaultdict
from collections.abc import Iterator

from vmferry.estate.stages import begun
from vmferry.estate.storage_map import StorageRows
from vmferry.kube import versions
from vmferry.model.blueprint import Group, Machine, MachineDisk
from vmferry.model.facts import Disk
from vmferry.model.review import Problem, Review, Subject
from vmferry.rules.registry import rule

_README = "kubev2v/forklift cmd/vsphere-copy-offload-populator/README.md"


def _offloaded(review: Review) -> Iterator[tuple[Subject, Group, Machine]]:
    """Yield the VMs with disks that the array copies, whose copy has not started."""
    return (moving for moving in review.moving if _is_offloaded(*moving[1:]))


def _is_offloaded(group: Group, machine: Machine) -> bool:
    return group.path == "forklift" and not begun(group.stage) and any(disk.offload for disk in machine.disks)


@rule(
    "VMF761",
    "error",
    "one VM with disks copied by the array and by VDDK",
    source="kubev2v/forklift pkg/controller/plan/validation.go (VDDKAndOffloadMixedUsage)",
    essential=True,
    each=True,
)
def mixed(review: Review) -> Iterator[Problem]:
    """A Plan copies by copy offload or by VDDK, never both; one with a VM that needs both does not become Ready.

    VMs that are copied one way each go into different move groups. The disks of one VM cannot be separated.
    """
    for subject, _, machine in _offloaded(review):
        rest = [disk for disk in machine.disks if disk.offload is None]
        if rest:
            where = sorted({disk.datastore.name for disk in rest if disk.datastore is not None})
            yield subject.problem(
                f"the storage array copies {len(machine.disks) - len(rest)} of its disks, and VDDK copies those on "
                f"{', '.join(where)}",
                "add `offload` to that row of `storage.map` as well, or state forklift: {offload: false} on the VM",
                "disks",
            )


@rule(
    "VMF762",
    "error",
    "array cannot copy the disk this way",
    source="kubev2v/forklift pkg/controller/plan/adapter/vsphere/builder.go (PopulatorVolumes, buildCsiImportPVC)",
    essential=True,
    each=True,
)
def uncopied(review: Review) -> Iterator[Problem]:
    """Copy offload always fills Block volumes. csiVolumeImport imports VVols and raw device mappings, and only cold.

    A disk that csiVolumeImport skips is copied by xcopy, if its row has that; otherwise nothing copies it, and the
    migration waits for a volume that is never filled.
    """
    for subject, group, machine in _offloaded(review):
        facts = _facts(subject)
        for disk in machine.disks:
            if disk.offload is None:
                continue
            if disk.volume_mode != "Block":
                yield subject.problem(
                    f"{disk.name} goes to {disk.storage_class} as {disk.volume_mode}, and copy offload only "
                    "fills Block "
                    "volumes",
                    "use a StorageClass with volume mode Block, or state forklift: {offload: false}",
                    "disks",
                )
            if disk.offload.xcopy is None and (why := _passed_over(review, subject, group, disk, facts)):
                yield subject.problem(
                    f"{disk.name} {why}, so csiVolumeImport skips it",
                    "add `xcopy` to its row of `storage.map`, or state forklift: {offload: false}",
                    "disks",
                )


def _facts(subject: Subject) -> dict[str, Disk]:
    return {disk.file: disk for disk in subject.vm.disks or () if disk.file is not None}


def _passed_over(
    review: Review, subject: Subject, group: Group, disk: MachineDisk, facts: dict[str, Disk]
) -> str | None:
    """Return why the CSI driver does not import a disk; None if it does, or if unknown."""
    if group.method == "warm":
        return "is copied warm"
    fact = facts.get(disk.file or "")
    if fact is None or fact.rdm is not None or disk.datastore is None:
        return None
    kinds = {
        each.kind.lower()
        for part in review.project.inventories
        for each in part.datastores
        if part.source.name == subject.source and each.kind is not None and disk.datastore.name in (each.name, each.id)
    }
    return "is a VMDK" if kinds and "vvol" not in kinds else None


@rule("VMF763", "info", "copy offload needs preparation", source=_README, blueprint=True)
def prepare(review: Review) -> Iterator[Problem]:
    """The array's credentials must be in a Secret beside the Provider, and ESXi must accept the command to copy.

    By default that command goes through a VIB (vmkfstools-wrapper), which each host of the datastores needs; with
    `esxiCloneMethod: ssh`, Forklift logs in to the hosts instead. Before Forklift 2.11 copy offload is switched off.
    """
    users: defaultdict[str, set[str]] = defaultdict(set)
    secrets: defaultdict[str, set[str]] = defaultdict(set)
    by_host: set[str] = set()
    for group, machine in review.machines:
        if not _is_offloaded(group, machine):
            continue
        users[machine.source].add(machine.name)
        for disk in machine.disks:
            if disk.offload is not None and disk.offload.xcopy is not None:
                secrets[machine.source].add(disk.offload.xcopy.secret)
                by_host.add(machine.source)
            if disk.offload is not None and disk.offload.csi is not None:
                secrets[machine.source].add(disk.offload.csi.secret_ref)
    switched_off = versions.possible(review.blueprint.cluster.versions, versions.OFFLOAD_SWITCHED_OFF)
    for index, source in enumerate(review.spec.sources):
        if source.name not in users:
            continue
        steps = [f"create Secret {', '.join(sorted(secrets[source.name]))} in {review.blueprint.forklift.namespace}"]
        if source.name in by_host:
            ssh = source.vcenter.settings.get("esxiCloneMethod") == "ssh"
            steps.append(
                "allow SSH to the ESXi hosts" if ssh else "install the VIB vmkfstools-wrapper on the ESXi hosts"
            )
        if switched_off:
            steps.append("set feature_copy_offload: true in the ForkliftController")
        count = len(users[source.name])
        yield Problem(
            f"the storage array copies {count} VM{'s' * (count > 1)} of {source.name}, and has to be prepared for it",
            "; ".join(steps) + "; test it with one VM, then suppress this",
            review.at("sources", index, "vcenter"),
            tuple(sorted(users[source.name])),
        )


@rule(
    "VMF764",
    "error",
    "unknown `esxiCloneMethod`",
    source="kubev2v/forklift pkg/apis/forklift/v1beta1/provider.go (ESXiCloneMethodVIB, ESXiCloneMethodSSH)",
)
def clone_method(review: Review) -> Iterator[Problem]:
    """Forklift knows `vib` and `ssh`. Any other value reaches the pod that copies, which stops there."""
    for index, source in enumerate(review.spec.sources):
        method = source.vcenter.settings.get("esxiCloneMethod")
        if method not in (None, "vib", "ssh"):
            yield Problem(
                f"vCenter {source.name}: esxiCloneMethod {method!r} does not exist",
                "use vib (the default) or ssh",
                review.at("sources", index, "vcenter", "settings", "esxiCloneMethod"),
            )


@rule("VMF769", "info", "copy offload is not used by any VM", source=_README)
def unused(review: Review) -> Iterator[Problem]:
    """The row says how the storage array copies the disks of a datastore, and no disk is copied that way.

    Only Forklift does so (path A), for VMs that do not opt out. Someone may count on fast copies that never happen.
    """
    rows = StorageRows(review.spec.storage.map)
    used = {
        rows.of_ref(machine.source, disk.datastore)
        for _, _, machine in review.moving
        for disk in machine.disks
        if disk.offload is not None and disk.datastore is not None
    }
    for index, row in enumerate(rows.rows):
        if row.offload is not None and index not in used:
            yield Problem(
                f"datastore {row.source.datastore}: `offload` is not used by any VM",
                "only path forklift uses it: remove it, or check why its VMs take another path",
                review.at("storage", "map", index, "offload"),
            )
