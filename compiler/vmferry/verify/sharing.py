"""What VMs must not share: MAC addresses, and claims that they write to."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from vmferry.kube.kinds import VIRTUAL_MACHINE
from vmferry.kube.mac import MAC_TWICE, plain
from vmferry.layout.objects import Issue, Key, key_of, select
from vmferry.model.finding import Path
from vmferry.model.manifest import KubeObject
from vmferry.model.rule import declare

_DISKS = "spec.template.spec.domain.devices.disks[]"
_INTERFACES = "spec.template.spec.domain.devices.interfaces[]"
_VOLUMES = "spec.template.spec.volumes[]"


OBJECT_IN_TWO_ROOTS = declare(
    "VMF610",
    "error",
    "one object in two roots",
    why="Two roots that hold the same object take it from each other at every sync, and when one of them is removed "
    "it prunes the object of the other. Two VMs that write to the same claim destroy the file system on it.",
    source="fluxcd/kustomize-controller docs/spec/v1/kustomizations.md (prune)",
)


class Uses(msgspec.Struct, frozen=True, array_like=True):
    """The MAC addresses and claims that the VMs of one root use, each with its VM and field."""

    macs: tuple[tuple[str, Key, str, Path], ...]  # and the interface's name
    claims: tuple[tuple[str, str, Key, bool, Path], ...]  # namespace, name, and whether the VM writes to it alone


def uses(objects: Iterable[KubeObject]) -> Uses:
    """Return what the VMs among the objects of a root use."""
    macs: list[tuple[str, Key, str, Path]] = []
    claims: list[tuple[str, str, Key, bool, Path]] = []
    for obj in objects:
        key = key_of(obj)
        if (key.group, key.kind) != VIRTUAL_MACHINE.key:
            continue
        for path, interface in select(obj, _INTERFACES):
            mac = interface.get("macAddress") if isinstance(interface, dict) else None
            if isinstance(mac, str):
                macs.append((plain(mac), key, str(interface.get("name")), (*path, "macAddress")))
        disks = {disk.get("name"): disk for _, disk in select(obj, _DISKS) if isinstance(disk, dict)}
        for path, volume in select(obj, _VOLUMES):
            if claim := _claim(volume):
                alone = _writes_alone(disks.get(volume.get("name"), {}), volume)
                claims.append((key.namespace, claim, key, alone, path))
    return Uses(tuple(macs), tuple(claims))


class Sharing:
    """The MAC addresses and claims of all VMs of a tree; VMs are added once per build."""

    def __init__(self) -> None:
        self._macs: dict[str, dict[tuple[Key, str], Path]] = defaultdict(dict)
        self._claims: dict[tuple[str, str], dict[Key, tuple[bool, Path]]] = defaultdict(dict)

    def join(self, each: Uses) -> None:
        """Record what the VMs of a root use."""
        for mac, key, name, path in each.macs:
            self._macs[mac][key, name] = path
        for namespace, claim, key, alone, path in each.claims:
            self._claims[namespace, claim][key] = (alone, path)

    def check(self) -> Iterator[Issue]:
        """Yield VMF206 for a duplicate MAC address, VMF610 for a claim that two VMs mount, one for writing."""
        for mac, interfaces in sorted(self._macs.items()):
            holders = sorted(interfaces)
            for key, name in holders[1:]:
                other = f"{holders[0][0]} ({holders[0][1]})"
                message = f"MAC address {mac} of {key} ({name}) is already used by {other}"
                yield Issue(MAC_TWICE, message, "give one of them another address", key=key, path=interfaces[key, name])
        for (namespace, claim), mounts in sorted(self._claims.items()):
            if len(mounts) > 1 and any(alone for alone, _ in mounts.values()):
                names = ", ".join(key.name for key in sorted(mounts))
                message = f"claim {namespace}/{claim} is mounted by {len(mounts)} VMs: {names}"
                remedy = "two guests that write to one disk destroy it, unless each of them has `shareable: true`"
                last = max(mounts)
                yield Issue(OBJECT_IN_TWO_ROOTS, message, remedy, key=last, path=mounts[last][1])


def _claim(volume: Any) -> str | None:
    for pattern in ("persistentVolumeClaim.claimName", "dataVolume.name"):
        for _, claim in select(volume, pattern):
            if isinstance(claim, str):
                return claim
    return None


def _writes_alone(disk: dict[str, Any], volume: dict[str, Any]) -> bool:
    """Return whether a VM writes to the volume without expecting another VM to."""
    fields = [(disk, "disk.readonly"), (disk, "lun.readonly"), (volume, "persistentVolumeClaim.readOnly")]
    read_only = "cdrom" in disk or any(value is True for holder, field in fields for _, value in select(holder, field))
    return not read_only and disk.get("shareable") is not True
