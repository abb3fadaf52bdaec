"""Concerns that Forklift does not have: VMs that are unreachable, change when they stop, or are not real VMs."""

from collections import defaultdict
from collections.abc import Iterator

from vmferry.model.blueprint import Group, Machine
from vmferry.model.review import Problem, Review, Subject
from vmferry.rules.registry import rule
from vmferry.rules.source_concern import Detected, Seen, concern, copied


@concern(
    "VMF730",
    "warning",
    "VM is encrypted in vSphere",
    source="VMware vSphere Security, Cryptographic Operations Privileges",
)
def encrypted(seen: Seen) -> Iterator[Detected]:
    """Only accounts with the Direct Access privilege can read the content of an encrypted VM.

    A read-only role does not have it, and the copy fails. The copy itself is not encrypted unless the target's storage
    is.
    """
    if seen.vm.encrypted:
        fix = (
            "give the account of the copy Cryptographic operations.Direct Access (Cryptographer.Access) on the VM; "
            "or decrypt it first, with a storage policy"
        )
        yield Detected("it is encrypted in vSphere", fix, ("encrypted",))


@concern(
    "VMF731",
    "warning",
    "disk discards what was written when the VM stops",
    source="vSphere Web Services API, VirtualDiskMode",
)
def nonpersistent(seen: Seen) -> Iterator[Detected]:
    """A nonpersistent or undoable disk returns to its old content when the VM is powered off.

    The VM is powered off to be copied, and the copy keeps everything: from then on the guest does not start clean.
    """
    for index, disk in enumerate(seen.vm.disks or ()):
        if disk.mode in ("nonpersistent", "undoable", "independent_nonpersistent"):
            what = f"{disk.label or f'disk {index + 1}'} is {disk.mode}, and its copy keeps everything written"
            fix = "change its disk mode to Dependent in vSphere; rebuild a guest that must start clean"
            yield Detected(what, fix, ("disks", index, "mode"))


@concern(
    "VMF732",
    "error",
    "vCenter has lost the VM",
    source="vSphere Web Services API, VirtualMachineConnectionState",
)
def lost(seen: Seen) -> Iterator[Detected]:
    """The VM is listed in vCenter, but its host does not know it or cannot read its configuration.

    Nothing can be copied from it until that is repaired.
    """
    if seen.vm.connection_state in ("inaccessible", "invalid", "orphaned"):
        fix = "repair its storage or register it again in vSphere, and import again; or set its disposition to retire"
        yield Detected(f"vCenter reports it as {seen.vm.connection_state}", fix, ("connectionState",))


@concern(
    "VMF733",
    "warning",
    "host of the VM is disconnected",
    source="vSphere Web Services API, VirtualMachineConnectionState",
)
def disconnected(seen: Seen) -> Iterator[Detected]:
    """The ESXi host of the VM is out of vCenter's reach. What vCenter says about the VM may be out of date.

    The copy needs the host.
    """
    if seen.vm.connection_state == "disconnected":
        fix = "connect its ESXi host in vCenter, and import again"
        yield Detected("vCenter cannot reach its host", fix, ("connectionState",))


@concern(
    "VMF734",
    "warning",
    "VM is suspended",
    source="https://libguestfs.org/virt-v2v.1.html",
    loss=True,
)
def suspended(seen: Seen) -> Iterator[Detected]:
    """What a suspended VM has in memory is not copied: its copy starts as if after a power failure.

    Files may be damaged, and virt-v2v refuses file systems that Windows did not close.
    """
    if seen.vm.power_state == "suspended":
        yield Detected("it is suspended", "resume it and shut its guest down before the copy", ("powerState",))


def _running_by_forklift(subject: Subject, group: Group, machine: Machine) -> bool:  # noqa: ARG001
    return machine.path == "forklift" and subject.vm.power_state == "poweredOn"


@concern(
    "VMF735",
    "error",
    "Forklift refuses a running VM without VMware Tools",
    source="kubev2v/forklift pkg/controller/plan/adapter/vsphere/validator.go, GuestToolsInstalled",
    matters=_running_by_forklift,
)
def no_tools(seen: Seen) -> Iterator[Detected]:
    """One running VM without VMware Tools keeps a whole Plan from becoming Ready (condition GuestToolsIssue).

    Forklift shuts guests down with Tools, and gets the guest system and its addresses from them.
    """
    if seen.vm.tools in ("notRunning", "notInstalled"):
        fix = "install or start VMware Tools, or shut the VM down, and import again; or use path virt-v2v"
        yield Detected("it runs without VMware Tools", fix, ("tools",))


@concern(
    "VMF736",
    "error",
    "VM is a placeholder of Site Recovery Manager",
    source="vSphere Web Services API, ManagedByInfo",
)
def placeholder(seen: Seen) -> Iterator[Detected]:
    """Site Recovery Manager keeps an empty VM at the recovery site for each one it protects.

    There is nothing to copy: the VM itself is at the other site.
    """
    if seen.vm.srm_placeholder:
        fix = "migrate the VM at the protected site; set the disposition of this one to exclude"
        yield Detected("it is a placeholder of Site Recovery Manager", fix, ("srmPlaceholder",))


@concern(
    "VMF737",
    "warning",
    "VM is managed by an extension of vCenter",
    source="vSphere Web Services API, ManagedByInfo",
)
def managed(seen: Seen) -> Iterator[Detected]:
    """Agent VMs, appliances and cluster services belong to an extension of vCenter.

    It may start or recreate them after cutover, and they are of little use outside vSphere.
    """
    if seen.vm.managed_by is not None and not seen.vm.srm_placeholder:
        fix = "set its disposition to exclude; or remove it from the extension first"
        yield Detected(f"{seen.vm.managed_by} manages it", fix, ("managedBy",))


def _shares_cpus(subject: Subject, group: Group, machine: Machine) -> bool:
    """Return whether a copy has no dedicated CPUs."""
    return copied(subject, group, machine) and not machine.dedicated_cpus


@concern(
    "VMF738",
    "warning",
    "latency sensitivity is not carried over",
    source="VMware, Deploying Extremely Latency-Sensitive Applications in vSphere",
    matters=_shares_cpus,
    loss=True,
)
def latency(seen: Seen) -> Iterator[Detected]:
    """With latency sensitivity high vSphere gives a VM its own physical CPUs. Its copy shares them."""
    if seen.vm.latency_sensitivity == "high":
        fix = (
            "measure it in a test migration; give it dedicated CPUs (path virt-v2v, `cpuPlacement: dedicated`) or "
            "keep it to nodes with spare CPUs with `nodeSelector`"
        )
        yield Detected("its latency sensitivity is high, and its copy shares CPUs", fix, ("latencySensitivity",))


@concern(
    "VMF739",
    "warning",
    "guest runs its own hypervisor",
    source="KubeVirt user guide, Nested virtualization",
)
def nested(seen: Seen) -> Iterator[Detected]:
    """The guest sees hardware virtualization, usually because it runs VMs or WSL itself.

    In the target it sees that only if the nodes allow nested virtualization.
    """
    if seen.vm.nested_hv:
        fix = "allow nested virtualization on the nodes (kvm_intel or kvm_amd, nested=1) and restrict the VM to them"
        yield Detected("its guest uses hardware virtualization", fix, ("nestedHV",))


@rule(
    "VMF740",
    "error",
    "virt-v2v would find two VMs with the same name",
    source="https://libguestfs.org/virt-v2v-input-vmware.1.html; libvirt drvesx",
)
def ambiguous(review: Review) -> Iterator[Problem]:
    """virt-v2v asks an ESXi host for a VM by its name, and takes the first one with that name.

    vSphere allows the same name in two folders, so the wrong VM on that host may be converted. That also applies to
    Forklift's cold migrations: its conversion pod is given the name (V2V_vmName). Its warm ones copy the disks of a
    UUID.
    """
    alike: defaultdict[tuple[str, str, str], list[Subject]] = defaultdict(list)
    for subject in review.subjects:
        if subject.vm.host is not None:
            alike[subject.source, subject.vm.host, subject.name].append(subject)
    for subject, group, machine in review.moving:
        same = alike[subject.source, subject.vm.host or "", subject.name]
        by_name = machine.path == "virt-v2v" or (machine.method == "cold" and not machine.raw)
        if by_name and copied(subject, group, machine) and len(same) > 1:
            fix = "rename one of them in vSphere and import again, or move one to another host until both are copied"
            yield subject.problem(f"its host has {len(same)} VMs with this name", fix, "name")
