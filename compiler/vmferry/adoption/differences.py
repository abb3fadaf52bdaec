"""Where a live VM differs from what was decided for it, field by field."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from vmferry.backends.kubevirt import virtual_machine
from vmferry.kube.quantity import format_size
from vmferry.model.blueprint import Blueprint, Group, Machine
from vmferry.model.spec import VirtualMachine

_INSTANCE = "template.spec"


class Difference(Struct, frozen=True):
    """A field of a VirtualMachine's spec. None: it is not there."""

    field: str
    decided: str | None
    live: str | None


def differences(
    blueprint: Blueprint, group: Group, machine: Machine, facts: VirtualMachine | None, live: Mapping[str, Any]
) -> tuple[Difference, ...]:
    """Return where a recorded spec differs from the decisions.

    Path virt-v2v knows every field. Of what Forklift makes, only those count that follow from decisions and known
    ``facts``; the others are found at run time.
    """
    there = dict(_leaves(live))
    if group.path == "forklift":
        wanted = dict(_leaves(_by_forklift(machine, facts)))
        there = {field: value for field, value in there.items() if field in wanted or _of_device(field)}
    else:
        spec = virtual_machine(blueprint, group, machine)["spec"]
        wanted = dict(_leaves({key: value for key, value in spec.items() if key != "runStrategy"}))
    return tuple(
        Difference(field, wanted.get(field), there.get(field))
        for field in sorted(wanted.keys() | there.keys())
        if wanted.get(field) != there.get(field)
    )


def _of_device(field: str) -> bool:
    """Return whether a field says which disks and NICs there are: none may appear unnoticed."""
    ends = ("].persistentVolumeClaim.claimName", "].dataVolume.name", "].macAddress", "].multus.networkName")
    return field.startswith(_INSTANCE) and field.endswith(ends)


def _by_forklift(machine: Machine, facts: VirtualMachine | None) -> dict[str, Any]:
    """Return what Forklift makes of decisions and known facts (see `backends.adopted` for its sources)."""
    domain: dict[str, Any] = {}
    if facts is not None and machine.instancetype is None:
        if facts.cpu is not None:
            domain["cpu"] = {"cores": machine.cores, "sockets": machine.sockets}
        if facts.memory is not None:
            domain["memory"] = {"guest": format_size(machine.memory)}
    if facts is not None and facts.firmware is not None:
        loader: dict[str, Any] = {"bios": {}}
        if facts.firmware == "efi":
            loader = {"efi": {"secureBoot": machine.secure_boot} if facts.secure_boot is not None else {}}
        domain["firmware"] = {"bootloader": loader}
    if facts is not None and facts.vtpm is not None:
        domain["devices"] = {"tpm": {"persistent": True} if machine.vtpm else {"enabled": False}}
    nics = [{"macAddress": nic.mac, "name": nic.name} for nic in machine.nics if nic.mac is not None]
    domain.setdefault("devices", {})["interfaces"] = nics
    wanted: dict[str, Any] = {
        "domain": domain,
        "networks": [
            {"name": nic.name, "pod": {}} if nic.nad is None else {"multus": {"networkName": nic.nad}, "name": nic.name}
            for nic in machine.nics
        ],
        "volumes": [{"name": disk.name, "persistentVolumeClaim": {"claimName": disk.claim}} for disk in machine.disks],
    }
    if machine.placement.node_selector:
        wanted["nodeSelector"] = dict(machine.placement.node_selector)
    spec: dict[str, Any] = {"template": {"spec": wanted}}
    if machine.instancetype is not None:
        spec["instancetype"] = {"name": machine.instancetype.name}
    return spec


def _leaves(value: Any, field: str = "") -> Iterator[tuple[str, str]]:
    """Yield the fields of a spec with their values as JSON. Entries of lists with names are named, not numbered."""
    if isinstance(value, dict) and value:
        for key, part in value.items():
            yield from _leaves(part, f"{field}.{key}" if field else key)
    elif isinstance(value, list) and value and all(isinstance(part, dict) and "name" in part for part in value):
        for part in value:
            named = {key: each for key, each in part.items() if key != "name"}
            yield from _leaves(named, f"{field}[{part['name']}]")
    else:
        yield field, json.dumps(value, ensure_ascii=False, sort_keys=True)
