"""Conversions and copies on path B: what makes them incomplete, or prevents them."""

from collections import defaultdict
from collections.abc import Iterator

from vmferry.estate.methods import METHODS
from vmferry.estate.stages import begun, started
from vmferry.estate.wording import counted
from vmferry.kube import versions
from vmferry.kube.provisioners import takes_files
from vmferry.kube.quantity import parse_size
from vmferry.model.blueprint import Group, Machine, MachineDisk
from vmferry.model.review import Problem, Review, Subject
from vmferry.rules.registry import rule

_POWER_STATE = "kubevirt/containerized-data-importer pkg/importer/vddk-datasource_amd64.go"


@rule("VMF585", "warning", "running VM would be copied by vddk", source=_POWER_STATE, each=True)
def will_run(review: Review) -> Iterator[Problem]:
    """CDI copies a disk with source `vddk` once, as soon as the VM's group is at `migrating`, even if the VM runs.

    The copy is crash-consistent, of some moment in between, and what the source writes until the cutover is lost.
    Conversion Jobs and bastion.sh ask vSphere and refuse a running VM; here nothing asks.
    """
    for subject, group, disks in _running(review):
        if begun(group.stage):
            continue
        yield subject.problem(
            f"it is powered on, and CDI copies {disks} once, without checking that",
            "shut it down after its group is prepared and before it moves to migrating, and import again; if it cannot "
            "be off that long, use path forklift with method warm",
            "powerState",
        )


@rule("VMF586", "error", "running VM is copied by vddk", source=_POWER_STATE, groups=True)
def runs(review: Review) -> Iterator[Problem]:
    """The group is at `migrating`: CDI copies the disks now, and according to the facts the VM runs.

    What it writes from now on is missing in the target, and its file systems may be damaged there.
    """
    for subject, group, disks in _running(review):
        if started(group.stage) or not begun(group.stage):
            continue
        yield subject.problem(
            f"it is powered on, and {disks} would be copied now; what it writes from then on is lost",
            "shut it down and import again, or state powerState: poweredOff once it is off",
            "powerState",
        )


@rule("VMF588", "info", "conversions wait for each other", blueprint=True)
def turns(review: Review) -> Iterator[Problem]:
    """A vCenter's `parallelConversions` limits how many Jobs read from it at once; the others wait until one is done.

    All VMs of a group are shut down before it moves to `migrating`, so the last one is down the longest.
    """
    limits = {source.name: source.vcenter.parallel_conversions for source in review.blueprint.sources}
    if review.blueprint.cluster.kueue_queue is not None:
        return
    for group in review.blueprint.groups:
        names = tuple(machine.name for machine in _converted(group))
        limit = limits.get(group.source, len(names))
        if not started(group.stage) and len(names) > limit:
            yield Problem(
                f"group {group.name}: {len(names)} VMs are converted, and at most {limit} at once from {group.source}",
                "plan the window for that; or raise the source's parallelConversions if its hosts can take it, or set "
                f"maxVms: {limit} in phase {group.phase}",
                review.blueprint.places.get(group.machines[0].key),
                names,
            )


@rule(
    "VMF589", "info", "conversions need a LocalQueue of Kueue", source="https://kueue.sigs.k8s.io/docs/tasks/run/jobs/"
)
def queue(review: Review) -> Iterator[Problem]:
    """With `kueueQueue`, conversion Jobs are suspended until Kueue starts them from that LocalQueue.

    vmferry creates neither the LocalQueue nor its ClusterQueue: the quota belongs to the cluster. Cover `pods` there,
    with as many as may read from vSphere at once. Without the LocalQueue the Jobs wait forever.
    """
    name = review.blueprint.cluster.kueue_queue
    groups = [group for group in review.blueprint.groups if _converted(group)]
    if name is not None and groups:
        namespaces = sorted({group.namespace for group in groups})
        yield Problem(
            f"conversion Jobs wait for LocalQueue {name} of namespace {', '.join(namespaces)}",
            f"create LocalQueue {name} there, of a ClusterQueue that covers pods, cpu, memory and "
            "devices.kubevirt.io/kvm; its flavors must not add tolerations, because a running Job cannot change",
            review.at("target", "cluster", "kueueQueue"),
        )


@rule(
    "VMF435",
    "error",
    "scratch volume of conversion Jobs does not fit",
    source="libguestfs/virt-v2v docs/virt-v2v.pod, Disk space; kubernetes generic ephemeral volumes",
)
def scratch(review: Review) -> Iterator[Problem]:
    """virt-v2v needs at least 1 GB of scratch space, and writes files there, so a Block volume does not do.

    A claim in a StorageClass that does not exist stays Pending, and so does the conversion's pod.
    """
    wanted = review.blueprint.cluster.conversion_scratch
    names = tuple(machine.name for group in review.blueprint.groups for machine in _converted(group))
    if wanted is None or not names:
        return
    known = {each.name: each for each in review.spec.storage.classes}
    at = review.at("target", "cluster", "conversionScratch")
    if wanted.storage_class not in known:
        has = f"defined: {', '.join(sorted(known))}" if known else "none is defined"
        message = f"conversionScratch uses StorageClass {wanted.storage_class}, which `storage.classes` does not define"
        yield Problem(message, f"correct it, or add the class; {has}", at.at("storageClass"), names)
    elif not takes_files(known[wanted.storage_class]):
        message = f"conversionScratch uses StorageClass {wanted.storage_class}, which has no Filesystem volumes"
        yield Problem(message, "use a class with Filesystem volumes", at.at("storageClass"), names)
    if parse_size(wanted.size) < _LEAST_SCRATCH:
        yield Problem(
            f"conversionScratch is {wanted.size}, and virt-v2v needs 1 GB free",
            "state 2Gi plus 1Gi per disk of the largest VM, or to be safe the size of the largest disk",
            at.at("size"),
            names,
        )


@rule(
    "VMF436",
    "info",
    "CDI needs scratch space in a file system",
    source="kubevirt/containerized-data-importer doc/scratch-space.md",
    groups=True,
)
def cdi_scratch(review: Review) -> Iterator[Problem]:
    """CDI unpacks uploads, images from a registry and sometimes http on one more volume, as large as the disk.

    It is a Filesystem volume of the CDI resource's scratchSpaceStorageClass, or else of the default StorageClass, or of
    the disk's own class. If that class only has Block volumes, the import stays Pending.
    """
    blocks = {each.name for each in review.spec.storage.classes if not takes_files(each)}
    users: defaultdict[str, list[str]] = defaultdict(list)
    for subject, group, machine in review.moving if blocks else ():
        if machine.path != "virt-v2v" or started(group.stage):
            continue
        for name in sorted({disk.storage_class for disk in machine.disks if _unpacked(disk)} & blocks):
            users[name].append(subject.name)
    for name, vms in sorted(users.items()):
        yield Problem(
            f"StorageClass {name} only has Block volumes, and CDI unpacks {len(vms)} VMs' images on a file system",
            "set spec.config.scratchSpaceStorageClass of the CDI resource, or a default StorageClass, to one that has "
            "Filesystem volumes and space for the largest disk",
            review.at("storage", "classes"),
            tuple(vms),
        )


@rule("VMF438", "warning", "CDI does not check the digest of an image", source=versions.HTTP_CHECKSUM.source, each=True)
def unchecked(review: Review) -> Iterator[Problem]:
    """A disk's `checksum` is left out if the cluster's CDI has no such field: a damaged image would be imported."""
    cluster = review.blueprint.cluster
    if versions.certain(cluster.versions, versions.HTTP_CHECKSUM):
        return
    for subject, group, machine in review.moving:
        stated = [disk.name for disk in machine.disks if disk.source.http is not None and disk.source.http.checksum]
        if stated and not started(group.stage):
            yield subject.problem(
                f"CDI {cluster.versions.cdi} does not check the digest of {', '.join(stated)}",
                f"{versions.HTTP_CHECKSUM.releases} does so: update CDI, or check the image where it is published",
                "disks",
            )


@rule(
    "VMF437",
    "warning",
    "pods of VMs are refused by Pod Security",
    source="kubevirt/kubevirt pkg/virt-controller/services/template.go; kubernetes.io/docs, Pod Security Standards",
)
def restricted(review: Review) -> Iterator[Problem]:
    """Pod Security's restricted profile requires a seccomp profile, and KubeVirt sets none on its pods by default.

    Conversion Jobs and CDI's pods are admitted, but the VM is not, at its cutover. The baseline profile admits all of
    them. OpenShift Virtualization sets a profile itself.
    """
    if review.blueprint.cluster.distribution == "openshift":
        return
    for index, namespace in enumerate(review.spec.namespaces):
        names = tuple(
            machine.name
            for group in review.blueprint.groups
            for machine in group.machines
            if group.namespace == namespace.name and group.path != "rebuild" and not machine.golden
        )
        if namespace.labels.get(_ENFORCE) == "restricted" and names:
            yield Problem(
                f"namespace {namespace.name} enforces restricted, and VM pods have no seccomp profile by default",
                "enforce baseline; or set spec.configuration.seccompConfiguration.virtualMachineInstanceProfile."
                "customProfile.runtimeDefaultProfile: true in the KubeVirt resource, and suppress this",
                review.at("namespaces", index, "labels", _ENFORCE),
                names,
            )


_ENFORCE = "pod-security.kubernetes.io/enforce"
_LEAST_SCRATCH = 10**9


def _unpacked(disk: MachineDisk) -> bool:
    source = disk.source
    return disk.owner and (source.http is not None or source.registry is not None or source.upload is not None)


def _converted(group: Group) -> list[Machine]:
    """Return the VMs of a group that Jobs convert."""
    return [each for each in group.machines if METHODS[group.method].converts and each.clone_of is None and each.disks]


def _running(review: Review) -> Iterator[tuple[Subject, Group, str]]:
    """Yield the VMs that run in vSphere and are copied by vddk, with their groups and the names of those disks."""
    for subject, group, machine in review.moving:
        if subject.vm.power_state == "poweredOn" and (disks := _by_vddk(machine)):
            yield subject, group, disks


def _by_vddk(machine: Machine) -> str:
    if machine.path != "virt-v2v" or machine.clone_of is not None:
        return ""
    return ", ".join(disk.name for disk in machine.disks if disk.source.vddk is not None)


@rule(
    "VMF590",
    "warning",
    "VM with snapshots is copied by vddk",
    source=f"{_POWER_STATE}, FindDiskInSnapshotTree",
    each=True,
)
def with_snapshots(review: Review) -> Iterator[Problem]:
    """While a VM has snapshots it writes to separate files, such as `web-01-000001.vmdk`.

    CDI copies the file that `file` names, even if it is the parent of a snapshot: `web-01.vmdk` holds the state of the
    first snapshot, and everything written since is lost. The file of a snapshot has another name once the snapshot is
    gone.
    """
    for subject, group, machine in review.moving:
        if not subject.vm.snapshots or started(group.stage):
            continue
        if disks := _by_vddk(machine):
            count = counted(subject.vm.snapshots, "snapshot")
            yield subject.problem(
                f"it has {count}, and CDI copies the files that {disks} {'have' if ',' in disks else 'has'} now",
                "delete the snapshots in vSphere and import again, so that `file` holds all of the disk",
                "snapshots",
            )


@rule(
    "VMF587",
    "info",
    "CDI cannot adopt a volume claim",
    source="kubevirt/containerized-data-importer doc/datavolume-claim-adoption.md",
    blueprint=True,
)
def no_adoption(review: Review) -> Iterator[Problem]:
    """A restored volume claim has no DataVolume; the GitOps engine creates it again, and older CDI refuses it.

    From 1.58.2 on, CDI takes the claim over as it is.
    """
    blueprint = review.blueprint
    if versions.certain(blueprint.cluster.versions, versions.CLAIM_ADOPTION):
        return
    groups = (group for group in blueprint.groups if {"volumes", "conversion"} & {*group.layers})
    names = tuple(machine.name for group in groups for machine in group.machines)
    if names:
        yield Problem(
            f"CDI {blueprint.cluster.versions.cdi} refuses a DataVolume whose claim was restored from a backup",
            f"{versions.CLAIM_ADOPTION.releases} adopt it: update CDI, or annotate such a claim with "
            "cdi.kubevirt.io/storage.populatedFor=NAME-OF-THE-DATAVOLUME before the engine creates the "
            "DataVolume again",
            review.at("target", "cluster", "versions", "cdi"),
            names,
        )
