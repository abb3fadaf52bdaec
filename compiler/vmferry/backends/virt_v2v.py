"""virt-v2v: conversion Jobs in the cluster with their permissions, or a script for a bastion."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from shlex import quote
from typing import Any
from urllib.parse import unquote, urlsplit

from vmferry.backends.cdi import APPLY_ONCE
from vmferry.backends.guest_network import linux_interfaces, windows_addresses
from vmferry.backends.metadata import VM_LABEL, head, stamps
from vmferry.backends.places import lock, of_group, of_machine
from vmferry.backends.tolerations import toleration
from vmferry.backends.vcenter import conversion_secret, libvirt_location
from vmferry.estate.methods import METHODS
from vmferry.kube import kinds
from vmferry.kube.kinds import Kind
from vmferry.kube.quantity import format_size
from vmferry.model.blueprint import Blueprint, Group, Machine, MachineDisk, Origin
from vmferry.model.keys import apart
from vmferry.model.manifest import File, Item, KubeObject

HOLDS_DATA = 42
NOT_SHUT_OFF = 43
TAKEN = 44
"""Exit codes of the conversion script that no retry changes."""

_AS_WRITTEN = {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}
"""Keeps Flux from treating parts of a script or of a VM's name as variables."""

CONVERSION_SCC = "nonroot-v2"
"""The SCC that admits a conversion's pod on OpenShift.

restricted-v2, which every ServiceAccount may use, requires ids in the namespace's range. nonroot-v2 accepts any id
except root's and any fsGroup, and is just as strict in everything else (openshift/cluster-kube-apiserver-operator,
bindata/bootkube/scc-manifests). The Job controller creates a Job's pods, so their ServiceAccount needs the permission;
CDI's and KubeVirt's controllers have their own constraints.
"""

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"

_QEMU = 107  # uid and gid of qemu in the image, and of what CDI and KubeVirt write
_RETRIES = 2
_GI = 1 << 30
_NAME_LENGTH = 63  # a Job's name becomes a label of its pods
_VDDK = "/opt"  # the VDDK image's own entrypoint copies the library below it
_VDDK_LIBDIR = f"{_VDDK}/vmware-vix-disklib-distrib"
_SCRIPT = "/etc/vmferry/script"
_CREDENTIALS = "/etc/vmferry/credentials"
_LUKS = "/etc/vmferry/luks"
_PRIVATE = "/run/vmferry"  # in memory
_SCRATCH = "/var/tmp"  # noqa: S108  # virt-v2v's own choice, an emptyDir; it wants 1 GiB free


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield the access and conversion layers of groups of method job, bastion.sh of those of method image."""
    for group in blueprint.groups:
        if group.path != "virt-v2v":
            continue
        if METHODS[group.method].converts:
            yield from _jobs(blueprint, group)
        elif METHODS[group.method].from_images:
            yield from _bastion(group)


def job_name(machine: Machine, attempt: int) -> str:
    """Return the name of a conversion Job, truncated and with a digest if it is too long."""
    suffix = f"-convert-{attempt}"
    name = machine.target_name
    if len(name) + len(suffix) > _NAME_LENGTH:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        name = f"{name[: _NAME_LENGTH - len(suffix) - 9].rstrip('-')}-{digest}"
    return name + suffix


def device(index: int) -> str:
    """Return virt-v2v's name of the disk at ``index``, from 0: sda, sdz, sdaa."""
    letters = ""
    number = index + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return f"sd{letters}"


def script(name: str, machines: Iterable[Machine]) -> str:
    """Return the Bash script ``name``; the part that names NICs is only included if one of ``machines`` needs it."""
    needed = functions() if any(map(linux_interfaces, machines)) else _part("vcenter")
    return "\n".join(["#!/usr/bin/env bash", "set -euo pipefail\n", needed, _part(name)])


def functions() -> str:
    """Return the Bash functions that the scripts share."""
    return "\n".join(map(_part, ("vcenter", "guest", "netplan", "interfaces")))


def _part(name: str) -> str:
    return (Path(__file__).with_name("scripts") / f"{name}.sh").read_text(encoding="utf-8")


def _converted(group: Group) -> list[Machine]:
    """Return the machines whose disks are converted: clones copy a golden image instead."""
    return [machine for machine in group.machines if machine.clone_of is None and machine.disks]


# --- conversion Jobs -------------------------------------------------------------------------


def _jobs(blueprint: Blueprint, group: Group) -> Iterator[Item]:
    machines = _converted(group)
    if not machines:
        return
    for obj in _access(blueprint, group, machines):
        yield of_group(group, "access", obj)
    for machine in machines:
        yield of_machine(group, "conversion", machine, _job(blueprint, group, machine))


def _access(blueprint: Blueprint, group: Group, machines: list[Machine]) -> Iterator[KubeObject]:
    """Yield the ServiceAccount of a group's Jobs, which may only read and annotate their volume claims."""
    name = group.conversion_account

    def identity(kind: Kind, annotations: dict[str, str] | None = None) -> dict[str, Any]:
        return head(kind, blueprint, name, group.namespace, group=group, layer="access", annotations=annotations)

    claims = sorted({disk.claim for machine in machines for disk in machine.disks})
    rules = [_rule(kinds.CLAIM, claims, "get", "patch")]
    if blueprint.cluster.distribution == "openshift":
        rules.append(_rule(kinds.SECURITY_CONSTRAINT, [CONVERSION_SCC], "use"))
    yield {
        **identity(kinds.SERVICE_ACCOUNT),
        "automountServiceAccountToken": False,
    }
    yield {
        **identity(kinds.ROLE),
        "rules": rules,
    }
    yield {
        **identity(kinds.ROLE_BINDING),
        "roleRef": {"apiGroup": kinds.ROLE.group, "kind": kinds.ROLE.name, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": group.namespace}],
    }
    yield {
        **identity(kinds.CONFIG_MAP, _AS_WRITTEN),
        "data": {"convert.sh": script("convert", machines)},
    }


def _rule(kind: Kind, names: list[str], *verbs: str) -> dict[str, Any]:
    return {"apiGroups": [kind.group], "resources": [kind.plural], "resourceNames": names, "verbs": list(verbs)}


def _job(blueprint: Blueprint, group: Group, machine: Machine) -> KubeObject:
    """Return the Job, without a TTL, because GitOps would create it again.

    It is applied only once, because its template is immutable; another attempt is another Job.
    """
    queue = group.origins[machine.key].conversion.queue
    identity = head(
        kinds.JOB,
        blueprint,
        job_name(machine, group.attempt),
        machine.namespace,
        group=group,
        layer="conversion",
        labels={VM_LABEL: machine.target_name} | ({QUEUE_LABEL: queue} if queue else {}),
        annotations=APPLY_ONCE | _AS_WRITTEN,
    )
    # Without the VM's label, or the VM's Service would send its clients here.
    pod: dict[str, Any] = {"labels": {"app.kubernetes.io/component": "conversion"} | stamps(blueprint, group)}
    if machine.transfer_network is not None:
        pod["annotations"] = {"k8s.v1.cni.cncf.io/networks": machine.transfer_network}
    return {
        **identity,
        "spec": {
            "backoffLimit": _RETRIES,
            "completionMode": "NonIndexed",
            "completions": 1,
            "parallelism": 1,
            "podFailurePolicy": {"rules": _failure_rules()},
            "podReplacementPolicy": "Failed",
            "suspend": queue is not None,  # Kueue starts it
            "template": {"metadata": pod, "spec": _pod(group, machine)},
        },
    }


def _failure_rules() -> list[dict[str, Any]]:
    final = {"containerName": "convert", "operator": "In", "values": [HOLDS_DATA, NOT_SHUT_OFF, TAKEN]}
    return [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "FailJob", "onExitCodes": final},
    ]


def _pod(group: Group, machine: Machine) -> dict[str, Any]:
    """Return the pod: as unprivileged as Forklift's, and placed like the VM.

    A volume that waits for its first consumer is bound on this pod's node, so the VM must be able to run there.
    """
    origin = group.origins[machine.key]
    vddk_image = origin.conversion.vddk_image
    result: dict[str, Any] = {
        "automountServiceAccountToken": True,
        "containers": [_container(origin, machine, group.attempt)],
        "dnsPolicy": "ClusterFirst",
        "enableServiceLinks": False,
        "nodeSelector": dict(sorted({**machine.placement.node_selector, "kubevirt.io/schedulable": "true"}.items())),
        "restartPolicy": "Never",
        "schedulerName": "default-scheduler",
        "securityContext": {
            "fsGroup": _QEMU,
            "runAsGroup": _QEMU,  # a block device belongs to this group, not to fsGroup
            "runAsNonRoot": True,
            "runAsUser": _QEMU,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "serviceAccountName": group.conversion_account,
        "terminationGracePeriodSeconds": 30,
        "volumes": _volumes(origin, group, machine),
    }
    if vddk_image is not None:
        result["initContainers"] = [_vddk_container(vddk_image)]
    if machine.placement.tolerations:
        result["tolerations"] = [toleration(entry) for entry in machine.placement.tolerations]
    return result


def _container(origin: Origin, machine: Machine, attempt: int) -> dict[str, Any]:
    disks = list(enumerate(machine.disks))
    kvm = {"devices.kubevirt.io/kvm": "1"}
    result: dict[str, Any] = _container_basics("convert", origin.conversion.image) | {
        "command": ["/bin/bash", f"{_SCRIPT}/convert.sh"],
        "env": [
            {"name": name, "value": _literal(value)} for name, value in _environment(origin, machine, attempt).items()
        ],
        "resources": {
            "limits": {"cpu": "4", "memory": "8Gi"} | kvm | _on_node(origin, _scratch_limit(machine) + _GI),
            "requests": {"cpu": "1", "memory": "1Gi"} | kvm | _on_node(origin, _scratch_request(machine)),
        },
        "volumeMounts": _mounts(origin, machine)
        + [
            {"mountPath": str(PurePosixPath(_path(index, disk)).parent), "name": f"disk-{index}"}
            for index, disk in disks
            if disk.volume_mode == "Filesystem"
        ],
    }
    blocks = [
        {"devicePath": _path(index, disk), "name": f"disk-{index}"}
        for index, disk in disks
        if disk.volume_mode == "Block"
    ]
    return result | ({"volumeDevices": blocks} if blocks else {})


def _scratch_request(machine: Machine) -> int:
    """Return the bytes of scratch space a conversion usually takes.

    virt-v2v stores what it reads and changes of each disk there, tens to hundreds of MB, and requires 1 GB free
    (docs/virt-v2v.pod, Disk space); rebuilding an initramfs or relabelling a large file system needs more.
    """
    return 2 * _GI + len(machine.disks) * _GI


def _scratch_limit(machine: Machine) -> int:
    """Return the upper limit in bytes: without it, one conversion could fill the disk under running VMs."""
    return max(10 * _GI, _scratch_request(machine), *(disk.size for disk in machine.disks))


def _on_node(origin: Origin, size: int) -> dict[str, str]:
    """Return the request for the node's own disk; none if the scratch space is a volume, or has no size."""
    conversion = origin.conversion
    return {"ephemeral-storage": format_size(size)} if conversion.sized and conversion.scratch is None else {}


def _scratch(origin: Origin, machine: Machine) -> dict[str, Any]:
    """Return the volume for virt-v2v's temporary files: on the node, or deleted with the pod."""
    scratch = origin.conversion.scratch
    if scratch is None:
        return {"emptyDir": {"sizeLimit": format_size(_scratch_limit(machine))} if origin.conversion.sized else {}}
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": scratch.size}},
        "storageClassName": scratch.storage_class,
        "volumeMode": "Filesystem",
    }
    return {"ephemeral": {"volumeClaimTemplate": {"spec": claim}}}


def _vddk_container(image: str) -> dict[str, Any]:
    """Return the init container: the image's own entrypoint copies the library to /opt."""
    return _container_basics("vddk", image) | {
        "resources": {
            "limits": {"cpu": "1", "memory": "500Mi"},
            "requests": {"cpu": "100m", "memory": "150Mi"},
        },
        "volumeMounts": [{"mountPath": _VDDK, "name": "vddk"}],
    }


def _container_basics(name: str, image: str) -> dict[str, Any]:
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }


def _environment(origin: Origin, machine: Machine, attempt: int) -> dict[str, str]:
    """Return the script's environment; names from vCenter are data there, never part of a command."""
    source = origin.conversion
    scheme, location = libvirt_location(origin, machine)
    disks = [f"{device(index)}={_path(index, disk)}" for index, disk in enumerate(machine.disks)]
    vddk = source.vddk_image is not None
    namespace, places = apart(source.places_at) if source.places_at else ("", "")
    settings = {
        "VM_NAME": machine.name,
        "TARGET_NAME": machine.target_name,
        "NAMESPACE": machine.namespace,
        "ATTEMPT": str(attempt),
        "CLAIMS": " ".join(disk.claim for disk in machine.disks),
        "DISKS": " ".join(disks),
        "ROOT": machine.root_disk or "first",
        "SOURCE_SCHEME": scheme,
        "SOURCE_LOCATION": location,
        "SOURCE_INSECURE": "1" if source.insecure_skip_verify else "",
        "VDDK_LIBDIR": _VDDK_LIBDIR if vddk else "",
        "VDDK_THUMBPRINT": (source.thumbprint or "") if vddk else "",
        "CLEVIS": "1" if machine.nbde_clevis else "",
        "PLACES": str(source.places or ""),
        "PLACES_AT": f"{namespace}/configmaps/{places}" if places else "",
        "ADDRESSES": " ".join(windows_addresses(machine)),
        "INTERFACES": " ".join(linux_interfaces(machine)),
        # No libvirt daemon is needed, and the image's debug output is off.
        "LIBGUESTFS_BACKEND": "direct",
        "LIBGUESTFS_DEBUG": "0",
        "LIBGUESTFS_TRACE": "0",
    }
    return {name: value for name, value in settings.items() if value}


def _literal(text: str) -> str:
    """Return an environment value in which Kubernetes does not expand ``$(NAME)``."""
    return text.replace("$", "$$")


def _path(index: int, disk: MachineDisk) -> str:
    """Return where the script finds a volume: the same place as in Forklift's pods."""
    return f"/dev/block{index}" if disk.volume_mode == "Block" else f"/mnt/disks/disk{index}/disk.img"


def _mounts(origin: Origin, machine: Machine) -> list[dict[str, Any]]:
    mounts: list[dict[str, Any]] = [
        {"mountPath": _SCRIPT, "name": "script", "readOnly": True},
        {"mountPath": _CREDENTIALS, "name": "credentials", "readOnly": True},
        {"mountPath": _PRIVATE, "name": "private"},
        {"mountPath": _SCRATCH, "name": "scratch"},
    ]
    if origin.conversion.vddk_image is not None:
        mounts.append({"mountPath": _VDDK, "name": "vddk"})
    if machine.luks_secret is not None:
        mounts.append({"mountPath": _LUKS, "name": "luks", "readOnly": True})
    return mounts


def _volumes(origin: Origin, group: Group, machine: Machine) -> list[dict[str, Any]]:
    credential = conversion_secret(origin, machine)
    volumes: list[dict[str, Any]] = [
        {"name": "script", "configMap": {"name": group.conversion_account, "defaultMode": 0o444}},
        {"name": "credentials", "secret": {"secretName": credential, "defaultMode": 0o440}},
        {"name": "private", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {"name": "scratch"} | _scratch(origin, machine),
    ]
    if origin.conversion.vddk_image is not None:
        volumes.append({"name": "vddk", "emptyDir": {}})
    if machine.luks_secret is not None:
        volumes.append({"name": "luks", "secret": {"secretName": machine.luks_secret, "defaultMode": 0o440}})
    return volumes + [
        {"name": f"disk-{index}", "persistentVolumeClaim": {"claimName": disk.claim}}
        for index, disk in enumerate(machine.disks)
    ]


# --- the bastion's script --------------------------------------------------------------------


def _bastion(group: Group) -> Iterator[Item]:
    """Yield bastion.sh if any disk of the group needs a conversion."""
    machines = [machine for machine in _converted(group) if any(map(_is_image, machine.disks))]
    if not machines:
        return
    lines = [script("bastion", machines)]
    thumbprint = group.origins[machines[0].key].conversion.thumbprint or ""
    lines.append(f"VDDK_THUMBPRINT={quote(thumbprint)}\n")
    lines += [_bastion_machine(group.origins[machine.key], machine) for machine in machines]
    lines.append("finish\n")
    path = f"bases/{group.phase}/{group.name}/bastion.sh"
    yield File(path=path, content="\n".join(lines).encode(), lock=lock(group))


def _is_image(disk: MachineDisk) -> bool:
    source = disk.source
    return source.http is not None or source.upload is not None or source.registry is not None


def _bastion_machine(origin: Origin, machine: Machine) -> str:
    """Return the commands for one VM; all values from vCenter or the spec are quoted."""
    scheme, location = libvirt_location(origin, machine)
    insecure = "1" if origin.conversion.insecure_skip_verify else ""
    options = [option for address in windows_addresses(machine) for option in ("--mac", address)]
    if machine.nbde_clevis:
        options += ["--key", "all:clevis"]
    root = machine.root_disk or "first"
    convert = ["convert", machine.target_name, machine.name, scheme, location, insecure, root, *options]
    if machine.raw:
        convert = ["copy_raw", machine.target_name, machine.name, scheme, location, insecure, machine.id or ""]
        convert += [f"{device(index)}={disk.file or ''}" for index, disk in enumerate(machine.disks)]
    publish = [_publish(machine, index, disk) for index, disk in enumerate(machine.disks)]
    nics = [] if machine.raw else ["nics", *linux_interfaces(machine)]
    commands = [nics, convert, *publish]
    body = "".join(f"  {' '.join(map(quote, command))}\n" for command in commands if command)
    condition = f"wanted {quote(machine.target_name)}"
    unreadable = [device(index) for index, disk in enumerate(machine.disks) if disk.unreadable]
    if unreadable:
        condition += f" && readable {quote(machine.target_name)} {' '.join(unreadable)}"
    return f"if {condition}; then\n{body}fi\n"


def _publish(machine: Machine, index: int, disk: MachineDisk) -> list[str]:
    """Return the command that publishes a disk's image for CDI; none for a disk without an image."""
    image = [machine.target_name, device(index)]
    if not disk.owner:
        return []
    if disk.source.upload is not None:
        return ["upload", *image, machine.namespace, disk.claim]
    if disk.source.http is not None:
        return ["publish", *image, _file_name(disk.source.http.url, disk.claim)]
    if disk.source.registry is not None:
        return ["push", *image, disk.source.registry.url]
    return []


def _file_name(url: str, default: str) -> str:
    """Return the last part of the URL's path, as a file name that stays in its directory."""
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    return default if name in ("", ".", "..") or "\0" in name else name
