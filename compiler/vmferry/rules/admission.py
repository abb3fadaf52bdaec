"""What the API server, KubeVirt or CDI would refuse although the spec says it clearly.

Source: kubevirt pkg/virt-api/webhooks/validating-webhook/admitters, pkg/network/admitter; Kubernetes
validation of Services (DNS-1035), StatefulSets and ConfigMaps.
"""

import re
from collections.abc import Iterator

from vmferry.model.blueprint import Machine, MachineNic
from vmferry.model.review import Problem, Review
from vmferry.rules.registry import rule

_SOURCE = (
    "kubevirt/kubevirt pkg/virt-api/webhooks/validating-webhook/admitters, pkg/network/admitter; "
    "kubernetes/kubernetes pkg/apis/core/validation, pkg/apis/apps/validation"
)
_MAX_CLOUD_INIT = 2048  # bytes of networkData inline
_MAX_STATEFULSET = 52  # its pods carry a label NAME-HASH of at most 63
_MAX_DISKS = 256  # maxItems of disks and volumes in the CRD
_MAX_KEY = 63  # of a label key's name
_MI = 1 << 20
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")

_Problem = tuple[str, str, str]  # field of the VM's entry, what is wrong, how to fix it


@rule("VMF505", "error", "the API server would refuse it", source=_SOURCE, essential=True)
def refused(review: Review) -> Iterator[Problem]:
    """A manifest of the right shape can still break a rule that only Kubernetes or KubeVirt knows.

    GitOps shows the refusal long after the pull request was merged, and everything behind it waits.
    """
    for group in review.blueprint.groups:
        for machine in group.machines:
            where = review.blueprint.places.get(machine.key)
            for field, message, fix in _problems(machine):
                place = where.at(field) if where is not None else None
                yield Problem(f"VM {machine.name}: {message}", fix, place, (machine.name,))


def _problems(machine: Machine) -> Iterator[_Problem]:
    yield from _scheduling(machine)
    if machine.application is not None:
        yield from _application(machine)
        return
    if machine.ports and not machine.target_name[0].isalpha():
        yield "ports", f"Service {machine.target_name} would not begin with a letter", "state another targetName"
    if machine.path == "virt-v2v":
        yield from _sizes(machine)
    if len(machine.disks) > _MAX_DISKS:
        yield "disks", f"{len(machine.disks)} disks, KubeVirt takes {_MAX_DISKS}", "split the VM, or rebuild it"
    for nic in machine.nics:
        if nic.binding == "sriov" and not nic.connected:
            yield "nics", f"{nic.name} is not connected, and SR-IOV has no link state", "connect it, or remove the NIC"
    if machine.path == "virt-v2v" and machine.placement.labels.keys() & _RESERVED:
        names = ", ".join(sorted(machine.placement.labels.keys() & _RESERVED))
        yield "labels", f"label {names} is KubeVirt's own", "choose another name"
    if sum(map(_network_data, machine.nics)) > _MAX_CLOUD_INIT:
        yield "readdress", "cloud-init's network data would exceed 2048 bytes", "give fewer addresses and nameservers"


_RESERVED = frozenset(
    (
        "kubevirt.io/created-by",
        "kubevirt.io/migrationJobUID",
        "kubevirt.io/nodeName",
        "kubevirt.io/migrationTargetNodeName",
        "kubevirt.io/schedulable",
        "kubevirt.io/install-strategy",
    )
)


def _sizes(machine: Machine) -> Iterator[_Problem]:
    """Yield sizes that lack their unit: CDI refuses volumes below 1 MiB, and such a guest has no memory to start in."""
    if machine.memory < _MI and not machine.golden:
        yield "memory", f"memory is {machine.memory} bytes", "add the unit, as in 8Gi"
    for disk in machine.disks:
        if disk.size < _MI:
            yield "disks", f"{disk.name} has {disk.size} bytes, CDI takes 1 MiB at least", "add the unit, as in 40Gi"


def _scheduling(machine: Machine) -> Iterator[_Problem]:
    """Yield what Kubernetes refuses of a pod's labels, node selector and tolerations."""
    placement = machine.placement
    for toleration in placement.tolerations:
        if toleration.operator == "Exists" and toleration.value is not None:
            yield (
                "tolerations",
                f"toleration of {toleration.key} has a value, and operator Exists (the default) takes none",
                "add operator: Equal, or drop the value",
            )
    keys = {
        "labels": placement.labels,
        "nodeSelector": placement.node_selector,
        "tolerations": [toleration.key for toleration in placement.tolerations],
    }
    for field, names in keys.items():
        for name in names:
            if len(name.rpartition("/")[2]) > _MAX_KEY:
                yield field, f"{name} is no label key", f"at most {_MAX_KEY} characters may come after the slash"


def _network_data(nic: MachineNic) -> int:
    """Return about how many bytes a NIC takes in cloud-init's network data."""
    new = nic.readdress
    if new is None:
        return 0
    return 200 + sum(len(text) + 4 for text in (*new.addresses, *new.nameservers, new.gateway or ""))


def _application(machine: Machine) -> Iterator[_Problem]:
    application = machine.application
    if application is None:  # pragma: no cover: the caller looked
        return
    name = machine.target_name
    if application.ports and not name[0].isalpha():
        yield "application", f"Service {name} would not begin with a letter", "state another targetName"
    if application.kind == "StatefulSet" and len(name) > _MAX_STATEFULSET:
        yield "application", f"StatefulSet {name} is longer than {_MAX_STATEFULSET}", "state a shorter targetName"
    single = [volume.name for volume in machine.state if volume.access_mode != "ReadWriteMany"]
    if application.kind == "Deployment" and application.replicas > 1 and single:
        yield (
            "application",
            f"{application.replicas} replicas cannot mount volume {single[0]}, which one node at a time may write",
            "use kind: StatefulSet, shared: true, or one replica",
        )
    for key in application.config:
        if _CONFIG_KEY.fullmatch(key) is None or key in (".", ".."):
            yield "application", f"config {key!r} is no name of a file in a ConfigMap", "letters, digits, - _ and ."
    for what, names in (("port", [p.name for p in application.ports]), ("volume", [s.name for s in application.state])):
        if len(set(names)) != len(names):
            yield "application", f"two {what}s have one name", "rename one"
