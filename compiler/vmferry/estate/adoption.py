"""What a VirtualMachine's spec says of its disks and NICs, whoever wrote it, and which recorded spec is a VM's own."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from vmferry.estate.stages import started
from vmferry.model.adopted import AdoptedMachine, AdoptedMachines
from vmferry.model.keys import VmKey
from vmferry.model.spec import GroupState

_CLAIMED = (("persistentVolumeClaim", "claimName"), ("dataVolume", "name"), ("memoryDump", "claimName"))
"""Kinds of volumes with a claim, and the field with its name; a DataVolume's claim has the same name."""

_DEPTH = 60
"""Levels that a spec may have. KubeVirt's own has 12 (an affinity)."""


def recorded(files: Iterable[AdoptedMachines]) -> dict[VmKey, AdoptedMachine]:
    """Return the recorded VMs of all files."""
    return {key: machine for file in files for key, machine in file.vms.items()}


def applies(machine: AdoptedMachine | None, state: GroupState) -> bool:
    """Return whether a record is of the VM that a group at this stage has: not of an attempt before it."""
    current = (state.attempt, state.remigrate)
    return machine is not None and started(state.stage) and (machine.attempt, machine.remigrate) == current


def misshapen(spec: Mapping[str, Any]) -> str | None:
    """Return the field of a spec that has another form than in a VirtualMachine; None if all those read here fit."""
    if _too_deep(spec):
        return "spec (nested too deeply)"
    template = spec.get("template")
    instance = template.get("spec") if isinstance(template, dict) else None
    domain = instance.get("domain") if isinstance(instance, dict) else None
    devices = domain.get("devices") if isinstance(domain, dict) else None
    if not isinstance(instance, dict) or not isinstance(devices, dict):
        return "spec.template.spec.domain.devices"
    for path, holder, field in (
        ("volumes", instance, "volumes"),
        ("networks", instance, "networks"),
        ("domain.devices.disks", devices, "disks"),
        ("domain.devices.interfaces", devices, "interfaces"),
    ):
        if not _named(holder.get(field, [])):
            return f"spec.template.spec.{path}"
    if any(not all(isinstance(part, dict | str) for part in volume.values()) for volume in instance.get("volumes", [])):
        return "spec.template.spec.volumes"
    if not isinstance(spec.get("dataVolumeTemplates", []), list):
        return "spec.dataVolumeTemplates"
    return None


def _named(items: Any) -> bool:
    """Return whether these are mappings with different names."""
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return False
    names = [item.get("name") for item in items]
    return all(isinstance(name, str) for name in names) and len(set(names)) == len(names)


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEPTH):
        level = [part for each in level if isinstance(each, dict | list) for part in _parts(each)]
        if not level:
            return False
    return True


def _parts(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def claims(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return the claims of a spec that is not misshapen, by volume."""
    return dict(_claims(spec["template"]["spec"]))


def _claims(instance: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for volume in instance.get("volumes", ()):
        for kind, field in _CLAIMED:
            source = volume.get(kind)
            if isinstance(source, dict) and isinstance(source.get(field), str):
                yield volume["name"], source[field]


def disks(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return the claims of a spec's disks, by name: a disk is a device with a volume that has a claim."""
    devices = {disk["name"] for disk in spec["template"]["spec"]["domain"]["devices"].get("disks", ())}
    return {name: claim for name, claim in claims(spec).items() if name in devices}


def nics(spec: Mapping[str, Any]) -> list[str]:
    """Return the names of a spec's NICs: an interface with a network of the same name."""
    instance = spec["template"]["spec"]
    networks = {network["name"] for network in instance.get("networks", ())}
    return [each["name"] for each in instance["domain"]["devices"].get("interfaces", ()) if each["name"] in networks]


def lacks(spec: Mapping[str, Any], disk_count: int, nic_count: int) -> str | None:
    """Return how many disks or NICs a spec has, if these are fewer than the VM had in vSphere."""
    found = len(set(disks(spec).values()))
    if found < disk_count:
        return f"{found} of {disk_count} disks"
    if len(nics(spec)) < nic_count:
        return f"{len(nics(spec))} of {nic_count} NICs"
    return None
