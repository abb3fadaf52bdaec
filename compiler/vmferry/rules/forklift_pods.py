"""Forklift's conversion pods (path A): where they run, what they need, and unused parts of the spec."""

from collections import defaultdict
from collections.abc import Iterator

from vmferry.estate.stages import begun
from vmferry.kube.provisioners import takes_files
from vmferry.kube.quantity import format_size, parse_size
from vmferry.model.blueprint import Group, Machine
from vmferry.model.forklift import NodeTerm
from vmferry.model.review import Problem, Review, Subject
from vmferry.rules.registry import rule


def _not_started(review: Review) -> Iterator[tuple[Subject, Group, Machine]]:
    """Yield the VMs with decisions on a Plan that Forklift has not started yet."""
    for subject, group, machine in review.moving:
        if machine.forklift is not None and not begun(group.stage):
            yield subject, group, machine


@rule(
    "VMF765",
    "error",
    "placement or labels of conversion pods are not possible",
    source="kubernetes pkg/apis/core/validation/validation.go (ValidateNodeSelectorRequirement); "
    "kubev2v/forklift pkg/controller/plan/kubevirt.go (forklift.app)",
    essential=True,
    each=True,
)
def placement(review: Review) -> Iterator[Problem]:
    """`In` and `NotIn` need values, `Exists` and `DoesNotExist` take none: otherwise the API server refuses the pod.

    Forklift finds its pods by its own labels: with another value, one is overwritten or hides the pod.
    """
    for subject, _, machine in _not_started(review):
        pods = machine.forklift.convertor if machine.forklift is not None else None
        if pods is None:
            continue
        for term in (*pods.require_nodes, *pods.prefer_nodes):
            if bool(term.values) != (term.operator in ("In", "NotIn")):
                yield subject.decided("forklift", f"conversion pods: {_wrong(term)}", "correct the term")
        taken = sorted(pods.labels.keys() & _SYSTEM_LABELS)
        if taken:
            yield subject.decided(
                "forklift",
                f"conversion pods: Forklift reserves label {', '.join(taken)} to find them",
                "use your own labels, such as example.com/team",
            )


_SYSTEM_LABELS = {"forklift.app", "migration", "plan", "plan-name", "plan-namespace", "resource", "vmID"}
"""Labels by which Forklift finds conversion pods; a Plan's own labels may even override them (2.12)."""


def _wrong(term: NodeTerm) -> str:
    return f"{term.key} {term.operator} " + ("takes no values" if term.values else "needs values")


@rule(
    "VMF766",
    "warning",
    "scratch volume of conversions is too small or has no class",
    source="kubev2v/forklift pkg/apis/forklift/v1beta1/plan.go (ConversionTempStorageSize), plan/validation.go",
    each=True,
)
def scratch(review: Review) -> Iterator[Problem]:
    """virt-v2v writes its changes, and with fstrim much more, to its scratch space before the disk.

    Forklift recommends at least the size of the largest disk. A class that does not exist keeps the Plan from becoming
    Ready.
    """
    known = {each.name: each for each in review.spec.storage.classes}
    for subject, _, machine in _not_started(review):
        storage = machine.forklift.conversion_storage if machine.forklift is not None else None
        if storage is None:
            continue
        largest = max((disk.size for disk in machine.disks), default=0)
        if parse_size(storage.size) < largest:
            yield subject.decided(
                "forklift",
                f"conversionStorage is {storage.size}, and the largest disk is {format_size(largest)}",
                f"state at least {format_size(largest)}",
            )
        if storage.storage_class not in known:
            yield subject.decided(
                "forklift",
                f"conversionStorage uses StorageClass {storage.storage_class}, which `storage.classes` does not define",
                f"correct it, or add the class; known: {', '.join(sorted(known)) or 'none'}",
            )
        elif not takes_files(known[storage.storage_class]):
            yield subject.decided(
                "forklift",
                f"conversionStorage uses StorageClass {storage.storage_class}, which has no Filesystem volumes",
                "use a class with Filesystem volumes: otherwise the claim stays Pending",
            )


@rule(
    "VMF767",
    "info",
    "ServiceAccount must exist in the VMs' namespace",
    source="kubev2v/forklift pkg/controller/plan/validation.go (ServiceAccountNotValid)",
    blueprint=True,
)
def service_accounts(review: Review) -> Iterator[Problem]:
    """Forklift looks for the ServiceAccount in the namespace that the VMs go to; vmferry does not create it.

    A Plan whose ServiceAccount is missing there does not become Ready.
    """
    users: defaultdict[tuple[str, str], list[Machine]] = defaultdict(list)
    for group, machine in review.machines:
        account = machine.forklift.service_account if machine.forklift is not None else None
        if account is not None and not begun(group.stage):
            users[machine.namespace, account].append(machine)
    for (namespace, account), machines in sorted(users.items()):
        yield Problem(
            f"ServiceAccount {account} must exist in namespace {namespace}",
            "create it with the permissions that conversion pods need (on OpenShift, an SCC), and suppress this",
            review.blueprint.places.get(machines[0].key),
            tuple(machine.name for machine in machines),
        )


@rule("VMF768", "warning", "scripts are not used by any VM")
def unused_scripts(review: Review) -> Iterator[Problem]:
    """Scripts run for the VMs that list them under `forklift`. No VM does, so they will never run."""
    used = {machine.forklift.scripts for _, _, machine in review.moving if machine.forklift is not None}
    for index, scripts in enumerate(review.spec.scripts):
        if scripts.name not in used:
            fix = f"add forklift: {{scripts: {scripts.name}}} to its VMs, an `assign` rule or `defaults`"
            where = review.at("scripts", index, "name")
            yield Problem(f"scripts {scripts.name} are not used by any VM", fix, where)


@rule(
    "VMF770",
    "error",
    "SCSI reservations without a LUN",
    source="kubev2v/forklift pkg/apis/forklift/v1beta1/plan.go (SCSIReservation)",
    each=True,
)
def reservations(review: Review) -> Iterator[Problem]:
    """Forklift lets a guest reserve a disk that became a LUN: a raw device mapping, with rdmAsLun.

    It ignores the setting on others. Fencing between the guests of a failover cluster would not work.
    """
    for subject, group, machine in review.moving:
        if group.path != "forklift" or begun(group.stage):
            continue
        mapped = any(disk.rdm is not None for disk in subject.vm.disks or ())
        if machine.scsi_reservation and not (machine.rdm_as_lun and mapped):
            missing = "no raw device mapping" if machine.rdm_as_lun else "no rdmAsLun"
            yield subject.decided(
                "forklift", f"scsiReservation has no effect: it has {missing}", "add rdmAsLun: true, or remove it"
            )
