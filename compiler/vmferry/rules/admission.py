"""Valid statements in a spec that the API server, KubeVirt or CDI would still refuse.

Source: kubevirt pkg/virt-api/webhooks/validating-webhook/admitters, pkg/network/admitter; Kubernetes
validation of Services (DNS-1035), StatefulSets and ConfigMaps.
"""

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from posixpath import normpath
from typing import TypeVar

from vmferry.estate.cloud_init import MAX_INLINE, seed
from vmferry.kube.versions import STRICT_SERVICE_NAMES, possible
from vmferry.model.application import CONFIG_VOLUME, SCRATCH_VOLUME, Application, NamedPort
from vmferry.model.blueprint import Machine
from vmferry.model.review import Problem, Review
from vmferry.model.spec import Versions
from vmferry.rules.registry import also, rule

_SOURCE = (
    "kubevirt/kubevirt pkg/virt-api/webhooks/validating-webhook/admitters, pkg/network/admitter; "
    "kubernetes/kubernetes pkg/apis/core/validation, pkg/apis/apps/validation"
)
_MAX_STATEFULSET = 52  # its pods have a label NAME-HASH of at most 63
_MAX_DISKS = 256  # maxItems of disks and volumes in the CRD
_MAX_CONFIG = 1 << 20  # bytes of a ConfigMap's values
_MI = 1 << 20
_OWN_VOLUMES = frozenset((CONFIG_VOLUME, SCRATCH_VOLUME))
_POD_SECURITY = re.compile(r"pod-security\.kubernetes\.io/(enforce|audit|warn)(?P<version>-version)?")
_LEVEL = re.compile("privileged|baseline|restricted")
_VERSION = re.compile(r"latest|v1\.(0|[1-9][0-9]*)")
_NAMESPACE_NAME = "kubernetes.io/metadata.name"

_T = TypeVar("_T", bound=Hashable)
_Problem = tuple[str, str, str]  # field of the VM's entry, what is wrong, how to fix it


@rule("VMF505", "error", "the API server would refuse this", source=_SOURCE, essential=True)
def refused(review: Review) -> Iterator[Problem]:
    """A manifest of the right shape can still break a rule that only Kubernetes or KubeVirt knows.

    GitOps shows the refusal long after the pull request was merged, and everything behind it waits.
    """
    for _, machine in review.machines:
        yield from _of_machine(review, machine, _problems(machine, review.spec.target.cluster.versions))
    yield from _namespaces(review)


@also(refused, blueprint=True)
def refused_size(review: Review) -> Iterator[Problem]:
    """Yield sizes that are too small or too large."""
    for _, machine in review.machines:
        yield from _of_machine(review, machine, _sizes(machine))


def _of_machine(review: Review, machine: Machine, problems: Iterable[_Problem]) -> Iterator[Problem]:
    """Yield problems of a machine at the entry of its VM."""
    where = review.blueprint.places.get(machine.key)
    for field, message, fix in problems:
        place = where.at(field) if where is not None else None
        yield Problem(f"VM {machine.name}: {message}", fix, place, (machine.name,))


def _namespaces(review: Review) -> Iterator[Problem]:
    """Yield namespace labels with a meaning for the API server and an invalid value."""
    for index, namespace in enumerate(review.project.spec.namespaces):
        for key, value in namespace.labels.items():
            if message := _namespace_label(namespace.name, key, value):
                place = review.at("namespaces", index, "labels", key)
                yield Problem(f"namespace {namespace.name}: {message[0]}", message[1], place)


def _namespace_label(name: str, key: str, value: str) -> tuple[str, str] | None:
    if key == _NAMESPACE_NAME and value != name:
        return f"label {key} is always the namespace's own name, not {value}", "remove it"
    match = _POD_SECURITY.fullmatch(key)
    if match is None:
        return None
    form, words = (_VERSION, "latest or a version such as v1.32") if match["version"] else (_LEVEL, _LEVEL.pattern)
    if form.fullmatch(value):
        return None
    return f"label {key} is {value!r}, which is not a valid level or version", f"write {words.replace('|', ', ')}"


def _problems(machine: Machine, versions: Versions) -> Iterator[_Problem]:
    yield from _scheduling(machine)
    if machine.application is not None:
        yield from _service_name("application", machine.target_name, machine.application.ports, versions)
        yield from _application(machine, machine.application)
        return
    if not machine.golden and any(nic.nad is None for nic in machine.nics):
        yield from _service_name("ports", machine.target_name, machine.ports, versions)
        yield from _service("ports", machine.ports)
    if len(machine.disks) > _MAX_DISKS:
        yield "disks", f"{len(machine.disks)} disks, KubeVirt supports {_MAX_DISKS}", "split the VM, or rebuild it"
    for nic in machine.nics:
        if nic.binding == "sriov" and not nic.connected:
            yield (
                "nics",
                f"{nic.name} is not connected, and SR-IOV does not support a link state",
                "connect it, or remove the NIC",
            )
    if machine.placement.labels.keys() & _RESERVED:  # Forklift's VMs also have them, from a Plan's targetLabels
        names = ", ".join(sorted(machine.placement.labels.keys() & _RESERVED))
        yield "labels", f"label {names} is reserved for KubeVirt", "choose another name"


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
    """Yield sizes without a unit, and network data that KubeVirt does not accept.

    CDI refuses volumes below 1 MiB, and such a guest has no memory to start.
    """
    if machine.application is not None:
        return
    if machine.path == "virt-v2v" and machine.memory < _MI and not machine.golden:
        yield "memory", f"memory is {machine.memory} bytes", "add the unit, as in 8Gi"
    for disk in machine.disks if machine.path == "virt-v2v" else ():
        if disk.size < _MI:
            yield "disks", f"{disk.name} has {disk.size} bytes, CDI needs at least 1 MiB", "add the unit, as in 40Gi"
    seeded = seed(machine)
    size = len((seeded.network_data or "").encode()) if seeded is not None else 0
    if size > MAX_INLINE:
        what = f"cloud-init's network data has {size} bytes, KubeVirt accepts at most {MAX_INLINE}"
        yield "readdress", what, "use fewer addresses and nameservers, or set the addresses in the guest"


def _scheduling(machine: Machine) -> Iterator[_Problem]:
    """Yield tolerations that Kubernetes refuses."""
    for toleration in machine.placement.tolerations:
        if toleration.operator == "Exists" and toleration.value is not None:
            yield (
                "tolerations",
                f"toleration of {toleration.key} has a value, which operator Exists (the default) does not allow",
                "add operator: Equal, or drop the value",
            )


def _service_name(field: str, name: str, ports: tuple[NamedPort, ...], versions: Versions) -> Iterator[_Problem]:
    """Yield a Service whose name an older Kubernetes does not accept."""
    if ports and not name[0].isalpha() and possible(versions, STRICT_SERVICE_NAMES):
        here, fix = versions.kubernetes, "set another targetName, or update Kubernetes to 1.36"
        yield field, f"Service {name} would not start with a letter, as Kubernetes {here} requires", fix


def _service(field: str, ports: tuple[NamedPort, ...]) -> Iterator[_Problem]:
    """Yield problems with the ports of a VM or an application."""
    for port in _repeated(port.name for port in ports):
        yield field, f"two ports have the same name, {port}", "rename one"
    for protocol, number in _repeated((port.protocol, port.port) for port in ports):
        yield field, f"port {number}/{protocol} is defined twice", "a Service can offer a port only once: remove one"


def _application(machine: Machine, application: Application) -> Iterator[_Problem]:
    name = machine.target_name
    yield from _service("application", application.ports)
    if application.kind == "StatefulSet" and len(name) > _MAX_STATEFULSET:
        yield "application", f"StatefulSet {name} is longer than {_MAX_STATEFULSET}", "set a shorter targetName"
    single = [volume.name for volume in machine.state if volume.access_mode != "ReadWriteMany"]
    if application.kind == "Deployment" and application.replicas > 1 and single:
        yield (
            "application",
            f"{application.replicas} replicas cannot mount volume {single[0]}, which only one node at a time can write",
            "use kind: StatefulSet, shared: true, or one replica",
        )
    size = sum(len(content.encode()) for content in application.config.values())
    if size > _MAX_CONFIG:
        what = f"config has {size} bytes, and a ConfigMap holds at most {_MAX_CONFIG}"
        yield "application", what, "put large files into the image, or on a volume"
    for volume in sorted(_OWN_VOLUMES & {volume.name for volume in application.state}):
        yield "application", f"volume name {volume} is reserved for vmferry", "rename it"
    for volume in _repeated(volume.name for volume in application.state):
        yield "application", f"two volumes have the same name, {volume}", "rename one"
    for variable in _repeated(variable.name for variable in application.env):
        yield "application", f"variable {variable} is defined twice", "remove one"
    for path in _repeated(_mounts(application)):
        yield "application", f"two volumes are mounted at {path}", "mount one of them elsewhere"


def _mounts(application: Application) -> Iterator[str]:
    """Yield normalised mount paths."""
    if application.config:
        yield normpath(application.config_path)
    for volume in application.state:
        yield normpath(volume.mount_path)


def _repeated(items: Iterable[_T]) -> list[_T]:
    """Return duplicates, in the order of their first occurrence."""
    return [item for item, count in Counter(items).items() if count > 1]
